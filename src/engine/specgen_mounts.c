/* specgen_mounts.c - the mounts of the spec: docker's defaults, then what the user asked for, parents first. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/defaults.h"
#include "engine/specgen.h"

static json *new_mount(const char *destination, const char *type, const char *source, const char *options)
{
        json *m = json_new_object();
        _cleanup_strv_ char **list = NULL;

        json_set_str(m, "destination", destination);
        json_set_str(m, "type", type);
        json_set_str(m, "source", source);
        if (options && *options) {
                err *e = strv_split(options, ',', &list);

                err_free(e); /* an empty list is seen by the reader of the spec */
                json_set_strv(m, "options", list);
        }
        return m;
}

static bool below(const char *path, const char *parent)
{
        const char *rest = str_after(path, parent);

        return rest && *rest == '/';
}

/* Does the user mount something on @destination (or on /dev, for what is below it)? */
static bool user_mounts(const json *record, const char *destination)
{
        const json *mounts = json_get(record, "Mounts"), *host = json_get(record, "HostConfig");

        for (size_t i = 0; i < json_len(mounts); i++) {
                const char *d = json_get_str_or(json_at(mounts, i), "Destination", "");

                if (strcmp(d, destination) == 0 || (strcmp(d, "/dev") == 0 && below(destination, "/dev")))
                        return true;
        }
        return json_get(json_get(host, "Tmpfs"), destination) != NULL;
}

/* @options with "ro" left out if @writable: --privileged has /sys and its cgroups writable. */
static char *writable_if(const char *options, bool writable)
{
        _cleanup_strv_ char **list = NULL, **kept = NULL;
        err *e = strv_split(options, ',', &list);

        for (char **o = list; !e && *o; o++)
                if (!writable || strcmp(*o, "ro") != 0)
                        e = strv_add(&kept, *o);
        if (e) {
                err_free(e);
                return NULL;
        }
        return strv_join(kept, ",");
}

static err *add_defaults(json *list, const json *record, const struct specgen_start *start)
{
        const json *host = json_get(record, "HostConfig");
        const char *ipc = json_get_str_or(host, "IpcMode", "");
        bool privileged = json_get_bool(host, "Privileged", false);

        for (size_t i = 0; i < defaults_n_mounts; i++) {
                const struct default_mount *d = &defaults_mounts[i];
                _cleanup_free_ char *options = NULL;
                bool shm = strcmp(d->destination, "/dev/shm") == 0, mqueue = strcmp(d->destination, "/dev/mqueue") == 0;

                if (user_mounts(record, d->destination) || (shm && strcmp(ipc, "none") == 0))
                        continue;
                options = writable_if(d->options, privileged && str_starts(d->destination, "/sys"));
                if (!options)
                        return err_nomem();
                if (strcmp(ipc, "host") == 0 && (shm || mqueue) && access(d->destination, F_OK) < 0) {
                        continue; /* the host has not mounted it */
                } else if (strcmp(ipc, "host") == 0 && (shm || mqueue)) {
                        json_add(list, new_mount(d->destination, "bind", d->destination, "rbind,nosuid,noexec,nodev"));
                } else if (shm && start->shm_source) {
                        json_add(list,
                                 new_mount(d->destination, "bind", start->shm_source, "bind,nosuid,noexec,nodev"));
                } else if (shm) {
                        _cleanup_free_ char *sized = str_format(
                                "%s,size=%lld", options, (long long)json_get_int(host, "ShmSize", DEFAULTS_SHM_SIZE));

                        if (!sized)
                                return err_nomem();
                        json_add(list, new_mount(d->destination, d->type, d->source, sized));
                } else {
                        json_add(list, new_mount(d->destination, d->type, d->source, options));
                }
        }
        return NULL;
}

/* hosts, hostname, resolv.conf: ours unless the user mounts his own. */
static void add_managed(json *list, const json *record)
{
        static const struct {
                const char *key, *destination;
        } files[] = {
                {"ResolvConfPath", "/etc/resolv.conf"},
                {"HostnamePath", "/etc/hostname"},
                {"HostsPath", "/etc/hosts"},
        };
        bool ro = json_get_bool(json_get(record, "HostConfig"), "ReadonlyRootfs", false);

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                const char *path = json_get_str_or(record, files[i].key, "");

                if (*path && !user_mounts(record, files[i].destination))
                        json_add(list, new_mount(files[i].destination, "bind", path,
                                                 ro ? "rbind,rprivate,ro" : "rbind,rprivate"));
        }
}

/* One of the record's Mounts: bind, volume or tmpfs. */
static err *add_user_mount(json *list, const json *m)
{
        const char *type = json_get_str_or(m, "Type", ""), *propagation = json_get_str_or(m, "Propagation", "");
        const char *recursive = json_get_str_or(m, "BindRecursive", "");
        bool rw = json_get_bool(m, "RW", true);
        _cleanup_free_ char *options = NULL;

        if (strcmp(type, "tmpfs") == 0) {
                options =
                        str_format("nosuid,nodev,noexec%s%s", rw ? "" : ",ro", json_get_str_or(m, "TmpfsOptions", ""));
                if (!options)
                        return err_nomem();
                json_add(list, new_mount(json_get_str(m, "Destination"), "tmpfs", "tmpfs", options));
                return NULL;
        }
        /* Read only means recursively so, unless said otherwise: a writable mount below would be a surprise. */
        options = str_format("%s,%s,%s", strcmp(recursive, "disabled") == 0 ? "bind" : "rbind",
                             *propagation ? propagation : "rprivate",
                             rw                                                                         ? "rw"
                             : strcmp(recursive, "writable") == 0 || strcmp(recursive, "disabled") == 0 ? "ro"
                                                                                                        : "rro");
        if (!options)
                return err_nomem();
        json_add(list, new_mount(json_get_str(m, "Destination"), "bind", json_get_str(m, "Source"), options));
        return NULL;
}

/* --tmpfs PATH[:options]: docker's defaults first, so that the user's options win. */
static err *add_tmpfs(json *list, const json *host)
{
        JSON_EACH (json_get(host, "Tmpfs"), it) {
                const char *given = json_str(it.value);
                _cleanup_free_ char *options =
                        str_format("nosuid,nodev,noexec%s%s", str_empty(given) ? "" : ",", given ? given : "");

                if (!options)
                        return err_nomem();
                json_add(list, new_mount(it.key, "tmpfs", "tmpfs", options));
        }
        return NULL;
}

static size_t components(const json *mount)
{
        size_t n = 0;

        for (const char *p = json_get_str_or(mount, "destination", ""); *p; p++)
                n += *p == '/' && p[1] != '\0';
        return n;
}

/* Parents before children (docker's order): stable by the number of path components. */
static void add_sorted(json *to, const json *from)
{
        size_t done = 0;

        for (size_t depth = 0; done < json_len(from) && depth < 4096; depth++)
                for (size_t i = 0; i < json_len(from); i++)
                        if (components(json_at(from, i)) == depth) {
                                json_add(to, json_ref(json_at(from, i)));
                                done++;
                        }
}

err *specgen_mounts(json *spec, const json *record, const struct specgen_start *start)
{
        _cleanup_json_ json *user = json_new_array();
        json *list = json_sub_array(spec, "mounts");
        const json *mounts = json_get(record, "Mounts");

        TRY(add_defaults(list, record, start));
        for (size_t i = 0; i < json_len(mounts); i++)
                TRY(add_user_mount(user, json_at(mounts, i)));
        TRY(add_tmpfs(user, json_get(record, "HostConfig")));
        add_managed(user, record);
        if (start->init_path)
                json_add(user, new_mount(SPECGEN_INIT_PATH, "bind", start->init_path, "bind,ro,nosuid,nodev,rprivate"));
        add_sorted(list, user);
        return NULL;
}
