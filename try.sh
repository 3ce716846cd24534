#!/usr/bin/env bash
# Build hod and try it: the main job on a real root file system.
#   ./try.sh            build, make a busybox image, open a shell in a container (without a terminal: a demonstration)
#   ./try.sh --build    only build; the programs are build/bin/{hod,hodrun,hod-monitor}
# State goes to build/try (HOD_ROOT and HOD_STATE move it); your own containers are not touched.
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/tools/common.bash"

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0"; }

only_build=0
for arg in "$@"; do
        case $arg in
        --build) only_build=1 ;;
        -h | --help)
                usage
                exit 0
                ;;
        *) die "unknown argument '$arg' (see --help)" ;;
        esac
done

need_packages "${packages_build[@]}"
say "building (first time: about a minute) ..."
build_in "$top/build" -Dtests=false
for program in hod hodrun hod-monitor; do
        [[ -x $top/build/bin/$program ]] || die "the build made no $program"
done
say "programs: build/bin/hod build/bin/hodrun build/bin/hod-monitor"
((only_build)) && exit 0

((EUID == 0)) || die "running containers needs root for now"
need_packages "${packages_image[@]}"
export HOD_ROOT=${HOD_ROOT:-$top/build/try/root} HOD_STATE=${HOD_STATE:-/run/hod-try}
hod=$top/build/bin/hod

# As typed by a person: show the command, then run it.
run() {
        printf '\n$ hod'
        printf ' %q' "$@"
        printf '\n'
        "$hod" "$@"
}

if ! "$hod" images -q busybox 2>/dev/null | grep -q .; then
        busybox_tar | "$hod" import -c 'CMD ["sh"]' -m "Debian's busybox-static" - busybox >/dev/null
fi
run images

shared=$(mktemp -d "${TMPDIR:-/tmp}/hod-try.XXXXXX")
trap 'rm -rf "$shared"; "$hod" network prune -f >/dev/null' EXIT

if [[ -t 0 && -t 1 ]]; then
        say ""
        say "A shell in a container; $shared is /to1 inside. Leave with exit or Ctrl-D."
        run run -ti --rm --name container1 -v "$shared/from1:/to1" busybox sh
        exit
fi

# shellcheck disable=SC2016  # these run inside
{
        run run --rm --name container1 -v "$shared/from1:/to1" busybox \
                sh -c 'echo "processes here:"; ps; echo "host name: $(hostname)"; echo "from inside" > /to1/file'
        say "on the host: $(cat "$shared/from1/file")"
        run run --rm -m 16m --cpus 0.5 --pids-limit 20 busybox \
                sh -c 'cat /proc/self/cgroup | head -n 3; grep -E "CapEff|Seccomp:" /proc/self/status'
        status=0
        run run --rm -m 16m busybox tail /dev/zero || status=$?
        say "a program that wants all memory ends with status $status (137 = killed)"
        run run -d --name demo busybox sh -c 'echo hello; rm /etc/group; echo new > /newfile; sleep 100'
        sleep 0.3
        run ps
        run logs demo
        run diff demo
        run exec demo cat /newfile
        run rm -f demo
}
