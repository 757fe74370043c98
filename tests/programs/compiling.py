# SPDX-License-Identifier: MIT
"""What the cases of compilers share: sources, and the ways in which they are compiled and run."""
import random

from harness import SCRIPTS, digest

LIBRARY = SCRIPTS / "library.cc"


def c_function(source, number):
    """The text of one C function with a loop, a switch, structures and arithmetic, at random."""
    def pick(*limits):
        return source.randrange(*limits)
    cases = "".join(
        f"        case {k}: x = (x << {pick(1, 9)}) ^ (y + {pick(10**6)}u);\n"
        f"            if (x % {pick(2, 99)} == 0) w *= 1.{pick(99):02};\n            break;\n"
        for k in range(pick(4, 20)))
    call = f"x += f{pick(number)}(x & 7, y);" if number % 4 else ""
    return f"""static unsigned f{number}(unsigned x, unsigned y) {{
    double w = {source.random():.6f};
    struct node n = {{0}}, list[8];
    for (unsigned i = 0; i < y % {pick(3, 9)} + 2; i++) {{
        switch ((x + i) % 21) {{
{cases}        default: x += i * {pick(999)}u;
        }}
        list[i & 7] = n; n.next = &list[i & 7]; n.key = x; n.weight = w + i;
        snprintf(n.name, sizeof n.name, "%u-%u", i, x % {pick(5, 999)}u);
        for (unsigned k = 0; k < sizeof n.name; k++) x = x * 31u + (unsigned char)n.name[k];
    }}
    {call}
    return x + (unsigned)w;
}}
"""


def c_program(functions):
    source = random.Random(13)
    calls = "".join(f"    sum = sum * 33u + f{number}(sum & 15, {number}u);\n"
                    for number in range(functions))
    return ("#include <stdio.h>\n"
            "struct node { struct node *next; unsigned key; double weight; char name[24]; };\n"
            + "".join(c_function(source, number) for number in range(functions))
            + f'int main(void) {{\n    unsigned sum = 1;\n{calls}    printf("%u\\n", sum);\n}}\n')


def write_sources(case):
    (case.inputs / "big.c").write_text(c_program(150), encoding="utf-8")
    (case.inputs / "small.c").write_text(c_program(25), encoding="utf-8")


def compile_all(run, c_compiler, cxx_compiler):
    """Object files and programs, byte for byte, and what the programs print (on this allocator)."""
    results = {}
    for compiler, source, options in (
            (c_compiler, run.inputs / "big.c", ("-O2", "-g")),
            (c_compiler, run.inputs / "small.c", ("-O3", "-funroll-loops")),
            (cxx_compiler, LIBRARY, ("-O2", "-g", "-std=c++17"))):
        what = " ".join((compiler, *options, source.name))
        run.command(compiler, *options, "-c", source, "-o", "object.o")
        run.command(cxx_compiler, "object.o", "-o", "program")
        results["object of " + what] = digest(run.work / "object.o")
        results["program of " + what] = digest(run.work / "program")
        results["output of " + what] = run.command("./program")
    results["preprocessed"] = digest(run.command(cxx_compiler, "-std=c++17", "-E", LIBRARY))
    return results
