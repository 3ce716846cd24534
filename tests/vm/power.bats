#!/usr/bin/env bats
# The power goes while images are pulled, committed and removed: what was complete is there, what was not is not.
# bats file_tags=vm

load vm
load ../e2e/registry.bash

setup_file() {
        export HOD_BIN=${HOD_BIN:-/hod/build/bin} BATS_TEST_DIRNAME=/hod/tests/e2e
        export T HOD_ROOT HOD_STATE HOME
        T=$(mktemp -d /tmp/hod-power.XXXXXX)
        mkdir "$T/place" "$T/work"
        mount -t tmpfs -o size=1g tmpfs "$T/work"
        HOD_ROOT=$T/place/root HOD_STATE=$T/state HOME=$T
        truncate -s 64M "$T/work/disk"
        truncate -s 400M "$T/work/log"
        losetup -f --show "$T/work/disk" >"$T/disk"
        losetup -f --show "$T/work/log" >"$T/log"
        modprobe dm-log-writes
        dmsetup create hod-power --table "0 131072 log-writes $(cat "$T/disk") $(cat "$T/log")"
        mkfs.ext4 -q -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/hod-power
        mount /dev/mapper/hod-power "$T/place"
        hostile_start
}
teardown_file() {
        hostile_stop
        umount "$T/place" 2>/dev/null || true
        dmsetup remove hod-power 2>/dev/null || true
        cut -d' ' -f1 "$T/disk" "$T/log" | xargs -n 1 losetup -d
        umount "$T/work"
        rm -rf "$T"
}

hod() { "$HOD_BIN/hod" "$@"; }
mark() {
        local IFS='='
        dmsetup message hod-power 0 mark "$*"
}
# making NAME COMMAND...: the image is there when the command has ended.
making() {
        mark maybe "$1"
        "${@:2}" >/dev/null
        mark have "$1"
}

@test "the power goes at any moment of import, pull, commit, rmi and prune" {
        busybox=$T/busybox
        mkdir -p "$busybox/bin"
        cp /bin/busybox "$busybox/bin/"
        ln -s busybox "$busybox/bin/sh"
        ln -s busybox "$busybox/bin/echo"
        registry=$(at open)/good/x
        mark begin
        # shellcheck disable=SC2016  # eval's
        making busybox:latest eval 'tar -C "$busybox" -c . | hod import - busybox'
        making "$registry:1" hod pull -q "$registry:1"
        hod run --name c --network none busybox sh -c 'echo new >/new'
        making made:1 hod commit c made:1
        mark maybe "$registry:1"
        hod rmi "$registry:1" >/dev/null
        mark gone "$registry:1"
        making "$registry:2" hod pull -q "$registry:2"
        hod image prune -f --blobs >/dev/null
        mark maybe "$registry:2"
        mark maybe made:1
        hod image prune -af >/dev/null
        mark gone made:1
        mark gone "$registry:2"
        umount "$T/place"
        dmsetup remove hod-power
        HOD=$HOD_BIN/hod run python3 /hod/tests/vm/power.py "$(cat "$T/log")" "$T/work" 10
        echo "$output"
        [[ $status == 0 ]]
}
