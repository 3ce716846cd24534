/* ns.c - see ns.h. */
#include "sys/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

err *ns_open(const char *path, int clone_flag, int *ret_fd)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        int kind;

        if (fd < 0)
                return errno == ENOENT
                               ? err_new(ERR_NOT_FOUND, "namespace path: lstat %s: no such file or directory", path)
                               : err_sys(errno, "opening namespace %s", path);
        kind = ioctl(fd, NS_GET_NSTYPE);
        if (kind < 0)
                return err_new(ERR_INVALID, "%s is not a namespace", path);
        if (kind != clone_flag)
                return err_new(ERR_INVALID, "%s is a namespace of another kind", path);
        *ret_fd = TAKE_FD(fd);
        return NULL;
}

/* Three numbers a line, padded with blanks: "0 0 4294967295", all of them on themselves? */
static bool is_whole_map(const char *text)
{
        static const char *const words[] = {"0", "0", "4294967295\n"};

        for (size_t i = 0; i < 3; i++) {
                size_t n = strlen(words[i]);

                text += strspn(text, " ");
                if (strncmp(text, words[i], n) != 0)
                        return false;
                text += n;
        }
        return true;
}

bool ns_in_userns(void)
{
        static int known; /* 1: no, 2: yes */
        char text[64] = "";

        if (!known) {
                _cleanup_close_ int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
                ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

                known = n > 0 && !is_whole_map(text) ? 2 : 1;
        }
        return known == 2;
}

bool ns_is_rootless(void)
{
        return geteuid() != 0 || ns_in_userns();
}

/* A socket of the current network namespace, to ask for things with. */
static int any_socket(void)
{
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 && errno == EAFNOSUPPORT)
                fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
}

static int loopback_up(int fd)
{
        /* SIOCSIFFLAGS sets all flags at once; those of the kernel itself (RUNNING, LOOPBACK) are kept by it. */
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

        return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int ns_loopback_up(void)
{
        _cleanup_close_ int fd = any_socket();

        return fd < 0 ? fd : loopback_up(fd);
}

int ns_new_net(void)
{
        _cleanup_close_ int fd = -1;
        int r, ns;

        if (unshare(CLONE_NEWNET) < 0)
                return -errno;
        fd = any_socket();
        r = fd < 0 ? fd : loopback_up(fd);
        if (r < 0)
                return r;
        ns = ioctl(fd, SIOCGSKNS); /* of the socket: no path is involved */
        return ns < 0 ? -errno : ns;
}

int ns_socket(int ns, int family, int type, int protocol)
{
        _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int s;

        if (here < 0 || setns(ns, CLONE_NEWNET) < 0)
                return -errno;
        s = socket(family, type | SOCK_CLOEXEC, protocol);
        if (s < 0)
                s = -errno;
        if (setns(here, CLONE_NEWNET) < 0)
                abort(); /* cannot fail: it was ours */
        return s;
}

int ns_set_hostname(const char *name)
{
        return sethostname(name, strlen(name)) < 0 ? -errno : 0;
}

int ns_set_domainname(const char *name)
{
        return setdomainname(name, strlen(name)) < 0 ? -errno : 0;
}
