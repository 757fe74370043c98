# SPDX-License-Identifier: MIT
"""What every case of tests/programs/ is written with: commands, servers, and the proof of who serves malloc.

A case runs the same steps twice, once on glibc and once on the library under test, each time through a
Run.  A Run owns one working directory, which has the same path in both runs (compilers and git write
paths into their output), the environment of its processes, and one deadline for all of them together.
A process that misses the deadline, dies by a signal, has an unexpected exit status, or prints a message
of the allocator raises Failure.

Who serves malloc is asked of the dynamic linker (LD_DEBUG=bindings), for every process of a probe: it
names the library that each call of malloc in each loaded file is bound to.  hakmem itself is asked too:
each process of the run that is compared writes its statistics when it ends.

Not here: which cases there are, and the comparison of the two results (run.py).
"""
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = "nobody"  # who runs the programs that refuse to run as root

# A line that the allocator wrote: its messages start with its name.
ALLOCATOR_MESSAGE = re.compile(rb"^hakmem\b.*", re.MULTILINE)

# "binding file /usr/bin/git [0] to /lib/libx.so [0]: normal symbol `malloc' [GLIBC_2.2.5]"
BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: normal symbol `(\w+)'")
BOUND_SYMBOLS = {"malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc"}

STATISTICS_PARTS = ("live", "cached", "free_dirty", "purged", "metadata", "waste")


class Failure(Exception):
    """The program did not do what it should.  The message is one line; `detail` may be long."""

    def __init__(self, message, detail=""):
        super().__init__(message)
        self.detail = detail


def digest(data):
    """A short stand-in for bytes, text or the content of a file in a result."""
    if isinstance(data, pathlib.Path):
        data = data.read_bytes()
    if isinstance(data, str):
        data = data.encode()
    return f"sha256 {hashlib.sha256(data).hexdigest()} of {len(data)} bytes"


def make_text(seed, size):
    """About `size` bytes of lines of words, the same for the same seed; common words are common."""
    source = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    words = ["".join(source.choices(letters, range(26, 0, -1), k=source.randint(1, 12))) for _ in range(5000)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    lines = []
    while size > 0:
        line = " ".join(source.choices(words, cum_weights=weights, k=source.randint(0, 20)))
        lines.append(line)
        size -= len(line) + 1
    return "\n".join(lines) + "\n"


def find_program(name):
    """The path of an executable, or of the last file that matches a pattern with a slash; else None."""
    if "/" not in name:
        return shutil.which(name, path=PATH)
    found = sorted(pathlib.Path("/").glob(name.lstrip("/")))
    return str(found[-1]) if found else None


def describe_status(status):
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


class Run:
    """One run of one case on one allocator.

    inputs  what prepare() made, the same for both runs; not to be written to
    work    an empty directory, the current one of every command
    env     the environment of every command, with the preload in it
    """

    def __init__(self, inputs, work, library, timeout, env=None, dump_core=False):
        self.inputs = inputs
        self.work = work
        self.library = library
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.dump_core = dump_core
        self.env = {"PATH": PATH, "HOME": str(work), "TMPDIR": str(work), "LC_ALL": "C.UTF-8",
                    "TZ": "UTC", "LD_PRELOAD": str(library), **(env or {})}

    # ---- commands ----------------------------------------------------------------------------

    def command(self, *argv, stdin=b"", status=0, chatty=False, env=None, nobody=False):
        """Runs a program to its end; returns what it wrote to stdout, as bytes.

        stdin is bytes or the Path of a file.  Anything on stderr is a failure unless `chatty`.
        """
        argv = [str(word) for word in argv]
        with contextlib.ExitStack() as stack:
            data, source = stdin, subprocess.PIPE
            if isinstance(stdin, pathlib.Path):
                data, source = None, stack.enter_context(open(stdin, "rb"))
            process = self._start(argv, env, nobody, source, subprocess.PIPE, subprocess.PIPE)
        try:
            out, err = process.communicate(data, timeout=self.time_left())
        except subprocess.TimeoutExpired:
            self._kill_group(process)
            raise Failure(f"{argv[0]}: no end within {self.timeout:g} s", " ".join(argv)) from None
        except BaseException:
            self._kill_group(process)
            raise
        check_messages(argv[0], err)
        if process.returncode != status or (err and not chatty):
            raise Failure(f"{argv[0]}: {describe_status(process.returncode)}, wrote {excerpt(err)}",
                          " ".join(argv) + "\n" + tail(err) + tail(out))
        return out

    def text(self, *argv, **options):
        return self.command(*argv, **options).decode()

    def _start(self, argv, env, nobody, stdin, stdout, stderr):
        user = {}
        if nobody and os.geteuid() == 0:
            user = {"user": NOBODY, "group": "nogroup", "extra_groups": []}
        return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=self.work,
                                env={**self.env, **(env or {})}, start_new_session=True, **user)

    def _kill_group(self, process):
        """Ends a process and what it started (its session is its own), and reaps it."""
        for number in ([signal.SIGABRT] if self.dump_core else []) + [signal.SIGKILL]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=10)  # after SIGABRT: the time to write the core file

    def time_left(self):
        return max(0.1, self.deadline - time.monotonic())

    # ---- servers -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def server(self, *argv, ready, stop=signal.SIGTERM, status=0, env=None, nobody=False):
        """Runs a server while the body runs; then stops it by its pid and checks its exit status.

        ready() is true once the server answers.  What it writes goes to <work>/server.log.
        """
        argv = [str(word) for word in argv]
        log = self.work / "server.log"
        with open(log, "ab") as sink:
            process = self._start(argv, env, nobody, subprocess.DEVNULL, sink, sink)
        try:
            self.wait_for(ready, argv[0], process)
            check_mapped(process.pid, self.library)
            yield process
            if process.poll() is None and stop:
                process.send_signal(stop)
            process.wait(self.time_left())
        except Failure as failure:
            raise Failure(str(failure), failure.detail + tail(log.read_bytes())) from failure
        except subprocess.TimeoutExpired:
            raise Failure(f"{argv[0]}: does not end", tail(log.read_bytes())) from None
        except OSError as error:
            time.sleep(0.5)  # a server that is dying may need a moment
            state = "alive" if process.poll() is None else describe_status(process.returncode)
            raise Failure(f"{argv[0]} ({state}): {error}", tail(log.read_bytes())) from error
        finally:
            if process.poll() is None:
                self._kill_group(process)
        check_messages(argv[0], log.read_bytes())
        if process.returncode != status:
            raise Failure(f"{argv[0]}: {describe_status(process.returncode)}", tail(log.read_bytes()))

    def wait_for(self, ready, what, process):
        """Polls until ready() is true; it may raise OSError as long as nothing answers."""
        while True:
            with contextlib.suppress(OSError):
                if ready():
                    return
            if process.poll() is not None:
                raise Failure(f"{what}: ended early, {describe_status(process.returncode)}")
            if self.time_left() <= 0.1:
                raise Failure(f"{what}: does not answer")
            time.sleep(0.02)

    def connect(self, path):
        """A connection to a unix socket, whose operations end at the deadline."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self.time_left())
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return connection


# ---- what the allocator says, and who it is ------------------------------------------------------

def check_messages(program, output):
    message = ALLOCATOR_MESSAGE.search(output)
    if message:
        raise Failure(f"{program}: the allocator reports: {excerpt(message[0])}", tail(output))


def excerpt(data, limit=160):
    line = data.decode(errors="replace").strip().replace("\n", " | ")
    return repr(line if len(line) <= limit else line[:limit] + " ...") if line else "nothing"


def tail(data, limit=3000):
    text = data[-limit:].decode(errors="replace")
    return text if not text or text.endswith("\n") else text + "\n"


def check_mapped(pid, library):
    """The library is mapped into a running process."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        name = os.path.basename(library)
        if not any(os.path.basename(line.split()[-1]) == name for line in maps):
            raise Failure(f"{name} is not mapped in process {pid}")


def check_statistics(folder):
    """What hakmem's processes wrote at their end (HAKMEM_STATS_FILE) adds up, and malloc was used."""
    refills = 0
    for path in folder.iterdir():
        text, start = path.read_text(), 0
        while start < len(text):  # a process that calls exec writes more than once
            stats, start = json.JSONDecoder().raw_decode(text, start)
            start += len(text[start:]) - len(text[start:].lstrip())
            refills += stats["refills"]
            parts = {name: stats[name] for name in STATISTICS_PARTS}
            # Exact if no other thread allocates at the end; that is tested elsewhere.
            if abs(stats["mapped"] - sum(parts.values())) > stats["mapped"] // 50:
                raise Failure(f"statistics: mapped is {stats['mapped']}, not the sum of {parts}", text)
    if not refills:
        raise Failure("no process of the program wrote statistics with allocations in them")


def check_bindings(run, probe, programs):
    """Runs probe() and checks that malloc is the library's in each of `programs` and all that it starts."""
    traces = run.work / "bindings"
    traces.mkdir()
    traces.chmod(0o777)  # a probe may run as another user
    run.env.update(LD_BIND_NOW="1", LD_DEBUG="bindings", LD_DEBUG_OUTPUT=str(traces / "of"))
    probe(run)
    wanted = os.path.basename(run.library)
    served = set()
    for trace in traces.iterdir():
        served |= served_programs(trace.read_text(errors="replace"), wanted)
    missing = sorted(set(programs) - served)
    if missing:
        raise Failure(f"malloc is not bound to {wanted} in {', '.join(missing)}")


def served_programs(trace, wanted):
    """The names of the files of one process whose malloc is the library's; Failure if another's is in use.

    The address of malloc in a program that is linked at a fixed address is an entry of its own: the program
    and its libraries may be bound to that, and the entry to the library.
    """
    bound = {}
    for source, target, symbol in BINDING.findall(trace):
        if symbol in BOUND_SYMBOLS and source != target:
            bound[source, symbol] = target
    served = set()
    for (source, symbol), target in bound.items():
        entry = bound.get((target, symbol), "")
        if wanted not in map(os.path.basename, (source, target, entry)):
            raise Failure(f"{source}: {symbol} is bound to {target}, not to {wanted}")
        if symbol == "malloc":
            served.add(os.path.basename(source))
    return served
