# SPDX-License-Identifier: MIT
#
# Arrays that grow and shrink, string building, regular expressions, recursion, pipes.

function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
{
    lines[NR % 1000] = lines[NR % 1000] substr($0, 1, 30)
    for (i = 1; i <= NF; i++) { count[$i]++; last[$i] = NR " " $0 }
}
/^[a-m].*th[a-z]/ { matched++; gsub(/[aeiou]+/, "<&>"); changed += length($0) }
NR % 5 == 0 { for (i = NF; i > 0; i--) $i = $i "_" i; rebuilt += length($0) }
NR % 97 == 0 { n = split($0, part, /[ _]/); for (i = 1; i <= n; i++) delete count[part[i]] }
END {
    for (word in count) printf "%s %d %s\n", word, count[word], last[word] | "sort"
    close("sort")
    for (k = 0; k < 1000; k++) total += length(lines[k])
    print NR, matched, changed, rebuilt, total, fib(21), sprintf("%200s|%-90.40f", "x", 1 / 3)
    while (("seq 20000" | getline line) > 0) sum += line
    print sum
}
