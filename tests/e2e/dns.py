#!/usr/bin/env python3
"""A resolver that misbehaves, and clients that do; for network-dns.bats.

  dns.py serve LOG ADDRESS    answer on UDP and TCP port 53, and write one line for each query: protocol, name, id, port
      a.*       192.0.2.1            big.*     truncated by UDP, 100 addresses by TCP
      silent.*  nothing              refused.* REFUSED
      spoof.*   first replies of another number, another question and (by UDP) another port, then the right one
      large.*   more than was asked for by UDP       nx.* NXDOMAIN
  dns.py flood N              N queries for `web`, 200 under way; says how many were answered and how long it took
  dns.py latency N [NAME]     N queries one after the other: p50 and p99
  dns.py idle N               N connections that say nothing, then five queries by UDP and TCP each; says how long the
                              best of them took, of whichever took longer
  dns.py unsummed             a query whose datagram has no checksum; says how many addresses came
  dns.py garbage              malformed messages by UDP and TCP; then says whether names are answered
  dns.py own                  bind port 53 of every address, UDP and TCP; answer "own"; says "ready"
  dns.py pipeline NAME...     queries by one connection, all sent before the first answer is read; says the names
  dns.py hold NAME...         the same, and keeps the connection
  dns.py mute ADDRESS         a resolver that never answers; says "ready", and what it is asked
  dns.py drown                queries without end, faster than they can be answered; says "ready"
"""
import os, random, select, socket, struct, sys, threading, time

HERE = ("127.0.0.11", 53)


def name_of(m):
    labels, at = [], 12
    while m[at]:
        labels.append(m[at + 1:at + 1 + m[at]].decode("latin1"))
        at += 1 + m[at]
    return ".".join(labels), at + 5


def wire(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def query(name, qtype=1, number=None):
    number = random.randrange(65536) if number is None else number
    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + wire(name) + struct.pack(">HH", qtype, 1)


def reply(m, rcode=0, addresses=(), flags=0, number=None, question=None):
    name, end = name_of(m)
    head = struct.pack(">6H", struct.unpack(">H", m[:2])[0] if number is None else number, 0x8180 | flags | rcode, 1,
                       len(addresses), 0, 0)
    body = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(a) for a in addresses)
    return head + (question or m[12:end]) + body


# ---- the server ----

def answers(m, tcp):
    """What is sent, in this order; a tuple goes out from another port."""
    name = name_of(m)[0].lower()
    kind = name.split(".")[0]
    right = reply(m, addresses=["192.0.2.1"])
    many = ["192.0.2.%d" % i for i in range(100)]
    if kind == "silent":
        return []
    if kind == "refused":
        return [reply(m, rcode=5)]
    if kind == "nx":
        return [reply(m, rcode=3)]
    if kind == "big":
        return [reply(m, addresses=many)] if tcp else [reply(m, flags=0x200)]
    if kind == "large":
        return [reply(m, addresses=many)]
    if kind == "spoof":
        bad = ["198.51.100.66"]
        number = struct.unpack(">H", m[:2])[0]
        return [reply(m, addresses=bad, number=number ^ 1), (reply(m, addresses=bad),), m, m[:5],
                reply(m, addresses=bad, question=wire("evil.test") + b"\0\1\0\1"), right]
    return [right]


def serve(log, address):
    out = open(log, "a", buffering=1)
    udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, 53))
    tcp = socket.socket(udp.family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, 53))
    tcp.listen(64)
    out.write("ready\n")

    def note(protocol, m, peer):
        out.write("%s %s %d %d\n" % (protocol, name_of(m)[0], struct.unpack(">H", m[:2])[0], peer[1]))

    def stream(c, peer):
        while True:
            head = c.recv(2, socket.MSG_WAITALL)
            if len(head) < 2:
                return
            m = c.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
            note("tcp", m, peer)
            for a in answers(m, True)[-1:]:
                # in small pieces
                data = struct.pack(">H", len(a)) + a
                for i in range(0, len(data), 500):
                    c.sendall(data[i:i + 500])

    def streams():
        while True:
            threading.Thread(target=stream, args=tcp.accept(), daemon=True).start()

    threading.Thread(target=streams, daemon=True).start()
    while True:
        m, peer = udp.recvfrom(65535)
        note("udp", m, peer)
        for a in answers(m, False):
            if isinstance(a, tuple):
                with socket.socket(udp.family, socket.SOCK_DGRAM) as other:
                    other.bind((address, 0))
                    other.sendto(a[0], peer)
            else:
                udp.sendto(a, peer)


# ---- clients ----

def ask(name, qtype=1, timeout=20):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect(HERE)
        s.send(query(name, qtype))
        return s.recv(65535)


def ask_tcp(name, timeout=20):
    with socket.create_connection(HERE, timeout) as s:
        m = query(name)
        s.sendall(struct.pack(">H", len(m)) + m)
        size = struct.unpack(">H", s.recv(2, socket.MSG_WAITALL))[0]
        return s.recv(size, socket.MSG_WAITALL)


def flood(n):
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    for s in socks:
        s.connect(HERE)
        s.setblocking(False)
    message = query("web", number=0)[2:]
    sent, waiting, begin = 0, set(), time.monotonic()
    last = begin
    while (sent < n or waiting) and time.monotonic() - last < 20:
        while sent < n and len(waiting) < 200:
            socks[sent % 8].send(struct.pack(">H", sent & 0xffff) + message)
            waiting.add(sent & 0xffff)
            sent += 1
        for s in select.select(socks, [], [], 0.5)[0]:
            try:
                while True:
                    m = s.recv(512)
                    if m[7]:
                        waiting.discard(struct.unpack(">H", m[:2])[0])
                        last = time.monotonic()
            except BlockingIOError:
                pass
    print("answered %d of %d, ms %d" % (sent - len(waiting), n, (time.monotonic() - begin) * 1000))


def latency(n):
    times = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(HERE)
        s.settimeout(2)
        for i in range(n):
            m = query(sys.argv[3] if len(sys.argv) > 3 else "web", number=i & 0xffff)
            begin = time.perf_counter_ns()
            s.send(m)
            s.recv(512)
            times.append(time.perf_counter_ns() - begin)
    times.sort()
    print("p50 %d us, p99 %d us" % (times[n // 2] // 1000, times[n * 99 // 100] // 1000))


def idle(n):
    kept = []
    for _ in range(n):
        kept.append(socket.create_connection(HERE, 5))
    worst = 0
    for f in (ask, ask_tcp):
        times = []
        for _ in range(5):
            begin = time.monotonic()
            assert f("web", timeout=20)[7] == 1
            times.append(time.monotonic() - begin)
        worst = max(worst, min(times))
    print("ms %d" % (worst * 1000))


def unsummed():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
        s.settimeout(20)
        s.connect(HERE)
        s.send(query("web"))
        print(s.recv(512)[7])


def garbage():
    good = query("web")
    messages = [b"", b"\0", good[:11], good[:-1], good + b"x", b"\xff" * 12, b"\0" * 12, good[:12] + b"\xc0\x0c\0\1\0\1",
                good[:12] + b"\x3f" + good[13:], good[:5] + b"\2" + good[6:], good[:2] + b"\x81" + good[3:], os.urandom(5000),
                reply(good, addresses=["1.2.3.4"])]
    messages += [os.urandom(random.randrange(100)) for _ in range(500)]
    random.seed(7)
    for _ in range(500):
        m = bytearray(good)
        m[random.randrange(len(m))] ^= 1 << random.randrange(8)
        if m[12:] == good[12:] and m[4:12] == good[4:12] and not m[2] & 0x80:
            continue
        messages.append(bytes(m[:12]) + b"\xff" + bytes(m[13:]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(HERE)
        s.settimeout(0.3)
        for m in messages:
            s.send(m)
        try:
            print("answer to garbage: %r" % s.recv(512))
        except socket.timeout:
            pass
    for m in messages[:30]:
        try:
            with socket.create_connection(HERE, 2) as s:
                s.sendall(struct.pack(">H", len(m)) + m)
                s.shutdown(socket.SHUT_WR)
                if s.recv(2):
                    print("answer by TCP to %r" % m)
        except OSError: # closed in the middle
            pass
    print("alive" if ask("web")[7] == 1 and ask_tcp("web")[7] == 1 else "dead")


def own():
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", 53))
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.bind(("0.0.0.0", 53))
    tcp.listen(4)
    print("ready", flush=True)
    while True:
        for s in select.select([udp, tcp], [], [])[0]:
            if s is udp:
                udp.sendto(b"own", udp.recvfrom(512)[1])
            else:
                c = tcp.accept()[0]
                c.sendall(b"own")
                c.close()


def mute(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 53))
    print("ready", flush=True)
    while True:
        print(name_of(s.recv(512))[0], flush=True)


def drown():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(HERE)
    m = query("web")
    for i in range(1 << 62):
        s.send(m)
        if i == 20000:
            print("ready", flush=True)


def pipeline(names, hold=False):
    with socket.create_connection(HERE, 30) as s:
        s.sendall(b"".join(struct.pack(">H", len(m)) + m for m in map(query, names)))
        got = []
        for _ in names:
            size = struct.unpack(">H", s.recv(2, socket.MSG_WAITALL))[0]
            m = s.recv(size, socket.MSG_WAITALL)
            got.append("%s=%d" % (name_of(m)[0], struct.unpack(">H", m[6:8])[0]))
        print(" ".join(got), flush=True)
        while hold:
            time.sleep(60)


def main():
    command, rest = sys.argv[1], sys.argv[2:]
    if command == "serve":
        serve(*rest)
    elif command in ("flood", "idle", "latency"):
        globals()[command](int(rest[0]))
    elif command == "pipeline":
        pipeline(rest)
    elif command == "hold":
        pipeline(rest, True)
    elif command == "mute":
        mute(rest[0])
    else:
        globals()[command]()


main()
