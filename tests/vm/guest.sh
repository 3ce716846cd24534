#!/usr/bin/env bash
# Runs inside the guest, as its only job: order is what to do. Results go to the virtio port as they come, the exit
# status as the last line.
set -u
payload=/run/payload
port=/dev/virtio-ports/hod
for _ in $(seq 100); do
        [ -e $port ] && break
        sleep 0.1
done
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOD_VM=1
cp -a $payload/repo /hod
cd /hod || exit 1
order=$(cat $payload/order)
case $order in
shell)
        setsid -c bash -i </dev/ttyS0 >/dev/ttyS0 2>&1
        status=0
        ;;
exec)
        bash $payload/command >$port 2>&1
        status=$?
        ;;
bats)
        mapfile -t files <$payload/files
        bats --tap --timing --filter-tags vm "${files[@]}" >$port 2>&1
        status=$?
        ;;
esac
printf '\nHOD-VM-STATUS %d\n' "$status" >$port
sync
