#!/usr/bin/env bash
# The effects test: every flag of `hod run` is seen to act from inside the container, after run, after stop and start,
# and after exec (rows.bash). A flag of the command table without a row fails.
#   run.sh [FLAG...]     only these rows
# The last line is "N passed, N failed, N skipped".
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/common.bash
. "$here/../../tools/common.bash"

HOD_BIN=${HOD_BIN:-$top/build/bin}
T=$(mktemp -d "${TMPDIR:-/tmp}/hod-effects.XXXXXX")
export HOD_BIN T HOD_ROOT=$T/root HOD_STATE=$T/state HOSTVAR=fromhost
hod() { "$HOD_BIN/hod" "$@"; }
pty() { python3 "$top/tests/e2e/terminal.py" "$@"; }
passed=0 failed=0 skipped=0
only=("$@")
declare -A seen=()

clean() {
        timeout 30 "$HOD_BIN/hod" rm -f -v tried >/dev/null 2>&1 || true
}
finish() {
        clean
        hod network prune -f >/dev/null 2>&1 || true
        hod rmi -f busybox >/dev/null 2>&1 || true
        for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
                [[ ! -d $d/hod-test-effects-$$ ]] || rmdir "$d/hod-test-effects-$$" 2>/dev/null || true
        done
        rm -rf "$T"
}
trap finish EXIT

ok() { passed=$((passed + 1)); }
bad() {
        failed=$((failed + 1))
        printf 'not ok: %s\n' "$*"
}
wanted() {
        seen[$1]=1
        ((${#only[@]} == 0)) || [[ " ${only[*]} " == *" $1 "* ]]
}

# For rows.bash.
v2=0
[[ $(stat -fc %T /sys/fs/cgroup) != cgroup2fs ]] || v2=1
by_version() { if ((v2)); then printf '%s' "$2"; else printf '%s' "$1"; fi; }
cg() { printf '/sys/fs/cgroup/%s' "$(by_version "$1" "$2")"; }
disk() { lsblk -bndo PATH,TYPE,SIZE 2>/dev/null | awk '$2 == "disk" && $3 > 0 {print $1; exit}'; }
disk_number() {
        local d
        d=$(disk)
        [[ -z $d ]] || lsblk -ndo MAJ:MIN "$d" | tr -d ' '
}

# Compare what a phase printed.
phase() { # FLAG PHASE WANT GOT
        local got
        got=$(tr -d '\r' <<<"$4" | paste -sd' ' | sed 's/ *$//')
        if [[ $got =~ ^($3)$ ]]; then ok; else bad "--$1 after $2: «$got» instead of «$3»"; fi
}

# The part of the log that belongs to start number $1, without its mark.
wait_probe() {
        local n=$1 out
        for _ in {1..400}; do
                out=$(hod logs tried 2>&1) || true
                if (($(grep -c '^__end' <<<"$out") >= n)); then
                        awk -v n="$n" '/^__end/ {k++; next} k == n - 1' <<<"$out"
                        return 0
                fi
                sleep 0.05
        done
        printf '%s\n(no end)' "$out"
}

row() {
        local flag=$1 args=${2//FILES/$T/files} probe=$3 want=$4 phases=" ${5:-run start exec} " words
        wanted "$flag" || return 0
        clean
        read -ra words <<<"$args"
        # The program waits after its probe; the entry point of that flag's row is the shell itself.
        local command=(sh -c "$probe; echo __end; exec sleep 1000")
        [[ $flag != entrypoint ]] || command=("${command[@]:1}")
        if ! hod run -d --name tried "${words[@]}" busybox "${command[@]}" >/dev/null 2>"$T/err"; then
                bad "--$flag: run failed: $(cat "$T/err")"
                return 0
        fi
        [[ $phases != *' run '* ]] || phase "$flag" run "$want" "$(wait_probe 1)"
        [[ $phases != *' exec '* ]] || phase "$flag" exec "$want" "$(hod exec tried sh -c "$probe" 2>&1)"
        if [[ $phases == *' start '* ]]; then
                wait_probe 1 >/dev/null
                if ! hod stop -t 0 tried >/dev/null || ! hod start tried >/dev/null; then
                        bad "--$flag: stop and start failed"
                fi
                phase "$flag" start "$want" "$(wait_probe 2)"
        fi
}
no_row() {
        seen[$1]=1
        skipped=$((skipped + 1))
        printf 'skipped: --%s: %s\n' "$1" "$2"
}
outside() {
        wanted "$1" || return 0
        clean
        # In a subshell of its own with set -e off: the function's status is the answer.
        if ("$2") >"$T/out" 2>&1; then ok; else bad "--$1: $2: $(head -c 400 "$T/out")"; fi
}

mkdir -p "$T/files/dir" "$T/tree"
printf '# c\nX=1\nY\n  Z=sp\n' >"$T/files/env"
echo in-dir >"$T/files/dir/f"
busybox_tar >"$T/busybox.tar"
tar -C "$T/tree" -xf "$T/busybox.tar"
echo mark >"$T/tree/mark"
hod import -c 'CMD ["sh"]' "$T/busybox.tar" busybox >/dev/null

# shellcheck source=tests/effects/rows.bash
. "$here/rows.bash"

# Every flag of the table has a row, every row a flag.
if ((${#only[@]} == 0)); then
        # "explain" and "help" are flags too; help is the parser's and has no effect in a container.
        flags=$(hod internal commands --json | jq -r '
                [.commands[] | select(any(.paths[], .path; test("(^| )run$")))][0].options[].name' | grep -vx help | sort -u)
        [[ -n $flags ]] || bad "no flags of run in the command table"
        for flag in $flags; do
                if [[ ${seen[$flag]-} ]]; then ok; else bad "--$flag has no row in tests/effects/rows.bash"; fi
                unset "seen[$flag]"
        done
        for flag in "${!seen[@]}"; do bad "--$flag has a row and is no flag of run"; done
fi
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
