# SPDX-License-Identifier: MIT
#
# Build against musl with Debian's musl-tools.

set(CMAKE_C_COMPILER musl-gcc)
