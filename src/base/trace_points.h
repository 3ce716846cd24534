/* trace_points.h - the trace points: TRACE_POINT(id, name, what, call, man, shell). Included with the macro defined.
 * The order is the order of a `run`. A step that isolates something says what; %s in the shell column never appears:
 * commands are examples with obvious names. */

/* engine */
TRACE_POINT(ENGINE_OPEN, "engine.open", "open the state directories and databases", "openat2, sqlite", "openat2(2)", "")
TRACE_POINT(IMAGE_RESOLVE, "image.resolve", "find the image and read its configuration", "read",
            "OCI image-spec config.md", "")
TRACE_POINT(CONTAINER_CREATE, "container.create", "write the container's record: name, id, configuration", "sqlite", "",
            "")
TRACE_POINT(SNAPSHOT_PREPARE, "snapshot.prepare", "make the writable layer's directories", "mkdirat", "",
            "mkdir upper work")
TRACE_POINT(SPEC_WRITE, "spec.write", "translate flags and image into an OCI runtime spec", "write",
            "OCI runtime-spec config.md", "hodrun spec")
TRACE_POINT(MONITOR_START, "monitor.start", "start the container's supervisor", "posix_spawn", "execve(2)", "")
TRACE_POINT(MONITOR_READY, "monitor.ready",
            "the supervisor reads its configuration, opens log and FIFOs, becomes subreaper", "prctl, mkfifoat",
            "PR_SET_CHILD_SUBREAPER(2const)", "")
TRACE_POINT(START, "start",
            "hodrun: execve twice, the second time from a mount that nobody can write to; C library; arguments",
            "execveat", "execve(2)", "")
/* builder: parent side of the runtime */
TRACE_POINT(SPEC_READ, "spec.read", "read and check the OCI runtime spec", "read", "OCI runtime-spec config.md", "")
TRACE_POINT(STATE_MAKE, "state.make", "hodrun: the container's directory, lock, state and copy of the spec",
            "mkdirat, fcntl, write", "", "")
TRACE_POINT(ROOTFS_OPEN, "rootfs.open", "stack image layers and writable layer; the image itself never changes",
            "fsopen, fsconfig, fsmount", "mount(2), overlayfs",
            "mount -t overlay overlay -o lowerdir=image,upperdir=upper,workdir=work rootfs")
TRACE_POINT(PLAN, "plan", "compile the spec into steps, open what they need and the root file system", "open_tree", "",
            "")
TRACE_POINT(SECCOMP_LOAD, "seccomp.load", "get the system call filter, compiled or from the cache", "read",
            "seccomp(2)", "")
TRACE_POINT(CGROUP_CREATE, "cgroup.create", "make the cgroup and set its limits", "mkdir, write", "cgroups(7)",
            "mkdir /sys/fs/cgroup/c1; echo 16M > /sys/fs/cgroup/c1/memory.max")
TRACE_POINT(MOUNTS_OPEN, "mounts.open", "open the sources of bind mounts before anything of the container runs",
            "open_tree", "open_tree(2)", "")
TRACE_POINT(NET_MAKE, "net.make", "make the network namespace and bring up its loopback device, on another processor",
            "unshare, ioctl SIOCSIFFLAGS", "network_namespaces(7)", "ip netns add c1; ip -n c1 link set lo up")
TRACE_POINT(NET_WAIT, "net.wait", "wait for the other processor to have made it", "futex", "", "")
TRACE_POINT(CLONE, "clone",
            "new process in new namespaces: own mounts, processes, network, IPC, host name, cgroup view", "clone3",
            "clone(2), namespaces(7)", "unshare --mount --pid --net --ipc --uts --cgroup --fork")
TRACE_POINT(IDMAP_WRITE, "idmap.write", "map the container's users to unprivileged users of the host", "write",
            "user_namespaces(7)", "newuidmap, newgidmap")
TRACE_POINT(CGROUP_JOIN, "cgroup.join", "put the new process under its limits", "write", "cgroups(7)",
            "echo $PID > cgroup.procs")
TRACE_POINT(NETWORK, "network.attach", "put a veth pair between the bridge and the container: addresses, routes",
            "sendto NETLINK_ROUTE", "rtnetlink(7), veth(4)",
            "ip link add hod1 master hod0 type veth peer name eth0 netns c1")
TRACE_POINT(HOOKS, "hooks", "run the hooks of the spec", "execve", "OCI runtime-spec config.md#posix-platform-hooks",
            "")
/* child: between clone and exec */
TRACE_POINT(CHILD_BEGIN, "child.begin", "the new process: sealed against others, no signal ignored, session of its own",
            "prctl, rt_sigaction, setsid", "PR_SET_DUMPABLE(2const)", "")
TRACE_POINT(CHILD_JOIN, "child.join", "enter namespaces that exist already", "setns", "setns(2)", "nsenter")
TRACE_POINT(CHILD_PROPAGATION, "child.propagation", "mounts made from now on stay private", "mount",
            "mount_namespaces(7)", "mount --make-rslave /")
TRACE_POINT(CHILD_NET, "child.net", "bring up the loopback device of the new network namespace", "ioctl SIOCSIFFLAGS",
            "network_namespaces(7)", "ip link set lo up")
TRACE_POINT(CHILD_ROOT, "child.root", "attach the root file system", "move_mount", "move_mount(2)",
            "mount --bind rootfs rootfs")
TRACE_POINT(CHILD_MOUNTS, "child.mounts", "mount proc, sysfs, tmpfs, volumes", "fsopen, fsmount, move_mount",
            "mount(2)", "mount -t proc proc rootfs/proc")
TRACE_POINT(CHILD_DEV, "child.dev", "make null, zero, full, random, urandom, tty and the links in /dev",
            "mknodat, symlinkat", "mknod(2)", "mknod -m 666 rootfs/dev/null c 1 3")
TRACE_POINT(CHILD_CONSOLE, "child.console", "make the terminal", "openat /dev/ptmx, TIOCSCTTY", "pts(4), tty_ioctl(4)",
            "script -qc sh /dev/null")
TRACE_POINT(CHILD_PIVOT, "child.pivot", "make the new root the only root; the host's tree is unreachable",
            "pivot_root, umount2", "pivot_root(2)", "pivot_root . .; umount -l .")
TRACE_POINT(CHILD_MASK, "child.mask", "hide and write-protect parts of /proc and /sys", "mount_setattr, move_mount",
            "proc(5)", "mount --bind /dev/null /proc/keys")
TRACE_POINT(CHILD_SYSCTL, "child.sysctl", "set host name and kernel parameters of the namespaces", "sethostname, write",
            "uts_namespaces(7), sysctl(8)", "hostname c1; sysctl -w ...")
TRACE_POINT(CHILD_PROCESS, "child.process", "working directory, standard files, keyring, limits, home directory",
            "fchdir, dup2, keyctl, prlimit", "", "")
TRACE_POINT(CHILD_CREDS, "child.creds", "become the container's user, with only the capabilities it may have",
            "setgroups, setresuid, capset, prctl", "capabilities(7)", "setpriv --reuid --bounding-set")
TRACE_POINT(CHILD_SECCOMP, "child.seccomp", "refuse system calls that containers do not need", "seccomp", "seccomp(2)",
            "")
TRACE_POINT(CHILD_EXEC, "child.exec", "become the container's program", "execve", "execve(2)", "exec sh")
TRACE_POINT(CHILD_LOOKUP, "child.lookup", "find the program in the container's PATH", "stat, access", "execvp(3)", "")
TRACE_POINT(RELEASE, "release", "close what was opened for the container", "close", "", "")
TRACE_POINT(STATE_PROCESS, "state.process", "hodrun: record the process; tell who waits for it", "write, rename", "",
            "")
/* exec into a running container */
TRACE_POINT(EXEC_REQUEST, "exec.request", "ask the container's supervisor for a session", "sendmsg SCM_RIGHTS",
            "unix(7)", "")
TRACE_POINT(EXEC_JOIN, "exec.join", "enter the container's namespaces", "setns", "setns(2)",
            "nsenter --target $PID --all")
/* the end */
TRACE_POINT(RUNNING, "running", "the program runs", "", "", "")
TRACE_POINT(EXIT, "exit", "the program has ended; its status is published", "waitid, rename", "wait(2)", "")
TRACE_POINT(CGROUP_REMOVE, "cgroup.remove", "remove the cgroup", "rmdir", "cgroups(7)", "rmdir /sys/fs/cgroup/c1")
TRACE_POINT(STATE_REMOVE, "state.remove", "hodrun: poststop hooks; the container's directory goes", "unlinkat", "", "")
TRACE_POINT(END, "end", "hodrun: release memory, let the removed directory go (ext4 frees its block now)", "", "", "")
TRACE_POINT(CLEANUP, "cleanup", "record the exit; remove the container if --rm", "sqlite, unlinkat", "",
            "rm -r upper work")
