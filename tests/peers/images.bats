#!/usr/bin/env bats
# Images by and for others: what hod writes skopeo, umoci, podman and docker read, and the other way round; digests stay.

load lib

pm() { "$T/pm" "$@" 3>&- 4>&-; }
bh() { "$T/bh" "$@" 3>&- 4>&-; }
sk() { skopeo --insecure-policy "$@" 3>&- 4>&-; }
hod() { "$HOD_BIN/hod" "$@"; }

setup_file() {
        peers_setup
        export HOD_ROOT=$T/root HOD_STATE=$T/state
        start_docker
        program "$T/pm" podman --root "$T/podman" --runroot "$R/podman" --tmpdir "$R/podman-tmp" --cgroup-manager cgroupfs \
                --events-backend file
        program "$T/bh" buildah --root "$T/podman" --runroot "$R/podman"
        cat >"$T/registry.yml" <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $T/registry}}
		http: {addr: '127.0.0.1:5000'}
		END
        daemon registry docker-registry serve "$T/registry.yml"
        # Two layers, made by hod; one more compressed image of umoci's.
        hod import -c 'CMD ["sh"]' "$(busybox_file)" busybox >/dev/null
        hod commit -c 'LABEL made=by-hod' "$(hod create busybox touch /second)" made:1 >/dev/null
        c=$(hod create --name c busybox touch /second)
        hod start -a c
        hod commit -c 'LABEL made=by-hod' "$c" made:1 >/dev/null
        hod rm c "$(hod ps -aq | grep -v "${c:0:12}")" >/dev/null
        mkdir -p "$T/tree/etc"
        echo umoci >"$T/tree/etc/by"
        umoci init --layout "$T/umoci"
        umoci new --image "$T/umoci:first"
        umoci insert --image "$T/umoci:first" "$T/tree" /
        umoci config --image "$T/umoci:first" --config.cmd sh --config.label by=umoci
        eventually 20 curl -sf http://127.0.0.1:5000/v2/ >/dev/null
        peers_ready
}
teardown_file() {
        pm rmi -fa >/dev/null 2>&1 || true
        peers_clean '^\+mount .*/podman(/overlay)? '
        stop_daemon registry
        stop_daemons
        peers_end
}

# What is in the manifest: the digests of config and layers.
blobs() { jq -c '[.config.digest, (.layers[].digest)]'; }
id() { hod inspect -f '{{.Id}}' "$1"; }
label() { hod inspect -f '{{json .Config.Labels}}' "$1"; }

@test "hod save: skopeo and umoci accept it; the digests are those that hod has" {
        hod save -o made.tar made:1
        hod save --format oci-archive -o made.oci made:1
        hod save --format oci-dir -o made.d made:1
        hod save --format docker-dir -o made.dd made:1
        digest=$(jq -r '.manifests[0].digest' made.d/index.json)
        for from in oci:made.d:1 oci-archive:made.oci; do
                is "$(sk inspect "$from" | jq -r .Digest)" "$digest" "$from"
        done
        is "$(sk inspect docker-archive:made.tar:made:1 | jq -r .Labels.made)" by-hod
        is "$(sk inspect --raw dir:made.dd | blobs)" "$(sk inspect --raw oci:made.d:1 | blobs)"
        is "$(sk inspect --raw dir:made.dd | jq -r .mediaType)" application/vnd.docker.distribution.manifest.v2+json
        # skopeo reads every byte and compares
        sk copy -q oci-archive:made.oci dir:verified
        sk copy -q docker-archive:made.tar:made:1 oci:verified2:x
        is "$(umoci list --layout made.d)" 1
        umoci stat --image made.d:1 --json | jq -e '.history | length >= 2' >/dev/null
        umoci unpack --image made.d:1 bundle >/dev/null
        [[ -e bundle/rootfs/second ]]
        rm -rf bundle
}

@test "hod save: podman and docker load it, and run what is in it" {
        hod save made:1 busybox >both.tar
        for f in both.tar made.oci; do
                pm load -q -i "$f" | grep -q 'made:1'
                is "$(pm inspect --type image --format '{{.Id}}' made:1)" "$(id made:1 | cut -d: -f2)" "$f"
                is "$(pm inspect --type image --format '{{.Config.Labels.made}}' made:1)" by-hod
                pm rmi -fa >/dev/null
        done
        pm load -q <both.tar >/dev/null
        is "$(pm images -q | wc -l)" 2
        like "$(dk load -i both.tar)" 'Loaded image: made:1'
        is "$(dk inspect -f '{{.Id}}' made:1)" "$(id made:1)"
        dk run --rm --runtime runc --network none made:1 test -e /second
}

@test "docker save and podman save, each in its forms: hod loads them with the same id, and runs them" {
        dk save -o d.tar made:1 busybox
        dk save made:1 | gzip >d.tar.gz
        dk rmi -f made:1 >/dev/null
        want=$(id made:1)
        for f in d.tar d.tar.gz; do
                hod rmi made:1 >/dev/null
                hod load -i "$f" | grep -qx 'Loaded image: made:1'
                is "$(id made:1)" "$want" "$f"
        done
        for form in docker-archive oci-archive oci-dir docker-dir; do
                rm -rf p
                pm save -q --format "$form" -o p made:1
                hod rmi -f "$want" >/dev/null
                out=$(hod load -i p)
                like "$out" 'Loaded image' "$form"
                # podman writes another config, and so another id, for a form that is not that in which it got the image
                is "$(hod inspect -f '{{.Config.Labels.made}}' "${out##* }")" by-hod "$form"
                hod load -q -i d.tar >/dev/null
        done
        pm save -q -m -o p.tar made:1 busybox
        hod rmi made:1 >/dev/null
        like "$(hod load <p.tar)" 'made:1'
        hod load -q -i d.tar >/dev/null
        is "$(id made:1)" "$want"
        hod run --rm made:1 test -e /second
}

@test "layouts that skopeo and umoci made, an image that buildah made" {
        out=$(hod load -i umoci)
        like "$out" '^Loaded image ID: sha256:[0-9a-f]{64}$'
        is "$(label "${out##* }")" '{"by":"umoci"}'
        digest=$(jq -r '.manifests[0].digest' umoci/index.json)
        is "$(hod image copy -q "${out##* }" dir:u)" "$digest"
        sk copy -q oci:umoci:first oci-archive:u.tar:reg.example/u:1
        like "$(hod load -i u.tar)" '^Loaded image: reg.example/u:1$'
        sk copy -q oci:umoci:first docker-archive:ud.tar:reg.example/u:2
        like "$(hod load -i ud.tar)" '^Loaded image: reg.example/u:2$'
        c=$(bh from scratch)
        bh copy -q "$c" "$(busybox_file)" /etc/busybox.tar >/dev/null
        bh config --cmd true --label by=buildah "$c"
        bh commit -q --rm "$c" oci:built:by-buildah >/dev/null
        out=$(hod load -i built)
        like "$(label "${out##* }")" '"by":"buildah"'
}

@test "image copy: to a registry and from it, as skopeo would; digests stay, all platforms too" {
        reg=127.0.0.1:5000
        digest=$(hod image copy -q made:1 "docker://$reg/a/made:1")
        is "$(sk inspect --tls-verify=false "docker://$reg/a/made:1" | jq -r .Digest)" "$digest"
        is "$(hod image copy -q "docker://$reg/a/made:1" "docker://$reg/b/made:2")" "$digest"
        is "$(hod image copy -q "docker://$reg/b/made:2" oci:back:x)" "$digest"
        is "$(hod image copy -q "docker://$reg/b/made@$digest" back:1)" "$digest"
        is "$(id back:1)" "$(id made:1)"
        sk copy -q --dest-tls-verify=false oci:umoci:first "docker://$reg/a/umoci:1"
        is "$(hod image copy -q "docker://$reg/a/umoci:1" dir:fromreg)" "$(jq -r '.manifests[0].digest' umoci/index.json)"
        ends 1 "$HOD_BIN/hod" image copy -q "docker://$reg/a/none" dir:none
        like "$(<"$T/err")" 'manifest for 127.0.0.1:5000/a/none:latest not found'
        [[ ! -e none ]]
}

@test "manifest: create, annotate, inspect, push, rm; skopeo, podman and docker read the list" {
        reg=127.0.0.1:5000
        hod import --platform linux/arm64 "$(busybox_file)" arm:1 >/dev/null
        arm=$(hod image copy -q arm:1 "docker://$reg/c/arm:1")
        amd=$(hod image copy -q made:1 "docker://$reg/c/amd:1")
        is "$(hod manifest create "$reg/d/list:1" "$reg/c/arm:1" "$reg/c/amd:1")" "Created manifest list $reg/d/list:1"
        ends 1 "$HOD_BIN/hod" manifest create "$reg/d/list:1" "$reg/c/arm:1"
        like "$(<"$T/err")" 'refusing to amend an existing manifest list with no --amend flag'
        hod manifest create -a "$reg/d/list:1" "$reg/c/amd:1" >/dev/null
        hod manifest annotate --variant v8 --os-version 1 --os-features x,y --os linux --arch arm64 "$reg/d/list:1" "$reg/c/arm:1"
        ends 1 "$HOD_BIN/hod" manifest annotate --arch nonsense "$reg/d/list:1" "$reg/c/arm:1"
        like "$(<"$T/err")" 'unsupported os/arch combination: linux/nonsense'
        ends 1 "$HOD_BIN/hod" manifest annotate --arch arm64 "$reg/d/list:1" "$reg/c/none:1"
        like "$(<"$T/err")" 'does not exist in'
        is "$(hod manifest inspect "$reg/d/list:1" | jq -c '[.manifests[] | .platform.architecture] | sort')" '["amd64","arm64"]'
        is "$(hod manifest inspect -v "$reg/d/list:1" "$reg/c/arm:1" | jq -cS '.Descriptor.platform')" \
                '{"architecture":"arm64","os":"linux","os.features":["x","y"],"os.version":"1","variant":"v8"}'
        is "$(hod manifest inspect "$reg/c/arm:1" | head -n 2)" $'{\n\t"schemaVersion": 2,'
        ends 1 "$HOD_BIN/hod" manifest inspect "$reg/c/none:1"
        like "$(<"$T/err")" "no such manifest: $reg/c/none:1"
        digest=$(hod manifest push --insecure -p "$reg/d/list:1" 2>/dev/null)
        is "sha256:$(sk inspect --raw --tls-verify=false "docker://$reg/d/list:1" | sha256sum | cut -d' ' -f1)" "$digest"
        is "$(sk inspect --tls-verify=false --override-arch arm64 --override-variant v8 "docker://$reg/d/list:1" | jq -r .Digest)" "$digest"
        is "$(sk inspect --raw --tls-verify=false "docker://$reg/d/list@$amd" | sha256sum | cut -d' ' -f1)" "${amd#*:}"
        is "$(sk inspect --raw --tls-verify=false "docker://$reg/d/list@$arm" | sha256sum | cut -d' ' -f1)" "${arm#*:}"
        dk pull -q "$reg/d/list:1" >/dev/null
        is "$(dk inspect -f '{{.Id}}' "$reg/d/list:1")" "$(id made:1)"
        is "$(hod image copy -q --all "docker://$reg/d/list:1" "docker://$reg/e/list:2")" "$digest"
        is "$(hod image copy -q --all "docker://$reg/e/list:2" oci:listed:x)" "$digest"
        sk copy -q --all --preserve-digests --dest-tls-verify=false oci:listed:x "docker://$reg/f/list:3"
        is "$(hod image copy -q --platform linux/arm64 "docker://$reg/f/list:3" dir:armonly)" "$arm"
        # -p has forgotten it: what is inspected is the registry's
        is "$(hod manifest inspect -v "$reg/d/list:1" | jq length)" 2
        ends 1 "$HOD_BIN/hod" manifest rm "$reg/d/list:1" nosuch
        is "$(grep -c 'No such manifest' "$T/err")" 2
        hod manifest create "$reg/d/list:1" "$reg/c/arm:1" >/dev/null
        hod manifest rm "$reg/d/list:1"
        ends 1 "$HOD_BIN/hod" manifest push "$reg/d/list:1"
        like "$(<"$T/err")" 'not found'
}
