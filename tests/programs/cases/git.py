# SPDX-License-Identifier: MIT
"""git: a history with branches and merges; packed in threads, cloned, searched and checked."""
import random

from harness import digest, make_text

NEEDS = {"git": "git"}
SERVED = ("git",)

COMMITS = 60
BRANCH_AT = range(10, COMMITS, 10)
CONFIGURATION = """[user]
    name = A Tester
    email = tester@example.org
[gc]
    auto = 0
[pack]
    threads = 4
[init]
    defaultBranch = main
[advice]
    detachedHead = false
"""


class Repository:
    """A repository, whose commits have dates that count up."""

    def __init__(self, run):
        self.run = run
        self.folder = run.work / "repository"
        self.folder.mkdir()
        self.env = {"GIT_CONFIG_NOSYSTEM": "1"}

    def git(self, *words, where=None):
        return self.run.command("git", "-C", where or self.folder, *words, env=self.env,
                                chatty=True)

    def commit(self, number, message):
        date = f"{1700000000 + number * 1000} +0100"
        self.env.update(GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


def change_files(source, folder, words, number):
    for _ in range(6):
        path = folder / f"d{source.randrange(5)}" / f"f{source.randrange(40)}.txt"
        path.parent.mkdir(exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else words[:400]
        for _ in range(8):
            lines[source.randrange(len(lines))] = source.choice(words)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "last").write_text(f"{number}\n", encoding="utf-8")


def make_history(repository):
    source = random.Random(11)
    words = make_text(11, 200_000).splitlines()
    git = repository.git
    git("init", "-q")
    for number in range(COMMITS):
        change_files(source, repository.folder, words, number)
        repository.commit(number, f"Change {number}\n\n{words[number]}")
        if number in BRANCH_AT:
            git("checkout", "-q", "-b", f"side{number}", "HEAD~3")
            text = "\n".join(words[number:number + 900])
            (repository.folder / f"side{number}").write_text(text, encoding="utf-8")
            repository.commit(number, f"Side {number}")
            git("checkout", "-q", "main")
            git("merge", "-q", "--no-ff", "-m", f"Merge {number}", f"side{number}")


def probe(run):
    run.command("git", "version")


def run(run):
    (run.work / ".gitconfig").write_text(CONFIGURATION, encoding="utf-8")
    repository = Repository(run)
    git = repository.git
    make_history(repository)
    results = {"objects": git("cat-file", "--batch-all-objects", "--batch-check"),
               "status": git("status", "--porcelain=v2", "--branch")}
    git("gc", "--quiet", "--aggressive", "--prune=now")
    git("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50", "--write-bitmap-index")
    results.update({
        "objects, packed": git("cat-file", "--batch-all-objects", "--batch-check"),
        "contents": digest(git("cat-file", "--batch-all-objects", "--batch")),
        "fsck": git("fsck", "--full", "--strict"),
        "log": digest(git("log", "--all", "--stat", "--date-order", "-p", "-M")),
        "graph": git("log", "--graph", "--oneline", "--all"),
        "blame": digest(git("blame", "-C", "-M", "d1/f1.txt")),
        "grep": digest(git("grep", "-n", "-E", "t.*(he|th)", "HEAD~20")),
        "archive": digest(git("archive", "--format=tar", "HEAD")),
        "diff": digest(git("diff", "--word-diff", "HEAD~40", "HEAD"))})
    clone = run.work / "clone"
    git("clone", "-q", "--bare", f"file://{repository.folder}", clone, where=run.work)
    results["clone"] = git("rev-list", "--objects", "--all", where=clone)
    results["clone, checked"] = git("fsck", "--full", where=clone)
    git("bundle", "create", "-q", run.work / "bundle", "--all")
    results["bundle"] = git("bundle", "list-heads", run.work / "bundle")
    git("rebase", "-q", "--no-ff", "HEAD~5")
    results["rebased"] = git("rev-parse", "HEAD")
    return results
