#!/usr/bin/env bats
# kill -9 of anything, at any moment; a reboot.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

monitor_pid() {
        local id
        id=$(field "$1" '{{.Id}}')
        sed -n 's/^monitor_pid=//p' "$HOD_STATE/containers/$id/status"
}

# bats test_tags=vm
@test "the monitor killed: the container runs on, its output is kept, the next command adopts it" {
        local count
        hod run -d --name cc busybox sh -c 'i=0; until [ -e /enough ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done; echo "$i lines"; exit 9' >/dev/null
        eventually 5 logs_have cc 'line 5'
        pid=$(init_pid cc)
        old=$(monitor_pid cc)
        # Just after it has written a line: what it has read and not written is lost with it (decision 2).
        log=$(field cc '{{.LogPath}}')
        mapfile -t before <"$log"
        now=("${before[@]}")
        deadline=$((SECONDS + 60))
        until ((${#now[@]} > ${#before[@]})); do
                ((SECONDS < deadline)) || fail "it writes no more: $(hod ps -a)"
                mapfile -t now <"$log"
        done
        kill -9 "$old"
        sleep 0.5
        alive "$pid" || fail "the container died with its monitor"
        like "$(hod ps)" 'Up .* cc'
        hod exec cc true
        [[ $(monitor_pid cc) != "$old" ]] || fail "nobody adopted it"
        is "$(init_pid cc)" "$pid"
        hod exec cc touch /enough
        eventually 10 is_exited cc
        # Nothing lost, nothing twice, over the gap.
        count=$(hod logs cc | sed -n 's/^\([0-9]*\) lines$/\1/p')
        ((count >= 6))
        is "$(hod logs cc)" "$(seq -f 'line %g' "$count")"$'\n'"$count lines"
        # The exit was not seen by a parent: the kernel tells from 6.15 on, else it is said to be unknown.
        code=$(field cc '{{.State.ExitCode}}')
        [[ $code == 9 || $code == 255 ]] || fail "exit code $code"
}

@test "the monitor killed at some moment of a start: the container runs and obeys, or nothing of it is left" {
        python3 "$BATS_TEST_DIRNAME/kill.py" monitor "$HOD_BIN/hod" 80
}

# bats test_tags=vm
@test "the monitor killed while the container ends: ps tells the truth; rm works" {
        hod run -d --name cc busybox sleep 1000 >/dev/null
        pid=$(init_pid cc)
        kill -9 "$(monitor_pid cc)"
        kill -9 "$pid"
        eventually 5 dead "$pid"
        eventually 5 is_exited cc
        like "$(hod ps -a)" 'Exited \((137|255)\)'
        id=$(field cc '{{.Id}}')
        hod start cc
        is_running cc
        hod rm -f cc
        [[ -z $(find /sys/fs/cgroup -type d -name "*$id*") ]] || fail "its cgroup is still there"
}

@test "the container's init killed from outside: seen, with its status" {
        hod run -d --name cc busybox sleep 1000 >/dev/null
        kill -9 "$(init_pid cc)"
        eventually 5 is_exited cc
        is "$(field cc '{{.State.ExitCode}}')" 137
        hod run -d --rm --name rr busybox sleep 1000 >/dev/null
        kill -9 "$(init_pid rr)"
        eventually 5 no_container rr
}

@test "monitor and init killed where process 1 reaps nobody: exited all the same, and started again" {
        run -0 unshare -p -f --mount-proc python3 -c 'import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)' bash -c '
                PATH=$HOD_BIN:$PATH
                hod run -d --name z --network none busybox sleep 300 >/dev/null
                init=$(hod inspect -f "{{.State.Pid}}" z)
                kill -9 "$(sed -n s/^monitor_pid=//p "$HOD_STATE"/containers/*/status)" "$init"
                until grep -q "^State:.Z" "/proc/$init/status"; do sleep 0.05; done
                hod ps -a --format "{{.Status}}"
                hod start z
                [[ $(hod inspect -f "{{.State.Pid}}" z) != "$init" ]] && hod exec z echo runs
                hod rm -f z'
        echo "$output"
        [[ ${lines[0]} == 'Exited (137)'* && ${lines[1]} == z && ${lines[2]} == runs && ${lines[3]} == z ]]
}

@test "stop, kill, pause, logs -f and wait work on an adopted container" {
        local left
        for verb in stop kill pause 'logs -f' wait; do
                case $verb in logs* | wait) left=30 ;; *) left=10000 ;; esac
                hod run -d --name cc busybox sh -c 'trap "exit 3" TERM; echo hi; i=0; while [ $i -lt $0 ]; do i=$((i+1)); sleep 0.1; done' $left >/dev/null
                eventually 5 logs_have cc hi
                kill -9 "$(monitor_pid cc)"
                # shellcheck disable=SC2086
                timeout 60 "$HOD_BIN/hod" $verb cc >"$T/out" || fail "$verb: $?"
                hod rm -f cc
        done
}

@test "hod run (attached) killed: the container goes on; --rm is still honoured" {
        "$HOD_BIN/hod" run --name cc busybox sleep 1000 &
        pid=$!
        eventually 5 is_running cc
        kill -9 "$pid"
        wait "$pid" || true
        sleep 0.3
        is_running cc
        hod rm -f cc
        "$HOD_BIN/hod" run --rm --name rr -v "$T/work:/w" busybox sh -c 'until [ -e /w/end ]; do sleep 0.05; done' &
        pid=$!
        eventually 5 is_running rr
        kill -9 "$pid"
        wait "$pid" || true
        touch "$T/work/end"
        eventually 10 no_container rr
        eventually 5 eval '[[ -z $(ls -A "$HOD_ROOT/containers") ]]'
}

# Kill `hod ARGUMENTS` after each of many delays; afterwards a command must work and rm must clean.
killed_at() {
        local ms pid
        for ms in 0 1 2 3 4 5 6 8 10 12 15 20 25 30; do
                "$HOD_BIN/hod" "$@" >/dev/null 2>&1 </dev/null &
                pid=$!
                sleep "0.$(printf '%03d' "$ms")"
                kill -9 "$pid" 2>/dev/null || true
                wait "$pid" 2>/dev/null || true
                hod ps -a >/dev/null || fail "ps after $ms ms"
                hod run --rm busybox true || fail "run after $ms ms"
                e2e_clean
                is "$(hod ps -aq)" '' "after $ms ms"
        done
        eventually 10 bash -c '[[ -z $(ls -A "$HOD_ROOT/containers") && -z $(ls -A "$HOD_STATE/containers") ]]'
}

@test "hod killed at some moment of run, start, restart, stop, rm: rm -f leaves nothing" {
        python3 "$BATS_TEST_DIRNAME/kill.py" hod "$HOD_BIN/hod" 120
}

@test "hod killed at any moment of run -d: the next command understands and repairs" {
        killed_at run -d --name kk busybox sleep 1000
}

@test "hod killed at any moment of run --rm" {
        killed_at run --rm --name kk busybox sh -c 'sleep 0.02'
}

@test "hod killed at any moment of create, start, stop, rm" {
        killed_at create --name kk busybox true
        for verb in start 'stop -t 0' 'restart -t 0' 'rm -f'; do
                for ms in 0 1 2 4 6 9 13 20; do
                        hod create --name kk busybox sleep 1000 >/dev/null
                        [[ $verb == start ]] || hod start kk >/dev/null
                        # shellcheck disable=SC2086
                        "$HOD_BIN/hod" $verb kk >/dev/null 2>&1 &
                        pid=$!
                        sleep "0.$(printf '%03d' "$ms")"
                        kill -9 "$pid" 2>/dev/null || true
                        wait "$pid" 2>/dev/null || true
                        hod ps -a >/dev/null || fail "ps after $verb, $ms ms"
                                hod rm -f kk >/dev/null 2>&1 || true
                        is "$(hod ps -aq)" '' "after $verb, $ms ms"
                done
        done
}

# bats test_tags=vm
@test "a reboot: containers are exited, run --rm ones are gone, start works" {
        hod run -d --name keep busybox sh -c 'echo x >> /n; sleep 1000' >/dev/null
        hod run -d --rm --name gone busybox sleep 1000 >/dev/null
        runs() { is "$(hod exec keep sh -c 'cat /n 2>/dev/null | wc -l')" "$1" 2>/dev/null; }
        eventually 5 runs 1
        mapfile -t ids < <(hod ps -aq --no-trunc)
        # What a power cut does: every process of ours ends at once, the run directory is empty.
        monitors="$(monitor_pid keep) $(monitor_pid gone)" inits="$(init_pid keep) $(init_pid gone)"
        # shellcheck disable=SC2086  # numbers
        kill -9 $monitors $inits
        for pid in $monitors $inits; do eventually 5 dead "$pid"; done
        for id in "${ids[@]}"; do
                find /sys/fs/cgroup -depth -type d -name "*$id*" -exec rmdir {} + 2>/dev/null || true
        done
        rm -rf "$HOD_STATE"
        like "$(hod ps -a)" 'Exited \([0-9]+\).* keep'
        unlike "$(hod ps -a)" gone
        is "$(hod ps -q)" ''
        hod start keep
        eventually 5 runs 2
        hod rm -f keep
        is "$(ls -A "$HOD_ROOT/containers")" ''
}

@test "a reboot with a run directory that is not a tmpfs: the boot id tells" {
        hod run -d --name keep busybox sleep 1000 >/dev/null
        id=$(field keep '{{.Id}}')
        pid=$(init_pid keep)
        kill -9 "$(monitor_pid keep)"
        kill -9 "$pid"
        eventually 5 dead "$pid"
        find "$HOD_STATE" -maxdepth 1 -name 'boot*' -type f -exec sh -c 'echo 00000000-0000-0000-0000-000000000000 >"$1"' _ {} \;
        [[ ! -f $HOD_STATE/containers/$id/status ]] ||
                sed -i 's/^boot_id=.*/boot_id=00000000-0000-0000-0000-000000000000/; s/^pid=.*/pid=1/; s/^pid_start=.*/pid_start=1/; s/^state=.*/state=running/' \
                        "$HOD_STATE/containers/$id/status"
        is_exited keep
        hod start keep
        is_running keep
}

@test "a number that another process has now is not taken for the container" {
        hod run -d --name cc busybox sleep 1000 >/dev/null
        id=$(field cc '{{.Id}}')
        pid=$(init_pid cc)
        kill -9 "$(monitor_pid cc)"
        kill -9 "$pid"
        eventually 5 dead "$pid"
        sleep 1000 &
        other=$!
        sed -i "s/^pid=.*/pid=$other/" "$HOD_STATE/containers/$id/status"
        hod kill cc 2>/dev/null || true
        hod rm -f cc
        alive "$other" || fail "hod killed a stranger"
        kill "$other"
}

@test "SIGSTOPped hod holds nobody up" {
        "$HOD_BIN/hod" run --name st busybox sh -c 'while :; do echo x; sleep 0.01; done' >"$T/fifo-out" &
        pid=$!
        eventually 5 is_running st
        kill -STOP "$pid"
        timeout 60 "$HOD_BIN/hod" ps >/dev/null
        timeout 60 "$HOD_BIN/hod" run --rm busybox true
        timeout 60 "$HOD_BIN/hod" rm -f st
        kill -CONT "$pid"
        wait "$pid" || true
}

@test "a monitor that was stopped holds neither exec, attach nor start for ever" {
        local monitor exec attach
        mkdir "$T/bin"
        cp "$HOD_BIN/hod" "$T/bin/"
        printf '#include <signal.h>\nint main(void) { return raise(SIGSTOP); }\n' | gcc -x c -static -o "$T/bin/hod-monitor" -
        hod run -d --name st busybox sleep 1000 >/dev/null
        hod create --name two busybox sleep 1000 >/dev/null
        monitor=$(monitor_pid st)
        kill -STOP "$monitor"
        timeout 60 "$HOD_BIN/hod" exec st touch /late >"$T/exec" 2>&1 &
        exec=$!
        timeout 60 "$HOD_BIN/hod" attach --no-stdin st >"$T/attach" 2>&1 &
        attach=$!
        run timeout 60 "$T/bin/hod" start two
        wait "$exec" || echo "$?" >>"$T/exec"
        wait "$attach" || echo "$?" >>"$T/attach"
        kill -CONT "$monitor"
        is "$status" 1
        like "$output" 'does not answer'
        is "$(field two '{{.State.Status}} {{.State.ExitCode}}')" 'created 128'
        like "$(<"$T/exec")" 'does not answer.*1$'
        like "$(<"$T/attach")" 'does not answer.*1$'
        hod exec st true
        hod exec st test ! -e /late
        hod start two >/dev/null
}

@test "a commit that is killed leaves the container running, not frozen" {
        hod run -d --name cc busybox sleep 1000 >/dev/null
        hod exec cc dd if=/dev/zero of=/big bs=1M count=200 2>/dev/null
        local paused=0
        for _ in {1..20}; do # it may be over before we look
                "$HOD_BIN/hod" commit cc big >/dev/null 2>&1 &
                pid=$!
                until { is_paused cc && paused=1; } || dead "$pid"; do :; done
                ((paused == 0)) || break
                wait "$pid" || true
                hod rmi big >/dev/null
        done
        ((paused))
        kill -9 "$pid"
        wait "$pid" || true
        eventually 5 is_running cc
        timeout 60 "$HOD_BIN/hod" exec cc true
        # What it had written goes with the next image.
        hod exec cc rm /big
        hod commit cc small >/dev/null
        is "$(ls "$HOD_ROOT/tmp")" ''
}

@test "hod killed at any moment of create: its anonymous volumes go with the next one" {
        for ms in 0 1 2 3 4 5 6 8 10; do
                "$HOD_BIN/hod" create -v /a -v /b busybox true >/dev/null 2>&1 &
                pid=$!
                sleep "0.$(printf '%03d' "$ms")"
                kill -9 "$pid" 2>/dev/null || true
                wait "$pid" 2>/dev/null || true
        done
        hod create --name last busybox true >/dev/null
        # shellcheck disable=SC2046
        hod rm -fv $(hod ps -aq) >/dev/null
        is "$(hod volume ls -q)" ''
}
