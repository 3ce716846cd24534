# firewalls.py nft|iptables-nft|iptables-legacy BRIDGE CONTAINER-PID NEIGHBOUR-PID: rulesets as others write them beside
# hod's. For each one, what `hod info` says of the bridge is compared with what becomes of the first packet of a
# connection from the container to the neighbour ("out"), from the neighbour to the published port 18080 ("in"), and from
# the container to another one (10.70.0.9, fd70::9) on its bridge ("within") if firewalls are shown what stays there; by
# IPv4 and by IPv6. Then the commands that it names are run, and nothing may be refused any more. Prints a line for each
# difference, and at last how many rulesets there were.
#
# Counters tell what became of a packet: each is counted before all other chains of the forward hook, and again after
# them if nobody has dropped it. Both happen in one go, so that nothing is waited for.
import ctypes, json, os, socket, subprocess, sys, time

form, bridge, container, neighbour = sys.argv[1:]
KINDS = {"out": (bridge, "host0"), "in": ("host0", bridge), "within": (bridge, bridge)}


def oracle():
    text = {"before": "", "after": ""}
    names = []
    for kind, (source, to) in KINDS.items():
        for family in "46":
            for chain in text:
                names.append(f"{chain}_{kind}{family}")
                text[chain] += f'    iifname "{source}" oifname "{to}" tcp flags syn / syn,ack meta nfproto ipv{family} counter name {names[-1]}\n'
    return "table inet oracle {\n%s\n%s}\n" % (
        "\n".join(f"  counter {name} {{ }}" for name in names),
        "".join(f"  chain {chain} {{ type filter hook forward priority {at};\n{text[chain]}  }}\n" for chain, at in (("before", -500), ("after", 500))))


# What is refused ("out", "in", "within", "" nothing), the definitions, the rules of the chain. A chain begins with its
# policy. "?": what is asked for is not known of every packet, so that only what is said is compared.
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
    # What is met only now and then does not hold; whoever names our bridge means us.
    ("?out in within", "DROP; -p tcp -m multiport --dports 80,443 -j ACCEPT; -m mark --mark 7 -j ACCEPT"),
    ("?", "ACCEPT; -p tcp -m tcp --dport 22 -j DROP; -m mark --mark 7 -j x; -m limit --limit 1/hour -j LOG; -m mark --mark 7 -g x"),
    ("?", "ACCEPT; -i BR -m mark --mark 7 -j x; -i BR -p tcp -m tcp --dport 22 -g x; -o BR -m mark --mark 7 -j RETURN"),
    ("?out within", "DROP; -o BR -m mark --mark 7 -i host0 -j ACCEPT; -i host0 -j ACCEPT"),
]
RESTORE = """*filter
:FORWARD %s [0:0]
:x - [0:0]
:y - [0:0]
:z - [0:0]
-A x -j DROP
-A y -i BR -j ACCEPT
-A z -m comment --comment nothing
-A z -j RETURN
%s
COMMIT
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
libc = ctypes.CDLL(None, use_errno=True)
here = os.open("/proc/self/ns/net", os.O_RDONLY)
theirs = {"out": os.open(f"/proc/{container}/ns/net", os.O_RDONLY), "in": os.open(f"/proc/{neighbour}/ns/net", os.O_RDONLY)}
theirs["within"] = theirs["out"]
TO = {"out4": "192.0.2.2", "out6": "2001:db8:1::2", "in4": "192.0.2.1", "in6": "2001:db8:1::1"}
try:
    shown = open("/proc/sys/net/bridge/bridge-nf-call-iptables").read() == "1\n"
except OSError:
    shown = False
if shown:
    TO.update({"within4": "10.70.0.9", "within6": "fd70::9"})


def setns(fd):
    if libc.setns(fd, 0):
        raise OSError(ctypes.get_errno(), "setns")


def nft(text, *options):
    return subprocess.run(["nft", *options, "-f", "-"], input=text, text=True, check=True, stdout=subprocess.PIPE).stdout


def counters():
    answer = json.loads(subprocess.run(["nft", "-j", "list", "counters", "table", "inet", "oracle"], check=True, stdout=subprocess.PIPE).stdout)
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
    until = time.monotonic() + 20  # neighbours have to be found first
    while True:
        now = counters()
        if all(now["before_" + k] > before["before_" + k] for k in TO):
            break
        if time.monotonic() > until:
            raise SystemExit(f"packets that never come to the forward hook: {[k for k in TO if now['before_' + k] == before['before_' + k]]}")
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
        if "others do not reach" in line:
            what.add("in")
    return what, advice


def set_nft(definitions, chain):
    policy, _, rules = chain.partition("; ")
    text = "table inet site {}; delete table inet site\n" + TABLE % (definitions, policy)
    text += "".join(f"add rule inet site fw {r}\n" for r in rules.split("; ") if r)
    nft(text.replace("BR", bridge))


def set_iptables(definitions, chain):
    policy, _, rules = chain.partition("; ")
    lines = [f"-A FORWARD {r}" for r in rules.split("; ") if r]
    for program, subnet in (("iptables", "10.70.0.0/24"), ("ip6tables", "fd70::/64")):
        those = [line for line in lines if "198.51" not in line or program == "iptables"]
        text = RESTORE % (policy, "\n".join(those)) if those else RESTORE.replace("%s\nCOMMIT", "COMMIT") % policy
        subprocess.run([form.replace("iptables", program) + "-restore"], input=text.replace("BR", bridge).replace("SUBNET", subnet), text=True, check=True)


nft(oracle())
rulesets, set_rules = (RULESETS, set_nft) if form == "nft" else ([(want, "", chain) for want, chain in IPTABLES], set_iptables)
for want, definitions, chain in rulesets:
    set_rules(definitions, chain)
    (says, advice), is_ = said(), refused()
    expected = {k for k in want.strip("?").split() if k != "within" or shown}
    if says != expected or (want[:1] != "?" and says != is_):
        print(f"{definitions} {chain}: said {sorted(says)}, is {sorted(is_)}, expected {want!r}")
    for line in advice:
        # "iptables" is either of both on a machine.
        subprocess.run(["bash", "-ec", line.replace("tables -I", "tables-nft -I")], check=True)
    if advice and (said()[0] or refused()):
        print(f"{definitions} {chain}: {advice} is not enough: said {said()[0]}, is {refused()}")
print(len(rulesets))
