#!/usr/bin/env bats
# Networks and kill -9; many starts and stops: nothing may be left of links, leases, rules and namespaces.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        hod network prune -f >/dev/null
}

@test "hod, its monitor or both killed at some moment of run, start, stop, rm, connect, update, network create: nothing is left" {
        timeout 100 python3 "$BATS_TEST_DIRNAME/crash-network.py" "$HOD_BIN/hod" 25
}

links() { ip -o link | grep -cE 'hod[0-9a-f]{12}|ifb[0-9a-f]{12}' || true; }
leases() { cat "$HOD_STATE"/networks/[0-9a-f]* 2>/dev/null | wc -l; } # `watch` names a monitor

@test "many cycles of create, start, stop and rm, two at a time, leave nothing behind" {
        hod network create nc >/dev/null
        hod run --rm --network nc busybox true
        local before after pids=()
        before="$(links) $(leases)"
        cycles() {
                for _ in {1..15}; do
                        hod create --name "cy$1" --network nc -p 80 --net-rate 100mbit --egress 'deny=*' busybox sleep 1000 >/dev/null
                        hod start "cy$1" >/dev/null
                        hod stop -t 0 "cy$1" >/dev/null
                        hod rm "cy$1" >/dev/null
                done
        }
        cycles a &
        pids+=($!)
        cycles b &
        pids+=($!)
        wait "${pids[0]}"
        wait "${pids[1]}"
        same() {
                after="$(links) $(leases)"
                # Of what was there before, some may only just have been going.
                ((${after% *} <= ${before% *} && ${after#* } <= ${before#* }))
        }
        eventually 5 same || fail "before $before, after $after"
        run -1 nft list table bridge hod_egress
}
