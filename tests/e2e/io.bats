#!/usr/bin/env bats
# Input, output, terminals, logs, attach.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

# bats test_tags=asan
@test "stdout and stderr come out apart; the status is exact" {
        run --separate-stderr hod run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
        is "$status $output $stderr" "7 out err"
}

@test "-i: stdin goes in, its end too; without -i it is empty" {
        is "$(printf 'l1\nl2\n' | hod run --rm -i busybox cat)" $'l1\nl2'
        is "$(printf 'x\n' | hod run --rm busybox cat)" ''
}

@test "stdin half closed: the answer still comes" {
        is "$(printf 'b\na\n' | hod run --rm -i busybox sh -c 'sort; sleep 0.3; echo end')" $'a\nb\nend'
}

@test "large streams arrive whole, both ways, byte for byte" {
        head -c 20000000 /dev/urandom >"$T/big"
        is "$(hod run --rm -i busybox cat <"$T/big" | sha256sum)" "$(sha256sum <"$T/big")"
        is "$(hod run --rm busybox sh -c 'head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2' 2>/dev/null | wc -c)" 5000000
}

@test "a reader that goes away does not hang the container" {
        run timeout 60 bash -c '"$HOD_BIN/hod" run --rm busybox yes 2>/dev/null | head -n 1'
        is "$status $output" "0 y"
}

@test "a slow reader holds the writer back and loses nothing" {
        out=$(hod run --rm busybox sh -c 'i=0; while [ $i -lt 3000 ]; do echo "line $i ........................................"; i=$((i+1)); done' |
                { sleep 1; wc -l; })
        is "$out" 3000
}

@test "-a chooses the streams" {
        run --separate-stderr hod run --rm -a stderr busybox sh -c 'echo o; echo e >&2'
        is "$output|$stderr" "|e"
        refused 1 'attach|-a and -d' hod run -d -a stdout busybox true
}

@test "-a in capitals; -a stdin alone gives the id and leaves when the input has ended" {
        is "$(hod run --rm -a STDOUT busybox sh -c 'echo o; echo e >&2' 2>&1)" o
        id=$(echo data | hod run --name onlyin -i -a stdin busybox sh -c 'cat; until [ -e /end ]; do sleep 0.05; done; exit 3')
        is "$(field onlyin '{{.Id}} {{.State.Running}}')" "$id true"
        touch "/proc/$(init_pid onlyin)/root/end"
        is "$(hod wait onlyin)" 3
        is "$(hod logs onlyin)" data
        seq 300000 >"$T/numbers"
        like "$(hod run --rm -i -v "$T/work:/w" -a stdin busybox sh -c 'sleep 0.3; cat >/w/in' <"$T/numbers")" '^[0-9a-f]{64}$'
        eventually 5 cmp -s "$T/work/in" "$T/numbers"
        eventually 5 eval '[[ -z $(hod ps -q) ]]'
        # Without -a stdin nobody feeds it: it stays open for an attach.
        is "$(hod run --rm -i -a stdout busybox sh -c 'timeout 0.3 cat || echo open' </dev/null)" open
}

# bats test_tags=vm
@test "-t: tty, size, CR LF" {
        out=$(pty -z 40x150 -- "$HOD_BIN/hod" run --rm -t busybox sh -c 'tty; stty size; exit 3') && status=0 || status=$?
        is "$status" 3
        like "$out" '/dev/pts/0'
        like "$out" '40 150'
        is "$(hod run --rm -t busybox echo hi | od -c | head -n 1)" '0000000   h   i  \r  \n'
        refused 1 'not a TTY' hod run --rm -it busybox true
}

@test "-ti: resizing is seen inside" {
        out=$(pty -z 24x80 -e '# ' -s 'stty size\r' -e '24 80' -r 50x100 \
                -s 'until stty size | grep "50 1"00; do sleep 0.05; done; exit\r' -e '50 100' -- \
                "$HOD_BIN/hod" run -ti --rm busybox sh) || fail "$out"
}

@test "-ti: Ctrl-C reaches the program; job control works" {
        run pty -e ready -s '\x03' -- "$HOD_BIN/hod" run -ti --rm busybox sh -c 'trap "echo INT; exit 6" INT; echo ready; while :; do sleep 0.1; done'
        is "$status" 6
        # What is typed shows, too: what is waited for does not stand in it.
        out=$(pty -e '# ' -s 'sh -c "echo be''""''gun; exec sleep 100"\r' -e 'begun' -s '\x1a' -e 'Stopped' -s 'jobs; kill -9 %1; while jobs >/j; grep -q Stopped /j; do :; done\r' -e '# ' -s 'exit 0\r' -- "$HOD_BIN/hod" run -ti --rm busybox sh) || fail "$out"
}

@test "-ti: vi edits a file" {
        out=$(pty -e '# ' -s 'vi /f\r' -e '~' -s 'ihello' -e 'hello' -s '\x1b' -w 0.3 -s ':wq\r' -e '# ' -s 'cat /f; exit\r' -- "$HOD_BIN/hod" run -ti --name vi busybox sh) || fail "$out"
        hod export vi | tar -xO f | grep -qx hello
}

@test "the caller's terminal is as before, also when hod is killed by a signal" {
        out=$(pty -e '\$ ' -s '"$HOD_BIN/hod" run --rm -ti busybox true; stty -a | grep -o -- "-*icanon"; exit\r' -- env PS1='$ ' sh)
        like "$out" 'icanon'
        unlike "$out" '-icanon'
}

@test "detach keys: leaves it running; attach comes back" {
        out=$(pty -e '# ' -s '\x10\x11' -- "$HOD_BIN/hod" run -ti --name det busybox sh) && status=0 || status=$?
        is "$status" 0 "$out"
        is_running det
        out=$(pty -w 0.5 -s '\r' -e '# ' -s 'echo he''y; exit 5\r' -- "$HOD_BIN/hod" attach det) && status=0 || status=$?
        is "$status" 5 "$out"
        like "$out" hey
        hod run -dti --name det2 busybox sh >/dev/null
        out=$(pty -w 0.5 -s '\x18y' -- "$HOD_BIN/hod" attach --detach-keys ctrl-x,y det2) && status=0 || status=$?
        like "$out" 'read escape sequence'
        is_running det2
}

@test "attach: streams, stdin, status" {
        hod run -d -i --name at busybox sh -c 'while read x; do echo "got $x"; [ "$x" = end ] && exit 9; done' >/dev/null
        run bash -c '(sleep 0.3; printf "a\nend\n"; sleep 0.3) | timeout 60 "$HOD_BIN/hod" attach at'
        is "$status" 9
        is "$output" $'got a\ngot end'
        refused 1 'cannot attach to a stopped' hod attach at
        refused 1 'no such container' hod attach nosuch
        hod run -d --name pa busybox sleep 100 >/dev/null
        hod pause pa >/dev/null
        refused 1 'cannot attach to a paused' hod attach pa
        hod unpause pa >/dev/null
}

@test "attach: --no-stdin --sig-proxy=false; leaving it harms nothing; two at once see the same" {
        hod run -d --name two busybox sh -c 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.1; done' >/dev/null
        "$HOD_BIN/hod" attach --no-stdin --sig-proxy=false two >"$T/1" &
        first=$!
        "$HOD_BIN/hod" attach --no-stdin --sig-proxy=false two >"$T/2" &
        second=$!
        same() { grep -xF -f "$T/1" "$T/2" | sed -n 3q1; } # three lines that both have
        until ! same; do
                alive $first && alive $second || fail "it ended: $(cat "$T/1" "$T/2")"
                sleep 0.05
        done
        kill -9 $first $second
        wait $first $second || true
        is_running two
}

@test "logs: -n, -t, --since, --until, -f" {
        hod run --name ll busybox sh -c 'echo one; echo err >&2; sleep 1.2; echo two; printf noeol'
        is "$(hod logs ll 2>/dev/null)" $'one\ntwo\nnoeol'
        is "$(hod logs ll 2>&1 >/dev/null)" err
        is "$(hod logs -n 1 ll)" noeol
        is "$(hod logs --tail 0 ll)" ''
        is "$(hod logs --tail all ll 2>/dev/null | wc -l)" 2
        like "$(hod logs -t -n 1 ll)" '^20[0-9-]+T[0-9:.]+Z noeol$'
        is "$(hod logs --since 2099-01-01 ll)" ''
        is "$(hod logs --until 2020-01-01 ll)" ''
        is "$(hod logs --since 1h ll 2>/dev/null | head -n 1)" one
        two=$(hod logs -t ll 2>/dev/null | awk '$2 == "two" {print $1}')
        is "$(hod logs --since "$two" ll 2>/dev/null)" $'two\nnoeol'
        is "$(hod logs -f --tail 1 ll)" noeol
        refused 1 'failed to parse value as time or duration: "bogus"' hod logs --since bogus ll
        refused 1 'no such container' hod logs nosuch
}

@test "logs -f ends when the container does, and follows over a restart until then" {
        hod run -d --name lf busybox sh -c 'i=0; while [ $i -lt 8 ]; do i=$((i+1)); echo "l$i"; sleep 0.1; done' >/dev/null
        is "$(timeout 60 "$HOD_BIN/hod" logs -f lf | tail -n 1)" l8
}

@test "logs on disk are json lines as docker's" {
        hod run --name js busybox sh -c 'echo "a\"b"; echo e >&2'
        log=$(field js '{{.LogPath}}')
        is "$(jq -r '.stream + " " + .log' <"$log" | grep . | sort | paste -sd, -)" 'stderr e,stdout a"b'
        like "$(jq -r .time <"$log" | head -n 1)" '^20[0-9]{2}-.*Z$'
}

@test "logs: bytes that are no UTF-8, NUL, very long lines" {
        hod run --name odd busybox sh -c 'printf "a\000b\377c\n"; head -c 100000 /dev/zero | tr "\0" x; echo'
        is "$(hod logs odd | tail -n 1 | wc -c)" 100001
        like "$(hod logs odd | head -n 1 | od -An -c | tr -s ' ')" 'a \\0 b'
}

@test "logs: --log-driver none keeps nothing and says so" {
        is "$(hod run --name nolog --log-driver none busybox echo x)" x
        refused 1 'does not support reading' hod logs nolog
}

@test "signals to hod are passed on; --sig-proxy=false keeps them" {
        "$HOD_BIN/hod" run --rm --name sp busybox sh -c 'trap "echo got; exit 3" TERM; touch /up; while :; do sleep 0.1; done' >"$T/out" &
        pid=$!
        eventually 5 hod exec sp test -e /up
        kill -TERM "$pid"
        status=0
        wait "$pid" || status=$?
        is "$status $(cat "$T/out")" "3 got"
        "$HOD_BIN/hod" run --name np --sig-proxy=false busybox sleep 1000 &
        pid=$!
        eventually 5 is_running np
        kill -TERM "$pid"
        sleep 0.3
        is_running np
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" || true
}

@test "start -a and -ai" {
        hod create --name c1 busybox sh -c 'echo started; exit 4' >/dev/null
        run hod start -a c1
        is "$status $output" "4 started"
        hod create -i --name c2 busybox cat >/dev/null
        is "$(echo in | hod start -ai c2)" in
}

@test "a reader that sleeps does not keep signals from the container" {
        mkfifo "$T/slow"
        # shellcheck disable=SC2217  # it is to hold it open, not to read
        sleep 60 <"$T/slow" &
        reader=$!
        "$HOD_BIN/hod" run --name bl busybox sh -c 'trap "exit 9" TERM; touch /up; yes & wait' >"$T/slow" 2>/dev/null &
        pid=$!
        eventually 5 hod exec bl test -e /up
        sleep 0.5 # for all that fits on the way to the reader
        kill -TERM "$pid"
        eventually 5 is_exited bl
        alive "$reader"
        is "$(field bl '{{.State.ExitCode}}')" 9
        kill "$reader"
        wait "$pid" || true
        rm "$T/slow"
}

@test "exec does not swallow a hangup" {
        hod run -d --name hu busybox sleep 1000 >/dev/null
        "$HOD_BIN/hod" exec hu sleep 20 &
        pid=$!
        sleep 0.5
        kill -HUP "$pid"
        status=0
        wait "$pid" || status=$?
        is "$status" 129
}

@test "start -a of a running container shows its output and gives its status" {
        hod run -d --name sa busybox sh -c 'sleep 1; echo late; exit 5' >/dev/null
        status=0
        out=$("$HOD_BIN/hod" start -a sa) || status=$?
        is "$out" late
        is "$status" 5
}

@test "logs -f follows a log that begins anew in its place" {
        hod run -d --name lg --log-opt max-size=2k --log-opt max-file=1 busybox sh -c \
                'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line$i; usleep 3000; done' >/dev/null
        is "$(timeout 100 "$HOD_BIN/hod" logs -f lg | tail -n 1)" line300
}
