# SPDX-License-Identifier: MIT
#
# Runs the hakmem command (HAKMEM_TOOL) and keeps what it did.

import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.environ["HAKMEM_TOOL"]
DIR = os.environ["TOOLS_TEST_DIR"]
STANDIN = os.path.join(DIR, "tools_standin.so")
CRASHING = os.path.join(DIR, "tools_crashing.so")
NOTHING = os.path.join(DIR, "tools_nothing.so")
STATIC = os.environ["TOOLS_STATIC"]
SHOW = os.environ["TOOLS_SHOW"]


def clean_environment(**more):
    """The caller's environment without what concerns hakmem and the loader, and with `more`."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("HAKMEM_") and name != "LD_PRELOAD"}
    kept.update(more)
    return kept


def hakmem(*arguments, env=None, **options):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, errors="replace",
                          timeout=60, env=clean_environment(**(env or {})), **options)


def run(*arguments, **options):
    """hakmem run on the stand-in."""
    return hakmem("run", "--lib", STANDIN, *arguments, **options)


class ToolTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hakmem_tools_")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text, mode=0o755):
        path = self.path(name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def check(self, done, status=0, stdout="", stderr=""):
        """What the command did, whole; None: anything."""
        seen = (done.returncode, done.stdout if stdout is not None else None,
                done.stderr if stderr is not None else None)
        self.assertEqual((status, stdout, stderr), seen)


def main():
    unittest.main(argv=[sys.argv[0], "--verbose"])
