# Registries as people run them: docker-registry, plain, with TLS and a CA of its own, with passwords. Pull, push, the
# lines of docker, what is sent and what is not. Registries that misbehave: registry-hostile.bats.
# Tags: asan.

load lib
load registry

setup_file() {
        e2e_setup
        export DOCKER_CONFIG=$T/docker
        mkdir -p "$DOCKER_CONFIG" "$T/registry"
        # As docker has it: user pw's bcrypt.
        perl -e 'print "u:", crypt("secret-pw", "\$2b\$05\$abcdefghijklmnopqrstuu"), "\n"' >"$T/htpasswd"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hod-test-ca \
                -keyout "$T/ca.key" -out "$T/ca.crt" 2>/dev/null
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
                -keyout "$T/server.key" -out "$T/server.csr" 2>/dev/null
        openssl x509 -req -in "$T/server.csr" -CA "$T/ca.crt" -CAkey "$T/ca.key" -CAcreateserial -days 2 \
                -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "$T/server.crt" 2>/dev/null
        serve plain ''
        serve tls "$(printf 'tls: {certificate: %s, key: %s}' "$T/server.crt" "$T/server.key")"
        serve auth '' "auth: {htpasswd: {realm: test, path: $T/htpasswd}}"
        R=$(cat "$T/registry/plain.at")
        export R
        images
}
teardown_file() {
        local f
        for f in "$T"/registry/*.pid; do kill "$(cat "$f")" 2>/dev/null || true; done
        # What a name that moved left behind is taken back by a later command: now.
        # shellcheck disable=SC2046
        hod rmi -f $(hod images -aq | sort -u) >/dev/null
        hod system check --repair >/dev/null
        e2e_teardown
}
teardown() {
        local list
        e2e_clean
        list=$(hod images --format '{{.Repository}}:{{.Tag}}' | grep "^127\|^localhost" | grep -v '<none>' || true)
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod rmi -f $list >/dev/null 2>&1 || true
        list=$(hod images --digests --format '{{.Repository}}@{{.Digest}}' | grep "^127\|^localhost" | grep sha256 || true)
        # shellcheck disable=SC2086
        [[ -z $list ]] || hod rmi -f $list >/dev/null 2>&1 || true
}

# serve NAME HTTP-SETTINGS MORE: a docker-registry on a port that the kernel chooses; its address in $T/registry/NAME.at.
# All share one store.
serve() {
        local at
        cat >"$T/registry/$1.yml" <<-END
		version: 0.1
		log: {level: info, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $T/registry/data}, delete: {enabled: true}}
		http: {addr: "127.0.0.1:0", ${2:+$2, }secret: x}
		${3-}
		END
        docker-registry serve "$T/registry/$1.yml" >"$T/registry/$1.log" 2>&1 3>&- 4>&- &
        echo $! >"$T/registry/$1.pid"
        for _ in {1..600}; do
                at=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$T/registry/$1.log" | head -n 1)
                if [[ $at ]]; then
                        echo "$at" >"$T/registry/$1.at"
                        return 0
                fi
                alive "$(cat "$T/registry/$1.pid")" || break
                sleep 0.05
        done
        cat "$T/registry/$1.log" >&2
        return 1
}
at() { cat "$T/registry/$1.at"; }

# base: busybox. two: a layer of 3 MB more, made here.
images() {
        hod create --name c busybox sh >/dev/null
        dd if=/dev/urandom of="$T/random" bs=1M count=3 status=none
        hod run --name filled -v "$T/random:/from" busybox cp /from /random
        hod commit filled two >/dev/null
        hod rm -f c filled >/dev/null
}
digest_of() { sed -n 's/^.*[Dd]igest: \(sha256:[0-9a-f]*\).*/\1/p' <<<"$1"; }
# What docker prints, with ids and digests made equal.
same() { sed -E 's/[0-9a-f]{12}: /ID: /; s/sha256:[0-9a-f]{64}/DIGEST/; s/size: [0-9]+/size: N/' <<<"$1"; }

@test "push and pull say what docker says" {
        local out
        hod tag busybox "$R/t/bb:1"
        out=$(hod push "$R/t/bb:1")
        is "$(same "$out")" "The push refers to repository [$R/t/bb]
ID: Preparing
ID: Pushed
1: digest: DIGEST size: N"
        is "$(same "$(hod push "$R/t/bb:1")")" "The push refers to repository [$R/t/bb]
ID: Preparing
ID: Layer already exists
1: digest: DIGEST size: N"
        is "$(hod push -q "$R/t/bb:1")" "$R/t/bb:1"
        hod rmi "$R/t/bb:1" >/dev/null
        is "$(same "$(hod pull "$R/t/bb:1")")" "1: Pulling from t/bb
Digest: DIGEST
Status: Downloaded newer image for $R/t/bb:1
$R/t/bb:1"
        is "$(same "$(hod pull "$R/t/bb:1")")" "1: Pulling from t/bb
Digest: DIGEST
Status: Image is up to date for $R/t/bb:1
$R/t/bb:1"
        is "$(hod pull -q "$R/t/bb:1")" "$R/t/bb:1"
        is "$(hod pull --progress none "$R/t/bb:1")" "$R/t/bb:1"
}

@test "pull of what is not here says what docker says, and gives the same content" {
        local out
        hod tag two "$R/t/two:1"
        hod push -q "$R/t/two:1" >/dev/null
        out=$(hod --root "$T/other" --state "$T/other-state" pull "$R/t/two:1")
        is "$(same "$out" | grep -c '^ID: Pulling fs layer$')" 2
        is "$(same "$out" | grep -c '^ID: Download complete$')" 2
        is "$(same "$out" | grep -c '^ID: Pull complete$')" 2
        is "$(same "$out" | tail -n 3)" "Digest: DIGEST
Status: Downloaded newer image for $R/t/two:1
$R/t/two:1"
        is "$(hod --root "$T/other" --state "$T/other-state" run --rm --network none "$R/t/two:1" sha256sum /random | cut -d' ' -f1)" \
                "$(sha256sum <"$T/random" | cut -d' ' -f1)"
        # a layer that is here is not fetched again
        hod rmi "$R/t/two:1" two >/dev/null
        out=$(hod pull "$R/t/two:1")
        is "$(same "$out" | grep -c 'ID: Pull complete')" 1
        is "$(same "$out" | grep -c 'ID: Already exists')" 1
        hod tag "$R/t/two:1" two
        rm -rf "$T/other-state"
        # btrfs or overlay: nothing of it is mounted
        rm -rf "$T/other"
}

@test "a layer that lost content, and whose blob is not here: a repair drops it, the next pull has it again" {
        other() { "$HOD_BIN/hod" --root "$T/other" --state "$T/other-state" "$@"; }
        hod tag two "$R/t/heal:1"
        hod push -q "$R/t/heal:1" >/dev/null
        hod rmi "$R/t/heal:1" >/dev/null
        other pull -q "$R/t/heal:1" >/dev/null
        other image prune --blobs -f >/dev/null
        printf x | dd of="$(find "$T/other/layers" -name random)" bs=1 seek=1000000 conv=notrunc status=none
        run other system check
        is "$status" 1
        like "$output" "wrong: layer sha256:.*; after a repair, $R/t/heal@sha256:[0-9a-f]+ can be pulled again"
        for driver in overlay vfs; do # one with a copy of its own needs it, too
                id=$(other --storage-driver $driver create "$R/t/heal:1" true)
                run other system check --repair
                is "$status" 1
                like "$output" "; not removed, because container ${id:0:12} needs it; pull $R/t/heal@sha256:"
                other rm "$id" >/dev/null
        done
        run other system check --repair
        is "$status" 1
        like "$output" "; removed; pull $R/t/heal@sha256:[0-9a-f]+ again"
        like "$(other pull "$R/t/heal:1")" ': Pull complete'
        other system check >/dev/null
        is "$(other run --rm --network none "$R/t/heal:1" sha256sum /random | cut -d' ' -f1)" "$(sha256sum <"$T/random" | cut -d' ' -f1)"
        rm -rf "$T/other-state" "$T/other"
}

@test "what a repair dropped is fetched by run, also for an image that was made from the one that was pulled" {
        local before image out
        other() { "$HOD_BIN/hod" --root "$T/other" --state "$T/other-state" "$@"; }
        hod tag two "$R/t/heal:2"
        hod push -q "$R/t/heal:2" >/dev/null
        hod rmi "$R/t/heal:2" >/dev/null
        other pull -q "$R/t/heal:2" >/dev/null
        other commit "$(other create "$R/t/heal:2" sh)" child:1 >/dev/null
        other rm "$(other ps -aq)" >/dev/null
        for image in child:1 "$R/t/heal:2" "$(other images -q child:1)"; do
                other image prune --blobs -f >/dev/null
                printf x | dd of="$(find "$T/other/layers" -name random)" bs=1 seek=1000000 conv=notrunc status=none
                run other system check --repair
                is "$status" 1
                like "$output" "; removed, which image child:1 needs, too; pull $R/t/heal@sha256:[0-9a-f]+ again"
                refused 125 "image $image lacks its layer sha256:[0-9a-f]+: pull $R/t/heal@sha256:[0-9a-f]+ again" \
                        other run --rm --pull never "$image" true
                is "$(other ps -aq)" ""
                out=$(other run --rm --network none "$image" sha256sum /random 2>"$T/err") || fail "$(cat "$T/err")"
                is "${out%% *}" "$(sha256sum <"$T/random" | cut -d' ' -f1)"
                like "$(cat "$T/err")" "^Image '$image' lacks a layer: pulling $R/t/heal@sha256:"
        done
        other system check >/dev/null
        # The same image, here with another manifest: that of the archive, which nothing would need, does not stay.
        other save -o "$T/pulled.tar" "$R/t/heal:2"
        before=$(ls "$HOD_ROOT/blobs/sha256")
        is "$(hod load -i "$T/pulled.tar")" "Loaded image: $R/t/heal:2"
        is "$(ls "$HOD_ROOT/blobs/sha256")" "$before"
        # What a registry has under the name of an image that was made here does not stand in for it.
        other rmi "$R/t/heal:2" >/dev/null
        rm -rf "$(dirname "$(find "$T/other/layers" -name random)")"
        refused 125 "image child:1 lacks its layer sha256:[0-9a-f]+, which no image here was pulled with" \
                other run --rm child:1 true
        rm -rf "$T/other-state" "$T/other" "$T/pulled.tar"
}

@test "what does not exist" {
        refused 1 "manifest for $R/t/bb:nosuch not found: manifest unknown: manifest unknown" hod pull -q "$R/t/bb:nosuch"
        refused 1 "manifest for $R/nosuch/x:latest not found: manifest unknown" hod pull -q "$R/nosuch/x"
        refused 1 'dial tcp 127.0.0.1:1: connect: connection refused' hod pull -q 127.0.0.1:1/x
        refused 1 'must be lowercase' hod pull Bad
        refused 1 'An image does not exist locally with the tag: .*/t/nosuch$' hod push -q "$R/t/nosuch:1"
        hod tag busybox "$R/t/bb:1"
        refused 1 'tag does not exist: .*/t/bb:latest$' hod push -q "$R/t/bb"
        refused 1 "tag can't be used with --all-tags/-a" hod push -a "$R/t/bb:1"
        refused 1 "tag can't be used with --all-tags/-a" hod pull -a "$R/t/bb:1"
        refused 1 'cannot push a digest reference' hod push "$R/t/bb@sha256:$(printf '0%.0s' {1..64})"
        refused 1 'invalid compression' hod push --compression lzma "$R/t/bb:1"
        refused 1 'invalid level.*gzip has 1 to 9' hod push --compression gzip:10 "$R/t/bb:1"
}

@test "all tags, both ways" {
        local out
        hod tag busybox "$R/t/all:1"
        hod tag two "$R/t/all:2"
        out=$(hod push -a "$R/t/all")
        is "$(grep -c ': digest: sha256' <<<"$out")" 2
        hod rmi "$R/t/all:1" "$R/t/all:2" >/dev/null
        out=$(hod pull -a "$R/t/all")
        is "$(grep -c 'Pulling from t/all' <<<"$out")" 2
        is "$(tail -n 2 <<<"$out")" "Status: Downloaded newer image for $R/t/all
$R/t/all"
        is "$(hod images -q "$R/t/all" | wc -l)" 2
}

@test "by digest; what was received goes out under the same digest" {
        local d out
        hod tag two "$R/t/d:1"
        d=$(digest_of "$(hod push "$R/t/d:1")")
        hod rmi "$R/t/d:1" two >/dev/null
        out=$(hod pull "$R/t/d@$d")
        is "$(head -n 1 <<<"$out")" "$R/t/d@$d: Pulling from t/d"
        is "$(hod image inspect -f '{{index .RepoDigests 0}}' "$R/t/d@$d")" "$R/t/d@$d"
        hod tag "$R/t/d@$d" "$R/other/d:2"
        is "$(digest_of "$(hod push "$R/other/d:2")")" "$d" 'the digest after pull and push'
        hod tag "$R/t/d@$d" two
}

@test "layers are mounted from another repository, by what was pulled or pushed" {
        local out
        hod tag two "$R/t/from:1"
        hod push -q "$R/t/from:1" >/dev/null
        hod tag two "$R/m/to:1"
        out=$(same "$(hod push "$R/m/to:1")")
        is "$(grep -cE 'ID: Mounted from (t|other)/' <<<"$out")" 2 "$out"
}

@test "compression: gzip, zstd, levels; the second push sends nothing" {
        local gz zstd
        hod tag two "$R/t/gz:1"
        hod tag two "$R/t/zstd:1"
        gz=$(digest_of "$(hod push --compression gzip:1 --digestfile "$T/digest" "$R/t/gz:1")")
        is "$(cat "$T/digest")" "$gz"
        zstd=$(digest_of "$(hod push --compression zstd:3 --force-compression "$R/t/zstd:1")")
        curl -sH 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/t/gz/manifests/1" >"$T/gz"
        curl -sH 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/t/zstd/manifests/1" >"$T/zstd"
        is "$(jq -r '[.layers[].mediaType | split("+")[1]] | unique | join(" ")' "$T/gz")" gzip
        is "$(jq -r '[.layers[].mediaType | split("+")[1]] | unique | join(" ")' "$T/zstd")" zstd
        is "$(grep -c 'Layer already exists' <<<"$(hod push --compression zstd:3 --force-compression "$R/t/zstd:1")")" 2
        is "$(digest_of "$(hod push --compression zstd:3 --force-compression "$R/t/zstd:1")")" "$zstd"
        # one that came as gzip goes out as zstd if that is forced
        hod rmi "$R/t/gz:1" "$R/t/zstd:1" two >/dev/null
        hod pull -q "$R/t/gz:1" >/dev/null
        hod tag "$R/t/gz:1" "$R/t/forced:1"
        is "$(digest_of "$(hod push "$R/t/forced:1")")" "$gz" 'not forced'
        hod push -q --force-compression --compression zstd:2 "$R/t/forced:1" >/dev/null
        curl -sH 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/t/forced/manifests/1" >"$T/forced"
        is "$(jq -r '[.layers[].mediaType | split("+")[1]] | unique | join(" ")' "$T/forced")" zstd
        is "$(hod --root "$T/other" --state "$T/other-state" run --rm --network none "$R/t/forced:1" sha256sum /random 2>/dev/null | cut -d' ' -f1)" \
                "$(sha256sum <"$T/random" | cut -d' ' -f1)"
        rm -rf "$T/other" "$T/other-state"
        hod tag "$R/t/gz:1" two
}

@test "the second pull of the same takes little time" {
        local best=999 ms
        hod tag busybox "$R/t/bb:1"
        hod push -q "$R/t/bb:1" >/dev/null
        hod pull -q "$R/t/bb:1" >/dev/null
        for _ in 1 2 3 4 5; do
                ms=$(millis hod pull -q "$R/t/bb:1")
                ((ms >= best)) || best=$ms
        done
        ((best <= 500)) || fail "$best ms" # 16 on a quiet machine: bench/
}

@test "indexes: the best for a platform, none for another, pushed whole when all is here" {
        local m index other=(hod --root "$T/other" --state "$T/other-state")
        hod tag busybox "$R/t/ix:child"
        hod push -q "$R/t/ix:child" >/dev/null
        m=$(curl -sH 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$R/v2/t/ix/manifests/child")
        index=$(jq -nc --arg d "sha256:$(printf %s "$m" | sha256sum | cut -d' ' -f1)" --argjson n "${#m}" \
                --arg a "$(hod image inspect -f '{{.Architecture}}' busybox)" '{schemaVersion: 2,
                mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
                {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $n,
                platform: {os: "linux", architecture: $a}}]}')
        curl -sfX PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary "$index" \
                "http://$R/v2/t/ix/manifests/multi" >/dev/null
        refused 1 'no matching manifest for linux/s390x in the manifest list entries' hod pull -q --platform linux/s390x "$R/t/ix:multi"
        index=sha256:$(printf %s "$index" | sha256sum | cut -d' ' -f1)
        is "$(digest_of "$("${other[@]}" pull "$R/t/ix:multi")")" "$index"
        is "$("${other[@]}" pull -q "$R/t/ix:multi")" "$R/t/ix:multi"
        "${other[@]}" tag "$R/t/ix:multi" "$R/u/ix:again"
        is "$(digest_of "$("${other[@]}" push "$R/u/ix:again")")" "$index"
        refused 1 'does not provide the specified platform \(linux/s390x\)' "${other[@]}" push -q --platform linux/s390x "$R/u/ix:again"
        rm -rf "$T/other" "$T/other-state"
        # of an image that is not one of several, a wrong platform is only worth a warning
        like "$(hod pull --platform linux/s390x "$R/t/ix:child")" \
                'WARNING: image with reference .*/t/ix:child was found but its platform \(linux/[a-z0-9]+\) does not match the specified platform \(linux/s390x\)'
}

@test "TLS: unknown authority, certs.d, --cert-dir, --tls-verify=false" {
        local s
        s=$(at tls)
        hod tag busybox "$R/t/bb:1"
        hod push -q "$R/t/bb:1" >/dev/null
        refused 1 '(certificate|x509)' hod pull -q --tls-verify "$s/t/bb:1"
        mkdir -p "$T/certs"
        cp "$T/ca.crt" "$T/certs/ca.crt"
        is "$(hod pull -q --tls-verify --cert-dir "$T/certs" "$s/t/bb:1")" "$s/t/bb:1"
        refused 1 'directory of certificates /nosuch: No such file' hod pull -q --cert-dir /nosuch "$s/t/bb:1"
        refused 1 'proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused' \
                env HTTP_PROXY=http://127.0.0.1:1 "$HOD_BIN/hod" --insecure-registry reg.test pull -q reg.test/x
        is "$(hod pull -q --tls-verify=false "$s/t/bb:1")" "$s/t/bb:1"
        # certs.d: where docker looks
        mkdir -p "/etc/docker/certs.d/$s"
        cp "$T/ca.crt" "/etc/docker/certs.d/$s/ca.crt"
        run hod pull -q --tls-verify "$s/t/bb:1"
        rm -rf "/etc/docker/certs.d/$s"
        rmdir /etc/docker/certs.d 2>/dev/null || true
        is "$status" 0 "$output"
        refused 1 '(certificate|x509|HTTP|TLS|SSL)' hod pull -q --tls-verify "$R/t/bb:1"
}

@test "passwords: --creds, login and logout; docker's words without" {
        local a
        a=$(at auth)
        hod tag busybox "$a/p/bb:1"
        refused 1 'no basic auth credentials' hod push -q "$a/p/bb:1"
        like "$(hod push "$a/p/bb:1" 2>&1)" ': Preparing'
        is "$(hod push -q --creds u:secret-pw "$a/p/bb:1")" "$a/p/bb:1"
        hod rmi "$a/p/bb:1" >/dev/null
        refused 1 'no basic auth credentials' hod pull -q "$a/p/bb:1"
        refused 1 'unauthorized' hod pull -q --creds u:wrong "$a/p/bb:1"
        printf 'secret-pw\n' | hod login -u u --password-stdin "$a" >/dev/null 2>&1
        is "$(hod pull -q "$a/p/bb:1")" "$a/p/bb:1"
        refused 1 'manifest for .*/p/nosuch:1 not found: manifest unknown' hod pull -q "$a/p/nosuch:1"
        hod logout "$a" >/dev/null
        refused 1 'no basic auth credentials' hod pull -q --platform linux/s390x "$a/p/bb:2"
}

@test "run and create pull what is missing, on stderr" {
        local out
        hod tag busybox "$R/t/run:1"
        hod push -q "$R/t/run:1" >/dev/null
        hod rmi "$R/t/run:1" >/dev/null
        refused 125 "No such image: $R/t/run:1" hod run --rm --pull never "$R/t/run:1" true
        out=$(hod run --rm "$R/t/run:1" echo ran 2>"$T/err")
        is "$out" ran
        is "$(same "$(cat "$T/err")")" "Unable to find image '$R/t/run:1' locally
1: Pulling from t/run
Digest: DIGEST
Status: Downloaded newer image for $R/t/run:1"
        is "$(hod run --rm "$R/t/run:1" echo again 2>&1)" again
        hod rmi "$R/t/run:1" >/dev/null
        is "$(hod run --rm -q "$R/t/run:1" echo quiet 2>&1)" quiet
        out=$(hod run --rm --pull always "$R/t/run:1" cat 2>"$T/err" <<<stdin)
        is "$out" ''
        like "$(cat "$T/err")" "Status: Image is up to date for $R/t/run:1"
        is "$(hod run -i --rm --pull always -q "$R/t/run:1" cat <<<stdin)" stdin
        # newer: what the registry does not have is no failure when it is here
        hod tag busybox "$R/t/local:1"
        is "$(hod run --rm -q --pull newer "$R/t/local:1" echo here 2>&1)" here
        refused 125 "manifest for $R/t/none:1 not found" hod run --rm --pull newer "$R/t/none:1" true
        hod rmi "$R/t/run:1" >/dev/null
        like "$(hod create "$R/t/run:1" true 2>/dev/null)" '^[0-9a-f]{64}$'
        refused 125 'error parsing specified platform' hod run --rm --platform a/b/c/d busybox true
        run hod run --rm --platform linux/s390x "$R/t/run:1" true
        is "$status" 125
        like "$output" "does not match the specified platform \(linux/s390x\)"
        refused 125 'invalid pull option' hod run --rm --pull bogus busybox true
}

@test "progress: a terminal's lines, narrow ones too, JSON, nothing" {
        local out
        hod tag two "$R/t/two:1"
        hod push -q "$R/t/two:1" >/dev/null
        hod rmi "$R/t/two:1" two >/dev/null
        out=$(hod pull --progress json "$R/t/two:1")
        jq -e . <<<"$out" >/dev/null
        is "$(jq -r 'select(.id and .progressDetail == {}) | .status' <<<"$out" | sort -u | head -n 1)" 'Already exists'
        like "$(jq -r 'select(.id | not) | .status' <<<"$out" | tail -n 1)" 'Status: Downloaded newer image'
        hod rmi "$R/t/two:1" >/dev/null
        out=$(hod pull --progress tty "$R/t/two:1")
        like "$out" $'\033'
        like "$out" 'Pull complete'
        hod tag "$R/t/two:1" two
}
