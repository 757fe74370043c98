# SPDX-License-Identifier: MIT
"""redis-server: a load; a data set of every type that is read back, saved, and loaded again.

Debian links redis with jemalloc; the preload takes malloc from it, on glibc's run as well: with the
data set in memory, jemalloc's own statistics must be those of an allocator that serves nobody.
"""
import random
import re

from harness import Failure, digest

NEEDS = {"redis-server": "redis-server", "redis-benchmark": "redis-tools",
         "redis-cli": "redis-tools"}
SERVED = ("redis-server", "redis-benchmark", "redis-cli")

OPTIONS = ("--port 0 --unixsocket redis.sock --dir . --save --appendonly yes --appendfsync no"
           " --enable-debug-command local --loglevel warning"
           " --lazyfree-lazy-user-flush yes --lazyfree-lazy-user-del yes").split()
# These threads wait by spinning, which a busy machine pays dearly for: only a short load.
IO_THREADS = "--io-threads 3 --io-threads-do-reads yes".split()
LOAD = ("-s redis.sock -n 10000 -c 20 -P 8 -d 300 -r 5000 -q"
        " -t set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset"
        ).split()
CHURN = """
local n = 0
for i = 1, 20000 do
  local t = {}
  for k = 1, i % 20 do t[k] = tostring(i * k) end
  n = n + #table.concat(t, ARGV[1])
end
return n
"""
REWRITTEN = b"aof_rewrite_in_progress:0"
SIZES = (3, 20, 60, 200, 1500, 9000)
READERS = {b"string": ("GET",), b"hash": ("HGETALL",), b"list": ("LRANGE", 0, -1),
           b"set": ("SMEMBERS",), b"zset": ("ZRANGE", 0, -1), b"stream": ("XRANGE", "-", "+")}


class Client:
    """A connection that speaks redis's protocol; commands go out in one pipeline."""

    def __init__(self, connection):
        self.connection = connection
        self.stream = connection.makefile("rb")

    def call(self, *commands):
        out = bytearray()
        for command in commands:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
            out += b"*%d\r\n" % len(words)
            for word in words:
                out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.connection.sendall(out)
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise Failure("redis-server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return self.stream.read(int(rest) + 2)[:-2] if rest != b"-1" else None
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise Failure(f"redis-server answers {line!r}")
        return int(rest) if kind == b":" else rest


def data_set():
    """Commands, the same each time, that fill, grow, shrink and delete keys of all types."""
    source = random.Random(7)
    for i in range(12000):
        key, name = f"{source.randrange(400)}", f"m{source.randrange(3000)}"
        value = source.randbytes(source.choice(SIZES) + i % 13)
        yield "SET", "s" + key, value
        yield "APPEND", "a" + key, value[:500]
        yield "SETRANGE", "r" + key, source.randrange(20000), value[:100]
        yield "HSET", "h" + key, name, value[:300]
        yield "RPUSH", "l" + key, value[:200], name
        yield "SADD", "t" + key, source.randrange(10000), name
        yield "ZADD", "z" + key, i, name
        yield "XADD", "x" + key, f"{i + 1}-0", "field", value[:80]
        yield "PFADD", "p" + key, name
        yield "SETBIT", "b" + key, source.randrange(50000), 1
        if i % 3 == 0:
            yield "DEL", "s" + key
            yield "LTRIM", "l" + key, 5, 40
            yield "HDEL", "h" + key, name
            yield "UNLINK", f"a{source.randrange(400)}"
            yield "LPOP", f"l{source.randrange(400)}"


def in_order(kind, value):
    """A value without the order that redis does not define."""
    if kind == b"set":
        return sorted(value)
    if kind == b"hash":
        return sorted(zip(value[::2], value[1::2]))
    return value


def read_back(client):
    """A digest of everything that is stored, read key by key."""
    keys = sorted(client.call(["KEYS", "*"])[0])
    kinds = client.call(*(["TYPE", key] for key in keys))
    values = client.call(*([READERS[kind][0], key, *READERS[kind][1:]]
                           for key, kind in zip(keys, kinds)))
    return digest(repr([(key, in_order(kind, value))
                        for key, kind, value in zip(keys, kinds, values)]))


def check_jemalloc(client):
    """Failure unless jemalloc, which is asked for its statistics by INFO, holds next to nothing."""
    info = client.call(["INFO", "memory"])[0]
    used, held = (int(re.search(rb"^%s:(\d+)" % name, info, re.MULTILINE)[1])
                  for name in (b"used_memory", b"allocator_allocated"))
    if used < 10 << 20 or held > 1 << 20:
        raise Failure(f"jemalloc holds {held} bytes of the {used} that redis-server uses")


def fill(client):
    commands = list(data_set())
    answers = []
    for start in range(0, len(commands), 500):
        answers += client.call(*commands[start:start + 500])
    return answers


def probe(run):
    for program in SERVED:
        run.command(program, "--version")


def serve(run, *options):
    """A running redis-server, once it has loaded what it stored before."""
    def ready():
        try:
            return connect(run).call(["PING"]) == [b"PONG"]
        except Failure:  # it is still loading
            return False
    return run.server("redis-server", *OPTIONS, *options, ready=ready)


def connect(run):
    return Client(run.connect("redis.sock"))


def run(run):
    answers, digests = {}, []
    with serve(run) as server:
        run.command("redis-benchmark", *LOAD)
        client = connect(run)
        client.call(["FLUSHALL"], ["SCRIPT", "FLUSH"])
        answers["answers while filling"] = digest(repr(fill(client)))
        answers["script"], = client.call(["EVAL", CHURN, 0, "-"])
        answers["data set"] = read_back(client)
        check_jemalloc(client)
        digests += client.call(["DEBUG", "DIGEST"])
        client.call(["BGREWRITEAOF"])
        run.command("redis-benchmark", *LOAD, "--dbnum", "1")
        client.call(["SELECT", 1], ["FLUSHDB"], ["SELECT", 0])
        run.wait_for(lambda: REWRITTEN in client.call(["INFO", "persistence"])[0], "BGREWRITEAOF",
                     server)
        client.call(["DEBUG", "RELOAD"])
        digests += client.call(["DEBUG", "DIGEST"])
    with serve(run, *IO_THREADS):
        client = connect(run)
        digests += client.call(["DEBUG", "DIGEST"])
        run.command("redis-benchmark", *LOAD, "--dbnum", "1", "-n", "1000")
        client.call(["SELECT", 1], ["FLUSHDB"], ["SELECT", 0])
        digests += client.call(["DEBUG", "DIGEST"])
        answers["keys, by redis-cli"] = run.command("redis-cli", "-s", "redis.sock", "DBSIZE")
    answers["digests"] = digests
    if len(set(digests)) != 1:
        raise Failure(f"what was saved is not what was stored: {digests}")
    return answers
