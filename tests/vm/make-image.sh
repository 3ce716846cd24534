#!/usr/bin/env bash
# Make the guest: Debian 12 with its stock kernel and systemd, as an ext4 image. Prints the directory that holds
# {base.ext4,vmlinuz,initrd}. Made once for each version of this script; no loop device and no mount is needed.
# Packages come from wherever this machine's apt gets its own.
set -euo pipefail

cache=${HOD_VM_CACHE:-/var/tmp/hod-vm-cache}
key=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
dir=$cache/$key
if [ -e "$dir/done" ]; then
        echo "$dir"
        exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -e "$dir/done" ]; then
        echo "$dir"
        exit 0
fi
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

packages=linux-image-cloud-amd64,initramfs-tools,systemd-sysv,libpam-systemd,dbus,udev,kmod,bats,busybox-static,gojq,procps
packages+=,iproute2,util-linux,attr,acl,libcap2-bin,zstd,xz-utils,apparmor,libisal2,libssl3,libzstd1,python3,strace
packages+=,dbus-user-session,uidmap # what a login that runs containers has
packages+=,dmsetup,libcurl4 # power.bats

# The guest runs one thing: the unit below, which takes its orders from the second disk.
cat >"$work/hod-vm.service" <<'UNIT'
[Unit]
Description=hod tests
After=basic.target dbus.service systemd-logind.service
Wants=dbus.service
[Service]
Type=oneshot
TimeoutSec=infinity
Delegate=no
ExecStart=/bin/bash -c 'mkdir -p /run/payload && mount -o ro /dev/vdb /run/payload && exec /bin/bash /run/payload/guest.sh'
ExecStopPost=/bin/systemctl --no-block poweroff --force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=multi-user.target
UNIT

cat >"$work/customize" <<'HOOK'
#!/bin/sh
set -eu
root=$1
cp "$2/hod-vm.service" "$root/etc/systemd/system/"
ln -s /etc/systemd/system/hod-vm.service "$root/etc/systemd/system/multi-user.target.wants/hod-vm.service"
# An initrd with nothing but what reaches the disk.
printf 'virtio_pci\nvirtio_blk\nvirtio_console\next4\n' >"$root/etc/initramfs-tools/modules"
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=zstd/' "$root/etc/initramfs-tools/initramfs.conf"
chroot "$root" update-initramfs -u -k all
# Nothing that only costs boot time under emulation.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer systemd-random-seed.service systemd-update-utmp.service systemd-pstore.service \
        systemd-journal-flush.service getty@tty1.service serial-getty@ttyS0.service systemd-binfmt.service \
        systemd-tmpfiles-clean.timer systemd-networkd.service systemd-resolved.service \
        systemd-hwdb-update.service ldconfig.service systemd-update-done.service systemd-sysusers.service \
        console-getty.service systemd-udev-settle.service keyboard-setup.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
echo hodvm >"$root/etc/hostname"
echo '/dev/vda / ext4 rw,noatime 0 1' >"$root/etc/fstab"
# The tests' jq: that of the C project parses its own library at each start, 0.6 s under emulation.
ln -s /usr/bin/gojq "$root/usr/local/bin/jq"
chroot "$root" useradd -m -u 1000 -s /bin/bash user
chroot "$root" apt-get clean
rm -rf "$root/var/lib/apt/lists/"* "$root/usr/share/doc/"* "$root/usr/share/man/"* "$root/usr/share/locale/"*
HOOK
chmod +x "$work/customize"

if ! mmdebstrap --variant=minbase --mode=root --quiet --aptopt='Acquire::Check-Valid-Until "false"' \
        --include="$packages" --customize-hook="$work/customize \"\$1\" $work" bookworm "$work/tree" \
        >"$work/log" 2>&1; then
        tail -n 30 "$work/log" >&2
        exit 1
fi
mkdir -p "$work/out"
cp -L "$work"/tree/boot/vmlinuz-* "$work/out/vmlinuz"
cp -L "$work"/tree/boot/initrd.img-* "$work/out/initrd"
rm -f "$work"/tree/boot/*
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=0,root_owner=0:0 -d "$work/tree" "$work/out/base.ext4" 2500M >&2
touch "$work/out/done"
rm -rf "$dir"
mv "$work/out" "$dir"
echo "$dir"
