# hodrun.bash - bundles for the tests of the OCI runtime. A file starts with:
#
#   load lib
#   load hodrun
#   setup_file() { hodrun_setup_file; }
#   teardown_file() { e2e_teardown; }
#   setup() { hodrun_setup; }
#   teardown() { hodrun_teardown; }
#
# Each test begins in a fresh bundle ($T/b with rootfs/ and `hodrun spec`'s config.json: no terminal, a writable root).
# $T/canary is a piece of the host that nothing may touch: `untouched` says whether anybody has.
# shellcheck shell=bash disable=SC2016  # jq's

hodrun_setup_file() {
        e2e_setup none
        mkdir -p "$T/b" "$T/canary/dir" "$T/canary/empty"
        echo precious >"$T/canary/file"
        echo precious >"$T/canary/dir/file"
        echo precious >"$T/canary/null"
        echo precious >"$T/canary/ptmx"
        mkfifo "$T/canary/fifo"
        install -m 4755 /bin/true "$T/canary/setuid"
        canary >"$T/canary.was"
}

# Of this file, and of nobody else.
CG=/hod/$(basename "${BATS_TEST_FILENAME-x}" .bats)-$PPID

hodrun_setup() {
        cd "$T/b" || return 1
        rm -rf rootfs config.json
        mkdir -p "$T/run"
        mkdir rootfs && tar -C rootfs -xf "$(busybox_file)"
        "$HOD_BIN/hodrun" spec
        edit '.process.terminal = false | .root.readonly = false | .linux.cgroupsPath = $cg' --arg cg "$CG-c"
}

hodrun_teardown() {
        local id
        for id in $(hodrun list -q); do hodrun delete -f "$id" >/dev/null 2>&1 || true; done
        unmount_below "$T"
        cd /
}

hodrun() { "$HOD_BIN/hodrun" --root "$T/run" "$@"; }
# The container c, in the foreground.
go() { hodrun run c; }
edit() {
        local program=$1
        shift
        jq "$program" config.json "$@" >config.new && mv config.new config.json
}
add() { edit '.mounts += [$m]' --argjson m "$1"; }
args() { edit '.process.args = ["sh", "-c", $a]' --arg a "$1"; }
run_args() { edit '.process.args = $ARGS.positional' --args -- "$@"; }
# Without this mount of `hodrun spec`'s.
drop() { edit '.mounts |= map(select(.destination != $d))' --arg d "$1"; }
only_proc() { edit '.mounts |= map(select(.destination == "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'; }
userns() {
        edit '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
                | .linux.gidMappings = .linux.uidMappings'
        chown -R 100000:100000 rootfs
}
contains() { [[ $1 == *"$2"* ]] || fail "expected «$2» in" "«$1»"; }
contains_not() { [[ $1 != *"$2"* ]] || fail "expected no «$2» in" "«$1»"; }
# The container c in the background, once it runs.
background() {
        args 'while :; do sleep 1000; done'
        hodrun run -d c </dev/null >"$T/background" 2>&1 || fail "$(cat "$T/background")"
}

# Everything about the canary but access times; and what is mounted where.
canary() {
        find "$T/canary" -printf '%P %y %i %m %U:%G %n %s %T@ %C@ %l\n' | sort
        find "$T/canary" -type f -exec sha256sum {} + | sort
        canary_mounts
}
# Without those of whoever else works on this machine: temporary directories, network namespaces.
canary_mounts() {
        awk -v t="$T/" '$5 ~ "^/(var/)?tmp/|^/run/" && index($5, t) != 1 {next} {$1 = $2 = ""; print}' /proc/self/mountinfo | sort
}
untouched() {
        canary >"$T/canary.is"
        diff "$T/canary.was" "$T/canary.is" >&2 || fail "the canary has changed"
}

# A static program from tests/e2e/$1.c as $T/$1.
helper() {
        need_packages gcc libc6-dev
        [[ -x $T/$1 ]] || gcc -O2 -static -o "$T/$1" "$BATS_TEST_DIRNAME/$1.c"
}
