#!/usr/bin/env bats
# Networks as docker's command line has them: options, filters, refusals, what inspect says.

load lib
load alone
setup_file() {
        e2e_setup
        # Subnets that nobody else uses: 10.A.B.0/24.
        export A=$((100 + RANDOM % 50)) B=$((RANDOM % 200))
}
teardown_file() { e2e_teardown; }
teardown() {
        [[ ! -d $T/other ]] || end_other
        e2e_clean
        hod network prune -f >/dev/null
}

# Another engine on the same host.
other() { "$HOD_BIN/hod" --root "$T/other/root" --state "$T/other/state" "$@"; }
end_other() {
        other rm -f o >/dev/null
        other rmi busybox >/dev/null
        other network prune -f >/dev/null
        rm -r "$T/other"
}

sub() { printf '10.%s.%s.%s' "$A" "$((B + $1))" "$2"; }
export -f sub
sleeper() {
        local name=$1
        shift
        hod run -d --name "$name" "$@" busybox sleep 300 >/dev/null
}
names() { hod ps -a --format '{{.Names}}' "$@" | sort | paste -sd' '; }
of() { hod inspect -f "{{json .NetworkSettings.Networks}}" "$1" | jq -c ".\"$2\" | $3"; }

@test "ps --filter publish, expose: ports and ranges of the host, of the container, as docker" {
        local port
        sleeper p1 -p 127.0.0.1::80 --expose 99
        sleeper p2 --expose 53/udp
        sleeper p3
        port=$(hod port p1 80 | sed 's/.*://')
        [[ $(names -f "publish=$port") == p1 && $(names -f "publish=$port/tcp") == p1 ]]
        [[ $(names -f "publish=$((port - 1))-$((port + 1))") == p1 ]]
        [[ -z $(names -f publish=80) && -z $(names -f "publish=$port/udp") ]]
        [[ $(names -f expose=99) == p1 && $(names -f expose=80-90) == p1 && $(names -f expose=53/udp) == p2 && -z $(names -f expose=53) ]]
        [[ $(names -f expose=99 -f expose=53/udp) == 'p1 p2' && $(names -f "publish=$port" -f expose=53/udp) == 'p1 p2' ]]
        [[ $(names -f expose=99 -f name=p2) == '' ]]
        hod stop -t 0 p2 >/dev/null
        [[ -z $(names -f expose=53/udp) ]]
        local bad
        for bad in publish=x publish=80-70 publish=70000 expose= expose=1-x publish=127.0.0.1:80; do
                refused 1 "invalid filter '$bad'" hod ps -f "$bad"
        done
}

@test "publish: a port that the container has already is its own; unpublish says what there is" {
        run -0 alone '
                hod run -d --name w -p 18080:80 -p 81 busybox sleep 100 >/dev/null
                any=$(hod port w 81 | head -n 1); any=${any##*:}
                ! hod container publish w 18080:80 2>&1
                ! hod container publish w 127.0.0.1:18080:82 2>&1
                ! hod container publish w $any:82 2>&1 | sed "s/$any/ANY/"
                ! hod container unpublish w 80 2>&1 | sed "s/$any/ANY/g"
                ! hod container unpublish w 18089 2>&1 | sed "s/$any/ANY/g"
                hod stop -t 0 w >/dev/null
                ! hod container publish w 18080:80 2>&1
                hod container unpublish w 18080
                ! hod container unpublish w 18080 2>&1
                hod rm w >/dev/null'
        echo "$output"
        [[ ${lines[0]} == 'hod: Bind for 0.0.0.0:18080 failed: port is already allocated (by container w itself: 18080->80/tcp)' ]]
        [[ ${lines[1]} == 'hod: '*'port is already allocated (by container w itself: 18080->80/tcp)' ]]
        [[ ${lines[2]} == 'hod: '*'Bind for 0.0.0.0:ANY failed: port is already allocated (by container w itself)' ]]
        [[ ${lines[3]} == *"No public port '80/tcp' published for w: it publishes "*'18080->80/tcp'*"hod container unpublish w 18080)" ]]
        [[ ${lines[4]} == *"No public port '18089/tcp' published for w: it publishes "*'18080->80/tcp'* ]]
        [[ ${lines[5]} == *'(by container w itself: 18080->80/tcp)' && ${lines[6]} == *"No public port '18080/tcp' published for w: it publishes "* ]]
}

@test "unpublish of a stopped container says what it will publish, as -p has it" {
        hod create --name w --network none -p 18080:80 -p 127.0.0.1::53/udp -p '[::1]:18081:81' -p 90 busybox true >/dev/null 2>&1
        refused 1 "^hod: No public port '91/tcp' published for w: it publishes 18080:80/tcp, 127.0.0.1::53/udp, \[::1\]:18081:81/tcp, 90/tcp$" \
                hod container unpublish w 91
        refused 1 "^hod: No public port '53/udp' published for w" hod container unpublish w 127.0.0.2::53/udp
        refused 1 "^hod: No public port '53/tcp' published for w" hod container unpublish w 53
}

@test "unpublish of a stopped container: a port of the host that was not said is named by the container's, alone or as -p has it" {
        asked() { hod inspect -f '{{json .HostConfig.PortBindings}} {{.HostConfig.PublishAllPorts}}' w | tr -d '{}[]"'; }
        local port wanted
        while IFS='|' read -r port wanted; do
                echo "$port"
                hod create --name w -p 80 -p 127.0.0.1::53/udp -p '[::1]::53/udp' -p 18080:81 -p 18000-18010:82 -p 90-91 busybox true >/dev/null
                # shellcheck disable=SC2086
                hod container unpublish w $port
                is "$(asked)" "$wanted"
                hod rm w >/dev/null
        done <<-END
		80|53/udp:HostIp:127.0.0.1,HostPort:,HostIp:::1,HostPort:,81/tcp:HostIp:,HostPort:18080,82/tcp:HostIp:,HostPort:18000-18010,90/tcp:HostIp:,HostPort:,91/tcp:HostIp:,HostPort: false
		:80 53/udp|81/tcp:HostIp:,HostPort:18080,82/tcp:HostIp:,HostPort:18000-18010,90/tcp:HostIp:,HostPort:,91/tcp:HostIp:,HostPort: false
		80 127.0.0.1::53/udp 18080|53/udp:HostIp:::1,HostPort:,82/tcp:HostIp:,HostPort:18000-18010,90/tcp:HostIp:,HostPort:,91/tcp:HostIp:,HostPort: false
		::80 [::1]::53/udp 127.0.0.1::53/udp 18080:81 18000-18010:82|90/tcp:HostIp:,HostPort:,91/tcp:HostIp:,HostPort: false
		32768:80 53/udp 18080 ::82 90-91| false
	END
        hod create --name w -P --expose 80-81 busybox true >/dev/null
        hod container unpublish w 80
        is "$(asked)" '81/tcp:HostIp:,HostPort: false'
}

@test "unpublish of a running container takes from what it was asked for no more than what it takes back" {
        run -0 alone '
                hod network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 nl >/dev/null
                asked() { hod inspect -f "{{json .HostConfig.PortBindings}}" $1 | tr -d "{}[]\""; }
                hod run -d --name w -p 80 -p 80 -p 127.0.0.1::80 -p 127.0.0.1::53/udp busybox sleep 100 >/dev/null
                port=$(hod port w 80 | head -n 1)
                hod container unpublish w ${port##*:}; hod port w 80 | wc -l; asked w
                hod container unpublish w 127.0.0.1::80 127.0.0.1::53/udp; hod port w | wc -l; asked w
                hod container unpublish w :80; hod port w | wc -l; asked w
                hod run -d --name l --network nl -p 18080:80 busybox sleep 100 >/dev/null
                hod container unpublish l 127.0.0.1:18080; hod port l | wc -l; asked l
                hod rm -f w l >/dev/null; hod network rm nl >/dev/null'
        is "$output" '2
80/tcp:HostIp:,HostPort:,HostIp:127.0.0.1,HostPort:,53/udp:HostIp:127.0.0.1,HostPort:
1
80/tcp:HostIp:,HostPort:
0

0'
}

@test "a port published on a device: each has its own, and an address of one is not another's to publish" {
        run -0 alone '
                ip link add other type bridge; ip addr add 198.51.100.1/24 dev other; ip link set other up
                serve w -p host0:18080:80
                echo "$(neighbour 192.0.2.1 18080) [$(get 127.0.0.1 18080)]"
                hod container publish w other:18080:80
                ! hod container publish w 192.0.2.1:18080:80 2>&1 | grep -o "by container w itself"
                hod container unpublish w other:18080:80
                neighbour 192.0.2.1 18080
                nft list ruleset | grep -c "chain published4"
                hod rm -f w >/dev/null'
        echo "$output"
        [[ $output == $'host-w []\n80/tcp -> other:18080\nby container w itself\nhost-w\n1' ]]
}

@test "the network of another container, of the host, none: what would have no effect is refused" {
        sleeper w
        local bad text
        while IFS='|' read -r bad text; do
                echo "$bad"
                # shellcheck disable=SC2086
                refused 125 "$text" hod run --rm $bad busybox true
        done <<-END
		--net container:w -p 1:1|conflicting options: port publishing and the container type network mode
		--net container:w -P|conflicting options: port publishing and the container type network mode
		--net container:w -h x|conflicting options: hostname and the network mode
		--net container:w --domainname x|conflicting options: domainname and the network mode
		--net container:w --add-host a:1.1.1.1|conflicting options: custom host-to-IP mapping and the network mode
		--net container:w --dns 1.1.1.1|conflicting options: dns and the network mode
		--net container:w --dns-search x|conflicting options: dns and the network mode
		--net container:w --dns-option ndots:1|conflicting options: dns and the network mode
		--net container:w --expose 5|conflicting options: port exposing and the container type network mode
		--net container:w --link w:x|conflicting options: container type network can't be used with links
		--net container:w --mac-address 02:00:00:00:00:07|conflicting options: mac-address and the network mode
		--net container:w --ip 1.2.3.4|conflicting options: ip addresses and the network mode
		--net-alias a|network-scoped aliases are only supported for user-defined networks
		--mac-address 01:00:5e:00:00:01|01:00:5e:00:00:01 is not a valid mac address
		--mac-address 00:00:00:00:00:00|is not a valid mac address
		--net container:w --network-alias a|network-scoped aliases are only supported for user-defined networks
		--net host --link w:x|conflicting options: host type networking can't be used with links
		--net host --mac-address 02:00:00:00:00:07|conflicting options: mac-address and the network mode
		--net none --mac-address 02:00:00:00:00:07|conflicting options: mac-address and the network mode
		--net name=none,gw-priority=1|conflicting options: gw-priority and the network mode
		--uts host -h x|conflicting options: hostname and the UTS mode
	END
        [[ $(names) == w ]]
        run -0 hod run --rm --net host -h hh --domainname dd --add-host a:1.1.1.1 busybox sh -c 'hostname; grep -c "1.1.1.1.a" /etc/hosts'
        [[ $output == $'hh\n1' ]]
        run -0 hod run --rm --net none --dns 192.0.2.53 --expose 80 busybox cat /etc/resolv.conf
        [[ $output == *'nameserver 192.0.2.53'* ]]
}

@test "inspect: what was not asked for is null after run, empty after connect, as docker's" {
        hod network create n1 >/dev/null
        hod network create n2 >/dev/null
        sleeper c --network n1
        sleeper d --network n1 --network-alias al --mac-address 02:00:00:00:00:0A
        hod network connect n2 c
        local id
        id=$(hod inspect -f '{{printf "%.12s" .Id}}' c)
        [[ $(of c n1 '[.IPAMConfig,.Links,.Aliases,.DriverOpts,.GwPriority,.DNSNames]') == "[null,null,null,null,0,[\"c\",\"$id\"]]" ]]
        [[ $(of c n2 '[.IPAMConfig,.Links,.Aliases,.DriverOpts,.GwPriority,.DNSNames]') == "[{},null,[],{},0,[\"c\",\"$id\"]]" ]]
        [[ $(of d n1 '[.Aliases,.MacAddress]') == '[["al"],"02:00:00:00:00:0a"]' ]]
        sleeper b
        [[ $(of b bridge '[.IPAMConfig,.Aliases,.DNSNames]') == '[null,null,null]' ]]
}

@test "network ls as JSON and its times are docker's" {
        hod network create --label a=b n1 >/dev/null
        run -0 hod network ls --format json -f name=n1
        [[ $output == '{"CreatedAt":"'*' +0000 UTC","Driver":"bridge","ID":"'*'","IPv4":"true","IPv6":"false","Internal":"false","Labels":"a=b","Name":"n1","Scope":"local"}' ]]
}

@test "an alias in any alphabet is found by its bytes; what DNS cannot carry is refused" {
        hod network create n1 >/dev/null
        sleeper w --network n1 --network-alias bücher --network-alias имя.ö
        sleeper c --network n1
        local ip name
        ip=$(of w n1 .IPAddress)
        for name in bücher имя.ö bücher.n1; do
                [[ "\"$(nsenter -t "$(hod inspect -f '{{.State.Pid}}' c)" -n dig @127.0.0.11 +noidnin +tries=1 +time=4 +short "$name")\"" == "$ip" ]]
        done
        refused 125 'cannot be a name in a network' hod run --rm --network n1 --network-alias 'a\b' busybox true
}

@test "network create: options of docker's act, or are refused with one line" {
        ip link add "hx$A$B" type veth peer name "hy$A$B"
        local bad text
        while IFS='|' read -r bad text; do
                echo "$bad"
                # shellcheck disable=SC2086
                refused 1 "$text" hod network create $bad
        done <<-END
		--subnet $(sub 1 0)/024 n|invalid subnet .*/024: invalid CIDR block notation
		--subnet $(sub 1 0)/24 --subnet $(sub 2 0)/24 n|bridge driver does not support multiple subnets
		--subnet $(sub 1 0)/+24 n|invalid CIDR block notation
		--subnet $(sub 1 0)/24 --ip-range $(sub 1 0)/025 n|no matching subnet for range
		-o com.docker.network.bridge.name=hx$A$B n|the name hx$A$B belongs to a network device that is no bridge
		-o com.docker.network.bridge.name=lo n|the name lo belongs to a network device that is no bridge
		-o com.docker.network.bridge.host_binding_ipv4=x n|failed to parse com.docker.network.bridge.host_binding_ipv4 value: x
		-o com.docker.network.bridge.gateway_mode_ipv4=bogus n|unknown gateway mode bogus
		-o com.docker.network.bridge.gateway_mode_ipv6=isolated n|gateway mode 'isolated' can only be used for an internal network
		-o com.docker.network.bridge.inhibit_ipv4=x n|failed to parse com.docker.network.bridge.inhibit_ipv4 value: x
		-o com.docker.network.bridge.trusted_host_interfaces=a/b n|no name of a network device
		--internal -o com.docker.network.bridge.trusted_host_interfaces=e0 n|has no effect on an internal network
		--internal --subnet $(sub 1 0)/24 --gateway $(sub 1 1) -o com.docker.network.bridge.gateway_mode_ipv4=isolated n|the host has no address
		-o com.docker.network.container_iface_prefix= n|cannot begin the name of a network device
		-o com.docker.network.host_ipv4=192.0.2.1 n|com.docker.network.host_ipv4 is not supported
		-d macvlan -o parent=hx$A$B -o com.docker.network.bridge.enable_icc=false n|is for networks of the driver bridge
	END
        ip link del "hx$A$B"
        [[ -z $(hod network ls -q --filter type=custom) ]]
}

@test "a port of another engine's container is not taken from it, whether its monitor lives or not; from one that has ended it is" {
        local id port init
        other import "$(busybox_file)" busybox >/dev/null
        id=$(other run -d --name o -h ohost -p 80 busybox httpd -f -h /etc)
        port=$(other port o 80 | sed 's/.*://')
        hod network create pn >/dev/null # the default bridge may have the subnet of the other engine's
        denied() { refused 125 "port is already allocated \(by container ${id:0:12} of another engine\)" hod run --rm --network pn -p "$port:80" busybox true; }
        ask() { [[ $(curl -s -m 3 "http://127.0.0.1:$port/hostname") == ohost ]]; }
        denied
        init=$(other inspect -f '{{.State.Pid}}' o)
        kill -9 "$(sed -n 's/^monitor_pid=//p' "$T/other/state/containers/$id/status")"
        denied
        eventually 5 ask
        kill -9 "$init"
        eventually 20 hod run --rm --network pn -p "$port:80" busybox true
}

@test "who has a port is named: a container that only answers on ::1, one that has taken it while it led nowhere" {
        run -0 alone '
                hod network create --ipv6 n6 >/dev/null
                hod run -d --name a -p 18080:80 busybox sleep 100 >/dev/null
                ! hod run --rm --network n6 -p "[::]:18080:80" busybox true 2>&1 | grep -o "Bind for.*"
                hod network disconnect bridge a
                hod run -d --name b -p 0.0.0.0:18080:80 busybox sleep 100 >/dev/null
                ! hod network connect bridge a 2>&1
                hod rm -f b >/dev/null
                hod network connect bridge a; hod port a
                hod run -d --name d --network n6 -p "[::]:18081:81/udp" busybox sleep 100 >/dev/null
                hod network disconnect n6 d
                ! hod run --rm --network n6 -p "[::]:18081:81/udp" busybox true 2>&1 | grep -o "Bind for.*"
                hod rm -f a d >/dev/null; hod network rm n6 >/dev/null'
        is "$output" 'Bind for :::18080 failed: port is already allocated (by container a, which answers on ::1)
hod: Bind for 0.0.0.0:18080 failed: port is already allocated (by container b)
80/tcp -> 0.0.0.0:18080
Bind for :::18081 failed: port is already allocated (by container d)'
}

@test "host_binding_ipv4: ports that name no address are published there, live too" {
        hod network create --ipv6 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 n >/dev/null
        sleeper w --network n -p 80 -p 0.0.0.0::81
        hod container publish w 82 >/dev/null
        [[ $(hod port w 80) == 127.0.0.1:* && $(hod port w 81) == 0.0.0.0:* && $(hod port w 82) == 127.0.0.1:* ]]
        [[ $(hod port w | wc -l) -eq 3 ]]
}

@test "routed: published ports are reached at the container's own address, others not; nothing is translated" {
        run -0 alone '
                hod network create --subnet $(sub 1 0)/24 -o com.docker.network.bridge.gateway_mode_ipv4=routed nr >/dev/null
                hod network create --subnet $(sub 2 0)/24 nn >/dev/null
                a=$(sub 1 9)
                serve w --network name=nr,ip=$a -p 18080:80 -p 127.0.0.1:18081:80
                hod exec -d w busybox httpd -f -p 81 -h /etc
                echo "$(neighbour $a 80) [$(neighbour $a 81)] [$(neighbour 192.0.2.1 18080)] $(get 127.0.0.1 18081) [$(get 127.0.0.1 18080)]"
                hod port w
                hod ps --format "{{.Ports}}"
                nsenter -t $N -n python3 -c "
import socket
s = socket.socket(); s.bind((\"192.0.2.2\", 18085)); s.listen(); s.settimeout(60); c, peer = s.accept(); print(\"seen\", peer[0], flush=True)" &
                p=$!
                for _ in {1..200}; do hod exec w busybox timeout 2 nc 192.0.2.2 18085 </dev/null 2>/dev/null && break || sleep 0.1; done
                wait $p
                hod container publish w 81 80
                echo "$(neighbour $a 81)"
                hod container unpublish w 81
                echo "[$(neighbour $a 81)] $(neighbour $a 80)"
                hod container publish w 18083:81 >/dev/null; hod container unpublish w 18083
                hod container publish w 18083:81 >/dev/null; hod container unpublish w 81
                hod inspect -f "{{json .HostConfig.PortBindings}}" w
                nft flush ruleset; hod network reload >/dev/null
                echo "$(neighbour $a 80) [$(neighbour $a 81)]"
                hod network connect --gw-priority 5 --ip $(sub 2 9) nn w
                echo "[$(neighbour $a 80)$(neighbour $(sub 2 9) 80)] $(neighbour 192.0.2.1 18080) $(get 127.0.0.1 18080) $(get 127.0.0.1 18081) $(hod port w 80 | paste -sd" ")"
                hod network disconnect nn w
                echo "$(neighbour $a 80) [$(neighbour $(sub 2 9) 80)$(neighbour 192.0.2.1 18080)$(get 127.0.0.1 18080)] $(get 127.0.0.1 18081) $(hod port w 80 | paste -sd" ")$(ss -Hltn sport = :18080)"
                hod rm -f w >/dev/null
                hod network rm nr nn >/dev/null'
        echo "$output"
        [[ ${lines[0]} == 'host-w [] [] host-w []' ]]
        [[ ${lines[1]} == "80/tcp -> $(sub 1 9):80" && ${lines[2]} == '80/tcp -> 127.0.0.1:18081' && ${lines[3]} == *"$(sub 1 9):80->80/tcp"* ]]
        [[ ${lines[4]} == "seen $(sub 1 9)" && ${lines[5]} == "81/tcp -> $(sub 1 9):81" && ${lines[6]} == host-w && ${lines[7]} == '[] host-w' ]]
        [[ ${lines[8]} == '{"80/tcp":['*']}' ]]
        unset 'lines[8]'
        lines=("${lines[@]}")
        [[ ${lines[8]} == 'host-w []' && ${lines[9]} == "[] host-w host-w host-w 0.0.0.0:18080 0.0.0.0:"+([0-9])" 127.0.0.1:18081" ]]
        [[ ${lines[10]} == "host-w [] host-w $(sub 1 9):80 127.0.0.1:18081" ]]
}

@test "who comes to a network with another host_binding_ipv4, or a routed one, has its ports as that demands" {
        run -0 alone '
                ip addr add 192.0.2.9/24 dev host0
                hod network create --subnet $(sub 1 0)/24 na >/dev/null
                hod network create --subnet $(sub 2 0)/24 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 nl >/dev/null
                hod network create --subnet $(sub 3 0)/24 -o com.docker.network.bridge.gateway_mode_ipv4=routed nr >/dev/null
                hod network create --subnet $(sub 4 0)/24 -o com.docker.network.bridge.host_binding_ipv4=192.0.2.9 nh >/dev/null
                serve w --network na -p 80 -p 18081:80 -p 53/udp -p 192.0.2.1:18082:80
                # Whom it answers, what is shown, what is bound.
                all() {
                        local port
                        port=$(hod port w 80 | grep -vE ":(1808.|80)\$") && any=${port##*:}
                        port=$(hod port w 53/udp | grep -v ":53\$") && udp=${port##*:}
                        echo "$1: $(get 127.0.0.1 $any) $(get "[::1]" 18081) $(get 192.0.2.9 18081)," \
                                "$(neighbour 192.0.2.1 $any) $(neighbour 192.0.2.9 18081) $(neighbour 192.0.2.1 18082)" | tr -s " "
                        { hod port w; ss -Hltun | awk "{print \$1, \$5}" | sort; } | sed "s/\<$any\>/any/; s/\<$udp\>/udp/" | paste -sd"|"
                }
                all na; first="$any $udp"
                for n in nl=2 nr=3 nh=4; do hod network connect --gw-priority ${n#*=} --ip $(sub ${n#*=} 9) ${n%=*} w; all ${n%=*}; [[ $n != nl* || "$any $udp" == "$first" ]]; done
                hod network disconnect nh w; all nr
                echo "$(neighbour $(sub 3 9) 80) [$(neighbour $(sub 2 9) 80)]"
                hod network disconnect nr w; all nl
                hod network disconnect nl w; all na
                # By way of none.
                hod network disconnect na w; hod port w | wc -l
                hod network connect --ip $(sub 3 9) nr w; all nr
                hod network disconnect nr w; hod network connect na w; all na
                hod rm -f w >/dev/null
                ! nft list table inet hod | grep -E "1808|$(sub 3 9)"
                hod network rm na nl nr nh >/dev/null'
        echo "$output"
        local na nl nr
        na=$(printf '%s\n' 'na: host-w host-w host-w, host-w host-w host-w' \
                '53/udp -> 0.0.0.0:udp|80/tcp -> 0.0.0.0:18081|80/tcp -> 0.0.0.0:any|80/tcp -> 192.0.2.1:18082|tcp [::1]:18081|tcp [::1]:any|udp 0.0.0.0:udp|udp [::1]:udp')
        nl=$(printf '%s\n' 'nl: host-w , host-w' \
                '53/udp -> 127.0.0.1:udp|80/tcp -> 127.0.0.1:18081|80/tcp -> 127.0.0.1:any|80/tcp -> 192.0.2.1:18082|udp 127.0.0.1%lo:udp')
        nr=$(printf '%s\n' 'nr: , host-w' "53/udp -> $(sub 3 9):53|80/tcp -> $(sub 3 9):80|80/tcp -> 192.0.2.1:18082")
        is "$output" "$na
$nl
$nr
nh: host-w, host-w host-w
53/udp -> 192.0.2.9:udp|80/tcp -> 192.0.2.1:18082|80/tcp -> 192.0.2.9:18081|80/tcp -> 192.0.2.9:any|udp 192.0.2.9:udp
$nr
host-w []
$nl
$na
0
$nr
$na"
}

@test "ports that a network of another kind demands and somebody has: who would come there stays as it was, who is left there has the others" {
        run -0 alone '
                a1=$(sub 1 9) a2=$(sub 1 8)
                hod network create --subnet $(sub 1 0)/24 -o com.docker.network.bridge.gateway_mode_ipv4=routed nr >/dev/null
                hod network create --subnet $(sub 2 0)/24 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 nl >/dev/null
                serve w --network name=nr,ip=$a1 -p 18080:80 -p 18081:81
                background server python3 -c "
import socket, time
s = socket.socket(); s.bind((\"127.0.0.1\", 18081)); s.listen(); print(\"ready\", flush=True); time.sleep(100)"
                hod port w | paste -sd"|"
                ! hod network connect --gw-priority 5 nl w 2>&1
                hod port w | paste -sd"|"; neighbour $a1 80; get 127.0.0.1 18080; hod inspect -f "{{len .NetworkSettings.Networks}}" w
                hod network connect --gw-priority -5 nl w
                hod network disconnect nr w 2>&1
                echo "[$(hod port w)] $(nft list table inet hod | grep -cE "1808|$a1")"
                kill $B; wait $B || true
                hod network disconnect nl w; hod network connect nl w; hod port w | paste -sd"|"; get 127.0.0.1 18080
                # A container that ended without a word is nobody.
                serve x --network nl -p 18083:80
                kill -9 $(sed -n "s/^monitor_pid=//p" $HOD_STATE/containers/$(hod inspect -f "{{.Id}}" x)/status) $(pid x)
                for _ in {1..400}; do [[ $(hod inspect -f "{{.State.Running}}" x) == true ]] || break; sleep 0.05; done
                serve y --network name=nr,ip=$a2 -p 18083:80
                hod network connect --gw-priority 5 nl y; hod port y; get 127.0.0.1 18083
                hod rm -f w x y >/dev/null; hod network rm nr nl >/dev/null'
        echo "$output"
        local routed taken='driver failed programming external connectivity on endpoint w: failed to bind host port for 127.0.0.1:18081:'
        routed="80/tcp -> $(sub 1 9):80|81/tcp -> $(sub 1 9):81"
        [[ ${lines[0]} == "$routed" && ${lines[1]} == "hod: $taken"* && ${lines[2]} == "$routed" && ${lines[3]} == host-w && ${lines[4]} == 1 ]]
        taken=${taken#*on endpoint w: }
        [[ ${lines[5]} == *'warning '*'container w: port 81/tcp is closed, which its network would have otherwise: '$taken* ]]
        [[ ${lines[6]} == '[80/tcp -> 127.0.0.1:18080] 1' ]]
        [[ ${lines[7]} == '80/tcp -> 127.0.0.1:18080|81/tcp -> 127.0.0.1:18081' && ${lines[8]} == host-w ]]
        [[ ${lines[9]} == '80/tcp -> 127.0.0.1:18083' && ${lines[10]} == host-y ]]
}

@test "gateway modes, inhibit_ipv4 and trusted_host_interfaces: who reaches what" {
        run -0 alone '
                hod network create --subnet $(sub 1 0)/24 nn >/dev/null
                hod network create --subnet $(sub 2 0)/24 -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected nu >/dev/null
                hod network create --subnet $(sub 3 0)/24 -o com.docker.network.bridge.trusted_host_interfaces=host0:eth7 nt >/dev/null
                hod network create --subnet $(sub 4 0)/24 --internal -o com.docker.network.bridge.gateway_mode_ipv4=isolated -o com.docker.network.bridge.name=iso4 ni >/dev/null
                hod network create --subnet $(sub 5 0)/24 -o com.docker.network.bridge.inhibit_ipv4=true -o com.docker.network.bridge.name=inh4 nh >/dev/null
                for n in nn nu nt ni nh; do serve w$n --network name=$n,ip=$(sub $(case $n in nn) echo 1;; nu) echo 2;; nt) echo 3;; ni) echo 4;; nh) echo 5;; esac) 9); done
                echo "nat [$(neighbour $(sub 1 9) 80)] unprotected $(neighbour $(sub 2 9) 80) trusted $(neighbour $(sub 3 9) 80)"
                echo "from another network [$(hod exec wnn busybox timeout 1 wget -q -O - http://$(sub 2 9)/hostname || true)$(hod exec wnn busybox timeout 1 wget -q -O - http://$(sub 3 9)/hostname || true)]"
                echo "isolated [$(ip -4 -o addr show iso4)] $(hod network inspect -f "{{json .IPAM.Config}}" ni)"
                serve x --network ni
                hod exec x busybox wget -q -O - http://$(sub 4 9)/hostname
                echo "inhibit [$(ip -4 -o addr show inh4)] $(hod exec wnh ip route | head -n 1)"
                nft list ruleset | grep -c "oifname @unprotected4"
                hod rm -f x wnn wnu wnt wni wnh >/dev/null
                hod network rm nn nu nt ni nh >/dev/null
                nft list tables'
        echo "$output"
        [[ ${lines[0]} == 'nat [] unprotected host-wnu trusted host-wnt' && ${lines[1]} == 'from another network []' ]]
        [[ ${lines[2]} == "isolated [] [{\"Subnet\":\"$(sub 4 0)/24\"}]" && ${lines[3]} == host-wni ]]
        [[ ${lines[4]} == "inhibit [] default via $(sub 5 1) dev eth0"* && ${lines[5]} == 1 ]]
}
