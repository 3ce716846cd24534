#!/usr/bin/env bats
# Many, and many at once.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

nothing_left() {
        is "$(hod ps -aq)" ''
        eventually 10 bash -c '[[ -z $(ls -A "$HOD_ROOT/containers") && -z $(ls -A "$HOD_STATE/containers") ]]'
        eventually 10 bash -c '[[ -z $(find "$HOD_ROOT/tmp" -mindepth 1 2>/dev/null) ]]'
}

@test "two hundred run --rm in a row" {
        for i in {1..200}; do
                out=$(hod run --rm busybox echo "$i") || fail "number $i: $out"
                is "$out" "$i"
        done
        nothing_left
}

@test "sixteen run --rm at once, four times" {
        for round in 1 2 3 4; do
                pids=()
                for i in {1..16}; do
                        hod run --rm busybox sh -c "echo $i; exit $i" >"$T/out.$i" 2>"$T/err.$i" &
                        pids[i]=$!
                done
                for i in {1..16}; do
                        status=0
                        wait "${pids[i]}" || status=$?
                        is "$status" "$i" "round $round: $(cat "$T/err.$i")"
                        is "$(cat "$T/out.$i")" "$i"
                done
        done
        nothing_left
}

@test "sixteen with one name at once: one wins, the others are told" {
        pids=()
        for i in {1..16}; do
                hod run -d --name same busybox sleep 100 >/dev/null 2>"$T/err.$i" &
                pids[i]=$!
        done
        won=0
        for i in {1..16}; do
                if wait "${pids[i]}"; then won=$((won + 1)); else grep -q 'already in use' "$T/err.$i"; fi
        done
        is "$won" 1
        is "$(hod ps -aq | wc -l)" 1
}

@test "start, stop and rm of one container by many at once end in one state" {
        for _ in {1..10}; do
                hod create --name cc busybox sleep 100 >/dev/null
                pids=()
                for i in {1..4}; do
                        hod start cc >/dev/null 2>&1 &
                        pids+=($!)
                        hod stop -t 0 cc >/dev/null 2>&1 &
                        pids+=($!)
                        hod restart -t 0 cc >/dev/null 2>&1 &
                        pids+=($!)
                        hod exec cc true >/dev/null 2>&1 &
                        pids+=($!)
                done
                for i in "${pids[@]}"; do wait "$i" || true; done
                timeout 60 "$HOD_BIN/hod" rm -f cc
                is "$(hod ps -aq)" ''
        done
        nothing_left
}

@test "thirty running, listed, removed" {
        for i in {1..30}; do hod run -d --name "n$i" busybox sleep 1000 >/dev/null; done
        is "$(hod ps -q | wc -l)" 30
        # shellcheck disable=SC2046
        hod rm -f $(hod ps -aq) >/dev/null
        nothing_left
}

@test "images imported and removed while containers of them start" {
        pids=()
        for i in {1..6}; do
                hod import -m "m$i" "$(busybox_file)" "t$i" >/dev/null &
                pids+=($!)
                hod run --rm busybox true &
                pids+=($!)
        done
        for i in "${pids[@]}"; do wait "$i"; done
        for i in {1..6}; do hod rmi "t$i" >/dev/null; done
        nothing_left
}
