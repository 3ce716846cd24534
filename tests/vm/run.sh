#!/usr/bin/env bash
# The VM lane: the tests tagged `vm` in Debian 12's stock kernel, with systemd and pure cgroup v2, under qemu's software
# emulation (no KVM is needed, HOD_VM_KVM=1 uses it).
#
#   tests/vm/run.sh                    what is here, and of tests/e2e what is tagged vm
#   tests/vm/run.sh FILE.bats...       these files only
#   tests/vm/run.sh --exec 'COMMAND'   one command as root in the guest; its output and status
#   tests/vm/run.sh --shell            a shell on the guest's console (leave it with exit)
#
# HOD_BIN_DIR: the programs (build/bin). HOD_VM_TIMEOUT: seconds for all of it (1800). HOD_VM_GUESTS: how many guests
# share the files, one after the other in each (1). A guest keeps little more than one processor busy.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=${HOD_BIN_DIR:-$top/build/bin}
limit=${HOD_VM_TIMEOUT:-1800}
order="bats"
command=
files=()
while [ $# -gt 0 ]; do
        case $1 in
        --exec)
                order="exec"
                command=$2
                shift
                ;;
        --shell) order=shell ;;
        -*)
                echo "vm: unknown option $1 (known: --exec COMMAND, --shell)" >&2
                exit 2
                ;;
        *) files+=("$(realpath "$1")") ;;
        esac
        shift
done

image=$("$here/make-image.sh")
if [ ${#files[@]} -eq 0 ]; then
        # What may differ by kernel, cgroup version or init system is tagged. The rest runs on the host only, because a fork
        # costs five times as much here.
        mapfile -t files < <(grep -lE '^# bats (test|file)_tags=.*vm' "$top"/tests/e2e/*.bats)
        files=("$here"/*.bats "${files[@]}")
fi

# Share the files between as many guests as were asked for, and add up what they say.
tests_in() { # FILE
        if grep -q '^# bats file_tags=.*vm' "$1"; then
                grep -c '^@test' "$1"
        else
                grep -c '^# bats test_tags=.*vm' "$1"
        fi
}
run_guests() { # N
        local -a share load
        local i least f n a b c failed=0 sum=(0 0 0)

        for ((i = 0; i < $1; i++)); do load[i]=0; done
        while read -r n f; do
                least=0
                for ((i = 1; i < $1; i++)); do ((load[i] >= load[least])) || least=$i; done
                load[least]=$((load[least] + n))
                share[least]+=$f$'\n'
        done < <(for f in "${files[@]}"; do echo "$(tests_in "$f") $f"; done | sort -rn)
        while IFS= read -r line; do
                case $line in
                [0-9]*' passed, '*' failed, '*' skipped')
                        read -r a _ b _ c _ <<<"$line"
                        sum=($((sum[0] + a)) $((sum[1] + b)) $((sum[2] + c)))
                        ;;
                'guest failed') failed=1 ;;
                *) printf '%s\n' "$line" ;;
                esac
        done < <(
                for ((i = 0; i < $1; i++)); do
                        mapfile -t files < <(printf %s "${share[i]}")
                        { HOD_VM_GUESTS=1 HOD_VM_GUEST=$i "${BASH_SOURCE[0]}" "${files[@]}" || echo 'guest failed'; } 2>&1 &
                done
                wait
        )
        echo "${sum[0]} passed, ${sum[1]} failed, ${sum[2]} skipped"
        return $failed
}
if [ "$order" = bats ] && [ "${HOD_VM_GUESTS:-1}" -gt 1 ]; then
        run_guests "$HOD_VM_GUESTS"
        exit
fi

work=$(mktemp -d "${TMPDIR:-/var/tmp}/hod-vm.XXXXXX")
qemu=
# shellcheck disable=SC2317 # called by the trap
finish() {
        if [ -n "$qemu" ] && kill -0 "$qemu" 2>/dev/null; then
                kill -KILL "$qemu" 2>/dev/null || true
                wait "$qemu" 2>/dev/null || true
        fi
        rm -rf "$work"
}
trap finish EXIT

# The second disk: programs, tests, and what to do.
mkdir -p "$work/payload/repo/build"
cp "$here/guest.sh" "$work/payload/"
if [ -d "$bin" ]; then
        cp -r "$bin" "$work/payload/repo/build/bin"
fi
for part in tests tools try.sh; do
        if [ -e "$top/$part" ]; then
                cp -r "$top/$part" "$work/payload/repo/"
        fi
done
printf '%s\n' "$order" >"$work/payload/order"
printf '%s\n' "$command" >"$work/payload/command"
for f in "${files[@]}"; do
        printf '/hod/%s\n' "${f#"$top"/}"
done >"$work/payload/files"
size=$(($(du -sm "$work/payload" | cut -f1) * 5 / 4 + 16))
mke2fs -q -t ext4 -O ^has_journal -d "$work/payload" "$work/payload.ext4" "${size}M"

# norandmaps: the emulator keeps translated code by its virtual address; a program at the same place each time is translated
# once, and starts three times as fast.
accel=(-accel 'tcg,thread=multi' -cpu max)
if [ "${HOD_VM_KVM:-0}" = 1 ]; then
        accel=(-accel kvm -cpu host)
fi
arguments=(-M q35 "${accel[@]}" -smp 2 -m 2048 -display none -no-reboot -nodefaults
        -kernel "$image/vmlinuz" -initrd "$image/initrd"
        -append 'root=/dev/vda rw console=ttyS0 quiet loglevel=4 panic=-1 apparmor=1 security=apparmor systemd.show_status=0 systemd.unified_cgroup_hierarchy=1 mitigations=off norandmaps random.trust_cpu=on'
        -drive "file=$image/base.ext4,if=virtio,format=raw,snapshot=on"
        -drive "file=$work/payload.ext4,if=virtio,format=raw,readonly=on"
        -device virtio-rng-pci
        -device virtio-serial-pci)
if [ "$order" = shell ]; then
        exec qemu-system-x86_64 "${arguments[@]}" -serial mon:stdio
fi

mkdir -p "$top/build/vm"
log=$top/build/vm/console${HOD_VM_GUEST-}.log
mkfifo "$work/results"
qemu-system-x86_64 "${arguments[@]}" -serial "file:$log" \
        -chardev "file,id=results,path=$work/results" -device virtserialport,chardev=results,name=hod \
        </dev/null >"$work/qemu.log" 2>&1 &
qemu=$!
exec 8<"$work/results"

status=
passed=0
failed=0
skipped=0
end=$((SECONDS + limit))
# Lines as they come, so that a test that hangs shows where.
while left=$((end - SECONDS)) && [ "$left" -gt 0 ]; do
        if ! IFS= read -r -t "$left" line <&8; then
                break
        fi
        line=${line%$'\r'}
        case $line in
        HOD-VM-STATUS\ *)
                status=${line#HOD-VM-STATUS }
                break
                ;;
        *' # skip'*) skipped=$((skipped + 1)) ;;
        'ok '*) passed=$((passed + 1)) ;;
        'not ok '*) failed=$((failed + 1)) ;;
        esac
        printf '%s\n' "$line"
done

if [ -z "$status" ]; then
        if [ $SECONDS -ge $end ]; then
                echo "vm: no result within $limit s; the console's end:" >&2
        else
                echo "vm: the guest ended without a result (a panic?); the console's end:" >&2
        fi
        tail -n 25 "$log" "$work/qemu.log" >&2 || true
        [ "$order" = exec ] || echo "$passed passed, $((failed + 1)) failed, $skipped skipped"
        exit 1
fi
[ "$order" = exec ] || echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
