/* netfiles.c - see netfiles.h. */
#include "engine/netfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/resolvconf.h"
#include "net/network.h"

#define FILE_MAX (1024 * 1024)

/* A new one can be read by everybody in the container, whatever our umask is; of an old one the mode is the
 * container's. */
static int open_file(int dirfd, const char *name)
{
        _cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 && errno == ENOENT) {
                fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
                if (fd >= 0 && fchmod(fd, 0644) < 0)
                        return -errno;
        }
        return fd < 0 ? -errno : TAKE_FD(fd);
}

/* Written in place: the file may be bound into a container that runs. Nobody sees it empty. */
static err *put(int dirfd, const char *name, const char *text, size_t size)
{
        _cleanup_close_ int fd = open_file(dirfd, name);
        struct stat st;
        int r;

        if (fd < 0)
                return err_sys(fd, "writing %s", name);
        r = file_write_all(fd, text, size);
        if (r < 0)
                return err_sys(r, "writing %s", name);
        if (fstat(fd, &st) < 0 || (st.st_size > (off_t)size && ftruncate(fd, (off_t)size) < 0))
                return err_sys(errno, "writing %s", name);
        return NULL;
}

static err *put_str(int dirfd, const char *name, const struct str *text)
{
        TRY(str_done(text));
        return put(dirfd, name, str_text(text), text->len);
}

static const char *mode_of(const json *record)
{
        return json_get_str_or(json_get(record, "HostConfig"), "NetworkMode", NETWORK_DEFAULT);
}

/* ---- hosts ---- */

static void add_host_file(struct str *text)
{
        _cleanup_free_ char *data = NULL;

        if (file_read(AT_FDCWD, "/etc/hosts", FILE_MAX, &data, NULL) < 0)
                return; /* a host without the file: the container has an empty one */
        str_add(text, data);
        if (text->len && text->data[text->len - 1] != '\n')
                str_add_char(text, '\n');
}

static void add_line(struct str *text, const char *address, const char *names)
{
        if (!str_empty(address))
                str_printf(text, "%s\t%s\n", address, names);
}

/* "name.domain name": the name may hold a domain itself. */
static err *own_names(const json *record, char **ret)
{
        const json *config = json_get(record, "Config");
        const char *name = json_get_str_or(config, "Hostname", ""), *domain = json_get_str_or(config, "Domainname", "");
        _cleanup_str_ struct str s = {0};

        str_printf(&s, "%s%s%s", name, *domain ? "." : "", domain);
        TRY(str_done(&s));
        if (strchr(str_text(&s), '.'))
                str_printf(&s, " %.*s", (int)strcspn(name, "."), name);
        return str_take(&s, ret);
}

static const char *const address_keys[] = {"IPAddress", "GlobalIPv6Address"};

/* The container's own addresses, with its host name. */
static err *add_own(struct str *text, const json *record, const json *networks)
{
        _cleanup_free_ char *names = NULL;

        TRY(own_names(record, &names));
        if (!*names)
                return NULL;
        JSON_EACH (networks, it)
                for (size_t k = 0; k < ARRAY_SIZE(address_keys); k++)
                        add_line(text, json_get_str(it.value, address_keys[k]), names);
        return NULL;
}

/* Add the host's addresses in the first network that has any, by these members of its endpoint. */
static bool add_host(struct str *text, const char *name, const json *networks, const char *four, const char *six)
{
        JSON_EACH (networks, it) {
                add_line(text, json_get_str(it.value, four), name);
                add_line(text, json_get_str(it.value, six), name);
                if (!str_empty(json_get_str(it.value, four)) || !str_empty(json_get_str(it.value, six)))
                        return true;
        }
        return false;
}

/* --add-host NAME:host-gateway: the host as the container reaches it, by its first network that leads out. */
static err *add_gateway(struct str *text, const char *name, const char *mode, const json *networks)
{
        if (str_eq(mode, "host")) {
                add_line(text, "127.0.0.1", name);
                return NULL;
        }
        if (add_host(text, name, networks, "Gateway", "IPv6Gateway") ||
            add_host(text, name, networks, ENDPOINTS_HOST, ENDPOINTS_HOST6))
                return NULL;
        return err_new(ERR_INVALID, "add-host %s:host-gateway: the container has no network with a gateway", name);
}

static err *add_extra(struct str *text, const json *record, const json *networks)
{
        const json *extra = json_get(json_get(record, "HostConfig"), "ExtraHosts");

        for (size_t i = 0; i < json_len(extra); i++) {
                const char *entry = json_str(json_at(extra, i));
                const char *sep = entry ? strchr(entry, ':') : NULL;
                _cleanup_free_ char *name = sep ? strndup(entry, (size_t)(sep - entry)) : NULL;

                if (!sep)
                        return err_new(ERR_INVALID, "bad format for add-host: \"%s\"", entry ? entry : "");
                if (!name)
                        return err_nomem();
                if (str_eq(sep + 1, "host-gateway"))
                        TRY(add_gateway(text, name, mode_of(record), networks));
                else
                        add_line(text, sep + 1, name);
        }
        return NULL;
}

static err *write_hosts(int dirfd, const struct netfiles *n)
{
        _cleanup_str_ struct str text = {0};

        if (str_eq(mode_of(n->record), "host"))
                add_host_file(&text);
        else
                str_add(&text, "127.0.0.1\tlocalhost\n"
                               "::1\tlocalhost ip6-localhost ip6-loopback\n"
                               "fe00::\tip6-localnet\n"
                               "ff00::\tip6-mcastprefix\n"
                               "ff02::1\tip6-allnodes\n"
                               "ff02::2\tip6-allrouters\n");
        TRY(add_extra(&text, n->record, n->networks));
        for (char *const *l = n->links; l && *l; l++)
                str_printf(&text, "%s\n", *l);
        TRY(add_own(&text, n->record, n->networks));
        return put_str(dirfd, "hosts", &text);
}

/* ---- resolv.conf ---- */

static err *fill(const struct netfiles *n, struct resolvconf *r, char ***dns, char ***search, char ***options)
{
        const json *host = json_get(n->record, "HostConfig");
        const char *mode = mode_of(n->record);

        r->kind = str_eq(mode, "host") ? RESOLVCONF_HOST : RESOLVCONF_PLAIN;
        r->ipv6 = str_starts(mode, "ns:");
        JSON_EACH (n->networks, it) {
                if (!str_eq(it.key, NETWORK_DEFAULT)) /* which has no names, as docker's */
                        r->kind = RESOLVCONF_INTERNAL_SERVER;
                r->ipv6 |= !str_empty(json_get_str(it.value, "GlobalIPv6Address"));
        }
        TRY(json_get_strv(host, "Dns", dns));
        TRY(json_get_strv(host, "DnsSearch", search));
        TRY(json_get_strv(host, "DnsOptions", options));
        r->dns = *dns;
        r->search = *search;
        r->options = *options;
        return NULL;
}

static err *write_resolv(int dirfd, const struct netfiles *n)
{
        _cleanup_strv_ char **dns = NULL, **search = NULL, **options = NULL;
        _cleanup_free_ char *host = NULL, *text = NULL, *old = NULL;
        int error = file_read(dirfd, "resolv.conf", FILE_MAX, &old, NULL);
        struct resolvconf r = {0};

        if (error == -EFBIG || (error >= 0 && !resolvconf_is_ours(old)))
                return NULL;
        TRY(fill(n, &r, &dns, &search, &options));
        TRY(resolvconf_of_host(r.kind != RESOLVCONF_HOST, &host, &r.path));
        r.host = host;
        TRY(resolvconf_make(&r, &text));
        return old && str_eq(old, text) ? NULL : put(dirfd, "resolv.conf", text, strlen(text));
}

/* ---- all of them ---- */

/* Whoever changes a container's files has read them before: one after the other. The descriptor's end lets go. */
static err *lock_files(int dirfd, int *ret)
{
        _cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        while (fd >= 0 && flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return err_sys(errno, "locking the files of a container");
        if (fd < 0)
                return err_sys(errno, "opening the directory of a container");
        *ret = TAKE_FD(fd);
        return NULL;
}

err *netfiles_write(int dirfd, const struct netfiles *n)
{
        _cleanup_str_ struct str hostname = {0};
        _cleanup_close_ int lock = -1;

        if (str_starts(mode_of(n->record), "container:"))
                return NULL;
        TRY(lock_files(dirfd, &lock));
        str_printf(&hostname, "%s\n", json_get_str_or(json_get(n->record, "Config"), "Hostname", ""));
        TRY(put_str(dirfd, "hostname", &hostname));
        TRY(write_hosts(dirfd, n));
        return write_resolv(dirfd, n);
}

/* Every line of @text that is in @out goes away, once each. */
static err *without(const char *text, const char *out, struct str *ret)
{
        _cleanup_strv_ char **lines = NULL, **gone = NULL;

        TRY(strv_split(text, '\n', &lines));
        TRY(strv_split(out, '\n', &gone));
        for (char **l = lines; l && *l; l++) {
                bool found = false;

                for (char **g = gone; g && *g && !found; g++) {
                        found = **g && str_eq(*g, *l);
                        if (found)
                                **g = '\0';
                }
                if (!found && (l[1] || **l))
                        str_printf(ret, "%s\n", *l);
        }
        return str_done(ret);
}

err *netfiles_update(int dirfd, const struct netfiles *n, const json *before)
{
        _cleanup_str_ struct str gone = {0}, come = {0}, text = {0};
        _cleanup_free_ char *old = NULL;
        _cleanup_close_ int lock = -1;
        int r;

        if (!endpoints_mode_is_network(mode_of(n->record)))
                return NULL;
        TRY(lock_files(dirfd, &lock));
        r = file_read(dirfd, "hosts", FILE_MAX, &old, NULL);
        if (r < 0) /* the container has made something else of it */
                return write_resolv(dirfd, n);
        TRY(add_own(&gone, n->record, before));
        TRY(add_own(&come, n->record, n->networks));
        TRY(str_done(&gone));
        TRY(str_done(&come));
        TRY(without(old, str_text(&gone), &text));
        str_add(&text, str_text(&come));
        TRY(put_str(dirfd, "hosts", &text));
        return write_resolv(dirfd, n);
}

err *netfiles_update_link(int dirfd, const char *alias, const char *line)
{
        _cleanup_strv_ char **lines = NULL;
        _cleanup_str_ struct str text = {0};
        _cleanup_free_ char *old = NULL;
        _cleanup_close_ int lock = -1;
        size_t n = strlen(alias);

        TRY(lock_files(dirfd, &lock));
        if (file_read(dirfd, "hosts", FILE_MAX, &old, NULL) < 0)
                return NULL;
        TRY(strv_split(old, '\n', &lines));
        for (char **l = lines; l && *l; l++) {
                const char *names = strchr(*l, '\t');
                bool found = names && strncmp(names + 1, alias, n) == 0 && names[1 + n] == ' ';

                if (found ? line != NULL : l[1] || **l)
                        str_printf(&text, "%s\n", found ? line : *l);
        }
        return put_str(dirfd, "hosts", &text);
}
