#!/usr/bin/env python3
"""Makes the seed corpora of the codec fuzzers below tests/fuzz/corpus. Run once by hand; the seeds are committed.
Deterministic: running it again changes nothing. Inputs that fuzzers found (other names) are left alone."""
import gzip, io, os, shutil, struct, subprocess, sys, tarfile, zlib

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def save(kind, name, data):
    os.makedirs(os.path.join(ROOT, kind), exist_ok=True)
    with open(os.path.join(ROOT, kind, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# ---- tar, by hand: hostile ones cannot be made with honest tools ----

def header(name, type=b"0", size=0, link=b"", mode=b"0000644\0", uid=b"0000000\0", size_field=None, magic=b"ustar\00000",
           prefix=b"", checksum=None, tail=b"", mtime=b"00000000001\0", major=b"0000000\0", minor=b"0000000\0"):
    name = name if isinstance(name, bytes) else name.encode()
    size_field = size_field if size_field is not None else b"%011o\0" % size
    h = (name[:100].ljust(100, b"\0") + mode + uid + b"0000000\0" + size_field + mtime + b" " * 8 + type + link[:100].ljust(100, b"\0") +
         magic + b"\0" * 64 + major + minor + prefix.ljust(155, b"\0")[:155]).ljust(512, b"\0")
    if tail:
        h = h[:345] + tail.ljust(167, b"\0")
    total = sum(h) if checksum is None else checksum
    return h[:148] + b"%06o\0 " % total + h[156:]


def pad(data):
    return data + b"\0" * (-len(data) % 512)


def member(name, data=b"", **kw):
    return header(name, size=len(data), **kw) + pad(data)


def record(key, value):
    key, value = (x if isinstance(x, bytes) else x.encode() for x in (key, value))
    n = len(key) + len(value) + 3
    size = n + len(str(n))
    size = n + len(str(size))
    return b"%d %s=%s\n" % (size, key, value)


def pax(*pairs, type=b"x", raw=b""):
    return member("PaxHeaders/x", b"".join(record(k, v) for k, v in pairs) + raw, type=type)


END = b"\0" * 1024
FILE = member("file", b"hello")


def base256(n, width=12):
    return (n & ((1 << (8 * width)) - 1) | 1 << (8 * width - 1)).to_bytes(width, "big")


def tars():
    def put(name, data):
        save("tar", name, data)

    for fmt, tag in ((tarfile.USTAR_FORMAT, "ustar"), (tarfile.GNU_FORMAT, "gnu"), (tarfile.PAX_FORMAT, "pax")):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=fmt) as t:
            for i, (name, type) in enumerate((("dir", tarfile.DIRTYPE), ("dir/file", tarfile.REGTYPE), ("dir/hard", tarfile.LNKTYPE),
                                              ("dir/soft", tarfile.SYMTYPE), ("chr", tarfile.CHRTYPE), ("blk", tarfile.BLKTYPE),
                                              ("fifo", tarfile.FIFOTYPE), ("d/" * 60 + "long", tarfile.REGTYPE))):
                e = tarfile.TarInfo(name)
                e.type, e.mode, e.mtime, e.devmajor, e.devminor = type, 0o755, 1600000000 + i, 5, 1
                if fmt == tarfile.PAX_FORMAT:
                    e.pax_headers = {"SCHILY.xattr.user.k": "v", "mtime": "1600000000.5"}
                if type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                    e.linkname = "dir/file" if i % 2 else "l" * 40
                data = b"x" * 600 if type == tarfile.REGTYPE else b""
                e.size = len(data)
                t.addfile(e, io.BytesIO(data))
        put("good-" + tag, out.getvalue().rstrip(b"\0") + b"\0" * (512 + -len(out.getvalue().rstrip(b"\0")) % 512 + 512))
    put("good-v7", member("old", b"data", magic=b"\0" * 8, type=b"\0") + header("dir/", magic=b"\0" * 8, type=b"\0") + END)
    put("good-star", header("name", magic=b"ustar\00000", tail=b"prefix".ljust(131, b"\0") + b"00000000001\0" * 2 + b"\0" * 8 + b"tar\0") + END)
    put("good-global", pax(("mtime", "5"), ("uid", "7"), type=b"g") + FILE + END)
    put("good-longname", member("././@LongLink", b"n" * 200 + b"\0", type=b"L", magic=b"ustar  \0") +
        member("././@LongLink", b"t" * 200 + b"\0", type=b"K", magic=b"ustar  \0") + header("n", type=b"2", link=b"t", magic=b"ustar  \0") + END)
    put("good-prefix", member("name", b"x", prefix=b"some/prefix") + END)
    put("good-pax-size", pax(("size", "1024")) + header("outer") + FILE + END)

    gnu = b"\0" * 41 + b"".join(b"%011o\0%011o\0" % p for p in ((0, 3), (1000, 2))) + b"\0" * 48 + b"\0" + b"%011o\0" % 2000
    put("sparse-gnu", header("s", type=b"S", size=5, magic=b"ustar  \0", tail=gnu) + pad(b"hello") + END)
    more = b"\0" * 41 + b"".join(b"%011o\0%011o\0" % (i * 100, 1) for i in range(4)) + b"\1" + b"%011o\0" % 2000
    ext = b"".join(b"%011o\0%011o\0" % (1000, 1) for i in range(1)).ljust(504, b"\0") + b"\0" * 8
    put("sparse-gnu-extended", header("s", type=b"S", size=5, magic=b"ustar  \0", tail=more) + ext + pad(b"hello") + END)
    put("sparse-gnu-endless", header("s", type=b"S", size=5, magic=b"ustar  \0", tail=more) + (b"\0" * 504 + b"\1" + b"\0" * 7) * 20)
    put("sparse-0.0", pax(("GNU.sparse.size", "2000"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.offset", "0"), ("GNU.sparse.numbytes", "3"),
                          ("GNU.sparse.offset", "1000"), ("GNU.sparse.numbytes", "2")) + FILE + END)
    put("sparse-0.1", pax(("GNU.sparse.size", "2000"), ("GNU.sparse.name", "real"), ("GNU.sparse.numblocks", "2"),
                          ("GNU.sparse.map", "0,3,1000,2")) + FILE + END)
    v1 = (("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "real"), ("GNU.sparse.realsize", "2000"))
    put("sparse-1.0", pax(*v1) + member("s", pad(b"2\n0\n3\n1000\n2\n") + b"hello") + END)
    put("sparse-1.0-count", pax(*v1) + member("s", pad(b"999999999\n0\n3\n") + b"hello") + END)
    put("sparse-1.0-digits", pax(*v1) + member("s", pad(b"1" * 600) + b"hello") + END)
    put("sparse-overlap", pax(("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,3,2,2")) + FILE + END)
    put("sparse-2-63", pax(("GNU.sparse.size", "9223372036854775807"), ("GNU.sparse.map", "9223372036854775807,5")) + FILE + END)
    put("sparse-many", pax(("GNU.sparse.size", "99999"), ("GNU.sparse.map", ",".join("%d,0" % i for i in range(3000)))) + FILE + END)

    put("size-2-63", header("x", size_field=base256(1 << 63)) + END)
    put("size-max", header("x", size_field=base256((1 << 63) - 1)) + END)
    put("size-negative", header("x", size_field=base256(-512)) + END)
    put("size-octal-max", header("x", size_field=b"777777777777") + END)
    put("size-text", header("x", size_field=b"0x100      \0") + END)
    put("uid-minus-1", header("x", uid=base256(0xffffffff, 8)) + END)
    put("pax-size-2-63", pax(("size", "9223372036854775808")) + FILE + END)
    put("pax-size-negative", pax(("size", "-1")) + FILE + END)
    for i, raw in enumerate((b"99 path=x\n", b"0 path=x\n", b"9path=x\n", b"9 path=x ", b"7 =abc\n", b"18446744073709551625 path=x\n", b"5 a=\n\n", b"\0" * 20,
                             b"12 path=a\0b\n", b"000000000009 path=x\n", b"9 path x\n")):
        put("pax-lie-%02d" % i, pax(raw=raw) + FILE + END)
    put("pax-header-huge", header("x", type=b"x", size_field=base256(8 << 30)) + END)
    put("pax-twice", pax(("path", "a"), ("path", "b")) + FILE + END)
    put("pax-two-headers", pax(("path", "a")) + pax(("path", "b")) + FILE + END)
    put("pax-dangling", pax(("path", "a")) + END)
    put("pax-global-path", pax(("path", "a"), type=b"g") + FILE + END)
    put("pax-empty-values", pax(("path", ""), ("mtime", ""), ("linkpath", "")) + FILE + END)
    put("pax-empty-size", pax(("size", "")) + FILE + END)
    put("pax-times", pax(("mtime", "-1.5"), ("atime", "x")) + FILE + pax(("mtime", "1.0000000001999")) + FILE + pax(("mtime", ".5")) + FILE + END)
    put("xattr-odd", pax(("SCHILY.xattr.", "x")) + FILE + END)
    put("xattr-long-name", pax(("SCHILY.xattr.user." + "n" * 300, "x")) + FILE + END)
    put("xattr-long-value", pax(("SCHILY.xattr.user.n", "v" * 70000)) + FILE + END)
    put("xattr-binary", pax((b"SCHILY.xattr.security.capability", b"\1\0\0\2\n=\0")) + FILE + END)
    put("name-empty", header("") + END)
    put("name-odd", b"".join(header(n, type=t) for n in (".", "./", "/", "//", "..", "../x", "/etc/passwd", "a/../../b", "a//b") for t in (b"0", b"2", b"5")) + END)
    put("name-conflict", member("L", b"gnu\0", type=b"L", magic=b"ustar  \0") + pax(("path", "pax")) + FILE + END)
    put("name-long-huge", header("L", type=b"L", size_field=base256(1 << 40)) + END)
    put("set-l", header("s", type=b"2", link=b"/etc") + member("s/passwd", b"x") + header("h", type=b"1", link=b"../../etc/passwd") + header("h2", type=b"1", link=b"later") +
        header("d", type=b"5") + header("d", type=b"2", link=b"/") + member("d/x", b"x") + header("p", type=b"6") + header("c", type=b"3") + header("c", type=b"4") +
        header("victim/.wh.", size=0) + header(".wh..wh..opq") + header(".wh...") + END)
    for t in b"7VMDNAXIg\xff":
        put("type-%02x" % t, header("x", type=bytes([t])) + FILE + END)
    put("checksum-wrong", header("x", checksum=12345) + END)
    put("checksum-signed", (lambda h: h[:148] + b"%06o\0 " % (sum(h[:148] + b" " * 8 + h[156:]) - 512) + h[156:])(header(b"\xe9\xe9")) + END)
    put("lone-zero", FILE + b"\0" * 512 + FILE + END)
    put("no-end", FILE)
    put("cut-data", header("x", size=5000) + b"x" * 1000)
    put("cut-header", FILE + header("x")[:300])
    put("trailing", FILE + END + b"garbage" * 200)
    put("empty", b"")
    put("only-end", END)


def jsons():
    good = {"object": '{"a":1,"b":[true,false,null],"c":{"d":"e"}}', "numbers": "[0,-0,-1,9223372036854775807,-9223372036854775808,18446744073709551615,1.5,1e10,1E-3,-0.0]",
            "strings": '["","\\"\\\\\\/\\b\\f\\n\\r\\t","\\u00e9\\ud83d\\ude00","\\u0000","é€😀","\\udcff","<>&\\u2028"]',
            "spec": '{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"},"linux":{"namespaces":[{"type":"pid"}]}}',
            "deep": "[" * 64 + "]" * 64, "space": " \t\r\n[ ] \n", "empty-key": '{"":{"":[]}}', "scalar": "true"}
    bad = {"duplicate": '{"a":1,"\\u0061":2}', "single": "{'a':1}", "nan": "[NaN,Infinity]", "comment": "/* */ {} // x", "trailing": "{} x", "comma": "[1,]", "zero": "[01]",
           "too-deep": "[" * 65 + "]" * 65, "surrogate": '["\\ud800"]', "big": "[18446744073709551616]", "huge": "[1e999]", "cut": '{"a":"b', "control": '["\n"]',
           "nul-key": '{"\\u0000":1}', "brackets": "[}", "bom": "\ufeff{}"}
    for k, v in {**good, **bad}.items():
        save("json", k, v)
    save("json", "utf8", b'["\xc0\xaf","\xed\xa0\x80","\xf4\x90\x80\x80","\xff"]')


def templates():
    texts = ["{{.Id}}", "{{.State.Status}} {{.State.Nosuch}}", "{{json .}}", "{{json .Config.Labels}}", "{{index .Config.Labels \"a\"}}{{index .L 1}}{{index .Nosuch}}",
             "{{range $k, $v := .Networks}}{{$k}}={{$v.IP}};{{else}}none{{end}}", "{{range .Mounts}}{{if eq .Type \"bind\"}}b{{else if .Type}}v{{end}}{{end}}",
             "{{with .State}}{{.Pid}}{{end}}{{with $x := .Id}}{{$x}}{{end}}", "{{printf \"%5d|%-5s|%q|%x|%v|%.2f|%t|%c|%%\" 1 \"a\" .Id 255 .L .F .T 65}}",
             "{{len .L}} {{not .T}} {{and .T .F}} {{or 0 1}} {{lt 1 2}}", "{{join (split \"a,b\" \",\") \"|\"}} {{upper .Id}} {{pad .Id 1 2}} {{truncate .Id 2}} {{title \"a b\"}}",
             "a {{- /* c */ -}} b {{- .Id -}} c", "{{(index .Mounts 0).Type}}", "{{$x := 1}}{{$x = 2}}{{$x}}", "{{`raw`}}{{\"\\t\\x41\\u00e9\"}}{{'a'}}{{0x1f}}{{1e3}}{{-1}}",
             "{{.Ports}} {{.Config.Cmd}} {{.Config.Volumes}} {{.State.Health}} {{.Config}}", "{{range 5}}{{if eq . 2}}{{continue}}{{end}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}",
             "{{slice .Id 1 2}}{{print 1 2 \"a\"}}{{println .L}}{{html \"<\"}}{{urlquery \"a b\"}}", "{{.M 1}}{{.Mx \"a\" 2}}", "{{.Id | upper | printf \"%s-%s\" \"x\"}}",
             "{{.Id", "{{bogus}}", "{{if}}", "{{end}}", "{{else}}", "{{(.Id}}", "{{.Id)}}", "{{\"", "{{/*", "{{$x}}", "{{1.2.3}}", "{{99999999999999999999}}", "{{nil}}", "{{. | 1}}",
             "{{template \"x\"}}", "{{range .L}}" * 5 + "{{end}}" * 5, "{{" + "(" * 40 + ".Id" + ")" * 40 + "}}", "{{printf \"%99999d %*d %[1]d\" 1}}", "\xff{{.\xe9}}"]
    for i, t in enumerate(texts):
        save("template", "seed-%02d" % i, t.encode("latin-1") if i == len(texts) - 1 else t)


def tomls():
    texts = ["a = 1\n", "# c\n[a.b]\nc = \"x\\u00e9\\n\"\nd = 'lit'\n", "a = [1, 2, [\"x\"],\n]\nb = { c = 1, d.e = 2 }\n", "[[p]]\nn = 1\n[[p]]\n[p.q]\nx = 1\n[[p.r]]\n",
             "a.b.c = 1\na.b.d = 2\n\"q k\".'x' = 3\n", "a = 0xff\nb = 0o7\nc = 0b1\nd = 1_000\ne = -1.5e+3\nf = true\n", "a = \"\"\"\nx\\\n  y\"\"\"\"\"\nb = '''\nz'''\n",
             "a = 1\na = 2", "[a]\n[a]", "a = inf", "a = 1979-05-27T07:32:00Z", "a = \"\\ud800\"", "a = {b=1,}", "[a\n", "a = [1", "a = 01", "= 1", "[[a]]\n[a]", "a = 9223372036854775808",
             "a = {b.c = 1}\n[a.b.d]", "[a.b.c]\nz=9\n[a]\nb.c.t=1", "a = " + "[" * 40, "[registry]\nmirror = [\"http://localhost:5000\"]\n[log]\nlevel = \"debug\"\n", "a = \"x\r\n"]
    for i, t in enumerate(texts):
        save("toml", "seed-%02d" % i, t)


def gzips():
    def gz(data, level=6):
        c = zlib.compressobj(level, zlib.DEFLATED, 31)
        return c.compress(data) + c.flush()

    text = b"the quick brown fox jumps over the lazy dog. " * 20 + bytes(range(256))
    good = gz(text)
    save("gzip", "good", good)
    save("gzip", "stored", gz(text, 0))
    save("gzip", "empty-member", gz(b""))
    save("gzip", "two-members", gz(b"one") + gz(b"two"))
    save("gzip", "padding", good + b"\0" * 10)
    save("gzip", "garbage", good + b"garbage")
    save("gzip", "cut", good[:-3])
    save("gzip", "cut-middle", good[:len(good) // 2])
    save("gzip", "bad-crc", good[:-8] + b"\0\0\0\0" + good[-4:])
    save("gzip", "bad-size", good[:-4] + b"\xff\xff\xff\xff")
    save("gzip", "bad-block", good[:10] + b"\x07" + good[11:])
    save("gzip", "fields", b"\x1f\x8b\x08\x1e" + b"\0" * 6 + b"\3\0abcname\0comment\0\0\0" + good[10:])
    save("gzip", "fields-cut", b"\x1f\x8b\x08\x1c" + b"\0" * 6 + b"\xff\xffabc")
    save("gzip", "method", b"\x1f\x8b\x07" + good[3:])
    save("gzip", "bomb", gz(b"\0" * (3 << 20), 9))
    for name, magic in (("xz", b"\xfd7zXZ\0"), ("bzip2", b"BZh91AY&SY"), ("lz4", b"\x04\x22\x4d\x18"), ("plain", b"plain text"), ("nothing", b"")):
        save("gzip", "magic-" + name, magic)
    if shutil.which("zstd"):
        z = subprocess.run(["zstd", "-q", "-c", "--check"], input=text, stdout=subprocess.PIPE, check=True).stdout
        save("gzip", "zstd-good", z)
        save("gzip", "zstd-two", z + z)
        save("gzip", "zstd-cut", z[:-5])
        save("gzip", "zstd-garbage", z + b"garbage")
        save("gzip", "zstd-skippable", b"\x50\x2a\x4d\x18\3\0\0\0abc" + z)
        save("gzip", "zstd-window", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")


def xzs():
    import bz2, lzma
    text = b"the quick brown fox jumps over the lazy dog. " * 20 + bytes(range(256))
    x = lzma.compress(text, preset=0)
    b = bz2.compress(text, 1)
    for name, z, mark in (("xz", x, 12), ("bzip2", b, 4)):
        save("xz", name + "-good", z)
        save("xz", name + "-two", z + z)
        save("xz", name + "-padding", z + b"\0" * 4)
        save("xz", name + "-padded-two", z + b"\0" * 4 + z)
        save("xz", name + "-garbage", z + b"garbage")
        save("xz", name + "-cut", z[:-5])
        save("xz", name + "-cut-middle", z[:len(z) // 2])
        save("xz", name + "-magic", z[:6])
        save("xz", name + "-damaged", z[:60] + bytes([z[60] ^ 0x55]) + z[61:])
        save("xz", name + "-header", z[:mark] + b"\xff" + z[mark + 1:])
        save("xz", name + "-empty", lzma.compress(b"") if name == "xz" else bz2.compress(b""))
    save("xz", "xz-check-none", lzma.compress(text, check=lzma.CHECK_NONE, preset=0))
    save("xz", "xz-check-crc32", lzma.compress(text, check=lzma.CHECK_CRC32, preset=0))
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}]
    save("xz", "xz-filters", lzma.compress(text, filters=filters))
    block = bytearray(b"\2\0\x21\1\x28\0\0\0")  # LZMA2 with a dictionary of 4 GiB
    save("xz", "xz-dictionary", x[:12] + bytes(block) + struct.pack("<I", zlib.crc32(bytes(block))) + b"\1\0\0a\0")
    save("xz", "xz-bomb", lzma.compress(b"\0" * (5 << 20), preset=6))
    save("xz", "bzip2-bomb", bz2.compress(b"\0" * (5 << 20)))
    save("xz", "bzip2-level-zero", b"BZh01AY&SY" + b[10:])


def bundles():
    maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "archive.py")
    os.makedirs(os.path.join(ROOT, "bundle"), exist_ok=True)
    for name, code in {
            "layout": 'layout(named(image([]), "x:1"), ref(image([b""]), "y"))',
            "index": 'layout(named(blob(index([{**image([]), "platform": {"os": "linux", "architecture": "amd64"}}]), OCI + "index.v1+json"), "m:1"))',
            "docker": 'docker((["x:1"], [b"one"]), (None, [b"one", b"two"]))',
            "dir": 'm = json.dumps({"schemaVersion": 2, "config": desc(b"{}", "c"), "layers": []}).encode(); add("manifest.json", m); add(sha(b"{}"), b"{}")',
            "link": 'add("index.json", ("link", "/etc/passwd"))',
            "dotdot": 'add("../index.json", b"{}"); layout()',
            "nested": 'd = image([])\nfor i in range(6): d = blob(index([d]), OCI + "index.v1+json")\nlayout(d)'}.items():
        subprocess.run([sys.executable, maker, os.path.join(ROOT, "bundle", name), code], check=True)
    with open(os.path.join(ROOT, "bundle", "layout"), "rb") as f:
        whole = f.read()
    save("bundle", "layout-gz", gzip.compress(whole, mtime=0))
    save("bundle", "cut", whole[:3000])


def protobufs():
    def varint(n):
        out = bytearray()
        while n > 0x7f:
            out.append(0x80 | n & 0x7f)
            n >>= 7
        return bytes(out) + bytes([n])

    def number(field, n):
        return varint(field << 3) + varint(n & (1 << 64) - 1)

    def data(field, value):
        return varint(field << 3 | 2) + varint(len(value)) + value

    def both(name, content):
        save("protobuf", name, content)
        save("criu", name, content)

    notify = number(1, 6) + number(2, 1) + data(5, data(1, b"post-restore") + number(2, 4711))
    both("notify", notify)
    both("notify-cut", notify[:-1])
    both("failed", number(1, 1) + number(2, 0) + number(7, 95) + data(9, b"Error (criu/x.c:1): no"))
    both("version", number(1, 10) + number(2, 1) + data(10, number(1, 4) + number(2, 2) + data(3, b"v4.2")))
    both("negative", number(1, -1))
    both("fixed", b"\x0d\1\2\3\4\x11\1\2\3\4\5\6\7\x08")
    both("group", b"\x0b\x08\1\x0c")
    both("field-zero", b"\0\1")
    both("long-varint", b"\x08" + b"\x80" * 10 + b"\0")
    both("long-bytes", b"\x12" + b"\xff" * 9 + b"\1")
    deep = b""
    for _ in range(40):
        deep = data(1, deep)
    both("deep", deep)
    both("empty", b"")


# ---- D-Bus ----

def dbus(big=False):
    order = ">" if big else "<"

    def align(b, n):
        return b + b"\0" * (-len(b) % n)

    def string(b, text):
        return align(b, 4) + struct.pack(order + "I", len(text)) + text + b"\0"

    def message(type, fields, body=b"", serial=1, flags=0, version=1):
        f = b""
        for code, kind, value in fields:
            f = align(f, 8) + bytes([code, 1]) + kind + b"\0"
            if kind in b"so":
                f = string(f, value)
            elif kind == b"u":
                f = align(f, 4) + struct.pack(order + "I", value)
            elif kind == b"g":
                f += bytes([len(value)]) + value + b"\0"
            else:
                f += value
        head = (b"B" if big else b"l") + bytes([type, flags, version]) + struct.pack(order + "III", len(body), serial, len(f))
        return align(head + f, 8) + body

    manager = [(1, b"o", b"/org/freedesktop/systemd1"), (2, b"s", b"org.freedesktop.systemd1.Manager")]
    removed = struct.pack(order + "I", 7)
    for text in (b"/org/freedesktop/systemd1/job/7", b"hodrun-x.scope", b"done"):
        removed = string(removed, text)
    name = "big-" if big else ""
    save("dbus", name + "job-removed", message(4, manager + [(3, b"s", b"JobRemoved"), (8, b"g", b"uoss")], removed))
    save("dbus", name + "return", message(2, [(5, b"u", 1), (8, b"g", b"v")], string(b"\1s\0", b"252")))
    save("dbus", name + "error", message(3, [(5, b"u", 1), (4, b"s", b"org.example.No"), (8, b"g", b"s")], string(b"", b"No.")))
    save("dbus", name + "empty", message(2, [(5, b"u", 1)]))
    save("dbus", name + "unknown-field", message(2, [(5, b"u", 1), (200, b"v", b"\1y\0x")]))
    props = string(b"", b"x") + b""
    array = string(b"", b"Name") + b"\1t\0"
    array = align(array, 8) + struct.pack(order + "Q", 5)
    props = align(props, 4) + struct.pack(order + "I", len(array))
    props = align(props, 8) + array
    save("dbus", name + "properties", message(1, manager + [(3, b"s", b"Do"), (8, b"g", b"sa(sv)")], props))
    if big:
        return
    deep = b""
    for _ in range(70):
        deep = b"\1v\0" + deep
    save("dbus", "deep-variants", message(2, [(5, b"u", 1), (8, b"g", b"v")], deep + b"\1y\0\0"))
    save("dbus", "deep-arrays", message(2, [(5, b"u", 1), (8, b"g", b"a" * 200 + b"y")], b"\0" * 8))
    save("dbus", "long-array", message(2, [(5, b"u", 1), (8, b"g", b"ay")], b"\xff\xff\xff\x7f"))
    save("dbus", "array-of-nothing", message(2, [(5, b"u", 1), (8, b"g", b"a()")], b"\4\0\0\0\0\0\0\0\0\0\0\0"))
    save("dbus", "nul-in-string", message(2, [(5, b"u", 1), (8, b"g", b"s")], b"\3\0\0\0a\0b\0"))
    save("dbus", "no-serial", message(2, [(5, b"u", 1)], serial=0))
    save("dbus", "no-reply-serial", message(2, []))
    save("dbus", "version-2", message(2, [(5, b"u", 1)], version=2))
    save("dbus", "huge", b"l\2\0\1\xff\xff\xff\xff\1\0\0\0\xff\xff\xff\xff")


def properties():
    for i, text in enumerate((
            "TimeoutStopUSec=uint64 5", "RuntimeMaxSec=1.5", "CollectMode='inactive-or-failed'", "After=['a.service', 'b']",
            "Before=@as []", "DefaultDependencies=true", "KillSignal=int32 2", "Description=\"a\\\"b\"", "TasksMax=@t 7",
            "ExecStart='/bin/sh'", "Sec=1", "USec=1", "TimeoutStopSec=18446744073709551615", "After=['a.service'",
            "RuntimeMaxSec=0.9999999999999", "Description='a\nExecStart=x'", "After=[,]")):
        save("property", "%02d" % i, text)


if __name__ == "__main__":
    dbus()
    dbus(True)
    properties()
    protobufs()
    tars()
    jsons()
    templates()
    tomls()
    gzips()
    xzs()
    bundles()
