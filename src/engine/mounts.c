/* mounts.c - see mounts.h. */
#include "engine/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "store/pending.h"
#include "store/volume.h"

void mounts_made_done(struct mounts_made *m)
{
        strv_free(m->volumes);
        *m = (struct mounts_made){0};
}

void mounts_undo(struct engine *e, struct mounts_made *made)
{
        for (char **v = made->volumes; v && *v; v++)
                err_free(volume_remove(e->store, *v, true));
}

static err *check_destination(const char *type, const char *spec, const char *destination)
{
        char where[600] = "";

        if (spec)
                (void)snprintf(where, sizeof(where), "invalid volume specification: '%.500s': ", spec);
        if (*destination != '/')
                return err_new(ERR_INVALID,
                               "%sinvalid mount config for type \"%s\": invalid mount path: '%s' mount path "
                               "must be absolute",
                               where, type, destination);
        if (strcmp(destination, "/") == 0)
                return err_new(ERR_INVALID,
                               "%sinvalid mount config for type \"%s\": invalid specification: destination "
                               "can't be '/'",
                               where, type);
        return NULL;
}

static const char *const propagations[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave", NULL};

static bool is_one_of(const char *text, const char *const *list)
{
        for (; *list; list++)
                if (strcmp(text, *list) == 0)
                        return true;
        return false;
}

/* "ro,rshared,nocopy" of -v. */
static err *apply_mode(const char *mode, json *m)
{
        static const char *const ignored[] = {"z", "Z", "cached", "delegated", "consistent", NULL};
        _cleanup_strv_ char **words = NULL;
        bool rw_seen = false;

        TRY(strv_split(mode, ',', &words));
        for (char **w = words; *w; w++) {
                bool access = strcmp(*w, "ro") == 0 || strcmp(*w, "rw") == 0;

                if (access && rw_seen)
                        return err_new(ERR_INVALID, "invalid mode: %s", mode);
                if (access) {
                        json_set_bool(m, "RW", strcmp(*w, "rw") == 0);
                        rw_seen = true;
                } else if (is_one_of(*w, propagations)) {
                        json_set_str(m, "Propagation", *w);
                } else if (strcmp(*w, "nocopy") == 0) {
                        json_set_bool(m, "NoCopy", true);
                } else if (!is_one_of(*w, ignored)) {
                        return err_new(ERR_INVALID, "invalid mode: %s", mode);
                }
        }
        return NULL;
}

static bool has_destination(const json *mounts, const char *destination)
{
        for (size_t i = 0; i < json_len(mounts); i++)
                if (str_eq(json_get_str(json_at(mounts, i), "Destination"), destination))
                        return true;
        return false;
}

/* Append @m (consumed) with its cleaned destination; two mounts on one place are refused. */
static err *add_mount(json *mounts, json *m, const char *destination)
{
        _cleanup_free_ char *clean = NULL;
        _cleanup_json_ json *mount = m;

        TRY(path_clean(destination, &clean));
        if (has_destination(mounts, clean))
                return err_new(ERR_INVALID, "Duplicate mount point: %s", clean);
        json_set_str(mount, "Destination", clean);
        json_add(mounts, TAKE_PTR(mount));
        return NULL;
}

/* Fill @m with volume @name (NULL = a new anonymous one), made if missing. */
static err *use_volume(struct engine *e, json *m, const char *name, const json *labels, struct mounts_made *made)
{
        _cleanup_free_ char *path = NULL;
        char fresh[ID_LEN + 1];
        bool created = false;
        int r;

        if (!name) {
                r = id_new(fresh);
                if (r < 0)
                        return err_sys(r, "making a volume name");
                name = fresh;
                json_set_bool(m, "Anonymous", true);
        }
        if (name == fresh)
                TRY(pending_volume(made->marker, name));
        TRY(volume_ensure(e->store, name, labels, name == fresh, &path, &created));
        if (created)
                TRY(strv_add(&made->volumes, name));
        json_set_str(m, "Type", "volume");
        json_set_str(m, "Name", name);
        json_set_str(m, "Source", path);
        json_set_str(m, "Driver", "local");
        return NULL;
}

/* -v [SRC:]DST[:MODE] */
static err *resolve_bind(struct engine *e, json *mounts, const char *spec, struct mounts_made *made)
{
        _cleanup_strv_ char **parts = NULL;
        _cleanup_json_ json *m = json_new_object();
        const char *source, *target, *mode;
        size_t n;

        TRY(strv_split(spec, ':', &parts));
        n = strv_len(parts);
        if (str_empty(spec))
                return err_new(ERR_INVALID, "invalid empty volume spec");
        if (n > 3)
                return err_new(ERR_INVALID, "invalid spec: %s: too many colons", spec);
        for (size_t i = 0; i < n; i++)
                if (!*parts[i])
                        return err_new(ERR_INVALID, "invalid spec: %s: empty section between colons", spec);
        source = n > 1 ? parts[0] : NULL;
        target = n > 1 ? parts[1] : parts[0];
        mode = n > 2 ? parts[2] : "";
        json_set_str(m, "Type", source && *source == '/' ? "bind" : "volume");
        json_set_str(m, "Mode", mode);
        json_set_bool(m, "RW", true);
        if (*mode)
                TRY(apply_mode(mode, m));
        TRY(check_destination(json_get_str(m, "Type"), spec, target));
        if (source && *source == '/') {
                int r = 0;
                _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                _cleanup_free_ char *clean = NULL;

                TRY(path_clean(source, &clean));
                if (access(clean, F_OK) < 0)
                        r = root < 0 ? -errno : file_mkdir_p(root, clean, 0755, NULL);
                if (r < 0)
                        return err_sys(r, "error while creating mount source path '%s': mkdir %s", clean, clean);
                json_set_str(m, "Source", clean);
                if (!json_get_str(m, "Propagation"))
                        json_set_str(m, "Propagation", "rprivate");
        } else {
                TRY(use_volume(e, m, source, NULL, made));
                if (!json_get_str(m, "Propagation"))
                        json_set_str(m, "Propagation", "");
        }
        return add_mount(mounts, TAKE_PTR(m), target);
}

static err *mount_error(const char *type, const char *text, const char *arg)
{
        return err_new(ERR_INVALID, "invalid mount config for type \"%s\": %s%s", type, text, arg ? arg : "");
}

static err *resolve_mount_bind(json *m, const json *given)
{
        const char *source = json_get_str_or(given, "Source", ""), *propagation, *recursive;
        const json *options = json_get(given, "BindOptions");
        _cleanup_free_ char *clean = NULL;

        if (!*source)
                return mount_error("bind", "field Source must not be empty", NULL);
        if (*source != '/')
                return err_new(ERR_INVALID,
                               "invalid mount config for type \"bind\": invalid mount path: '%s' mount path must be "
                               "absolute",
                               source);
        TRY(path_clean(source, &clean));
        if (access(clean, F_OK) < 0 && json_get_bool(options, "CreateMountpoint", false)) {
                _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                int r = root < 0 ? -errno : file_mkdir_p(root, clean, 0755, NULL);

                if (r < 0)
                        return err_sys(r, "error while creating mount source path '%s'", clean);
        }
        if (access(clean, F_OK) < 0)
                return mount_error("bind", "bind source path does not exist: ", clean);
        propagation = json_get_str_or(options, "Propagation", "rprivate");
        if (*propagation && !is_one_of(propagation, propagations))
                return mount_error("bind", "invalid propagation mode: ", propagation);
        recursive = json_get_bool(options, "NonRecursive", false)           ? "disabled"
                    : json_get_bool(options, "ReadOnlyNonRecursive", false) ? "writable"
                                                                            : "";
        json_set_str(m, "Type", "bind");
        json_set_str(m, "Source", clean);
        json_set_str(m, "Propagation", *propagation ? propagation : "rprivate");
        if (*recursive)
                json_set_str(m, "BindRecursive", recursive);
        return NULL;
}

static err *resolve_mount_tmpfs(json *m, const json *given)
{
        const json *options = json_get(given, "TmpfsOptions");
        _cleanup_str_ struct str s = {0};

        if (!str_empty(json_get_str(given, "Source")))
                return mount_error("tmpfs", "field Source must not be specified", NULL);
        json_set_str(m, "Type", "tmpfs");
        json_set_str(m, "Source", "");
        json_set_str(m, "Propagation", "");
        str_add(&s, "");
        if (json_get_int(options, "SizeBytes", 0))
                str_printf(&s, ",size=%lld", (long long)json_get_int(options, "SizeBytes", 0));
        if (json_get(options, "Mode"))
                str_printf(&s, ",mode=%llo", (long long)json_get_int(options, "Mode", 01777));
        TRY(str_done(&s));
        json_set_str(m, "TmpfsOptions", str_text(&s));
        return NULL;
}

/* --mount type=...,src=...,dst=... as docker's API has it. */
static err *resolve_mount(struct engine *e, json *mounts, const json *given, struct mounts_made *made)
{
        const char *type = json_get_str_or(given, "Type", "volume"), *target = json_get_str_or(given, "Target", "");
        const json *options = json_get(given, "VolumeOptions");
        _cleanup_json_ json *m = json_new_object();

        if (strcmp(type, "bind") != 0 && strcmp(type, "volume") != 0 && strcmp(type, "tmpfs") != 0)
                return mount_error(type, "mount type unknown", NULL);
        if (!*target)
                return mount_error(type, "field Target must not be empty", NULL);
        TRY(check_destination(type, NULL, target));
        json_set_str(m, "Mode", "");
        json_set_bool(m, "RW", !json_get_bool(given, "ReadOnly", false));
        if (strcmp(type, "bind") == 0) {
                TRY(resolve_mount_bind(m, given));
        } else if (strcmp(type, "tmpfs") == 0) {
                TRY(resolve_mount_tmpfs(m, given));
        } else {
                const char *driver = json_get_str_or(json_get(options, "DriverConfig"), "Name", "local");
                const char *name = json_get_str(given, "Source");

                if (*driver && strcmp(driver, "local") != 0)
                        return err_new(ERR_NOT_FOUND, "error looking up volume plugin %s: plugin \"%s\" not found",
                                       driver, driver);
                if (json_len(json_get(json_get(options, "DriverConfig"), "Options")) > 0)
                        return err_new(ERR_UNSUPPORTED,
                                       "volume %s: options of the local driver (volume-opt) are not "
                                       "supported yet",
                                       name ? name : target);
                TRY(use_volume(e, m, str_empty(name) ? NULL : name, json_get(options, "Labels"), made));
                json_set_str(m, "Propagation", "");
                if (json_get_bool(options, "NoCopy", false))
                        json_set_bool(m, "NoCopy", true);
        }
        return add_mount(mounts, TAKE_PTR(m), target);
}

err *mounts_resolve(struct engine *e, json *record, struct mounts_made *made)
{
        const json *config = json_get(record, "Config"), *host = json_get(record, "HostConfig");
        const json *binds = json_get(host, "Binds"), *given = json_get(host, "Mounts");
        json *mounts = json_sub_array(record, "Mounts");

        for (size_t i = 0; i < json_len(binds); i++)
                TRY(resolve_bind(e, mounts, json_str(json_at(binds, i)), made));
        for (size_t i = 0; i < json_len(given); i++)
                TRY(resolve_mount(e, mounts, json_at(given, i), made));
        JSON_EACH (json_get(host, "Tmpfs"), it) {
                if (strcmp(it.key, "/") == 0)
                        return err_new(ERR_INVALID, "invalid specification: destination can't be '/'");
                if (*it.key != '/')
                        return err_new(ERR_INVALID, "invalid mount path: '%s' mount path must be absolute", it.key);
                if (has_destination(mounts, it.key))
                        return err_new(ERR_INVALID, "Duplicate mount point: %s", it.key);
        }
        /* Volumes of the image, or -v /path: anonymous, unless something is mounted there already. */
        JSON_EACH (json_get(config, "Volumes"), it) {
                _cleanup_json_ json *m = json_new_object();
                _cleanup_free_ char *clean = NULL;

                TRY(check_destination("volume", it.key, it.key));
                TRY(path_clean(it.key, &clean));
                if (has_destination(mounts, clean) || json_get(json_get(host, "Tmpfs"), clean))
                        continue;
                json_set_str(m, "Mode", "");
                json_set_bool(m, "RW", true);
                json_set_str(m, "Propagation", "");
                TRY(use_volume(e, m, NULL, NULL, made));
                TRY(add_mount(mounts, TAKE_PTR(m), clean));
        }
        return NULL;
}

err *mounts_populate(struct engine *e, const json *record, const struct snapshot *snap)
{
        const json *mounts = json_get(record, "Mounts");
        _cleanup_close_ int root = -1;

        for (size_t i = 0; i < json_len(mounts); i++) {
                const json *m = json_at(mounts, i);
                const char *name = json_get_str_or(m, "Name", "");
                _cleanup_close_ int source = -1;

                if (!str_eq(json_get_str(m, "Type"), "volume") || json_get_bool(m, "NoCopy", false) ||
                    !volume_is_empty(e->store, name))
                        continue;
                if (root < 0) {
                        struct runtime_overlay image = {.lower = snap->lower, .readonly = true};

                        TRY_WRAP(runtime_rootfs_open(snap->driver, &image, &root), "reading the image for volume %s",
                                 name);
                }
                source = file_open_in(root, json_get_str_or(m, "Destination", ""), O_RDONLY | O_DIRECTORY, 0);
                if (source < 0)
                        continue; /* the image has nothing there */
                TRY(volume_populate(e->store, name, source));
        }
        return NULL;
}
