#!/usr/bin/env bats
# Images over a registry between hod and the programs of others: push with one, pull with the other, every direction;
# digests and content stay what they were.

load lib

setup_file() {
        peers_setup
        export HOD_ROOT=$T/root HOD_STATE=$R/hod REGISTRY=127.0.0.1:5000
        cat >"$T/registry.yml" <<-END
		version: 0.1
		log: {level: error, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $T/registry}}
		http: {addr: "$REGISTRY"}
		END
        docker-registry serve "$T/registry.yml" >"$T/registry.log" 2>&1 3>&- 4>&- &
        echo $! >"$T/registry.pid"
        start_docker
        program "$T/pm" env podman --root "$T/podman" --runroot "$R/podman" --tmpdir "$R/podman-tmp" \
                --cgroup-manager cgroupfs --events-backend file
        eventually 5 eval "(: >/dev/tcp/127.0.0.1/5000) 2>/dev/null"
        hod import -c 'CMD ["sh"]' -c 'LABEL a=b' "$(busybox_file)" bb >/dev/null
        # Two layers, the second made here, with what tars know: links, modes, odd names.
        hod run --name c bb sh -c 'mkdir -p /d/e; echo x >/d/e/f; ln /d/e/f /d/g; ln -s ../etc /d/l; chmod 4755 /d/e/f; rm /bin/vi; echo ä >"/d/ä b"'
        hod commit c two >/dev/null
        hod rm c >/dev/null
        peers_ready
}
teardown_file() {
        kill "$(cat "$T/registry.pid")"
        stop_daemons
        peers_end
}

pm() { "$T/pm" "$@" 3>&- 4>&-; }
digest_at() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REGISTRY/$1"; }
# What the image is, whoever looks.
check_tree='cd /; [ -u /d/e/f ] && [ /d/e/f -ef /d/g ] && readlink /d/l && [ ! -e /bin/vi ] && cat "/d/ä b"'
want=$'../etc\nä'

@test "hod pushes: skopeo, podman and docker take it, under the same id and digest" {
        local id d
        id=$(hod image inspect -f '{{.Id}}' two)
        hod tag two "$REGISTRY/hod/two:1"
        d=$(hod push "$REGISTRY/hod/two:1" | sed -n 's/^1: digest: \(sha256:[0-9a-f]*\) .*/\1/p')
        is "$(digest_at hod/two:1)" "$d"
        skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/hod/two:1" "dir:$T/dir"
        is "sha256:$(sha256sum <"$T/dir/manifest.json" | cut -d' ' -f1)" "$d"
        pm pull -q --tls-verify=false "$REGISTRY/hod/two:1" >/dev/null
        is "sha256:$(pm image inspect -f '{{.Id}}' "$REGISTRY/hod/two:1")" "$id"
        is "$(pm image inspect -f '{{.Digest}}' "$REGISTRY/hod/two:1")" "$d"
        dk pull -q "$REGISTRY/hod/two:1" >/dev/null
        is "$(dk image inspect -f '{{.Id}}' "$REGISTRY/hod/two:1")" "$id"
        is "$(dk image inspect -f '{{index .RepoDigests 0}}' "$REGISTRY/hod/two:1")" "$REGISTRY/hod/two@$d"
        is "$(dk run --rm --network none "$REGISTRY/hod/two:1" sh -c "$check_tree")" "$want"
}

@test "docker pushes: hod takes it and gives it back byte for byte" {
        local d
        dk tag "$REGISTRY/hod/two:1" "$REGISTRY/docker/two:1"
        dk push -q "$REGISTRY/docker/two:1" >/dev/null
        d=$(digest_at docker/two:1)
        hod rmi -f two "$REGISTRY/hod/two:1" >/dev/null
        is "$(hod pull "$REGISTRY/docker/two:1" | sed -n 's/^Digest: //p')" "$d"
        is "$(hod run --rm "$REGISTRY/docker/two:1" sh -c "$check_tree")" "$want"
        hod tag "$REGISTRY/docker/two:1" "$REGISTRY/back/two:1"
        hod push -q "$REGISTRY/back/two:1" >/dev/null
        is "$(digest_at back/two:1)" "$d"
}

@test "podman pushes gzip and zstd: hod takes them and gives them back byte for byte" {
        local kind d
        for kind in gzip zstd; do
                pm push -q --tls-verify=false --compression-format "$kind" --force-compression "$REGISTRY/hod/two:1" \
                        "docker://$REGISTRY/podman/$kind:1" 2>/dev/null ||
                        pm push -q --tls-verify=false --compression-format "$kind" "$REGISTRY/hod/two:1" "docker://$REGISTRY/podman/$kind:1"
                d=$(digest_at "podman/$kind:1")
                hod --root "$T/$kind" --state "$R/$kind" pull -q "$REGISTRY/podman/$kind:1" >/dev/null
                is "$(hod --root "$T/$kind" --state "$R/$kind" run --rm "$REGISTRY/podman/$kind:1" sh -c "$check_tree")" "$want"
                hod --root "$T/$kind" --state "$R/$kind" tag "$REGISTRY/podman/$kind:1" "$REGISTRY/back/$kind:1"
                hod --root "$T/$kind" --state "$R/$kind" push -q "$REGISTRY/back/$kind:1" >/dev/null
                is "$(digest_at "back/$kind:1")" "$d"
        done
}

@test "skopeo puts an index there: hod takes its own platform; zstd of hod is taken by podman" {
        local d
        skopeo copy -q --all --src-tls-verify=false --dest-tls-verify=false --format oci \
                "docker://$REGISTRY/hod/two:1" "docker://$REGISTRY/skopeo/two:1"
        d=$(digest_at skopeo/two:1)
        is "$(hod pull "$REGISTRY/skopeo/two:1" | sed -n 's/^Digest: //p')" "$d"
        hod tag "$REGISTRY/skopeo/two:1" "$REGISTRY/hod/zstd:1"
        hod push -q --compression zstd --force-compression "$REGISTRY/hod/zstd:1" >/dev/null
        pm rmi -fa >/dev/null
        pm pull -q --tls-verify=false "$REGISTRY/hod/zstd:1" >/dev/null
        is "$(pm run --rm --network none --cgroups disabled "$REGISTRY/hod/zstd:1" sh -c "$check_tree")" "$want"
}
