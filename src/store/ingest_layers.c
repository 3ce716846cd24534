/* ingest_layers.c - which layer is worked on when; see ingest.h.
 *
 * A layer is begun when its blob's lock is free. Those that another program has wait: it will be done then, or given
 * up. Nobody waits while holding a lock: what is complete is put in its place first, so there is no deadlock, and two
 * pulls of one image share the work. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "store/blob.h"
#include "store/ingest_private.h"
#include "store/partial.h"
#include "store/tree.h"

#define PARALLEL_DEFAULT 3
#define PARALLEL_MAX 64
#define TICK_MS 100
#define WAIT_NS 20000000L /* between two looks at a lock that somebody else has */

struct run {
        struct ingest *ingest;
        const struct ingest_source *source;
        unsigned running, parallel;
        bool changed;
};

static err *progress(struct run *r)
{
        r->changed = false;
        return r->source->progress ? r->source->progress(r->source->arg, r->ingest) : NULL;
}

/* Take the blob's lock. *@ret false: somebody else has it. */
static err *take_blob(struct ingest *i, struct ingest_blob *b, bool *ret)
{
        int fd = -1;

        *ret = b->lock_fd >= 0;
        if (*ret)
                return NULL;
        TRY(partial_try(i->store, b->digest, &fd));
        if (fd < 0)
                return NULL;
        *ret = true;
        b->lock_fd = b->data_fd = fd;
        b->here = b->whole = false;
        if (!blob_exists(i->store, b->digest))
                return NULL;
        b->here = b->whole = true;
        return blob_open(i->store, b->digest, &b->data_fd, NULL);
}

static bool blob_busy(const struct ingest *i, const struct ingest_blob *b)
{
        for (size_t n = 0; n < i->n; n++)
                if (i->items[n].pid > 0 && i->items[n].blob == b)
                        return true;
        return false;
}

static err *spawn(struct run *r, size_t n)
{
        struct ingest_item *item = &r->ingest->items[n];
        _cleanup_close_ int tree = -1, to = -1, from = -1;
        int pair[2], e;

        TRY(layer_make(&r->ingest->staging, item->layer.chain, &tree));
        e = file_pipe(pair);
        if (e < 0)
                return err_sys(e, "making a pipe");
        from = pair[0];
        to = pair[1];
        {
                const struct ingest_work work = {item, n, r->source, tree, to, getpid()};

                item->pid = fork();
                if (item->pid == 0)
                        ingest_worker(&work);
        }
        if (item->pid < 0) {
                item->pid = 0;
                return err_sys(errno, "starting a process for layer %s", item->layer.digest);
        }
        item->pipe_fd = TAKE_FD(from);
        item->shown.state = item->blob->whole ? INGEST_UNPACKING : INGEST_FETCHING;
        r->running++;
        r->changed = true;
        return NULL;
}

/* Begin as many layers as may run. */
static err *spawn_some(struct run *r)
{
        struct ingest *i = r->ingest;

        for (size_t n = 0; n < i->n && r->running < r->parallel; n++) {
                struct ingest_item *item = &i->items[n];
                bool ours;

                if (item->shown.state != INGEST_WAITING || blob_busy(i, item->blob))
                        continue;
                TRY(take_blob(i, item->blob, &ours));
                if (!ours)
                        continue;
                /* Whoever had the lock before may have done it. */
                TRY(ingest_look(i));
                if (item->shown.state == INGEST_WAITING)
                        TRY(spawn(r, n));
                else
                        r->changed = true;
        }
        return NULL;
}

static err *drop_tree(struct ingest *i, const struct ingest_item *item)
{
        int r = file_remove_tree(i->staging.fd, item->layer.chain);

        return r < 0 ? err_sys(r, "removing half a layer") : NULL;
}

static err *failed(struct run *r, struct ingest_item *item, const struct ingest_message *m)
{
        enum err_code code = m->code > 0 && m->code < ERR_CODE_MAX_ ? (enum err_code)m->code : ERR_INTERNAL;

        if (m->again && !item->retried) {
                item->retried = true;
                item->shown.here = 0;
                item->shown.state = INGEST_WAITING;
                return drop_tree(r->ingest, item);
        }
        /* A full disk: give back what this one took. */
        if (m->errnum == ENOSPC || m->errnum == EDQUOT)
                for (size_t n = 0; n < r->ingest->n_blobs; n++)
                        if (r->ingest->blobs[n].lock_fd >= 0)
                                partial_drop(r->ingest->store, r->ingest->blobs[n].digest);
        if (code == ERR_NOMEM)
                return err_nomem();
        return err_new(code, "layer %s: %s", item->layer.digest, m->text);
}

static err *ended(struct run *r, struct ingest_item *item, const struct ingest_message *m)
{
        while (waitpid(item->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        item->pid = 0;
        item->pipe_fd = file_close(item->pipe_fd);
        r->running--;
        r->changed = true;
        if (!m) {
                /* Ctrl-C reaches children too: what the caller says of it goes before. */
                TRY(progress(r));
                return err_new(ERR_INTERNAL, "layer %s: its process died without a word", item->layer.digest);
        }
        item->shown.here = m->here;
        if (m->code)
                return failed(r, item, m);
        item->shown.state = INGEST_DONE;
        item->shown.here = item->shown.size;
        item->staged = true;
        item->has_root = m->result.root;
        item->layer.size = m->result.bytes;
        item->layer.diff_size = m->diff_size;
        item->blob->whole = true;
        return NULL;
}

static err *receive(struct run *r, struct ingest_item *item)
{
        struct ingest_message m;
        ssize_t n;

        do
                n = read(item->pipe_fd, &m, sizeof(m));
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)sizeof(m))
                return ended(r, item, NULL);
        m.text[sizeof(m.text) - 1] = '\0';
        if (m.last)
                return ended(r, item, &m);
        r->changed |= item->shown.state != m.state;
        item->shown.state = m.state;
        item->shown.here = m.here;
        return NULL;
}

static err *wait_for_some(struct run *r)
{
        struct pollfd fds[PARALLEL_MAX];
        struct ingest_item *items[PARALLEL_MAX];
        unsigned n = 0;

        for (size_t k = 0; k < r->ingest->n; k++) {
                if (r->ingest->items[k].pid <= 0)
                        continue;
                items[n] = &r->ingest->items[k];
                fds[n] = (struct pollfd){.fd = items[n]->pipe_fd, .events = POLLIN};
                n++;
        }
        if (poll(fds, n, TICK_MS) < 0 && errno != EINTR)
                return err_sys(errno, "waiting for layers");
        for (unsigned k = 0; k < n; k++)
                if (fds[k].revents)
                        TRY(receive(r, items[k]));
        return NULL;
}

static bool all_done(const struct ingest *i)
{
        for (size_t n = 0; n < i->n; n++)
                if (i->items[n].shown.state != INGEST_DONE && i->items[n].shown.state != INGEST_EXISTS)
                        return false;
        return true;
}

static bool holds_locks(const struct ingest *i)
{
        for (size_t n = 0; n < i->n_blobs; n++)
                if (i->blobs[n].lock_fd >= 0)
                        return true;
        return false;
}

/* All that is missing is another program's work now. */
static err *wait_for_others(struct run *r)
{
        const struct timespec wait = {.tv_nsec = WAIT_NS};

        if (holds_locks(r->ingest))
                TRY(ingest_settle(r->ingest));
        (void)nanosleep(&wait, NULL);
        return ingest_look(r->ingest);
}

static err *run_all(struct run *r)
{
        int ticks = 0;

        while (!all_done(r->ingest)) {
                TRY(spawn_some(r));
                if (r->running)
                        TRY(wait_for_some(r));
                else if (!all_done(r->ingest))
                        TRY(wait_for_others(r));
                /* Layers report twenty times a second. */
                if (r->changed || ++ticks % 2 == 0)
                        TRY(progress(r));
        }
        return progress(r);
}

err *ingest_layers(struct ingest *i, const struct ingest_source *source)
{
        struct run r = {.ingest = i, .source = source, .parallel = i->options.parallel};
        err *e;

        if (!r.parallel)
                r.parallel = PARALLEL_DEFAULT;
        if (r.parallel > PARALLEL_MAX)
                r.parallel = PARALLEL_MAX;
        e = run_all(&r);
        if (e)
                ingest_stop(i);
        return e;
}
