#!/usr/bin/env bats
# The command line of hodrun as scripts, containerd, docker and podman use that of runc and crun.

load lib
load hodrun
setup_file() { hodrun_setup_file; }
teardown_file() { e2e_teardown; }
setup() { hodrun_setup; }
teardown() { hodrun_teardown; }

# A container "c" that does nothing, created and started.
sleeper() {
        run_args sleep 1000
        hodrun run -d "${1:-c}" </dev/null >/dev/null 2>&1
}

# --- another version's containers ----------------------------------------------------------------------------------

@test "what another version accepted and this one refuses can be looked at, killed and deleted; start says what to do" {
        local config=$T/run/c/config.json
        refuse() { jq '.annotations.a = "b" | .process.user.umask = 99999' "$config" >"$T/edited" && cp "$T/edited" "$config"; }
        run_args sleep 1000
        hodrun create c </dev/null >/dev/null 2>&1
        refuse
        run -1 hodrun start c
        contains "$output" 'does not accept (delete the container and create it again): process.user.umask: must be between'
        is "$(hodrun state c | jq -r '.status + .annotations.a')" createdb
        contains "$(hodrun list)" created
        hodrun kill c KILL
        eventually 5 stopped c
        hodrun delete c
        # Without a PID namespace the end of init is not that of all.
        edit 'del(.linux.namespaces[] | select(.type == "pid")) | .hooks.poststop = [{"path": "/bin/true"}]'
        args 'sleep 1000 & sleep 1000'
        hodrun run -d c </dev/null >/dev/null 2>&1
        eventually 5 two_processes c
        refuse
        hodrun kill c KILL
        eventually 5 stopped c
        run -0 hodrun delete c
        contains "$output" 'poststop hooks do not run'
        run -1 hodrun state c
}

# What has become of the copy of config.json of the container c.
ruin() {
        local config=$T/run/c/config.json
        case $1 in
        garbage) echo '{"ociVersion": ' >"$config" ;;
        large) truncate -s 17M "$config" ;;
        missing) rm "$config" ;;
        esac
}

@test "a config.json that is no JSON, too large or gone stops neither state, list, kill KILL nor delete" {
        local how
        for how in garbage large missing; do
                run_args sleep 1000
                hodrun run -d c </dev/null >/dev/null 2>&1
                ruin "$how"
                is "$(hodrun state c | jq -r .status)" running
                contains "$(hodrun list)" running
                run -0 hodrun kill c KILL
                is "$output" ''
                eventually 5 stopped c
                run -0 hodrun delete c
                is "$output" '' # there is nothing in it that the end needs
        done
        # Without a PID namespace, and with a hook that is lost.
        edit 'del(.linux.namespaces[] | select(.type == "pid")) | .hooks.poststop = [{"path": "/bin/true"}]'
        args 'sleep 1000 & sleep 1000'
        for how in garbage large missing; do
                hodrun run -d c </dev/null >/dev/null 2>&1
                eventually 5 two_processes c
                ruin "$how"
                hodrun kill c KILL
                eventually 5 stopped c
                eventually 5 no_process "$CG-c"
                run -0 hodrun delete c
                contains "$output" 'poststop hooks do not run'
                run -1 hodrun state c
        done
        # The same of a container of a version that remembered less; by force.
        hodrun run -d c </dev/null >/dev/null 2>&1
        eventually 5 two_processes c
        jq 'del(.ownPids)' "$T/run/c/state.json" >"$T/edited"
        cp "$T/edited" "$T/run/c/state.json"
        ruin garbage
        hodrun kill c KILL
        eventually 5 no_process "$CG-c"
        run -0 hodrun delete --force c
        hodrun run -d c </dev/null >/dev/null 2>&1
        ruin large
        run -0 hodrun delete --force c
        run -1 hodrun state c
}
stopped() { [[ $(hodrun state "$1" | jq -r .status) == stopped ]]; }
# In the cgroup $1.
no_process() { [[ -z $(find /sys/fs/cgroup -path "*$1/cgroup.procs" -exec cat {} + 2>/dev/null) ]]; }
two_processes() { (($(hodrun ps -f json "$1" | jq length) >= 2)); }

# --- a container that ends ------------------------------------------------------------------------------------------

@test "exec into a container that is about to end says what it says of one that has ended" {
        local first second
        run_args sleep 1000
        hodrun run -d c </dev/null >/dev/null 2>&1
        "$HOD_BIN/hodrun" --root "$T/run" exec c sleep 1000 </dev/null >/dev/null 2>&1 &
        first=$!
        eventually 5 two_processes c
        # Init does not end before somebody has taken notice of the end of what exec started.
        kill -STOP "$first"
        hodrun kill c KILL
        {
                hodrun exec c true || echo "status $?"
        } </dev/null >"$T/second" 2>&1 &
        second=$!
        sleep 0.3 # or it finds it ended, and says the same
        kill -CONT "$first"
        wait "$second" "$first" || true
        contains "$(cat "$T/second")" 'exec failed: cannot exec in a stopped container'
        contains "$(cat "$T/second")" 'status 255'
        eventually 5 stopped c
        hodrun delete c
}

# --- help and wrong command lines ----------------------------------------------------------------------------------

@test "help has runc's form, for the program and for each command, by every way to ask" {
        run -0 hodrun
        [[ ${lines[0]} == NAME: && ${lines[1]} == "   hodrun - Open Container Initiative runtime" ]]
        [[ $output == *$'\nGLOBAL OPTIONS:\n'*--log-format* ]]
        local whole=$output command
        for command in create start state kill delete exec run; do
                [[ $whole == *$'\n   '"$command "* ]]
        done
        for ask in -h --help help h; do
                run -0 hodrun "$ask"
                [[ $output == "$whole" ]]
        done
        # shellcheck disable=SC2013  # names have no blanks
        for command in $(awk '/^COMMANDS:/ {on = 1; next} /^$/ {on = 0} on && $1 != "help," {print $1}' <<<"$whole"); do
                run -0 hodrun "$command" --help
                [[ ${lines[0]} == NAME: && ${lines[1]} == "   hodrun $command - "* ]]
                local one=$output
                run -0 hodrun help "$command"
                [[ $output == "$one" ]]
        done
}

@test "a program that is called runc or crun speaks by that name, by any other as hodrun" {
        local name
        mkdir -p "$T/names"
        for name in runc crun other; do
                ln -sf "$HOD_BIN/hodrun" "$T/names/$name"
        done
        run -0 "$T/names/runc" --version
        [[ ${lines[0]} == "runc version "[0-9]*.[0-9]*.[0-9]* ]]
        run -0 "$T/names/crun" --version
        [[ ${lines[0]} == "crun version "* ]]
        run -0 "$T/names/other" --version
        [[ ${lines[0]} == "hodrun version "* ]]
        run -1 "$T/names/runc" --root "$T/run" run -b /nosuch c
        [[ $output == *'msg="runc run failed: chdir /nosuch: no such file or directory"' ]]
        rm -r "$T/names"
}

@test "the version is three lines that callers parse, whatever follows" {
        for more in "" list nosuch; do
                # shellcheck disable=SC2086  # nothing, or a word
                run -0 hodrun --version $more
                [[ ${lines[0]} =~ ^hodrun\ version\ [0-9]+\.[0-9]+\.[0-9]+ ]]
                [[ ${lines[1]} == commit:* && ${lines[2]} =~ ^spec:\ [0-9]+\.[0-9]+\.[0-9]+ ]]
        done
        local all=$output
        for more in -v -V; do is "$(hodrun $more)" "$all"; done
}

@test "an unknown command has status 3 and no help" {
        run -3 --separate-stderr hodrun nosuch
        [[ -z $output && $stderr == *"level=error msg=\"No help topic for 'nosuch'"* ]]
        run -3 hodrun help nosuch
        run ! hodrun nosuch -h
}

@test "an unknown flag: the command's help on stdout, the reason twice on stderr, status 1" {
        run -1 --separate-stderr hodrun create --nosuch c
        [[ ${lines[1]} == "   hodrun create - "* ]]
        [[ ${stderr_lines[0]} == "Incorrect Usage: flag provided but not defined: -nosuch" ]]
        [[ $stderr == *'level=error msg="flag provided but not defined: -nosuch"' ]]
        run -1 --separate-stderr hodrun create --bundle
        [[ ${stderr_lines[0]} == "Incorrect Usage: flag needs an argument: --bundle" ]]
        run -1 --separate-stderr hodrun run --detach=perhaps c
        [[ ${stderr_lines[0]} == "Incorrect Usage: invalid "*perhaps* ]]
}

@test "too few or too many operands: Incorrect Usage and runc's sentence" {
        local line
        while IFS='|' read -r line want; do
                # shellcheck disable=SC2086
                run -1 --separate-stderr hodrun $line
                [[ ${lines[0]} == "Incorrect Usage." ]]
                [[ $stderr == *"msg=\"hodrun: \\\"${line%% *}\\\" requires $want argument(s)\"" ]]
        done <<'LINES'
create|exactly 1
create a b|exactly 1
state|exactly 1
start a b|exactly 1
delete|exactly 1
kill|a minimum of 1
kill a b c|a maximum of 2
exec|a minimum of 1
ps|a minimum of 1
list x|exactly 0
spec x|exactly 0
LINES
}

@test "long flags take one dash too, and -f=json is -f json" {
        sleeper
        [[ $(hodrun list -format json) == *'"id":"c"'* ]]
        [[ $(hodrun list -f=json) == *'"id":"c"'* ]]
        run -1 hodrun create -bundle /nosuch d
        [[ $output == *"chdir /nosuch"* ]]
}

# --- logs ----------------------------------------------------------------------------------------------------------

@test "without --log an error is one line on stderr, as text or JSON" {
        run -1 hodrun state nosuch
        [[ $output =~ ^time=\"[0-9]{4}-[0-9-]+T[0-9:]+(Z|[+-][0-9:]+)\"\ level=error\ msg=\"container\ does\ not\ exist\"$ ]]
        run -1 hodrun --log-format json state nosuch
        [[ $(jq -r '[.level, .msg, (.time | type)] | join(",")' <<<"$output") == "error,container does not exist,string" ]]
}

@test "with --log the file has the line and stderr the bare reason; success writes nothing" {
        local log=$T/log
        run -1 --separate-stderr hodrun --log "$log" state nosuch
        [[ $stderr == "container does not exist" ]]
        [[ $(cat "$log") == *' level=error msg="container does not exist"' ]]
        rm "$log"
        run -1 --separate-stderr hodrun --log "file:$log" --log-format json run -b /nosuch c
        [[ $stderr == "hodrun run failed: chdir /nosuch: no such file or directory" ]]
        [[ $(jq -r .msg "$log") == "$stderr" ]]
        rm "$log"
        run_args true
        hodrun --log "$log" run c
        [[ ! -s $log ]]
        rm "$log"
}

@test "a log that cannot be had is refused: format, level, place" {
        run -1 hodrun --log-format bogus list
        [[ $output == *'msg="invalid log-format: bogus"' ]]
        run -1 hodrun --log-level bogus list
        [[ $output == *'msg="invalid log-level: bogus"' ]]
        run -1 hodrun --log /nosuch/l state x
        [[ $output == *'msg="open /nosuch/l: no such file or directory"' ]]
        run -1 hodrun --log journald:x list
        [[ $output == *"only files are supported"* ]]
        run -1 hodrun --cgroup-manager bogus list
        [[ $output == *"invalid cgroup manager: bogus"* ]]
        hodrun --cgroup-manager cgroupfs list -q
}

@test "--cgroup-manager disabled: no cgroup is made, none is needed; limits are refused" {
        edit 'del(.linux.resources) | .linux.cgroupsPath = "/hod-test-disabled" |
              .linux.namespaces |= map(select(.type != "cgroup"))'
        run_args sleep 1000
        hodrun --cgroup-manager disabled run -d c </dev/null >/dev/null 2>&1
        ! find /sys/fs/cgroup -name hod-test-disabled | grep -q . || fail "it has a cgroup"
        is "$(cat "/proc/$(hodrun state c | jq .pid)/cgroup")" "$(cat /proc/self/cgroup)"
        hodrun exec c true
        run -1 hodrun pause c
        contains "$output" "it has no cgroup"
        hodrun kill c KILL
        hodrun delete -f c
        edit '.linux.resources = {"memory": {"limit": 67108864}}'
        run -1 hodrun --cgroup-manager disabled run c
        contains "$output" "cannot set memory limit"
}

@test "--debug tells the stages, on stderr or in the log only; --log-level error hides warnings" {
        run_args echo hello
        run -0 --separate-stderr hodrun --debug run c
        [[ $output == hello && $stderr == *level=debug*"nsexec container setup"*"child process in init()"*"init: closing the pipe to signal completion"* ]]
        run -0 hodrun --debug --log "$T/log" --log-format json run c
        [[ $output == hello ]]
        grep -q '"level":"debug"' "$T/log"
        rm "$T/log"
        edit '.process.capabilities.bounding += ["CAP_BOGUS"]'
        run -0 hodrun run c
        [[ $output == *"level=warning msg=\"ignoring unknown or unavailable capabilities: [CAP_BOGUS]\""* ]]
        run -0 hodrun --log-level error run c
        [[ $output == hello ]]
}

# --- failures ------------------------------------------------------------------------------------------------------

@test "errors say who failed and at which stage, in the words that callers look for" {
        local words program
        while IFS='|' read -r program words; do
                run_args "$program"
                run -1 hodrun run c
                [[ $output == *"msg=\"hodrun run failed: unable to start container process: error during container init: exec: $words\"" ]] || {
                        echo "$program: $output"
                        return 1
                }
        done <<'CASES'
nosuch|\"nosuch\": executable file not found in $PATH
/no/such|\"/no/such\": stat /no/such: no such file or directory
/etc/passwd|\"/etc/passwd\": permission denied
/etc|\"/etc\": is a directory: permission denied
CASES
        sleeper
        run -255 hodrun exec c nosuch
        [[ $output == *'msg="exec failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH"' ]]
        run -255 hodrun exec --cwd /nosuch c pwd
        [[ $output == *'exec failed: unable to start container process: chdir to cwd (\"/nosuch\") set in config.json failed: no such file or directory"' ]]
        run -255 hodrun exec nosuch true
        [[ $output == *'msg="exec failed: container does not exist"' ]]
        run -255 hodrun exec c
        [[ $output == *'msg="exec failed: exec args cannot be empty"' ]]
        run -255 hodrun exec -u daemon c id
        [[ $output == *'exec failed: bad uid:'* ]]
}

@test "run has the program's status, also when a poststop hook fails; 128 and the signal; 255 for a bad program" {
        args 'exit 7'
        run -7 hodrun run c
        edit '.hooks.poststop = [{path: "/bin/false"}]'
        run -7 hodrun run c
        [[ $output == *'level=warning msg="error running poststop hook #0: exit status 1'* ]]
        [[ -z $(hodrun list -q) ]]
        edit 'del(.hooks)'
        args 'trap "exit 9" TERM; kill -TERM $$'
        run -9 hodrun run c
        printf junk >rootfs/junk
        chmod 755 rootfs/junk
        run_args /junk
        run -255 hodrun run c
        [[ $output == "exec /junk: exec format error" ]]
        sleeper
        run -137 hodrun exec c sh -c 'kill -9 $$'
        run -5 hodrun exec c sh -c 'exit 5'
}

# --- what commands print -------------------------------------------------------------------------------------------

@test "state, list and ps print what callers of runc parse" {
        run -0 hodrun list -f json
        [[ $output == null ]]
        run -0 hodrun list
        [[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER ]]
        sleeper
        local pid state
        state=$(hodrun state c)
        [[ $(jq -c keys <<<"$state") == '["bundle","created","id","ociVersion","owner","pid","rootfs","status"]' ]]
        pid=$(jq .pid <<<"$state")
        [[ $(jq -r .status <<<"$state") == running && $(jq -r .rootfs <<<"$state") == "$T/b/rootfs" ]]
        [[ $(hodrun list -f json | jq -r '.[0] | [.id, .pid, .owner] | join(",")') == "c,$pid,root" ]]
        [[ $(hodrun list -q) == c ]]
        [[ $(hodrun ps -f json c) == "[$pid]" ]]
        run -0 hodrun ps c -o pid,args
        [[ ${lines[1]} =~ ^\ *$pid\ sleep\ 1000$ ]]
        run -1 hodrun ps c -o args
        [[ $output == *"couldn't find PID field in ps output"* ]]
        run -1 hodrun ps c -o nosuch
        [[ ${#lines[@]} == 1 && $output == *'msg="exit status 1: error: '*nosuch* ]]
        run -1 hodrun list -f bogus
        [[ $output == *'msg="invalid format option"' ]]
        hodrun kill c KILL
        while [[ $(hodrun state c | jq -r .status) != stopped ]]; do sleep 0.05; done
        [[ $(hodrun state c | jq .pid) == 0 && $(hodrun ps -f json c) == null ]]
}

@test "a root directory that was named and is not there is an error of list" {
        run -1 hodrun --root /nosuch_root list
        [[ $output == *"/nosuch_root: no such file or directory"* ]]
}

@test "the pid file has digits only" {
        run_args sleep 1000
        hodrun create --pid-file pid c </dev/null >/dev/null 2>&1
        [[ $(wc -l <pid) == 0 && $(cat pid) == $(hodrun state c | jq .pid) ]]
        hodrun delete -f c
        run -1 hodrun create --pid-file /nosuch/p d
        [[ $output == *"hodrun create failed: open /nosuch/"* ]]
}

@test "states refuse what they must, in runc's words" {
        run_args sleep 1000
        hodrun create c </dev/null >/dev/null 2>&1
        run -1 hodrun create c
        [[ $output == *'msg="hodrun create failed: container with given ID already exists"' ]]
        hodrun start c
        run -1 hodrun start c
        [[ $output == *'msg="cannot start an already running container"' ]]
        run -1 hodrun resume c
        [[ $output == *'msg="container not paused"' ]]
        run -1 hodrun delete c
        [[ $output == *'msg="cannot delete container c that is not stopped: running"' ]]
        hodrun pause c
        run -1 hodrun pause c
        [[ $output == *'msg="container not running"' ]]
        run -255 hodrun exec c true
        [[ $output == *'msg="exec failed: cannot exec in a paused container (use --ignore-paused to override)"' ]]
        hodrun resume c
        run -1 hodrun kill c BOGUS
        [[ $output == *'msg="unknown signal \"BOGUS\""' ]]
        run -1 hodrun kill c 99
        [[ $output == *'msg="unable to signal init: invalid argument"' ]]
        hodrun kill c sigkill
        while [[ $(hodrun state c | jq -r .status) != stopped ]]; do sleep 0.05; done
        run -1 hodrun kill c KILL
        [[ $output == *'msg="container not running"' ]]
        hodrun kill -a c KILL
        run -1 hodrun start c
        [[ $output == *'msg="cannot start a container that has stopped"' ]]
        run -255 hodrun exec c true
        [[ $output == *'msg="exec failed: cannot exec in a stopped container"' ]]
        hodrun delete c
        run -1 hodrun delete c
        [[ $output == *'msg="container does not exist"' ]]
        hodrun delete -f c
}

# --- crun's flags --------------------------------------------------------------------------------------------------

@test "kill --regex and delete --regex take all that match, and only those" {
        local id
        for id in web1 web2 db; do
                edit '.linux.cgroupsPath = $cg' --arg cg "$CG-$id"
                sleeper "$id"
        done
        hodrun kill --regex '^web[0-9]$' KILL
        for id in web1 web2; do
                while [[ $(hodrun state "$id" | jq -r .status) != stopped ]]; do sleep 0.05; done
        done
        [[ $(hodrun state db | jq -r .status) == running ]]
        hodrun delete -r '^web'
        [[ $(hodrun list -q) == db ]]
        run -1 hodrun delete -r 'd(b'
        [[ $output == *"invalid regular expression"* ]]
        run -1 hodrun delete -r 'd'
        [[ $output == *"db: cannot delete container db that is not stopped: running"* ]]
}

@test "--config reads, and spec --file writes, a file of another name" {
        rm -f other.json
        hodrun spec -f other.json
        run -1 hodrun spec -f other.json
        [[ $output == *"File other.json exists. Remove it first"* ]]
        run_args false
        jq '.process.args = ["echo", "other"] | .process.terminal = false | .linux.cgroupsPath = $cg' --arg cg "$CG-c" other.json >o && mv o other.json
        run -0 hodrun run --config other.json c
        [[ $output == other ]]
        run -1 hodrun run --config nosuch.json c
        [[ $output == *"JSON specification file nosuch.json not found"* ]]
        rm other.json
}

# --- what the process gets -----------------------------------------------------------------------------------------

@test "what waits for start holds no descriptor of the host but the FIFO, a socket and /proc" {
        run_args sleep 1000
        exec 7</etc/passwd
        hodrun create c </dev/null >/dev/null 2>&1
        exec 7<&-
        local fd where
        for fd in "/proc/$(hodrun state c | jq .pid)/fd/"*; do
                where=$(readlink "$fd") || continue
                [[ ${fd##*/} -le 2 || $where == */exec.fifo || $where == socket:* || $where == /proc || $where == / ]] || {
                        echo "$fd -> $where"
                        return 1
                }
        done
        hodrun start c
        [[ $(hodrun state c | jq -r .status) == running ]]
}

@test "an empty HOME is none: the container's passwd says where it is" {
        echo 'someone:x:2000:2000::/home/someone:/bin/sh' >>rootfs/etc/passwd
        args 'echo "$HOME"'
        edit '.process.user = {uid: 2000, gid: 2000} | .process.env += ["HOME=/x", "HOME="]'
        [[ $(hodrun run c) == /home/someone ]]
        edit '.process.env += ["HOME=/y"]'
        [[ $(hodrun run c) == /y ]]
}

@test "run on a terminal leaves line ends to the caller's, from the first byte on" {
        edit '.process.terminal = true'
        run_args echo hello
        for _ in 1 2 3 4 5; do
                hodrun run c </dev/null >"$T/out"
                [[ $(od -An -c "$T/out" | tr -d ' ') == 'hello\n' ]]
        done
        rm "$T/out"
}

@test "features is JSON that names versions, hooks, mount options and the annotations that are obeyed" {
        local f
        f=$(hodrun features)
        jq -e '(.ociVersionMin == "1.0.0") and (.ociVersionMax | startswith("1."))
                and (.hooks == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"])
                and (.mountOptions | contains(["rbind", "ro", "rro", "tmpcopyup", "nosymfollow"]))
                and .linux.cgroup.v1 and .linux.cgroup.v2 and .linux.seccomp.enabled
                and (.linux.seccomp.supportedFlags - .linux.seccomp.knownFlags == [])
                and (.annotations["org.opencontainers.runc.checkpoint.enabled"] == "true")
                and (.potentiallyUnsafeConfigAnnotations | contains(["bundle", "org.systemd.property.", "org.criu.config"]))' <<<"$f"
}
