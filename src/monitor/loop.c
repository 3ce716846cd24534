/* loop.c - epoll, SIGCHLD and deadlines. SIGCHLD is blocked except while waiting, so that none is missed. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "monitor/monitor.h"

#define EVENTS 16
#define RESERVE 64 /* descriptors */

static volatile sig_atomic_t child_ended;

static void on_child(int signal)
{
        child_ended = 1;
}

int64_t loop_now_ns(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

err *loop_open(struct monitor *m)
{
        struct sigaction child = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP};
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || sigaction(SIGCHLD, &child, NULL) < 0)
                return err_sys(errno, "waiting for children");
        m->epfd = epoll_create1(EPOLL_CLOEXEC);
        if (m->epfd < 0)
                return err_sys(errno, "epoll");
        return NULL;
}

void loop_watch(struct monitor *m, struct source *s, uint32_t events)
{
        struct epoll_event e = {.events = events, .data.ptr = s};
        int op = !events ? EPOLL_CTL_DEL : s->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

        if (s->fd < 0 || s->events == events)
                return;
        /* Removed, not masked, when nothing is wanted: a hang-up cannot be masked and would spin. */
        if (epoll_ctl(m->epfd, op, s->fd, &e) == 0)
                s->events = events;
}

void loop_close(struct monitor *m, struct source *s)
{
        /* Always explicitly: a descriptor shared with another process stays registered when ours is closed. */
        loop_watch(m, s, 0);
        s->events = 0;
        s->fd = file_close(s->fd);
}

bool loop_is_scarce(int fd)
{
        struct rlimit l;

        /* The lowest free number is given: so many are in use. */
        return fd >= 0 && getrlimit(RLIMIT_NOFILE, &l) == 0 && (rlim_t)fd + RESERVE >= l.rlim_cur;
}

static int timeout_ms(const struct monitor *m)
{
        int64_t at = exit_deadline(m), names = nameserver_deadline(m), watch = watch_deadline(m);
        int64_t relay = relay_deadline(m), left;

        if (at < 0 || (names >= 0 && names < at))
                at = names;
        if (at < 0 || (watch >= 0 && watch < at))
                at = watch;
        if (at < 0 || (relay >= 0 && relay < at))
                at = relay;
        if (at < 0)
                return -1;
        left = (at - loop_now_ns() + 999999) / 1000000;
        return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* A signal interrupts only who waits: as long as there is always an event, none would come through. */
static bool is_child_pending(void)
{
        const struct timespec now = {0};
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        return sigtimedwait(&set, NULL, &now) == SIGCHLD;
}

void loop_run(struct monitor *m)
{
        struct epoll_event events[EVENTS];
        sigset_t none;

        (void)sigemptyset(&none);
        for (;;) {
                int n;

                client_reap(m);
                relay_reap(m);
                nameserver_reap(m);
                if (exit_finished(m))
                        return;
                n = epoll_pwait(m->epfd, events, EVENTS, child_ended ? 0 : timeout_ms(m), &none);

                for (int i = 0; i < n; i++) {
                        struct source *s = events[i].data.ptr;

                        /* Closed by an earlier event of this round; its memory lives until the end of the round. */
                        if (s->fd >= 0 && s->events)
                                s->handle(m, s, events[i].events);
                }
                if ((n > 0 && is_child_pending()) || child_ended || m->look_for_children) {
                        child_ended = 0;
                        m->look_for_children = false;
                        exit_reap(m);
                }
                exit_timers(m);
                nameserver_timers(m);
                watch_timer(m);
                relay_timers(m);
        }
}
