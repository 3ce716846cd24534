#!/usr/bin/env bash
# Compare hod's networks with those of docker.io and podman from Debian, in one run on one machine: the start of a container
# on the default bridge, throughput, connections through published ports, names, many containers, many ports. Writes the
# section "Networks" of bench/RESULTS.md.
#   bench/network.sh [--quick] [--no-peers]
# Each engine has a network namespace of its own for a host, with a second one ("outside") behind a link, so that none pays
# for the firewall rules of another. Servers and clients are the same programs for all, run in the containers' network
# namespaces. Each job by all engines one after the other, in another order each round, and compared within the round: the
# machine is faster now, slower then. Of rounds the median counts.
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../tools/common.bash"
# shellcheck source=bench/common.bash
. "$top/bench/common.bash"

arguments=("$@")
runs=60 rounds=9 seconds=1 many=500 peers=1
for arg in "$@"; do
        case $arg in
        --quick) runs=15 rounds=1 seconds=1 many=100 ;;
        --no-peers) peers=0 ;;
        *) die "unknown argument '$arg'" ;;
        esac
done
((EUID == 0)) || die "needs root"
if [[ ${HOD_PEERS_INSIDE-} != 1 ]]; then
        need_packages "${packages_build[@]}" "${packages_image[@]}" "${packages_network_bench[@]}"
        build_in "$top/build-release" -Dtests=false --buildtype=release -Doptimization=2
        exec "$top/tests/peers/inside.sh" "$top/bench/network.sh" "${arguments[@]}"
fi

B=$(mktemp -d "${TMPDIR:-/tmp}/hod-bench.XXXXXX")
R=$(mktemp -d /run/hod-bench.XXXXXX)
export HOD_ROOT=$B/hod HOD_STATE=$R/hod HOME=$B
hod=$top/build-release/bin/hod
peers_begin
podman_cmd+=(--runtime runc)
podman_flags=(--ulimit nofile=1024:1024 --ulimit nproc=1000:1000)
netload=$B/netload
gcc -O2 -static -D_GNU_SOURCE -o "$netload" "$top/bench/netload.c"
busybox_tar >"$B/busybox.tar"

helpers=() # processes that keep namespaces, and servers
# shellcheck disable=SC2317  # called by the trap
finish() {
        set +e
        local e list
        cd /
        for e in "${engines[@]}"; do
                list=$("$e" ps -aq 2>/dev/null)
                # shellcheck disable=SC2086
                [[ -z $list ]] || "$e" rm -f $list >/dev/null 2>&1
        done
        kill "${helpers[@]}" 2>/dev/null
        peers_end
}
trap finish EXIT

# --- the hosts: namespaces, by engine
declare -A host outside
namespace() { # its keeper is the last of $helpers
        unshare --net sleep 100000 &
        helpers+=($!)
        until [[ $(readlink "/proc/$!/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.01; done
        nsenter -t "$!" -n ip link set lo up
}
make_host() { # ENGINE
        namespace
        host[$1]=${helpers[-1]}
        namespace
        outside[$1]=${helpers[-1]}
        nsenter -t "${host[$1]}" -n sh -c "ip link add ext0 type veth peer name out0 netns ${outside[$1]}
                ip addr add 192.0.2.1/24 dev ext0; ip link set ext0 up"
        nsenter -t "${outside[$1]}" -n sh -c 'ip addr add 192.0.2.2/24 dev out0; ip link set out0 up'
}
on() { nsenter -t "${host[$1]}" -n "${@:2}"; }     # on the host of ENGINE
out() { nsenter -t "${outside[$1]}" -n "${@:2}"; } # on the machine outside
inside() { nsenter -t "$1" -n "${@:2}"; }          # in the network of the process PID

# --- the engines, one function each; the verbs are docker's
engines=(hod)
hod() { on hod "$hod" "$@"; }
docker() { on docker "${docker_cmd[@]}" "$@"; }
podman() { on podman "${podman_cmd[@]}" "$@"; }
declare -A flags=([hod]='' [docker]='' [podman]="${podman_flags[*]}")
start() { # ENGINE WORD...: run -d
        local e=$1
        shift
        # shellcheck disable=SC2086  # words
        "$e" run ${flags[$e]} -d "$@" busybox sleep 100000 >/dev/null
}
pid_of() { "$1" inspect -f '{{.State.Pid}}' "$2"; }
address_of() { # ENGINE NAME NETWORK
        "$1" inspect -f "{{(index .NetworkSettings.Networks \"$3\").IPAddress}}" "$2"
}
has() { [[ " ${engines[*]} " == *" $1 "* ]]; }
make_host hod
hod import -c 'CMD ["sh"]' "$B/busybox.tar" busybox >/dev/null
if ((peers)); then
        make_host docker
        docker_prefix=(nsenter -t "${host[docker]}" -n)
        start_docker --ip6tables=false
        if docker import -c 'CMD ["sh"]' "$B/busybox.tar" busybox && docker run --rm busybox true; then engines+=(docker); fi >"$B/err" 2>&1
        has docker || say "docker does not run here: $(cat "$B/err")" >&2
        make_host podman
        if podman import -c 'CMD ["sh"]' "$B/busybox.tar" busybox && podman run "${podman_flags[@]}" --rm busybox true; then engines+=(podman); fi >"$B/err" 2>&1
        has podman || say "podman does not run here: $(cat "$B/err")" >&2
fi
# --- the start of a container
declare -A t # results
quiet=("${wrap[@]}")
start_time() { # ENGINE NAME RUNS OPTION...
        local e=$1 name=$2 n=$3 command=("$hod")
        shift 3
        [[ $e != docker ]] || command=("${docker_cmd[@]}")
        [[ $e != podman ]] || command=("${podman_cmd[@]}")
        wrap=("${quiet[@]}" nsenter -t "${host[$e]}" -n)
        # shellcheck disable=SC2086  # words
        t[$name.$e]=$(measure "$name-$e" "$n" "${command[@]}" run ${flags[$e]} --rm "$@" busybox true) || t[$name.$e]=-
        wrap=("${quiet[@]}")
}
for e in "${engines[@]}"; do
        say "run: $e" >&2
        n=$runs
        [[ $e == hod ]] || n=$((runs / 3))
        start_time "$e" none "$n" --network none
        start_time "$e" bridge "$n" --network bridge
        start_time "$e" published "$n" --network bridge -p 127.0.0.1:20000:80
done
start_time hod bridge-again "$runs" --network bridge

# --- throughput, connections, names: a network of their own, a server and a client
cat >"$B/background" <<'END'
#!/bin/bash
# background PIDFILE COMMAND...: not bound to the caller.
echo $$ >"$1"
exec "${@:2}" >/dev/null 2>&1 </dev/null
END
chmod +x "$B/background"
background() { # COMMAND...
        "$B/background" "$B/pid" "$@" &
        helpers+=($!)
}
declare -A server client at gateway
for e in "${engines[@]}"; do
        "$e" network create bench >/dev/null
        start "$e" --name server --network bench -p 8080:8080 -p 5201:5201
        start "$e" --name client --network bench
        server[$e]=$(pid_of "$e" server)
        client[$e]=$(pid_of "$e" client)
        at[$e]=$(address_of "$e" server bench)
        gateway[$e]=$(inside "${client[$e]}" ip route | sed -n 's/^default via \([^ ]*\).*/\1/p')
        background nsenter -t "${server[$e]}" -n iperf3 -s
        background nsenter -t "${server[$e]}" -n "$netload" serve 8080
        background nsenter -t "${host[$e]}" -n iperf3 -s -p 5202
done
sleep 1
note() { echo "$3" >>"$B/times.$1.$2"; } # JOB ENGINE VALUE
# Of the rounds that have a value ("-": this one has none): the median, the sum.
values() { cat "$B/times.$1.$2" 2>/dev/null || true; } # JOB ENGINE
median() { values "$@" | sort -g | awk '$1 != "-" {v[++n] = $1} END {print n ? v[int((n + 1) / 2)] : "-"}'; }
total() { values "$@" | awk '{n += $1 != "-"; sum += $1} END {print n ? sum : "-"}'; }
# paired JOB ENGINE JOB ENGINE: median of the rounds' ratios
paired() {
        local a=$B/times.$1.$2 b=$B/times.$3.$4
        if [[ ! -s $a || ! -s $b ]] || (($(wc -l <"$a") != $(wc -l <"$b"))); then
                echo -
                return
        fi
        paste "$a" "$b" | awk '$1 != "-" && $2 != "-" && $2 > 0 {print $1 / $2}' | sort -g | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]; else print "-"}'
}
# gigabits WORD... : iperf3's receiver
gigabits() { "${quiet[@]}" timeout 20 "$@" --connect-timeout 3000 -t "$seconds" -J | jq -e '.end.sum_received.bits_per_second / 1e9'; }
connections() { # JOB ENGINE WORD...
        local job=$1 e=$2 rate failed
        shift 2
        read -r rate failed < <("${quiet[@]}" timeout 20 "$@" "$seconds" 8)
        note "$job" "$e" "$rate"
        note "$job-failed" "$e" "$failed"
}
# one JOB ENGINE: once
one() {
        local e=$2 p50 p99 lost rate flooded
        case $1 in
        c2c) note c2c "$e" "$(gigabits nsenter -t "${client[$e]}" -n iperf3 -c "${at[$e]}")" ;;
        c2h) note c2h "$e" "$(gigabits nsenter -t "${client[$e]}" -n iperf3 -c "${gateway[$e]}" -p 5202)" ;;
        h2c) note h2c "$e" "$(gigabits nsenter -t "${host[$e]}" -n iperf3 -c "${at[$e]}")" ;;
        published) note published "$e" "$(gigabits nsenter -t "${outside[$e]}" -n iperf3 -c 192.0.2.1)" ;;
        loopback) note loopback "$e" "$(gigabits nsenter -t "${host[$e]}" -n iperf3 -c 127.0.0.1)" ;;
        new-direct) connections new-direct "$e" nsenter -t "${host[$e]}" -n "$netload" connect "${at[$e]}" 8080 ;;
        new-outside) connections new-outside "$e" nsenter -t "${outside[$e]}" -n "$netload" connect 192.0.2.1 8080 ;;
        new-loopback) connections new-loopback "$e" nsenter -t "${host[$e]}" -n "$netload" connect 127.0.0.1 8080 ;;
        names)
                read -r p50 p99 lost < <("${quiet[@]}" nsenter -t "${client[$e]}" -n "$netload" dns 127.0.0.11 53 2000 server 2>/dev/null || echo - - -)
                note dns50 "$e" "$p50"
                note dns99 "$e" "$p99"
                note dns-lost "$e" "$lost"
                rate=- flooded=- # nobody answers there
                [[ $p50 == - ]] || read -r rate flooded < <("${quiet[@]}" nsenter -t "${client[$e]}" -n "$netload" flood 127.0.0.11 53 1 32 server)
                note flood "$e" "$rate"
                note flood-lost "$e" "$flooded"
                ;;
        esac
}
for ((round = 1; round <= rounds; round++)); do
        say "round $round" >&2
        i=$((round % ${#engines[@]}))
        for job in c2c c2h h2c published loopback new-direct new-outside new-loopback names; do
                for e in "${engines[@]:i}" "${engines[@]:0:i}"; do one "$job" "$e"; done
        done
done

# --- many ports: what one more costs, and what it carries
say "1000 ports" >&2
hod rm -f server >/dev/null
hod run -d --name first --network bench -p 21000:8080 busybox sleep 100000 >/dev/null
background nsenter -t "$(pid_of hod first)" -n "$netload" serve 8080
start_time hod port-first "$runs" --network bench -p 20000:80
hod run -d --name ports --network bench -p 21001-21999:21001-21999 busybox sleep 100000 >/dev/null
start_time hod port-last "$runs" --network bench -p 20000:80
hod run -d --name last --network bench -p 22000:8080 busybox sleep 100000 >/dev/null
background nsenter -t "$(pid_of hod last)" -n "$netload" serve 8080
sleep 0.2
for ((round = 1; round <= rounds; round++)); do
        connections port-first hod nsenter -t "${outside[hod]}" -n "$netload" connect 192.0.2.1 21000
        connections port-last hod nsenter -t "${outside[hod]}" -n "$netload" connect 192.0.2.1 22000
done
hod rm -f first ports last client >/dev/null

# --- many containers on one network
say "$many containers" >&2
hod network create --subnet 10.80.0.0/16 many >/dev/null
read -r many_whole many_first many_last many_failed < <(on hod "$top/bench/batch" "$many" 1 "$hod" run -d --name 'm{}' --network many busybox sleep 100000)
t0=${EPOCHREALTIME/./}
# shellcheck disable=SC2046
hod rm -f $(hod ps -aq) >/dev/null
many_gone=$(awk -v us=$((${EPOCHREALTIME/./} - t0)) 'BEGIN {printf "%.2f", us / 1e6}')

# --- where the time goes
for ((i = 0; i < runs; i++)); do hod run --rm --explain --network bridge busybox true 2>>"$B/explain.txt" >/dev/null; done

# --- the tables
value() { [[ ${t[$1.$2]-} ]] && num "${t[$1.$2]}" || printf -; }
row_ms() { # JOB WHAT
        printf '| %s | %s | %s | %s | %s | %s |\n' "$2" "$(value "$1" hod)" "$(value "$1" docker)" "$(value "$1" podman)" \
                "$(ratio "${t[$1.docker]--}" "${t[$1.hod]--}")" "$(ratio "${t[$1.podman]--}" "${t[$1.hod]--}")"
}
row() { # JOB WHAT DIGITS
        printf '| %s | %s | %s | %s | %s | %s |\n' "$2" "$(digits "$(median "$1" hod)" "$3")" \
                "$(digits "$(median "$1" docker)" "$3")" "$(digits "$(median "$1" podman)" "$3")" \
                "$(against "$1")" "$(against "$1" podman)"
}
lost() { if [[ $(median dns50 "$2") == - ]]; then echo -; else total "$1" "$2"; fi; } # JOB ENGINE
row_lost() { # JOB WHAT
        printf '| %s | %s | %s | %s | - | - |\n' "$2" "$(lost "$1" hod)" "$(lost "$1" docker)" "$(lost "$1" podman)"
}
digits() { if [[ $1 == - ]]; then printf '%s' -; else printf "%.$2f" "$1"; fi; }
aim() { # WHAT BAR MEASURED OP LIMIT
        printf '| %s | %s | %s | %s |\n' "$1" "$2" "$3" "$(verdict "$3" "$4" "$5")"
}
against() { # JOB [ENGINE]
        digits "$(paired "$1" hod "$1" "${2-docker}")" 2
}
difference() { if [[ $1 == - || $2 == - ]]; then printf '%s' -; else awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a - b}'; fi; }
versions="hod $(version "$hod" --version) (release build)"
has docker && versions+=", docker $(version docker version --format '{{.Server.Version}}') with its userland proxy"
has podman && versions+=", podman $(version podman --version) with runc"
{
        cat <<-END
		# Networks

		$(machine network.sh)

		$versions, iperf3 $(version iperf3 --version). Medians of $runs runs (peers: $((runs / 3))); rates: median of $rounds rounds of $seconds s; DNS: of $rounds rounds of 2000 questions; ratios of these: median of the ratios within each round. Each engine has a network namespace for its host and another one outside; clients and servers share the two processors with the path between them.

		| milliseconds | hod | docker | podman | docker/hod | podman/hod |
		|---|---|---|---|---|---|
		$(row_ms none 'run --rm --network none busybox true')
		$(row_ms bridge 'run --rm --network bridge busybox true')
		$(row_ms bridge-again 'the same, hod once more at the end')
		$(row_ms published 'the same with -p 127.0.0.1:20000:80')

		| more is better | hod | docker | podman | hod/docker | hod/podman |
		|---|---|---|---|---|---|
		$(row c2c 'Gbit/s, container to container' 2)
		$(row c2h 'Gbit/s, container to host' 2)
		$(row h2c 'Gbit/s, host to container' 2)
		$(row published 'Gbit/s, from outside through a published port' 2)
		$(row loopback 'Gbit/s, 127.0.0.1 through a published port' 2)
		$(row new-direct 'connections/s, host to container' 0)
		$(row new-outside 'connections/s, from outside through a published port' 0)
		$(row new-loopback 'connections/s, 127.0.0.1 through a published port' 0)
		$(row flood 'DNS answers/s, 32 at a time' 0)

		| less is better | hod | docker | podman | hod/docker | hod/podman |
		|---|---|---|---|---|---|
		$(row dns50 'DNS, µs, median' 1)
		$(row dns99 'DNS, µs, 99 of 100' 1)
		$(row new-outside-failed 'failed connections, from outside' 0)
		$(row new-loopback-failed 'failed connections, 127.0.0.1' 0)
		$(row_lost dns-lost 'DNS questions without an answer, in all rounds, one at a time')
		$(row_lost flood-lost 'the same, 32 at a time')

		| aim | bar | measured | holds |
		|---|---|---|---|
		$(aim 'run on the default bridge, docker/hod' 'at least 20' "$(ratio "${t[bridge.docker]--}" "${t[bridge.hod]}")" '>=' 20)
		$(aim 'run on the default bridge above --network none, ms' 'at most 4' "$(difference "${t[bridge.hod]}" "${t[none.hod]}")" '<=' 4)
		$(aim 'container to container, hod/docker' 'at least 1' "$(against c2c)" '>=' 1)
		$(aim 'container to host, hod/docker' 'at least 1' "$(against c2h)" '>=' 1)
		$(aim 'published port from outside, hod/docker' 'at least 1' "$(against published)" '>=' 1)
		$(aim 'published port by 127.0.0.1, hod/docker' 'at least 1' "$(against loopback)" '>=' 1)
		$(aim 'new connections by 127.0.0.1 (through docker'"'"'s proxy), hod/docker' 'at least 3' "$(against new-loopback)" '>=' 3)
		$(aim 'new connections from outside (past docker'"'"'s proxy), hod/docker' 'at least 1' "$(against new-outside)" '>=' 1)
		$(aim "$many containers on one network, start of the last against the first ($many_failed failed)" 'at most 1.5' "$(ratio "$many_last" "$many_first" 2)" '<=' 1.5)
		$(aim 'DNS, median, hod/docker' 'below 1' "$(against dns50)" '<=' 1)
		$(aim 'start with one more port when 1000 are published against the first' 'at most 1.1' "$(ratio "${t[port-last.hod]}" "${t[port-first.hod]}" 2)" '<=' 1.1)
		$(aim 'connections through the 1000th port against the first' 'at least 0.95' "$(digits "$(paired port-last hod port-first hod)" 2)" '>=' 0.95)

		$many containers one after another: $many_whole s (median of the first tenth $many_first ms, of the last $many_last ms); removed together in $many_gone s.

		## Where the time of run on the bridge goes

		Median of $runs runs with --explain (which itself costs a little); a step inside another counts twice.

		| step | µs | what |
		|---|---|---|
		END
        "$top/bench/trace-table" <"$B/explain.txt"
} | section Networks
sed -n '/^# Networks/,/^## Where/p' "$top/bench/RESULTS.md"
