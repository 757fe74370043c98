# SPDX-License-Identifier: MIT
"""python3 with PYTHONMALLOC=malloc, so that every object is a block: containers, threads, processes, modules in C."""

# Debian's, not another one that may come first in the path.
PYTHON = "/usr/bin/python3"
NEEDS = {PYTHON: "python3"}
SERVED = ("python3",)

SCRIPT = r"""
import bz2, collections, ctypes, decimal, fractions, gc, hashlib, heapq, itertools, json, lzma, mmap, multiprocessing, os
import pickle, queue, random, re, sqlite3, struct, subprocess, sys, threading, weakref, xml.etree.ElementTree, zlib
from concurrent.futures import ThreadPoolExecutor

def sha(data):
    return hashlib.sha256(data if isinstance(data, bytes) else repr(data).encode()).hexdigest()[:24]

class Node:
    def __init__(self, number): self.number, self.peer = number, None

def work(seed):
    source = random.Random(seed)
    live = {}
    for i in range(40000):
        key = source.randrange(2000)
        if key in live: del live[key]
        else: live[key] = {"text": "t" * source.randrange(300), "list": [i] * source.randrange(30), "set": {i, i + 1, -i}}
    nodes = [Node(i) for i in range(5000)]
    for a, b in itertools.pairwise(nodes): a.peer, b.peer = b, a
    watch = weakref.WeakSet(nodes); del nodes, a, b; gc.collect()
    text = json.dumps([[k, v["text"], v["list"]] for k, v in sorted(live.items())])
    words = collections.Counter(re.findall(r"\d+", text)).most_common(5)
    assert pickle.loads(pickle.dumps(live, 5)) == live and zlib.decompress(zlib.compress(text.encode())) == text.encode()
    return sha(re.sub(r"(\d)(\d)", r"\2\1", text)), words, sha(json.loads(text))

def child(connection, seed):
    connection.send(work(seed)); connection.close()

def main():
    print(work(1))
    with ThreadPoolExecutor(4) as pool: print(*pool.map(work, range(4)), sep="\n")
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        ends = [context.Pipe() for _ in range(2)]
        children = [context.Process(target=child, args=(end, n)) for n, (_, end) in enumerate(ends)]
        for process in children: process.start()
        for _, end in ends: end.close()
        print(*(end.recv() for end, _ in ends))
        for process in children: process.join()
        print([process.exitcode for process in children])
    box, total = queue.Queue(100), [0] * 4
    def produce(n):
        for i in range(5000): box.put(bytes(i * n % 700))
    def consume(n):
        while (item := box.get()) is not None: total[n] += len(item)
    makers = [threading.Thread(target=produce, args=(n,)) for n in range(1, 4)]
    takers = [threading.Thread(target=consume, args=(n,)) for n in range(4)]
    for thread in makers + takers: thread.start()
    for thread in makers: thread.join()
    for _ in takers: box.put(None)
    for thread in takers: thread.join()
    print(sum(total))
    for _ in range(300):
        thread = threading.Thread(target=lambda: [bytearray(n) for n in range(200)]); thread.start(); thread.join()
    decimal.getcontext().prec = 400
    print(decimal.Decimal(2).sqrt(), sum(fractions.Fraction(1, n) for n in range(1, 400)), len(hex(7 ** 20000)))
    base = sqlite3.connect(":memory:"); base.execute("create table t (a, b)")
    base.executemany("insert into t values (?, ?)", ((i % 97, "x" * (i % 50)) for i in range(30000)))
    print(sha(base.execute("select a, group_concat(b) from t group by a order by a").fetchall()))
    root = xml.etree.ElementTree.fromstring("<r>" + "".join(f"<i n='{i}'>{i}</i>" for i in range(20000)) + "</r>")
    print(len(root), sha(xml.etree.ElementTree.tostring(root)))
    data = b"".join(struct.pack("<I", i * 7919) for i in range(100000))
    print(sha(lzma.compress(data, preset=1)), sha(bz2.compress(data)), sha(lzma.decompress(lzma.compress(data))))
    print([subprocess.run(["cat"], input=data[:n], capture_output=True).returncode for n in range(0, 20000, 1000)])
    print(ctypes.string_at(ctypes.create_string_buffer(b"text", 1000)), sha(sorted(map(str, range(100000)))))
    grown = []
    for i in range(300000): grown.append(i)
    blob = bytearray()
    for i in range(30000): blob += bytes(i % 100)
    with mmap.mmap(-1, 1 << 20) as area: area.write(blob[:1 << 20].ljust(1 << 20)); print(sha(area[:]))
    print(len(grown), sha(bytes(blob)), heapq.nlargest(3, (i * 7919 % 10007 for i in range(50000))))

if __name__ == "__main__":
    main()
"""
ENVIRONMENT = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def prepare(case):
    (case.inputs / "main.py").write_text(SCRIPT, encoding="utf-8")


def probe(run):
    run.command(PYTHON, "--version")


def run(run):
    return {
        "output": run.command(PYTHON, "-X", "faulthandler", run.inputs / "main.py", env=ENVIRONMENT)
    }
