#!/usr/bin/python3
"""fake-criu.py - takes criu's place for hodrun-checkpoint.bats: speaks its protocol and saves or restores nothing.

Installed as "criu" with a file criu.json beside it:
  log          where each request is written to, one JSON object a line
  version      [major, minor, sublevel]
  features     what FEATURE_CHECK grants: ["mem_track", "lazy_pages"]
  fail         "exit", "signal", "garbage", "refuse", "hang-up-late": what goes wrong instead of success
  error        text of cr_errmsg; also goes into the log file of the request
  notify       more notifications (names) before the result
  unshare      namespaces that the restored process leaves ("mount", "uts", "ipc", "network"); default all
  keep         capabilities of the restored process (a mask); default: those of `hodrun spec`
  nnp          does the restored process have no_new_privs?
  terminal     send a descriptor with orphan-pts-master
  bundle       of the container: the restored process gets the mounts of its config.json
  bare         ... does not
  loose        ... with no flags but those of the file systems, as an image may say it
  unmasked     ... without maskedPaths and readonlyPaths
  moved        ... where each was at the dump: {destination: place}
  apart        a second process, with a mount namespace of its own
"""
import array
import ctypes
import json
import os
import signal
import socket
import sys
import time

VERSION, FEATURE_CHECK, NOTIFY, DUMP, RESTORE, PRE_DUMP = 10, 9, 6, 1, 2, 4
CLONE = {"mount": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "network": 0x40000000}
CLONE_PARENT, SYS_clone = 0x8000, 56
libc = ctypes.CDLL(None, use_errno=True)
with open(os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "criu.json"), encoding="utf-8") as f:
    conf = json.load(f)


# ---- the wire ----

def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 0x7f:
        out.append(0x80 | n & 0x7f)
        n >>= 7
    return bytes(out) + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def decode(buf):
    """[(field, int or bytes)]"""
    at, out = 0, []

    def take():
        nonlocal at
        n = shift = 0
        while True:
            byte = buf[at]
            at += 1
            n |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return n
    while at < len(buf):
        tag = take()
        if tag & 7 == 0:
            out.append((tag >> 3, take()))
        else:
            assert tag & 7 == 2
            size = take()
            out.append((tag >> 3, buf[at:at + size]))
            at += size
    return out


PAIRS = (11, 23, 25, 27, 39)  # ps, ext_mnt, cg_root, inherit_fd, join_ns


def readable(opts):
    """Options by number: a list of values each; pairs as [first, second]."""
    out = {}
    for field, value in decode(opts):
        if field in PAIRS:
            pair = dict(decode(value))
            value = [v.decode() if isinstance(v, bytes) else v for v in (pair.get(1), pair.get(2))]
        elif isinstance(value, bytes):
            value = value.decode()
        out.setdefault(str(field), []).append(value)
    return out


sk = socket.socket(fileno=int(sys.argv[2]))


def say(message, fd=-1):
    if fd >= 0:
        sk.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    else:
        sk.send(message)


def notify(script, pid=0, fd=-1):
    """False when the answer is no answer, or no."""
    say(number(1, NOTIFY) + number(2, 1) + data(5, data(1, script) + (number(2, pid) if pid else b"")), fd)
    answer = dict(decode(sk.recv(65536) or b""))
    remember({"answer": script, "type": answer.get(1), "success": answer.get(3)})
    return answer.get(3) == 1


def remember(what):
    with open(conf["log"], "a", encoding="utf-8") as f:
        f.write(json.dumps(what) + "\n")


# ---- what criu would do ----

def peer():
    return __import__("struct").unpack("3i", sk.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def directory(opts, field):
    return "/proc/%d/fd/%d" % (peer(), opts.get(field, opts["1"])[0])


def write_log(opts):
    with open(os.path.join(directory(opts, "17"), opts["10"][0]), "w", encoding="utf-8") as f:
        for i in range(20):
            f.write("(00.%06d) line %d\n" % (i, i))
        f.write("(00.000020) Error (criu/fake.c:1): %s\n" % conf.get("error", "no"))


def go_wrong(kind, opts):
    fail = conf.get("fail")
    write_log(opts)
    if fail == "exit":
        sys.exit(3)
    if fail == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    if fail == "garbage":
        say(b"\xff\xff\xff")
        sys.exit(0)
    if fail == "refuse":
        say(number(1, kind) + number(2, 0) + number(7, 95) + data(9, conf.get("error", "no")))
        sys.exit(1)


def dump(kind, opts):
    go_wrong(kind, opts)
    with open(os.path.join(directory(opts, "1"), "inventory.img"), "w", encoding="utf-8") as f:
        f.write("fake")
    for name in ["pre-dump", "network-lock"] + conf.get("notify", []) + ["post-dump"]:
        notify(name)
    if kind == DUMP and not opts["3"][0]:
        os.kill(opts["2"][0], signal.SIGKILL)
    say(number(1, kind) + number(2, 1))
    sys.exit(0 if kind == DUMP else 1)


BIND, REMOUNT, READONLY, REC, SLAVE, DETACH, SYS_pivot_root = 4096, 32, 1, 16384, 1 << 19, 2, 155
FLAGS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8}


def mount(source, target, kind, flags, parameters=None):
    assert libc.mount(source.encode(), target.encode(), kind.encode(), flags, parameters) == 0, target


def inside(path):
    """In the root file system, through links that lead to its top."""
    at = root
    for name in path.strip("/").split("/"):
        at = os.path.join(at, name)
        if os.path.islink(at) and os.readlink(at).startswith("/"):
            at = root + os.readlink(at)
    return at


def make_mount(m):
    target = inside(conf.get("moved", {}).get(m["destination"], m["destination"]))
    source, options = m.get("source", "none"), m.get("options", [])
    bind = m.get("type") == "bind" or "bind" in options or "rbind" in options
    if bind:
        source = os.path.join(conf["bundle"], source)
    if not bind or os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        with open(target, "w", encoding="utf-8"):
            pass
    flags = 0 if conf.get("loose") else sum(FLAGS.get(o, 0) for o in options)
    if "remount" in options:
        return
    if bind:
        mount(source, target, "", BIND | REC)
        mount("", target, "", BIND | REMOUNT | flags)
    elif m["type"] == "cgroup":
        mount("tmpfs", target, "tmpfs", flags)
    else:
        mount(source, target, m["type"], flags & ~READONLY)


def make_mounts():
    """As the bundle's create would have left them."""
    with open(os.path.join(conf["bundle"], "config.json"), encoding="utf-8") as f:
        spec = json.load(f)
    for m in spec.get("mounts", []):
        make_mount(m)
    if conf.get("unmasked"):
        return
    for path in spec["linux"].get("readonlyPaths", []):
        if os.path.exists(root + path):
            mount(root + path, root + path, "", BIND | REC)
            mount("", root + path, "", BIND | REMOUNT | READONLY)
    for path in spec["linux"].get("maskedPaths", []):
        if os.path.isdir(root + path):
            mount("tmpfs", root + path, "tmpfs", READONLY)
        elif os.path.exists(root + path):
            mount("/dev/null", root + path, "", BIND)


def enter_root():
    mount("", "/", "", REC | SLAVE)
    if not conf.get("bare"):
        make_mounts()
    os.chdir(root)
    assert libc.syscall(SYS_pivot_root, b".", b".") == 0
    assert libc.umount2(b".", DETACH) == 0
    os.chdir("/")


def make_second():
    """Returns in both, in the first when the new one executes its program."""
    ready, done = os.pipe()  # which closes them
    if os.fork() == 0:
        assert libc.unshare(CLONE["mount"]) == 0
    else:
        os.close(done)
        os.read(ready, 1)


def become_container():
    """The child: as the configuration wants it, then a sleep that ends with its parent's patience."""
    flags = 0
    for name in conf.get("unshare", list(CLONE)):
        flags |= CLONE[name]
    assert libc.unshare(flags) == 0
    if "mount" in conf.get("unshare", list(CLONE)):
        enter_root()
    if conf.get("apart"):
        make_second()
    for cap in range(41):
        if not conf.get("keep", 0x20000420) >> cap & 1:
            libc.prctl(24, cap, 0, 0, 0)
    if conf.get("nnp", True):
        libc.prctl(38, 1, 0, 0, 0)
    for fd in range(3):
        os.dup2(quiet, fd)
    os.execv("/bin/busybox", ["sleep", "600"])


def wait_for_exec(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if os.readlink("/proc/%d/exe" % pid).endswith("/busybox"):
                return
        except OSError:  # it has ended
            return
        time.sleep(0.01)


def restore(opts):
    global root, quiet
    go_wrong(RESTORE, opts)
    root = opts["13"][0]
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = [line.split()[4] for line in f]
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        cgroup = f.read()
    remember({"mounted": mounts.count(root), "root": sorted(os.listdir(root)), "cgroup": cgroup,
              "cwd": os.path.realpath(directory(opts, "17")), "environ": sorted(set(os.environ) - {"LC_CTYPE"}),  # python's own
              "fds": sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1],
              "inherited": {pair[0]: os.readlink("/proc/self/fd/%d" % pair[1]) for pair in opts.get("27", [])}})
    quiet = os.open("/dev/null", os.O_RDWR)
    for name in conf.get("notify", []):
        notify(name)
    if not notify("pre-restore"):
        sys.exit(1)
    pid = libc.syscall(SYS_clone, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        become_container()
    if conf.get("terminal"):
        notify("orphan-pts-master", fd=os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
    wait_for_exec(pid)
    fine = notify("setup-namespaces", pid) and notify("post-restore", pid) and conf.get("fail") != "hang-up-late"
    if not fine or not notify("pre-resume"):
        os.kill(pid, signal.SIGKILL)
        sys.exit(1)
    say(number(1, RESTORE) + number(2, 1) + data(4, number(1, pid)))
    sys.exit(0)


def main():
    request = dict(decode(sk.recv(65536)))
    kind, opts = request[1], readable(request.get(2, b""))
    remember({"type": kind, "opts": opts})
    if kind == VERSION:
        major, minor, sublevel = conf.get("version", [4, 2, 1])
        say(number(1, kind) + number(2, 1) + data(10, number(1, major) + number(2, minor) + number(4, sublevel)))
    elif kind == FEATURE_CHECK:
        granted = conf.get("features", [])
        say(number(1, kind) + number(2, 1) +
            data(8, number(1, "mem_track" in granted) + number(2, "lazy_pages" in granted)))
    elif kind in (DUMP, PRE_DUMP):
        dump(kind, opts)
    elif kind == RESTORE:
        restore(opts)


main()
