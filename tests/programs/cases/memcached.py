# SPDX-License-Identifier: MIT
"""memcached: four clients at once that store, grow, replace and delete; all their answers."""
import concurrent.futures
import random

from harness import Failure, digest

NEEDS = {"memcached": "memcached"}
SERVED = ("memcached",)

SOCKET = "memcached.sock"
CLIENTS = 4
OPERATIONS = 12000
SIZES = (1, 40, 90, 400, 3000, 20000)
VERBS = ("set", "set", "add", "replace", "append", "get", "gets", "delete", "touch", "gat")


class Client:
    """A connection that keeps what the server answers."""

    def __init__(self, run):
        self.run = run
        self.answers = []
        self.open()

    def open(self):
        self.connection = self.run.connect(SOCKET)
        self.stream = self.connection.makefile("rb")

    def close(self):
        self.stream.close()
        self.connection.close()

    def call(self, line, data=None):
        end = b"\r\n"
        body = data + end if data is not None else b""
        self.connection.sendall(line.encode() + end + body)
        while True:
            answer = self.stream.readline()
            if not answer.endswith(end):
                raise Failure("memcached closed the connection")
            if not answer.startswith(b"VALUE"):
                self.answers.append(answer)
                return
            # VALUE key flags size, and for `gets` a number that counts all clients' changes.
            words = answer.split()[:4]
            self.answers.append((words, self.stream.read(int(words[3]) + len(end))))


def exchange(run, number):
    """One client, with keys of its own: what it is answered does not depend on the others."""
    source = random.Random(number)
    client = Client(run)
    for i in range(OPERATIONS):
        key = f"{number}-{source.randrange(900)}"
        data = source.randbytes(source.choice(SIZES) + i % 17)
        verb = source.choice(VERBS)
        if verb in ("get", "gets"):
            client.call(f"{verb} {key} {number}-{source.randrange(900)}")
        elif verb == "gat":
            client.call(f"gat 0 {key}")
        elif verb == "touch":
            client.call(f"touch {key} 0")
        elif verb == "delete":
            client.call(f"delete {key}")
        else:
            data = data[:60] if verb == "append" else data
            client.call(f"{verb} {key} {i} 0 {len(data)}", data)
        if i % 500 == 0:  # connections come and go
            client.close()
            client.open()
    client.call(f"set {number}-n 0 0 1", b"7")
    for _ in range(2000):
        client.call(f"incr {number}-n 12345")
    client.close()
    return digest(repr(client.answers))


def run(run):
    server = run.server("memcached", "-s", SOCKET, "-t", 4, "-m", 512, "-c", 64, nobody=True,
                        ready=lambda: run.connect(SOCKET))
    with server, concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        answers = pool.map(exchange, [run] * CLIENTS, range(CLIENTS))
        return {f"answers to client {number}": answer for number, answer in enumerate(answers)}
