#!/usr/bin/env bats
# The mounts, user namespaces and devices of the OCI runtime: config.json in, what the container sees out.

load lib
load hodrun

CG=/hod-test-mounts-$BATS_ROOT_PID

setup_file() {
        e2e_setup none
        mkdir -p "$T/b"
        bundle
        # A source with owners, a mount below it, and attributes that must not get lost.
        mkdir -p "$T/src/sub" "$T/host"
        touch "$T/src/f" "$T/src/sub/raw"
        chown 100:211 "$T/src/f"
        mount -t tmpfs sub "$T/src/sub"
        touch "$T/src/sub/g"
        chown 101:222 "$T/src/sub/g"
        mount -t tmpfs host "$T/host"
        echo shown >"$T/host/x"
}
teardown_file() {
        umount -l "$T/src/sub" "$T/host" || true
        find /sys/fs/cgroup -depth -type d -path "*$CG*" -exec rmdir {} + 2>/dev/null || true
        e2e_teardown
}
setup() {
        cd "$T/b" || return 1
        rm -f config.json
        "$HOD_BIN/hodrun" spec
        edit '.process.terminal = false | .root.readonly = false | .linux.cgroupsPath = $cg' --arg cg "$CG/c"
}
teardown() {
        local id
        for id in c target; do "$HOD_BIN/hodrun" --root "$T/run" delete -f $id >/dev/null 2>&1 || true; done
        umount -l "$T/b/rootfs" 2>/dev/null || true
        rm -rf "$T/b/rootfs"
        bundle
}

bundle() { mkdir -p "$T/b/rootfs" && tar -C "$T/b/rootfs" -xf "$(busybox_file)"; }
is_mounted() { awk -v at="$1" '$5 == at {found = 1} END {exit !found}' /proc/self/mountinfo; }
MAPS='"uidMappings": [{"containerID": 100, "hostID": 101000, "size": 10}], "gidMappings": [{"containerID": 210, "hostID": 102000, "size": 20}]'

# bats test_tags=asan
@test "an id-mapped mount: with and without a user namespace, the mounts below it or not" {
        args 'stat -c %u:%g /m/f /m/sub/g'
        add "{\"source\": \"$T/src\", \"destination\": \"/m\", \"options\": [\"rbind\", \"idmap\"], $MAPS}"
        is "$(go)" $'101000:102001\n101:222'
        edit '.mounts[-1].options = ["rbind", "ridmap"]'
        is "$(go)" $'101000:102001\n101001:102012'
        userns
        is "$(go)" $'1000:2001\n1001:2012'
        edit '.mounts[-1].options = ["rbind", "idmap"]'
        is "$(go)" $'1000:2001\n65534:65534'
        # Without maps of its own: the container's.
        edit '.mounts[-1] |= (del(.uidMappings) | del(.gidMappings))'
        is "$(go)" $'100:211\n65534:65534'
}

@test "many id-mapped mounts share the namespaces of equal maps, and different ones stay apart" {
        for i in {1..40}; do
                add "{\"source\": \"$T/src\", \"destination\": \"/m$i\", \"options\": [\"bind\", \"idmap\"], $MAPS}"
        done
        add "{\"source\": \"$T/src\", \"destination\": \"/n\", \"options\": [\"bind\", \"idmap\"], ${MAPS//101000/5000}}"
        args 'stat -c %u:%g /m1/f /m40/f /n/f; ls /proc/self/fd | wc -l'
        is "$(go)" $'101000:102001\n101000:102001\n5000:102001\n4'
}

@test "id maps that make no sense are refused, and nothing is left" {
        add "{\"source\": \"$T/src\", \"destination\": \"/m\", \"options\": [\"bind\", \"idmap\"]}"
        refused 1 'idmap needs|id-mapped mounts must have' hodrun run c
        edit '.mounts[-1].uidMappings = [{containerID: 0, hostID: 0, size: 10}]'
        refused 1 'without gidMappings' hodrun run c
        edit '.mounts[-1] |= (.gidMappings = .uidMappings | .uidMappings += [{containerID: 5, hostID: 50, size: 10}])'
        refused 1 'overlaps' hodrun run c
        edit '.mounts[-1] = {source: "tmpfs", type: "tmpfs", destination: "/m", options: ["idmap"]}'
        refused 1 'only bind mounts|id maps are for bind' hodrun run c
        run hodrun list -q
        is "$output" ''
}

@test "a user namespace is joined by path, alone and with others" {
        userns
        edit '.process.args = ["sleep", "1000"]'
        edit '.linux.cgroupsPath = $cg' --arg cg "$CG/target"
        hodrun run -d target </dev/null >/dev/null 2>&1
        pid=$(hodrun state target | jq .pid)
        edit '.linux.cgroupsPath = $cg | del(.linux.uidMappings) | del(.linux.gidMappings)
                | .linux.namespaces |= map(if .type == "user" then .path = $p else . end)' \
                --arg cg "$CG/c" --arg p "/proc/$pid/ns/user"
        args 'cat /proc/self/uid_map; readlink /proc/self/ns/user; id -u; touch /made; echo $$'
        out=$(go)
        like "$out" '^ +0 +100000 +65536'
        contains "$out" "$(readlink "/proc/$pid/ns/user")"$'\n0\n1'
        is "$(stat -c %u rootfs/made)" 100000
        # An idmap without maps is the joined one's.
        add "{\"source\": \"$T/src\", \"destination\": \"/m\", \"options\": [\"bind\", \"idmap\"]}"
        refused 1 'there are mounts below it.*rbind is needed' hodrun run c
        edit '.mounts[-1].options[0] = "rbind"'
        args 'stat -c %u:%g /m/f'
        is "$(go)" 100:211
        # Maps as well: they must be the same.
        edit '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
        is "$(go)" 100:211
        edit '.linux.uidMappings[0].size = 1000'
        refused 1 'both namespace path and non-matching mapping' hodrun run c
        edit 'del(.linux.uidMappings) | del(.linux.gidMappings)'
        # Its network and PID namespaces, too; exec finds the way in.
        edit '.linux.namespaces |= map(if .type == "network" then .path = $n elif .type == "pid" then .path = $p else . end)' \
                --arg n "/proc/$pid/ns/net" --arg p "/proc/$pid/ns/pid"
        args 'readlink /proc/self/ns/net; grep -c . /proc/1/cmdline; exec sleep 1000'
        hodrun run -d c </dev/null >"$T/out" 2>&1
        eventually 5 grep -q '^1$' "$T/out"
        contains "$(cat "$T/out")" "$(readlink "/proc/$pid/ns/net")"
        is "$(hodrun exec c readlink /proc/self/ns/user)" "$(readlink "/proc/$pid/ns/user")"
        hodrun delete -f c
}

@test "a new user namespace next to namespaces of the host that are joined" {
        userns
        ip link show lo >/dev/null
        edit '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" elif .type == "ipc" then
                .path = "/proc/self/ns/ipc" else . end)
                | .mounts |= map(if .type == "sysfs" then {source: "/sys", destination: "/sys", options: ["rbind"]}
                        elif .type == "mqueue" then empty else . end)'
        args 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; cat /proc/self/gid_map'
        out=$(go)
        contains "$out" "$(readlink /proc/self/ns/net)"$'\n'"$(readlink /proc/self/ns/ipc)"
        like "$out" ' +0 +100000 +65536$'
}

@test "a user namespace is joined with a limit of one process" {
        userns
        unshare -U sleep 1000 3>&- &
        pid=$!
        eventually 5 test "/proc/$pid/ns/user" -ef "/proc/$pid/ns/user" -a ! "/proc/$pid/ns/user" -ef /proc/self/ns/user
        echo '0 100000 65536' >"/proc/$pid/uid_map"
        echo '0 100000 65536' >"/proc/$pid/gid_map"
        edit 'del(.linux.uidMappings) | del(.linux.gidMappings) | .linux.resources.pids = {limit: 1}
                | .linux.namespaces |= map(if .type == "user" then .path = $p else . end)' --arg p "/proc/$pid/ns/user"
        edit '.process.args = ["readlink", "/proc/self/ns/user"]'
        run go
        is "$output" "$(readlink "/proc/$pid/ns/user")"
        kill "$pid"
}

@test "without the privilege to enter the container's namespaces it opens its sources itself" {
        userns
        add "{\"source\": \"$T/host\", \"destination\": \"/m\", \"options\": [\"bind\", \"ro\"]}"
        args 'cat /m/x; touch /m/y 2>&1'
        run capsh --drop=cap_sys_ptrace -- -c "$HOD_BIN/hodrun --root $T/run run c"
        like "$output" $'^shown\n.*Read-only'
        edit '.mounts[-1].source = "/nowhere"'
        run capsh --drop=cap_sys_ptrace -- -c "$HOD_BIN/hodrun --root $T/run run c"
        like "$output" '[Nn]o such file'
}

# options LIST: the mount options (of /proc/mounts) that a bind mount of $T/host gets with LIST.
options() {
        edit '.mounts |= map(select(.destination != "/mnt"))'
        add "{\"source\": \"$T/host\", \"destination\": \"/mnt\", \"options\": [\"${1//,/\", \"}\"]}"
        args 'while read a b c d; do [ $b = /mnt ] && echo ${d%% *}; done </proc/mounts; true'
        go
}
host() { mount -o remount,bind,rw,suid,dev,exec,strictatime,diratime "$T/host" && mount -o "remount,bind,$1" "$T/host"; }

@test "attributes of a bind mount: those of the source, or those that are asked for" {
        host ro,noexec,noatime
        is "$(options bind)" ro,noexec,noatime
        is "$(options bind,dev)" rw,noatime
        is "$(options bind,nosuid)" rw,nosuid,noatime
        is "$(options bind,ro,relatime)" ro,relatime
        is "$(options bind,atime)" rw,noatime
        is "$(options bind,nodiratime)" rw,nodiratime,relatime
        is "$(options bind,nodiratime,strictatime,nosymfollow)" rw,nodiratime,nosymfollow
}

@test "... in a user namespace the locked ones of the source stay, and asking otherwise is an error" {
        userns
        host ro,noexec,noatime
        is "$(options bind)" ro,noexec,noatime
        is "$(options bind,dev)" ro,noexec,noatime
        is "$(options bind,nosuid)" ro,nosuid,noexec,noatime
        refused 1 'error mounting.*operation not permitted' options bind,rw
        refused 1 'error mounting.*operation not permitted' options bind,exec
        refused 1 'error mounting.*operation not permitted' options bind,relatime
        host rw,nosuid,nodev
        is "$(options bind,ro)" ro,nosuid,nodev
        # The kernel holds the lock: a root with every capability of that namespace cannot take it back.
        edit '.process.capabilities |= map_values(["CAP_SYS_ADMIN"])'
        host ro
        options bind,nosuid >/dev/null
        args 'mount -o remount,bind,rw,nosuid /mnt 2>&1; touch /mnt/y 2>&1'
        run go
        like "$output" 'permission denied|not permitted'
        like "$output" 'Read-only'
        [[ ! -e $T/host/y ]]
}

@test "recursive options reach the mounts below; without them only the top changes" {
        add "{\"source\": \"$T/src\", \"destination\": \"/a\", \"options\": [\"rbind\", \"ro\"]}"
        add "{\"source\": \"$T/src\", \"destination\": \"/b\", \"options\": [\"rbind\", \"rro\", \"rnosuid\", \"rnodev\", \"rnoexec\", \"rnoatime\", \"rnosymfollow\"]}"
        add "{\"source\": \"$T/src\", \"destination\": \"/c\", \"options\": [\"rbind\", \"ro\", \"rrw\", \"rstrictatime\"]}"
        args 'while read a b c d; do case $b in /[abc]*) echo $b ${d%% *};; esac; done </proc/mounts; true'
        out=$(go)
        like "$out" $'/a ro,[^\n]*'
        like "$out" $'/a/sub rw'
        like "$out" $'/b/sub ro,nosuid,nodev,noexec,noatime,nosymfollow'
        like "$out" $'/c rw'
        unlike "$(grep '^/c/sub' <<<"$out")" 'relatime'
}

@test "propagation: of a mount, several at once, of the root file system" {
        mount --bind "$T/host" "$T/host"
        mount --make-shared "$T/host"
        args 'while read i p d r m o rest; do case $m in /|/mnt) echo "$m $rest";; esac; done </proc/self/mountinfo'
        add "{\"source\": \"$T/host\", \"destination\": \"/mnt\", \"options\": [\"bind\"]}"
        unlike "$(go)" '/mnt (shared|master)'
        edit '.mounts[-1].options = ["bind", "rslave"]'
        like "$(go)" '/mnt master:[0-9]+ -'
        edit '.mounts[-1].options = ["bind", "rslave", "shared"]'
        like "$(go)" '/mnt shared:[0-9]+ master:[0-9]+ -'
        edit '.mounts[-1].options = ["bind", "unbindable"] | .linux.rootfsPropagation = "shared"'
        out=$(go)
        like "$out" '/mnt unbindable'
        like "$out" '/ shared:[0-9]+'
        edit '.linux.rootfsPropagation = "unbindable"'
        like "$(go)" '/ unbindable'
        edit '.mounts[-1].options = ["bind", "slave", "shared", "private", "unbindable", "shared"]'
        refused 1 'more than 4 mount propagation options' hodrun run c
        umount "$T/host"
}

@test "a source below the root file system is what earlier mounts made of it" {
        mkdir -p rootfs/mnt "$T/src2/x"
        echo deep >"$T/src2/x/file"
        add "{\"source\": \"$T/src2\", \"destination\": \"/mnt\", \"options\": [\"rbind\"]}"
        add "{\"source\": \"$T/b/rootfs/mnt/x\", \"destination\": \"$T/b/rootfs/final\", \"options\": [\"rbind\", \"ro\"]}"
        args 'cat /final/file; touch /final/y 2>&1'
        run go
        like "$output" '^deep'
        like "$output" 'Read-only'
        # Its links lead to the container's files.
        ln -s /etc rootfs/link
        add "{\"source\": \"$T/b/rootfs/link/passwd\", \"destination\": \"/p\", \"options\": [\"bind\"]}"
        args 'grep -c busybox /p; cmp /p /etc/passwd && echo same'
        like "$(go)" 'same$'
}

@test "tmpfs: read-only at the end, content, mode; remount" {
        add '{"source": "tmpfs", "type": "tmpfs", "destination": "/etc", "options": ["tmpcopyup", "ro", "mode=0711"]}'
        add "{\"source\": \"$T/host/x\", \"destination\": \"/etc/made\", \"options\": [\"bind\"]}"
        add '{"source": "tmpfs", "type": "tmpfs", "destination": "/t", "options": ["size=64k", "iversion", "lazytime", "dirsync"]}'
        add '{"destination": "/t", "options": ["remount", "size=128k", "noexec"]}'
        args 'grep -c root: /etc/passwd; cat /etc/made; stat -c %a /etc; touch /etc/z 2>&1; grep " /t " /proc/mounts'
        run go
        like "$output" $'^1\nshown\n711\n.*Read-only'
        like "$output" ' /t tmpfs rw,dirsync,lazytime,noexec,relatime,size=128k'
}

@test "symbolic links: copied, mounted on, followed" {
        ln -s /etc/passwd link
        ln -s /elsewhere rootfs/door
        add '{"source": "link", "destination": "/copied", "options": ["bind", "copy-symlink"]}'
        add "{\"source\": \"$T/host/x\", \"destination\": \"/door\", \"options\": [\"bind\", \"dest-nofollow\"]}"
        args 'readlink /copied; cat /door; ls /elsewhere 2>&1'
        run go
        like "$output" $'^/etc/passwd\nshown\n.*No such file'
        edit '.mounts[-1].options = ["bind"]'
        args 'cat /door /elsewhere'
        is "$(go)" $'shown\nshown'
        edit '.mounts[-1].options = ["bind", "size=4k"]'
        refused 1 'cannot have any filesystem-specific options applied' hodrun run c
        rm link
}

@test "/proc and /sys only on real directories, nothing over the files of /proc" {
        add "{\"source\": \"$T/host\", \"destination\": \"/proc/self/attr\", \"options\": [\"bind\"]}"
        refused 1 '/proc/self/attr.* cannot be mounted because it is inside /proc' hodrun run c
        edit '.mounts[-1].destination = "/x/../proc//self"'
        refused 1 'inside /proc' hodrun run c
        ln -s /proc/tty rootfs/door
        edit '.mounts[-1].destination = "/door"'
        refused 1 'inside /proc' hodrun run c
        edit '.mounts[-1].destination = "/proc"'
        refused 1 'not of type proc' hodrun run c
        edit '.mounts[-1] |= (.source += "/x" | .destination = "/proc/uptime")'
        args 'cat /proc/uptime'
        is "$(go)" shown
        rm -rf rootfs/proc
        ln -s /bad rootfs/proc
        mkdir rootfs/bad
        refused 1 'must be mounted on ordinary directory' hodrun run c
        rm rootfs/proc
        touch rootfs/proc
        refused 1 'must be mounted on ordinary directory' hodrun run c
}

@test "--no-pivot does not leave the host's /proc where a user namespace could use it" {
        args 'unshare -mrpf sh -c "mount -t proc none /proc && echo bare" 2>&1; ls /proc/1 >/dev/null && echo fine'
        edit '.process.capabilities |= map_values(. + ["CAP_SETFCAP"])'
        run hodrun run --no-pivot c
        unlike "$output" 'bare'
        like "$output" 'fine'
        args 'ls -d /etc/passwd /proc/1/cwd; ls / | wc -l'
        is "$(hodrun run --no-pivot c | head -n 2)" $'/etc/passwd\n/proc/1/cwd'
}

@test "without a mount namespace: the mounts are the caller's, below the root file system" {
        edit '.linux.namespaces |= map(select(.type != "mount")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
        args 'echo $$; [ -c /dev/null ] && echo dev; ls /proc/1/comm'
        is "$(go)" $'1\ndev\n/proc/1/comm'
        is_mounted "$T/b/rootfs"
        umount -R -l rootfs
        edit '.mounts = []'
        args 'echo plain'
        is "$(go)" plain
        ! is_mounted "$T/b/rootfs" || fail "left mounted"
        edit '.mounts = [{source: "/nowhere", destination: "/m", options: ["bind"]}]'
        refused 1 'no such file' hodrun run c
        ! is_mounted "$T/b/rootfs" || fail "left mounted"
        # A mount that fails half way takes the others away again.
        edit '.mounts = [{type: "tmpfs", source: "t", destination: "/t"}, {type: "nosuchfs", source: "n", destination: "/n"}]'
        refused 1 'error mounting' hodrun run c
        ! is_mounted "$T/b/rootfs" || fail "left mounted"
}

@test "devices: every type, mode and owner; what is there already; bound in a user namespace" {
        edit '.linux.devices = [
                {path: "/dev/c", type: "c", major: 1, minor: 3, fileMode: 416, uid: 7, gid: 8},
                {path: "/dev/u", type: "u", major: 1, minor: 5},
                {path: "/dev/sub/b", type: "b", major: 7, minor: 200},
                {path: "/run/p", type: "p", fileMode: 384},
                {path: "/dev/tty", type: "c", major: 5, minor: 0}]'
        args 'stat -c "%n %F %a %u:%g %t:%T" /dev/c /dev/u /dev/sub/b /run/p /dev/tty /dev/null'
        is "$(go)" "/dev/c character special file 640 7:8 1:3
/dev/u character special file 666 0:0 1:5
/dev/sub/b block special file 666 0:0 7:c8
/run/p fifo 600 0:0 0:0
/dev/tty character special file 666 0:0 5:0
/dev/null character special file 666 0:0 1:3"
        touch rootfs/run/q
        edit '.linux.devices = [{path: "/run/q", type: "c", major: 1, minor: 3}]'
        refused 1 'creating device /run/q.*exists' hodrun run c
        userns
        edit '.linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11}, {path: "/run/p", type: "p"}]'
        args 'grep -c " /dev/kmsg " /proc/mounts; echo x >/dev/null && echo null; stat -c %F /run/p'
        is "$(go)" $'1\nnull\nfifo'
}

@test "masked paths: once each, one empty file system for the directories" {
        mkdir rootfs/d1 rootfs/d2
        echo secret | tee rootfs/f >rootfs/d1/f
        edit '.linux.maskedPaths += ["/d1", "/d2", "/f", "/d1", "/f", "/missing"]'
        args 'cat /f; ls /d1; grep -c -E " /(d1|f) " /proc/mounts; [ $(stat -c %d /d1) = $(stat -c %d /d2) ] && echo one'
        is "$(go)" $'2\none'
}

@test "cgroup mounts: read-only as asked, with and without a cgroup namespace" {
        args 'grep " /sys/fs/cgroup" /proc/mounts | grep -vE " (ro|ro,[^ ]*) " | wc -l; ls /sys/fs/cgroup | head -n 1 | wc -l'
        is "$(go)" $'0\n1'
        edit '.linux.namespaces |= map(select(.type != "cgroup"))'
        is "$(go)" $'0\n1'
}
