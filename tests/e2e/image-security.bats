#!/usr/bin/env bats
# What images, archives and names cannot do to the host: rows of docs/security.md whose layer is the store or the command
# line. Test names begin with the row.

load lib
setup_file() {
        e2e_setup
        mkdir -p "$T/canary/dir"
        echo canary-secret >"$T/canary/file"
        echo canary-secret >"$T/canary/dir/f"
        canary >"$T/canary.before"
}
teardown_file() { e2e_teardown; }
teardown() {
        [[ ! -s $T/pids ]] || xargs kill <"$T/pids" 2>/dev/null || true
        rm -f "$T/pids"
        e2e_clean
}

canary() { find "$T/canary" -printf '%P %i %m %u %g %T@ %s\n' | sort; cat "$T/canary/file" "$T/canary/dir/f"; }
untouched() { is "$(canary)" "$(cat "$T/canary.before")" 'the canary'; }

# image_with NAME DIRECTORY [CHANGE...]: busybox with what is in DIRECTORY on top.
image_with() {
        local name=$1 dir=$2 changes=()
        shift 2
        while (($#)); do
                changes+=(-c "$1")
                shift
        done
        cp "$(busybox_file)" "$T/with.tar"
        tar -C "$dir" --append -f "$T/with.tar" .
        hod import "${changes[@]}" "$T/with.tar" "$name" >/dev/null
}

@test "63: nobody but root comes near layers, volumes, records and sockets, under any umask" {
        mkdir -p "$T/suid"
        cp "$(command -v busybox)" "$T/suid/suid"
        chmod 4755 "$T/suid/suid"
        as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
        chmod 755 "$T"
        for mask in 000 022 077; do
                for made in no yes; do
                        root=$T/u$mask$made state=$T/us$mask$made
                        # A directory that somebody made before, open to all.
                        [[ $made == no ]] || mkdir -m 777 "$root" "$state"
                        (
                                umask "$mask"
                                export HOD_ROOT=$root HOD_STATE=$state
                                image_with suid "$T/suid"
                                hod run -d --name s -v vol:/v suid sleep 100 >/dev/null
                        )
                        found=$(find "$root/layers" -name suid -perm -4000)
                        [[ -n $found ]]
                        ! as_user stat "$found" 2>/dev/null || fail "umask $mask: uid 1000 reaches the setuid file"
                        is "$(as_user find "$root" "$state" -mindepth 1 2>/dev/null)" '' "umask $mask: what uid 1000 sees"
                        is "$(stat -c %a "$root" "$state" | paste -sd' ')" '700 700'
                        is "$(find "$root" "$state" -path '*/diff' -prune -o -path '*/_data' -prune -o -path '*/upper' -prune -o \
                                -perm /0002 ! -type l -print)" '' "umask $mask: writable for all"
                        HOD_ROOT=$root HOD_STATE=$state hod rm -f -v s >/dev/null
                        HOD_ROOT=$root HOD_STATE=$state hod volume rm vol >/dev/null
                        HOD_ROOT=$root HOD_STATE=$state hod rmi suid >/dev/null
                        HOD_ROOT=$root HOD_STATE=$state hod network prune -f >/dev/null
                        rm -rf "$root" "$state"
                done
        done
}

@test "64: what is being made lies in directories of root alone, with names nobody can guess, and is gone afterwards" {
        mkdir -p "$T/tmpdir"
        mkfifo "$T/slow"
        TMPDIR=$T/tmpdir "$HOD_BIN/hod" import "$T/slow" slow >/dev/null &
        pid=$!
        exec 8>"$T/slow"
        head -c 1000000 "$(busybox_file)" >&8
        eventually 10 eval '[[ -n $(find "$HOD_ROOT/tmp" -mindepth 1 -maxdepth 1) ]]'
        is "$(stat -c %a "$HOD_ROOT/tmp" "$HOD_ROOT"/tmp/* | sort -u)" 700
        like "$(ls "$HOD_ROOT/tmp")" '[0-9a-zA-Z]{8}'
        is "$(find "$T/tmpdir" -mindepth 1)" ''
        first=$(ls "$HOD_ROOT/tmp")
        tail -c +1000001 "$(busybox_file)" >&8
        exec 8>&-
        wait "$pid"
        is "$(ls "$HOD_ROOT/tmp")" ''
        # (The digits of a number may well be somewhere in a random name.)
        [[ $first != *busybox* && $first != *slow* && ! $first =~ (^|[^0-9a-zA-Z])$pid([^0-9a-zA-Z]|$) ]] || fail "a name to guess: $first"
        hod rmi slow >/dev/null
}

# What was executed by a command, one program a line.
executed() {
        strace -f -qq -e trace=execve,execveat -e signal=none -o "$T/strace" "$@"
        grep -oE 'exec[a-z]*\([^"]*"[^"]*"' "$T/strace" | sed 's/.*"\(.*\)"/\1/' | sort -u
}

@test "68: nothing that unpacks is executed: not of the image, not from PATH" {
        mkdir -p "$T/bin" "$T/trojan/usr/bin" "$T/trojan/bin"
        for name in xz unxz unpigz pigz gzip gunzip zstd unzstd bzip2 bunzip2 lzma lz4 tar cat sh curl; do
                printf '#!/bin/sh\ntouch %s/executed\n' "$T" | tee "$T/bin/$name" >"$T/trojan/usr/bin/$name"
        done
        printf 'passwd: evil\nhosts: evil\n' >"$T/trojan/nsswitch.conf"
        chmod -R 755 "$T/bin" "$T/trojan"
        (cd "$T/trojan" && tar -cf "$T/plain.tar" .)
        gzip -k "$T/plain.tar"
        zstd -q "$T/plain.tar"
        xz -k "$T/plain.tar"
        bzip2 -k "$T/plain.tar"
        for kind in '' .gz .zst .xz .bz2; do
                executed env PATH="$T/bin" "$HOD_BIN/hod" import "$T/plain.tar$kind" "packed$kind:1" >"$T/list"
                is "$(grep -E '^/' "$T/list" | grep -vE '/(env|hod|hod-full)$')" '' "executed by import of $kind"
        done
        id=$(hod create packed:1 /usr/bin/sh)
        for command in "export -o $T/o.tar $id" "commit $id again:1" "save -o $T/s.tar packed:1 again:1" "load -i $T/s.tar" 'image diff again:1' \
                'history again:1' 'image inspect packed:1' "rm $id" 'rmi again:1'; do
                # shellcheck disable=SC2086
                executed env PATH="$T/bin" "$HOD_BIN/hod" $command >"$T/out" || fail "$command: $(cat "$T/out")"
                is "$(grep -E '^/' "$T/out" | grep -vE '/(env|hod|hod-full|hod-monitor)$')" '' "executed by $command"
        done
        [[ ! -e $T/executed ]] || fail 'a trojan ran'
        # shellcheck disable=SC2046
        hod rmi $(hod images -q 'packed*' | sort -u) >/dev/null
}

@test "82: passwd and group of an image that are links to the host, devices, FIFOs, or endless" {
        for kind in host null zero fifo sparse line groups; do
                rm -rf "$T/odd"
                mkdir -p "$T/odd/etc"
                case $kind in
                host) ln -s "$T/canary/file" "$T/odd/etc/passwd" && ln -s "$T/canary/file" "$T/odd/etc/group" ;;
                null) mknod "$T/odd/etc/passwd" c 1 3 && mknod "$T/odd/etc/group" c 1 3 ;;
                zero) ln -s /dev/zero "$T/odd/etc/passwd" && mknod "$T/odd/etc/group" c 1 5 ;;
                fifo) mkfifo "$T/odd/etc/passwd" "$T/odd/etc/group" ;;
                sparse) truncate -s 10G "$T/odd/etc/passwd" && ln -s passwd "$T/odd/etc/group" ;;
                line) head -c 1048576 /dev/zero | tr '\0' a | tee "$T/odd/etc/passwd" >"$T/odd/etc/group" ;;
                groups) seq -f 'g%.0f:x:%.0f:root,daemon' 1 1000000 >"$T/odd/etc/group" && echo 'root:x:0:0::/:/bin/sh' >"$T/odd/etc/passwd" ;;
                esac
                (cd "$T/odd" && tar -S -cf "$T/odd.tar" etc)
                cp "$(busybox_file)" "$T/with.tar"
                tar --concatenate -f "$T/with.tar" "$T/odd.tar"
                hod import "$T/with.tar" odd >/dev/null
                for user in '' daemon 5:daemon 7; do
                        status=0
                        python3 - "$HOD_BIN/hod" "$user" >"$T/out" <<-'END' || status=$?
			import resource, subprocess, sys, time
			t = time.monotonic()
			r = subprocess.run([sys.argv[1], 'run', '--rm', *(['-u', sys.argv[2]] if sys.argv[2] else []), 'odd', 'true'],
			                   timeout=60, capture_output=True, text=True)
			took, peak = time.monotonic() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
			print(r.stderr, end='')
			assert took < 20, took
			assert peak < 64 << 10, peak
			assert len([l for l in r.stderr.splitlines() if l and not l.startswith('Run ')]) <= 1, r.stderr
			assert 'canary' not in r.stderr
			sys.exit(0 if r.returncode in (0, 125, 126) else 1)
			END
                        is "$status" 0 "$kind as «$user»: $(cat "$T/out")"
                done
                hod rmi odd >/dev/null
        done
        untouched
}

@test "96: labels of an image steer nothing, and only its OCI fields say how it runs" {
        spec() { # of a container of $1, without what is its own
                local id
                id=$(hod run -d -h same --name spec "$1" sleep 100)
                sed "s/$id/ID/g" "$HOD_STATE/containers/$id/config.json" | jq -S .
                hod inspect spec | jq -S '.[0].HostConfig' | sed "s/$id/ID/g"
                hod rm -f spec >/dev/null
        }
        hod run --rm busybox true # the system call filter is compiled once, by the first
        labels=()
        for label in containerd.io/restart.loguri=binary:///bin/touch?x=/evil-hod containerd.io/restart.status=running \
                containerd.io/restart.policy=always io.podman.annotations.privileged=TRUE io.podman.annotations.seccomp=unconfined \
                io.containers.autoupdate=image io.containers.seccomp.profile=unconfined io.containers.capabilities=SYS_ADMIN \
                com.docker.compose.project=x com.docker.security.seccomp=unconfined org.systemd.property.ExecStop=/evil \
                run.oci.hooks.stdout=/evil-hod run.oci.keep_original_groups=1 run.oci.seccomp.receiver=/evil-hod \
                io.kubernetes.cri-o.userns-mode=host io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel=true org.criu.config=/evil-hod \
                RUN='docker run --privileged IMAGE' run='podman run --privileged IMAGE' INSTALL=/evil UNINSTALL=/evil \
                io.hod.privileged=true devices=/dev/sda cdi.k8s.io/x=vendor.com/device=all nvidia.com/gpu=all; do
                labels+=(-c "LABEL ${label%%=*}=\"${label#*=}\"")
        done
        hod import -c 'CMD ["sh"]' "${labels[@]}" "$(busybox_file)" labelled >/dev/null
        is "$(hod inspect -f '{{len .Config.Labels}}' labelled)" 25
        is "$(spec labelled | sed '/"annotations"/,/}/d')" "$(spec busybox | sed '/"annotations"/,/}/d')"
        python3 - "$HOD_ROOT" "$(hod inspect -f '{{.Id}}' labelled)" <<-'END'
		import hashlib, json, os, sqlite3, sys
		root, old = sys.argv[1:]
		db = sqlite3.connect(root + '/state.db')
		c = json.loads(db.execute('select config from images where id=?', (old,)).fetchone()[0])
		host = {'Privileged': True, 'NetworkMode': 'host', 'Binds': ['/:/host'], 'SecurityOpt': ['seccomp=unconfined'],
		        'CapAdd': ['ALL'], 'PidMode': 'host', 'Runtime': '/evil', 'LogConfig': {'Type': 'binary:///evil'}}
		c['config'].update(HostConfig=host, **host)
		c.update(HostConfig=host, container_config={'HostConfig': host, **host}, hooks={'prestart': [{'path': '/bin/true'}]})
		c['config'].update(Hostname='evil', Domainname='evil', MacAddress='00:00:00:00:00:01', NetworkDisabled=False, Memory=1,
		                   hooks={'prestart': [{'path': '/bin/true'}]}, StopTimeout=999999, AttachStdin=True, Tty=True, OpenStdin=True)
		text = json.dumps(c)
		new = 'sha256:' + hashlib.sha256(text.encode()).hexdigest()
		open(root + '/blobs/sha256/' + new[7:], 'w').write(text)
		os.unlink(root + '/blobs/sha256/' + old[7:])
		db.execute('update images set id=?, config=? where id=?', (new, text, old))
		db.execute('update names set image=? where image=?', (new, old))
		db.commit()
	END
        is "$(spec labelled | sed '/"annotations"/,/}/d')" "$(spec busybox | sed '/"annotations"/,/}/d')"
        executed "$HOD_BIN/hod" run -d --name traced labelled sleep 2 >"$T/list"
        is "$(grep -vxE "[0-9a-f]{64}|.*/(hod|hod-monitor|hod-full)|/proc/self/fd/[0-9]+|.*/sleep|sleep" "$T/list")" ''
        hod rm -f traced >/dev/null
        [[ ! -e /evil-hod ]]
        hod rmi labelled >/dev/null
}

@test "106, 107: a name is no path: whatever is typed, nothing outside is opened, made or removed" {
        echo keep >"$T/root.keep"
        before=$(find "$T" -path "$HOD_ROOT" -prune -o -path "$HOD_STATE" -prune -o -print | sort)
        python3 - "$HOD_BIN/hod" "$T" <<-'END'
		import os, random, subprocess, sys
		hod, top = sys.argv[1:]
		random.seed(7)
		names = ['../x', '../../root.keep', '..', '.', '/', '//', 'a/../../b', './a', '/etc/passwd', '../containers', 'a/b',
		         '\\..\\x', '..%2fx', 'a\nb', 'a\x1b[31m', '-', 'a b', '$(id)', '`id`', 'a;b', '*', '?', '~', '~root',
		         'x' * 300, 'x' * 5000, 'sha256:../../x', 'sha256:' + '.' * 64, 'sha256:' + '/' * 64, '\u202e', '\udcff',
		         'A' * 64, '0' * 63 + '/', '../' * 60 + 'etc/passwd', 'a:../x', 'a@sha256:../../x', 'reg:5000/../x', ':x', '@x']
		for _ in range(20):
		    names.append(''.join(random.choice(['..', '/', '.', 'a', '%', '\\', ':', '@', ' ', 'sha256:']) for _ in range(random.randint(1, 12))))
		def forms(n):
		    yield ['inspect', n]
		    yield ['rm', '-f', n]
		    yield ['rmi', '-f', n]
		    yield ['volume', 'rm', n]
		    yield ['run', '--rm', '--name', n, 'busybox', 'true']
		    if random.random() < 0.3:
		        yield ['create', '--name', n, 'busybox', 'true']
		        yield ['rename', 'box', n]
		        yield ['exec', n, 'true']
		        yield ['start', n]
		        yield ['logs', n]
		        yield ['tag', 'busybox', n]
		        yield ['tag', n, 'x:1']
		        yield ['history', n]
		        yield ['image', 'diff', n]
		        yield ['images', n]
		        yield ['commit', 'box', n]
		        yield ['volume', 'create', n]
		        yield ['volume', 'inspect', n]
		        yield ['run', '--rm', '-v', n + ':/v', 'busybox', 'true']
		        yield ['save', '-o', '/dev/null', n]
		subprocess.run([hod, 'create', '--name', 'box', 'busybox', 'true'], check=True, capture_output=True)
		for n in names:
		    for command in forms(n):
		        if n.startswith('-') or '\0' in n:
		            continue
		        r = subprocess.run([hod.encode()] + [os.fsencode(a) for a in command], capture_output=True, timeout=20, cwd=top + '/work')
		        assert 0 <= r.returncode < 128, (command, r)
		        assert b'canary-secret' not in r.stdout + r.stderr, (command, r)
		    # What was a good name after all goes again.
		    r = subprocess.run([hod, 'ps', '-a', '--format', '{{.Names}}'], capture_output=True, text=True)
		    for name in r.stdout.split():
		        if '/' in name or '..' == name:
		            raise AssertionError(name)
		END
        is "$(find "$T" -path "$HOD_ROOT" -prune -o -path "$HOD_STATE" -prune -o -print | sort)" "$before"
        is "$(cat "$T/root.keep")" keep
        is "$(find "$HOD_ROOT/containers" "$HOD_ROOT/layers" "$HOD_ROOT/blobs/sha256" "$HOD_STATE/containers" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vxE '[0-9a-f]{64}(-.*)?')" ''
        is "$(find "$HOD_ROOT/volumes" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vxE '[a-zA-Z0-9][a-zA-Z0-9_.-]*')" ''
        untouched
        e2e_clean
        # shellcheck disable=SC2046
        hod volume rm $(hod volume ls -q) >/dev/null 2>&1 || true
        # shellcheck disable=SC2046
        hod rmi -f $(hod images -q --no-trunc | sort -u | grep -v "$(hod inspect -f '{{.Id}}' busybox)") >/dev/null 2>&1 || true
        hod images --format '{{.Repository}}:{{.Tag}}' | grep -vx busybox:latest | xargs -r "$HOD_BIN/hod" rmi >/dev/null
}

@test "108: a volume is filled only when it is empty, and not through its links" {
        hod volume create vol >/dev/null
        data=$HOD_ROOT/volumes/vol/_data
        mkdir -p "$T/img/data"
        echo image >"$T/img/data/file"
        echo image >"$T/img/data/extra"
        image_with filled "$T/img" 'VOLUME /data'
        echo mine >"$data/file"
        is "$(hod run --rm -v vol:/data filled cat /data/file)" mine
        is "$(ls "$data")" file
        rm "$data/file"
        ln -s "$T/canary/file" "$data/file"
        hod run --rm -v vol:/data filled true
        is "$(readlink "$data/file")" "$T/canary/file"
        rm "$data/file"
        is "$(hod run --rm -v vol:/data filled cat /data/file)" image
        # The volume's own directory exchanged for a link: refused, or at least not followed.
        hod volume rm vol >/dev/null
        hod volume create vol >/dev/null
        rmdir "$data"
        ln -s "$T/canary/dir" "$data"
        run "$HOD_BIN/hod" run --rm -v vol:/data filled true
        untouched
        rm "$data"
        mkdir "$data"
        hod volume rm vol >/dev/null
        hod rmi filled >/dev/null
}

@test "109: a container that exchanges its directories for links meanwhile: export, commit and diff see nothing of the host" {
        hod run -d --name racer busybox sh -c "
                mkdir /a && echo inside >/a/f && ln -s '$T/canary/dir' /l && ln -s '$T/canary/file' /a/link
                while :; do mv /a /x; mv /l /a; mv /a /l; mv /x /a; done" >/dev/null
        eventually 10 hod exec racer test -e /a/f -o -e /x/f
        for _ in {1..12}; do
                hod export racer >"$T/out.tar"
                grep -q canary-secret "$T/out.tar" && fail 'export read through a link'
                hod diff racer >"$T/out"
        done
        for flag in -p --no-pause --no-pause --no-pause; do
                hod commit "$flag" racer raced:1 >/dev/null
                hod save -o "$T/out.tar" raced:1
                grep -q canary-secret "$T/out.tar" && fail 'commit read through a link'
                hod image diff raced:1 >"$T/out"
        done
        hod rm -f racer >/dev/null
        untouched
        # shellcheck disable=SC2046
        hod rmi -f raced:1 $(hod images -q -f dangling=true) >/dev/null
}

@test "146: what a container writes is no configuration of the host's, and exec as a user has that user's rights" {
        hod run -d --name user busybox sh -c 'umask 077; echo secret >/root/key; mkdir -p /root/.config/hod /root/.docker /etc/hod
                printf "[engine]\nroot = \"/evil\"\n" | tee /etc/hod/config.toml >/root/.config/hod/config.toml
                echo "{\"credsStore\": \"evil\"}" >/root/.docker/config.json; touch /ready; sleep 100' >/dev/null
        eventually 10 hod exec user test -e /ready
        refused 1 'Permission denied' hod exec -u 1000 user cat /root/key
        refused 1 'Permission denied' hod exec -u 1000:0 user cat /root/key
        is "$(hod exec user cat /root/key)" secret
        is "$(hod exec -u 1000 user grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | awk '{print $2}' | sort -u)" 0000000000000000
        hod commit user configured:1 >/dev/null
        (cd "$T" && strace -f -qq -e trace=openat,openat2,open -o "$T/opened" "$HOD_BIN/hod" run --rm configured:1 true)
        grep -E 'config\.toml|\.docker/' "$T/opened" | grep -v '"/etc/hod/config.toml"\|"'"$HOME" && fail 'configuration of the container was looked for'
        hod rm -f user >/dev/null
        hod rmi configured:1 >/dev/null
}

@test "153: names, labels, comments and history cannot drive the terminal; a pipe gets them as they are" {
        esc=$'\e]8;;http://evil\e\\x\e[31mred\a' bidi=$'\u202eevil' cr=$'visible\rhidden'
        hod import -m "note$esc" -c "LABEL a=\"$esc\" b=\"$bidi\" c=\"$cr\"" -c "CMD [\"echo\",\"x\\u001b[31m\"]" "$(busybox_file)" shown:1 >/dev/null
        hod create --name shown --label "d=$esc$bidi" shown:1 echo "$esc$bidi$cr" >/dev/null
        hod start shown >/dev/null
        hod wait shown >/dev/null
        hod commit -m "$bidi$cr" -a "$esc" shown shown:2 >/dev/null
        for command in images 'images --format {{.Repository}}' 'history shown:2' 'history --no-trunc shown:2' 'history --format {{.CreatedBy}}|{{.Comment}} shown:2' \
                'history --format json --no-trunc shown:2' 'image inspect shown:1 shown:2' 'inspect -f {{.Comment}}{{.Author}} shown:2' \
                'inspect -f {{json_.Config.Labels}} shown:1' 'inspect -f {{.Config.Labels}} shown:1' 'inspect shown' 'ps -a --no-trunc' \
                'ps -a --format {{.Labels}}{{.Command}} --no-trunc' 'ps -a --format json --no-trunc' "inspect $esc" "rmi nosuch$bidi" 'diff shown' 'image diff shown:2'; do
                words=()
                for word in $command; do words+=("${word//_/ }"); done
                out=$(pty -- "$HOD_BIN/hod" "${words[@]}" || true)
                out=${out//$'\r\n'/$'\n'} out=${out%$'\r'}
                [[ -n $out || $command == *diff* ]] || fail "$command printed nothing"
                if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]' <<<"$out"; then fail "$command: $(cat -v <<<"$out")"; fi
        done
        # A log is the container's own; a pipe is a program.
        like "$(hod logs shown)" $'\e'
        is "$(hod inspect -f '{{index .Config.Labels "b"}}' shown:1)" "$bidi"
        hod rm shown >/dev/null
        hod rmi shown:2 shown:1 >/dev/null
}
