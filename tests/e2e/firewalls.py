# firewalls.py nft|iptables-nft|iptables-legacy BRIDGE CONTAINER-PID OTHER-PID NEIGHBOUR-PID: rulesets as others write them
# beside hod's. For each one, what `hod info` says of the bridge is compared with what becomes of the first packet of a
# connection from the container to the neighbour ("out"), from the neighbour to the published port 18080 ("in"), from the
# host to it ("host"), and from the container to another one (10.70.0.9, fd70::9) on its bridge ("within"); by IPv4 and by
# IPv6. Then the commands that it names are run, and nothing may be refused any more. Prints a line for each difference,
# and at last how many rulesets there were.
#
# Counters tell what became of a packet: each is counted before all chains of others on its way, and again after them if
# nobody has dropped it. Nobody has to be asked for a link address in between: both happen in one go, so that nothing is
# waited for.
import ctypes, json, os, re, socket, subprocess, sys, time

form, bridge, container, other, neighbour = sys.argv[1:]
SYN = "tcp flags syn / syn,ack counter name"
# Of each kind: where it is counted before and after (family, hook), and by what it is known there, of IPv4 and IPv6.
KINDS = {
    "out": (("netdev", 'ingress device "BR"'), "ip daddr 192.0.2.2 tcp dport 18080", "ip6 daddr 2001:db8:1::2 tcp dport 18080",
            ("inet", "postrouting"), 'oifname "host0" meta nfproto ipv4 tcp dport 18080', 'oifname "host0" meta nfproto ipv6 tcp dport 18080'),
    "in": (("netdev", 'ingress device "host0"'), "ip daddr 192.0.2.1 tcp dport 18080", "ip6 daddr 2001:db8:1::1 tcp dport 18080",
           ("bridge", "postrouting"), "ip saddr 192.0.2.2 tcp dport 80", "ip6 saddr 2001:db8:1::2 tcp dport 80"),
    "host": (("inet", "output"), 'oifname "lo" meta nfproto ipv4 tcp dport 18080', 'oifname "lo" meta nfproto ipv6 tcp dport 18080',
             ("bridge", "postrouting"), "ip saddr != 192.0.2.2 tcp dport 80", "ip6 saddr != 2001:db8:1::2 tcp dport 80"),
    "within": (("bridge", "prerouting"), "ip daddr 10.70.0.9 tcp dport 18080", "ip6 daddr fd70::9 tcp dport 18080",
               ("netdev", 'egress device "PORT"'), "ip daddr 10.70.0.9 tcp dport 18080", "ip6 daddr fd70::9 tcp dport 18080"),
}


def oracle():
    chains = {}
    for kind, (first, before4, before6, last, after4, after6) in KINDS.items():
        for where, when, conditions in ((first, "before", (before4, before6)), (last, "after", (after4, after6))):
            for version, condition in zip("46", conditions):
                chains.setdefault((where, when), []).append((f"{when}_{kind}{version}", condition))
    text = ""
    for ((family, hook), when), rules in chains.items():
        priority = -500 if when == "before" else 500
        text += f"table {family} oracle {{\n" + "".join(f"  counter {name} {{ }}\n" for name, _ in rules)
        text += f"  chain {re.sub('[^a-z0-9]', '_', hook)}_{when} {{ type filter hook {hook} priority {priority};\n"
        text += "".join(f"    {condition} {SYN} {name}\n" for name, condition in rules) + "  }\n}\n"
    return text.replace("BR", bridge).replace("PORT", port_of(other))


def port_of(pid):
    """Of the host's end of its pair."""
    links = json.loads(subprocess.run(["nsenter", "-t", pid, "-n", "ip", "-j", "link"], check=True, stdout=subprocess.PIPE).stdout)
    return socket.if_indextoname(next(link["link_index"] for link in links if link["ifname"] == "eth0"))


# What is refused ("out", "in", "within" if firewalls of IP are shown what stays on a bridge, "bridged" the same in any
# case, "host", "" nothing), the definitions, the rules of the chain. A chain begins with its policy. "?": what is asked
# for is not known of every packet, so that only what is said is compared.
RULESETS = [
    ("", "", "accept"),
    ("out in within", "", "drop"),
    # Verdict maps: one of interfaces, one of states, both as anonymous ones.
    ("in", "", 'accept; iifname vmap { "lo" : accept, "BR" : accept, "host0" : jump x }'),
    ("", "", 'drop; ct state vmap { established : accept, related : accept, invalid : drop }; iifname vmap { "BR" : accept, "host0" : accept }'),
    ("out in within", "", "drop; ct state vmap { established : accept, related : accept, invalid : drop }"),
    ("in", "", "drop; ct state vmap { new : goto y, invalid : drop }"),
    ("out", "", 'accept; iifname . oifname vmap { "BR" . "host0" : drop, "host0" . "BR" : accept }'),
    ("in within", "", 'drop; iifname . oifname vmap { "BR" . "host0" : accept, "host0" . "other" : accept }'),
    ("", "", 'drop; oifname vmap { "BR" : continue, "host0" : jump y, * : accept }; accept'),
    ("in", "map m { type ifname : verdict; elements = { \"BR\" : return, * : goto x } }", "accept; iifname vmap @m"),
    ("out within", "map m { type ifname : verdict; flags interval; elements = { \"BR*\" : jump x, \"host*\" : accept } }", "drop; iifname vmap @m"),
    ("out", "map m { typeof meta iifname . meta oifname : verdict; flags interval; elements = { \"BR*\" . \"host*\" : drop, \"host*\" . \"BR\" : accept } }",
     "accept; iifname . oifname vmap @m"),
    ("out in within", "map m { type ipv4_addr : verdict; flags interval; elements = { 10.70.0.0/16 : drop } }", "accept; ip saddr vmap @m; ip daddr vmap @m"),
    ("", "map m { type ipv4_addr : verdict; flags interval; elements = { 10.69.0.0/16 : drop, 10.71.0.0-10.72.255.255 : drop } }",
     "accept; ip saddr vmap @m; ip daddr vmap @m"),
    ("out within", "", "accept; ip6 saddr vmap { fd70::/32 : drop, fd71::/32 : accept }"),
    ("in", "", "accept; meta nfproto vmap { ipv4 : jump z, ipv6 : jump z }"),
    ("out in within", "", "accept; meta l4proto vmap { tcp : jump x, udp : accept }"),
    ("", "", "accept; meta l4proto vmap { icmp : drop, udp : drop }"),
    ("", "", "accept; meta protocol vmap { arp : drop, 0x8100 : drop }"),
    # Sets.
    ("in", "set links { type ifname; elements = { \"BR\", \"lo\" } }", "drop; iifname @links accept"),
    ("out within", "set links { type ifname; elements = { \"BR\", \"lo\" } }", "accept; iifname @links drop"),
    ("in", "", 'accept; iifname != { "BR", "lo" } reject'),
    ("out within", "", 'accept; iifname { "br-*", "BR*" } drop'),
    ("", "", 'accept; iifname { "br-*", "virbr*" } drop'),
    ("out in within", "set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }", "accept; ip saddr @s reject; ip daddr @s drop"),
    ("in", "", "drop; ip saddr 10.70.0.0/24 accept; ip6 saddr fd70::/64 accept"),
    ("out within", "", "accept; ip saddr 10.70.0.1-10.70.0.254 drop"),
    ("", "", "accept; ip saddr { 10.70.1.1-10.70.1.254, 10.0.0.1 } drop"),
    ("", "", 'drop; iifname "BR" ip saddr != 192.168.0.0-192.168.255.255 accept; ct status dnat accept; meta nfproto ipv6 accept'),
    ("out within", "set s { typeof meta iifname . ip saddr; flags interval; elements = { \"BR\" . 10.70.0.0/24 } }", "accept; iifname . ip saddr @s drop"),
    ("out within", "", 'accept; iifname . meta nfproto { "BR" . ipv4, "lo" . ipv6 } drop'),
    ("in", "", "accept; ct status dnat drop"),
    ("out within", "", "drop; ct status dnat accept"),
    ("out in within", "", "accept; tcp flags & (fin | syn | rst | ack) == syn drop"),
    ("", "", "accept; tcp flags & (fin | syn | rst | ack) != syn ct state new drop"),
    ("", "", "accept; ip protocol { icmp, udp } drop; ip6 nexthdr udp drop"),
    # A concatenation of which a part is not known: it is in no case among these.
    ("", "", 'accept; iifname . tcp dport { "eth7" . 18080, "eth7" . 80, "eth7" . 9 } drop'),
    ("out in within", "", 'accept; iifname . tcp dport != { "eth7" . 18080, "eth7" . 80 } drop'),
    ("out in within", "set s { typeof meta iifname . tcp dport; flags interval; elements = { \"eth*\" . 1-65535 } }", "drop; iifname . tcp dport @s accept"),
    # What is met only now and then does not hold; whoever names our bridge means us.
    ("?out in within", "", "drop; tcp dport { 80, 443 } accept"),
    ("?", "", "accept; tcp dport { 22, 25 } drop; tcp dport vmap { 22 : drop }"),
    ("?in", "", 'drop; iifname . tcp dport vmap { "BR" . 443 : accept, "BR" . 25 : drop }'),
    ("?", "", 'accept; iifname "BR" tcp dport vmap { 25 : drop, 22 : jump x }'),
    ("?", "", 'accept; iifname "BR" tcp dport 22 jump x'),
    ("?", "set s { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; }", "accept; add @s { ip saddr limit rate over 100/second } drop"),
    ("?", "set s { type ifname; limit rate over 100/second; elements = { \"BR\" limit rate over 100/second } }", "accept; iifname @s drop"),
    ("?", "limit l { rate over 100/second\n }\n quota q { over 1000 mbytes\n }", "accept; limit name l drop; quota name q drop"),
    ("?", "", "accept; meta mark 7-9 drop; meta mark { 1, 3 } drop"),
    ("?", "", "accept; ip saddr . tcp dport vmap { 10.70.0.2 . 80 : drop, 10.70.0.0 . 81 : drop }"),
]
LONG = "long-" * 50
# Elsewhere: the family, the hook, the priority and the policy of the chain before its rules. What is for a published port
# is translated at -100 (at 0 it is not for the host any more); connections are known from -200 on.
PLACES = [
    ("out within in", "inet prerouting -300 drop"),
    ("out within", 'inet prerouting -300 drop; iifname "host0" accept'),
    ("in", 'inet prerouting -300 drop; iifname "BR" accept'),
    ("in", 'inet prerouting -150 accept; iifname != "BR" drop'),
    ("in", 'ip6 prerouting -150 accept; iifname "host0" drop'),
    ("out within", "ip prerouting -150 accept; ip saddr 10.0.0.0/8 drop"),
    ("out within in", "inet prerouting -300 accept; ct state invalid drop"),
    ("", "inet prerouting -150 accept; ct state invalid drop"),
    ("", "inet prerouting -300 accept; ct status dnat drop; ct status != dnat drop; ct direction original drop"),
    ("", "inet prerouting -150 accept; ct status dnat drop"),
    ("in", "inet prerouting -90 accept; ct status dnat drop"),
    ("in", 'inet prerouting 10 drop; iifname "BR" accept'),
    ("out within", "inet prerouting 10 drop; ct status dnat accept"),
    ("in", 'inet prerouting 0 accept; iifname != "BR" ip daddr 10.70.0.0/24 drop; iifname != "BR" ip6 daddr fd70::/64 drop'),
    ("", 'inet prerouting -300 accept; iifname != "BR" ip daddr 10.70.0.0/24 drop; iifname != "BR" ip6 daddr fd70::/64 drop'),
    ("", "inet prerouting 10 accept; fib saddr . iif oif missing drop"),
    ("out within", "inet prerouting -150 accept; fib daddr . iif type != { local, broadcast, multicast } drop"),
    ("in", "inet prerouting -300 accept; fib daddr type local drop"),
    ("out within in", "inet prerouting 0 accept; fib daddr type unicast drop"),
    ("", "inet prerouting -150 accept; fib daddr . iif type local accept; fib daddr type { local, unicast } accept; drop"),
    ("host", "inet output -150 accept; fib daddr type local drop"),
    ("host", "inet output 0 accept; oifname lo fib daddr type != local drop"),
    ("in", 'netdev ingress@host0 0 accept; fib daddr type local drop'),
    ("", "inet prerouting -100 accept; iifname host0 tcp dport 18081 drop"),
    ("out within in", f"inet prerouting -300 drop {LONG}"),
    # Some port is allowed: it may be the published one.
    ("", 'inet prerouting -300 drop; iifname "BR" accept; tcp dport 18080 accept'),
    ("?", 'inet prerouting -300 drop; iifname "BR" accept; tcp dport 22 accept'),
    ("?", 'inet prerouting -300 drop; iifname "BR" accept; tcp dport vmap { 22 : accept }'),
    ("?", 'inet prerouting -300 accept; iifname "BR" accept; tcp dport 18080 goto z; drop'),
    ("", 'inet prerouting -300 accept; iifname "BR" accept; tcp dport 18080 return; drop'),
    # What the host itself sends: until it is sent again by its new route, by "lo".
    ("host", 'inet output -300 drop; oifname "host0" accept'),
    ("host", 'inet output 0 drop; oifname { "BR", "host0" } accept'),
    ("", 'inet output 0 drop; oifname { "lo", "host0" } accept'),
    ("host", "inet output 0 accept; ip daddr 10.0.0.0/8 drop; ip6 daddr fc00::/7 drop"),
    ("", "inet output -300 accept; ip daddr 10.0.0.0/8 drop; ip6 daddr fc00::/7 drop"),
    ("host", "inet output 0 accept; ct state new ct status dnat reject"),
    ("", "inet output -150 accept; ct status dnat drop; ct state invalid drop"),
    ("host", "inet output -300 accept; ct state invalid drop"),
    ("?", "inet output 0 drop; meta skuid 0-4000000000 accept"),
    # Where everything goes out.
    ("in within host", 'inet postrouting 0 accept; oifname "BR" drop'),
    ("out", 'inet postrouting -300 drop; oifname "BR" accept'),
    ("out", 'inet postrouting 0 accept; oifname "host0" ip saddr 10.70.0.0/24 drop; oifname "host0" ip6 saddr fd70::/64 drop'),
    ("", 'inet postrouting 0 accept; ct state invalid drop; iifname "lo" drop'),
    # Bridges: what is between containers, and what the host sends. (What a container sends to the host does not come by.)
    ("bridged", "bridge forward 0 drop"),
    ("bridged", "bridge forward 0 accept; ip saddr 10.70.0.0/24 drop; ip6 saddr fd70::/64 drop"),
    ("bridged", "bridge prerouting 0 accept; ip daddr 10.70.0.0/24 ip saddr 10.70.0.0/24 drop"),
    ("in host", "bridge output 0 drop; ether type arp accept"),
    ("bridged in host", "bridge postrouting 0 drop; meta protocol arp accept"),
    ("bridged", 'bridge forward 0 drop; iifname "BR" accept; ip saddr 10.71.0.0/16 accept'),
    ("", "bridge forward 0 drop; ether type { ip, ip6 } accept"),
    ("", "bridge forward 0 drop; ether type ip jump a; meta protocol ip6 accept"),
    ("", 'bridge forward 0 accept; iifname "vnet*" drop'),
    ("", "bridge input 0 drop; ether type arp accept"),
    ("bridged", 'bridge forward 0 drop; iifname "vnet*" accept; oifname { "virbr0-nic", "tap*" } accept'),
    ("", 'bridge forward 0 drop; iifname "hod*" oifname "hod*" accept'),
    ("?", "bridge forward 0 drop; ip daddr . tcp dport { 10.70.0.77 . 1 } accept; iif 1 accept"),
    # Links.
    ("in", "netdev ingress@host0 0 accept; ip protocol tcp drop; ip6 nexthdr tcp drop"),
    ("out", "netdev ingress@BR 0 accept; ip saddr 10.70.0.0/24 drop; ip6 saddr fd70::/64 drop"),
    ("", "netdev ingress@lo 0 drop"),
    ("", "netdev ingress@host0 0 accept; ip daddr 10.70.0.0/24 drop; tcp dport 18081 drop"),
    ("in", "inet ingress@host0 0 accept; meta nfproto ipv6 drop"),
    ("?", "netdev ingress@host0 0 drop; ether type arp accept; tcp dport { 22, 80 } accept"),
]
# Of iptables: the policy of FORWARD, its rules; chains x (drops), y (accepts what comes from the bridge), z (returns).
IPTABLES = [
    ("", "ACCEPT"),
    ("out in within", "DROP"),
    ("in", "DROP; -i BR -j ACCEPT"),
    ("out within", "DROP; ! -i BR -j ACCEPT"),
    ("out within", "DROP; -m conntrack --ctstate DNAT -j ACCEPT"),
    ("out within", "ACCEPT; -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment a -j ACCEPT; -j REJECT"),
    ("out in within", "ACCEPT; -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; -m conntrack --ctstate INVALID -j DROP; -j REJECT"),
    ("in", "ACCEPT; -j y; -j z; -j x"),
    ("in", "DROP; -g y; -j ACCEPT"),
    ("", "ACCEPT; -j z; -g z; -j x"),
    ("out within", "ACCEPT; -i BR -p tcp -j x; -j ACCEPT; -j DROP"),
    ("", "ACCEPT; -p udp -j x; -p icmp -j DROP; ! -p tcp -j REJECT"),
    ("out in within", "ACCEPT; -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
    ("", "ACCEPT; -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
    ("out", "ACCEPT; -i BR -o host0 -j DROP"),
    ("in", "ACCEPT; -i host+ -o BR -j x"),
    ("out within", "ACCEPT; -s SUBNET -j DROP"),
    ("in within", "ACCEPT; -d SUBNET -j REJECT"),
    ("", "ACCEPT; -s 198.51.100.0/24 -j DROP; -i eth+ -j x"),
    ("out in", "DROP; -m physdev --physdev-is-bridged -j ACCEPT"),
    ("within", "ACCEPT; -i BR -m physdev --physdev-is-bridged -j DROP"),
    ("out in", "ACCEPT; -m physdev ! --physdev-is-bridged -j DROP"),
    # What is met only now and then does not hold; whoever names our bridge means us.
    ("?out in within", "DROP; -p tcp -m multiport --dports 80,443 -j ACCEPT; -m mark --mark 7 -j ACCEPT"),
    ("?", "ACCEPT; -p tcp -m tcp --dport 22 -j DROP; -m mark --mark 7 -j x; -m limit --limit 1/hour -j LOG; -m mark --mark 7 -g x"),
    ("?", "ACCEPT; -i BR -m mark --mark 7 -j x; -i BR -p tcp -m tcp --dport 22 -g x; -o BR -m mark --mark 7 -j RETURN"),
    ("?out within", "DROP; -o BR -m mark --mark 7 -i host0 -j ACCEPT; -i host0 -j ACCEPT"),
]
# As PLACES: the table, the chain, its policy.
IPTABLES_PLACES = [
    ("out within in", "raw PREROUTING DROP"),
    ("in", "raw PREROUTING ACCEPT; -i BR -j ACCEPT; -j DROP"),
    ("in", "mangle PREROUTING DROP; -i BR -j ACCEPT; ! -i host0 -j ACCEPT"),
    ("out within", "mangle PREROUTING ACCEPT; -s SUBNET -j x"),
    ("out within in", "raw PREROUTING ACCEPT; -m conntrack --ctstate INVALID -j DROP"),
    ("", "mangle PREROUTING ACCEPT; -m conntrack --ctstate INVALID -j DROP; -m conntrack --ctdir REPLY -j RETURN"),
    ("", "raw PREROUTING ACCEPT; -d SUBNET ! -i BR -j DROP; -m conntrack --ctdir ORIGINAL -j DROP"),
    ("", "raw PREROUTING ACCEPT; -m rpfilter --invert -j DROP"),
    ("", "mangle PREROUTING ACCEPT; -m conntrack --ctstate DNAT -j DROP; -p tcp ! --syn -m conntrack --ctstate NEW -j DROP"),
    ("", "mangle PREROUTING DROP; -i BR -j ACCEPT; -p tcp --dport 18080 -j ACCEPT"),
    ("?", "mangle PREROUTING DROP; -i BR -j ACCEPT; -p tcp --dport 22 -j ACCEPT"),
    ("?", "raw PREROUTING ACCEPT; -i BR -j ACCEPT; -p tcp --dport 18080 -j RETURN; -j DROP"),
    ("out within in", "mangle FORWARD ACCEPT; -j x"),
    ("out in host", "mangle POSTROUTING ACCEPT; -m physdev ! --physdev-is-bridged -j x"),
    ("in within host", "mangle POSTROUTING ACCEPT; -o BR -j x"),
    ("out", "mangle POSTROUTING ACCEPT; -o host0 -s SUBNET -j x"),
    ("host", "raw OUTPUT DROP; -o host0 -j ACCEPT"),
    ("host", "filter OUTPUT DROP; -o host0 -j ACCEPT; -o BR -j ACCEPT"),
    ("", "filter OUTPUT DROP; -o host0 -j ACCEPT; -o lo -j ACCEPT"),
    ("host", "filter OUTPUT ACCEPT; -d SUBNET -j REJECT"),
    ("", "mangle OUTPUT ACCEPT; -d SUBNET -j DROP; -m conntrack --ctstate DNAT -j DROP"),
]
RESTORE = """*%s
:%s %s [0:0]
:x - [0:0]
:y - [0:0]
:z - [0:0]
-A x -j DROP
-A y -i BR -j ACCEPT
-A z -m comment --comment nothing
-A z -j RETURN
%sCOMMIT
"""
TABLE = """
table inet site {
  chain x { drop; }
  chain y { iifname "BR" accept; }
  chain z { iifname "host0" drop; }
  %s
  chain fw { type filter hook forward priority 0; policy %s; }
}
"""
ELSEWHERE = """
table FAMILY site {
  chain a { accept; }
  chain z { meta l4proto tcp return; }
  chain CHAIN { type filter hook HOOK priority %s; policy %s; }
}
"""
libc = ctypes.CDLL(None, use_errno=True)
here = os.open("/proc/self/ns/net", os.O_RDONLY)
theirs = {"out": os.open(f"/proc/{container}/ns/net", os.O_RDONLY), "in": os.open(f"/proc/{neighbour}/ns/net", os.O_RDONLY)}
theirs["within"], theirs["host"] = theirs["out"], here
TO = {"out4": "192.0.2.2", "out6": "2001:db8:1::2", "in4": "192.0.2.1", "in6": "2001:db8:1::1", "within4": "10.70.0.9", "within6": "fd70::9",
      "host4": "127.0.0.1", "host6": "2001:db8:1::1"}
try:
    shown = open("/proc/sys/net/bridge/bridge-nf-call-iptables").read() == "1\n"
except OSError:
    shown = False


def setns(fd):
    if libc.setns(fd, 0):
        raise OSError(ctypes.get_errno(), "setns")


# nft(8) without a process for each command.
library = ctypes.CDLL("libnftables.so.1")
library.nft_ctx_get_output_buffer.restype = library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
library.nft_ctx_new.restype = ctypes.c_void_p
context = ctypes.c_void_p(library.nft_ctx_new(0))
library.nft_ctx_buffer_output(context)
library.nft_ctx_buffer_error(context)
library.nft_ctx_output_set_flags(context, 1 << 4)  # JSON


def nft(text):
    failed = library.nft_run_cmd_from_buffer(context, text.encode())
    output, error = library.nft_ctx_get_output_buffer(context), library.nft_ctx_get_error_buffer(context)
    if failed:
        raise SystemExit(f"{text}: {error.decode()}")
    return output


def know_each_other():
    """Everybody knows everybody's link address for good."""
    where = {"h": [], "c": ["nsenter", "-t", container, "-n"], "o": ["nsenter", "-t", other, "-n"], "n": ["nsenter", "-t", neighbour, "-n"]}
    links = {name: json.loads(subprocess.run([*enter, "ip", "-j", "addr"], check=True, stdout=subprocess.PIPE).stdout) for name, enter in where.items()}
    for name, link, peer, its in (("c", "eth0", "h", bridge), ("o", "eth0", "h", bridge), ("h", bridge, "c", "eth0"), ("h", bridge, "o", "eth0"),
                                  ("c", "eth0", "o", "eth0"), ("o", "eth0", "c", "eth0"), ("h", "host0", "n", "n0"), ("n", "n0", "h", "host0")):
        for found in links[peer]:
            for address in found["addr_info"] if found["ifname"] == its else []:
                subprocess.run([*where[name], "ip", "neigh", "replace", address["local"], "lladdr", found["address"], "dev", link, "nud", "permanent"], check=True)


def counters():
    answer = json.loads(nft("list counters"))
    return {o["counter"]["name"]: o["counter"]["packets"] for o in answer["nftables"] if "counter" in o}


def begin(kind):
    """Send the first packet of a connection."""
    setns(theirs[kind[:-1]])
    s = socket.socket(socket.AF_INET6 if kind[-1] == "6" else socket.AF_INET)
    setns(here)
    s.setblocking(False)
    s.connect_ex((TO[kind], 18080))
    return s


def refused():
    """What really is."""
    before = counters()
    sockets = [begin(kind) for kind in TO]
    until = time.monotonic() + 20
    while True:
        now = counters()
        if all(now["before_" + k] > before["before_" + k] for k in TO):
            break
        if time.monotonic() > until:
            raise SystemExit(f"packets that never come: {[k for k in TO if now['before_' + k] == before['before_' + k]]}")
    now = counters()
    for s in sockets:
        s.close()
    return {k[:-1] for k in TO if now["after_" + k] == before["after_" + k]}


def said():
    text = subprocess.run([os.environ["HOD_BIN"] + "/hod", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True).stderr
    what, advice = set(), []
    for line in text.splitlines():
        if f" {bridge} " not in line and f" {bridge};" not in line and f" {bridge}," not in line:
            continue
        advice.append(line.partition("to allow it: ")[2])
        if f"containers on {bridge} do not reach the world" in line:
            what.add("out")
        if "each other" in line:
            what.add("within")
        if "others do not reach" in line or "others and the host itself do not reach" in line:
            what.add("in")
        if "the host itself do" in line:
            what.add("host")
    return what, advice


def set_nft(definitions, chain):
    policy, _, rules = chain.partition("; ")
    where, table, text = "inet site fw", TABLE % (definitions, policy), ""
    if " " in policy:
        family, hook, priority, policy, *name = policy.split(" ")
        name = name[0] if name else "fw"
        hook = hook.replace("@", " device ")
        table = ELSEWHERE % (priority, policy)
        for old, new in (("FAMILY", family), ("CHAIN", name), ("HOOK", hook), ("site", name if name == LONG else "site")):
            table = table.replace(old, new)
        where = f"{family} {name if name == LONG else 'site'} {name}"
    for family in ("inet", "ip", "ip6", "bridge", "netdev"):
        for name in ("site", LONG):
            text += f"table {family} {name} {{}}; delete table {family} {name}\n"
    text += table + "".join(f"add rule {where} {r}\n" for r in rules.split("; ") if r)
    nft(text.replace("BR", bridge))


def set_iptables(definitions, chain):
    head, _, rules = chain.partition("; ")
    table, name, policy = head.split(" ") if " " in head else ("filter", "FORWARD", head)
    lines = [f"-A {name} {r}\n" for r in rules.split("; ") if r]
    for program, subnet in (("iptables", "10.70.0.0/24"), ("ip6tables", "fd70::/64")):
        text = "".join(f"*{t}\n{''.join(f':{c} ACCEPT [0:0]' + chr(10) for c in chains)}COMMIT\n" for t, chains in
                       (("raw", ("PREROUTING", "OUTPUT")), ("mangle", ("PREROUTING", "FORWARD", "OUTPUT", "POSTROUTING")), ("filter", ("FORWARD", "OUTPUT"))) if t != table)
        text += RESTORE % (table, name, policy, "".join(line for line in lines if "198.51" not in line or program == "iptables"))
        subprocess.run([form.replace("iptables", program) + "-restore"], input=text.replace("BR", bridge).replace("SUBNET", subnet), text=True, check=True)


know_each_other()
nft(oracle())
if form == "nft":
    rulesets, set_rules = RULESETS + [(want, "", chain) for want, chain in PLACES], set_nft
else:
    rulesets, set_rules = [(want, "", chain) for want, chain in IPTABLES + IPTABLES_PLACES], set_iptables
for want, definitions, chain in rulesets:
    set_rules(definitions, chain)
    (says, advice), is_ = said(), refused()
    expected = {k.replace("bridged", "within") for k in want.strip("?").split() if k != "within" or shown}
    if says != expected or (want[:1] != "?" and says != is_):
        print(f"{definitions} {chain}: said {sorted(says)}, is {sorted(is_)}, expected {want!r}")
    for line in advice:
        # "iptables" is either of both on a machine.
        subprocess.run(["bash", "-ec", re.sub("(ip6?tables) ", r"\1-nft ", line.replace("PORT", "18080"))], check=True)
    if advice and (said()[0] or refused()):
        print(f"{definitions} {chain}: {advice} is not enough: said {said()[0]}, is {refused()}")
print(len(rulesets))
