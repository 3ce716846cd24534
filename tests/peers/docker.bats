#!/usr/bin/env bats
# dockerd and containerd with hodrun for the default runtime: what docker's command line can ask of a container.

load lib

setup_file() {
        peers_setup
        start_docker
        # What docker makes once (chains, the parents of cgroups) is there before hodrun comes.
        dk run --rm --runtime runc busybox true
        STATES+=" $R/docker/runtime-runc/moby $R/docker/runtime-hodrun/moby"
        peers_ready
}
teardown() { dk_remove_all; }
teardown_file() {
        # docker's own: another dockerd since the test that kills it; the name of the host's network namespace.
        peers_clean '^[-+]process [0-9]+ dockerd |^\+mount [^ ]*/docker/netns/default '
        stop_daemons
        peers_end
}

field() { dk inspect -f "$2" "$1"; }
has_status() { [[ $(field "$1" '{{.State.Status}}') == "$2" ]]; }
counter='i=0; while :; do echo $i; i=$((i + 1)); sleep 0.05; done'
silent() {
        local before
        before=$(dk logs "$1" | wc -l)
        sleep 0.4
        is "$(dk logs "$1" | wc -l)" "$before"
}
more_lines() { (($(dk logs "$1" | wc -l) > $2)); }
logs_match() { [[ $(dk logs "$1" 2>&1) =~ $2 ]]; }

@test "run: output, input, errors and status are the program's" {
        dk run -d --name one busybox sleep 1000 >/dev/null
        is "$(field one '{{.HostConfig.Runtime}}')" hodrun
        prints hello dk run --rm busybox echo hello
        ends 7 dk run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
        is "$(<"$T/out")" out
        is "$(<"$T/err")" err
        prints '3 words' dk run --rm -i busybox sh -c 'echo $(wc -w) words' <<<'a b c'
        is "$(dk ps -q | wc -l)" 1
}

@test "run: what cannot be executed is told as docker expects it" {
        ends 127 dk run --rm busybox nosuch
        like "$(<"$T/err")" 'OCI runtime create failed: .*exec: "nosuch": executable file not found in \$PATH'
        ends 126 dk run --rm busybox /etc
        like "$(<"$T/err")" 'permission denied'
}

@test "run: docker's seccomp profile and capabilities hold" {
        prints "$default_caps 2" dk run --rm busybox \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^Seccomp:.//p" /proc/self/status)'
        ends 1 dk run --rm busybox unshare -m true
        like "$(<"$T/err")" 'not permitted'
        prints 0 dk run --rm --security-opt seccomp=unconfined busybox sed -n 's/^Seccomp:.//p' /proc/self/status
        prints '0000000000000400 1' dk run --rm --cap-drop all --cap-add net_bind_service \
                --security-opt no-new-privileges busybox \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^NoNewPrivs:.//p" /proc/self/status)'
        # docker asks for all that it knows; what this machine does not give is left out.
        prints "$(printf %016x $((0x$(sed -n 's/^CapBnd:.//p' /proc/self/status) & 0x3fffffffff))) 0" dk run --rm --privileged busybox \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^Seccomp:.//p" /proc/self/status)'
        prints 0000000000000000 dk run --rm -u 1000 busybox sed -n 's/^CapEff:.//p' /proc/self/status
}

@test "exec: status, input, user, environment, directory, detached, many at a time" {
        local i pids=()
        dk run -d --name one busybox sleep 1000 >/dev/null
        ends 7 dk exec one sh -c 'exit 7'
        prints '1000:0 /tmp x' dk exec -u 1000 -w /tmp -e A=x one sh -c 'echo $(id -u):$(id -g) $PWD $A'
        prints 'a b' dk exec -i one cat <<<'a b'
        ends 126 dk exec one nosuch
        like "$(<"$T/out")$(<"$T/err")" 'OCI runtime exec failed: exec failed: .*"nosuch": executable file not found in \$PATH'
        dk exec -d one touch /tmp/detached
        eventually 5 dk exec one test -e /tmp/detached
        for i in {1..6}; do
                (is "$(dk exec one echo "$i")" "$i" || echo "$i" >>"$T/bad") &
                pids+=($!)
        done
        wait "${pids[@]}" # not for the clock of BATS_TEST_TIMEOUT
        [[ ! -e $T/bad ]]
}

@test "logs, wait, start again, restart" {
        dk run -d --name one busybox sh -c 'echo out; echo err >&2; exit 3' >/dev/null
        prints 3 dk wait one
        is "$(dk logs one 2>/dev/null)" out
        is "$(dk logs one 2>&1 >/dev/null)" err
        ends 3 dk start -a one
        dk run -d --name two busybox sh -c "$counter" >/dev/null
        eventually 5 more_lines two 0
        dk restart -t 0 two >/dev/null
        has_status two running
        dk logs -f two >"$T/follow" &
        sleep 0.3
        dk kill two >/dev/null
        wait $!
        like "$(tail -n 1 "$T/follow")" '^[0-9]+$'
        dk run -d --name three --restart on-failure:2 busybox sh -c 'echo x; exit 1' >/dev/null
        eventually 10 restarted three
}
restarted() { [[ $(field "$1" '{{.RestartCount}} {{.State.Status}}') == '2 exited' ]]; }

@test "stop: the program's own end; after the time-out the kernel's; kill" {
        dk run -d --name one busybox sh -c 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
        eventually 5 logs_match one ready
        dk stop -t 5 one >/dev/null
        is "$(field one '{{.State.ExitCode}} {{.State.Status}}')" '3 exited'
        logs_match one bye
        dk run -d --name two busybox sh -c 'trap "" TERM; trap "exit 9" USR1; echo ready; while :; do sleep 0.05; done' >/dev/null
        eventually 5 logs_match two ready
        dk stop -t 1 two >/dev/null
        is "$(field two '{{.State.ExitCode}}')" 137
        dk start two >/dev/null
        eventually 5 logs_match two $'ready\nready'
        dk kill -s USR1 two >/dev/null
        prints 9 dk wait two
}

@test "pause, unpause; exec, stats and rm of a paused container" {
        local before
        dk run -d --name one busybox sh -c "$counter" >/dev/null
        eventually 5 more_lines one 0
        dk pause one >/dev/null
        has_status one paused
        eventually 5 silent one # what it said before is written by others
        before=$(dk logs one | wc -l)
        ends 1 dk exec one true
        like "$(<"$T/err")" 'is paused'
        dk unpause one >/dev/null
        eventually 5 more_lines one "$before"
        dk pause one >/dev/null
        dk rm -f one >/dev/null
}

@test "top, stats, diff, cp" {
        dk run -d --name one -m 64m busybox sh -c 'sleep 1000; :' >/dev/null
        like "$(dk top one)" 'sleep 1000'
        like "$(dk stats --no-stream --format '{{.MemUsage}}|{{.PIDs}}' one)" '[0-9.]+[kKM]?i?B / 64MiB\|2'
        echo content >"$T/file"
        dk cp "$T/file" one:/tmp/file
        prints content dk exec one cat /tmp/file
        like "$(dk diff one)" 'A /tmp/file'
}

@test "update: other limits for a running container" {
        dk run -d --name one -m 64m busybox sleep 1000 >/dev/null
        dk update -m 128m --memory-swap 128m --cpus 0.5 --pids-limit 50 --cpuset-cpus 0 one >/dev/null
        prints '134217728 50000 50 0' dk exec one sh -c 'cd /sys/fs/cgroup; echo $(cat memory/memory.limit_in_bytes \
                cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus)'
}

@test "terminal: run, exec, attach; its size follows" {
        local out
        out=$(pty -z 40x150 -e '#' -s "$(sized 40x150); tty\r" -e /dev/pts/ -r 20x70 -s "$(sized 20x70); exit 5\r" \
                -- "$T/dk" run --rm -it busybox sh) || is $? 5
        like "$out" '/dev/pts/0'
        dk run -d -it --name one busybox sh -c 'tty; cat' >/dev/null
        eventually 5 logs_match one /dev/pts/0
        out=$(pty -e '#' -s 'tty; exit 4\r' -- "$T/dk" exec -it one sh) || is $? 4
        like "$out" '/dev/pts/1'
        # (Leaving by keys has status 1 here.)
        pty -w 1 -s 'typed\r' -e 'typed\s+typed' -s '\x10' -w 0.3 -s '\x11' -- "$T/dk" attach one || is $? 1
        has_status one running
}

@test "limits; more memory than allowed is an OOM kill" {
        prints '67108864 50000 20 0 100 500' dk run --rm -m 64m --cpus 0.5 --pids-limit 20 --cpuset-cpus 0 \
                --ulimit nofile=100:100 --oom-score-adj 500 busybox sh -c 'cd /sys/fs/cgroup; echo $(cat \
                memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus) $(ulimit -n) \
                $(cat /proc/self/oom_score_adj)'
        ends 137 dk run --name one -m 16m --memory-swap 16m busybox dd if=/dev/zero of=/dev/null bs=64M count=1
        # The shim tells of an end and of the lack of memory in no order: docker knows why only if it heard that first.
        dk rm one >/dev/null
        dk run -d --name one -m 16m --memory-swap 16m busybox \
                sh -c 'dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1000' >/dev/null
        eventually 20 was_oom
        dk kill one >/dev/null
        is "$(field one '{{.State.OOMKilled}}')" true
}
was_oom() { [[ -n $(dk events --since 5m --until "$(date +%s)" --filter container=one --filter event=oom) ]]; }

@test "--init, healthcheck" {
        dk run -d --name one --init --health-cmd 'test -e /ok' --health-interval 200ms --health-retries 1 busybox \
                sh -c 'trap "exit 4" TERM; while :; do sleep 0.05; done' >/dev/null
        like "$(dk exec one cat /proc/1/comm)" 'init'
        eventually 10 health_is one unhealthy
        dk exec one touch /ok
        eventually 10 health_is one healthy
        dk stop one >/dev/null
        is "$(field one '{{.State.ExitCode}}')" 4
}
health_is() { [[ $(field "$1" '{{.State.Health.Status}}') == "$2" ]]; }

@test "namespaces: the host's, another container's; a network between two" {
        local me
        me=$(for n in pid ipc uts net; do readlink /proc/self/ns/$n; done | paste -sd' ')
        prints "$me" dk run --rm --pid host --ipc host --uts host --network host busybox \
                sh -c 'echo $(for n in pid ipc uts net; do readlink /proc/self/ns/$n; done)'
        dk network create between >/dev/null
        dk run -d --name one --network between busybox sh -c 'while :; do echo answer | nc -l -p 8080; done' >/dev/null
        eventually 5 answers dk run --rm --network between busybox nc -w 2 one 8080
        like "$(dk run --rm --pid container:one --network container:one busybox ps)" 'nc -l'
        dk rm -f one >/dev/null
        dk network rm between >/dev/null
        prints '0::/' dk run --rm --cgroupns private busybox grep ^0: /proc/self/cgroup
}
answers() { [[ $("$@" </dev/null) == answer ]]; }

@test "file systems: read-only, tmpfs, volumes, binds, devices, sysctl" {
        ends 1 dk run --rm --read-only busybox touch /x
        mkdir "$T/bind"
        echo content >"$T/bind/file"
        prints content dk run --rm -v "$T/bind:/b:ro" busybox cat /b/file
        ends 1 dk run --rm -v "$T/bind:/b:ro" busybox touch /b/x
        dk run --rm -v data:/data busybox touch /data/file
        prints file dk run --rm -v data:/data busybox ls /data
        dk volume rm data >/dev/null
        prints '1024 10 229 1 named' dk run --rm --tmpfs /t:size=1m --device /dev/fuse --sysctl net.ipv4.ip_forward=1 \
                -h named busybox sh -c 'echo $(df -k /t | awk "NR == 2 {print \$2}") $(stat -c "%t %T" /dev/fuse |
                 while read a b; do echo $((0x$a)) $((0x$b)); done) $(cat /proc/sys/net/ipv4/ip_forward) $(hostname)'
}

@test "dockerd is killed and started again: live-restore finds hodrun's containers" {
        local pid
        dk run -d --name one busybox sleep 1000 >/dev/null
        pid=$(field one '{{.State.Pid}}')
        stop_daemon dockerd KILL
        alive "$pid"
        start_dockerd --live-restore
        has_status one running
        is "$(field one '{{.State.Pid}}')" "$pid"
        ends 0 dk exec one true
        dk stop -t 0 one >/dev/null
        dead "$pid"
}

@test "many at a time: every one is right, nothing is left" {
        local i pids=()
        for i in {1..6}; do
                (for _ in 1 2; do is "$(dk run --rm --network none busybox echo "$i")" "$i" || echo bad >>"$T/bad"; done) &
                pids+=($!)
        done
        wait "${pids[@]}" # not for the clock of BATS_TEST_TIMEOUT
        [[ ! -e $T/bad ]]
        eventually 5 dk_none_left
}
