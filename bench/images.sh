#!/usr/bin/env bash
# Compare what hod does with images with docker.io and podman from Debian and with tar, in one run on one machine: pull,
# push, save, load, import, commit of an image of four layers. Writes the section "Images" of bench/RESULTS.md.
#   bench/images.sh [--quick] [--no-peers] [--disk DIRECTORY] [--files N] [--megabytes N]
# Everything lies on a tmpfs, so that neither the disk nor what was deleted there before is measured; with --disk it lies
# below DIRECTORY. Three rounds, all engines in turn in each; the medians count.
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../tools/common.bash"
# shellcheck source=bench/common.bash
. "$top/bench/common.bash"

arguments=("$@")
rounds=3 peers=1 disk='' files=28000 megabytes=450
while (($#)); do
        case $1 in
        --quick) rounds=1 ;;
        --no-peers) peers=0 ;;
        --disk)
                disk=$2
                shift
                ;;
        --files)
                files=$2
                shift
                ;;
        --megabytes)
                megabytes=$2
                shift
                ;;
        *) die "unknown argument '$1'" ;;
        esac
        shift
done
((EUID == 0)) || die "needs root"
need_packages "${packages_build[@]}" "${packages_image[@]}" "${packages_images_bench[@]}"
build_in "$top/build-release" -Dtests=false --buildtype=release -Doptimization=2
# A mount namespace of its own: the tmpfs and what the engines mount are nobody else's.
if [[ ${HOD_BENCH_INSIDE-} != 1 ]]; then
        HOD_BENCH_INSIDE=1 exec unshare --mount --propagation private "$top/bench/images.sh" "${arguments[@]}"
fi

B=$(mktemp -d "${disk:-${TMPDIR:-/tmp}}/hod-bench.XXXXXX")
R=$(mktemp -d /run/hod-bench.XXXXXX)
[[ $disk ]] || mount -t tmpfs -o size=90% tmpfs "$B"
export HOD_ROOT=$B/hod HOD_STATE=$R/hod
hod=$top/build-release/bin/hod
export HOME=$R TMPDIR=$B/tmp
mkdir -p "$TMPDIR"
peers_begin
podman_flags=(--ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --runtime runc)
# shellcheck disable=SC2317  # called by the trap
finish() {
        set +e
        local engine
        cd /
        for engine in "${engines[@]}"; do "$engine" rm -f bench >/dev/null 2>&1; done
        [[ $disk ]] || umount -l "$B"/podman/overlay 2>/dev/null
        peers_end 2>/dev/null # $B may be a mount
        [[ $disk ]] || umount -l "$B"
        rmdir "$B" 2>/dev/null
}
trap finish EXIT

# --- the engines, one function each; the verbs are docker's
engines=(hod)
hod() { "$hod" "$@"; }
docker() { "${docker_cmd[@]}" "$@"; }
podman() { command "${podman_cmd[@]}" "$@"; }
if ((peers)); then
        engines+=(docker podman)
        # shellcheck disable=SC2119  # our arguments are not its
        start_docker
fi
registry_flags() { [[ $1 == docker ]] || echo --tls-verify=false; }

# --- the image: a layout that skopeo puts where it is wanted
say "making $files files of $megabytes MB" >&2
"$top/bench/tree.sh" "$B/tree" "$files" "$megabytes" 4
mkdir -p "$B/tree/layer-1/bin"
cp "$(command -v busybox)" "$B/tree/layer-1/bin/busybox"
make_layout() { # DIR LAYER-DIR...: gzip -6, as docker's is
        local dir=$1 l size diff_ids=() layers=() config blobs=$1/blobs/sha256 sum
        shift
        mkdir -p "$blobs"
        put() { # FILE: into the blobs; its digest and size
                sum=$(sha256sum "$1" | cut -d' ' -f1)
                size=$(stat -c %s "$1")
                mv "$1" "$blobs/$sum"
        }
        for l in "$@"; do
                tar -C "$l" --sort=name --numeric-owner -cf "$B/layer.tar" .
                diff_ids+=("sha256:$(sha256sum "$B/layer.tar" | cut -d' ' -f1)")
                gzip -n -6 <"$B/layer.tar" >"$B/layer.gz"
                put "$B/layer.gz"
                layers+=("$(jq -nc --arg d "sha256:$sum" --argjson s "$size" \
                        '{mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: $d, size: $s}')")
        done
        rm -f "$B/layer.tar"
        jq -nc '{architecture: "amd64", os: "linux", config: {Cmd: ["/bin/busybox", "sh"]},
                rootfs: {type: "layers", diff_ids: $ARGS.positional}}' --args "${diff_ids[@]}" >"$B/config"
        put "$B/config"
        config=$(jq -nc --arg d "sha256:$sum" --argjson s "$size" '{mediaType: "application/vnd.oci.image.config.v1+json", digest: $d, size: $s}')
        printf '%s\n' "${layers[@]}" | jq -sc --argjson c "$config" \
                '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $c, layers: .}' >"$B/manifest"
        put "$B/manifest"
        jq -nc --arg d "sha256:$sum" --argjson s "$size" '{schemaVersion: 2, manifests: [{mediaType:
                "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $s,
                annotations: {"org.opencontainers.image.ref.name": "bench"}}]}' >"$dir/index.json"
        echo '{"imageLayoutVersion": "1.0.0"}' >"$dir/oci-layout"
}
make_layout "$B/layout" "$B"/tree/layer-*
compressed=$(du -sm "$B/layout" | cut -f1)
mkdir "$B/all"
cp -al "$B"/tree/layer-*/. "$B/all/" 2>/dev/null || for l in "$B"/tree/layer-*; do cp -a "$l/." "$B/all/"; done
tar -C "$B/all" --sort=name --numeric-owner -cf "$B/all.tar" .
n_files=$(find "$B/all" -type f | wc -l)
plain=$(($(stat -c %s "$B/all.tar") / 1000000))

# --- registries: one that has the image, and for each push an empty one
# start_registry NAME: an empty one; $port is where it listens, its process is the last of $pids.
start_registry() {
        port=$(free_port 1)
        mkdir -p "$B/registry-$1"
        cat >"$B/registry-$1.yml" <<-END
		version: 0.1
		log: {level: error, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $B/registry-$1}}
		http: {addr: "127.0.0.1:$port"}
		END
        docker-registry serve "$B/registry-$1.yml" >"$B/registry-$1.log" 2>&1 &
        pids+=($!)
        for _ in {1..100}; do
                if : 2>/dev/null <>"/dev/tcp/127.0.0.1/$port"; then return 0; fi
                sleep 0.05
        done
        die "docker-registry does not start: $(tail -n 1 "$B/registry-$1.log")"
}
stop_registry() {
        kill "${pids[-1]}"
        unset 'pids[-1]'
        rm -rf "$B/registry-$1"
}
start_registry source
source_port=$port
image=127.0.0.1:$source_port/bench:1
skopeo copy -q --dest-tls-verify=false "oci:$B/layout:bench" "docker://$image"

# --- measuring: the times of a job by engine are lines of $B/times.JOB.ENGINE
mkdir -p "$B/times"
timed() { # JOB ENGINE COMMAND...
        local file=$B/times/$1.$2 t0 t1
        shift 2
        sync -f "$B"
        t0=${EPOCHREALTIME/./}
        "$@" >/dev/null 2>"$B/err" || die "$*: $(tail -n 1 "$B/err")"
        t1=${EPOCHREALTIME/./}
        echo $(((t1 - t0) / 1000)) >>"$file"
}
median() { # JOB ENGINE
        if [[ -s $B/times/$1.$2 ]]; then sort -n "$B/times/$1.$2" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; else echo -; fi
}
# Nothing of the image is left.
forget() {
        case $1 in
        hod) hod rmi -f "$image" >/dev/null 2>&1 || true; hod image prune -a -f >/dev/null 2>&1 || true ;;
        docker) docker image prune -a -f >/dev/null ;;
        podman) podman rmi -a -f >/dev/null 2>&1 || true ;;
        esac
}

# What was committed, a layer that nobody has packed yet, to a registry that has the others, and into an archive.
send_committed() { # ENGINE FLAG...
        local e=$1 name=127.0.0.1:$source_port/commit-$1:1
        shift
        "$e" tag commit:1 "$name"
        timed push-committed "$e" "$e" push "$@" "$name"
        timed save-committed "$e" "$e" save -o "$B/committed" "$name"
        rm -f "$B/committed"
        "$e" rmi "$name" >/dev/null
}

one_round() { # ENGINE
        local e=$1 flags=() run=()
        mapfile -t flags < <(registry_flags "$e")
        [[ $e != podman ]] || run=("${podman_flags[@]}")
        forget "$e"
        timed pull "$e" "$e" pull -q "${flags[@]}" "$image"
        timed pull-again "$e" "$e" pull -q "${flags[@]}" "$image"
        start_registry push
        "$e" tag "$image" "127.0.0.1:$port/copy:1"
        timed push "$e" "$e" push "${flags[@]}" "127.0.0.1:$port/copy:1"
        stop_registry push
        "$e" rmi "127.0.0.1:$port/copy:1" >/dev/null
        timed save "$e" "$e" save -o "$B/saved.$e" "$image"
        # A container with the whole tree once more in it.
        "$e" run "${run[@]}" -d --network none --name bench -v "$B/all:/src:ro" "$image" /bin/busybox sleep 100000 >/dev/null
        "$e" exec bench /bin/busybox cp -a /src /copy
        "$e" stop -t 0 bench >/dev/null
        timed commit "$e" "$e" commit bench commit:1
        # Once: packing takes the peers as long as the rest of a round.
        ((round > 1)) || send_committed "$e" "${flags[@]}"
        "$e" rm -f bench >/dev/null
        forget "$e"
        timed load "$e" "$e" load -i "$B/saved.$e"
        forget "$e"
        rm -f "$B/saved.$e"
        timed import "$e" "$e" import "$B/all.tar" import:1
        forget "$e"
}
for ((round = 1; round <= rounds; round++)); do
        for e in "${engines[@]}"; do
                say "round $round: $e" >&2
                one_round "$e"
        done
        mkdir "$B/x"
        timed import tar tar -C "$B/x" --numeric-owner -xpf "$B/all.tar"
        timed commit tar tar -C "$B/x" --numeric-owner -cf "$B/x.tar" .
        rm -rf "$B/x" "$B/x.tar"
done

# --- memory and where the processors' time goes, hod alone
forget hod
peak_pull=$("$top/bench/peak-tree" "$hod" pull -q --tls-verify=false "$image")
peak_save=$("$top/bench/peak-tree" "$hod" save -o "$B/saved.hod" "$image")
start_registry push
hod tag "$image" "127.0.0.1:$port/copy:1"
peak_push=$("$top/bench/peak-tree" "$hod" push -q --tls-verify=false "127.0.0.1:$port/copy:1")
stop_registry push
forget hod
peak_load=$("$top/bench/peak-tree" "$hod" load -i "$B/saved.hod")
forget hod
peak_import=$("$top/bench/peak-tree" "$hod" import "$B/all.tar" import:1)
forget hod
profile='perf is not installed'
if command -v perf >/dev/null && perf record -q -o "$B/perf" -F 2000 -- "$hod" pull -q --tls-verify=false "$image" >/dev/null 2>&1; then
        profile=$(perf report -i "$B/perf" --no-children --sort dso,symbol -F overhead,dso,symbol -t '|' 2>/dev/null | awk -F'|' '
                /^#/ || NF < 3 { next }
                { p = $1 + 0; total += p; dso = $2; s = $3 }
                dso ~ /isal/ || s ~ /inflate|crc32/ { inflate += p; next }
                dso ~ /crypto/ || s ~ /sha256/ { sha += p; next }
                dso ~ /kernel/ { kernel += p; next }
                dso ~ /curl|ssl/ { net += p; next }
                { rest += p }
                END { t = total / 100
                      printf "inflate and CRC %.0f %%, sha256 %.0f %%, kernel (files, pipes, sockets) %.0f %%, libcurl %.0f %%, hod and the C library %.0f %%",
                             inflate / t, sha / t, kernel / t, net / t, rest / t }')
        say "profile: $profile" >&2
        cp "$B/perf" "${HOD_BENCH_PERF:-/dev/null}" 2>/dev/null || true
fi

# --- the table
faster() { # JOB: the faster peer's median
        local e best=- m
        for e in docker podman; do
                m=$(median "$1" "$e")
                [[ $m == - ]] || { [[ $best != - ]] && ((best <= m)); } || best=$m
        done
        echo "$best"
}
row() { # JOB WHAT
        printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$2" "$(median "$1" hod)" "$(median "$1" docker)" "$(median "$1" podman)" \
                "$(median "$1" tar)" "$(ratio "$(faster "$1")" "$(median "$1" hod)")" "$(ratio "$(median "$1" hod)" "$(median "$1" tar)" 2)"
}
aim() { # JOB WHAT BAR
        local r
        r=$(ratio "$(faster "$1")" "$(median "$1" hod)" 2)
        printf '| %s against the faster peer | at most 1/%s | 1/%s | %s |\n' "$2" "$3" "$r" "$(verdict "$r" '>=' "$3")"
}
aim_tar() { # JOB WHAT
        local r
        r=$(ratio "$(median "$1" hod)" "$(median "$1" tar)" 2)
        printf '| %s against tar | at most 1.5 times | %s | %s |\n' "$2" "$r" "$(verdict "$r" '<=' 1.5)"
}
peak_max=$(printf '%s\n' "$peak_pull" "$peak_push" "$peak_save" "$peak_load" "$peak_import" | sort -n | tail -n 1)
versions="hod $(version "$hod" --version) (release build)"
((!peers)) || versions+=", docker $(version docker version --format '{{.Server.Version}}'), podman $(version podman --version)"
{
        cat <<-END
		# Images

		$(machine images.sh)

		$versions, docker-registry on loopback. Whole-process wall time in milliseconds, medians of $rounds rounds. The image: 4 layers, $n_files files, $plain MB, $compressed MB compressed. hod's times include writing everything to the disk (syncfs); the others leave that for later.

		| job | hod | docker | podman | tar | faster peer/hod | hod/tar |
		|---|---|---|---|---|---|---|
		$(row pull pull)
		$(row pull-again 'pull of what is there')
		$(row push 'push to an empty registry')
		$(row save save)
		$(row load load)
		$(row import 'import of a tar; tar: -x')
		$(row commit 'commit of the whole tree; tar: -c')
		$(row push-committed 'push of what was committed (one round)')
		$(row save-committed 'save of what was committed (one round)')

		| aim | bar | measured | holds |
		|---|---|---|---|
		$(aim pull pull 4)
		$(aim push push 3)
		$(aim save save 3)
		$(aim load load 3)
		$(aim_tar import import)
		$(aim_tar commit commit)
		| second pull | at most 50 ms | $(median pull-again hod) ms | $(verdict "$(median pull-again hod)" '<=' 50) |
		| peak memory, all processes together | at most 64 MB | pull $((peak_pull / 1024)), push $((peak_push / 1024)), save $((peak_save / 1024)), load $((peak_load / 1024)), import $((peak_import / 1024)) MB | $(verdict "$peak_max" '<=' 65536) |

		Processor time of a pull: $profile.
		END
} | section Images
cat "$top/bench/RESULTS.md"
