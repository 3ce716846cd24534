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
