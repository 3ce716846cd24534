#!/usr/bin/env bats
# Root file systems that lead the runtime astray: rows 1 to 13, 16, 24 to 26, 30 of docs/security.md. Each attack has its
# control beside it: the same thing, honestly used, works.

load lib
load hodrun
setup_file() { hodrun_setup_file; }
teardown_file() { e2e_teardown; }
setup() { hodrun_setup; }
teardown() { hodrun_teardown; }

@test "row 1 CVE-2015-3627: stdio of a container whose /dev is full of links, started with 0, 1 and 2 closed" {
        rm -rf rootfs/dev
        mkdir rootfs/dev
        local n
        for n in console tty null stdin stdout stderr; do ln -s "$T/canary/file" "rootfs/dev/$n"; done
        args 'sleep 1000'
        drop /dev
        drop /dev/pts
        drop /dev/shm
        drop /dev/mqueue
        run hodrun run -d c <&- >&- 2>&-
        if [[ $status == 0 ]]; then
                local pid fd
                pid=$(hodrun state c | jq .pid)
                for fd in 0 1 2; do is "$(stat -Lc %t:%T "/proc/$pid/fd/$fd")" 1:3 "descriptor $fd"; done
                hodrun delete -f c
        fi
        untouched
        # Control: an honest /dev.
        rm -rf rootfs/dev
        mkdir rootfs/dev
        hodrun run -d c <&- >&- 2>&-
        pid=$(hodrun state c | jq .pid)
        for fd in 0 1 2; do is "$(stat -Lc %t:%T "/proc/$pid/fd/$fd")" 1:3 "descriptor $fd"; done
        is "$(stat -c %t:%T rootfs/dev/null)" 1:3
}

@test "row 2 CVE-2015-3629: a destination that is a link by the second start" {
        mkdir rootfs/data
        add '{"type": "tmpfs", "source": "tmpfs", "destination": "/data/m"}'
        args 'grep -c " /data/m tmpfs " /proc/mounts'
        is "$(go)" 1
        rm -rf rootfs/data
        ln -s "$T/canary" rootfs/data
        args 'grep -c "/canary/m tmpfs " /proc/mounts'
        is "$(go)" 1
        untouched
        # It was made inside.
        [[ -d rootfs$T/canary/m ]]
}

# links NAME WAY: make NAME of the rootfs a link to the canary by that way.
links() {
        local i
        rm -rf "rootfs/${1:?}"
        case $2 in
        absolute) ln -s "$T/canary" "rootfs/$1" ;;
        dotdot) ln -s "../../../../../../../../..$T/canary" "rootfs/$1" ;;
        chained)
                for i in {1..39}; do ln -sfn "l$((i + 1))" "rootfs/l$i"; done
                ln -sfn "$T/canary" rootfs/l40
                ln -s l1 "rootfs/$1"
                ;;
        dangling) ln -s "$T/canary/nowhere" "rootfs/$1" ;;
        magic) ln -s "/proc/self/root$T/canary" "rootfs/$1" ;;
        init) ln -s "/proc/1/root$T/canary" "rootfs/$1" ;;
        cwd) ln -s "/proc/self/cwd/../../../../../../..$T/canary" "rootfs/$1" ;;
        esac
}
WAYS='absolute dotdot chained dangling magic init cwd'

@test "row 3 CVE-2019-18837, row 4 CVE-2015-1335: links as each component of a destination" {
        local way at
        cp config.json plain.json
        for way in $WAYS; do
                for at in a a/b a/b/m; do
                        rm -rf rootfs/a rootfs/l* "rootfs${T:?}"
                        mkdir -p "rootfs/$(dirname "$at")"
                        links "$at" "$way"
                        cp plain.json config.json
                        add '{"type": "tmpfs", "source": "tmpfs", "destination": "/a/b/m"}'
                        args 'grep -c " tmpfs tmpfs " /proc/mounts'
                        run hodrun run c
                        [[ $output == [0-9] ]] || like "$output" 'error mounting|cannot be mounted'
                        untouched || fail "$way at $at"
                done
        done
        # Control: the path as it is, and a link that stays inside.
        rm -rf rootfs/a rootfs/l* "rootfs${T:?}"
        args 'grep -c " /a/b/m tmpfs " /proc/mounts'
        is "$(go)" 1
        rm -rf rootfs/a
        mkdir -p rootfs/real
        ln -s /real rootfs/a
        args 'grep -c " /real/b/m tmpfs " /proc/mounts'
        is "$(go)" 1
}

@test "row 7 CVE-2024-0132, CVE-2024-0133: injected files and directories whose places are the image's links" {
        local way
        echo injected >"$T/lib"
        cp config.json plain.json
        for way in $WAYS; do
                rm -rf rootfs/usr/lib rootfs/l* "rootfs${T:?}"
                mkdir -p rootfs/usr
                links usr/lib "$way"
                for m in "{\"source\": \"$T/lib\", \"destination\": \"/usr/lib/libx.so\", \"options\": [\"bind\", \"ro\"]}" \
                        "{\"source\": \"$T/b\", \"destination\": \"/usr/lib/dir/x\", \"options\": [\"rbind\", \"ro\"]}" \
                        "{\"source\": \"$T/lib\", \"destination\": \"/usr/lib\", \"options\": [\"bind\"]}"; do
                        cp plain.json config.json
                        add "$m"
                        args 'true'
                        run hodrun run c
                        untouched || fail "$way: $m"
                done
        done
        rm -rf rootfs/usr/lib rootfs/l*
        cp plain.json config.json
        add "{\"source\": \"$T/lib\", \"destination\": \"/usr/lib/libx.so\", \"options\": [\"bind\", \"ro\"]}"
        args 'cat /usr/lib/libx.so'
        is "$(go)" injected
}

@test "row 8 CVE-2022-23648: what a tmpfs begins with is the image's, not the host's" {
        mkdir rootfs/real
        echo image >rootfs/real/own
        ln -s "$T/canary" rootfs/v
        ln -s /real rootfs/w
        add '{"type": "tmpfs", "source": "tmpfs", "destination": "/v", "options": ["tmpcopyup"]}'
        add '{"type": "tmpfs", "source": "tmpfs", "destination": "/w", "options": ["tmpcopyup"]}'
        args 'ls /v | wc -l; cat /w/own'
        is "$(go)" $'0\nimage'
        edit '.mounts[-1].destination = "/../../../../canary/../real"'
        args 'cat /real/own'
        is "$(go)" image
        untouched
}

@test "row 9 CVE-2026-55686: a working directory across a link is not made outside" {
        ln -s "$T/canary" rootfs/a
        edit '.process.cwd = "/a/b/c"'
        args 'pwd'
        is "$(go)" "$T/canary/b/c"
        untouched
        [[ -d rootfs$T/canary/b/c ]]
        edit '.process.user = {uid: 1000, gid: 1000}'
        rm -rf "rootfs${T:?}"
        is "$(go)" "$T/canary/b/c"
        untouched
        # Control: an ordinary one that does not exist yet.
        edit '.process.cwd = "/new/place"'
        is "$(go)" /new/place
}

@test "row 10 CVE-2025-24965, CVE-2024-5154: files that the caller has mounted over links, directories, FIFOs, devices" {
        local kind name
        echo ours >"$T/hosts"
        for kind in link directory fifo device; do
                for name in hosts mtab passwd; do
                        rm -rf "rootfs/etc/$name"
                        mkdir -p rootfs/etc
                        case $kind in
                        link) ln -s "$T/canary/file" "rootfs/etc/$name" ;;
                        directory) mkdir "rootfs/etc/$name" ;;
                        fifo) mkfifo "rootfs/etc/$name" ;;
                        device) mknod "rootfs/etc/$name" c 5 1 ;;
                        esac
                done
                edit '.mounts |= map(select(.type != "bind"))'
                add "{\"type\": \"bind\", \"source\": \"$T/hosts\", \"destination\": \"/etc/hosts\", \"options\": [\"bind\"]}"
                args 'cat /etc/hosts'
                run timeout 60 "$HOD_BIN/hodrun" --root "$T/run" run c
                if [[ $kind == directory ]]; then like "$output" 'not a directory'; else is "$output" ours "$kind"; fi
                untouched
        done
        rm -f rootfs/etc/hosts
        is "$(go)" ours
}

@test "row 11 CVE-2026-41579, CVE-2026-47766: /dev is a link and nothing is mounted there" {
        local m
        for m in /dev/pts /dev/shm /dev/mqueue /dev; do drop $m; done
        rm -rf rootfs/dev
        ln -s "$T/canary" rootfs/dev
        args 'true'
        refused 1 'creating device' go
        untouched
        ln -sfn "../../../../../..$T/canary" rootfs/dev
        refused 1 'creating device' go
        untouched
        # The links that a cgroup mount of version 1 makes.
        ln -s "$T/canary" rootfs/cg
        add '{"type": "cgroup", "source": "cgroup", "destination": "/cg", "options": ["ro"]}'
        refused 1 'creating device' go
        untouched
        # Control: a directory, in which they are made.
        rm rootfs/dev
        mkdir rootfs/dev
        args 'stat -c %t:%T /dev/zero; readlink /dev/ptmx'
        is "$(go)" $'1:5\npts/ptmx'
        untouched
}

@test "row 12 CVE-2026-88264: /dev/console is a link" {
        local m terminal
        for terminal in true false; do
                for m in with without; do
                        edit '.process.terminal = $t' --argjson t $terminal
                        rm -rf rootfs/dev
                        mkdir -p rootfs/dev
                        ln -s "$T/canary/new" rootfs/dev/console
                        [[ $m == with ]] || { drop /dev && drop /dev/mqueue && drop /dev/shm; }
                        args 'true'
                        run pty -- "$HOD_BIN/hodrun" --root "$T/run" run c
                        untouched
                        [[ ! -e $T/canary/new && ! -e rootfs$T/canary/new ]]
                done
        done
        rm rootfs/dev/console
        edit '.process.terminal = true'
        args 'stat -c %t /dev/console; tty'
        like "$(pty -- "$HOD_BIN/hodrun" --root "$T/run" run c | tr -d '\r')" $'^88\n/dev/(console|pts/0)'
}

@test "row 13 CVE-2026-88265: /dev/null leads to a file of the host, and stays without effect on stdio and on that file" {
        mkdir -p "$T/shared"
        echo mine >"$T/shared/file"
        chmod 666 "$T/shared/file"
        local was
        was=$(stat -c '%u:%g %a %Z' "$T/shared/file")
        drop /dev
        drop /dev/shm
        drop /dev/mqueue
        drop /dev/pts
        rm -rf rootfs/dev
        mkdir rootfs/dev
        ln -s /shared/file rootfs/dev/null
        add "{\"source\": \"$T/shared\", \"destination\": \"/shared\", \"options\": [\"rbind\"]}"
        edit '.process.user = {uid: 1000, gid: 1000}'
        args 'readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 | cut -c1-5'
        run bash -c "echo in | $HOD_BIN/hodrun --root $T/run run c 2> >(cat) | cat"
        [[ $output == $'pipe:\npipe:\npipe:' || $output == *'creating device /dev/null'* ]] || fail "$output"
        is "$(cat "$T/shared/file")" mine
        is "$(stat -c '%u:%g %a %Z' "$T/shared/file")" "$was"
        # Control: pipes become the user's, so that he can open /dev/stdout anew.
        rm rootfs/dev/null
        args 'echo again >/dev/stdout'
        is "$(go | cat)" again
}

@test "row 16 CVE-2026-115521: read-only is by descriptor: no /proc of the container's is asked" {
        mkdir -p "$T/fake/self/fd" "$T/ro"
        edit '.root.readonly = true'
        add "{\"source\": \"$T/ro\", \"destination\": \"/tmp\", \"options\": [\"bind\", \"ro\"]}"
        args 'touch /x; touch /tmp/x; touch /sys/x; true'
        run go
        is "$(grep -c 'Read-only file system' <<<"$output")" 3
        drop /proc
        edit '.linux.maskedPaths = [] | .linux.readonlyPaths = []'
        add "{\"source\": \"$T/fake\", \"destination\": \"/proc\", \"options\": [\"bind\"]}"
        refused 1 'not of type proc' go
        # Without any /proc, too.
        edit '.mounts |= map(select(.destination != "/proc"))'
        run go
        is "$(grep -c 'Read-only file system' <<<"$output")" 3
        # Control.
        edit '.root.readonly = false'
        args 'touch /x && echo made'
        is "$(go)" made
}

@test "row 24 CVE-2015-1334, CVE-2019-16884: nothing that is no procfs gets onto /proc, and no label is written into it" {
        local m
        mkdir -p "$T/fake/self/attr"
        cp config.json plain.json
        for m in '{"type": "tmpfs", "source": "tmpfs", "destination": "/proc"}' \
                "{\"source\": \"$T/fake\", \"destination\": \"/proc\", \"options\": [\"bind\"]}" \
                '{"type": "tmpfs", "source": "tmpfs", "destination": "/proc/self/attr"}' \
                "{\"source\": \"$T/fake\", \"destination\": \"/proc/self\", \"options\": [\"bind\"]}" \
                '{"type": "tmpfs", "source": "tmpfs", "destination": "/link/self/attr"}' \
                '{"type": "tmpfs", "source": "tmpfs", "destination": "/link/1"}'; do
                cp plain.json config.json
                ln -sfn /proc rootfs/link
                edit '.process.apparmorProfile = "hod-no-such-profile"'
                add "$m"
                args 'true'
                refused 1 'not of type proc|inside /proc|AppArmor is not enabled|apparmor' go
                edit 'del(.process.apparmorProfile)'
                refused 1 'not of type proc|inside /proc' go
        done
        # Control: what lxcfs does.
        cp plain.json config.json
        echo 'MemTotal: 7' >"$T/meminfo"
        add "{\"source\": \"$T/meminfo\", \"destination\": \"/proc/meminfo\", \"options\": [\"bind\"]}"
        args 'cat /proc/meminfo'
        is "$(go)" 'MemTotal: 7'
}

@test "row 25 CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc and /sys of the image are links into a volume" {
        mkdir -p "$T/vol/proc" "$T/vol/sys"
        add "{\"source\": \"$T/vol\", \"destination\": \"/vol\", \"options\": [\"rbind\"]}"
        edit '.mounts |= [.[-1]] + .[:-1]'
        args 'true'
        local d
        for d in proc sys; do
                rm -rf "rootfs/$d"
                ln -s "/vol/$d" "rootfs/$d"
                refused 1 "must be mounted on ordinary directory" go
                rm "rootfs/$d"
                mkdir "rootfs/$d"
        done
        is "$(find "$T/vol" | wc -l)" 3
        go
}

@test "row 26 CVE-2025-54867: /sys, /dev, /dev/pts, /sys/fs/cgroup are links to the host's" {
        local d
        for d in sys dev proc; do
                rm -rf "rootfs/$d"
                ln -s "$T/canary/dir" "rootfs/$d"
                args 'true'
                refused 1 'ordinary directory' go
                untouched
                rm "rootfs/$d"
                mkdir "rootfs/$d"
        done
        # Below: /dev is our own tmpfs by then, /sys our own sysfs. Without them the links are the image's.
        drop /dev
        drop /sys
        drop /dev/shm
        drop /dev/mqueue
        edit '.linux.maskedPaths = [] | .linux.readonlyPaths = []'
        ln -s "$T/canary/dir" rootfs/dev/pts
        mkdir rootfs/sys/fs
        ln -s "$T/canary/dir" rootfs/sys/fs/cgroup
        add '{"type": "cgroup", "source": "cgroup", "destination": "/sys/fs/cgroup", "options": ["ro"]}'
        args 'grep -c "/canary/dir" /proc/mounts | sed s/[1-9].*/inside/'
        is "$(go)" inside
        untouched
}

@test "row 30 CVE-2015-3631: mounts over /, /proc, /sys and /dev are refused or keep the masks" {
        local d m
        cp config.json plain.json
        for d in / //  /./proc/.. /proc/../; do
                cp plain.json config.json
                add "{\"source\": \"$T/canary\", \"destination\": \"$d\", \"options\": [\"bind\"]}"
                args 'true'
                refused 1 'root file system itself|invalid mount destination|must be absolute' go
        done
        for d in /proc //proc/ /proc/self /proc/1/ns /./proc /proc/sys/kernel; do
                cp plain.json config.json
                add "{\"source\": \"$T/canary\", \"destination\": \"$d\", \"options\": [\"bind\"]}"
                args 'true'
                refused 1 'inside /proc|not of type proc' go
        done
        # /sys and /dev may be replaced; what is to be masked is masked there as well.
        cp plain.json config.json
        mkdir -p "$T/sys/firmware"
        echo secret >"$T/sys/firmware/x"
        add "{\"source\": \"$T/sys\", \"destination\": \"/sys\", \"options\": [\"bind\"]}"
        args 'ls /sys/firmware'
        is "$(go)" ''
        untouched
}
