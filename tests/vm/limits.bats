#!/usr/bin/env bats
# bats file_tags=vm
# hodrun with the cgroupfs driver on pure cgroup v2: every controller of Debian's kernel, devices by eBPF, and what a
# kernel of 2022 does not have yet.

load vm
setup_file() {
        vm_setup_file
        CG=/hodvm-limits
        export CG
}
teardown_file() {
        rmdir /sys/fs/cgroup/hodvm* 2>/dev/null || true
        vm_teardown_file
}
setup() { vm_setup; }
teardown() { vm_teardown; }

files() {
        local f
        for f in "$@"; do printf '%s=%s ' "$f" "$(<"/sys/fs/cgroup$CG/c/$f")"; done
}
# With the container's cgroup at $CG/c.
limited() { spec "$1"' | .linux.cgroupsPath = $cg' --arg cg "$CG/c" "${@:2}"; }

@test "every controller: what config.json says is in the files; update; the container is told its own" {
        limited '.process.args = ["sleep", "1000"] | .linux.resources = {
                devices: .linux.resources.devices,
                memory: {limit: 67108864, swap: 100663296, reservation: 33554432},
                cpu: {shares: 512, quota: 50000, period: 100000, burst: 10000, cpus: "1", mems: "0"},
                pids: {limit: 20}, blockIO: {throttleReadBpsDevice: [{major: 254, minor: 0, rate: 1048576}],
                        throttleWriteIOPSDevice: [{major: 254, minor: 0, rate: 100}]},
                hugepageLimits: [{pageSize: "2MB", limit: 4194304}],
                unified: {"memory.high": "60000000", "memory.oom.group": "1"}}'
        background c hodrun
        is "$(files memory.max memory.swap.max memory.low memory.high memory.oom.group)" \
                "memory.max=67108864 memory.swap.max=33554432 memory.low=33554432 memory.high=59998208 memory.oom.group=1 "
        is "$(files cpu.weight cpu.max cpu.max.burst cpuset.cpus cpuset.mems pids.max)" \
                "cpu.weight=59 cpu.max=50000 100000 cpu.max.burst=10000 cpuset.cpus=1 cpuset.mems=0 pids.max=20 "
        is "$(files io.max hugetlb.2MB.max)" "io.max=254:0 rbps=1048576 wbps=max riops=max wiops=100 hugetlb.2MB.max=4194304 "
        is "$(hodrun exec c cat /sys/fs/cgroup/memory.max)" 67108864
        is "$(hodrun exec c grep Cpus_allowed_list /proc/self/status)" $'Cpus_allowed_list:\t1'

        hodrun update --memory 80M --memory-swap 100M --pids-limit -1 --cpu-share 1024 --cpuset-cpus 0-1 --cpu-quota -1 c
        is "$(files memory.max memory.swap.max cpu.weight cpu.max cpuset.cpus pids.max)" \
                "memory.max=83886080 memory.swap.max=20971520 cpu.weight=100 cpu.max=max 100000 cpuset.cpus=0-1 pids.max=max "
        hodrun pause c
        is "$(files cgroup.freeze)" "cgroup.freeze=1 "
        hodrun resume c
        hodrun delete -f c
        [ ! -e "/sys/fs/cgroup$CG/c" ]
}

@test "rdma and misc: set where the kernel has them, named where not" {
        if grep -qw rdma /sys/fs/cgroup/cgroup.controllers; then
                limited '.process.args = ["cat", "/sys/fs/cgroup/rdma.max"] | .linux.resources.rdma = {nosuch0: {hcaHandles: 5}}'
                run hodrun run c # no such device: the kernel says so
                ((status != 0))
                contains "$output" 'rdma.max'
        else
                limited '.process.args = ["true"] | .linux.resources.rdma = {mlx0: {hcaHandles: 5}}'
                refused 'controller rdma' hodrun run c
        fi
        limited '.process.args = ["true"] | .linux.resources.unified = {"nosuch.max": "1"}'
        refused 'nosuch.max' hodrun run c
        limited '.process.args = ["true"] | .linux.resources.memory = {limit: 4096, swap: 1024}'
        refused 'memory+swap limit should be >= memory limit' hodrun run c
        [ ! -e "/sys/fs/cgroup$CG/c" ]
}

@test "memory: too much is killed, and told" {
        limited '.process.args = ["sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; echo survived"]
                | .linux.resources.memory = {limit: 16777216, swap: 16777216}
                | .linux.resources.unified = {"memory.oom.group": "1"}'
        run hodrun run c
        is "$status" 137
        contains_not "$output" survived
}

@test "pids: a fork too many fails" {
        limited '.process.args = ["sh", "-c", "for i in 1 2 3 4 5; do sleep 9 & done; echo survived"] | .linux.resources.pids.limit = 4'
        run hodrun run c
        contains "$output" "can't fork"
        contains_not "$output" survived
}

@test "io: reading is slowed down" {
        limited '.process.args = ["sh", "-c", "mknod /tmp/disk b 254 0 && exec dd if=/tmp/disk of=/dev/null bs=256k count=8 iflag=direct"]
                | .root.readonly = false | .process.capabilities |= map_values(. + ["CAP_MKNOD"])
                | .linux.resources.devices += [{allow: true, type: "b", major: 254, minor: 0, access: "rm"}]
                | .linux.resources.blockIO = {throttleReadBpsDevice: [{major: 254, minor: 0, rate: 1048576}]}'
        start=$(date +%s%N)
        hodrun run c
        (($(date +%s%N) - start > 1500000000)) || fail "2 MiB at 1 MiB/s took $((($(date +%s%N) - start) / 1000000)) ms"
}

@test "devices: eBPF decides by the last rule that fits; exec and update too" {
        limited '.process.args = ["sleep", "1000"] | .root.readonly = false
                | .process.capabilities |= map_values(. + ["CAP_MKNOD"])
                | .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "b", major: 254, access: "r"},
                        {allow: false, type: "b", major: 254, minor: 16, access: "r"}]'
        background c hodrun
        may() { hodrun exec c sh -c "[ -e /tmp/d$2-$3 ] || mknod /tmp/d$2-$3 $1 $2 $3; $4 /tmp/d$2-$3" >/dev/null 2>&1; }
        may_not() { ! may "$@" || fail "$1 $2:$3 is permitted"; }
        may b 254 0 'head -c 1'
        may c 1 5 'head -c 1'
        may_not b 254 16 'head -c 1'    # taken away again
        may_not b 254 0 'echo >'        # only reading
        may_not c 10 229 'head -c 1'    # nothing else: fuse
        may_not c 1 1 'head -c 1'       # mem
        echo '{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "major": 254, "minor": 16, "access": "r"}]}' |
                hodrun update -r - c
        may b 254 16 'head -c 1'
        may_not b 254 0 'head -c 1'
        may c 1 5 'head -c 1'
}

@test "a kernel without lowerdir+, PIDFD_GET_INFO and statmount: mounts, id maps, create, start, exec and kill all the same" {
        limited '.process.args = ["sh", "-c", "cat /m/f; id -u; exec sleep 1000"]
                | .linux.namespaces += [{type: "user"}, {type: "time"}] | .linux.timeOffsets = {boottime: {secs: 5000}}
                | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings
                | .mounts += [{destination: "/m", type: "bind", source: $s, options: ["rbind", "rro", "idmap"],
                        uidMappings: [{containerID: 0, hostID: 100000, size: 65536}], gidMappings: [{containerID: 0, hostID: 100000, size: 65536}]}]' --arg s "$T/src"
        mkdir -p "$T/src" rootfs/m
        echo shown >"$T/src/f"
        chmod 600 "$T/src/f" # root's: seen through the id map only
        hodrun create c </dev/null >"$T/out" 2>&1 || fail "$(cat "$T/out")"
        is "$(hodrun state c | jq -r .status)" created
        hodrun start c
        wait_until grep -q '^0$' "$T/out"
        is "$(cat "$T/out")" $'shown\n0'
        run hodrun exec c sh -c 'echo >/m/g'
        contains "$output" 'Read-only'
        hodrun kill c KILL
        stopped() { [[ $(hodrun state c | jq -r .status) == stopped ]]; }
        wait_until stopped
        hodrun delete c
}
