#!/usr/bin/env bash
# Run the tests.
#   ./test.sh                  everything; the last line is "N passed, N failed, N skipped"
#   ./test.sh PART...          only these parts: build lint unit fuzz e2e effects peers asan vm
#   ./test.sh e2e FILE...      only these files of tests/e2e (main.bats, ...); peers FILE... of tests/peers
#   ./test.sh -v ...           show all output, not only that of failures
# What does not depend on time or on the machine's state (lint, fuzz, vm and builds for them) runs behind the rest.
# Needs root and Debian 12's packages (installed when missing). Logs stay in build/test-logs.
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/tools/common.bash"
cd "$top"

logs=$top/build/test-logs
verbose=0
files=()
stage_limit=900
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120} # seconds; one test that hangs is a failure, not the end

# --- how a stage is run and counted -------------------------------------------------------------------------------

# descendants PID: it and all below it, children first.
descendants() {
        local child
        for child in $(ps -o pid= --ppid "$1"); do descendants "$child"; done
        echo "$1"
}

# watch PID LOG: a stage that hangs is ended after $stage_limit seconds; what ran then is in its log.
watch() {
        local end=$((SECONDS + stage_limit))
        while ((SECONDS < end)); do
                sleep 1
                kill -0 "$1" 2>/dev/null || return 0
        done
        {
                echo "ended after $stage_limit s; what ran then:"
                ps -eo pid,ppid,stat,etimes,wchan:20,args --forest
        } >>"$2"
        # shellcheck disable=SC2046  # numbers
        kill -9 $(descendants "$1")
}

# stage NAME COMMAND...: run, keep the output in a log, count its last "N passed, N failed[, N skipped]" line.
# A command that fails without counting a failure counts as one. One line when it ends, in one write: lanes run at the
# same time.
stage() {
        local name=$1 log=$logs/${1//\//-}.log status=0 start=$SECONDS job counts passed failed skipped
        shift
        # Not as a condition: `set -e` must hold inside.
        (
                set -e
                "$@"
        ) </dev/null >"$log" 2>&1 &
        job=$!
        watch "$job" "$log" </dev/null >/dev/null 2>&1 &
        wait "$job" || status=$?
        counts=$(grep -aoE '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1 || true)
        read -r passed failed skipped < <(sed -E 's/[^0-9]+/ /g' <<<"${counts:-0 0 0}")
        skipped=${skipped:-0}
        if ((status != 0 && failed == 0)); then
                failed=1
        elif [[ -z $counts ]]; then
                passed=1
        fi
        report "$passed" "$failed" "$skipped" "$(
                printf '%-22s %5d passed %4d failed %4d skipped  %4d s' "$name" "$passed" "$failed" "$skipped" "$((SECONDS - start))"
                if ((failed || verbose)); then
                        echo
                        sed 's/^/    /' "$log" | head -n 400
                fi
        )"
}

# report PASSED FAILED SKIPPED TEXT: add it up and say it; one lane at a time.
report() {
        (
                flock 8
                printf '%d %d %d\n' "$1" "$2" "$3" >&8
                printf '%s\n' "$4"
        ) 8>>"$logs/counts"
}

skip_stage() { report 0 0 1 "$(printf '%-22s skipped: %s' "$1" "$2")"; }

# --- stages -------------------------------------------------------------------------------------------------------

build_gcc() {
        if [[ -f build/build.ninja ]] && ! grep -q -- '-Dtests=true' build/.hod-options 2>/dev/null; then
                meson configure build -Dtests=true
        fi
        build_in build -Dtests=true
        echo '-Dtests=true' >build/.hod-options
        local program
        for program in hod hod-full hodrun hod-monitor; do
                [[ -x build/bin/$program ]] || die "the build made no $program"
        done
}

# What the issue asks of the programs themselves.
check_programs() {
        local program bad=0 n=0 header
        for program in hod hod-full hodrun hod-monitor; do
                header=$(readelf -hldW "build/bin/$program")
                n=$((n + 3))
                grep -qE 'Type: +DYN' <<<"$header" || { echo "$program is no PIE" && bad=$((bad + 1)); }
                grep -q GNU_RELRO <<<"$header" || { echo "$program has no RELRO" && bad=$((bad + 1)); }
                grep -qE 'BIND_NOW|NOW' <<<"$header" || { echo "$program binds late" && bad=$((bad + 1)); }
                [[ $program == hod-full ]] && continue
                n=$((n + 1))
                ! grep -q INTERP <<<"$header" || { echo "$program is not static" && bad=$((bad + 1)); }
        done
        echo "$((n - bad)) passed, $bad failed"
        ((bad == 0))
}

build_release() { build_in build-release -Dtests=false --buildtype=release -Doptimization=2; }
# clang's warnings do not depend on optimisation, and nothing of this build is run.
build_clang() { CC=clang build_in build-clang -Dtests=true --buildtype=plain -Doptimization=0; }
build_asan() { build_in build-asan -Dtests=true --buildtype=debug -Db_sanitize=address,undefined; }

# run_meson_tests BUILD: count the cases of each cmocka program, and the programs that died.
run_meson_tests() {
        local log=$1/meson-logs/testlog.txt passed failed broken status=0
        rm -f "$log"
        meson test -C "$1" --print-errorlogs --no-rebuild --timeout-multiplier 4 >"$1/test.out" 2>&1 || status=$?
        if grep -q 'No tests defined' "$1/test.out"; then
                echo "no unit tests" && return 1
        fi
        passed=$(grep -aoE '^\[  PASSED  \] [0-9]+ test' "$log" | awk '{n += $4} END {print n + 0}')
        failed=$({ grep -aoE '^\[  FAILED  \] [0-9]+ test' "$log" || true; } | awk '{n += $4} END {print n + 0}')
        broken=$(awk '/^(Fail|Timeout):/ {n += $2} END {print n + 0}' "$1/test.out")
        ((failed >= broken)) || failed=$broken
        ((status == 0)) || cat "$1/test.out"
        echo "$passed passed, $failed failed"
        return "$status"
}

# Every corpus as an ordinary test: the fuzzer runs its files once. And a few seconds of real fuzzing each.
run_fuzz() {
        local fuzzers
        mapfile -t fuzzers < <(basename -s .c tests/fuzz/fuzz-*.c)
        CC=clang build_in build-fuzz -Dfuzzing=true -Dtests=false --buildtype=debug \
                -Db_sanitize=address,undefined -Db_lundef=false "${fuzzers[@]/#/target=tests/fuzz/}"
        rm -f "$logs"/fuzz-*.failed
        # shellcheck disable=SC2016  # $1 is the inner shell's
        printf '%s\0' "${fuzzers[@]}" | logs=$logs xargs -0 -P "$jobs" -I {} bash -c 'run_fuzzer "$1"' _ {}
        local fuzzer failed=0
        for fuzzer in "${fuzzers[@]}"; do
                [[ -e $logs/$fuzzer.failed ]] || continue
                failed=$((failed + 1))
                echo "$fuzzer:"
                tail -n 40 "$logs/$fuzzer.log"
        done
        echo "$((${#fuzzers[@]} - failed)) passed, $failed failed"
        ((failed == 0))
}
run_fuzzer() {
        mkdir -p build-fuzz/new/"$1"
        build-fuzz/tests/fuzz/"$1" -runs=2000 -max_total_time=10 -timeout=100 -rss_limit_mb=2048 \
                -artifact_prefix="$logs/$1-" build-fuzz/new/"$1" "tests/fuzz/corpus/${1#fuzz-}" >"$logs/$1.log" 2>&1 ||
                : >"$logs/$1.failed"
}
export -f run_fuzzer

run_shellcheck() {
        local file failed=0 n=0
        while read -r file; do
                n=$((n + 1))
                case $file in
                *.bats) shellcheck -x -P . -s bats -e SC2016,SC2154,SC2030,SC2031,SC2317 "$file" || failed=$((failed + 1)) ;;
                *) shellcheck -x -P . "$file" || failed=$((failed + 1)) ;;
                esac
        done < <(
                find . -path './build*' -prune -o -path ./.git -prune -o -type f \
                        \( -name '*.sh' -o -name '*.bash' -o -name '*.bats' \) -print
                grep -lE '^#!.*\b(bash|sh)$' .ci/run tools/* 2>/dev/null
        )
        echo "$((n - failed)) passed, $failed failed"
        ((failed == 0))
}

run_cppcheck() {
        mkdir -p build/cppcheck
        cppcheck --quiet --error-exitcode=1 --enable=warning,portability,performance --std=c11 --inline-suppr -j "$jobs" \
                --suppress=missingInclude --suppress=unknownMacro --suppress=checkersReport \
                --suppress=va_list_usedBeforeStarted --suppress=nullPointerRedundantCheck --suppress=nullPointerArithmeticRedundantCheck \
                --suppress=CastIntegerToAddressAtReturn \
                -D__x86_64__ -D'__attribute__(x)=' -i src/inc \
                --cppcheck-build-dir=build/cppcheck --template=gcc src
}

# run_bats WHAT...: bats in TAP, failures in full, counted. $bats is how bats is run.
bats=(bats)
run_bats() {
        local out passed failed skipped
        out=$(mktemp)
        "${bats[@]}" --tap --timing --print-output-on-failure "$@" >"$out" 2>&1 || true
        # A failure and what follows it up to the next result.
        awk '/^(not ok|bats)/ {show = 1} /^ok/ {show = 0} show {print}' "$out"
        passed=$(grep -cE '^ok ' "$out" || true)
        skipped=$(grep -cE '^ok .*# skip' "$out" || true)
        failed=$(grep -cE '^not ok ' "$out" || true)
        cp "$out" "$logs/bats-$(basename "${!#}").tap"
        rm -f "$out"
        echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
        ((failed == 0 && passed > 0))
}

run_e2e() {
        local list=("${files[@]}")
        ((${#list[@]})) || mapfile -t list < <(find tests/e2e -name '*.bats' -printf '%f\n' | sort)
        local file
        for file in "${list[@]}"; do
                stage "e2e/${file%.bats}" run_bats "tests/e2e/$file"
        done
}

# Programs that others made, with hodrun for a runtime.
run_peers() {
        local list=("${files[@]}") file bats=(tests/peers/inside.sh bats)
        ((${#list[@]})) || mapfile -t list < <(find tests/peers -name '*.bats' -printf '%f\n' | sort)
        # Made out here: inside there is no way to where packages come from.
        [[ " ${list[*]} " != *' network.bats '* ]] || {
                stage peers/servers tests/peers/make-servers.sh
                stage peers/neighbours tests/peers/make-neighbours.sh
                stage peers/neighbours-trixie tests/peers/make-neighbours.sh trixie
        }
        for file in "${list[@]}"; do
                stage "peers/${file%.bats}" run_bats "tests/peers/$file"
        done
}

# The sanitizer build runs the subset tagged asan; its reports make a command fail (exit status 99 is nobody else's).
run_asan_e2e() {
        export HOD_BIN=$top/build-asan/bin
        export ASAN_OPTIONS=exitcode=99:detect_leaks=1:abort_on_error=0:log_path=$logs/asan-report
        export LSAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=halt_on_error=1:exitcode=99:print_stacktrace=1
        rm -f "$logs"/asan-report.*
        run_bats --filter-tags asan tests/e2e
        if compgen -G "$logs/asan-report.*" >/dev/null; then
                cat "$logs"/asan-report.*
                return 1
        fi
}

# --- parts --------------------------------------------------------------------------------------------------------

part_build() {
        stage build/gcc build_gcc
        stage build/programs check_programs
        stage build/asan build_asan
}
part_builds() {
        stage build/release build_release
        stage build/clang build_clang
}
part_lint() {
        stage lint/layers tools/check-layers build
        stage lint/banned tools/check-banned
        stage lint/size tools/check-size
        stage lint/format tools/check-format
        stage lint/shellcheck run_shellcheck
        stage lint/cppcheck run_cppcheck
        stage lint/clang-tidy tools/check-tidy build-clang
}
part_unit() {
        stage unit/gcc run_meson_tests build
        stage unit/asan run_meson_tests build-asan
}
part_fuzz() { stage fuzz run_fuzz; }
part_e2e() { run_e2e; }
part_effects() { stage effects tests/effects/run.sh; }
part_peers() { run_peers; }
part_asan() { stage e2e-asan run_asan_e2e; }
part_vm() {
        if [[ -x tests/vm/run.sh ]]; then
                stage_limit=1800
                # Alone it may have both processors.
                ((${#parts[@]} > 1)) || export HOD_VM_GUESTS=2
                # Mounts of its own: what is mounted while the guest is made is no leak of a test that runs meanwhile.
                stage vm unshare --mount --propagation private tests/vm/run.sh
        else
                skip_stage vm "tests/vm/run.sh is not there"
        fi
}

# --- what is run, and when ----------------------------------------------------------------------------------------

parts=()
while (($#)); do
        case $1 in
        -v | --verbose) verbose=1 ;;
        -h | --help)
                sed -n '2,7s/^# \{0,1\}//p' "$0"
                exit 0
                ;;
        build | lint | unit | fuzz | e2e | effects | peers | asan | vm) parts+=("$1") ;;
        *.bats) files+=("$(basename "$1")") ;;
        *) die "unknown argument '$1' (see --help)" ;;
        esac
        shift
done
((${#files[@]} == 0 || ${#parts[@]})) || parts=(e2e)
((${#parts[@]})) || parts=(build lint unit fuzz e2e effects peers asan vm)

has() { [[ " ${parts[*]} " == *" $1 "* ]]; }

need_packages "${packages_build[@]}" "${packages_image[@]}" "${packages_test[@]}"
! has peers || need_packages "${packages_peers[@]}"
! has vm || need_packages "${packages_vm[@]}"
mkdir -p "$logs"
: >"$logs/counts"
start=$SECONDS
# Every part works on a fresh clone: what it runs is built first.
if has build; then
        part_build
else
        stage build/gcc build_gcc
        if has unit || has asan; then stage build/asan build_asan; fi
        ! has lint || stage build/clang build_clang
fi
# Two lanes, about as long as each other on two processors. The virtual machine keeps one processor busy; the tests that
# look at the clock or at the whole machine follow each other in the other lane, and wait more than they work.
behind() {
        ! has vm || part_vm
        renice -n 10 "$BASHPID" >/dev/null
        ! has build || part_builds
        ! has lint || part_lint
        ! has fuzz || part_fuzz
}
behind &
lane=$!
# shellcheck disable=SC2046  # numbers
trap 'kill $(descendants $$ | grep -vx $$) 2>/dev/null; exit 130' INT TERM
for part in unit effects e2e peers asan; do
        ! has "$part" || "part_$part"
done
lane_status=0
wait "$lane" || lane_status=$?
((lane_status == 0)) || report 0 1 0 "what runs behind ended with status $lane_status"
read -r total_passed total_failed total_skipped < <(awk '{p += $1; f += $2; s += $3} END {print p + 0, f + 0, s + 0}' "$logs/counts")
printf 'took %d min %d s; logs in build/test-logs\n' "$(((SECONDS - start) / 60))" "$(((SECONDS - start) % 60))"
printf '%d passed, %d failed, %d skipped\n' "$total_passed" "$total_failed" "$total_skipped"
((total_failed == 0))
