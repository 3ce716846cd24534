#!/usr/bin/env bats
# containerd, with its own shim, and hodrun for runc: what `ctr` can ask of a task.

load lib

image=docker.io/library/busybox:latest
ct() { "$T/ctr" "$@" 3>&- 4>&-; }
crun() { ct run --runc-binary "$HODRUN" --runc-root "$R/runc" "$@"; }

# docker's archive format: the smallest that containerd imports.
make_archive() {
        local layer
        layer=$(busybox_file)
        mkdir "$T/image"
        cp "$layer" "$T/image/layer.tar"
        jq -nc --arg d "sha256:$(sha256sum <"$layer" | cut -d' ' -f1)" \
                '{architecture: "amd64", os: "linux", config: {Cmd: ["sh"], Env: ["PATH=/bin:/usr/bin"]},
                  rootfs: {type: "layers", diff_ids: [$d]}, history: []}' >"$T/image/config.json"
        jq -nc --arg t "$image" '[{Config: "config.json", RepoTags: [$t], Layers: ["layer.tar"]}]' \
                >"$T/image/manifest.json"
        tar -C "$T/image" -cf "$T/image.tar" manifest.json config.json layer.tar
}

setup_file() {
        peers_setup
        start_containerd
        make_archive
        ct images import --all-platforms "$T/image.tar" >/dev/null
        STATES+=" $R/runc/$CG" # what the shim gives to hodrun as --root
        peers_ready
}
teardown() {
        local c
        for c in $(ct tasks ls -q); do
                ct tasks resume "$c" 2>/dev/null || true
                ct tasks kill -a -s SIGKILL "$c" || true
                eventually 5 task_is "$c" STOPPED
                ct tasks rm "$c" >/dev/null 2>&1 || true
        done
        for c in $(ct containers ls -q); do ct containers rm "$c"; done
}
teardown_file() {
        peers_clean
        stop_daemons
        peers_end
}

has_processes() { (($(ct tasks ps "$1" | wc -l) == 1 + $2)); }
task_is() { [[ $(ct tasks ls | awk -v c="$1" '$1 == c {print $3}') == "$2" ]]; }

@test "run: output, status, input; a program that is not there" {
        prints hello crun --rm "$image" c echo hello
        ends 5 crun --rm "$image" c sh -c 'echo err >&2; exit 5'
        is "$(<"$T/err")" err
        # (ctr loses an end of input that comes before the task runs.)
        prints '3 words' crun --rm "$image" c sh -c 'echo $(wc -w) words' < <(eventually 20 task_is c RUNNING && sleep 0.5 && echo a b c)
        ends 1 crun --rm "$image" c nosuch
        like "$(<"$T/err")" 'OCI runtime create failed: .*"nosuch": executable file not found in \$PATH'
        is "$(ct containers ls -q)" ''
}

@test "run: containerd's seccomp profile and capabilities hold" {
        prints "$default_caps 2" crun --rm --seccomp "$image" c \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^Seccomp:.//p" /proc/self/status)'
        ends 1 crun --rm --seccomp "$image" c unshare -m true
        prints "$default_caps 0" crun --rm "$image" c \
                sh -c 'echo $(sed -n "s/^CapEff:.//p; s/^Seccomp:.//p" /proc/self/status)'
        prints "${default_caps/a80425fb/a80435fb}" crun --rm --cap-add CAP_NET_ADMIN "$image" c \
                sed -n 's/^CapEff:.//p' /proc/self/status
}

@test "exec: status, directory, user, terminal; many at a time" {
        local i out pids=()
        crun -d "$image" c sleep 1000
        ends 4 ct tasks exec --exec-id x c sh -c 'exit 4'
        prints '/tmp 1000:1000' ct tasks exec --exec-id x --cwd /tmp --user 1000:1000 c sh -c 'echo $PWD $(id -u):$(id -g)'
        prints 'a b' ct tasks exec --exec-id x c cat < <(eventually 20 has_processes c 2 && sleep 0.5 && echo a b)
        out=$(pty -e '#' -s "$(sized 40x150); tty; exit 6\r" -- "$T/ctr" tasks exec -t --exec-id x c sh) || is $? 6
        like "$out" '/dev/pts/0'
        for i in {1..6}; do
                (is "$(ct tasks exec --exec-id "x$i" c echo "$i")" "$i" || echo "$i" >>"$T/bad") &
                pids+=($!)
        done
        wait "${pids[@]}" # not for the clock of BATS_TEST_TIMEOUT
        [[ ! -e $T/bad ]]
}

@test "terminal: run -t, its size, what is typed" {
        local out
        out=$(pty -z 30x90 -e '#' -s "$(sized 30x90); tty\r" -e /dev/pts/ -r 20x70 -s "$(sized 20x70); exit 3\r" -- \
                "$T/ctr" run --runc-binary "$HODRUN" --runc-root "$R/runc" --rm -t "$image" c sh) || is $? 3
        like "$out" '/dev/pts/0'
}

@test "pause, resume, ps, metrics" {
        crun -d --memory-limit 67108864 "$image" c sh -c 'while :; do sleep 0.05; done'
        like "$(ct tasks ps c)" '^PID'
        is "$(ct tasks ls | awk '$1 == "c" {print $2}')" "$(ct tasks ps c | awk 'NR == 2 {print $1}')"
        like "$(ct tasks metrics c)" 'memory\.usage_in_bytes|memory.usage'
        ct tasks pause c
        task_is c PAUSED
        ends 1 ct tasks exec --exec-id x c true
        ct tasks resume c
        task_is c RUNNING
        ends 0 ct tasks exec --exec-id x c true
}

@test "kill: a signal to the first process, to all; the status that wait tells" {
        crun -d "$image" c sh -c 'trap "exit 3" TERM; touch /tmp/up; while :; do sleep 0.05; done'
        eventually 5 ct tasks exec --exec-id up c test -e /tmp/up
        ct tasks kill -s SIGTERM c
        eventually 5 task_is c STOPPED
        like "$(ct tasks rm c 2>&1)" 'non-zero exit code 3"?$'
        ct containers rm c
        # Without a PID namespace of its own the others would live on.
        crun -d --with-ns "pid:/proc/1/ns/pid" "$image" c sh -c 'sleep 1234 & exec sleep 1235'
        eventually 5 two_sleep
        ct tasks kill -a -s SIGKILL c
        eventually 5 task_is c STOPPED
        like "$(ct tasks rm c 2>&1)" 'non-zero exit code 137"?$'
        eventually 5 no_sleep
}
no_sleep() { ! pgrep -f '^sleep 123[45]$'; }
two_sleep() { (($(pgrep -fc '^sleep 123[45]$') == 2)); }

@test "checkpoint: a clear answer where CRIU cannot; the task goes on" {
        crun -d "$image" c sleep 1000
        if ! ct tasks checkpoint --image-path "$T/checkpoint" c >"$T/out" 2>&1; then
                like "$(<"$T/out")" '[Cc][Rr][Ii][Uu]'
                task_is c RUNNING
                ends 0 ct tasks exec --exec-id x c true
        fi
}

@test "limits, binds, read-only root, host namespaces" {
        mkdir "$T/bind"
        echo content >"$T/bind/file"
        prints 'content 67108864 50000' crun --rm --memory-limit 67108864 --cpus 0.5 \
                --mount "type=bind,src=$T/bind,dst=/b,options=rbind:ro" --mount type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro \
                "$image" c sh -c 'echo $(cat /b/file; cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us)'
        ends 1 crun --rm --read-only "$image" c touch /x
        prints "$(readlink /proc/self/ns/net)" crun --rm --net-host "$image" c readlink /proc/self/ns/net
        prints '0' crun --rm --privileged --seccomp=false --cap-drop CAP_SYS_RESOURCE "$image" c sed -n 's/^Seccomp:.//p' /proc/self/status
        prints 'x' crun --rm --env A=x --cwd /tmp "$image" c sh -c 'echo $A'
}

@test "a shim that is killed: containerd takes the container away with hodrun delete" {
        crun -d "$image" c sleep 1000
        local init shim
        init=$(ct tasks ls | awk '$1 == "c" {print $2}')
        shim=$(pgrep -f "containerd-shim-runc-v2 -namespace $CG -id c ")
        kill -9 "$shim"
        eventually 10 dead "$init"
        eventually 10 no_task c
}
no_task() { [[ -z $(ct tasks ls -q) ]]; }

@test "twenty tasks, five at a time" {
        local i pids=()
        for i in {1..5}; do
                (for j in 1 2 3 4; do
                        is "$(crun --rm "$image" "c$i-$j" echo "$i")" "$i" || echo "$i" >>"$T/bad"
                done) &
                pids+=($!)
        done
        wait "${pids[@]}" # not for the clock of BATS_TEST_TIMEOUT
        [[ ! -e $T/bad ]]
}
