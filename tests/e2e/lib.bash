# lib.bash - what every e2e file uses. A file starts with:
#
#   load lib
#   setup_file() { e2e_setup; }
#   teardown_file() { e2e_teardown; }
#   teardown() { e2e_clean; }
#
# Each file has an engine of its own (HOD_ROOT, HOD_STATE below one temporary directory, $T) with the image `busybox`.
# e2e_teardown removes everything with hod's own commands and then compares the machine with what it was: mounts,
# cgroups, links, network namespaces, nft tables, loop devices, processes, files. A difference fails the file.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
# shellcheck source=tools/common.bash
. "${BATS_TEST_DIRNAME:-$(dirname "${BASH_SOURCE[0]}")}/../../tools/common.bash"
set +u # bats' own variables are not always set

HOD_BIN=${HOD_BIN:-$top/build/bin}
hod() { "$HOD_BIN/hod" "$@"; }
export HOD_BIN

# --- the engine of this file ---------------------------------------------------------------------------------------

# Debian's busybox as a tar, made once a build.
busybox_file() {
        local tar=$top/build/busybox.tar
        if [[ ! -s $tar || $(command -v busybox) -nt $tar || $top/tools/common.bash -nt $tar ]]; then
                mkdir -p "$top/build"
                busybox_tar >"$tar.$$"
                mv "$tar.$$" "$tar"
        fi
        printf '%s' "$tar"
}

# e2e_setup [none]: a fresh engine; with "none" without an image.
e2e_setup() {
        T=$(mktemp -d "${TMPDIR:-/tmp}/hod-e2e.XXXXXX")
        mkdir -p "$T/work"
        export T HOD_ROOT=$T/root HOD_STATE=$T/state
        export HOME=$T/work
        leak_snapshot >"$T/before"
        cd "$T/work" || return 1
        [[ ${1-} == none ]] || hod import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
}

# Remove all containers (between tests).
e2e_clean() {
        local list
        list=$(timeout 60 "$HOD_BIN/hod" ps -aq 2>/dev/null) || true
        # shellcheck disable=SC2086  # one id a line
        [[ -z $list ]] || timeout 120 "$HOD_BIN/hod" rm -f -v $list >/dev/null 2>&1 || true
        unmount_below "$T"
}

# A test that failed half way may have left its own mounts. (Those below HOD_ROOT and HOD_STATE would be hod's: a leak.)
unmount_below() {
        local where
        [[ ${1-} == /?* ]] || return 0 # no engine was made: never the whole machine's mounts
        awk -v t="$1/" 'index($5, t) == 1 {print $5}' /proc/self/mountinfo | sort -r | while read -r where; do
                [[ $where == "$T/root/"* || $where == "$T/state/"* ]] || umount -l "$where" || true
        done
}

e2e_teardown() {
        local list bad=0 end
        cd /
        [[ -n ${T-} && -d $T ]] || fail "there was no setup" || return 1
        if [[ -n ${KEEP-} ]]; then
                echo "kept: HOD_ROOT=$HOD_ROOT HOD_STATE=$HOD_STATE" >&2
                return 0
        fi
        list=$(hod ps -aq) || bad=1
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod rm -f $list >/dev/null || bad=1
        hod network prune -f >/dev/null || bad=1
        list=$(hod volume ls -q) || bad=1
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod volume rm $list >/dev/null || bad=1
        # Those that others were committed from go after them.
        for _ in 1 2 3 4; do
                list=$(hod images -aq | sort -u) || bad=1
                [[ -n $list ]] || break
                # shellcheck disable=SC2086
                hod rmi -f $list >/dev/null 2>&1 || true
        done
        [[ -z $list ]] || bad=1
        ((bad == 0)) || echo "the last cleaning failed" >&2
        # What ends by itself may take a moment (a monitor after its last message, a namespace after its last process, and
        # the links of a namespace after all that ended before it).
        end=$((SECONDS + 40))
        while :; do
                leak_snapshot >"$T/after"
                leak_diff >"$T/diff"
                leak_files >"$T/files"
                if [[ ! -s $T/diff && ! -s $T/files ]] || ((SECONDS >= end)); then break; fi
                sleep 0.1
        done
        # A leak is there each time that one looks; what other engines have for a moment is not.
        for _ in {1..5}; do
                [[ -s $T/diff ]] || break
                sleep 0.2
                leak_snapshot >"$T/after"
                leak_diff >"$T/again"
                grep -xFf "$T/again" "$T/diff" >"$T/still" || true
                mv "$T/still" "$T/diff"
        done
        if [[ -s $T/diff ]]; then
                echo "leak (- before, + after):" >&2
                cat "$T/diff" >&2
                bad=1
        fi
        if [[ -s $T/files ]]; then
                echo "files left after everything was removed:" >&2
                head -n 20 "$T/files" >&2
                bad=1
        fi
        kill_ours
        unmount_below "$T"
        rm -rf "$T"
        return "$bad"
}

# What must be the same before and after. One line a thing: kind, name.
leak_snapshot() {
        awk '{for (i = 7; $i != "-"; i++); print "mount", $5, $(i + 1), $4}' /proc/self/mountinfo | sort
        # The common parents /hod and /hod/monitor stay, as docker's does. Cgroups of other suites are not ours.
        find /sys/fs/cgroup -type d -path '*hod*' ! -name hod ! -path '*/hod/monitor' ! -path '*/hod-test-*' -printf 'cgroup %f\n' 2>/dev/null | sort -u
        ip -o link 2>/dev/null | awk -F': ' '{print "link", $2}' | sort
        find /run/netns -mindepth 1 2>/dev/null | sed 's/^/netns /' | sort
        if command -v nft >/dev/null; then nft list tables 2>/dev/null | sed 's/^/nft /' | sort; fi
        losetup -a 2>/dev/null | sed 's/^/loop /' | sort
        ours | sed 's/^/process /'
}

# Does another engine use this network namespace?
others() {
        local p comm mine
        mine=" $(ours | awk '{printf "%s ", $1}')"
        for p in /proc/[0-9]*; do
                { read -r comm <"$p/comm"; } 2>/dev/null || continue
                [[ $comm == @(hod|hod-full|hod-monitor) && $p/ns/net -ef /proc/self/ns/net && $mine != *" ${p#/proc/} "* ]] && return 0
        done
        return 1
}

# What differs. Cgroups, processes, links and tables that went away, links and tables that hod makes while another engine
# uses this network namespace, cgroups in which somebody else runs, and mounts and loop devices below the directories of
# other suites, are other engines'.
leak_diff() {
        local line id others
        diff -U0 "$T/before" "$T/after" | grep -E '^[-+][a-z]' | while read -r line; do
                case $line in
                -cgroup* | -process*) continue ;;
                # (Or the kernel was still at the namespace of a test before.)
                -link\ hod* | -link\ br-* | -nft\ table\ *\ hod*) continue ;;
                +link\ hod* | +link\ br-* | +nft\ table\ *\ hod*)
                        [[ ${others-} ]] || if others; then others=yes; else others=no; fi
                        [[ $others == no ]] || continue
                        ;;
                ?mount\ */"${T##*/}"[/\ ]*) ;; # ours
                ?loop\ */"${T##*/}"/*) ;;
                ?mount\ */hod-e2e.* | ?loop\ */hod-e2e.*) continue ;;
                +cgroup*)
                        id=${line#* }
                        if find /sys/fs/cgroup -path "*/$id*" -name cgroup.procs -exec cat {} + 2>/dev/null | grep -q . &&
                                ! ours | grep -q "$id\|inside"; then
                                continue
                        fi
                        ;;
                esac
                printf '%s\n' "$line"
        done
}

# Processes of this engine ("pid command line"): our programs with $T in the command line or in HOD_STATE, and what runs
# inside this engine's containers.
ours() {
        local p line comm
        [[ -n ${T-} ]] || return 0
        # No fork a process where it can be helped: in the virtual machine each costs milliseconds.
        for p in /proc/[0-9]*; do
                # bats itself and its children carry the variables too: only programs of ours count.
                { read -r comm <"$p/comm"; } 2>/dev/null || continue
                case $comm in
                hod | hod-full | hod-monitor | hod-init | hodrun) ;;
                *) continue ;;
                esac
                line=$(tr '\0' ' ' <"$p/cmdline" 2>/dev/null) || continue
                if [[ $line == *"$T"* ]] || grep -qz "^HOD_STATE=$HOD_STATE" "$p/environ" 2>/dev/null; then
                        printf '%s %s\n' "${p#/proc/}" "$line"
                fi
        done
        # Processes inside containers: their root file system lies in our directory.
        for p in /proc/[0-9]*; do
                [[ -e $p/ns/mnt && ! $p/ns/mnt -ef /proc/self/ns/mnt ]] || continue
                if grep -q -- "$T/" "$p/mountinfo" 2>/dev/null; then
                        printf '%s inside: %s\n' "${p#/proc/}" "$(tr '\0' ' ' <"$p/cmdline" 2>/dev/null)"
                fi
        done
}

# End what a failed test left; only processes that `ours` lists.
kill_ours() {
        local pid rest id
        ours >"$T/ours"
        while read -r pid rest; do kill -9 "$pid" 2>/dev/null || true; done <"$T/ours"
        [[ ! -s $T/ours ]] || sleep 0.3
        { grep -oE 'containers/[0-9a-f]{64}' "$T/ours" | cut -d/ -f2; ls "$HOD_ROOT/containers" "$HOD_STATE/containers"; } 2>/dev/null |
                grep -xE '[0-9a-f]{64}' | sort -u | while read -r id; do
                find /sys/fs/cgroup -depth -type d -path "*/$id*" -exec rmdir {} + 2>/dev/null || true
        done
        return 0
}

# Files that should not exist once nothing is stored.
leak_files() {
        local d
        for d in "$HOD_ROOT"/{blobs/sha256,layers,containers,volumes,tmp} "$HOD_STATE"/containers; do
                [[ -d $d ]] && find "$d" -mindepth 1
        done
        find "$HOD_STATE" \( -type s -o -type p \) 2>/dev/null
        return 0
}

# --- checks ---------------------------------------------------------------------------------------------------------

fail() {
        printf '%s\n' "$@" >&2
        return 1
}

# is ACTUAL EXPECTED [about]
is() {
        [[ $1 == "$2" ]] || fail "${3:-wrong}: expected «$2»" "got «$1»"
}

# like ACTUAL REGEX [about]
like() {
        [[ $1 =~ $2 ]] || fail "${3:-wrong}: expected a match of «$2»" "got «$1»"
}

unlike() {
        [[ ! $1 =~ $2 ]] || fail "${3:-wrong}: expected no match of «$2»" "got «$1»"
}

# refused STATUS REGEX COMMAND...: ends with STATUS, one clear line on stderr that matches, nothing on stdout.
# (What docker says after it may follow: "Run 'hod run --help' ...", "Error: failed to start containers: x".)
refused() {
        local want=$1 regex=$2 out err status=0 lines
        shift 2
        err=$(mktemp -p "$T")
        out=$("$@" 2>"$err" </dev/null) || status=$?
        [[ $status == "$want" ]] || fail "«$*» ended with $status, not $want" "stderr: $(cat "$err")"
        [[ -z $out ]] || fail "«$*» printed: $out"
        lines=$(grep -vcE "^$|^(Run|See) '|^Usage:|^Did you mean|^(Error|hod): failed to (start|rename) container" "$err" || true)
        [[ $lines == 1 ]] || fail "«$*»: $lines lines instead of one clear line:" "$(cat "$err")"
        grep -qiE -- "$regex" "$err" || fail "«$*» said: $(cat "$err")" "which does not match $regex"
        rm -f "$err"
}

# eventually SECONDS COMMAND...: succeeds when COMMAND does within SECONDS, or a few times that: a machine under load stands
# still now and then, and the processors of the virtual one are slow besides.
eventually() {
        local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000 * (${HOD_VM:-0} ? 8 : 4)))
        shift
        until "$@"; do
                ((${EPOCHREALTIME/./} < deadline)) || fail "still not true: $*" || return 1
                sleep 0.05
        done
}

# millis COMMAND...: milliseconds that it took (stdout of the command is dropped).
millis() {
        local t0=${EPOCHREALTIME/./}
        "$@" >/dev/null
        echo $(((${EPOCHREALTIME/./} - t0) / 1000))
}

# The monitor that watches the ruleset: of a container that is there. (That of the test before may be about to end.)
watcher() {
        local pid
        for _ in {1..400}; do
                pid=$(<"$HOD_STATE/networks/watch")
                if grep -qxs "monitor_pid=$pid" "$HOD_STATE"/containers/*/status; then echo "$pid" && return; fi
                sleep 0.05
        done
        return 1
}

# stops NAME [ARGUMENT...]: the container, which does not mind TERM, is started and ends after the second that `hod stop`
# gives it, not after ten. (Once in three times: a machine under load stands still now and then.)
stops() {
        local name=$1 took
        shift
        for _ in 1 2 3; do
                hod start "$name" >/dev/null || return 1
                took=$(millis hod stop "$@" "$name")
                ((took >= 900)) || break
                ((took >= 9000)) || return 0
        done
        fail "it stopped after $took ms"
}

field() { hod inspect -f "$2" "$1"; }
state_is() { [[ $(field "$1" '{{.State.Status}}') == "$2" ]]; }
is_running() { state_is "$1" running; }
is_paused() { state_is "$1" paused; }
is_exited() { state_is "$1" exited; }
init_pid() { field "$1" '{{.State.Pid}}'; }
logs_have() { hod logs "$1" 2>&1 | grep -q -- "$2"; }

# listening NAME|PID PORT...: until somebody does in that network namespace, by TCP.
listening() {
        local pid=$1 port name=$1
        shift
        [[ $pid == [0-9]* ]] || pid=$(hod inspect -f '{{.State.Pid}}' "$name")
        for port; do
                printf -v port '%04X' "$port"
                for _ in {1..400}; do
                        grep -qs ":$port 0*:0000 0A " "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" && continue 2
                        sleep 0.05
                done
                echo "$name does not listen at port 0x$port" >&2
                return 1
        done
}

no_container() { ! hod inspect --type container "$1" >/dev/null 2>&1; }

# A process's start is what makes its number its own.
alive() { [[ -d /proc/$1 && $(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) != Z ]]; }
dead() { ! alive "$1"; }

# Program with a terminal: pty ARGUMENTS -- COMMAND (see terminal.py).
pty() { python3 "$top/tests/e2e/terminal.py" "$@"; }

# v2: pure cgroup v2 (in the virtual machine); else v1 or hybrid.
cgroup_v2() { [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; }
# cg V1FILE V2FILE [CONTAINER-ARGUMENTS...]: content of a cgroup file as a fresh container sees its own.
cg_path() { if cgroup_v2; then printf '/sys/fs/cgroup/%s' "$2"; else printf '/sys/fs/cgroup/%s' "$1"; fi; }
