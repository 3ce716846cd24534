#!/usr/bin/env bats
# Images of many layers, and all forms of AUFS' marks for what a layer takes away; limits by project quota.

load lib
# In the virtual machine each layer costs a fifth of a second: as many as no page of mount options holds by name.
many=300
[[ -z ${HOD_VM-} ]] || many=60
setup_file() {
        e2e_setup
        for n in 4 $many; do
                python3 "$BATS_TEST_DIRNAME/layers.py" "$(busybox_file)" "$n" "$T/$n.tar" "layers:$n"
                hod load -q -i "$T/$n.tar" >/dev/null
        done
}
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

# What layers.py says must be there.
# shellcheck disable=SC2016
look='cd /; for f in d o p q r was-dir was-file twice l1 l2 top n; do [ -e $f ] && find $f -type f | sort | while read -r g; do echo "$g=$(cat $g)"; done; done; ls -a / | grep wh'
want='d/a=3
d/b=1
o/newer=3
p/new=2
q/f/g=2
r/z=3
was-dir=2
was-file/f=2
twice=2
l2=linked'

# bats test_tags=vm
@test "marks of AUFS: files, directories, opaque ones in any order, kinds that change, with every driver" {
        for d in overlay fuse-overlayfs vfs; do
                [[ $d != fuse-overlayfs || -x /usr/bin/fuse-overlayfs ]] || continue
                is "$(hod --storage-driver $d run --rm layers:4 sh -c "$look")" "$want" "$d"
        done
}

# bats test_tags=vm
@test "hundreds of layers: run, change, commit, diff, export, mount, with every driver" {
        local mid=$((many / 2))
        for d in overlay fuse-overlayfs vfs; do
                [[ $d == overlay || -z ${HOD_VM-} ]] || continue
                hod --storage-driver $d run --name many layers:$many sh -c "rm /n/7; echo x >>/n/$mid; ls /n | wc -l; cat /top; echo" >"$T/out"
                is "$(cat "$T/out")" "$((many - 5))"$'\n'"$((many - 1))" "$d"
                is "$(hod diff many | sort -k2)" $'C /n\nC /n/'"$mid"$'\nD /n/7' "$d"
                is "$(hod export many | tar -xO n/$mid)" "${mid}x" "$d"
                hod commit many many2 >/dev/null
                is "$(hod --storage-driver $d run --rm many2 sh -c "cat /n/$mid; ls /n/7 /n/8 2>/dev/null")" "${mid}x"$'\n/n/8' "$d"
                path=$(hod --storage-driver $d image mount many2)
                is "$(cat "$path/n/$mid" "$path/n/$((many - 1))")" "${mid}x"$'\n'"$((many - 1))" "$d"
                hod image unmount many2 >/dev/null
                hod rm many >/dev/null
                hod rmi many2 >/dev/null
        done
}

# bats test_tags=vm
@test "--storage-opt size=: a project quota of ext4, which df shows inside" {
        mkdir "$T/quota"
        truncate -s 100M "$T/quota.img"
        mke2fs -q -t ext4 -O project,quota -E quotatype=prjquota "$T/quota.img"
        modprobe -q loop 2>/dev/null || true
        if ! mount -o loop,prjquota "$T/quota.img" "$T/quota" 2>/dev/null; then
                # This kernel has no project quotas.
                refused 125 '--storage-opt is supported only for overlay over xfs' hod run --rm --storage-opt size=10m layers:4 true
                return 0
        fi
        q() { HOD_ROOT=$T/quota/root HOD_STATE=$T/quota.state hod "$@"; }
        q import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
        q run --name lim --storage-opt size=4m busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=8 2>&1; df -k / | tail -n 1' >"$T/out" || true
        like "$(cat "$T/out")" '(No space left|Disk quota exceeded)'
        like "$(cat "$T/out")" 'overlay +4096 '
        like "$(q ps -as --format '{{.Size}}')" '^[34]\.[0-9]*MB'
        is "$(q start -a lim 2>&1 | grep -cE 'No space left|quota exceeded')" 1
        # Others have room, and so has the next one.
        q run --rm busybox dd if=/dev/zero of=/f bs=1M count=8 2>/dev/null
        q rm lim >/dev/null
        q run --rm --storage-opt size=20m busybox dd if=/dev/zero of=/f bs=1M count=8 2>/dev/null
        q network prune -f >/dev/null
        q rmi busybox >/dev/null
        eventually 5 umount "$T/quota" # a monitor may just be ending
}
