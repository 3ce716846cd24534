#!/usr/bin/env bats
# bats file_tags=vm
# What this project's usual kernel has not: ipvlan, VLANs, and dummies for networks without a parent.

load ../e2e/lib
setup_file() {
        e2e_setup
        ip link add hodp type dummy
        ip link set hodp up
}
teardown_file() {
        ip link del hodp
        e2e_teardown
}
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

@test "ipvlan: modes l2, l3, l3s; live; flags; no MAC address of its own" {
        local mode
        for mode in l2 l3 l3s; do
                hod network create -d ipvlan -o parent=hodp -o ipvlan_mode=$mode --subnet 10.231.7.0/24 nv >/dev/null
                hod run -d --name a --network nv busybox sleep 100 >/dev/null
                hod run -d --name b busybox sleep 100 >/dev/null
                hod network connect --gw-priority 1 nv b
                hod exec b ping -c 1 -W 2 a
                run -0 hod exec b ip route
                if [[ $mode == l2 ]]; then
                        [[ ${lines[0]} == 'default via 10.231.7.1 dev eth1 ' ]]
                else
                        [[ ${lines[0]} == 'default dev eth1 '* ]]
                fi
                [[ $(hod exec a cat /sys/class/net/eth0/address) == "$(</sys/class/net/hodp/address)" ]]
                [[ $(hod inspect -f '{{.NetworkSettings.Networks.nv.MacAddress}}' a) == '' ]]
                hod network disconnect nv b
                [[ $(hod exec b ls /sys/class/net | paste -sd' ') == 'eth0 lo' ]]
                hod rm -f a b >/dev/null
                hod network rm nv >/dev/null
        done
        hod network create -d ipvlan -o parent=hodp -o ipvlan_flag=private nv >/dev/null
        hod run -d --name a --network nv busybox sleep 100 >/dev/null
        run -1 hod run --rm --network nv busybox ping -c 1 -W 1 "$(hod inspect -f '{{.NetworkSettings.Networks.nv.IPAddress}}' a)"
        refused 125 'ipvlan interfaces do not support custom mac address assignment' \
                hod run --rm --network nv --mac-address 02:00:00:00:00:01 busybox true
}

@test "ipvlan: who has joined a namespace keeps no device in it, when its container ends or begins another run" {
        hod network create -d ipvlan -o parent=hodp --subnet 10.231.7.0/24 nv >/dev/null
        hod run -d --name c --restart always --network nv --network bridge busybox sleep 100 >/dev/null
        hod run -d --name j --network container:c busybox sleep 100 >/dev/null
        hod run -d --name k --network container:j busybox sleep 100 >/dev/null
        hod run -d --name o --network nv busybox sleep 100 >/dev/null
        kill -9 "$(init_pid c)"
        again() { [[ $(hod inspect -f '{{.RestartCount}} {{.State.Status}}' c) == '1 running' ]]; }
        eventually 20 again
        hod exec o ping -c 1 -W 2 c
        [[ $(hod exec k ls /sys/class/net) == lo ]]
        hod run -d --name l --network "ns:/proc/$(init_pid c)/ns/net" busybox sleep 100 >/dev/null
        [[ $(hod exec l ls /sys/class/net | paste -sd' ') == 'eth0 eth1 lo' ]]
        hod rm -f c >/dev/null
        [[ $(hod exec l ls /sys/class/net) == lo ]]
        hod run --rm --name c --network nv busybox ping -c 1 -W 2 o
}

@test "a VLAN is made when a network needs it, shared, and taken away with the last" {
        hod network create -d macvlan -o parent=hodp.10 --subnet 10.231.8.0/24 na >/dev/null
        run -0 ip -d link show hodp.10
        [[ $output == *'vlan protocol 802.1Q id 10'* ]]
        hod network create -d macvlan -o parent=hodp.10 --subnet 10.231.9.0/24 nb >/dev/null
        hod run -d --name a --network na busybox sleep 100 >/dev/null
        hod run --rm --network na busybox ping -c 1 -W 2 "$(hod inspect -f '{{.NetworkSettings.Networks.na.IPAddress}}' a)"
        hod rm -f a >/dev/null
        hod network rm na >/dev/null
        ip link show hodp.10 >/dev/null
        # As after a reboot: it comes back when it is used.
        ip link del hodp.10
        run -0 hod run --rm --network nb busybox ip -4 -o addr show eth0
        hod network rm nb >/dev/null
        # One that was there before stays.
        ip link add link hodp name hodp.20 type vlan id 20
        hod network create -d ipvlan -o parent=hodp.20 nc >/dev/null
        hod network rm nc >/dev/null
        ip link del hodp.20
        run -1 ip link show hodp.10
}

@test "without a parent: a dummy of its own, among themselves only" {
        local id
        id=$(hod network create -d macvlan nd)
        ip link show "dm-${id:0:12}" >/dev/null
        hod run -d --name a --network nd busybox sleep 100 >/dev/null
        hod run --rm --network nd busybox sh -c 'ping -c 1 -W 2 a && ! ip route | grep default'
        hod rm -f a >/dev/null
        hod network rm nd >/dev/null
        run -1 ip link show "dm-${id:0:12}"
}
