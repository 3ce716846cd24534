# common.bash - shared by run.sh, runtime.sh, images.sh and network.sh: the peers, measuring, numbers, the sections of RESULTS.md.
# Sourced after tools/common.bash; $B and $R are the caller's temporary directories.
# shellcheck shell=bash disable=SC2154  # $top is tools/common.bash's

# HOD_BENCH_WRAP="COMMAND...": what keeps the machine quiet while its arguments run; each measurement goes
# through it, but for those of many containers, which have to run, too.
read -ra wrap <<<"${HOD_BENCH_WRAP-}"

# measure NAME RUNS COMMAND...: median in ms. MEASURE holds further arguments of hyperfine.
MEASURE=()
measure() {
        local name=$1 n=$2
        shift 2
        local line
        line=$(printf '%q ' "$@")
        "${wrap[@]}" hyperfine -N --style none --warmup 3 --runs "$n" "${MEASURE[@]}" --export-json "$B/$name.json" "$line" \
                >/dev/null 2>"$B/$name.err" || {
                cat "$B/$name.err" >&2
                return 1
        }
        jq -r '.results[0].median * 1000' "$B/$name.json"
}

# make_floor RUNS: build floor.c and run it on the busybox in $B/busybox.tar; its answers are in $B/floor.txt, the whole
# in ms is printed.
make_floor() {
        mkdir -p "$B/floor"/{lower,upper,work,root}
        tar -C "$B/floor/lower" -xf "$B/busybox.tar"
        gcc -O2 -D_GNU_SOURCE -o "$B/floor/floor" "$top/bench/floor.c"
        "${wrap[@]}" "$B/floor/floor" "$B/floor" "$1" >"$B/floor.txt"
        awk '$1 == "full" {print $2 / 1000}' "$B/floor.txt"
}

num() { if [[ $1 == - ]]; then printf '%s' -; else printf '%.2f' "$1"; fi; }
# ratio A B [DIGITS]
ratio() {
        if [[ $1 == - || $2 == - ]]; then printf '%s' -; else awk -v a="$1" -v b="$2" -v d="${3-1}" 'BEGIN {printf "%.*f", d, a / b}'; fi
}
verdict() { # A OP B: does the number hold
        [[ $1 != - ]] || { printf 'not measured' && return; }
        awk -v a="$1" -v b="$3" -v op="$2" 'BEGIN {ok = op == ">=" ? a >= b : a <= b; print ok ? "yes" : "NO"}'
}
# version COMMAND...: the number in the first line that it prints. All of it is read: who writes to nobody ends by a signal.
version() { "$@" 2>/dev/null | awk 'NR == 1 && match($0, /[0-9]+(\.[0-9]+)+[^ ,]*/) {print substr($0, RSTART, RLENGTH)}'; }

# machine SCRIPT: one line about when, where and how.
machine() {
        local cgroups='cgroup v1 or hybrid'
        [[ $(stat -fc %T /sys/fs/cgroup) != cgroup2fs ]] || cgroups='cgroup v2'
        printf '%s' "$(date -u +'%Y-%m-%d %H:%M UTC'), by \`bench/$1\`: $(nproc) processors ($(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)), $(free -g | awk '/^Mem/ {print $2}') GiB, Linux $(uname -r), $cgroups, $(stat -fc %T "$B")."
}

# section TITLE: stdin, which begins with "# TITLE", takes the place of that section of RESULTS.md (from its line to the
# next of the same rank), or comes last.
section() {
        local file=$top/bench/RESULTS.md
        cat >"$B/section"
        [[ -e $file ]] || : >"$file"
        awk -v title="# $1" -v new="$B/section" '
                function put(  line) { while ((getline line <new) > 0) print line; done = 1 }
                /^# / { skip = $0 == title; if (skip) { put(); if (!last) print "" } }
                !skip { print }
                END { if (!done) { if (NR) print ""; put() } }' "$file" | cat -s | sed -e '${/^$/d}' >"$B/results"
        cp "$B/results" "$file"
}

# --- docker.io and podman from Debian, privately: own roots below $B, own sockets below $R --------------------------

pids=()
docker=/usr/bin/docker
# peers_begin: before anything is started.
peers_begin() {
        local d
        [[ -x $docker ]] || docker=docker
        docker_cmd=("$docker" -H "unix://$R/docker.sock")
        # shellcheck disable=SC2034  # the caller's
        podman_cmd=(podman --root "$B/podman" --runroot "$R/podman" --tmpdir "$R/podman-tmp" --cgroup-manager cgroupfs
                --events-backend file)
        # What the peers make outside of their roots: gone again afterwards unless it was there before.
        traces=()
        for d in /run/docker /run/containers /run/libpod /sys/fs/cgroup/docker /sys/fs/cgroup/libpod_parent; do
                [[ -e $d ]] || traces+=("$d")
        done
        for d in /sys/fs/cgroup/*/; do
                [[ -e ${d}docker ]] || traces+=("${d}docker")
                [[ -e ${d}libpod_parent ]] || traces+=("${d}libpod_parent")
        done
}

# start_docker [OPTION...]: containerd and dockerd; without options dockerd leaves the network alone. $docker_prefix is
# what runs them (a namespace).
docker_prefix=()
start_docker() {
        local options=("$@")
        (($#)) || options=(--iptables=false --ip6tables=false --bridge=none)
        mkdir -p "$B/docker" "$B/containerd" "$R/containerd" "$R/docker"
        cat >"$R/containerd.toml" <<-END
		version = 2
		root = "$B/containerd"
		state = "$R/containerd"
		[grpc]
		  address = "$R/containerd.sock"
		END
        "${docker_prefix[@]}" containerd --config "$R/containerd.toml" >"$B/containerd.log" 2>&1 &
        pids+=($!)
        for _ in {1..100}; do
                [[ -S $R/containerd.sock ]] && break
                sleep 0.1
        done
        "${docker_prefix[@]}" dockerd --data-root "$B/docker" --exec-root "$R/docker" --pidfile "$R/docker.pid" \
                -H "unix://$R/docker.sock" --containerd "$R/containerd.sock" "${options[@]}" \
                --exec-opt native.cgroupdriver=cgroupfs >"$B/dockerd.log" 2>&1 &
        pids+=($!)
        for _ in {1..150}; do
                "${docker_cmd[@]}" version >/dev/null 2>&1 && break
                sleep 0.2
        done
}

# peers_end: stop what was started, by number; remove $B, $R and what the peers made elsewhere.
peers_end() {
        local i pid d m
        # The last started first.
        for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
                pid=${pids[i]}
                kill "$pid" 2>/dev/null || true
                for _ in {1..100}; do
                        kill -0 "$pid" 2>/dev/null || break
                        sleep 0.1
                done
        done
        # What the peers leave mounted below our directories.
        awk '{print $5}' /proc/self/mountinfo | grep -E "^($B|$R)/" | sort -r | while read -r m; do
                umount -l "$m" 2>/dev/null || true
        done
        rm -rf "$B" "$R"
        for d in "${traces[@]}"; do
                [[ -d $d ]] && find "$d" -depth -type d -exec rmdir {} + 2>/dev/null
        done
        return 0
}
