#!/usr/bin/env bats
# What config.json, names and values may not bring about: rows 28, 29, 31, 32, 39 to 48, 50 to 56, 59, 62, 82 and 127 of
# docs/security.md. Each attack has its control beside it.

load lib
load hodrun
setup_file() {
        hodrun_setup_file
        hod import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
        helper sys
        helper key
}
teardown_file() { e2e_teardown; }
setup() { hodrun_setup; }
teardown() {
        e2e_clean
        hodrun_teardown
}

probe() { add "{\"source\": \"$T/$1\", \"destination\": \"/x-$1\", \"options\": [\"bind\", \"ro\"]}"; }
caps() { edit '.process.capabilities |= map_values(. + $ARGS.positional)' --args -- "$@"; }
x86() { [[ $(uname -m) == x86_64 ]] || skip "x86_64 only"; }

@test "row 28 CVE-2015-3630, CVE-2017-16539, CVE-2018-10892: what of /proc and /sys can be opened for writing" {
        args 'for d in /proc /sys; do find $d -xdev -path "/proc/[0-9]*" -prune -o -type f -print 2>/dev/null; done | while read -r f; do ( : >>$f ) 2>/dev/null && echo $f; done'
        go | grep -vE '^/proc/(pressure/(io|cpu|memory|irq)|self/|thread-self/|timerslack)' >"$T/writable" || true
        is "$(cat "$T/writable")" ''
        args 'cat /proc/kcore /proc/keys /proc/timer_list /proc/latency_stats 2>/dev/null | wc -c; ls /sys/firmware /proc/acpi /proc/scsi /proc/asound 2>/dev/null | grep -v :'
        is "$(go | tr -d '\n ')" 0
        # Control: without masks they have content.
        edit '.linux.maskedPaths = []'
        args 'cat /proc/keys /proc/timer_list | wc -c'
        (($(go) > 0))
}

@test "row 29 GHSA-jq35-85cj-fj4p, GHSA-6fw5-f8r9-fgfm: counters of power and interrupts" {
        run hod run --rm busybox sh -c 'cat /proc/interrupts | wc -c; ls /sys/devices/virtual/powercap 2>/dev/null | wc -l'
        is "$output" $'0\n0'
        run hod run --rm --security-opt systempaths=unconfined busybox sh -c 'cat /proc/interrupts | wc -c'
        ((output > 0))
        # hodrun hides what it is told to.
        edit '.linux.maskedPaths += ["/proc/interrupts"]'
        args 'cat /proc/interrupts | wc -c'
        is "$(go)" 0
}

@test "row 31 CVE-2021-43784: large configurations are taken as they are, or refused" {
        python3 - <<'END'
import json
c = json.load(open("config.json"))
c["process"]["env"] += ["BIG%d=%s" % (i, "x" * 10000) for i in range(90)]
c["mounts"] += [{"type": "tmpfs", "source": "tmpfs", "destination": "/m/%d" % i} for i in range(300)]
json.dump(c, open("config.json", "w"))
END
        args 'grep -c " /m/" /proc/mounts; env | grep -c ^BIG; echo ${#BIG89}'
        is "$(go)" $'300\n90\n10000'
        # The kernel takes a page of text and 340 lines; more is an error, not a short map.
        python3 - <<'END'
import json
c = json.load(open("config.json"))
c["mounts"] = c["mounts"][:7]
c["linux"]["namespaces"].append({"type": "user"})
c["linux"]["uidMappings"] = [{"containerID": i, "hostID": 100000 + i, "size": 1} for i in range(200)]
c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 1000}]
json.dump(c, open("config.json", "w"))
END
        chown 100000:100000 rootfs
        args 'wc -l </proc/self/uid_map; tail -n 1 /proc/self/uid_map | tr -s " "'
        is "$(go)" $'200\n 199 100199 1'
        edit '.linux.uidMappings += [range(200; 5000) | {containerID: ., hostID: (100000 + .), size: 1}]'
        refused 1 'uid_map|mappings' go
        edit '.linux.uidMappings = .linux.uidMappings[:1] | .linux.namespaces += [{type: "network", path: ("/proc/" + ("x" * 70000))}]'
        refused 1 'namespace|name too long' go
}

@test "row 32 CVE-2024-40635, CVE-2016-3697, CVE-2026-46680: ids are numbers, of 32 bits, and never anybody's name" {
        mkdir -p rootfs/etc
        printf '%s\n' '1000:x:0:0::/:/bin/sh' '2147483648:x:0:0::/:/bin/sh' >rootfs/etc/passwd
        background
        local id
        for id in 1000 2147483648 4294967294; do is "$(hodrun exec -u "$id:$id" c sh -c 'id -u; id -g')" "$id"$'\n'"$id"; done
        for id in 4294967295 4294967296 -1 0x0 +1 ' 1' 1:4294967296 1:-1 '' root 1: 18446744073709551616; do
                run hodrun exec -u "$id" c id -u
                [[ $status != 0 || $id == '' ]] || fail "«$id» was $output"
                unlike "$output" '^0$' || [[ $id == '' ]]
        done
        hodrun delete -f c
        for id in 4294967296 -1 1.5 '"0"'; do
                edit '.process.user.uid = $u' --argjson u "$id"
                run_args id -u
                refused 1 'uid' go
        done
        edit '.process.user.uid = 2147483648'
        is "$(go)" 2147483648
        run hod run --rm -u 4294967296 busybox id -u
        [[ $status != 0 ]]
}

@test "row 39 CVE-2025-47291, CVE-2023-6476: limits are where the process is, with a user namespace and odd annotations, too" {
        edit '.annotations = {"org.systemd.property.TasksMax": "1", "io.kubernetes.cri-o.unified": "x", "run.oci.systemd.force_cgroup_v1": "/x\n0"}
                | .linux.resources = (.linux.resources + {pids: {limit: 33}, memory: {limit: 33554432}})'
        local user pid at
        args 'true'
        refused 1 'run.oci.systemd.force_cgroup_v1' go
        edit 'del(.annotations["run.oci.systemd.force_cgroup_v1"])'
        for user in no yes; do
                [[ $user == no ]] || userns
                background
                pid=$(hodrun state c | jq .pid)
                at=$(grep -E ':pids:|^0::' "/proc/$pid/cgroup" | head -n 1 | cut -d: -f3)
                is "$at" "$CG-c"
                is "$(cat /sys/fs/cgroup/{pids,.}"$at/pids.max" 2>/dev/null | head -n 1)" 33
                is "$(cat "/sys/fs/cgroup/memory$at/memory.limit_in_bytes" "/sys/fs/cgroup$at/memory.max" 2>/dev/null | head -n 1)" 33554432
                hodrun delete -f c
        done
}

@test "row 40 GHSA-g54h-m393-cpwq: without rules for devices nothing is allowed but the usual ones" {
        local rules
        caps CAP_MKNOD
        for rules in null '[]' '[{"allow": false, "access": "rwm"}]'; do
                edit '.linux.resources = {devices: $d}' --argjson d "$rules"
                args 'for n in "b 8 0" "b 7 0" "c 1 1" "c 10 237"; do mknod /dev/x $n && (head -c 1 /dev/x 2>&1 | grep -c "not permitted"); rm -f /dev/x; done; head -c 3 /dev/zero | wc -c'
                is "$(go)" $'1\n1\n1\n1\n3' "rules $rules"
        done
        # Control.
        edit '.linux.resources = {devices: [{allow: false, access: "rwm"}, {allow: true, type: "b", major: 7, minor: 0, access: "r"}]}'
        args 'mknod /dev/x b 7 0; ( : </dev/x ) && echo opened; ( : >/dev/x ) 2>&1 | grep -c "not permitted"'
        is "$(go)" $'opened\n1'
}

@test "row 41 CVE-2026-115520, CVE-2026-119101, CVE-2026-119614: odd bytes in a destination are part of its name" {
        mkdir -p "$T/src"
        echo mine >"$T/src/f"
        local name
        for name in 'a]:b' 'a,b' 'a=b' $'a\nb' 'a b' 'a\b' 'a:b' '[x]'; do
                edit '.mounts |= map(select(.options != ["bind", "ro"]))'
                edit '.mounts += [{source: $s, destination: ("/" + $d), options: ["bind", "ro"]}]' --arg s "$T/src" --arg d "$name"
                run_args sh -c 'cat "/$1/f"; touch "/$1/g" 2>&1 | grep -c Read-only; grep -c " /.* ext4 ro\| ro,.*" /proc/mounts >/dev/null; true' x "$name"
                is "$(go)" $'mine\n1'
        done
        # Never writable for a moment: the attributes are set before anybody can see the mount.
        strace -f -e trace=open_tree,mount_setattr,move_mount -o "$T/strace" "$HOD_BIN/hodrun" --root "$T/run" run c >/dev/null
        like "$(grep -m 1 -A 3 "open_tree.*$T/src" "$T/strace")" 'mount_setattr.*RDONLY'
}

@test "row 42 CVE-2024-8676, CVE-2026-53489, CVE-2026-53492, CVE-2026-94603: no annotation makes a checkpoint of a bundle" {
        edit '.annotations = {"io.podman.annotations.checkpoint.runtime.name": "hodrun", "io.podman.annotations.checkpoint.name": "c",
                "org.criu.checkpoint": "/", "run.oci.handler": "krun", "module.wasm.image/variant": "compat"}'
        mkdir -p checkpoint
        echo '{"process": {"args": ["evil"]}}' >checkpoint/config.json
        args 'echo ordinary'
        run go
        contains "$output" ordinary || like "$output" 'run.oci.handler'
        edit 'del(.annotations["run.oci.handler"])'
        is "$(go)" ordinary
}

@test "row 43 CVE-2026-84042, row 45 CVE-2022-1227: no program of the image or of a relative PATH is run by the runtime" {
        local p
        mkdir -p trojan
        for p in ps nsenter sh tar xz ls nft ip mount criu newuidmap newgidmap passt; do
                printf '#!/bin/sh\necho "%s ran" >>%s\n' "$p" "$T/trojan" >"trojan/$p"
                chmod 755 "trojan/$p"
                [[ $p == sh || $p == ls ]] || cp --remove-destination "trojan/$p" "rootfs/bin/$p"
        done
        cp trojan/* .
        export PATH=.:$PWD/rootfs/bin:$PWD/trojan:$PATH
        background
        like "$(hodrun ps c)" 'PID'
        hodrun exec c /bin/busybox true
        hodrun pause c
        hodrun resume c
        hodrun delete -f c
        userns
        args 'true'
        go
        [[ ! -e $T/trojan ]] || fail "$(cat "$T/trojan")"
        # Control: the container runs what is in the image.
        run_args nsenter
        run go
        contains "$output" '/bin/nsenter'
        [[ ! -e $T/trojan ]]
}

@test "row 44 CVE-2025-23266: a hook gets its own environment, nothing of the image's or the caller's" {
        edit '.process.env += ["LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/", "GCONV_PATH=/", "PYTHONPATH=/", "BASH_ENV=/evil", "HOME=/evil"]
                | .hooks = {createRuntime: [{path: "/usr/bin/env"}, {path: "/bin/sh", args: ["sh", "-c", "/usr/bin/env >$OUT"], env: ["OUT=hook-env"]}],
                        createContainer: [{path: "/bin/sh", args: ["sh", "-c", "/usr/bin/env >$OUT"], env: [$o]}],
                        poststop: [{path: "/bin/sh", args: ["sh", "-c", "/usr/bin/env >$OUT"], env: ["OUT=hook-env3"]}]}' --arg o "OUT=$PWD/hook-env2"
        args 'echo $LD_LIBRARY_PATH'
        is "$(SECRET=caller go)" /
        local f
        for f in hook-env hook-env3; do is "$(grep -vE '^(PWD|_|SHLVL|OLDPWD)=' $f)" "OUT=$f"; done
        is "$(grep -vE '^(PWD|_|SHLVL|OLDPWD)=' hook-env2)" "OUT=$PWD/hook-env2"
}

# syscall numbers of x86_64; in the default filter of hod.
in_hod() { hod run --rm "${@:2}" -v "$T/sys:/sys1" busybox sh -c "$1"; }

@test "row 46 CVE-2022-0492, CVE-2022-0185: new user namespaces and file systems are not for a container" {
        x86
        # unshare(NEWUSER), clone3, fsopen, mount
        is "$(in_hod '/sys1 272 0x10000000; /sys1 435 0 0; /sys1 430 0 0; mount -t cgroup x /mnt 2>&1 | grep -c "not permitted\|denied"')" $'EPERM\nENOSYS\nEPERM\n1'
        is "$(in_hod '/sys1 272 0x10000000' --security-opt seccomp=unconfined)" ok
}

@test "row 47 CVE-2026-31431: no AF_ALG socket, by any entry; others still work" {
        x86
        is "$(in_hod '/sys1 41 38 5 0; /sys1 41 0x100000026 5 0; /sys1 41 1 1 0; /sys1 41 2 1 0')" $'EPERM\nEPERM\nok\nok'
        # i386: socketcall(SOCKET, ...) and socket.
        out=$(in_hod '/sys1 -32 102 1 @38,5,0; /sys1 -32 359 38 5 0; /sys1 -32 102 1 @1,1,0; /sys1 -32 359 1 1 0')
        [[ $out != *ok*ok*ok* ]] || fail "$out"
        is "$(tail -n 1 <<<"$out")" ok
        # x32
        unlike "$(in_hod '/sys1 0x40000029 38 5 0')" ok
}

@test "row 48 CVE-2026-123876: rules about arguments see what the kernel sees" {
        x86
        # An int is compared as an int where the profile masks it; otherwise all 64 bits are, as the profile says.
        probe sys
        edit '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], syscalls: [
                {names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 13, args: [{index: 0, value: 4294967295, valueTwo: 1, op: "SCMP_CMP_MASKED_EQ"}]},
                {names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 22, args: [{index: 0, value: 2, op: "SCMP_CMP_EQ"}]}]}'
        args '/x-sys 41 1 1 0; /x-sys 41 0x500000001 1 0; /x-sys 41 2 1 0; /x-sys 41 16 3 0; /x-sys -32 359 1 1 0'
        is "$(go)" $'EACCES\nEACCES\nEINVAL\nok\nEACCES'
        # Against a model: all operators, random values on both sides of 32 bits.
        args 'sh /tests'
        python3 - "$T" <<'END' # (jq would round large numbers)
import json, random, sys
random.seed(48)
M = (1 << 64) - 1
ops = {"NE": lambda a, v, w: a != v, "LT": lambda a, v, w: a < v, "LE": lambda a, v, w: a <= v, "EQ": lambda a, v, w: a == v,
       "GE": lambda a, v, w: a >= v, "GT": lambda a, v, w: a > v, "MASKED_EQ": lambda a, v, w: a & v == w}
edge = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, (1 << 32) + 1, M, M - 1, 1 << 63]
def pick(): return random.choice(edge) if random.random() < .7 else random.getrandbits(64)
rules, tests, want = [], [], []
# Numbers that no kernel has: what comes back is the filter's doing, or ENOSYS. Here: getppid (110) ignores arguments.
calls = {110: "getppid", 102: "getuid", 104: "getgid", 107: "geteuid", 108: "getegid", 39: "getpid", 111: "getpgrp"}
model = {}
for nr, name in calls.items():
    args = []
    for index in random.sample(range(6), 2):
        op = random.choice(list(ops)); v = pick(); w = pick()
        if op == "MASKED_EQ": w &= v
        args.append({"index": index, "value": v, "valueTwo": w, "op": "SCMP_CMP_" + op})
    rules.append({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": args})
    model[nr] = args
for _ in range(400):
    nr = random.choice(list(calls)); a = [pick() for _ in range(6)]
    for r in model[nr]:
        if random.random() < .6: a[r["index"]] = (r["valueTwo"] if "MASKED" in r["op"] else r["value"]) & M
    hit = all(ops[r["op"][9:]](a[r["index"]], r["value"], r["valueTwo"]) for r in model[nr])
    tests.append("/x-sys %d %s" % (nr, " ".join(map(str, a)))); want.append("EACCES" if hit else "ok")
c = json.load(open("config.json"))
c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules}
json.dump(c, open("config.json", "w"))
open("rootfs/tests", "w").write("\n".join(tests) + "\n")
open(sys.argv[1] + "/want", "w").write("\n".join(want) + "\n")
END
        go >"$T/got"
        diff "$T/want" "$T/got" || fail "the filter and the model differ"
        (($(grep -c EACCES "$T/want") > 20))
}

@test "row 50 CVE-2021-43816: nothing is relabelled" {
        cp config.json plain.json
        edit '.linux.mountLabel = "system_u:object_r:container_file_t:s0"'
        add "{\"source\": \"$T/canary\", \"destination\": \"/m\", \"options\": [\"bind\", \"z\"]}"
        args 'true'
        run go
        untouched
        is "$(getfattr -h -m security.selinux "$T/canary" 2>/dev/null)" ''
        cp plain.json config.json
        add "{\"source\": \"$T/canary\", \"destination\": \"/m\", \"options\": [\"bind\", \"ro\"]}"
        args 'cat /m/file'
        is "$(go)" precious
}

@test "row 51 CVE-2022-0532, GHSA-w2j5-3rcx-vx7x: sysctls that are the host's are refused" {
        find /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/{msgmax,core_pattern,hostname} -type f -exec sh -c 'echo "$1 $(cat "$1")"' x {} \; >"$T/sysctl"
        args 'true'
        local key
        for key in kernel.core_pattern net/../kernel/core_pattern /kernel/core_pattern net//ipv4/ip_forward vm.swappiness kernel.sysrq fs.file-max \
                kernel.hostname ../etc/passwd net.ipv4/../../kernel/core_pattern; do
                edit '.linux.sysctl = {($k): "0"}' --arg k "$key"
                refused 1 'sysctl|kernel parameter' go
        done
        cp config.json plain.json
        edit '.linux.sysctl = {"net.ipv4.ip_forward": "1"} | .linux.namespaces |= map(select(.type != "network"))'
        drop /sys
        refused 1 'not allowed|sysctl' go
        cp plain.json config.json
        edit '.linux.sysctl = {"kernel.msgmax": "1"} | .linux.namespaces |= map(select(.type != "ipc"))'
        drop /dev/mqueue
        refused 1 'not allowed|sysctl' go
        cp plain.json config.json
        find /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/{msgmax,core_pattern,hostname} -type f -exec sh -c 'echo "$1 $(cat "$1")"' x {} \; >"$T/sysctl2"
        diff "$T/sysctl" "$T/sysctl2"
        edit '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "9000"}'
        args 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'
        is "$(go)" $'1\n9000'
}

@test "row 52 CVE-2022-0811: a value of a sysctl is one value of that one key" {
        local value was forward
        was=$(cat /proc/sys/kernel/core_pattern)
        forward=$(cat /proc/sys/net/ipv4/ip_forward)
        args 'cat /proc/sys/kernel/domainname; hostname'
        for value in '1+kernel.core_pattern=|/evil' $'1\nkernel.core_pattern=|/evil' '1 kernel.core_pattern=x' '1=2'; do
                edit '.linux.sysctl = {"net.ipv4.ip_forward": $v}' --arg v "$value"
                run go
                is "$(cat /proc/sys/kernel/core_pattern)" "$was"
                is "$(cat /proc/sys/net/ipv4/ip_forward)" "$forward"
                is "$status" 1 "$value"
        done
        edit '.linux.sysctl = {"net.ipv4.ping_group_range": "1 5"}'
        args 'cat /proc/sys/net/ipv4/ping_group_range'
        like "$(go)" $'1\\s+5'
}

@test "row 53 CVE-2024-3154: an annotation executes nothing on the host" {
        edit '.annotations = {"org.systemd.property.ExecStartPre": "touch '"$T"'/executed", "org.systemd.property.SuccessAction": "\"poweroff\""}'
        args 'echo ran'
        is "$(go)" ran
        [[ ! -e $T/executed ]]
}

@test "row 54 CVE-2022-4318, CVE-2026-15809, row 55 CVE-2026-23953: line ends in values make no lines" {
        mkdir -p rootfs/etc
        echo 'root:x:0:0::/root:/bin/sh' >rootfs/etc/passwd
        edit '.process.env += [$e] | .annotations = {"a": $e, ($e): "b"}' --arg e $'VALUE=one\ntwo: "three"\\\t\x01'
        args 'printf %s "$VALUE" | md5sum; wc -l </etc/passwd'
        is "$(go)" "$(printf %s $'one\ntwo: "three"\\\t\x01' | md5sum)"$'\n1'
        background
        is "$(hodrun state c | jq -r .annotations.a)" $'VALUE=one\ntwo: "three"\\\t\x01'
        is "$(hodrun exec -e $'X=1\n2' c sh -c 'printf %s "$X" | wc -l; env | grep -c "^2$"')" $'1\n1'
        is "$(hodrun list -f json | jq length)" 1
        hodrun delete -f c
        # A home of the image's with control bytes is none.
        printf 'root:x:0:0::/ro\tot:/bin/sh\n' >rootfs/etc/passwd
        edit '.process.env |= map(select(startswith("HOME=") | not))'
        args 'echo $HOME'
        is "$(go)" /
        printf 'root:x:0:0::/real:/bin/sh\n' >rootfs/etc/passwd
        is "$(go)" /real
        # Ids and host names.
        refused 1 'invalid container ID' hodrun run $'c\nd'
        edit '.hostname = "a\nb"'
        args 'hostname | wc -l'
        run go
        [[ $status == 1 || $output == 2 ]]
}

@test "row 56 CVE-2025-64750, CVE-2025-65105: a label that cannot be had is an error" {
        args 'touch /started'
        edit '.process.apparmorProfile = "hod-no-such-profile"'
        refused 1 'apparmor|profile' go
        edit 'del(.process.apparmorProfile) | .process.selinuxLabel = "system_u:system_r:no_such_t:s0"'
        [[ -d /sys/fs/selinux/class ]] || refused 1 'selinux' go
        [[ ! -e rootfs/started ]]
        edit 'del(.process.selinuxLabel)'
        background
        run hodrun exec --apparmor hod-no-such-profile c touch /started
        [[ $status != 0 && ! -e rootfs/started ]]
        hodrun exec c touch /started
        [[ -e rootfs/started ]]
}

@test "row 59 CVE-2015-1331: links and FIFOs where the runtime keeps its files" {
        mkdir -p "$T/run"
        ln -s "$T/canary/dir" "$T/run/c"
        args 'true'
        refused 1 'exist|symbolic|Not a directory|not a directory' go
        refused 1 'exist|symbolic|not a directory|Too many' hodrun state c
        run hodrun delete -f c
        untouched
        rm -f "$T/run/c"
        mkdir "$T/run2"
        ln -s "$T/canary/empty" "$T/run2/@seccomp"
        edit '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chroot"], action: "SCMP_ACT_ERRNO"}]}'
        "$HOD_BIN/hodrun" --root "$T/run2" run c # (without a cache: the link is not followed)
        untouched
        # The pid file replaces a link, it does not follow it.
        ln -s "$T/canary/file" pidfile
        hodrun run --pid-file "$PWD/pidfile" c
        untouched
        [[ ! -L pidfile ]]
        "$HOD_BIN/hodrun" --root "$T/run3" run c
        is "$(stat -c %a "$T/run3")" 700
        # Control.
        args 'echo fine'
        is "$(go)" fine
}

@test "row 62 runc 1.5.3: without a mount namespace the host's mounts keep their propagation" {
        edit '.linux.namespaces |= map(select(.type != "mount")) | .mounts = [] | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
        edit '.linux.rootfsPropagation = "slave"'
        args 'echo ran'
        run go
        untouched
        edit 'del(.linux.rootfsPropagation)'
        is "$(go)" ran
        untouched
        # With one: as well, whatever is asked.
        "$HOD_BIN/hodrun" spec -b "$T/canary/../" 2>/dev/null || true
        rm -f config.json
        "$HOD_BIN/hodrun" spec
        edit '.process.terminal = false | .linux.rootfsPropagation = "shared" | .linux.cgroupsPath = $cg' --arg cg "$CG-c"
        args 'grep -c shared: /proc/self/mountinfo | sed "s/[1-9].*/shared/"'
        is "$(go)" shared
        untouched
}

@test "row 82 CVE-2024-9676, CVE-2026-47262, CVE-2026-61801, CVE-2025-4437: a passwd that never ends" {
        mkdir -p rootfs/etc
        edit '.process.env |= map(select(startswith("HOME=") | not))'
        args 'echo $HOME'
        local kind
        for kind in fifo link zero sparse long many directory; do
                rm -rf rootfs/etc/passwd
                case $kind in
                fifo) mkfifo rootfs/etc/passwd ;;
                link) ln -s "$T/canary/fifo" rootfs/etc/passwd ;;
                zero) mknod rootfs/etc/passwd c 1 5 ;;
                sparse) truncate -s 10G rootfs/etc/passwd ;;
                long) head -c 1048576 /dev/zero | tr '\0' x >rootfs/etc/passwd ;;
                many) seq 1 100000 | sed 's|.*|u&:x:&:1::/h:/bin/sh|' >rootfs/etc/passwd ;;
                directory) mkdir rootfs/etc/passwd ;;
                esac
                run timeout 60 "$HOD_BIN/hodrun" --root "$T/run" run c
                is "$output" / "$kind"
                untouched
        done
        rm -rf rootfs/etc/passwd
        printf 'root:x:0:0::/real:/bin/sh\n' >rootfs/etc/passwd
        is "$(go)" /real
}

@test "row 127 CVE-2024-9341: no file of the image makes the runtime mount something" {
        args 'cut -d" " -f2 /proc/mounts | sort'
        go >"$T/mounts1"
        mkdir -p rootfs/etc/crypto-policies/back-ends rootfs/run/secrets rootfs/usr/share/containers
        ln -s "$T/canary" rootfs/etc/system-fips
        echo "$T/canary:/canary" >rootfs/usr/share/containers/mounts.conf
        go >"$T/mounts2"
        diff "$T/mounts1" "$T/mounts2"
        untouched
}
