#!/usr/bin/env bats
# How fast a container may send and receive (--net-rate), and where to (--egress); both while it runs (update).

load lib
setup_file() { e2e_setup; }
# What a container still has to send when it ends keeps the kernel at its namespace for a minute. (By then it is gone,
# where the kernel cannot end connections.)
# Those of other engines were there before.
gone() { ! ip -o link | awk -F': ' '{print "link", $2}' | grep -vxFf "$T/before" | grep -qE '^link hod[0-9a-f]{12}@'; }
teardown_file() {
        eventually 120 gone || true
        e2e_teardown
}
# hang_up CONTAINER...: their connections are no more.
hang_up() {
        local one
        for one; do nsenter -t "$(init_pid "$one")" -n ss -K -t >/dev/null 2>&1 || true; done
}
teardown() {
        # shellcheck disable=SC2046  # an id each
        hang_up $(hod ps -q)
        e2e_clean
        hod network prune -f >/dev/null
}

# Networks choose their subnets themselves. address CONTAINER NETWORK [GlobalIPv6Address]
address() { hod inspect -f "{{(index .NetworkSettings.Networks \"$2\").${3:-IPAddress}}}" "$1"; }
gateway() { hod network inspect -f '{{(index .IPAM.Config 0).Gateway}}' "$1"; }
serve() {
        local name=$1
        shift
        hod run -d --name "$name" -h "host-$name" "$@" busybox httpd -f -p 80 -h /etc >/dev/null
        listening "$name" 80
}
# get CONTAINER ADDRESS: whose web server answers there, or nothing (within a second: answers are waited for by `reaches`).
get() { hod exec "$1" timeout 1 wget -q -O - "http://$2/hostname" 2>/dev/null || true; }
reaches() { eventually 20 answers "$@"; }
answers() { [[ $(get "$1" "$2") == "$3" ]]; }

# speed CONTAINER NETWORK BYTES LOW HIGH: from the container to the host, and from the host to the container, it is never
# more than HIGH Mbit/s; LOW it is at least once in five (a machine under load stands still now and then).
speed() {
        python3 - "$HOD_BIN/hod" "$1" "$(gateway "$2")" "${@:3}" <<-'END'
	import socket, subprocess, sys, time
	hod, container, gateway, size, low, high = *sys.argv[1:4], *map(int, sys.argv[4:])
	server = socket.create_server((gateway, 0))
	server.settimeout(60)
	def measure(script, transfer):
	    began = time.monotonic() # nothing moves before
	    p = subprocess.Popen([hod, 'exec', container, 'sh', '-c', script.format(port=server.getsockname()[1])], stdin=subprocess.DEVNULL)
	    c = server.accept()[0]
	    c.settimeout(60)
	    transfer(c)
	    c.shutdown(socket.SHUT_WR)
	    p.wait(60)
	    c.close()
	    return size * 8 / 1e6 / (time.monotonic() - began)
	def receive(c):
	    while c.recv(1 << 16):
	        pass
	for way, script, transfer in (('up', f'head -c {size} /dev/zero | nc {gateway} {{port}}', receive),
	                              ('down', f'nc {gateway} {{port}} | head -c {size} >/dev/null', lambda c: c.sendall(bytes(size)))):
	    seen = []
	    while len(seen) < 5 and max(seen, default=0) < low:
	        seen.append(measure(script, transfer))
	    if max(seen) < low or max(seen) > high:
	        sys.exit(f'{way}: {seen} Mbit/s is not within {low} and {high}')
	END
}
limited() { # LINK: has a limit in both directions
        tc qdisc show dev "hod$1" | grep -q "tbf.* rate $2 " && tc qdisc show dev "ifb$1" | grep -q "tbf.* rate $2 "
}
links() { hod inspect -f '{{range .NetworkSettings.Networks}}{{slice .EndpointID 0 12}} {{end}}' "$1"; }

# shortcut LINK: what comes in there goes past the bridge
shortcut() { tc filter show dev "hod$1" ingress | grep -q hod_shortcut; }
usual() { ! shortcut "$1"; }

@test "what a container sends to its host need not pass through the bridge, unless it is limited, before or while it runs" {
        local link mac
        hod network create sc >/dev/null
        hod run -d --name s1 --network sc busybox sleep 1000 >/dev/null
        link=$(links s1) link=${link% }
        mac=$(hod inspect -f '{{.NetworkSettings.Networks.sc.MacAddress}}' s1)
        shortcut "$link"
        bridge fdb show dev "hod$link" | grep -q "^$mac .* static"
        hod exec s1 ping -c 1 -W 20 "$(gateway sc)" >/dev/null
        hod update --net-rate 100mbit s1 >/dev/null
        usual "$link"
        hod update --net-rate 0 s1 >/dev/null
        shortcut "$link"
        hod update --egress 'allow=192.0.2.0/24,deny=*' s1 >/dev/null
        usual "$link"
        run ! hod exec s1 ping -c 1 -W 1 "$(gateway sc)"
        hod network create sc2 >/dev/null
        hod network connect sc2 s1
        for one in $(links s1); do usual "$one"; done
        hod rm -f s1 >/dev/null
        hod run -d --name s2 --network sc --net-rate 100mbit busybox sleep 1000 >/dev/null
        link=$(links s2) link=${link% }
        usual "$link"
        hod run -d --name s3 --network sc busybox sleep 1000 >/dev/null
        hod network connect sc2 s3
        for one in $(links s3); do shortcut "$one"; done
        # A bridge that is made anew is another one.
        ip link delete "br-$(hod network inspect -f '{{slice .Id 0 12}}' sc)"
        hod network reload >/dev/null
        for one in $(links s3); do shortcut "$one"; done
        hod exec s3 ping -c 1 -W 20 "$(gateway sc)" >/dev/null
        # Also when it was a start that made it.
        ip link delete "br-$(hod network inspect -f '{{slice .Id 0 12}}' sc)"
        hod run -d --name s4 --network sc busybox sleep 1000 >/dev/null
        hod network reload >/dev/null
        for one in $(links s3) $(links s4); do shortcut "$one"; done
        hod exec s3 ping -c 1 -W 20 "$(gateway sc)" >/dev/null
        hod exec s3 ping -c 1 -W 20 "$(address s4 sc)" >/dev/null
}

@test "where no guard is, a neighbour that sends with a container's link address does not get what is for it" {
        local mac link
        hod network create -o hod.guard=false ng >/dev/null
        hod run -d --name v --network ng busybox sleep 1000 >/dev/null
        hod run -d --name x --network ng busybox sleep 1000 >/dev/null
        link=$(links v) link=${link% }
        mac=$(hod inspect -f '{{.NetworkSettings.Networks.ng.MacAddress}}' v)
        nsenter -t "$(init_pid x)" -n python3 - "$mac" <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	s.bind(('eth0', 0))
	s.send(b'\xff' * 6 + bytes.fromhex(sys.argv[1].replace(':', '')) + b'\x88\xb5' + bytes(50))
	END
        bridge fdb show dev "hod$link" | grep -q "^$mac "
        hod exec v ping -c 1 -W 20 "$(gateway ng)" >/dev/null
}

@test "--net-rate limits both directions; update changes and lifts it while the container runs" {
        local one
        hod network create nr >/dev/null
        hod run -d --name r --network nr --net-rate 8mbit busybox sleep 1000 >/dev/null
        is "$(field r '{{.HostConfig.NetRate}}')" 8mbit
        speed r nr 1000000 4 12
        is "$(hod update --net-rate 24mbit:64k r)" r
        speed r nr 3000000 12 36
        hod update --net-rate 0 r >/dev/null
        speed r nr 8000000 27 1000000
        one=$(links r)
        [[ ! -e /sys/class/net/ifb${one% } ]]
}

@test "--net-rate holds on every network, on one that is connected later, and after a restart" {
        local one
        hod network create nr1 >/dev/null
        hod network create nr2 >/dev/null
        hod run -d --name r --network nr1 --restart always --net-rate 5mbit busybox sleep 1000 >/dev/null
        hod network connect nr2 r
        is "$(links r | wc -w)" 2
        for one in $(links r); do limited "$one" 5Mbit || fail "$one"; done
        hod update --net-rate 6mbit r >/dev/null
        kill -9 "$(init_pid r)"
        again() { [[ $(field r '{{.RestartCount}}') == 1 ]] && is_running r; }
        eventually 20 again
        for one in $(links r); do limited "$one" 6Mbit || fail "$one after its restart"; done
        hod restart -t 0 r >/dev/null
        for one in $(links r); do limited "$one" 6Mbit || fail "$one after a restart"; done
        hod network disconnect nr2 r
        for one in $(links r); do limited "$one" 6Mbit || fail "$one after a disconnect"; done
        hod rm -f r >/dev/null
        [[ $(ip -o link | grep -oE 'ifb[0-9a-f]{12}') != *"$one"* ]]
}

@test "--egress: rules in order, for neighbours and the host, whatever NET_ADMIN does; answers always pass" {
        local near far
        hod network create --ipv6 ne >/dev/null
        serve near --network ne
        serve far --network ne
        near=$(address near ne) far=$(address far ne)
        serve lim --network ne --cap-add NET_ADMIN --egress "deny=$near:81,allow=$near:80/tcp,deny=*"
        reaches lim "$near" host-near
        is "$(get lim "$near:81")$(get lim "$far")$(get lim "[$(address near ne GlobalIPv6Address)]")" ''
        run -1 hod exec lim ping -c 1 -W 1 "$(gateway ne)"
        run -1 hod exec lim wget -O - "http://$far/"
        like "$output" "can't connect.*(No route to host|Permission denied)" # at once, not after a timeout
        reaches far "$(address lim ne)" host-lim
        reaches far "[$(address lim ne GlobalIPv6Address)]" host-lim
        hod exec lim sh -c "ip addr add ${far%.*}.77/24 dev eth0; ip route add $far src ${far%.*}.77 dev eth0; ip neigh flush dev eth0"
        is "$(get lim "$far")" ''
        hod exec lim sh -c 'ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:99; ip link set eth0 up'
        is "$(get lim "$far")" ''
        reaches near "$far" host-far
}

@test "--egress by update: at once, shown, kept over restarts, for networks that come later; connections end" {
        local one two
        connections() { nsenter -t "$(init_pid lim)" -n ss -Htio state established dst "$one"; }
        established() { [[ -n $(connections) ]]; }
        unheard() { [[ $(connections) == *' retrans:'* ]]; }
        hod network create ne1 >/dev/null
        hod network create ne2 >/dev/null
        serve s1 --network ne1
        serve s2 --network ne2
        one=$(address s1 ne1) two=$(address s2 ne2)
        hod run -d --name lim --network ne1 busybox sleep 1000 >/dev/null
        reaches lim "$one" host-s1
        # A connection that is open when the rules come: what it says after that is not answered.
        hod exec lim sh -c "(until [ -e /go ]; do sleep 0.1; done; printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n'; sleep 2) | timeout 100 nc $one 80 >/open" &
        local pid=$!
        eventually 20 established
        hod update --egress "allow=192.0.2.0/24,deny=*" lim >/dev/null
        is "$(field lim '{{json .HostConfig.Egress}}')" '["allow=192.0.2.0/24","deny=*"]'
        is "$(get lim "$one")" ''
        hod exec lim touch /go
        eventually 20 unheard # the kernel has sent it more than once
        hang_up lim
        wait "$pid" || true
        unlike "$(hod exec lim cat /open)" host
        hod network connect ne2 lim
        is "$(get lim "$two")" ''
        hod restart -t 0 lim >/dev/null
        is "$(get lim "$one")$(get lim "$two")" ''
        hod update --egress "allow=$two,deny=*" lim >/dev/null
        reaches lim "$two" host-s2
        is "$(get lim "$one")" ''
        hod update --egress '' lim >/dev/null
        reaches lim "$one" host-s1
        reaches lim "$two" host-s2
        is "$(field lim '{{json .HostConfig.Egress}}')" '[]'
}

@test "--egress: neighbours that come later reach a limited container, too" {
        local i
        hod network create nl >/dev/null
        serve lim --network nl --egress 'deny=*'
        for i in 1 2 3; do
                hod run -d --name "late$i" --network nl busybox sleep 1000 >/dev/null
                reaches "late$i" "$(address lim nl)" host-lim
        done
        reaches late1 "$(address lim nl)" host-lim
        reaches lim "$(address lim nl)" host-lim # itself
        run -1 hod exec lim ping -c 1 -W 1 "$(address late1 nl)"
}

@test "network reload restores egress rules that somebody flushed" {
        local watch pid to
        hod network create nf >/dev/null
        serve s --network nf
        hod run -d --name lim --network nf --egress 'deny=*' busybox sleep 1000 >/dev/null
        pid=$(init_pid lim) to=$(address s nf)
        is "$(get lim "$to")" ''
        # Who watches would put them back before we have seen that they are gone: it stands still, and what it began before
        # has ended.
        watch=$(watcher)
        while kill -STOP "$watch" && ps --ppid "$watch" -o stat=,args= | awk '/network reload/ && !/^Z/ {found = 1} END {exit !found}'; do
                kill -CONT "$watch"
                sleep 0.1
        done
        nft delete table bridge hod_egress || kill -CONT "$watch"
        open() { [[ $(nsenter -t "$pid" -n curl -s --connect-timeout 1 -m 20 "http://$to/hostname") == host-s ]]; }
        eventually 10 open || {
                kill -CONT "$watch"
                return 1
        }
        kill -CONT "$watch"
        hod network reload >/dev/null
        is "$(get lim "$to")" ''
}

@test "network reload beside an update: what is put back is what there is now, also of a container whose lock somebody has" {
        local link id monitor reload hold
        serve a --net-rate 10mbit --egress 'deny=192.0.2.1,allow=*'
        hod run -d --name b busybox sleep 300 >/dev/null
        id=$(hod inspect -f '{{.Id}}' a)
        link=$(links a)
        limited "${link% }" 10Mbit
        # A reload that knows what there is, and waits for the monitor of b, which comes first.
        monitor=$(awk '/^PPid:/ {print $2}' "/proc/$(init_pid b)/status")
        kill -STOP "$monitor"
        hod network reload >/dev/null &
        reload=$!
        waits() { ss -xlH | awk '/monitor.sock/ && $3 > 0 {found = 1} END {exit !found}'; }
        eventually 20 waits
        hod update --net-rate 20mbit --egress 'deny=192.0.2.2,allow=*' a >/dev/null
        exec {hold}<"$HOD_STATE/containers/$id"
        flock "$hold"
        kill -CONT "$monitor"
        wait "$reload"
        exec {hold}<&-
        limited "${link% }" 20Mbit
        nft list table inet hod | grep -q '192.0.2.2.*reject'
        run ! grep -q '192.0.2.1' <(nft list table inet hod)
}

@test "an update beside a start by the restart policy: the start succeeds, and the limit is what was asked for last" {
        local id link hold lock update pid
        mkdir "$T/may"
        hod run -d --name c --restart always --net-rate 10mbit -v "$T/may:/may:ro" busybox \
                sh -c '[ ! -e /may/end ] || exec sleep 300; until [ -e /may/end ]; do sleep 0.05; done; exit 1' >/dev/null
        id=$(hod inspect -f '{{.Id}}' c)
        lock=$HOD_STATE/containers/$id/traffic.lock
        exec {hold}<"$lock"
        flock "$hold"
        waiting() { grep -q -- "-> FLOCK .* $1 [^ ]*:$(stat -c %i "$lock") " /proc/locks; }
        touch "$T/may/end"
        # The next start has read that there is a limit.
        eventually 20 waiting '[0-9]*' || fail "$(hod inspect -f '{{json .State}}' c) $(cat /proc/locks)"
        timeout 60 "$HOD_BIN/hod" update --net-rate 0 c >/dev/null {hold}<&- &
        update=$!
        pid_of() { pid=$(pgrep -P "$update"); }
        eventually 20 pid_of
        eventually 20 waiting "$pid"
        flock -u "$hold"
        wait "$update"
        runs() { [[ $(hod inspect -f '{{.State.Status}} {{.State.Error}}' c) == 'running ' ]]; }
        eventually 20 runs
        link=$(links c)
        run ! limited "${link% }" 10Mbit
        run ! ip link show "ifb${link% }"
}

@test "--egress by name: what the name service has answered, and nothing else" {
        hod network create nn >/dev/null
        serve db --network nn
        serve other --network nn
        hod run -d --name lim --network nn --egress 'allow=DB:80,deny=*' busybox sleep 1000 >/dev/null
        is "$(get lim "$(address db nn)")" ''
        reaches lim db host-db
        reaches lim "$(address db nn)" host-db
        is "$(get lim other)$(get lim "$(address other nn)")" ''
        refused 125 'names are learnt from the name service' hod run --rm --egress 'allow=db,deny=*' busybox true
}

@test "what is no rate and no rule is refused, and changes nothing" {
        local bad
        hod run -d --name c busybox sleep 1000 >/dev/null
        for bad in 10 10m x 1kbit 10mbit:1 ''; do refused 125 'invalid' hod run --rm --net-rate "$bad" busybox true; done
        for bad in 'allow=10.0.0.0/8' 'deny=*,allow=10.0.0.1' 'allow=10.0.0.1/8,deny=*' 'allow=*:0,deny=*' x; do
                refused 125 'invalid egress' hod run --rm --egress "$bad" busybox true
                refused 1 'invalid egress' hod update --egress "$bad" c
        done
        refused 125 'conflicting options' hod run --rm --network host --net-rate 1mbit busybox true
        refused 125 'conflicting options' hod run --rm --network container:c --egress 'deny=*' busybox true
        refused 125 'flags' hod update c
        unlike "$(field c '{{json .HostConfig}}')" 'NetRate|Egress'
        refused 1 'No such container' hod update --net-rate 1mbit nosuch
}

@test "leaving a network beside a container with egress rules leaves no chain of one that has none" {
        local id
        hod network create n >/dev/null
        hod network create m >/dev/null
        hod run -d --name limited --network n --egress allow=10.0.0.0/8 --egress 'deny=*' busybox sleep 100 >/dev/null
        id=$(hod run -d --name rated --network n --net-rate 50mbit busybox sleep 100)
        hod network connect m rated
        hod network disconnect n rated
        nft list chains inet | grep -q "chain egress-$(hod inspect -f '{{slice .Id 0 12}}' limited)"
        run -1 grep "egress-${id:0:12}" <(nft list chains inet)
        hod rm -f limited rated >/dev/null
}

@test "a limit that is lifted while the container is on no network is none on the next" {
        local link
        hod network create n >/dev/null
        hod run -d --name c --network n --net-rate 8kbit --egress 'deny=*' busybox sleep 100 >/dev/null
        hod network disconnect n c
        hod update --net-rate 0 --egress '' c >/dev/null
        hod network connect n c
        link=$(awk '$7 == "c" {print $6}' "$HOD_STATE"/networks/[0-9a-f]*[0-9a-f])
        ip link show "$link" >/dev/null
        run -1 ip link show "ifb${link#hod}"
        hod network reload >/dev/null # which goes by what the monitor is told
        run -1 grep -E 'rate=|egress=' "$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' c)/traffic"
        hod exec c ping -c 1 -W 20 "$(gateway n)" >/dev/null
        hod network disconnect n c
        run -1 ip link show "ifb${link#hod}"
        hod rm -f c >/dev/null
}
