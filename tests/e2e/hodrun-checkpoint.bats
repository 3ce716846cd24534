#!/usr/bin/env bats
# `hodrun checkpoint` and `hodrun restore`. fake-criu.py takes criu's place, in a mount namespace of the test's, and shows
# what is asked of it and what its answers lead to. The tests at the end need a criu that works here.
# shellcheck disable=SC2016  # programs of jq and of containers

load lib
load hodrun

setup_file() { hodrun_setup_file; }
teardown_file() { e2e_teardown; }
setup() {
        hodrun_setup
        LOG=$T/criu.log
        rm -rf "$LOG" "$T/img" "$T/logs"
        fake '{}'
}
teardown() { hodrun_teardown; }

# fake JSON: how the fake criu behaves.
fake() { jq -n --arg log "$LOG" --arg b "$T/b" "$1"' + {log: $log, bundle: $b}' >"$T/criu.json"; }
# with_fake COMMAND...: where criu is the fake one.
with_fake() {
        unshare -m sh -c 'mount -t tmpfs none /usr/local/sbin && cp "$1" /usr/local/sbin/criu && chmod 755 /usr/local/sbin/criu &&
                cp "$2" /usr/local/sbin/criu.json && shift 2 && exec "$@"' sh "$BATS_TEST_DIRNAME/fake-criu.py" "$T/criu.json" "$@"
}
dump() { with_fake "$HOD_BIN/hodrun" --root "$T/run" checkpoint --image-path "$T/img" "$@" c; }
restore() { with_fake "$HOD_BIN/hodrun" --root "$T/run" restore -d --image-path "$T/img" "$@" c </dev/null; }
# The last request of a kind (1 dump, 2 restore, 4 pre-dump) as options by number.
asked() { jq -sc --argjson t "$1" 'map(select(.type == $t and has("opts"))) | last.opts' "$LOG"; }
option() { asked "$1" | jq -c --arg n "$2" '.[$n]'; }
answers() { jq -rs 'map(select(.answer) | "\(.answer)=\(.success)") | join(" ")' "$LOG"; }
status_of() { hodrun state c | jq -r .status; }
has_stopped() { [[ $(status_of) == stopped ]]; }
runs() { [[ $(status_of 2>/dev/null) == running ]]; }
# A bundle that the fake can restore: without a PID namespace, which it does not make.
restorable() {
        edit '.linux.namespaces |= map(select(.type != "pid"))'
        mkdir -p "$T/img"
        echo '[]' >"$T/img/descriptors.json"
}
nothing_left() {
        is "$(hodrun list -q)" ""
        is "$(find "$T/run" -mindepth 1 -maxdepth 1 ! -name "@*")" ""
        is "$(find /sys/fs/cgroup -type d -path "*$CG-c*" 2>/dev/null)" "" "cgroups"
        ! grep -q "$T/run" /proc/self/mountinfo || fail "a mount is left"
}
one_line() { ((${#lines[@]} == 1)) || fail "more than one line:" "$output"; }

# ---- without criu ----

@test "no criu: a clear error, and the container runs on" {
        background
        printf '#!/bin/sh\ntouch %s/trojan\n' "$T" >"$T/b/criu"
        chmod 755 "$T/b/criu"
        install -D -m 755 "$T/b/criu" rootfs/usr/sbin/criu
        # Neither what is in $PATH nor what lies around or in the container is executed.
        run env PATH="$T/b:.:$PATH" unshare -m sh -c 'for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do
                [ ! -e $d/criu ] || mount --bind /dev/null $d/criu; done; exec "$@"' sh \
                "$HOD_BIN/hodrun" --root "$T/run" checkpoint --image-path "$T/img" c
        ((status == 1)) || fail "exit status $status"
        one_line
        contains "$output" "CRIU version check failed: criu executable not found in /usr/local/sbin:/usr/local/bin:/usr/sbin"
        [[ ! -e $T/trojan ]] || fail "a program of somebody else was executed"
        is "$(status_of)" running
        rm -f "$T/b/criu"
}

@test "bad command lines: one clear line" {
        background
        bad() { # bad TEXT ARGUMENT...
                local text=$1
                shift
                run dump "$@"
                ((status == 1)) || fail "exit status $status for $*"
                contains "$output" "$text"
                one_line
        }
        bad '--parent-path must be relative' --parent-path /x
        bad 'invalid --parent-path: stat nosuch: no such file or directory' --parent-path nosuch
        bad 'Use --page-server ADDRESS:PORT to specify page server' --page-server nowhere
        bad 'Use --page-server ADDRESS:PORT to specify page server' --page-server ::1:80
        bad 'Invalid port number' --page-server a:b
        bad 'namespace \"pid\" is not supported' --empty-ns pid
        bad 'invalid manage-cgroups-mode value' --manage-cgroups-mode hard
        bad 'invalid network-lock value' --network-lock hard
        bad 'invalid --status-fd argument 77: bad file descriptor' --lazy-pages --status-fd 77
        bad 'not writable' --lazy-pages --status-fd 0
        [[ ! -s $LOG ]] || ! jq -e 'select(.type == 1)' "$LOG" >/dev/null || fail "criu was asked"
        is "$(status_of)" running
        run hodrun checkpoint nosuch
        contains "$output" 'container does not exist'
        hodrun create made </dev/null >/dev/null 2>&1 || true
        run hodrun restore --image-path "$T/nosuch" nosuch
        contains "$output" "open $T/nosuch/descriptors.json: no such file or directory"
        run hodrun restore ../x
        contains "$output" 'invalid container ID format'
}

@test "only what runs can be saved" {
        args 'while :; do sleep 1000; done'
        hodrun create c </dev/null >/dev/null 2>&1
        run dump
        contains "$output" 'Container cannot be checkpointed in created state'
        hodrun start c
        hodrun kill c KILL
        eventually 10 has_stopped
        run dump
        contains "$output" 'Container cannot be checkpointed in stopped state'
        is "$(ls -A "$T/img" 2>/dev/null)" ""
}

# ---- dump ----

@test "dump: plain" {
        background
        local pid
        pid=$(hodrun state c | jq .pid)
        dump --work-path "$T/logs"
        is "$(option 1 2)" "[$pid]"
        is "$(option 1 13)" "[\"$T/b/rootfs\"]"
        is "$(option 1 34)" "[6]"
        is "$(option 1 38)" "[1073741824]"
        is "$(option 1 12)$(option 1 50)$(option 1 24)" "[1][1][1]"
        is "$(option 1 3)$(option 1 5)$(option 1 7)" "[0][0][0]"
        contains "$(option 1 44)" "/freezer$CG-c" || contains "$(option 1 44)" "/sys/fs/cgroup$CG-c"
        is "$(answers)" "pre-dump=1 network-lock=1 post-dump=1"
        [[ -e $T/img/inventory.img && -e $T/img/descriptors.json && -e $T/logs/dump.log ]] || fail "files are missing"
        nothing_left
}

@test "dump: every option reaches criu" {
        background
        mkdir -p "$T/parent"
        exec 9>"$T/status"
        fake '{features: ["lazy_pages"], notify: ["status-ready", "status-ready", "network-unlock", "what-is-new"]}'
        dump --work-path "$T/logs" --leave-running --tcp-established --tcp-skip-in-flight --link-remap --ext-unix-sk \
                --shell-job --file-locks --auto-dedup --manage-cgroups-mode full --empty-ns network --network-lock skip \
                --parent-path ../parent --page-server '[::1]:27277' --lazy-pages --status-fd 9
        exec 9>&-
        is "$(asked 1 | jq -c '[.["3"], .["4"], .["5"], .["7"], .["8"], .["15"], .["16"], .["18"], .["46"], .["48"]] | flatten')" \
                '[1,1,1,1,1,1,1,1,1,1]'
        is "$(option 1 11)" '[["::1",27277]]'
        is "$(option 1 14)" '["../parent"]'
        is "$(option 1 34)" '[4]'
        is "$(option 1 64)" '[3]'
        is "$(od -An -c "$T/status" | tr -d ' ')" '\0'
        contains "$(answers)" "what-is-new=1"
        is "$(status_of)" running
}

@test "dump: mounts of the host are named, symlinks followed, and masked files" {
        mkdir -p rootfs/real/conf src
        ln -s /real/conf rootfs/conf
        add '{"destination": "/conf", "source": "src", "options": ["bind"]}'
        add '{"destination": "/conf/nested", "source": "/etc/hostname", "type": "bind", "options": ["bind", "ro"]}'
        background
        dump --leave-running
        local mounts
        mounts=$(option 1 23)
        contains "$mounts" '["/real/conf","/real/conf"]'
        contains "$mounts" '["/real/conf/nested","/real/conf/nested"]'
        contains "$mounts" '["/proc/kcore","/dev/null"]'
        contains_not "$mounts" '"/sys/firmware"' # a directory: its mask is the container's own
        contains_not "$mounts" '["/proc","/proc"]'
        if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then contains "$mounts" '["/sys/fs/cgroup/memory","/sys/fs/cgroup/memory"]'; fi
}

@test "dump: names that criu would read as something else are refused (CVE-2026-115520)" {
        add '{"destination": "/x]:/etc", "source": "/etc", "options": ["bind", "ro"]}'
        background
        run dump
        ((status == 1)) || fail "exit status $status"
        contains "$output" 'criu cannot handle mount /x]:/etc: there is \"]:\" in its name'
        is "$(status_of)" running
        is "$(asked 1)" null
}

@test "dump: joined namespaces stay outside" {
        local ns=/proc/$$/ns/net inode
        inode=$(stat -Lc %i $ns)
        edit '(.linux.namespaces[] | select(.type == "network")).path = $p' --arg p "$ns"
        background
        dump
        is "$(option 1 37)" "[\"net[$inode]:extRootNetNS\"]"
}

@test "dump: pipes of a container are remembered" {
        args 'while :; do sleep 1000; done'
        hodrun run -d c < <(sleep 3) > >(cat >/dev/null) 2>&1
        dump
        like "$(cat "$T/img/descriptors.json")" '^\["pipe:\[[0-9]+\]","pipe:\[[0-9]+\]","pipe:\[[0-9]+\]"\]$'
}

@test "pre-dump: needs the kernel's memory tracking, and leaves the container alone" {
        background
        run dump --pre-dump
        ((status == 1)) || fail "exit status $status"
        contains "$output" 'criu is missing features: [MemTrack]'
        fake '{features: ["mem_track"]}'
        dump --pre-dump
        is "$(option 4 2)" "[$(hodrun state c | jq .pid)]"
        is "$(option 4 23)" null
        [[ ! -e $T/img/descriptors.json ]] || fail "a pre-dump is no checkpoint"
        is "$(status_of)" running
}

@test "dump: whatever criu does wrong, the container stays, and the error says what" {
        background
        goes_wrong() { # goes_wrong BEHAVIOUR TEXT
                fake "$1"
                run dump --work-path "$T/logs"
                ((status == 1)) || fail "exit status $status for $1"
                contains "$output" "$2"
                is "$(status_of)" running
                hodrun exec c true
        }
        goes_wrong '{version: [3, 14, 0]}' 'CRIU version 31400 must be 31500 or higher'
        goes_wrong '{fail: "exit"}' 'criu failed: it ended without an answer (exit status 3)'
        goes_wrong '{fail: "signal"}' 'criu failed: it ended without an answer (signal 9)'
        goes_wrong '{fail: "garbage"}' 'unable to parse the response of criu: protobuf'
        goes_wrong '{fail: "refuse", error: "it is Monday"}' 'criu failed: type DUMP errno 95: it is Monday'
        # The log is quoted as runc does it.
        contains "$output" "--- Quoting \\\"$T/logs/dump.log\\\""
        contains "$output" "16:(00.000015) line 15"
        contains "$output" "21:(00.000020) Error (criu/fake.c:1): it is Monday"
        contains_not "$output" "line 14"
}

# ---- restore ----

@test "restore: the container is there as if it had been created, and ends like one" {
        restorable
        edit '.linux.resources.pids.limit = 7'
        restore --pid-file "$T/pid"
        is "$(status_of)" running
        is "$(cat "$T/pid")" "$(hodrun state c | jq .pid)"
        is "$(hodrun list -q)" c
        is "$(cat "/sys/fs/cgroup/pids$CG-c/pids.max" 2>/dev/null || cat "/sys/fs/cgroup$CG-c/pids.max")" 7
        grep -qx "$(cat "$T/pid")" "/sys/fs/cgroup/pids$CG-c/cgroup.procs" 2>/dev/null || grep -qx "$(cat "$T/pid")" "/sys/fs/cgroup$CG-c/cgroup.procs"
        ! grep -q "$T/run" /proc/self/mountinfo || fail "mounted in the host's table"
        run restore
        contains "$output" 'container with given ID already exists'
        is "$(status_of)" running
        run hodrun delete c
        contains "$output" 'cannot delete container c that is not stopped: running'
        hodrun kill c KILL
        eventually 10 has_stopped
        is "$(status_of)" stopped
        hodrun delete c
        nothing_left
}

@test "restore: criu works where the container will be, and finds everything by descriptor" {
        restorable
        mkdir -p "$T/logs"
        restore --work-path "$T/logs"
        local facts
        facts=$(jq -c 'select(has("mounted"))' "$LOG")
        is "$(jq -c .mounted <<<"$facts")" 1 "criu sees the root file system"
        contains "$(jq -r '.root | join(" ")' <<<"$facts")" "bin dev"
        contains "$(jq -r .cgroup <<<"$facts")" ":$CG-c"
        is "$(jq -r .cwd <<<"$facts")" "$T/logs"
        is "$(jq -c .environ <<<"$facts")" '["PATH"]'
        is "$(jq -c .fds <<<"$facts")" '[0,1,2,3,4,5]'
        is "$(option 2 1)$(option 2 17)" '[4][5]'
        is "$(option 2 13)" "[\"$T/run/c/criu-root\"]"
        is "$(option 2 25)" "[[null,\"$CG-c\"]]"
        is "$(option 2 26)$(option 2 6)" '[1][1]'
        is "$(answers)" "pre-restore=1 setup-namespaces=1 post-restore=1 pre-resume=1"
        [[ ! -e $T/run/c/criu-root ]] || fail "a directory is left"
}

@test "restore: every option reaches criu" {
        restorable
        restore --tcp-established --ext-unix-sk --shell-job --file-locks --manage-cgroups-mode ignore --no-subreaper \
                --empty-ns network --auto-dedup --lazy-pages --lsm-profile apparmor:x --lsm-mount-context ctx --tcp-close \
                --network-lock nftables
        is "$(asked 2 | jq -c '[.["4"], .["5"], .["7"], .["8"], .["16"], .["48"], .["52"]] | flatten')" '[1,1,1,1,1,1,1]'
        is "$(option 2 34)$(option 2 64)$(option 2 53)$(option 2 63)" '[0][2]["apparmor:x"]["ctx"]'
        hodrun delete -f c
        run restore --no-pivot
        contains "$output" '--no-pivot has no effect'
}

@test "restore: mount points are made, sources come from the bundle alone" {
        restorable
        mkdir -p rootfs/real src
        ln -s /real rootfs/link
        add '{"destination": "/link/a", "source": "src", "options": ["bind"]}'
        add '{"destination": "/link/a/b/c", "source": "/etc", "options": ["bind", "ro"]}'
        add '{"destination": "/link/f", "source": "/etc/hostname", "type": "bind", "options": ["bind"]}'
        add '{"destination": "/dev/shm/x", "source": "/etc", "options": ["bind"]}'
        # What the image says about mounts is not asked.
        printf '{"mounts": [{"destination": "/evil", "source": "/", "type": "bind"}]}' >"$T/img/config.dump"
        restore
        [[ -d rootfs/real/a && -d src/b/c && -f rootfs/real/f ]] || fail "mount points are missing"
        [[ ! -e rootfs/dev/shm ]] || fail "made below a file system that criu restores"
        is "$(ls -A rootfs/real/a)" ""
        local mounts
        mounts=$(option 2 23)
        contains "$mounts" "[\"/real/a\",\"$T/b/src\"]"
        contains "$mounts" '["/real/a/b/c","/etc"]'
        contains "$mounts" '["/real/f","/etc/hostname"]'
        contains "$mounts" '["/dev/null","/dev/null"]'
        if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then contains "$mounts" "[\"/sys/fs/cgroup/memory\",\"/sys/fs/cgroup/memory$CG-c\"]"; fi
        contains_not "$mounts" evil
}

@test "restore: namespaces and pipes are inherited, others joined" {
        restorable
        printf '["pipe:[111]","/dev/null","pipe:[333]","pipe:[444]"]' >"$T/img/descriptors.json"
        edit '(.linux.namespaces[] | select(.type == "network")).path = $p' --arg p "/proc/$$/ns/net"
        edit '(.linux.namespaces[] | select(.type == "ipc")).path = $p' --arg p "/proc/$$/ns/ipc"
        fake '{unshare: ["mount", "uts"]}'
        restore
        is "$(option 2 27)" '[["pipe:[111]",0],["pipe:[333]",2],["extRootNetNS",6]]'
        is "$(jq -r 'select(has("inherited")).inherited.extRootNetNS' "$LOG")" "$(readlink /proc/$$/ns/net)"
        is "$(option 2 39)" "[[\"ipc\",\"/proc/$$/ns/ipc\"]]"
}

@test "restore: hooks of the runtime namespace run when the namespaces are there" {
        restorable
        edit '.hooks = {prestart: [{path: "/bin/sh", args: ["sh", "-c", $a]}], createRuntime: [{path: "/bin/sh", args: ["sh", "-c", $b]}],
                poststop: [{path: "/bin/sh", args: ["sh", "-c", $c]}]}' --arg a "cat >$T/pre" --arg b "cat >$T/create" --arg c "cat >$T/post"
        restore
        is "$(jq -c '[.id, .status, .pid]' "$T/pre")" "[\"c\",\"creating\",$(hodrun state c | jq .pid)]"
        is "$(jq -c .bundle "$T/create")" "\"$T/b\""
        hodrun delete -f c
        is "$(jq -r .status "$T/post")" stopped
        edit '.hooks.prestart[0].args = ["sh", "-c", "echo no; exit 3"]'
        run restore
        ((status == 1)) || fail "exit status $status"
        contains "$output" 'error running prestart hook #0: exit status 3'
        nothing_left
}

@test "restore: loopback is up in a network namespace of its own" {
        restorable
        restore
        contains "$(nsenter -t "$(hodrun state c | jq .pid)" -n ip -o link show lo)" "LOOPBACK,UP"
}

@test "restore: a terminal goes to the console socket" {
        restorable
        edit '.process.terminal = true'
        fake '{terminal: true}'
        run restore
        contains "$output" 'cannot allocate tty if'
        local receiver
        python3 - "$T/console" >"$T/console.out" <<'PY' &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
s.settimeout(20)
c, _ = s.accept()
text, anc, _, _ = c.recvmsg(100, 100)
fd = array.array("i", anc[0][2])[0]
print(text.decode(), os.readlink("/proc/self/fd/%d" % fd))
PY
        receiver=$!
        eventually 10 test -S "$T/console"
        restore --console-socket "$T/console"
        wait "$receiver" # not for bats' own clock
        like "$(cat "$T/console.out")" '^/dev/pts/ptmx .*/ptmx$'
        hodrun delete -f c
        fake '{}'
        python3 -c "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('$T/console2'); s.listen(); time.sleep(60)" &
        receiver=$!
        eventually 10 test -S "$T/console2"
        run restore --console-socket "$T/console2"
        contains "$output" 'the checkpoint has no terminal for the console socket'
        nothing_left
        kill "$receiver"
        wait "$receiver" || true
}

# Row 42 of the catalogue of weaknesses: an image decides who the processes are, the bundle what they may be.
@test "restore: an image cannot give what the bundle does not" {
        restorable
        too_much() { # too_much BEHAVIOUR TEXT
                fake "$1"
                run restore
                ((status == 1)) || fail "exit status $status for $1"
                contains "$output" "$2"
                nothing_left
        }
        restore # what `hodrun spec` gives
        hodrun delete -f c
        too_much '{keep: 2818844155}' 'the checkpoint restores a process with capabilities that config.json does not give (0x'
        too_much '{keep: -1}' 'capabilities that config.json does not give'
        too_much '{unshare: ["mount", "uts", "ipc"]}' 'the checkpoint restores a process into the network namespace of the host'
        too_much '{unshare: ["uts", "ipc", "network"]}' 'the checkpoint restores a process into the mount namespace of the host'
        too_much '{nnp: false}' 'without no_new_privs, which config.json demands'
        edit '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}'
        too_much '{}' 'without the seccomp filter that config.json demands'
}

@test "restore: mounts have the flags of config.json, whatever the image says" {
        restorable
        local c
        mkdir -p src
        add '{"destination": "/src", "source": "src", "options": ["bind", "ro", "nosuid", "noexec"]}'
        add '{"destination": "/other", "source": "src", "options": ["bind", "nodev"]}'
        add '{"destination": "/scratch", "source": "x", "type": "tmpfs", "options": ["nosuid", "ro", "noatime"]}'
        add '{"destination": "/other", "type": "bind", "source": "src", "options": ["bind", "remount", "ro"]}'
        edit '.root.readonly = true'
        fake '{loose: true}'
        restore
        c=/proc/$(hodrun state c | jq .pid)/mountinfo
        flags() { awk -v at="$1" '$5 == at {print $6}' "$c" | tail -n 1; }
        is "$(flags /src)" ro,nosuid,noexec,relatime
        is "$(flags /other)" ro,nodev,relatime
        is "$(flags /scratch)" ro,nosuid,noatime
        is "$(flags /dev/shm)" rw,nosuid,nodev,noexec,relatime
        like "$(flags /sys)" '^ro,nosuid,nodev,noexec'
        like "$(flags /proc/sys)" '^ro'
        like "$(flags /)" '^ro'
        hodrun delete -f c
        # Not more either: what config.json leaves writable is.
        edit '.root.readonly = false | .mounts |= map(select(.destination != "/scratch"))'
        add '{"destination": "/scratch", "source": "x", "type": "tmpfs", "options": ["nodev"]}'
        fake '{}'
        restore
        c=/proc/$(hodrun state c | jq .pid)/mountinfo
        is "$(flags /scratch)" rw,nodev,relatime
        like "$(flags /)" '^rw'
        hodrun delete -f c
        nothing_left
}

@test "restore: a link that the container has put in the place of a mount's directory makes no other mount writable" {
        restorable
        mkdir -p src rootfs/a rootfs/secret rootfs/a2/t
        ln -s /secret rootfs/a/t
        add '{"destination": "/secret", "source": "src", "options": ["bind", "ro", "nosuid"]}'
        add '{"destination": "/a/t", "source": "x", "type": "tmpfs"}'
        fake '{moved: {"/a/t": "/a2/t"}}'
        restore
        local at
        at=/proc/$(hodrun state c | jq .pid)/mountinfo
        is "$(awk '$5 == "/a2/t" {print "there"}' "$at")" there
        like "$(awk '$5 == "/secret" {print $6}' "$at")" '^ro,nosuid'
        hodrun delete -f c
        nothing_left
        rm -r rootfs/a rootfs/a2
}

@test "restore: a process with a mount namespace of its own, which nobody could have made, is refused" {
        restorable
        fake '{apart: true}'
        run restore
        ((status == 1)) || fail "exit status $status"
        contains "$output" 'restores a process with a mount namespace of its own'
        nothing_left
        # Control: CAP_SYS_ADMIN makes them.
        edit '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
        restore
        is "$(status_of)" running
        hodrun delete -f c
        nothing_left
}

@test "restore: what the image does not mount or mask, though config.json does, is refused" {
        restorable
        refused() { # refused BEHAVIOUR TEXT
                fake "$1"
                run restore
                ((status == 1)) || fail "exit status $status for $1"
                contains "$output" "$2"
                nothing_left
        }
        refused '{bare: true}' 'the checkpoint has nothing mounted at /proc, where config.json mounts proc'
        refused '{unmasked: true}' 'the checkpoint does not mask /proc/'
        edit '.linux.maskedPaths = []'
        refused '{unmasked: true}' 'the checkpoint does not write-protect /proc/'
        # Control: who may unmount may have done so.
        edit '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
        restore
        is "$(status_of)" running
}

@test "restore: whatever criu does wrong, nothing is left" {
        restorable
        goes_wrong() { # goes_wrong BEHAVIOUR TEXT
                fake "$1"
                run restore --work-path "$T/logs"
                ((status == 1)) || fail "exit status $status for $1"
                contains "$output" "$2"
                nothing_left
        }
        goes_wrong '{version: [3, 15, 9]}' 'CRIU version 31509 must be 31600 or higher'
        goes_wrong '{fail: "exit"}' 'criu failed: it ended without an answer (exit status 3)'
        goes_wrong '{fail: "signal"}' 'criu failed: it ended without an answer (signal 9)'
        goes_wrong '{fail: "garbage"}' 'unable to parse the response of criu'
        goes_wrong '{fail: "refuse", error: "not today"}' 'criu failed: type RESTORE errno 95: not today'
        contains "$output" "--- Quoting \\\"$T/logs/restore.log\\\""
        goes_wrong '{fail: "hang-up-late"}' 'criu failed: it ended without an answer (exit status 1)'
        rm -f "$T/img/descriptors.json"
        goes_wrong '{}' "open $T/img/descriptors.json: no such file or directory"
        echo '{' >"$T/img/descriptors.json"
        goes_wrong '{}' "reading $T/img: descriptors.json: line"
        echo '{}' >"$T/img/descriptors.json"
        goes_wrong '{}' 'must be an array'
        echo '[]' >"$T/img/descriptors.json"
        edit '(.linux.namespaces[] | select(.type == "network")).path = "/nosuch"'
        goes_wrong '{}' '/nosuch'
}

@test "restore: in the foreground it waits, and its status is the container's" {
        restorable
        with_fake "$HOD_BIN/hodrun" --root "$T/run" restore --image-path "$T/img" c </dev/null >"$T/out" 2>&1 &
        local job=$! status=0
        eventually 10 runs
        hodrun kill c TERM
        wait $job || status=$?
        ((status == 137 || status == 143)) || fail "exit status $status: $(cat "$T/out")"
        nothing_left
}

# ---- with a criu that works ----

real() {
        local dir
        for dir in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do
                [[ ! -x $dir/criu ]] || { "$dir/criu" check >/dev/null 2>&1 && return; }
        done
        skip "no criu that works with this kernel"
}

@test "real criu: a container with files, a bind mount and a pipe goes on where it was" {
        real
        mkdir -p src
        add '{"destination": "/src", "source": "src", "options": ["bind"]}'
        args 'i=0; while :; do i=$((i + 1)); echo $i >/src/n; echo $i >/tmp/n; echo $i; sleep 0.05; done'
        exec 8> >(cat >"$T/out1")
        hodrun run -d c < <(sleep 30) >&8 2>&8
        exec 8>&-
        sleep 0.5
        hodrun checkpoint --image-path "$T/img" --work-path "$T/logs" c
        nothing_left
        local before after
        before=$(cat src/n)
        exec 8> >(cat >"$T/out2")
        hodrun restore -d --image-path "$T/img" --work-path "$T/logs" c < <(sleep 30) >&8 2>&8
        exec 8>&-
        sleep 0.5
        after=$(cat src/n)
        ((after > before && after < before + 100)) || fail "from $before to $after"
        is "$(head -n 1 "$T/out2")" $((before + 1))
        hodrun exec c sh -c '[ -s /tmp/n ]'
        # Once more, with an exec session that stays, and left running.
        hodrun exec -d c sleep 600 </dev/null >/dev/null 2>&1
        hodrun pause c
        hodrun resume c
        hodrun checkpoint --leave-running --image-path "$T/img" --work-path "$T/logs" c || fail "$(grep Error "$T/logs/dump.log")"
        is "$(status_of)" running
        hodrun delete -f c
        nothing_left
}

@test "real criu: limits, a cgroup namespace, a seccomp filter and a joined network namespace come back" {
        real
        edit '.linux.namespaces += [{type: "cgroup"}] | .linux.resources.pids.limit = 9 | .linux.resources.memory.limit = 50000000
                | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}]}
                | (.linux.namespaces[] | select(.type == "network")).path = $p' --arg p "/proc/$$/ns/net"
        args 'while :; do sleep 1000; done'
        hodrun run -d c < <(sleep 30) > >(cat) 2>&1
        hodrun checkpoint --image-path "$T/img" --work-path "$T/logs" --manage-cgroups-mode ignore c
        hodrun restore -d --image-path "$T/img" --work-path "$T/logs" --manage-cgroups-mode ignore c < <(sleep 30) > >(cat) 2>&1
        local pid
        pid=$(hodrun state c | jq .pid)
        is "$(readlink "/proc/$pid/ns/net")" "$(readlink /proc/$$/ns/net)"
        grep -q "^Seccomp:.2" "/proc/$pid/status" || fail "no filter"
        is "$(cat "/sys/fs/cgroup/pids$CG-c/pids.max" 2>/dev/null || cat "/sys/fs/cgroup$CG-c/pids.max")" 9
        run hodrun exec c mkdir /tmp/x
        ((status)) || fail "the session has no filter"
        hodrun delete -f c
        nothing_left
}
