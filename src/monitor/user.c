/* user.c - see user.h. */
#include "monitor/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define ID_MAX 2147483647

void user_done(struct user *u)
{
        free(u->groups);
        free(u->home);
        *u = (struct user){0};
}

static err *out_of_range(void)
{
        return err_new(ERR_INVALID, "uids and gids must be in range 0-2147483647");
}

/* Go's strconv.Atoi: an optional sign and digits. What is too large saturates, which is out of range as well. */
static bool number(const char *text, size_t n, int64_t *ret)
{
        bool negative = n && *text == '-';
        size_t i = n && (*text == '-' || *text == '+');
        int64_t value = 0;

        if (i == n)
                return false;
        for (; i < n; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                if (value <= ID_MAX)
                        value = value * 10 + (text[i] - '0');
        }
        *ret = negative ? -value : value;
        return true;
}

/* ---- files, line by line in a buffer of fixed size ---- */

struct reader {
        int fd; /* -1: no file */
        size_t seen, from, to;
        bool skip; /* inside a line that is too long */
        char buf[USER_LINE_MAX];
};

static void reader_done(struct reader **r)
{
        if (*r)
                (void)file_close((*r)->fd);
        free(*r);
}

static err *reader_open(int rootfs, const char *path, struct reader **ret)
{
        _cleanup_(reader_done) struct reader *r = MEM_NEW0(struct reader, 1);
        struct stat st;

        if (!r)
                return err_nomem();
        /* A FIFO must not block and a device must not be touched: look before reading. */
        r->fd = file_open_in(rootfs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (r->fd >= 0 && (fstat(r->fd, &st) < 0 || !S_ISREG(st.st_mode)))
                r->fd = file_close(r->fd);
        *ret = TAKE_PTR(r);
        return NULL;
}

/* Next line (not terminated, blanks around it cut), or false at the end. */
static bool reader_line(struct reader *r, const char **ret, size_t *ret_size)
{
        for (;;) {
                char *start = r->buf + r->from, *nl = memchr(start, '\n', r->to - r->from);
                bool skip = r->skip;
                ssize_t n = 0;

                if (nl) {
                        size_t size = (size_t)(nl - start);

                        r->from += size + 1;
                        r->skip = false;
                        if (skip)
                                continue;
                        *ret = start;
                        *ret_size = size;
                        return true;
                }
                memmove(r->buf, start, r->to -= r->from);
                r->from = 0;
                if (r->to == sizeof(r->buf)) {
                        r->skip = true;
                        r->to = 0;
                }
                do
                        if (r->fd >= 0 && r->seen < USER_FILE_MAX)
                                n = read(r->fd, r->buf + r->to, sizeof(r->buf) - r->to);
                while (n < 0 && errno == EINTR);
                if (n > 0) {
                        r->to += (size_t)n;
                        r->seen += (size_t)n;
                        continue;
                }
                if (r->to == 0 || r->skip)
                        return false;
                *ret = r->buf;
                *ret_size = r->to;
                r->to = 0;
                return true;
        }
}

struct piece {
        const char *text;
        size_t n;
};

static bool piece_is(struct piece p, const char *text, size_t n)
{
        return p.n == n && memcmp(p.text, text, n) == 0;
}

/* Cut a line at @max - 1 colons; false when there are fewer than @min fields or the line is blank or a comment. */
static bool fields(const char *line, size_t n, struct piece *out, size_t min, size_t max)
{
        size_t count = 0;

        while (n && (*line == ' ' || *line == '\t')) {
                line++;
                n--;
        }
        while (n && (line[n - 1] == ' ' || line[n - 1] == '\t' || line[n - 1] == '\r'))
                n--;
        if (!n || *line == '#' || memchr(line, '\0', n))
                return false;
        while (count < max) {
                const char *colon = count + 1 < max ? memchr(line, ':', n) : NULL;
                size_t length = colon ? (size_t)(colon - line) : n;

                out[count++] = (struct piece){line, length};
                if (!colon)
                        break;
                line += length + 1;
                n -= length + 1;
        }
        return count >= min;
}

/* ---- what is asked for ---- */

struct wanted {
        const char *text;
        size_t n;
        int64_t id; /* valid when is_number */
        bool is_number;
};

static struct wanted wanted_of(const char *text, size_t n)
{
        struct wanted w = {.text = text, .n = n};

        w.is_number = number(text, n, &w.id);
        return w;
}

static bool wanted_fits(const struct wanted *w, struct piece name, int64_t id)
{
        return w->is_number ? w->id == id : piece_is(name, w->text, w->n);
}

static bool id_of(struct piece p, int64_t *ret)
{
        return number(p.text, p.n, ret) && *ret >= 0 && *ret <= ID_MAX;
}

struct lookup {
        struct wanted user, group;
        char *name; /* of the matching passwd entry; owned */
        struct user *u;
};

static void lookup_done(struct lookup *l)
{
        free(l->name);
}

static err *add_group(struct user *u, uint32_t gid)
{
        /* Duplicates do no harm; looking for them must not be quadratic in a hostile file. */
        for (size_t i = 0; i < u->n_groups && i < 64; i++)
                if (u->groups[i] == gid)
                        return NULL;
        if (u->n_groups >= USER_GROUPS_MAX)
                return err_new(ERR_LIMIT, "more than %d supplementary groups", USER_GROUPS_MAX);
        if (mem_grow(&u->groups, u->n_groups, sizeof(*u->groups)) < 0)
                return err_nomem();
        u->groups[u->n_groups++] = gid;
        return NULL;
}

static err *find_user(int rootfs, struct lookup *l)
{
        _cleanup_(reader_done) struct reader *r = NULL;
        const struct wanted *w = &l->user;
        const char *line;
        size_t n;

        TRY(reader_open(rootfs, "/etc/passwd", &r));
        while (reader_line(r, &line, &n)) {
                struct piece f[7] = {0};
                int64_t uid, gid;

                if (!fields(line, n, f, 4, 7) || !id_of(f[2], &uid) || !id_of(f[3], &gid))
                        continue;
                if (!wanted_fits(w, f[0], uid))
                        continue;
                l->name = strndup(f[0].text, f[0].n);
                l->u->uid = (uint32_t)uid;
                l->u->gid = (uint32_t)gid;
                if (f[5].n) {
                        free(l->u->home);
                        l->u->home = strndup(f[5].text, f[5].n);
                }
                return l->name && l->u->home ? NULL : err_nomem();
        }
        if (!w->is_number)
                return err_new(ERR_INVALID, "unable to find user %.*s: no matching entries in passwd file", (int)w->n,
                               w->text);
        if (w->id < 0 || w->id > ID_MAX)
                return out_of_range();
        l->u->uid = (uint32_t)w->id;
        return NULL;
}

/* Is @name one of the comma separated members? */
static bool is_member(struct piece members, const char *name)
{
        size_t length = strlen(name);

        while (length) {
                const char *comma = memchr(members.text, ',', members.n);
                size_t n = comma ? (size_t)(comma - members.text) : members.n;

                if (piece_is((struct piece){members.text, n}, name, length))
                        return true;
                if (!comma)
                        break;
                members.text += n + 1;
                members.n -= n + 1;
        }
        return false;
}

/* The group, if one is named, else the groups that list the user. */
static err *find_groups(int rootfs, struct lookup *l, uint32_t **ret, size_t *ret_n)
{
        _cleanup_(reader_done) struct reader *r = NULL;
        struct user found = {0};
        const char *line;
        size_t n;
        err *e;

        if (!l->group.n && !l->name)
                return NULL;
        TRY(reader_open(rootfs, "/etc/group", &r));
        while (reader_line(r, &line, &n)) {
                struct piece f[4] = {0};
                int64_t gid;

                if (!fields(line, n, f, 3, 4) || !id_of(f[2], &gid))
                        continue;
                if (l->group.n) {
                        if (!wanted_fits(&l->group, f[0], gid))
                                continue;
                        l->u->gid = (uint32_t)gid;
                        return NULL;
                }
                if (!f[3].n || !is_member(f[3], l->name))
                        continue;
                e = add_group(&found, (uint32_t)gid);
                if (e) {
                        user_done(&found);
                        return e;
                }
        }
        if (!l->group.n) {
                *ret = found.groups;
                *ret_n = found.n_groups;
                return NULL;
        }
        if (!l->group.is_number)
                return err_new(ERR_INVALID, "unable to find group %.*s: no matching entries in group file",
                               (int)l->group.n, l->group.text);
        if (l->group.id < 0 || l->group.id > ID_MAX)
                return out_of_range();
        l->u->gid = (uint32_t)l->group.id;
        return NULL;
}

/* --group-add: a name or number of the file, else a number. */
static err *add_extra(int rootfs, char *const *groups, struct user *u)
{
        for (; groups && *groups; groups++) {
                struct wanted w = wanted_of(*groups, strlen(*groups));
                _cleanup_(reader_done) struct reader *r = NULL;
                bool found = false;
                const char *line;
                size_t n;

                if (w.is_number && (w.id < 0 || w.id > ID_MAX))
                        return out_of_range();
                if (w.is_number) {
                        TRY(add_group(u, (uint32_t)w.id));
                        continue;
                }
                TRY(reader_open(rootfs, "/etc/group", &r));
                while (!found && reader_line(r, &line, &n)) {
                        struct piece f[4] = {0};
                        int64_t gid;

                        if (!fields(line, n, f, 3, 4) || !id_of(f[2], &gid) || !piece_is(f[0], w.text, w.n))
                                continue;
                        found = true;
                        TRY(add_group(u, (uint32_t)gid));
                }
                if (!found)
                        return err_new(ERR_INVALID, "unable to find group %s: no matching entries in group file",
                                       *groups);
        }
        return NULL;
}

err *user_resolve(int rootfs, const char *text, char *const *groups, struct user *ret)
{
        _cleanup_(user_done) struct user u = {0};
        _cleanup_(lookup_done) struct lookup l = {.u = &u};
        _cleanup_free_ uint32_t *member_of = NULL;
        size_t n_member_of = 0;
        const char *colon;

        text = text ? text : "";
        colon = strchr(text, ':');
        l.user = wanted_of(text, colon ? (size_t)(colon - text) : strlen(text));
        if (colon && colon[1])
                l.group = wanted_of(colon + 1, strcspn(colon + 1, ":"));
        if (!l.user.n)
                l.user = wanted_of("0", 1);
        u.home = str_dup("/");
        if (!u.home)
                return err_nomem();
        TRY(find_user(rootfs, &l));
        TRY(find_groups(rootfs, &l, &member_of, &n_member_of));
        /* The group itself comes first: a set-up that drops it would lose what the group forbids (CVE-2022-36109). */
        TRY(add_group(&u, u.gid));
        for (size_t i = 0; i < n_member_of; i++)
                TRY(add_group(&u, member_of[i]));
        TRY(add_extra(rootfs, groups, &u));
        *ret = u;
        u = (struct user){0};
        return NULL;
}
