#!/usr/bin/env bats
# podman with hodrun in the place of crun: what a container does from its first to its last moment.

load lib

pm() { "$T/pm" "$@" 3>&- 4>&-; }
# run and create, with all cgroups below ours and no network but loopback (the last --network wins).
prun() { pm run --cgroup-parent "/$CG" --network none "$@"; }

# As `podman rm -f -t 0`. When a container ends, conmon has podman clean up as well, and both take its /dev/shm away: the
# one may find it in the other's hands (with crun 6 times of 60, with runc once). That is over soon.
removed() {
        pm rm -f -t 0 "$@" >/dev/null 2>"$T/rm.err" && return
        like "$(<"$T/rm.err")" 'userdata/shm: device or resource busy'
        eventually 10 pm rm -f -i -t 0 "$@" >/dev/null
}

setup_file() {
        peers_setup
        # Where CAP_SYS_RESOURCE is missing podman cannot raise limits to its own defaults.
        cat >"$T/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
		[engine]
		runtime_supports_json = ["hodrun"]
		runtime_supports_nocgroup = ["hodrun"]
		[engine.runtimes]
		hodrun = ["$HODRUN"]
		END
        program "$T/pm" env "CONTAINERS_CONF=$T/containers.conf" podman --root "$T/podman" --runroot "$R/podman" \
                --tmpdir "$R/podman-tmp" --cgroup-manager cgroupfs --events-backend file --runtime hodrun
        pm import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
        # What podman makes once (its bridge, chains) is there before hodrun comes.
        pm --runtime runc run --rm --cgroup-parent "/$CG" busybox true
        peers_ready
}
teardown() { removed -a; pm pod rm -fa -t 0 >/dev/null; }
teardown_file() {
        # podman's own: the cgroups of its supervisors; that of a pod, in hierarchies that it does not know.
        peers_clean "^\+cgroup [a-z]+/$CG/(conmon|[0-9a-f]{64})$"
        pm rmi -fa >/dev/null
        peers_end
}

status_of() { pm inspect --format '{{.State.Status}}' "$1"; }
has_status() { [[ $(status_of "$1") == "$2" ]]; }
counter='i=0; while :; do echo $i; i=$((i + 1)); sleep 0.05; done'

@test "run: output, errors and status are the program's" {
        prints hello prun --rm busybox echo hello
        ends 7 prun --rm busybox sh -c 'echo out; echo err >&2; exit 7'
        is "$(<"$T/out")" out
        is "$(<"$T/err")" err
        prints '3 words' prun --rm -i busybox sh -c 'echo $(wc -w) words' <<<'a b c'
        is "$(pm ps -aq)" ''
}

@test "run: what cannot be executed is told as podman expects it" {
        ends 127 prun --rm busybox nosuch
        like "$(<"$T/err")" '^Error: hodrun: .*"nosuch": executable file not found in \$PATH: OCI runtime attempted to invoke a command'
        ends 126 prun --rm busybox /etc
        like "$(<"$T/err")" '^Error: hodrun: .*: permission denied'
}

@test "run: podman's seccomp profile and capabilities hold" {
        prints "$default_caps 2" prun --rm busybox \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^Seccomp:.//p" /proc/self/status)'
        ends 1 prun --rm busybox unshare -m true
        like "$(<"$T/err")" 'not permitted'
        prints 0 prun --rm --security-opt seccomp=unconfined busybox sed -n 's/^Seccomp:.//p' /proc/self/status
        prints 0000000000000400 prun --rm --cap-drop all --cap-add net_bind_service busybox \
                sed -n 's/^CapEff:.//p' /proc/self/status
        prints 1 prun --rm --security-opt no-new-privileges busybox sed -n 's/^NoNewPrivs:.//p' /proc/self/status
        prints 0000000000000000 prun --rm -u 1000 busybox sed -n 's/^CapEff:.//p' /proc/self/status
        # Everything that podman itself has.
        prints "$(sed -n 's/^CapBnd:.//p' /proc/self/status) 0" prun --rm --privileged busybox \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^Seccomp:.//p" /proc/self/status)'
}

@test "exec: status, user, environment, directory" {
        prun -d --name c busybox sleep 1000
        ends 7 pm exec c sh -c 'exit 7'
        prints '1000:1000 /tmp x' pm exec -u 1000:1000 -w /tmp -e A=x c sh -c 'echo $(id -u):$(id -g) $PWD $A'
        prints "$default_caps 2" pm exec c \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^Seccomp:.//p" /proc/self/status)'
        prints 'a b' pm exec -i c cat <<<'a b'
        ends 127 pm exec c nosuch
        pm exec -d c touch /tmp/detached
        eventually 5 pm exec c test -e /tmp/detached
        # All of it is in the container's cgroup and namespaces.
        prints same pm exec c sh -c '[ $(readlink /proc/self/ns/pid) = $(readlink /proc/1/ns/pid) ] &&
                cmp -s /proc/self/cgroup /proc/1/cgroup && echo same'
}

@test "logs, wait, start again, restart" {
        prun -d --name c busybox sh -c 'echo out; echo err >&2; exit 3' >/dev/null
        prints 3 pm wait c
        is "$(pm logs c 2>/dev/null)" out
        is "$(pm logs c 2>&1 >/dev/null)" err
        ends 3 pm start -a c
        is "$(pm logs c 2>/dev/null)" $'out\nout'
        prun -d --name d busybox sh -c "$counter" >/dev/null
        eventually 5 more_lines d 0
        pm restart -t 0 d >/dev/null
        has_status d running
        pm logs -f d >"$T/follow" &
        sleep 0.3
        pm kill d >/dev/null
        wait $!
        like "$(tail -n 1 "$T/follow")" '^[0-9]+$'
}

@test "stop: the program's own end; after the time-out the kernel's" {
        prun -d --name c busybox sh -c 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
        eventually 5 logs_match c ready
        pm stop -t 5 c >/dev/null
        is "$(pm inspect --format '{{.State.ExitCode}} {{.State.Status}}' c)" '3 exited'
        is "$(pm logs c)" $'ready\nbye'
        prun -d --name d busybox sh -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null
        pm stop -t 1 d >/dev/null
        is "$(pm inspect --format '{{.State.ExitCode}}' d)" 137
        prun -d --name e busybox sh -c 'trap "exit 9" USR1; echo ready; while :; do sleep 0.05; done' >/dev/null
        eventually 5 logs_match e ready
        pm kill -s USR1 e >/dev/null
        prints 9 pm wait e
}

@test "pause, unpause; exec, stats and rm of a paused container" {
        local before
        prun -d --name c busybox sh -c "$counter" >/dev/null
        eventually 5 more_lines c 0
        pm pause c >/dev/null
        is "$(status_of c)" paused
        eventually 5 silent c # what it said before is written by others
        before=$(pm logs c | wc -l)
        ends 255 pm exec c true
        like "$(pm stats --no-stream --format '{{.PIDs}}' c)" '^[12]$'
        pm unpause c >/dev/null
        is "$(status_of c)" running
        eventually 5 more_lines c "$before"
        pm pause c >/dev/null
        removed c
        ends 1 pm container exists c
}
silent() {
        local before
        before=$(pm logs "$1" | wc -l)
        sleep 0.4
        is "$(pm logs "$1" | wc -l)" "$before"
}
more_lines() { (($(pm logs "$1" | wc -l) > $2)); }

@test "top, ps, stats" {
        prun -d --name c -m 64m busybox sh -c 'sleep 1000; :' >/dev/null
        eventually 5 sleeps c
        is "$(pm ps --format '{{.Names}}')" c
        like "$(pm stats --no-stream --format '{{.MemUsage}}|{{.PIDs}}' c)" '[0-9.]+k?B / 67\.11MB\|2'
}
sleeps() { [[ $(pm top "$1" pid comm args) == *sleep\ 1000* ]]; }

@test "terminal: run, attach, exec; its size follows" {
        local out
        out=$(pty -z 40x150 -e '#' -s "$(sized 40x150); tty\r" -e /dev/pts/ -r 20x70 -s "$(sized 20x70); exit 5\r" \
                -- "$T/pm" run --cgroup-parent "/$CG" --network none --rm -it busybox sh) || is $? 5
        like "$out" '/dev/pts/0'
        prun -d -t --name c busybox sh -c 'tty; stty size; cat' >/dev/null
        eventually 5 logs_match c /dev/pts/0
        out=$(pty -e '/ #' -s 'tty; exit 4\r' -- "$T/pm" exec -it c sh) || is $? 4
        like "$out" '/dev/pts/1'
        out=$(pty -w 1 -s 'typed\r' -e 'typed\s+typed' -s '\x10' -w 0.3 -s '\x11' -- "$T/pm" attach c)
        has_status c running
}
logs_match() { [[ $(pm logs "$1") =~ $2 ]]; }

@test "limits; more memory than allowed is an OOM kill" {
        prints '67108864 50000 20 0 100' prun --rm -m 64m --cpus 0.5 --pids-limit 20 --cpuset-cpus 0 \
                --ulimit nofile=100:100 --ulimit nproc=100:100 busybox sh -c 'cd /sys/fs/cgroup; echo $(cat memory/memory.limit_in_bytes \
                cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus) $(ulimit -n)'
        ends 137 prun --name c -m 16m --memory-swap 16m busybox dd if=/dev/zero of=/dev/null bs=64M count=1
        prints '500 64' prun --rm --oom-score-adj 500 --shm-size 64k busybox \
                sh -c 'echo $(cat /proc/self/oom_score_adj) $(df -k /dev/shm | awk "NR == 2 {print \$2}")'
}

@test "update: other limits for a running container" {
        prun -d --name c -m 64m --pids-limit 20 busybox sleep 1000 >/dev/null
        pm container update --cpus 0.5 --memory 128m --memory-swap 128m c >/dev/null
        prints '134217728 50000 20' pm exec c sh -c 'cd /sys/fs/cgroup; echo $(cat memory/memory.limit_in_bytes \
                cpu/cpu.cfs_quota_us pids/pids.max)'
}

@test "--cgroups disabled: podman asks hodrun for none" {
        prints "$(cut -d: -f2- /proc/self/cgroup | sort)" \
                pm run --rm --network none --cgroups disabled busybox sh -c 'cut -d: -f2- /proc/self/cgroup | sort'
}

@test "healthcheck" {
        prun -d --name c --health-cmd 'test -e /ok' --health-interval disable busybox sleep 1000 >/dev/null
        ends 1 pm healthcheck run c
        pm exec c touch /ok
        ends 0 pm healthcheck run c
        is "$(pm inspect --format '{{.State.Health.Status}}' c)" healthy
}

@test "namespaces: the host's, another container's, a pod's" {
        local me
        me=$(for n in pid ipc uts net; do readlink /proc/self/ns/$n; done | paste -sd' ')
        prints "$me" pm run --cgroup-parent "/$CG" --rm --pid host --ipc host --uts host --network host busybox \
                sh -c 'echo $(for n in pid ipc uts net; do readlink /proc/self/ns/$n; done)'
        prun -d --name c busybox sleep 1000 >/dev/null
        like "$(pm run --cgroup-parent "/$CG" --rm --pid container:c --network container:c busybox ps)" 'sleep 1000'
        prints '0::/' prun --rm --cgroupns private busybox grep ^0: /proc/self/cgroup
        pm pod create --name p --cgroup-parent "/$CG" --share net,ipc,uts --hostname pod --network none \
                --infra-image localhost/busybox --infra-command 'sleep 1000' >/dev/null
        prints pod pm run --rm --pod p busybox hostname
        pm run -d --pod p busybox sh -c 'while :; do echo answer | nc -l -p 8080; done' >/dev/null
        eventually 5 answers pm run --rm --pod p busybox nc -w 2 127.0.0.1 8080
        pm pod pause p >/dev/null
        pm pod unpause p >/dev/null
}
answers() { [[ $("$@" </dev/null) == answer ]]; }

@test "user namespaces: a map, automatic ids; volumes belong to the container's root" {
        prints '0 300000 1000' prun --rm --uidmap 0:300000:1000 --gidmap 0:300000:1000 busybox \
                sh -c 'echo $(cat /proc/self/uid_map)'
        prints '0 200000 1024' prun --rm --userns auto busybox sh -c 'touch /f /tmp/f && echo $(cat /proc/self/uid_map)'
        prun -d --name c --userns auto -v data:/data:U busybox sleep 1000 >/dev/null
        prints 0:0 pm exec c stat -c %u:%g /data
        pm exec c touch /data/file
        removed c
        pm volume rm data >/dev/null
}

@test "file systems: read-only, tmpfs, volumes, binds, devices, sysctl" {
        ends 1 prun --rm --read-only busybox touch /x
        prints ok prun --rm --read-only busybox sh -c 'touch /tmp/x /run/x /dev/shm/x && echo ok'
        mkdir "$T/bind"
        echo content >"$T/bind/file"
        prints content prun --rm -v "$T/bind:/b:ro" busybox cat /b/file
        ends 1 prun --rm -v "$T/bind:/b:ro" busybox touch /b/x
        prints '1024 c 10 229' prun --rm --tmpfs /t:size=1m --device /dev/fuse busybox sh -c \
                'echo $(df -k /t | awk "NR == 2 {print \$2}") c $(stat -c "%t %T" /dev/fuse |
                 while read a b; do echo $((0x$a)) $((0x$b)); done)'
        prints 1 prun --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward
        prints named prun --rm -h named busybox hostname
        prints content "$T/pm" run --rm --cgroup-parent "/$CG" --network none --preserve-fds 1 busybox \
                sh -c 'cat <&3' 3<"$T/bind/file"
}

@test "--init: the first process reaps and passes signals on" {
        prun -d --name c --init --init-path /usr/bin/tini-static busybox sh -c 'trap "exit 4" TERM; touch /tmp/up; while :; do sleep 0.05; done' >/dev/null
        eventually 5 pm exec c test -e /tmp/up
        like "$(pm exec c cat /proc/1/comm)" 'init|tini'
        pm stop c >/dev/null
        is "$(pm inspect --format '{{.State.ExitCode}}' c)" 4
}

@test "a bridge of podman's: two containers reach each other" {
        local ip
        pm run -d --name c --cgroup-parent "/$CG" busybox \
                sh -c 'while :; do echo answer | nc -l -p 8080; done' >/dev/null
        ip=$(pm inspect --format '{{.NetworkSettings.IPAddress}}' c)
        eventually 5 answers pm run --rm --cgroup-parent "/$CG" busybox nc -w 2 "$ip" 8080
}

@test "hooks of --hooks-dir run" {
        mkdir "$T/hooks"
        cat >"$T/hooks/h.json" <<-END
		{"version": "1.0.0", "when": {"always": true}, "stages": ["createRuntime", "poststop"],
		 "hook": {"path": "/bin/sh", "args": ["sh", "-c", "cat >>$T/hooked; echo >>$T/hooked"]}}
		END
        pm --hooks-dir "$T/hooks" run --rm --cgroup-parent "/$CG" --network none busybox true
        is "$(jq -r .status "$T/hooked" | paste -sd' ')" 'creating stopped'
}

@test "many at a time: every one is right, nothing is left" {
        local i pids=()
        for i in {1..6}; do
                (for _ in 1 2; do is "$(prun --rm busybox echo "$i")" "$i" || echo bad >>"$T/many"; done) &
                pids+=($!)
        done
        wait "${pids[@]}" # not for the clock of BATS_TEST_TIMEOUT
        [[ ! -e $T/many ]]
        is "$(pm ps -aq)" ''
}
