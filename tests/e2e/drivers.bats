#!/usr/bin/env bats
# Storage drivers: the same containers, diffs and images with each of them. HOD_ROOT lies on btrfs in a file, where all
# of them work.
# shellcheck disable=SC2086  # names of drivers are words

load lib
drivers=(overlay btrfs fuse-overlayfs vfs)

setup_file() {
        T=$(mktemp -d "${TMPDIR:-/tmp}/hod-e2e.XXXXXX")
        # (Beside $T: what is mounted below it is taken away after each test.)
        export T HOD_ROOT=$T.disk/root HOD_STATE=$T/state HOME=$T/work
        mkdir -p "$T/work" "$T.disk"
        leak_snapshot >"$T/before"
        truncate -s 512M "$T/disk"
        mkfs.btrfs -q -m single "$T/disk" >/dev/null 2>&1
        mount -o loop "$T/disk" "$T.disk"
        cd "$T/work" || return 1
        hod import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
}
# The file's own mount goes before the comparison with what was; what hod must have removed is looked at before it.
teardown_file() {
        local list bad=0
        cd /
        [[ -n ${T-} && -d $T ]] || return 1
        list=$(hod ps -aq)
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod rm -f $list >/dev/null || bad=1
        list=$(hod images -q | sort -u)
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod rmi -f $list >/dev/null || bad=1
        hod network prune -f >/dev/null || bad=1
        leak_files >"$T/left"
        btrfs subvolume list "$T.disk" >>"$T/left"
        ! [[ -s $T/left ]] || { echo "left:" && head "$T/left" && bad=1; } >&2
        eventually 5 no_programs || { echo "fuse-overlayfs is still there" >&2 && bad=1; }
        for _ in {1..50}; do
                ! umount "$T.disk" || break
                sleep 0.1
        done
        rmdir "$T.disk" || bad=1
        HOD_ROOT=$T/root
        e2e_teardown || bad=1
        return "$bad"
}
teardown() {
        e2e_clean
        list=$(hod images -q --filter label=of=test | sort -u)
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod rmi -f $list >/dev/null 2>&1 || true
}

with() { # DRIVER ARGUMENTS...
        local d=$1
        shift
        hod --storage-driver "$d" "$@"
}
# Is a program of ours there? (Its layers are.)
programs() {
        local p
        for p in /proc/[0-9]*; do
                [[ $(cat "$p/comm" 2>/dev/null) == fuse-overlayfs ]] || continue
                ! find "$p/fd" -lname "$T*" 2>/dev/null | grep -q . || return 0
        done
        return 1
}
no_programs() { ! programs; }
program() {
        local p
        for p in /proc/[0-9]*; do
                [[ $(cat "$p/comm" 2>/dev/null) == fuse-overlayfs ]] || continue
                ! find "$p/fd" -lname "$T*" 2>/dev/null | grep -q . || { basename "$p"; return 0; }
        done
        return 1
}
# What a tree looks like from inside: names, kinds, modes, owners, sizes, times, link counts.
# shellcheck disable=SC2016
look='cd /; find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./etc/resolv.conf -o -path ./etc/hosts \
        -o -path ./etc/hostname -o -path ./etc/mtab -o -path ./.dockerenv -o -name "nodir*" \) -prune -o -print | sort | while read -r f; do
        [ -d "$f" ] && s=- || s=$(stat -c "%s %Y %h" "$f"); stat -c "%n %f %u:%g %t,%T $s" "$f"; done'

# Everything that a container can do to files. Times are set, so that all runs give the same.
# shellcheck disable=SC2016
changes='set -e
        echo new >/new; echo "more:x:99:99::/:/bin/sh" >>/etc/passwd; rm /etc/group
        mv /bin/vi /bin/moved; mv /var /var2
        rm -r /home; mkdir /home; echo n >/home/n
        mkdir -p /a/b/c; echo deep >/a/b/c/f; rm -r /a/b/c; mkdir /a/b/c; echo again >/a/b/c/g
        rm /etc/shells; mkdir /etc/shells; echo dir >/etc/shells/now
        rm -r /tmp; echo file >/tmp
        ln /new /new2; ln /etc/passwd /passwd
        ln -s nowhere /sl; mkfifo /fifo; mknod /node c 1 3; mknod /blk b 7 0
        chmod 4711 /new; chown 12:34 /a; chmod 2750 /a
        for f in /new /etc/passwd /home/n /a/b/c/g /etc/shells/now /tmp; do touch -d "2001-02-03 04:05:06" $f; done
        touch -h -d "2002-02-03 04:05:06" /sl /fifo /node /blk'

@test "the same changes are the same to diff, commit, export and the next container, with every driver" {
        hod run --name base busybox sh -c 'echo /bin/sh >/etc/shells; mkdir -p /home/old/deep; echo o >/home/old/deep/f; mkdir -p /var/spool/q'
        hod commit -c 'LABEL of=test' base base >/dev/null
        for d in "${drivers[@]}"; do
                with $d run --name ch-$d base sh -c "$changes" || fail "$d"
                is "$(field ch-$d '{{.Driver}}')" "${d/%overlay/overlay2}"
                # A kernel's overlay copies one name of a linked file up, others another: "C /bin/..." is not compared.
                hod diff ch-$d | grep -v ' /bin' >"$T/diff-$d"
                hod commit -c 'LABEL of=test' ch-$d im-$d >/dev/null
                hod export ch-$d | tar -t | sort >"$T/export-$d"
                hod rm ch-$d >/dev/null
                with $d run --rm im-$d sh -c "$look" >"$T/look-$d"
                diff -u "$T/diff-overlay" "$T/diff-$d" || fail "diff with $d"
                diff -u "$T/export-overlay" "$T/export-$d" || fail "export with $d"
        done
        grep -qx 'D /etc/group' "$T/diff-overlay"
        grep -q '^./home/n ' "$T/look-overlay"
        unlike "$(cat "$T/look-overlay")" ' ?./home/old'
        # What one made, the others show; hard links of the image's own files apart.
        for d in "${drivers[@]}"; do
                with overlay run --rm im-$d sh -c "$look" >"$T/again"
                diff -u <(grep -v '^./bin\|^./passwd\|/etc/passwd' "$T/look-overlay") <(grep -v '^./bin\|^./passwd\|/etc/passwd' "$T/again") ||
                        fail "the image of $d"
                diff -u <(grep -v '^./bin' "$T/look-$d") <(grep -v '^./bin' "$T/again") || fail "$d shows its image otherwise"
        done
}

@test "attributes of files: seen from outside, kept by commit, by every driver" {
        for d in "${drivers[@]}"; do
                with $d run -d --name at busybox sleep 1000 >/dev/null
                root=/proc/$(init_pid at)/root
                setfattr -n user.k -v v "$root/etc/passwd"
                setfattr -n user.dir -v w "$root/etc"
                setfattr -n user.root -v r "$root/"
                setcap cap_net_raw+ep "$root/etc/shadow"
                is "$(hod diff at)" $'C /etc\nC /etc/passwd\nC /etc/shadow' "$d"
                hod commit -c 'LABEL of=test' at at1 >/dev/null
                hod rm -f at >/dev/null
                with $d run -d --name at at1 sleep 1000 >/dev/null
                root=/proc/$(init_pid at)/root
                is "$(getfattr --absolute-names --only-values -n user.k "$root/etc/passwd")$(getfattr --absolute-names --only-values -n user.dir "$root/etc")$(getfattr --absolute-names --only-values -n user.root "$root/")" vwr "$d"
                like "$(getcap "$root/etc/shadow")" 'cap_net_raw.?ep' "$d"
                is "$(hod diff at)" '' "$d"
                hod rm -f at >/dev/null
                hod rmi at1 >/dev/null
        done
}

@test "hard links: one made to a file of the image is one in the next image" {
        for d in btrfs vfs; do
                with $d run --name hl busybox sh -c 'ln /bin/busybox /linked; ln /etc/passwd /etc/passwd2'
                is "$(hod diff hl)" $'C /etc\nA /etc/passwd2\nA /linked' "$d"
                hod commit -c 'LABEL of=test' hl hl1 >/dev/null
                hod rm hl >/dev/null
                is "$(with overlay run --rm hl1 sh -c '[ /bin/busybox -ef /linked ] && [ /linked -ef /bin/sh ] && [ /etc/passwd -ef /etc/passwd2 ] && echo same')" same "$d"
                hod rmi hl1 >/dev/null
        done
}

@test "volumes are filled, --read-only, --tmpfs, cp-less export of a stopped one, start again, usage" {
        for d in "${drivers[@]}"; do
                with $d run --rm -v vol-$d:/etc busybox test -s /etc/passwd || fail "$d: the volume is empty"
                hod volume rm vol-$d >/dev/null
                is "$(with $d run --rm --read-only --tmpfs /t busybox sh -c 'touch /x 2>/dev/null || touch /t/x && ls /t')" x "$d"
                with $d run --name st busybox sh -c 'echo one >>/f; head -c 300000 /dev/zero >/big'
                hod start -a st
                is "$(hod export st | tar -xO f)" $'one\none' "$d"
                like "$(hod ps -as --format '{{.Size}}')" '^300kB \(virtual 2\.' "$d"
                hod rm st >/dev/null
        done
        eventually 5 no_programs
}

@test "the life of a container is the same with vfs and btrfs: create, start again, stop, restart, pause, kill, rm" {
        for d in vfs btrfs; do
                with $d create --network none --name l busybox sh -c 'echo run >>/runs; exit 3' >/dev/null
                state_is l created
                for _ in 1 2; do
                        hod start l >/dev/null
                        is "$(hod wait l)" 3
                done
                is "$(hod export l | tar -xO runs)" $'run\nrun' "$d"
                hod rename l l2
                is "$(hod rm l2)" l2
                status=0
                with $d run --rm --network none busybox sh -c 'exit 7' || status=$?
                is "$status" 7
                with $d run -d --network none --name s busybox sh -c 'trap "exit 5" TERM; touch /up; while :; do sleep 0.05; done' >/dev/null
                eventually 5 hod exec s test -e /up
                hod pause s >/dev/null
                state_is s paused
                hod unpause s >/dev/null
                hod stop s >/dev/null
                is "$(field s '{{.State.ExitCode}}')" 5
                hod restart -t 0 s >/dev/null
                is_running s
                hod exec s sh -c 'test -e /up && echo more >/more'
                hod kill s >/dev/null
                is "$(hod wait s)" 137
                hod start s >/dev/null
                is "$(hod exec s cat /more)" more
                hod rm -f s >/dev/null
                is "$(ls "$HOD_ROOT/containers")" '' "$d"
        done
}

@test "containers of different drivers live side by side, whatever the next command says" {
        for d in "${drivers[@]}"; do with $d create --name side-$d busybox sh -c 'echo x >>/x; sleep 1000' >/dev/null; done
        for d in "${drivers[@]}"; do
                with vfs start side-$d >/dev/null
                is "$(field side-$d '{{.Driver}}')" "${d/%overlay/overlay2}"
        done
        for d in "${drivers[@]}"; do
                eventually 5 eval "[[ \$(hod exec side-$d cat /x) == x ]]"
                is "$(with btrfs diff side-$d)" 'A /x'
        done
        is "$(hod ps -q | wc -l)" 4
}

@test "an image that is forced away: its containers keep their layers until they go" {
        for d in "${drivers[@]}"; do
                hod import -c 'CMD ["sh"]' -c 'LABEL of=test' -m "$d" "$(busybox_file)" forced-$d >/dev/null
                hod run --name mk forced-$d sh -c "echo $d >/made"
                hod commit mk forced2-$d >/dev/null
                hod rm mk >/dev/null
                with $d run --name keep-$d forced2-$d touch /own
                hod rmi -f forced2-$d forced-$d >/dev/null
                hod start -a keep-$d
                is "$(hod export keep-$d | tar -xO made)" "$d"
                hod rm keep-$d >/dev/null
                run grep -ls "^$d$" "$HOD_ROOT/layers"/*/diff/made
                is "$output" '' "layers of $d"
        done
}

@test "hod killed while it makes a container: the next command finds nothing half made" {
        for d in "${drivers[@]}"; do
                hod import -c 'CMD ["sh"]' -c 'LABEL of=test' -m "kill $d" "$(busybox_file)" ki >/dev/null
                for ms in 002 005 008 011 014 018 022 027 033 040; do
                        # Without --foreground timeout kills itself, too: hod would still be dying when we go on.
                        HOD_STORAGE_DRIVER=$d timeout --foreground -s KILL 0.$ms "$HOD_BIN/hod" create --name ki ki true >/dev/null 2>&1 || true
                        hod rm -f ki >/dev/null 2>&1 || true
                done
                is "$(with $d run --rm --name ki ki echo fine)" fine
                is "$(hod ps -aq)" ''
                is "$(ls "$HOD_ROOT/containers")" '' "$d"
                hod rmi ki >/dev/null
        done
}

@test "fuse-overlayfs: one program a container, which ends with it; the monitor killed; the program killed" {
        with fuse-overlayfs run -d --name fu busybox sleep 1000 >/dev/null
        pid=$(program)
        # Nothing of it is in the host's mount table, and it holds no descriptor of ours.
        unlike "$(cat /proc/self/mountinfo)" fuse-overlayfs
        is "$(find /proc/"$pid"/fd -lname 'socket:*' -o -lname '*.sock' -o -lname '*lock*' | wc -l)" 0
        is "$(tr '\0' '\n' <"/proc/$pid/environ" | grep -c HOD || true)" 0
        kill -9 "$(sed -n 's/^monitor_pid=//p' "$HOD_STATE/containers/$(field fu '{{.Id}}')/status")"
        is "$(hod exec fu cat /proc/mounts | grep -c '^fuse-overlayfs / fuse')" 1
        hod stop -t 0 fu >/dev/null
        eventually 5 no_programs
        hod start fu >/dev/null
        eventually 5 is_running fu
        pid=$(program)
        kill -9 "$pid"
        eventually 5 dead "$pid"
        ! hod exec fu cat /etc/passwd 2>/dev/null || fail "files without the program"
        hod restart -t 0 fu >/dev/null
        is "$(hod exec fu head -c4 /etc/passwd)" root
        hod rm -f fu >/dev/null
        eventually 5 no_programs
}

@test "btrfs: content is shared between layers and containers; subvolumes that a container makes go with it" {
        hod run --name share busybox sh -c 'head -c 20000000 /dev/urandom >/big'
        hod commit -c 'LABEL of=test' share share1 >/dev/null
        hod rm share >/dev/null
        sync -f "$HOD_ROOT"
        before=$(df --output=used "$HOD_ROOT" | tail -n 1)
        for i in 1 2 3; do with btrfs create --name share$i share1 true >/dev/null; done
        sync -f "$HOD_ROOT"
        after=$(df --output=used "$HOD_ROOT" | tail -n 1)
        ((after - before < 8000)) || fail "three containers took $((after - before)) kB"
        root=$HOD_ROOT/containers/$(field share1 '{{.Id}}')/btrfs
        btrfs -q subvolume create "$root/nodir" >/dev/null
        mkdir -p "$root/nodir/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t"
        btrfs -q subvolume create "$root/nodir/a/nodir2" >/dev/null
        touch "$root/nodir/a/nodir2/f"
        hod rm share1 share2 share3 >/dev/null
        is "$(btrfs subvolume list "$T.disk" | grep -c containers || true)" 0
}

@test "btrfs: what system check mends is mended in the trees that were made of it, and in those above" {
        hod run --name mk busybox sh -c 'echo upper >/upper'
        hod commit -c 'LABEL of=test' mk above >/dev/null
        hod rm mk >/dev/null
        with btrfs run --rm above cat /upper >/dev/null
        base=$(hod image inspect busybox -f '{{index .RootFS.Layers 0}}')
        base=$HOD_ROOT/layers/${base#sha256:}
        good=$(cat "$base/diff/etc/passwd")
        hod system check >/dev/null
        # The layer itself (its content nobody could mend: an image that was imported plain has no other copy).
        chown 9 "$base/diff/etc/passwd"
        rm -r "$HOD_ROOT"/layers/*/init
        for tree in "$HOD_ROOT"/layers/*/btrfs; do echo evil >"$tree/etc/passwd"; done
        hod system check --repair >"$T/out" || fail "$(cat "$T/out")"
        is "$(grep -c "^mended: layer sha256:.*the driver's tree, /etc/passwd: its size" "$T/out")" 2
        is "$(with btrfs run --rm above cat /etc/passwd /upper)" "$good"$'\n'upper
        # Only one of the trees, with the image mounted first.
        rm "$base/btrfs/etc/passwd"
        with btrfs image mount busybox >/dev/null
        run hod system check --repair
        is "$status" 1
        like "$output" "the driver's tree, .*; not mended, because image sha256:[0-9a-f]* is mounted"
        hod image unmount busybox >/dev/null
        hod system check --repair >/dev/null
        hod system check >/dev/null
        is "$(with btrfs run --rm busybox cat /etc/passwd)" "$good"
        # Without the layer below there is nothing to compare a tree with: the rest is looked at all the same.
        mv "$base/diff" "$base/away"
        run hod system check
        is "$status" 1
        like "$output" "^wrong: layer sha256:${base##*/}: its tree is missing, and its blob is not here; remove image sha256"
        like "${lines[-1]}" '^checked [0-9]+ images'
        mv "$base/away" "$base/diff"
        hod system check >/dev/null
        hod rmi above >/dev/null
}

@test "--storage-opt size=: kept on btrfs; elsewhere refused in docker's words" {
        with btrfs run --name sz --storage-opt size=5m busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=20 conv=fsync 2>&1' >"$T/out" && fail "no limit"
        grep -q 'Disk quota exceeded' "$T/out" || fail "$(cat "$T/out")"
        is "$(field sz '{{json .HostConfig.StorageOpt}}')" '{"size":"5m"}'
        refused 125 "^hod: --storage-opt is supported only for overlay over xfs with 'pquota' mount option" \
                with overlay run --rm --storage-opt size=5m busybox true
        refused 125 '^hod: --storage-opt is not supported for vfs' with vfs run --rm --storage-opt size=5m busybox true
        refused 125 '^hod: --storage-opt is not supported for fuse-overlayfs' with fuse-overlayfs run --rm --storage-opt size=5m busybox true
        refused 125 'unknown option x' with btrfs run --rm --storage-opt x=1 busybox true
        refused 125 "invalid size: 'big'" with btrfs run --rm --storage-opt size=big busybox true
        refused 125 'must be a positive number' with btrfs run --rm --storage-opt size=0 busybox true
        refused 125 'invalid storage option' with btrfs run --rm --storage-opt size busybox true
}

@test "info names the driver, what is below it and who chose it; other drivers are refused by name" {
        like "$(hod info)" $'\n Storage Driver: overlay2\n  Backing Filesystem: btrfs\n'
        like "$(hod info)" 'Chosen: the first that works here'
        is "$(with fuse-overlayfs info -f '{{.Driver}} {{(index (index .DriverStatus 0) 1)}}')" 'fuse-overlayfs btrfs'
        like "$(HOD_STORAGE_DRIVER=vfs hod info)" $' Storage Driver: vfs\n.*Chosen: asked for'
        is "$(hod info -f '{{.ContainersRunning}} {{.NCPU}} {{.OSType}} {{.DefaultRuntime}} {{.LoggingDriver}}')" "0 $(nproc) linux hod json-file"
        is "$(hod system info -f '{{json .RegistryConfig.InsecureRegistryCIDRs}}')" '["::1/128","127.0.0.0/8"]'
        refused 1 "^hod: template: :1:2: executing \"\" at <.Bogus>: can't evaluate field Bogus in type system.dockerInfo" \
                bash -c '"$HOD_BIN/hod" info -f "{{.Bogus}}" | grep .; exit "${PIPESTATUS[0]}"'
        for d in aufs devicemapper zfs; do refused 1 "storage driver $d is not supported: hod has overlay" hod --storage-driver $d images; done
        refused 1 "unknown storage driver 'floppy'" hod --storage-driver floppy images
        refused 1 'storage driver btrfs: btrfs: .* does not lie on a btrfs' \
                env HOD_ROOT="$T/work/r2" HOD_STATE="$T/work/s2" bash -c '"$HOD_BIN/hod" import "$0" busybox >/dev/null; exec "$HOD_BIN/hod" --storage-driver btrfs create busybox' "$(busybox_file)"
}

@test "image mount: read only, listed, counted, not removed silently; unmount, by force; with every driver" {
        hod import -c 'CMD ["sh"]' -c 'LABEL of=test' -m mnt "$(busybox_file)" mnt >/dev/null
        hod run --name mk mnt sh -c 'rm /etc/group; rm -r /home; echo new >/etc/new'
        hod commit -c 'LABEL of=test' mk mnt2 >/dev/null
        hod rm mk >/dev/null
        for d in "${drivers[@]}"; do
                for image in mnt mnt2; do
                        [[ $image == mnt2 || $d == overlay ]] || continue
                        path=$(with $d image mount $image)
                        like "$(head -n 1 "$path/etc/passwd")" ^root "$d"
                        run touch "$path/x"
                        like "$output" 'Read-only file system' "$d"
                        like "$(with $d image mount)" "docker.io/library/$image:latest +$path"
                        is "$(hod image mount --format json | jq -r '.[0].mountpoint')" "$path"
                        # Twice mounted is twice to be unmounted.
                        is "$(hod image mount $image)" "$path"
                        refused 1 'conflict: unable to delete .* \(must be forced\) - image is mounted' hod rmi $image
                        hod image unmount $image >/dev/null
                        is "$(ls "$path/bin/sh")" "$path/bin/sh" "$d"
                        if [[ $image == mnt2 ]]; then
                                [[ ! -e $path/etc/group && ! -e $path/home && -e $path/etc/new ]] || fail "$d: $(ls "$path/etc")"
                        fi
                        (cd "$path/bin" && refused 1 'is in use \(--force' hod image unmount $image)
                        is "$(hod image unmount $image)" "$(field $image '{{.Id}}' | cut -d: -f2)"
                        refused 1 "image docker.io/library/$image:latest is not mounted" hod image unmount $image
                        [[ ! -e $path ]] || fail "$d: the place is left"
                done
                eventually 5 no_programs
        done
        refused 1 'unknown --format argument' hod image mount --format x
        refused 1 'when using the --all switch' hod image mount -a mnt
        refused 1 'must be specified' hod image unmount
        hod image mount -a >/dev/null
        is "$(hod image prune -af)" 'Total reclaimed space: 0B'
        hod image mount mnt >/dev/null
        path=$(hod image mount mnt)
        (cd "$path" && hod image unmount -f mnt >/dev/null)
        hod rmi -f mnt2 >/dev/null
        is "$(hod image mount | wc -l)" 1
        hod image unmount -a >/dev/null
        unlike "$(cat /proc/self/mountinfo)" "$HOD_ROOT/mounts"
}
