#!/usr/bin/env python3
"""power.py LOG WORK POINTS - what is on the disk when the power goes, at POINTS moments of what LOG tells.

LOG is a device of the kernel's log-writes target: every write to a disk in the order in which it was certain to be
there. WORK is an empty directory. Marks in the log say what must be true from then on:

    have=NAME    the image is there        maybe=NAME    somebody is making or removing it        gone=NAME

For each moment the disk is made as it was, mounted, and looked at by a hod that finds an empty run directory, as after
a boot. HOD: the program; HOD_ROOT lies right below where the disk is mounted.
"""
import os
import struct
import subprocess
import sys

FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR = 512
hod = os.environ["HOD"]


def entries(log):
    """(flags, sector, data or text of a mark)"""
    magic, _, n, size = struct.unpack("<QQQI", log.read(28))
    assert magic == 0x6A736677736872, hex(magic)
    at = size
    for _ in range(n):
        log.seek(at)
        head = log.read(size)
        sector, count, flags, length = struct.unpack("<QQQQ", head[:32])
        at += size
        if flags & MARK:
            yield flags, 0, head[32 : 32 + length].rstrip(b"\0").decode()
        elif flags & DISCARD:
            yield flags, sector * SECTOR, b"\0" * (count * SECTOR)
        else:
            yield flags, sector * SECTOR, log.read(count * SECTOR)
            at += count * SECTOR


def run(*command, status=0):
    r = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if status is not None and r.returncode != status:
        raise AssertionError(f"{command}: {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


class Look:
    """The disk at one moment."""

    def __init__(self, work):
        self.disk, self.place = f"{work}/crashed", os.path.dirname(os.environ["HOD_ROOT"])
        self.state = os.environ["HOD_STATE"]
        run("rm", "-rf", self.state)
        run("cp", "--sparse=always", f"{work}/disk", self.disk)
        run("mount", "-o", "loop", self.disk, self.place)

    def hod(self, *arguments, status=0):
        return run(hod, "--root", f"{self.place}/root", "--state", self.state, *arguments, status=status)

    def close(self):
        run("umount", self.place)
        run("rm", "-rf", self.state, self.disk)


def look(work, have, maybe, deep):
    l = Look(work)
    try:
        if not os.path.isdir(f"{l.place}/root"):
            assert not have, f"nothing is there, but {have} should be"
            return
        check = l.hod("system", "check", status=None).splitlines()
        assert not [line for line in check if line.startswith("wrong:")], check
        names = {n.strip() for n in l.hod("images", "--format", "{{.Repository}}:{{.Tag}}").split() if "<none>" not in n}
        assert have <= names, f"lost: {have - names}"
        assert names <= have | maybe, f"not complete, or not gone: {names - have - maybe}"
        if deep:
            for image in names:
                if image.startswith("busybox") or image.startswith("made"):
                    assert l.hod("run", "--rm", "--network", "none", image, "echo", "up") == "up\n"
                l.hod("save", "-o", f"{work}/saved", image)
            for container in l.hod("ps", "-aq").split():
                l.hod("rm", container)
            l.hod("image", "prune", "-af")
            left = [f for d in ("blobs/sha256", "layers", "tmp", "containers") for f in os.listdir(f"{l.place}/root/{d}")]
            assert not left, left
    finally:
        l.close()


def main():
    log, work, points = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(log, "rb") as f:
        kinds = [(flags, data if flags & MARK else None) for flags, _, data in entries(f)]
    begin = next(i for i, (_, text) in enumerate(kinds) if text == "begin")
    # Moments after which something was certain, and some between them.
    certain = [i for i, (flags, _) in enumerate(kinds) if i > begin and flags & (FLUSH | FUA)]
    chosen = {certain[i * (len(certain) - 1) // (points - 1)] for i in range(points)}
    chosen |= {i - 1 for i in sorted(chosen)[1::3]}
    have, maybe = set(), set()
    with open(f"{work}/disk", "wb") as disk, open(log, "rb") as f:
        for i, (flags, at, data) in enumerate(entries(f)):
            if flags & MARK:
                word, _, name = data.partition("=")
                (have.add if word == "have" else have.discard)(name)
                (maybe.add if word == "maybe" else maybe.discard)(name)
            else:
                disk.seek(at)
                disk.write(data)
            if i in chosen:
                disk.flush()
                try:
                    look(work, set(have), set(maybe), deep=sorted(chosen).index(i) % 4 == 0)
                except AssertionError as e:
                    print(f"moment {i} of {len(kinds)}, have {sorted(have)}, maybe {sorted(maybe)}:\n{e}")
                    sys.exit(1)
    print(f"{len(chosen)} moments of {len(kinds)} writes, {len(certain)} flushes: nothing lost, nothing half there")


main()
