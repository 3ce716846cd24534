#!/usr/bin/env bash
# make-neighbours.sh [SUITE]: make a tree with programs of Debian 12 (or of SUITE) that care for the network of a host:
# firewalld, ufw, systemd-resolved. They are run in it, by chroot, and never installed: who installs them has them
# started. Prints the tree's name. Made once for each version of this script. Packages come from wherever this machine's
# apt gets its own.
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/common.bash"

suite=${1-bookworm}
cache=${HOD_PEERS_CACHE:-/var/tmp/hod-peers-cache}
tree=$cache/neighbours-$suite-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
[[ ! -d $tree ]] || { echo "$tree" && exit; }
need_packages mmdebstrap
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[[ ! -d $tree ]] || { echo "$tree" && exit; }
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# Only unpacked, nothing is configured: what that would have done is below.
mmdebstrap --variant=extract --mode=root --quiet --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=firewalld,ufw,systemd-resolved,dbus,coreutils,dash,sed,procps,iptables,nftables "$suite" "$work/tree" \
        >"$work/log" 2>&1 || {
        tail -n 30 "$work/log" >&2
        exit 1
}
cd "$work/tree"
rm -rf usr/share/{doc,man,locale,i18n,info,perl,icons} usr/lib/x86_64-linux-gnu/{gconv,perl*} var/{lib/apt,cache}/*
for program in {ip,ip6}tables; do
        for verb in '' -save -restore; do
                ln -sf "$program-nft$verb" "usr/sbin/$program$verb"
        done
done
# Nobody is asked, who is root is allowed.
rm usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service
cp usr/share/ufw/iptables/* usr/share/ufw/{ufw.conf,before.init,after.init} etc/ufw/
mkdir -p proc dev sys tmp run
{
        printf 'root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/:/bin/sh\nsystemd-resolve:x:101:101::/:/bin/sh\n'
} >etc/passwd
sed -E 's/^([^:]*):x:([0-9]*):.*/\1:x:\2:/' etc/passwd >etc/group
chroot . python3 -m compileall -q usr/lib/python3 usr/lib/python3.1[0-9] >/dev/null 2>&1 || true
cd /
mv "$work/tree" "$tree"
echo "$tree"
