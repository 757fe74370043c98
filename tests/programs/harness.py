# SPDX-License-Identifier: MIT
"""What every case of tests/programs/ is written with: commands, servers, made data.

A case runs the same steps twice, once on glibc and once on the library under test, each time
through a Run.  A Run owns one working directory, which has the same path in both runs (compilers
and git write paths into their output), the environment of its processes, and one deadline for all
of them together.  A process that misses the deadline, dies by a signal, has an unexpected exit
status, or prints a message of the allocator raises Failure.

Not here: the proof of who serves malloc (proof.py); the comparison of the results (run.py).
"""
import contextlib
import hashlib
import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from proof import Failure, check_mapped

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"

# A line that the allocator wrote: its messages start with its name.
ALLOCATOR_MESSAGE = re.compile(rb"^hakmem\b.*", re.MULTILINE)


def find_program(name):
    """The path of an executable, or of the last file that matches a pattern of paths; or None."""
    if "/" not in name:
        return shutil.which(name, path=PATH)
    found = sorted(pathlib.Path("/").glob(name.lstrip("/")))
    return str(found[-1]) if found else None


def digest(data):
    """A short stand-in for bytes, text or the content of a file in a result."""
    if isinstance(data, pathlib.Path):
        data = data.read_bytes()
    if isinstance(data, str):
        data = data.encode()
    return f"sha256 {hashlib.sha256(data).hexdigest()} of {len(data)} bytes"


def make_text(seed, size):
    """About `size` bytes of lines of words; the same for the same seed.  Few words are common."""
    source = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    words = ["".join(source.choices(letters, range(26, 0, -1), k=source.randint(1, 12)))
             for _ in range(5000)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    lines = []
    while size > 0:
        lines.append(" ".join(source.choices(words, cum_weights=weights, k=source.randint(0, 20))))
        size -= len(lines[-1]) + 1
    return "\n".join(lines) + "\n"


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

    def time_left(self):
        return max(0.1, self.deadline - time.monotonic())

    # ---- commands ----------------------------------------------------------------------------

    def command(self, *argv, stdin=b"", chatty=False, env=None, nobody=False):
        """Runs a program to its end; returns what it wrote to stdout, as bytes.

        stdin is bytes, or the Path of a file.  The exit status must be 0, and without `chatty`
        nothing may be written to stderr.  `nobody`: not as root, see _start.
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
        if process.returncode or (err and not chatty):
            raise Failure(f"{argv[0]}: {describe(process.returncode)}, wrote {excerpt(err)}",
                          " ".join(argv) + "\n" + tail(err) + tail(out))
        return out

    def text(self, *argv, **options):
        return self.command(*argv, **options).decode()

    def _start(self, argv, env, nobody, stdin, stdout, stderr):
        """Starts a process in a session of its own; with `nobody`, as that user if we are root."""
        user = {}
        if nobody and os.geteuid() == 0:
            user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=self.work,
                                env={**self.env, **(env or {})}, start_new_session=True, **user)

    def _kill_group(self, process):
        """Ends a process and what it started (its session is its own), and reaps it."""
        for number in ([signal.SIGABRT] if self.dump_core else []) + [signal.SIGKILL]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=10)  # after SIGABRT: the time to write the core file

    # ---- servers -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def server(self, *argv, ready, stop=signal.SIGTERM, status=0, nobody=False):
        """Runs a server while the body runs; then stops it by its pid and checks its exit status.

        ready() is true once the server answers; it may raise OSError until then.  With stop=None
        the server ends by itself.  What it writes goes to <work>/server.log.
        """
        argv = [str(word) for word in argv]
        log = self.work / "server.log"
        with open(log, "ab") as sink:
            process = self._start(argv, None, nobody, subprocess.DEVNULL, sink, sink)
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
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)  # its end may be the reason
            state = "alive" if process.returncode is None else describe(process.returncode)
            raise Failure(f"{argv[0]} ({state}): {error}", tail(log.read_bytes())) from error
        finally:
            if process.poll() is None:
                self._kill_group(process)
        check_messages(argv[0], log.read_bytes())
        if process.returncode != status:
            raise Failure(f"{argv[0]}: {describe(process.returncode)}", tail(log.read_bytes()))

    def wait_for(self, ready, what, process):
        """Polls until ready() is true; Failure if the process ends, or at the deadline."""
        while True:
            with contextlib.suppress(OSError):
                if ready():
                    return
            if process.poll() is not None:
                raise Failure(f"{what}: ended early, {describe(process.returncode)}")
            if time.monotonic() > self.deadline:
                raise Failure(f"{what}: does not answer within {self.timeout:g} s")
            time.sleep(0.02)

    def connect(self, name):
        """A connection to a unix socket in the working directory; it ends at the deadline."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self.time_left())
        try:
            connection.connect(str(self.work / name))
        except OSError:
            connection.close()
            raise
        return connection


# ---- messages ------------------------------------------------------------------------------------

def check_messages(program, output):
    message = ALLOCATOR_MESSAGE.search(output)
    if message:
        raise Failure(f"{program}: the allocator reports {excerpt(message[0])}", tail(output))


def describe(status):
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


def excerpt(data, limit=160):
    line = data.decode(errors="replace").strip().replace("\n", " | ")
    return repr(line if len(line) <= limit else line[:limit] + " ...") if line else "nothing"


def tail(data, limit=3000):
    text = data[-limit:].decode(errors="replace")
    return text if not text or text.endswith("\n") else text + "\n"
