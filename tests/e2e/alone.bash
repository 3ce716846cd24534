# alone.bash - a machine of a test's own: a network namespace with a second one on its link.
# shellcheck shell=bash disable=SC2016

export -f listening watcher

# machine SETUP SCRIPT: both run in a network namespace of its own (errexit holds), whose link host0 is the other end of
# n0, the link of another namespace (pid $N). What SCRIPT calls is defined below; functions that it needs besides are
# exported by the test.
machine() {
        timeout 110 unshare -n bash -c '
                set -e
                ip link set lo up
                unshare -n sleep 110 &
                N=$!
                trap "kill $N; jobs -p | xargs -r kill 2>/dev/null || true" EXIT
                # In quotes: "net:[4026531840]" would be a pattern, and no namespace matches its own.
                for _ in {1..500}; do ns=$(readlink /proc/$N/ns/net || true); [[ $ns && $ns != "$(readlink /proc/self/ns/net)" ]] && break; sleep 0.02; done
                ip link add host0 type veth peer name n0 netns $N
                ip link set host0 up
                nsenter -t $N -n bash -c "ip link set lo up; ip link set n0 up"
                hod() { "$HOD_BIN/hod" "$@"; }
                pid() { hod inspect -f "{{.State.Pid}}" $1; }
                inside() { local p; p=$(pid $1); shift; nsenter -t $p -n "$@"; }
                # Whose web server answers, or nothing. Who is let in gets the connection from the kernel at once; the
                # answer may take a while on a slow machine.
                get() { curl -s --connect-timeout 2 -m 20 "http://$1:$2/hostname" || true; }
                neighbour() { nsenter -t $N -n curl -s --connect-timeout 1 -m 20 "http://$1:$2/hostname" || true; }
                # serve NAME ARGUMENT...: a container that serves its name ("host-NAME") at port 80; it listens.
                serve() {
                        local name=$1; shift
                        hod run -d --name $name -h host-$name "$@" busybox httpd -f -p 80 -h /etc >/dev/null
                        listening $name 80
                }
                # background FILE COMMAND...: its output goes to $T/FILE; it has said "ready". Its pid is $B. (A file of
                # the same name may be there from a test before: what it says is not what this one says.)
                background() {
                        local file=$T/$1; shift
                        rm -f "$file"
                        "$@" >"$file" 2>&1 & B=$!
                        for _ in {1..400}; do grep -qs ready "$file" && return; sleep 0.05; done
                        echo "not ready: $* ($(cat "$file"))"; exit 1
                }
                '"$1"$'\n'"$2"
}

# alone SCRIPT: the other namespace is a neighbour (192.0.2.2) of this machine (192.0.2.1): it sends everything that is
# not on the link to it, 127.0.0.1, too.
alone() {
        machine '
                ip addr add 192.0.2.1/24 dev host0
                nsenter -t $N -n bash -c "ip addr del 127.0.0.1/8 dev lo; ip addr add 192.0.2.2/24 dev n0
                        ip route add default via 192.0.2.1; ip route replace 127.0.0.1/32 via 192.0.2.1
                        echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter"' "$1"
}
