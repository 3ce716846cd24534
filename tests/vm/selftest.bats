#!/usr/bin/env bats
# bats file_tags=vm
# The guest is what the lane says it is.

@test "vm: the kernel is Debian 12's" {
        [[ $(uname -r) == 6.1.* ]]
}

@test "vm: systemd is process 1" {
        [ "$(cat /proc/1/comm)" = systemd ]
}

@test "vm: cgroups are version 2 with all controllers" {
        [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]
        for c in cpu cpuset io memory pids; do
                grep -qw "$c" /sys/fs/cgroup/cgroup.controllers
        done
}

@test "vm: AppArmor is on" {
        [ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ]
}

@test "vm: overlay mounts and user namespaces work" {
        d=$(mktemp -d)
        mkdir "$d"/{l,u,w,m}
        unshare -m sh -c "mount -t overlay overlay -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w $d/m && touch $d/m/x"
        [ -e "$d/u/x" ]
        rm -rf "$d"
        [ "$(unshare -Ur id -u)" = 0 ]
}
