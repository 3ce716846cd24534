#!/usr/bin/env bats
# `hodrun mounts add|remove`: mounts of a container that runs.
# shellcheck disable=SC2016  # programs of jq and of the container

load lib
load hodrun

CG=/hod-test-live-$BATS_ROOT_PID

setup_file() {
        e2e_setup none
        mkdir -p "$T/b/rootfs" "$T/src/sub" "$T/secret"
        tar -C "$T/b/rootfs" -xf "$(busybox_file)"
        echo shown >"$T/src/f"
        echo secret >"$T/secret/s"
        chmod 700 "$T/secret"
}
teardown_file() {
        find /sys/fs/cgroup -depth -type d -path "*$CG*" -exec rmdir {} + 2>/dev/null || true
        e2e_teardown
}
setup() {
        cd "$T/b" || return 1
        rm -f config.json
        "$HOD_BIN/hodrun" spec
        edit '.process.terminal = false | .root.readonly = false | .linux.cgroupsPath = $cg | .process.args = ["sleep", "600"]
                | .process.capabilities = (.process.capabilities | map_values(. + ["CAP_SYS_ADMIN"]))' --arg cg "$CG/c"
}
teardown() {
        hodrun delete -f c >/dev/null 2>&1 || true
        chown -R 0:0 "$T/b/rootfs"
        rm -rf "$T/b/rootfs/m" "$T/b/rootfs/n" "$T/b/rootfs/link" "$T/b/rootfs/file"
}

start() { hodrun run -d c </dev/null >/dev/null 2>&1; }
inside() { hodrun exec c sh -c "$1"; }
mounts() { # mounts add|remove JSON
        printf '%s' "$2" >"$T/m.json"
        hodrun mounts "$1" c "$T/m.json"
}
BIND='[{"destination": "/m", "source": "SRC", "options": ["bind", "ro"]}]'

@test "a bind mount and a tmpfs come, with their options, and go" {
        local table
        start
        table=$(inside 'cat /proc/self/mountinfo' | wc -l)
        mounts add "[{\"destination\": \"/m\", \"source\": \"$T/src\", \"options\": [\"rbind\", \"ro\", \"noexec\"]},
                {\"destination\": \"/n/deep\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"size=1m\", \"nosuid\"]},
                {\"destination\": \"/file\", \"source\": \"$T/src/f\", \"type\": \"bind\", \"options\": [\"bind\"]}]"
        is "$(inside 'cat /m/f /file')" $'shown\nshown'
        run inside 'touch /m/x'
        ((status)) || fail "written into a read-only mount"
        inside 'touch /n/deep/x'
        contains "$(inside "grep ' /n/deep ' /proc/self/mountinfo")" size=1024k
        contains "$(inside "grep ' /m ' /proc/self/mountinfo")" "ro,noexec"
        mounts remove '[{"destination": "/m"}, {"destination": "/n/deep"}, {"destination": "/file"}]'
        is "$(inside 'ls /m /n/deep; cat /file')" $'/m:\n\n/n/deep:'
        is "$(inside 'cat /proc/self/mountinfo' | wc -l)" "$table"
        ! grep -q "$T/b/rootfs/" /proc/self/mountinfo || fail "mounted in the host's table"
}

@test "a source that is relative starts at the bundle" {
        mkdir -p given
        echo relative >given/x
        start
        mounts add '[{"destination": "/m", "source": "given", "options": ["bind"]}]'
        is "$(inside 'cat /m/x')" relative
        rm -rf given
}

@test "all or none: a failure takes back what was mounted before it" {
        local table
        start
        table=$(inside 'cat /proc/self/mountinfo')
        run mounts add "[{\"destination\": \"/m\", \"source\": \"$T/src\", \"options\": [\"bind\"]},
                {\"destination\": \"/m/sub\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"},
                {\"destination\": \"/n\", \"type\": \"nosuchfs\", \"source\": \"x\"}]"
        ((status == 1)) || fail "exit status $status"
        contains "$output" 'error mounting \"x\" to rootfs at \"/n\"'
        is "$(inside 'cat /proc/self/mountinfo')" "$table"
        run mounts add "[{\"destination\": \"/m\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"},
                {\"destination\": \"/n\", \"source\": \"$T/nosuch\", \"options\": [\"bind\"]}]"
        ((status == 1)) || fail "exit status $status"
        is "$(inside 'cat /proc/self/mountinfo')" "$table"
}

@test "names are resolved in the container's root: links of the image lead nowhere else" {
        ln -s /../../../../etc rootfs/link
        mkdir -p rootfs/etc
        start
        mounts add "${BIND/SRC/$T/src}"
        mounts add "[{\"destination\": \"/link/evil\", \"source\": \"$T/src\", \"options\": [\"bind\"]}]"
        is "$(inside 'cat /etc/evil/f')" shown
        [[ ! -e /etc/evil ]] || fail "made on the host"
        run mounts add "[{\"destination\": \"/proc/self/attr\", \"source\": \"$T/src\", \"options\": [\"bind\"]}]"
        ((status == 1)) || fail "mounted inside /proc"
        contains "$output" 'cannot be mounted because it is inside /proc'
        inside 'ln -s /proc/self /tmp/p'
        run mounts add "[{\"destination\": \"/tmp/p/attr\", \"source\": \"$T/src\", \"options\": [\"bind\"]}]"
        ((status == 1)) || fail "mounted inside /proc through a link"
        run mounts remove '[{"destination": "/link/evil"}, {"destination": "/etc/evil"}]'
        ((status == 1)) || fail "removed twice"
        rm -rf rootfs/etc/evil
}

@test "a container in a user namespace cannot take away what the host's mount has, and its tmpfs is its own" {
        mkdir -p "$T/ro"
        mount -t tmpfs -o ro,noexec ro "$T/ro"
        edit '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
                | .linux.gidMappings = .linux.uidMappings'
        chown -R 100000:100000 rootfs
        start
        mounts add "[{\"destination\": \"/m\", \"source\": \"$T/src\", \"options\": [\"rbind\", \"ro\"]},
                {\"destination\": \"/n\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"}]"
        mounts add "[{\"destination\": \"/m/sub\", \"source\": \"$T/ro\", \"options\": [\"bind\"]}]"
        is "$(inside 'cat /m/f')" shown
        inside 'touch /n/x'
        is "$(inside 'stat -c %u /n /n/x')" $'0\n0'
        run inside 'touch /m/x'
        ((status)) || fail "written into a read-only mount"
        run inside 'mount -o remount,bind,rw,noexec /m/sub || mount -o remount,bind,ro,exec /m/sub'
        ((status)) || fail "the host's ro or noexec was taken away"
        mounts remove '[{"destination": "/m"}, {"destination": "/m/sub"}, {"destination": "/n"}]'
        is "$(inside 'ls /m /n')" $'/m:\n\n/n:'
        # A directory that only root of the host may enter can still be given.
        mounts add "[{\"destination\": \"/m\", \"source\": \"$T/secret/s\", \"options\": [\"bind\"]}]" && fail "a file on a directory"
        mounts add "[{\"destination\": \"/file\", \"source\": \"$T/secret/s\", \"options\": [\"bind\"]}]"
        is "$(inside 'cat /file')" secret
        umount "$T/ro"
}

@test "a proc file system is the container's" {
        start
        mounts add '[{"destination": "/m", "type": "proc", "source": "proc"}]' || skip "the kernel cannot"
        is "$(inside 'cat /m/1/comm')" sleep
        mounts remove '[{"destination": "/m"}]'
}

@test "a created container and a paused one get mounts, too" {
        hodrun create c </dev/null >/dev/null 2>&1
        mounts add "${BIND/SRC/$T/src}"
        hodrun start c
        is "$(inside 'cat /m/f')" shown
        hodrun pause c
        mounts remove '[{"destination": "/m"}]'
        hodrun resume c
        is "$(inside 'ls /m')" ""
}

@test "bad input: one clear line and nothing changed" {
        start
        bad() { # bad JSON TEXT
                run mounts add "$1"
                ((status == 1)) || fail "exit status $status for $1"
                contains "$output" "$2"
                ((${#lines[@]} == 1)) || fail "more than one line:" "$output"
        }
        bad '{}' 'mounts must be an array'
        bad '[' 'line 1'
        bad '[1]' 'must be an object'
        bad '[{"source": "x"}]' destination
        bad '[{"destination": "/", "source": "/", "options": ["bind"]}]' 'root file system itself'
        bad '[{"destination": "/m", "options": ["bind"]}]' 'a bind mount needs a source'
        run mounts remove '[{"destination": "/"}]'
        contains "$output" 'the root file system cannot be unmounted'
        run mounts remove '[{"destination": "/etc"}]'
        ((status == 1)) || fail "unmounted what is no mount"
        contains "$output" 'unmounting /etc'
        run hodrun mounts add c "$T/nosuch"
        contains "$output" 'no such file or directory'
        run hodrun mounts move c "$T/m.json"
        contains "$output" 'unknown command move'
        run hodrun mounts add nosuch "$T/m.json"
        contains "$output" 'container does not exist'
        hodrun kill c KILL
        stopped() { [[ $(hodrun state c | jq -r .status) == stopped ]]; }
        eventually 5 stopped
        run mounts add "${BIND/SRC/$T/src}"
        contains "$output" 'container not running'
}
