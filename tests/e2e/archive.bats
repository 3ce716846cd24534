#!/usr/bin/env bats
# Images in archives, layouts and directories: save, load, image copy; good ones, hostile ones, broken ones.

load lib

setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        rmi_but busybox
}

# Images that a test left, so that the next one starts from the same.
rmi_but() {
        local list
        list=$(hod images --format '{{.ID}} {{.Repository}}' | awk -v keep="$1" '$2 != keep {print $1}' | sort -u)
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod rmi -f $list >/dev/null
}

# archive FILE|DIR/ CODE: see archive.py.
archive() { python3 "$BATS_TEST_DIRNAME/archive.py" "$@"; }

store_state() { (cd "$HOD_ROOT" && find blobs layers -maxdepth 2 | sort && find tmp -mindepth 1) && hod images --no-trunc --digests --format '{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}}'; }

# refuses REGEX FILE: load says so, from a file and from a pipe, and nothing has changed.
refuses() {
        local before
        before=$(store_state)
        refused 1 "$1" hod load -i "$2"
        # shellcheck disable=SC2016
        [[ -d $2 ]] || refused 1 "$1" bash -c 'cat "$1" | "$HOD_BIN/hod" load' - "$2"
        is "$(store_state)" "$before" "after $2"
}

id_of() { hod images --no-trunc --format '{{.ID}}' "$1"; }

@test "save and load: every form and compression, from a file and through pipes; the digests stay" {
        id=$(id_of busybox)
        hod save -o a.tar busybox
        hod save busybox >b.tar
        hod save busybox | cat >c.tar
        cmp a.tar b.tar
        cmp a.tar c.tar
        is "$(stat -c %a a.tar)" 600
        is "$(tar tf a.tar | sed -E 's/[0-9a-f]{64}/ID/' | paste -sd' ')" \
                'blobs/ blobs/sha256/ blobs/sha256/ID blobs/sha256/ID blobs/sha256/ID index.json manifest.json oci-layout repositories'
        hod save --format oci-archive -o o.tar busybox
        hod save --format oci-dir -o odir busybox
        hod save --format docker-dir -o ddir busybox
        gzip -k a.tar
        zstd -q a.tar
        xz -0 -k a.tar
        bzip2 -k a.tar
        hod rmi busybox >/dev/null
        for f in a.tar o.tar a.tar.gz a.tar.zst a.tar.xz a.tar.bz2 odir; do
                is "$(hod load -i "$f")" 'Loaded image: busybox:latest' "$f"
                is "$(id_of busybox)" "$id"
                hod save busybox | cmp - a.tar
                hod rmi busybox >/dev/null
                [[ $f != odir ]] || continue
                is "$(hod load -q <"$f")" 'Loaded image: busybox:latest' "$f"
                hod rmi busybox >/dev/null
                is "$("$HOD_BIN/hod" load < <(cat "$f"))" 'Loaded image: busybox:latest' "$f"
                hod rmi busybox >/dev/null
        done
        is "$(HOD_ROOT=$T/other HOD_STATE=$T/otherstate "$HOD_BIN/hod" load -i ddir)" "Loaded image ID: $id"
        is "$(hod load -i a.tar)" 'Loaded image: busybox:latest'
        is "$(hod run --rm busybox echo works)" works
}

@test "save: several images and names are there once; an id has no name; a repository is all its tags" {
        archive two.tar 'layout(named(image(), "docker.io/library/two:1"), named(image([layer("one"), layer("two")]), "two:2"))'
        is "$(hod load -i two.tar)" $'Loaded image: two:1\nLoaded image: two:2'
        hod tag two:1 other.example/x/two:9
        hod save two other.example/x/two:9 >all.tar
        is "$(tar xOf all.tar manifest.json | jq -c '[.[].RepoTags]')" '[["two:2"],["two:1","other.example/x/two:9"]]'
        is "$(tar xOf all.tar index.json | jq -r '.manifests[].annotations["io.containerd.image.name"]' | sort | paste -sd' ')" \
                'docker.io/library/two:1 docker.io/library/two:2 other.example/x/two:9'
        is "$(tar xOf all.tar repositories | jq -c '[keys, (.two | keys)]')" '[["other.example/x/two","two"],["1","2"]]'
        is "$(tar tf all.tar | sort | uniq -d)" ''
        hod save "$(id_of two:1)" >id.tar
        is "$(tar xOf id.tar manifest.json | jq -c '.[].RepoTags')" null
        is "$(hod load <id.tar)" "Loaded image ID: $(id_of two:1)"
}

@test "save: what cannot be, in docker's words; what was there stays" {
        refused 1 '^hod: No such image: nosuch$' hod save nosuch
        refused 1 '^hod: No such image: nosuch$' hod save busybox nosuch -o z.tar
        [[ ! -e z.tar ]]
        refused 1 'failed to save image: invalid output path: stat /nosuch: No such file' hod save -o /nosuch/x busybox
        refused 1 'invalid output path: "/dev/null" must be a file' hod save -o /dev/null busybox
        refused 1 'say which one with -o' hod save --format oci-dir busybox
        refused 125 'format' hod save --format zip busybox
        like "$(pty -- "$HOD_BIN/hod" save busybox)" 'cowardly refusing to save to a terminal. Use the -o flag or redirect'
        echo old >kept.tar
        refused 1 nosuch hod save -o kept.tar nosuch
        is "$(cat kept.tar)" old
        mkdir -p full mine
        mount -t tmpfs -o size=1m none full
        echo old >full/kept.tar
        refused 1 'no space left' hod save -o full/kept.tar busybox
        is "$(cat full/kept.tar) $(ls -A full)" 'old kept.tar'
        refused 1 'no space left' hod save --format oci-dir -o full/dir busybox
        is "$(ls -A full)" kept.tar
        umount full
        touch mine/file
        refused 1 'not empty, and is not an OCI layout' hod save --format oci-dir -o mine busybox
        is "$(ls -A mine)" file
}

@test "save into a directory, killed half way: the next one goes on, and nothing is left over" {
        for format in oci-dir docker-dir; do
                for step in 1 2 3; do
                        rm -rf killed
                        ! strace -f -qq -o strace.out -e trace=renameat -e inject=renameat:signal=KILL:when=$step \
                                "$HOD_BIN/hod" save --format $format -o killed busybox 2>/dev/null || break
                        [[ ! -e killed/index.json && ! -e killed/manifest.json ]] || fail "$format: complete after $step"
                        hod save --format $format -o killed busybox
                        is "$(find killed -name '.hod-*')" '' "$format, step $step"
                        if [[ $format == oci-dir ]]; then hod load -qi killed; else hod image copy -q dir:killed hod:killed:1 >/dev/null; fi
                done
                [[ $step -gt 1 ]]
        done
        hod rmi killed:1 >/dev/null
        rm -rf killed
}

@test "save: killed or interrupted, nothing is left" {
        mkdir -p k
        for signal in INT KILL; do
                for after in 0.002 0.005 0.01; do
                        timeout -s "$signal" "$after" "$HOD_BIN/hod" save -o k/x.tar busybox 2>/dev/null || true
                        [[ $(ls -A k) == '' || $(ls -A k) == x.tar ]] || fail "left: $(ls -A k)"
                        [[ ! -e k/x.tar ]] || tar tf k/x.tar >/dev/null
                        rm -f k/x.tar
                done
        done
}

@test "save: a file system that has no files without a name" {
        mkdir -p k
        nameless() { # strace's arguments, how hod ends
                strace -f -qq -o strace.out -P k -e trace=openat -e inject=openat:error=EOPNOTSUPP:when=2 "$@" \
                        "$HOD_BIN/hod" save -o k/x.tar busybox 2>/dev/null
        }
        echo old >k/x.tar
        run ! nameless -e trace=openat,renameat -e inject=renameat:signal=KILL
        like "$(cat strace.out)" 'O_TMPFILE.*EOPNOTSUPP .*INJECTED'
        is "$(cat k/x.tar)" old
        like "$(ls -A k)" '^\.hod-[0-9a-f]{16}'
        nameless -y
        is "$(ls -A k)" x.tar
        is "$(hod save busybox | cmp - k/x.tar)" ''
        rm -r k strace.out
}

@test "load: what cannot be, in docker's words" {
        refused 1 '^hod: open nosuch.tar: No such file' hod load -i nosuch.tar
        refused 1 'truncated|EOF' bash -c 'echo junk | "$HOD_BIN/hod" load'
        refused 1 'EOF' bash -c ': | "$HOD_BIN/hod" load'
        like "$(pty -- "$HOD_BIN/hod" load)" 'requested load from stdin, but stdin is empty'
        refused 1 'not an image archive: there is neither an index.json nor a manifest.json' hod load -i "$(busybox_file)"
        mkdir -p empty
        refused 1 'not an image archive' hod load -i empty
}

@test "94: load: names that were others' move, and that is said" {
        old=$(id_of busybox)
        archive steal.tar 'layout(named(image(), "docker.io/library/busybox:latest"))'
        out=$(hod load -i steal.tar)
        is "$out" "The image busybox:latest already exists, renaming the old one with ID $old to empty string"$'\nLoaded image: busybox:latest'
        is "$(hod images -q --no-trunc -f dangling=true)" "$old"
        is "$(hod load -i steal.tar)" 'Loaded image: busybox:latest'
        hod tag "$old" busybox
        archive odd.tar 'layout(named(image(), "docker.io/library/../../etc"))'
        refuses 'invalid reference format' odd.tar
        archive odd.tar 'docker((["Upper/Case:1"], [layer("one")]))'
        refuses 'must be lowercase' odd.tar
}

@test "docker's old archives: links between layers, several images, none with a name, compressed layers" {
        archive old.tar 'docker((["old:1", "old:also"], [layer("one")]), (None, [layer("one"), layer("two")]))'
        out=$(hod load -i old.tar)
        like "$out" '^Loaded image: old:1
Loaded image: old:also
Loaded image ID: sha256:[0-9a-f]{64}$'
        is "$(hod inspect -f '{{len .RootFS.Layers}}' "${out##* }")" 2
        is "$("$HOD_BIN/hod" load < <(cat old.tar))" "$out"
        is "$(hod export "$(hod create old:1)" | tar xO etc/hostname-of-layer)" one
        archive z.tar 'docker((["zipped:1"], [layer("three")])); replace([n for n, d in files if n.endswith("layer.tar")][0], gzip.compress(layer("three")))'
        is "$(hod load -i z.tar)" 'Loaded image: zipped:1'
        hod save zipped:1 | tar tf - >/dev/null
}

@test "layouts: names of the layout, whole references, none; a layer that is here compressed otherwise" {
        archive l/ 'layout(ref(image(packed=False), "latest"), ref(image([layer("two")]), "reg.example/a/b:1"), image([layer("three")]))'
        out=$(hod load -i l)
        like "$out" '^Loaded image ID: sha256:[0-9a-f]{64}
Loaded image: reg.example/a/b:1
Loaded image ID: sha256:[0-9a-f]{64}$'
        archive again.tar 'layout(named(image(author="me"), "again:1"))'
        hod load -q -i again.tar >/dev/null
        hod save -o saved.tar again:1
        archive third.tar 'layout(named(image(author="you", packed=False), "again:2"))'
        hod load -q -i third.tar >/dev/null
        hod rmi -f again:1 "${out##* }" >/dev/null
        hod save again:2 | "$HOD_BIN/hod" load | grep -x 'Loaded image: again:2'
}

@test "what was loaded is not thought to be had from a registry: a repair leaves what is damaged of it" {
        archive alone.tar 'layout(named(blob(index([{**image([layer("alone")]), "platform": {"os": "linux", "architecture": "amd64"}}]), OCI + "index.v1+json"), "alone:1"))'
        hod load --platform linux/amd64 -q -i alone.tar >/dev/null
        hod image prune --blobs -f >/dev/null
        layer=$(hod image inspect -f '{{index .RootFS.Layers 0}}' alone:1)
        file=$(find "$HOD_ROOT/layers/${layer#sha256:}/diff" -type f -print -quit)
        echo damaged >"$file"
        run hod system check --repair
        is "$status" 1
        like "$output" "wrong: layer $layer: .*; remove image sha256:[0-9a-f]+, and make or load it again"
        [[ -e $file ]] || fail 'the layer is gone'
        hod rmi alone:1 >/dev/null
}

@test "an index: the machine's platform, another one, one that is not there" {
        archive m.tar 'layout(named(blob(index([{**image(), "platform": {"os": "linux", "architecture": "amd64"}}, {**image([layer("arm")], arch="arm64"), "platform": {"os": "linux", "architecture": "arm64"}}]), OCI + "index.v1+json"), "multi:1"))'
        case $(uname -m) in x86_64) here=amd64 there=arm64 ;; *) here=arm64 there=amd64 ;; esac
        is "$(hod load -i m.tar)" 'Loaded image: multi:1'
        is "$(hod inspect -f '{{.Architecture}}' multi:1)" "$here"
        is "$(hod load --platform "linux/$there" -q -i m.tar | tail -n 1)" 'Loaded image: multi:1'
        is "$(hod inspect -f '{{.Architecture}}' multi:1)" "$there"
        refused 1 'no matching manifest for linux/s390x' hod load --platform linux/s390x -i m.tar
        refused 1 'platform \(linux/amd64\) does not match the specified platform \(linux/s390x\)' hod save --platform linux/s390x busybox -o x.tar
        [[ ! -e x.tar ]]
        hod save --platform linux/amd64 busybox -o x.tar
        hod image copy -q --all oci-archive:m.tar oci:mdir:all >/dev/null
        is "$(find mdir/blobs -type f | wc -l)" 7
        is "$(hod image copy -q --platform linux/arm64 oci:mdir:all dir:mone)" "sha256:$(sha256sum <mone/manifest.json | cut -d' ' -f1)"
        refused 1 'the store keeps an image for one platform' hod image copy -q --all oci:mdir multi:2
}

@test "61, 67: hostile: names that lead elsewhere, links, devices, duplicates" {
        mkdir -p canary
        echo canary >canary/file
        archive h.tar 'docker((["x:1"], [layer("one")])); m = json.loads(dict(files)["manifest.json"]); m[0]["Layers"] = ["../../../../etc/passwd"]; replace("manifest.json", json.dumps(m).encode())'
        refuses "there is no '../../../../etc/passwd'" h.tar
        archive h.tar 'docker((["x:1"], [layer("one")])); m = json.loads(dict(files)["manifest.json"]); m[0]["Config"] = "/etc/passwd"; replace("manifest.json", json.dumps(m).encode())'
        refuses "there is no '/etc/passwd'" h.tar
        archive h.tar 'docker((["x:1"], [layer("one")])); replace([n for n, d in files if n.endswith("layer.tar")][0], ("link", "/etc/passwd"))'
        refuses 'symbolic link' h.tar
        archive h.tar 'docker((["x:1"], [layer("one")])); replace([n for n, d in files if n.endswith("layer.tar")][0], ("link", "../../../../../../../etc/passwd"))'
        refuses 'there is no' h.tar
        archive h.tar 'docker((["x:1"], [layer("one")])); n = [n for n, d in files if n.endswith("layer.tar")][0]; replace(n, ("link", "layer.tar"))'
        refuses 'is no file' h.tar
        for what in '("link", "/etc")' '("hard", "/etc/passwd")' '("fifo",)'; do
                archive h.tar "add('blobs', $what); layout(named(image(), 'x:1'))"
                refuses 'symbolic link|no file' h.tar
                archive h.tar "add('index.json', $what); add('oci-layout', b'{}')"
                refuses 'symbolic link|no file|not an image' h.tar
        done
        for name in ../x /x a/../../x a//b; do
                archive h.tar "add('$name', b'x'); layout(named(image(), 'x:1'))"
                refuses 'odd name' h.tar
        done
        archive h.tar 'layout(named(image(), "x:1")); add("index.json", index([]))'
        refuses "two files 'index.json'" h.tar
        archive h.tar 'd = image(); n = [n for n, x in files][0]; add(n, b"other"); layout(named(d, "x:1"))'
        refuses 'two files' h.tar
        for link in blobs blobs/sha256 index.json; do
                rm -rf d e
                archive d/ 'layout(named(image(), "x:1"))'
                mv "d/$link" e
                ln -s "$PWD/e" "d/$link"
                refuses 'symbolic link' d
        done
        rm -rf d && archive d/ 'layout(named(image(), "x:1"))' && rm d/index.json && mkfifo d/index.json
        refuses 'no file' d
        is "$(cat canary/file)" canary
}

@test "67: hostile: digests, sizes and documents that lie" {
        archive h.tar 'd = image(); layout(named({**d, "digest": "sha256:" + "0" * 64}, "x:1"))'
        refuses "there is no 'blobs/sha256/0000" h.tar
        archive h.tar 'd = image(); layout(named({**d, "size": 5}, "x:1"))'
        refuses 'instead of 5' h.tar
        archive h.tar 'd = image(); replace("blobs/" + d["digest"].replace(":", "/"), b"{" + b" " * (d["size"] - 2) + b"}"); layout(named(d, "x:1"))'
        refuses 'is not what it should be' h.tar
        # a layer, and a config, with other bytes
        archive h.tar 'd = image(); n = [n for n, x in files if x[:2] == b"\x1f\x8b"][0]; x = dict(files)[n]; replace(n, x[:-1] + b"x"); layout(named(d, "x:1"))'
        refuses 'sha256:|damaged' h.tar
        archive h.tar 'd = image(packed=False); n = [n for n, x in files if len(x) > 5000][0]; replace(n, layer("ONE")); layout(named(d, "x:1"))'
        refuses 'sha256:' h.tar
        archive h.tar 'd = image(); n = files[0][0]; replace(n, files[0][1].replace(b"linux", b"Linux")); layout(named(d, "x:1"))'
        refuses 'is not what it should be' h.tar
        for digest in ../x a/b . '' sha256: "sha256:$(printf 'A%.0s' {1..64})" "sha256:$(printf '0%.0s' {1..63})/" sha256:../../../etc/passwd 'md5:x\u0000'; do
                archive h.tar "d = image(); layout(named({**d, 'digest': '$digest'}, 'x:1'))"
                refuses 'no valid digest|algorithm' h.tar
        done
        archive h.tar 'd = image(); layout(); replace("index.json", b"[]")'
        refuses 'not an object' h.tar
        archive h.tar 'layout(named(blob(index([]), OCI + "manifest.v1+json"), "x:1"))'
        refuses 'which it is not|sent as' h.tar
        archive h.tar 'd = image(); add("index.json", json.dumps({"schemaVersion": 2, "manifests": [d], "layers": [], "config": {}}).encode())'
        refuses 'also an index' h.tar
        archive h.tar 'd = image()
for i in range(6): d = blob(index([d]), OCI + "index.v1+json")
layout(named(d, "x:1"))'
        refuses 'indexes within indexes' h.tar
        archive h.tar 'docker((["x:1"], [layer("one")])); m = json.loads(dict(files)["manifest.json"]); m[0]["Layers"] *= 2; replace("manifest.json", json.dumps(m).encode())'
        refuses 'lists 2 layers, the config 1' h.tar
        for text in '' '{' '[]' '[1]' '[{}]' 'null' '[{"Config":"a\u0000b","Layers":[]}]' '[{"Config":"x","Layers":"y"}]' '[{"Config":"x","Layers":[""]}]'; do
                archive h.tar "add('manifest.json', r'''$text'''.encode())"
                refuses 'manifest.json|not an image|config|there is no|manifest' h.tar
        done
        archive h.tar 'add("oci-layout", b"{\"imageLayoutVersion\": \"9\"}"); add("index.json", index([image()]))'
        refuses 'layout version' h.tar
}

@test "87: documents of 2 GiB are not read" {
        archive big.tar 'add("index.json", ("size", 2 << 30))'
        before=$(store_state)
        /usr/bin/time -f %M -o rss timeout 60 "$HOD_BIN/hod" load -i big.tar 2>err && fail 'loaded'
        like "$(cat err)" 'index.json has 2147483648 bytes, more than'
        (($(tail -n 1 rss) < 64000)) || fail "memory: $(cat rss)"
        is "$(store_state)" "$before"
        archive big.tar 'd = image(); layout(named({**d, "size": 2 << 30}, "x:1"))'
        refuses 'more than the' big.tar
        archive big.tar 'docker((["a:%x" % n for n in range(10001)], [layer("one")]))'
        refuses 'more than 10000 names' big.tar
}

@test "87: a manifest of 4 MB that its index lists a thousand times is read once" {
        archive many/ 'm = image(); data = json.loads([d for n, d in files if n.endswith(m["digest"][7:])][0]); m = blob(json.dumps({**data, "annotations": {"x": "x" * 4000000}}).encode(), OCI + "manifest.v1+json", platform={"os": "linux", "architecture": "amd64"}); layout(named(blob(index([m] * 1000), OCI + "index.v1+json"), "many:1"))'
        timeout 40 "$HOD_BIN/hod" load -q --platform linux/amd64 -i many
        timeout 40 "$HOD_BIN/hod" save -o many.tar many:1
        timeout 40 "$HOD_BIN/hod" image prune -f
        timeout 40 "$HOD_BIN/hod" image copy -q --all oci:many dir:many-dir
        timeout 40 "$HOD_BIN/hod" rmi many:1
        rm -r many many.tar many-dir
}

@test "truncated at every tenth, by file and by pipe" {
        archive t.tar 'layout(named(image(), "t:1"))'
        gzip -k t.tar
        for f in t.tar t.tar.gz; do
                size=$(stat -c %s "$f")
                [[ $f != t.tar ]] || size=$((size - 9000)) # the end marker and what rounds it up
                for tenth in {0..9}; do
                        head -c $((size * tenth / 10)) "$f" >cut.tar
                        refuses 'truncated|EOF|tar:|gzip|damaged' cut.tar
                done
        done
}

@test "load: a full disk, and Ctrl-C, leave nothing" {
        hod save -o a.tar busybox
        gzip -kf a.tar
        mkdir -p small
        mount -t tmpfs -o size=2m none small
        for f in a.tar a.tar.gz; do
                status=0
                HOD_ROOT=$PWD/small/root HOD_STATE=$PWD/small/state "$HOD_BIN/hod" load -i "$f" 2>err || status=$?
                is "$status" 1
                like "$(cat err)" 'No space left'
                is "$(find small/root/tmp small/root/layers small/root/blobs/sha256 -mindepth 1 | wc -l)" 0
        done
        umount small
        before=$(store_state)
        timeout -s INT 0.5 "$HOD_BIN/hod" load >out 2>&1 < <(cat a.tar; exec sleep 20 3>&- 4>&-) || true
        hod images >/dev/null
        is "$(store_state)" "$before"
}

@test "image copy: every place to every other one, the digest stays" {
        digest=$(hod image copy -q busybox oci:c1:here)
        like "$digest" '^sha256:[0-9a-f]{64}$'
        is "$(hod image copy -q oci:c1:here oci-archive:c2.tar:there)" "$digest"
        is "$(hod image copy -q oci-archive:c2.tar:there docker-archive:c3.tar:copied/to:3)" "$digest"
        is "$(hod image copy -q docker-archive:c3.tar:copied/to:3 dir:c4)" "$digest"
        is "$(hod image copy -q --digestfile digest dir:c4 hod:copied:4)" "$digest"
        is "$(cat digest)" "$digest"
        is "$(id_of copied:4)" "$(id_of busybox)"
        is "$(hod image copy -q docker-archive:c3.tar:@0 oci:c1:second)" "$digest"
        is "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' c1/index.json | paste -sd' ')" 'here second'
        hod image copy -q busybox oci:c1:here >/dev/null
        is "$(jq '.manifests | length' c1/index.json)" 2
        like "$(hod image copy busybox new 2>&1)" "$digest"
        archive c7/ 'layout(ref(image(), "a"), ref(image([layer("two")]), "b"))'
        refused 1 'there are 2 images in it' hod image copy -q oci:c7 dir:c5
        refused 1 "there is no image 'nosuch' in it" hod image copy -q oci:c1:nosuch dir:c5
        refused 1 'not one of docker://NAME' hod image copy -q docker-daemon:x dir:c5
        refused 1 'No such image' hod image copy -q nosuch dir:c5
        refused 1 'no such file' hod image copy -q oci:nosuch dir:c5
        refused 1 'something is missing' hod image copy -q oci: dir:c5
        [[ ! -e c5 ]]
        # what the source gives is verified before it has a name
        blob=$(find c1/blobs/sha256 -size +1000k)
        printf X | dd of="$blob" bs=1 seek=5000 conv=notrunc status=none
        refused 1 'is not what it should be' hod image copy -q oci:c1:here oci:c6
        [[ ! -e c6 ]]
        refused 1 'is not what it should be' hod image copy -q oci:c1:here oci-archive:c6.tar
        [[ ! -e c6.tar ]]
}
