#!/usr/bin/env bats
# What people and scripts do with images: images, tag, rmi, history, inspect, diff, commit, export, import, flag by flag
# (docker's texts, columns, order and exit statuses).

load lib
setup_file() {
        e2e_setup none
        TAR=$(busybox_file)
        export TAR
        hod import -c 'CMD ["sh"]' -c 'LABEL kind=base' -c 'LABEL empty=' "$TAR" busybox >/dev/null
        hod tag busybox busybox:1
        hod tag busybox reg.example:5000/a/b:c
        hod import -m second "$TAR" alpine:3 >/dev/null
}
teardown_file() { e2e_teardown; }
teardown() {
        [[ ! -s $T/pids ]] || xargs kill <"$T/pids" 2>/dev/null || true
        rm -f "$T/pids"
        e2e_clean
}

names() { hod images --format '{{.Repository}}:{{.Tag}}' "$@" | paste -sd' '; }

# edit_image NAME PYTHON: the image again, under the same name, with its config changed by a program (`c`): what a
# registry may send.
edit_config() {
        python3 - "$HOD_ROOT" "$(hod inspect -f '{{.Id}}' "$1")" "$2" <<-'END'
		import glob, hashlib, json, os, sqlite3, sys
		root, old, program = sys.argv[1:]
		db = sqlite3.connect(root + '/state.db')
		c = json.loads(db.execute('select config from images where id=?', (old,)).fetchone()[0])
		exec(program)
		text = json.dumps(c, ensure_ascii=False)
		new = 'sha256:' + hashlib.sha256(text.encode()).hexdigest()
		open(root + '/blobs/sha256/' + new[7:], 'w').write(text)
		os.unlink(root + '/blobs/sha256/' + old[7:])
		db.execute('update images set id=?, config=? where id=?', (new, text, old))
		db.execute('update names set image=? where image=?', (new, old))
		db.commit()
	END
}

@test "images: newest first, names in order; REPOSITORY[:TAG] and patterns" {
        is "$(names)" 'alpine:3 busybox:1 busybox:latest reg.example:5000/a/b:c'
        is "$(names busybox)" 'busybox:1 busybox:latest'
        is "$(names busybox:1)" 'busybox:1'
        is "$(names 'b*')" 'busybox:1 busybox:latest'
        is "$(names 'reg.example:5000/*/b')" 'reg.example:5000/a/b:c'
        is "$(names '*')" 'alpine:3 busybox:1 busybox:latest'
        is "$(names nosuch)" ''
        is "$(hod images nosuch)" 'REPOSITORY   TAG       IMAGE ID   CREATED   SIZE'
        refused 1 'syntax error in pattern' hod images 'x['
        refused 1 'at most 1 argument' hod images a b
}

@test "images --filter: dangling, label, reference, before, since, until; each checked" {
        is "$(names -f reference='*:latest')" 'busybox:latest'
        is "$(names -f reference='*:3' -f reference='*/*/*:c')" 'alpine:3 reg.example:5000/a/b:c'
        is "$(names -f label=kind)" 'busybox:1 busybox:latest reg.example:5000/a/b:c'
        is "$(names -f label=kind=base -f label=empty=)" 'busybox:1 busybox:latest reg.example:5000/a/b:c'
        is "$(names -f label=kind=other)" ''
        is "$(names -f label=kind -f label=nosuch)" ''
        is "$(names -f before=alpine:3)" 'busybox:1 busybox:latest reg.example:5000/a/b:c'
        is "$(names -f since=busybox)" 'alpine:3'
        is "$(names -f since=busybox -f before=alpine:3)" ''
        is "$(names -f until=1h)" ''
        is "$(names -f until="$(($(date +%s) + 5))" | wc -w)" 4
        is "$(names -f dangling=true)" ''
        is "$(names -f dangling=0 alpine)" 'alpine:3'
        id=$(hod import "$TAR")
        is "$(names -f dangling=true)" '<none>:<none>'
        is "$(hod images -f dangling=1 -q --no-trunc)" "$id"
        is "$(names -f dangling=true -f reference='*')" ''
        hod rmi "$id" >/dev/null
        refused 1 "^hod: invalid filter 'bogus'$" hod images -f bogus=1
        refused 1 "^hod: invalid filter 'dangling=\[maybe\]'$" hod images -f dangling=maybe
        refused 1 '^hod: No such image: nosuch:latest$' hod images -f since=nosuch
        refused 1 'failed to parse value as time or duration: "bogus"' hod images -f until=bogus
        refused 125 'bad format of filter' hod images -f bogus
}

@test "images: -q, --no-trunc, --digests, --format table, json and templates" {
        id=$(hod inspect -f '{{.Id}}' alpine:3)
        is "$(hod images -q alpine)" "${id:7:12}"
        is "$(hod images -q --no-trunc alpine)" "$id"
        is "$(hod images -aq | wc -l)" 4
        like "$(hod images --digests alpine)" '^REPOSITORY   TAG       DIGEST    IMAGE ID       CREATED +SIZE'
        like "$(hod images --digests alpine)" 'alpine       3         <none>    '
        is "$(hod images --format 'table {{.Tag}}\t{{.Repository}}' alpine)" $'TAG       REPOSITORY\n3         alpine'
        is "$(hod images --format json alpine | jq -r '.Repository, .Tag, .Containers, .SharedSize, .UniqueSize, .Digest, .ID' | paste -sd' ')" "alpine 3 0 N/A N/A <none> ${id:7:12}"
        is "$(hod images --format json alpine | jq -r 'keys_unsorted | join(" ")')" 'Containers CreatedAt CreatedSince Digest ID Repository SharedSize Size Tag UniqueSize VirtualSize'
        like "$(hod images --format '{{.CreatedAt}}|{{.CreatedSince}}|{{.Size}}|{{.VirtualSize}}' alpine)" '^20..-..-.. ..:..:.. [+-].... [A-Z]+\|.* ago\|[0-9.]+MB\|[0-9.]+MB$'
        hod create --name used alpine:3 true >/dev/null
        is "$(hod images --format '{{.Containers}}' alpine)" 1
        refused 1 '^hod: template parsing error: template: :1:2: executing "" at <.Bogus>: can.t evaluate field Bogus in type \*formatter.imageContext$' hod images --format '{{.Bogus}}'
        refused 1 '^hod: template parsing error: template: :1: unclosed action$' hod images --format '{{.Tag'
}

@test "images --tree: what each takes and whether containers use it" {
        hod create --name used busybox true >/dev/null
        out=$(hod images --tree)
        like "$out" '^ +Info ->  U In Use'
        like "$out" $'\nIMAGE +ID             DISK USAGE   CONTENT SIZE   EXTRA\n'
        like "$out" $'\nalpine:3 +[0-9a-f]{12} +[0-9.]+MB +[0-9.]+MB *\n'
        like "$out" $'\nbusybox:1\nbusybox:latest\nreg.example:5000/a/b:c +[0-9a-f]{12} +[0-9.]+MB +[0-9.]+MB +U$'
        is "$(hod images --tree alpine | grep -c MB)" 1
        for flag in -q --no-trunc --digests '--format json'; do
                # shellcheck disable=SC2086
                refused 1 'not yet supported with --tree' hod images --tree $flag
        done
}

@test "tag: by name, id and beginning of an id; moves a name; refuses what is no tag" {
        id=$(hod inspect -f '{{.Id}}' alpine:3)
        for from in alpine:3 "$id" "${id#sha256:}" "${id:7:12}" "${id:7:9}"; do
                is "$(hod tag "$from" mine:1)" ''
                is "$(hod inspect -f '{{.Id}}' mine:1)" "$id"
        done
        hod tag busybox mine:1
        is "$(hod inspect -f '{{.Id}}' mine:1)" "$(hod inspect -f '{{.Id}}' busybox)"
        hod rmi mine:1 >/dev/null
        refused 1 '^hod: No such image: nosuch:latest$' hod tag nosuch x
        refused 1 '^hod: Error parsing reference: "Mine:1" is not a valid repository/tag: invalid reference format: repository name \(library/Mine\) must be lowercase$' hod tag busybox Mine:1
        refused 1 '^hod: Error parsing reference: "mine:bad!tag" is not a valid repository/tag: invalid reference format$' hod tag busybox 'mine:bad!tag'
        refused 1 '^hod: Error parsing reference: "" is not a valid repository/tag: invalid reference format$' hod tag busybox ''
        refused 1 '^hod: refusing to create a tag with a digest reference$' hod tag busybox "x@$id"
        refused 1 'hexadecimal' hod tag busybox "${id#sha256:}"
}

@test "rmi: names go one by one, the image with the last; by id only with one name, or by force" {
        hod import -m rm "$TAR" rm:1 >/dev/null
        id=$(hod inspect -f '{{.Id}}' rm:1)
        hod tag rm:1 rm:2
        hod tag rm:1 other/rm
        refused 1 "^hod: conflict: unable to delete ${id:7:12} \(must be forced\) - image is referenced in multiple repositories$" hod rmi "${id:7:12}"
        is "$(hod rmi rm:2)" 'Untagged: rm:2'
        is "$(hod rmi other/rm)" 'Untagged: other/rm:latest'
        is "$(hod rmi "$id")" $'Untagged: rm:1\nDeleted: '"$id"
        hod import -m rm "$TAR" rm:1 >/dev/null
        id=$(hod inspect -f '{{.Id}}' rm:1)
        hod tag rm:1 rm:2
        is "$(hod rmi --force "${id:7:8}")" $'Untagged: rm:1\nUntagged: rm:2\nDeleted: '"$id"
        refused 1 '^hod: No such image: nosuch:latest$' hod rmi nosuch
        refused 0 '^hod: No such image: nosuch:latest$' hod rmi -f nosuch
        refused 1 'must be lowercase' hod rmi Bad
        hod tag busybox rm:3
        run "$HOD_BIN/hod" rmi nosuch rm:3 Bad
        is "$status" 1
        is "$(grep -v '^hod:' <<<"$output")" 'Untagged: rm:3'
        is "$(grep -c '^hod:' <<<"$output")" 2
        refused 1 'rmi. requires at least 1 argument' hod rmi
}

@test "rmi: what containers use; their layers stay until they go" {
        hod import -m used "$TAR" used:1 >/dev/null
        id=$(hod inspect -f '{{.Id}}' used:1)
        c=$(hod create used:1 true)
        refused 1 "^hod: conflict: unable to remove repository reference \"used:1\" \(must force\) - container ${c:0:12} is using its referenced image ${id:7:12}$" hod rmi used:1
        refused 1 "^hod: conflict: unable to delete ${id:7:12} \(must be forced\) - image is being used by stopped container ${c:0:12}$" hod rmi "${id:7:12}"
        r=$(hod run -d used:1 sleep 100)
        refused 1 "^hod: conflict: unable to delete ${id:7:12} \(cannot be forced\) - image is being used by running container ${r:0:12}$" hod rmi -f "$id"
        is "$(hod rmi -f used:1)" 'Untagged: used:1'
        hod rm -f "$r" >/dev/null
        is "$(hod rmi -f "$id")" "Deleted: $id"
        hod start "$c" >/dev/null
        hod rm -f "$c" >/dev/null
}

@test "rmi: parents of a committed image go with it, unless --no-prune or something needs them" {
        hod import -m parent "$TAR" parent:1 >/dev/null
        parent=$(hod inspect -f '{{.Id}}' parent:1)
        hod run --name cc parent:1 sh -c 'echo a >/a'
        child=$(hod commit cc child:1)
        hod rm cc >/dev/null
        is "$(hod inspect -f '{{.Parent}}' child:1)" "$parent"
        is "$(hod history -q --no-trunc child:1 | paste -sd' ')" "$child $parent"
        refused 1 "^hod: conflict: unable to delete ${parent:7:12} \(cannot be forced\) - image has dependent child images$" hod rmi -f "$parent"
        is "$(hod rmi parent:1)" 'Untagged: parent:1'
        is "$(hod images -q --no-trunc | grep -c "$parent")" 0
        is "$(hod images -aq --no-trunc | grep -c "$parent")" 1
        is "$(hod rmi --no-prune child:1 | grep -c "$parent")" 0
        is "$(hod images -q --no-trunc -f dangling=true)" "$parent"
        hod tag "$parent" parent:2
        hod run --name cc parent:2 sh -c 'echo b >/b'
        child=$(hod commit cc child:1)
        hod rm cc >/dev/null
        hod rmi parent:2 >/dev/null
        like "$(hod rmi child:1)" "^Untagged: child:1
Deleted: $child
Deleted: sha256:[0-9a-f]{64}
Deleted: $parent$"
        is "$(hod images -aq -f dangling=true)" ''
}

@test "prune: what others were committed from goes with them, not before" {
        hod import -m parent "$TAR" parent:1 >/dev/null
        hod create --name cc parent:1 true >/dev/null
        hod commit cc child:1 >/dev/null
        hod commit cc >/dev/null
        hod rm cc >/dev/null
        hod rmi parent:1 >/dev/null
        like "$(hod image prune -f)" $'^Deleted Images:\ndeleted: sha256:[0-9a-f]{64}\n\nTotal reclaimed space'
        is "$(hod images -aq -f dangling=true | wc -l)" 1
        hod tag child:1 kept:1
        hod rmi child:1 >/dev/null
        hod image prune -f >/dev/null
        is "$(hod rmi kept:1 | grep -c Deleted)" 2
        hod import -m parent "$TAR" parent:1 >/dev/null
        hod create --name cc parent:1 true >/dev/null
        hod commit cc >/dev/null
        hod rm cc >/dev/null
        hod rmi parent:1 >/dev/null
        is "$(hod image prune -f | grep -c '^deleted')" 2
}

@test "history: who, when, how large; -H, --no-trunc, -q, --format" {
        hod run --name cc busybox sh -c 'echo a >/a; echo "a rather long command line for a table" >/dev/null'
        hod commit -m note cc hist:1 >/dev/null
        like "$(hod history hist:1 | head -n 1)" '^IMAGE          CREATED +CREATED BY +SIZE      COMMENT$'
        like "$(hod history hist:1)" 'sh -c echo a >/a; echo "a rather long comman…   2B        note'
        like "$(hod history --no-trunc hist:1)" 'for a table" >/dev/null'
        like "$(hod history -H=false hist:1 | head -n 2)" 'CREATED AT             CREATED BY .*20..-..-..T..:..:..(Z|[+-]..:..)   sh -c'
        is "$(hod history --human=false --format '{{.Size}}|{{.Comment}}' hist:1 | head -n 1)" '2|note'
        is "$(hod history --format json hist:1 | jq -r 'keys_unsorted | join(" ")' | head -n 1)" 'Comment CreatedAt CreatedBy CreatedSince ID Size'
        is "$(hod history -q hist:1 | wc -l)" 2
        refused 1 '^hod: No such image: nosuch:latest$' hod history nosuch
        hod rm cc >/dev/null
        hod rmi hist:1 >/dev/null
}

# security row 89
@test "89: history that is missing, shorter or longer than the layers, or nonsense" {
        hod run --name cc alpine:3 sh -c 'echo a >/a'
        hod commit cc odd:1 >/dev/null
        hod rm cc >/dev/null
        hod rmi alpine:3 >/dev/null
        for change in 'del c["history"]' 'c["history"] = []' 'c["history"] = None' 'c["history"] = "x"' \
                'c["history"] = [{}]' 'c["history"] = [{"empty_layer": True}] * 3' 'c["history"] = [{"created_by": "x"}] * 50' \
                'c["history"] = [7, None, "x", [], {"created": 5, "created_by": {}, "comment": ["y"]}]' \
                'c["history"] = [{"created": "no time", "created_by": "x" * 100000}]'; do
                edit_config odd:1 "$change"
                for flags in '' '-q' '--no-trunc' '-H=false' '--format json'; do
                        # shellcheck disable=SC2086
                        hod history $flags odd:1 >"$T/out"
                done
                hod image inspect odd:1 >"$T/out"
                is "$(hod history -q odd:1 | head -n 1)" "$(hod inspect -f '{{.Id}}' odd:1 | cut -c8-19)" "after $change"
                # Every layer is somewhere.
                is "$(hod history -H=false --format '{{.Size}}' odd:1 | awk '{s += $1} END {print s}')" "$(hod inspect -f '{{.Size}}' odd:1)" "after $change"
                hod run --rm odd:1 true
        done
        hod rmi odd:1 >/dev/null
        hod import -m second "$TAR" alpine:3 >/dev/null
}

@test "image inspect: several, missing, -f, --platform" {
        is "$(hod image inspect alpine:3 busybox | jq -r '.[].Comment' | paste -sd'|')" 'second|Imported from -'
        run "$HOD_BIN/hod" image inspect nosuch
        is "$status" 1
        is "$output" $'[]\nhod: No such image: nosuch:latest'
        run "$HOD_BIN/hod" image inspect nosuch alpine:3 nix
        is "$status" 1
        is "$(grep -v '^hod:' <<<"$output" | jq -r '.[].RepoTags[0]')" alpine:3
        is "$(grep -c '^hod: No such image: ni' <<<"$output")" 1
        is "$(hod image inspect -f '{{.Os}}/{{.Architecture}} {{json .RepoDigests}}' alpine:3)" "linux/$(dpkg --print-architecture) []"
        hod import --platform linux/s390x "$TAR" other:1 >/dev/null
        is "$(hod image inspect --platform linux/s390x -f '{{.Architecture}}' other:1)" s390x
        for command in 'image inspect' history 'rmi'; do
                # shellcheck disable=SC2086
                like "$("$HOD_BIN/hod" $command --platform linux/arm64 other:1 2>&1 || true)" 'hod: image with reference other:1 was found but its platform \(linux/s390x\) does not match the specified platform \(linux/arm64\)'
        done
        refused 1 'platform' hod history --platform bogus/x/y/z other:1
        hod history --platform s390x other:1 >/dev/null
        hod rmi --platform linux/s390x other:1 >/dev/null
}

@test "image diff: against the layer below, and against any other image" {
        hod run --name cc busybox sh -c 'echo a >/etc/new; rm /bin/ls; mkdir -p /d/e; touch /d/e/f; chmod 600 /etc/passwd; ln -s x /d/l'
        hod commit cc diff:1 >/dev/null
        hod rm cc >/dev/null
        hod run --name cc diff:1 sh -c 'rm -r /d; mkdir /d; touch /d/n; echo b >/etc/new'
        hod commit cc diff:2 >/dev/null
        hod rm cc >/dev/null
        is "$(hod image diff diff:1 | paste -sd' ')" 'C /bin D /bin/ls A /d A /d/e A /d/e/f A /d/l C /etc A /etc/new C /etc/passwd'
        is "$(hod image diff diff:1 busybox)" "$(hod image diff diff:1)"
        is "$(hod image diff busybox diff:1 | paste -sd' ')" 'C /bin A /bin/ls D /d C /etc D /etc/new C /etc/passwd'
        is "$(hod image diff diff:2 | paste -sd' ')" 'C /d D /d/e D /d/l A /d/n C /etc C /etc/new'
        is "$(hod image diff diff:2 busybox | paste -sd' ')" 'C /bin D /bin/ls A /d A /d/n C /etc A /etc/new C /etc/passwd'
        is "$(hod image diff diff:2 diff:2)" ''
        is "$(hod image diff busybox alpine:3)" ''
        is "$(hod image diff --format json diff:2 | jq -c '.')" '{"changed":["/d","/etc","/etc/new"],"added":["/d/n"],"deleted":["/d/e","/d/l"]}'
        refused 1 "only supported value for '--format' is 'json'" hod image diff --format yaml diff:1
        refused 1 'No such image' hod image diff diff:1 nosuch
        # The same size and time, but not the same: nothing but the content says it.
        mkdir -p "$T/same"
        for n in 1 2; do
                echo "$n" >"$T/same/f"
                touch -d @1000000000 "$T/same/f" "$T/same"
                tar -C "$T/same" -c . | hod import - "same:$n" >/dev/null
        done
        is "$(hod image diff same:1 same:2)" 'C /f'
        hod rmi diff:1 diff:2 same:1 same:2 >/dev/null
}

@test "commit: -a, -m, every -c; -p, --pause=false, --no-pause" {
        hod run -d --name cc -e OLD=1 --label from=run busybox sleep 100 >/dev/null
        hod commit -a 'Me <m@x>' -m msg -c 'CMD ["sleep","5"]' -c 'ENV Z=1' -c 'LABEL q=w' -c 'EXPOSE 80' -c 'USER 5' \
                -c 'WORKDIR /w' -c 'VOLUME /vv' -c 'ENTRYPOINT ["x"]' -c 'STOPSIGNAL SIGUSR1' -c 'ONBUILD RUN y' \
                -c 'HEALTHCHECK --interval=5s CMD z' cc ci:2 >/dev/null
        is "$(hod inspect -f '{{.Author}}|{{.Comment}}|{{json .Config.Cmd}}{{json .Config.Entrypoint}}{{json .Config.ExposedPorts}}{{json .Config.Volumes}}|{{.Config.User}}|{{.Config.WorkingDir}}|{{.Config.StopSignal}}|{{json .Config.OnBuild}}|{{json .Config.Healthcheck.Test}}' ci:2)" \
                'Me <m@x>|msg|["sleep","5"]["x"]{"80/tcp":{}}{"/vv":{}}|5|/w|SIGUSR1|["RUN y"]|["CMD-SHELL","z"]'
        is "$(hod inspect -f '{{json .Config.Labels}}' ci:2 | jq -cS .)" '{"empty":"","from":"run","kind":"base","q":"w"}'
        like "$(hod inspect -f '{{json .Config.Env}}' ci:2)" '"OLD=1".*"Z=1"'
        for flag in -p --pause=false --no-pause; do
                like "$(hod commit "$flag" cc)" '^sha256:[0-9a-f]{64}$'
                is_running cc
        done
        refused 1 '^hod: RUN is not a valid change command$' hod commit -c 'RUN x' cc
        refused 1 '^hod: BOGUS is not a valid change command$' hod commit -c 'BOGUS x' cc
        refused 1 '^hod: No such container: nosuch$' hod commit nosuch
        refused 1 '^hod: invalid reference format: repository name \(library/Bad\) must be lowercase$' hod commit cc Bad:Ref
        refused 1 'digest' hod commit cc "x@sha256:$(printf '0%.0s' {1..64})"
        hod commit -c 'CMD [bad' cc ci:3 >/dev/null
        is "$(hod inspect -f '{{json .Config.Cmd}}' ci:3)" '["/bin/sh","-c","[bad"]'
        hod rm -f cc >/dev/null
        hod rmi ci:2 ci:3 >/dev/null
        # shellcheck disable=SC2046
        hod rmi $(hod images -q -f dangling=true | sort -u) >/dev/null
}

@test "commit pauses what runs, and only as long as it takes" {
        hod run -d --name cc busybox sh -c 'dd if=/dev/urandom of=/big bs=1M count=60 2>/dev/null; i=0; while :; do i=$((i+1)); echo $i >/n; done' >/dev/null
        eventually 10 hod exec cc test -s /n
        local paused=0
        for _ in {1..20}; do # it may be over before we look
                "$HOD_BIN/hod" commit cc paused:1 >/dev/null &
                pid=$!
                until { is_paused cc && paused=1; } || dead "$pid"; do :; done
                wait "$pid"
                is_running cc
                hod rmi paused:1 >/dev/null
                ((paused == 0)) || break
        done
        ((paused))
        hod rm -f cc >/dev/null
}

@test "export: to a file, to stdout; not to a terminal" {
        hod run --name cc busybox sh -c 'echo x >/x'
        hod export cc | tar -t | grep -x x
        is "$(hod export -o "$T/e.tar" cc)" ''
        is "$(tar -xOf "$T/e.tar" x)" x
        is "$(hod export --output="$T/e2.tar" cc && cmp "$T/e.tar" "$T/e2.tar")" ''
        refused 1 '^hod: failed to export container: invalid output path' hod export -o /nosuch/ex.tar cc
        refused 1 'invalid output path.*must be a file' hod export -o "$T" cc
        refused 1 '^hod: No such container: nosuch$' hod export nosuch
        like "$(pty -- "$HOD_BIN/hod" export cc)" 'cowardly refusing to save to a terminal. Use the -o flag or redirect'
        is "$(ls "$T"/e.tar*)" "$T/e.tar"
}

@test "import: file, -, URL; every --change, -m, --platform; what is none of it" {
        # As in the reference of Dockerfiles: $A within an instruction is what it was before it.
        hod import -c 'CMD sh' -c 'ENV A=b' -c 'ENV A=c B=$A' -c 'ENV C=$A' -m 'imported msg' "$TAR" imp:2 >/dev/null
        is "$(hod inspect -f '{{json .Config.Cmd}} {{.Config.Env}} {{.Comment}} {{len .RootFS.Layers}}' imp:2)" \
                '["/bin/sh","-c","sh"] [A=c B=b C=c] imported msg 1'
        hod import --platform linux/arm64 - imp:arm <"$TAR" >/dev/null
        is "$(hod inspect -f '{{.Os}}/{{.Architecture}}' imp:arm)" linux/arm64
        refused 1 '^hod: open nosuch.tar: no such file or directory$' hod import nosuch.tar
        refused 1 'is a directory: import takes a tar' hod import "$T"
        refused 1 '^hod: RUN is not a valid change command$' hod import -c 'RUN x' "$TAR"
        refused 1 'must be lowercase' hod import "$TAR" Bad:Name
        refused 1 'platform' hod import --platform bogus/x/y/z "$TAR"
        like "$(pty -- "$HOD_BIN/hod" import -)" 'import from a terminal'
        hod rmi imp:2 imp:arm >/dev/null
}

@test "import of a URL: as it comes; nothing of what breaks" {
        python3 - "$TAR" "$T/port" <<-'END' >/dev/null 2>&1 &
		import http.server, os, sys
		data = open(sys.argv[1], 'rb').read()
		class Handler(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        if self.path == '/moved':
		            self.send_response(302)
		            self.send_header('Location', '/good')
		            return self.end_headers()
		        if self.path == '/missing':
		            return self.send_error(404)
		        self.send_response(200)
		        self.send_header('Content-Length', str(len(data)))
		        self.end_headers()
		        self.wfile.write(data[:100000] if self.path == '/short' else b'x' * 3000 if self.path == '/junk' else data)
		server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
		open(sys.argv[2] + '.new', 'w').write(str(server.server_port))
		os.rename(sys.argv[2] + '.new', sys.argv[2])
		server.serve_forever()
	END
        pid=$!
        echo "$pid" >"$T/pids"
        eventually 10 test -s "$T/port"
        url=http://127.0.0.1:$(cat "$T/port")
        before=$(find "$HOD_ROOT"/{blobs,layers,tmp} | sort)
        refused 1 "Get \"$url/missing\": the server answered 404" hod import "$url/missing" url:1
        refused 1 "importing $url/short: " hod import "$url/short" url:1
        refused 1 "importing $url/junk: " hod import "$url/junk" url:1
        refused 1 'RUN is not a valid change command' hod import -c 'RUN x' "$url/good" url:1
        is "$(find "$HOD_ROOT"/{blobs,layers,tmp} | sort)" "$before"
        hod import -c 'CMD ["echo","hi"]' "$url/good" url:1 >/dev/null
        is "$(hod run --rm url:1)" hi
        is "$(hod inspect -f '{{.Comment}}' url:1)" "Imported from $url/good"
        hod import -m mine "$url/moved" url:2 >/dev/null
        is "$(hod inspect -f '{{.Comment}}' url:2)" mine
        kill "$pid"
        wait "$pid" || true
        refused 1 'connection refused' hod import "$url/good" url:3
        hod rmi url:1 url:2 >/dev/null
}

# Does PID, which is hod by now, do something of its own with the signal? NUMBER: the signal's.
catches() { [[ $(<"/proc/$1/comm") == hod* ]] && ((0x$(awk '/^SigCgt/ {print $2}' "/proc/$1/status") >> ($2 - 1) & 1)); }
# Is anything else in the store's tmp than BEFORE?
makes_something() { [[ $(ls -A "$HOD_ROOT/tmp") != "$1" ]]; }

# ended SIGNAL SECONDS COMMAND...: $status and $T/err of a command that gets the signal after that time.
ended() {
        status=0
        timeout --preserve-status -s "$1" "$2" "${@:3}" >"$T/out" 2>"$T/err" || status=$?
}

@test "Ctrl-C and SIGTERM in import, commit and export: said, docker's status, nothing of it is left" {
        local before after signal pid status tmp
        hod run --name big busybox sh -c 'dd if=/dev/urandom of=/big bs=1M count=12 2>/dev/null'
        before=$(hod images -aq; find "$HOD_ROOT"/{tmp,layers,blobs} -mindepth 1 -maxdepth 2 | sort)
        for signal in 2 15; do
                mkfifo "$T/slow"
                exec 7<>"$T/slow"
                head -c 60000 "$TAR" >&7
                tmp=$(ls -A "$HOD_ROOT/tmp")
                # What is started in the background does not hear of Ctrl-C, unless it is told to.
                env --default-signal=INT "$HOD_BIN/hod" import - no:1 <"$T/slow" >"$T/out" 2>"$T/err" 7>&- &
                pid=$!
                eventually 20 makes_something "$tmp"
                eventually 20 catches "$pid" "$signal"
                kill -"$signal" "$pid"
                status=0
                wait "$pid" || status=$?
                # It ends at its next step, or, while it waits for the pipe, where it is: then it promises nothing.
                like "$status $(cat "$T/err")" \
                        "^$((128 + signal)) .?hod: interrupted: (nothing was imported|look at .hod images. whether it was imported)\$"
                exec 7>&-
                rm "$T/slow"
        done
        ! hod image inspect no:1 >/dev/null 2>&1 || fail 'it was imported'
        mkdir "$T/to"
        for after in 0.003 0.006 0.01 0.02 0.04; do
                ended INT $after "$HOD_BIN/hod" export -o "$T/to/e.tar" big
                [[ $status == 0 || $status == 130 ]] || fail "status $status: $(cat "$T/err")"
                [[ ! -s $T/err ]] || like "$(cat "$T/err")" '^.?hod: interrupted: (nothing was written|the file is whole or not there)$'
                [[ $(ls -A "$T/to") == '' || $(ls -A "$T/to") == e.tar ]] || fail "left: $(ls -A "$T/to")"
                [[ ! -e $T/to/e.tar ]] || tar -tf "$T/to/e.tar" big >/dev/null
                ended INT $after "$HOD_BIN/hod" commit big no:1
                [[ $status == 0 || $status == 130 ]] || fail "status $status: $(cat "$T/err")"
                # Too late to stop it, and 130 all the same: then it does not say that nothing was done.
                if hod image inspect no:1 >/dev/null 2>&1; then
                        is "$(cat "$T/err")" ''
                        hod rmi no:1 >/dev/null
                fi
                rm -f "$T/to/e.tar"
        done
        hod commit big no:1 >/dev/null
        hod rmi no:1 >/dev/null
        hod system check >/dev/null
        is "$(hod images -aq; find "$HOD_ROOT"/{tmp,layers,blobs} -mindepth 1 -maxdepth 2 | sort)" "$before"
        rm -r "$T/to"
}

@test "import and commit on a terminal: how far they are, then the id; elsewhere the id alone" {
        hod run --name big busybox sh -c 'dd if=/dev/urandom of=/big bs=1M count=12 2>/dev/null'
        hod export -o "$T/big.tar" big
        like "$(pty -- "$HOD_BIN/hod" import "$T/big.tar" shown:1)" 'archive: Import.*sha256:[0-9a-f]{64}'
        like "$(pty -- "$HOD_BIN/hod" commit big shown:2)" 'layer: Commit.*sha256:[0-9a-f]{64}'
        like "$(hod import "$T/big.tar" shown:1)" '^sha256:[0-9a-f]{64}$'
        like "$(hod commit big shown:2)" '^sha256:[0-9a-f]{64}$'
        hod rmi shown:1 shown:2 >/dev/null
        rm "$T/big.tar"
}

@test "every flag of these commands is used above" {
        hod internal commands | python3 -c '
import json, re, sys
text = open(sys.argv[1]).read()
wanted = {"hod images": "images|names", "hod history": "history", "hod rmi": "rmi", "hod tag": "tag", "hod import": "import", "hod export": "export",
          "hod commit": "commit", "hod image inspect": "image inspect", "hod image diff": "image diff"}
missing = []
for c in json.load(sys.stdin)["commands"]:
    for o in c["options"] if c["path"] in wanted else []:
        flags = "--" + o["name"] + ("|-[a-z]*" + o["letter"] + "[a-z]*" if o.get("letter") else "")
        if not o.get("hidden") and not re.search("(" + wanted[c["path"]] + ")[^\n]*( |\")(" + flags + r")(\b|=)", text):
            missing.append(c["path"] + " --" + o["name"])
assert not missing, missing
' "$BATS_TEST_FILENAME"
}
