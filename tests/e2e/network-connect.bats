#!/usr/bin/env bats
# A container on several networks, and networks that come and go while it runs or is stopped.

load lib
setup_file() {
        e2e_setup
        # Subnets that nobody else uses: 10.A.B.0/24, fdAB:...
        export A=$((150 + RANDOM % 90)) B=$((RANDOM % 200))
}
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

sub() { printf '10.%s.%s.%s' "$A" "$((B + $1))" "$2"; }
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
reaches() { hod exec "$1" ping -c 1 -W 2 "$2" >/dev/null; }

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

@test "which network leads out: the highest priority, then one with IPv6, then the first name; an internal one never" {
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
        ! reaches c "$(sub 2 2)"
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
        ! reaches c "$(sub 2 2)"
        ! reaches d see
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
                --driver-opt com.docker.network.endpoint.ifname=blue --driver-opt x=y --link-local-ip 169.254.3.4 n1 c
        run -0 hod exec c ip addr show blue
        [[ $output == *"inet $(sub 1 8)/24"* && $output == *"inet6 fd$A:$B::8/64"* && $output == *'inet 169.254.3.4/16'* ]]
        reaches d a1
        reaches d a2
        reaches c dee
        [[ $(route c) == "via $(sub 1 1) dev blue" ]]
        [[ $(of c n1 '[.Aliases,.Links,.DriverOpts,.GwPriority]|tostring') == '[["a1","a2"],["d:dee"],{"com.docker.network.endpoint.ifname":"blue","x":"y"},4]' ]]
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

@test "published ports lead by the network that leads out, whichever that is" {
        make n1 1
        local port
        hod run -d --name c -h chost -p 80 busybox httpd -f -p 80 -h /etc >/dev/null
        port=$(hod inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' c)
        ask() { [[ $(curl -s -m 3 "http://$1:$port/hostname") == chost ]]; }
        eventually 3 ask 127.0.0.1
        hod network connect n1 c
        ask 127.0.0.1
        hod network disconnect bridge c
        ask 127.0.0.1
        ask '[::1]'
        hod network disconnect n1 c
        ! ask 127.0.0.1
        [[ $(hod ps --format '{{.Ports}}') != *"$port"* ]]
        hod network connect bridge c
        ask 127.0.0.1
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
		connect none c|container cannot be connected to multiple networks with one of the networks in private \(none\) mode
		connect n1 ch|container sharing network namespace with another container or host cannot be connected to any other network
		connect n1 cc|container sharing network namespace with another container or host cannot be connected to any other network
		connect n1 cn|one of the networks in private \(none\) mode
		connect --driver-opt bogus n2 c|invalid key value pair format in driver options
		connect --driver-opt com.docker.network.endpoint.ifname=eth0 n2 c|has a network device eth0 already
		connect --driver-opt com.docker.network.endpoint.ifname=a/b n2 c|no name of a network device
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
                timeout -s KILL "0.$ms" "$HOD_BIN/hod" network connect n1 c >/dev/null 2>&1 || true
                hod network connect n1 c 2>/dev/null || [[ $(links c) == *eth1* ]]
                [[ $(links c) =~ ^eth0\ eth[0-9]+\ lo$ ]]
                [[ $(hod exec c ip -4 -o addr | grep -c "$(sub 1 '')") -eq 1 ]]
                timeout -s KILL "0.$ms" "$HOD_BIN/hod" network disconnect n1 c >/dev/null 2>&1 || true
                hod network disconnect n1 c 2>/dev/null || true
                [[ $(links c) == 'eth0 lo' ]]
                run -0 hod network inspect -f '{{len .Containers}}' n1
                [[ $output == 0 ]]
        done
}
