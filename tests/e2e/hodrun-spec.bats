#!/usr/bin/env bats
# What config.json says about the process, hooks, system calls and devices: in the container it is so, or the refusal is
# one clear line and nothing is left.

load lib

CG=/hod-test-spec

setup_file() {
        e2e_setup none
        mkdir -p "$T/b"
        bundle
}
teardown_file() {
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
        [[ ! -s $T/agent.pid ]] || kill "$(<"$T/agent.pid")" 2>/dev/null || true
        rm -rf "$T/agent.pid" "$T/agent.sock" "$T/states"
}

bundle() { mkdir -p "$T/b/rootfs" && tar -C "$T/b/rootfs" -xf "$(busybox_file)"; }
edit() {
        local program=$1
        shift
        jq "$@" "$program" config.json >config.new && mv config.new config.json
}
args() { edit '.process.args = ["sh", "-c", $a]' --arg a "$1"; }
hodrun() { "$HOD_BIN/hodrun" --root "$T/run" "$@"; }
contains() { [[ $1 == *"$2"* ]] || fail "expected «$2» in" "«$1»"; }
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
                # The agent has it before `create` ends.
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
                is "$(timeout 20 "$HOD_BIN/hodrun" --root "$T/run" run c)" "done"
                hodrun create c >"$T/out"
                hodrun start c
                eventually 5 grep -q done "$T/out"
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
        contains "$(go || true)" "No medium found"
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
