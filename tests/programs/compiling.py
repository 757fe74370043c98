# SPDX-License-Identifier: MIT
"""What the cases of compilers share: sources that are made, compiled in several ways, linked and run."""
import random

from harness import digest

CXX_SOURCE = r"""
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Fib { static constexpr long value = Fib<N - 1>::value + Fib<N - 2>::value; };
template <> struct Fib<0> { static constexpr long value = 0; };
template <> struct Fib<1> { static constexpr long value = 1; };

struct Shape { virtual ~Shape() = default; virtual double area() const = 0; };
template <int N> struct Polygon : Shape { double a = N; double area() const override { return a * a * N / 4; } };
using Value = std::variant<int, std::string, std::vector<double>>;

template <typename... F> struct Overload : F... { using F::operator()...; };
template <typename... F> Overload(F...) -> Overload<F...>;

template <int... N> double areas(std::integer_sequence<int, N...>) {
    std::vector<std::unique_ptr<Shape>> shapes;
    (shapes.push_back(std::make_unique<Polygon<N + 3>>()), ...);
    return std::accumulate(shapes.begin(), shapes.end(), 0.0, [](double s, auto &p) { return s + p->area(); });
}

int main() {
    std::map<std::string, std::vector<Value>> table;
    for (int i = 0; i < 3000; i++) {
        auto &row = table["k" + std::to_string(i * 7919 % 501)];
        if (i % 3 == 0) row.emplace_back(i);
        else if (i % 3 == 1) row.emplace_back(std::string(i % 90, 'x'));
        else row.emplace_back(std::vector<double>(i % 50, i / 3.0));
    }
    double sum = 0;
    for (auto &[key, row] : table)
        for (auto &value : row)
            sum += std::visit(Overload{[](int n) { return double(n); }, [](std::string &s) { return double(s.size()); },
                                       [](std::vector<double> &v) { return std::accumulate(v.begin(), v.end(), 0.0); }},
                              value);
    std::regex word("([a-z]+)([0-9]+)");
    std::unordered_map<std::string, std::function<int(int)>> calls;
    for (auto &[key, row] : table)
        calls[std::regex_replace(key, word, "$2$1")] = [n = row.size()](int x) { return int(n) + x; };
    long total = 0;
    for (auto &[key, call] : calls) total += call(int(key.size()));
    try { table.at("none"); } catch (const std::out_of_range &error) { total++; }
    std::cout << sum << ' ' << total << ' ' << Fib<80>::value << ' '
              << areas(std::make_integer_sequence<int, 60>()) << '\n';
}
"""


def c_source(functions):
    """A C program of many functions with loops, switches, structures and arithmetic, made at random."""
    source = random.Random(13)
    lines = [
        "#include <stdio.h>",
        "#include <stdlib.h>",
        "#include <string.h>",
        "struct node { struct node *next; unsigned key; double weight; char name[24]; };",
    ]
    for number in range(functions):
        cases = "".join(
            f"case {k}: x = (x << {source.randrange(1, 9)}) ^ (y + {source.randrange(10**6)}u);"
            f" if (x % {source.randrange(2, 99)} == 0) w *= 1.{source.randrange(99):02}; break;\n"
            for k in range(source.randrange(4, 20))
        )
        call = f"x += f{source.randrange(number)}(x & 7, y);" if number else ""
        lines.append(
            f"""static unsigned f{number}(unsigned x, unsigned y) {{
    double w = {source.random():.6f}; struct node n = {{0}}, list[8];
    for (unsigned i = 0; i < y % {source.randrange(3, 9)} + 2; i++) {{
        switch ((x + i) % 21) {{ {cases} default: x += i * {source.randrange(999)}u; }}
        list[i & 7] = n; n.next = &list[i & 7]; n.key = x; n.weight = w + i;
        snprintf(n.name, sizeof n.name, "%u-%u", i, x % {source.randrange(5, 999)}u);
        for (unsigned k = 0; k < sizeof n.name; k++) x = x * 31u + (unsigned char)n.name[k];
    }}
    {call if number % 4 else ''} return x + (unsigned)w;
}}"""
        )
    calls = "\n".join(
        f"    sum = sum * 33u + f{number}(sum & 15, {number}u);" for number in range(functions)
    )
    lines.append(
        f'int main(void) {{\n    unsigned sum = 1;\n{calls}\n    printf("%u\\n", sum);\n}}'
    )
    return "\n".join(lines) + "\n"


def write_sources(case):
    (case.inputs / "big.c").write_text(c_source(250), encoding="utf-8")
    (case.inputs / "small.c").write_text(c_source(25), encoding="utf-8")
    (case.inputs / "library.cc").write_text(CXX_SOURCE, encoding="utf-8")


def compile_all(run, c_compiler, cxx_compiler):
    """Object files, byte for byte; then the programs made of them, which run on the same allocator."""
    results = {}
    for compiler, name, options in (
        (c_compiler, "big.c", ("-O2", "-g")),
        (c_compiler, "small.c", ("-O3", "-funroll-loops")),
        (c_compiler, "small.c", ("-O0", "-E")),
        (cxx_compiler, "library.cc", ("-O2", "-g", "-std=c++17")),
    ):
        what = " ".join((compiler, name, *options))
        run.command(compiler, *options, "-c", run.inputs / name, "-o", "object.o")
        results[what] = digest(run.work / "object.o")
        if "-E" in options:
            continue
        run.command(cxx_compiler, "object.o", "-o", "program")
        results[f"program of {what}"] = digest(run.work / "program")
        results[f"output of {what}"] = run.command("./program")
    return results
