#!/usr/bin/env bats
# The network rows of reference/security.md part 1, and what a change of published ports leaves behind (nothing).
# Everything happens in network namespaces of the tests' own.

load lib
load alone
setup_file() {
        e2e_setup
        cat >"$T/udp.py" <<-'END'
		# udp.py echo PORT NAME | ask FAMILY ADDRESS PORT: a client that keeps its port; what was answered, a line each (-:
		# nothing within the seconds that its input says)
		import socket, sys, time
		if sys.argv[1] == "echo":
		    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("", int(sys.argv[2])))
		    print("ready", flush=True)
		    while True:
		        data, who = s.recvfrom(100); s.sendto(sys.argv[3].encode(), who)
		s = socket.socket(socket.AF_INET6 if sys.argv[2] == "6" else socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("", 40404))
		for line in sys.stdin:
		    s.settimeout(float(line))
		    s.sendto(b"x", (sys.argv[3], int(sys.argv[4])))
		    try: print(s.recv(100).decode(), flush=True)
		    except OSError: print("-", flush=True)
	END
        cat >"$T/sctp.py" <<-'END'
		# sctp.py echo FAMILY PORT NAME | ask FAMILY ADDRESS PORT SECONDS: the begin of an association, without SCTP in the
		# kernel: INIT; the answer's cookie is a name. Asked, prints it (-: nothing), when checksums and ports are right.
		import socket, struct, sys
		table = []
		for i in range(256):
		    for _ in range(8): i = i >> 1 ^ 0x82F63B78 * (i & 1)
		    table.append(i)
		def crc(data):
		    c = 0xffffffff
		    for b in data: c = c >> 8 ^ table[(c ^ b) & 255]
		    return struct.pack("<I", c ^ 0xffffffff)
		def packet(frm, to, tag, kind, params):
		    chunk = struct.pack("!BBHIIHHI", kind, 0, 20 + len(params), 0x1234567, 65536, 1, 1, 1) + params + b"\0" * (-len(params) % 4)
		    head = struct.pack("!HHI", frm, to, tag)
		    return head + crc(head + b"\0" * 4 + chunk) + chunk
		def get(s):
		    while True:
		        data, who = s.recvfrom(2000)
		        if not six: data = data[20:]
		        if crc(data[:8] + b"\0" * 4 + data[12:]) == data[8:12]: return who, struct.unpack("!HHI", data[:8]), data[12:]
		        print("wrong checksum", flush=True)
		six = sys.argv[2] == "6"
		s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 132)
		if sys.argv[1] == "echo":
		    name = sys.argv[4].encode(); print("ready", flush=True)
		    while True:
		        who, (frm, to, tag), chunk = get(s)
		        if to == int(sys.argv[3]) and chunk[0] == 1 and tag == 0:
		            s.sendto(packet(to, frm, *struct.unpack("!I", chunk[4:8]), 2, struct.pack("!HH", 7, 4 + len(name)) + name), (who[0], 0))
		to = sys.argv[3], int(sys.argv[4])
		s.settimeout(float(sys.argv[5])); s.sendto(packet(40404, to[1], 0, 1, b""), (to[0], 0))
		try:
		    while True:
		        who, (frm, port, tag), chunk = get(s)
		        if (who[0], frm, port, tag, chunk[0]) == (*to, 40404, 0x1234567, 2): break
		    print(chunk[24:struct.unpack("!H", chunk[2:4])[0]].decode())
		except OSError: print("-")
	END
        cat >"$T/frame.py" <<-'END'
		# frame.py NAME...: frames as a container could make them; then one as it should
		import socket, struct, sys
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
		mine = s.getsockname()[4]; peer = bytes.fromhex("02420a450003"); other = b"\x02\x11\x11\x11\x11\x11"
		ip = socket.inet_aton; ip6 = lambda a: socket.inet_pton(socket.AF_INET6, a)
		def csum(b):
		    b += b"\0" * (len(b) % 2); t = sum(struct.unpack("!%dH" % (len(b) // 2), b))
		    while t >> 16: t = (t & 0xffff) + (t >> 16)
		    return struct.pack("!H", ~t & 0xffff)
		def udp(name, frm, mac=mine):
		    p = struct.pack("!HHHH", 1234, 7777, 8 + len(name), 0) + name.encode()
		    h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(p), 1, 0, 64, 17, 0) + ip(frm) + ip("10.69.0.3")
		    return peer + mac + b"\x08\x00" + h[:10] + csum(h) + h[12:] + p
		def arp(frm, sha=mine, mac=mine):
		    return b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + sha + ip(frm) + peer + ip("10.69.0.3")
		def icmp6(frm, to, body, mac=b"\x33\x33\0\0\0\1"):
		    x = struct.pack("!I", len(body)) + b"\0\0\0\x3a"
		    body = body[:2] + csum(ip6(frm) + ip6(to) + x + body) + body[4:]
		    return mac + mine + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + ip6(frm) + ip6(to) + body
		local = sys.argv[1]
		frames = {
		    "address": udp("address", "10.69.0.99"), "neighbour": udp("neighbour", "10.69.0.5"), "gateway": udp("gateway", "10.69.0.1"),
		    "link": udp("link", "10.69.0.2", other), "arp-gateway": arp("10.69.0.1"), "arp-other": arp("10.69.0.5"),
		    "arp-lie": arp("10.69.0.2", other),
		    "vlan": peer + mine + b"\x81\x00\x00\x00" + udp("vlan", "10.69.0.99")[12:],
		    "tagged": peer + mine + b"\x81\x00\x00\x00" * 2 + udp("tagged", "10.69.0.1")[12:],
		    "lldp": b"\xff" * 6 + mine + b"\x88\xcc" + b"\0" * 20,
		    "ra": icmp6(local, "ff02::1", b"\x86\0\0\0" + b"\x40\0\x07\x08" + b"\0" * 8 + b"\x03\x04\x40\xc0" + b"\0\0\x0e\x10" * 2 + b"\0" * 4 + ip6("2001:db8:bad::")),
		    "na": icmp6("fd69::2", "ff02::1", b"\x88\0\0\0\x20\0\0\0" + ip6("fd69::1") + b"\x02\x01" + mine),
		    "redirect": icmp6(local, "fd69::3", b"\x89\0\0\0\0\0\0\0" + ip6("fd69::9") * 2, peer),
		    "own": udp("own", "10.69.0.2"),
		}
		for name in sys.argv[2:]: s.send(frames[name])
	END
        cat >"$T/sink.py" <<-'END'
		# sink.py: names of the datagrams that arrive, until "end"
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7777)); s.settimeout(60); print("ready", flush=True)
		while True:
		    name = s.recv(100).decode(); print(name, flush=True)
		    if name == "own": break
	END
        cat >"$T/server.py" <<-'END'
		# server.py ADDRESS: a name server at 198.51.100.53 that gives every name this address
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("198.51.100.53", 53)); print("ready", flush=True)
		while True:
		    m, who = s.recvfrom(512); is_a = m[-4:-2] == b"\0\1"
		    s.sendto(m[:2] + b"\x81\x80\0\1\0" + bytes([is_a]) + b"\0\0\0\0" + m[12:] +
		             (b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\x04" + socket.inet_aton(sys.argv[1]) if is_a else b""), who)
	END
}
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

@test "rows 131, 132, 134: a neighbour on the link reaches what is published on all addresses, as itself, and nothing else" {
        run -0 alone '
                hod run -d --name w -h host-w -p 18080:80 -p 127.0.0.1:18081:80 busybox httpd -f -v -p 80 -h /etc >/dev/null
                listening w 80
                inside=$(hod inspect -f "{{.NetworkSettings.Networks.bridge.IPAddress}}" w) gateway=$(hod inspect -f "{{.NetworkSettings.Networks.bridge.Gateway}}" w)
                echo "$(get 127.0.0.1 18081) $(neighbour 192.0.2.1 18080) [$(neighbour 127.0.0.1 18081)$(neighbour 192.0.2.1 18081)$(neighbour $inside 80)$(neighbour $gateway 18080)]"
                hod logs w 2>&1 | grep -o "192[.]0[.]2[.]2" | sort -u
                hod rm -f w >/dev/null'
        echo "$output"
        [[ $output == $'host-w host-w []\n192.0.2.2' ]]
}

@test "rows 130, 136: no IPv6 where none was asked for; nobody's router advertisements are believed" {
        local bridge conf=/proc/sys/net/ipv6/conf
        hod network create --ipv6 nv >/dev/null
        run -0 hod run --rm --network nv busybox cat $conf/eth0/accept_ra $conf/eth0/disable_ipv6
        [[ $output == $'0\n0' ]]
        hod run -d --name v busybox sleep 100 >/dev/null
        run -0 hod exec v cat $conf/eth0/disable_ipv6
        [[ $output == 1 && -z $(hod exec v ip -6 -o addr show dev eth0) ]]
        bridge=$(hod network inspect -f '{{index .Options "com.docker.network.bridge.name"}}' bridge)
        [[ -z $(ip -6 -o addr show dev "$bridge") ]]
        [[ $(<"$conf/$bridge/accept_ra") == 0 && $(<"$conf/$bridge/disable_ipv6") == 1 ]]
}

# spoof NAME CAPABILITY NAMES...: container NAME (10.69.0.2) sends such frames to 10.69.0.3; what arrived is printed.
spoof() {
        alone '
                net=(--subnet 10.69.0.0/24 --ipv6 --subnet fd69::/64)
                hod network create ${net[@]} '"$3"' ns1 >/dev/null
                hod run -d --name victim --network ns1 --ip 10.69.0.3 busybox sleep 100 >/dev/null
                hod run -d --name other --network ns1 --ip 10.69.0.5 busybox sleep 100 >/dev/null
                hod run -d --name bad --network ns1 --ip 10.69.0.2 '"$1"' busybox sleep 100 >/dev/null
                hod exec victim ping -c 1 -W 20 10.69.0.1 >/dev/null
                hod exec victim ping -c 1 -W 20 10.69.0.5 >/dev/null
                background sink nsenter -t $(pid victim) -n python3 $T/sink.py
                local6=fe80::42:aff:fe45:2
                inside bad python3 $T/frame.py $local6 '"$2"' own
                wait $B || true
                grep -v ready $T/sink | tr "\n" " "
                echo "| $(inside victim ip neigh | grep -c "02:42:0a:45:00:02" || true) $(inside victim ip -6 addr show dev eth0 | grep -c 2001:db8 || true) $(inside victim ip -6 route | grep -c default.*ra || true) $(ip -6 addr | grep -c 2001:db8 || true)"
                hod rm -f victim other bad >/dev/null; hod network rm ns1 >/dev/null'
}
names='address neighbour gateway link arp-gateway arp-other arp-lie vlan tagged lldp ra na redirect'

@test "rows 130, 134: a container sends with no address but its own, speaks for nobody else, and is no router" {
        run -0 spoof "--cap-add NET_RAW" "$names" ""
        echo "$output"
        [[ ${lines[-1]} =~ ^'own | '[01]' 0 0 0'$ ]]
}

@test "row 130: NET_ADMIN may bring addresses of its own, those of its neighbours it may not" {
        run -0 spoof "--cap-add NET_ADMIN" "$names" ""
        echo "$output"
        [[ ${lines[-1]} == 'address '*'own | '* && ${lines[-1]} != *neighbour* && ${lines[-1]} != *gateway* && ${lines[-1]} != *tagged* ]]
        # Nobody guards: what is sent arrives. Router advertisements are not believed all the same, inside and on the host.
        run -0 spoof "" "neighbour tagged ra" "-o hod.guard=false"
        echo "$output"
        [[ ${lines[-1]} == 'neighbour tagged own | '*' 0 0 0' ]]
}

@test "row 130: further addresses (--link-local-ip) are their container's, from the start and live, and nobody else's" {
        run -0 alone '
                hod network create --ipv6 --subnet 10.69.0.0/24 --subnet fd69::/64 n7 >/dev/null
                hod run -d --name a --network name=n7,link-local-ip=169.254.7.7,link-local-ip=fe80::77 busybox sleep 100 >/dev/null
                hod run -d --name b busybox sleep 100 >/dev/null
                hod network connect --link-local-ip 169.254.7.8 --link-local-ip fe80::78 n7 b
                hod run -d --name bad --network n7 --ip 10.69.0.9 --cap-add NET_ADMIN busybox sleep 100 >/dev/null
                reach() { # from device address address6
                        hod exec $1 arping -c 1 -w 20 -I $2 $3 | grep -o "[1-9] response"
                        hod exec $1 ping -c 1 -W 20 $3 | grep -o "[1-9] packets received"
                        hod exec $1 ping -c 1 -W 20 -I $2 $4 | grep -o "[1-9] packets received"
                }
                reach a eth0 169.254.7.8 fe80::78
                reach b eth1 169.254.7.7 fe80::77
                background sink inside b python3 $T/sink.py
                inside bad ip addr add 169.254.7.7/16 dev eth0
                inside bad ip addr add 169.254.7.9/16 dev eth0
                inside bad python3 -c "
import socket
for frm, name in (\"169.254.7.7\", \"stolen\"), (\"169.254.7.9\", \"free\"), (\"10.69.0.9\", \"own\"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((frm, 0)); s.sendto(name.encode(), (\"169.254.7.8\", 7777))"
                wait $B
                grep -v ready $T/sink
                hod network disconnect n7 b
                nft list table bridge hod | grep -cE "169.254.7.8|fe80::78" || true
                hod network connect --link-local-ip 169.254.7.8 n7 b
                hod exec a ping -c 1 -W 20 169.254.7.8 | grep -o "[1-9] packets received"
                for x in 10.69.0.1 10.69.0.33 fd69::5; do ! hod run --rm --network name=n7,link-local-ip=$x busybox true 2>&1; done
                hod rm -f a b bad >/dev/null; hod network rm n7 >/dev/null'
        echo "$output"
        local three=$'1 response\n1 packets received\n1 packets received'
        [[ $output == "$three"$'\n'"$three"$'\nfree\nown\n0\n1 packets received\n'*'10.69.0.1 is'*'10.69.0.33 is'*'fd69::5 is'* ]]
}

@test "row 131: NET_ADMIN or not, nobody but the host sends to it from 127.0.0.0/8" {
        run -0 alone '
                hod network create n5 >/dev/null
                hod run -d --name bad --network n5 --cap-add NET_ADMIN -p 127.0.0.1:18081:80 busybox sleep 100 >/dev/null
                gateway=$(hod inspect -f "{{.NetworkSettings.Networks.n5.Gateway}}" bad)
                own=$(hod inspect -f "{{.NetworkSettings.Networks.n5.IPAddress}}" bad)
                hod exec bad ping -c 1 -W 20 $gateway >/dev/null
                background host python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((\"\", 7777)); s.settimeout(60); print(\"ready\", flush=True)
while True:
    name = s.recv(100); print(name.decode(), flush=True)
    if name == b\"end\": break"
                inside bad python3 - $gateway $own $(inside bad ip neigh show $gateway | grep -o "lladdr [^ ]*" | cut -c 8- | tr -d :) <<-"END"
			import socket, struct, sys
			s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0)); mine = s.getsockname()[4]
			def csum(b):
			    t = sum(struct.unpack("!10H", b))
			    while t >> 16: t = (t & 0xffff) + (t >> 16)
			    return struct.pack("!H", ~t & 0xffff)
			for frm in "127.0.0.1", "127.9.9.9", sys.argv[2]:
			    p = struct.pack("!HHHH", 1234, 7777, 11, 0) + (b"end" if frm == sys.argv[2] else b"bad")
			    h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(p), 1, 0, 64, 17, 0) + socket.inet_aton(frm) + socket.inet_aton(sys.argv[1])
			    s.send(bytes.fromhex(sys.argv[3]) + mine + b"\x08\x00" + h[:10] + csum(h) + h[12:] + p)
		END
                wait $B
                grep -v ready $T/host
                hod rm -f bad >/dev/null; hod network rm n5 >/dev/null'
        echo "$output"
        [[ $output == end ]]
}

@test "row 133: after nft flush ruleset nothing is open; network reload and the next start put everything back" {
        run -0 alone '
                hod network create ni --internal >/dev/null
                hod network create n2 >/dev/null
                serve w -p 18080:80 -p 127.0.0.1:18081:80
                serve i --network ni
                hod run -d --name b --network n2 busybox sleep 100 >/dev/null
                address=$(hod inspect -f "{{.NetworkSettings.Networks.bridge.IPAddress}}" w)
                probe() { echo "$(get 127.0.0.1 18081) $(get "[::1]" 18080) $(neighbour 192.0.2.1 18080) [$(neighbour 127.0.0.1 18081)$(hod exec b timeout 1 busybox nc $address 80 </dev/null 2>&1 | head -c 1)]"; }
                probe
                nft list ruleset | sort >$T/rules
                for how in reload start; do
                        nft flush ruleset
                        echo "flushed: [$(neighbour 127.0.0.1 18081)$(neighbour 192.0.2.1 18081)]"
                        [[ $how == reload ]] && hod network reload || hod run --rm --network n2 busybox true
                        nft list ruleset | sort | cmp - $T/rules && probe
                done
                ip link del $(hod network inspect -f "{{index .Options \"com.docker.network.bridge.name\"}}" bridge)
                hod network reload >/dev/null; probe
                hod rm -f w i b >/dev/null; hod network rm ni n2 >/dev/null'
        echo "$output"
        [[ $(grep -c '^host-w host-w host-w \[\]$' <<<"$output") -eq 4 && $(grep -c 'flushed: \[\]' <<<"$output") -eq 2 ]]
        [[ $output == *$'bridge\nn2\nni'* ]]
}

@test "row 133: rules that somebody flushes come back by themselves, also when the watching monitor was killed" {
        run -0 alone '
                serve w -p 18080:80
                hod run -d --name x busybox sleep 100 >/dev/null
                back() { for _ in {1..400}; do nft list table inet hod 2>/dev/null | grep -q 18080 && break; sleep 0.1; done; get 127.0.0.1 18080; }
                nft flush ruleset; back
                kill -9 $(watcher); sleep 0.3
                nft flush ruleset; back
                hod rm -f w x >/dev/null'
        echo "$output"
        [[ $output == $'host-w\nhost-w' ]]
}

@test "row 133: who watches the rules may leave its networks: nothing is done over and over, and they still come back" {
        run -0 alone '
                hod network create wa >/dev/null
                hod network create wb >/dev/null
                hod run -d --name w --network wa --network wb busybox sleep 100 >/dev/null
                hod run -d --name x --network wb busybox sleep 100 >/dev/null
                bridge=$(hod network inspect -f "{{index .Options \"com.docker.network.bridge.name\"}}" wb)
                [[ $bridge == "<no value>" || -z $bridge ]] && bridge=br-$(hod network inspect -f "{{slice .Id 0 12}}" wb)
                back() { for _ in {1..400}; do nft list set inet hod bridges 2>/dev/null | grep -q "$bridge" && { echo back; return; }; sleep 0.1; done; }
                # It may be busy for a moment, not for ever.
                quiet() { for _ in {1..15}; do timeout 1.5 nft monitor >$T/changes 2>&1 || true; [[ -s $T/changes ]] || { echo quiet; return; }; done; }
                for net in wa wb; do
                        hod network disconnect $net w
                        [[ $net == wb ]] || hod network rm $net >/dev/null
                        hod run --rm --network wb busybox true
                        quiet
                        nft flush ruleset; back
                done
                hod rm -f w x >/dev/null; hod network rm wb >/dev/null'
        echo "$output"
        [[ $output == $'quiet\nback\nquiet\nback' ]]
}

@test "egress rules with names believe nothing that the container can say itself; a rule about a port leaves the name" {
        run -0 alone '
                hod network create ng >/dev/null
                serve other --network ng
                hod run -d --name lim --network ng --cap-add NET_ADMIN --dns 198.51.100.53 --egress "allow=x.test:80,deny=*" busybox sleep 100 >/dev/null
                address=$(hod inspect -f "{{.NetworkSettings.Networks.ng.IPAddress}}" other)
                asks() { hod exec lim timeout 20 nslookup x.test 2>&1 | grep -q "$address" && echo -n "known " || echo -n "unknown "; }
                gets() { echo "[$(hod exec lim timeout 20 wget -q -O - http://$address/hostname 2>/dev/null)]"; }
                inside lim ip addr add 198.51.100.53/32 dev lo
                background forged nsenter -t $(pid lim) -n python3 $T/server.py $address
                asks; gets
                ip addr add 198.51.100.53/32 dev lo
                background true python3 $T/server.py $address
                asks; gets
                hod update --egress "deny=x.test:80,allow=*" lim >/dev/null
                asks; gets
                hod update --egress "deny=x.test,allow=*" lim >/dev/null
                asks; gets
                hod rm -f lim other >/dev/null; hod network rm ng >/dev/null'
        echo "$output"
        [[ $output == $'unknown []\nknown [host-other]\nknown []\nunknown []' ]]
}

@test "chains of others that drop what we forward are named with the way out, and not touched" {
        run -0 alone '
                nft add table ip filter; nft add chain ip filter FORWARD "{ type filter hook forward priority 0; policy drop; }"
                nft add table inet site; nft add chain inet site fw "{ type filter hook forward priority 5; policy drop; }"
                before=$(nft list table ip filter; nft list table inet site)
                hod run --rm busybox true 2>&1 | grep -o "chain .* has the policy [a-zA-Z]*"
                bridge=$(hod network inspect -f "{{index .Options \"com.docker.network.bridge.name\"}}" bridge)
                [[ $before == $(nft list table ip filter; nft list table inet site) ]] && echo same
                nft add chain ip filter DOCKER-USER; nft add rule ip filter FORWARD jump DOCKER-USER
                nft add rule inet site fw iifname $bridge accept; nft add rule inet site fw oifname $bridge ct status dnat accept
                hod info 2>&1 >/dev/null | grep -o "chain .* -I [A-Z-]* "'
        echo "$output"
        [[ ${lines[0]} == 'chain FORWARD of table ip filter has the policy DROP' && ${lines[1]} == 'chain fw of table inet site has the policy drop' ]]
        [[ ${lines[2]} == same && ${lines[3]} == *'-I DOCKER-USER ' && ${#lines[@]} -eq 4 ]]
}

@test "chains of others that keep from published ports what is for them are named when a port is published live, or moves" {
        run -0 alone '
                hod network create n1 >/dev/null; hod network create n2 >/dev/null
                hod run -d --name w --network n1 busybox sleep 100 >/dev/null
                hod run -d --name v --network n2 busybox sleep 100 >/dev/null
                said() { sed -n "s/.*\(network n.: chain .*\) on br-[0-9a-f]*\(; to allow it\).*/\1\2/p" $T/said; }
                hod container publish w 18080:80 >/dev/null 2>$T/said; wc -c <$T/said
                nft add table inet site; nft add chain inet site fw "{ type filter hook forward priority 5; policy drop; }"
                hod container publish w 18081:80 2>$T/said; said
                hod network connect --gw-priority 1 n2 w 2>$T/said; said
                hod container publish v 18082:80 >/dev/null 2>$T/said; said
                hod network create n3 >/dev/null 2>&1
                hod network connect --gw-priority 2 n3 w 2>$T/said; grep -c "network n3: chain" $T/said
                hod container unpublish v 18082; hod network disconnect n2 v
                nft delete table inet site
                hod network connect n2 v 2>$T/said; hod container publish v 18082:80 >/dev/null 2>>$T/said; wc -c <$T/said
                hod rm -f w v >/dev/null; hod network rm n1 n2 n3 >/dev/null'
        local what='chain fw of table inet site has the policy drop: others do not reach published ports of containers; to allow it'
        is "$output" "0
80/tcp -> 0.0.0.0:18081
network n1: $what
network n2: $what
network n2: $what
1
0"
}

@test "row 138: nothing is called encrypted that is not" {
        run -1 hod network create -o encrypted= ne
        [[ $output == *'not encrypted'* ]]
}

@test "row 139: no abstract socket of ours; those that there are belong to root alone" {
        hod run -d --name u --network host busybox sleep 100 >/dev/null
        run -0 hod exec u cat /proc/net/unix
        [[ $output != *@*hod* ]]
        [[ -z $(find "$HOD_STATE" -type s -perm /077) ]]
        [[ $(stat -c %a "$HOD_STATE") == 700 ]]
}

@test "row 140: from a container the host answers on published ports only" {
        run -0 alone '
                hod network create --ipv6 n4 >/dev/null
                hod network create --internal i4 >/dev/null
                hod run -d --name p -p 18080:80 busybox sleep 100 >/dev/null
                for net in bridge n4 i4; do
                        hod run -d --name c$net --network $net busybox sleep 100 >/dev/null
                        host=$(hod network inspect -f "{{(index .IPAM.Config 0).Gateway}}" $net)
                        [[ $net == n4 ]] && host=192.0.2.1
                        inside c$net python3 - $host <<-"END"
				import errno, select, socket, sys
				for low in range(1, 65536, 500):
				    poll, socks = select.poll(), {}
				    for port in range(low, min(low + 500, 65536)):
				        s = socket.socket(); s.setblocking(False); r = s.connect_ex((sys.argv[1], port))
				        if r == errno.EINPROGRESS: socks[s.fileno()] = (s, port); poll.register(s, select.POLLOUT)
				        elif r == 0: print("open", port)
				    while socks:
				        ready = poll.poll(1000)
				        if not ready: print("silent", sorted(p for _, p in socks.values())); break
				        for fd, _ in ready:
				            s, port = socks.pop(fd); poll.unregister(fd)
				            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0: print("open", port)
				            s.close()
			END
                done
                ss -Hltn | awk "{print \$4}" | sort
                hod rm -f p cbridge cn4 ci4 >/dev/null; hod network rm n4 i4 >/dev/null'
        echo "$output"
        # Published and nobody listens in the container: refused, from the internal network dropped. ::1 is the relay's.
        [[ $output == $'silent [18080]\n[::1]:18080' ]]
}

# --- published ports ---

@test "publish, unpublish: at once, kept by restarts, shown; wrong ones change nothing" {
        run -0 alone '
                serve w
                hod container publish w 18080:80 18090-18092:90-92 127.0.0.1:18081:80 host0:18082:80
                echo "$(get 127.0.0.1 18080) $(get "[::1]" 18080) $(get 127.0.0.1 18081) $(neighbour 192.0.2.1 18080) $(neighbour 192.0.2.1 18082) [$(neighbour 192.0.2.1 18081)$(get 127.0.0.1 18082)]"
                echo "self $(hod exec w busybox wget -q -O - http://192.0.2.1:18080/hostname)"
                ! hod container publish w 18099:1 18080:81 2>&1 | grep -o "already allocated (by container w itself"
                ! hod container publish w nosuch0:18099:1 2>&1
                hod container unpublish w 18091
                ! hod container unpublish w 18091 2>&1
                hod port w | sort
                hod restart -t 0 w >/dev/null
                hod port w | sort | cksum | tr "\n" " "; hod port w | sort | wc -l
                listening w 80
                get 127.0.0.1 18080
                hod container unpublish w 18080-18082 18090 18092
                echo "[$(hod port w)$(get 127.0.0.1 18080)$(get "[::1]" 18080)$(ss -Hltn)] $(hod inspect -f "{{json .HostConfig.PortBindings}}" w)"
                hod stop -t 0 w >/dev/null
                hod container publish w 18083:80; hod start w >/dev/null; listening w 80; get 127.0.0.1 18083
                hod rm -f w >/dev/null'
        echo "$output"
        [[ $output == *$'80/tcp -> 0.0.0.0:18080'* && $output == *$'host-w host-w host-w host-w host-w []\nself host-w\n'* ]]
        [[ $output == *'already allocated (by container w itself'*'Invalid ip address: nosuch0'*"No public port '18091/tcp' published for w"* ]]
        [[ $output == *$' 5\nhost-w\n[] {}\nhost-w' ]]
}

@test "publish: what the container has already stays its own; a stopped one is locked, too" {
        run -0 alone '
                serve w -p 127.0.0.1::80 -p 127.0.0.1:18081:80
                port=$(hod port w 80 | grep -v 18081); port=${port##*:}
                hod container publish w 127.0.0.1::81
                ! hod container publish w 127.0.0.1:18081:81 2>&1 | grep -o "by container w"
                ! hod container publish w 18081:81 2>&1 | grep -o "by container w"
                echo "$(get 127.0.0.1 $port) $(get 127.0.0.1 18081) $(hod port w 81 | wc -l)"
                hod stop -t 0 w >/dev/null
                for p in 1 2 3 4; do hod container publish w 1900$p:$p & pids+=($!); done
                wait "${pids[@]}"
                hod inspect -f "{{len .HostConfig.PortBindings}}" w
                ls "$HOD_STATE/containers"
                hod rm w >/dev/null
                hod run -d --name w0 busybox sleep 100 >/dev/null
                hod create --name j --network container:w0 busybox true >/dev/null
                ! hod container publish j 80:80 2>&1
                hod rm -f j w0 >/dev/null'
        echo "$output"
        [[ ${lines[1]} == 'by container w' && ${lines[2]} == 'by container w' && ${lines[3]} == 'host-w host-w 1' && ${lines[4]} == 6 ]]
        [[ ${lines[5]} == *'container j has no network of its own (container:'* ]]
}

@test "two ports of the container on any two of the host, both families each; one that a program has for IPv6 only is left out" {
        run -0 alone '
                background server python3 -c "
import socket, time
s = socket.socket(socket.AF_INET6); s.setsockopt(41, 26, 1); s.bind((\"::\", 32768)); s.listen(); print(\"ready\", flush=True); time.sleep(100)"
                hod network create --ipv6 n6 >/dev/null
                hod run -d --name w --network n6 -p 80 -p 80 busybox sleep 100 >/dev/null
                hod port w
                hod rm -f w >/dev/null
                hod network rm n6 >/dev/null'
        echo "$output"
        [[ $(awk -F: '{print $NF}' <<<"$output" | sort | uniq -c | tr -s ' ' | paste -sd,) == ' 2 32769, 2 32770' ]]
}

@test "ports on devices answer the host itself at the addresses that the devices have just now, and nobody else" {
        run -0 alone '
                other() {
                        ip link add other type bridge; ip link set other up
                        for a in 198.51.100.1/24 198.51.100.2/24; do ip addr add $a dev other; done
                        ip addr add 2001:db8:7::1/64 dev other nodad
                }
                monitor() { sed -n "s/^monitor_pid=//p" $HOD_STATE/containers/$(hod inspect -f "{{.Id}}" $1)/status; }
                other
                ip addr add 2001:db8:8::1/64 dev host0 nodad
                hod network create --ipv6 --subnet fd6a::/64 n6 >/dev/null
                serve w --network n6 -p host0:18080:80 -p other:18080:80 -p other:18090:9000/udp
                serve v --network n6 -p host0:18081:80
                hod container publish v other:18082:80
                echo "w $(for a in 192.0.2.1 198.51.100.1 198.51.100.2 "[2001:db8:7::1]" "[2001:db8:8::1]"; do get $a 18080; done)"
                echo "v $(get 192.0.2.1 18081) $(get "[2001:db8:7::1]" 18082) $(neighbour 192.0.2.1 18081)"
                gateway=$(hod inspect -f "{{.NetworkSettings.Networks.n6.Gateway}}" w)
                echo "[$(get 198.51.100.1 18081)$(get "[2001:db8:8::1]" 18082)$(get 127.0.0.1 18080)$(get "[::1]" 18080)$(get $gateway 18080)$(neighbour 198.51.100.1 18082)$(hod exec w busybox wget -q -O - http://192.0.2.1:18081/hostname 2>&1 | grep host-)]"

                background echo nsenter -t $(pid w) -n python3 $T/udp.py echo 9000 w
                for a in 198.51.100.1 198.51.100.2; do python3 -c "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((sys.argv[1], 18090)); s.settimeout(20)
for _ in 1, 2: s.send(b\"x\"); print(\"udp\", s.recv(100).decode(), s.getpeername()[0])" $a; done

                ip addr add 192.0.2.77/24 dev host0
                echo "came $(get 192.0.2.77 18081)"
                ip addr del 192.0.2.77/24 dev host0; ip addr add 192.0.2.77/24 dev other
                echo "moved [$(get 192.0.2.77 18081)] $(get 192.0.2.77 18082)"
                ip link del other; other
                for _ in {1..100}; do [[ $(get 198.51.100.1 18082) ]] && break; sleep 0.1; done
                echo "new $(get 198.51.100.1 18082) $(get "[2001:db8:7::1]" 18080)"
                hod container publish v 18083:80 >/dev/null
                for again in restart kill; do
                        get "[::1]" 18083 >/dev/null; get 192.0.2.1 18081 >/dev/null # connections that wait for their time
                        if [[ $again == restart ]]; then
                                hod restart -t 0 v >/dev/null
                        else
                                kill -9 $(monitor v)
                                # Whoever asks for it takes it on, once it has gone.
                                for _ in {1..100}; do hod exec v true 2>/dev/null && break; sleep 0.1; done
                        fi
                        for _ in {1..100}; do [[ $(get 192.0.2.1 18081) && $(get "[::1]" 18083) ]] && break; sleep 0.1; done
                        echo "$again $(get 192.0.2.1 18081) $(get "[::1]" 18083)"
                done
                hod container unpublish v 18083
                hod container unpublish v other:18082:80
                echo "[$(get 198.51.100.1 18082)]"

                # Without rules, before anybody puts them back: no handshake for who comes by the link.
                M="$(monitor v) $(monitor w)"
                kill -STOP $M; nft flush ruleset
                shake() { local seconds=$1; shift; "$@" timeout $seconds bash -c "</dev/tcp/192.0.2.1/18081" 2>/dev/null || echo -n no; }
                echo "shaken: host $(shake 20 env) neighbour $(shake 1 nsenter -t $N -n)"
                kill -CONT $M
                hod network reload >/dev/null
                hod rm -f v w >/dev/null; hod network rm n6 >/dev/null'
        echo "$output"
        [[ $output == *$'w host-w\nhost-w\nhost-w\nhost-w\nhost-w\nv host-v host-v host-v\n[]\nudp w 198.51.100.1\nudp w 198.51.100.1\nudp w 198.51.100.2\nudp w 198.51.100.2\ncame host-v\nmoved [] host-v\nnew host-v host-w\nrestart host-v host-v\nkill host-v host-v\n[]\nshaken: host  neighbour no' ]]
}

@test "a UDP client that keeps its port follows the port: to the host, to a container, to another, to nobody" {
        run -0 alone '
                hod run -d --name a busybox sleep 100 >/dev/null
                hod run -d --name b busybox sleep 100 >/dev/null
                background a nsenter -t $(pid a) -n python3 $T/udp.py echo 9000 a
                background b nsenter -t $(pid b) -n python3 $T/udp.py echo 9000 b
                coproc CLIENT { exec nsenter -t $N -n python3 $T/udp.py ask 4 192.0.2.1 9000; }
                ask() { echo $1 >&${CLIENT[1]}; read -r -u ${CLIENT[0]} line; echo -n "$line "; }
                ask 1
                hod container publish a 9000:9000/udp >/dev/null; ask 20; ask 20
                hod container unpublish a 9000/udp; ask 1
                hod container publish b 9000:9000/udp >/dev/null; ask 20
                hod rm -f b >/dev/null; ask 1
                hod container publish a 9000:9000/udp >/dev/null; ask 20
                hod rm -f a >/dev/null'
        echo "$output"
        [[ $output == '- a a - b - a ' ]]
}

@test "SCTP: an association begins at a published port, both families, translated there and back, and follows the port" {
        run -0 alone '
                ip addr add 2001:db8:8::1/64 dev host0 nodad; nsenter -t $N -n ip addr add 2001:db8:8::2/64 dev n0 nodad
                hod network create --ipv6 --subnet fd6b::/64 n6 >/dev/null
                hod run -d --name a --network n6 -p 9000:80/sctp busybox sleep 100 >/dev/null
                hod run -d --name b --network n6 busybox sleep 100 >/dev/null
                for c in a b; do for f in 4 6; do background $c$f nsenter -t $(pid $c) -n python3 $T/sctp.py echo $f 80 $c$f; done; done
                ask() { nsenter -t $N -n python3 $T/sctp.py ask "$@"; }
                echo "$(ask 4 192.0.2.1 9000 20) $(ask 6 2001:db8:8::1 9000 20) $(python3 $T/sctp.py ask 4 127.0.0.1 9000 20)"
                hod container unpublish a 9000/sctp
                hod container publish b 9000:80/sctp >/dev/null
                echo "$(ask 4 192.0.2.1 9000 20) $(ask 6 2001:db8:8::1 9000 20)"
                hod container unpublish b 9000/sctp
                echo "$(ask 4 192.0.2.1 9000 0.5)"
                hod rm -f a b >/dev/null; hod network rm n6 >/dev/null'
        echo "$output"
        [[ $output == $'a4 a6 a4\nb4 b6\n-' ]]
}

@test "a container of one family: published for that, on ::1 for either; what it has not is refused by name" {
        run -0 alone '
                ip addr add 2001:db8:8::1/64 dev host0 nodad
                hod network create --ipv4=false --ipv6 --subnet fd66::/64 n6 >/dev/null
                serve six --network n6 -p 18080:80
                serve four -p "[::]:18081:80" -p 0.0.0.0:18081:80 -p host0:18082:80 -p 127.0.0.1:18082:80
                echo $(hod port six) $(hod port four)
                echo "$(get "[::1]" 18080) $(get "[2001:db8:8::1]" 18080) [$(get 127.0.0.1 18080)]"
                echo "$(get "[::1]" 18081) $(get 127.0.0.1 18081) $(get 127.0.0.1 18082) $(get 192.0.2.1 18082) $(neighbour 192.0.2.1 18082)"
                for p in 127.0.0.1:18083:80 0.0.0.0:18083:80; do
                        ! hod run --rm --network n6 -p $p busybox true 2>&1 | grep -o "port 80.*"
                        ! hod container publish six $p 2>&1 | grep -o "port 80.*"
                done
                ! hod run --rm -p "[::]:18083:80" -p "[::1]:18083:81" busybox true 2>&1 | grep -o "Bind.*"
                ! hod run --rm -p 18081-18082:80 busybox true 2>&1 | grep -o "Bind.*"
                hod container unpublish four host0:18082 "[::]:18081"
                echo $(hod port four)
                hod rm -f six four >/dev/null; hod network rm n6 >/dev/null'
        echo "$output"
        [[ ${lines[0]} == '80/tcp -> [::]:18080 80/tcp -> 0.0.0.0:18081 80/tcp -> 127.0.0.1:18082 80/tcp -> [::]:18081 80/tcp -> host0:18082' ]]
        [[ ${lines[1]} == 'host-six host-six []' && ${lines[2]} == 'host-four host-four host-four host-four host-four' ]]
        [[ ${lines[3]} == 'port 80/tcp cannot be published on 127.0.0.1: the container has no IPv4 address' && ${lines[3]} == "${lines[4]}" ]]
        [[ ${lines[5]} == 'port 80/tcp cannot be published on 0.0.0.0: the container has no IPv4 address' && ${lines[5]} == "${lines[6]}" ]]
        [[ ${lines[7]} == 'Bind for ::1:18083 failed: port is already allocated (by container '*' itself)' ]]
        [[ ${lines[8]} == 'Bind for 0.0.0.0:18081-18082 failed: all ports are allocated (18082 by container four)' ]]
        [[ ${lines[9]} == '80/tcp -> 0.0.0.0:18081 80/tcp -> 127.0.0.1:18082' ]]
}

@test "::1 answers after a restart, whatever connections there were, and after a change to a network of another family" {
        run -0 alone '
                hod network create --ipv6 --subnet fd67::/64 n6 >/dev/null
                serve w --network n6 -p 18080:80 -p "[::1]:18081:80" -p host0:18082:80
                all() { echo "$1 $(get "[::1]" 18080) $(get "[::1]" 18081) $(get 192.0.2.1 18082) $(get 127.0.0.1 18080)"; }
                all start
                # Connections that the host closed first keep the port busy for a minute.
                hod restart -t 0 w >/dev/null; listening w 80; all restart
                ! python3 -c "
import socket
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((\"::1\", 18080))" 2>&1 | grep -o "Address already.*"
                hod network connect bridge w; hod network disconnect n6 w; all four
                hod network connect n6 w; hod network disconnect bridge w; all six
                hod rm -f w >/dev/null; hod network rm n6 >/dev/null'
        echo "$output"
        for i in 0 1 3 4; do [[ ${lines[i]} =~ ^(start|restart|four|six)(' host-w'){4}$ ]]; done
        [[ ${lines[2]} == 'Address already in use' ]]
}

@test "::1 and devices: a port whose container has left its network leads to nobody who has that address now, then to where it is" {
        run -0 alone '
                hod network create --subnet 10.68.0.0/24 n1 >/dev/null
                hod network create --ipv6 --subnet 10.67.0.0/24 --subnet fd67::/64 n2 >/dev/null
                serve a --network n1 --ip 10.68.0.9 -p 18080:80 -p host0:18081:80 -p 9000:9000/udp
                background udp-a nsenter -t $(pid a) -n python3 $T/udp.py echo 9000 a
                coproc CLIENT { exec python3 $T/udp.py ask 6 ::1 9000; }
                ask() { echo $1 >&${CLIENT[1]}; read -r -u ${CLIENT[0]} line; echo -n "$line"; }
                all() { echo -n "[$(get "[::1]" 18080) $(get 192.0.2.1 18081) "; ask $1; echo "]"; }
                all 20
                hod network disconnect n1 a
                serve b --network n1 --ip 10.68.0.9
                background udp-b nsenter -t $(pid b) -n python3 $T/udp.py echo 9000 b
                all 1
                hod network connect n2 a; all 20
                hod rm -f a b >/dev/null; hod network rm n1 n2 >/dev/null'
        echo "$output"
        [[ $output == $'[host-a host-a a]\n[  -]\n[host-a host-a a]' ]]
}

@test "who comes to a network with IPv6 has its ports there at once, whichever it has, and not longer than it is there" {
        run -0 alone '
                ip addr add 2001:db8:8::1/64 dev host0 nodad; nsenter -t $N -n ip addr add 2001:db8:8::2/64 dev n0 nodad
                hod network create --ipv6 --subnet fd67::/64 n6 >/dev/null
                serve w -p 18080:80 -p 80 -p 0.0.0.0:18081:80 -p host0:18082:80 -p 18080:80/udp
                any=$(hod inspect -f "{{json .NetworkSettings.Ports}}" w | jq -r ".\"80/tcp\"[].HostPort" | grep -v "^1808")
                bound() { ss -Htuln | awk "{print \$1 \$5}" | grep -E ":(18080|18081|$any)$" | grep -F "[::]:" | sort | sed "s/$any/any/" | paste -sd" "; }
                all() {
                        echo "$1 $(hod port w | grep -v 0.0.0.0 | sed "s/$any/any/" | paste -sd" ")"
                        echo "$(bound) $(nft list map inet hod all_ports6 | grep -oE "(18080|$any) comment" | wc -l)"
                        echo "$(get 127.0.0.1 18080) $(get "[::1]" 18080) $(get "[::1]" $any) $(get 192.0.2.1 18081) $(get 192.0.2.1 18082) $(get "[::1]" 18081)"
                        echo "[$(get "[2001:db8:8::1]" 18080)$(neighbour "[2001:db8:8::1]" $any)$(get "[2001:db8:8::1]" 18082)$(neighbour "[2001:db8:8::1]" 18082)$(neighbour "[2001:db8:8::1]" 18081)]"
                }
                all four
                hod network connect n6 w; all six
                hod network disconnect bridge w; all six
                hod network connect bridge w; hod network disconnect n6 w; all four
                hod network disconnect bridge w; hod port w; hod network connect n6 w; all six
                hod network connect --gw-priority 5 bridge w; all six
                hod network disconnect n6 w; all four
                # Nothing is translated there: it is open at its own address.
                hod network create --ipv6 --subnet fd68::/64 -o com.docker.network.bridge.gateway_mode_ipv6=routed routed >/dev/null
                hod network connect routed w; hod port w 80/udp; hod network disconnect routed w; hod port w 80/udp
                hod rm -f w >/dev/null; hod network rm n6 routed >/dev/null'
        echo "$output"
        local served='host-w host-w host-w host-w host-w host-w' four six
        four=$(printf '%s\n' 'four 80/tcp -> host0:18082' ' 0' "$served" '[]')
        six=$(printf '%s\n' 'six 80/tcp -> [::]:18080 80/tcp -> [::]:any 80/tcp -> host0:18082 80/udp -> [::]:18080' \
                'tcp[::]:18080 tcp[::]:any udp[::]:18080 3' "$served" '[host-whost-whost-whost-w]')
        [[ $output == "$four"$'\n'"$six"$'\n'"$six"$'\n'"$four"$'\n'"$six"$'\n'"$six"$'\n'"$four"$'\n0.0.0.0:18080\n[fd68::2]:80\n0.0.0.0:18080' ]]
}

@test "a port of the other family that another has: who comes to the network is told, and stays as it was" {
        run -0 alone '
                ip addr add 2001:db8:8::1/64 dev host0 nodad
                hod network create --ipv6 --subnet fd67::/64 n6 >/dev/null
                hod network create --subnet 10.68.0.0/24 n4 >/dev/null
                taken() { background server python3 -c "
import socket, time
s = socket.create_server((\"2001:db8:8::1\", 18080), family=socket.AF_INET6); print(\"ready\", flush=True); time.sleep(100)"; }
                state() {
                        echo "$1 $(hod port w | paste -sd" ") [$(hod inspect -f "{{range \$k, \$v := .NetworkSettings.Networks}}{{\$k}} {{end}}" w)] $(get 127.0.0.1 18080) $(nft list map inet hod all_ports6 | grep -o "18080 comment" | wc -l) $(hod network inspect -f "{{len .Containers}}" n6)"
                }
                hod run -d --name v --network n6 -p "[::]:18080:81" busybox sleep 100 >/dev/null
                serve w --network n4 -p 18080:80
                ! hod network connect n6 w 2>&1 | grep -o "Bind for.*"
                state container
                hod rm -f v >/dev/null
                taken
                ! hod network connect n6 w 2>&1 | grep -o "failed to bind host port.*18080"
                state program
                kill $B
                hod network connect n6 w; state free
                hod rm -f w >/dev/null; hod network rm n6 n4 >/dev/null'
        echo "$output"
        [[ ${lines[0]} == 'Bind for :::18080 failed: port is already allocated (by container v)' ]]
        [[ ${lines[1]} == 'container 80/tcp -> 0.0.0.0:18080 [n4 ] host-w 1 1' ]]
        [[ ${lines[2]} == 'failed to bind host port for :::18080' ]]
        [[ ${lines[3]} == 'program 80/tcp -> 0.0.0.0:18080 [n4 ] host-w 0 0' ]]
        [[ ${lines[4]} == 'free 80/tcp -> 0.0.0.0:18080 80/tcp -> [::]:18080 [n4 n6 ] host-w 1 1' ]]
}

@test "what is relayed from ::1 or to a device is cut when the container leaves the network that it leads to, and by nothing else" {
        run -0 alone '
                hod network create --subnet 10.68.0.0/24 n1 >/dev/null
                hod network create --ipv6 --subnet 10.67.0.0/24 --subnet fd67::/64 n2 >/dev/null
                hod run -d --name a --network n1 -p 18080:80 -p host0:18081:80 busybox nc -ll -p 80 -e cat >/dev/null
                listening a 80
                # Two connections; a line for each state: the answers, or how they ended.
                coproc CLIENTS { exec python3 -u -c "
import socket, sys
all = [socket.create_connection(a, 10) for a in ((\"::1\", 18080), (\"192.0.2.1\", 18081))]
for line in sys.stdin:
    said = []
    for s in all:
        try:
            s.sendall(line.encode()); said.append(s.recv(100).decode().strip() or \"end\")
        except (ConnectionResetError, BrokenPipeError): said.append(\"end\")
        except TimeoutError: said.append(\"silent\")
    print(*said)"; }
                ask() { echo $1 >&${CLIENTS[1]}; read -r -u ${CLIENTS[0]} line; echo "$1: $line"; }
                ask begin
                hod container publish a 18082:80 >/dev/null; hod container unpublish a 18082; hod network reload >/dev/null
                hod network connect n2 a; ask connected
                hod network disconnect n2 a; ask again
                hod network connect n2 a; hod network disconnect n1 a; ask left
                hod rm -f a >/dev/null; hod network rm n1 n2 >/dev/null'
        echo "$output"
        [[ $output == $'begin: begin begin\nconnected: connected connected\nagain: again again\nleft: end end' ]]
}

@test "ports: who has it is named; what only a connection uses is free; another protocol is another port" {
        run -0 alone '
                background server python3 -c "
import socket, time
s = socket.socket(); s.bind((\"\", 18070)); s.listen(); print(\"ready\", flush=True); time.sleep(100)"
                hod run -d --name w -p 18080:80 busybox sleep 100 >/dev/null
                for p in 18080:81 127.0.0.1:18080:81 18070:80; do ! hod run --rm -p $p busybox true 2>&1 | grep -o "already.*"; done
                exec 7<>/dev/tcp/127.0.0.1/18070
                busy=$(ss -Htn state established dport = :18070 | awk "{sub(\".*:\", \"\", \$3); print \$3}")
                hod run --rm -p $busy:80 busybox echo "free $([[ $busy ]] && echo yes)"
                hod run --rm -p 18080:80/udp -p 18080:80/sctp busybox echo sctp
                hod run -d --name s -p 18080:80/sctp busybox sleep 100 >/dev/null
                nft get element inet hod all_ports4 "{ sctp . 18080 }" | grep -o ": [0-9.]* . 80 }" | sed "s/$(hod inspect -f "{{.NetworkSettings.Networks.bridge.IPAddress}}" s)/s/"
                hod rm -f s >/dev/null
                hod run --rm -p 18060-18062:80 -p 18060:81 busybox echo range
                hod run --rm -p 0:80 busybox echo zero
                ! hod run --rm -p 80:0 busybox true 2>&1 | head -n 1
                ! hod run --rm -p "[2001:db8::1]:80:80" busybox true 2>&1 | head -n 1
                hod rm -f w >/dev/null'
        echo "$output"
        [[ ${lines[0]} == *'by container w'* && ${lines[1]} == *'by container w'* && ${lines[2]} == *'by python3, process '* ]]
        [[ $output == *$'free yes\nsctp\n: s . 80 }\nrange\nzero\n'*'ports begin with 1'*'has no IPv6 address'* ]]
}

@test "the thousandth port costs what the first did" {
        run -0 alone '
                hod run -d --name w busybox sleep 100 >/dev/null
                TIMEFORMAT="%3U %3S"
                once() { local t; t=$( { time hod container publish w $1:80 >/dev/null; } 2>&1 | tr -d .); set -- $t; echo $((10#$1 + 10#$2)); }
                first=$( (once 20001; once 20002; once 20003; once 20004; once 20005) | sort -n | head -n 1)
                hod container publish w 21000-21999:1000-1999 >/dev/null
                last=$( (once 20011; once 20012; once 20013; once 20014; once 20015) | sort -n | head -n 1)
                echo "$first $last"
                hod rm -f w >/dev/null'
        echo "$output"
        read -r first last <<<"$output"
        # Milliseconds of the processor. The record is read and written as a whole: that much grows with it.
        ((last < first + 60))
}
