#!/usr/bin/env bats
# bats file_tags=vm
# hodrun's systemd cgroup driver: scopes of a real systemd on pure cgroup v2.

load vm
setup_file() { vm_setup_file; }
teardown_file() { vm_teardown_file; }
setup() { vm_setup; }
teardown() { vm_teardown; }

sleeper() { spec '.process.args = ["sleep", "1000"] | '"$1" "${@:2}"; }

@test "a scope in system.slice, with its limits; exec enters it; daemon-reload changes nothing; delete ends it" {
        sleeper '.linux.resources += {memory: {limit: 67108864, swap: 100663296, reservation: 33554432},
                pids: {limit: 20}, cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0-1", mems: "0"}}'
        background one sd
        unit=hodrun-one.scope
        dir=/sys/fs/cgroup/system.slice/$unit
        is "$(jq -r .systemd.unit "$T/run/one/state.json")" $unit
        is "$(hodrun exec one cat /proc/self/cgroup)" "0::/"
        is "$(<"/proc/$(hodrun state one | jq .pid)/cgroup")" "0::/system.slice/$unit"
        is "$(property $unit ActiveState) $(property $unit Slice) $(property $unit Delegate)" "active system.slice yes"

        same() {
                is "$(property $unit MemoryMax) $(<$dir/memory.max)" "67108864 67108864"
                is "$(property $unit MemorySwapMax) $(<$dir/memory.swap.max)" "33554432 33554432"
                is "$(property $unit MemoryLow) $(<$dir/memory.low)" "33554432 33554432"
                is "$(property $unit TasksMax) $(<$dir/pids.max)" "20 20"
                is "$(property $unit CPUWeight) $(<$dir/cpu.weight)" "59 59"
                is "$(property $unit CPUQuotaPerSecUSec) $(<$dir/cpu.max)" "500ms 50000 100000"
                is "$(property $unit AllowedCPUs) $(<$dir/cpuset.cpus)" "0-1 0-1"
                is "$(property $unit AllowedMemoryNodes) $(<$dir/cpuset.mems)" "0 0"
                hodrun exec one sh -c 'echo >/dev/null && head -c 1 /dev/zero >/dev/null'
                run hodrun exec one sh -c 'mknod /dev/vda b 254 0; head -c 1 /dev/vda'
                contains "$output" "Operation not permitted"
        }
        same
        is "$(property $unit DevicePolicy)" strict
        systemctl daemon-reload
        is "$(property $unit NeedDaemonReload)" no
        same
        hodrun delete -f one
        unit_is_gone $unit
        [ ! -e $dir ]
}

@test "cgroupsPath slice:prefix:name; slices in slices; what is no such thing is refused" {
        sleeper '.linux.cgroupsPath = "hodvm-a.slice:pre:x"'
        background two sd
        is "$(property pre-x.scope ControlGroup)" /hodvm.slice/hodvm-a.slice/pre-x.scope
        [ -d /sys/fs/cgroup/hodvm.slice/hodvm-a.slice/pre-x.scope ]
        hodrun delete -f two
        unit_is_gone pre-x.scope
        systemctl stop hodvm-a.slice hodvm.slice

        spec '.linux.cgroupsPath = "/hodvm/x"'
        refused 'expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/hodvm/x\" instead' sd run x
        spec '.linux.cgroupsPath = "nonsense:hodrun:x"'
        refused 'invalid slice name: nonsense' sd run x
        spec '.linux.cgroupsPath = "a--b.slice:hodrun:x"'
        refused 'invalid slice name: a--b.slice' sd run x
        spec '.linux.cgroupsPath = "system.slice:hodrun:x.slice"'
        refused 'cannot hold a container' sd run x
        sleeper '.linux.cgroupsPath = "::we ird"'
        background x sd
        is "$(property 'we\x20ird.scope' ActiveState)" active
}

@test "a second container cannot take a living scope" {
        sleeper '.linux.cgroupsPath = ":hodrun:same"'
        background two sd
        run sd run three
        ((status != 0))
        contains "$output" "not empty"
        is "$(property hodrun-same.scope ActiveState)" active
        is "$(hodrun list -q)" two
        [ "$(hodrun state two | jq -r .status)" = running ]
}

@test "annotations: what has no power is set, what has is refused" {
        sleeper '.annotations = {"org.systemd.property.TimeoutStopSec": "7", "org.systemd.property.MemoryMax": "uint64 1048576",
                "org.systemd.property.CollectMode": "\u0027inactive-or-failed\u0027", "org.systemd.property.After": "[\u0027basic.target\u0027]"}
                | .linux.resources.memory.limit = 67108864'
        background one sd
        is "$(property hodrun-one.scope TimeoutStopUSec)" 7s
        is "$(property hodrun-one.scope CollectMode)" inactive-or-failed
        contains "$(property hodrun-one.scope After)" basic.target
        is "$(property hodrun-one.scope MemoryMax)" 67108864 # the specification's own limit wins
        hodrun delete -f one

        for p in "ExecStopPost:[(\u0027/bin/touch\u0027, [\u0027touch\u0027, \u0027$T/pwned\u0027], false)]" \
                "FailureAction:\u0027reboot-force\u0027" "OnFailure:[\u0027poweroff.target\u0027]" "PIDs:[1]" \
                "DeviceAllow:[(\u0027/dev/vda\u0027, \u0027rw\u0027)]"; do
                sleeper ".annotations[\"org.systemd.property.${p%%:*}\"] = \"${p#*:}\""
                refused "annotation org.systemd.property.${p%%:*} is not permitted" sd run bad
                unit_is_gone hodrun-bad.scope
        done
        sleeper '.annotations["org.systemd.property.Description"] = "\u0027x\nExecStopPost=/bin/sh\u0027"'
        refused "value parse error" sd run bad
        [ ! -e "$T/pwned" ]
        [ ! -e /sys/fs/cgroup/system.slice/hodrun-bad.scope ]
}

@test "update changes the cgroup and what systemd knows" {
        sleeper '.linux.resources.memory.limit = 67108864 | .linux.resources.pids.limit = 20'
        background one sd
        hodrun update --memory 80M --pids-limit 30 --cpu-quota 20000 --cpu-period 50000 --cpuset-cpus 1 one
        cd /sys/fs/cgroup/system.slice/hodrun-one.scope
        is "$(<memory.max) $(<pids.max) $(<cpu.max) $(<cpuset.cpus)" "83886080 30 20000 50000 1"
        systemctl daemon-reload
        is "$(<memory.max) $(<pids.max) $(<cpu.max) $(<cpuset.cpus)" "83886080 30 20000 50000 1"
        is "$(property hodrun-one.scope TasksMax) $(property hodrun-one.scope AllowedCPUs)" "30 1"
        hodrun update --cpu-quota 500000 --cpu-period 900000 one # systemd counts in hundredths of a CPU
        is "$(<cpu.max) $(property hodrun-one.scope CPUQuotaPerSecUSec)" "504000 900000 560ms"
        run hodrun update -r - one <<<'{"memory": {"limit": 1024, "checkBeforeUpdate": true}}'
        contains "$output" 'rejecting memory limit 1024 < usage'
        is "$(hodrun state one | jq -r .status) $(<memory.max)" "running 83886080"
        echo '{"unified": {"memory.high": "50000000", "cpu.weight": "7"}}' | hodrun update -r - one
        is "$(<memory.high) $(<cpu.weight)" "49999872 7"
        is "$(property hodrun-one.scope MemoryHigh) $(property hodrun-one.scope CPUWeight)" "50000000 7"
        cd /
}

@test "one process is enough; the container sees its own cgroup" {
        spec '.process.args = ["cat", "/proc/self/cgroup", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"]
                | .linux.resources = {memory: {limit: 33554432}, pids: {limit: 1}}'
        is "$(sd run one)" $'0::/\n33554432\n1'
        unit_is_gone hodrun-one.scope
}

@test "a unit that has failed is forgotten by delete, and by the next of its name" {
        sleeper '.annotations = {"org.systemd.property.RuntimeMaxSec": "4", "org.systemd.property.TimeoutStopSec": "1"}'
        background one sd
        is_failed() { [[ $(property hodrun-one.scope ActiveState) == failed ]]; }
        wait_until is_failed
        is "$(hodrun state one | jq -r .status)" stopped
        hodrun delete one
        unit_is_gone hodrun-one.scope

        background one sd
        wait_until is_failed
        rm -rf "$T/run/one" # somebody else's state
        spec '.process.args = ["echo", "again"]'
        is "$(sd run one)" again
        unit_is_gone hodrun-one.scope
}

@test "hodrun killed while it makes a container: delete --force leaves nothing" {
        printf '#!/bin/sh\ntouch %s/hook\nexec sleep 1000\n' "$T" >"$T/hook.sh"
        chmod 755 "$T/hook.sh"
        sleeper '.hooks.createRuntime = [{path: $p}]' --arg p "$T/hook.sh"
        "$HOD_BIN/hodrun" --root "$T/run" --systemd-cgroup create one </dev/null >/dev/null 2>&1 &
        pid=$!
        hook_runs() { [ -e "$T/hook" ]; }
        wait_until hook_runs
        kill -KILL $pid
        hodrun delete -f one
        unit_is_gone hodrun-one.scope
        [ ! -e /sys/fs/cgroup/system.slice/hodrun-one.scope ]
        is "$(hodrun list -q)" ""
}

@test "paused, without a PID namespace, with children: delete --force leaves nothing" {
        spec '.process.args = ["sh", "-c", "sleep 1001 & sleep 1002 & sleep 1003"]
                | .linux.namespaces |= map(select(.type != "pid"))'
        background one sd
        hodrun pause one
        is "$(hodrun state one | jq -r .status)" paused
        start=$SECONDS
        hodrun delete -f one
        ((SECONDS - start < 60)) # a minute and a half, if it had to be waited for
        unit_is_gone hodrun-one.scope
        is "$(pgrep -f 'sleep 100[123]')" ""
}

@test "through the bus where the manager's own socket is not; without both, a clear error" {
        spec '.process.args = ["echo", "hello"]'
        is "$(unshare -m sh -c "mount --bind /dev/null /run/systemd/private && exec $HOD_BIN/hodrun --root $T/run --systemd-cgroup run one")" hello
        unit_is_gone hodrun-one.scope
        refused 'systemd is not there' unshare -m sh -c "mount -t tmpfs x /run/systemd && mount -t tmpfs x /run/dbus &&
                exec $HOD_BIN/hodrun --root $T/run --systemd-cgroup run one"
        [ ! -e /sys/fs/cgroup/system.slice/hodrun-one.scope ]
}

@test "create, start; a terminal's container; crun's word for the driver" {
        spec '.process.args = ["sh", "-c", "echo $$ >/tmp/pid; sleep 1000"] | .root.readonly = false'
        hodrun --cgroup-manager systemd create one </dev/null >"$T/out" 2>&1
        is "$(property hodrun-one.scope ActiveState)" active
        hodrun start one
        wait_until test -s rootfs/tmp/pid
        hodrun kill one KILL
        stopped() { [[ $(hodrun state one | jq -r .status) == stopped ]]; }
        wait_until stopped
        hodrun delete one
        unit_is_gone hodrun-one.scope
        is "$(hodrun features | jq -c '.linux.cgroup | [.systemd, .systemdUser]')" "[true,true]"
}

@test "whoever has a cgroup namespace and a writable view of it may make groups below, and change no limit" {
        spec '.process.args = ["sh", "-c", "cd /sys/fs/cgroup && mkdir x && echo 0 >x/cgroup.procs && cat /proc/self/cgroup; echo 1 >memory.max"]
                | .linux.namespaces += [{type: "user"}]
                | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings
                | .mounts |= map(if .destination == "/sys/fs/cgroup" then .options -= ["ro"] else . end)'
        run sd run one
        contains "$output" "0::/x"
        contains "$output" "memory.max: Permission denied"
        unit_is_gone hodrun-one.scope
}
