# SPDX-License-Identifier: MIT
"""sort in threads and with temporary files, join, tar, find and a pipeline of them in bash."""
from harness import digest, make_text

NEEDS = {
    "sort": "coreutils",
    "tar": "tar",
    "find": "findutils",
    "bash": "bash",
    "gzip": "gzip",
    "grep": "grep",
    "sed": "sed",
    "diff": "diffutils",
}
SERVED = (
    "sort",
    "join",
    "uniq",
    "tar",
    "find",
    "xargs",
    "bash",
    "gzip",
    "grep",
    "sed",
    "diff",
    "sha256sum",
)

PIPELINE = r"""
set -eu -o pipefail
declare -A seen=(); list=(); text=
while read -r word rest; do
  (( seen[x$word] = ${seen[x$word]:-0} + 1 )); list+=("$word${rest:0:9}"); text+=${word^^}
done < <(head -n 8000 "$1/text")
for key in "${!seen[@]}"; do echo "$key ${seen[$key]}"; done | LC_ALL=C sort
echo "${#list[@]} ${#text} ${text//[AEIOU]/}" | sed -E 's/([A-Z])([A-Z])/\2\1/g'
for i in {1..150}; do (x=$(echo "$i" | tr 0-9 a-j); echo "$x"); done
grep -E -c '(a|e).*(th|he).*[x-z]$' "$1/text"; grep -o -w -F -e the -e tea "$1/text" | sort | uniq -c || true
sed -n -E '/^(.).*\1$/{s/ /\n/3;p;N;D}' "$1/text"
tail -n +100 "$1/text" | { diff "$1/text" - || true; } | wc -lc
mkdir tree; for i in {1..60}; do mkdir -p "tree/d$(( i % 7 ))/e$i"; head -c $(( i * 1000 )) "$1/text" > "tree/d$(( i % 7 ))/e$i/f"; done
tar --sort=name --owner=0 --group=0 --mtime=@0 --format=gnu -cf tree.tar tree; sha256sum tree.tar
tar -czf tree.tgz tree; mkdir out; tar -xzf tree.tgz -C out; diff -r tree out/tree
find tree -type f -size +20k -printf '%p %s\n' | sort; find tree -name f -print0 | sort -z | xargs -0 -P 2 -n 7 sha256sum | sort
"""


def prepare(case):
    (case.inputs / "text").write_text(make_text(6, 8 << 20), encoding="utf-8")
    (case.inputs / "short").write_text(make_text(8, 1 << 20), encoding="utf-8")


def probe(run):
    for program in SERVED:
        run.command(program, "--version")


def run(run):
    text = run.inputs / "text"

    def sort(*options, file=text):
        return run.command("sort", "-T", run.work, *options, file)

    (run.work / "one").write_bytes(sort("-u", "-k1,1"))
    (run.work / "two").write_bytes(sort("-u", "-k1,1", file=run.inputs / "short"))
    return {
        "sort --parallel": digest(sort("--parallel=4")),
        "sort with a small buffer": digest(
            sort("--parallel=4", "-S", "1M", "--compress-program=gzip")
        ),
        "sort by keys": digest(sort("--parallel=3", "-s", "-k3,3r", "-k2,2V", "-k1,1f")),
        "join": digest(run.command("join", "one", "two")),
        "bash": run.command("bash", "-c", PIPELINE, "bash", run.inputs),
    }
