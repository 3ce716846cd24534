#!/usr/bin/env bats
# Limits: set, visible, enforced; on cgroup v1, hybrid and v2.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

# see V1FILE V2FILE FLAG...: what the container reads about its own cgroup.
see() {
        local v1=$1 v2=$2
        shift 2
        hod run --rm "$@" busybox cat "$(cg_path "$v1" "$v2")"
}
# expect V1VALUE V2VALUE GOT
expect() { if cgroup_v2; then is "$3" "$2"; else is "$3" "$1"; fi; }

# bats test_tags=vm,asan
@test "-m, --memory-swap, --memory-reservation" {
        expect 67108864 67108864 "$(see memory/memory.limit_in_bytes memory.max -m 64m)"
        expect 134217728 67108864 "$(see memory/memory.memsw.limit_in_bytes memory.swap.max -m 64m --memory-swap 128m)"
        expect 134217728 67108864 "$(see memory/memory.memsw.limit_in_bytes memory.swap.max -m 64m)"
        expect 67108864 0 "$(see memory/memory.memsw.limit_in_bytes memory.swap.max -m 64m --memory-swap 64m)"
        expect 33554432 33554432 "$(see memory/memory.soft_limit_in_bytes memory.low -m 64m --memory-reservation 32m)"
}

# bats test_tags=vm
@test "memory: a program over it is killed, 137, OOMKilled; others are not" {
        run hod run -m 16m --name oo busybox tail /dev/zero
        is "$status" 137
        is "$(field oo '{{.State.OOMKilled}} {{.State.Status}}')" "true exited"
        hod run -d -m 64m --name ok busybox sleep 100 >/dev/null
        hod kill ok >/dev/null
        hod wait ok >/dev/null
        is "$(field ok '{{.State.OOMKilled}} {{.State.ExitCode}}')" "false 137"
        hod start oo
        eventually 20 is_exited oo
        is "$(field oo '{{.State.OOMKilled}}')" true
}

# bats test_tags=vm
@test "memory: a child that is killed leaves init alive, and is told" {
        hod run -d -m 24m --name cc busybox sh -c 'tail /dev/zero; echo "child: $?"; sleep 100' >/dev/null
        eventually 20 logs_have cc 'child: 137'
        is_running cc
}

# bats test_tags=vm
@test "--cpus, --cpu-shares, -c" {
        if cgroup_v2; then
                is "$(see - cpu.max --cpus 0.5)" "50000 100000"
                is "$(see - cpu.max --cpus 1.5)" "150000 100000"
                is "$(see - cpu.weight --cpu-shares 1024)" 100
                is "$(see - cpu.weight)" 100
        else
                is "$(see cpu/cpu.cfs_quota_us - --cpus 0.5)" 50000
                is "$(see cpu/cpu.cfs_quota_us - --cpus 1.5)" 150000
                is "$(see cpu/cpu.shares - --cpu-shares 512)" 512
                is "$(see cpu/cpu.shares - -c 2048)" 2048
                is "$(see cpu/cpu.shares -)" 1024
        fi
}

# bats test_tags=vm
@test "--cpus is enforced" {
        hod run -d --name busy --cpus 0.2 busybox sh -c 'while :; do :; done' >/dev/null
        stat=/proc/$(init_pid busy)/stat
        ticks() { awk '{print $14 + $15}' "$stat"; }
        used() { (($(ticks) - before >= 30)); }
        # 0.2 of a processor: 20 ms in each 100 ms, so that 30 ticks (of 10 ms) take one and a half seconds, whatever the time
        # at which we look. On a machine that is busy it takes longer.
        began=${EPOCHREALTIME/./}
        before=$(ticks)
        eventually 20 used
        after=$(ticks)
        took=$(((${EPOCHREALTIME/./} - began) / 1000))
        (((after - before - 5) * 10 * 5 <= took)) || fail "$((after - before)) ticks in $took ms"
}

# bats test_tags=vm
@test "--cpuset-cpus, --cpuset-mems" {
        expect 0 0 "$(see cpuset/cpuset.cpus cpuset.cpus --cpuset-cpus 0)"
        expect 0 0 "$(see cpuset/cpuset.mems cpuset.mems --cpuset-mems 0)"
        is "$(hod run --rm --cpuset-cpus 0 busybox nproc)" 1
}

# bats test_tags=vm,asan
@test "--pids-limit stops a fork bomb" {
        expect 20 20 "$(see pids/pids.max pids.max --pids-limit 20)"
        expect max max "$(see pids/pids.max pids.max --pids-limit -1)"
        run hod run --rm --pids-limit 20 busybox sh -c 'i=0; while [ $i -lt 100 ]; do sleep 1 & i=$((i+1)); done; wait'
        like "$output" "can't fork"
        # (Its first process forks nothing more: a shell that cannot ends.)
        hod run -d --name bomb --pids-limit 20 busybox sh -c 'b() { b | b & }; b; exec sleep 1000' >/dev/null
        for _ in {1..10}; do
                n=$(pgrep -c --ns "$(init_pid bomb)" --nslist pid . || true)
                ((n >= 1 && n <= 20)) || fail "$n processes"
                sleep 0.05
        done
        hod rm -f bomb
}

# bats test_tags=vm
@test "--blkio-weight and device throttles" {
        dev=$(lsblk -bndo PATH,TYPE,SIZE 2>/dev/null | awk '$2 == "disk" && $3 > 0 {print $1; exit}')
        [[ -b $dev ]] || skip "no block device"
        head -c 1 "$dev" >/dev/null 2>&1 || skip "this machine lets nobody read $dev"
        numbers=$(lsblk -ndo MAJ:MIN "$dev" | tr -d ' ')
        if cgroup_v2; then
                like "$(see - io.max --device-write-bps "$dev:1mb")" "^$numbers .*wbps=1048576"
                like "$(see - io.max --device-read-iops "$dev:100")" "^$numbers .*riops=100"
        else
                is "$(see blkio/blkio.throttle.write_bps_device - --device-write-bps "$dev:1mb")" "$numbers 1048576"
                is "$(see blkio/blkio.throttle.read_bps_device - --device-read-bps "$dev:2mb")" "$numbers 2097152"
                is "$(see blkio/blkio.throttle.read_iops_device - --device-read-iops "$dev:100")" "$numbers 100"
                is "$(see blkio/blkio.throttle.write_iops_device - --device-write-iops "$dev:50")" "$numbers 50"
        fi
        refused 125 'bad format' hod run --rm --device-read-bps bad busybox true
        hod run --rm --blkio-weight 500 busybox true
}

@test "devices: only the allowed ones open; --device adds one with its rights" {
        # A device that the host may open and a container may not.
        for dev in /dev/fuse /dev/kmsg none; do
                if [[ -c $dev ]] && (: <>"$dev") 2>/dev/null; then break; fi
        done
        [[ $dev != none ]] || skip "no device to try"
        numbers=$(stat -c '0x%t 0x%T' "$dev")
        # shellcheck disable=SC2046,SC2086
        run hod run --rm busybox sh -c "mknod /b c $(printf '%d %d' $numbers) && : < /b"
        like "$output" 'not permitted'
        is "$(hod run --rm --device "$dev:/dev/xd:r" busybox sh -c ': < /dev/xd && echo read')" read
        run hod run --rm --device "$dev:/dev/xd:r" busybox sh -c ': >> /dev/xd'
        like "$output" 'not permitted'
        is "$(hod run --rm --device "$dev" busybox sh -c ": <> $dev && echo both")" both
        run hod run --rm busybox sh -c 'for d in null zero full random urandom tty; do [ -c /dev/$d ] || echo "$d"; done'
        is "$output" ''
        is "$(hod run --rm busybox sh -c 'echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c')" $'4\n4'
}

@test "--ulimit, --oom-score-adj, --shm-size" {
        is "$(hod run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -Sn; ulimit -Hn')" $'100\n200'
        is "$(hod run --rm --ulimit nofile=100 --ulimit nofile=200 busybox sh -c 'ulimit -n')" 200
        is "$(hod run --rm --oom-score-adj 300 busybox cat /proc/self/oom_score_adj)" 300
        is "$(hod run --rm busybox cat /proc/self/oom_score_adj)" 0
        is "$(hod run --rm --shm-size 1m busybox df -k /dev/shm | awk 'NR == 2 {print $2}')" 1024
        is "$(hod run --rm busybox df -k /dev/shm | awk 'NR == 2 {print $2}')" 65536
}

@test "limits hold after stop and start, and for exec" {
        hod run -d --name ll -m 64m --pids-limit 30 --cpuset-cpus 0 busybox sleep 1000 >/dev/null
        for _ in 1 2; do
                expect 67108864 67108864 "$(hod exec ll cat "$(cg_path memory/memory.limit_in_bytes memory.max)")"
                expect 30 30 "$(hod exec ll cat "$(cg_path pids/pids.max pids.max)")"
                is "$(hod exec ll nproc)" 1
                hod restart -t 0 ll
        done
}

@test "--cgroup-parent" {
        hod run -d --name cp --cgroup-parent /hod-test-parent-$$/x busybox sleep 1000 >/dev/null
        like "$(cat "/proc/$(init_pid cp)/cgroup")" "/hod-test-parent-$$/x/$(field cp '{{.Id}}')"
        hod rm -f cp
        for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
                [[ ! -d $d/hod-test-parent-$$ ]] || rmdir "$d/hod-test-parent-$$/x" "$d/hod-test-parent-$$"
        done
}

@test "--oom-kill-disable is accepted where the kernel can, with docker's warning" {
        cgroup_v2 && skip "v1 only"
        like "$(hod run --rm --oom-kill-disable busybox true 2>&1)" 'OOM killer is disabled'
        like "$(see memory/memory.oom_control - -m 64m --oom-kill-disable)" 'oom_kill_disable 1'
}

@test "values out of range change nothing and say what is allowed" {
        refused 125 'minimum memory limit allowed is 6MB' hod run -m 1m busybox true
        refused 125 'invalid size' hod run -m x busybox true
        refused 125 'memoryswap limit should be larger' hod run -m 64m --memory-swap 32m busybox true
        refused 125 'always set the Memory limit' hod run --memory-swap 64m busybox true
        refused 125 'memory reservation' hod run -m 64m --memory-reservation 128m busybox true
        refused 125 'range of CPUs' hod run --cpus 99999 busybox true
        refused 125 'rational number' hod run --cpus x busybox true
        refused 125 'not available' hod run --cpuset-cpus 4095 busybox true
        refused 125 'cpuset' hod run --cpuset-cpus x busybox true
        refused 125 'not available' hod run --cpuset-mems 99 busybox true
        refused 125 'shares' hod run --cpu-shares -5 busybox true
        refused 125 'pids-limit' hod run --pids-limit x busybox true
        refused 125 'oom score adj' hod run --oom-score-adj 2000 busybox true
        refused 125 'invalid ulimit type' hod run --ulimit x=1 busybox true
        refused 125 'soft limit must be less' hod run --ulimit nofile=5:2 busybox true
        refused 125 'invalid size' hod run --shm-size x busybox true
        refused 125 'no such file' hod run --device /dev/nosuch busybox true
        refused 125 'bad mode' hod run --device /dev/null:/dev/x:q busybox true
        is "$(hod ps -aq)" ''
}
