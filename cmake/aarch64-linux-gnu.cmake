# SPDX-License-Identifier: MIT
#
# Cross build for aarch64 with Debian's cross compiler; programs run under qemu-user.  Without the
# libraries of scripts/aarch64-sysroot the tests that need them are left out.

cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH top)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu ${top}/build/aarch64-sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR
  ${top}/scripts/qemu-user qemu-aarch64 -L /usr/aarch64-linux-gnu)
