#!/usr/bin/env bats
# The store of images: crashes at any step, several at once, a full disk; df, prune, pins, check.

load lib
setup_file() {
        e2e_setup none
        # Three layers of different kinds: crashed:latest.
        archive layout/ 'layout(named(image([tar({"a/one": b"x" * 5000}), tar({"two": os.urandom(300000)}), tar({"a/.wh.one": b"", "three": b"3"})]), "crashed"))'
}
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod images -q | sort -u | xargs -r "$HOD_BIN/hod" rmi -f >/dev/null
        hod image prune -af >/dev/null
        is "$(find "$HOD_ROOT"/{blobs/sha256,layers,tmp,partial} -mindepth 1 2>/dev/null)" '' "left behind"
}

archive() { python3 "$BATS_TEST_DIRNAME/archive.py" "$@"; }
# Does PID, which is hod by now, do something of its own with the signal? NUMBER: the signal's.
catches() { [[ $(<"/proc/$1/comm") == hod* ]] && ((0x$(awk '/^SigCgt/ {print $2}' "/proc/$1/status") >> ($2 - 1) & 1)); }

@test "hod killed at every step of a load: all or nothing; the next one succeeds; nothing is left" {
        python3 "$BATS_TEST_DIRNAME/crash-load.py" "$HOD_BIN/hod" layout 25
}

@test "hod and all its processes killed at some moment of a load: the next one succeeds" {
        archive big/ 'layout(named(image([tar({"f%d" % n: os.urandom(3000000)}) for n in range(4)]), "big"))'
        for ms in 5 30 50 80 130; do
                setsid "$HOD_BIN/hod" load -qi big >/dev/null 2>&1 &
                pid=$!
                sleep "0.$(printf '%03d' "$ms")"
                kill -9 -- "-$pid" 2>/dev/null || true
                wait "$pid" 2>/dev/null || true
                hod load -qi big >/dev/null
                hod system check -q >/dev/null
                hod rmi big >/dev/null
        done
        rm -r big
}

@test "Ctrl-C in a load: status 130, nothing of it is there; the next one succeeds" {
        archive big.tar 'layout(named(image([tar({"f%d" % n: os.urandom(8000000)}) for n in range(4)]), "big"))'
        mkfifo slow
        for bytes in 5000 9000000 30000000; do
                # What is started in the background does not hear of Ctrl-C, unless it is told to.
                env --default-signal=INT "$HOD_BIN/hod" load -q <slow >/dev/null 2>err &
                pid=$!
                exec 8>slow
                head -c $bytes big.tar >&8
                eventually 5 catches "$pid" 2
                kill -INT "$pid"
                status=0
                wait "$pid" || status=$?
                exec 8>&-
                is "$status" 130 "$(cat err)"
                is "$(hod images -q)" ''
        done
        hod load -qi big.tar >/dev/null
        hod system check >/dev/null
        rm big.tar slow
}

@test "sixteen loads of one image and a prune beside them: all succeed, one copy is kept" {
        pids=()
        for n in {1..16}; do
                "$HOD_BIN/hod" load -qi layout >"out.$n" 2>&1 &
                pids+=($!)
        done
        for _ in {1..5}; do hod image prune -f >/dev/null; done
        for n in {1..16}; do
                wait "${pids[n - 1]}" || fail "load $n: $(cat "out.$n")"
        done
        hod system check >/dev/null
        is "$(hod images -q | wc -l)" 1
        is "$(find "$HOD_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)" 3
        is "$(ls -A "$HOD_ROOT/tmp")" ''
}

@test "loads and prune -a against each other: every load gives a whole image" {
        (
                for _ in {1..25}; do hod image prune -af; done >/dev/null 2>prune.err || touch failed
        ) &
        pruner=$!
        for _ in {1..8}; do
                hod load -qi layout >/dev/null 2>load.err || touch failed
                hod system check -q >check.out || touch failed
        done
        wait "$pruner"
        [[ ! -e failed ]] || fail "one of them failed" "$(cat prune.err load.err check.out)"
}

@test "a full disk: said clearly; the space is given back; the store is as before" {
        mkdir full
        mount -t tmpfs -o size=3m tmpfs full
        archive big/ 'layout(named(image([tar({"f": os.urandom(6000000)})]), "big"))'
        small() { "$HOD_BIN/hod" --root "$PWD/full/root" --state "$T/full-state" "$@"; }
        small load -qi layout
        before=$(df --output=used full | tail -n 1)
        refused 1 'no space left on device' small load -qi big
        small images | grep -q crashed
        small system check
        small image prune -f >/dev/null
        after=$(df --output=used full | tail -n 1)
        ((after <= before + 64)) || fail "$before KiB before, $after after"
        umount full
        rm -r big "$T/full-state"
}

@test "what an interrupted load left is used by the next, counted by df, removed by prune" {
        blob=$(find layout/blobs/sha256 -size +200k -printf '%f')
        mkdir -p "$HOD_ROOT/partial"
        head -c 100000 "layout/blobs/sha256/$blob" >"$HOD_ROOT/partial/$blob"
        like "$(hod system df)" 'Blobs +[0-9]+ +0 +100kB +100kB \(100%\)'
        hod image prune -f | grep -q 'Total reclaimed space: 1[0-9.]*kB'
        head -c 100000 "layout/blobs/sha256/$blob" >"$HOD_ROOT/partial/$blob"
        hod load -qi layout
        hod system check >/dev/null
        # A damaged one does no harm.
        hod rmi crashed >/dev/null
        head -c 100000 /dev/zero >"$HOD_ROOT/partial/$blob"
        hod load -qi layout
        hod system check >/dev/null
}

@test "system check: finds and mends what is damaged" {
        hod load -qi layout
        is "$(hod system check | tail -n 1)" 'checked 1 images, 3 layers, 5 blobs, 0 containers: 0 wrong, 0 mended, 0 leftovers'
        file=$(find "$HOD_ROOT/layers" -name three)
        for damage in "rm '$file'" "echo 4 >'$file'" "chmod 4755 '$file'" "chown 7 '$file'" "ln -sf /etc/passwd '$file'" \
                "touch '$(dirname "$file")/more'" "setfattr -n user.x -v 1 '$file'" "rm -r '$HOD_ROOT'/layers/*"; do
                eval "$damage"
                run hod system check
                is "$status" 1 "$damage"
                like "$output" 'wrong: layer sha256:' "$damage"
                hod system check --repair >repaired || fail "$damage: $(cat repaired)"
                like "$(cat repaired)" 'mended: layer sha256:'
                hod system check >/dev/null || fail "after $damage"
        done
        # Documents.
        config=$(hod image inspect -f '{{.Id}}' crashed)
        echo '{}' >"$HOD_ROOT/blobs/sha256/${config#sha256:}"
        run hod system check
        is "$status" 1
        hod system check --repair >/dev/null
        hod system check >/dev/null
        # A blob that changed on the disk.
        blob=$(find "$HOD_ROOT/blobs/sha256" -size +200k)
        printf x | dd of="$blob" bs=1 seek=200000 conv=notrunc status=none
        run hod system check -q
        is "$status" 0
        run hod system check
        is "$status" 1
        like "$output" "wrong: blob sha256:$(basename "$blob")"
        hod system check --repair >/dev/null
        [[ ! -e $blob ]] || fail "the damaged blob is still there"
        hod load -qi layout
        [[ -e $blob ]] || fail "loading did not bring the blob back"
        # Leftovers.
        mkdir "$HOD_ROOT/layers/$(printf '%064d' 7)"
        like "$(hod system check)" 'leftover: layer 0+7'
        hod system check --repair >/dev/null
        is "$(find "$HOD_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)" 3
}

@test "system check: a running container keeps the files that it stands on" {
        hod import "$(busybox_file)" bb >/dev/null
        id=$(hod run -d --network none --name user bb sleep 60)
        file=$(find "$HOD_ROOT/layers" -path "*/diff/*" -type f -print -quit)
        touch -d @1 "$file"
        run hod system check --repair
        is "$status" 1
        like "$output" "wrong: layer sha256:[0-9a-f]+: .*: its time; not mended, because container ${id:0:12} is running on it"
        hod exec user ls /bin >/dev/null
        hod rm -f user >/dev/null
        like "$(hod system check --repair)" 'its time; unpacked again from its files'
        is "$(hod system check | tail -n 1)" 'checked 1 images, 1 layers, 2 blobs, 0 containers: 0 wrong, 0 mended, 0 leftovers'
}

@test "system check: containers and volumes that have lost something" {
        hod load -qi layout
        id=$(hod create -v /data crashed true)
        hod system check >/dev/null
        mv "$HOD_ROOT/volumes" v
        run hod system check
        is "$status" 1
        like "$output" "wrong: container $id: its volume [0-9a-f]+ is missing"
        mv v "$HOD_ROOT/volumes"
        mv "$HOD_ROOT/containers/$id" away
        run hod system check --repair
        is "$status" 1
        like "$output" "wrong: container $id: its directory is missing"
        mv away "$HOD_ROOT/containers/$id"
        hod rm -v "$id" >/dev/null
}

@test "prune: docker's words, what is used and what is pinned stays" {
        hod load -qi layout
        hod tag crashed keep:1
        id=$(hod create --name used --label a=b crashed true)
        is "$(hod image prune <<<n)" $'WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] '
        is "$(hod image prune -f)" 'Total reclaimed space: 0B'
        is "$(hod image prune -af)" 'Total reclaimed space: 0B'
        is "$(hod container prune -f --filter label=x)" 'Total reclaimed space: 0B'
        is "$(hod container prune -f --filter label!=a)" 'Total reclaimed space: 0B'
        is "$(hod container prune -f --filter until=1h)" 'Total reclaimed space: 0B'
        like "$(hod container prune <<<y)" "^WARNING! This will remove all stopped containers.
Are you sure you want to continue\? \[y/N\] Deleted Containers:
$id

Total reclaimed space: 0B$"
        hod image pin keep:1 >/dev/null
        is "$(hod image prune -af)" 'Total reclaimed space: 0B'
        refused 1 'image is pinned' hod rmi "$(hod images -q | head -n 1)"
        hod image unpin keep:1 >/dev/null
        is "$(hod image prune -af --filter label=x)" 'Total reclaimed space: 0B'
        is "$(hod image prune -af --filter until=2000-01-01)" 'Total reclaimed space: 0B'
        like "$(hod image prune -af)" '^Deleted Images:
untagged: crashed:latest
untagged: keep:1
deleted: sha256:[0-9a-f]+
deleted: sha256:.*

Total reclaimed space: [0-9.]+[kM]B$'
        refused 1 "invalid filter 'bogus'" hod image prune -f --filter bogus=1
        refused 1 'failed to parse value as time or duration: "bogus"' hod image prune -f --filter until=bogus
        refused 1 "invalid filter 'until'" hod volume prune -f --filter until=1h
        refused 1 'The "until" filter is not supported with "--volumes"' hod system prune -f --volumes --filter until=1h
}

@test "volume prune and system prune" {
        hod volume create --label k=v named >/dev/null
        anonymous=$(hod volume create)
        hod load -qi layout
        hod create --name stopped crashed true >/dev/null
        hod create --name holds -v held:/v crashed true >/dev/null
        hod tag crashed other:1
        is "$(hod volume prune -f)" "Deleted Volumes:
$anonymous

Total reclaimed space: 0B"
        is "$(hod volume prune -af --filter label=x)" 'Total reclaimed space: 0B'
        is "$(hod volume prune -af --filter label=k=v)" 'Deleted Volumes:
named

Total reclaimed space: 0B'
        is "$(hod system prune <<<n)" 'WARNING! This will remove:
  - all stopped containers
  - all networks not used by at least one container
  - all dangling images
  - unused build cache

Are you sure you want to continue? [y/N] '
        hod volume create >/dev/null
        out=$(hod system prune -af --volumes)
        like "$out" '^Deleted Containers:
[0-9a-f]{64}
[0-9a-f]{64}

Deleted Volumes:
[0-9a-f]{64}

Deleted Images:
untagged: crashed:latest
untagged: other:1
deleted: sha256:'
        is "$(hod volume ls -q)" held
        hod volume rm held >/dev/null
}

@test "system df: what is there, what is used, what can be had back" {
        hod load -qi layout
        hod tag crashed again:2
        hod create --name used crashed true >/dev/null
        hod volume create vol >/dev/null
        like "$(hod system df)" '^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE
Images +1 +1 +305kB +0B \(0%\)
Containers +1 +0 +0B +0B
Local Volumes +1 +0 +0B +0B
Build Cache +0 +0 +0B +0B
Blobs +5 +0 +30[0-9.]+kB +30[0-9.]+kB \(99%\)$'
        is "$(hod system df --format '{{.Type}} {{.TotalCount}}' | head -n 2)" $'Images 1\nContainers 1'
        like "$(hod system df -v)" 'again +2 +[0-9a-f]{12} .* 305kB +0B +305kB +1'
        is "$(hod system df -v --format '{{len .Images}} {{len .Containers}} {{len .Volumes}}')" '1 1 1'
        hod rm used >/dev/null
        like "$(hod system df)" 'Images +1 +0 +305kB +305kB \(100%\)'
        hod volume rm vol >/dev/null
}

@test "blobs dropped: the image is the same when it is saved again" {
        hod load -qi layout
        id=$(hod image inspect -f '{{.Id}} {{.RootFS.Layers}}' crashed)
        hod image prune --blobs -f | grep -c '^sha256:' | grep -qx 3
        is "$(find "$HOD_ROOT/blobs/sha256" -type f | wc -l)" 2
        hod system check >/dev/null
        hod save -o saved.tar crashed
        hod rmi crashed >/dev/null
        hod load -qi saved.tar
        is "$(hod image inspect -f '{{.Id}} {{.RootFS.Layers}}' crashed)" "$id"
        rm saved.tar
}

# saved_is NAME FILE: the layer of image NAME, saved, has the bytes of the tar FILE.
saved_is() {
        local layer
        rm -rf out && mkdir out
        hod save "$1" | tar -xC out
        layer=$(jq -r '.[0].Layers[-1]' out/manifest.json)
        cmp "out/$layer" "$2" || fail "the archive of $1 is another one"
        is "$(sha256sum <"out/$layer" | cut -d' ' -f1)" "$(hod image inspect -f '{{index .RootFS.Layers 0}}' "$1" | cut -d: -f2)"
        rm -rf out
}

@test "a plain archive is kept without its files' content, and comes back byte for byte" {
        mkdir -p tree/d/e && head -c 300000 /dev/urandom >tree/d/big && truncate -s 5000000 tree/hole && ln tree/d/big tree/link
        touch tree/empty && chmod 4711 tree/empty && ln -s d/big tree/sym && setfattr -n user.x -v 1 tree/d && chown 7:8 tree/d/e
        tar -C tree --xattrs -cf plain.tar . && head -c 12345 /dev/zero >>plain.tar # something behind its end, too
        for way in file pipe; do
                case $way in
                file) hod import plain.tar plain ;;
                pipe) tee /dev/null <plain.tar | hod import - plain ;;
                esac >/dev/null
                is "$(find "$HOD_ROOT/blobs/sha256" -type f -size +8k)" '' "$way"
                saved_is plain plain.tar
                hod system check >/dev/null
                hod rmi plain >/dev/null
        done
        # Sparse as GNU tar writes it; an entry that comes twice, which only the archive itself tells.
        tar -C tree --sparse -cf sparse.tar .
        hod import sparse.tar sparse >/dev/null
        saved_is sparse sparse.tar
        cp plain.tar twice.tar
        archive twice.tar 'add("d/big", b"first"); add("d/big", b"second")'
        hod import twice.tar twice >/dev/null
        saved_is twice twice.tar
        tee /dev/null <twice.tar | hod import - twice >/dev/null
        saved_is twice twice.tar
        hod system check >/dev/null
        # A file that lost content is found, one that lost its owner mended.
        hod rmi twice >/dev/null
        file=$(find "$HOD_ROOT/layers" -name big -size +200k | head -n 1)
        chown 9 "$file"
        like "$(hod system check --repair)" 'mended: layer .*unpacked again from its files'
        hod system check >/dev/null
        file=$(find "$HOD_ROOT/layers" -name big -size +200k | head -n 1)
        printf xxxxxxxx | dd of="$file" bs=1 seek=1000 conv=notrunc status=none
        run hod system check --repair
        is "$status" 1
        like "$output" 'wrong: layer sha256:.*; remove image sha256:[0-9a-f]+, and make or load it again'
        rm -rf tree ./*.tar
}

@test "a skeleton that somebody has changed: save ends with the archive's size, whatever it promises" {
        hod import "$(busybox_file)" bb >/dev/null
        skeleton=$(find "$HOD_ROOT/layers" -name skeleton)
        cp "$skeleton" good
        # 8 GB of zeros; a file as often as one likes; records that make nothing, and no end.
        for what in 'I(1 << 20, 0, 0) + bytes(1 << 20)' 'I(0, 11, size) + b"bin/busybox"' 'I(0, 0, 0) * 65536'; do
                python3 - "$skeleton" "$what" "$(stat -c %s "$(find "$HOD_ROOT/layers" -path '*/bin/busybox')")" <<-'END'
		import gzip, struct, sys
		I = lambda *a: struct.pack("<IIQ", *a)
		size = int(sys.argv[3])
		record = gzip.compress(eval(sys.argv[2]), 1)
		with open(sys.argv[1], "wb") as f:
		    for n in range(8192): f.write(record)
		END
                refused 1 "(gives more than its [0-9]+ bytes|skeleton is damaged)" timeout 60 "$HOD_BIN/hod" save -o big.tar bb
                [[ ! -e big.tar ]] || (($(stat -c %s big.tar) < 20000000)) || fail "$what: $(stat -c %s big.tar)"
        done
        mv good "$skeleton"
        hod save -o big.tar bb
        rm big.tar
}

@test "system check beside loads and rmi: what goes meanwhile is nothing wrong" {
        for _ in {1..8}; do
                hod load -qi layout && hod rmi crashed
        done >/dev/null &
        loader=$!
        while alive "$loader"; do
                hod system check >check.out 2>&1 || fail "$(cat check.out)"
                hod system check --repair >check.out 2>&1 || fail "$(cat check.out)"
                ! grep -q 'layer.*unpacked again' check.out || fail "$(cat check.out)"
        done
        wait "$loader"
}

@test "image prune: what images have in common goes once, with the last of them" {
        hod load -qi layout
        for n in 1 2 3; do
                hod create --name "c$n" crashed true >/dev/null
                hod commit -m "$n" "c$n" "common:$n" >/dev/null
                hod rm "c$n" >/dev/null
        done
        layers=$(find "$HOD_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
        hod image prune -af >pruned
        is "$(grep -c '^untagged: ' pruned)" 4
        is "$(grep '^deleted: ' pruned | sort | uniq -d)" ''
        is "$(grep -c '^deleted: ' pruned)" "$((layers + 4))"
        is "$(find "$HOD_ROOT/layers" "$HOD_ROOT/blobs/sha256" -mindepth 1 -maxdepth 1)" ''
}

@test "a committed layer is kept without its files' content, and is pushed as what its diff id says" {
        hod import "$(busybox_file)" bb >/dev/null
        hod run --network none --name c bb sh -c 'mkdir /n /n/m; head -c 400000 /dev/urandom >/n/f; ln /n/f /n/g; rm /bin/ls; touch -d @1234567890 /n' >/dev/null
        hod commit c committed >/dev/null
        hod rm c >/dev/null
        is "$(find "$HOD_ROOT/blobs/sha256" -type f -size +8k)" ''
        hod save -o done.tar committed
        mkdir out && tar -xC out -f done.tar
        for n in 0 1; do
                is "$(sha256sum <"out/$(jq -r ".[0].Layers[$n]" out/manifest.json)" | cut -d' ' -f1)" \
                        "$(hod image inspect -f "{{index .RootFS.Layers $n}}" committed | cut -d: -f2)"
        done
        id=$(hod image inspect -f '{{.Id}}' committed)
        hod rmi -f committed bb >/dev/null
        hod load -qi done.tar >/dev/null
        is "$(hod image inspect -f '{{.Id}}' committed)" "$id"
        hod run --rm --network none committed sh -c 'cmp /n/f /n/g && test ! -e /bin/ls && test "$(stat -c %h /n/f)" = 2'
        rm -rf out done.tar
}

@test "a record that cannot be read: the others go on, nothing is removed, a repair writes it again" {
        hod load -qi layout
        hod import "$(busybox_file)" other >/dev/null
        id=$(hod image inspect -f '{{.Id}}' crashed)
        damage() { python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(sys.argv[2]); d.commit()' "$HOD_ROOT/state.db" "$1"; }
        damage "update images set layers = 'x' || layers where id = '$id'"
        is "$(hod images --format '{{.Repository}}' 2>warning)" other
        like "$(cat warning)" "\"hod system check --repair\" may help: layers of image $id"
        hod rmi other >/dev/null 2>&1
        hod image prune -af >/dev/null 2>&1
        is "$(find "$HOD_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)" 4
        run hod system check
        is "$status" 1
        like "$output" "wrong: image $id: its record is damaged"
        hod system check --repair | grep "^mended: image $id: its record is damaged; written again"
        hod system check | tail -n 1 | grep ': 0 wrong, 0 mended, 0 leftovers'
        is "$(hod image inspect -f '{{.Id}}' crashed)" "$id"
        # Without documents nothing can be written again; nor is it removed while a container lives from its layers.
        hod create --name needs crashed true >/dev/null
        damage "update images set config = '{' where id = '$id'"
        rm "$HOD_ROOT/blobs/sha256/${id#sha256:}"
        run hod system check --repair
        is "$status" 1
        like "$output" "wrong: image $id: .*not removed, because container [0-9a-f]{12} uses it"
        hod rm needs >/dev/null 2>&1
        hod system check --repair | grep 'its record and its documents are damaged; removed'
        is "$(hod images -q)" ''
        # A container's.
        hod load -qi layout
        c=$(hod create --name odd crashed true)
        damage "update containers set json = 'x' || json where id = '$c'"
        is "$(hod ps -aq --no-trunc 2>/dev/null)" "$c"
        run ! hod rmi crashed
        hod rm odd 2>/dev/null
        hod rmi crashed >/dev/null
}
