/* workers.c - see workers.h. */
#include "engine/workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "sys/process.h"

#define PARALLEL_MAX 16
#define TICK_MS 100
#define REPORT_TEXT 2000

/* How a worker ended, in shared memory. */
struct report {
        enum err_code code; /* 0 = well */
        char text[REPORT_TEXT];
};

err *workers_memory(size_t size, void **ret)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                return err_sys(errno, "sharing memory with the workers");
        *ret = p;
        return NULL;
}

void workers_memory_free(void *memory, size_t size)
{
        if (memory)
                (void)munmap(memory, size);
}

/* The message already holds what strerror() would say, so the code is all that must survive beside it. */
static void write_report(struct report *r, err *e)
{
        if (!e)
                return;
        (void)err_text(e, r->text, sizeof(r->text));
        r->code = err_code(e);
        err_free(e);
}

static err *read_report(const struct report *r, int status)
{
        if (r->code)
                return err_new(r->code == ERR_SYS ? ERR_INTERNAL : r->code, "%s", r->text);
        if (WIFSIGNALED(status))
                return err_new(ERR_INTERNAL, "a worker was killed by signal %d", WTERMSIG(status));
        return WEXITSTATUS(status) ? err_new(ERR_INTERNAL, "a worker ended with status %d", WEXITSTATUS(status)) : NULL;
}

struct worker {
        int pidfd;
        struct report *report;
};

/* 0 in the child. */
static pid_t spawn(int *ret_pidfd)
{
        pid_t parent = getpid(), pid = process_clone(0, -1, ret_pidfd);

        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(1);
        }
        return pid;
}

/* Wait for its end; kill it first if @stop. */
static err *worker_end(struct worker *w, bool stop)
{
        int status = 0, r;

        if (stop)
                (void)process_signal(w->pidfd, SIGKILL);
        r = process_reap(w->pidfd, &status);
        w->pidfd = file_close(w->pidfd);
        if (stop)
                return NULL;
        return r < 0 ? err_sys(r, "waiting for a worker") : read_report(w->report, status);
}

struct pool {
        const struct workers_task *task;
        struct report *reports; /* one a place */
        struct worker workers[PARALLEL_MAX];
        size_t parallel, next, running;
};

static err *pool_start(struct pool *p)
{
        for (size_t i = 0; i < p->parallel && p->next < p->task->n; i++) {
                struct worker *w = &p->workers[i];
                pid_t pid;

                if (w->pidfd >= 0)
                        continue;
                w->report = &p->reports[i];
                *w->report = (struct report){0};
                pid = spawn(&w->pidfd);
                if (pid < 0)
                        return err_sys((int)pid, "starting a worker");
                if (pid == 0) {
                        write_report(w->report, p->task->work(p->task->arg, p->next));
                        _exit(0);
                }
                p->next++;
                p->running++;
        }
        return NULL;
}

static err *pool_wait(struct pool *p)
{
        struct pollfd fds[PARALLEL_MAX];

        for (size_t i = 0; i < p->parallel; i++)
                fds[i] = (struct pollfd){.fd = p->workers[i].pidfd, .events = POLLIN};
        if (poll(fds, p->parallel, TICK_MS) < 0 && errno != EINTR)
                return err_sys(errno, "waiting for the workers");
        for (size_t i = 0; i < p->parallel; i++)
                if (p->workers[i].pidfd >= 0 && fds[i].revents) {
                        p->running--;
                        TRY(worker_end(&p->workers[i], false));
                }
        return p->task->tick ? p->task->tick(p->task->arg) : NULL;
}

err *workers_run(const struct workers_task *t)
{
        struct pool p = {.task = t};
        size_t size = PARALLEL_MAX * sizeof(struct report);
        void *memory;
        err *e = NULL;

        p.parallel = t->parallel == 0 ? 3 : t->parallel > PARALLEL_MAX ? PARALLEL_MAX : t->parallel;
        TRY(workers_memory(size, &memory));
        p.reports = memory;
        for (size_t i = 0; i < PARALLEL_MAX; i++)
                p.workers[i].pidfd = -1;
        while (!e && (p.next < t->n || p.running)) {
                e = pool_start(&p);
                if (!e)
                        e = pool_wait(&p);
        }
        for (size_t i = 0; i < PARALLEL_MAX; i++)
                if (p.workers[i].pidfd >= 0)
                        err_free(worker_end(&p.workers[i], true));
        workers_memory_free(memory, size);
        return e;
}

/* ---- a stream from another process ---- */

struct process_stream {
        struct stream stream; /* first */
        struct worker worker;
        int fd;
        bool ended;
};

static err *process_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct process_stream *p = (struct process_stream *)s;
        ssize_t n;

        *ret = 0;
        if (p->ended)
                return NULL;
        do
                n = read(p->fd, data, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_sys(errno, "reading from a worker");
        *ret = (size_t)n;
        if (n > 0)
                return NULL;
        p->ended = true;
        return worker_end(&p->worker, false);
}

static void process_free(struct stream *s)
{
        struct process_stream *p = (struct process_stream *)s;

        if (p->worker.pidfd >= 0)
                err_free(worker_end(&p->worker, true));
        workers_memory_free(p->worker.report, sizeof(struct report));
        (void)file_close(p->fd);
        free(p);
}

err *workers_stream(err *(*write_)(void *arg, int fd), void *arg, struct stream **ret)
{
        struct process_stream *p = MEM_NEW0(struct process_stream, 1);
        void *memory = NULL;
        int ends[2], r;
        pid_t pid;
        err *e;

        if (!p)
                return err_nomem();
        p->stream = (struct stream){.read = process_read, .free = process_free};
        p->fd = p->worker.pidfd = -1;
        e = workers_memory(sizeof(struct report), &memory);
        p->worker.report = memory;
        r = e ? 0 : file_pipe(ends);
        if (r < 0)
                e = err_sys(r, "making a pipe");
        if (e) {
                process_free(&p->stream);
                return e;
        }
        (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        p->fd = ends[0];
        pid = spawn(&p->worker.pidfd);
        if (pid == 0) {
                (void)file_close(p->fd);
                write_report(p->worker.report, write_(arg, ends[1]));
                _exit(0);
        }
        (void)file_close(ends[1]);
        if (pid < 0) {
                process_free(&p->stream);
                return err_sys((int)pid, "starting a worker");
        }
        *ret = &p->stream;
        return NULL;
}
