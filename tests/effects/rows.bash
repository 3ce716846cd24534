# rows.bash - one row for each flag of `run`: what it does, seen from inside, against what docker does.
#
#   row FLAG 'ARGUMENTS' 'PROBE' 'WANT' [PHASES]
#
# The container runs PROBE (sh); what it prints must match WANT (an extended regular expression, whole text, lines joined
# by one space) in each of PHASES: run, start (again, after stop and start), exec. Without PHASES: all three.
# $(cg V1FILE V2FILE) is the path inside of one of the two, by cgroup version; $(by_version V1 V2) the same for text.
# FILES in ARGUMENTS is a directory with env (variables) and dir/f.
#
#   outside FLAG FUNCTION     the effect is on the host's side: FUNCTION checks it
#
# A flag in the command table without a row here fails the test, and so does a row without a flag.
# shellcheck shell=bash
# shellcheck disable=SC2016  # probes run inside

# --- the program
row entrypoint '--entrypoint /bin/ash' 'cat /proc/1/comm' 'ash' 'run start'
row env '-e A=1 -e B= -e HOSTVAR' 'echo "$A-$B-$HOSTVAR"' '1--fromhost'
row env-file '--env-file FILES/env' 'echo "$X|$Z"' '1\|sp'
row group-add '--group-add 77 --group-add mail' 'id -G' '0 8 10 77'
row hostname '-h nshost' 'hostname; cat /etc/hostname' 'nshost nshost'
row domainname '--domainname ex.org' 'cat /proc/sys/kernel/domainname' 'ex\.org'
row init '--init' 'cat /proc/1/cmdline | tr "\0" " "; i=0; o=$(sh -c "sleep 0.01 >/dev/null & echo \$!"); while kill -0 $o 2>/dev/null && [ $((i += 1)) -lt 500 ]; do sleep 0.02; done; ps -o stat | grep -c Z' '[^ ]*init.* 0'
row tty '-t' 'tty' '/dev/pts/0\r?' 'run start'
row interactive '-i' '[ "$(readlink /proc/1/fd/0)" != /dev/null ] && echo open' 'open'
row user '-u daemon' 'id' 'uid=1\(daemon\) gid=1\(daemon\) groups=1\(daemon\)'
row workdir '-w /made/here' 'pwd' '/made/here'

# --- files
row volume '-v FILES/dir:/to -v FILES/dir:/ro:ro' 'cat /to/f; touch /to/w && echo w; touch /ro/w 2>&1' 'in-dir w touch: /ro/w: Read-only file system'
row mount '--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700 --mount type=bind,src=FILES/dir,dst=/m,readonly' \
        'stat -c %a /t; df -k /t | awk "NR == 2 {print \$2}"; cat /m/f; touch /m/w 2>&1' '700 1024 in-dir touch: /m/w: Read-only file system'
row tmpfs '--tmpfs /t:size=1m' 'grep " /t " /proc/mounts' 'tmpfs /t tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k.*'
row read-only '--read-only' 'touch /x 2>&1; touch /dev/shm/x && echo shm' 'touch: /x: Read-only file system shm'
row shm-size '--shm-size 1m' 'df -k /dev/shm | awk "NR == 2 {print \$2}"' '1024'

# --- isolation
row network '--network host' 'readlink /proc/self/ns/net' "$(readlink /proc/self/ns/net | sed 's/[][]/\\&/g')"
row egress '--egress deny=*' 'ping -c 1 -W 1 "$(ip route | awk "/default/ {print \$3}")" >/dev/null 2>&1 || echo denied' 'denied'
row pid '--pid host' 'readlink /proc/self/ns/pid' "$(readlink /proc/self/ns/pid | sed 's/[][]/\\&/g')"
row ipc '--ipc host' 'readlink /proc/self/ns/ipc' "$(readlink /proc/self/ns/ipc | sed 's/[][]/\\&/g')"
row uts '--uts host' 'hostname' "$(hostname)"
row userns '--userns host' 'cat /proc/self/uid_map' ' *0 +0 +4294967295'
row cgroupns '--cgroupns host' 'readlink /proc/self/ns/cgroup' "$(readlink /proc/self/ns/cgroup | sed 's/[][]/\\&/g')"
row cgroup-parent "--cgroup-parent /hod-test-effects-$$ --cgroupns host" "grep -c /hod-test-effects-$$/ /proc/self/cgroup" '[1-9][0-9]*'
row add-host '--add-host a.b:1.2.3.4' 'grep a.b /etc/hosts' $'1\\.2\\.3\\.4\ta\\.b'
row dns '--dns 9.9.9.9 --dns 2001:db8::9' 'grep ^nameserver /etc/resolv.conf' 'nameserver 9\.9\.9\.9 nameserver 2001:db8::9'
row dns-search '--dns-search ex.org --dns-search b.example' 'grep ^search /etc/resolv.conf' 'search ex\.org b\.example'
row dns-option '--dns-option ndots:2 --dns-option rotate' 'grep ^options /etc/resolv.conf' 'options ndots:2 rotate'
row sysctl '--sysctl net.ipv4.ip_forward=1' 'cat /proc/sys/net/ipv4/ip_forward' '1'
row cap-add '--cap-add SYS_ADMIN' 'awk "/CapEff/ {print \$2}" /proc/self/status' '00000000a82425fb'
row cap-drop '--cap-drop ALL' 'awk "/CapEff/ {print \$2}" /proc/self/status' '0000000000000000'
row privileged '--privileged' 'awk "/CapEff|Seccomp:/ {print \$2}" /proc/self/status; [ -c /dev/kmsg ] && echo dev' \
        "$(awk '/^CapBnd/ {print $2}' /proc/self/status) 0 dev"
row security-opt '--security-opt no-new-privileges --security-opt seccomp=unconfined' \
        'awk "/NoNewPrivs|Seccomp:/ {print \$2}" /proc/self/status' '1 0'
row device '--device /dev/null:/dev/xnull:r' 'stat -c %t,%T /dev/xnull' '1,3'
row ulimit '--ulimit nofile=100:200' 'ulimit -Sn; ulimit -Hn' '100 200'
row oom-score-adj '--oom-score-adj 300' 'cat /proc/self/oom_score_adj' '300'

# --- limits
row memory '-m 64m' "cat $(cg memory/memory.limit_in_bytes memory.max)" '67108864'
row memory-swap '-m 64m --memory-swap 128m' "cat $(cg memory/memory.memsw.limit_in_bytes memory.swap.max)" "$(by_version 134217728 67108864)"
row memory-reservation '-m 64m --memory-reservation 32m' "cat $(cg memory/memory.soft_limit_in_bytes memory.low)" '33554432'
row memory-swappiness '--memory-swappiness 10' "$(by_version 'cat /sys/fs/cgroup/memory/memory.swappiness' 'echo 10')" '10'
row oom-kill-disable '-m 64m --oom-kill-disable' "$(by_version 'head -n 1 /sys/fs/cgroup/memory/memory.oom_control' 'echo oom_kill_disable 1')" 'oom_kill_disable 1'
row cpus '--cpus 0.5' "cat $(cg cpu/cpu.cfs_quota_us cpu.max)" "$(by_version 50000 '50000 100000')"
row cpu-period '--cpu-period 50000 --cpu-quota 20000' "cat $(cg cpu/cpu.cfs_period_us cpu.max)" "$(by_version 50000 '20000 50000')"
row cpu-quota '--cpu-quota 20000' "cat $(cg cpu/cpu.cfs_quota_us cpu.max)" "$(by_version 20000 '20000 100000')"
row cpu-shares '-c 512' "cat $(cg cpu/cpu.shares cpu.weight)" "$(by_version 512 '[0-9]+')"
row cpuset-cpus '--cpuset-cpus 0' 'nproc' '1'
row cpuset-mems '--cpuset-mems 0' "cat $(cg cpuset/cpuset.mems cpuset.mems)" '0'
row pids-limit '--pids-limit 50' "cat $(cg pids/pids.max pids.max)" '50'
throttle() { # FLAG VALUE V1FILE V2REGEX
        local number
        number=$(disk_number)
        if [[ -z $number ]]; then
                no_row "$1" "no block device"
                return
        fi
        row "$1" "--$1 $(disk):$2" "grep . $(cg "blkio/$3" io.max)" "$(by_version "$number $2" "$number .*$4.*")"
}
throttle device-read-bps 1048576 blkio.throttle.read_bps_device rbps=1048576
throttle device-write-bps 2097152 blkio.throttle.write_bps_device wbps=2097152
throttle device-read-iops 100 blkio.throttle.read_iops_device riops=100
throttle device-write-iops 50 blkio.throttle.write_iops_device wiops=50

# --- the host's side
check_attach() { [[ $(hod run --rm -a stderr busybox sh -c 'echo o; echo e >&2' 2>&1) == e ]]; }
outside attach check_attach
check_cidfile() {
        hod run --rm --cidfile "$T/cid" busybox true && [[ $(wc -c <"$T/cid") == 64 ]]
}
outside cidfile check_cidfile
check_detach() {
        [[ $(hod run -d --name tried busybox sleep 1000) =~ ^[0-9a-f]{64}$ && $(hod inspect -f '{{.State.Status}}' tried) == running ]]
}
outside detach check_detach
check_detach_keys() {
        pty -e '# ' -s '\x01b' -- "$HOD_BIN/hod" run -ti --detach-keys ctrl-a,b --name tried busybox sh >/dev/null &&
                [[ $(hod inspect -f '{{.State.Status}}' tried) == running ]]
}
outside detach-keys check_detach_keys
check_explain() { [[ $(hod run --rm --explain busybox true 2>&1) == *pivot_root* ]]; }
outside explain check_explain
check_label() {
        hod create --name tried -l a=b -l c busybox true >/dev/null
        [[ $(hod inspect -f '{{json .Config.Labels}}' tried) == '{"a":"b","c":""}' ]]
}
outside label check_label
check_label_file() {
        printf 'a=b\nc\n' >"$T/labels"
        hod create --name tried --label-file "$T/labels" busybox true >/dev/null
        [[ $(hod inspect -f '{{json .Config.Labels}}' tried) == '{"a":"b","c":""}' ]]
}
outside label-file check_label_file
check_log_driver() {
        [[ $(hod run --name tried --log-driver none busybox echo x) == x ]] && ! hod logs tried 2>/dev/null
}
outside log-driver check_log_driver
check_log_opt() {
        hod run --name tried --log-opt max-size=64k --log-opt max-file=2 busybox sh -c 'yes 0123456789012345678901234567890123456789 | head -c 900000' >/dev/null
        (($(find "$HOD_ROOT/containers" -name '*-json.log*' -printf '%s\n' | awk '{n += $1} END {print n}') < 200000)) &&
                [[ $(hod logs tried | tail -n 1) == 0123* ]]
}
outside log-opt check_log_opt
check_name() { hod create --name tried busybox true >/dev/null && [[ $(hod inspect -f '{{.Name}}' tried) == /tried ]]; }
outside name check_name
check_link() {
        local out
        hod run -d --name tried --expose 80 busybox sleep 60 >/dev/null
        out=$(hod run --rm --link tried:other busybox sh -c 'grep other /etc/hosts; echo "$OTHER_PORT"')
        [[ $out == *$'\tother '*' tried'$'\n''tcp://'*':80' ]]
}
outside link check_link
check_net_rate() {
        hod run -d --name tried --net-rate 8mbit:64k busybox sleep 1000 >/dev/null
        local link
        link=$(hod inspect -f '{{range .NetworkSettings.Networks}}{{slice .EndpointID 0 12}}{{end}}' tried)
        [[ $(tc qdisc show dev "hod$link") == *tbf*' rate 8Mbit burst 64Kb'* ]] || return 1
        [[ $(tc qdisc show dev "ifb$link") == *tbf*' rate 8Mbit burst 64Kb'* ]] || return 1
        hod rm -f tried >/dev/null
        [[ ! -e /sys/class/net/ifb$link ]]
}
outside net-rate check_net_rate
check_publish() {
        local port=$1 got
        shift
        hod run -d --name tried --network bridge "$@" busybox httpd -f -p 80 -h /etc >/dev/null
        [[ $port ]] || port=$(hod inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' tried)
        for _ in {1..100}; do # until it listens
                got=$(printf 'GET /hostname HTTP/1.0\r\n\r\n' | timeout 20 busybox nc 127.0.0.1 "$port" 2>/dev/null | tail -n 1)
                [[ -z $got ]] || break
                sleep 0.1
        done
        [[ $got == "$(hod inspect -f '{{.Config.Hostname}}' tried)" ]]
}
check_endpoint() {
        local out
        hod network create --subnet 10.213.7.0/24 --ipv6 --subnet fd07:7::/64 effnet >/dev/null
        hod run -d --name tried --network effnet --ip 10.213.7.77 --ip6 fd07:7::77 --mac-address 02:00:00:00:07:77 \
                --link-local-ip 169.254.7.7 --network-alias alias7 busybox sleep 60 >/dev/null
        out=$(hod exec tried ip addr show eth0)
        [[ $out == *'inet 10.213.7.77/24'* && $out == *'inet6 fd07:7::77/64'* && $out == *'inet 169.254.7.7/16'* ]] || return 1
        [[ $(hod exec tried cat /sys/class/net/eth0/address) == 02:00:00:00:07:77 ]] || return 1
        [[ $(hod inspect -f '{{json .NetworkSettings.Networks.effnet.DNSNames}}' tried) == *'"alias7"'* ]] || return 1
        hod rm -f tried >/dev/null
        hod network rm effnet >/dev/null
}
check_publish_p() {
        local port
        port=$(free_port)
        check_publish "$port" -p "127.0.0.1:$port:80"
}
check_publish_all() { check_publish '' -P --expose 80; }
outside ip check_endpoint
outside ip6 check_endpoint
outside link-local-ip check_endpoint
outside mac-address check_endpoint
outside network-alias check_endpoint
outside publish check_publish_p
outside publish-all check_publish_all
outside expose check_publish_all
# Nothing answers at port 1: what is pulled, and when, shows in what is said.
check_pull() {
        local never always missing
        never=$(hod run --rm --pull never 127.0.0.1:1/none true 2>&1) && return 1
        hod tag busybox 127.0.0.1:1/bb
        always=$(hod run --rm --pull always 127.0.0.1:1/bb true 2>&1) && return 1
        missing=$(hod run --rm --pull missing 127.0.0.1:1/bb echo ran) || return 1
        hod rmi 127.0.0.1:1/bb >/dev/null
        [[ $never == *'No such image: 127.0.0.1:1/none:latest'* && $always == *'connection refused'* && $missing == ran ]]
}
outside pull check_pull
check_platform() {
        local other status=0
        hod tag busybox 127.0.0.1:1/bb
        hod run --rm --platform "$(hod image inspect -f '{{.Os}}/{{.Architecture}}' busybox)" 127.0.0.1:1/bb true || status=1
        other=$(hod run --rm --platform linux/mips 127.0.0.1:1/bb true 2>&1) && status=1
        hod rmi 127.0.0.1:1/bb >/dev/null
        [[ $status == 0 && $other == *'Unable to find image'*'connection refused'* ]]
}
outside platform check_platform
check_quiet() {
        local loud quiet
        loud=$(hod run --rm 127.0.0.1:1/none true 2>&1) && return 1
        quiet=$(hod run --rm -q 127.0.0.1:1/none true 2>&1) && return 1
        [[ $loud == *'Unable to find image'* && $quiet != *'Unable to find image'* && $quiet == *'connection refused'* ]]
}
outside quiet check_quiet
check_restart() {
        hod run -d --name tried --restart on-failure:2 busybox sh -c 'echo x; exit 3' >/dev/null
        for _ in {1..100}; do
                [[ $(hod inspect -f '{{.State.Status}} {{.RestartCount}}' tried) == 'exited 2' ]] && return 0
                sleep 0.2
        done
        return 1
}
outside restart check_restart
check_rm() { hod run --rm --name tried busybox true && ! hod inspect tried >/dev/null 2>&1; }
outside rm check_rm
check_rootfs() { [[ $(hod run --rm --rootfs "$T/tree" cat /mark) == mark ]]; }
outside rootfs check_rootfs
check_sig_proxy() {
        local pid status=0
        "$HOD_BIN/hod" run --name tried --sig-proxy=false busybox sleep 3 &
        pid=$!
        for _ in {1..200}; do [[ $(hod inspect -f '{{.State.Status}}' tried 2>/dev/null) == running ]] && break; sleep 0.05; done
        kill -TERM "$pid"
        wait "$pid" || status=$?
        [[ $status == 0 ]]
}
outside sig-proxy check_sig_proxy
check_stop_signal() {
        hod run -d --name tried --stop-signal USR1 busybox sh -c 'trap "exit 5" USR1; touch /up; while :; do sleep 0.05; done' >/dev/null
        for _ in {1..200}; do hod exec tried test -e /up && break; sleep 0.1; done
        hod stop tried >/dev/null
        [[ $(hod inspect -f '{{.State.ExitCode}}' tried) == 5 ]]
}
outside stop-signal check_stop_signal
check_stop_timeout() {
        local t0 took
        hod create --name tried --stop-timeout 1 busybox sh -c 'trap "" TERM; sleep 1000' >/dev/null
        for _ in 1 2 3; do # a machine under load stands still now and then
                hod start tried >/dev/null
                t0=${EPOCHREALTIME/./}
                hod stop tried >/dev/null
                took=$(((${EPOCHREALTIME/./} - t0) / 1000))
                ((took >= 900)) || return 1
                ((took >= 9000)) || return 0 # ten seconds without the flag
        done
        return 1
}
outside stop-timeout check_stop_timeout
check_storage_opt() {
        # What a limit does is in tests/e2e/drivers.bats, on a file system that can have one.
        local said
        if said=$(hod create --name tried --storage-opt size=5m busybox true 2>&1); then
                [[ $(hod inspect -f '{{json .HostConfig.StorageOpt}}' tried) == '{"size":"5m"}' ]]
        else
                [[ $said == *"--storage-opt is "*"supported"* ]]
        fi
}
outside storage-opt check_storage_opt
check_annotation() {
        hod create --name tried --annotation x=y busybox true >/dev/null
        [[ $(hod inspect -f '{{json .HostConfig.Annotations}}' tried) == '{"x":"y"}' ]]
}
outside annotation check_annotation
check_blkio_weight() {
        # The kernel's scheduler decides whether there is such a file: the value is kept, and written where it can be.
        hod create --name tried --blkio-weight 500 busybox true >/dev/null 2>&1
        [[ $(hod inspect -f '{{.HostConfig.BlkioWeight}}' tried) == 500 ]]
}
outside blkio-weight check_blkio_weight
