#!/usr/bin/env bash
# Compare hod with docker.io and podman from Debian and with the floor (floor.c), in one run on one machine; write
# bench/RESULTS.md. The peers run privately: own roots, own sockets, stopped at the end by process number.
#   bench/run.sh [--quick] [--no-peers]
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../tools/common.bash"
# shellcheck source=bench/common.bash
. "$top/bench/common.bash"

runs=60 peers=1
for arg in "$@"; do
        case $arg in
        --quick) runs=15 ;;
        --no-peers) peers=0 ;;
        *) die "unknown argument '$arg'" ;;
        esac
done
((EUID == 0)) || die "needs root"
need_packages "${packages_build[@]}" "${packages_image[@]}" hyperfine jq
((!peers)) || need_packages "${packages_bench[@]}"
# Release programs: the numbers are of what would be installed.
build_in "$top/build-release" -Dtests=false --buildtype=release -Doptimization=2

B=$(mktemp -d "${TMPDIR:-/tmp}/hod-bench.XXXXXX")
R=$(mktemp -d /run/hod-bench.XXXXXX)
export HOD_ROOT=$B/hod HOD_STATE=$R/hod
bin=$top/build-release/bin
hod=$bin/hod
peers_begin
# Without CAP_SYS_RESOURCE podman cannot raise limits to its own defaults: give it some that fit.
podman_flags=(--ulimit nofile=1024:1024 --ulimit nproc=1000:1000)

finish() {
        set +e # everything here is tried, whatever failed before
        "$hod" rm -f bench >/dev/null 2>&1 || true
        if ((peers)); then
                "${docker_cmd[@]}" rm -f bench >/dev/null 2>&1 || true
                "${podman_cmd[@]}" rm -f -t 0 bench >/dev/null 2>&1 || true
                "${podman_cmd[@]}" rmi -f busybox >/dev/null 2>&1 || true
        fi
        peers_end
        return 0
}
trap finish EXIT

busybox_tar >"$B/busybox.tar"

# --- the floor
floor_ms=$(make_floor 300)

# --- hod
"$hod" import -c 'CMD ["sh"]' "$B/busybox.tar" busybox >/dev/null
"$hod" run -d --name bench --network none busybox sleep 100000 >/dev/null

# --- docker
have_docker=0
if ((peers)); then
        # shellcheck disable=SC2119  # our arguments are not its
        start_docker
        if "${docker_cmd[@]}" import -c 'CMD ["sh"]' "$B/busybox.tar" busybox >/dev/null 2>"$B/docker.err" &&
                "${docker_cmd[@]}" run --rm --network none busybox true 2>>"$B/docker.err" &&
                "${docker_cmd[@]}" run -d --name bench --network none busybox sleep 100000 >/dev/null; then
                have_docker=1
        else
                say "docker does not run here: $(tail -n 1 "$B/docker.err")" >&2
        fi
fi

# --- podman
have_podman=0
if ((peers)); then
        # crun refuses a hybrid machine; runc does not.
        for runtime in crun runc; do
                podman_cmd+=(--runtime "$runtime")
                "${podman_cmd[@]}" image exists busybox 2>/dev/null ||
                        "${podman_cmd[@]}" import -c 'CMD ["sh"]' "$B/busybox.tar" busybox >/dev/null 2>&1 || true
                if "${podman_cmd[@]}" run "${podman_flags[@]}" --rm --network none busybox true >"$B/podman.err" 2>&1; then
                        have_podman=1
                        podman_runtime=$runtime
                        break
                fi
                podman_cmd=("${podman_cmd[@]:0:${#podman_cmd[@]}-2}")
        done
        if ((have_podman)); then
                "${podman_cmd[@]}" run "${podman_flags[@]}" -d --name bench --network none busybox sleep 100000 >/dev/null
        else
                say "podman does not run here: $(tail -n 1 "$B/podman.err")" >&2
        fi
fi

run_args=(run --rm --network none busybox true)

# hod is measured before and after the peers, so that a drift of the machine shows.
hod_run=$(measure hod-run "$((runs * 2))" "$hod" "${run_args[@]}")
hod_exec=$(measure hod-exec "$((runs * 2))" "$hod" exec bench true)
hod_run_d=$(measure hod-run-d "$runs" "$hod" run -d --rm --network none busybox true)
hod_ps=$(measure hod-ps "$runs" "$hod" ps)
docker_run=- docker_exec=- docker_run_d=- docker_ps=- podman_run_ms=- podman_exec=- podman_run_d=- podman_ps=-
if ((have_docker)); then
        docker_run=$(measure docker-run "$((runs / 3))" "${docker_cmd[@]}" "${run_args[@]}")
        docker_exec=$(measure docker-exec "$((runs / 3))" "${docker_cmd[@]}" exec bench true)
        docker_run_d=$(measure docker-run-d "$((runs / 3))" "${docker_cmd[@]}" run -d --rm --network none busybox true)
        docker_ps=$(measure docker-ps "$((runs / 3))" "${docker_cmd[@]}" ps)
fi
if ((have_podman)); then
        podman_run_ms=$(measure podman-run "$((runs / 3))" "${podman_cmd[@]}" run "${podman_flags[@]}" "${run_args[@]:1}")
        podman_exec=$(measure podman-exec "$((runs / 3))" "${podman_cmd[@]}" exec bench true)
        podman_run_d=$(measure podman-run-d "$((runs / 3))" "${podman_cmd[@]}" run "${podman_flags[@]}" -d --rm --network none busybox true)
        podman_ps=$(measure podman-ps "$((runs / 3))" "${podman_cmd[@]}" ps)
fi
hod_run2=$(measure hod-run2 "$runs" "$hod" "${run_args[@]}")

# --- memory of the monitor, sizes
id=$("$hod" inspect -f '{{.Id}}' bench)
monitor=$(sed -n 's/^monitor_pid=//p' "$HOD_STATE/containers/$id/status")
anon=$(awk '/^Anonymous:/ {print $2}' "/proc/$monitor/smaps_rollup")
pss=$(awk '/^Pss:/ {print $2}' "/proc/$monitor/smaps_rollup")
size() { stat -c %s "$1" | awk '{printf "%.0f", $1 / 1024}'; }
stripped() {
        strip -o "$B/stripped" "$1"
        size "$B/stripped"
}

# --- where the time goes: the median of each trace point over many runs
for ((i = 0; i < runs; i++)); do "$hod" run --rm --explain --network none busybox true 2>>"$B/explain.txt" >/dev/null; done

versions="hod $(version "$hod" --version) (release build)"
((!have_docker)) || versions+=", docker $(version "${docker_cmd[@]}" version --format '{{.Server.Version}}')"
((!have_podman)) || versions+=", podman $(version podman --version) with $podman_runtime"
fr=$(ratio "$hod_run" "$floor_ms") dr=$(ratio "$docker_run" "$hod_run") de=$(ratio "$docker_exec" "$hod_exec")

{
        cat <<-END
		# Results

		$(machine run.sh)

		$versions. Whole-process wall time, medians in milliseconds; image: Debian's static busybox. The machine is noisy: the ratios of one run count, not the times.

		| job | floor | hod | docker | podman | docker/hod | podman/hod |
		|---|---|---|---|---|---|---|
		| run --rm --network none busybox true | $(num "$floor_ms") | $(num "$hod_run") | $(num "$docker_run") | $(num "$podman_run_ms") | $dr | $(ratio "$podman_run_ms" "$hod_run") |
		| the same, hod once more at the end | | $(num "$hod_run2") | | | | |
		| run -d --rm | | $(num "$hod_run_d") | $(num "$docker_run_d") | $(num "$podman_run_d") | $(ratio "$docker_run_d" "$hod_run_d") | $(ratio "$podman_run_d" "$hod_run_d") |
		| exec | | $(num "$hod_exec") | $(num "$docker_exec") | $(num "$podman_exec") | $de | $(ratio "$podman_exec" "$hod_exec") |
		| ps, one container | | $(num "$hod_ps") | $(num "$docker_ps") | $(num "$podman_ps") | $(ratio "$docker_ps" "$hod_ps") | $(ratio "$podman_ps" "$hod_ps") |

		| aim | bar | measured | holds |
		|---|---|---|---|
		| run against docker | at most 1/20 | 1/$dr | $(verdict "$dr" '>=' 20) |
		| run against the floor | at most 5 times | $fr | $(verdict "$fr" '<=' 5) |
		| exec against docker | at most 1/25 | 1/$de | $(verdict "$de" '>=' 25) |
		| anonymous memory of hod-monitor | at most 200 KB | $anon KB (PSS $pss KB) | $(verdict "$anon" '<=' 200) |

		| program | size | stripped |
		|---|---|---|
		| hod | $(size "$bin/hod") KB | $(stripped "$bin/hod") KB |
		| hod-full | $(size "$bin/hod-full") KB | $(stripped "$bin/hod-full") KB |
		| hodrun | $(size "$bin/hodrun") KB | $(stripped "$bin/hodrun") KB |
		| hod-monitor | $(size "$bin/hod-monitor") KB | $(stripped "$bin/hod-monitor") KB |

		## The floor, by step (µs)

		$(awk '{printf "%s%s %s", sep, $1, $2; sep = ", "} END {print "."}' "$B/floor.txt")

		## Where hod's time goes, by trace point

		Median of $runs runs with --explain (which itself costs a little); a step inside another counts twice.

		| step | µs | what |
		|---|---|---|
		END
        "$top/bench/trace-table" <"$B/explain.txt"
} | section Results
cat "$top/bench/RESULTS.md"
