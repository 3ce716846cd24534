#!/usr/bin/env bats
# The life cycle: create start stop restart kill pause unpause wait rename rm, names and ids, exit codes.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

sleeper() { hod run -d --name "$1" "${@:2}" busybox sleep 1000 >/dev/null; }

# bats test_tags=vm,asan
@test "create, start, wait, rm" {
        id=$(hod create --name c1 busybox sh -c 'sleep 0.3; exit 3')
        like "$id" '^[0-9a-f]{64}$'
        state_is c1 created
        is "$(timeout 60 "$HOD_BIN/hod" wait c1)" 0
        is "$(hod start c1)" c1
        is "$(hod wait c1)" 3
        is "$(hod wait c1)" 3
        is_exited c1
        is "$(field c1 '{{.State.ExitCode}}')" 3
        hod start c1
        is "$(hod wait c1)" 3
        is "$(hod rm c1)" c1
        refused 1 'no such container: c1' hod rm c1
}

@test "exit codes" {
        for want in 0 1 125 126 127 137 255; do
                status=0
                hod run --rm busybox sh -c "exit $want" || status=$?
                is "$status" "$want"
        done
        run hod run --rm busybox sh -c 'trap "exit 9" TERM; kill -TERM $$'
        is "$status" 9
        # What process 1 sends itself without a handler has no effect; under --init it does.
        hod run --rm busybox sh -c 'kill -TERM $$'
        run hod run --rm --init busybox sh -c 'kill -TERM $$'
        is "$status" 143
        run hod run --rm --init busybox sh -c 'kill -SEGV $$'
        is "$status" 139
}

@test "kill: KILL by default, -s by name and number" {
        sleeper k1
        is "$(hod kill k1)" k1
        is "$(hod wait k1)" 137
        hod run -d --name k2 busybox sh -c 'trap "exit 5" USR1; touch /up; while :; do sleep 0.05; done' >/dev/null
        eventually 5 hod exec k2 test -e /up
        hod kill -s USR1 k2
        is "$(hod wait k2)" 5
        sleeper k3
        hod kill -s WINCH k3
        is_running k3
        hod kill -s SIGKILL k3
        is "$(hod wait k3)" 137
        sleeper k4
        hod kill -s 9 k4
        is "$(hod wait k4)" 137
        refused 1 'is not running' hod kill k1
        refused 1 'no such container' hod kill nosuch
        sleeper k5
        refused 1 'invalid signal: BOGUS' hod kill -s BOGUS k5
        refused 1 'invalid signal: 0' hod kill -s 0 k5
        is_running k5
}

@test "stop: --stop-signal, --stop-timeout, -s, -t; a stopped one is fine" {
        hod run -d --name s3 --stop-signal USR1 busybox sh -c 'trap "exit 5" USR1; touch /up; while :; do sleep 0.05; done' >/dev/null
        eventually 5 hod exec s3 test -e /up
        hod stop s3
        is "$(field s3 '{{.State.ExitCode}} {{.Config.StopSignal}}')" "5 USR1"
        hod stop s3
        hod create --name s4 --stop-timeout 1 busybox sleep 1000 >/dev/null
        stops s4
        is "$(field s4 '{{.State.ExitCode}}')" 137
        hod run -d --name s5 --stop-timeout 100 busybox sleep 1000 >/dev/null
        timeout 60 "$HOD_BIN/hod" stop -t 0 s5
        sleeper s6
        hod stop -s KILL s6
        is "$(field s6 '{{.State.ExitCode}}')" 137
        refused 1 'no such container: nosuch' hod stop nosuch
}

@test "several names: what can be done is done, the rest is told, status 1" {
        sleeper a1
        sleeper a2
        run --separate-stderr hod kill a1 nosuch a2
        is "$status" 1
        is "$output" $'a1\na2'
        like "$stderr" 'nosuch'
        run --separate-stderr hod rm a1 nosuch a2
        is "$status $output" $'1 a1\na2'
}

# interrupted SIGNAL CONTAINER SECONDS: hod stop -t SECONDS gets the signal when the container has got its own (and says so
# with /told), which it does not mind.
interrupted() {
        local told pid
        told=/proc/$(init_pid "$2")/root/told
        # What is started in the background does not hear of Ctrl-C, unless it is told to.
        env --default-signal=INT "$HOD_BIN/hod" stop -t "$3" "$2" >/dev/null 2>&1 &
        pid=$!
        eventually 5 test -e "$told"
        kill -s "$1" "$pid"
        wait "$pid" || true
}

# ended CONTAINER SINCE: killed, three seconds after SINCE (of EPOCHREALTIME) or later.
ended() {
        is "$(timeout 60 "$HOD_BIN/hod" wait "$1")" 137
        is "$(field "$1" '{{.State.Status}}')" exited
        local end
        end=$(date -d "$(field "$1" '{{.State.FinishedAt}}')" +%s%6N)
        ((end - ${2/./} >= 2900000)) || fail "$1 ended after $(((end - ${2/./}) / 1000)) ms"
}

@test "stop: the grace ends also when hod stop is interrupted" {
        local since
        hod run -d --name stubborn busybox sh -c 'trap ": >/told" TERM; touch /up; while :; do sleep 0.05; done' >/dev/null
        eventually 5 hod exec stubborn test -e /up
        since=$EPOCHREALTIME
        interrupted INT stubborn 3
        ended stubborn "$since"
        # Also one that is restarted by policy otherwise, and paused meanwhile.
        hod run -d --name policy --restart always busybox sh -c 'trap ": >/told" TERM; touch /up; while :; do sleep 0.05; done' >/dev/null
        eventually 5 hod exec policy test -e /up
        since=$EPOCHREALTIME
        interrupted KILL policy 3
        hod pause policy || is_exited policy # on a machine that has stood still for as long
        ended policy "$since"
}

@test "stop: no other run follows one that ended by itself just before it was told to" {
        local pid
        mkdir "$T/may"
        hod run -d --name again --restart always -v "$T/may:/may:ro" busybox sh -c 'until [ -e /may/end ]; do sleep 0.02; done' >/dev/null
        # It asks for the end, and stands still before it says that it is wanted.
        strace -o "$T/strace" -e trace=sendmsg -e inject=sendmsg:delay_enter=1000000:when=2 "$HOD_BIN/hod" stop -t 0 again >/dev/null &
        pid=$!
        eventually 5 grep -q sendmsg "$T/strace"
        touch "$T/may/end"
        wait "$pid"
        is_exited again
        is "$(hod rm again)" again
}

@test "restart: a running and a stopped one; same id, new process" {
        sleeper r1
        pid=$(init_pid r1)
        is "$(hod restart -t 0 r1)" r1
        is_running r1
        [[ $(init_pid r1) != "$pid" ]]
        dead "$pid"
        hod stop -t 0 r1
        hod restart -t 0 r1
        is_running r1
}

@test "restart: an --rm container survives it with its files, and is gone after the next stop" {
        hod run -d --rm --name rr busybox sleep 1000 >/dev/null
        hod exec rr touch /kept
        is "$(hod restart -t 0 rr)" rr
        hod exec rr ls /kept
        hod stop -t 0 rr
        eventually 5 no_container rr
}

# bats test_tags=vm
@test "pause and unpause" {
        hod run -d --name p1 busybox sh -c 'i=0; while :; do i=$((i+1)); echo $i > /n; sleep 0.02; done' >/dev/null
        counts() { [[ $(cat "/proc/$(init_pid p1)/root/n" 2>/dev/null) == [0-9]* ]]; }
        eventually 5 counts
        is "$(hod pause p1)" p1
        state_is p1 paused
        like "$(hod ps)" 'Up .*\(Paused\)'
        n=$(cat "/proc/$(init_pid p1)/root/n")
        sleep 0.3
        is "$(cat "/proc/$(init_pid p1)/root/n")" "$n"
        refused 1 'already paused' hod pause p1
        refused 1 'paused' hod rm p1
        hod unpause p1
        is_running p1
        goes_on() { local now; now=$(hod exec p1 cat /n) && [[ $now && $now != "$n" ]]; }
        eventually 5 goes_on
        refused 1 'is not paused' hod unpause p1
        hod pause p1
        hod stop -t 1 p1
        is "$(field p1 '{{.State.Status}} {{.State.ExitCode}}')" "exited 137"
        refused 1 'is not running' hod pause p1
        hod start p1
        hod pause p1
        hod kill p1
        eventually 5 is_exited p1
        hod start p1
        hod pause p1
        hod rm -f p1
}

@test "rename; names are found exactly, ids by unique prefix, names win" {
        sleeper one
        sleeper two
        id=$(field one '{{.Id}}')
        hod rename one uno
        is "$(field uno '{{.Name}}')" /uno
        refused 1 'no such container: one' hod stop one
        refused 1 'already in use' hod rename uno two
        refused 1 'same name' hod rename uno uno
        refused 1 'invalid container name' hod rename uno 'bad name'
        is "$(field "${id:0:12}" '{{.Name}}')" /uno
        is "$(field "${id:0:7}" '{{.Name}}')" /uno
        hod create --name "${id:0:6}" busybox true >/dev/null
        is "$(field "${id:0:6}" '{{.Name}}')" "/${id:0:6}"
        refused 1 'no such container' hod stop un
        refused 1 'empty|no such container' hod stop ''
}

@test "generated names are unique and readable" {
        for _ in {1..20}; do hod create busybox true >/dev/null; done
        is "$(hod ps -a | awk 'NR > 1 {print $NF}' | sort -u | wc -l)" 20
        like "$(hod ps -a | awk 'NR == 2 {print $NF}')" '^[a-z]+_[a-z0-9]+'
}

# bats test_tags=vm,asan
@test "--rm removes it, also detached, also after kill and a failed start" {
        hod run --rm --name g1 busybox true
        no_container g1
        hod run -d --rm --name g2 busybox sleep 0.2 >/dev/null
        eventually 5 no_container g2
        hod run -d --rm --name g3 busybox sleep 100 >/dev/null
        hod kill g3
        eventually 5 no_container g3
        run hod run --rm --name g4 busybox nosuchcmd
        is "$status" 127
        is "$(hod ps -aq)" ''
        [[ -z $(ls -A "$HOD_ROOT/containers") ]]
}

@test "a failed start without --rm leaves it created, with the reason" {
        run hod run --name nc busybox nosuchcmd
        is "$status" 127
        is "$(field nc '{{.State.Status}} {{.State.ExitCode}} {{.State.Running}}')" "created 127 false"
        like "$(field nc '{{.State.Error}}')" 'nosuchcmd'
        refused 1 'nosuchcmd' hod start nc
}

@test "--cidfile" {
        hod run --rm --cidfile "$T/cid" busybox true
        is "$(wc -c <"$T/cid")" 64
        refused 125 'container ID file found' hod run --rm --cidfile "$T/cid" busybox true
        rm "$T/cid"
}

@test "rm -v removes anonymous volumes, rm keeps them" {
        hod create --name v1 -v /anon busybox >/dev/null
        is "$(hod volume ls -q | wc -l)" 1
        hod rm -v v1
        is "$(hod volume ls -q | wc -l)" 0
        hod run --rm -v /anon busybox true
        is "$(hod volume ls -q | wc -l)" 0
}

@test "rm -f of several that run with --rm names them all; their anonymous volumes are gone" {
        for i in 1 2 3 4; do hod run -d --rm --name "rm$i" -v /anon busybox sleep 1000 >/dev/null; done
        run hod rm -f rm1 rm2 rm3 rm4
        is "$status $output" $'0 rm1\nrm2\nrm3\nrm4'
        is "$(hod volume ls -q | wc -l)" 0
}

@test "what a container changed is there after stop and start; the host name and address files too" {
        hod run -d --name ff -h keep --add-host x:1.2.3.4 busybox sh -c 'echo n >> /runs; sleep 1000' >/dev/null
        ran() { is "$(hod exec ff sh -c 'cat /runs 2>/dev/null | wc -l')" "$1" 2>/dev/null; }
        eventually 5 ran 1
        hod stop -t 0 ff
        hod start ff
        eventually 5 ran 2
        is "$(hod exec ff hostname)" keep
        like "$(hod exec ff cat /etc/hosts)" '1.2.3.4.x'
}

@test "inspect: docker's document; several; -f; what is missing" {
        sleeper i1 -e A=b --label k=v
        hod inspect i1 | jq -e '.[0] | .Name == "/i1" and .State.Status == "running" and .State.Pid > 1 and
                (.Config.Env | index("A=b")) and .Config.Labels.k == "v" and .Path == "sleep" and .Args == ["1000"] and
                (.Created | test("^20.*Z$")) and (.Image | test("^sha256:"))' >/dev/null
        is "$(hod inspect i1 | head -n 2 | tail -n 1)" '    {'
        like "$(field i1 '{{json .State}}')" '^\{"Status":"running"'
        is "$(field i1 '{{.Config.Labels.k}}')" v
        run --separate-stderr hod inspect nosuch
        is "$status $output" "1 []"
        like "$stderr" 'nosuch'
}

@test "ps: filters and quiet" {
        sleeper p1
        hod run --name p2 busybox true
        is "$(hod ps -q | wc -l)" 1
        is "$(hod ps -q --no-trunc)" "$(field p1 '{{.Id}}')"
        is "$(hod ps -a -n 1 -q)" "$(field p2 '{{slice .Id 0 12}}' 2>/dev/null || field p2 '{{.Id}}' | cut -c1-12)"
        is "$(hod ps -l -q | wc -l)" 1
        like "$(hod ps -a)" '"true"'
        hod create --name p3 busybox true >/dev/null
        is "$(hod ps -a --filter status=exited --format '{{.Names}}')" p2
        is "$(hod ps -a --filter before=p3 --filter since=p1 --format '{{.Names}}')" p2
        is "$(hod ps -a -q --filter health=healthy)" ''
        is "$(hod ps -a -q --filter status=dead --filter status=removing)" ''
        is "$(hod ps -a -q --filter is-task=false | wc -l)" 3
}

@test "--format raw, and --quiet beside a format, are docker's" {
        local id
        hod create --name p1 --network none -l k=v busybox true >/dev/null
        id=$(hod ps -aq)
        is "$(hod ps -a --format raw | grep -v created_at)" \
                $'container_id: '"$id"$'\nimage: busybox\ncommand: "true"\nstate: created\nstatus: Created\nnames: p1\nlabels: k=v\nports:'
        like "$(hod ps -as --format raw)" $'\nports:\nsize: 0B \(virtual '
        is "$(hod ps -a --format '{{.Platform}}')" '<nil>'
        is "$(hod ps -a --format '' | sed -n 's/ .*//p')" $'CONTAINER\n'"$id"
        is "$(hod inspect -f '' p1 | head -n 2)" $'[\n    {'
        is "$(hod ps -n 0 -q; hod ps -n -1 -q)" ''
        is "$(hod ps -n 2 -q)" "$id"
        is "$(hod ps -aq --format raw 2>/dev/null)" "container_id: $id"
        is "$(hod ps -aq --format '{{.Names}}' 2>&1)" \
                $'WARNING: Ignoring custom format, because both --format and --quiet are set.\n'"$id"
        is "$(hod images -q --format '{{.Repository}}' busybox)" busybox
        is "$(hod images --format raw busybox | cut -d: -f1 | paste -sd' ')" 'repository tag image_id created_at virtual_size '
        is "$(hod images --digests --format raw busybox | sed -n 3p)" 'digest: <none>'
        is "$(hod network ls -f name=none --format raw | grep -v network_id)" $'name: none\ndriver: null\nscope: local'
        is "$(hod network ls -q -f name=none --format '{{.Name}}')" none
        is "$(hod network ls -q -f name=none --format 'table {{.Name}}' | paste -sd' ')" 'NAME none'
        like "$(hod network ls -q -f name=none --format raw)" '^network_id: [0-9a-f]{12}$'
        hod volume create raw-v >/dev/null
        is "$(hod volume ls --format raw)" $'name: raw-v\ndriver: local'
        is "$(hod volume ls -q --format raw)" 'name: raw-v'
        hod volume rm raw-v >/dev/null
        like "$(hod system df --format raw | head -n 5 | paste -sd' ')" '^type: Images total: 1 active: 1 size: .* reclaimable: '
}

@test "ps: bad filters are refused, whatever containers there are" {
        refused 1 "invalid filter 'status=bogus': invalid value for state \(bogus\): must be one of created, running, paused, restarting, removing, exited, dead$" \
                hod ps --filter status=bogus
        refused 1 "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax$" hod ps --filter exited=x
        refused 1 "invalid filter 'health=bogus': invalid value for health \(bogus\): must be one of none, starting, healthy, unhealthy$" \
                hod ps --filter health=bogus
        refused 1 "invalid filter 'is-task=\[x\]'$" hod ps --filter is-task=x
        refused 1 "invalid filter 'bogus'$" hod ps --filter bogus=1
        refused 1 'No such container: nosuch$' hod ps --filter since=nosuch
        refused 125 'bad format of filter \(expected name=value\)' hod ps --filter bad
}
