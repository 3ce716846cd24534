#!/usr/bin/env bats
# The OCI runtime for who is not root: with his own id alone, with the ids of /etc/subuid, without and with a cgroup that
# was handed to him; and for root of a user namespace.

load lib
load hodrun
USER_ID=4711

setup_file() {
        need_packages uidmap
        hodrun_setup_file
        chmod 755 "$T" "$T/b"
        # Where the tests' user may read the program, and write his state.
        install -m 755 "$HOD_BIN/hodrun" "$T/hodrun"
        install -d -o $USER_ID -g $USER_ID -m 700 "$T/runtime" "$T/home"
        # He exists in a mount namespace of the tests only.
        { cat /etc/passwd && echo "hodtest:x:$USER_ID:$USER_ID::/:/bin/sh"; } >"$T/passwd"
        { cat /etc/group && echo "hodtest:x:$USER_ID:"; } >"$T/group"
        echo "hodtest:200000:65536" >"$T/subid"
        touch /etc/subuid /etc/subgid
}
teardown_file() {
        find /sys/fs/cgroup -depth -type d -path "*$CG*" -exec rmdir {} + 2>/dev/null || true
        e2e_teardown
}
setup() {
        hodrun_setup
        chown -R $USER_ID:$USER_ID "$T/b"
        rm -f config.json
        user spec --rootless
        edit '.process.terminal = false | .root.readonly = false'
}
teardown() {
        local id
        for id in $(user list -q); do user delete -f "$id" >/dev/null 2>&1 || true; done
        find /sys/fs/cgroup -depth -type d -path "*$CG*" -exec rmdir {} + 2>/dev/null || true
        hodrun_teardown
}

# as_user COMMAND...: the tests' user, whom /etc/passwd and /etc/subuid know, with nothing of root's.
as_user() {
        unshare -m --propagation private bash -c 'cd "$1" && mount --bind "$2/passwd" /etc/passwd && mount --bind "$2/group" /etc/group &&
                mount --bind "$2/subid" /etc/subuid && mount --bind "$2/subid" /etc/subgid && shift 2 &&
                exec setpriv --reuid '$USER_ID' --regid '$USER_ID' --clear-groups --inh-caps=-all "$@"' \
                bash "$PWD" "$T" env HOME="$T/home" USER=hodtest XDG_RUNTIME_DIR="$T/runtime" "$@"
}
user() { as_user "$T/hodrun" "$@"; }
maps() {
        edit '.linux.uidMappings = [{containerID: 0, hostID: $u, size: 1}, {containerID: 1, hostID: 200000, size: 65536}]
                | .linux.gidMappings = .linux.uidMappings' --argjson u $USER_ID
}
wait_user() {
        args 'while :; do sleep 1000; done'
        user run -d c </dev/null >"$T/background" 2>&1 || fail "$(cat "$T/background")"
}
# A directory in each hierarchy that belongs to the user: $CG.
delegate() {
        local h
        for h in /sys/fs/cgroup/*/; do
                [[ -e $h/cgroup.procs && ! -e $h/cgroup.controllers ]] || continue
                mkdir -p "$h$CG"
                if [[ -e $h/cpuset.cpus ]]; then
                        for f in cpuset.cpus cpuset.mems; do
                                cat "$h/$f" >"$h/hod/$f"
                                cat "$h/$f" >"$h$CG/$f"
                        done
                fi
                chown $USER_ID:$USER_ID "$h$CG" "$h$CG/cgroup.procs" "$h$CG/tasks"
        done
}
v1_only() { ! cgroup_v2 || skip "pure cgroup v2"; }

@test "a container with one id: root inside, the user outside; setgroups is denied; /dev is the host's" {
        args 'id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; echo x >/dev/null; head -c 4 /dev/zero | wc -c; touch /made; hostname; ls /proc | grep -c "^[0-9]"'
        out=$(user run c)
        like "$out" $'^0\n +0 +4711 +1\n +0 +4711 +1\ndeny\n4\nrunc\n'
        is "$(stat -c %u:%g rootfs/made)" $USER_ID:$USER_ID
        is "$(user list -q)" ''
        # Only what is one's own is given away, and nothing more than that can be had.
        edit '.linux.uidMappings[0].hostID = 0'
        refused 1 'newuidmap failed' user run c
        edit '.linux.uidMappings[0].hostID = $u' --argjson u $USER_ID
        edit '.process.user.additionalGids = [5]'
        refused 1 'cannot set additional gid 5: unmapped' user run c
        edit '.process.user.additionalGids = [0]'
        refused 1 'cannot set any additional groups in a rootless container' user run c
        edit '.process.user = {uid: 3, gid: 0}'
        refused 1 'setuid|unmapped|not mapped' user run c
}

@test "its whole life: create, start, state, list, ps, exec, kill, delete; the state is in XDG_RUNTIME_DIR" {
        args 'trap "echo got; exit 5" TERM; while :; do sleep 0.1; done'
        user create c </dev/null >"$T/out" 2>&1
        is "$(user state c | jq -r .status)" created
        [[ -d $T/runtime/hodrun/c ]]
        is "$(stat -c %a "$T/runtime/hodrun")" 1700
        user start c
        is "$(user state c | jq -r .status)" running
        like "$(user list)" "^ID.*
c +[0-9]+ +running +$T/b .*hodtest"
        is "$(user ps c | tail -n +2 | awk '{print $1}' | sort -u)" hodtest
        local pid
        pid=$(user state c | jq .pid)
        contains "$(user ps -f json c)" "$pid"
        is "$(user exec c sh -c 'id -u; cat /proc/self/uid_map; readlink /proc/self/ns/pid')" "0
         0       4711          1
$(readlink "/proc/$pid/ns/pid")"
        is "$(user exec c cat /proc/1/comm)" sh
        run user exec c sh -c 'exit 7'
        is "$status" 7
        like "$(pty -- unshare -m true >/dev/null; user exec -t c tty </dev/null)" '^/dev/pts/0'
        refused 1 'cannot pause the container: it has no cgroup' user pause c
        user kill c TERM
        eventually 5 eval '[[ $(user state c | jq -r .status) == stopped ]]'
        is "$(cat "$T/out")" got
        user delete c
        refused 1 'does not exist' user state c
}

@test "kill --all reaches every process without a cgroup" {
        args '(trap "echo a >/a; exit" USR1; echo >/ready; while :; do sleep 0.1; done) & trap "" USR1; wait; while :; do sleep 0.1; done'
        user run -d c </dev/null >"$T/out" 2>&1
        eventually 5 test -s rootfs/ready
        user kill -a c USR1
        eventually 5 test -s rootfs/a
        user kill c KILL
        eventually 5 eval '[[ $(user state c | jq -r .status) == stopped ]]'
        user delete c
}

@test "many ids, mapped by newuidmap and newgidmap; users and groups of them" {
        maps
        edit '.process.capabilities |= map_values(. + ["CAP_CHOWN"])'
        args 'cat /proc/self/uid_map; cat /proc/self/setgroups; touch /r; chown 100:200 /r; stat -c %u:%g /r'
        out=$(user run c)
        like "$out" $'^ +0 +4711 +1\n +1 +200000 +65536\nallow\n100:200$'
        is "$(stat -c %u:%g rootfs/r)" 200099:200199
        edit '.process.user = {uid: 33, gid: 34, additionalGids: [50, 60]}'
        args 'id -u; id -G; touch /tmp/x 2>/dev/null; grep CapEff /proc/self/status'
        like "$(user run c)" $'^33\n34 50 60\nCapEff:\t0000000000000000'
        wait_user
        is "$(user exec -u 5:6 c id -u)" 5
        is "$(user exec -u 0 c id -u)" 0
        user delete -f c
        # Devices with owners, a FIFO, hooks, a terminal.
        edit '.process.user = {uid: 0, gid: 0} | .linux.devices = [{path: "/run/p", type: "p", fileMode: 438}]'
        mkdir -p rootfs/run
        chown $USER_ID rootfs/run
        args 'stat -c %F /run/p'
        is "$(user run c)" fifo
        edit '.linux.uidMappings[1].hostID = 300000'
        refused 1 'newuidmap failed: .*not allowed' user run c
}

@test "without a user namespace, or without maps, it is refused" {
        edit '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings) | del(.linux.gidMappings)'
        refused 1 'rootless container requires user namespaces' user run c
        edit '.linux.namespaces += [{type: "user"}]'
        refused 1 'mappings found|at least one UID mapping' user run c
        is "$(user list -q)" ''
}

@test "--rootless: cgroups that may not be made are ignored, unless one is named or a limit is asked for" {
        args 'echo ran'
        is "$(user run c)" ran
        is "$(user --rootless auto run c)" ran
        is "$(user --rootless true run c)" ran
        refused 1 'permission denied' user --rootless false run c
        refused 1 'invalid value .*x.* for --rootless' user --rootless x run c
        edit '.linux.resources = {pids: {limit: 10}}'
        refused 1 'cannot set pids limit: container could not join or create cgroup' user run c
        edit '.linux.resources = {memory: {limit: 100000000}}'
        refused 1 'cannot set memory limit' user run c
        edit '.linux.resources = {devices: [{allow: false, access: "rwm"}]}'
        is "$(user run c)" ran
        edit '.linux.cgroupsPath = "/hod/not-mine"'
        refused 1 'unable to apply cgroup configuration.*permission denied' user run c
        is "$(user list -q)" ''
}

@test "with a cgroup that was handed to the user: limits, pause, ps, and it goes with the container" {
        v1_only
        delegate
        edit '.linux.cgroupsPath = $cg | .linux.resources = {memory: {limit: 50000000}, pids: {limit: 20}, devices: [{allow: false, access: "rwm"}]}' --arg cg "$CG/c"
        wait_user
        is "$(cat "/sys/fs/cgroup/memory$CG/c/memory.limit_in_bytes")" 49999872
        is "$(cat "/sys/fs/cgroup/pids$CG/c/pids.max")" 20
        is "$(head -n 1 "/sys/fs/cgroup/pids$CG/c/cgroup.procs")" "$(user state c | jq .pid)"
        user pause c
        is "$(user state c | jq -r .status)" paused
        user resume c
        is "$(user exec c sh -c 'grep -c :pids: /proc/self/cgroup')" 1
        like "$(user exec c cat /proc/self/cgroup)" "pids:$CG/c"
        user delete -f c
        is "$(find /sys/fs/cgroup -path "*$CG/c")" ''
        # Ids of which none is the user's: exec joins as who it was.
        maps
        wait_user
        is "$(user exec -u 7 c id -u)" 7
        user delete -f c
        # More than the kernel takes is still an error.
        edit '.linux.resources.cpu = {quota: 5, period: 100000}'
        refused 1 'cpu' user run c
        is "$(find /sys/fs/cgroup -path "*$CG/c")" ''
}

@test "row 38 CVE-2023-25809: the cgroups of the host cannot be written to, also those that are the user's" {
        v1_only
        delegate
        edit '.mounts |= map(select(.destination != "/sys/fs/cgroup"))'
        args 'mkdir /sys/fs/cgroup/pids'"$CG"'/escape; echo 1 >/sys/fs/cgroup/pids'"$CG"'/cgroup.procs; true'
        run user run c
        is "$(grep -c 'Read-only file system' <<<"$output")" 2
        user spec --rootless -b "$T/home"
        mv "$T/home/config.json" config.json
        edit '.process.terminal = false | .root.readonly = false | .process.capabilities.bounding += ["CAP_SYS_ADMIN"]
                | .process.capabilities.effective += ["CAP_SYS_ADMIN"] | .process.capabilities.permitted += ["CAP_SYS_ADMIN"]'
        args 'mkdir /sys/fs/cgroup/pids'"$CG"'/escape; umount /sys/fs/cgroup/pids; umount /sys/fs/cgroup; mkdir /sys/fs/cgroup/pids'"$CG"'/escape; mount -o remount,rw,bind /sys/fs/cgroup/pids; mkdir /sys/fs/cgroup/pids'"$CG"'/escape; true'
        run user run c
        [[ ! -e /sys/fs/cgroup/pids$CG/escape ]]
        contains "$output" 'Read-only file system'
        # Control: his own, where it was asked for with its own namespace.
        edit '.linux.cgroupsPath = $cg | .linux.namespaces += [{type: "cgroup"}]
                | .mounts |= map(if .type == "cgroup" then .options = ["nosuid"] else . end)' --arg cg "$CG/c"
        args 'mkdir /sys/fs/cgroup/pids/sub && echo made'
        is "$(user run c)" made
}

@test "row 49 CVE-2014-8989: setgroups is denied before the groups are mapped" {
        strace -f -e trace=openat,write -o "$T/strace" -u root true 2>/dev/null || true
        args 'cat /proc/self/setgroups'
        is "$(user run c)" deny
        as_user strace -f -e trace=openat -o "$T/home/strace" "$T/hodrun" run c
        grep -nE '"(setgroups|gid_map)"' "$T/home/strace" >"$T/order"
        like "$(head -n 1 "$T/order")" setgroups
        like "$(tail -n 1 "$T/order")" gid_map
        # Control: ids that an administrator has given may be used for groups.
        maps
        is "$(user run c)" allow
}

@test "root of a user namespace: with and without one more" {
        mkdir -p "$T/nested"
        chown $USER_ID "$T/nested"
        args 'id -u; grep -c . /proc/self/uid_map; echo x >/dev/null; ls /proc | grep -c "^[0-9]" | sed "s/[0-9]*/some/"'
        edit '.linux.uidMappings[0].hostID = 0 | .linux.gidMappings[0].hostID = 0'
        is "$(as_user unshare -Urm "$T/hodrun" --root "$T/nested" run c)" $'0\n1\nsome'
        is "$(as_user unshare -Ur "$T/hodrun" --root "$T/nested" run c)" $'0\n1\nsome'
        # The container in the namespace of its caller.
        edit '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings) | del(.linux.gidMappings)'
        is "$(as_user unshare -Urm "$T/hodrun" --root "$T/nested" run c)" $'0\n1\nsome'
        args 'exec sleep 1000'
        is "$(as_user unshare -Urm bash -c "$T/hodrun --root $T/nested run -d c </dev/null >/dev/null 2>&1; $T/hodrun --root $T/nested exec c id -u; $T/hodrun --root $T/nested delete -f c")" 0
}

@test "a network namespace that is not the container's: /sys is the host's, read-only" {
        edit '.mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]} else . end)
                | .mounts |= map(select(.destination != "/sys/fs/cgroup"))'
        args 'ls /sys/kernel | grep -cx mm; touch /sys/x 2>&1; grep " /sys sysfs" /proc/mounts'
        like "$(user run c)" $'^1\ntouch: /sys/x: Read-only file system\nsysfs /sys sysfs ro,'
        # With its own it gets its own.
        edit '.linux.namespaces += [{type: "network"}]'
        args 'ls /sys/class/net'
        is "$(user run c)" lo
        # Without a PID namespace of its own, /proc is the host's.
        edit '.linux.namespaces |= map(select(.type != "pid"))'
        args 'test -e /proc/'$$' && echo seen'
        is "$(user run c)" seen
}

@test "a time namespace with offsets" {
        edit '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 100000000, nanosecs: 0}, monotonic: {secs: 7, nanosecs: 5}}'
        args 'cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time'
        out=$(user run c)
        (($(head -n 1 <<<"$out") >= 100000000)) || fail "$out"
        [[ $(tail -n 1 <<<"$out") != "$(readlink /proc/self/ns/time)" ]]
        wait_user
        (($(user exec c cut -d. -f1 /proc/uptime) >= 100000000))
}

@test "rlimits, a score, hooks, a terminal, sysctls, as far as one may" {
        edit '.process.oomScoreAdj = 500 | .linux.namespaces += [{type: "network"}] | .linux.sysctl = {"net.ipv4.ip_forward": "1"}
                | .hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "id -u >hook-ran"]}], createContainer: [{path: "/bin/true"}], poststop: [{path: "/bin/true"}]}'
        args 'cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward; ulimit -n'
        is "$(user run c)" $'500\n1\n1024'
        is "$(cat hook-ran)" $USER_ID
        edit '.process.rlimits[0].hard = 100000000'
        refused 1 'setting rlimit' user run c
        edit '.process.rlimits = [] | .process.terminal = true'
        args 'tty; stat -c %u /dev/console'
        is "$(pty -- bash -c "$(declare -f as_user user); T=$T; USER_ID=$USER_ID; user run c" | tr -d '\r')" $'/dev/pts/0\n0'
}
