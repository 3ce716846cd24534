# common.bash - shared by the scripts: where things are, installing packages, making the busybox image.
# Sourced by bash scripts that have `set -euo pipefail`.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this
jobs=$(nproc)

say() { printf '%s\n' "$*"; }
die() {
        printf '%s: %s\n' "$(basename "$0")" "$*" >&2
        exit 1
}

# What each purpose needs beside the base system (Debian 12 names).
# shellcheck disable=SC2034  # used by the scripts that source this
{
packages_build=(gcc libc6-dev meson ninja-build pkg-config libjson-c-dev libseccomp-dev libsqlite3-dev zlib1g-dev
        libzstd-dev libisal-dev liblzma-dev libbz2-dev libcurl4-openssl-dev)
# libzstd, liblzma, libbz2, libcrypto and libisal are opened only by the commands that unpack (the last two only make it
# faster), libcurl by those that ask a registry.
packages_image=(busybox-static tar libzstd1 liblzma5 libbz2-1.0 libssl3 libisal2 libcurl4)
packages_test=(bind9-dnsutils docker-registry openssl curl iptables nftables perl-base libcmocka-dev clang clang-format clang-tidy cppcheck shellcheck pmccabe bats jq python3 strace
        libarchive-dev zstd gzip xz-utils bzip2 iproute2 util-linux attr libcap2-bin procps btrfs-progs fuse-overlayfs
        e2fsprogs xfsprogs)
packages_peers=(podman conmon containernetworking-plugins uidmap containerd docker.io runc tini iptables nftables
        skopeo umoci buildah docker-registry mmdebstrap curl postgresql-client iperf3 bind9-dnsutils iputils-ping)
packages_vm=(qemu-system-x86 mmdebstrap e2fsprogs)
packages_bench=(hyperfine docker.io podman)
packages_images_bench=(docker.io podman runc docker-registry skopeo jq python3)
packages_network_bench=(docker.io podman runc containernetworking-plugins iptables nftables iproute2 iperf3 hyperfine jq python3)
packages_runtime_bench=(hyperfine jq python3 crun runc golang-github-containers-common)
}

have_package() {
        dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# need_packages NAME...: install what is missing; quiet when nothing is.
need_packages() {
        local p missing=()
        for p in "$@"; do
                have_package "$p" || missing+=("$p")
        done
        ((${#missing[@]})) || return 0
        ((EUID == 0)) || die "these packages are missing (run as root, or install them): ${missing[*]}"
        say "installing: ${missing[*]}" >&2
        if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
                DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
        fi
        if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
                >"${TMPDIR:-/tmp}/hod-apt.$$" 2>&1; then
                # Lists that are too old name files that are gone.
                DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
                DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
                        >"${TMPDIR:-/tmp}/hod-apt.$$" 2>&1 || {
                        cat "${TMPDIR:-/tmp}/hod-apt.$$" >&2
                        die "apt-get could not install: ${missing[*]}"
                }
        fi
        rm -f "${TMPDIR:-/tmp}/hod-apt.$$"
}

# build_in DIR [meson option...] [target=TARGET...]: configure once, build all or the targets named; the programs are
# DIR/bin/*.
build_in() {
        local dir=$1 log word targets=() options=()
        shift
        for word in "$@"; do
                if [[ $word == target=* ]]; then targets+=("${word#target=}"); else options+=("$word"); fi
        done
        mkdir -p "$dir"
        log=$dir/build.log
        if [[ ! -f $dir/build.ninja ]]; then
                if ! meson setup "$dir" "$top" "${options[@]}" >"$log" 2>&1; then
                        cat "$log" >&2
                        return 1
                fi
        fi
        if ! ninja -C "$dir" -k 0 "${targets[@]}" >"$log" 2>&1; then
                grep -vE '^\[[0-9]+/[0-9]+\]|^ninja: Entering' "$log" >&2 || true
                return 1
        fi
}

# free_port [N]: a port that nobody has in this network namespace, or the first of N in a row; below those that the kernel
# gives out by itself.
free_port() {
        local port first taken
        taken=" $(ss -Htuanl | awk '{sub(".*:", "", $5); printf "%s ", $5}')"
        while :; do
                first=$((20000 + RANDOM % 12000))
                for ((port = first; port < first + ${1-1}; port++)); do [[ $taken != *" $port "* ]] || continue 2; done
                echo "$first" && return
        done
}

# Write the tar of a busybox root file system to stdout. Debian's static busybox, every applet a hard link.
busybox_tar() {
        local t applet busybox
        busybox=$(command -v busybox) || die "busybox-static is not installed"
        t=$(mktemp -d)
        mkdir -p "$t"/{bin,dev,etc,home,lib,lib64,proc,root,sbin,sys,tmp,usr/bin,usr/sbin,var/spool/mail}
        chmod 755 "$t"
        chmod 1777 "$t/tmp"
        chmod 700 "$t/root"
        cp "$busybox" "$t/bin/busybox"
        chmod 755 "$t/bin/busybox"
        for applet in $("$busybox" --list); do
                [[ $applet == busybox ]] || ln "$t/bin/busybox" "$t/bin/$applet"
        done
        cat >"$t/etc/passwd" <<-'END'
		root:x:0:0:root:/root:/bin/sh
		daemon:x:1:1:daemon:/usr/sbin:/bin/false
		bin:x:2:2:bin:/bin:/bin/false
		mail:x:8:8:mail:/var/spool/mail:/bin/false
		www-data:x:33:33:www-data:/var/www:/bin/false
		operator:x:37:37:Operator:/var:/bin/false
		nobody:x:65534:65534:nobody:/home:/bin/false
		END
        cat >"$t/etc/group" <<-'END'
		root:x:0:
		daemon:x:1:
		bin:x:2:
		tty:x:5:
		mail:x:8:
		wheel:x:10:root
		www-data:x:33:
		operator:x:37:
		users:x:100:
		nogroup:x:65534:
		END
        printf 'root:*:::::::\n' >"$t/etc/shadow"
        chmod 640 "$t/etc/shadow"
        tar -C "$t" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1700000000 -cf - .
        rm -rf "$t"
}
