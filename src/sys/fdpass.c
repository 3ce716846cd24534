/* fdpass.c - see fdpass.h. */
#include "sys/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

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
