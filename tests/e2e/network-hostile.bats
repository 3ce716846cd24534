#!/usr/bin/env bats
# A hostile container on the bridge (NET_ADMIN, NET_RAW), and somebody who changes a part of our rules. Each attack has
# its control: the same thing where it is allowed, or where nothing keeps it from happening.
# Everything but the last happens in network namespaces of the tests' own.

load lib
load alone
setup_file() {
        e2e_setup
        mkdir "$T/host" "$T/lan"
        echo the-host >"$T/host/hostname"
        echo the-lan >"$T/lan/hostname"
        cat >"$T/sink.py" <<-'END'
		# sink.py ADDRESS: what arrives at port 7777 there, until "end"
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 7777)); s.settimeout(60); print("ready", flush=True)
		while True:
		    name = s.recv(100).decode(); print(name, flush=True)
		    if name == "end": break
	END
        cat >"$T/send.py" <<-'END'
		# send.py ADDRESS TEXT...
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		for text in sys.argv[2:]: s.sendto(text.encode(), (sys.argv[1], 7777))
	END
}
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

@test "internal networks: a route of its own leads a container to nothing but its network and the gateway" {
        run -0 alone '
                ip addr add 2001:db8::1/64 dev host0 nodad
                busybox httpd -f -p 7070 -h $T/host &
                nsenter -t $N -n busybox httpd -f -p 7070 -h $T/lan &
                hod network create --internal --ipv6 --subnet 10.71.0.0/24 --subnet fd71::/64 ni >/dev/null
                hod network create --subnet 10.72.0.0/24 n2 >/dev/null
                hod run -d --name other --network n2 --ip 10.72.0.2 -h host-other busybox httpd -f -p 7070 -h /etc >/dev/null
                hod run -d --name peer --network ni --ip 10.71.0.3 -h host-peer busybox httpd -f -p 7070 -h /etc >/dev/null
                listening $$ 7070; listening $N 7070; listening other 7070; listening peer 7070
                hod run -d --name bad --network ni --cap-add NET_ADMIN busybox sleep 100 >/dev/null
                inside bad ip route add default via 10.71.0.1
                inside bad ip -6 route add default via fd71::1
                asks() { local from=$1 a; shift; for a; do echo -n "$(inside $from curl -s --connect-timeout 1 -m 20 "http://$a:7070/hostname" || echo -)" ""; done; echo; }
                asks bad 192.0.2.1 192.0.2.2 10.72.0.1 10.72.0.2 127.0.0.1 "[2001:db8::1]"
                asks bad 10.71.0.1 "[fd71::1]" 10.71.0.3
                asks peer 10.71.0.1 "[fd71::1]"
                asks other 192.0.2.1 192.0.2.2 10.72.0.1 10.71.0.1
                background out python3 $T/sink.py ""
                inside bad python3 $T/send.py 192.0.2.255 address-of-all
                inside bad python3 $T/send.py 192.0.2.1 address
                inside bad python3 $T/send.py 255.255.255.255 link-of-all
                inside bad python3 $T/send.py 10.71.0.1 end
                wait $B; paste -sd" " $T/out
                nft flush ruleset; hod network reload >/dev/null
                asks bad 192.0.2.1 10.71.0.1
                hod rm -f other peer bad >/dev/null; hod network rm ni n2 >/dev/null'
        echo "$output"
        is "${lines[0]}" '- - - - - - '
        is "${lines[1]}" 'the-host the-host host-peer '
        is "${lines[2]}" 'the-host the-host '
        is "${lines[3]}" 'the-host the-lan the-host the-host '
        is "${lines[4]}" 'ready link-of-all end'
        is "${lines[5]}" '- the-host '
}

# loopback NETWORK-OPTION: what a neighbour reaches of 127.0.0.0/8 in a namespace that lets it in: names of the DNS
# server, by UDP and TCP, and datagrams; then the same as the container itself.
loopback() {
        alone '
                echo 0 2>/dev/null >/proc/sys/net/bridge/bridge-nf-call-iptables || true # else the host looks at it, too
                hod network create --subnet 10.73.0.0/24 '"$1"' nl >/dev/null
                hod run -d --name victim --network nl --ip 10.73.0.3 --sysctl net.ipv4.conf.all.route_localnet=1 busybox sleep 100 >/dev/null
                hod run -d --name bad --network nl --cap-add NET_ADMIN --cap-add NET_RAW busybox sleep 100 >/dev/null
                port=$(inside victim ss -Hlnu | grep -o "127[.]0[.]0[.]11:[0-9]*" | cut -d: -f2)
                inside bad bash -c "ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via 10.73.0.3; echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet"
                background out nsenter -t $(pid victim) -n python3 $T/sink.py ""
                for tcp in notcp tcp; do
                        echo "dns $(inside bad dig +short +$tcp +time=1 +tries=1 -p $port @127.0.0.11 victim | grep -c "^10[.]" || true)"
                done
                inside bad python3 $T/send.py 127.0.0.1 loopback
                inside bad python3 $T/send.py 10.73.0.3 end
                wait $B; paste -sd" " $T/out
                for tcp in notcp tcp; do echo "dns $(inside victim dig +short +$tcp +time=15 +tries=1 @127.0.0.11 bad | grep -c "^10[.]" || true)"; done
                hod rm -f victim bad >/dev/null; hod network rm nl >/dev/null'
}

@test "row 131: 127.0.0.0/8 of a container is its own, also where its namespace lets others in" {
        run -0 loopback ""
        echo "$output"
        is "$output" $'dns 0\ndns 0\nready end\ndns 1\ndns 1'
        # Nobody guards the bridge: datagrams arrive. The DNS server does not listen to neighbours all the same.
        run -0 loopback "-o hod.guard=false"
        echo "$output"
        is "$output" $'dns 0\ndns 0\nready loopback end\ndns 1\ndns 1'
}

@test "row 131: what the host has on 127.0.0.1 is reached neither from its link nor from a container, NET_ADMIN or not" {
        run -0 alone '
                hod network create --subnet 10.74.0.0/24 nh >/dev/null
                hod run -d --name bad --network nh --cap-add NET_ADMIN -p 127.0.0.1:18081:80 busybox sleep 100 >/dev/null
                inside bad bash -c "ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via 10.74.0.1; echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet"
                background out python3 $T/sink.py 127.0.0.1
                inside bad python3 $T/send.py 127.0.0.1 container
                nsenter -t $N -n python3 $T/send.py 127.0.0.1 neighbour
                python3 $T/send.py 127.0.0.1 end
                wait $B; paste -sd" " $T/out
                hod rm -f bad >/dev/null; hod network rm nh >/dev/null'
        echo "$output"
        is "$output" 'ready end'
}

@test "row 132: a neighbour that routes straight to containers and bridges, by IPv6; nothing piles up where ports are held" {
        run -0 alone '
                ip addr add 2001:db8::1/64 dev host0 nodad
                hod network create --ipv6 --subnet 10.77.0.0/24 --subnet fd77::/64 n6 >/dev/null
                hod run -d --name w -h host-w --network n6 --ip6 fd77::5 -p 18080:80 -p "[::1]:18081:80" -p 7777:83/udp busybox httpd -f -p 80 -h /etc >/dev/null
                busybox httpd -f -p 7070 -h $T/host &
                nsenter -t $N -n bash -c "ip addr add 2001:db8::2/64 dev n0 nodad; ip route add fd77::/64 via 2001:db8::1"
                listening $$ 7070; listening w 80
                echo "$(get "[::1]" 18081) $(neighbour "[2001:db8::1]" 18080) $(neighbour "[2001:db8::1]" 7070) [$(neighbour "[fd77::5]" 80)$(neighbour "[fd77::1]" 7070)$(neighbour "[fd77::1]" 18080)$(neighbour "[2001:db8::1]" 18081)]"
                nsenter -t $N -n python3 $T/send.py 192.0.2.255 one two three
                sleep 0.2
                ss -Hlun "sport = :7777" | awk "{n += \$2} END {print \"waiting\", n, (NR > 0)}"
                hod rm -f w >/dev/null; hod network rm n6 >/dev/null'
        echo "$output"
        is "$output" $'host-w host-w the-host []\nwaiting 0 1'
}

@test "row 132: what a container that ended without a word has left leads to nobody who gets its address, nor is it taken from him" {
        run -0 alone '
                hod network create --subnet 10.78.0.0/24 nk >/dev/null
                for how in wanted lowest; do
                        hod run -d --name w --network nk -p 18080:80 busybox httpd -f -p 80 -h /etc >/dev/null
                        id=$(hod inspect -f "{{.Id}}" w) address=$(hod inspect -f "{{.NetworkSettings.Networks.nk.IPAddress}}" w)
                        main=$(pid w)
                        kill -9 $(sed -n "s/^monitor_pid=//p" $HOD_STATE/containers/$id/status); kill -9 $main
                        for _ in {1..1000}; do [[ -e /proc/$main ]] || break; sleep 0.02; done
                        want=(--ip $address)
                        [[ $how == lowest ]] && want=() && hod network inspect nk >/dev/null
                        hod run -d --name v -h host-v --network nk "${want[@]}" busybox httpd -f -p 80 -h /etc >/dev/null
                        [[ $(hod inspect -f "{{.NetworkSettings.Networks.nk.IPAddress}}" v) == "$address" ]]
                        listening v 80
                        echo "$(get $address 80) [$(neighbour 192.0.2.1 18080)$(get 127.0.0.1 18080)]"
                        hod rm -f w >/dev/null # what it has left is not what the other has now
                        nft list set bridge hod all4 | grep -c " $address comment"
                        hod rm -f v >/dev/null
                done
                hod network rm nk >/dev/null'
        echo "$output"
        is "$output" $'host-v []\n1\nhost-v []\n1'
}

@test "row 133: a part of the rules that somebody takes away comes back as well, and ours are no reason" {
        run -0 alone '
                hod network create np >/dev/null
                hod run -d --name w -p 18080:80 -p 18081:81/udp busybox sleep 100 >/dev/null
                hod run -d --name x --network np --cap-add NET_ADMIN --egress "deny=192.0.2.0/24,allow=*" busybox sleep 100 >/dev/null
                rules() { nft list ruleset | sort; }
                sleep 0.5
                rules >$T/rules
                back() { for _ in {1..400}; do rules | cmp -s - $T/rules && { echo back; return; }; sleep 0.1; done; diff <(rules) $T/rules; }
                # Who watches stands still until we have seen that something is gone; what it began before has ended.
                gone() {
                        local watch; watch=$(watcher)
                        while kill -STOP $watch; ps --ppid $watch -o stat=,args= | grep "network reload" | grep -qv "^Z"; do
                                kill -CONT $watch; sleep 0.1 # it waits for who watches
                        done
                        "$@"
                        rules | cmp -s - $T/rules && echo "nothing happened: $*"
                        kill -CONT $watch; back
                }
                gone nft flush chain inet hod raw
                gone nft delete table bridge hod
                gone nft delete table bridge hod_egress
                gone nft flush map inet hod all_ports4
                gone nft flush set inet hod pairs
                gone nft flush set bridge hod own4
                gone nft flush chain bridge hod from_strict
                gone nft delete rule inet hod forward handle $(nft -a list chain inet hod forward | sed -n "s/.*drop # handle //p" | head -n 1)
                sleep 1.5
                nft monitor >$T/changes 2>&1 & M=$!
                # It is there when it has seen somebody.
                for _ in {1..100}; do nft add table inet site; nft delete table inet site; grep -q "process" $T/changes && break; sleep 0.1; done
                hod rm -f $(hod run -d --network np -p 18082:80 busybox sleep 100) >/dev/null
                # It may be busy for a moment, not for ever.
                for _ in {1..15}; do
                        n=$(grep -c "process" $T/changes); sleep 1.5
                        quiet=$((n == $(grep -c "process" $T/changes))); ((quiet)) && break
                done
                echo "quiet: $quiet"
                kill $M
                hod rm -f w x >/dev/null; hod network rm np >/dev/null'
        echo "$output"
        is "$output" $'back\nback\nback\nback\nback\nback\nback\nback\nquiet: 1'
}

@test "two containers on one network do not have one link address; on two they may, and are limited apart" {
        local a=$((100 + RANDOM % 50)) b=$((RANDOM % 200)) one mac=02:00:00:00:07:01
        hod network create --subnet "10.$a.$b.0/24" na >/dev/null
        hod network create --subnet "10.$a.$((b + 1)).0/24" nb >/dev/null
        answers() { [[ $(hod exec "$1" timeout 2 wget -q -O - "http://$2/hostname" 2>/dev/null) == "$3" ]]; }
        for one in a b; do
                hod run -d --name "far$one" -h "host-far$one" --network "n$one" busybox httpd -f -p 80 -h /etc >/dev/null
                hod run -d --name "lim$one" -h "host-lim$one" --network "n$one" --mac-address $mac --egress deny=* busybox httpd -f -p 80 -h /etc >/dev/null
        done
        refused 125 "MAC address $mac is already in use on network na \(by container lima\)" hod run --rm --network na --mac-address $mac busybox true
        # Somebody has asked for what the next container would have had.
        hod run -d --name asks --network na --mac-address "$(printf 02:42:0a:%02x:%02x:09 $a $b)" busybox sleep 100 >/dev/null
        run -0 hod run --rm --network na --ip "10.$a.$b.9" busybox cat /sys/class/net/eth0/address
        is "$output" "$(printf 02:43:0a:%02x:%02x:09 $a $b)"
        for one in a b; do
                eventually 5 answers "far$one" "$(hod inspect -f "{{.NetworkSettings.Networks.n$one.IPAddress}}" "lim$one")" "host-lim$one"
                run ! answers "lim$one" "$(hod inspect -f "{{.NetworkSettings.Networks.n$one.IPAddress}}" "far$one")" "host-far$one"
        done
        hod rm -f lima >/dev/null
        eventually 5 answers farb "$(hod inspect -f '{{.NetworkSettings.Networks.nb.IPAddress}}' limb)" host-limb
        run -0 hod run --rm --network na --mac-address $mac busybox true
}
