#!/usr/bin/env bats
# Docker Swarm on one node, with hodrun for the default runtime: services of several replicas.

load lib

setup_file() {
        peers_setup
        start_docker
        dk swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377 >/dev/null
        STATES+=" $R/docker/runtime-runc/moby $R/docker/runtime-hodrun/moby"
        # What docker makes once for its services' networks is there before the first of hodrun's containers.
        dk run --rm --runtime runc busybox true
        eventually 20 test -e "$R/docker/netns/ingress_sbox"
        sleep 1
        peers_ready
}
teardown() {
        local list
        list=$(dk service ls -q)
        # shellcheck disable=SC2086  # one id a line
        [[ -z $list ]] || dk service rm $list >/dev/null
        eventually 20 none_runs
        dk_remove_all # tasks that have ended by themselves stay a while
}
teardown_file() {
        peers_clean
        dk swarm leave --force >/dev/null
        stop_daemons
        peers_end
}

none_runs() { [[ -z $(dk ps -q) ]]; }
service() { dk service create --detach --no-resolve-image --name "$@" >/dev/null; }
# replicas SERVICE: "running/wanted"
replicas() { dk service ls --filter "name=$1" --format '{{.Replicas}}'; }
has_replicas() { [[ $(replicas "$1") == "$2" && $(running "$1" | wc -l) == "${2%/*}" ]]; }
running() { dk ps -q --filter "label=com.docker.swarm.service.name=$1" --filter status=running; }
logs_match() { [[ $(dk service logs "$1" 2>&1) =~ $2 ]]; }

@test "a service of three: hodrun runs each; scaled up and down; removed" {
        service web --replicas 3 --stop-grace-period 1s busybox sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
        eventually 60 has_replicas web 3/3
        # shellcheck disable=SC2046
        is "$(dk inspect -f '{{.HostConfig.Runtime}}' $(running web) | sort -u)" hodrun
        dk service scale --detach web=5 >/dev/null
        eventually 60 has_replicas web 5/5
        dk service scale --detach web=2 >/dev/null
        eventually 60 has_replicas web 2/2
        dk service rm web >/dev/null
        eventually 30 dk_none_left
}

@test "a task that is killed is replaced" {
        local before pid
        service web --replicas 2 --restart-delay 0s --stop-grace-period 0s busybox sleep 100000
        eventually 60 has_replicas web 2/2
        before=$(running web | head -n 1)
        pid=$(dk inspect -f '{{.State.Pid}}' "$before")
        kill -9 "$pid"
        eventually 60 replaced web "$before"
        eventually 60 has_replicas web 2/2
        # By docker, too.
        before=$(running web | head -n 1)
        dk rm -f "$before" >/dev/null
        eventually 60 replaced web "$before"
        eventually 60 has_replicas web 2/2
}
replaced() { [[ $(running "$1") != *"$2"* ]]; }

@test "limits, environment, replica numbers, secrets, configs; exec and logs of a task" {
        local task
        printf secret | dk secret create s - >/dev/null
        printf config | dk config create c - >/dev/null
        service web --replicas 2 --stop-grace-period 0s --limit-memory 64M --limit-cpu 0.5 --limit-pids 20 --env A=x \
                --hostname 'h{{.Task.Slot}}' --secret s --config source=c,target=/c --read-only --init busybox \
                sh -c 'echo started; exec sleep 100000'
        eventually 60 has_replicas web 2/2
        eventually 10 logs_match web started
        task=$(running web | head -n 1)
        like "$(dk exec "$task" sh -c 'cd /sys/fs/cgroup; echo $(cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us \
                cpu/cpu.cfs_period_us pids/pids.max) $A $(cat /run/secrets/s /c) $(hostname)')" \
                '^67108864 50000 100000 20 x secretconfig h[12]$'
        like "$(dk stats --no-stream --format '{{.MemUsage}}' "$task")" '/ 64MiB'
        dk service rm web >/dev/null
        eventually 30 dk_none_left
        dk secret rm s >/dev/null
        dk config rm c >/dev/null
}

@test "a rolling update replaces every task; one that is unhealthy is replaced" {
        local before
        service web --replicas 2 --stop-grace-period 0s --update-delay 0s --env A=1 busybox sleep 100000
        eventually 60 has_replicas web 2/2
        before=$(running web | sort)
        dk service update --detach --no-resolve-image --env-add A=2 web >/dev/null
        eventually 60 updated web
        is "$(comm -12 <(echo "$before") <(running web | sort))" ''
        dk service rm web >/dev/null
        service sick --replicas 1 --stop-grace-period 0s --restart-delay 0s --health-cmd 'test ! -e /sick' \
                --health-interval 200ms --health-retries 1 busybox sleep 100000
        eventually 60 has_replicas sick 1/1
        before=$(running sick)
        dk exec "$before" touch /sick
        eventually 60 replaced sick "$before"
        eventually 60 has_replicas sick 1/1
}
updated() {
        has_replicas "$1" 2/2 || return 1
        # shellcheck disable=SC2046
        [[ $(dk inspect -f '{{.Config.Env}}' $(running "$1") | grep -c 'A=2') == 2 ]]
}

@test "a job runs to its end as often as wanted" {
        service job --mode replicated-job --replicas 3 --max-concurrent 2 --restart-condition none busybox echo ended
        eventually 60 completed job 3
        eventually 10 all_said
}
all_said() { (($(dk service logs job 2>&1 | grep -c ended) == 3)); }
completed() { [[ $(dk service ps "$1" --format '{{.CurrentState}}' | grep -c ^Complete) == "$2" ]]; }
