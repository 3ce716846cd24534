#!/usr/bin/env bats
# What config.json says about the process, hooks, system calls and devices: in the container it is so, or the refusal is
# one clear line and nothing is left.

load lib
load hodrun

CG=/hod-test-spec-${T##*.} # of this run

setup_file() {
        e2e_setup none
        mkdir -p "$T/b"
        bundle
}
teardown_file() {
        CG=/hod-test-spec-${T##*.}
        find /sys/fs/cgroup -depth -type d -path "*$CG*" -exec rmdir {} + 2>/dev/null || true
        e2e_teardown
}
setup() {
        cd "$T/b" || return 1
        rm -f config.json
        "$HOD_BIN/hodrun" spec
        edit '.process.terminal = false | .root.readonly = false | .linux.cgroupsPath = $cg' --arg cg "$CG/c"
}
teardown() {
        hodrun delete -f c >/dev/null 2>&1 || true
        umount "$T/netns" 2>/dev/null || true
        [[ ! -s $T/agent.pid ]] || kill "$(<"$T/agent.pid")" 2>/dev/null || true
        rm -rf "$T/agent.pid" "$T/agent.sock" "$T/states"
}

bundle() { mkdir -p "$T/b/rootfs" && tar -C "$T/b/rootfs" -xf "$(busybox_file)"; }
# go: run it, with its words on standard output too.
go() { hodrun run c 2>&1; }
# wrong REGEX: refused with one line, and nothing is left.
wrong() {
        refused 1 "$1" hodrun run c
        nothing_left
}
nothing_left() {
        [[ ! -e $T/run/c ]] || fail "a state was left"
        [[ -z $(find /sys/fs/cgroup -type d -path "*$CG/c*") ]] || fail "a cgroup was left"
        [[ $(awk -v t="$T/" 'index($5, t) == 1' /proc/self/mountinfo) == "" ]] || fail "a mount was left"
}

# --- seccomp: a listener -----------------------------------------------------------------------------------------------

agent() {
        python3 "$top/tests/e2e/notify.py" "$T/agent.sock" "$T/states" 3>&- &
        echo $! >"$T/agent.pid"
        eventually 5 test -S "$T/agent.sock"
}
# notify CALLS NO-NEW-PRIVS
notify() {
        edit '.process.noNewPrivileges = $nnp | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: $path,
                listenerMetadata: "said so", architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
                syscalls: [{names: $calls, action: "SCMP_ACT_NOTIFY"}]}' \
                --arg path "$T/agent.sock" --argjson calls "$1" --argjson nnp "$2"
}

# bats test_tags=asan
@test "a listener decides about system calls, with and without no_new_privs, for run, create and exec" {
        local nnp
        agent
        for nnp in true false; do
                notify '["mkdir", "mkdirat"]' $nnp
                args 'mkdir /x'
                rm -f "$T/states"
                contains "$(go || true)" "No medium found"
                is "$(jq -r '.fds[0], .metadata, .state.id, .state.status, .state.bundle, (.pid == .state.pid)' "$T/states")" \
                        $'seccompFd\nsaid so\nc\ncreating\n'"$T/b"$'\ntrue'
                rm -f "$T/states"
                args 'sleep 100'
                hodrun create c
                # It is sent before `create` ends.
                eventually 5 test -s "$T/states"
                is "$(jq -r .pid "$T/states")" "$(hodrun state c | jq .pid)"
                hodrun start c
                contains "$(hodrun exec c mkdir /y 2>&1 || true)" "No medium found"
                is "$(tail -n 1 "$T/states" | jq -r '.state.status, (.pid != .state.pid), (.state.pid == ($p | tonumber))' \
                        --arg p "$(hodrun state c | jq .pid)")" $'running\ntrue\ntrue'
                hodrun delete -f c
        done
}

@test "a listener for the calls that set-up itself makes last" {
        local nnp
        agent
        for nnp in true false; do
                notify '["execve", "openat", "open", "read", "close", "fcntl", "sendmsg", "recvmsg", "openat2"]' $nnp
                args 'echo done'
                is "$(timeout 60 "$HOD_BIN/hodrun" --root "$T/run" run c)" "done"
                hodrun create c >"$T/out"
                hodrun start c
                eventually 5 grep -q "done" "$T/out"
                hodrun delete -f c
        done
}

@test "WAIT_KILLABLE_RECV and the flags of a filter" {
        agent
        notify '["mkdir", "mkdirat"]' true
        args 'mkdir /x'
        edit '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_TSYNC"]'
        contains "$(hodrun --debug run c 2>&1 || true)" '"seccomp filter flags: 40"'
}

@test "a hook of the container gets no listener, and is filtered too" {
        agent
        notify '["mkdir", "mkdirat"]' true
        args true
        edit '.hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "ls /proc/self/fd | wc -l; mkdir /h; exit 7"]}]'
        contains "$(go || true)" "error running startContainer hook #0: exit status 7, stdout: 4"
        contains "$(go || true)" "o medium found"
}

@test "who cannot be listened to: one clear line" {
        notify '["mkdir"]' true
        wrong 'failed to connect with seccomp agent specified in the seccomp profile: dial unix .*/agent.sock: connect: no such file'
        edit '.linux.seccomp.listenerPath = "@hod-nobody"'
        wrong 'dial unix @hod-nobody: connect: connection refused'
        edit 'del(.linux.seccomp.listenerPath)'
        wrong 'listenerPath'
        notify '["write"]' true
        wrong 'SCMP_ACT_NOTIFY cannot be used for the write syscall'
        notify '["mkdir"]' true
        edit '.linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY"'
        wrong 'SCMP_ACT_NOTIFY cannot be used as default action'
        # Nothing to listen to: the path is not looked at.
        edit '.linux.seccomp |= (.syscalls = [] | .defaultAction = "SCMP_ACT_ALLOW")'
        args 'echo fine'
        is "$(go)" fine
}

@test "the receiver may stand in an annotation" {
        agent
        notify '["mkdir", "mkdirat"]' true
        edit 'del(.linux.seccomp.listenerPath) | .annotations["run.oci.seccomp.receiver"] = $p' --arg p "$T/agent.sock"
        args 'mkdir /x'
        contains "$(go || true)" "No medium found"
}

@test "a listener of an ordinary user's container" {
        local user=65533 nnp
        agent
        chmod 755 "$T"
        chmod 777 "$T/agent.sock"
        mkdir -p "$T/rootless"
        cp "$HOD_BIN/hodrun" "$T/rootless/hodrun"
        cp -r rootfs "$T/rootless/rootfs"
        cd "$T/rootless" || return 1
        chown -R $user:$user .
        as() { setpriv --reuid $user --regid $user --clear-groups ./hodrun --root "$T/rootless/run" "$@"; }
        as spec --rootless
        edit '.process.terminal = false | .root.readonly = false | (.linux.uidMappings, .linux.gidMappings) |= [{containerID: 0, hostID: $u, size: 1}]' --argjson u $user
        for nnp in true false; do
                notify '["mkdir", "mkdirat"]' $nnp
                args 'mkdir /x'
                contains "$(as run c 2>&1 || true)" "No medium found"
                args 'sleep 100'
                as run -d c </dev/null >/dev/null 2>&1
                contains "$(as exec c mkdir /y 2>&1 || true)" "No medium found"
                as delete -f c
        done
        cd "$T/b" || return 1
        rm -rf "$T/rootless"
}

# --- network devices ---------------------------------------------------------------------------------------------------

# Everything in a network namespace of the test's own: `net COMMAND...` runs there.
net() { nsenter --net="$T/netns" "$@"; }
net_begin() {
        touch "$T/netns"
        unshare --net="$T/netns" true
        net ip link add hd0 type veth peer name hd1
        net ip link set hd0 mtu 1432 address 02:11:22:33:44:55
        net ip addr add 192.0.2.7/24 dev hd0
        net ip addr add 192.0.2.8/24 dev hd0 valid_lft 1000 preferred_lft 1000
        net ip addr add 169.254.9.9/16 scope link dev hd0
        net ip addr add 2001:db8::7/64 dev hd0 nodad
}
net_end() {
        umount "$T/netns"
        rm "$T/netns"
}

# bats test_tags=asan
@test "a network device of the host becomes the container's, with its attributes and permanent global addresses" {
        net_begin
        edit '.linux.netDevices = {"hd0": {}}'
        args 'ip -o link show hd0; ip -o addr show hd0'
        run net "$HOD_BIN/hodrun" --root "$T/run" run c
        like "$output" 'UP.* mtu 1432 .*02:11:22:33:44:55'
        contains "$output" "192.0.2.7/24"
        contains "$output" "2001:db8::7/64"
        unlike "$output" '192\.0\.2\.8|169\.254'
        is "$status" 0
        ! net ip link show hd0 2>/dev/null || fail "it is still there"
        net_end
}

@test "a network device is renamed on its way, by a pattern too; its parameters are there for sysctl" {
        net_begin
        edit '.linux.netDevices = {"hd0": {name: "eth0"}, "hd1": {name: "data%d"}}
                | .linux.sysctl = {"net.ipv4.conf.eth0.forwarding": "1"}'
        args 'ls /sys/class/net; cat /proc/sys/net/ipv4/conf/eth0/forwarding'
        is "$(net "$HOD_BIN/hodrun" --root "$T/run" run c)" $'data0\neth0\nlo\n1'
        net_end
}

@test "a network device that cannot be moved stays as it is" {
        net_begin
        net ip link set hd0 up
        net ip link set lo up
        edit '.linux.netDevices = {"hd0": {name: "lo"}}'
        run net "$HOD_BIN/hodrun" --root "$T/run" run c
        contains "$output" "moving network device hd0 into the container as lo: file exists"
        edit '.linux.netDevices = {"lo": {name: "lo1"}}' # the kernel moves no loopback device
        run net "$HOD_BIN/hodrun" --root "$T/run" run c
        contains "$output" "moving network device lo into the container as lo1"
        run net ip -o addr show up
        contains "$output" "192.0.2.7/24"
        contains "$output" "2001:db8::7/64"
        contains "$output" "127.0.0.1/8"
        net_end
}

@test "network devices that cannot be moved: one clear line" {
        edit '.linux.netDevices = {"hod-nosuch": {}}'
        wrong 'link not found for interface hod-nosuch'
        edit '.linux.netDevices = {"a/b": {}}'
        wrong 'invalid network device name .*a/b'
        edit '.linux.netDevices = {"lo": {name: "eth%s"}}'
        wrong 'invalid network device name .*eth%s'
        edit '.linux.netDevices = {"lo": {}} | del(.linux.namespaces[] | select(.type == "network"))'
        wrong 'unable to move network devices without a NET namespace'
}

# --- the process -------------------------------------------------------------------------------------------------------

# both SCRIPT: what it prints in `run`, and in `exec` beside a sleeping container; they have to agree.
both() {
        local first second
        args "$1"
        first=$(hodrun run c) || fail "run: $first"
        args 'sleep 100'
        hodrun run -d c >/dev/null </dev/null 2>&1
        second=$(hodrun exec c sh -c "$1") || fail "exec: $second"
        hodrun delete -f c
        is "$second" "$first" "exec is not as run"
        printf '%s' "$first"
}

# bats test_tags=asan
@test "limits, umask, groups, OOM score: in run and exec" {
        edit '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 77, hard: 88}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]
                | .process.user = {uid: 5, gid: 6, umask: 63, additionalGids: [10, 20]} | .process.oomScoreAdj = 321'
        is "$(both 'ulimit -n; ulimit -Hn; ulimit -c; umask; id -G; cat /proc/self/oom_score_adj')" \
                $'77\n88\n0\n0077\n6 10 20\n321'
}

@test "limits stand when a container is created, not only when it is started" {
        local pid
        edit '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_NPROC", soft: 50, hard: 60}]'
        args 'ulimit -n; ulimit -Hn'
        hodrun create c >"$T/out"
        pid=$(hodrun state c | jq .pid)
        like "$(grep '^Max open files' "/proc/$pid/limits")" ' 100 +200 '
        like "$(grep '^Max processes' "/proc/$pid/limits")" ' 50 +60 '
        hodrun start c
        eventually 5 test -s "$T/out"
        is "$(<"$T/out")" $'100\n200'
}

@test "limits so low that set-up itself could not live with them" {
        edit '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 3, hard: 3}, {type: "RLIMIT_FSIZE", soft: 0, hard: 0}]
                | .hooks.startContainer = [{path: "/bin/true"}]'
        args 'echo alive'
        is "$(go)" alive
        hodrun create c >"$T/out" 2>&1
        hodrun start c
        # Not even a byte of a file can be written.
        eventually 5 eval '[[ $(hodrun state c | jq -r .status) == stopped ]]'
}

@test "limits that cannot be: one clear line" {
        edit '.process.rlimits = [{type: "RLIMIT_CORE", soft: 0, hard: 0}, {type: "RLIMIT_CORE", soft: 0, hard: 1}]'
        wrong 'rlimits\[1\]: duplicated rlimit'
        edit '.process.rlimits = [{type: "RLIMIT_CORE", soft: 2, hard: 1}]'
        wrong 'soft limit is above the hard limit'
        edit '.process.rlimits = [{type: "RLIMIT_X", soft: 2, hard: 1}]'
        wrong 'wrong rlimit value: RLIMIT_X'
        [[ $(ulimit -Hn) != unlimited ]] || skip "no limit"
        if ! (ulimit -Hn $(($(ulimit -Hn) + 1))) 2>/dev/null; then
                edit '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 10, hard: ($n + 1)}]' --argjson n "$(ulimit -Hn)"
                wrong 'error setting rlimits for ready process: error setting rlimit type 7: operation not permitted'
        fi
}

@test "scheduler: every policy that can be had, in run, exec and exec --process" {
        command -v chrt >/dev/null || skip "no chrt"
        local policy want
        args 'sleep 100'
        while read -r policy want; do
                edit '.process.scheduler = ($p | fromjson)' --arg p "$policy"
                hodrun run -d c >/dev/null </dev/null 2>&1
                like "$(chrt -p "$(hodrun state c | jq .pid)" | tr '\n' ' ')" "$want" "$policy"
                hodrun exec -d --pid-file "$T/pid" c sleep 100
                like "$(chrt -p "$(<"$T/pid")" | tr '\n' ' ')" "$want" "exec $policy"
                # The container's, where the file says nothing.
                echo '{"args": ["/bin/sleep", "100"], "cwd": "/"}' >"$T/process.json"
                hodrun exec -d --pid-file "$T/pid" --process "$T/process.json" c
                like "$(chrt -p "$(<"$T/pid")" | tr '\n' ' ')" "$want" "exec --process $policy"
                hodrun delete -f c
        done <<'LIST'
{"policy":"SCHED_OTHER","nice":7} SCHED_OTHER.*priority:.0
{"policy":"SCHED_BATCH","nice":3} SCHED_BATCH.*priority:.0
{"policy":"SCHED_IDLE"} SCHED_IDLE
{"policy":"SCHED_BATCH","flags":["SCHED_FLAG_RESET_ON_FORK"]} SCHED_BATCH.SCHED_RESET_ON_FORK
LIST
        edit '.process.scheduler = {policy: "SCHED_OTHER", nice: 7}'
        is "$(both 'cut -d " " -f 19 /proc/self/stat')" 7
}

@test "scheduler: a policy of its own for one session" {
        args 'sleep 100'
        hodrun run -d c >/dev/null </dev/null 2>&1
        jq -n '{args: ["cut", "-d", " ", "-f", "19,41", "/proc/self/stat"], cwd: "/", env: ["PATH=/bin"],
                scheduler: {policy: "SCHED_BATCH", nice: 11}, ioPriority: {class: "IOPRIO_CLASS_IDLE"}}' >"$T/process.json"
        is "$(hodrun exec --process "$T/process.json" c)" "11 3"
}

@test "scheduler, I/O priority, memory policy, personality: what is wrong is told in one clear line" {
        local program message
        while IFS='~' read -r program message; do
                cp config.json good.json
                edit "$program"
                wrong "$message"
                mv good.json config.json
        done <<'LIST'
.process.scheduler = {}~policy is required
.process.scheduler = {policy: "SCHED_X"}~invalid scheduling policy .*SCHED_X
.process.scheduler = {policy: "SCHED_OTHER", nice: 20}~invalid scheduler.nice: 20
.process.scheduler = {policy: "SCHED_OTHER", priority: 1}~scheduler.priority can only be specified
.process.scheduler = {policy: "SCHED_FIFO", priority: 1, runtime: 1}~runtime/deadline/period can only
.process.scheduler = {policy: "SCHED_OTHER", flags: ["X"]}~invalid scheduling flag
.process.scheduler = {policy: "SCHED_FIFO", priority: 1000}~scheduler
.process.ioPriority = {class: "X"}~invalid I/O priority class .*X
.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}~priority must be between 0 and 7
.linux.memoryPolicy = {}~invalid memory policy mode
.linux.memoryPolicy = {mode: "MPOL_BIND"}~memory policy mode requires at least one node but got 0
.linux.memoryPolicy = {mode: "MPOL_DEFAULT", nodes: "0"}~memory policy mode requires 0 nodes but got 1
.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0-9876543210"}~invalid memory policy nodes
.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["X"]}~invalid memory policy flag
.linux.personality = {domain: "X"}~invalid personality domain X
.linux.timeOffsets = {monotonic: {secs: 1}}~time namespace isn't enabled
.linux.sysctl = {"kernel.hostname": "x"}~conflicts with the OCI .*hostname
.linux.sysctl = {"vm.swappiness": "1"}~not in a separate kernel namespace
.linux.sysctl = {"user.max_user_namespaces": "1"}~setting ucounts without a user namespace not allowed
.linux.sysctl = {"net.ipv4.ip_forward": "1"} | del(.linux.namespaces[] | select(.type == "network"))~not allowed in host network namespace
.linux.sysctl = {"kernel.shmmax": "1"} | del(.linux.namespaces[] | select(.type == "ipc"))~not allowed in the hosts ipc namespace
.linux.rootfsPropagation = "x"~rootfsPropagation=x is not supported
.linux.mountLabel = "system_u:object_r:x_t"~selinux is disabled
.process.selinuxLabel = "system_u:system_r:x_t"~selinux is disabled
.process.apparmorProfile = "hod-not-loaded"~AppArmor is not enabled|is the profile loaded
.process.oomScoreAdj = 1001~oomScoreAdj
.process.env = ["X"]~env
.process.user.uid = -1~uid
.domainname = "x" | del(.linux.namespaces[] | select(.type == "uts")) | del(.hostname)~unable to set domainname without a private UTS namespace
LIST
}

@test "I/O priority, memory policy, personality, domain name, time: in run and exec" {
        edit '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0"} | .linux.personality = {domain: "LINUX32"}
                | .domainname = "example.org"'
        is "$(both 'head -n 1 /proc/self/numa_maps | cut -d " " -f 2; uname -m; cat /proc/sys/kernel/domainname')" \
                $'interleave:0\ni686\nexample.org'
        edit 'del(.linux.memoryPolicy) | del(.linux.personality) | .linux.namespaces += [{type: "time"}]
                | .linux.timeOffsets = {boottime: {secs: 864000, nanosecs: 5}}'
        is "$(both 'awk "/boottime/ {print \$2, \$3}" /proc/self/timens_offsets; awk "{print (\$1 > 864000)}" /proc/uptime')" \
                $'864000 5\n1'
}

@test "capabilities: unknown ones and ambient ones that cannot be are warned of" {
        edit '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN", "CAP_HOD"], permitted: ["CAP_KILL", "CAP_CHOWN"],
                effective: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL", "CAP_CHOWN", "HOD_CAP"]}'
        args 'grep Cap /proc/self/status | tr -d "\t"'
        run go
        contains "$output" 'ignoring unknown or unavailable capabilities: [CAP_HOD HOD_CAP]'
        contains "$output" "can't raise ambient capability CAP_CHOWN: operation not permitted"
        contains "$output" "CapAmb:0000000000000020"
        is "$status" 0
}

@test "crun's annotations: groups that stay, a receiver of the process' descriptor, unknown calls refused" {
        args 'id -G'
        edit '.annotations["run.oci.keep_original_groups"] = "1"'
        is "$(setpriv --groups 1234 "$HOD_BIN/hodrun" --root "$T/run" run c)" "0 1234"
        edit 'del(.annotations)'
        is "$(setpriv --groups 1234 "$HOD_BIN/hodrun" --root "$T/run" run c)" "0"
        args 'sleep 5'
        edit '.annotations["run.oci.pidfd_receiver"] = "/nonexistent/socket"'
        wrong 'dial unix /nonexistent/socket: connect: no such file'
        edit '.annotations = {"run.oci.seccomp_fail_unknown_syscall": "1"} | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
                syscalls: [{names: ["hod_nosuch"], action: "SCMP_ACT_ERRNO"}]}'
        wrong 'unknown system call .*hod_nosuch'
        edit 'del(.linux.seccomp) | .annotations = {"run.oci.seccomp_bpf_data": "BgAAAAAA/38="}'
        wrong 'annotation run.oci.seccomp_bpf_data: a compiled filter is not taken'
        args 'echo fine'
        local name
        for name in handler timens_offset systemd.subgroup systemd.force_cgroup_v1 seccomp.plugins; do
                edit '.annotations = {("run.oci." + $n): "x"}' --arg n "$name"
                wrong "annotation run.oci.$name: "
                edit '.annotations = {("run.oci." + $n): ""}' --arg n "$name"
                is "$(go)" fine # asks for nothing
        done
        edit '.annotations = {"run.oci.mount_context_type": "roottext"}'
        wrong 'annotation run.oci.mount_context_type: roottext is none of context, fscontext, defcontext, rootcontext'
        edit '.annotations = {"run.oci.mount_context_type": "rootcontext"}' # of a label that there is not
        is "$(go)" fine
}

@test "seccomp: a profile that is known by its text does what it did, one that is nearly the same what it says" {
        args 'mkdir /dev/x 2>/dev/null && echo made || echo refused; ln -s x /dev/y 2>/dev/null && echo linked || echo refused'
        edit '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "hod_nosuch"], action: "SCMP_ACT_ERRNO"}]}'
        for _ in 1 2 3; do is "$(go)" $'refused\nlinked'; done
        compgen -G "$T/run/@seccomp/text-*" >/dev/null
        edit '.linux.seccomp.syscalls[0].names[0] = "symlink"'
        is "$(go)" $'made\nrefused'
        is "$(go)" $'made\nrefused'
        edit '.linux.seccomp.syscalls[0].names[0] = "mkdir"'
        is "$(go)" $'refused\nlinked'
        # Known or not: what else is said about it counts.
        edit '.annotations = {"run.oci.seccomp_fail_unknown_syscall": "1"}'
        wrong 'unknown system call .*hod_nosuch'
        edit 'del(.annotations)'
        is "$(go)" $'refused\nlinked'
        edit 'del(.linux.seccomp)'
        is "$(go)" $'made\nlinked'
        # Twice is once too often.
        sed -i 's/"linux": {/&"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}, "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},/' config.json
        wrong 'this key is there twice'
}

# --- hooks -------------------------------------------------------------------------------------------------------------

# hook KIND SCRIPT [more members as JSON]
hook() {
        local more=${3-}
        edit '.hooks[$k] += [{path: "/bin/sh", args: ["sh", "-c", $s]} + $m]' --arg k "$1" --arg s "$2" --argjson m "${more:-null}"
}

# bats test_tags=asan
@test "hooks: their order, namespaces, directories, states and environments" {
        local kind ns
        for kind in prestart createRuntime createContainer startContainer poststart poststop; do
                # (the host's programs until the root changes; cat and readlink of the container then)
                hook $kind "echo hook $kind \$(pwd) \$(readlink /proc/self/ns/mnt) X=\$X \$(cat) >>$T/log" '{"env": ["PATH=/usr/bin:/bin", "X=1"]}'
        done
        mkdir -p "rootfs$T"
        edit '.annotations = {"a.b": "c"}'
        args "echo program >>$T/log"
        ns=$(readlink /proc/self/ns/mnt | tr '[]' '..')
        hodrun run c
        # The inner ones write to the log of the container.
        is "$(cut -d ' ' -f 1,2 "$T/log" | tr '\n' ' ')" "hook prestart hook createRuntime hook createContainer hook poststart hook poststop "
        is "$(cut -d ' ' -f 1,2 "rootfs$T/log" | tr '\n' ' ')" "hook startContainer program "
        like "$(sed -n 1p "$T/log")" "^hook prestart $T/b $ns X=1 .*\"status\":\"creating\",\"pid\":[0-9]+,\"bundle\":\"$T/b\",\"annotations\":.\"a.b\":\"c\""
        like "$(sed -n 2p "$T/log")" "^hook createRuntime $T/b $ns X=1 .*\"status\":\"creating\""
        like "$(sed -n 3p "$T/log")" "^hook createContainer .*\"status\":\"creating\""
        unlike "$(sed -n 3p "$T/log")" "$ns"
        like "$(sed -n 1p "rootfs$T/log")" "^hook startContainer / .*\"id\":\"c\",\"status\":\"created\""
        like "$(sed -n 4p "$T/log")" "^hook poststart $T/b .*\"status\":\"running\""
        like "$(sed -n 5p "$T/log")" "^hook poststop $T/b .*\"status\":\"stopped\""
        rm -r "rootfs${T:?}" "$T/log"
}

@test "hooks: no environment but theirs; startContainer's is the process'" {
        hook createRuntime "env >$T/env"
        hook startContainer 'env >/env'
        edit '.process.env = ["ONE=two", "PATH=/bin"]'
        args true
        FOREIGN=1 hodrun run c
        unlike "$(<"$T/env")" 'FOREIGN|ONE'
        contains "$(<rootfs/env)" "ONE=two"
        unlike "$(<rootfs/env)" 'FOREIGN'
        rm -f rootfs/env
}

@test "hooks: the root file system is where the host has it, for those that work in its mount namespace" {
        echo real >"$T/thing"
        # shellcheck disable=SC2016
        hook createRuntime 'pid=$(jq .pid) && touch '"$T/b/rootfs/in"' && nsenter -m -t $pid mount --bind '"$T/thing $T/b/rootfs/in"
        hook createContainer "touch tmp/in && mount --bind $T/thing tmp/in"
        edit '.hooks[][] += {env: ["PATH=/usr/bin:/bin"]}'
        args 'cat /in /tmp/in'
        is "$(go)" $'real\nreal'
        rm -f rootfs/in rootfs/tmp/in
}

@test "hooks: a failing one of each kind" {
        local kind
        for kind in prestart createRuntime createContainer startContainer poststart; do
                edit 'del(.hooks)'
                hook $kind true
                hook $kind 'echo said; echo loud >&2; exit 3'
                args 'sleep 5'
                wrong "error running $kind hook #1: exit status 3, stdout: said, stderr: loud"
        done
        # create and start: the one that runs hooks fails.
        edit 'del(.hooks)'
        hook startContainer 'exit 4'
        hodrun create c >/dev/null 2>&1 </dev/null
        refused 1 'error running startContainer hook #0: exit status 4' hodrun start c
        is "$(hodrun state c | jq -r .status)" stopped
        hodrun delete c
        # poststop: told, and gone all the same.
        edit 'del(.hooks)'
        hook poststop 'exit 5'
        hook poststop "echo \$(pwd) >$T/last"
        args true
        run go
        contains "$output" "error running poststop hook #0: exit status 5"
        is "$status $(<"$T/last")" "0 $T/b"
        nothing_left
        hodrun create c >/dev/null 2>&1 </dev/null
        run hodrun delete c
        contains "$output" "level=warning"
        is "$status" 0
        nothing_left
        rm "$T/last"
}

@test "hooks: one that hangs is ended with all it started" {
        local kind
        for kind in createRuntime createContainer startContainer poststart; do
                edit 'del(.hooks)'
                hook $kind 'sleep 77.123; true' '{"timeout": 1}'
                args 'sleep 5'
                wrong "error running $kind hook #0: hook ran past specified timeout of 1.0s"
                eventually 5 eval '[[ -z $(pgrep -f "sleep 77[.]123") ]]'
        done
}

@test "hooks: what one leaves behind does not hold the runtime up" {
        hook createRuntime "sleep 77.321 & echo \$! >$T/left"
        args 'echo program'
        is "$(timeout 60 "$HOD_BIN/hodrun" --root "$T/run" run c)" program
        kill "$(<"$T/left")"
}

@test "hooks: what cannot be run" {
        edit '.hooks.createRuntime = [{path: "/nonexistent/hook"}]'
        wrong 'error running createRuntime hook #0: fork/exec /nonexistent/hook: no such file or directory'
        edit '.hooks = {startContainer: [{path: "/nonexistent/hook"}]}'
        wrong 'error running startContainer hook #0: fork/exec /nonexistent/hook: no such file or directory'
        edit '.hooks = {poststart: [{path: "hook"}]}'
        wrong 'hooks.poststart\[0\]: path must be absolute'
        edit '.hooks = {poststart: [{path: "/bin/true", timeout: 0}]}'
        wrong 'hooks.poststart\[0\]: timeout must be greater than zero'
}

@test "hooks: their words into files, for those who ask" {
        hook createRuntime 'echo one; echo bad >&2'
        hook createContainer 'echo two'
        hook startContainer 'echo three'
        edit '.annotations = {"run.oci.hooks.stdout": $o, "run.oci.hooks.stderr": $e}' --arg o "$T/hooks.out" --arg e "$T/hooks.err"
        args true
        hodrun run c
        is "$(<"$T/hooks.out")" $'one\ntwo\nthree'
        is "$(<"$T/hooks.err")" bad
        rm "$T/hooks.out" "$T/hooks.err"
}

# --- bad input ---------------------------------------------------------------------------------------------------------

@test "a config.json that is none: one clear line" {
        : >config.json
        wrong 'config.json'
        printf '{' >config.json
        wrong 'config.json: line 1'
        "$HOD_BIN/hodrun" spec -b "$T/work"
        head -c 700 "$T/work/config.json" >config.json
        wrong 'config.json: line [0-9]+, column'
        rm "$T/work/config.json"
        printf '{"ociVersion": "1.0.0"} x' >config.json
        wrong 'config.json: line 1, column 25'
        printf '[]' >config.json
        wrong 'must be an object, not an array'
        printf '{"ociVersion": "1.0.0", "hostname": "a", "hostname": "b"}' >config.json
        wrong 'config.json: line 1, column 42: this key is there twice'
        printf '\0\377\376' >config.json
        wrong 'config.json'
        rm config.json
        wrong 'JSON specification file .*config.json.* not found'
        mkdir config.json
        wrong 'config.json'
        rmdir config.json
        mkfifo config.json
        wrong 'config.json'
        rm config.json
}

@test "a config.json deeper or larger than any: refused quickly and in little memory" {
        local kb
        python3 -c 'n = 100000; print("{\"ociVersion\":\"1.0.0\",\"x\":" + "[" * n + "]" * n + "}")' >config.json
        wrong 'nested|depth|deep'
        python3 -c 'n = 100000; print("{\"a\":" * n + "1" + "}" * n)' >config.json
        wrong 'nested|depth|deep'
        head -c 100M /dev/zero | tr '\0' ' ' >config.json
        wrong 'too large|larger than|more than'
        kb=$(/usr/bin/time -f %M "$HOD_BIN/hodrun" --root "$T/run" run c 2>&1 >/dev/null | tail -n 1) || true
        ((kb < 64000)) || fail "it took $kb KB"
        python3 -c 'print("{\"ociVersion\":\"1.0.0\",\"annotations\":{\"a\":\"" + "x" * (20 << 20) + "\"}}")' >config.json
        wrong 'too large|larger than|more than'
}

@test "values of a wrong type: the field is named" {
        local program message
        while IFS='~' read -r program message; do
                cp config.json good.json
                edit "$program"
                wrong "$message"
                mv good.json config.json
        done <<'LIST'
.process = 1~process: must be an object, not a number
.process.args = "sh"~process.args: must be an array, not a string
.process.args = [1]~process.args\[0\]: must be a string
.process.args = []~args must not be empty
.process.args = null~args must not be empty
.process = null~process property must not be empty
.process.cwd = "tmp"~Cwd must be an absolute path
.process.cwd = ""~Cwd property must not be empty
.process.terminal = "yes"~process.terminal: must be
.process.user.uid = 1.5~process.user.uid: must be a whole number
.process.user.uid = 4294967296~process.user.uid
.process.rlimits = {}~process.rlimits: must be an array
.process.oomScoreAdj = "0"~process.oomScoreAdj: must be a whole number
.process.env = ["A\u0000B=1"]~process.env\[0\].*NUL
.root = null~root must be specified
.root = {}~root must be specified
.mounts = {}~mounts: must be an array
.mounts[0] = "x"~mounts\[0\]: must be an object
.mounts[0].options = "ro"~mounts\[0\].options: must be an array
.mounts[0].destination = null~mounts\[0\]: has no destination
.linux.namespaces += [{type: "bogus"}]~namespace .*bogus.* does not exist
.linux.namespaces += [{}]~namespace .* does not exist
.linux.namespaces += [{type: "pid"}]~duplicated namespace .*pid
.linux.namespaces[0].path = "/nonexistent"~/nonexistent: no such file
.linux.namespaces[0].path = "/etc/passwd"~/etc/passwd is not a namespace
.linux.namespaces[0].path = "/proc/self/ns/user"~namespace of another kind
.linux.namespaces[0].path = "relative"~must be absolute
.linux.resources = []~linux.resources: must be an object
.linux.resources.memory.limit = "1G"~linux.resources.memory.limit: must be a whole number
.linux.devices = [{path: "/dev/x", type: "z"}]~linux.devices\[0\].type: must be c, b, u or p
.linux.seccomp = {defaultAction: "SCMP_ACT_X"}~invalid seccomp action .*SCMP_ACT_X
.linux.seccomp = {}~has no defaultAction
.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["x"]}]}~has no action
.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X"]}~invalid architecture .*SCMP_ARCH_X
.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: ["X"]}~invalid seccomp flag .*X
.hooks = {prestart: {}}~hooks.prestart: must be an array
.hostname = 1~hostname: must be a string
.annotations = {"": "x"}~annotations: a key is empty
.annotations = {"a": 1}~annotations.a: must be a string
LIST
}

@test "what belongs to other systems, and what nobody knows, is not looked at" {
        edit '.windows = {layerFolders: ["x"]} | .solaris = 1 | .vm = {kernel: {path: "/x"}} | .zos = {} | .freebsd = {}
                | .future = [1, {a: null}] | .linux.future = true | .process.future = "x"'
        args 'echo fine'
        is "$(go)" fine
}

@test "ids that are none" {
        local id
        for id in a/b ../x .. . 'a b' "$(printf 'x%.0s' {1..1025})" $'a\nb' 'ä'; do
                refused 1 'invalid container ID format|container ID is longer' hodrun run "$id"
                refused 1 'invalid container ID format|container ID is longer' hodrun create "$id"
                refused 1 'invalid container ID format|container ID is longer|does not exist' hodrun delete "$id"
        done
        refused 1 'container id cannot be empty' hodrun run ''
        nothing_left
        # The longest one.
        args 'echo fine'
        is "$(hodrun run "$(printf 'x%.0s' {1..255})")" fine
}

@test "root file systems: missing, relative, a file, empty, without a program" {
        edit '.root.path = "nosuch"'
        wrong 'invalid rootfs: stat nosuch: no such file or directory'
        edit '.root.path = "/nonexistent"'
        wrong 'invalid rootfs: stat /nonexistent: no such file or directory'
        edit '.root.path = "config.json"'
        wrong 'invalid rootfs: config.json is not a directory'
        edit '.root.path = "./rootfs/../rootfs"'
        args 'echo fine'
        is "$(go)" fine
        mkdir empty
        edit '.root.path = "empty"'
        wrong 'exec: .*sh.*: executable file not found in'
        # (What it needed to mount on, it made.)
        edit '.root.path = "empty" | .mounts = [] | .process.args = ["/sh"]'
        wrong 'exec: .*/sh.*: stat /sh: no such file or directory'
        rm -rf empty
}

@test "a root file system that is a symlink" {
        ln -s rootfs link
        edit '.root.path = "link"'
        args 'echo fine'
        wrong 'invalid rootfs: not an absolute path, or a symlink'
        rm link
}

@test "a mount's destination does not lead out of the root" {
        ln -s "$T/outside" rootfs/out
        ln -s ../../../../.. rootfs/up
        mkdir -p "$T/outside"
        edit '.mounts += [{destination: "/out/m", type: "tmpfs", source: "tmpfs"}, {destination: "/up/deep/m", type: "tmpfs", source: "tmpfs"}]'
        args 'grep -c "/m " /proc/self/mounts'
        is "$(go)" 2
        is "$(ls -A "$T/outside")" ""
        rm -rf rootfs/out rootfs/up "rootfs${T:?}" rootfs/deep "$T/outside"
}

@test "a console socket that nobody listens to, or nobody accepts at" {
        edit '.process.terminal = true'
        args 'sleep 100'
        refused 1 'dial unix /nonexistent/s: connect: no such file' hodrun create --console-socket /nonexistent/s c
        nothing_left
        python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])' "$T/dead.sock"
        refused 1 'dial unix .*/dead.sock: connect: connection refused' hodrun create --console-socket "$T/dead.sock" c
        nothing_left
        # A queue that is full already.
        python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
c = socket.socket(socket.AF_UNIX)
c.connect(sys.argv[1])
print("ready", flush=True)
time.sleep(60)' "$T/full.sock" >"$T/ready" 3>&- &
        echo $! >"$T/agent.pid"
        eventually 5 test -s "$T/ready"
        refused 1 'dial unix .*/full.sock: nobody accepts connections there' hodrun create --console-socket "$T/full.sock" c
        nothing_left
        rm -f "$T/dead.sock" "$T/full.sock" "$T/ready"
}

@test "containers with less than usual work" {
        args 'ls /sys/class/net | wc -l; echo fine'
        # No network namespace: the host's devices.
        edit '.linux.namespaces |= map(select(.type != "network"))'
        contains "$(go)" fine
        # No mounts at all.
        edit '.mounts = [] | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
        args 'echo fine; ls -d /dev/null'
        is "$(go)" $'fine\n/dev/null'
        # No namespaces but the mount's.
        edit '.linux.namespaces = [{type: "mount"}] | del(.hostname)'
        is "$(go)" $'fine\n/dev/null'
        # None whatsoever.
        edit '.linux.namespaces = []'
        contains "$(go)" fine
        edit 'del(.linux.namespaces)'
        contains "$(go)" fine
        # The smallest document that can run.
        jq -n '{ociVersion: "1.0.0", root: {path: "rootfs"}, process: {args: ["/bin/echo", "small"], cwd: "/"}}' >config.json
        is "$(go)" small
        # And none of a process: nothing could be started.
        jq -n '{ociVersion: "1.0.0", root: {path: "rootfs"}}' >config.json
        refused 1 'process property must not be empty' hodrun create c
        nothing_left
}

# --- what is said about itself -----------------------------------------------------------------------------------------

# The specification's schemas are not ours to carry; this is what they ask of each member that is there.
@test "features and spec are of the specification's shape" {
        hodrun features >"$T/features"
        jq -e 'def strings: type == "array" and all(type == "string");
                def flag: type == "object" and (.enabled | type == "boolean");
                (.ociVersionMin, .ociVersionMax | test("^[0-9]+[.][0-9]+[.][0-9]+"))
                and (.hooks | strings) and (.mountOptions | strings) and (.annotations | all(type == "string"))
                and (.potentiallyUnsafeConfigAnnotations | strings)
                and (.linux.namespaces | strings) and (.linux.capabilities | all(test("^CAP_[A-Z_]+$")))
                and (.linux.cgroup | (.v1, .v2, .systemd, .systemdUser, .rdma) | type == "boolean")
                and (.linux.seccomp | flag and (.actions | all(startswith("SCMP_ACT_"))) and (.operators | all(startswith("SCMP_CMP_")))
                        and (.archs | all(startswith("SCMP_ARCH_"))) and (.knownFlags | all(startswith("SECCOMP_FILTER_FLAG_")))
                        and (.supportedFlags - .knownFlags == []))
                and (.linux.apparmor | flag) and (.linux.selinux | flag) and (.linux.intelRdt | flag)
                and (.linux.mountExtensions.idmap | flag) and (.linux.netDevices | flag)
                and (.linux.memoryPolicy | (.modes | strings) and (.flags | strings))' "$T/features" >/dev/null
        is "$(jq -r '.hooks | join(" ")' "$T/features")" "prestart createRuntime createContainer startContainer poststart poststop"
        jq -e '.linux.seccomp.actions | index("SCMP_ACT_NOTIFY")' "$T/features" >/dev/null
        rm config.json
        "$HOD_BIN/hodrun" spec
        jq -e '(.ociVersion | type == "string") and (.root.path | type == "string") and (.process.args | length > 0)
                and (.process.cwd | startswith("/")) and all(.mounts[]; has("destination"))
                and all(.linux.namespaces[]; .type | IN("mount", "pid", "network", "uts", "ipc", "cgroup"))' config.json >/dev/null
        args 'sleep 100'
        edit '.process.terminal = false'
        hodrun create c </dev/null >/dev/null 2>&1
        hodrun state c | jq -e '(.ociVersion, .id, .status, .bundle | type == "string") and (.pid > 0)' >/dev/null
}
