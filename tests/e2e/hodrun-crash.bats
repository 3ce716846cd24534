#!/usr/bin/env bats
# hodrun killed at any step, and many hodruns at a time: what is said is true, and nothing is left.
# shellcheck disable=SC2016  # programs of containers

load lib
load hodrun

setup_file() { hodrun_setup_file; }
teardown_file() { e2e_teardown; }
setup() {
        hodrun_setup
        run_args sleep 424242
}
teardown() { hodrun_teardown; }

nothing_left() {
        is "$(hodrun list -q)" ""
        is "$(find "$T/run" -mindepth 1 -maxdepth 1 ! -name '@*')" ""
        is "$(find /sys/fs/cgroup -type d -path "*$CG-*" 2>/dev/null)" "" "cgroups"
}

@test "hodrun killed at any system call of create, run, start, delete, exec and kill" {
        need_packages strace
        python3 "$BATS_TEST_DIRNAME/crash-hodrun.py" "$HOD_BIN/hodrun" "$T/run" "$T/b" "$CG-c" "${ROUNDS:-24}"
        nothing_left
}

@test "what a killed create has left can be deleted without force, and its name used again" {
        # Killed by its own hook: after the cgroup was made, before there is a container.
        edit '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "kill -9 $PPID; sleep 1"]}]'
        run hodrun create c </dev/null
        ((status == 137)) || fail "exit status $status"
        stopped() { [[ $(hodrun state c | jq -r .status) == stopped ]]; }
        eventually 5 stopped
        run hodrun create c </dev/null
        contains "$output" "container with given ID already exists"
        hodrun delete c
        nothing_left
        edit 'del(.hooks)'
        hodrun run -d c </dev/null >/dev/null 2>&1
        hodrun delete -f c
        nothing_left
}

@test "create, start, exec, kill and delete on one id in eight loops at a time" {
        local i pids=()
        for i in {1..8}; do
                (
                        cd "$T/b"
                        for _ in {1..12}; do
                                for verb in create start exec kill delete; do
                                        case $verb in
                                        create) set -- create c ;;
                                        start) set -- start c ;;
                                        exec) set -- exec c true ;;
                                        kill) set -- kill c KILL ;;
                                        delete) set -- delete -f c ;;
                                        esac
                                        timeout 60 "$HOD_BIN/hodrun" --root "$T/run" --log "$T/log.$i" "$@" </dev/null >/dev/null 2>&1 || {
                                                (($? != 124)) || echo "$verb hangs" >>"$T/log.$i"
                                        }
                                done
                        done
                ) &
                pids+=($!)
        done
        wait "${pids[@]}"
        # Refusals are fine, as long as they are of the expected kinds.
        cat "$T"/log.* 2>/dev/null | grep -vE 'already exists|does not exist|not running|has stopped|already running|stopped container|in the (creating|created|stopped|running) state|died while it was set up|is being created' >"$T/unexpected" || true
        [[ ! -s $T/unexpected ]] || fail "$(sort "$T/unexpected" | head -n 20)"
        hodrun delete -f c
        nothing_left
}

@test "many containers, sixteen at a time: none fails, none is left" {
        local count=${COUNT:-100} i
        edit 'del(.linux.cgroupsPath)'
        edit '.linux.cgroupsPath = $cg' --arg cg "$CG-many"
        for i in $(seq "$count"); do
                mkdir -p "$T/many/$i"
                sed "s#$CG-many#$CG-m$i#; s#\"path\": \"rootfs\"#\"path\": \"$T/b/rootfs\"#" config.json >"$T/many/$i/config.json"
        done
        seq "$count" | xargs -P 16 -I{} sh -c '"$1" --root "$2" create -b "$3/{}" m{} </dev/null >/dev/null 2>&1 &&
                "$1" --root "$2" start m{} && "$1" --root "$2" kill m{} KILL && "$1" --root "$2" delete -f m{} || echo {} >>"$3/failed"' \
                sh "$HOD_BIN/hodrun" "$T/run" "$T/many"
        [[ ! -s $T/many/failed ]] || fail "failed: $(tr '\n' ' ' <"$T/many/failed")"
        nothing_left
}
