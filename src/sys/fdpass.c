/* fdpass.c - see fdpass.h. */
#include "sys/fdpass.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"

union control {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
};

ssize_t fdpass_send(int socket, const void *data, size_t size, int fd)
{
        struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        union control control = {0};
        ssize_t n;

        if (fd >= 0) {
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
                message.msg_control = &control;
                message.msg_controllen = sizeof(control);
        }
        do
                n = sendmsg(socket, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

ssize_t fdpass_receive(int socket, void *data, size_t size, int *ret_fd)
{
        struct iovec iov = {.iov_base = data, .iov_len = size};
        union control control = {0};
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        int fd = -1;
        ssize_t n;

        do
                n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        if (message.msg_controllen >= CMSG_LEN(sizeof(int)) && control.header.cmsg_level == SOL_SOCKET &&
            control.header.cmsg_type == SCM_RIGHTS)
                memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
        if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
                (void)file_close(fd);
                return -EMSGSIZE;
        }
        *ret_fd = fd;
        return n;
}

/* A name that is too long for an address is reached through a descriptor. @ret_through: what has to stay open. */
static int make_address(const char *path, struct sockaddr_un *a, socklen_t *ret_size, int *ret_through)
{
        size_t n = strlen(path);

        *a = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (n < sizeof(a->sun_path)) {
                memcpy(a->sun_path, path, n);
                if (*path == '@')
                        a->sun_path[0] = '\0';
                *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path != '@'));
                return 0;
        }
        *ret_through = open(path, O_PATH | O_CLOEXEC);
        if (*ret_through < 0)
                return -errno;
        (void)snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d", *ret_through);
        *ret_size = sizeof(*a);
        return 0;
}

err *fdpass_deliver(const char *path, const void *data, size_t size, int fd)
{
        _cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), through = -1;
        struct timeval limit = {.tv_sec = FDPASS_TIMEOUT_S};
        struct sockaddr_un address;
        socklen_t address_size;
        ssize_t n;
        int r;

        if (s < 0)
                return err_sys(errno, "making a socket");
        r = make_address(path, &address, &address_size, &through);
        if (r < 0)
                return err_sys(-r, "dial unix %s: connect", path);
        if (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return err_sys(errno, "setsockopt");
        if (connect(s, (struct sockaddr *)&address, address_size) < 0)
                return errno == EAGAIN ? err_new(ERR_TIMEOUT, "dial unix %s: nobody accepts connections there", path)
                                       : err_sys(errno, "dial unix %s: connect", path);
        for (size_t done = 0; done < size; done += (size_t)n, fd = -1) {
                n = fdpass_send(s, (const char *)data + done, size - done, fd);
                if (n == -EAGAIN)
                        return err_new(ERR_TIMEOUT, "sending to %s: nobody reads there", path);
                if (n < 0)
                        return err_sys((int)-n, "sending to %s", path);
        }
        return NULL;
}
