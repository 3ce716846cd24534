#!/usr/bin/env bats
# Names: the DNS server that a container on a user network finds at 127.0.0.11.

load lib
setup_file() {
        e2e_setup
        export DNS="$BATS_TEST_DIRNAME/dns.py"
}
teardown_file() { e2e_teardown; }
teardown() {
        local pid
        for pid in $SERVERS; do kill "$pid" 2>/dev/null || true; done
        e2e_clean
        hod network prune -f >/dev/null
}

# up NAME [flag...]: a container that sleeps.
up() {
        local name=$1
        shift
        hod run -d --name "$name" "$@" busybox sleep 1000 >/dev/null
}
pid() { hod inspect -f '{{.State.Pid}}' "$1"; }
# in_net CONTAINER COMMAND...: a program of the host in its network namespace.
in_net() {
        local name=$1
        shift
        nsenter -t "$(pid "$name")" -n "$@"
}
# ask CONTAINER NAME [dig's arguments]: the answers, one a line, in their order.
ask() {
        local name=$1
        shift
        in_net "$name" dig @127.0.0.11 +tries=1 +time=6 +short "$@"
}
# The status and flags of the answer: "NOERROR qr rd ra 1" (and the number of records).
head_of() {
        local name=$1
        shift
        in_net "$name" dig @127.0.0.11 +tries=1 +time=8 "$@" |
                sed -n 's/.*status: \([A-Z]*\),.*/\1/p; s/^;; flags: \([a-z ]*\);.*ANSWER: \([0-9]*\),.*/\1 \2/p' | paste -sd ' '
}
address() { hod inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"; }
# background COMMAND...: started, to be ended by teardown; its output in $T/out.N.
background() {
        rm -f "$T/background.out" # what the last one said is not what this one says
        "$@" >"$T/background.out" 2>&1 3>&- &
        SERVERS+=" $!"
}
wait_for() { # FILE TEXT
        local i
        for i in {1..600}; do
                if grep -q "$2" "$1" 2>/dev/null; then return 0; fi
                sleep 0.05
        done
        cat "$1" "$T/background.out"
        return 1
}

# bats test_tags=asan
@test "names, aliases and short ids are answered, with the network's name too, in any case; as long as they are there" {
        hod network create d1 >/dev/null
        up web --network d1 --network-alias www --network-alias Shop.Example
        up c --network d1
        local ip id
        ip=$(address web d1)
        id=$(hod inspect -f '{{.Id}}' web)
        for name in web WEB www "${id:0:12}" web.d1 www.D1 shop.example; do
                echo "$name"
                [[ $(ask c "$name") == "$ip" ]]
        done
        [[ $(ask c c) == "$(address c d1)" ]]
        hod rename web shop
        [[ $(ask c shop) == "$ip" && $(ask c www) == "$ip" && $(ask c -x "$ip") == shop.d1. ]]
        [[ $(head_of c web) != NOERROR* ]]
        hod rename shop web
        [[ $(head_of c web) == 'NOERROR qr rd ra 1' ]]
        run -0 hod exec c nslookup web
        [[ $output == *"Name:	web"*"Address: $ip"* ]]
        run -0 hod exec c ping -c 1 -W 20 www
        hod rm -f web >/dev/null
        [[ $(head_of c web.d1) != 'NOERROR'* ]]
        up other --network d1 # has the address now
        up web --network d1
        [[ $(ask c web) == "$(address web d1)" && $(ask c web) != "$ip" ]]
}

@test "what a name does not have is an empty answer, never a question to others; EDNS, classes, kinds of question" {
        hod network create --internal d2 >/dev/null
        up web --network d2
        [[ $(head_of web web AAAA) == 'NOERROR qr rd ra 0' ]]
        [[ $(head_of web web MX) == 'NOERROR qr rd ra 0' ]]
        [[ $(head_of web web TYPE65) == 'NOERROR qr rd ra 0' ]]
        [[ $(head_of web web ANY +notcp) == 'NOERROR qr rd ra 1' ]]
        [[ $(head_of web web +norec) == 'NOERROR qr ra 1' ]]
        [[ $(head_of web web CH) == 'REFUSED qr rd ra 0' ]]
        [[ $(head_of web web +edns=5 +noednsneg) == 'BADVERS qr rd ra 0' ]]
        [[ $(head_of web web +opcode=notify) == 'NOTIMP'* ]]
        run -0 in_net web dig @127.0.0.11 web
        [[ $output == *'EDNS: version: 0, flags:; udp: 1232'* ]]
        run -0 in_net web dig @127.0.0.11 +noedns web
        [[ $output != *EDNS* ]]
}

@test "addresses have names, of both families; a name with two families has both" {
        hod network create --ipv6 --subnet fd63:d3::/64 d3 >/dev/null
        up web --network d3
        up c --network d3
        local four six
        four=$(address web d3)
        six=$(hod inspect -f '{{.NetworkSettings.Networks.d3.GlobalIPv6Address}}' web)
        [[ $(ask c web AAAA) == "$six" && $(ask c web) == "$four" ]]
        [[ $(ask c -x "$four") == web.d3. && $(ask c -x "$six") == web.d3. ]]
        [[ $(ask c web ANY | sort) == "$(printf '%s\n' "$four" "$six" | sort)" ]]
}

@test "each of several containers with one alias is the first in turn" {
        hod network create d4 >/dev/null
        local i
        for i in 1 2 3; do up "w$i" --network d4 --network-alias pool; done
        for i in {1..6}; do ask w1 pool | tee -a "$T/all" | head -n 1 >>"$T/first"; done
        [[ $(sort "$T/first" | uniq -c | awk '{print $1}' | paste -sd ' ') == '2 2 2' ]]
        [[ $(wc -l <"$T/all") -eq 18 ]]
}

@test "only the container's own networks are answered, the first one that has the name; a link is its own" {
        hod network create d5 >/dev/null
        hod network create --internal d6 >/dev/null
        up a --network d5
        up b --network d6
        up c --network d6 --link b:store
        [[ $(ask c store) == "$(address b d6)" ]]
        [[ $(ask b store +notcp) == '' ]]
        [[ $(ask b a.d5) == '' && $(ask b c.d6) == "$(address c d6)" ]]
}

@test "a container may bind port 53 itself, of every address; its own server is asked there, ours at 127.0.0.11" {
        hod network create d7 >/dev/null
        up web --network d7
        background nsenter -t "$(pid web)" -n python3 -u "$DNS" own
        wait_for "$T/background.out" ready
        [[ $(ask web web) == "$(address web d7)" && $(ask web web +tcp) == "$(address web d7)" ]]
        up c --network d7
        run -0 in_net c bash -c "exec 3<>/dev/tcp/$(address web d7)/53; cat <&3"
        [[ $output == own ]]
        run -0 in_net web bash -c 'exec 3<>/dev/tcp/127.0.0.1/53; cat <&3'
        [[ $output == own ]]
        run -0 in_net web ss -Hlnu
        [[ $output == *'0.0.0.0:53 '* && $output == *'127.0.0.11:6'* ]]
}

resolver() { # N: an address of the loopback that nobody uses
        printf '127.%d.%d.%d' $((BASHPID % 200 + 20)) $((BASHPID / 200 % 250)) "$1"
}
# up_with FILE NAME [flag...]: a container whose monitor sees FILE as the host's resolv.conf.
up_with() {
        local conf=$1 name=$2
        shift 2
        # shellcheck disable=SC2016  # the inner shell's
        HOD=$HOD_BIN/hod unshare -m --propagation private bash -c 'mount --bind "$1" /etc/resolv.conf && shift && exec "$HOD" run -d --name "$@" busybox sleep 1000' - \
                "$conf" "$name" "$@" >/dev/null
}

# bats test_tags=asan
@test "everything else is asked from the host's resolvers, on its loopback too: with random numbers and ports" {
        local one
        one=$(resolver 1)
        background python3 "$DNS" serve "$T/log" "$one"
        wait_for "$T/log" ready
        printf 'nameserver %s\nsearch corp.test\n' "$one" >"$T/resolv"
        hod network create d8 >/dev/null
        up_with "$T/resolv" c --network d8
        [[ $(ask c a.test) == 192.0.2.1 ]]
        [[ $(ask c a.test +tcp) == 192.0.2.1 ]]
        [[ $(ask c c) == "$(address c d8)" ]]
        # What is somebody else's reply is none: another number, another question, another port.
        [[ $(ask c spoof.test) == 192.0.2.1 ]]
        # Too much for UDP: by TCP.
        [[ $(ask c big.test | wc -l) -eq 100 ]]
        [[ $(ask c large.test | wc -l) -eq 100 ]]
        [[ $(head_of c large.test +ignore +noedns) == *' tc '* ]]
        [[ $(head_of c nx.test) == 'NXDOMAIN qr rd ra 0' ]]
        [[ $(head_of c refused.test) == 'SERVFAIL qr rd ra 0' ]]
        [[ $(head_of c nobody) == 'NOERROR qr rd ra 1' ]]
        run -0 hod exec c nslookup -type=a a
        [[ $output == *192.0.2.1* ]]
        for _ in {1..20}; do ask c a.test >/dev/null; done
        [[ $(awk '$1 == "udp" && $2 == "a.test" {print $3}' "$T/log" | sort -u | wc -l) -ge 18 ]]
        [[ $(awk '$1 == "udp" && $2 == "a.test" {print $4}' "$T/log" | sort -u | wc -l) -ge 18 ]]
        # Each name was asked for once: no answer is kept.
        [[ $(grep -c 'udp nx.test' "$T/log") -eq 1 ]]
        [[ $(head_of c nx.test) == 'NXDOMAIN qr rd ra 0' && $(grep -c 'udp nx.test' "$T/log") -eq 2 ]]
        # Several queries by one connection, in their order.
        [[ $(in_net c python3 "$DNS" pipeline a.test c big.test c) == 'a.test=1 c=1 big.test=100 c=1' ]]
        # What was looked at for one of them is not what a later query is answered from.
        background nsenter -t "$(pid c)" -n python3 "$DNS" hold a.test c
        wait_for "$T/background.out" 'c=1'
        up late --network d8
        [[ $(ask c late) == "$(address late d8)" ]]
}

@test "a resolver that is silent or not there is followed by the next; a change of the host's list is noticed" {
        local one two
        one=$(resolver 2)
        two=$(resolver 3)
        background python3 "$DNS" serve "$T/log1" "$one"
        background python3 "$DNS" serve "$T/log2" "$two"
        wait_for "$T/log1" ready
        wait_for "$T/log2" ready
        printf 'nameserver %s\n' "$one" >"$T/resolv"
        hod network create d9 >/dev/null
        up_with "$T/resolv" c --network d9
        # Nobody at the first address: the second at once, not after the two seconds that silence costs. (Once of three
        # times: a machine under load stands still now and then.)
        at_once() {
                local begin
                printf 'nameserver %s\nnameserver %s\nnameserver %s\n' "$(resolver "$1")" "$one" "$two" >"$T/resolv"
                sleep 1.1
                begin=$(date +%s%N)
                [[ $(ask c "a.$1.test") == 192.0.2.1 ]] && (($(date +%s%N) - begin < 1000000000))
        }
        at_once 9 || at_once 10 || at_once 11
        [[ $(head_of c refused.test) == 'SERVFAIL'* ]]
        grep -q refused.test "$T/log2"
        printf 'nameserver %s\n' "$two" >"$T/resolv"
        sleep 1.1
        [[ $(ask c a.changed.test) == 192.0.2.1 ]]
        grep -q a.changed.test "$T/log2"
        run -1 grep -q a.changed.test "$T/log1"
        # One that does not answer costs its two seconds once.
        one=$(resolver 8)
        background python3 "$DNS" mute "$one"
        wait_for "$T/background.out" ready
        printf 'nameserver %s\nnameserver %s\n' "$one" "$two" >"$T/resolv"
        sleep 1.1
        [[ $(ask c a.mute.test) == 192.0.2.1 && $(ask c b.mute.test) == 192.0.2.1 ]]
        grep -qx a.mute.test "$T/background.out"
        run -1 grep -x b.mute.test "$T/background.out"
        printf 'nameserver %s\n' "$two" >"$T/resolv"
        sleep 1.1
        # Asked twice, then given up, before who asks loses patience; the query that it repeats is not asked again.
        [[ $(head_of c silent.test) == 'SERVFAIL qr rd ra 0' ]]
        [[ $(grep -c 'udp silent.test' "$T/log2") -eq 2 ]]
}

@test "--dns: these servers are asked instead, from the container's network namespace" {
        hod network create e1 >/dev/null
        up server --network e1
        local ip
        ip=$(address server e1)
        background nsenter -t "$(pid server)" -n python3 "$DNS" serve "$T/log3" "$ip"
        wait_for "$T/log3" ready
        up c --network e1 --dns "$ip" --dns-search corp.test --dns-option timeout:3
        [[ $(ask c a.example.test) == 192.0.2.1 && $(ask c a.example.test +tcp) == 192.0.2.1 ]]
        run -0 hod exec c cat /etc/resolv.conf
        [[ $output == *'nameserver 127.0.0.11'*'search corp.test'* && $output == *timeout:3* ]]
        run -0 hod exec c nslookup -type=a a
        [[ $output == *192.0.2.1* ]]
        grep -q 'a.corp.test\|udp a ' "$T/log3"
        # Loopback is the container's own.
        background nsenter -t "$(pid c)" -n python3 "$DNS" serve "$T/log4" 127.0.0.1
        wait_for "$T/log4" ready
        up d --network container:c --dns 127.0.0.1 2>/dev/null || true
        up e --network e1 --dns 127.0.0.1
        [[ $(head_of e a.test) == SERVFAIL* ]]
        run -1 grep -q a.test "$T/log4"
}

@test "135 internal networks: no query leaves them, by UDP or TCP; their names are answered" {
        local one
        one=$(resolver 4)
        background python3 "$DNS" serve "$T/log5" "$one"
        wait_for "$T/log5" ready
        printf 'nameserver %s\n' "$one" >"$T/resolv"
        hod network create --internal e2 >/dev/null
        up_with "$T/resolv" c --network e2
        up_with "$T/resolv" d --network e2 --dns "$one"
        for name in a.test secret.a.test nobody 1.2.0.192.in-addr.arpa; do
                [[ $(head_of c "$name") == 'SERVFAIL qr rd ra 0' && $(head_of c "$name" +tcp) == 'SERVFAIL qr rd ra 0' ]]
                [[ $(head_of d "$name") == 'SERVFAIL qr rd ra 0' ]]
        done
        [[ $(ask c d) == "$(address d e2)" ]]
        [[ $(cat "$T/log5") == ready ]]
}

# bats test_tags=asan
@test "137 a thousand idle connections keep nobody from being answered" {
        hod network create --internal e3 >/dev/null
        up web --network e3
        run -0 in_net web python3 "$DNS" idle 1000
        echo "$output"
        [[ $output =~ ^ms\ ([0-9]+)$ && ${BASH_REMATCH[1]} -lt 50 ]] # the best of five
}

# bats test_tags=asan
@test "137 more queries than can be answered, and sockets that are taken away, keep the monitor from nothing else" {
        hod network create --internal e8 >/dev/null
        up web --network e8
        local monitor before
        monitor=$(sed -n 's/^monitor_pid=//p' "$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' web)/status")
        background nsenter -t "$(pid web)" -n python3 "$DNS" drown
        wait_for "$T/background.out" ready
        run -7 timeout 60 "$HOD_BIN/hod" exec web sh -c 'exit 7'
        kill "${SERVERS##* }"
        # What whoever has CAP_NET_ADMIN in the container can do: a listener that listens no more is ready for ever.
        in_net web ss -HKtl src 127.0.0.11 >/dev/null
        in_net web ss -HKua src 127.0.0.11 >/dev/null
        ticks() { awk '{print $14 + $15}' "/proc/$monitor/stat"; }
        idles() { # for half a second
                before=$(ticks)
                sleep 0.5
                (($(ticks) - before < 20))
        }
        eventually 5 idles
        [[ $(ask web web) == "$(address web e8)" ]]
        hod network reload >/dev/null
        [[ $(ask web web +tcp) == "$(address web e8)" ]]
}

@test "who asks with an address that is not the container's own makes nothing leave it by another device" {
        hod network create sp >/dev/null
        up cc --network sp
        in_net cc python3 - <<-'END'
	import socket, struct
	def checksum(data):
	    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
	    while total >> 16: total = (total & 0xffff) + (total >> 16)
	    return ~total & 0xffff or 0xffff
	def ask(source):
	    query = b'\0\1\1\0\0\1\0\0\0\0\0\0\2cc\0\0\1\0\1'
	    a, b, size = socket.inet_aton(source), socket.inet_aton('127.0.0.11'), 8 + len(query)
	    udp = struct.pack('!HHHH', 5353, 53, size, 0)
	    udp = udp[:6] + struct.pack('!H', checksum(a + b + struct.pack('!HH', 17, size) + udp + query))
	    raw.sendto(struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + size, 0, 0, 64, 17, 0, a, b) + udp + query, ('127.0.0.11', 0))
	raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
	wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
	wire.bind(('eth0', 0)); wire.setblocking(False)
	own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	own.bind(('127.0.0.1', 5353)); own.settimeout(20)
	for source in ('224.0.0.1', '192.0.2.77', '127.0.0.1'): ask(source) # the last one is answered: so were the others
	assert own.recv(512)[:2] == b'\0\1'
	seen = []
	try:
	    while True: seen.append(wire.recv(2000))
	except BlockingIOError: pass
	assert not [frame for frame in seen if b'\x7f\0\0\x0b' in frame], seen
	END
}

# bats test_tags=asan
@test "malformed messages are dropped; names are answered after as before" {
        hod network create --internal e4 >/dev/null
        up web --network e4
        run -0 in_net web python3 "$DNS" garbage
        echo "$output"
        [[ $output == alive ]]
}

@test "a datagram without a checksum is a query as any other" {
        hod network create --internal f2 >/dev/null
        up web --network f2
        [[ $(in_net web python3 "$DNS" unsummed) == 1 ]]
}

@test "ten thousand queries, two hundred at a time: none is lost" {
        hod network create --internal e5 >/dev/null
        up web --network e5
        run -0 in_net web python3 "$DNS" flood 10000
        echo "$output"
        [[ $output == 'answered 10000 of 10000, ms '* ]]
}

@test "an alias of many containers is truncated by UDP and whole by TCP" {
        hod network create --internal e6 >/dev/null
        up web --network e6
        local id file
        id=$(hod network inspect -f '{{.Id}}' e6)
        file=$HOD_STATE/networks/$id
        cp "$file" "$T/leases"
        for i in {1..100}; do
                sed "s/ [0-9.]*\/\([0-9]*\) / 10.9.0.$i\/\1 /; s/[^ ]*$/many/" "$file" | head -n 1
        done >>"$T/leases"
        mv "$T/leases" "$file"
        [[ $(head_of web many +ignore +noedns) == 'NOERROR qr tc rd ra '* ]]
        [[ $(ask web many +noedns | sort -u | wc -l) -eq 100 ]]
        [[ $(ask web many +bufsize=4096 +ignore | wc -l) -eq 100 ]]
}

@test "names survive the monitor's death, a restart of the container, and rules that somebody flushed" {
        hod network create e7 >/dev/null
        up web --network e7
        up r --network e7 --restart always
        local ip
        ip=$(address web e7)
        kill -9 "$(sed -n 's/^monitor_pid=//p' "$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' web)/status")"
        run -0 hod exec web nslookup web
        [[ $output == *"Address: $ip"* ]]
        in_net web nft flush ruleset
        [[ $(ask web web +notcp) != "$ip" ]]
        hod network reload >/dev/null
        [[ $(ask web web) == "$ip" ]]
        hod restart -t 0 web >/dev/null
        [[ $(ask web r) == "$(address r e7)" ]]
        kill -9 "$(pid r)"
        again() { [[ $(hod inspect -f '{{.State.Status}} {{.RestartCount}}' r) == 'running 1' ]]; }
        eventually 20 again
        [[ $(ask r web) == "$(address web e7)" ]]
}

@test "no server where there are no names: the default bridge, none; a network joined later brings one" {
        up b
        up n --network none
        run -0 in_net b ss -Hlntu
        [[ $output != *127.0.0.11* ]]
        [[ $(in_net b dig @127.0.0.11 +tries=1 +time=1 b +short) != *172* ]]
        run -0 in_net n ss -Hlntu
        [[ $output != *127.0.0.11* ]]
        hod network create f1 >/dev/null
        up web --network f1
        hod network connect --alias later f1 b
        run -0 hod exec b nslookup web
        [[ $output == *"Address: $(address web f1)"* ]]
        [[ $(ask web later) == "$(address b f1)" ]]
        hod network disconnect f1 b
        [[ $(head_of web later) != NOERROR* ]]
}
