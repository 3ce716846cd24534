#!/usr/bin/env bats
# exec: another program in a running container.

load lib
setup_file() {
        e2e_setup
        hod run -d --name e1 -e A=1 -w /tmp --cap-drop MKNOD busybox sleep 10000 >/dev/null
}
teardown_file() { e2e_teardown; }

# bats test_tags=asan
@test "output, status" {
        run --separate-stderr hod exec e1 sh -c 'echo o; echo e >&2; exit 5'
        is "$status $output $stderr" "5 o e"
}

@test "failures to start have docker's statuses and one line" {
        refused 127 'nosuch.*not found' hod exec e1 nosuch
        refused 127 'no such file' hod exec e1 /no/such
        refused 126 'permission denied' hod exec e1 /etc/passwd
        refused 126 'is a directory|permission denied' hod exec e1 /etc
        refused 127 'not found' hod exec e1 ""
        refused 127 'no such file' hod exec -w /nosuch e1 pwd
        refused 1 'no such container: nosuch' hod exec nosuch true
        refused 1 'unable to find user nosuch' hod exec -u nosuch e1 id
        refused 1 'requires at least 2' hod exec e1
}

@test "into a stopped or paused one: refused" {
        hod run --name e2 busybox true
        refused 1 'is not running' hod exec e2 true
        hod create --name e3 busybox true >/dev/null
        refused 1 'is not running' hod exec e3 true
        hod run -d --name e4 busybox sleep 100 >/dev/null
        hod pause e4 >/dev/null
        refused 1 'paused' hod exec e4 true
        hod unpause e4
        hod exec e4 true
        hod rm -f e2 e3 e4
}

@test "environment: the container's, then -e; HOME of the user" {
        is "$(A=host hod exec -e B=2 -e A e1 env | sort)" "$(printf '%s\n' A=host B=2 HOME=/root "HOSTNAME=$(hod exec e1 hostname)" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin | sort)"
        printf 'X=1\n# c\nY=a b\n' >"$T/envf"
        like "$(hod exec --env-file "$T/envf" e1 env)" 'Y=a b'
        like "$(hod exec -u daemon e1 env)" 'HOME=/usr/sbin'
}

@test "environment: the terminal's TERM is not inherited by a session without one; a wanted one is" {
        hod run -dt --name t1 busybox sleep 100 >/dev/null
        hod run -dt -e TERM=linux --name t2 busybox sleep 100 >/dev/null
        is "$(hod exec t1 sh -c 'echo "${TERM-none}"')" none
        like "$(hod exec -t t1 sh -c 'echo $TERM')" xterm
        is "$(hod exec t2 sh -c 'echo $TERM')" linux
        hod rm -f t1 t2
}

@test "a name finds its container, whoever had it before" {
        hod run -d --name n1 busybox sleep 100 >/dev/null
        hod run -d --name n2 -e WHO=second busybox sleep 100 >/dev/null
        hod rename n1 n3
        refused 1 'no such container: n1' hod exec n1 true
        hod exec n3 true
        hod rename n2 n1
        is "$(hod exec n1 sh -c 'echo $WHO')" second
        hod restart -t 0 n1
        is "$(hod exec n1 sh -c 'echo $WHO')" second
        hod rm -f n1
        refused 1 'no such container: n1' hod exec n1 true
        hod run -d --name n1 -e WHO=third busybox sleep 100 >/dev/null
        is "$(hod exec n1 sh -c 'echo $WHO')" third
        # A hint that is wrong because somebody meddled costs nothing but time.
        ln -sfn "$(printf '%064d' 0)" "$HOD_STATE/names/n1"
        is "$(hod exec n1 sh -c 'echo $WHO')" third
        hod rm -f n1 n3
        is "$(ls "$HOD_STATE/names")" e1
}

@test "-w, and the container's own directory without" {
        is "$(hod exec -w /etc e1 pwd)" /etc
        is "$(hod exec e1 pwd)" /tmp
}

@test "-u" {
        is "$(hod exec -u 1000 e1 id)" 'uid=1000 gid=0(root) groups=0(root)'
        is "$(hod exec -u daemon e1 id)" 'uid=1(daemon) gid=1(daemon) groups=1(daemon)'
        is "$(hod exec -u 1:2 e1 id)" 'uid=1(daemon) gid=2(bin) groups=2(bin)'
}

@test "confined as the container is: capabilities, filter, cgroup, namespaces, oom score" {
        probe='grep -E "^(Cap|NoNew|Seccomp)" /proc/self/status; cat /proc/self/cgroup /proc/self/oom_score_adj /proc/self/limits; for n in mnt pid net ipc uts cgroup user; do readlink /proc/self/ns/$n; done'
        hod run -d --name e5 --cap-drop MKNOD busybox sh -c "$probe; sleep 100" >/dev/null
        eventually 5 logs_have e5 user:
        is "$(hod exec e5 sh -c "$probe")" "$(hod logs e5)"
        hod rm -f e5
}

@test "--privileged gives every capability that there is" {
        all=$(awk '/^CapBnd/ {print $2}' /proc/self/status)
        is "$(hod exec --privileged e1 awk '/^CapEff/ {print $2}' /proc/self/status)" "$all"
        unlike "$(hod exec e1 awk '/^CapEff/ {print $2}' /proc/self/status)" "$all"
}

@test "-i: stdin is passed on and its end too" {
        is "$(printf 'a\nb\n' | hod exec -i e1 wc -l)" 2
        is "$(printf 'a\n' | hod exec e1 cat)" ''
        is "$(head -c 3000000 /dev/zero | hod exec -i e1 wc -c)" 3000000
        is "$(hod exec e1 head -c 3000000 /dev/zero | wc -c)" 3000000
}

# bats test_tags=vm
@test "-it: a terminal of its own with the caller's size" {
        out=$(pty -z 33x77 -- "$HOD_BIN/hod" exec -it e1 sh -c 'tty; stty size; exit 9') && status=0 || status=$?
        is "$status" 9
        like "$out" '/dev/pts/[0-9]'
        like "$out" '33 77'
        refused 1 'not a TTY' hod exec -it e1 sh
}

@test "-it: resizing, Ctrl-C, job control" {
        # What is typed shows, too: what is waited for does not stand in it.
        out=$(pty -z 33x77 -e '# ' -s 'sh -c "echo be''""''gun; exec sleep 100"\r' -e 'begun' -s '\x03' -e '# ' -r 20x50 \
                -s 'until stty size | grep "20 5"0; do sleep 0.05; done; exit 3\r' \
                -- "$HOD_BIN/hod" exec -it e1 sh) && status=0 || status=$?
        is "$status" 3 "$out"
        like "$out" '20 50'
}

@test "-it: the detach keys leave the session" {
        out=$(pty -e '# ' -s '\x10\x11' -- "$HOD_BIN/hod" exec -it e1 sh) && status=0 || status=$?
        is "$status" 1 "$out"
        like "$out" 'read escape sequence'
}

@test "-d returns at once; a failed start is told" {
        took=$(millis hod exec -d e1 sleep 33)
        ((took < 20000))
        like "$(hod exec e1 ps -o args)" 'sleep 33'
        refused 1 'nosuch.*not found' hod exec -d e1 nosuch
}

@test "signals: a death by signal is 128+n; SIGTERM to hod goes through" {
        run hod exec e1 sh -c 'kill -9 $$'
        is "$status" 137
        run hod exec e1 sh -c 'kill -TERM $$'
        is "$status" 143
}

@test "the container killed under a session: 137" {
        hod run -d --name e6 busybox sleep 100 >/dev/null
        (
                eventually 5 test -e "/proc/$(init_pid e6)/root/in"
                hod kill e6 >/dev/null
        ) &
        run hod exec e6 sh -c 'touch /in; exec sleep 100'
        is "$status" 137
        wait $!
        hod rm e6
}

@test "many at once" {
        for i in {1..16}; do
                hod exec e1 sh -c "exit $i" &
                pids[i]=$!
        done
        for i in {1..16}; do
                status=0
                wait "${pids[i]}" || status=$?
                is "$status" "$i"
        done
}

@test "hod killed: the session goes on, the container too" {
        "$HOD_BIN/hod" exec e1 sh -c 'touch /before; sleep 1; touch /after' &
        pid=$!
        eventually 5 test -e "/proc/$(init_pid e1)/root/before"
        kill -9 "$pid"
        wait "$pid" || true
        eventually 5 hod exec e1 test -e /after
        is_running e1
}

# bats test_tags=vm
@test "into a container that manages cgroups of its own: the session goes where its init is" {
        [[ -f /sys/fs/cgroup/cgroup.controllers ]] || skip "needs cgroup v2 alone"
        hod run -d --privileged --name cg busybox sh -c 'cd /sys/fs/cgroup && mkdir inner && echo 1 >inner/cgroup.procs && echo +pids >cgroup.subtree_control && echo ready && sleep 1000' >/dev/null
        eventually 5 logs_have cg ready
        like "$(hod exec cg cat /proc/self/cgroup)" '/inner'
        hod rm -f cg
}
