#!/usr/bin/env bats
# What a process in a container may get hold of, and who it is: rows 17 to 23, 34 to 37, 146 and 155 of
# docs/security.md. Each attack has its control beside it.

load lib
load hodrun
setup_file() {
        hodrun_setup_file
        helper peek
        helper sys
        install -m 600 /dev/null "$T/host-secret"
}
teardown_file() { e2e_teardown; }
setup() { hodrun_setup; }
teardown() { hodrun_teardown; }

probe() { add "{\"source\": \"$T/$1\", \"destination\": \"/x-$1\", \"options\": [\"bind\", \"ro\"]}"; }
caps() { edit '.process.capabilities |= map_values(. + $ARGS.positional)' --args -- "$@"; }

@test "row 17 CVE-2016-9962, CVE-2016-8659, CVE-2026-41163: exec into a container that may trace shows nothing of the host" {
        probe peek
        caps CAP_SYS_PTRACE CAP_DAC_READ_SEARCH
        args "/x-peek $T/host-secret 3 >/seen; while :; do sleep 1000; done"
        hodrun run -d c </dev/null >/dev/null 2>&1
        local i
        for ((i = 0; i < 60; i++)); do hodrun exec c true; done
        eventually 10 test -s rootfs/seen
        is "$(cat rootfs/seen)" 0
        # The order: not dumpable before any namespace is entered, descriptors gone before the PID namespace is.
        strace -f -e trace=prctl,setns,close_range,clone3 -o "$T/strace" "$HOD_BIN/hodrun" --root "$T/run" exec c true
        local sealed entered
        sealed=$(grep -n 'PR_SET_DUMPABLE, SUID_DUMP_DISABLE\|PR_SET_DUMPABLE, 0' "$T/strace" | head -n 1 | cut -d: -f1)
        entered=$(grep -n 'setns(' "$T/strace" | head -n 1 | cut -d: -f1)
        ((sealed > 0 && sealed < entered)) || fail "sealed at $sealed, entered at $entered"
        # Control: the probe sees what is to be seen.
        hodrun delete -f c
        edit '.linux.namespaces |= map(select(.type != "pid"))'
        args "/x-peek $T/host-secret 2"
        (($(go) > 0)) || fail "the probe saw nothing"
}

@test "row 18 CVE-2019-5736, row 19 CVE-2020-14298, CVE-2020-14300: the program of the runtime is not to be had" {
        # A copy on a writable place: what is packaged, byte for byte.
        mkdir -p "$T/bin"
        cp "$HOD_BIN/hodrun" "$T/bin/hodrun"
        local was
        was=$(sha256sum <"$T/bin/hodrun")
        hodrun() { "$T/bin/hodrun" --root "$T/run" "$@"; }
        run_args /proc/self/exe --version
        refused 1 'permission denied' hodrun run c
        printf '#!/proc/self/exe\n' >rootfs/script
        chmod 755 rootfs/script
        run_args /script
        run hodrun run c
        [[ $status != 0 ]]
        # What is executing is seen read-only, if at all: by an exec that waits for a FIFO inside.
        caps CAP_SYS_PTRACE
        background
        run hodrun exec c /proc/self/exe --version
        [[ $status != 0 ]]
        run hodrun exec c /script
        [[ $status != 0 ]]
        (for _ in {1..30}; do hodrun exec c true; done) &
        local runner=$!
        hodrun exec c sh -c 'for i in $(seq 300); do for p in /proc/[0-9]*; do ( : >>$p/exe ) 2>/dev/null && [ $p != /proc/1 ] && readlink $p/exe; done; done | grep -v busybox; true' >"$T/written"
        wait $runner
        is "$(grep -c hodrun "$T/written" || true)" 0
        is "$(sha256sum <"$T/bin/hodrun")" "$was"
        # Control: a program of the image is executed by that name.
        is "$(hodrun exec c sh -c 'exec /bin/busybox echo works')" works
}

@test "row 20 CVE-2024-21626: a working directory through a descriptor that was leaked" {
        local n where
        exec 7</ 8<"$T/canary" # without O_CLOEXEC
        cp config.json plain.json
        for where in /proc/self/fd /proc/thread-self/fd /dev/fd; do
                for n in {0..12} 255; do
                        edit '.process.cwd = $c' --arg c "$where/$n"
                        run_args pwd
                        run hodrun run c
                        [[ $status != 0 || $output == /* ]] && contains_not "$output" unreachable
                        [[ $status != 0 ]] || fail "$where/$n was taken: $output"
                done
        done
        ln -s /proc/self/fd/8 rootfs/l
        edit '.process.cwd = "/l"'
        run hodrun run c
        [[ $status != 0 ]]
        cp plain.json config.json
        background
        for n in {3..12}; do
                run hodrun exec --cwd "/proc/self/fd/$n" c pwd
                [[ $status != 0 ]] || fail "fd/$n: $output"
        done
        run hodrun exec --cwd /l c pwd
        [[ $status != 0 ]]
        is "$(hodrun exec --cwd /tmp c pwd)" /tmp
        exec 7<&- 8<&-
        untouched
}

@test "row 21 CVE-2016-8649: nothing but 0, 1, 2 and what is handed through is open" {
        local n
        cat >"$T/many" <<'END'
import os, sys
os.dup2(os.open("/", os.O_RDONLY), 3)
for i in range(200):
    os.set_inheritable(os.open("/", os.O_RDONLY), True)
os.set_inheritable(3, True)
os.execv(sys.argv[1], sys.argv[1:])
END
        args 'exec ls /proc/self/fd'
        is "$(python3 "$T/many" "$HOD_BIN/hodrun" --root "$T/run" run c | tr '\n' ' ')" '0 1 2 3 '  # ls's own directory
        is "$(python3 "$T/many" "$HOD_BIN/hodrun" --root "$T/run" run --preserve-fds 2 c | tr '\n' ' ')" '0 1 2 3 4 5 '
        background
        is "$(python3 "$T/many" "$HOD_BIN/hodrun" --root "$T/run" exec c ls /proc/self/fd | tr '\n' ' ')" '0 1 2 3 '
        is "$(python3 "$T/many" "$HOD_BIN/hodrun" --root "$T/run" exec --preserve-fds 1 c ls /proc/self/fd | tr '\n' ' ')" '0 1 2 3 4 '
        hodrun delete -f c
        args 'true'
        edit '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "ls /proc/self/fd >$PWD/fds"]}],
                startContainer: [{path: "/bin/sh", args: ["sh", "-c", "ls /proc/self/fd >/fds"]}]}'
        python3 "$T/many" "$HOD_BIN/hodrun" --root "$T/run" run c >/dev/null
        is "$(tr '\n' ' ' <rootfs/fds)" '0 1 2 3 '
        is "$(tr '\n' ' ' <fds)" '0 1 2 3 '
}

@test "row 22 CVE-2020-5291: a copy that is setuid serves nobody" {
        install -m 4755 "$HOD_BIN/hodrun" "$T/setuid"
        chmod 755 "$T"
        refused 1 'must not be setuid' setpriv --reuid 1000 --regid 1000 --clear-groups "$T/setuid" --root /tmp list
        chmod 6755 "$T/setuid"
        refused 1 'must not be setuid' setpriv --reuid 1000 --regid 1000 --clear-groups "$T/setuid" --root /tmp run c
        chmod 755 "$T/setuid"
        setpriv --reuid 1000 --regid 1000 --clear-groups "$T/setuid" --version | grep -q '^hodrun version'
}

@test "row 23 CVE-2016-10124, CVE-2017-5226: the caller's terminal takes no input from a container" {
        probe sys
        background
        # TIOCSTI is 0x5412; the byte is 'x'.
        printf '%s\n' 'for fd in 0 1 2; do /x-sys 16 $fd 0x5412 @0x78; done' '( : </dev/tty ) 2>&1' >rootfs/push
        run pty -- bash -c "$HOD_BIN/hodrun --root $T/run exec c sh /push; echo next; timeout 1 head -c 1 | od -c"
        contains_not "$output" $'ok'
        contains "$output" next
        contains_not "$output" '0000000   x'
        # With a terminal it is its own, in its own session.
        local outside
        outside=$(pty -- tty | tr -d '\r')
        run pty -- "$HOD_BIN/hodrun" --root "$T/run" exec -t c sh -c 'tty; cat /proc/self/stat | cut -d" " -f6 | grep -c "^[1-9]"'
        like "$output" '^/dev/pts/[0-9]+'
        is "$(stat -c %d "/proc/$(hodrun state c | jq .pid)/root/dev/pts")" "$(hodrun exec c stat -c %d /dev/pts)"
        [[ -n $outside ]]
}

@test "row 34 CVE-2018-10856, CVE-2016-8867: a user that is not root has no capabilities" {
        edit '.process.user = {uid: 1000, gid: 1000}'
        args 'grep Cap /proc/self/status'
        out=$(go)
        like "$out" $'CapInh:\t0+\nCapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t0000000020000420\nCapAmb:\t0+'
        # Controls: root has them, and ambient ones are for whom they are given to.
        edit '.process.user = {uid: 0, gid: 0}'
        like "$(go)" $'CapEff:\t0000000020000420'
        edit '.process.user = {uid: 1000, gid: 1000} | .process.capabilities.inheritable = ["CAP_KILL"] | .process.capabilities.ambient = ["CAP_KILL"]'
        like "$(go)" $'CapEff:\t0000000000000020\n.*\nCapAmb:\t0000000000000020'
}

@test "row 35 CVE-2022-24769, CVE-2022-27649 to 27652, CVE-2022-29162: nothing is inheritable" {
        need_packages libcap2-bin
        mkdir rootfs/raised
        cp rootfs/bin/busybox rootfs/raised/grep
        setcap cap_net_bind_service+ei rootfs/raised/grep
        args 'grep CapInh /proc/self/status; exec /raised/grep CapEff /proc/self/status'
        edit '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = false'
        is "$(go)" $'CapInh:\t0000000000000000\nCapEff:\t0000000000000000'
        background
        is "$(hodrun exec c sh -c 'grep CapInh /proc/self/status; exec /raised/grep CapEff /proc/self/status')" $'CapInh:\t0000000000000000\nCapEff:\t0000000000000000'
        is "$(hodrun exec --cap CAP_NET_BIND_SERVICE c grep CapInh /proc/self/status)" $'CapInh:\t0000000000000000'
        # Control: the file's capability counts where it is permitted.
        setcap cap_net_bind_service+ep rootfs/raised/grep
        is "$(hodrun exec c /raised/grep CapEff /proc/self/status)" $'CapEff:\t0000000000000400'
}

@test "row 36 CVE-2019-10144, CVE-2019-10145, CVE-2019-10147: an exec session is confined as init is" {
        edit '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chroot"], action: "SCMP_ACT_ERRNO"}]}
                | .linux.resources.pids = {limit: 50} | .process.rlimits = [{type: "RLIMIT_NOFILE", hard: 512, soft: 500}]'
        local show='grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)" /proc/self/status; cat /proc/self/uid_map /proc/self/cgroup /proc/self/limits; for n in /proc/self/ns/*; do readlink $n; done; umask; ulimit -n; pwd'
        args "{ $show; } >/first; while :; do sleep 1000; done"
        local user
        for user in no yes; do
                [[ $user == no ]] || userns
                hodrun run -d c </dev/null >/dev/null 2>&1
                eventually 5 grep -q '^/$' rootfs/first
                hodrun exec c sh -c "{ $show; } >/second"
                diff rootfs/first rootfs/second
                like "$(cat rootfs/second)" $'Seccomp:\t2'
                hodrun delete -f c
                rm rootfs/first rootfs/second
        done
}

@test "row 37 CVE-2022-36109, CVE-2022-2989, CVE-2022-2990, CVE-2022-2995, CVE-2023-25173: groups are those that were named" {
        echo forbidden >rootfs/file
        chown 0:1000 rootfs/file
        chmod 0707 rootfs/file
        edit '.process.user = {uid: 1000, gid: 1000}'
        args 'id -G; cat /file'
        run go
        like "$output" $'^1000\n.*Permission denied'
        edit '.process.user = {uid: 1000, gid: 5, additionalGids: [1000]}'
        run go
        like "$output" $'^5 1000\n.*Permission denied'
        background
        is "$(hodrun exec -u 1000:5 -g 7 -g 9 c id -G)" '5 7 9 1000'
        edit '.process.user = {uid: 1000, gid: 5}'
        hodrun delete -f c
        # Control; and the caller's groups are not the container's.
        args 'id -G; cat /file'
        is "$(setpriv --groups 1000,2000 "$HOD_BIN/hodrun" --root "$T/run" run c)" $'5\nforbidden'
}

@test "row 146 CVE-2021-21284, CVE-2021-20188: an exec session as somebody reads no more than he may" {
        install -m 600 /dev/null rootfs/root-only
        echo secret >rootfs/root-only
        mkdir -m 700 rootfs/root-dir
        background
        run hodrun exec -u 1000 c cat /root-only
        like "$output" 'Permission denied'
        run hodrun exec -u 1000 c ls /root-dir
        like "$output" 'Permission denied'
        is "$(hodrun exec c cat /root-only)" secret
        hodrun delete -f c
        # A mapped root is nobody to the host's files.
        userns
        chown 0:0 rootfs/root-only
        args 'cat /root-only; echo x >/created'
        run go
        like "$output" 'Permission denied'
        is "$(stat -c %u rootfs/created)" 100000
}

@test "row 155 CVE-2019-14891: the end of memory is the container's, not the runtime's" {
        edit '.linux.resources.memory = {limit: 20971520, swap: 20971520}'
        args 'dd if=/dev/zero of=/dev/null bs=200M count=1'
        run go
        is "$status" 137
        args 'dd if=/dev/zero of=/dev/null bs=1M count=1 2>/dev/null && echo fits'
        is "$(go)" fits
        # The runtime is not in the container's cgroup while it waits.
        args 'sleep 1000'
        hodrun run c </dev/null >/dev/null 2>&1 &
        local runner=$!
        eventually 5 eval 'hodrun state c >/dev/null 2>&1 && [[ $(hodrun state c | jq -r .status) == running ]]'
        unlike "$(cat "/proc/$runner/cgroup")" "$CG-c"
        grep -q "$CG-c" "/proc/$(hodrun state c | jq .pid)/cgroup"
        hodrun kill c KILL
        wait $runner || is "$?" 137
}
