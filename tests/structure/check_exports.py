#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libhakmem.so ($HAKMEM_LIB) exports exactly the names in exports.txt, and is linked as it must be.

Every function of hakmem.h is in the list.  Thread-local data is at most 64 bytes, all zero: with an
initialised image a malloc in an ifunc resolver would crash, and more could not be loaded by dlopen.
"""
import os
import re
import subprocess
import sys

import structure

EXPORTS = "tests/structure/exports.txt"
TLS_BYTES = 64
LIBRARIES = re.compile(r"libc\.so\.6|ld-linux-[\w-]+\.so\.\d")


def readelf(library, *options):
    done = subprocess.run(["readelf", "-W", *options, library], stdout=subprocess.PIPE, text=True,
                          check=True)
    return done.stdout


def exported(dynsym):
    """Names defined in a dynamic symbol table as readelf prints it."""
    names = set()
    for line in dynsym.splitlines():
        field = line.split()
        if len(field) >= 8 and field[0].rstrip(":").isdigit() and field[6] != "UND":
            names.add(field[7].split("@")[0])
    return names


def listed(text):
    """{name: line} of exports.txt."""
    return {line.strip(): number for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.startswith("#")}


def public_functions(header):
    """Functions that hakmem.h declares."""
    code = structure.blank_c(header)
    return set(re.findall(r"^HAK_API [^;(]*?\b(hak_\w+)\(", code, re.MULTILINE))


def check_names(tree, report, dynsym):
    names, wanted = exported(dynsym), listed(tree.read(EXPORTS))
    for name in sorted(names - set(wanted)):
        report.add(EXPORTS, 1, f"the library exports {name}, which is not in the list")
    for name in sorted(set(wanted) - names):
        report.add(EXPORTS, wanted[name], f"the library does not export {name}")
    for name in sorted(public_functions(tree.read("include/hakmem.h")) - set(wanted)):
        report.add(EXPORTS, 1, f"hakmem.h declares {name}, which is not in the list")


def check_linking(report, library, headers, dynamic):
    for size in re.findall(r"^ +TLS +\w+ \w+ \w+ (0x\w+ 0x\w+)", headers, re.MULTILINE):
        file_size, memory_size = (int(number, 16) for number in size.split())
        if file_size:
            report.add(library, 1, f"PT_TLS has {file_size} initialised bytes, not 0")
        if memory_size > TLS_BYTES:
            report.add(library, 1, f"PT_TLS has {memory_size} bytes, more than {TLS_BYTES}")
    if re.search(r"GNU_STACK .* RWE ", headers):
        report.add(library, 1, "asks for an executable stack")
    if not re.search(r"GNU_RELRO ", headers):
        report.add(library, 1, "has no PT_GNU_RELRO (-z relro)")
    for needed in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
        if not LIBRARIES.fullmatch(needed):
            report.add(library, 1, f"needs {needed}")
    if not re.search(r"\(SONAME\).*\[libhakmem\.so\.\d+\]", dynamic):
        report.add(library, 1, "its soname is not libhakmem.so.MAJOR")
    for flag in ("NOW", "NODELETE"):
        if not re.search(rf"\(FLAGS_1\).*\b{flag}\b", dynamic):
            report.add(library, 1, f"is not linked with -z {flag.lower()}")
    if "(TEXTREL)" in dynamic:
        report.add(library, 1, "has relocations in its code")


def check(tree, report):
    library = os.environ.get("HAKMEM_LIB")
    if not library:
        sys.exit("HAKMEM_LIB is not set")
    check_names(tree, report, readelf(library, "--dyn-syms"))
    check_linking(report, os.path.basename(library), readelf(library, "-l"), readelf(library, "-d"))


if __name__ == "__main__":
    structure.main(check)
