# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by the scripts beside it, at the top of the repository: steps and test suites that are
# counted, and the last line `N passed, N failed`.

jobs=$(nproc)
total_passed=0
total_failed=0
table=()

# Whatever the caller has preloaded or configured must not reach the programs under test.
clean_environment() {
    local name
    unset LD_PRELOAD MALLOC_ARENA_MAX MALLOC_CONF GLIBC_TUNABLES MAKEFLAGS MAKELEVEL
    for name in $(compgen -e HAKMEM_); do unset "$name"; done
    export LC_ALL=C.UTF-8
}

# count NAME PASSED FAILED SKIPPED SECONDS
count() {
    total_passed=$((total_passed + $2))
    total_failed=$((total_failed + $3))
    table+=("$(printf '%-24s %7d %7d %8d %8d' "$@")")
}

# step NAME COMMAND...: one result.  The output goes to a log, of which the end is shown on failure.
step() {
    local name=$1 log start=$SECONDS
    shift
    log=build/log/${name// /-}.log
    mkdir -p build/log
    printf '== %s\n' "$name"
    if "$@" >"$log" 2>&1 </dev/null; then
        count "$name" 1 0 0 $((SECONDS - start))
        return 0
    fi
    tail -n 60 "$log"
    printf '== %s failed: %s\n' "$name" "$log"
    count "$name" 0 1 0 $((SECONDS - start))
    return 1
}

# build PRESET [-DOPTION... | --target NAME...]: configures and builds.
build() {
    local preset=$1 options=()
    shift
    while [[ ${1-} == -D* ]]; do
        options+=("$1")
        shift
    done
    cmake --preset "$preset" "${options[@]}" &&
        cmake --build --preset "$preset" --parallel "$jobs" "$@"
}

# suite PRESET [OPTION...]: ctest, each test a result.  The figures are those of ctest's last lines.
suite() {
    local preset=$1 log=build/log/test-$1.log start=$SECONDS status=0 failed all skipped run=()
    shift
    # With more random bits in addresses than it knows, gcc 12's thread sanitizer refuses to start.
    if [ "$preset" = tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then
        run=(setarch "$(uname -m)" -R)
    fi
    printf '== test %s\n' "$preset"
    mkdir -p build/log
    "${run[@]}" ctest --preset "$preset" --parallel "$jobs" "$@" </dev/null 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    read -r failed all < <(
        sed -n 's/.* tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$log")
    skipped=$(grep -c ' (Skipped)$' "$log")
    : "${failed:=0}" "${all:=0}"
    if ((status != 0 && failed == 0)); then # ctest itself failed
        failed=1
        all=$((all + 1))
    fi
    count "test $preset" $((all - failed - skipped)) "$failed" "$skipped" $((SECONDS - start))
}

# check_suites: what `make check` builds and runs.
check_suites() {
    local preset
    # Warnings are errors where they can be trusted: instrumented code confuses gcc's.
    step "build clang" build clang -DHAKMEM_WERROR=ON
    for preset in release stress; do
        step "build $preset" build "$preset" -DHAKMEM_WERROR=ON && suite "$preset"
    done
    for preset in asan tsan; do
        step "build $preset" build "$preset" && suite "$preset"
    done
}

# finish: the table, the last line, and the exit status.
finish() {
    printf '\n%-24s %7s %7s %8s %8s\n' suite passed failed skipped seconds
    printf '%s\n' "${table[@]}"
    printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
    ((total_failed == 0 && total_passed > 0))
    exit
}
