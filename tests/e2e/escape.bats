#!/usr/bin/env bats
# What a container must not get hold of while others are set up beside it. Each refusal has its control: the same thing
# where it is allowed, or the probe where it does find something.

load lib
setup_file() {
        need_packages gcc libc6-dev
        e2e_setup
        gcc -O2 -static -o "$T/peek" "$BATS_TEST_DIRNAME/peek.c"
        gcc -O2 -static -o "$T/key" "$BATS_TEST_DIRNAME/key.c"
        install -m 600 /dev/null "$T/host-secret"
}
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

# How often somebody in container $1 saw the host's file while "$@" was done again and again.
peeked_while() {
        local container=$1 i
        shift
        for ((i = 0; i < 40; i++)); do
                "$@" >/dev/null
        done
        hod wait "$container" >/dev/null
        hod logs "$container"
}

# Needs a procfs for another PID namespace (Linux 6.17), and is then safe from the first instruction.
kernel_at_least() { printf '%s\n%s\n' "$1" "$(uname -r)" | sort -V -C; }

@test "exec into a container whose PID namespace is shared with one that may trace: nothing of the host is seen" {
        hod run -d --name b busybox sleep 1000 >/dev/null
        hod run -d --name s --pid container:b --cap-add SYS_PTRACE -v "$T/peek:/peek" busybox /peek "$T/host-secret" 3 >/dev/null
        is "$(peeked_while s hod exec b true)" 0
}

@test "exec into a container that may trace: nothing of the host is seen" {
        hod run -d --name b --cap-add SYS_PTRACE -v "$T/peek:/peek" busybox /peek "$T/host-secret" 3 >/dev/null
        is "$(peeked_while b hod exec b true)" 0
}

@test "a container that joins the PID namespace of one that may trace: nothing of the host is seen" {
        kernel_at_least 6.17 || skip "this kernel cannot mount a procfs of another PID namespace"
        hod run -d --name b --cap-add SYS_PTRACE -v "$T/peek:/peek" busybox /peek "$T/host-secret" 3 >/dev/null
        is "$(peeked_while b hod run --rm --pid container:b busybox true)" 0
}

@test "the probe works: with the host's PID namespace it sees what it looks for" {
        hod run -d --name s --pid host --cap-add SYS_PTRACE -v "$T/peek:/peek" busybox /peek "$T/host-secret" 2 >/dev/null
        (($(peeked_while s true) > 0)) || fail "it saw nothing"
}

@test "a container that joins a PID namespace sees its processes, in its own /proc" {
        hod run -d --name b busybox sleep 1000 >/dev/null
        run hod run --rm --pid container:b busybox ps
        like "$output" '1 root +sleep 1000'
        unlike "$output" kthreadd
        is "$(hod run --rm --pid container:b busybox sh -c 'readlink /proc/self/ns/pid')" \
                "$(hod exec b readlink /proc/self/ns/pid)"
}

@test "keys of the caller's session are not the container's" {
        is "$("$T/key" with "$T/key" find)" found
        hod run -d --name b --security-opt seccomp=unconfined -v "$T/key:/key" busybox sleep 1000 >/dev/null
        is "$("$T/key" with "$HOD_BIN/hod" exec b /key find)" none
        is "$("$T/key" with "$HOD_BIN/hod" run --rm --security-opt seccomp=unconfined -v "$T/key:/key" busybox /key find)" none
        # The monitor that serves the session may have been started by somebody with keys, too.
        "$T/key" with "$HOD_BIN/hod" run -d --name c --security-opt seccomp=unconfined -v "$T/key:/key" busybox sleep 1000 >/dev/null
        is "$(hod exec c /key find)" none
}

@test "an image whose /dev is a link: its devices are not made where that leads" {
        mkdir -p "$T/tree" "$T/vol"
        tar -xf "$(busybox_file)" -C "$T/tree"
        rm -rf "$T/tree/dev"
        ln -s /data "$T/tree/dev"
        tar -C "$T/tree" -c . | hod import - devlink >/dev/null
        echo mine >"$T/vol/ptmx"
        run hod run --rm -v "$T/vol:/data" devlink true
        [[ $status != 0 ]] || fail "it was taken"
        is "$(ls "$T/vol")" ptmx
        is "$(cat "$T/vol/ptmx")" mine
        hod rmi devlink >/dev/null
}

@test "a bind mount that a link leads over /dev: the host's directory stays as it is" {
        mkdir -p "$T/tree2" "$T/vol2"
        tar -xf "$(busybox_file)" -C "$T/tree2"
        ln -s /dev "$T/tree2/x"
        tar -C "$T/tree2" -c . | hod import - xlink >/dev/null
        run hod run --rm -v "$T/vol2:/x" xlink true
        is "$(find "$T/vol2" -mindepth 1 -not -name pts -not -name shm -not -name mqueue)" ""
        hod rmi xlink >/dev/null
}

@test "a capability section that is missing gives none" {
        mkdir -p "$T/bundle/rootfs"
        tar -xf "$(busybox_file)" -C "$T/bundle/rootfs"
        (cd "$T/bundle" && "$HOD_BIN/hodrun" spec &&
                python3 -c '
import json
c = json.load(open("config.json"))
del c["process"]["capabilities"]
c["process"]["terminal"] = False
c["process"]["args"] = ["grep", "CapEff", "/proc/self/status"]
json.dump(c, open("config.json", "w"))' &&
                "$HOD_BIN/hodrun" --root "$T/runs" run nocaps) >"$T/out"
        like "$(cat "$T/out")" 'CapEff:\s+0000000000000000'
}

@test "hodrun killed while a hook runs: what it was making ends" {
        mkdir -p "$T/bundle2/rootfs"
        tar -xf "$(busybox_file)" -C "$T/bundle2/rootfs"
        (cd "$T/bundle2" && "$HOD_BIN/hodrun" spec && python3 -c '
import json
c = json.load(open("config.json"))
c["process"]["terminal"] = False
c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >hook-state; exec sleep 3"]}]}
json.dump(c, open("config.json", "w"))')
        (cd "$T/bundle2" && exec "$HOD_BIN/hodrun" --root "$T/runs" run hookkill) &
        local runner=$! pid
        eventually 5 test -s "$T/bundle2/hook-state"
        pid=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["pid"])' "$T/bundle2/hook-state")
        alive "$pid"
        kill -9 "$runner"
        wait "$runner" || true
        eventually 5 dead "$pid"
        "$HOD_BIN/hodrun" --root "$T/runs" delete -f hookkill
        sleep 3 # the hook itself is the host's
}

@test "a terminal that everybody has closed can be opened again: nothing is lost" {
        # shellcheck disable=SC2016  # the container's
        hod run -dt --name t busybox sh -c 'echo FIRST; exec >/dev/null 2>&1 </dev/null; sleep 0.5; echo SECOND >/dev/console; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "line number $i of many"; done >/dev/console; echo LAST >/dev/console' >/dev/null
        is "$(timeout 60 "$HOD_BIN/hod" wait t)" 0
        like "$(hod logs t)" FIRST
        like "$(hod logs t)" SECOND
        like "$(hod logs t | tail -n 1)" LAST
        is "$(hod logs t | grep -c 'line number')" 3000
}
