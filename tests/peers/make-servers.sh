#!/usr/bin/env bash
# Make a tree with servers of Debian 12: nginx, redis, postgresql (with a cluster), iperf3; busybox for the rest. Prints the
# tar's name. Made once for each version of this script. Packages come from wherever this machine's apt gets its own.
set -euo pipefail
# shellcheck source=tools/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/common.bash"

cache=${HOD_PEERS_CACHE:-/var/tmp/hod-peers-cache}
tar=$cache/servers-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16).tar
[[ ! -s $tar ]] || { echo "$tar" && exit; }
if [[ ${1-} != --inside ]]; then
        # What is mounted for the cluster's sake goes with its namespace.
        exec unshare --mount --propagation private "${BASH_SOURCE[0]}" --inside
fi
need_packages mmdebstrap busybox-static
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[[ ! -s $tar ]] || { echo "$tar" && exit; }
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'umount -l "$work"/tree/{dev,proc} 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
tree=$work/tree

# Only unpacked, nothing is configured: what that would have done is below.
mmdebstrap --variant=extract --mode=root --quiet --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=nginx-light,redis-server,postgresql-15,iperf3 bookworm "$tree" >"$work/log" 2>&1 || {
        tail -n 30 "$work/log" >&2
        exit 1
}
# The JIT of postgresql is larger than all the rest.
rm -rf "$tree"/usr/share/{doc,man,locale,i18n,info,perl,vim} "$tree"/usr/lib/x86_64-linux-gnu/{libLLVM*,libz3*,gconv,perl*} \
        "$tree"/usr/lib/postgresql/15/lib/{llvmjit.so,bitcode} "$tree"/var/{lib/apt,cache}/* "$tree"/usr/lib/{systemd,udev}
busybox_tar | tar -C "$tree" -x --keep-directory-symlink --skip-old-files
{
        printf 'www-data:x:33:33::/var/www:/bin/sh\nredis:x:70:70::/var/lib/redis:/bin/sh\n'
        printf 'postgres:x:71:71::/var/lib/postgresql:/bin/sh\nroot:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n'
} >"$tree/etc/passwd"
sed -E 's/^([^:]*):x:([0-9]*):.*/\1:x:\2:/' "$tree/etc/passwd" >"$tree/etc/group"
echo 'nogroup:x:65534:' >>"$tree/etc/group"
mkdir -p "$tree"/{proc,dev,sys,tmp} "$tree/data" "$tree/var/log/nginx" "$tree/var/lib/nginx" "$tree/run/postgresql" "$tree/srv"
chown 71:71 "$tree/data" "$tree/run/postgresql"
echo 'served by nginx' >"$tree/srv/index.html"
# 8 MB to be fetched in one piece.
head -c 8388608 /dev/zero >"$tree/srv/zeros"
cat >"$tree/etc/nginx/nginx.conf" <<'END'
worker_processes 1;
daemon off;
error_log /dev/stderr;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    log_format who '$remote_addr $request_uri';
    access_log /dev/stdout who;
    server {
        listen 80 backlog=4096;
        listen [::]:80 backlog=4096;
        root /srv;
        location /who { return 200 "$remote_addr\n"; }
        location /named { return 200 "$hostname\n"; }
    }
}
END
mount -t proc proc "$tree/proc"
mount -t tmpfs tmpfs "$tree/dev"
mkdir "$tree/dev/shm"
chmod 1777 "$tree/dev/shm"
mknod -m 666 "$tree/dev/null" c 1 3
mknod -m 666 "$tree/dev/urandom" c 1 9
chroot --userspec=71:71 "$tree" /usr/lib/postgresql/15/bin/initdb -D /data -A trust --no-locale -E UTF8 -N >"$work/log" 2>&1 || {
        tail -n 30 "$work/log" >&2
        exit 1
}
umount "$tree/dev" "$tree/proc"
printf "listen_addresses = '*'\nfsync = off\njit = off\nshared_buffers = 8MB\ndynamic_shared_memory_type = mmap\n" >>"$tree/data/postgresql.conf"
printf 'host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n' >>"$tree/data/pg_hba.conf"
tar -C "$tree" --sort=name --numeric-owner -cf "$work/tar" .
mv "$work/tar" "$tar"
echo "$tar"
