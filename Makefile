# SPDX-License-Identifier: MIT
#
# The front door.  The build is CMake's (CMakePresets.json), the rest is in scripts/.

PREFIX ?= /usr/local

.PHONY: all check check-long demo install format clean
.PHONY: bench bench-quick bench-programs bench-learning

all: ; @cmake --preset release && cmake --build --preset release
check: ; @scripts/check
check-long: ; @scripts/check-long
demo: ; @scripts/demo
bench: ; @scripts/bench full
bench-quick: ; @scripts/bench quick
bench-programs: ; @scripts/bench programs
bench-learning: ; @scripts/bench learning
install: all ; @cmake --install build/release --prefix $(PREFIX)
format: ; @git ls-files '*.c' '*.h' '*.cc' '*.cpp' | xargs clang-format -i
clean: ; @rm -rf build
