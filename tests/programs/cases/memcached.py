# SPDX-License-Identifier: MIT
"""memcached: four clients at once that store, grow, replace and delete, each checked by its answers."""
import concurrent.futures
import random

from harness import Failure, digest

NEEDS = {"memcached": "memcached"}
SERVED = ("memcached",)
CLIENTS = 4
OPERATIONS = 12000


def exchange(run, number):
    """One client: returns a digest of all answers, which don't depend on the other clients."""
    source = random.Random(number)
    connection = run.connect(run.work / "memcached.sock")
    stream = connection.makefile("rb")
    answers = []

    def call(line, data=None):
        connection.sendall(line.encode() + b"\r\n" + (data + b"\r\n" if data is not None else b""))
        while True:
            answer = stream.readline()
            if not answer.endswith(b"\r\n"):
                raise Failure("memcached closed the connection")
            if not answer.startswith(b"VALUE"):
                answers.append(answer)
                return
            # The last word of a gets is a number that counts all clients' changes.
            words = answer.split()
            answers.append((words[:4], stream.read(int(words[3]) + 2)))

    for i in range(OPERATIONS):
        key = f"{number}-{source.randrange(900)}"
        data = source.randbytes(source.choice((1, 40, 90, 400, 3000, 20000)) + i % 17)
        verb = source.choice(("set", "set", "add", "replace", "append", "get", "gets", "delete", "touch", "gat"))
        if verb in ("get", "gets"):
            call(f"{verb} {key} {number}-{source.randrange(900)}")
        elif verb == "delete":
            call(f"delete {key}")
        elif verb == "touch":
            call(f"touch {key} 0")
        elif verb == "gat":
            call(f"gat 0 {key}")
        else:
            data = data[:60] if verb == "append" else data
            call(f"{verb} {key} {i} 0 {len(data)}", data)
        if i % 500 == 0:  # connections come and go
            connection.close()
            stream.close()
            connection = run.connect(run.work / "memcached.sock")
            stream = connection.makefile("rb")
    call(f"set {number}-n 0 0 1", b"7")
    for _ in range(2000):
        call(f"incr {number}-n 12345")
    return digest(repr(answers))


def probe(run):
    run.command("memcached", "--version")


def run(run):
    with (run.server("memcached", "-s", "memcached.sock", "-t", "4", "-m", "512", "-c", "64",
                     ready=lambda: run.connect(run.work / "memcached.sock"), nobody=True),
          concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool):
        return dict(zip((f"answers to client {n}" for n in range(CLIENTS)),
                        pool.map(lambda n: exchange(run, n), range(CLIENTS))))
