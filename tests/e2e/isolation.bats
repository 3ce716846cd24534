#!/usr/bin/env bats
# What a container sees and may do by default, and what each flag changes (golden, section 4).

load lib
setup_file() {
        e2e_setup
        hod run -d --name dd busybox sleep 100000 >/dev/null
}
teardown_file() { e2e_teardown; }

status_line() { awk -v k="$1:" '$1 == k {print $2}'; }

# bats test_tags=asan
@test "capabilities: docker's fourteen; none inheritable or ambient" {
        out=$(hod run --rm busybox cat /proc/self/status)
        for set in CapPrm CapEff CapBnd; do is "$(status_line $set <<<"$out")" 00000000a80425fb $set; done
        for set in CapInh CapAmb; do is "$(status_line $set <<<"$out")" 0000000000000000 $set; done
        is "$(status_line NoNewPrivs <<<"$out")" 0
        is "$(status_line Seccomp <<<"$out")" 2
        is "$(status_line Seccomp_filters <<<"$out")" 1
        is "$(status_line Umask <<<"$out")" 0022
        out=$(hod run --rm -u 1000 busybox cat /proc/self/status)
        is "$(status_line CapEff <<<"$out")" 0000000000000000
        is "$(status_line CapBnd <<<"$out")" 00000000a80425fb
}

# bats test_tags=vm
@test "--cap-add, --cap-drop" {
        cap() { hod run --rm "$@" busybox grep CapBnd /proc/self/status | awk '{print $2}'; }
        all=$(status_line CapBnd </proc/self/status)
        is "$(cap --cap-add SYS_ADMIN)" 00000000a82425fb
        is "$(cap --cap-drop ALL --cap-add net_raw)" 0000000000002000
        is "$(cap --cap-drop ALL)" 0000000000000000
        is "$(cap --cap-add ALL)" "$all"
        is "$(cap --cap-add CAP_NET_ADMIN --cap-drop chown)" 00000000a80435fa
        refused 125 'unknown capability' hod run --rm --cap-add BOGUS busybox true
        run hod run --rm --cap-drop CHOWN busybox chown 1 /tmp
        like "$output" 'not permitted'
}

@test "--cap-add refuses what the machine has taken from everybody; to drop it is no error" {
        with=(setpriv --bounding-set=-sys_time "$HOD_BIN/hod" run --rm --network none)
        refused 125 'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_TIME"' \
                "${with[@]}" --cap-add sys_time busybox true
        "${with[@]}" --cap-drop sys_time --cap-add ALL busybox true
}

# bats test_tags=vm
@test "seccomp: what is refused, what works, what a capability opens" {
        run hod run --rm busybox sh -c 'unshare -U true; mount -t tmpfs x /mnt; hostname x; date -s 2020-01-01; dmesg'
        like "$output" 'unshare.*not permitted'
        like "$output" 'mount: permission denied'
        like "$output" 'sethostname: Operation not permitted'
        like "$output" "can't set date: Operation not permitted"
        like "$output" 'klogctl: Operation not permitted'
        hod run --rm --cap-add SYS_ADMIN busybox sh -c 'mkdir /m && mount -t tmpfs x /m && grep -q " /m " /proc/mounts'
        hod run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox unshare -U true
}

@test "--security-opt seccomp=unconfined and seccomp=FILE" {
        is "$(hod run --rm --security-opt seccomp=unconfined busybox cat /proc/self/status | status_line Seccomp)" 0
        cat >"$T/p.json" <<-'END'
		{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
		 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
		END
        run hod run --rm --security-opt "seccomp=$T/p.json" busybox mkdir /x
        like "$output" 'not permitted'
        hod run --rm --security-opt "seccomp=$T/p.json" busybox touch /x
        run hod run --rm --security-opt "seccomp:$T/p.json" busybox mkdir /x
        like "$output" 'not permitted'
        # The content belongs to the container from its making on.
        hod create --name kept --security-opt "seccomp=$T/p.json" busybox mkdir /x >/dev/null
        rm "$T/p.json"
        run hod start -a kept
        like "$output" 'not permitted'
        refused 125 'no such file' hod run --rm --security-opt seccomp=/nosuch.json busybox true
        echo '{bad' >"$T/bad.json"
        refused 125 'json|seccomp' hod run --rm --security-opt "seccomp=$T/bad.json" busybox true
        refused 125 'invalid --security-opt' hod run --rm --security-opt bogus=1 busybox true
}

@test "--security-opt no-new-privileges" {
        is "$(hod run --rm --security-opt no-new-privileges busybox cat /proc/self/status | status_line NoNewPrivs)" 1
        is "$(hod run --rm --security-opt no-new-privileges:true busybox cat /proc/self/status | status_line NoNewPrivs)" 1
        is "$(hod run --rm --security-opt no-new-privileges=false busybox cat /proc/self/status | status_line NoNewPrivs)" 0
}

@test "the mount table is docker's" {
        out=$(hod exec dd awk '{for (i = 7; $i != "-"; i++); print $5, $6, $(i+1)}' /proc/self/mountinfo)
        while read -r line; do
                grep -qxF -- "$line" <<<"$out" || fail "no line «$line» in:" "$out"
        done <<-'END'
		/ rw,relatime overlay
		/proc rw,nosuid,nodev,noexec,relatime proc
		/dev rw,nosuid tmpfs
		/dev/pts rw,nosuid,noexec,relatime devpts
		/sys ro,nosuid,nodev,noexec,relatime sysfs
		/dev/mqueue rw,nosuid,nodev,noexec,relatime mqueue
		/dev/shm rw,nosuid,nodev,noexec,relatime tmpfs
		/proc/bus ro,nosuid,nodev,noexec,relatime proc
		/proc/fs ro,nosuid,nodev,noexec,relatime proc
		/proc/irq ro,nosuid,nodev,noexec,relatime proc
		/proc/sys ro,nosuid,nodev,noexec,relatime proc
		/proc/acpi ro,relatime tmpfs
		/sys/firmware ro,relatime tmpfs
		END
        for f in resolv.conf hostname hosts; do grep -q "^/etc/$f rw,relatime " <<<"$out"; done
        for f in interrupts keys timer_list; do
                [[ ! -e /proc/$f ]] || grep -q "^/proc/$f " <<<"$out" || fail "/proc/$f is open"
        done
}

# bats test_tags=vm
@test "masked and read-only paths" {
        hod exec dd sh -c 'for f in /proc/keys /proc/timer_list /proc/interrupts /proc/kcore; do [ ! -e $f ] || [ "$(head -c 1 $f | wc -c)" = 0 ] || echo "$f"; done
                for d in /proc/acpi /proc/scsi /proc/asound /sys/firmware /sys/devices/virtual/powercap /sys/devices/system/cpu/cpu*/thermal_throttle; do [ -z "$(ls -A $d 2>/dev/null)" ] || echo "$d"; done' >"$T/out"
        is "$(cat "$T/out")" ''
        # Opening is enough (and writing would hurt the host if the protection were missing).
        run hod exec dd sh -c 'for f in /proc/sys/kernel/panic /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/mm/ksm/run; do true >> $f; done; mkdir /sys/fs/cgroup/x'
        unlike "$(grep -v 'Read-only file system\|nonexistent directory' <<<"$output")" . "$output"
        [[ $(grep -c 'Read-only file system' <<<"$output") -ge 3 ]] || fail "$output"
}

# bats test_tags=vm
@test "/dev is docker's" {
        out=$(hod exec dd sh -c 'cd /dev; for f in *; do if [ -L $f ]; then echo "$f -> $(readlink $f)"; elif [ -c $f ]; then stat -c "%n %a %t,%T" $f; else stat -c "%n %a %F" $f; fi; done')
        want='fd -> /proc/self/fd
full 666 1,7
mqueue 1777 directory
null 666 1,3
ptmx -> pts/ptmx
pts 755 directory
random 666 1,8
shm 1777 directory
stderr -> /proc/self/fd/2
stdin -> /proc/self/fd/0
stdout -> /proc/self/fd/1
tty 666 5,0
urandom 666 1,9
zero 666 1,5'
        is "$(grep -v '^core ' <<<"$out")" "$want"
        out=$(pty -- "$HOD_BIN/hod" run --rm -t busybox ls -l /dev/console /dev/pts)
        like "$out" 'crw--w---- +1 root +tty +136, +0 .* /dev/console'
        like "$out" 'crw--w---- +1 root +tty +136, +0 .* 0'
        like "$out" 'ptmx'
}

@test "environment: PATH, HOSTNAME, HOME, TERM with a terminal; nothing else" {
        id=$(hod create --name env busybox env)
        is "$(SECRET=1 hod start -a env)" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOSTNAME=${id:0:12}
HOME=/root"
        hod rm env
        like "$(hod run --rm -t busybox env)" 'TERM=xterm'
        like "$(hod run --rm -u daemon busybox env)" 'HOME=/usr/sbin'
        like "$(hod run --rm -u 1234 busybox env)" 'HOME=/($|[^a-z])'
}

@test "-e, --env-file: later wins, unset names are left out" {
        printf '# c\nX=1\nY\nHOSTVAR\n  Z=sp\n' >"$T/envf"
        out=$(HOSTVAR=h hod run --rm --env-file "$T/envf" -e A=1 -e B= -e HOSTVAR -e UNSETVAR -e A=2 busybox env)
        for line in X=1 HOSTVAR=h Z=sp A=2 B=; do grep -qx -- "$line" <<<"$out" || fail "no $line in" "$out"; done
        unlike "$out" '(^|[^a-zA-Z])(Y|UNSETVAR)='
        refused 125 'no such file' hod run --rm --env-file nosuch busybox env
        echo 'A B=1' >"$T/envb"
        refused 125 'whitespace' hod run --rm --env-file "$T/envb" busybox env
        refused 125 'invalid environment variable' hod run --rm -e =x busybox env
}

@test "/etc/hosts, hostname, resolv.conf" {
        is "$(hod run --rm --network none busybox cat /etc/hosts | tr '\t' ' ')" "127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
fe00:: ip6-localnet
ff00:: ip6-mcastprefix
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters"
        is "$(hod run --rm -h myhost busybox cat /etc/hostname)" myhost
        out=$(hod run --rm --add-host a.b:1.2.3.4 --add-host v6=::1 busybox cat /etc/hosts)
        like "$out" $'1.2.3.4\ta.b'
        like "$out" $'::1\tv6'
        like "$(hod run --rm busybox cat /etc/resolv.conf)" 'nameserver'
        refused 125 'bad format for add-host' hod run --rm --add-host bad busybox true
        refused 125 'invalid IP address' hod run --rm --add-host a:bad busybox true
        is "$(hod run --rm busybox sh -c 'echo x >> /etc/hosts && tail -n 1 /etc/hosts')" x
}

@test "--hostname, --domainname, --uts host" {
        is "$(hod run --rm -h h1 --domainname ex.org busybox sh -c 'hostname; cat /proc/sys/kernel/domainname')" $'h1\nex.org'
        is "$(hod run --rm --uts host busybox hostname)" "$(hostname)"
        refused 125 'hostname and the UTS mode' hod run --rm --uts host -h x busybox true
}

@test "--network none, host, container:X" {
        is "$(hod run --rm --network none busybox sh -c 'ip -o link | wc -l; ping -c 1 -w 2 127.0.0.1 >/dev/null && echo up')" $'1\nup'
        is "$(hod run --rm --network "ns:/proc/$$/ns/net" busybox readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
        is "$(hod run --rm --network host busybox readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
        is "$(hod run --rm --network container:dd busybox readlink /proc/self/ns/net)" "$(hod exec dd readlink /proc/self/ns/net)"
        refused 125 'no such container' hod run --rm --network container:nosuch busybox true
        refused 125 'network nosuch not found' hod run --rm --network nosuch busybox true
}

# bats test_tags=vm
@test "--pid host, container:X; --ipc host, shareable, container:X, none; --cgroupns; --userns host" {
        is "$(hod run --rm --pid host busybox readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"
        like "$(hod run --rm --pid container:dd busybox ps -o args)" 'sleep 100000'
        is "$(hod run --rm --ipc host busybox readlink /proc/self/ns/ipc)" "$(readlink /proc/self/ns/ipc)"
        hod run -d --name sh --ipc shareable busybox sh -c 'echo hi > /dev/shm/f; sleep 1000' >/dev/null
        eventually 5 hod exec sh test -s /dev/shm/f
        is "$(hod run --rm --ipc container:sh busybox cat /dev/shm/f)" hi
        hod rm -f sh
        refused 125 'non-shareable IPC' hod run --rm --ipc container:dd busybox true
        refused 125 'invalid IPC mode' hod run --rm --ipc bogus busybox true
        run hod run --rm --ipc none busybox ls -d /dev/shm
        is "$status" 1
        is "$(hod run --rm --cgroupns host busybox readlink /proc/self/ns/cgroup)" "$(readlink /proc/self/ns/cgroup)"
        [[ $(hod run --rm --cgroupns private busybox readlink /proc/self/ns/cgroup) != "$(readlink /proc/self/ns/cgroup)" ]]
        refused 125 'invalid CGROUP mode' hod run --rm --cgroupns bogus busybox true
        is "$(hod run --rm --userns host busybox cat /proc/self/uid_map | tr -s ' ')" ' 0 0 4294967295'
        refused 125 'no such container' hod run --rm --pid container:nosuch busybox true
}

@test "a container that is joined is meant by its id: its name may change, and be another's" {
        hod run -d --name one --network none --ipc shareable busybox sleep 1000 >/dev/null
        hod create --name join --network container:one --ipc container:one --pid container:one busybox readlink /proc/self/ns/net >/dev/null
        is "$(hod inspect -f '{{.HostConfig.NetworkMode}} {{.HostConfig.PidMode}} {{.HostConfig.IpcMode}}' join)" \
                "$(hod inspect -f 'container:{{.Id}} container:{{.Id}} container:{{.Id}}' one)"
        hod rename one two
        hod run -d --name one --network none busybox sleep 1000 >/dev/null
        is "$(hod start -a join)" "$(hod exec two readlink /proc/self/ns/net)"
        hod rm -f one two join >/dev/null
}

@test "-u: users and groups by name and number" {
        is "$(hod run --rm busybox id)" 'uid=0(root) gid=0(root) groups=0(root),10(wheel)'
        is "$(hod run --rm -u 1000 busybox id)" 'uid=1000 gid=0(root) groups=0(root)'
        is "$(hod run --rm -u 1000:2000 busybox id)" 'uid=1000 gid=2000 groups=2000'
        is "$(hod run --rm -u daemon busybox id)" 'uid=1(daemon) gid=1(daemon) groups=1(daemon)'
        is "$(hod run --rm -u root --group-add 77 --group-add mail busybox id)" 'uid=0(root) gid=0(root) groups=0(root),8(mail),10(wheel),77'
        refused 125 'unable to find user nobodyhere' hod run --rm -u nobodyhere busybox id
        refused 125 'unable to find group nogrp' hod run --rm -u 1000:nogrp busybox id
        refused 125 'range' hod run --rm -u -1 busybox id
}

@test "-w makes the directory; a file or a relative path is refused" {
        is "$(hod run --rm -w /made/here busybox pwd)" /made/here
        refused 125 'absolute path' hod run --rm -w rel busybox pwd
        refused 125 'not a directory' hod run --rm -w /etc/passwd busybox pwd
}

@test "--entrypoint" {
        is "$(hod run --rm --entrypoint echo busybox a b)" 'a b'
        is "$(hod run --rm --entrypoint "" busybox echo c)" c
        refused 125 'no command specified' hod run --rm --entrypoint "" busybox
}

# bats test_tags=vm
@test "--privileged: all capabilities, no filter, devices, writable /sys, nothing masked" {
        out=$(hod run --rm --privileged busybox sh -c 'cat /proc/self/status; ls /dev; grep -cE "proc/(bus|fs|irq|sys|acpi|kcore|keys|scsi|timer)" /proc/self/mountinfo; grep " /sys " /proc/mounts; mkdir /m && mount -t tmpfs x /m && echo mounted')
        is "$(status_line CapEff <<<"$out")" "$(status_line CapBnd </proc/self/status)"
        is "$(status_line Seccomp <<<"$out")" 0
        like "$out" $'\n0\n'
        like "$out" 'sysfs /sys sysfs rw'
        like "$out" mounted
        like "$out" $'\nkmsg\n'
}

@test "--read-only: / and the three files; /dev and tmpfs stay writable" {
        run hod run --rm --read-only --tmpfs /t busybox sh -c 'touch /t/x /dev/shm/x && touch /x; echo y > /etc/hosts'
        is "$(grep -c 'Read-only file system' <<<"$output")" 2 "$output"
        like "$(hod run --rm --read-only busybox grep -E ' / ' /proc/self/mountinfo)" ' / / ro,relatime'
}

@test "--sysctl: of its own namespaces only" {
        is "$(hod run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward)" 1
        is "$(hod run --rm --sysctl kernel.shmmni=77 busybox cat /proc/sys/kernel/shmmni)" 77
        is "$(hod run --rm busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" 0
        is "$(hod run --rm busybox cat /proc/sys/net/ipv4/ping_group_range | tr '\t' ' ')" '0 2147483647'
        refused 125 'not allowed' hod run --rm --sysctl kernel.foo=1 busybox true
        refused 125 'not allowed' hod run --rm --sysctl vm.swappiness=1 busybox true
        refused 125 'not allowed' hod run --rm --network host --sysctl net.ipv4.ip_forward=1 busybox true
}

@test "no descriptor of the host is open inside, none of the engine's directories reachable" {
        out=$(hod run --rm busybox sh -c 'ls -l /proc/1/fd | grep -v total; readlink /proc/1/cwd; readlink /proc/1/root' | sed 's/.* \([0-9]* ->\)/\1/')
        unlike "$out" "$T/root"
        (($(grep -c -- '->' <<<"$out") <= 4)) || fail "$out"
}

@test "hod's own program cannot be written through /proc/self/exe of an entered process" {
        sum=$(sha256sum "$HOD_BIN/hod-monitor" "$HOD_BIN/hod")
        printf '#!/proc/self/exe\n' >"$T/evil"
        chmod +x "$T/evil"
        run hod run --rm -v "$T/evil:/evil" busybox /evil
        hod run -d --name ev -v "$T/evil:/evil" busybox sh -c 'while :; do for p in /proc/[0-9]*; do (exec 3>>$p/exe) 2>/dev/null && echo "wrote $(readlink $p/exe)"; done; done' >/dev/null
        for _ in 1 2 3; do run hod exec ev /evil; done
        unlike "$(hod logs ev | grep -v busybox)" wrote
        hod rm -f ev
        is "$(sha256sum "$HOD_BIN/hod-monitor" "$HOD_BIN/hod")" "$sum"
}

@test "--label, --annotation and others are kept for inspect" {
        hod create --name lab --label a=b -l c --stop-timeout 3 busybox true >/dev/null
        is "$(field lab '{{json .Config.Labels}}')" '{"a":"b","c":""}'
        hod rm lab
}
