#!/usr/bin/env bats
# Bad input: one clear line, the right status, nothing changed. Odd but good input: taken exactly.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() { e2e_clean; }

nothing_changed() {
        is "$(hod ps -aq)" ''
        [[ -z $(ls -A "$HOD_ROOT/containers" 2>/dev/null) ]] || fail "left: $(ls "$HOD_ROOT/containers")"
        [[ -z $(ls -A "$HOD_STATE/containers" 2>/dev/null) ]] || fail "left: $(ls "$HOD_STATE/containers")"
}

# bats test_tags=asan
@test "arguments arrive exactly: spaces, quotes, newlines, empty, non-ASCII, not UTF-8" {
        # shellcheck disable=SC1003
        args=('a b' '"' "'" $'new\nline' '' '\' '$HOME' '*' 'größe' $'\xff\xfe' '-x' '--' $'\t' 'ε=1' '{{.x}}' '%s%n')
        printf '[%s]\n' "${args[@]}" >"$T/want"
        hod run --rm busybox printf '[%s]\n' "${args[@]}" | cmp - "$T/want"
        hod run -d --name dd busybox sleep 100 >/dev/null
        hod exec dd printf '[%s]\n' "${args[@]}" | cmp - "$T/want"
        hod create --name cc busybox printf '[%s]\n' "${args[@]}" >/dev/null
        hod start -a cc | cmp - "$T/want"
        is "$(hod run --rm -e "X=$(printf 'a\nb "c" ü')" busybox sh -c 'printf %s "$X"')" "$(printf 'a\nb "c" ü')"
}

@test "200 arguments, 100 KB of environment, one argument of 100 KB" {
        mapfile -t args < <(seq -f 'argument number %g' 200)
        is "$(hod run --rm busybox sh -c 'echo $#; eval echo \${$#}' sh "${args[@]}")" $'200\nargument number 200'
        env=()
        for i in {1..100}; do env+=(-e "V$i=$(printf 'x%.0s' {1..1000})"); done
        is "$(hod run --rm "${env[@]}" busybox env | grep -c '^V[0-9]*=x\{1000\}$')" 100
        hod run -d --name dd busybox sleep 100 >/dev/null
        is "$(hod exec "${env[@]}" dd env | grep -c '^V')" 100
        big=$(head -c 100000 /dev/zero | tr '\0' b)
        is "$(hod run --rm busybox sh -c 'echo ${#1}' sh "$big")" 100000
        is "$(hod exec dd sh -c 'echo ${#1}' sh "$big")" 100000
        printf 'F=%s\n' "$big" >"$T/envf"
        is "$(hod run --rm --env-file "$T/envf" busybox sh -c 'echo ${#F}')" 100000
}

# bats test_tags=asan
@test "the command: missing, not found, not executable, a directory, empty, wrong format" {
        refused 127 'nosuchcmd.*not found' hod run --rm busybox nosuchcmd
        refused 127 'no such file' hod run --rm busybox /no/such
        refused 126 'permission denied' hod run --rm busybox /etc/passwd
        refused 126 'is a directory|permission denied' hod run --rm busybox /etc
        refused 127 'not found' hod run --rm busybox ""
        hod import "$(busybox_file)" nocmd >/dev/null
        refused 125 'no command specified' hod run --rm nocmd
        refused 1 'no command specified' hod create nocmd
        hod rmi nocmd
        printf 'garbage' >"$T/garb"
        printf '#!/nosuch/interpreter\n' >"$T/script"
        chmod +x "$T/garb" "$T/script"
        run hod run --rm -v "$T/garb:/garb" busybox /garb
        is "$status" 255
        like "$output" 'exec format error'
        run hod run --rm -v "$T/script:/script" busybox /script
        is "$status" 255
        like "$output" 'no such file'
        nothing_changed
}

@test "images: unknown, badly named" {
        refused 125 'nosuchimg' hod run --pull never --rm nosuchimg true
        refused 125 'lowercase' hod run --rm INVALID true
        refused 125 'invalid reference format' hod run --rm 'busybox:bad tag' true
        refused 125 'invalid reference format' hod run --rm 'busybox@sha256:123' true
        refused 125 'invalid reference format' hod run --rm '' true
        refused 1 'nosuchimg' hod create --pull=never nosuchimg true
        nothing_changed
}

@test "annotations that ask for what there is not are refused when the container is made" {
        refused 1 'there are no handlers' hod create --annotation run.oci.handler=krun busybox true
        refused 125 'there are no handlers' hod run --rm --annotation run.oci.handler=krun busybox true
        nothing_changed
}

@test "names: bad, taken" {
        for name in -bad 'a b' a/b ../x .x 'ü' $'a\nb' "$(printf 'n%.0s' {1..300})"; do
                refused 125 'invalid container name|name' hod run --rm "--name=$name" busybox true
        done
        nothing_changed
        # The founding table's own names have one letter (docker refuses those).
        hod run --rm --name d busybox true
        hod create --name dup busybox true >/dev/null
        refused 125 'name "/?dup" is already in use by container "[0-9a-f]{64}"' hod run --rm --name dup busybox true
        refused 1 'already in use' hod create --name dup busybox true
        is "$(hod ps -aq | wc -l)" 1
}

@test "flags: unknown ones suggest the nearest, missing values, bad values" {
        run hod run --nosuch busybox
        is "$status" 125
        like "$output" 'unknown flag: --nosuch'
        run hod run --memry 16m busybox true
        is "$status" 125
        like "$output" '--memory'
        run hod run --memory
        is "$status" 125
        like "$output" 'needs an argument'
        run hod run
        is "$status" 1
        like "$output" 'requires at least 1 argument'
        run hod nosuch
        is "$status" 1
        like "$output" 'nosuch'
        run hod --nosuch
        is "$status" 125
        hod run --rm -- busybox true
        is "$(hod run --rm --init=false --rm=true busybox echo --rm -x)" '--rm -x'
        run hod run -x busybox true
        is "$status" 125
        refused 125 'invalid signal' hod run --rm --stop-signal BOGUS busybox true
        refused 125 'label' hod run --rm -l =x busybox true
        refused 125 'restart' hod run --rm --restart always busybox true
        for cmd in create 'run --rm'; do
                status=$([[ $cmd == create ]] && echo 1 || echo 125)
                # shellcheck disable=SC2086
                {
                        refused "$status" "invalid size: 'x'" hod $cmd --log-opt max-size=x busybox true
                        refused "$status" 'max-size.*positive' hod $cmd --log-opt max-size=0 busybox true
                        refused "$status" 'max-file' hod $cmd --log-opt max-file=0 busybox true
                        refused "$status" 'max-file' hod $cmd --log-opt max-file=x busybox true
                        refused "$status" "unknown log opt 'bogus'" hod $cmd --log-opt bogus=1 busybox true
                        refused "$status" 'invalid logging opts for driver none' \
                                hod $cmd --log-driver none --log-opt max-size=1m busybox true
                        refused "$status" 'plugin "bogus" not found' hod $cmd --log-driver bogus busybox true
                }
        done
        nothing_changed
}

@test "states: what needs a running one, what needs a stopped one" {
        hod create --name cc busybox sleep 100 >/dev/null
        refused 1 'is not running' hod exec cc true
        refused 1 'is not running' hod kill cc
        refused 1 'is not running' hod pause cc
        hod start cc
        hod start cc
        refused 1 'running' hod rm cc
        for command in start stop restart kill pause unpause wait rm logs attach inspect diff export commit; do
                run hod $command nosuch
                is "$status" 1 "$command"
                like "$output" '[nN]o such' "$command"
        done
}

@test "output into a full disk or a closed pipe is an error, not a crash" {
        run bash -c '"$HOD_BIN/hod" images > /dev/full'
        [[ $status != 0 && $status -lt 128 ]] || fail "status $status"
        run bash -c '"$HOD_BIN/hod" images | true'
        [[ $status -lt 128 ]]
}

# A small file system of its own.
with_small_disk() {
        mkdir -p "$T/small"
        mount -t tmpfs -o "size=${1}" small "$T/small"
}

@test "a full disk: one line, and all is well when there is room again" {
        with_small_disk 7m
        export HOD_ROOT=$T/small/root HOD_STATE=$T/small/state
        hod import "$(busybox_file)" busybox >/dev/null
        head -c 20m /dev/zero >"$T/small/filler" 2>/dev/null || true
        refused 1 'space' hod import -m other "$(busybox_file)" second
        run hod run --rm busybox true
        [[ $status == 125 || $status == 0 ]] || fail "status $status: $output"
        ((${#lines[@]} <= 3)) || fail "$output"
        run hod create --name full busybox true
        rm "$T/small/filler"
        hod rm -f full >/dev/null 2>&1 || true
        hod run --rm busybox true
        unlike "$(hod images --format '{{.Repository}}')" second
        is "$(hod ps -aq)" ''
        hod network prune -f
        eventually 5 umount "$T/small" # a monitor may just be ending
}

@test "no inodes left: the same" {
        mkdir -p "$T/small"
        mount -t tmpfs -o size=20m,nr_inodes=60 small "$T/small"
        export HOD_ROOT=$T/small/root HOD_STATE=$T/small/state
        run hod import "$(busybox_file)" busybox
        is "$status" 1
        like "$output" 'space'
        is "${#lines[@]}" 1 "$output"
        umount "$T/small"
}

@test "an unwritable root directory; a file where a directory is; a relative path" {
        with_small_disk 20m
        mount -o remount,ro "$T/small"
        refused 1 'read-only' hod --root "$T/small/root" images
        refused 125 'read-only' hod --root "$T/small/root" run --rm busybox true
        umount "$T/small"
        touch "$T/file"
        refused 1 'not a directory' hod --root "$T/file" images
        refused 1 'not a directory' hod --root "$T/file/x" images
        (cd "$T" && hod --root rel/root --state rel/state images >/dev/null) && [[ -d $T/rel/root ]]
        rm -r "$T/rel"
}

@test "long state directories work or say so" {
        long=$T/$(printf 'd%.0s' {1..150})
        mkdir -p "$long"
        export HOD_ROOT=$long/root HOD_STATE=$long/state
        hod import "$(busybox_file)" busybox >/dev/null
        hod run --rm busybox true
        id=$(hod run -d busybox sleep 100)
        hod exec "$id" true
        hod rm -f "$id"
        hod network prune -f
        rm -r "$long"
}

@test "not root: one line that says so" {
        chmod 755 "$T"
        cp "$HOD_BIN/hod" "$T/hod"
        cp "$HOD_BIN/hod-monitor" "$T/hod-monitor" 2>/dev/null || true
        refused 125 'root' setpriv --reuid 65534 --regid 65534 --clear-groups "$T/hod" run --rm busybox true
        refused 1 'root' setpriv --reuid 65534 --regid 65534 --clear-groups "$T/hod" ps
        setpriv --reuid 65534 --regid 65534 --clear-groups "$T/hod" --version
        setpriv --reuid 65534 --regid 65534 --clear-groups "$T/hod" run --help >/dev/null
}

@test "two engines side by side know nothing of each other" {
        hod run -d --name same busybox sleep 100 >/dev/null
        export HOD_ROOT=$T/other/root HOD_STATE=$T/other/state
        is "$(hod ps -aq)" ''
        hod import "$(busybox_file)" busybox >/dev/null
        hod run -d --name same busybox sleep 100 >/dev/null
        hod rm -f same
        is "$(hod --root "$T/root" --state "$T/state" ps -q | wc -l)" 1
        hod rmi busybox
        hod network prune -f
        rm -r "$T/other"
}

@test "a record that somebody damaged does not stop the others" {
        hod run -d --name ok busybox sleep 100 >/dev/null
        hod create --name bad busybox true >/dev/null
        id=$(field bad '{{.Id}}')
        rm -rf "$HOD_ROOT/containers/$id"
        hod ps -a >/dev/null
        is_running ok
        run hod start bad
        [[ $status == 1 && ${#lines[@]} -le 2 ]] || fail "$output"
        hod rm -f bad
        id=$(hod run -d --name bad2 busybox sleep 100)
        echo 'state=nonsense' >"$HOD_STATE/containers/$id/status"
        hod ps -a >/dev/null 2>&1
        is_running ok
        hod rm -f bad2
}

@test "--log-level, --log-format json, --debug write to stderr only" {
        out=$(hod --debug run --rm busybox echo hi 2>"$T/err")
        is "$out" hi
        hod --log-level debug --log-format json run --rm busybox true 2>"$T/err"
        [[ ! -s $T/err ]] || jq -es 'all(.[]; type == "object")' <"$T/err" >/dev/null
        refused 1 'logging level' hod --log-level bogus ps
}

@test "help, version, completion, manual, JSON come for every command" {
        hod --help | grep -q run
        hod run --help | grep -q -- --cpuset-cpus
        like "$(hod --version)" '[0-9]+\.[0-9]+'
        hod internal commands --json | jq -e '.' >/dev/null
        for shell in bash zsh fish; do hod completion $shell >"$T/completion.$shell" && [[ -s $T/completion.$shell ]]; done
        bash -n "$T/completion.bash"
}

@test "one root cannot be used with two state directories" {
        hod ps >/dev/null
        refused 1 'in use with the state directory' hod --state "$T/other-state" ps
        rm -rf "$T/other-state"
}

@test "one state directory cannot be used with two roots while a container is there" {
        for args in 'run -d' 'run -d --rm' 'create --rm'; do
                # shellcheck disable=SC2086
                hod $args --name theirs busybox sleep 1000 >/dev/null
                refused 1 "in use with the root directory $HOD_ROOT: " hod --root "$T/second-root" rm -f theirs
                ln -s "$HOD_ROOT" "$T/alias"
                is "$(hod --root "$T/alias" ps -a --format '{{.Names}}')" theirs
                rm "$T/alias"
                hod rm -f theirs
        done
        is "$(hod --root "$T/second-root" ps -a -q; hod --root "$T/second-root" images -q)" ''
        like "$(hod images)" busybox
        rm -r "$T/second-root"
}

@test "a cidfile that cannot be made, or is there, leaves no container" {
        refused 125 'cidfile|container ID file' hod run --rm --cidfile /nodir/x busybox true
        touch "$T/there"
        refused 125 'container ID file found' hod run --rm --cidfile "$T/there" busybox true
        is "$(hod ps -aq)" ''
        refused 125 'nosuchimage' hod run --pull never --rm --cidfile "$T/new" nosuchimage true
        [[ ! -e $T/new ]] || fail "a cidfile without a container"
}

@test "export never removes what was there" {
        hod create --name ex busybox true >/dev/null
        mknod "$T/node" c 1 7
        refused 1 'must be a file' hod export -o "$T/node" ex
        [[ -c $T/node ]] || fail "the node is gone"
        mkdir "$T/little"
        mount -t tmpfs -o size=64k tmpfs "$T/little"
        echo old >"$T/little/a.tar"
        refused 1 'No space' hod export -o "$T/little/a.tar" ex
        is "$(cat "$T/little/a.tar")" old
        is "$(ls "$T/little")" a.tar
        umount "$T/little"
        rm -r "$T/little" "$T/node"
}
