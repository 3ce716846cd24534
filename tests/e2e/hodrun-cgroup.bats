#!/usr/bin/env bats
# hodrun and cgroups: limits at the start and by `update`, `events`, `exec --cgroup`, CPU affinity, device rules, and
# that a container's end leaves nothing.

load lib
load hodrun

setup_file() { hodrun_setup_file; }
teardown_file() { e2e_teardown; }
setup() { hodrun_setup; }
teardown() {
        [[ ! -d $T/frozen ]] || umount -l "$T/frozen" 2>/dev/null || true
        hodrun_teardown
}

# dir CONTROLLER [BELOW]: the container's directory.
dir() { if cgroup_v2; then echo "/sys/fs/cgroup$CG-c${2-}"; else echo "/sys/fs/cgroup/$1$CG-c${2-}"; fi; }
# file CONTROLLER V1FILE V2FILE
file() { if cgroup_v2; then cat "$(dir x)/$3"; else cat "$(dir "$1")/$2"; fi; }
limit() { file memory memory.limit_in_bytes memory.max; }
quota() { if cgroup_v2; then cat "$(dir x)/cpu.max"; else echo "$(cat "$(dir cpu)/cpu.cfs_quota_us") $(cat "$(dir cpu)/cpu.cfs_period_us")"; fi; }
pids() { file pids pids.max pids.max; }
stored() { jq -c ".linux.resources$1" "$T/run/c/config.json"; }
no_cgroup() { [[ -z $(find /sys/fs/cgroup -depth -type d -path "*$CG-c*" 2>/dev/null) ]]; }

# bats test_tags=vm
@test "update: every limit by flags, from a file and from the standard input" {
        edit '.linux.resources.memory = {limit: 33554432} | .linux.resources.pids = {limit: 20}
                | .linux.resources.cpu = {shares: 100, quota: 500000, period: 1000000}'
        background
        is "$(limit) $(pids) $(quota)" "33554432 20 500000 1000000"
        hodrun update c --memory 64M --memory-reservation 32M --pids-limit 30 --cpu-share 1024 --cpuset-cpus 0
        is "$(limit) $(pids)" "67108864 30"
        is "$(file memory memory.soft_limit_in_bytes memory.low)" 33554432
        is "$(file cpu cpu.shares cpu.weight)" "$(cgroup_v2 && echo 100 || echo 1024)"
        is "$(file cpuset cpuset.cpus cpuset.cpus)" 0
        hodrun update --cpu-period 900000 c # the quota stays
        is "$(quota)" "500000 900000"
        hodrun update --cpu-quota 600000 c
        is "$(quota)" "600000 900000"
        hodrun update --cpu-quota -1 c
        is "$(quota)" "$(cgroup_v2 && echo max || echo -1) 900000"
        hodrun update --pids-limit -1 c
        is "$(pids)" max
        hodrun update --pids-limit 0 c
        is "$(pids)" 1
        hodrun update -r - c <<<'{"memory": {"limit": 50331648}, "CPU": {"Quota": 20000, "period": 100000}, "pids": {"limit": 12}}'
        is "$(limit) $(pids) $(quota)" "50331648 12 20000 100000"
        echo '{"unknown": 1, "pids": {"limit": 13}}' >res.json
        hodrun update --resources res.json --pids-limit 99 c # "all other options are ignored"
        is "$(pids)" 13
        is "$(stored .pids.limit) $(stored .memory.limit) $(stored .cpu.cpus)" '13 50331648 "0"'
        hodrun update --memory -1 c
        is "$(limit)" "$(cgroup_v2 && echo max || cat /sys/fs/cgroup/memory/memory.limit_in_bytes)"
        is "$(hodrun state c | jq -r .status)" running
}

@test "update: what is refused leaves the container as it was" {
        edit '.linux.resources.memory = {limit: 33554432} | .linux.resources.cpu = {quota: 50000}'
        background
        for bad in '--memory x' '--cpu-quota 1.5' '--pids-limit many' '-r /nosuch' '--cpuset-cpus 4095' '--cpu-quota 5' \
                '--cpu-share -1' '--l3-cache-schema L3:0=f' '--mem-bw-schema MB:0=50' '--nosuch 1'; do
                # shellcheck disable=SC2086  # words
                run -1 hodrun update $bad c
        done
        run -1 hodrun update -r - c <<<'{bad'
        run -1 hodrun update -r - c <<<'{"memory": {"limit": "1"}}'
        contains "$output" memory.limit
        run -1 hodrun update --memory 5M nosuch
        contains "$output" "container does not exist"
        # The first is taken, the second not: taken back.
        run -1 hodrun update --memory 16M --cpu-quota 5 c
        is "$(limit) $(quota)" "33554432 50000 100000"
        is "$(stored .memory.limit)" 33554432
        run -0 hodrun update --kernel-memory 1M c
        contains "$output" "Kernel memory settings are ignored"
        hodrun kill c KILL
        eventually 5 eval '[[ $(hodrun state c | jq -r .status) == stopped ]]'
        run -1 hodrun update --pids-limit 5 c
        contains "$output" "container not running"
}

# bats test_tags=vm
@test "update: swap is memory and swap together, in the order that the kernel takes" {
        edit '.linux.resources.memory = {limit: 33554432, swap: 67108864}'
        background
        swap() { file memory memory.memsw.limit_in_bytes memory.swap.max; }
        is "$(swap)" "$(cgroup_v2 && echo 33554432 || echo 67108864)"
        hodrun update --memory 100M --memory-swap 120M c # above the old sum
        is "$(limit) $(swap)" "$((100 << 20)) $(($(cgroup_v2 && echo 20 || echo 120) << 20))"
        hodrun update --memory 30M --memory-swap 50M c # and below again
        is "$(limit) $(swap)" "$((30 << 20)) $(($(cgroup_v2 && echo 20 || echo 50) << 20))"
        hodrun update --memory 40M c # the sum stays
        is "$(limit) $(swap)" "$((40 << 20)) $(($(cgroup_v2 && echo 10 || echo 50) << 20))"
        hodrun update --memory-swap -1 c
        is "$(limit)" $((40 << 20))
        is "$(swap)" "$(cgroup_v2 && echo max || cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes)"
        run -1 hodrun update -r - c <<<'{"memory": {"limit": 1024, "checkBeforeUpdate": true}}'
        is "$(hodrun state c | jq -r .status)" running
}

# bats test_tags=vm
@test "cpu.idle takes the shares, and gives them back" {
        [[ -e /sys/fs/cgroup/cpu/cpu.idle ]] || cgroup_v2 || skip "needs Linux 5.15"
        edit '.linux.resources.cpu = {shares: 512, idle: 1}'
        background
        is "$(file cpu cpu.idle cpu.idle)" 1
        hodrun update --cpu-period 10000 c
        is "$(file cpu cpu.idle cpu.idle)" 1
        run -1 hodrun update --cpu-idle 2 c
        hodrun update --cpu-idle 0 c
        is "$(file cpu cpu.idle cpu.idle) $(file cpu cpu.shares cpu.weight)" "0 $(cgroup_v2 && echo 59 || echo 512)"
}

# bats test_tags=vm
@test "events: counters in the form that containerd parses, now and then, until the end" {
        edit '.linux.resources.memory = {limit: 33554432}'
        background
        hodrun events --stats c >stats
        is "$(jq -r '.type, .id, (.data | keys | join(" "))' stats | paste -sd, -)" \
                "stats,c,blkio cpu cpuset hugetlb intel_rdt memory network_interfaces pids"
        is "$(jq '.data | .memory.usage.limit == 33554432 and .memory.usage.usage > 0 and .pids.current >= 1
                and .cpu.usage.total > 0 and (.memory.raw | length > 10) and (.memory.usage.failcnt == 0)' stats)" true
        hodrun events --interval 50ms c >seen 3>&- &
        twice() { (($(wc -l <seen) >= 2)); }
        eventually 10 twice
        hodrun delete -f c
        wait $!
        [[ $(jq -r .type seen | sort -u) == stats && $(wc -l <seen) -ge 2 ]] || fail "$(cat seen)"
        run -1 hodrun events c
        contains "$output" "container does not exist"
}

@test "events: bad intervals, containers that do not run" {
        background
        run -1 hodrun events --interval 0s c
        contains "$output" "duration interval must be greater than 0"
        run -1 hodrun events --interval soon c
        hodrun kill c KILL
        eventually 5 eval '[[ $(hodrun state c | jq -r .status) == stopped ]]'
        run -1 hodrun events --stats c
        contains "$output" "container with id c is not running"
}

# bats test_tags=vm
@test "events: the end of a process for want of memory" {
        edit '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
        background
        hodrun events --interval 1h c >seen 3>&- &
        # (Nothing tells when it has begun to look.)
        for _ in {1..20}; do
                run ! timeout 60 "$HOD_BIN/hodrun" --root "$T/run" exec c sh -c 'x=$(yes | head -c 90000000)'
                for _ in {1..20}; do ! grep -qx '{"type":"oom","id":"c"}' seen || break 2; sleep 0.1; done
        done
        grep -qx '{"type":"oom","id":"c"}' seen
        hodrun delete -f c
        wait $!
}

# bats test_tags=vm
@test "exec --cgroup: below the container's own, and nowhere else" {
        background
        run ! hodrun exec --cgroup .. c true
        contains "$output" "bad sub cgroup path"
        run ! hodrun exec --cgroup ../../x c true
        run ! hodrun exec --cgroup nosuch c true
        contains "${output,,}" "no such file"
        run ! hodrun exec --cgroup whaaat:/ c true
        contains "$output" "unknown controller"
        hodrun exec --cgroup / c true
        if cgroup_v2; then
                mkdir "$(dir x)/sub"
                contains "$(hodrun exec --cgroup sub c cat /proc/self/cgroup)" /sub
                return
        fi
        mkdir "$(dir memory)/submem" "$(dir cpu)/subcpu" "$(dir cpuacct)/subcpu"
        hodrun exec --cgroup memory:submem --cgroup cpu,cpuacct:/subcpu c cat /proc/self/cgroup >got
        grep -q ":memory:.*-c/submem$" got && grep -q ":cpuacct:.*-c/subcpu$" got && grep -q ":pids:.*-c$" got || fail "$(cat got)"
        for bad in ':x' 'cpu:a --cgroup cpu:b' 'x --cgroup y'; do
                # shellcheck disable=SC2086  # words
                run ! hodrun exec --cgroup $bad c true
                contains "$output" "invalid --cgroup argument"
        done
}

@test "CPU affinity: that of the caller does not count, that of the configuration does" {
        (($(nproc) > 1)) || skip "one CPU"
        all=$(awk '/^Cpus_allowed_list/ {print $2}' /proc/1/status)
        cpus() { hodrun exec "$@" grep Cpus_allowed_list: /proc/self/status | awk '{print $2}'; }
        background
        is "$(taskset -c 0 "$HOD_BIN/hodrun" --root "$T/run" exec c grep Cpus_allowed_list: /proc/1/status | awk '{print $2}')" "$all"
        is "$(taskset -c 0 "$HOD_BIN/hodrun" --root "$T/run" exec c grep Cpus_allowed_list: /proc/self/status | awk '{print $2}')" "$all"
        echo '{"cwd": "/", "env": ["PATH=/bin"], "args": ["grep", "Cpus_allowed_list:", "/proc/self/status"], "execCPUAffinity": {"initial": "0", "final": "1"}}' >p.json
        is "$(hodrun exec --process p.json c | awk '{print $2}')" 1
        hodrun update --cpuset-cpus 1 c
        is "$(cpus c)" 1
        run ! hodrun exec --process <(jq '.execCPUAffinity.initial = "4094"' p.json) c
        contains "$output" "CPU affinity"
}

# bats test_tags=vm
@test "device rules: the last one decides" {
        edit '.process.capabilities |= map_values(. + ["CAP_SYSLOG", "CAP_MKNOD"])
                | .linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11}]
                | .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"}]'
        background
        hodrun exec c sh -c ': </dev/kmsg && : >/dev/null'
        run ! hodrun exec c sh -c ': >/dev/kmsg'
        contains "$output" "not permitted"
        hodrun update --pids-limit 100 c # changes nothing about devices
        hodrun exec c sh -c ': </dev/kmsg'
        hodrun update -r - c <<<'{"devices": [{"allow": false, "access": "rwm"}]}'
        run ! hodrun exec c sh -c ': </dev/kmsg'
        hodrun exec c sh -c ': >/dev/null' # what every container has
        hodrun delete -f c
        # A hole in what was allowed: v1's interface cannot say it.
        edit '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", access: "rwm"},
                {allow: false, type: "c", major: 1, minor: 11, access: "rw"}]'
        if cgroup_v2; then
                background
                run ! hodrun exec c sh -c ': </dev/kmsg'
                hodrun exec c sh -c ': >/dev/null && : >/dev/kmsg' 2>/dev/null && fail "it may still be written"
                hodrun exec c sh -c ': >/dev/null'
        else
                run -1 hodrun run c
                contains "$output" "cgroup v1 cannot deny a part"
        fi
}

# bats test_tags=vm
@test "a cgroup in which somebody is, or that is frozen, is not taken" {
        background
        run -1 hodrun run d
        contains "$output" "container's cgroup is not empty"
        is "$(hodrun state c | jq -r .status)" running
        hodrun delete -f c
        mkdir -p "$(dir freezer)"
        if cgroup_v2; then echo 1 >"$(dir x)/cgroup.freeze"; else echo FROZEN >"$(dir freezer)/freezer.state"; fi
        run -1 hodrun create c
        contains "$output" "container's cgroup unexpectedly frozen"
        rmdir "$(dir freezer)"
        no_cgroup
}

@test "a cgroup that somebody else has made: what is in it outlives a container that fails" {
        local made=freezer v1=tasks pid
        ! cgroup_v2 || v1=cgroup.procs
        mkdir -p "$(dir $made)"
        sleep 60 3>&- &
        pid=$!
        # As if it came in beside us: `create` of another one, with the same path.
        edit '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", $s]}]' \
                --arg s "echo $pid >$(dir $made)/$v1; echo no; exit 1"
        run hodrun run c
        is "$status" 1
        kill -0 "$pid"
        [[ -d $(dir $made) ]]
        kill "$pid"
        wait "$pid" || true
        find /sys/fs/cgroup -depth -type d -path "*$CG-c*" -exec rmdir {} +
        # Control: one of its own goes, with what a hook has left in it.
        sleep 60 3>&- &
        pid=$!
        edit '.hooks.createRuntime[0].args[2] = $s' --arg s "echo $pid >$(dir $made)/$v1; echo no; exit 1"
        run hodrun run c
        is "$status" 1
        wait "$pid" || is $? 137
        no_cgroup
}

@test "pids: 0 is 1, -1 is without, and 1 is enough for a program" {
        run_args true
        edit '.linux.resources.pids = {limit: 1}'
        hodrun run c
        edit '.linux.resources.pids = {limit: 0}'
        background
        is "$(pids)" 1
        run ! hodrun exec c true
        hodrun delete -f c
        edit '.linux.resources.pids = {limit: -1}'
        background
        is "$(pids)" max
}

# bats test_tags=vm
@test "what this version of cgroups does not have is refused, not left out" {
        run_args true
        edit '.linux.resources.unified = {"pids.max": "7"}'
        if cgroup_v2; then
                hodrun run c
                edit '.linux.resources.unified = {"nosuch.max": "7"}'
                run -1 hodrun run c
                contains "$output" "can't be set"
        else
                run -1 hodrun run c
                contains "$output" "invalid configuration: cannot use unified on cgroup v1"
        fi
        edit 'del(.linux.resources.unified) | .linux.resources.rdma = {mlx5_1: {hcaHandles: 1}}'
        run -1 hodrun run c
        edit 'del(.linux.resources.rdma) | .linux.resources.hugepageLimits = [{pageSize: "3MB", limit: 1}]'
        run -1 hodrun run c
        no_cgroup
}

@test "run.oci.delegate-cgroup: the container begins below its own cgroup, which it may divide" {
        if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
                edit '.annotations["run.oci.delegate-cgroup"] = "init"'
                refused 1 'run.oci.delegate-cgroup: only cgroup v2 can delegate' go
        fi
        # Where cgroups are v2, if only for this test.
        v2() {
                unshare -m sh -c '[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup; exec "$@"' sh \
                        "$HOD_BIN/hodrun" --root "$T/run" "$@" </dev/null
        }
        edit '.linux.namespaces += [{type: "cgroup"}] | .mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)'
        local show='grep "^0::" /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs | wc -l; rmdir /sys/fs/cgroup/none 2>/dev/null; mkdir /sys/fs/cgroup/none && echo made'
        args "$show"
        edit 'del(.annotations)'
        like "$(v2 run c)" $'^0::/\n[1-9]\nmade$'
        edit '.annotations["run.oci.delegate-cgroup"] = "/init"'
        is "$(v2 run c)" $'0::/init\n0\nmade'
        # Its controllers, where there are any.
        args 'cd /sys/fs/cgroup; for c in $(cat cgroup.controllers); do echo "+$c" >cgroup.subtree_control || echo "$c"; done; echo divided'
        is "$(v2 run c)" divided
        run_args sleep 1000
        v2 run -d c >/dev/null 2>&1
        is "$(v2 exec c grep ^0:: /proc/self/cgroup)" 0::/
        is "$(v2 ps -f json c)" "[$(hodrun state c | jq .pid)]"
        v2 pause c
        is "$(v2 state c | jq -r .status)" paused
        v2 resume c
        v2 delete -f c
        is "$(find /sys/fs/cgroup -type d -path "*$CG-c*")" ""
        local name
        for name in .. ../x . a/../..; do
                edit '.annotations["run.oci.delegate-cgroup"] = $n' --arg n "$name"
                refused 1 'annotation run.oci.delegate-cgroup: ' v2 run c
        done
}

@test "without permission for cgroups: --rootless true goes without, unless there are limits" {
        run_args cat /proc/self/cgroup
        drop /sys/fs/cgroup
        # shellcheck disable=SC2016
        readonly_cgroups='mount -o remount,bind,ro /sys/fs/cgroup; for m in /sys/fs/cgroup/*/; do mount -o remount,bind,ro "$m" 2>/dev/null; done; "$@"'
        sealed() { unshare -m --propagation private sh -c "$readonly_cgroups" sh "$HOD_BIN/hodrun" --root "$T/run" "$@"; }
        run -1 sealed run c
        contains "${output,,}" "read-only" # there is a path in the configuration
        edit 'del(.linux.cgroupsPath)'
        run -1 sealed --rootless false run c
        run -0 sealed --rootless true run c
        contains_not "$output" "/c"
        edit '.linux.resources.pids = {limit: 10}'
        run -1 sealed --rootless true run c
        contains "$output" "cannot set pids limit: container could not join or create cgroup"
}

# bats test_tags=vm
@test "delete -f: what the container made below its cgroup, stopped there, and what forks" {
        background
        hodrun exec -d --pid-file "$T/pid" c sleep 1000
        hodrun exec -d c sh -c 'while :; do sleep 1000 & sleep 0.01; done'
        mkdir -p "$(dir freezer /a/b)"
        pid=$(<"$T/pid")
        if cgroup_v2; then
                echo "$pid" >"$(dir x /a/b)/cgroup.procs"
                echo 1 >"$(dir x /a)/cgroup.freeze"
        else
                mkdir "$(dir memory /m)"
                echo "$pid" >"$(dir memory /m)/cgroup.procs"
                echo "$pid" >"$(dir freezer /a/b)/cgroup.procs"
                echo FROZEN >"$(dir freezer /a)/freezer.state"
        fi
        hodrun delete -f c
        no_cgroup
        dead "$pid"
        # Without a PID namespace, init gone, the rest stopped by the container.
        edit '.linux.namespaces |= map(select(.type != "pid"))'
        background
        hodrun exec -d --pid-file "$T/pid" c sleep 1000
        init=$(hodrun state c | jq .pid)
        mkdir "$(dir freezer /a)"
        pid=$(<"$T/pid")
        echo "$pid" >"$(dir freezer /a)/cgroup.procs"
        if cgroup_v2; then echo 1 >"$(dir x /a)/cgroup.freeze"; else echo FROZEN >"$(dir freezer /a)/freezer.state"; fi
        kill -9 "$init"
        hodrun delete -f c
        no_cgroup
        eventually 5 dead "$pid"
}

@test "delete -f waits for what is in uninterruptible sleep" {
        command -v fsfreeze >/dev/null && command -v mkfs.ext4 >/dev/null || skip "needs fsfreeze, mkfs.ext4"
        truncate -s 16M "$T/image"
        mkfs.ext4 -q "$T/image"
        mkdir -p "$T/frozen"
        mount -o loop "$T/image" "$T/frozen" || skip "no loop devices"
        add "{\"type\": \"bind\", \"source\": \"$T/frozen\", \"destination\": \"/frozen\", \"options\": [\"bind\"]}"
        background
        fsfreeze -f "$T/frozen"
        hodrun exec -d c sh -c 'echo x >/frozen/file'
        asleep() { # others may be, too
                local pid
                for pid in $(hodrun ps -f json c | jq '.[]'); do ! grep -qs '^State:.D' "/proc/$pid/status" || return 0; done
                return 1
        }
        eventually 5 asleep
        "$HOD_BIN/hodrun" --root "$T/run" delete -f c 3>&- &
        local delete=$! waited=1
        sleep 2
        alive "$delete" || waited=0
        fsfreeze -u "$T/frozen"
        wait "$delete"
        ((waited)) || fail "it was not asleep"
        no_cgroup
        run -1 hodrun state c
        umount "$T/frozen"
        rm -r "$T/frozen" "$T/image"
}
