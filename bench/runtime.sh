#!/usr/bin/env bash
# Compare hodrun with crun and runc from Debian and with the floor (floor.c), in one run on one machine; write a section
# of bench/RESULTS.md.
#   bench/runtime.sh [--quick] [--sid DIR]
# --sid DIR: a root directory with newer packages crun and runc (Debian sid's); they run from copies, with that
# directory's libraries.
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../tools/common.bash"
# shellcheck source=bench/common.bash
. "$top/bench/common.bash"

((EUID == 0)) || die "needs root"
# Debian 12's crun refuses a hybrid machine until hugetlb, too, is mounted as v1: in a mount namespace of our own.
if [[ -z ${HOD_BENCH_INSIDE-} ]]; then
        HOD_BENCH_INSIDE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$@"
fi

runs=100 bundles=500 sid=
while (($#)); do
        case $1 in
        --quick) runs=20 bundles=64 ;;
        --sid)
                sid=${2:?--sid needs a directory}
                shift
                ;;
        *) die "unknown argument '$1'" ;;
        esac
        shift
done
need_packages "${packages_build[@]}" "${packages_image[@]}" "${packages_runtime_bench[@]}"
[[ -z $sid ]] || need_packages patchelf
build_in "$top/build-release" -Dtests=false --buildtype=release -Doptimization=2

B=$(mktemp -d "${TMPDIR:-/tmp}/hod-bench.XXXXXX")
R=$(mktemp -d /run/hod-bench.XXXXXX)
CG=hod-bench-${R##*.}
names=(hodrun crun runc)
declare -A program=([hodrun]=$top/build-release/bin/hodrun [crun]=$(command -v crun) [runc]=$(command -v runc))
hugetlb=
if [[ -e /sys/fs/cgroup/memory/tasks && ! -d /sys/fs/cgroup/hugetlb ]] && grep -q ^hugetlb /proc/cgroups; then
        hugetlb=/sys/fs/cgroup/hugetlb
        mkdir "$hugetlb"
fi
[[ ! -d /sys/fs/cgroup/hugetlb ]] || mountpoint -q /sys/fs/cgroup/hugetlb ||
        mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb

finish() {
        set +e # everything here is tried, whatever failed before
        local n id
        for n in "${names[@]}"; do
                for id in $("${program[$n]}" --root "$R/$n" list -q 2>/dev/null); do
                        "${program[$n]}" --root "$R/$n" delete -f "$id" 2>/dev/null
                done
        done
        find /sys/fs/cgroup -depth -type d -path "*/$CG*" -exec rmdir {} + 2>/dev/null
        if [[ -n $hugetlb ]]; then
                umount "$hugetlb"
                rmdir "$hugetlb"
        fi
        rm -rf "$B" "$R"
}
trap finish EXIT

# --- the programs of sid: copies that find their own libraries, however they execute themselves
if [[ -n $sid ]]; then
        loader=$(cd "$sid" && find usr/lib64 usr/lib lib64 -name 'ld-linux-x86-64.so.2' 2>/dev/null | head -n 1)
        for n in crun runc; do
                for d in usr/bin usr/sbin; do
                        [[ -f $sid/$d/$n ]] || continue
                        cp -L "$sid/$d/$n" "$B/$n-sid"
                        patchelf --set-interpreter "$sid/$loader" --set-rpath "$sid/usr/lib/x86_64-linux-gnu" "$B/$n-sid"
                        names+=("$n-sid")
                        program[$n-sid]=$B/$n-sid
                        break
                done
        done
fi

# --- bundles
busybox_tar >"$B/busybox.tar"
mkdir -p "$B/rootfs" "$B/full" "$B/bare" "$B/sleep"
tar -C "$B/rootfs" -xf "$B/busybox.tar"

# The profile that podman (containers-common) ships, in the runtime's form: its rules for docker's default capabilities
# on this machine.
profile() {
        jq -c --argjson caps "$(jq .process.capabilities.bounding "$B/spec/config.json")" '
                def fits: ((.includes.caps // []) - $caps == []) and
                        ((.includes.arches // ["amd64"]) | index("amd64") != null) and
                        ((.excludes.caps // []) - ((.excludes.caps // []) - $caps) == []) and
                        ((.excludes.arches // []) | index("amd64") == null);
                {defaultAction, architectures: (.archMap[] | select(.architecture == "SCMP_ARCH_X86_64") |
                        [.architecture] + .subArchitectures),
                 syscalls: [.syscalls[] | select(fits) | {names, action} +
                        (if (.args // []) != [] then {args: [.args[] | {index, value, op} +
                                (if .valueTwo then {valueTwo} else {} end)]} else {} end) +
                        (if .errnoRet then {errnoRet} else {} end)]} +
                (if .defaultErrnoRet then {defaultErrnoRet} else {} end)' /usr/share/containers/seccomp.json
}
mkdir "$B/spec"
"${program[hodrun]}" spec -b "$B/spec"
# (Debian 12's crun knows no newer version.)
jq '.ociVersion = "1.0.2" | .process.terminal = false | .process.args = ["true"] | .root = {path: $root, readonly: true} |
    .process.capabilities |= map_values(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD",
        "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
        "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]) | .process.capabilities.ambient = [] |
    .process.capabilities.inheritable = [] | del(.process.rlimits)' --arg root "$B/rootfs" \
        "$B/spec/config.json" >"$B/spec/new"
mv "$B/spec/new" "$B/spec/config.json"
profile >"$B/seccomp.json"
jq --slurpfile s "$B/seccomp.json" --arg cg "/$CG/full" '
    .linux.namespaces = [("pid", "network", "ipc", "uts", "mount", "cgroup") | {type: .}] | .linux.cgroupsPath = $cg |
    .linux.resources += {memory: {limit: 536870912}, cpu: {shares: 512}, pids: {limit: 100}} |
    .linux.seccomp = $s[0]' "$B/spec/config.json" >"$B/full/config.json"
# What the floor has: no cgroup, no filter.
jq 'del(.linux.seccomp, .linux.resources, .linux.cgroupsPath)' "$B/full/config.json" >"$B/bare/config.json"
jq '.process.args = ["sleep", "100000"] | .linux.cgroupsPath += "-sleep"' "$B/full/config.json" >"$B/sleep/config.json"

# --- measure
rt() { "${program[$1]}" --root "$R/$1" "${@:2}"; }
runtime() { printf '%s' "${program[$1]}"; }
declare -A t
floor_ms=$(make_floor 300)
gcc -O2 -D_GNU_SOURCE -static -o "$B/peak" "$top/bench/peak.c"
usable=()
for n in "${names[@]}"; do
        if rt "$n" run -b "$B/full" "check-$n" >"$B/$n.err" 2>&1 </dev/null; then
                usable+=("$n")
        else
                say "$n does not run here: $(tail -n 1 "$B/$n.err")" >&2
        fi
done
names=("${usable[@]}")

# What a runtime makes of a command, in one process and on the same bundle. In rounds, each runtime in each: the machine
# is not as fast at one minute as at the next.
rounds=5
for ((round = 1; round <= rounds; round++)); do
        for n in "${names[@]}"; do
                count=$((runs / rounds))
                call=("$(runtime "$n")" --root "$R/$n")
                measure "$n-run.$round" "$count" "${call[@]}" run -b "$B/full" bench
                [[ $n == runc* ]] || measure "$n-bare.$round" "$count" "${call[@]}" --cgroup-manager disabled run -b "$B/bare" bench
                rt "$n" run -d -b "$B/sleep" sleeper >/dev/null 2>&1 </dev/null
                measure "$n-exec.$round" "$count" "${call[@]}" exec sleeper true
                measure "$n-state.$round" "$count" "${call[@]}" state sleeper
                measure "$n-list.$round" "$count" "${call[@]}" list
                measure "$n-kill.$round" "$count" "${call[@]}" kill sleeper CONT
                rt "$n" delete -f sleeper
                MEASURE=(--prepare "$(printf '%q ' "$top/bench/batch" 1 1 "${call[@]}" create -b "$B/full" bench)")
                measure "$n-delete.$round" "$((count / 2))" "${call[@]}" delete -f bench
                MEASURE=()
        done
done >/dev/null
for n in "${names[@]}"; do
        call=("$(runtime "$n")" --root "$R/$n")
        for k in run bare exec state list kill delete; do
                t[$n,$k]=-
                [[ $n == runc* && $k == bare ]] ||
                        t[$n,$k]=$(jq -s '[.[].results[0].times[]] | sort | .[length / 2 | floor] * 1000' "$B/$n-$k".*.json)
        done
        for ((i = 0; i < 9; i++)); do "$B/peak" "${call[@]}" run -b "$B/full" bench; done >"$B/$n.peak" </dev/null
        t[$n,rss]=$(cut -d' ' -f1 "$B/$n.peak" | sort -n | sed -n 5p)
        t[$n,pss]=$(cut -d' ' -f2 "$B/$n.peak" | sort -n | sed -n 5p)
done

# --- many: created, started, deleted, sixteen at a time; all exist at the same time
left() {
        find /sys/fs/cgroup -type d -path "*/$CG/many-*" 2>/dev/null
        rt "$1" list -q
        pgrep -f '^sleep 98765$' || true
}
for ((i = 1; i <= bundles; i++)); do
        mkdir -p "$B/many/$i"
        jq -c --arg cg "/$CG/many-$i" '.process.args = ["sleep", "98765"] | .linux.cgroupsPath = $cg' \
                "$B/full/config.json" >"$B/many/$i/config.json"
done
many=()
for n in "${names[@]}"; do
        [[ $n != runc* ]] || continue # its turn would take longer than all others together and say nothing new
        call=("$(runtime "$n")" --root "$R/$n")
        # shellcheck disable=SC2086  # no globs: names of members
        read -r t[$n,c] t[$n,c1] t[$n,c500] cf < <("$top/bench/batch" "$bundles" 16 "${call[@]}" create -b "$B/many/{}" 'many-{}')
        # shellcheck disable=SC2086
        read -r t[$n,s] t[$n,s1] t[$n,s500] sf < <("$top/bench/batch" "$bundles" 16 "${call[@]}" start 'many-{}')
        # shellcheck disable=SC2086
        read -r t[$n,d] t[$n,d1] t[$n,d500] df < <("$top/bench/batch" "$bundles" 16 "${call[@]}" delete -f 'many-{}')
        t[$n,failed]=$((cf + sf + df))
        t[$n,left]=$(left "$n" | wc -l)
        t[$n,many]=$(awk -v a="${t[$n,c]}" -v b="${t[$n,s]}" -v c="${t[$n,d]}" 'BEGIN {print a + b + c}')
        many+=("$n")
done

# --- where the time goes
for kind in full bare; do
        extra=()
        [[ $kind == full ]] || extra=(--cgroup-manager disabled)
        "${wrap[@]}" "$top/bench/trace-share" "$runs" "$(runtime hodrun)" --root "$R/hodrun" "${extra[@]}" run -b "$B/$kind" bench \
                >"$B/$kind.trace" </dev/null
done
share=$(sed -n 's/^share //p' "$B/full.trace")
points=$(sed -n 's/^points //p' "$B/full.trace")

# --- write
heads=$(printf ' %s |' "${names[@]}")
rule=$(printf -- '---|%.0s' "${names[@]}")
# row TITLE KEY: each runtime's time.
row() {
        printf '| %s |' "$1"
        for n in "${names[@]}"; do printf ' %s |' "$(num "${t[$n,$2]}")"; done
        printf '\n'
}
# aim TITLE KEY: hodrun against the crun of each origin, at most half.
aim() {
        local n r
        for n in crun crun-sid; do
                [[ -n ${t[$n,$2]-} ]] || continue
                r=$(ratio "${t[hodrun,$2]}" "${t[$n,$2]}" 2)
                printf '| %s against %s | at most 0.5 | %s | %s |\n' "$1" "$n" "$r" "$(verdict "$r" '<=' 0.5)"
        done
}
versions=
for n in "${names[@]}"; do versions+="${versions:+, }$n $(version "${program[$n]}" --version)"; done
bare=$(ratio "${t[hodrun,bare]}" "$floor_ms" 2)
{
        cat <<-END
		# The runtime

		$(machine runtime.sh)

		$versions (hodrun: release build). Whole-process wall time, medians in milliseconds over $rounds rounds of all, of one bundle: Debian's static busybox, \`true\`. "full" has all namespaces but user and time, limits in a cgroup, docker's capabilities and the seccomp profile of podman's package; "bare" has neither cgroup nor filter, as the floor. The machine is noisy: the ratios of one run count, not the times.

		| job |$heads
		|---|$rule
		END
        row 'run, full' run
        row 'run, bare' bare
        row exec exec
        row state state
        row 'list, one container' list
        row 'kill CONT' kill
        row 'delete -f of a created container' delete
        printf '\nThe floor: %s.\n\n' "$(num "$floor_ms")"
        printf '| aim | bar | measured | holds |\n|---|---|---|---|\n'
        for k in run exec state list kill delete; do aim "$k" $k; done
        printf '| run, bare, against the floor | at most 2 | %s | %s |\n' "$bare" "$(verdict "$bare" '<=' 2)"
        for n in "${names[@]:1}"; do
                printf '| peak memory of run, RSS (PSS at its end) | below %s: %s (%s) KB | %s (%s) KB | %s |\n' "$n" \
                        "${t[$n,rss]}" "${t[$n,pss]}" "${t[hodrun,rss]}" "${t[hodrun,pss]}" \
                        "$(verdict "${t[hodrun,rss]}" '<=' "${t[$n,rss]}")"
        done
        printf '| wall time that trace points account for | at least 95 %% | %s %% (%s %% without spawn and exit, which only the caller sees) | %s |\n' \
                "$share" "$points" "$(verdict "$share" '>=' 95)"
        cat <<-END

		## $bundles bundles, sixteen at a time

		All are created, then all started, then all deleted (by force, running). Seconds; in brackets the median of the first and of the last tenth in ms.

		| runtime | create | start | delete | all | failed | left behind |
		|---|---|---|---|---|---|---|
		END
        for n in "${many[@]}"; do
                printf '| %s |' "$n"
                for k in c s d; do printf ' %s (%s, %s) |' "$(num "${t[$n,$k]}")" "$(num "${t[$n,${k}1]}")" "$(num "${t[$n,${k}500]}")"; done
                printf ' %s | %s | %s |\n' "$(num "${t[$n,many]}")" "${t[$n,failed]}" "${t[$n,left]}"
        done
        for kind in full bare; do
                printf '\n## Where the time of run, %s, goes (µs)\n\n' "$kind"
                printf 'Median of %s runs with tracing (which itself costs a little); a step of the container'\''s process runs beside the steps of its parent that wait for it.\n\n| step | µs | what |\n|---|---|---|\n' "$runs"
                grep '^|' "$B/$kind.trace"
        done
        printf '\nThe floor: '
        awk '{printf "%s%s %s", sep, $1, $2; sep = ", "} END {print "."}' "$B/floor.txt"
} | section 'The runtime'
sed -n '/^# The runtime/,$p' "$top/bench/RESULTS.md"
