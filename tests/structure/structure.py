# SPDX-License-Identifier: MIT
"""What the structure checks share: the files of the repository, C text, and how to report.

A check is a function check(tree, report) in a file check_*.py; main(check) runs it on the
repository or, with an argument, on another folder.  test_checks.py plants faults in such folders.
"""
import os
import pathlib
import re
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
C_SUFFIXES = (".c", ".h", ".cc", ".cpp")


class Tree:
    """The files of a working copy: what git tracks or would track, or all if it is not one."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = sorted(self._git_files() or self._all_files())

    def _git_files(self):
        if not (self.root / ".git").exists():
            return []
        done = subprocess.run(
            ["git", "-C", str(self.root), "ls-files", "-z", "-co", "--exclude-standard"],
            stdout=subprocess.PIPE, check=False)
        names = done.stdout.decode().split("\0")
        return [name for name in names if name and (self.root / name).is_file()]

    def _all_files(self):
        names = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name not in (".git", "build", "__pycache__")]
            names += [os.path.relpath(os.path.join(folder, name), self.root) for name in files]
        return names

    def under(self, *folders, suffixes=C_SUFFIXES):
        """Names of the files below the folders, relative to the root, with one of the suffixes."""
        return [name for name in self.files
                if name.endswith(suffixes) and name.startswith(tuple(f + "/" for f in folders))]

    def read(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")


class Report:
    """Problems found, printed as file:line: text."""

    def __init__(self):
        self.problems = []

    def add(self, name, line, text):
        self.problems.append(f"{name}:{line}: {text}")


def blank_c(text):
    """C text of the same shape without comments, the insides of literals, and directives."""
    def spaces(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]
        return re.sub(r"[^\n]", " ", token)
    text = re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", spaces, text,
                  flags=re.DOTALL)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", spaces, text, flags=re.MULTILINE)


def run(check, root=REPOSITORY):
    """The problems that a check finds in a folder."""
    report = Report()
    check(Tree(root), report)
    return report.problems


def main(check):
    problems = run(check, *sys.argv[1:2])
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)
