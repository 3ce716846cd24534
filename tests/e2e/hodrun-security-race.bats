#!/usr/bin/env bats
# Races, won on purpose: racer.c stops hodrun before each of its path system calls, exchanges a component of the root
# file system and lets it go on. Rows 4 to 6, 9, 11, 14, 15, 27 and 154 of docs/security.md.

load lib
load hodrun
setup_file() {
        hodrun_setup_file
        need_packages gcc libc6-dev
        gcc -O2 -o "$T/racer" "$BATS_TEST_DIRNAME/racer.c"
}
teardown_file() { e2e_teardown; }
setup() { hodrun_setup; }
teardown() { hodrun_teardown; }

# race [OPTION...] A B: the container c again and again. Whatever it comes to: the canary is untouched, a failure is one
# clear line, nothing is left, and `good` (a shell command) holds for the output of a run that succeeded.
race() {
        local a=${*: -2:1} b=${*: -1} points
        # shellcheck disable=SC2016  # the check's own
        printf '%s\n' '. "$T/functions"' \
                'if [[ $RACER_STATUS == 0 ]]; then' \
                "$good || { echo 'status 0, output:'; cat \"\$T/out\"; exit 1; }" \
                'elif [[ $RACER_STATUS != 1 || $(grep -c . "$T/out") != 1 ]]; then' \
                'echo "status $RACER_STATUS, output:"; cat "$T/out"; exit 1; fi >&2' \
                '[[ ! -e $T/run/c ]] || { echo "it left its state" >&2; exit 1; }' \
                'untouched || exit 1' \
                "$reset" >"$T/check"
        declare -p T top >"$T/functions"
        declare -f canary canary_mounts untouched fail >>"$T/functions"
        points=$("$T/racer" -o "$T/out" "${@:1:$#-2}" -x "$a" "$b" -c ". '$T/check'" -- "$HOD_BIN/hodrun" --root "$T/run" run c) ||
                fail "$points"
        points=${points% points}
        ((points > ${at_least:-5})) || fail "only $points points: was anything tried?"
}
setup_race() { good=true reset=true at_least=5; }

# Few mounts, and a first one by which the racer knows where the child begins.
only_small() {
        mkdir rootfs/begin
        edit '.mounts |= [{type: "tmpfs", source: "tmpfs", destination: "/begin"}] + map(select(.destination == "/proc"))
                | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
        mkdir -p rootfs/dev
}

@test "the racer finds what it is for: a program that looks first and opens then" {
        mkdir -p "$T/naive/a"
        ln -s "$T/outside" "$T/naive/evil"
        mkdir "$T/outside"
        printf '%s\n' '#include <fcntl.h>' '#include <sys/stat.h>' 'int main(void) {' '  struct stat st;' \
                '  if (lstat("a", &st) < 0 || !S_ISDIR(st.st_mode)) return 1;' \
                '  return open("a/new", O_CREAT | O_WRONLY, 0600) < 0;' '}' >"$T/naive/naive.c"
        gcc -o "$T/naive/naive" "$T/naive/naive.c"
        cd "$T/naive"
        run "$T/racer" -s a -x a evil -c "[ ! -e $T/outside/new ]" -- "$T/naive/naive"
        is "$status" 1
        like "$output" 'before openat "a/new": the check failed'
        # Without exchanging (two other names) there is nothing to find.
        rm -f "$T/outside/new"
        touch x y
        like "$("$T/racer" -s a -x x y -c "[ ! -e $T/outside/new ]" -- "$T/naive/naive")" '^[0-9]+ points$'
}

@test "row 4 CVE-2015-1335: the last component of a destination is exchanged for a link" {
        setup_race
        only_small
        mkdir -p rootfs/a/m
        ln -s /begin rootfs/evil
        add '{"type": "tmpfs", "source": "tmpfs", "destination": "/a/m"}'
        args 'grep " tmpfs " /proc/mounts | wc -l'
        good='[[ $(tail -n 1 "$T/out") == 2 ]]'
        reset="rm -rf $T/b/rootfs$T"
        race -u pivot_root -s /begin rootfs/a/m rootfs/evil
        race -p -u pivot_root -s /begin rootfs/a/m rootfs/evil
}

@test "row 5 CVE-2021-30465: a directory of a shared volume is exchanged for a link" {
        setup_race
        only_small
        mkdir -p "$T/vol/a/m"
        ln -s /begin "$T/vol/evil"
        add "{\"source\": \"$T/vol\", \"destination\": \"/vol\", \"options\": [\"rbind\"]}"
        add '{"type": "tmpfs", "source": "tmpfs", "destination": "/vol/a/m"}'
        args 'grep " tmpfs " /proc/mounts | wc -l'
        good='[[ $(tail -n 1 "$T/out") == 2 ]]'
        reset="rm -rf $T/b/rootfs$T"
        race -u pivot_root -s /begin "$T/vol/a" "$T/vol/evil"
        race -p -u pivot_root -s /begin "$T/vol/a" "$T/vol/evil"
        # And without stopping, from another processor.
        race -n 30 "$T/vol/a" "$T/vol/evil"
}

@test "row 6 CVE-2024-45310: missing mount points, directories and files, while their parent is exchanged" {
        setup_race
        only_small
        mkdir -p "$T/vol6/a"
        ln -s /begin "$T/vol6/evil"
        echo x >"$T/file"
        add "{\"source\": \"$T/vol6\", \"destination\": \"/vol\", \"options\": [\"rbind\"]}"
        add '{"type": "tmpfs", "source": "tmpfs", "destination": "/vol/a/new/m"}'
        add "{\"source\": \"$T/file\", \"destination\": \"/vol/a/file/f\", \"options\": [\"bind\"]}"
        args 'true'
        reset="rm -rf $T/b/rootfs$T $T/vol6/a/* $T/vol6/evil/new"
        # (evil is a link: what is removed there would be missing in the canary.)
        reset="rm -rf $T/b/rootfs$T; find $T/vol6/a -mindepth 1 -delete"
        race -u pivot_root -s /begin "$T/vol6/a" "$T/vol6/evil"
        race -p -u pivot_root -s /begin "$T/vol6/a" "$T/vol6/evil"
}

@test "row 9 CVE-2026-55686: the working directory is exchanged while it is made and entered" {
        setup_race
        only_small
        mkdir -p rootfs/w
        ln -s /begin rootfs/evil
        edit '.process.cwd = "/w/x/y"'
        args 'pwd'
        good='[[ $(tail -n 1 "$T/out") == /* ]]'
        reset="rm -rf $T/b/rootfs$T; find $T/b/rootfs/w -mindepth 1 -delete"
        race -s /begin rootfs/w rootfs/evil
}

@test "row 11 CVE-2026-41579: /dev is exchanged for a link while its nodes are made" {
        setup_race
        only_small
        ln -s /begin rootfs/evil
        args 'true'
        reset="find $T/b/rootfs/dev -mindepth 1 -delete"
        race -u pivot_root -s /begin rootfs/dev rootfs/evil
        race -p -u pivot_root -s /begin rootfs/dev rootfs/evil
}

@test "row 14 CVE-2025-31133, CVE-2025-62161: the mask of files, /dev/null, is exchanged" {
        setup_race
        only_small
        echo leak >"$T/mine"
        chmod 666 "$T/mine"
        mknod rootfs/dev/null c 1 3
        ln -s /begin rootfs/dev/evil
        echo secret >rootfs/secret
        edit '.linux.maskedPaths = ["/secret", "/proc/cpuinfo"] | .linux.devices = []'
        args 'stat -c %t:%T /secret /proc/cpuinfo; cat /secret'
        good='[[ $(cat "$T/out") == $'"'1:3\n1:3'"' ]]'
        race -u pivot_root -s /begin rootfs/dev/null rootfs/dev/evil
        race -p -u pivot_root -s /begin rootfs/dev/null rootfs/dev/evil
        # A bind mount over /dev, whose null is another device.
        mkdir -p "$T/devices"
        mknod "$T/devices/null" c 1 5
        add "{\"source\": \"$T/devices\", \"destination\": \"/dev\", \"options\": [\"bind\"]}"
        is "$(go)" $'1:3\n1:3'
        ln -sf /proc/sys/kernel/core_pattern "$T/devices/null"
        is "$(go)" $'1:3\n1:3'
}

@test "row 15 CVE-2025-52565: the directory of terminals is exchanged while the console is made" {
        setup_race
        only_small
        mkdir -p rootfs/dev/pts rootfs/dev/evil
        touch rootfs/dev/evil/0 rootfs/dev/evil/ptmx
        add '{"type": "devpts", "source": "devpts", "destination": "/dev/pts", "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}'
        edit '.process.terminal = true'
        args 'stat -c "%t %i" /dev/console; stat -Lc "%t %i" /proc/self/fd/0; grep -c "^devpts /dev/console devpts" /proc/mounts'
        good='{ mapfile -t l < <(tr -d "\r" <"$T/out"); [[ ${l[0]} == 88\ * && ${l[0]} == "${l[1]}" && ${l[2]} == 1 ]]; }'
        race -u pivot_root -s /begin rootfs/dev/pts rootfs/dev/evil
        race -p -u pivot_root -s /begin rootfs/dev/pts rootfs/dev/evil
}

@test "row 27 CVE-2025-52881, CVE-2025-62596: /proc is exchanged while labels, sysctls and scores are written" {
        setup_race
        only_small
        mkdir -p "rootfs/evil/sys/net/ipv4" rootfs/evil/self rootfs/proc
        ln -s /begin rootfs/evil/sys/net/ipv4/ip_forward
        ln -s /begin rootfs/evil/self/oom_score_adj
        ln -s /begin rootfs/evil/sysrq-trigger
        edit '.linux.sysctl = {"net.ipv4.ip_forward": "1"} | .process.oomScoreAdj = 77'
        args 'cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj 2>/dev/null || true'
        # (A mount goes with its mount point: it may well be elsewhere in the end.)
        good='[[ ! -s $T/out || $(cat "$T/out") == $'"'1\n77'"' ]]'
        race -u pivot_root -s /begin rootfs/proc rootfs/evil
        race -p -u pivot_root -s /begin rootfs/proc rootfs/evil
        # Every descriptor that is written through is of one procfs that the container has no part in.
        strace -f -e trace=openat2,openat,write -o "$T/strace" "$HOD_BIN/hodrun" --root "$T/run" run c
        like "$(grep '"sys/net/ipv4/ip_forward"' "$T/strace")" 'RESOLVE_NO_XDEV.*RESOLVE_NO_SYMLINKS|RESOLVE_NO_SYMLINKS.*RESOLVE_NO_XDEV'
        like "$(grep '"self/oom_score_adj"' "$T/strace")" 'RESOLVE_NO_XDEV'
}

@test "row 154 CVE-2017-1002101, CVE-2021-25741: a source below the root file system is exchanged for a link" {
        setup_race
        only_small
        mkdir -p rootfs/vol/sub
        echo own >rootfs/vol/sub/file
        ln -s /begin rootfs/vol/evil
        add "{\"source\": \"$T/b/rootfs/vol/sub\", \"destination\": \"/m\", \"options\": [\"bind\"]}"
        args 'cat /m/file'
        good='[[ $(tail -n 1 "$T/out") == own ]]'
        race -u pivot_root -s /begin rootfs/vol/sub rootfs/vol/evil
        race -p -u pivot_root -s /begin rootfs/vol/sub rootfs/vol/evil
}
