#!/usr/bin/env bats
# hod import, images, rmi: plain and compressed tars, and hostile ones.

load lib
setup_file() {
        e2e_setup
        mkdir -p "$T/canary"
        echo canary >"$T/canary/file"
}
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

# What the store holds besides the databases.
store_state() { find "$HOD_ROOT"/{blobs,layers,tmp} -mindepth 1 2>/dev/null | sort; hod images -q --no-trunc | sort; }

# import_refused REGEX < tar: the import fails with one line and publishes nothing.
import_refused() {
        local before status=0
        before=$(store_state)
        cat >"$T/bad.tar"
        "$HOD_BIN/hod" import "$T/bad.tar" evil >"$T/out" 2>"$T/err" || status=$?
        is "$status" 1 "import of a bad tar ($(cat "$T/err"))"
        is "$(wc -l <"$T/err")" 1 "lines of $(cat "$T/err")"
        grep -qiE -- "$1" "$T/err" || fail "said: $(cat "$T/err")"
        is "$(store_state)" "$before" "something was published"
        is "$(cat "$T/canary/file")" canary
}

# make_tar PYTHON: write a tar with tarfile; `add(name, type=..., **fields)` and `data` as helpers.
make_tar() {
        T=$T python3 - "$1" <<-'END'
		import io, os, sys, tarfile
		out = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT)
		T = os.environ['T']
		def add(name, data=b'', **fields):
		    t = tarfile.TarInfo(name)
		    t.size = len(data)
		    for k, v in fields.items():
		        setattr(t, k, v)
		    out.addfile(t, io.BytesIO(data) if data else None)
		SYM, LNK, DIR, CHR, BLK, FIFO = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE,
		                                 tarfile.BLKTYPE, tarfile.FIFOTYPE)
		exec(sys.argv[1])
		out.close()
	END
}

# bats test_tags=asan
@test "import: FILE and -, plain, gzip, zstd; id, NAME:TAG, -c, -m" {
        tar=$(busybox_file)
        like "$(hod import "$tar" i1)" '^sha256:[0-9a-f]{64}$'
        hod import - i2:v2 <"$tar" >/dev/null
        gzip -c "$tar" | hod import - i3 >/dev/null
        zstd -qc "$tar" | hod import - i4 >/dev/null
        for image in i1 i2:v2 i3 i4; do hod run --rm "$image" true; done
        hod import -c 'CMD ["echo","a b"]' -c 'ENV A=b' -c 'ENTRYPOINT []' -m 'imported msg' "$tar" i5 >/dev/null
        is "$(hod inspect -f '{{json .Config.Cmd}} {{json .Config.Env}} {{.Comment}} {{len .RootFS.Layers}}' i5)" '["echo","a b"] ["A=b"] imported msg 1'
        is "$(hod run --rm i5)" 'a b'
        id=$(hod import "$tar")
        hod run --rm "$id" true
        hod rmi i1 i2:v2 i3 i4 i5 "$id"
}

@test "content-addressed: the same tar twice is stored once; blobs are what their names say" {
        tar=$(busybox_file)
        hod import "$tar" d1 >/dev/null
        n=$(find "$HOD_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
        gzip -c "$tar" | hod import - d2 >/dev/null
        is "$(find "$HOD_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)" "$n"
        is "$(hod image inspect -f '{{json .RootFS.Layers}}' d1)" "$(hod image inspect -f '{{json .RootFS.Layers}}' d2)"
        is "$(hod image inspect -f '{{index .RootFS.Layers 0}}' d1 2>/dev/null || hod image inspect -f '{{json .RootFS.Layers}}' d1 | tr -d '[]"')" "sha256:$(sha256sum <"$tar" | cut -d' ' -f1)"
        (cd "$HOD_ROOT/blobs/sha256" && for f in *; do [[ $(sha256sum <"$f" | cut -d' ' -f1) == "$f" ]] || fail "blob $f"; done)
        hod rmi d1 d2
}

@test "images: docker's columns; -q; by name" {
        hod import "$(busybox_file)" imgs:x >/dev/null
        like "$(hod images | head -n 1)" '^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE'
        like "$(hod images)" 'imgs +x +[0-9a-f]{12} +.*ago +[0-9.]+[kM]B'
        is "$(hod images imgs -q | wc -l)" 1
        like "$(hod images -q --no-trunc imgs)" '^sha256:[0-9a-f]{64}$'
        is "$(hod images nosuch | wc -l)" 1
        hod rmi imgs:x
}

# bats test_tags=asan
@test "rmi: untags, deletes the last, refuses what is used" {
        hod import "$(busybox_file)" r1 >/dev/null
        like "$(hod rmi r1)" 'Untagged: r1:latest'
        refused 1 'no such image: r1' hod rmi r1
        hod import -m other "$(busybox_file)" r2 >/dev/null
        hod create --name uu r2 true >/dev/null
        refused 1 'conflict.*container' hod rmi r2
        hod rmi -f r2 >/dev/null || true
        hod rm -f uu
        refused 1 'no such image' hod run --rm r2 true || refused 125 'no such image|unable to find' hod run --rm r2 true
}

@test "83: wrong input: one line, nothing published" {
        echo junk | import_refused 'tar|archive|EOF|format|header'
        head -c 700000 "$(busybox_file)" | import_refused 'truncated|unexpected|EOF|end'
        gzip -c "$(busybox_file)" | head -c 300000 | import_refused 'truncated|unexpected|EOF|end|corrupt|gzip'
        zstd -qc "$(busybox_file)" | head -c 300000 | import_refused 'truncated|unexpected|EOF|end|corrupt|zstd'
        { gzip -c "$(busybox_file)" | head -c 200000; head -c 100000 /dev/urandom; } | import_refused 'corrupt|invalid|gzip|data|header'
        refused 1 'no such file' hod import /nosuch.tar x
        refused 1 'lowercase' hod import "$(busybox_file)" Bad:Name
        refused 1 'reference' hod import "$(busybox_file)" 'x:bad tag'
        refused 1 'not a valid change command' hod import -c 'RUN x' "$(busybox_file)" x
        refused 1 'directory' hod import "$T" x
}

@test "a damaged header checksum is noticed" {
        make_tar 'add("a", b"x" * 600); add("b", b"y")' >"$T/t.tar"
        printf '\377' | dd of="$T/t.tar" bs=1 seek=1100 conv=notrunc status=none
        printf 'Q' | dd of="$T/t.tar" bs=1 seek=1540 conv=notrunc status=none
        import_refused 'checksum|header|corrupt|tar' <"$T/t.tar"
}

# What comes of a hostile tar must stay inside: either it is refused, or every name ends in the layer.
harmless() {
        cat >"$T/hostile.tar"
        run "$HOD_BIN/hod" import "$T/hostile.tar" hostile
        if ((status == 0)); then
                hod rmi hostile >/dev/null
        else
                is "$status" 1
                is "${#lines[@]}" 1 "$output"
        fi
        is "$(cat "$T/canary/file")" canary
        is "$(find "$T/canary" | wc -l)" 2
        [[ ! -e $T/evil && ! -e /evil-hod && ! -e $HOD_ROOT/evil ]] || fail "a file was written outside"
}

@test "66, 78: hostile: absolute and .. names" {
        make_tar 'add("/evil-hod", b"x"); add("../../evil", b"x"); add("a/../../evil", b"x"); add(T + "/canary/file", b"bad"); add("..", type=DIR); add("a/..", type=DIR)' | harmless
        make_tar 'add("../../../../../../../../.." + T + "/canary/file", b"bad")' | harmless
        make_tar 'add("", b"x"); add(".", type=DIR); add("/", type=DIR); add("//x", b"1"); add("./././y", b"1")' | harmless
}

@test "66, 71, 72, 74, 78: hostile: symbolic links out of the tree, then writing through them" {
        make_tar 'add("l", type=SYM, linkname=T + "/canary"); add("l/file", b"bad"); add("l/new", b"bad")' | harmless
        make_tar 'add("up", type=SYM, linkname="../../../../../../../.." + T + "/canary"); add("up/file", b"bad")' | harmless
        make_tar 'add("f", type=SYM, linkname=T + "/canary/file"); add("f", b"bad")' | harmless
        make_tar 'add("p", type=SYM, linkname="/proc/self/root"); add("p" + T + "/canary/file", b"bad")' | harmless
        make_tar 'add("a", type=SYM, linkname="b"); add("b", type=SYM, linkname="a"); add("a/x", b"1")' | harmless
        make_tar 'add("d", type=DIR); add("d", type=SYM, linkname=T + "/canary"); add("d/file", b"bad"); add("d", type=DIR, mode=0o777)' | harmless
        make_tar 'add("w", type=SYM, linkname=T + "/canary"); add("w/.wh.file", b""); add("w/.wh..wh..opq", b"")' | harmless
}

@test "66, 77: hostile: hard links out of the tree" {
        make_tar 'add("h", type=LNK, linkname=T + "/canary/file"); add("h", b"bad")' | harmless
        make_tar 'add("s", type=SYM, linkname=T + "/canary"); add("h", type=LNK, linkname="s/file"); add("h", b"bad", mode=0o4777)' | harmless
        make_tar 'add("h", type=LNK, linkname="../../../etc/passwd")' | harmless
        make_tar 'add("h", type=LNK, linkname="missing")' | harmless
        make_tar 'add("h", type=LNK, linkname="h")' | harmless
}

@test "76: hostile: whiteouts of the parent, of the root, of oneself" {
        make_tar 'add(".wh.", b""); add(".wh..", b""); add(".wh...", b""); add(".wh..wh.", b""); add("a/.wh..", b"")' | harmless
        make_tar 'add(".wh..wh..opq", b""); add("x", b"1"); add(".wh.x", b"")' | harmless
        make_tar 'add(".wh.a/b", b"x"); add(".wh.c", type=DIR); add(".wh.d", type=SYM, linkname="/")' | harmless
}

@test "73, 84: sizes: 2^63, negative, a file larger than its tar" {
        python3 - >"$T/huge.tar" <<-'END'
		import sys, tarfile
		def header(size):
		    t = tarfile.TarInfo('huge')
		    b = bytearray(t.tobuf(tarfile.GNU_FORMAT))
		    b[124:136] = size
		    b[148:156] = b' ' * 8
		    b[148:156] = b'%06o\0 ' % sum(b)
		    return bytes(b)
		sys.stdout.buffer.write(header(b'\x80\0\0\0' + (2**63 - 1).to_bytes(8, 'big')) + b'x' * 1024)
	END
        import_refused 'size|large|limit|more than|truncated' <"$T/huge.tar"
        python3 - >"$T/neg.tar" <<-'END'
		import sys, tarfile
		t = tarfile.TarInfo('neg')
		b = bytearray(t.tobuf(tarfile.GNU_FORMAT))
		b[124:136] = b'\xff' * 12
		b[148:156] = b' ' * 8
		b[148:156] = b'%06o\0 ' % sum(b)
		sys.stdout.buffer.write(bytes(b) + b'\0' * 1024)
	END
        import_refused 'size|negative|invalid|corrupt|header' <"$T/neg.tar"
        make_tar 'out.pax_headers = {}; t = tarfile.TarInfo("p"); t.pax_headers = {"size": "9223372036854775808"}; out.addfile(t)' | import_refused 'size|range|large|limit|invalid|number'
}

@test "everything a root file system has: devices, setuid, sticky, FIFOs, xattrs, long names, sparse, duplicates" {
        mkdir -p "$T/tree"
        tar -C "$T/tree" -xf "$(busybox_file)"
        long=$(printf 'l%.0s' {1..240})
        (
                cd "$T/tree"
                mkdir -p "deep/$long/$long"
                echo x >"deep/$long/$long/$long"
                ln -s "$long/$long" deep/link
                mkfifo fifo
                mknod null2 c 1 3
                cp bin/busybox su
                chmod 4755 su
                chmod 2755 var
                truncate -s 5M sparse
                printf end >>sparse
                echo hi >x1
                ln x1 x2
                touch größe "new"$'\n'"line" ' lead'
                setfattr -n user.k -v val x1
                setcap cap_net_raw+ep bin/busybox
        )
        for how in --format=gnu --format=posix; do
                tar -C "$T/tree" "$how" --sparse --xattrs --xattrs-include='*' -cf "$T/full.tar" . 2>/dev/null ||
                        tar -C "$T/tree" "$how" --sparse -cf "$T/full.tar" .
                hod import "$T/full.tar" full >/dev/null
                out=$(hod run --rm full sh -c "cat /deep/$long/$long/$long; readlink /deep/link | wc -c; stat -c '%F %a' /fifo /su /tmp; stat -c '%t,%T' /null2; wc -c < /sparse; tail -c 3 /sparse; echo; stat -c %h /x1; ls -d /größe ' lead' '/new
line'")
                like "$out" '^x'
                like "$out" 'fifo 644'
                like "$out" 'regular file 4755'
                like "$out" 'directory 1777'
                like "$out" '1,3'
                like "$out" 5242883
                like "$out" end
                hod rmi full >/dev/null
        done
        is "$(getfattr --only-values -n user.k "$T/tree/x1")" val
        make_tar 'add("dup", b"first"); add("dup", b"second"); add("k", type=DIR); add("k/f", b"1"); add("k", b"now a file"); add("bin", type=DIR)' >"$T/dup.tar"
        hod import "$T/dup.tar" dup >/dev/null
        hod export "$(hod create dup x)" | tar -xO dup | grep -qx second
        e2e_clean
        hod rmi dup
}

@test "another architecture is said, not a mystery" {
        printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0\1\0\0\0' >"$T/arm"
        head -c 200 /dev/zero >>"$T/arm"
        chmod +x "$T/arm"
        run hod run --rm -v "$T/arm:/arm" busybox /arm
        is "$status" 255
        like "$output" 'exec format error'
}

@test "killed in the middle of an import: nothing is published, the next command cleans up" {
        before=$(store_state)
        for after in 0.01 0.03 0.08 0.15; do
                # Without --foreground timeout kills itself, too: hod would still be dying when we go on.
                timeout --foreground -s KILL "$after" "$HOD_BIN/hod" import - half >/dev/null 2>&1 \
                        < <(cat "$(busybox_file)"; exec sleep 5 3>&- 4>&-) || true
        done
        hod images >/dev/null
        unlike "$(hod images)" half
        mkfifo "$T/half"
        "$HOD_BIN/hod" import "$T/half" half >/dev/null 2>&1 &
        pid=$!
        exec 8>"$T/half"
        head -c 1000000 "$(busybox_file)" >&8
        eventually 5 eval '[[ -n $(ls "$HOD_ROOT/tmp") ]]'
        kill -9 "$pid"
        wait "$pid" || true
        exec 8>&-
        rm "$T/half"
        [[ -n $(ls "$HOD_ROOT/tmp") ]] || fail 'nothing was killed'
        hod tag busybox room
        hod rmi room
        is "$(ls "$HOD_ROOT/tmp")" ''
        hod import -m again "$(busybox_file)" again >/dev/null
        hod rmi again >/dev/null
        is "$(store_state)" "$before"
}

@test "70, 77: directories that the archive implies may lie behind an absolute link inside it" {
        make_tar 'add("run", type=DIR, mode=0o755); add("var", type=DIR, mode=0o755); add("var/run", type=SYM, linkname="/run"); add("var/run/a/b/c", b"behind\n")' |
                hod import - implied >/dev/null
        id=$(hod create implied x)
        is "$(hod export "$id" | tar -xO run/a/b/c)" behind
        hod rm "$id" >/dev/null
        hod rmi implied
        make_tar 'add("gone", type=SYM, linkname="/nowhere"); add("gone/a/b", b"x")' | import_refused 'not a directory'
        make_tar 'add("f", b"x"); add("f/a/b", b"x")' | import_refused 'not a directory'
        make_tar 'add("l", type=SYM, linkname="/../../.." + T); add("l/evil/x", b"x")' | harmless
}

@test "a default ACL of a directory gives its files nothing that the archive does not" {
        python3 - >"$T/acl.tar" <<-'END'
		import io, struct, sys, tarfile
		acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', t, p, i) for t, p, i in
		    ((1, 7, 2**32 - 1), (2, 7, 1000), (4, 5, 2**32 - 1), (16, 7, 2**32 - 1), (32, 5, 2**32 - 1)))
		def record(key, value):
		    body = b' ' + key + b'=' + value + b'\n'
		    n = len(body)
		    while len(str(n).encode() + body) != n: n += 1
		    return str(n).encode() + body
		out = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
		data = record(b'SCHILY.xattr.system.posix_acl_default', acl)
		x = tarfile.TarInfo('x'); x.type = b'x'; x.size = len(data)
		out.addfile(x, io.BytesIO(data))
		for name, kind, mode in (('d', tarfile.DIRTYPE, 0o755), ('d/s', tarfile.DIRTYPE, 0o700), ('d/f', tarfile.REGTYPE, 0o640),
		                         ('d/p', tarfile.FIFOTYPE, 0o600)):
		    t = tarfile.TarInfo(name); t.type = kind; t.mode = mode
		    out.addfile(t)
		out.close()
	END
        hod import "$T/acl.tar" acl >/dev/null
        layer=$(hod inspect -f '{{index .RootFS.Layers 0}}' acl)
        layer=$HOD_ROOT/layers/${layer#sha256:}/diff
        python3 - "$layer" >"$T/acls" <<-'END'
		import os, sys
		for name in ('d', 'd/s', 'd/f', 'd/p'):
		    print(name, oct(os.stat(sys.argv[1] + '/' + name).st_mode & 0o7777), *os.listxattr(sys.argv[1] + '/' + name))
	END
        is "$(cat "$T/acls")" $'d 0o755 system.posix_acl_default\nd/s 0o700\nd/f 0o640\nd/p 0o600'
        hod rmi acl
}

@test "an archive that comes slowly keeps nobody waiting" {
        mkfifo "$T/slow"
        hod volume create waits >/dev/null
        hod tag busybox other
        "$HOD_BIN/hod" import "$T/slow" slow >/dev/null 2>&1 &
        exec 8>"$T/slow"
        timeout 60 "$HOD_BIN/hod" volume rm waits
        timeout 60 "$HOD_BIN/hod" rmi other
        timeout 60 "$HOD_BIN/hod" run --rm -v /anonymous busybox true
        cat "$(busybox_file)" >&8
        exec 8>&-
        wait $!
        hod run --rm slow true
        hod rmi slow
}

@test "75: the root itself as a link or a file" {
        for name in . ./ / '' './/'; do
                make_tar "add('x', b'1'); add('$name', type=SYM, linkname=T + '/canary'); add('file', b'bad')" | harmless
                make_tar "add('$name', type=LNK, linkname=T + '/canary/file'); add('x', b'bad')" | harmless
                make_tar "add('$name', b'content'); add('x', b'1')" | harmless
                make_tar "add('$name', type=FIFO); add('$name', type=CHR); add('x', b'1')" | harmless
        done
}

@test "77: hard links with absolute names stay inside, as builders write them" {
        make_tar 'add("bin/a", b"same"); add("bin/b", type=LNK, linkname="/bin/a"); add("c", type=LNK, linkname="./bin/../bin/a")' |
                hod import - absolute >/dev/null
        id=$(hod create absolute x)
        is "$(hod export "$id" | tar -xO bin/b bin/a c 2>/dev/null | sort -u | head -c 4)" same
        hod rm "$id" >/dev/null
        hod rmi absolute >/dev/null
}

@test "85: many opaque marks and many entries of one name cost no more than many entries" {
        python3 - >"$T/marks.tar" <<-'END'
		import sys, tarfile
		out = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
		d = tarfile.TarInfo('d')
		d.type = tarfile.DIRTYPE
		out.addfile(d)
		for name in ('d/.wh..wh..opq', 'd/same'):
		    entry = tarfile.TarInfo(name).tobuf()
		    for _ in range(60000):
		        out.fileobj.write(entry)
		out.close()
	END
        timeout 90 "$HOD_BIN/hod" import "$T/marks.tar" marks >/dev/null # which takes a second or two
        hod rmi marks >/dev/null
}

@test "106: names and attributes of any length are taken or refused, never cut" {
        for n in 255 256 300 5000; do
                make_tar "add('$(printf 'x%.0s' {1..300} | head -c 200)/' + 'y' * $n, b'1')" >"$T/long.tar"
                run "$HOD_BIN/hod" import "$T/long.tar" long
                if ((n == 255)); then is "$status" 0; else is "$status" 1; fi
                is "${#lines[@]}" 1
        done
        hod rmi long >/dev/null
        for key in '' user. "user.$(printf 'n%.0s' {1..300})" $'user.a\x01'; do
                make_tar "t = tarfile.TarInfo('f'); t.pax_headers = {'SCHILY.xattr.$key': 'v'}; out.addfile(t)" | harmless
        done
        make_tar "t = tarfile.TarInfo('f'); t.pax_headers = {'SCHILY.xattr.user.v': 'v' * 70000}; out.addfile(t)" | harmless
}
