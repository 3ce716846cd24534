# vm.bash - what the files of this lane that run `hodrun` share. Forks are dear here: one container serves several
# questions. A file starts with:
#
#   load vm
#   setup_file() { vm_setup_file; }
#   teardown_file() { vm_teardown_file; }
#   setup() { vm_setup; }
#   teardown() { vm_teardown; }
# shellcheck shell=bash disable=SC2016,SC2154  # jq's; bats' own

bats_require_minimum_version 1.5.0

vm_setup_file() {
        HOD_BIN=${HOD_BIN:-/hod/build/bin}
        T=$(mktemp -d /tmp/hod-vm.XXXXXX)
        chmod 711 "$T"
        export T HOD_BIN
        mkdir -p "$T"/b/rootfs/{bin,dev,proc,sys,tmp}
        cp /bin/busybox "$T/b/rootfs/bin/"
        local applet
        for applet in sh cat echo sleep grep mkdir mknod mount dd id ls head kill mv; do
                ln -s busybox "$T/b/rootfs/bin/$applet"
        done
        (cd "$T/b" && "$HOD_BIN/hodrun" spec && mv config.json "$T/spec.json")
}
vm_teardown_file() {
        local bad=0
        cd /
        find /sys/fs/cgroup -depth -type d \( -name 'hodrun-*' -o -name 'hodvm*' \) -print | grep . >&2 && bad=1
        systemctl list-units --all --plain --no-legend 'hodrun-*' 'hodvm-*' | grep . >&2 && bad=1
        grep "$T" /proc/self/mountinfo >&2 && bad=1
        rm -rf "$T"
        return "$bad"
}
# spec FILTER [jq arguments]: a fresh config.json.
spec() {
        local program=$1
        shift
        jq "$@" ".process.terminal = false | $program" "$T/spec.json" >config.json
}
vm_setup() { cd "$T/b" || return 1; }
vm_teardown() {
        local id
        for id in $(hodrun list -q); do hodrun delete -f "$id" >/dev/null 2>&1 || true; done
}
hodrun() { "$HOD_BIN/hodrun" --root "$T/run" "$@"; }
sd() { hodrun --systemd-cgroup "$@"; }
fail() {
        printf '%s\n' "$@" >&2
        return 1
}
is() { [[ $1 == "$2" ]] || fail "got «$1»" "not «$2»"; }
contains() { [[ $1 == *"$2"* ]] || fail "expected «$2» in" "«$1»"; }
contains_not() { [[ $1 != *"$2"* ]] || fail "expected no «$2» in" "«$1»"; }
# The command fails with this text, and leaves no container behind.
refused() {
        local text=$1
        shift
        run "$@"
        ((status != 0)) || fail "«$*» works: $output"
        contains "$output" "$text"
        is "$(hodrun list -q)" ""
}
# Start container $1 in the background with the arguments that follow.
background() {
        "${@:2}" run -d "$1" </dev/null >"$T/out" 2>&1 || fail "$(cat "$T/out")"
}
# property UNIT NAME
property() { systemctl show -P "$2" "$1"; }
unit_is_gone() {
        run systemctl status "$1"
        [[ $status == 4 ]] || fail "unit $1: $output"
}
wait_until() {
        for _ in {1..500}; do
                if "$@"; then return 0; fi
                sleep 0.1
        done
        fail "never: $*"
}
