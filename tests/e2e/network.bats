#!/usr/bin/env bats
# Networks: their commands, addresses, reachability, published ports, and what is left behind (nothing).

load lib
load alone
setup_file() {
        e2e_setup
        # Subnets that nobody else uses: 10.A.B.0/24. (No 10.99.0.0, which is nobody's here; and 0 is left out in IPv6.)
        export A=$((50 + RANDOM % 49)) B=$((1 + RANDOM % 199))
}
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

sub() { printf '10.%s.%s.%s' "$A" "$((B + $1))" "$2"; }
export -f sub
# get CONTAINER|- ADDRESS PORT: the last line that a web server there says, asked from the container or the host. That it is
# silent takes three seconds with "patience=3", else twenty: a machine under load stands still now and then.
get() {
        local from=()
        [[ $1 == - ]] || from=(hod exec -i "$1")
        printf 'GET /hostname HTTP/1.0\r\n\r\n' | "${from[@]}" timeout 40 busybox nc -w "${patience-20}" "$2" "$3" 2>/dev/null | tail -n 1
}
serve() {
        local name=$1
        shift
        hod run -d --name "$name" -h "host-$name" "$@" busybox httpd -f -p 80 -h /etc >/dev/null
        listening "$name" 80
}
address() { hod inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"; }

@test "the predefined networks exist without being made, and cannot be removed or made" {
        run -0 hod network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
        [[ $output == $'bridge bridge local\nhost host local\nnone null local' ]]
        run -1 hod network rm bridge
        [[ $output == *'bridge is a pre-defined network and cannot be removed'* ]]
        run -1 hod network rm -f '' # a variable of a script that is not set
        [[ $output == *'invalid network name or ID: value is empty' ]]
        run -1 hod network create host
        [[ $output == *'operation is not permitted on predefined host network'* ]]
}

@test "network create: what is asked for is in inspect; what is wrong is one line and changes nothing" {
        run -0 hod network create --subnet "$(sub 0 0)/24" --gateway "$(sub 0 1)" --ip-range "$(sub 0 128)/25" \
                --aux-address "a=$(sub 0 5)" -o com.docker.network.bridge.name="hx$A$B" --label a=b n2
        [[ $output =~ ^[0-9a-f]{64}$ ]]
        run -0 hod network inspect -f '{{json .IPAM.Config}} {{json .Options}} {{json .Labels}}' n2
        [[ $output == '[{"Subnet":"'"$(sub 0 0)"'/24","IPRange":"'"$(sub 0 128)"'/25","Gateway":"'"$(sub 0 1)"'","AuxiliaryAddresses":{"a":"'"$(sub 0 5)"'"}}] {"com.docker.network.bridge.name":"hx'"$A$B"'"} {"a":"b"}' ]]
        hod network ls -q >"$T/before-bad"
        local bad
        while IFS='|' read -r bad text; do
                # shellcheck disable=SC2086
                run -1 hod network create $bad
                echo "$bad: $output"
                [[ $output == *"$text"* && ${#lines[@]} -eq 1 ]]
        done <<-END
		n2|network with name n2 already exists
		--subnet 10.$A.0.0/16 n3|Pool overlaps with other one on this address space
		--subnet $(sub 1 1)/24 n3|it should be $(sub 1 0)/24
		--subnet bogus n3|invalid CIDR block notation
		--subnet $(sub 1 0)/31 n3|no room
		--subnet $(sub 1 0)/32 n3|no room
		--subnet 0.0.0.0/0 n3|too large
		--subnet $(sub 1 0)/24 --gateway 10.99.0.1 n3|no matching subnet for gateway 10.99.0.1
		--subnet $(sub 1 0)/24 --ip-range $(sub 2 0)/25 n3|no matching subnet for range $(sub 2 0)/25
		--gateway $(sub 1 1) n3|every ip-range or gateway must have a corresponding subnet
		--subnet $(sub 1 0)/24 --gateway $(sub 1 1) --gateway $(sub 1 2) n3|every ip-range or gateway must have a corresponding subnet
		--subnet $(sub 1 0)/24 --aux-address a=10.99.0.1 n3|no matching subnet for aux-address 10.99.0.1
		-d nosuch n3|plugin "nosuch" not found
		-d host n3|only one instance of "host" network is allowed
		-o com.docker.network.driver.mtu=bogus n3|failed to parse com.docker.network.driver.mtu value: bogus
		-o com.docker.network.bridge.name=hx$A$B n3|belongs to network n2
		--ipam-driver nosuch n3|plugin "nosuch" not found
		--ipv4=false n3|IPv4 or IPv6 must be enabled
	END
        hod network ls -q | cmp - "$T/before-bad"
        run -0 hod network rm n2
        run -1 hod network rm n2
        [[ $output == *'network n2 not found'* ]]
        run -0 hod network rm -f n2
}

@test "a container on the default bridge has address, route and name, and reaches the host" {
        run -0 hod run --rm -h web1 --network bridge busybox sh -c '
                ip -4 addr show eth0 | grep -o "inet [0-9./]*"; ip route | head -n 1; tail -n 1 /etc/hosts
                ip -6 addr show eth0; ping -c 1 -W 20 "$(ip route | sed -n "s/^default via \([^ ]*\).*/\1/p")" | grep -c "64 bytes"'
        echo "$output"
        [[ ${lines[0]} =~ ^inet\ 1(72|92)\.[0-9.]+/(16|20)$ && ${lines[1]} == 'default via '*' dev eth0'* ]]
        [[ ${lines[2]} == *$'\tweb1' && ${lines[3]} == 1 && ${#lines[@]} -eq 4 ]]
}

@test "containers of one network reach each other; another network, or an internal one's way out, they do not" {
        hod network create na >/dev/null
        hod network create nb >/dev/null
        hod network create --internal ni >/dev/null
        serve a1 --network na
        serve b1 --network nb
        serve i1 --network ni
        hod run -d --name a2 --network na busybox sleep 100 >/dev/null
        hod run -d --name i2 --network ni busybox sleep 100 >/dev/null
        [[ $(get a2 "$(address a1 na)" 80) == host-a1 ]]
        [[ $(get i2 "$(address i1 ni)" 80) == host-i1 ]]
        [[ $(get - "$(address a1 na)" 80) == host-a1 ]]
        [[ -z $(patience=3 get a2 "$(address b1 nb)" 80) ]]
        [[ -z $(patience=3 get i2 "$(address a1 na)" 80) ]]
        [[ -z $(patience=3 get a2 "$(address i1 ni)" 80) ]]
        run -0 hod exec i2 ip route
        [[ $output != *default* ]]
        run -1 hod network rm na
        [[ $output == *'network na has active endpoints (name:"a'* ]]
        run -0 hod network inspect -f '{{range .Containers}}{{.Name}} {{end}}' na
        [[ $output == *a1* && $output == *a2* ]]
}

@test "a container may be asked for an address; addresses are given out once, and given back" {
        hod network create --subnet "$(sub 0 0)/29" ns >/dev/null
        run -0 hod run -d --name s1 --network ns --ip "$(sub 0 5)" busybox sleep 100
        [[ $(address s1 ns) == "$(sub 0 5)" ]]
        run -125 hod run --rm --network ns --ip "$(sub 0 5)" busybox true
        [[ $output == *'Address already in use'* ]]
        run -125 hod run --rm --network ns --ip 10.99.0.5 busybox true
        [[ $output == *'no configured subnet or ip-range contain the IP address 10.99.0.5'* ]]
        run -125 hod run --rm --network bridge --ip 172.17.0.9 busybox true
        [[ $output == *'supported only when connecting to networks with user configured subnets'* ]]
        for i in 2 3 4 5; do hod run -d --name "s$i" --network ns busybox sleep 100 >/dev/null; done
        run -125 hod run --rm --network ns busybox true
        [[ $output == *"no available IPv4 addresses on this network's address pools: $(sub 0 0)/29"* ]]
        hod rm -f s3 >/dev/null
        run -0 hod run --rm --network ns busybox ip -4 -o addr show eth0
        [[ $output == *" $(sub 0 '')"* ]]
}

@test "an MTU that is too small for IPv6 will do for IPv4" {
        hod network create -o com.docker.network.driver.mtu=600 small >/dev/null
        run -0 hod run --rm --network small busybox cat /sys/class/net/eth0/mtu
        [[ $output == 600 ]]
}

@test "sixteen starts at once get sixteen addresses" {
        hod network create nc >/dev/null
        local i pids=()
        for i in {1..16}; do
                hod run -d --name "c$i" --network nc busybox sleep 100 >/dev/null &
                pids+=($!)
        done
        for i in "${pids[@]}"; do wait "$i"; done
        hod network inspect -f '{{range .Containers}}{{.IPv4Address}}{{"\n"}}{{end}}' nc | grep . | sort >"$T/addresses"
        [[ $(wc -l <"$T/addresses") -eq 16 && $(uniq "$T/addresses" | wc -l) -eq 16 ]]
}

@test "published ports: by 127.0.0.1, by the host's address, from containers; what is bound to 127.0.0.1 is there only" {
        local host port own
        port=$(free_port 2) own=$((port + 1))
        host=$(ip -4 -o addr show scope global | awk '!/hod|br-|docker|cni/ {sub("/.*", "", $4); print $4; exit}')
        serve w --network bridge -p "$port:80" -p "127.0.0.1:$own:80"
        hod run -d --name c --network bridge busybox sleep 100 >/dev/null
        [[ $(get - 127.0.0.1 "$port") == host-w ]]
        [[ $(get - 127.0.0.1 "$own") == host-w ]]
        if [[ $host ]]; then
                [[ $(get - "$host" "$port") == host-w ]]
                [[ -z $(patience=3 get - "$host" "$own") ]]
                [[ $(get c "$host" "$port") == host-w ]]
                [[ $(get w "$host" "$port") == host-w ]]
                [[ -z $(patience=3 get c "$host" "$own") ]]
        fi
        run -0 hod ps --format '{{.Names}} {{.Ports}}'
        [[ $output == *'w 0.0.0.0:'"$port"'->80/tcp, 127.0.0.1:'"$own"'->80/tcp'* ]]
        hod rm -f w >/dev/null
        [[ -z $(patience=3 get - 127.0.0.1 "$port") ]]
}

@test "a port that is taken is refused at start, and nothing is left of the attempt" {
        local port next
        port=$(free_port 4) next=$((port + 1))
        serve w --network bridge -p "$port:80"
        run -125 hod run --name second --network bridge -p "$port:81" busybox true
        [[ $output == *"$port"* && $output == *'already'* ]]
        hod rm second >/dev/null
        python3 -c '
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("ready", flush=True); time.sleep(60)' "$next" >"$T/ready" &
        local other=$!
        eventually 5 grep -q ready "$T/ready"
        run -125 hod run --rm --network bridge -p "127.0.0.1:$next:80" busybox true
        kill "$other"
        [[ $output == *"failed to bind host port for 127.0.0.1:$next"*'address already in use'* ]]
        run -125 hod run --rm --network bridge -p "9.9.9.9:$next:80" busybox true
        [[ $output == *'annot assign requested address'* ]]
        run -0 hod run --rm --network bridge -p "$next-$((port + 3)):80" busybox true
        run -125 hod run --rm --network nosuch busybox true
        [[ $output == *'failed to set up container networking: network nosuch not found'* ]]
}

@test "IPv6: addresses, reachability, no link-local address where it was not asked for" {
        hod network create --ipv6 --subnet "fd63:$A:$B::/64" n6 >/dev/null
        hod run -d --name v1 --network n6 busybox sleep 100 >/dev/null
        run -0 hod run --rm --network n6 busybox ping -c 1 -W 20 "$(hod inspect -f '{{.NetworkSettings.Networks.n6.GlobalIPv6Address}}' v1)"
        [[ $output == *"64 bytes from fd63:$A:$B::2"* ]]
        run -0 --separate-stderr hod run --rm --network bridge busybox ip -6 addr show eth0
        [[ -z $output ]]
}

@test "a killed monitor's addresses and ports are given back by the next command" {
        local port
        hod network create --subnet "$(sub 1 0)/30" nk >/dev/null
        port=$(free_port)
        serve k --network nk -p "$port:80"
        kill -9 "$(hod inspect -f '{{.State.Pid}}' k)"
        eventually 5 is_exited k
        run hod run --rm --network nk -p "$port:80" busybox true
        echo "$output"
        [[ $status -eq 0 ]]
}

@test "enable_icc=false: containers of the network reach the host, not each other" {
        hod network create -o com.docker.network.bridge.enable_icc=false np >/dev/null
        serve p1 --network np
        hod run -d --name p2 --network np busybox sleep 100 >/dev/null
        [[ $(get - "$(address p1 np)" 80) == host-p1 ]]
        [[ -z $(patience=3 get p2 "$(address p1 np)" 80) ]]
}

@test "a bridge or device that was there before stays when its network goes" {
        run -0 alone '
                ip link add br7 type bridge
                for device in br7 later0; do
                        hod network create --subnet $(sub 3 0)/24 -o com.docker.network.bridge.name=$device nf >/dev/null
                        [[ $device == br7 ]] || ip link add later0 type veth peer name later1
                        hod run --rm --network nf busybox true 2>&1 | grep -v warning | head -n 1 || true
                        hod network rm nf >/dev/null
                        ip -o link show $device >/dev/null && echo "$device is there"
                done'
        echo "$output"
        [[ $output == *'br7 is there'*'the name later0 belongs to a network device that is no bridge'*'later0 is there' ]]
}

@test "two bindings of one container do not get one port; --add-host host-gateway is the gateway" {
        run -0 hod run -d --name two --network bridge --add-host h:host-gateway -p 80 -p 81 busybox sleep 100
        run -0 hod inspect -f '{{range $k, $v := .NetworkSettings.Ports}}{{(index $v 0).HostPort}} {{end}}' two
        read -r one other <<<"$output"
        [[ $one && $other && $one != "$other" ]]
        run -0 hod exec two grep 'h$' /etc/hosts
        [[ $output == *"$(hod inspect -f '{{.NetworkSettings.Gateway}}' two)"$'\t'h* ]]
        hod network create --internal in >/dev/null
        run -0 hod run --rm --network in --add-host h:host-gateway busybox grep 'h$' /etc/hosts
        [[ $output == *"$(hod network inspect -f '{{(index .IPAM.Config 0).Gateway}}' in)"$'\t'h* ]]
        run -125 hod run --rm --network none --add-host h:host-gateway busybox true
        [[ $output == *'add-host h:host-gateway: the container has no network with a gateway'* ]]
        one=$(free_port)
        run -125 hod run --rm --network bridge -p "$one:80" -p "$one:81" busybox true
        [[ $output == *"Bind for 0.0.0.0:$one failed: port is already allocated"* ]]
}

@test "network rm beside a start: either there is no network, or it is in use and works" {
        local i started removed
        for i in 1 2 3 4; do
                hod network create "nr$i" >/dev/null
                hod run -d --name "r$i" --network "nr$i" busybox sleep 100 >/dev/null 2>&1 &
                started=$!
                removed=0
                hod network rm "nr$i" >/dev/null 2>&1 || removed=$?
                if wait "$started"; then
                        ((removed == 1))
                        hod exec "r$i" sh -c 'ping -c 1 -W 20 "$(ip route | sed -n "s/^default via \([^ ]*\).*/\1/p")" >/dev/null'
                else
                        ((removed == 0))
                fi
                hod rm -f "r$i" >/dev/null 2>&1 || true
        done
        hod network prune -f >/dev/null
        [[ -z $(hod network ls -q --filter type=custom) ]]
}

@test "starts that were killed give everything back to who needs it" {
        local ms port
        port=$(free_port)
        hod network create --subnet "$(sub 2 0)/30" nx >/dev/null
        for ms in 005 010 015 020 030 040; do
                timeout -s KILL "0.$ms" "$HOD_BIN/hod" run --rm --network nx -p "$port:80" busybox true >/dev/null 2>&1 || true
        done
        # What those have started may still run, and end.
        eventually 10 eval '[[ -z $(ours) ]]'
        run -0 hod run --rm --network nx -p "$port:80" busybox true
}

@test "what cannot be a name is refused" {
        hod network create nn >/dev/null
        run -125 hod run --rm --network nn --network-alias 'a b' busybox true
        [[ $output == *"'a b' cannot be a name in a network"* ]]
        run -0 hod run --rm --network nn --network-alias ab busybox true
}
