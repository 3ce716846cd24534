/* listener.c - see listener.h. */
#include "sys/listener.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"

#define STATE_LISTEN 0x0a
#define TABLE_MAX (64u << 20)

struct wanted {
        int family;
        const void *address; /* NULL: any */
        uint16_t port;
        bool listening;
        pid_t besides;
};

static bool is_any(const void *address, int family)
{
        static const unsigned char any[16];

        return memcmp(address, any, family == AF_INET ? 4 : 16) == 0;
}

/* "00000000000000000000000001000000:1F90": words of 4 bytes in host order. */
static bool read_local(const char *text, int family, unsigned char address[16], uint64_t *port)
{
        unsigned words = family == AF_INET ? 1 : 4;
        uint64_t value;

        for (unsigned i = 0; i < words; i++) {
                char word[9] = "";
                uint32_t part;

                memcpy(word, text + 8 * i, strnlen(text + 8 * i, 8));
                if (!parse_hex(word, &value))
                        return false;
                part = (uint32_t)value;
                memcpy(address + 4 * i, &part, 4);
        }
        text += (size_t)8 * words;
        return *text == ':' && parse_hex(text + 1, port);
}

/* Is what is bound to @address in the way of who wants to be there? */
static bool is_at(const unsigned char *address, int family, const struct wanted *w)
{
        static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

        if (is_any(address, family))
                return true;
        if (family == AF_INET6 && memcmp(address, mapped, sizeof(mapped)) == 0) {
                family = AF_INET;
                address += sizeof(mapped);
        }
        return family == w->family && (!w->address || memcmp(address, w->address, family == AF_INET ? 4 : 16) == 0);
}

/* A line of /proc/net/tcp: its inode, or 0 when it is not what is looked for. */
static uint64_t match(char *line, int family, const struct wanted *w)
{
        unsigned char address[16] = {0};
        uint64_t port, state, inode;
        char *field[10];
        unsigned n = 0;

        /* number local remote state queues timer retransmits uid timeout inode */
        for (char *rest = line, *word; n < ARRAY_SIZE(field) && (word = strsep(&rest, " "));)
                if (*word)
                        field[n++] = word;
        if (n < ARRAY_SIZE(field) || !read_local(field[1], family, address, &port) || port != w->port ||
            !parse_hex(field[3], &state) || !parse_u64(field[9], &inode))
                return 0;
        if (w->listening && state != STATE_LISTEN)
                return 0;
        return is_at(address, family, w) ? inode : 0;
}

/* Has the process the socket? */
static bool has_socket(int proc, const char *pid, const char *link)
{
        _cleanup_close_ int fd = -1;
        bool found = false;
        char path[40], to[64];
        DIR *dir;

        (void)snprintf(path, sizeof(path), "%.20s/fd", pid);
        fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return false;
        fd = -1;
        for (struct dirent *d; !found && (d = readdir(dir));) {
                ssize_t n = readlinkat(dirfd(dir), d->d_name, to, sizeof(to) - 1);

                if (n > 0) {
                        to[n] = '\0';
                        found = strcmp(to, link) == 0;
                }
        }
        (void)closedir(dir);
        return found;
}

static void find_process(uint64_t inode, struct listener *ret)
{
        _cleanup_free_ char *comm = NULL;
        char link[40], path[40];
        DIR *dir = opendir("/proc");

        if (!dir)
                return;
        (void)snprintf(link, sizeof(link), "socket:[%llu]", (unsigned long long)inode);
        for (struct dirent *d; !ret->pid && (d = readdir(dir));) {
                uint64_t pid;

                if (parse_u64(d->d_name, &pid) && has_socket(dirfd(dir), d->d_name, link))
                        ret->pid = (pid_t)pid;
        }
        (void)closedir(dir);
        (void)snprintf(path, sizeof(path), "/proc/%d/comm", ret->pid);
        if (!ret->pid || file_read(AT_FDCWD, path, sizeof(ret->name) + 1, &comm, NULL) < 0)
                return;
        (void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)strcspn(comm, "\n"), comm);
}

static int search(const char *name, int family, const struct wanted *w, struct listener *ret)
{
        _cleanup_free_ char *text = NULL;
        int r = file_read(AT_FDCWD, name, TABLE_MAX, &text, NULL);

        if (r < 0)
                return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                uint64_t inode = match(line, family, w);

                if (!inode)
                        continue;
                if (ret)
                        find_process(inode, ret);
                if (!ret || !w->besides || ret->pid != w->besides)
                        return 1;
                *ret = (struct listener){0};
        }
        return 0;
}

int listener_find(uint8_t protocol, int family, const void *address, uint16_t port, pid_t besides, struct listener *ret)
{
        const struct wanted w = {family, address && !is_any(address, family) ? address : NULL, port,
                                 protocol == IPPROTO_TCP, besides};
        bool udp = protocol == IPPROTO_UDP;
        int r = 0;

        if (ret)
                *ret = (struct listener){0};
        if (!udp && protocol != IPPROTO_TCP)
                return 0;
        if (family == AF_INET)
                r = search(udp ? "/proc/net/udp" : "/proc/net/tcp", AF_INET, &w, ret);
        if (r == 0) /* a socket of IPv6 may be bound for both */
                r = search(udp ? "/proc/net/udp6" : "/proc/net/tcp6", AF_INET6, &w, ret);
        return r;
}
