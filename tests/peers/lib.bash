# lib.bash - hodrun under programs that others made. What every file of tests/peers uses, on top of tests/e2e/lib.bash:
#
#   load lib
#   setup_file() { peers_setup; start_…; peers_ready; }
#   teardown() { …remove all containers…; }
#   teardown_file() { peers_clean; stop_daemons; peers_end; }
#
# The files run inside tests/peers/inside.sh. Each starts its own daemons, with all they store below $T and $R, and ends
# them by their pids. peers_clean compares the machine with what it was before the first container: mounts, cgroups,
# links, firewall rules, processes, hodrun's own files. A difference fails the file.
# shellcheck shell=bash

# shellcheck source=tests/e2e/lib.bash
. "$BATS_TEST_DIRNAME/../e2e/lib.bash"

HODRUN=$HOD_BIN/hodrun
R=/run/peers

# What every peer gives to a container that asks for nothing.
# shellcheck disable=SC2034
default_caps=00000000a80425fb

peers_setup() {
        [[ -n ${HOD_PEERS_INSIDE-} ]] || {
                echo "run this file by tests/peers/inside.sh (as ./test.sh peers does)" >&2
                return 1
        }
        T=$(mktemp -d "${TMPDIR:-/tmp}/hod-peers.XXXXXX")
        # All cgroups of this file are below this one.
        CG=peers-${T##*.}
        export T R CG HODRUN HOME=$T/home
        mkdir -p "$T/home" "$R"
        processes >"$T/processes"
        cd "$T" || return 1
}

# The directory of each mounted hierarchy.
cgroup_hierarchies() { awk '{for (i = 7; $i != "-"; i++); if ($(i + 1) ~ /^cgroup2?$/) print $5}' /proc/self/mountinfo; }

# Every process here but kernel threads, ourselves and whom we stem from.
processes() {
        local p pid skip=" $BASHPID "
        for ((pid = BASHPID; pid > 1; )); do
                pid=$(awk '{print $4}' "/proc/$pid/stat")
                skip+="$pid "
        done
        for p in /proc/[0-9]*; do
                pid=${p#/proc/}
                [[ $skip != *" $pid "* && $(awk '{print $3}' "$p/stat" 2>/dev/null) == [^Z] ]] || continue
                printf 'process %s %s\n' "$pid" "$(tr '\0' ' ' <"$p/cmdline" 2>/dev/null)"
        done
}

# Call once everything runs that is to run before the first container.
peers_ready() { peers_snapshot >"$T/before"; }

peers_snapshot() {
        awk '{for (i = 7; $i != "-"; i++); print "mount", $5, $(i + 1), $4}' /proc/self/mountinfo | sort
        { find /sys/fs/cgroup -type d -path "*/$CG/*" -printf 'cgroup %P\n' 2>/dev/null || true; } | sort
        ip -o link | awk -F': ' '{print "link", $2}' | sed 's/@.*//' | sort
        { find /run/netns -mindepth 1 2>/dev/null || true; } | sed 's/^/netns /' | sort
        nft list ruleset 2>/dev/null | sed 's/counter packets [0-9]* bytes [0-9]*//; s/^[[:space:]]*/nft /' | sort
        losetup -a | sed 's/^/loop /' | sort
        processes
        # What hodrun keeps: the compiled filters and their directory stay.
        # shellcheck disable=SC2086  # a list
        { find $STATES -mindepth 1 ! -name @seccomp ! -path '*/@seccomp/*' -printf 'state %p\n' 2>/dev/null || true; } |
                sort
}

# Directories that peers give to hodrun as --root (its own default is for those that give none).
export STATES=${STATES:-/run/hodrun}

# peers_clean [REGEX]: compare; peers_end fails after a difference. What REGEX (extended, whole lines of `diff`) matches is the peer's own, and stays by design.
peers_clean() {
        local own=${1:-^$}
        for _ in {1..300}; do
                peers_snapshot >"$T/after"
                diff -U0 "$T/before" "$T/after" | grep -E '^[-+][a-z]' | grep -vE "$own" >"$T/diff" || true
                [[ -s $T/diff ]] || return 0
                sleep 0.1
        done
        echo "leak (- before, + after):" >&2
        cat "$T/diff" >&2
        touch "$T/leaked"
}

# peers_end: after the daemons: no process is left, nothing is mounted below our directories; then these go.
peers_end() {
        local bad=0 where
        cd /
        [[ ! -e $T/leaked ]] || bad=1
        for _ in {1..300}; do
                processes >"$T/processes.after"
                diff -q "$T/processes" "$T/processes.after" >/dev/null && break
                sleep 0.1
        done
        if ! diff "$T/processes" "$T/processes.after" >&2; then
                echo "processes are left" >&2
                bad=1
        fi
        awk -v t="$T/" -v r="$R/" 'index($5, t) == 1 || index($5, r) == 1 {print $5}' /proc/self/mountinfo | sort -r |
                while read -r where; do umount -l "$where"; done
        # Only directories without processes can be removed, and these are only parents.
        cgroup_hierarchies | while read -r where; do
                [[ ! -d $where/$CG ]] || find "$where/$CG" -depth -type d -exec rmdir {} +
        done || bad=1
        [[ -n ${KEEP-} ]] || rm -rf "$T" "$R"
        return "$bad"
}

# --- daemons ---------------------------------------------------------------------------------------------------------

# daemon NAME COMMAND...: start; its pid is in $R/NAME.pid, what it says in $T/NAME.log. Not bats' descriptors.
daemon() {
        local name=$1
        shift
        "$@" >"$T/$name.log" 2>&1 3>&- 4>&- </dev/null &
        echo "$!" >"$R/$name.pid"
}

# stop_daemon NAME [SIGNAL]
stop_daemon() {
        local pid
        pid=$(<"$R/$1.pid")
        kill -s "${2-TERM}" "$pid" 2>/dev/null || true
        eventually 20 dead "$pid" || {
                kill -9 "$pid"
                touch "$T/leaked"
        }
}

# The last started first.
stop_daemons() {
        local name
        for name in dockerd containerd; do
                [[ ! -e $R/$name.pid ]] || stop_daemon "$name"
        done
}

# With $HODRUN for a runtime nothing but a shim is between containerd and hodrun.
start_containerd() {
        mkdir -p "$R/containerd" "$T/containerd"
        cat >"$R/containerd.toml" <<-END
		version = 2
		root = "$T/containerd"
		state = "$R/containerd"
		[grpc]
		  address = "$R/containerd.sock"
		END
        daemon containerd containerd --config "$R/containerd.toml"
        program "$T/ctr" /usr/bin/ctr --address "$R/containerd.sock" --namespace "$CG"
        eventually 20 "$T/ctr" version >/dev/null 2>&1
}

dk() { "$T/dk" "$@" 3>&- 4>&-; }

dk_none_left() { [[ -z $(dk ps -aq) ]]; }
# Whoever is being removed by docker itself already is refused, and soon gone.
dk_remove_all() { eventually 20 dk_try_remove_all; }
dk_try_remove_all() {
        local list
        list=$(dk ps -aq)
        # shellcheck disable=SC2086  # one id a line
        [[ -z $list ]] || dk rm -f -v $list >/dev/null 2>&1 || true
        dk_none_left
}

# start_docker: containerd, and dockerd whose default runtime is hodrun; the image busybox.
start_docker() {
        start_containerd
        mkdir -p "$R/docker" "$T/docker"
        program "$T/dk" /usr/bin/docker -H "unix://$R/docker.sock"
        # shellcheck disable=SC2119  # without options
        start_dockerd
        dk import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
}

# start_dockerd [OPTION...]: once more, it finds what there was.
# shellcheck disable=SC2120  # docker.bats gives some
start_dockerd() {
        daemon dockerd dockerd --data-root "$T/docker" --exec-root "$R/docker" --pidfile "$R/dockerd.own.pid" \
                -H "unix://$R/docker.sock" --containerd "$R/containerd.sock" --cgroup-parent "/$CG" \
                --exec-opt native.cgroupdriver=cgroupfs --add-runtime "hodrun=$HODRUN" --default-runtime hodrun "$@"
        eventually 40 dk version >/dev/null 2>&1
}

# program FILE WORD...: an executable FILE that runs WORD... with its own arguments after them. (For the terminal, and for
# what a function cannot be given to.)
program() {
        local file=$1
        shift
        printf '#!/bin/bash\nexec %s "$@"\n' "$(printf '%q ' "$@")" >"$file"
        chmod +x "$file"
}

# sized RxC: what to type to wait until the terminal inside has this size (peers set it a moment after the start).
# shellcheck disable=SC2016  # expanded where it is typed
sized() { printf 'until [ "$(stty size)" = "%s" ]; do sleep 0.05; done' "${1/x/ }"; }

# --- checks ----------------------------------------------------------------------------------------------------------

# prints TEXT COMMAND...: COMMAND succeeds and prints exactly this.
prints() {
        local want=$1 out
        shift
        out=$("$@") || fail "«$*» ended with $?" "$out"
        is "$out" "$want" "$*"
}

# ends STATUS COMMAND...
ends() {
        local want=$1 status=0
        shift
        "$@" >"$T/out" 2>"$T/err" </dev/null || status=$?
        [[ $status == "$want" ]] || fail "«$*» ended with $status, not $want" "$(cat "$T/out" "$T/err")"
}
