#!/usr/bin/env bats
# Firewalls of others beside hod's networks: what is said of them is what happens. Everything happens in network
# namespaces of the tests' own. (Programs that make such firewalls: tests/peers/network.bats.)

load lib
load alone
setup_file() {
        e2e_setup
}
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

# filtered SCRIPT: in a machine with a neighbour and a container on bridge fw0 that publishes port 18080; all of it with IPv6.
filtered() {
        # shellcheck disable=SC2016  # it is expanded in there
        alone '
                ip addr add 2001:db8:1::1/64 dev host0 nodad
                nsenter -t $N -n ip addr add 2001:db8:1::2/64 dev n0 nodad
                ip route add default via 192.0.2.2
                ip route add default via 2001:db8:1::2
                hod network create --ipv6 --subnet 10.70.0.0/24 --subnet fd70::/64 -o com.docker.network.bridge.name=fw0 fw >/dev/null
                hod run -d --name w -h host-w --network fw -p 18080:80 busybox sleep 100 >/dev/null
                hod run -d --name v -h host-v --network fw --ip 10.70.0.9 --ip6 fd70::9 busybox sleep 100 >/dev/null
                '"$1"
}

# judged FORM: every ruleset of firewalls.py in this form.
judged() {
        run -0 filtered "python3 $BATS_TEST_DIRNAME/firewalls.py $1 fw0 \$(pid w) \$(pid v) \$N"
        echo "$output"
        [[ $output =~ ^[1-9][0-9]+$ ]]
}

@test "rulesets with verdict maps, sets, intervals and concatenations: what is said is what happens to packets" {
        judged nft
}

@test "rulesets of iptables, kept by nf_tables: the same" {
        judged iptables-nft
}

@test "rulesets of iptables-legacy: the same" {
        unshare -n iptables-legacy -L >/dev/null 2>&1 || skip "not in this kernel"
        judged iptables-legacy
}

@test "an internal network needs nothing of the firewalls of others but what stays on its bridge" {
        [[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || skip "this kernel shows firewalls nothing that stays on a bridge"
        run -0 alone '
                sysctl -qw net.bridge.bridge-nf-call-iptables=0
                hod network create --internal --subnet 10.70.0.0/24 -o com.docker.network.bridge.name=in0 i >/dev/null
                serve a --network i --ip 10.70.0.9
                hod run -d --name b --network i busybox sleep 100 >/dev/null
                reach() { echo "$1 [$(inside b curl -s --connect-timeout $2 http://10.70.0.9/hostname || true)]"; }
                said() { hod info 2>&1 >/dev/null | grep " in0 "; }
                iptables-nft -P FORWARD DROP
                reach "not shown" 5; ! said
                sysctl -qw net.bridge.bridge-nf-call-iptables=1
                reach shown 0.5; said >$T/said; grep -o "containers on in0 .*;" $T/said
                bash -ec "$(sed -n "s/.*to allow it: //p" $T/said | sed "s/iptables /iptables-nft /g")"
                reach allowed 5; ! said'
        echo "$output"
        [[ ${lines[0]} == 'not shown [host-a]' && ${lines[1]} == 'shown []' && ${lines[3]} == 'allowed [host-a]' && ${#lines[@]} -eq 4 ]]
        [[ ${lines[2]} == 'containers on in0 do not reach each other; '* ]]
}
