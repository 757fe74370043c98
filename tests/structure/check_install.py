#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`cmake --install` of a build folder (the argument) gives what a user needs.

A program finds hakmem by pkg-config and by find_package(hakmem), shared and static, and its malloc
is then hakmem's.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = """
#include <dlfcn.h>
#include <hakmem.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints the file that malloc comes from: the library, or the program itself if it is in there. */
int main(void) {
    Dl_info info;
    void *block = malloc(100);
    if (!block || hak_usable_size(block) < 100) return 1;
    free(block);
    if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info)) return 1;
    puts(info.dli_fname);
    return 0;
}
"""

CMAKELISTS = """
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
find_package(hakmem REQUIRED)
add_executable(shared main.c)
target_link_libraries(shared PRIVATE hakmem::hakmem)
add_executable(static main.c)
target_link_libraries(static PRIVATE hakmem::hakmem_static)
set_target_properties(static PROPERTIES ENABLE_EXPORTS ON)
"""

INSTALLED = ("include/hakmem.h", "bin/hakmem", "lib*/**/libhakmem.so", "lib*/**/libhakmem.a",
             "lib*/**/pkgconfig/hakmem.pc", "lib*/**/cmake/hakmem/hakmemConfig.cmake")


def output_of(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def expect(what, path, name):
    """The library or program that serves a program's calls has this file name."""
    print(f"{what}: malloc comes from {path}")
    if not os.path.basename(path).startswith(name):
        sys.exit(f"{what}: expected {name}")


def check_pkg_config(cc, folder, prefix, library):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(library / "pkgconfig")}
    flags = output_of("pkg-config", "--cflags", "--libs", "hakmem", env=environment).split()
    output_of(cc, "-D_GNU_SOURCE", "-o", folder / "by_pkg_config", folder / "main.c", *flags)
    path = output_of(folder / "by_pkg_config", env={"LD_LIBRARY_PATH": str(library)})
    expect("pkg-config", path, "libhakmem.so")
    if not os.path.realpath(path).startswith(os.path.realpath(prefix)):
        sys.exit(f"pkg-config: {path} is not the installed library")


def check_cmake(cc, folder, prefix):
    output_of("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
              f"-DCMAKE_C_COMPILER={cc}", "-DCMAKE_C_FLAGS=-D_GNU_SOURCE")
    output_of("cmake", "--build", folder / "build")
    expect("find_package, shared", output_of(folder / "build" / "shared"), "libhakmem.so")
    expect("find_package, static", output_of(folder / "build" / "static"), "static")


def main():
    build = pathlib.Path(sys.argv[1])
    cc = os.environ.get("CC") or "cc"
    with tempfile.TemporaryDirectory() as temporary:
        folder, prefix = pathlib.Path(temporary), pathlib.Path(temporary, "prefix")
        output_of("cmake", "--install", build, "--prefix", prefix)
        missing = [pattern for pattern in INSTALLED if not list(prefix.glob(pattern))]
        if missing:
            sys.exit(f"not installed: {' '.join(missing)}")
        library = next(prefix.glob("lib*/**/libhakmem.so")).parent
        (folder / "main.c").write_text(PROGRAM)
        (folder / "CMakeLists.txt").write_text(CMAKELISTS)
        check_pkg_config(cc, folder, prefix, library)
        check_cmake(cc, folder, prefix)


if __name__ == "__main__":
    main()
