#!/usr/bin/env bats
# bats file_tags=vm
# An ordinary user's containers: with his own systemd (a scope below user@1000.service), in a scope that he has been
# delegated, and without either.

load vm
setup_file() {
        vm_setup_file
        loginctl enable-linger user
        mkdir -p "$T/ub"
        cp -r "$T/b/rootfs" "$T/ub/"
        cp "$T/spec.json" "$T/ub/root.json"
        chmod 755 "$T"
        chown -R user:user "$T/ub"
        (cd "$T/ub" && runuser -u user -- "$HOD_BIN/hodrun" spec --rootless && mv config.json "$T/spec.json")
        for _ in {1..1000}; do
                [[ -S /run/user/1000/bus ]] && break
                sleep 0.1
        done
}
teardown_file() {
        loginctl disable-linger user
        loginctl terminate-user user || true
        vm_teardown_file
}
setup() { cd "$T/ub" || return 1; }
teardown() {
        local id
        for id in $(as_user "$HOD_BIN/hodrun" --root "$T/ub/run" list -q); do
                as_user "$HOD_BIN/hodrun" --root "$T/ub/run" delete -f "$id" >/dev/null 2>&1 || true
        done
}
as_user() { runuser -u user -- env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/run/user/1000 "$@"; }
hodrun() { as_user "$HOD_BIN/hodrun" --root "$T/ub/run" "$@"; }
USERS=/user.slice/user-1000.slice/user@1000.service

@test "a user's scope below his own manager, with limits; exec, update, pause, delete" {
        spec '.process.args = ["sleep", "1000"] | .linux.resources = {memory: {limit: 67108864}, pids: {limit: 20}}'
        background one sd
        dir=/sys/fs/cgroup$USERS/user.slice/hodrun-one.scope
        is "$(<"$dir/memory.max") $(<"$dir/pids.max")" "67108864 20"
        is "$(as_user systemctl --user show -P ActiveState hodrun-one.scope)" active
        is "$(as_user systemctl --user show -P MemoryMax hodrun-one.scope)" 67108864
        is "$(hodrun exec one cat /proc/self/cgroup)" "0::/"
        pid=$(hodrun state one | jq .pid)
        is "$(<"/proc/$pid/cgroup")" "0::$USERS/user.slice/hodrun-one.scope"
        hodrun update --memory 80M one
        is "$(<"$dir/memory.max") $(as_user systemctl --user show -P MemoryMax hodrun-one.scope)" "83886080 83886080"
        hodrun pause one
        is "$(<"$dir/cgroup.freeze")" 1
        hodrun resume one
        hodrun delete -f one
        [ ! -e "$dir" ]
        run as_user systemctl --user status hodrun-one.scope
        is "$status" 4
}

@test "a slice of his own; through his bus" {
        spec '.process.args = ["sleep", "1000"] | .linux.cgroupsPath = "hodvm-a.slice:pre:x"'
        background two sd
        [ -d "/sys/fs/cgroup$USERS/hodvm.slice/hodvm-a.slice/pre-x.scope" ]
        hodrun delete -f two
        as_user systemctl --user stop hodvm-a.slice hodvm.slice
        spec '.process.args = ["cat", "/proc/self/cgroup"]'
        is "$(unshare -m sh -c "mount --bind /dev/null /run/user/1000/systemd/private &&
                exec runuser -u user -- env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR=/run/user/1000 \
                        $HOD_BIN/hodrun --root $T/ub/run --systemd-cgroup run one")" "0::/"
}

@test "root of a user namespace is that user for systemd" {
        spec '.process.args = ["cat", "/proc/self/cgroup"] | .linux.uidMappings[0].hostID = 0 | .linux.gidMappings[0].hostID = 0'
        is "$(as_user unshare -r "$HOD_BIN/hodrun" --root "$T/ub/run" --systemd-cgroup run one)" "0::/"
}

@test "no manager of his: a clear error, nothing left" {
        spec '.process.args = ["true"]'
        refused "no manager of this user's services" runuser -u user -- env XDG_RUNTIME_DIR=/nowhere \
                "$HOD_BIN/hodrun" --root "$T/ub/run" --systemd-cgroup run one
}

@test "cgroupfs in a scope that has been delegated to him" {
        cat >"$T/ub/delegated.sh" <<-'END'
		set -e
		own=$(cut -d: -f3 /proc/self/cgroup)
		# No processes beside groups (cgroups(7)): the scope's own move down first.
		mkdir "/sys/fs/cgroup$own/caller"
		echo $$ >"/sys/fs/cgroup$own/caller/cgroup.procs"
		cd "$(dirname "$0")"
		rm -f config.json
		jq --arg cg "$own/c" '.process.terminal = false | .linux.cgroupsPath = $cg | .process.args = ["cat", "/proc/self/cgroup"]
		        | .linux.resources = {pids: {limit: 20}}' "$2" >config.json
		"$1" --root run run one
		echo "left: $(ls -d "/sys/fs/cgroup$own/c" 2>/dev/null)"
		END
        run as_user systemd-run --user --scope --quiet -p Delegate=yes bash "$T/ub/delegated.sh" "$HOD_BIN/hodrun" "$T/spec.json"
        is "$output" $'0::/\nleft: '
}

@test "neither: without limits it runs, with limits it says that it may not" {
        spec '.process.args = ["echo", "hello"]'
        is "$(hodrun run one)" hello
        spec '.process.args = ["echo", "hello"] | .linux.resources.memory.limit = 67108864'
        run hodrun run one
        ((status != 0))
        contains "$output" cgroup
}
