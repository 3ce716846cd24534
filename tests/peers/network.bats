#!/usr/bin/env bats
# Networks with real servers in containers and clients that others made: from the host, from a second machine (a network
# namespace behind a link), from other containers; iperf3; a router between two networks; firewalls of others; docker.
#
# The host is what inside.sh makes: a network namespace of its own. "Outside" is a second one:
#
#   outside  out0 192.0.2.2, 2001:db8:1::2  ———  ext0 192.0.2.1, 2001:db8:1::1  the host

load lib

setup_file() {
        peers_setup
        export HOD_ROOT=$R/root HOD_STATE=$R/hod # in memory
        make_outside
        hod import "$("$BATS_TEST_DIRNAME/make-servers.sh")" servers >/dev/null
        hod import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
        peers_ready
        hod network create --ipv6 --subnet 10.71.0.0/24 --subnet fd71::/64 app >/dev/null
        hod run -d --name web -h web --network app -p 8080:80 -p 127.0.0.1:8081:80 servers nginx >/dev/null
        hod run -d --name cache --network app -p 6379:6379 servers redis-server --protected-mode no --save '' >/dev/null
        hod run -d --name db --network app -p 5432:5432 -u 71 --shm-size 64m servers \
                /usr/lib/postgresql/15/bin/postgres -D /data -c unix_socket_directories= >/dev/null
        hod run -d --name perf --network app -p 5201:5201 -p 5201:5201/udp servers iperf3 -s >/dev/null
        hod run -d --name client --network app servers sleep 1000 >/dev/null
        eventually 10 can_connect 8080
        eventually 10 can_connect 6379
        eventually 10 can_connect 5201
        eventually 20 psql_at 127.0.0.1 'select 1' >/dev/null 2>&1
}
can_connect() { timeout 1 bash -c ": 2>/dev/null <>/dev/tcp/127.0.0.1/$1"; }
teardown_file() {
        local list
        list=$(hod ps -aq)
        # shellcheck disable=SC2086  # one id a line
        [[ -z $list ]] || hod rm -f -v $list >/dev/null
        hod network prune -f >/dev/null
        docker_gone
        neighbours_gone
        peers_clean
        ! ip link show ext0 >/dev/null 2>&1 || ip link del ext0
        kill "$OUTSIDE"
        peers_end
}

# A process that keeps the second machine's network namespace.
make_outside() {
        unshare --net sleep 100000 3>&- 4>&- &
        export OUTSIDE=$!
        eventually 5 in_other_namespace "$OUTSIDE"
        ip link add ext0 type veth peer name out0 netns "$OUTSIDE"
        ip addr add 192.0.2.1/24 dev ext0
        ip addr add 2001:db8:1::1/64 dev ext0 nodad
        ip link set ext0 up
        outside ip link set lo up
        outside ip addr add 192.0.2.2/24 dev out0
        outside ip addr add 2001:db8:1::2/64 dev out0 nodad
        outside ip link set out0 up
}
in_other_namespace() { [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }
outside() { timeout 20 nsenter -t "$OUTSIDE" -n "$@"; }
# inside CONTAINER COMMAND...: a program of the host in the container's network.
inside() {
        local pid
        pid=$(hod inspect -f '{{.State.Pid}}' "$1")
        shift
        timeout 20 nsenter -t "$pid" -n "$@"
}
get() { curl -sS --max-time 15 "$@"; }
psql_at() { PGCONNECT_TIMEOUT=15 psql -h "$1" -p "${3-5432}" -U postgres -qAtc "$2"; }
address() { hod inspect -f "{{(index .NetworkSettings.Networks \"${2-app}\").IPAddress}}" "$1"; }
address6() { hod inspect -f "{{(index .NetworkSettings.Networks \"${2-app}\").GlobalIPv6Address}}" "$1"; }
# megabits WORD...: what iperf3's receiver got of 40 MB. (The server listens anew after each client, in a moment.)
megabits() {
        local got
        for _ in {1..40}; do
                got=$("$@" --connect-timeout 3000 -n 40M -J | jq -e '.end.sum_received // .end.sum | .bits_per_second / 1e6 | floor') && break
                sleep 0.25
        done
        echo "$got"
        [[ $got ]]
}

@test "from the host: curl, redis and psql by 127.0.0.1, the host's address, the container's address" {
        local at
        for at in 127.0.0.1:8080 127.0.0.1:8081 192.0.2.1:8080 "$(address web):80" "[$(address6 web)]:80" '[2001:db8:1::1]:8080'; do
                prints 'served by nginx' get "http://$at/"
        done
        is "$(get http://127.0.0.1:8080/zeros | wc -c)" 8388608
        for at in 127.0.0.1 192.0.2.1 2001:db8:1::1 "$(address db)"; do
                prints 499500 psql_at "$at" 'select sum(x) from generate_series(1, 999) x'
        done
        psql_at 127.0.0.1 'create table t (x int); insert into t values (42)'
        prints 42 psql_at 2001:db8:1::1 'select x from t'
        exec 7<>/dev/tcp/127.0.0.1/6379
        printf 'SET a 1\r\nINCR a\r\n' >&7
        read -r -t 20 at <&7
        is "$at" $'+OK\r'
        read -r -t 20 at <&7
        is "$at" $':2\r'
        exec 7>&-
}

@test "from the second machine: what is published on all addresses, as itself, IPv4 and IPv6; nothing else" {
        prints 192.0.2.2 outside curl -sS --max-time 15 http://192.0.2.1:8080/who
        prints 2001:db8:1::2 outside curl -sS --max-time 15 'http://[2001:db8:1::1]:8080/who'
        is "$(outside curl -sS --max-time 15 http://192.0.2.1:8080/zeros | wc -c)" 8388608
        prints 192.0.2.2 outside psql -h 192.0.2.1 -U postgres -qAtc 'select host(inet_client_addr())'
        prints 2001:db8:1::2 outside psql -h 2001:db8:1::1 -U postgres -qAtc 'select host(inet_client_addr())'
        ends 7 outside curl -s --max-time 15 http://192.0.2.1:8081/
        # Even one who has a route to the containers.
        outside ip route add 10.71.0.0/24 via 192.0.2.1
        outside ip route add fd71::/64 via 2001:db8:1::1
        ends 28 outside curl -s --max-time 0.5 "http://$(address web):80/"
        ends 28 outside curl -s --max-time 0.5 "http://[$(address6 web)]:80/"
        outside ip route del 10.71.0.0/24
        outside ip route del fd71::/64
}

@test "containers reach the second machine, with the host's address" {
        local server
        nsenter -t "$OUTSIDE" -n python3 "$BATS_TEST_DIRNAME/who.py" >"$T/who" 3>&- 4>&- &
        server=$!
        eventually 5 test -s "$T/who"
        prints 192.0.2.1 inside client curl -sS --max-time 15 http://192.0.2.2:9000/
        prints 2001:db8:1::1 inside client curl -sS --max-time 15 'http://[2001:db8:1::2]:9000/'
        prints 192.0.2.1 hod exec client busybox wget -qO- http://192.0.2.2:9000/
        kill "$server"
}

@test "from other containers: by address, and by the host's addresses (hairpin), also itself" {
        local who at
        for who in client web; do
                for at in "$(address web):80" "[$(address6 web)]:80" 192.0.2.1:8080 '[2001:db8:1::1]:8080' 10.71.0.1:8080; do
                        prints 'served by nginx' inside "$who" curl -sS --max-time 15 "http://$at/"
                done
                ends 7 inside "$who" curl -s --max-time 15 http://192.0.2.1:8081/
        done
        prints 1 inside client psql -h "$(address db)" -U postgres -qAtc 'select 1'
        # Another network has the published ports only.
        hod network create other >/dev/null
        hod run -d --name stranger --network other busybox sleep 1000 >/dev/null
        prints 'served by nginx' inside stranger curl -sS --max-time 15 http://192.0.2.1:8080/
        ends 28 inside stranger curl -s --max-time 0.5 "http://$(address web):80/"
        hod rm -f stranger >/dev/null
        hod network rm other >/dev/null
}

@test "iperf3: through the bridge, from the host, through a published port, from outside; TCP and UDP, IPv4 and IPv6" {
        local at n
        for at in "$(address perf)" "$(address6 perf)" 192.0.2.1; do
                n=$(megabits inside client iperf3 -c "$at")
                ((n > 200))
        done
        for at in 127.0.0.1 "$(address perf)"; do
                n=$(megabits iperf3 -c "$at")
                ((n > 200))
        done
        for at in 192.0.2.1 2001:db8:1::1; do
                n=$(megabits outside iperf3 -c "$at")
                ((n > 200))
                n=$(megabits outside iperf3 -c "$at" -R)
                ((n > 200))
                n=$(megabits outside iperf3 -c "$at" -u -b 500M)
                ((n > 80))
        done
}

@test "from other containers: by name and alias, with every server's own resolver; dig and the host's resolver agree" {
        prints 'served by nginx' hod exec client busybox wget -qO- http://web/
        prints 'served by nginx' hod exec client busybox wget -qO- "http://$(hod inspect -f '{{slice .Id 0 12}}' web)/"
        prints PONG hod exec client redis-cli -h cache ping
        prints 1 hod exec client /usr/lib/postgresql/15/bin/psql -h db -U postgres -qAtc 'select 1'
        (($(megabits hod exec client iperf3 -c perf) > 200))
        is "$(inside client dig +short @127.0.0.11 web A)" "$(address web)"
        is "$(inside client dig +short +tcp @127.0.0.11 web AAAA)" "$(address6 web)"
        is "$(inside client dig +short @127.0.0.11 -x "$(address web)")" web.app.
        like "$(inside client dig @127.0.0.11 nosuch)" 'status: (NXDOMAIN|SERVFAIL|REFUSED)'
}

@test "MTU: the network's option is that of every interface, and packets of that size pass" {
        hod network create -o com.docker.network.driver.mtu=1400 small >/dev/null
        hod run -d --name s1 --network small busybox sleep 1000 >/dev/null
        hod run -d --name s2 --network small servers nginx >/dev/null
        like "$(inside s1 ip link show eth0)" ' mtu 1400 '
        prints 1400 hod exec s1 cat /sys/class/net/eth0/mtu
        like "$(ip link show "$(bridge_of small)")" ' mtu 1400 '
        ends 0 inside s1 ping -c 1 -W 2 -M 'do' -s 1372 "$(address s2 small)"
        ends 1 inside s1 ping -c 1 -W 1 -M 'do' -s 1373 "$(address s2 small)"
        # From an interface with 1500 to one with 1400: the host says so, and TCP gets through.
        eventually 5 inside s1 curl -s -o /dev/null --max-time 1 "http://$(address s2 small)/"
        is "$(get "http://$(address s2 small)/zeros" | wc -c)" 8388608
        hod rm -f s1 s2 >/dev/null
        hod network rm small >/dev/null
}

@test "a router between two networks: containers reach each other through it, and only through it" {
        local router a b
        hod network create --subnet 10.72.0.0/24 left >/dev/null
        hod network create --subnet 10.73.0.0/24 right >/dev/null
        hod run -d --name l --network left --ip 10.72.0.2 busybox sleep 1000 >/dev/null
        hod run -d --name r --network right --ip 10.73.0.2 servers nginx >/dev/null
        unshare --net sleep 1000 3>&- 4>&- &
        router=$!
        eventually 5 in_other_namespace "$router"
        for a in left:10.72.0.250 right:10.73.0.250; do
                b=$(bridge_of "${a%:*}")
                ip link add "h-${a%:*}" type veth peer name "${a%:*}" netns "$router"
                ip link set "h-${a%:*}" master "$b" up
                nsenter -t "$router" -n ip addr add "${a#*:}/24" dev "${a%:*}"
                nsenter -t "$router" -n ip link set "${a%:*}" up
        done
        nsenter -t "$router" -n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
        # Without the router's help there is no way.
        ends 28 inside l curl -s --max-time 0.5 http://10.73.0.2/who
        inside l ip route add 10.73.0.0/24 via 10.72.0.250
        inside r ip route add 10.72.0.0/24 via 10.73.0.250
        prints 10.72.0.2 inside l curl -sS --max-time 15 http://10.73.0.2/who
        is "$(inside l curl -sS --max-time 15 http://10.73.0.2/zeros | wc -c)" 8388608
        inside l ip route del 10.73.0.0/24
        ends 28 inside l curl -s --max-time 0.5 http://10.73.0.2/who
        kill "$router"
        eventually 5 link_gone h-left
        eventually 5 link_gone h-right
        hod rm -f l r >/dev/null
        hod network rm left right >/dev/null
}
link_gone() { ! ip link show "$1" >/dev/null 2>&1; }
bridge_of() { echo "br-$(hod network inspect -f '{{slice .Id 0 12}}' "$1")"; }

# ---- programs that care for the host's network ----

# neighbours COMMAND...: a program of make-neighbours.sh's tree ($suite).
neighbours() {
        local tree=$R/neighbours d
        [[ -d $tree/tree/proc/self ]] || {
                mkdir -p "$tree"/{tree,upper,work}
                mount -t overlay -o "lowerdir=$("$BATS_TEST_DIRNAME/make-neighbours.sh" "${suite-bookworm}"),upperdir=$tree/upper,workdir=$tree/work" \
                        overlay "$tree/tree"
                for d in proc dev sys run; do mount --rbind "/$d" "$tree/tree/$d"; done
        }
        timeout 60 chroot "$tree/tree" "$@" 3>&- 4>&-
}
# neighbour NAME COMMAND...: one that stays, until neighbour_gone NAME.
neighbour() {
        local name=$1
        shift
        neighbours true
        daemon "$name" chroot "$R/neighbours/tree" "$@"
}
neighbour_gone() {
        [[ ! -e $R/$1.pid ]] || stop_daemon "$1"
        rm -f "$R/$1.pid"
}
neighbours_gone() {
        local name
        for name in firewalld resolved dbus; do neighbour_gone "$name"; done
        umount -l "$R/neighbours/tree" 2>/dev/null || true
        rm -rf "$R"/neighbours/{upper,work} /run/dbus /run/systemd /run/ufw.lock
}

# What must work whatever others have in the firewall.
everything_works() {
        prints 'served by nginx' get http://127.0.0.1:8080/
        prints 192.0.2.2 outside curl -sS --max-time 15 http://192.0.2.1:8080/who
        prints 2001:db8:1::2 outside curl -sS --max-time 15 'http://[2001:db8:1::1]:8080/who'
        prints 'served by nginx' inside client curl -sS --max-time 15 "http://$(address web)/"
        prints 'served by nginx' inside client curl -sS --max-time 15 http://192.0.2.1:8080/
        ends 0 inside client ping -c 1 -W 2 192.0.2.2
}

# warned COMMAND...: it ends with 0, and warnings about the host's firewall are on its standard error; do what they say.
warned() {
        local advice
        "$@" 2>"$T/warning" >/dev/null
        advice=$(sed -n 's/.*to allow it: //p' "$T/warning")
        [[ $advice ]] || fail "no warning:" "$(cat "$T/warning")"
        bash -ec "$advice"
}

@test "policy DROP in the host's FORWARD chains: info says what to do, and once it was done all works" {
        iptables -P FORWARD DROP
        ip6tables -P FORWARD DROP
        ends 28 outside curl -sS --max-time 0.5 http://192.0.2.1:8080/who
        warned hod info
        everything_works
        hod info 2>"$T/warning" >/dev/null
        is "$(<"$T/warning")" ''
        nft delete table ip filter
        nft delete table ip6 filter
        # A table that is not made by iptables.
        nft 'table inet site { chain pass { type filter hook forward priority 0; policy drop; }; }'
        warned hod info
        like "$(<"$T/warning")" 'chain pass of table inet site'
        everything_works
        nft delete table inet site
}

@test "dockerd beside us: its containers and ours work, before and after it; its rules are not touched" {
        start_docker
        dk run -d --name theirs -p 8070:80 --runtime runc busybox sh -c 'echo docker >/x; httpd -p 81 -h /; httpd -f -p 80 -h /' >/dev/null
        everything_works
        # What dockerd does when it is the first to switch forwarding on.
        iptables -P FORWARD DROP
        warned hod info
        like "$(<"$T/warning")" 'DOCKER-USER'
        eventually 10 can_connect 8080
        everything_works
        prints docker outside curl -sS --max-time 15 http://192.0.2.1:8070/x
        prints docker get http://127.0.0.1:8070/x
        # What docker does not publish stays docker's.
        ends 28 inside client curl -s --max-time 0.5 "http://$(dk inspect -f '{{.NetworkSettings.IPAddress}}' theirs):81/x"
        nft list ruleset | grep -vE 'counter|^table (inet hod|ip nat)' >"$T/with"
        hod run --rm --network app -p 8091:80 busybox true
        nft list ruleset | grep -vE 'counter|^table (inet hod|ip nat)' | diff "$T/with" -
        docker_gone
        everything_works
}
# dockerd's containers, dockerd, and what it leaves to its next start.
docker_gone() {
        local table
        [[ -e $R/dockerd.pid ]] || return 0
        dk rm -f theirs >/dev/null 2>&1 || true
        stop_daemons
        rm "$R"/{dockerd,containerd}.pid
        ip link del docker0
        for table in ip\ nat ip6\ nat ip\ filter ip6\ filter; do
                # shellcheck disable=SC2086  # two words
                nft delete table $table 2>/dev/null || true
        done
}

start_firewalld() {
        neighbour firewalld /usr/sbin/firewalld --nofork --nopid
        eventually 30 neighbours firewall-cmd --state >/dev/null 2>&1
}
# agrees OUT IN WITHIN: what `hod info` says of firewalld is what happens: do containers reach the world, are their
# published ports reached from outside, and do they reach each other (yes|no)? The last only where the kernel shows
# firewalls what stays on a bridge.
agrees() {
        local within=$3 at='firewalld, where br-[0-9a-f]* is in zone public, rejects it'
        local strict='\(published ports by StrictForwardPorts, also from the host itself\)'
        [[ $(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null) == 1 ]] || within=yes
        hod info 2>"$T/warning" >/dev/null
        case $1$2$within in
        yesyesyes) is "$(<"$T/warning")" '' ;;
        noyesyes) like "$(<"$T/warning")" "$at: containers on br-[0-9a-f]* do not reach the world; to allow it: " ;;
        noyesno) like "$(<"$T/warning")" "$at: containers on br-[0-9a-f]* do not reach the world and each other; to allow it: " ;;
        yesyesno) like "$(<"$T/warning")" "$at: containers on br-[0-9a-f]* do not reach each other; to allow it: " ;;
        yesnoyes) like "$(<"$T/warning")" 'firewalld rejects it \(StrictForwardPorts, also from the host itself\): others do not reach published ports of containers on br-[0-9a-f]*; to allow it: ' ;;
        yesnono) like "$(<"$T/warning")" "$at $strict: containers on br-[0-9a-f]* do not reach each other, others do not reach their published ports; to allow it: " ;;
        nonoyes) like "$(<"$T/warning")" "$at $strict: containers on br-[0-9a-f]* do not reach the world, others do not reach their published ports; to allow it: " ;;
        nonono) like "$(<"$T/warning")" "$at $strict: containers on br-[0-9a-f]* do not reach the world and each other, others do not reach their published ports; to allow it: " ;;
        esac
        if [[ $1 == yes ]]; then
                ends 0 inside client ping -c 1 -W 2 192.0.2.2
        else
                ends 1 inside client ping -c 1 -W 2 192.0.2.2
        fi
        if [[ $2 == yes ]]; then
                prints 192.0.2.2 outside curl -sS --max-time 15 http://192.0.2.1:8080/who
                prints 2001:db8:1::2 outside curl -sS --max-time 15 'http://[2001:db8:1::1]:8080/who'
                prints 'served by nginx' get http://127.0.0.1:8080/
                prints 'served by nginx' inside client curl -sS --max-time 15 http://192.0.2.1:8080/
        else
                ends 7 outside curl -s --max-time 15 http://192.0.2.1:8080/who
                ends 7 outside curl -s --max-time 15 'http://[2001:db8:1::1]:8080/who'
                ends 7 get http://127.0.0.1:8080/
                ends 7 inside client curl -s --max-time 15 http://192.0.2.1:8080/
        fi
        if [[ $within == yes ]]; then
                prints 'served by nginx' inside client curl -sS --max-time 15 "http://$(address web)/"
        else
                ends 7 inside client curl -s --max-time 15 "http://$(address web)/"
        fi
}

# firewalld_beside BACKEND [no: ports that it does not forward itself are not reached]: what it rejects is said, and the
# way out that is named survives its reload and restart.
firewalld_beside() {
        local rules in=${2-yes}
        ip route add default via 192.0.2.2
        rules=$(nft list table inet hod)
        mkdir -p /run/dbus
        neighbour dbus /usr/bin/dbus-daemon --system --nofork --nopidfile
        neighbours sed -i "s/^FirewallBackend=.*/FirewallBackend=$1/" /etc/firewalld/firewalld.conf
        [[ $in == yes ]] || neighbours sed -i s/^StrictForwardPorts=.*/StrictForwardPorts=yes/ /etc/firewalld/firewalld.conf
        start_firewalld
        neighbours firewall-cmd -q --zone=internal --change-interface=ext0
        agrees no "$in" no
        # Links of one zone reach each other, and public is where an unknown one is.
        neighbours firewall-cmd -q --zone=public --change-interface=ext0
        agrees yes "$in" no
        neighbours firewall-cmd -q --zone=internal --change-interface=ext0
        hod info 2>&1 >/dev/null | sed -n 's/.*to allow it: //p' >"$T/advice"
        neighbours sh -ec "$(<"$T/advice")" >/dev/null
        agrees yes yes yes
        neighbours firewall-cmd -q --reload
        agrees yes yes yes
        neighbours firewall-cmd -q --complete-reload
        agrees yes yes yes
        neighbour_gone firewalld
        everything_works
        start_firewalld
        agrees yes yes yes
        is "$(nft list table inet hod)" "$rules"
        neighbour_gone firewalld
        neighbour_gone dbus
        ip route del default
        neighbours_gone
}

@test "firewalld beside us: published ports work; what it rejects is said with the way out, which survives its reload" {
        firewalld_beside nftables
}

@test "firewalld with iptables for its backend: the same" {
        local table
        firewalld_beside iptables
        for table in {ip,ip6}\ {filter,nat,mangle,raw,security}; do
                # shellcheck disable=SC2086  # two words
                nft delete table $table
        done
}

@test "firewalld's StrictForwardPorts (of Debian 13): published ports and the world, by one row of commands" {
        suite=trixie
        firewalld_beside nftables no
}

@test "ufw beside us: published ports need its word, and its own commands give it" {
        local table
        neighbours ufw --force enable >/dev/null
        ends 28 outside curl -sS --max-time 0.5 http://192.0.2.1:8080/who
        hod info 2>"$T/warning" >/dev/null
        for table in ip ip6; do
                like "$(<"$T/warning")" "$table filter, ufw.s, has the policy DROP: containers on br-[0-9a-f]* do not reach the world( and each other)?, others do not"
        done
        unlike "$(<"$T/warning")" 'ip6tables'

        neighbours sh -ec "$(sed -n 's/.*to allow it: //p' "$T/warning")" >/dev/null
        everything_works
        prints '' hod info -f '{{join .Warnings ","}}'
        neighbours ufw reload >/dev/null
        everything_works
        neighbours ufw --force disable >/dev/null
        everything_works
        nft delete table ip filter
        nft delete table ip6 filter
        neighbours_gone
}

@test "systemd-resolved as the host's resolver: its servers, its search domains, and its stub in /etc/resolv.conf" {
        local server
        nsenter -t "$OUTSIDE" -n python3 "$BATS_TEST_DIRNAME/../e2e/dns.py" serve "$T/dns" 192.0.2.2 3>&- 4>&- &
        server=$!
        eventually 5 test -s "$T/dns"
        neighbours mkdir -p /etc/systemd/resolved.conf.d
        printf '[Resolve]\nDNS=192.0.2.2\nDomains=corp.test\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\n' >"$R/neighbours/upper/etc/systemd/resolved.conf.d/x.conf"
        mkdir -p /run/systemd
        neighbour resolved /lib/systemd/systemd-resolved
        mv /etc/resolv.conf "$T/resolv.conf"
        ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
        eventually 10 answers dig +short +time=1 +tries=1 @127.0.0.53 a.corp.test
        prints 192.0.2.1 inside client dig +short @127.0.0.11 a.test
        prints 192.0.2.1 inside client dig +short +tcp @127.0.0.11 a.test
        like "$(inside client dig @127.0.0.11 nx.test)" 'status: NXDOMAIN'
        is "$(inside client dig +short @127.0.0.11 big.test | wc -l)" 100
        like "$(hod run --rm --network app busybox nslookup foo)" $'Name:\tfoo.corp.test\nAddress: 192.0.2.1'
        prints "$(address web)" inside client dig +short @127.0.0.11 web
        # Who asks himself cannot reach the host's loopback.
        like "$(hod run --rm busybox cat /etc/resolv.conf)" $'nameserver 192.0.2.2\n'
        like "$(hod run --rm busybox nslookup a.test)" 'Address: 192.0.2.1'
        rm /etc/resolv.conf
        cp "$T/resolv.conf" /etc/resolv.conf
        kill "$server"
        neighbours_gone
}
answers() { [[ $("$@") == 192.0.2.1 ]]; }
