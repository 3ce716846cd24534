/* ingest_worker.c - one layer, in a process of its own: fetch, verify, unpack.
 *
 *   feed (what is here, then the source; kept in the blob file) → sha256 → inflate → sha256 → unpacker
 *
 * The feed opens its source again where it broke, as long as every try brings something. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "store/ingest_private.h"
#include "store/unpack.h"

#define REPORT_NS 50000000LL
#define REOPEN_MAX 1000
#define REOPEN_POOR (64u << 10) /* a try that brings less is a poor one */
#define REOPEN_POOR_MAX 4       /* so many in a row are the end */
#define EXPLAIN_MAX (64u << 20)
#define REOPEN_WAIT_NS 100000000L

struct feed {
        struct stream stream; /* first */
        const struct ingest_source *source;
        const struct ingest_item *item;
        size_t n;           /* the layer's number */
        struct stream *net; /* NULL: not open */
        uint64_t at, here;  /* read so far; bytes in the file */
        uint64_t opened_at; /* where the source began */
        unsigned reopened, poor;
        int pipe_fd;
        int64_t reported_ns;
};

static void report(struct feed *f, enum ingest_state state, bool now)
{
        struct ingest_message m = {.state = state, .here = f->here};
        int64_t t = clock_monotonic_ns();

        if (!now && t - f->reported_ns < REPORT_NS)
                return;
        f->reported_ns = t;
        (void)file_write_all(f->pipe_fd, &m, sizeof(m));
}

/* A source that began at 0 although more was asked for: pass over what is here. */
static err *skip(struct stream *net, uint64_t bytes)
{
        _cleanup_free_ unsigned char *buffer = malloc(STREAM_CHUNK);

        if (!buffer)
                return err_nomem();
        while (bytes) {
                size_t want = bytes < STREAM_CHUNK ? (size_t)bytes : STREAM_CHUNK, n;

                TRY(stream_read(net, buffer, want, &n));
                if (!n)
                        return err_new(ERR_CORRUPT, "it is shorter than what was received of it before");
                bytes -= n;
        }
        return NULL;
}

static err *open_source(struct feed *f)
{
        uint64_t offset = f->here;

        if (f->opened_at != UINT64_MAX && ++f->reopened > REOPEN_MAX)
                return err_new(ERR_CORRUPT, "the source broke %d times", REOPEN_MAX);
        f->opened_at = f->here;
        TRY(f->source->open(f->source->arg, f->n, &offset, &f->net));
        if (offset == f->here)
                return NULL;
        return offset == 0 ? skip(f->net, f->here) : err_new(ERR_INTERNAL, "the source began at a wrong place");
}

static err *read_source(struct feed *f, void *data, size_t size, size_t *ret)
{
        uint64_t left = f->item->blob->size - f->here;
        int r;

        if (!f->net)
                TRY(open_source(f));
        TRY(stream_read(f->net, data, size < left ? size : (size_t)left, ret));
        if (!*ret)
                return err_new(ERR_CORRUPT, "it ended after %llu of %llu bytes", (unsigned long long)f->here,
                               (unsigned long long)f->item->blob->size);
        for (size_t done = 0; done < *ret;) {
                ssize_t n = pwrite(f->item->blob->data_fd, (char *)data + done, *ret - done, (off_t)(f->here + done));

                if (n < 0 && errno == EINTR)
                        continue;
                r = n < 0 ? errno : n == 0 ? ENOSPC : 0;
                if (r)
                        return err_sys(r, "keeping the blob");
                done += (size_t)n;
        }
        f->here += *ret;
        return NULL;
}

/* Is it worth another try? Not after our own failures, nor when the last one brought nothing, or the last ones next to
 * nothing: a server that sends a byte a second would keep us for years. */
static bool again(struct feed *f, const err *e)
{
        switch (err_code(e)) {
        case ERR_SYS:
                if (err_errno(e) == ENOSPC || err_errno(e) == EDQUOT || err_errno(e) == EIO || err_errno(e) == EROFS)
                        return false;
                break;
        case ERR_TIMEOUT:
        case ERR_NETWORK:
        case ERR_CORRUPT:
        case ERR_BUSY:
                break;
        default:
                return false;
        }
        if (f->opened_at == UINT64_MAX || f->here == f->opened_at)
                return false;
        f->poor = f->here - f->opened_at < REOPEN_POOR ? f->poor + 1 : 0;
        return f->poor < REOPEN_POOR_MAX;
}

static err *feed_source(struct feed *f, void *data, size_t size, size_t *ret)
{
        for (;;) {
                const struct timespec wait = {.tv_nsec = REOPEN_WAIT_NS};
                err *e = read_source(f, data, size, ret);

                if (!e)
                        return NULL;
                stream_free(TAKE_PTR(f->net));
                if (!again(f, e))
                        return e;
                err_free(e);
                (void)nanosleep(&wait, NULL);
        }
}

static err *feed_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct feed *f = (struct feed *)s;
        ssize_t n;

        if (f->at < f->here) {
                if (size > f->here - f->at)
                        size = (size_t)(f->here - f->at);
                do
                        n = pread(f->item->blob->data_fd, data, size, (off_t)f->at);
                while (n < 0 && errno == EINTR);
                if (n <= 0)
                        return err_sys(n < 0 ? errno : EIO, "reading the blob");
                *ret = (size_t)n;
        } else if (f->at == f->item->blob->size) {
                *ret = 0;
        } else {
                TRY(feed_source(f, data, size, ret));
                report(f, f->here == f->item->blob->size ? INGEST_UNPACKING : INGEST_FETCHING,
                       f->here == f->item->blob->size);
        }
        f->at += *ret;
        return NULL;
}

static void feed_free(struct stream *s)
{
        stream_free(((struct feed *)s)->net);
}

struct pipeline {
        struct feed feed;
        struct stream *plain;  /* owns everything above the feed */
        struct stream *hashed; /* ... of it, the one that hashes the blob; borrowed */
        struct digest_hasher *blob, *diff;
};

static void pipeline_done(struct pipeline *p)
{
        if (p->plain)
                stream_free(p->plain);
        else
                feed_free(&p->feed.stream);
        digest_hasher_free(p->blob);
        digest_hasher_free(p->diff);
}

static err *open_pipeline(struct pipeline *p)
{
        struct stream *next;

        TRY(digest_hasher_new(&p->blob));
        TRY(digest_hasher_new(&p->diff));
        TRY(stream_open_hash(&p->feed.stream, p->blob, &next));
        p->plain = p->hashed = next;
        TRY(stream_open_auto(p->plain, NULL, &next));
        p->plain = next;
        TRY(stream_open_hash(p->plain, p->diff, &next));
        p->plain = next;
        return NULL;
}

static err *compare(struct digest_hasher *h, const char *want, const char *what)
{
        struct digest got;

        TRY(digest_hasher_final(h, &got));
        return strcmp(got.text, want) == 0 ? NULL : err_new(ERR_DIGEST, "the %s is %s", what, got.text);
}

static bool is_spoiled(const err *e)
{
        switch (err_code(e)) {
        case ERR_DIGEST:
        case ERR_CORRUPT:
        case ERR_UNSAFE_PATH:
        case ERR_LIMIT:
        case ERR_UNSUPPORTED:
                return true;
        default:
                return false;
        }
}

/* The source broke, or ended too early: what was received is no worse for that. */
static bool has_broken(const struct feed *f)
{
        return f->here < f->item->blob->size && f->at == f->here && !f->net;
}

/* Unpacking failed with @e. Is it because the blob is not what it should be? That is worth some more bytes. */
static err *explain(struct pipeline *p, err *e)
{
        const struct feed *f = &p->feed;
        err *worse;

        if (!is_spoiled(e) || has_broken(f) || f->item->blob->size - f->at > EXPLAIN_MAX)
                return e;
        worse = stream_drain(p->hashed);
        if (!worse)
                worse = compare(p->blob, f->item->layer.digest, "content");
        if (err_code(worse) != ERR_DIGEST) {
                err_free(worse);
                return e;
        }
        err_free(e);
        return worse;
}

static err *fetch(struct pipeline *p, const struct ingest_item *item, int tree_fd, struct ingest_message *m)
{
        err *e;

        TRY(open_pipeline(p));
        e = unpack_stream(tree_fd, UNPACK_LAYER | UNPACK_END_OPTIONAL, p->plain, &m->result);
        /* What the unpacker did not want, the hashers do. */
        if (!e)
                e = stream_drain(p->plain);
        if (e)
                return explain(p, e);
        m->diff_size = digest_hasher_size(p->diff);
        TRY(compare(p->blob, item->layer.digest, "content"));
        return compare(p->diff, item->layer.diff_id, "uncompressed content");
}

/* How much of the blob is here? A partial one with more than it should have is somebody else's rubbish. */
static err *measure(const struct ingest_blob *b, uint64_t *ret)
{
        struct stat st;

        if (fstat(b->data_fd, &st) < 0)
                return err_sys(errno, "looking at the blob");
        *ret = (uint64_t)st.st_size;
        if (b->here ? *ret == b->size : *ret <= b->size)
                return NULL;
        *ret = 0;
        if (b->here)
                return err_new(ERR_CORRUPT, "the blob that is here has %llu bytes, not %llu",
                               (unsigned long long)st.st_size, (unsigned long long)b->size);
        return ftruncate(b->data_fd, 0) < 0 ? err_sys(errno, "emptying a partial blob") : NULL;
}

/* A stream that only ended too early is worth keeping; content that is wrong is not. */
static void judge(const struct ingest_work *w, const struct feed *f, bool had_some, const err *e,
                  struct ingest_message *m)
{
        if (!e || !is_spoiled(e) || has_broken(f) || w->item->blob->here || ftruncate(w->item->blob->data_fd, 0) < 0)
                return;
        m->here = 0;
        /* Perhaps only what an earlier fetch left was damaged. */
        m->again = had_some;
}

static err *run(const struct ingest_work *w, struct ingest_message *m)
{
        _cleanup_(pipeline_done) struct pipeline p = {.feed = {.stream = {.read = feed_read, .free = feed_free},
                                                               .source = w->source,
                                                               .item = w->item,
                                                               .n = w->n,
                                                               .opened_at = UINT64_MAX,
                                                               .pipe_fd = w->pipe_fd}};
        const struct ingest_blob *b = w->item->blob;
        uint64_t before;
        err *e;

        TRY(measure(b, &p.feed.here));
        before = p.feed.here;
        report(&p.feed, before == b->size ? INGEST_UNPACKING : INGEST_FETCHING, true);
        e = fetch(&p, w->item, w->tree_fd, m);
        m->here = p.feed.here;
        judge(w, &p.feed, before > 0, e, m);
        return e;
}

static void set_signal(int signal, void (*handler)(int))
{
        const struct sigaction action = {.sa_handler = handler};

        (void)sigaction(signal, &action, NULL);
}

void ingest_worker(const struct ingest_work *w)
{
        struct ingest_message m = {.last = true, .state = INGEST_DONE};
        err *e;

        trace_fd = -1;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != w->parent)
                _exit(1);
        /* Ctrl-C reaches the whole group; what it means is for the parent to say. */
        set_signal(SIGINT, SIG_IGN);
        set_signal(SIGTERM, SIG_DFL);
        set_signal(SIGPIPE, SIG_IGN);
        e = run(w, &m);
        if (e) {
                m.code = (int)err_code(e);
                m.errnum = err_errno(e);
                (void)err_text(e, m.text, sizeof(m.text));
        }
        (void)file_write_all(w->pipe_fd, &m, sizeof(m));
        _exit(e ? 1 : 0);
}
