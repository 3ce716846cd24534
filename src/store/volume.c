/* volume.c - see volume.h. */
#include "store/volume.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "store/layer.h"
#include "store/record.h"
#include "store/tree.h"
#include "store/txn.h"

#define META "meta.json"
#define DATA "_data"
#define FILLING "filling" /* beside _data while it is being filled: until it is gone _data counts as empty */
#define ANONYMOUS "com.docker.volume.anonymous"

static err *check_name(const char *name)
{
        if (!str_empty(name) && !name[1] && isalnum((unsigned char)*name))
                return err_new(
                        ERR_INVALID,
                        "create %s: volume name is too short, names should be at least two alphanumeric characters",
                        name);
        if (!id_name_valid(name))
                return err_new(
                        ERR_INVALID,
                        "create %s: \"%s\" includes invalid characters for a local volume name, only "
                        "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
                        "absolute path",
                        name, name);
        return NULL;
}

static err *not_found(const char *name)
{
        return err_new(ERR_NOT_FOUND, "get %s: no such volume", name);
}

/* ROOT/volumes/<name>, or -ENOENT. A name that cannot be one does not exist either. */
static int open_volume(struct store *s, const char *name)
{
        char path[300];

        if (!id_name_valid(name))
                return -ENOENT;
        (void)snprintf(path, sizeof(path), "volumes/%s", name);
        return file_open_beneath(s->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
}

static err *data_path(struct store *s, const char *name, char **ret)
{
        *ret = str_format("%s/volumes/%s/" DATA, s->root, name);
        return *ret ? NULL : err_nomem();
}

static err *write_meta(int fd, const json *labels, bool anonymous)
{
        _cleanup_json_ json *meta = json_new_object(), *copy = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        json_set_int(meta, "created", clock_now_ns());
        if (json_len(labels)) {
                TRY(json_copy((json *)labels, &copy));
                json_set(meta, "labels", TAKE_PTR(copy));
        }
        if (anonymous)
                json_set_str(json_sub_object(meta, "labels"), ANONYMOUS, "");
        TRY(json_print(meta, JSON_COMPACT, &text));
        r = file_replace(fd, META, text, strlen(text), 0600, anonymous ? FILE_VOLATILE : FILE_DURABLE);
        return r < 0 ? err_sys(r, "writing a volume's description") : NULL;
}

/* Made out of sight, then given its name. */
static err *create(struct store *s, const char *name, const json *labels, bool anonymous, bool *ret_created)
{
        _cleanup_staging_ struct staging st = {0};
        _cleanup_close_ int fd = -1;
        char path[300];

        (void)snprintf(path, sizeof(path), "volumes/%s", name);
        TRY(staging_begin(s, &st));
        if (mkdirat(st.fd, "volume", 0700) < 0 || mkdirat(st.fd, "volume/" DATA, 0755) < 0 ||
            fchmodat(st.fd, "volume/" DATA, 0755, 0) < 0)
                return err_sys(errno, "making volume %s", name);
        fd = file_open_beneath(st.fd, "volume", O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return err_sys(fd, "making volume %s", name);
        TRY(write_meta(fd, labels, anonymous));
        *ret_created = renameat2(st.fd, "volume", s->root_fd, path, RENAME_NOREPLACE) == 0;
        if (!*ret_created && errno != EEXIST)
                return err_sys(errno, "making volume %s", name);
        return NULL;
}

err *volume_ensure(struct store *s, const char *name, const json *labels, bool anonymous, char **ret_path,
                   bool *ret_created)
{
        bool created = false;
        int fd;

        TRY(check_name(name));
        fd = open_volume(s, name);
        if (fd < 0 && fd != -ENOENT)
                return err_sys(fd, "opening volume %s", name);
        if (fd < 0)
                TRY(create(s, name, labels, anonymous, &created));
        (void)file_close(fd);
        TRY(data_path(s, name, ret_path));
        if (ret_created)
                *ret_created = created;
        return NULL;
}

/* A power cut may have taken it, and one volume must not hide the others: what is lost then is the labels. */
static err *read_meta(int fd, const char *name, json **ret)
{
        err *e = json_read(fd, META, ret);
        struct stat st;

        if (err_code(e) != ERR_CORRUPT && err_code(e) != ERR_INVALID && err_code(e) != ERR_NOT_FOUND)
                return e;
        log_error_free(LOG_LEVEL_WARN, err_wrap(e, "volume %s", name));
        if (fstat(fd, &st) < 0)
                return err_sys(errno, "looking at volume %s", name);
        *ret = json_new_object();
        json_set_int(*ret, "created", (int64_t)st.st_mtim.tv_sec * 1000000000);
        return NULL;
}

err *volume_inspect(struct store *s, const char *name, json **ret)
{
        _cleanup_json_ json *doc = json_new_object(), *meta = NULL;
        _cleanup_close_ int fd = open_volume(s, name);
        _cleanup_free_ char *path = NULL;
        char created[CLOCK_TEXT_MAX];
        int64_t seconds;
        json *labels;

        if (fd == -ENOENT)
                return not_found(name);
        if (fd < 0)
                return err_sys(fd, "opening volume %s", name);
        TRY(read_meta(fd, name, &meta));
        TRY(data_path(s, name, &path));
        seconds = json_get_int(meta, "created", 0) / 1000000000;
        clock_format(seconds * 1000000000, created);
        labels = json_get(meta, "labels");
        json_set_str(doc, "CreatedAt", created);
        json_set_str(doc, "Driver", "local");
        json_set(doc, "Labels", json_len(labels) ? json_ref(labels) : NULL);
        json_set_str(doc, "Mountpoint", path);
        json_set_str(doc, "Name", name);
        json_set(doc, "Options", NULL);
        json_set_str(doc, "Scope", "local");
        *ret = TAKE_PTR(doc);
        return NULL;
}

err *volume_list(struct store *s, json **ret)
{
        _cleanup_json_ json *list = json_new_array();
        _cleanup_close_ int fd = file_open_beneath(s->root_fd, "volumes", O_RDONLY | O_DIRECTORY, 0);
        _cleanup_strv_ char **names = NULL;

        if (fd < 0)
                return err_sys(fd, "opening %s/volumes", s->root);
        TRY(tree_names(fd, &names));
        for (char **n = names; *n; n++) {
                json *doc = NULL;
                err *e = volume_inspect(s, *n, &doc);

                if (err_code(e) == ERR_NOT_FOUND) { /* removed this instant */
                        err_free(e);
                        continue;
                }
                TRY(e);
                json_add(list, doc);
        }
        *ret = TAKE_PTR(list);
        return NULL;
}

static err *remove_alone(struct store *s, const char *name)
{
        _cleanup_strv_ char **users = NULL;
        _cleanup_free_ char *ids = NULL;
        char path[300], gone[300];
        int r;

        TRY(record_volume_users(s, name, &users));
        if (users) {
                ids = strv_join(users, ", ");
                return err_new(ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, ids ? ids : "");
        }
        (void)snprintf(path, sizeof(path), "volumes/%s", name);
        (void)snprintf(gone, sizeof(gone), "tmp/gone-%.200s", name);
        r = file_remove_tree(s->root_fd, gone);
        if (r == 0 && renameat(s->root_fd, path, s->root_fd, gone) < 0)
                r = -errno;
        if (r == 0)
                r = file_remove_tree(s->root_fd, gone);
        return r < 0 ? err_sys(r, "removing volume %s", name) : NULL;
}

err *volume_remove(struct store *s, const char *name, bool force)
{
        int fd = open_volume(s, name);
        err *e;

        (void)file_close(fd);
        if (fd == -ENOENT)
                return force ? NULL : not_found(name);
        TRY(txn_exclusive(s));
        e = remove_alone(s, name);
        txn_exclusive_end(s);
        return e;
}

err *volume_usage(struct store *s, const char *name, uint64_t *ret)
{
        _cleanup_close_ int fd = open_volume(s, name), data = -1;

        if (fd < 0)
                return not_found(name);
        data = file_open_beneath(fd, DATA, O_RDONLY | O_DIRECTORY, 0);
        if (data < 0)
                return err_sys(data, "opening volume %s", name);
        return tree_usage(data, ret);
}

static bool is_empty(int fd)
{
        _cleanup_strv_ char **names = NULL;
        err *e = tree_names(fd, &names);

        if (e) {
                err_free(e);
                return false;
        }
        return !*names;
}

bool volume_is_empty(struct store *s, const char *name)
{
        _cleanup_close_ int fd = open_volume(s, name), data = -1;

        if (fd < 0)
                return false;
        if (file_exists(fd, FILLING))
                return true;
        data = file_open_beneath(fd, DATA, O_RDONLY | O_DIRECTORY, 0);
        return data >= 0 && is_empty(data);
}

err *volume_populate(struct store *s, const char *name, int source_fd)
{
        _cleanup_close_ int fd = open_volume(s, name), data = -1, marker = -1;
        bool interrupted;

        if (fd == -ENOENT)
                return not_found(name);
        if (fd < 0)
                return err_sys(fd, "opening volume %s", name);
        /* Only one fills it; the lock ends with the descriptor. */
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return err_sys(errno, "locking volume %s", name);
        data = file_open_beneath(fd, DATA, O_RDONLY | O_DIRECTORY, 0);
        if (data < 0)
                return err_sys(data, "opening volume %s", name);
        interrupted = file_exists(fd, FILLING);
        if (!interrupted && !is_empty(data))
                return NULL;
        marker = openat(fd, FILLING, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (marker < 0)
                return err_sys(errno, "filling volume %s", name);
        TRY_WRAP(tree_copy(source_fd, data, interrupted ? TREE_COPY_REPLACE : 0), "filling volume %s", name);
        /* A power cut must not leave a volume that looks filled. An anonymous one goes with its container. */
        if (!id_valid(name) && syncfs(data) < 0)
                return err_sys(errno, "writing volume %s to disk", name);
        return unlinkat(fd, FILLING, 0) < 0 ? err_sys(errno, "filling volume %s", name) : NULL;
}
