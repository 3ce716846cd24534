#!/usr/bin/env bats
# The founding documents' main job, and their table (features.md part A) as typed by hand.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

# bats test_tags=vm,asan
@test "run -ti --name -v: a shell on a terminal, a file on the host" {
        mkdir -p "$T/work/from1"
        out=$(pty -e '/ # ' -s 'tty; echo $0; echo from-inside > /to1/x; exit 4\r' -- \
                "$HOD_BIN/hod" run -ti --name container1 -v "$T/work/from1:/to1" busybox sh) && status=0 || status=$?
        is "$status" 4
        like "$out" '/dev/pts/0'
        is "$(cat "$T/work/from1/x")" from-inside
        hod rm container1
}

@test "the single-dash long flags of the founding documents work" {
        hod run -ti -d --name old -cpushare 512 -cpuset 0 -m 64m -net none busybox sleep 100
        is "$(field old '{{.HostConfig.CpuShares}}')" 512
        is "$(field old '{{.HostConfig.CpusetCpus}}')" 0
        is "$(field old '{{.Config.Tty}}')" true
        is "$(field old '{{.HostConfig.NetworkMode}}')" none
        is "$(hod exec old nproc)" 1
}

@test "A1: run -ti: tty is /dev/pts/0" {
        like "$(pty -- "$HOD_BIN/hod" run -ti --rm busybox tty)" '^/dev/pts/0'
}

# bats test_tags=vm,asan
@test "A2: run -d survives the shell that started it" {
        setsid sh -c '"$HOD_BIN/hod" run -d --name d busybox top -b' >"$T/id"
        like "$(cat "$T/id")" '^[0-9a-f]{64}$'
        sleep 0.2
        is_running d
        like "$(hod ps)" "busybox +\"top -b\" .* Up .* d"
}

@test "run -d: hanging up the terminal and session it came from does not end it" {
        pty -e '\$ ' -s '"$HOD_BIN/hod" run -d --name hup busybox sleep 100; exec true\r' -- env PS1='$ ' sh >/dev/null
        sleep 0.2
        is_running hup
}

@test "run -d keeps nothing of the caller: no limits, masks, ignored signals, directory" {
        (
                ulimit -n 77
                trap '' HUP INT TERM USR1
                cd "$T/work"
                umask 077
                hod run -d --name plain busybox sh -c 'grep -E "Sig(Ign|Blk)|Umask" /proc/self/status; pwd; sleep 100'
        )
        eventually 5 logs_have plain '^/$'
        is "$(hod logs plain | tr '\n\t' ' ')" 'Umask: 0022 SigBlk: 0000000000000000 SigIgn: 0000000000000000 / '
}

@test "A3: a host name of its own; the host keeps its" {
        before=$(hostname)
        is "$(hod run --rm -h nshost busybox hostname)" nshost
        is "$(hostname)" "$before"
}

# bats test_tags=asan
@test "A4: only its own processes, itself number 1" {
        is "$(hod run --rm busybox ps -o pid,args | tail -n +2 | tr -s ' ')" " 1 ps -o pid,args"
}

# bats test_tags=vm
@test "A5: a root of its own on overlay; the host's mounts are as before" {
        before=$(cat /proc/self/mountinfo)
        hod run -d --name m busybox sleep 100
        like "$(hod exec m mount)" '^overlay on / type overlay'
        unlike "$(hod exec m awk '{print $4, $5}' /proc/self/mountinfo)" "$T/(root|state)/[^ ]* (/|/to)$"
        is "$(cat /proc/self/mountinfo)" "$before" "a container shows in the host's mount table"
        hod rm -f m
        is "$(cat /proc/self/mountinfo)" "$before"
}

@test "A7: System V IPC of the host is not seen" {
        id=$(ipcmk -Q | grep -oE '[0-9]+$')
        out=$(hod run --rm busybox cat /proc/sysvipc/msg)
        ipcrm -q "$id"
        is "$(wc -l <<<"$out")" 1 "$out"
}

@test "A10: namespaces differ from the host's and can be compared" {
        hod run -d --name d busybox sleep 100
        pid=$(init_pid d)
        for ns in uts pid ipc mnt net cgroup; do
                [[ $(readlink "/proc/$pid/ns/$ns") != "$(readlink "/proc/self/ns/$ns")" ]] || fail "$ns is the host's"
        done
        is "$(readlink "/proc/$pid/ns/user")" "$(readlink /proc/self/ns/user)"
        is "$(nsenter -t "$pid" -u hostname)" "$(hod exec d hostname)"
}

@test "A12: --init reaps orphans" {
        hod run -d --name i --init busybox sh -c 'for i in 1 2 3; do sh -c "sleep 0.1 &"; done; sleep 100'
        # Init, `sleep 100`, and who asks.
        alone() { (($(hod exec i ps -o pid,stat,args | tail -n +2 | wc -l) == 3)); }
        eventually 10 alone || fail "$(hod exec i ps -o pid,stat,args)"
        like "$(hod exec i ps -o pid,args | grep ' 1 ')" 'init'
}

# bats test_tags=asan
@test "A13: diff shows what changed; the image does not" {
        image=$(hod images -q --no-trunc busybox)
        hod run --name w busybox sh -c 'echo x > /tmpfile; rm /etc/group'
        out=$(hod diff w)
        like "$out" 'A /tmpfile'
        like "$out" 'D /etc/group'
        is "$(hod images -q --no-trunc busybox)" "$image"
        hod run --rm busybox sh -c 'test ! -e /tmpfile && test -e /etc/group'
}

@test "A15: --rootfs runs an unpacked tree" {
        mkdir -p "$T/work/tree"
        tar -C "$T/work/tree" -xf "$(busybox_file)"
        like "$(hod run --rm --rootfs "$T/work/tree" ls / | tr '\n' ' ')" 'bin dev etc'
        hod run --rm --rootfs "$T/work/tree" touch /made
        [[ -e $T/work/tree/made ]]
}

@test "A16: import a tar and run it" {
        hod import "$(busybox_file)" b16 >/dev/null
        hod run --rm b16 true
        hod rmi b16
}

@test "A17: export lists the root file system" {
        hod run -d --name d busybox sleep 100
        out=$(hod export d | tar t)
        like "$out" 'bin/busybox'
        like "$out" 'etc/passwd'
}

# bats test_tags=asan
@test "A18: commit makes an image with one more layer" {
        hod run --name w busybox sh -c 'echo text > /tmpfile'
        like "$(hod commit w i18)" '^sha256:[0-9a-f]{64}$'
        is "$(hod run --rm i18 cat /tmpfile)" text
        is "$(hod inspect -f '{{len .RootFS.Layers}}' i18)" 2
        hod rm w
        hod rmi i18
}

@test "A21: -v makes the parents and shares the directory" {
        hod run --rm -v "$T/work/a/b:/to" busybox touch /to/x
        [[ -e $T/work/a/b/x ]]
}

@test "A22: -e sets, spaces and all; nothing of the host's environment is there" {
        out=$(SECRET=no hod run --rm -e K='a b' busybox env)
        like "$out" $'(^|\n)K=a b($|\n)'
        unlike "$out" SECRET
}

# bats test_tags=vm
@test "A23: -m: out of memory is 137 and says so" {
        run hod run -m 16m --name o busybox tail /dev/zero
        is "$status" 137
        is "$(field o '{{.State.ExitCode}} {{.State.OOMKilled}}')" "137 true"
}

# bats test_tags=vm
@test "A25: --cpuset-cpus 0: one processor" {
        is "$(hod run --rm --cpuset-cpus 0 busybox nproc)" 1
}

@test "A28: ps lists; a dead one is Exited (N)" {
        hod run -d --name up busybox sleep 100
        hod run --name down busybox sh -c 'exit 3' || is $? 3
        like "$(hod ps | head -n 1)" '^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$'
        unlike "$(hod ps)" down
        like "$(hod ps -a)" 'Exited \(3\).* down'
        like "$(hod ps -a)" 'Up .* up'
        is "$(hod ps -q | wc -l)" 1
        is "$(hod ps -aq | wc -l)" 2
}

@test "A29: logs keeps stdout and stderr apart, and follows" {
        local follower
        hod run -d --name l busybox sh -c 'echo out; echo err >&2; until [ -e /go ]; do sleep 0.05; done; echo later'
        eventually 5 logs_have l out
        eventually 5 logs_have l err
        is "$(hod logs l 2>/dev/null)" out
        is "$(hod logs l 2>&1 >/dev/null)" err
        hod logs -f l >"$T/followed" 2>/dev/null &
        follower=$!
        eventually 5 grep -q out "$T/followed"
        hod exec l touch /go
        wait "$follower"
        is "$(cat "$T/followed")" $'out\nlater'
}

# bats test_tags=asan
@test "A30: exec's status is the program's; arguments stay apart" {
        hod run -d --name d busybox sleep 100
        run hod exec d sh -c 'exit 7'
        is "$status" 7
        is "$(hod exec d printf '[%s]' 'a b' '' $'c\nd')" $'[a b][][c\nd]'
}

# bats test_tags=asan
@test "A31: stop asks, then kills; start finds the files" {
        hod run -d --name s busybox sh -c 'trap "exit 42" TERM; [ -e /kept ] && echo again; touch /kept; while :; do sleep 0.05; done'
        eventually 5 hod exec s test -e /kept
        hod stop s
        is "$(field s '{{.State.ExitCode}}')" 42
        hod start s
        eventually 5 logs_have s again
        hod stop -t 5 s
        hod create --name deaf busybox sh -c 'trap "" TERM; while :; do sleep 0.05; done'
        stops deaf -t 1
        is "$(field deaf '{{.State.ExitCode}}')" 137
}

@test "A32: rm refuses a running one, and leaves nothing" {
        hod run -d --name r busybox sleep 100
        refused 1 'running' hod rm r
        id=$(field r '{{.Id}}')
        pid=$(init_pid r)
        hod rm -f r
        dead "$pid"
        [[ -z $(find /sys/fs/cgroup -type d -name "*$id*") ]] || fail "a cgroup is left"
        [[ ! -e $HOD_ROOT/containers/$id && ! -e $HOD_STATE/containers/$id ]] || fail "a directory is left"
}

# bats test_tags=vm
@test "A40: docker's capabilities and a filter" {
        out=$(hod run --rm busybox grep -E 'CapEff|Seccomp:' /proc/1/status | tr -d '\t')
        is "$out" $'CapEff:00000000a80425fb\nSeccomp:2'
}

@test "A42: a run needs few clones" {
        strace -f -qq -e trace=clone,clone3,fork,vfork -o "$T/strace" "$HOD_BIN/hod" run --rm --network none busybox true
        n=$(grep -cE '(clone3?|v?fork)\(' "$T/strace")
        ((n <= 12)) || fail "$n clones" "$(cat "$T/strace")"
}

@test "--explain tells each step with call, page, command and time" {
        out=$(hod run --rm --explain busybox true 2>&1)
        like "$out" 'pivot_root'
        like "$out" 'clone3'
        like "$out" 'unshare|mount -t'
        like "$out" '[0-9.]+ (ms|µs|us)'
        hod run -d --name x busybox sleep 100
        like "$(hod exec --explain x true 2>&1)" 'setns'
}
