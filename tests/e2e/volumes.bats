#!/usr/bin/env bats
# -v, --mount, --tmpfs, hod volume.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        local list
        list=$(hod volume ls -q)
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod volume rm $list >/dev/null
}

# bats test_tags=vm,asan
@test "-v: many pairs, ro and rw, parents made, files" {
        mkdir -p "$T/a" "$T/b"
        echo file >"$T/f"
        hod run --rm -v "$T/a:/a" -v "$T/b:/b:ro" -v "$T/new/dir:/c:rw" -v "$T/f:/deep/er/f:ro" busybox \
                sh -c 'touch /a/x /c/z; touch /b/y 2>/dev/null && echo wrong; cat /deep/er/f' >"$T/out"
        is "$(cat "$T/out")" file
        [[ -e $T/a/x && -e $T/new/dir/z && ! -e $T/b/y ]]
        run hod run --rm -v "$T/b:/b:ro" busybox touch /b/y
        like "$output" 'Read-only file system'
}

@test "-v: odd names: spaces, quotes, newlines, non-ASCII, commas" {
        for name in 'a b' "q'\"q" $'new\nline' 'größe' 'x,y=z' '$(id)'; do
                mkdir -p "$T/odd/$name"
                hod run --rm -v "$T/odd/$name:/in/$name" busybox touch "/in/$name/ok"
                [[ -e $T/odd/$name/ok ]] || fail "«$name»"
        done
}

# bats test_tags=vm
@test "propagation: private by default; shared shows on both sides; slave one way" {
        mkdir -p "$T/p"
        mount --bind "$T/p" "$T/p"
        mount --make-shared "$T/p"
        hod run -d --name def -v "$T/p:/p" --privileged busybox sleep 1000 >/dev/null
        hod run -d --name sha -v "$T/p:/p:rshared" --privileged busybox sleep 1000 >/dev/null
        hod run -d --name sla -v "$T/p:/p:rslave" --privileged busybox sleep 1000 >/dev/null
        mkdir "$T/p/host" "$T/p/in"
        mount -t tmpfs x "$T/p/host"
        seen() { hod exec "$1" grep -c " /p/$2 " /proc/self/mountinfo || true; }
        is "$(seen def host) $(seen sha host) $(seen sla host)" "0 1 1"
        hod exec sla sh -c 'mkdir -p /p/s; mount -t tmpfs x /p/s'
        hod exec def sh -c 'mkdir -p /p/d; mount -t tmpfs x /p/d'
        unlike "$(cat /proc/self/mountinfo)" "$T/p/(s|d) "
        hod exec sha mount -t tmpfs x /p/in
        like "$(cat /proc/self/mountinfo)" "$T/p/in "
        hod rm -f def sha sla
        for where in in host ""; do eventually 5 umount "$T/p/$where"; done # the kernel may just be taking their namespaces apart
}

@test "-v is recursive; what is mounted below the source is there" {
        mkdir -p "$T/r/sub"
        mount -t tmpfs x "$T/r/sub"
        touch "$T/r/sub/deep"
        hod run --rm -v "$T/r:/r" busybox test -e /r/sub/deep
        run hod run --rm --mount "type=bind,src=$T/r,dst=/r,bind-nonrecursive" busybox test -e /r/sub/deep
        is "$status" 1
        umount "$T/r/sub"
}

# bats test_tags=asan
@test "named volumes: filled from the image once, kept, shared" {
        hod run --rm -v data:/etc busybox sh -c 'test -s /etc/passwd && echo mine > /etc/new'
        is "$(hod run --rm -v data:/x busybox cat /x/new)" mine
        is "$(hod volume ls -q)" data
        hod run --rm -v data:/etc busybox test -e /etc/new
        run hod run --rm -v plain:/etc:nocopy busybox test -e /etc/passwd
        is "$status" 1
        is "$(hod run --rm -v perm:/tmp busybox stat -c %a /tmp)" 1777
}

@test "volume create, ls, inspect, rm" {
        is "$(hod volume create v1)" v1
        is "$(hod volume create v1)" v1
        like "$(hod volume create)" '^[0-9a-f]{64}$'
        like "$(hod volume ls | head -n 1)" '^DRIVER +VOLUME NAME'
        like "$(hod volume ls)" 'local +v1'
        hod volume inspect v1 | jq -e '.[0] | .Name == "v1" and .Driver == "local" and .Scope == "local"' >/dev/null
        is "$(hod volume inspect -f '{{.Mountpoint}}' v1)" "$HOD_ROOT/volumes/v1/_data"
        hod create --name user -v v1:/x busybox >/dev/null
        refused 1 'volume is in use' hod volume rm v1
        hod rm user
        is "$(hod volume rm v1)" v1
        refused 1 'no such volume' hod volume rm v1
        refused 1 'invalid characters' hod volume create 'bad name'
        refused 1 'too short' hod volume create x
        refused 1 'no such volume' bash -c '"$HOD_BIN/hod" volume inspect nosuch >/dev/null'
}

@test "volume ls: one whose description is damaged does not hide the others" {
        hod volume create v1 >/dev/null
        hod volume create v2 >/dev/null
        : >"$HOD_ROOT/volumes/v1/meta.json"
        is "$(hod volume ls -q 2>/dev/null)" $'v1\nv2'
        like "$(hod volume ls 2>&1 >/dev/null)" 'volume v1: meta.json'
        is "$(hod volume inspect -f '{{.Name}} {{.Driver}}' v1 2>/dev/null)" 'v1 local'
        hod run --rm -v v1:/v busybox touch /v/x
        hod volume rm v1 v2
}

@test "a volume's path can be no way out" {
        for name in .. . ../x a/b '.hidden' '-x'; do
                run hod volume create -- "$name"
                [[ $status != 0 ]] || fail "made «$name»"
        done
        is "$(find "$HOD_ROOT/volumes" -mindepth 1 | wc -l)" 0
}

@test "--mount: bind, volume, tmpfs and their options" {
        mkdir -p "$T/m"
        hod run --rm --mount "type=bind,src=$T/m,dst=/m" busybox touch /m/x
        [[ -e $T/m/x ]]
        run hod run --rm --mount "type=bind,source=$T/m,target=/m,readonly" busybox touch /m/y
        like "$output" 'Read-only'
        hod run --rm --mount type=volume,src=mv,dst=/x busybox touch /x/f
        is "$(hod run --rm --mount src=mv,dst=/y busybox ls /y)" f
        like "$(hod run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700 busybox sh -c 'grep " /t " /proc/mounts; stat -c %a /t')" 'tmpfs /t tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700.*700'
}

@test "--tmpfs" {
        is "$(hod run --rm --tmpfs /t:size=1m,mode=700 busybox sh -c 'stat -c %a /t; df -k /t | tail -n 1' | awk '{print $1, $2}' | tr '\n' ' ')" '700  tmpfs 1024 '
        like "$(hod run --rm --tmpfs /t busybox grep ' /t ' /proc/mounts)" 'rw,nosuid,nodev,noexec'
}

@test "wrong ones are told in one line, nothing is made" {
        refused 125 'empty' hod run --rm -v "" busybox true
        refused 125 'empty section' hod run --rm -v "/x:" busybox true
        refused 125 'must be absolute' hod run --rm -v "/x:rel" busybox true
        refused 125 'invalid mode' hod run --rm -v "/a:/b:zz" busybox true
        refused 125 'invalid mode' hod run --rm -v "/a:/b:ro,rw" busybox true
        refused 125 'too many colons' hod run --rm -v "/a:/b:ro:z" busybox true
        refused 125 "can't be '/'" hod run --rm -v "/a:/" busybox true
        refused 125 'invalid characters' hod run --rm -v "bad*name:/x" busybox true
        refused 125 'duplicate mount point' hod run --rm -v /tmp:/x -v /etc:/x busybox true
        refused 125 'target is required' hod run --rm --mount type=bind busybox true
        refused 125 'does not exist' hod run --rm --mount type=bind,src=/nosuch_m,dst=/x busybox true
        refused 125 'must be absolute' hod run --rm --mount type=bind,src=rel,dst=/x busybox true
        refused 125 'type unknown' hod run --rm --mount type=bogus,dst=/x busybox true
        refused 125 "unexpected key" hod run --rm --mount src=/tmp,bogus=1 busybox true
        refused 125 'source must not be specified' hod run --rm --mount type=tmpfs,dst=/x,src=/y busybox true
        refused 125 'tmpfs-size' hod run --rm --mount type=tmpfs,dst=/x,tmpfs-size=x busybox true
        refused 125 'propagation' hod run --rm --mount type=bind,src=/tmp,dst=/x,bind-propagation=bogus busybox true
        refused 125 'not a directory' hod run --rm -v /etc/passwd:/etc busybox true
        refused 125 'not a directory' hod run --rm -v /tmp:/etc/passwd busybox true
        is "$(hod ps -aq)" ''
        is "$(hod volume ls -q)" ''
}

@test "links inside the image do not lead a mount out of it" {
        mkdir -p "$T/s" "$T/outside"
        hod run --name trap busybox sh -c "ln -s $T/outside /link; ln -s /../../../../..$T/outside /up"
        hod commit trap trapped >/dev/null
        echo data >"$T/s/f"
        hod run --rm -v "$T/s:/link/in" -v "$T/s:/up/in2" trapped true
        is "$(find "$T/outside" -mindepth 1 | wc -l)" 0
        hod rm trap
        hod rmi trapped
}

@test "volumes survive stop and start, and the container's end" {
        hod run -d --name kk -v keep:/k busybox sh -c 'echo x >> /k/n; sleep 1000' >/dev/null
        lines() { [[ $(wc -l <"$HOD_ROOT/volumes/keep/_data/n") == "$1" ]]; }
        eventually 5 lines 1
        hod restart -t 0 kk
        eventually 5 lines 2
        hod rm -f kk
        is "$(hod run --rm -v keep:/k busybox sh -c 'wc -l < /k/n')" 2
}
