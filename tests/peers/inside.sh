#!/usr/bin/env bash
# inside.sh COMMAND...: run COMMAND where the peers cannot touch the machine: in mount, network, PID, IPC and UTS
# namespaces of its own. /run is empty, what is written below /etc and /var/lib is gone afterwards, the loopback device
# is the only one, and no process outlives COMMAND. Cgroups are the machine's: the tests remove theirs.
set -euo pipefail

if [[ ${1-} != --inside ]]; then
        exec unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc --propagation private \
                "${BASH_SOURCE[0]}" --inside "$@"
fi
shift

mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/overlay /run/lock
for d in etc var/lib; do
        mkdir -p "/run/overlay/$d/upper" "/run/overlay/$d/work"
        # What is written must be gone afterwards, whatever becomes of us: nothing needs to reach a disk.
        mount -t overlay -o "lowerdir=/$d,upperdir=/run/overlay/$d/upper,workdir=/run/overlay/$d/work" overlay "/$d"
done
ip link set lo up

# A hierarchy (v1) that the kernel has but nobody mounted here: containerd's cgroup library refuses to work without it.
made=()
while IFS=: read -r _ controllers _; do
        d=/sys/fs/cgroup/${controllers#name=}
        if [[ -n $controllers ]] && ! mountpoint -q "$d"; then
                [[ -d $d ]] || made+=("$d")
                mkdir -p "$d"
                mount -t cgroup -o "$controllers" cgroup "$d"
        fi
done </proc/self/cgroup

# Ids for --userns=auto.
printf 'containers:200000:1310720\n' >>/etc/subuid
printf 'containers:200000:1310720\n' >>/etc/subgid

export HOD_PEERS_INSIDE=1
# Not exec: this shell is process 1 here and reaps what the peers leave to it.
status=0
"$@" </dev/null || status=$?
for d in "${made[@]}"; do
        umount "$d" || true
        rmdir "$d" || true # somebody else may have mounted it meanwhile
done
exit "$status"
