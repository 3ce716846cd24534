#!/usr/bin/env bats
# A container on several networks, and networks that come and go while it runs or is stopped.

load lib
load alone
setup_file() {
        e2e_setup
        # Subnets that nobody else uses: 10.A.B.0/24, fdAB:...
        export A=$((150 + RANDOM % 90)) B=$((1 + RANDOM % 199)) # 0 is left out in IPv6
}
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

sub() { printf '10.%s.%s.%s' "$A" "$((B + $1))" "$2"; }
export -f sub
make() { # NAME NUMBER [ARGUMENT...]
        local name=$1 n=$2
        shift 2
        hod network create --subnet "$(sub "$n" 0)/24" "$@" "$name" >/dev/null
}
sleeper() {
        local name=$1
        shift
        hod run -d --name "$name" "$@" busybox sleep 300 >/dev/null
}
settings() { hod inspect -f "{{json .NetworkSettings.Networks}}" "$1"; }
of() { settings "$1" | jq -r ".\"$2\" | $3"; }
route() { hod exec "$1" ip route | sed -n 's/^default //p' | sed 's/ *$//'; }
links() { hod exec "$1" ls /sys/class/net | sort | paste -sd' '; }
# (Ends with the answer; that there is none takes it two seconds.)
reaches() { hod exec "$1" ping -c 1 -W "${3-20}" "$2" >/dev/null; }

@test "run on several networks: one interface each, in the order asked for; the mode's is the first" {
        make n1 1
        make n2 2
        run -0 hod run --rm --network bridge --network n2 --network "name=n1,ip=$(sub 1 77),mac-address=02:00:00:00:00:77" busybox sh -c \
                'ip -4 -o addr | sed -n "s/.*\(eth[0-9]\) .*inet \([^ ]*\) .*/\1 \2/p"; cat /sys/class/net/eth2/address'
        [[ ${lines[0]} == 'eth0 1'* && ${lines[1]} == "eth1 $(sub 2 2)/24" && ${lines[2]} == "eth2 $(sub 1 77)/24" && ${lines[3]} == 02:00:00:00:00:77 ]]
        run -0 hod create --name c --network n1 --network "name=n2,alias=x,alias=y,driver-opt=a=b,gw-priority=-3" busybox true
        run -0 hod inspect -f '{{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks.n2}}' c
        [[ $output == 'n1 {"IPAMConfig":null,"Links":null,"Aliases":["x","y"],"MacAddress":"","DriverOpts":{"a":"b"},"GwPriority":-3,"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}' ]]
        run -0 hod ps -a --format '{{.Networks}}'
        [[ $output == n1,n2 ]]
}

@test "which network leads out: the highest priority, then one of both families, then the first name; an internal one never" {
        make na 1
        make nb 2
        hod network create --internal --subnet "$(sub 3 0)/24" n0 >/dev/null
        sleeper c --network nb --network na --network name=n0,gw-priority=100
        [[ $(route c) == "via $(sub 1 1) dev eth1" ]]
        [[ $(of c n0 .Gateway) == '' && $(of c na .Gateway) == $(sub 1 1) ]]
        hod network create --ipv6 --subnet "$(sub 4 0)/24" nz >/dev/null
        hod network connect nz c
        [[ $(route c) == "via $(sub 4 1) dev eth3" && $(hod exec c ip -6 route | grep -c '^default') -eq 1 ]]
        make nc 5
        hod network connect --gw-priority 7 nc c
        [[ $(route c) == "via $(sub 5 1) dev eth4" ]]
        hod network disconnect nc c
        [[ $(route c) == "via $(sub 4 1) dev eth3" ]]
        hod network disconnect nz c
        hod network disconnect na c
        [[ $(route c) == "via $(sub 2 1) dev eth0" ]]
        hod network disconnect nb c
        [[ -z $(route c) && $(links c) == 'eth2 lo' ]]
}

@test "live connect: interface, name, hosts and documents at once; live disconnect takes all of it away" {
        make n1 1
        make n2 2
        sleeper c --network n1 -h chost
        sleeper d --network n2
        run ! reaches c "$(sub 2 2)" 2
        hod network connect --ip "$(sub 2 9)" --alias see n2 c
        reaches c "$(sub 2 2)"
        reaches c d
        reaches d see
        reaches d c
        [[ $(hod exec c grep -c 'chost$' /etc/hosts) -eq 2 ]]
        [[ $(of c n2 .IPAddress) == $(sub 2 9) && $(of c n2 .IPAMConfig.IPv4Address) == $(sub 2 9) ]]
        [[ $(of c n2 '.DNSNames | tostring') == "[\"c\",\"see\",\"$(hod inspect -f '{{printf "%.12s" .Id}}' c)\",\"chost\"]" ]]
        run -0 hod network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{end}}' n2
        [[ $output == *"c $(sub 2 9)/24"* && $output == *"d $(sub 2 2)/24"* ]]
        [[ $(hod network inspect n2 | jq -r '.[0].Containers[] | select(.Name == "c").EndpointID') == $(of c n2 .EndpointID) ]]
        hod network disconnect n2 c
        run ! reaches c "$(sub 2 2)" 2
        run ! reaches d see 2
        # Which network it was, and what it was called there, is shown after the end, too (as docker does).
        before=$(of c n1 '[.NetworkID, .DNSNames]')
        hod stop -t 0 c
        [[ $(of c n1 '[.NetworkID, .DNSNames]') == "$before" && $(of c n1 '.IPAddress + .EndpointID + .MacAddress') == '' ]]
        hod start c
        [[ $(of c n1 '[.NetworkID, .DNSNames]') == "$before" ]]
        [[ $(links c) == 'eth0 lo' && $(hod exec c grep -c 'chost$' /etc/hosts) -eq 1 && $(of c n2 .IPAddress) == null ]]
        run -0 hod network inspect -f '{{range .Containers}}{{.Name}} {{end}}' n2
        [[ $output == 'd ' ]]
        run -0 hod run --rm --network n2 --ip "$(sub 2 9)" busybox true
}

@test "connect: all flags" {
        hod network create --ipv6 --subnet "$(sub 1 0)/24" --subnet "fd00:$A:$B::/64" n1 >/dev/null
        sleeper c
        sleeper d --network n1
        hod network connect --ip "$(sub 1 8)" --ip6 "fd00:$A:$B::8" --alias a1 --alias a2 --link d:dee --gw-priority 4 \
                --driver-opt com.docker.network.endpoint.ifname=blue --driver-opt x=y \
                --driver-opt com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0 \
                --link-local-ip 169.254.3.4 n1 c
        run -0 hod exec c ip addr show blue
        [[ $output == *"inet $(sub 1 8)/24"* && $output == *"inet6 fd00:$A:$B::8/64"* && $output == *'inet 169.254.3.4/16'* ]]
        [[ $(hod exec c cat /proc/sys/net/ipv4/conf/blue/log_martians /proc/sys/net/ipv4/conf/blue/forwarding | paste -sd' ') == '1 0' ]]
        reaches d a1
        reaches d a2
        reaches c dee
        [[ $(route c) == "via $(sub 1 1) dev blue" ]]
        [[ $(of c n1 '[.Aliases,.Links,.DriverOpts.x,.GwPriority]|tostring') == '[["a1","a2"],["d:dee"],"y",4]' ]]
        hod network create -o com.docker.network.container_iface_prefix=lan nx >/dev/null
        hod network connect nx c
        [[ $(links c) == 'blue eth0 lan0 lo' ]]
}

@test "a stopped container: connected and disconnected by its next start" {
        make n1 1
        make n2 2
        hod create --name c --network n1 busybox sleep 300 >/dev/null
        hod network connect --ip "$(sub 2 5)" n2 c
        hod network connect --ip "$(sub 2 6)" --alias z n2 c
        [[ $(of c n2 '[.IPAddress,.IPAMConfig.IPv4Address,.Aliases]|tostring') == "[\"\",\"$(sub 2 6)\",[\"z\"]]" ]]
        hod start c >/dev/null
        [[ $(of c n2 .IPAddress) == $(sub 2 6) ]]
        hod stop -t 0 c >/dev/null
        [[ $(of c n2 .IPAddress) == '' ]]
        hod network disconnect n1 c
        hod start c >/dev/null
        [[ $(links c) == 'eth0 lo' && $(of c n1 .IPAddress) == null ]]
        run -1 hod network disconnect n1 c
        [[ $output == *"container $(hod inspect -f '{{.Id}}' c) is not connected to network n1"* ]]
        # What was removed meanwhile can still be left.
        hod stop -t 0 c >/dev/null
        hod network rm n2 >/dev/null
        run -1 hod start c
        [[ $output == *'network n2 not found'* ]]
        hod network disconnect n2 c
        hod start c >/dev/null
        [[ $(links c) == lo ]]
}

@test "a network whose name is the beginning of another's id is not the other" {
        local id name
        id=$(hod network create whole)
        name=${id:0:4}
        hod network create "$name" >/dev/null
        sleeper c --network "$name" --network whole
        hod network disconnect whole c
        [[ $(settings c | jq -r 'keys | join(",")') == "$name" && $(links c) == 'eth0 lo' ]]
        hod restart -t 0 c >/dev/null
        [[ $(settings c | jq -r 'keys | join(",")') == "$name" ]]
}

@test "connect and disconnect do not wait for a container that has filled its hosts with a million lines" {
        make n1 1
        sleeper c
        hod exec c sh -c 'yes "" | head -c 1000000 >/etc/hosts'
        timeout 60 "$HOD_BIN/hod" network connect n1 c
        hod exec c grep -q "$(sub 1 2)" /etc/hosts
        timeout 60 "$HOD_BIN/hod" network disconnect n1 c
}

@test "an address that was asked for is kept over stop, start and restart; another is given out again after a stop" {
        make n1 1
        sleeper c --network n1 --ip "$(sub 1 50)"
        sleeper d --network n1
        [[ $(of d n1 .IPAddress) == $(sub 1 2) ]]
        hod restart -t 0 c d >/dev/null
        [[ $(of c n1 .IPAddress) == $(sub 1 50) && $(of d n1 .IPAddress) == $(sub 1 2) ]]
        hod stop -t 0 c d >/dev/null
        sleeper e --network n1
        [[ $(of e n1 .IPAddress) == $(sub 1 2) ]]
        hod start c d >/dev/null
        [[ $(of c n1 .IPAddress) == $(sub 1 50) && $(of d n1 .IPAddress) == $(sub 1 3) ]]
}

@test "who has joined a network namespace keeps no interface in it when its container ends: the address is to be another's" {
        make n1 1
        sleeper c --network n1
        sleeper j --network container:c
        reaches j "$(sub 1 1)"
        hod stop -t 0 c >/dev/null
        is "$(links j)" lo
        hod start c >/dev/null
        is "$(links j)" lo
        hod restart -t 0 j >/dev/null
        is "$(links j)" 'eth0 lo'
        hod rm -f c >/dev/null
        sleeper d --network n1
        is "$(of d n1 .IPAddress)" "$(sub 1 2)"
        is "$(links j)" lo
}

@test "who has joined a network namespace by a path keeps no interface in it either" {
        make n1 1
        sleeper c --network n1
        : >"$T/ns"
        mount --bind "/proc/$(init_pid c)/ns/net" "$T/ns"
        sleeper j --network "ns:/proc/$(init_pid c)/ns/net"
        sleeper k --network "ns:$T/ns"
        reaches j "$(sub 1 1)"
        is "$(links k)" 'eth0 lo'
        hod stop -t 0 c >/dev/null
        is "$(links j) $(links k)" 'lo lo'
        hod start c >/dev/null
        is "$(links j) $(links c)" 'lo eth0 lo'
        hod restart -t 0 k >/dev/null
        is "$(links k)" lo
        hod rm -f k >/dev/null
        umount "$T/ns"
}

@test "an interface goes with its container although the namespace is kept by something that hod does not know of" {
        make n1 1
        sleeper c --network n1
        : >"$T/ns"
        mount --bind "/proc/$(init_pid c)/ns/net" "$T/ns"
        inside() { nsenter --net="$T/ns" ip -o link | awk '{print $2}' | paste -sd' '; }
        [[ $(inside) == 'lo: eth0@'* ]]
        hod rm -f c >/dev/null
        gone() { [[ $(inside) == lo: ]]; }
        eventually 30 gone
        umount "$T/ns"
}

@test "networks that came while it ran are there after a restart by policy, those that went are not" {
        make n1 1
        make n2 2
        hod run -d --name c --restart always --network n1 busybox sleep 300 >/dev/null
        hod network connect n2 c
        hod network disconnect n1 c
        local pid address
        pid=$(init_pid c) address=$(of c n2 .IPAddress)
        kill -9 "$pid"
        other() { [[ $(init_pid c) != 0 && $(init_pid c) != "$pid" ]]; }
        eventually 5 other
        [[ $(links c) == 'eth0 lo' || $(links c) == 'eth1 lo' ]]
        hod exec c ip -4 -o addr | grep -q "$address/24"
        [[ $(route c) == "via $(sub 2 1) dev "* ]]
        sleeper d --network n2
        reaches d c
}

@test "published ports lead to where the container is after a restart by policy, also from ::1, when networks changed between two runs" {
        make n1 1
        make n2 2
        local port
        port=$(free_port)
        mkdir -p "$T/may"
        hod run -d --name c -h chost --restart always --network n1 -p "$port:80" -v "$T/may:/may:ro" busybox \
                sh -c '[ -e /may/run ] || exit 1; exec httpd -f -p 80 -h /etc' >/dev/null
        pausing() { [[ $(hod inspect -f '{{.State.Restarting}} {{gt .RestartCount 4}}' c) == 'true true' ]]; }
        eventually 30 pausing
        hod network disconnect n1 c
        hod network connect n2 c
        touch "$T/may/run"
        ask() { [[ $(curl -s --connect-timeout 3 -m 20 "http://$1:$port/hostname") == chost ]]; }
        eventually 30 ask 127.0.0.1
        ask '[::1]'
}

@test "published ports lead by the network that leads out, whichever that is" {
        make n1 1
        local port
        hod run -d --name c -h chost -p 80 busybox httpd -f -p 80 -h /etc >/dev/null
        port=$(hod inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' c)
        ask() { [[ $(curl -s --connect-timeout 3 -m 20 "http://$1:$port/hostname") == chost ]]; }
        listening c 80
        ask 127.0.0.1
        hod network connect n1 c
        ask 127.0.0.1
        hod network disconnect bridge c
        ask 127.0.0.1
        ask '[::1]'
        hod network disconnect n1 c
        run ! ask 127.0.0.1
        [[ $(hod ps --format '{{.Ports}}') != *"$port"* ]]
        hod network connect bridge c
        ask 127.0.0.1
}

@test "published ports lead by one network for each family, if none has both; the rest is as with one" {
        machine '' '
                set -E; trap "echo failed at: \$BASH_COMMAND >&2" ERR
                ip addr add 192.0.2.1/24 dev host0; ip -6 addr add 2001:db8:7::1/64 dev host0 nodad
                nsenter -t $N -n ip addr add 192.0.2.2/24 dev n0
                nsenter -t $N -n ip -6 addr add 2001:db8:7::2/64 dev n0 nodad
                hod network create --subnet $(sub 1 0)/24 n4 >/dev/null
                hod network create --ipv4=false --ipv6 n6 >/dev/null
                hod network create --ipv6 --subnet $(sub 2 0)/24 both >/dev/null
                serve c --network n6 --network n4 -p 18080:80
                all() {
                        local at
                        for at in 192.0.2.1 "[2001:db8:7::1]"; do [[ $(neighbour $at ${1-18080}) == host-c ]]; done
                        for at in 127.0.0.1 "[::1]"; do [[ $(get $at ${1-18080}) == host-c ]]; done
                }
                [[ $(hod port c | paste -sd" ") == "80/tcp -> 0.0.0.0:18080 80/tcp -> [::]:18080" ]]
                all
                hod container publish c 18081:80 >/dev/null
                all 18081
                hod network disconnect n4 c
                [[ -z $(get 127.0.0.1 18080) && $(get "[::1]" 18080) == host-c ]]
                hod network connect both c
                all
                hod network disconnect n6 c
                all
                hod network connect n6 c
                hod network connect n4 c
                hod network disconnect both c
                all
                nft flush ruleset
                hod network reload >/dev/null
                all
                hod restart -t 0 c >/dev/null
                listening c 80
                all
                hod rm -f c >/dev/null
                ! nft list table inet hod | grep 1808'
}

@test "a port that is taken back while no network leads out does not come back with the next network" {
        make n1 1
        local port
        hod run -d --name c --network n1 -p 127.0.0.1::80 -p 127.0.0.1::81 busybox sleep 300 >/dev/null
        port=$(hod port c 80 | sed 's/.*://')
        hod network disconnect n1 c
        hod container unpublish c "$port"
        refused 1 "No public port '$port/tcp' published for c" hod container unpublish c "$port"
        hod network connect n1 c
        run -0 hod port c
        [[ $output == '81/tcp -> 127.0.0.1:'* && $output != *$'\n'* ]]
        hod container publish c "127.0.0.1:$port:80" # nobody holds it
}

@test "a port that is taken back does not come back with the next network, although all were to be published" {
        make n1 1
        make n2 2
        local more port
        port=$(free_port 3)
        sleeper c --network n1 -P --expose 81 -p "127.0.0.1:$port:80"
        more=$(hod port c 81)
        hod container unpublish c "127.0.0.1:$port"
        hod network connect --gw-priority 5 n2 c
        is "$(hod port c)" "81/tcp -> ${more//$'\n'/$'\n'81\/tcp -> }"
        hod container publish c "127.0.0.1:$port:85"
        hod container unpublish c "127.0.0.1:$port"
        hod network disconnect n2 c
        is "$(hod port c)" "81/tcp -> ${more//$'\n'/$'\n'81\/tcp -> }"
        is "$(hod inspect -f '{{.HostConfig.PublishAllPorts}} {{json .HostConfig.PortBindings}}' c)" 'false {"81/tcp":[{"HostIp":"","HostPort":""}]}'
}

@test "ports without a network that could have them are discarded, until there is one" {
        hod network create --internal ni >/dev/null
        local port
        run -0 --separate-stderr hod run -d --name c -h chost --network ni -p 80 busybox httpd -f -p 80 -h /etc
        [[ $stderr == *'container c: published ports are discarded'* && -z $(hod port c) ]]
        hod network connect bridge c
        port=$(hod port c 80 | sed 's/.*://')
        ask() { [[ $(curl -s --connect-timeout 3 -m 20 "http://127.0.0.1:$port/hostname") == chost ]]; }
        listening c 80
        ask
        hod network disconnect bridge c
        run ! ask
        run -0 --separate-stderr hod restart -t 0 c
        [[ $stderr == *'container c: published ports are discarded'* ]]
}

@test "connect and disconnect: what is wrong is one clear line, and nothing has changed" {
        make n1 1
        hod network create n2 >/dev/null
        sleeper c --network n1
        sleeper ch --network host
        hod run -d --name cc --network container:c busybox sleep 300 >/dev/null
        hod create --name cn --network none busybox true >/dev/null
        hod create --name cs --network n1 busybox true >/dev/null
        settings c >"$T/before-bad"
        local bad text
        while IFS='|' read -r bad text; do
                echo "$bad"
                # shellcheck disable=SC2086
                refused 1 "$text" hod network $bad
        done <<-END
		connect n1 c|endpoint with name c already exists in network n1
		connect --ip 10.1.2.3 n2 c|user specified IP address is supported only when connecting to networks with user configured subnets
		connect --ip 10.1.2.3 n1 cs|no configured subnet or ip-range contain the IP address 10.1.2.3
		connect --ip bogus n1 cs|invalid IPv4 address: bogus
		connect --ip6 fd00::1 n1 cs|no configured subnet or ip-range contain the IP address fd00::1
		connect --ip $(sub 1 2) n1 cs2|No such container: cs2
		connect nosuch c|network nosuch not found
		connect n1 nosuch|No such container: nosuch
		connect host c|cannot connect container to host network - container must be created in host network mode
		connect --alias x bridge c|network-scoped aliases are only supported for user-defined networks
		connect none c|container cannot be connected to multiple networks with one of the networks in private \(none\) mode
		connect n1 ch|container sharing network namespace with another container or host cannot be connected to any other network
		connect n1 cc|container sharing network namespace with another container or host cannot be connected to any other network
		connect n1 cn|one of the networks in private \(none\) mode
		connect --driver-opt bogus n2 c|invalid key value pair format in driver options
		connect --driver-opt com.docker.network.endpoint.ifname=eth0 n2 c|has a network device eth0 already
		connect --driver-opt com.docker.network.endpoint.ifname=a/b n2 c|no name of a network device
		connect --driver-opt com.docker.network.endpoint.sysctls=net.ipv4.ip_forward=1 n2 c|must be net.X.Y.IFNAME.Z
		connect --driver-opt com.docker.network.endpoint.bogus=1 n2 c|is not supported
		connect --alias a,b n2 c|cannot be a name in a network
		connect --link-local-ip x n2 c|invalid link-local IP address: x
		disconnect n2 c|is not connected to network n2
		disconnect n2 nosuch|No such container: nosuch
		disconnect -f n2 nosuch|endpoint nosuch not found
		disconnect nosuch c|network nosuch not found
		disconnect host ch|cannot disconnect container from host network - container was created in host network mode
		disconnect n1 cc|is not connected to network n1
	END
        settings c | cmp - "$T/before-bad"
        [[ $(links c) == 'eth0 lo' ]]
        run -0 hod network inspect -f '{{len .Containers}}' n2
        [[ $output == 0 ]]
        hod network disconnect none cn
        hod network connect n1 cn
        hod start cn >/dev/null
}

@test "run: networks that cannot be together, or are asked for wrongly" {
        make n1 1
        local id bad text
        id=$(hod network inspect -f '{{.Id}}' n1)
        while IFS='|' read -r bad text; do
                echo "$bad"
                # shellcheck disable=SC2086
                refused 125 "$text" hod run --rm $bad busybox true
        done <<-END
		--network none --network n1|container cannot be connected to multiple networks with one of the networks in private \(none\) mode
		--network n1 --network none|container cannot be connected to multiple networks with one of the networks in private \(none\) mode
		--network host --network n1|cannot be connected to any other network
		--network n1 --network container:x|cannot be connected to any other network
		--network n1 --network ns:/x|cannot be connected to any other network
		--network n1 --network n1|network "n1" is specified multiple times
		--network n1 --network $id|network "n1" is specified multiple times
		--network name=n1,foo=bar|invalid field key foo
		--network name=n1,alias|invalid field alias
		--network ip=1.2.3.4|network name/id is not specified
		--network name=n1,gw-priority=x|invalid gw-priority \(x\)
		--network name=n1,mac-address=x|x is not a valid mac address
		--network name=n1,ip=10.1.2.3|no configured subnet or ip-range contain the IP address 10.1.2.3
		--network name=n1,driver-opt=x|invalid key value pair format in driver options
		--network name=bridge,alias=x|network-scoped aliases are only supported for user-defined networks
		--network name=n1,alias=x --network-alias y|cannot specify both --network-alias and per-network alias
		--network name=n1,ip=$(sub 1 5) --ip $(sub 1 6)|cannot specify both --ip and per-network IPv4 address
		--network name=n1,mac-address=02:00:00:00:00:01 --mac-address 02:00:00:00:00:02|cannot specify both --mac-address and per-network MAC address
		--network n1 --mac-address 01:00:5e:00:00:01|01:00:5e:00:00:01 is not a valid mac address: it is that of a group
		--network name=n1,mac-address=ff:ff:ff:ff:ff:ff|is not a valid mac address: it is that of a group
		--mac-address 00-00-00-00-00-00|is not a valid mac address: it is nobody's
		--network host --mac-address 02:00:00:00:00:01|conflicting options: mac-address and the network mode
		--network none --mac-address 02:00:00:00:00:01|conflicting options: mac-address and the network mode
		--network container:c --mac-address 02:00:00:00:00:01|conflicting options: mac-address and the network mode
		--network nosuch|network nosuch not found
		--network n1 --network nosuch|network nosuch not found
	END
        [[ -z $(hod ps -aq) ]]
        run -0 hod network inspect -f '{{len .Containers}}' n1
        [[ $output == 0 ]]
}

@test "connects at once: one container to eight networks, eight containers to one" {
        local i pids=()
        for i in {1..8}; do make "n$i" "$i"; done
        sleeper c
        for i in {1..8}; do sleeper "d$i" --network none; done
        for i in {1..8}; do hod network disconnect none "d$i"; done
        for i in {1..8}; do
                hod network connect "n$i" c &
                pids+=($!)
                hod network connect n1 "d$i" &
                pids+=($!)
        done
        for i in "${pids[@]}"; do wait "$i"; done
        [[ $(hod exec c ip -4 -o addr | grep -c ' eth') -eq 9 ]]
        hod network inspect -f '{{range .Containers}}{{.IPv4Address}}{{"\n"}}{{end}}' n1 | grep . | sort >"$T/addresses"
        [[ $(wc -l <"$T/addresses") -eq 9 && $(uniq "$T/addresses" | wc -l) -eq 9 ]]
}

@test "connects and disconnects that were killed: the next one does it, and nothing is left" {
        make n1 1
        sleeper c
        local ms
        for ms in 002 004 006 008 010 013 016 020 025; do
                timeout --foreground -s KILL "0.$ms" "$HOD_BIN/hod" network connect n1 c >/dev/null 2>&1 || true
                hod network connect n1 c 2>/dev/null || [[ $(links c) == *eth1* ]]
                [[ $(links c) =~ ^eth0\ eth[0-9]+\ lo$ ]]
                [[ $(hod exec c ip -4 -o addr | grep -c "$(sub 1 '')") -eq 1 ]]
                timeout --foreground -s KILL "0.$ms" "$HOD_BIN/hod" network disconnect n1 c >/dev/null 2>&1 || true
                hod network disconnect n1 c 2>/dev/null || true
                [[ $(links c) == 'eth0 lo' ]]
                run -0 hod network inspect -f '{{len .Containers}}' n1
                [[ $output == 0 ]]
        done
}

@test "a connect or disconnect that was killed is undone or finished by the next command about the container, or a reload" {
        local i port lock fd p next m
        port=$(free_port)
        for i in 1 2 3; do make "n$i" "$i"; done
        sleeper c --network n1 --network n2 -p "$port:80"
        lock=$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' c)/network.lock
        waits() { grep -Eq -- "-> FLOCK +ADVISORY +WRITE $p [0-9a-f:]+:$(stat -c %i "$lock") " /proc/locks; }
        # What waits for the second lock has changed the record, if it disconnects, and nothing else.
        killed() {
                exec {fd}>>"$lock"
                flock "$fd"
                "$HOD_BIN/hod" network "$@" {fd}>&- &
                p=$!
                eventually 20 waits
                kill -9 "$p"
                wait "$p" || true
                exec {fd}>&-
        }
        leads() { nft list map inet hod all_ports4 | sed -n "s/.*tcp \. $port [^:]*: \([0-9.]*\) .*/\1/p"; }
        for next in 'network reload' 'container publish c 127.0.0.1::81' 'container unpublish c 127.0.0.1::81' 'update --net-rate 100mbit c' 'rename c d' \
                'rename d c' 'network disconnect n1 c' 'network connect --gw-priority -1 n3 c' 'network disconnect n3 c'; do
                killed disconnect n1 "$(hod ps --format '{{.Names}}')"
                is "$(leads)" "$(sub 1 2)" "before $next"
                # shellcheck disable=SC2086
                hod $next >/dev/null
                is "$(leads)" "$(sub 2 2)" "after $next"
                hod run --rm --network n1 --ip "$(sub 1 2)" busybox true
                hod network connect --ip "$(sub 1 2)" n1 "$(hod ps --format '{{.Names}}')"
                is "$(leads)" "$(sub 1 2)"
        done
        # Killed where the monitor is to be told: ports have moved, the address has not been given back.
        lead() { [[ $(leads) == "$1" ]]; }
        for next in 'disconnect n1 c' "connect --ip $(sub 1 2) n1 c"; do
                m=$(sed -n 's/^monitor_pid=//p' "${lock%/*}/status")
                kill -STOP "$m"
                # shellcheck disable=SC2086
                "$HOD_BIN/hod" network $next &
                p=$!
                eventually 20 lead "$(case $next in d*) sub 2 2 ;; *) sub 1 2 ;; esac)"
                kill -9 "$p"
                wait "$p" || true
                kill -CONT "$m"
                run ! hod run --rm --network n1 --ip "$(sub 1 2)" busybox true
                hod network reload >/dev/null
                is "$(leads) $(links c)" "$(sub 2 2) eth1 lo"
                hod run --rm --network n1 --ip "$(sub 1 2)" busybox true
        done
}

@test "disconnect: of the ports that the next network has otherwise those are closed that somebody has, and come back with the next move" {
        local port
        port=$(free_port 3)
        make n1 1
        make n2 2 -o com.docker.network.bridge.gateway_mode_ipv4=routed
        sleeper c --network n1 --network name=n2,gw-priority=5 -p "$port:80" -p "$((port + 1)):81"
        sleeper d --network n1 -p "$port:80"
        run -0 hod network disconnect n2 c
        like "$output" "^[^"$'\n'"]*port 80/tcp is closed, which its network would have otherwise: Bind for 0.0.0.0:$port failed: port is already allocated \(by container d\)\$"
        is "$(hod port c)" "81/tcp -> 0.0.0.0:$((port + 1))"
        hod rm -f d >/dev/null
        hod network connect --gw-priority 5 n2 c
        is "$(hod port c | sort | paste -sd'|')" "80/tcp -> $(sub 2 2):80|81/tcp -> $(sub 2 2):81"
        hod network disconnect n2 c
        is "$(hod port c | sort | paste -sd'|')" "80/tcp -> 0.0.0.0:$port|81/tcp -> 0.0.0.0:$((port + 1))"
}

# Killed where the monitor is to be told: ports have moved, nothing has been recorded of it. CONDITION: they have.
killed_moving() { # CONTAINER CONDITION ARGUMENT...
        local m p r=0 c=$1 condition=$2
        shift 2
        m=$(sed -n 's/^monitor_pid=//p' "$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' "$c")/status")
        kill -STOP "$m"
        "$HOD_BIN/hod" network "$@" &
        p=$!
        eventually 20 "$condition" || r=1
        kill -9 "$p"
        wait "$p" || true
        kill -CONT "$m" # whatever it was: a stopped one is in the way of all that comes
        return $r
}

@test "a connect or disconnect between routed networks that was killed leaves nothing open where the container is not" {
        local port
        port=$(free_port 3)
        make n1 1 -o com.docker.network.bridge.gateway_mode_ipv4=routed
        make n2 2 -o com.docker.network.bridge.gateway_mode_ipv4=routed
        sleeper c --network n1 -p "$port:80"
        opened() { nft list set inet hod open4 | grep -oE "10\.$A\.[0-9.]+ \. tcp \. 80" | sed 's/ .*//' | paste -sd' '; }
        first() { [[ $(opened) == "$(sub 1 2)" ]]; }
        second() { [[ $(opened) == "$(sub 2 2)" ]]; }
        killed_moving c second connect --gw-priority 5 n2 c
        run -0 hod network reload
        is "${lines[*]}|$(opened)|$(hod port c)|$(links c)" "n1 n2|$(sub 1 2)|80/tcp -> $(sub 1 2):80|eth0 lo"
        killed_moving c second connect --gw-priority 5 n2 c
        run -0 hod network connect --gw-priority 5 n2 c
        is "$output|$(opened)|$(hod port c)" "|$(sub 2 2)|80/tcp -> $(sub 2 2):80"
        killed_moving c first disconnect n2 c
        run -0 hod network reload
        is "${lines[*]}|$(opened)|$(hod port c)|$(links c)" "n1 n2|$(sub 1 2)|80/tcp -> $(sub 1 2):80|eth0 lo"
        killed_moving c second connect --gw-priority 5 n2 c
        hod rm -f c >/dev/null
        is "$(opened)" ''
}

@test "a connect or disconnect that was killed when some of a port's addresses had changed: the port is as before, or as it is to be" {
        local port before after
        port=$(free_port 3)
        make n1 1
        make n2 2 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1
        sleeper c --network n1 -p "$port:80" -p "0.0.0.0:$((port + 1)):80"
        before="80/tcp -> 0.0.0.0:$port"$'\n'"80/tcp -> 0.0.0.0:$((port + 1))"
        after="80/tcp -> 0.0.0.0:$((port + 1))"$'\n'"80/tcp -> 127.0.0.1:$port"
        bound() { nft list map inet hod ports4 | grep -q "127.0.0.1 \. tcp \. $port "; }
        unbound() { ! bound; }
        killed_moving c bound connect --gw-priority 5 n2 c
        run -0 hod network reload
        is "${lines[*]}|$(hod port c)" "n1 n2|$before"
        hod network connect --gw-priority 5 n2 c
        is "$(hod port c)" "$after"
        killed_moving c unbound disconnect n2 c
        run -0 hod network reload
        is "${lines[*]}|$(hod port c)" "n1 n2|$before"
}

@test "connect: what another container has in the firewall where a port is to be is named; of one that is no more it is taken" {
        local port nobody=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        port=$(free_port 3)
        make n1 1
        make n2 2 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1
        make n3 3 -o com.docker.network.bridge.gateway_mode_ipv4=routed
        sleeper d --network n1
        sleeper c --network n1 -p "127.0.0.1:$port:80" -p "$((port + 1)):81"
        # Both stay where they are but for the second: of the first another's element is in the way.
        element_of() { # at once: who watches the rules puts back what it misses
                local at="127.0.0.1 . tcp . $port"
                nft "delete element inet hod ports4 { $at }; add element inet hod ports4 { $at comment \"$1\" : $(sub 1 9) . 80 }"
        }
        element_of "$(hod inspect -f '{{.Id}}' d)"
        run -1 hod network connect --gw-priority 5 n2 c
        [[ $output == *"Bind for 127.0.0.1:$port failed: port is already allocated (by container d)"* ]] || fail "$output"
        is "$(hod port c 81)" "0.0.0.0:$((port + 1))"
        element_of "$nobody"
        hod network connect --gw-priority 5 n2 c
        is "$(hod port c | paste -sd'|')" "80/tcp -> 127.0.0.1:$port|81/tcp -> 127.0.0.1:$((port + 1))"
        [[ $(nft list map inet hod ports4) == *"127.0.0.1 . tcp . $port "*"$(sub 2 2) . 80"* ]] || fail "$(nft list map inet hod ports4)"
        nft add element inet hod open4 "{ $(sub 3 9) . tcp . 81 comment \"$(hod inspect -f '{{.Id}}' d)\" }"
        run -1 hod network connect --gw-priority 9 --ip "$(sub 3 9)" n3 c
        [[ $output == *"Bind for $(sub 3 9):81 failed: port is already allocated (by container d)"* ]] || fail "$output"
        nft delete element inet hod open4 "{ $(sub 3 9) . tcp . 81 }"
        hod network connect --gw-priority 9 --ip "$(sub 3 9)" n3 c
        is "$(hod port c 81)" "$(sub 3 9):81"
}

@test "a reload while ports are moved puts back what there is when that has ended, not what was" {
        local port m p q link
        port=$(free_port 3)
        make n1 1
        make n2 2 -o com.docker.network.bridge.gateway_mode_ipv4=routed
        sleeper c --network n1 -p "$port:80"
        m=$(sed -n 's/^monitor_pid=//p' "$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' c)/status")
        link=br-$(hod network inspect -f '{{slice .Id 0 12}}' n1)
        open() { nft list set inet hod open4 2>&1 | grep -q "$(sub 2 2) \. tcp \. 80 "; }
        kill -STOP "$m"
        "$HOD_BIN/hod" network connect --gw-priority 5 n2 c &
        p=$!
        eventually 20 open # and now the monitor is to be told
        ip addr del "$(sub 1 1)/24" dev "$link" # that it is back says that the reload is at containers, or will be at once
        "$HOD_BIN/hod" network reload >/dev/null &
        q=$!
        looking() { [[ $(ip addr show "$link") == *" $(sub 1 1)/24 "* ]] && grep -q '^State:.S' "/proc/$q/status"; }
        eventually 20 looking
        kill -CONT "$m"
        wait "$p"
        wait "$q"
        open
        run -0 nft list map inet hod all_ports4
        [[ $output != *" $port "* ]]
        hod network disconnect n2 c
        run -0 nft list map inet hod all_ports4
        [[ $output == *"tcp . $port "*": $(sub 1 2) "* ]]
        run ! open
}

@test "a port of the host that is to lead to another port of the container stays held meanwhile" {
        local port conf
        port=$(free_port 3)
        make n1 1
        sleeper c --network n1 -p "$port:80" -p "$port:80/udp"
        conf=$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' c)/conf
        # As it is when one gets what another had, whose own somebody else has taken.
        sed -E "s/^(.* 0\.0\.0\.0 $port [0-9.]+) 80\$/\1 81/" "$conf" >"$T/conf"
        run -1 cmp -s "$conf" "$T/conf"
        cp "$T/conf" "$conf"
        hod network reload >/dev/null
        for type in SOCK_STREAM SOCK_DGRAM; do
                run -1 python3 -c "import socket; socket.socket(type=socket.$type).bind(('0.0.0.0', $port))"
                [[ $output == *'Address already in use'* ]]
        done
}

@test "unpublish: when the monitor cannot do it all is as before, and it can be done again" {
        local port conf before
        port=$(free_port 3)
        make n1 1
        sleeper c --network n1 -p "$port:80"
        conf=$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' c)/conf
        all() {
                hod port c
                hod inspect -f '{{json .HostConfig.PortBindings}}' c
                nft list map inet hod all_ports4 | grep -E "tcp \. $port "
        }
        before=$(all)
        # An address that the host has not.
        sed -E "p; s/^(.*) 0\.0\.0\.0 ($port [0-9.]+ 80)\$/\1 198.51.100.77 \2/; t; d" "$conf" >"$T/conf"
        run -1 cmp -s "$conf" "$T/conf"
        cp "$conf" "$T/conf.whole"
        cp "$T/conf" "$conf"
        refused 1 'failed to bind host port 198.51.100.77:' hod container unpublish c "$port"
        is "$(all)" "$before"
        cp "$T/conf.whole" "$conf"
        hod container unpublish c "$port"
        is "$(all || true)" '{}'
}

@test "a port that the monitor cannot bind when ports move is said, and is in the way of no other later" {
        local port dir
        port=$(free_port 3)
        make n1 1
        make n2 2
        sleeper c --network n1 -p "$port:80"
        dir=$HOD_STATE/containers/$(hod inspect -f '{{.Id}}' c)
        # An address that the host has not stands for a port that another program has taken just now.
        jq -c ".Ports[\"81/udp\"] = [{HostIp: \"198.51.100.77\", HostPort: \"$port\"}]" "$dir/network.json" >"$T/network.json"
        cp "$T/network.json" "$dir/network.json"
        run -0 hod network connect --gw-priority 5 n2 c
        [[ $output == *"warning "*"failed to bind host port 198.51.100.77:$port/udp"* ]]
        lines() { sed -nE "s/.* (0\.0\.0\.0|198.51.100.77) ($port) ([0-9.]+ [0-9]+)$/\1 \3/p" "$dir/conf"; }
        is "$(lines)" "0.0.0.0 $(sub 2 2) 80"
        hod container publish c 127.0.0.1::82
        hod container unpublish c "$(hod port c 82)"
        run -0 hod network disconnect n2 c
        [[ $output == *"warning "*"failed to bind host port 198.51.100.77:$port/udp"* ]]
        is "$(lines)" "0.0.0.0 $(sub 1 2) 80"
}

@test "bad input: subnets, gateways, drivers, names: one clear line, and no network more than before" {
        make n1 1
        local bad text long
        printf -v long 'x%.0s' {1..256}
        while IFS='|' read -r bad text; do
                echo "$bad"
                # shellcheck disable=SC2086
                refused 1 "$text" hod network create $bad
        done <<-END
		--subnet $(sub 1 0)/25 n|overlaps with other one on this address space
		--subnet $(sub 0 0)/16 n|it should be 10.
		--subnet $(sub 2 0)/24 --subnet $(sub 2 0)/25 n|multiple overlapping subnet
		--subnet $(sub 2 0)/24 --gateway $(sub 3 1) n|no matching subnet for gateway
		--subnet $(sub 2 0)/24 --gateway $(sub 2 0) n|invalid gateway
		--subnet $(sub 2 0)/24 --gateway $(sub 2 255) n|invalid gateway
		--subnet $(sub 2 0)/24 --gateway bogus n|no matching subnet for gateway bogus
		--subnet $(sub 2 0)/24 --aux-address a=$(sub 2 1) n|is the gateway's
		--subnet $(sub 2 0)/24 --aux-address a n|must be formatted as key=value
		--subnet $(sub 2 0)/31 n|no room for a gateway and a container
		--subnet $(sub 2 1)/32 n|no room for a gateway and a container
		--subnet 0.0.0.0/0 n|too large
		--subnet $(sub 2 0) n|invalid CIDR block notation
		--subnet $(sub 2 0)/33 n|invalid CIDR block notation
		--subnet 127.9.0.0/24 n|not for networks
		--subnet 224.0.0.0/24 n|not for networks
		--subnet fe80::/64 n|not for networks
		--ipv6 --subnet fd00:$A:: n|invalid CIDR block notation
		--ipv6 --subnet fd00:$A::/127 n|no room for a gateway and a container
		--subnet ::/0 n|too large
		-d nosuch n|plugin "nosuch" not found
		-d overlay n|not a swarm manager
		n1|network with name n1 already exists
		bridge|operation is not permitted on predefined bridge network
		a/b|invalid name
		$long|longer than 255 bytes
		-o com.docker.network.driver.mtu=9 n|invalid MTU
		--ipv6 -o com.docker.network.driver.mtu=1279 n|IPv6 needs at least 1280
		--scope global n|invalid scope
		-o com.docker.network.bridge.gateway_mode_ipv4=bogus n|unknown gateway mode bogus
		-d macvlan -o parent=lo n|loopback interface is not a valid macvlan parent
		-d macvlan -o parent=hodnope n|no network device of the host
		-d macvlan -o parent=hodnope.10 n|failed to find master interface hodnope
		-d macvlan -o parent=lo.4095 n|no network device of the host
		-d macvlan -o macvlan_mode=x n|requested macvlan mode 'x' is not valid
		-d ipvlan -o ipvlan_mode=x n|requested ipvlan mode 'x' is not valid
		-d ipvlan -o ipvlan_flag=x n|requested ipvlan flag 'x' is not valid
	END
        run -0 hod network ls -q --filter type=custom
        [[ ${#lines[@]} -eq 1 ]]
        # Dots, letters of all alphabets and blanks are names; what has them can be used.
        for long in a.b 'a b' ünï "${long:0:64}"; do
                hod network create "$long" >/dev/null
                run -0 hod run --rm --network "$long" busybox true
                hod network rm "$long" >/dev/null
        done
}

@test "bad input: addresses, names and ports of a container: one clear line, no container, no lease" {
        hod network create --subnet "$(sub 1 0)/30" n1 >/dev/null
        hod network create --subnet "$(sub 2 0)/24" n2 >/dev/null
        sleeper c --network n1
        hod create --name stopped --network n2 busybox true >/dev/null
        local bad text long
        printf -v long 'x%.0s' {1..64}
        while IFS='|' read -r bad text; do
                echo "$bad"
                # shellcheck disable=SC2086
                refused 125 "$text" hod run --rm $bad busybox true
        done <<-END
		--network n1|no available IPv4 addresses on this network's address pools: $(sub 1 0)/30
		--network n1 --ip $(sub 1 2)|Address already in use
		--network n1 --ip $(sub 1 1)|Address already in use
		--network n1 --ip $(sub 1 3)|Address already in use
		--network n2 --ip $(sub 1 2)|invalid config for network n2: .*no configured subnet or ip-range contain the IP address
		--network n2 --ip 1.2.3|invalid config for network n2: .*invalid IPv4 address: 1.2.3
		--network n2 --ip6 fd00::1|no configured subnet or ip-range contain the IP address fd00::1
		--network n2 --network-alias $long|more than 63 bytes without a dot
		--network n2 --network-alias a..b|a dot that separates nothing
		--network n2 --network-alias .|a dot that separates nothing
		--network n2 --mac-address 02:zz:00:00:00:00|is not a valid mac address
		--name self --network container:self|cannot join own network namespace
		--network container:stopped|cannot join network namespace of a non running container: container stopped is created
		--network container:nosuch|No such container: nosuch
		-p 65536:80|Invalid hostPort: 65536
		-p 80:65536|Invalid containerPort: 65536
		-p 80:0|ports begin with 1
		-p 9000-9002:80-81|Invalid ranges specified
		-p 192.0.2.77:9000:80|annot assign requested address
		-p 80:80/foo|Invalid proto: foo
	END
        run -0 hod ps -aq
        [[ ${#lines[@]} -eq 2 ]]
        run -0 hod network inspect -f '{{len .Containers}}' n1 n2
        [[ $output == $'1\n0' ]]
        # A pool that is given back can be taken again.
        hod rm -f c >/dev/null
        run -0 hod run --rm --network n1 --network-alias "${long:0:63}" --network-alias a.b busybox true
}

# on_link SCRIPT: in a network namespace of its own, whose link host0 leads to a "router" (pid $N, address $GW).
on_link() { machine 'GW=$(sub 9 1); nsenter -t $N -n ip addr add $GW/24 dev n0' "$1"; }

@test "macvlan: on the link of the host, from the start and live; what its parent is used for by one is not another's" {
        run -0 on_link '
                hod network create -d macvlan -o parent=host0 --subnet $(sub 9 0)/24 --gateway $GW --ip-range $(sub 9 128)/25 mv >/dev/null
                hod network create -d macvlan -o parent=host0 --internal --subnet $(sub 8 0)/24 mi >/dev/null
                hod run -d --name m1 --network mv --mac-address 02:00:00:00:99:01 busybox sleep 100 >/dev/null
                hod run -d --name b1 busybox sleep 100 >/dev/null
                hod exec m1 sh -c "ip -4 -o addr show eth0 | grep -o \"inet [0-9./]*\"; cat /sys/class/net/eth0/address; ip route | head -n 1; ping -c 1 -W 20 $GW | grep -c \"64 bytes\""
                nsenter -t $N -n ping -c 1 -W 20 $(sub 9 128) >/dev/null && echo seen
                hod network connect --gw-priority 1 mv b1
                hod exec b1 sh -c "ping -c 1 -W 20 m1 >/dev/null && echo live; ip route | head -n 1"
                inside b1 sh -c "ip link set eth1 down; ip link set eth1 name other" # as NET_ADMIN could
                hod network disconnect mv b1
                hod exec b1 sh -c "ls /sys/class/net | paste -sd, ; ip route | grep -c default"
                hod run --rm --network mi busybox ip route | grep -c .
                hod network create -d macvlan -o parent=host0 -o macvlan_mode=passthru mp 2>&1 || true
                hod network create -d ipvlan -o parent=host0 mp 2>&1 || true
                hod rm -f m1 b1 >/dev/null
                hod network rm mv mi >/dev/null
                for mode in private vepa passthru; do
                        hod network create -d macvlan -o parent=host0 -o macvlan_mode=$mode --subnet $(sub 9 0)/24 --gateway $GW mm >/dev/null
                        hod run --rm --network name=mm,ip=$(sub 9 200) busybox ping -c 1 -W 20 $GW | grep -c "64 bytes"
                        hod network rm mm >/dev/null
                done
                ip -o link show host0 | grep -c .
                hod network create -d macvlan -o parent=host0 mm >/dev/null
                ip link del host0
                hod run --rm --network mm busybox true 2>&1 | head -n 1
                hod network rm mm'
        echo "$output"
        [[ $output == "inet $(sub 9 128)/24
02:00:00:00:99:01
default via $(sub 9 1) dev eth0 
1
seen
live
default via $(sub 9 1) dev eth1 
eth0,lo
1
1
hod: network mi is already using parent interface host0
hod: network mi is already using parent interface host0
1
1
1
1
hod: failed to set up container networking: the parent host0 is no network device of the host, and no VLAN of one, as eth0.10 would be
mm" ]]
}

@test "macvlan: who has joined the namespace of a container that has ended has its device no more: the next one gets the address" {
        on_link '
                hod network create -d macvlan -o parent=host0 --subnet $(sub 9 0)/24 --gateway $GW mv >/dev/null
                hod run -d --name c --network mv --network bridge busybox sleep 100 >/dev/null
                hod run -d --name j --network container:c busybox sleep 100 >/dev/null
                hod rm -f c >/dev/null
                [[ $(hod exec j ls /sys/class/net) == lo ]]
                hod run --rm --network mv busybox ping -c 1 -W 20 $GW >/dev/null
                hod rm -f j >/dev/null
                hod network rm mv >/dev/null'
}

@test "macvlan: nor has who has joined one that has joined it, or joined by a path" {
        on_link '
                hod network create -d macvlan -o parent=host0 --subnet $(sub 9 0)/24 --gateway $GW mv >/dev/null
                hod run -d --name c --network mv --network bridge busybox sleep 100 >/dev/null
                hod run -d --name j --network container:c busybox sleep 100 >/dev/null
                hod run -d --name k --network container:j busybox sleep 100 >/dev/null
                hod run -d --name l --network ns:/proc/$(pid c)/ns/net busybox sleep 100 >/dev/null
                [[ $(hod exec k ls /sys/class/net | paste -sd,) == eth0,eth1,lo ]]
                hod rm -f j >/dev/null
                hod rm -f c >/dev/null
                [[ $(hod exec k ls /sys/class/net) == lo ]]
                [[ $(hod exec l ls /sys/class/net) == lo ]]
                hod run --rm --network mv busybox ping -c 1 -W 2 $GW >/dev/null
                hod rm -f k l >/dev/null
                hod network rm mv >/dev/null'
}

@test "macvlan: a restart by policy gets its address again, whoever has joined the namespace of the run before" {
        on_link '
                hod network create -d macvlan -o parent=host0 --subnet $(sub 9 0)/24 --gateway $GW mv >/dev/null
                hod network create -d macvlan -o parent=host0 --subnet $(sub 8 0)/24 mw >/dev/null
                hod run -d --name c --restart always --network mv busybox sleep 100 >/dev/null
                hod network connect mw c
                hod run -d --name j --network container:c busybox sleep 100 >/dev/null
                [[ $(hod exec j ls /sys/class/net | paste -sd,) == eth0,eth1,lo ]]
                for run in 1 2; do
                        kill -9 $(pid c)
                        for _ in {1..500}; do [[ $(hod inspect -f "{{.RestartCount}} {{.State.Status}}" c) == "$run running" ]] && break; sleep 0.02; done
                        [[ $(hod exec c ls /sys/class/net | paste -sd,) == eth0,eth1,lo ]]
                        hod exec c ping -c 1 -W 2 $GW >/dev/null
                        [[ $(hod exec j ls /sys/class/net) == lo ]]
                done
                hod rm -f c j >/dev/null
                hod network rm mv mw >/dev/null'
}

@test "macvlan: what a container stands on a device of its own, of the number and with the address of ours, is not taken for ours" {
        run -0 on_link '
                hod network create -d macvlan -o parent=host0 --subnet $(sub 9 0)/24 --gateway $GW mv >/dev/null
                hod run -d --name m1 --network bridge --network mv busybox sleep 100 >/dev/null
                index=$(ip -o link show host0 | cut -d: -f1)
                mac=$(hod exec m1 cat /sys/class/net/eth1/address)
                # As SYS_ADMIN and NET_ADMIN could: in a namespace of its own a link of the number that host0 has.
                nsenter -t $(pid m1) -n unshare -n sleep 100 & S=$!
                for _ in {1..500}; do ns=$(readlink /proc/$S/ns/net || true); [[ $ns && $ns != "$(readlink /proc/$(pid m1)/ns/net)" && $ns != "$(readlink /proc/self/ns/net)" ]] && break; sleep 0.02; done
                inside m1 sh -c "ip link set eth1 down; ip link set eth1 name ours address 02:00:00:00:99:07"
                nsenter -t $S -n ip link add name low index $index type bridge
                nsenter -t $S -n ip link add link low name eth1 address $mac type macvlan mode bridge
                nsenter -t $S -n ip link set eth1 netns $(pid m1)
                inside m1 ip -o link | grep -o "[a-z0-9]*@if[0-9]*" | grep -v eth0 | sort | sed "s/@if$index$/@low/" | paste -sd,
                hod network disconnect mv m1
                hod exec m1 ls /sys/class/net | paste -sd,
                kill $S
                hod rm -f m1 >/dev/null
                hod network rm mv >/dev/null'
        echo "$output"
        [[ $output == $'eth1@low,ours@low\neth0,eth1,lo' ]]
}

@test "after a reboot a network comes back when it is used; a container's own addresses with it" {
        run -0 on_link '
                hod network create --subnet $(sub 1 0)/24 nr >/dev/null
                hod run -d --name c --network nr --ip $(sub 1 9) busybox sleep 100 >/dev/null
                hod network connect bridge c
                hod stop -t 0 c >/dev/null
                # What a reboot takes: links, rules, the state directory.
                for link in $(ip -o link | sed -n "s/^[0-9]*: \(br-[^:@]*\|hod[^:@]*\).*/\1/p"); do
                        ip link del $link 2>/dev/null || [[ ! -e /sys/class/net/$link ]] # the kernel may have been as fast
                done
                nft delete table inet hod
                rm -rf "$HOD_STATE/networks"
                hod start c >/dev/null
                hod exec c sh -c "ip -4 -o addr | grep -c eth; ping -c 1 -W 20 $(sub 1 1) | grep -c \"64 bytes\""
                hod inspect -f "{{.NetworkSettings.Networks.nr.IPAddress}}" c
                hod rename c d
                hod run --rm --network nr busybox ping -c 1 -W 20 d | grep -c "64 bytes"
                hod rm -f d >/dev/null
                hod network prune -f >/dev/null'
        echo "$output"
        [[ $output == "2
1
$(sub 1 9)
1" ]]
}

@test "a container's name that DNS cannot carry is said at its start on a user network, and nowhere else" {
        local long
        long=$(printf 'a%.0s' {1..64})
        hod network create dn >/dev/null
        like "$(hod run --rm --name "$long" --network dn busybox true 2>&1)" 'DNS does not carry names of more than 63 bytes'
        is "$(hod run --rm --name "${long%a}" --network dn busybox true 2>&1)" ''
        is "$(hod run --rm --name "$long" busybox true 2>&1)" ''
        hod network rm dn >/dev/null
}
