#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Arrays and strings of the shell itself, many small processes, pipelines, archives.
# $1: the folder with `text`.  Writes into the current folder.
set -eu -o pipefail

declare -A seen=()
list=()
text=
while read -r word rest; do
    seen[x$word]=$(( ${seen[x$word]:-0} + 1 ))
    list+=("$word${rest:0:9}")
    text+=${word^^}
done < <(head -n 8000 "$1/text")
for key in "${!seen[@]}"; do echo "$key ${seen[$key]}"; done | sort
echo "${#list[@]} ${#text} ${text//[AEIOU]/}" | sed -E 's/([A-Z])([A-Z])/\2\1/g'
for i in {1..150}; do (x=$(echo "$i" | tr 0-9 a-j); echo "$x"); done

grep -E -c '(a|e).*(th|he).*[x-z]$' "$1/text"
grep -o -E '\b(ta|ho|en)[a-z]' "$1/text" | sort | uniq -c
sed -n -E '/^(.).*\1$/{s/ /\n/3;p;N;D}' "$1/text"
tail -n +100 "$1/text" | { diff "$1/text" - || true; } | wc -lc

mkdir tree out
for i in {1..60}; do
    folder=tree/d$(( i % 7 ))/e$i
    mkdir -p "$folder"
    head -c $(( i * 1000 )) "$1/text" > "$folder/f"
done
tar --sort=name --owner=0 --group=0 --mtime=@0 --format=gnu -cf tree.tar tree
sha256sum tree.tar
tar -czf tree.tgz tree
tar -xzf tree.tgz -C out
diff -r tree out/tree
find tree -type f -size +20k -printf '%p %s\n' | sort
find tree -name f -print0 | sort -z | xargs -0 -P 2 -n 7 sha256sum | sort
