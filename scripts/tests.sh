# shellcheck shell=bash
# ./dev test and ./dev fuzz: runs every suite, counts what passed. Part of ../dev.

# Prints "passed failed skipped" of a GoogleTest report, the names of those that failed, a line each, and, on stderr,
# why tests were skipped.
count_unit() {
    python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as ElementTree

passed = skipped = 0
failed = []
for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
    name = f"{case.get('classname')}.{case.get('name')}"
    if case.find("failure") is not None or case.find("error") is not None:
        failed.append(name)
    elif case.find("skipped") is not None or case.get("status") == "notrun":
        skipped += 1
        reason = case.find("skipped")
        text = (reason.get("message") or "").strip() if reason is not None else "disabled"
        print(f"skipped {name}: {text or 'no reason given'}", file=sys.stderr)
    else:
        passed += 1
print(passed, len(failed), skipped, *failed, sep="\n")
PYTHON
}

# Adds what "passed failed skipped" says to the sum.
add() {
    PASSED=$((PASSED + $1))
    FAILED=$((FAILED + $2))
    SKIPPED=$((SKIPPED + $3))
}

# One more test that failed. FAILURES is printed again at the very end, where whoever sees only that finds it.
fail() {
    say "FAILED: $*"
    FAILURES+=("FAILED: $*")
    add 0 1 0
}

begin_count() { PASSED=0 FAILED=0 SKIPPED=0 FAILURES=(); }

# The last of all lines is the sum, alone.
end_count() {
    say ""
    if [[ ${#FAILURES[@]} -gt 0 ]]; then
        say "What failed:"
        printf '  %.1500s\n' "${FAILURES[@]}"
        say ""
    fi
    say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [[ $FAILED -eq 0 ]]
}

run_unit() {
    local binary=$1 report counts name code=0
    report=build/$(basename "$binary").xml
    rm -f "$report"
    "$binary" --gtest_brief=1 --gtest_output="xml:$report" || code=$?
    mapfile -t counts < <(count_unit "$report" || true)
    if [[ ${#counts[@]} -lt 3 || ${counts[*]} == "0 0 0" ]]; then
        fail "$binary reported no tests (exit code $code)"
        return
    fi
    add "${counts[@]:0:3}"
    for name in "${counts[@]:3}"; do FAILURES+=("$(basename "$binary") $name"); done
    if [[ $code -ne 0 && ${counts[1]} -eq 0 ]]; then fail "$binary ended with exit code $code, though no test failed"; fi
}

has_libfuzzer() {
    echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
        "${CLANGXX:-clang++-14}" -x c++ -fsanitize=fuzzer -o /dev/null - 2>/dev/null
}

# build_fuzz O0|O1: the targets are in $FUZZ then. Whoever fuzzes for ten seconds does not wait for an optimiser, which takes
# more than half the time of a build.
build_fuzz() {
    FUZZ=build/fuzz/$1
    CC=${CLANG:-clang-14} CXX=${CLANGXX:-clang++-14} cmake -G Ninja -S tests/fuzz -B "$FUZZ" -DEPAUDIT_OPTIMISATION="-$1" >/dev/null &&
        cmake --build "$FUZZ" --parallel "$(nproc)"
}

fuzz_seeds() {
    local log name
    rm -rf build/fuzz/seeds
    mkdir -p build/fuzz/seeds/log build/fuzz/seeds/line
    for log in tests/corpus/*.log; do
        name=$(basename "$log" .log)
        grep -v '^@' "$log" | sed -e 's/{t}/1700000000.000100/' -e 's/{tt}/12:34:56.000100/' -e 's/{r}/0.000100/' \
            >"build/fuzz/seeds/log/$name"
        split -l 1 -a 4 "build/fuzz/seeds/log/$name" "build/fuzz/seeds/line/$name-"
    done
    mkdir -p build/fuzz/seeds/recording build/fuzz/seeds/config build/fuzz/seeds/symbols
    mkdir -p build/fuzz/seeds/names # Go's table of functions by its magic, a perf map, a Rust name
    printf '\xf1\xff\xff\xff\0\0\1\10' >build/fuzz/seeds/names/go
    printf '1000 10 JS:~a /b.js:1:2\n1008 20 py::f:/c.py\n' >build/fuzz/seeds/names/map
    printf '_RNvXC1aNtB2_3FooNtNtC4core3fmt7Display3fmt' >build/fuzz/seeds/names/rust
    printf 'int main(void) { return 0; }\n' | "${CLANG:-clang-14}" -g -x c -o build/fuzz/seeds/symbols/program -
    cp build/fuzz/seeds/names/{go,map} build/fuzz/seeds/symbols
    "$FUZZ/write_recordings" build/fuzz/seeds/recording
    sed -n 's#^//   ##p' src/audit/config.h >build/fuzz/seeds/config/all
}

# Each target for so many seconds; prints what it found. The seeds are the corpus.
run_fuzz() {
    local seconds=$1 target name
    # libFuzzer's weighing of a corpus by entropy took more than half the time of a whole log, and mutations of long logs
    # four times as long as of short ones.
    local -A options=([fuzz_strace_log]="-entropic=0 -max_len=1800")
    fuzz_seeds
    for target in "$FUZZ"/fuzz_*; do
        if [[ ! -x $target || -d $target ]]; then continue; fi
        name=$(basename "$target")
        mkdir -p "build/fuzz/found/$name" "build/fuzz/seeds/${name##*_}"
        say "== $name, $seconds s"
        # shellcheck disable=SC2086  # several options
        if "$target" ${options[$name]:-} -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
            -artifact_prefix="build/fuzz/found/$name/" "build/fuzz/found/$name" \
            "build/fuzz/seeds/${name##*_}" >"build/fuzz/$name.log" 2>&1; then
            sed -n 's/^stat::number_of_executed_units: */  executions /p' "build/fuzz/$name.log"
            add 1 0 0
        else
            tail -n 30 "build/fuzz/$name.log"
            fail "$name; the input is in build/fuzz/found/$name/"
        fi
    done
}

fuzz() {
    local seconds=${1:-60}
    if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then die "fuzz [SECONDS]: '$seconds' is not a number of seconds"; fi
    setup
    build_fuzz O1
    begin_count
    run_fuzz "$seconds"
    end_count
}

# Recorded with strace, without the start of the program that says nothing about epoll, and cut to a length at
# which spins of a second are still seen.
record_corpus() {
    local demo twin log
    setup
    build
    for demo in demo_bugs/*/bug.cpp; do
        demo=$(basename "$(dirname "$demo")")
        for twin in bug fixed; do
            log=build/$demo-$twin.log
            strace -f -ttt -T -o "$log" "build/demo_bugs/$demo/$twin" --seconds 3 2>/dev/null || true
            head -n 40000 "$log" | sed -e "s|$PWD/||g" | zstd -q -19 -f -o "tests/corpus/$demo-$twin.log.zst"
            rm "$log"
            say "tests/corpus/$demo-$twin.log.zst"
        done
    done
}

# count_python NAME CODE: counts what the last line of build/NAME.log sums up, "NAME: N passed, N failed, N skipped".
# Each that failed has a line of its own there: FAILED NAME: WHY, or one that says " s  FAILED: WHY" after its time.
count_python() {
    local name=$1 code=$2 line named
    line=$(tail -n 1 "build/$name.log")
    if [[ $line =~ ^$name:\ ([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        add "${BASH_REMATCH[@]:1}"
        mapfile -t named < <(grep -E "^FAILED | s  FAILED: " "build/$name.log" || true)
        FAILURES+=("${named[@]}")
        if [[ ${#named[@]} -lt ${BASH_REMATCH[2]} ]]; then FAILURES+=("tests/$name: ${BASH_REMATCH[2]} failed, ${#named[@]} say which"); fi
        if [[ $code -eq 0 || ${BASH_REMATCH[2]} -gt 0 ]]; then return; fi
    fi
    fail "tests/$name ended with exit code $code"
}

run_python() {
    local name=$1 code=0
    shift
    "$@" 2>&1 | tee "build/$name.log" || code=$?
    count_python "$name" "$code"
}

# Suites that watch programs from the kernel. Each real server in one of two ways, tomorrow in the other; ./dev real runs both. Of
# the museum a quarter, every day another; ./dev history runs all of it. A minute and a half of soaking shows what grows fast; ./dev
# soak shows the rest. One more real server at once than elsewhere: the guests are over by then, or nearly.
run_watching() {
    local suite reason
    local -A options=([real]='--by-turns --jobs=4' [history]=--quarter [soak]=1.5)
    reason=$(why_blind)
    for suite in soak live real history; do
        say "== tests/$suite"
        if [[ -n $reason ]]; then
            say "skipped tests/$suite: all of it watches programs from the kernel: $reason"
            add 0 0 1
        else
            # shellcheck disable=SC2086  # several options
            run_python "$suite" as_root python3 "tests/$suite/run.py" ${options[$suite]:-}
        fi
    done
    if [[ -n $reason ]]; then
        say "what ran without a kernel: unit tests, layout tests, the corpus of strace logs, fuzz targets"
    fi
}

# The guests run beside all other tests, on the CPU time that these leave (SCHED_IDLE): their clocks count instructions,
# so that they do not notice. EPAUDIT_VM chooses (./dev vm --help): EPAUDIT_VM="6.12 --only run/" ./dev test
start_vm() {
    local words
    # All of the matrix is an hour and a half of two cores; these are the demos, a server under load, a program that was there
    # before, and what depends on the kernel most. Of the demos a quarter on each kernel, every day another; on two of the four
    # kernels only every other day. ./dev vm runs all.
    read -ra words <<<"${EPAUDIT_VM:-5.10 6.1 6.12 newest --demos-by-turns --only run/ --only whose/ranges --only rings/ghost --only redis --only attach --only python}"
    chrt --idle 0 python3 tests/vm/run.py "${words[@]}" >build/vm.log 2>&1 &
    VM=$!
    trap stop_vm EXIT
    # Some tests answer Ctrl-C themselves and end well, which would let us go on.
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Whatever ends this script: it ends its guests itself.
stop_vm() {
    kill "$VM" 2>/dev/null || return 0
    wait "$VM" || true
}

# What is left of them gets all of the machine.
finish_vm() {
    local pid code=0
    for pid in "$VM" $(pgrep -P "$VM"); do
        as_root chrt --other --all-tasks --pid 0 "$pid" 2>/dev/null || true # it may have ended just now
    done
    wait "$VM" || code=$?
    trap - EXIT INT TERM
    cat build/vm.log
    count_python vm "$code"
}

# On systems that are not Debian there is nothing to make packages with.
test_packages() {
    say "== tests/package"
    if ! command -v dpkg-deb >/dev/null || ! command -v scdoc >/dev/null || ! command -v umoci >/dev/null; then
        say "skipped tests/package: needs dpkg-deb, scdoc and umoci"
        add 0 0 1
    elif ./dev package; then
        run_python package as_root python3 tests/package/run.py
    else
        fail "tests/package: the packages could not be made"
    fi
}

# Some 540 packages take five minutes, in which dpkg has use for one CPU. What only the tests need is installed while we build.
start_setup() {
    mkdir -p build
    if [[ $EUID -ne 0 ]]; then # sudo may ask for a password
        setup
        return
    fi
    (setup) >build/setup.log 2>&1 &
    SETUP=$!
    trap 'wait $SETUP' EXIT # dpkg is not left behind
}

finish_setup() {
    if [[ -z ${SETUP:-} ]]; then return; fi
    local code=0
    wait "$SETUP" || code=$?
    trap - EXIT
    cat build/setup.log
    if [[ $code -ne 0 ]]; then die "setup failed (see above)"; fi
}

run_tests() {
    setup package # the man pages are built along
    start_setup
    build static all epaudit-static # at once: what the second needs besides takes a compiler a while
    finish_setup
    begin_count
    local binary
    start_vm
    for binary in build/tests/epaudit_unit build/tests/epaudit_symbols_unit build/tests/epaudit_cli_unit build/tests/epaudit_layout; do
        say "== $binary"
        run_unit "$binary"
    done
    say "== tests/fuzz"
    if ! has_libfuzzer; then
        say "skipped tests/fuzz: needs clang with its libFuzzer"
        add 0 0 1
    elif build_fuzz O0; then
        run_fuzz "${EPAUDIT_FUZZ_SECONDS:-10}"
    else
        fail "tests/fuzz: its targets cannot be built"
    fi
    say "== tests/formats"
    run_python formats python3 tests/formats/check.py
    say "== tests/golden"
    run_python golden python3 tests/golden/run.py
    say "== tests/house"
    run_python house python3 tests/house/layers.py
    test_packages
    run_watching
    say "== tests/vm"
    finish_vm
    end_count
}
