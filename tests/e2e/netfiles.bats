#!/usr/bin/env bats
# /etc/hosts, resolv.conf and hostname of containers, --link, --dns*, --add-host, network modes, what conflicts, hod port.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

loopback=$'127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters'

# as_host RESOLV HOSTS COMMAND...: on a host whose /etc has these two files.
as_host() {
        printf '%s' "$1" >"$T/resolv"
        printf '%s' "$2" >"$T/hosts"
        shift 2
        # shellcheck disable=SC2016
        unshare -m sh -c 'mount --bind "$0/resolv" /etc/resolv.conf; mount --bind "$0/hosts" /etc/hosts; exec "$@"' "$T" "$HOD_BIN/hod" "$@"
}
own_address() { hod inspect -f '{{.NetworkSettings.IPAddress}}' "$1"; }

@test "hosts: loopback names, then what was added, then the container's own address and names" {
        hod run -d --name h -h web --domainname ex.org --add-host a.b:1.2.3.4 --add-host v6=::1 --add-host gw:host-gateway \
                busybox sleep 100 >/dev/null
        is "$(hod exec h cat /etc/hosts)" "$loopback"$'\n1.2.3.4\ta.b\n::1\tv6\n'"$(hod inspect -f '{{.NetworkSettings.Gateway}}' h)"$'\tgw\n'"$(own_address h)"$'\tweb.ex.org web'
        is "$(hod exec h cat /etc/hostname)" web
        is "$(hod exec h hostname -f)" web.ex.org
        is "$(hod run --rm -h host.dom.example busybox tail -n 1 /etc/hosts | cut -f 2)" 'host.dom.example host'
        is "$(hod run --rm --network none busybox cat /etc/hosts)" "$loopback"
}

@test "what is edited inside: hosts is made anew at the next start, resolv.conf stays" {
        hod run -d --name e busybox sh -c 'echo 9.9.9.9 x >>/etc/hosts; sleep 100' >/dev/null
        eventually 3 hod exec e grep -q 9.9.9.9 /etc/hosts
        hod exec e sh -c 'grep -v ^nameserver /etc/resolv.conf >/tmp/r; cat /tmp/r >/etc/resolv.conf; echo nameserver 192.0.2.7 >>/etc/resolv.conf'
        hod stop -t 0 e
        hod run -d --name before busybox sleep 100 >/dev/null # takes the address
        hod start e
        is "$(hod exec e tail -n 1 /etc/resolv.conf)" 'nameserver 192.0.2.7'
        eventually 3 hod exec e grep -q 9.9.9.9 /etc/hosts
        is "$(hod exec e grep -c 9.9.9.9 /etc/hosts)" 1
        like "$(hod exec e cat /etc/hosts)" "$(own_address e)"
        unlike "$(hod exec e cat /etc/hosts)" "$(own_address before)"$'\t'
}

@test "resolv.conf: the host's loopback is left out on the default bridge and in none; host has all; other networks ask 127.0.0.11" {
        local conf=$'nameserver 127.0.0.1\nnameserver 192.0.2.1\nsearch a.example\noptions rotate\n'
        server() { grep -v -e '^#' -e '^$' <<<"$1"; }
        is "$(server "$(as_host "$conf" '' run --rm busybox cat /etc/resolv.conf)")" $'nameserver 192.0.2.1\nsearch a.example\noptions rotate'
        is "$(server "$(as_host $'nameserver 127.0.0.53\n' '' run --rm --network none busybox cat /etc/resolv.conf)")" $'nameserver 8.8.8.8\nnameserver 8.8.4.4'
        is "$(server "$(as_host "$conf" '' run --rm --network host busybox cat /etc/resolv.conf)")" "${conf%$'\n'}"
        hod network create rc >/dev/null
        is "$(server "$(as_host "$conf" '' run --rm --network rc busybox cat /etc/resolv.conf)")" $'nameserver 127.0.0.11\nsearch a.example\noptions rotate ndots:0'
        is "$(server "$(as_host "$conf" '' run --rm --dns 9.9.9.9 --dns-search . --dns-option ndots:2 busybox cat /etc/resolv.conf)")" $'nameserver 9.9.9.9\noptions ndots:2'
        like "$(as_host "$conf" $'192.0.2.9\thosty\n' run --rm --network host --add-host b:1.1.1.1 busybox cat /etc/hosts)" $'192.0.2.9\thosty\n1.1.1.1\tb'
        refused 125 'IP address is not correctly formatted: bogus' hod run --dns bogus busybox true
        refused 125 'is not a valid domain' hod run --dns-search -a busybox true
}

@test "--link on the default bridge: hosts, variables, and the address that it has after another start" {
        hod run -d --name d -h dh --expose 80 --expose 53/udp -e FOO=bar busybox sleep 100 >/dev/null
        hod run -d --name l --link d:al-x --link d busybox sleep 100 >/dev/null
        like "$(hod exec l cat /etc/hosts)" "$(own_address d)"$'\tal-x dh d\n'"$(own_address d)"$'\td dh\n'
        is "$(hod exec l sh -c 'env | grep ^AL_X_ | sort')" "AL_X_ENV_FOO=bar
AL_X_NAME=/l/al-x
AL_X_PORT=udp://$(own_address d):53
AL_X_PORT_53_UDP=udp://$(own_address d):53
AL_X_PORT_53_UDP_ADDR=$(own_address d)
AL_X_PORT_53_UDP_PORT=53
AL_X_PORT_53_UDP_PROTO=udp
AL_X_PORT_80_TCP=tcp://$(own_address d):80
AL_X_PORT_80_TCP_ADDR=$(own_address d)
AL_X_PORT_80_TCP_PORT=80
AL_X_PORT_80_TCP_PROTO=tcp"
        is "$(hod inspect -f '{{.HostConfig.Links}}' l)" '[/d:/l/al-x /d:/l/d]'
        hod stop -t 0 d
        hod run -d --name takes busybox sleep 100 >/dev/null
        hod start d
        like "$(hod exec l cat /etc/hosts)" "$(own_address d)"$'\tal-x dh d'
        is "$(hod rm --link /l/d)" /l/d
        unlike "$(hod exec l cat /etc/hosts)" $'\td dh'
        like "$(hod exec l cat /etc/hosts)" $'\tal-x dh d'
        is "$(hod inspect -f '{{.HostConfig.Links}}' l)" '[/d:/l/al-x]'
        refused 1 'No such container: /l/d' hod rm --link /l/d
        refused 1 'Cannot get parent /nosuch for link name /nosuch/d' hod rm --link /nosuch/d
        refused 1 'cannot remove the default link name' hod rm --link /l
        hod stop -t 0 d l
        refused 1 'Cannot link to a non running container: /d AS /l/al-x' hod start l
        refused 125 'could not get container for nosuch: No such container: nosuch' hod run --link nosuch:x busybox true
        refused 125 'bad format for links: a:b:c' hod run --link a:b:c busybox true
        refused 125 "host type networking can't be used with links" hod run --network host --link d:x busybox true
        hod rm d
        hod start l # as docker: the link went with it
        unlike "$(hod exec l cat /etc/hosts)" al-x
        hod network create ln >/dev/null
        hod create --name u --network ln --link l:alias busybox true >/dev/null
        is "$(hod inspect -f '{{json .NetworkSettings.Networks.ln.Links}} {{json .HostConfig.Links}}' u)" '["l:alias"] null'
}

@test "container:X shares network and files with X; itself, a stopped one, and options that are X's are refused" {
        hod run -d --name x -h xh busybox sleep 100 >/dev/null
        hod create --name stopped busybox true >/dev/null
        is "$(hod run --rm --network container:x busybox sh -c 'hostname; cat /etc/hosts; readlink /proc/self/ns/net')" \
                "xh"$'\n'"$(hod exec x sh -c 'cat /etc/hosts; readlink /proc/self/ns/net')"
        refused 125 'cannot join own network namespace' hod run --name self --network container:self busybox true
        refused 125 'joining network namespace of container: No such container: nosuch' hod run --network container:nosuch busybox true
        refused 125 'cannot join network namespace of a non running container: container stopped is created' hod run --network container:stopped busybox true
        refused 125 'port publishing and the container type network mode' hod run --network container:x -p 1:1 busybox true
        refused 125 'hostname and the network mode' hod run --network container:x -h a busybox true
        refused 125 'custom host-to-IP mapping and the network mode' hod run --network container:x --add-host a:1.1.1.1 busybox true
        refused 125 'dns and the network mode' hod run --network container:x --dns 1.1.1.1 busybox true
        refused 125 'port exposing and the container type network mode' hod run --network container:x --expose 5 busybox true
}

@test "host, none, ns:PATH" {
        local ns
        run -0 --separate-stderr hod run --rm --network host -p 80:80 -h hh busybox sh -c 'hostname; readlink /proc/self/ns/net'
        is "$output" $'hh\n'"$(readlink /proc/self/ns/net)"
        like "$stderr" 'Published ports are discarded when using host network mode'
        is "$(hod run --rm --network host --add-host h:host-gateway busybox grep 'h$' /etc/hosts | tail -n 1)" $'127.0.0.1\th'
        unshare -n sleep 60 &
        ns=/proc/$!/ns/net
        eventually 3 test "$(readlink "$ns")" != "$(readlink /proc/self/ns/net)"
        is "$(hod run --rm --network "ns:$ns" busybox readlink /proc/self/ns/net)" "$(readlink "$ns")"
        kill "$!"
        refused 125 'must be absolute' hod run --network ns:rel busybox true
        refused 125 'nosuch' hod run --network ns:/nosuch busybox true
        refused 125 'passwd' hod run --network ns:/etc/passwd busybox true
        is "$(hod ps -aq --filter status=running)" ''
}

@test "a network by its id, or the beginning of it, is the network" {
        local id
        id=$(hod network create byid)
        hod run -d --name i --network "${id:0:10}" busybox sleep 100 >/dev/null
        is "$(hod inspect -f '{{.HostConfig.NetworkMode}} {{len .NetworkSettings.Networks}} {{.NetworkSettings.Networks.byid.NetworkID}}' i)" "byid 1 $id"
        refused 125 'network ffffffffffff not found' hod run --rm --network ffffffffffff busybox true
}

@test "row 54: what goes into the files cannot add lines to them" {
        refused 125 'invalid hostname' hod run -h $'a\n1.2.3.4 b' busybox true
        refused 125 'invalid domainname' hod run --domainname $'a\tb' busybox true
        refused 125 'at most 64 characters' hod run -h "$(printf 'a%.0s' {1..65})" busybox true
        refused 125 'control character' hod run --add-host $'a\n1.2.3.4 b:1.1.1.1' busybox true
        refused 125 'valid domain' hod run --dns-search $'a\nnameserver 1.1.1.1' busybox true
        refused 125 'control character' hod run --dns-option $'a\nnameserver 1.1.1.1' busybox true
        refused 125 'bad format for links' hod run --link $'a:b\nc' busybox true
        is "$(hod ps -aq)" ''
}

@test "hod port, PORTS of ps, and Ports of inspect" {
        local p=$((20000 + RANDOM % 10000))
        hod run -d --name po -p "127.0.0.1:$p:1" -p "0.0.0.0:$((p + 1)):2/udp" -p "0.0.0.0:$((p + 2))-$((p + 4)):$((p + 2))-$((p + 4))" \
                --expose 443 busybox sleep 100 >/dev/null
        is "$(hod port po)" "1/tcp -> 127.0.0.1:$p
2/udp -> 0.0.0.0:$((p + 1))
$((p + 2))/tcp -> 0.0.0.0:$((p + 2))
$((p + 3))/tcp -> 0.0.0.0:$((p + 3))
$((p + 4))/tcp -> 0.0.0.0:$((p + 4))"
        is "$(hod port po 1)" "127.0.0.1:$p"
        is "$(hod port po 2/udp)" "0.0.0.0:$((p + 1))"
        refused 1 "No public port '443' published for po" hod port po 443
        refused 1 "No public port '1/udp' published for po" hod port po 1/udp
        refused 1 'invalid port .x.: strconv.ParseUint: parsing "x": invalid syntax' hod port po x
        refused 1 'value out of range' hod port po 65536
        refused 1 'No such container: nosuch' hod port nosuch
        is "$(hod ps --format '{{.Ports}}|{{.Networks}}')" \
                "443/tcp, 0.0.0.0:$((p + 2))-$((p + 4))->$((p + 2))-$((p + 4))/tcp, 127.0.0.1:$p->1/tcp, 0.0.0.0:$((p + 1))->2/udp|bridge"
        is "$(hod inspect -f '{{json (index .NetworkSettings.Ports "1/tcp")}} {{json (index .NetworkSettings.Ports "443/tcp")}}' po)" \
                "[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"$p\"}] null"
        hod stop -t 0 po
        is "$(hod port po)$(hod ps -a --format '{{.Ports}}')" ''
        is "$(hod inspect -f '{{json .NetworkSettings.Ports}}' po)" '{}'
}
