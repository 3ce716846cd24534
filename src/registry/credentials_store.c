/* credentials_store.c - see credentials.h: keeping and forgetting. The rest of the file stays as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "registry/base64.h"
#include "registry/credentials_private.h"
#include "registry/files.h"
#include "registry/helper.h"

/* The file that is written to: as long as it is held, nobody else of us changes it. */
struct store {
        char *path, *name;
        int dir;
        json *doc;
        bool docker; /* docker's config.json, and not one that was named */
};

static void store_done(struct store *s)
{
        free(s->path);
        free(s->name);
        s->dir = file_close(s->dir);
        json_free(s->doc);
}

/* The directories above @path; @path itself is not made. */
static err *make_parents(const char *path)
{
        for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
                _cleanup_free_ char *dir = strndup(path, (size_t)(p - path));

                if (!dir)
                        return err_nomem();
                if (mkdir(dir, 0700) < 0 && errno != EEXIST)
                        return err_sys(errno, "creating %s", dir);
        }
        return NULL;
}

/* A link is followed: what it leads to is replaced, not the link. */
static err *follow(const char *path, char **ret)
{
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
        char link[64], target[4096];
        ssize_t n;

        if (fd < 0) {
                *ret = str_dup(path);
                return *ret ? NULL : err_nomem();
        }
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, target, sizeof(target) - 1);
        if (n <= 0)
                return err_sys(errno, "reading where %s is", path);
        target[n] = '\0';
        *ret = str_dup(target);
        return *ret ? NULL : err_nomem();
}

static err *choose_file(const struct registry_options *o, struct store *s, char **ret)
{
        const char *own = credentials_own_file(o);

        if (own) {
                *ret = str_dup(own);
                return *ret ? NULL : err_nomem();
        }
        s->docker = true;
        TRY(credentials_docker_file(o, ret));
        return *ret ? NULL : err_new(ERR_INVALID, "neither DOCKER_CONFIG nor HOME is set: where to keep credentials?");
}

static err *store_open(const struct registry_options *o, struct store *ret)
{
        _cleanup_free_ char *path = NULL, *dir = NULL;
        struct store s = {.dir = -1};
        const char *slash;
        err *e;

        TRY(choose_file(o, &s, &path));
        TRY(make_parents(path));
        TRY(follow(path, &s.path));
        slash = strrchr(s.path, '/');
        s.name = str_dup(slash ? slash + 1 : s.path);
        dir = slash ? strndup(s.path, (size_t)(slash - s.path) + 1) : str_dup(".");
        if (!s.name || !dir) {
                store_done(&s);
                return err_nomem();
        }
        s.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s.dir < 0 || flock(s.dir, LOCK_EX) < 0) {
                e = err_sys(errno, "opening %s", dir);
                store_done(&s);
                return e;
        }
        e = credentials_read(s.path, false, &s.doc);
        if (e) {
                store_done(&s);
                return e;
        }
        if (!s.doc)
                s.doc = json_new_object();
        *ret = s;
        return NULL;
}

/* Docker indents by tabs. */
static err *print(const json *doc, struct str *out)
{
        _cleanup_free_ char *text = NULL;
        bool start = true;

        TRY(json_print(doc, JSON_INDENT4, &text));
        for (const char *p = text; *p; p++) {
                while (start && strncmp(p, "    ", 4) == 0) {
                        str_add_char(out, '\t');
                        p += 4;
                }
                str_add_char(out, *p);
                start = *p == '\n';
        }
        explicit_bzero(text, strlen(text));
        return str_done(out);
}

/* root, on behalf of a user, does not take the file away from them. The directory may be theirs: what is given away is
 * the file that was just made, whatever its name leads to meanwhile. */
static err *give_back(const struct store *s, uid_t uid, gid_t gid)
{
        _cleanup_close_ int fd = openat(s->dir, s->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return err_sys(errno, "giving %s back to its owner", s->path);
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
                return err_new(ERR_DENIED, "giving %s back to its owner: somebody has replaced it", s->path);
        if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
                return err_sys(errno, "giving %s back to its owner", s->path);
        return NULL;
}

static err *store_write(struct store *s)
{
        _cleanup_str_ struct str text = {0};
        struct stat st;
        bool existed = fstatat(s->dir, s->name, &st, 0) == 0;
        int r;

        TRY(print(s->doc, &text));
        r = file_replace(s->dir, s->name, str_text(&text), text.len, 0600, FILE_DURABLE);
        if (r < 0)
                return err_sys(r, "writing %s", s->path);
        return existed && st.st_uid != geteuid() ? give_back(s, st.st_uid, st.st_gid) : NULL;
}

static err *entry_of(const struct auth_credentials *c, json **ret)
{
        _cleanup_free_ char *pair = str_format("%s:%s", c->user ? c->user : "", c->identity ? "" : c->password),
                            *auth = NULL;
        _cleanup_json_ json *entry = json_new_object();

        if (!pair)
                return err_nomem();
        TRY(base64_encode(pair, strlen(pair), &auth));
        json_set_str(entry, "auth", auth);
        if (c->identity)
                json_set_str(entry, "identitytoken", c->identity);
        *ret = TAKE_PTR(entry);
        return NULL;
}

static err *keep(const struct registry_options *o, struct store *s, const char *key, const struct auth_credentials *c,
                 char **ret_file)
{
        const char *written = credentials_server(key), *asked, *helper;
        json *auths = json_sub_object(s->doc, "auths"), *entry = NULL;

        helper = credentials_helper(s->doc, key, &asked);
        /* An entry of old form would be found first. */
        while (credentials_has(auths, key, &written))
                json_del(auths, written);
        written = credentials_server(key);
        if (helper) {
                TRY(helper_store(o, helper, asked, c));
                json_set(auths, written, json_new_object());
                return store_write(s);
        }
        TRY(entry_of(c, &entry));
        json_set(auths, written, entry);
        TRY(store_write(s));
        *ret_file = str_dup(s->path);
        return *ret_file ? NULL : err_nomem();
}

err *credentials_store(const struct registry_options *o, const char *key, const struct auth_credentials *c,
                       char **ret_file)
{
        _cleanup_(store_done) struct store s = {.dir = -1};

        *ret_file = NULL;
        TRY(store_open(o, &s));
        return keep(o, &s, key, c, ret_file);
}

err *credentials_erase(const struct registry_options *o, const char *key)
{
        _cleanup_(store_done) struct store s = {.dir = -1};
        const char *written, *asked, *helper;
        bool changed = false;
        json *auths;

        TRY(store_open(o, &s));
        helper = credentials_helper(s.doc, key, &asked);
        if (helper)
                TRY(helper_erase(o, helper, asked));
        auths = json_get(s.doc, "auths");
        while (credentials_has(auths, key, &written)) {
                json_del(auths, written);
                changed = true;
        }
        return changed ? store_write(&s) : NULL;
}
