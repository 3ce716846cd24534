/* logs.c - see logs.h. The files are ID-json.log (newest), ID-json.log.1, .2 ...; one JSON object a line. */
#include "engine/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

#define LOG_FILES_MAX 10000
#define LINE_MAX_BYTES (256 * 1024) /* 16 KiB of output, every byte escaped, and the rest of the object */
#define FOLLOW_POLL_MS 250          /* how often the end of the container is looked at while following */

/* A log file that is read piece by piece: whole lines come out, a partial one stays for the next time. */
struct reader {
        int fd;
        char *buf;
        size_t used;
};

static void reader_done(struct reader *r)
{
        (void)file_close(r->fd);
        free(r->buf);
}

struct state {
        const struct logs_options *o;
        logs_sink *sink;
        void *ctx;
        int64_t skip;  /* lines still to be skipped for --tail */
        bool past_end; /* a line later than `until` was seen */
};

static err *emit(struct state *s, const char *line, size_t n)
{
        _cleanup_json_ json *doc = NULL;
        const json *text;
        int64_t when = 0;
        err *e;

        if (s->skip > 0) {
                s->skip--;
                return NULL;
        }
        e = json_parse(line, n, &doc);
        if (e) {
                err_free(e); /* a line cut by a power loss: the others are worth showing */
                return NULL;
        }
        err_free(clock_parse(json_get_str_or(doc, "time", ""), &when));
        if (s->o->since_ns && when < s->o->since_ns)
                return NULL;
        if (s->o->until_ns && when > s->o->until_ns) {
                s->past_end = true;
                return NULL;
        }
        text = json_get(doc, "log");
        if (!json_str(text))
                return NULL;
        return s->sink(s->ctx, str_eq(json_get_str(doc, "stream"), "stderr") ? 2 : 1, when, json_str(text),
                       json_str_len(text));
}

/* Everything that is there now. */
static err *drain(struct state *s, struct reader *r)
{
        if (!r->buf)
                r->buf = malloc(LINE_MAX_BYTES);
        if (!r->buf)
                return err_nomem();
        for (;;) {
                char *start = r->buf, *end, *nl;
                ssize_t n = read(r->fd, r->buf + r->used, LINE_MAX_BYTES - r->used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_sys(errno, "reading the log");
                if (n == 0)
                        return NULL;
                end = r->buf + r->used + n;
                while (!s->past_end && (nl = memchr(start, '\n', (size_t)(end - start)))) {
                        TRY(emit(s, start, (size_t)(nl - start)));
                        start = nl + 1;
                }
                if (s->past_end)
                        return NULL;
                r->used = (size_t)(end - start);
                if (r->used == LINE_MAX_BYTES)
                        r->used = 0; /* not a log of ours: skip what cannot be a line */
                memmove(r->buf, start, r->used);
        }
}

static int64_t count_lines(const char *path)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        _cleanup_free_ char *buf = malloc(LINE_MAX_BYTES);
        int64_t lines = 0;
        ssize_t n;

        while (buf && fd >= 0 && (n = read(fd, buf, LINE_MAX_BYTES)) > 0)
                for (const char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))); p++)
                        lines++;
        return lines;
}

/* Paths of the rotated files, oldest first, then the current one. */
static err *log_files(const char *path, char ***ret)
{
        _cleanup_strv_ char **newest_first = NULL, **list = NULL;
        struct stat st;

        for (int i = 1; i < LOG_FILES_MAX; i++) {
                _cleanup_free_ char *rotated = str_format("%s.%d", path, i);

                if (!rotated)
                        return err_nomem();
                if (stat(rotated, &st) < 0)
                        break;
                TRY(strv_push(&newest_first, TAKE_PTR(rotated)));
        }
        for (size_t i = strv_len(newest_first); i > 0; i--)
                TRY(strv_add(&list, newest_first[i - 1]));
        TRY(strv_add(&list, path));
        *ret = TAKE_PTR(list);
        return NULL;
}

/* The file that we read, inode @old, was rotated: read its end, and whatever has been rotated since. */
static err *next_file(struct state *s, struct reader *r, const char *path, ino_t old)
{
        _cleanup_strv_ char **files = NULL;
        bool found = false;
        struct stat st;

        TRY(drain(s, r)); /* written between our last look and the rotation */
        TRY(log_files(path, &files));
        for (char **f = files; *f && !s->past_end; f++) {
                bool is_old = stat(*f, &st) == 0 && st.st_ino == old;

                if (is_old)
                        found = true;
                else if (!found && f[1])
                        continue; /* older than ours; without ours all but the newest are */
                if (is_old)
                        continue;
                r->fd = file_close(r->fd);
                r->used = 0;
                r->fd = open(*f, O_RDONLY | O_CLOEXEC);
                if (r->fd >= 0)
                        TRY(drain(s, r));
        }
        return NULL;
}

/* Follow @path from where @r stands, across rotations, until the container has ended and everything was read. */
static err *follow(struct container *c, struct state *s, struct reader *r, const char *path)
{
        _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        _cleanup_free_ char *dir = str_dup(path);

        if (watch < 0)
                return err_sys(errno, "watching the log");
        if (!dir)
                return err_nomem();
        *strrchr(dir, '/') = '\0';
        if (inotify_add_watch(watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
                return err_sys(errno, "watching %s", dir);
        for (;;) {
                struct pollfd p[2] = {{.fd = watch, .events = POLLIN}, {.fd = STDOUT_FILENO, .events = 0}};
                char events[4096];
                struct stat now, open_st;
                bool ended;

                TRY(container_refresh(c));
                ended = !container_is_alive(c);
                if (r->fd < 0)
                        r->fd = open(path, O_RDONLY | O_CLOEXEC);
                if (r->fd >= 0)
                        TRY(drain(s, r));
                if (s->past_end)
                        return NULL;
                if (r->fd >= 0 && stat(path, &now) == 0 && fstat(r->fd, &open_st) == 0) {
                        if (now.st_ino != open_st.st_ino) {
                                TRY(next_file(s, r, path, open_st.st_ino));
                                continue;
                        }
                        if (now.st_size < lseek(r->fd, 0, SEEK_CUR)) { /* max-file=1: begun anew in its place */
                                (void)lseek(r->fd, 0, SEEK_SET);
                                r->used = 0;
                                continue;
                        }
                }
                if (ended || (s->o->until_ns && clock_now_ns() > s->o->until_ns))
                        return NULL;
                (void)poll(p, 2, FOLLOW_POLL_MS);
                if (p[1].revents & (POLLERR | POLLHUP))
                        return NULL; /* nobody reads us any more */
                while (read(watch, events, sizeof(events)) > 0)
                        ;
        }
}

err *logs_read(struct container *c, const struct logs_options *o, logs_sink *sink, void *ctx)
{
        const char *path = json_get_str_or(c->record, "LogPath", "");
        _cleanup_(reader_done) struct reader r = {.fd = -1};
        struct state s = {.o = o, .sink = sink, .ctx = ctx};
        _cleanup_strv_ char **files = NULL;

        if (!*path)
                return err_new(ERR_UNSUPPORTED, "configured logging driver does not support reading");
        TRY(log_files(path, &files));
        if (o->tail >= 0) {
                int64_t total = 0;

                for (char **f = files; *f; f++)
                        total += count_lines(*f);
                s.skip = total > o->tail ? total - o->tail : 0;
        }
        for (char **f = files; *f && !s.past_end; f++) {
                (void)file_close(r.fd);
                r.used = 0;
                r.fd = open(*f, O_RDONLY | O_CLOEXEC);
                if (r.fd < 0 && errno != ENOENT)
                        return err_sys(errno, "opening %s", *f);
                if (r.fd >= 0)
                        TRY(drain(&s, &r));
        }
        return o->follow && !s.past_end ? follow(c, &s, &r, path) : NULL;
}
