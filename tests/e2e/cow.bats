#!/usr/bin/env bats
# Copy on write: the image never changes; diff, commit, export.

load lib
setup_file() { e2e_setup; }
teardown_file() { e2e_teardown; }
teardown() {
        e2e_clean
        # (Names that no id begins with: what is not there is looked for as one.)
        hod rmi -f im1 im2 >/dev/null 2>&1 || true
}

# Every file of the stored layers, with content, owner, mode and times.
image_state() { (cd "$HOD_ROOT/layers" && find . -printf '%p %m %u %g %s %T@ %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# bats test_tags=vm,asan
@test "diff: A, C, D, in docker's order; nothing for what is mounted" {
        mkdir -p "$T/v"
        hod run --name df1 -v "$T/v:/vol" --tmpfs /tmpdir busybox sh -c \
                'rm /etc/passwd; echo x >> /etc/group; ln -s x /lnk; touch /new; mkdir -p /d/e; touch /vol/x /tmpdir/y /dev/shm/z; echo a >> /etc/hosts'
        out=$(hod diff df1)
        for line in 'C /etc' 'D /etc/passwd' 'C /etc/group' 'A /lnk' 'A /new' 'A /d' 'A /d/e'; do
                grep -qx -- "$line" <<<"$out" || fail "no «$line» in" "$out"
        done
        unlike "$out" '/(proc|sys|dev)/|/etc/hosts|/vol/x|/tmpdir/y'
        hod run --name df2 busybox true
        unlike "$(hod diff df2)" 'D|/bin'
        refused 1 'no such container' hod diff nosuch
}

@test "the image never changes, whatever a container does" {
        before=$(image_state)
        hod run --rm busybox sh -c 'rm -rf /bin /etc /home; mkdir /bin; chmod 777 /; chown 1 /tmp; touch -t 200001010000 /root; echo x > /bin/x' || true
        hod run --rm busybox sh -c 'for f in /bin/*; do echo x >> $f; done; mv /etc /etc2; ln /bin/sh /hard; mknod /n p' || true
        is "$(image_state)" "$before"
        hod run --rm busybox true
}

# bats test_tags=vm,asan
@test "commit, run: contents, deletions, opaque directories, renames" {
        hod run --name ww busybox sh -c '
                echo text > /tmpfile
                rm /etc/group
                rm -r /home; mkdir /home; echo n > /home/new
                mv /var /var2
                mkdir -p /a/b/c; echo deep > /a/b/c/f
                chmod 4755 /bin/busybox'
        hod commit ww im1 >/dev/null
        hod run --rm im1 sh -c '
                [ "$(cat /tmpfile)" = text ] || echo tmpfile
                [ ! -e /etc/group ] || echo group
                [ "$(ls -A /home)" = new ] || echo home
                [ ! -e /var ] && [ -d /var2/spool ] || echo var
                [ "$(cat /a/b/c/f)" = deep ] || echo deep
                [ -u /bin/busybox ] || echo setuid' >"$T/out"
        is "$(cat "$T/out")" ''
        is "$(hod image inspect -f '{{len .RootFS.Layers}}' im1)" 2
        is "$(hod diff "$(hod create im1)")" ''
}

@test "commit keeps hard links, extended attributes, times, owners, devices, FIFOs, long names" {
        long=$(printf 'n%.0s' {1..200})
        hod run --name ww busybox sh -c "
                echo x > /one; ln /one /two
                mkdir /t; touch -d '2001-02-03 04:05:06' /t/old; ln -s /nowhere /t/sl; touch -h -d '2002-02-03 04:05:06' /t/sl
                mkdir /own; chown 1234:5678 /own; chmod 2750 /own
                mkfifo /fifo; mknod /null2 c 1 3
                mkdir -p /$long/$long; touch /$long/$long/$long"
        setfattr -n user.k -v val "$HOD_ROOT/containers/$(field ww '{{.Id}}')/upper/one" 2>/dev/null || true
        hod commit ww im1 >/dev/null
        out=$(hod run --rm im1 sh -c "
                stat -c '%h %i' /one /two
                stat -c %Y /t/old /t/sl
                stat -c '%u:%g %a' /own
                stat -c %F /fifo; stat -c '%t,%T' /null2
                ls /$long/$long")
        is "$(sed -n 1p <<<"$out")" "$(sed -n 2p <<<"$out")"
        like "$out" $'^2 '
        like "$out" "$(date -d '2001-02-03 04:05:06 UTC' +%s)"
        like "$out" "$(date -d '2002-02-03 04:05:06 UTC' +%s)"
        like "$out" '1234:5678 2750'
        like "$out" fifo
        like "$out" '1,3'
        like "$out" "$long"
}

@test "commit keeps a change of nothing but extended attributes: a directory's, the root's, also over two layers" {
        attr() { python3 -c 'import os, sys; print(*(a for f in sys.argv[2:] for a in os.listxattr(sys.argv[1] + f)))' "$@"; }
        for driver in overlay vfs; do
                hod --storage-driver $driver run -d --name xx busybox sleep 1000 >/dev/null
                python3 -c 'import os, sys
for f in sys.argv[2:]: os.setxattr(sys.argv[1] + f, "user.of" + f.replace("/", "_"), b"1")' \
                        "/proc/$(init_pid xx)/root" /etc / /etc/passwd
                is "$(hod diff xx)" $'C /etc\nC /etc/passwd'
                hod commit xx x1 >/dev/null
                hod rm -f xx
                hod --storage-driver $driver run -d --name xx x1 touch /more >/dev/null
                hod wait xx
                hod commit xx x2 >/dev/null
                hod rm xx
                hod --storage-driver $driver run -d --name xx x2 sleep 1000 >/dev/null
                is "$(attr "/proc/$(init_pid xx)/root" /etc / /etc/passwd)" 'user.of_etc user.of_ user.of_etc_passwd'
                is "$(hod diff xx)" ''
                hod rm -f xx
                hod rmi x2 x1
        done
}

@test "commit of a commit: two more layers; whiteouts do not come back" {
        hod run --name w1 busybox sh -c 'echo 1 > /f1; rm /etc/shadow'
        hod commit w1 im1 >/dev/null
        hod run --name w2 im1 sh -c 'rm /f1; mkdir /etc/shadow; echo 2 > /f2'
        hod commit w2 im2 >/dev/null
        hod run --rm im2 sh -c 'test ! -e /f1 && test -d /etc/shadow && test -e /f2'
        is "$(hod image inspect -f '{{len .RootFS.Layers}}' im2)" 3
}

@test "commit: -a -m -c; a running container is paused for it" {
        hod run -d --name ww busybox sh -c 'i=0; while :; do i=$((i+1)); echo $i > /n; done' >/dev/null
        hod commit -a 'Me <m@x>' -m msg -c 'CMD ["echo","hi there"]' -c 'ENV Z=1' -c 'LABEL q=w' -c 'USER 5' -c 'WORKDIR /w' -c 'EXPOSE 80' ww im1 >/dev/null
        is_running ww
        is "$(hod image inspect -f '{{json .Config.Cmd}} {{.Config.User}} {{.Config.WorkingDir}} {{.Author}} {{.Comment}}' im1)" '["echo","hi there"] 5 /w Me <m@x> msg'
        is "$(hod run --rm im1)" 'hi there'
        refused 1 'not a valid change command' hod commit -c 'RUN x' ww
        refused 1 'no such container' hod commit nosuch
        refused 1 'lowercase' hod commit ww Bad:Ref
}

@test "export, import: the same tree" {
        hod run --name xx busybox sh -c 'echo e > /e; rm /etc/shadow; mkdir /etc/dir; ln /e /e2'
        hod export xx >"$T/x.tar"
        hod export -o "$T/x2.tar" xx
        cmp <(tar tvf "$T/x.tar") <(tar tvf "$T/x2.tar")
        hod import -c 'CMD ["sh"]' "$T/x.tar" im1 >/dev/null
        hod run --rm im1 sh -c 'test -e /e && test ! -e /etc/shadow && test -d /etc/dir && [ "$(stat -c %h /e)" = 2 ]'
        unlike "$(tar tf "$T/x.tar")" '(^|/)\.wh\.'
        refused 1 'no such container' hod export nosuch
        refused 1 'nosuch' hod export -o /nosuch/ex.tar xx
}

@test "no room for one container does not disturb another" {
        hod run --name big busybox sh -c 'head -c 3000000 /dev/zero > /f'
        hod run --rm busybox test ! -e /f
}
