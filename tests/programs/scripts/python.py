# SPDX-License-Identifier: MIT
"""Containers, cycles and weak references, threads, child processes, and the modules in C."""
import bz2
import collections
import ctypes
import decimal
import fractions
import gc
import hashlib
import heapq
import itertools
import json
import lzma
import mmap
import multiprocessing
import pickle
import queue
import random
import re
import sqlite3
import struct
import subprocess
import threading
import weakref
import xml.etree.ElementTree
import zlib
from concurrent.futures import ThreadPoolExecutor


def sha(data):
    data = data if isinstance(data, bytes) else repr(data).encode()
    return hashlib.sha256(data).hexdigest()[:24]


class Node:
    def __init__(self, number):
        self.number, self.peer = number, None


def make_cycles():
    nodes = [Node(number) for number in range(5000)]
    for a, b in itertools.pairwise(nodes):
        a.peer, b.peer = b, a
    return weakref.WeakSet(nodes)


def work(seed):
    source = random.Random(seed)
    live = {}
    for i in range(40000):
        key = source.randrange(2000)
        if key in live:
            del live[key]
        else:
            live[key] = {"text": "t" * source.randrange(300), "list": [i] * source.randrange(30),
                         "set": {i, i + 1, -i}}
    watch = make_cycles()
    gc.collect()
    text = json.dumps([[k, v["text"], v["list"], len(v["set"])] for k, v in sorted(live.items())])
    words = collections.Counter(re.findall(r"\d+", text)).most_common(5)
    assert pickle.loads(pickle.dumps(live, 5)) == live
    assert zlib.decompress(zlib.compress(text.encode())) == text.encode()
    del watch
    return sha(re.sub(r"(\d)(\d)", r"\2\1", text)), words, sha(json.loads(text))


def child(connection, seed):
    connection.send(work(seed))
    connection.close()


def processes():
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        ends = [context.Pipe() for _ in range(2)]
        children = [context.Process(target=child, args=(end, number))
                    for number, (_, end) in enumerate(ends)]
        for process in children:
            process.start()
        for _, end in ends:
            end.close()
        print(method, *(end.recv() for end, _ in ends))
        for process in children:
            process.join()
        print([process.exitcode for process in children])
    for size in range(0, 20000, 1000):
        done = subprocess.run(["cat"], input=bytes(size), stdout=subprocess.PIPE, check=True)
        print(len(done.stdout))


def threads():
    with ThreadPoolExecutor(4) as pool:
        print(*pool.map(work, range(4)), sep="\n")
    box, totals = queue.Queue(100), [0] * 4

    def produce(number):
        for i in range(5000):
            box.put(bytes(i * number % 700))

    def consume(number):
        while (item := box.get()) is not None:
            totals[number] += len(item)
    makers = [threading.Thread(target=produce, args=(number,)) for number in range(1, 4)]
    takers = [threading.Thread(target=consume, args=(number,)) for number in range(4)]
    for thread in makers + takers:
        thread.start()
    for thread in makers:
        thread.join()
    for _ in takers:
        box.put(None)
    for thread in takers:
        thread.join()
    print(sum(totals))
    for _ in range(300):
        thread = threading.Thread(target=lambda: [bytearray(size) for size in range(200)])
        thread.start()
        thread.join()


def modules():
    decimal.getcontext().prec = 400
    print(decimal.Decimal(2).sqrt(), sum(fractions.Fraction(1, n) for n in range(1, 400)))
    print(sha(hex(7 ** 20000)), heapq.nlargest(3, (i * 7919 % 10007 for i in range(50000))))
    base = sqlite3.connect(":memory:")
    base.execute("create table t (a, b)")
    rows = ((i % 97, "x" * (i % 50)) for i in range(30000))
    base.executemany("insert into t values (?, ?)", rows)
    print(sha(base.execute("select a, group_concat(b) from t group by a order by a").fetchall()))
    items = "".join(f"<i n='{n}'>{n}</i>" for n in range(20000))
    root = xml.etree.ElementTree.fromstring(f"<r>{items}</r>")
    print(len(root), sha(xml.etree.ElementTree.tostring(root)))
    data = b"".join(struct.pack("<I", i * 7919) for i in range(100000))
    print(sha(bz2.compress(data)), sha(lzma.compress(data, preset=1)))
    assert lzma.decompress(lzma.compress(data)) == data
    print(ctypes.string_at(ctypes.create_string_buffer(b"text", 1000)))


def growth():
    grown, blob = [], bytearray()
    for i in range(300000):
        grown.append(i)
    for i in range(30000):
        blob += bytes([i & 255]) * (i % 100)
    print(len(grown), sha(bytes(blob)), sha(sorted(map(str, range(100000)))))
    with mmap.mmap(-1, 1 << 20) as area:
        area.write(blob[:1 << 20])
        print(sha(area[:]))


if __name__ == "__main__":
    print(work(1))
    processes()
    threads()
    modules()
    growth()
