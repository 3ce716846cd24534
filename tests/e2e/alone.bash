# alone.bash - a machine of a test's own: a network namespace with a neighbour on its link.
# shellcheck shell=bash disable=SC2016

get() { curl -s -m "${3-3}" "http://$1:$2/hostname"; }
export -f get

# alone SCRIPT: it runs in a network namespace of its own, with a "neighbour" (pid $N, 192.0.2.2) on the link host0.
alone() {
        timeout 60 unshare -n bash -c '
                set -e
                ip link set lo up
                unshare -n sleep 60 &
                N=$!
                trap "kill $N; jobs -p | xargs -r kill 2>/dev/null || true" EXIT
                for _ in {1..500}; do ns=$(readlink /proc/$N/ns/net || true); [[ $ns && $ns != $(readlink /proc/self/ns/net) ]] && break; sleep 0.02; done
                ip link add host0 type veth peer name n0 netns $N
                ip addr add 192.0.2.1/24 dev host0
                ip link set host0 up
                nsenter -t $N -n bash -c "ip link set lo up; ip addr del 127.0.0.1/8 dev lo; ip addr add 192.0.2.2/24 dev n0
                        ip link set n0 up; ip route replace 127.0.0.1/32 via 192.0.2.1
                        echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter"
                hod() { "$HOD_BIN/hod" "$@"; }
                pid() { hod inspect -f "{{.State.Pid}}" $1; }
                inside() { local p; p=$(pid $1); shift; nsenter -t $p -n "$@"; }
                ready() { for _ in {1..100}; do grep -q ready $1 2>/dev/null && return; sleep 0.05; done; echo "not ready: $1"; exit 1; }
                neighbour() { nsenter -t $N -n curl -s -m 1 http://$1:$2/hostname || true; }
                '"$1"
}
