/* exit.c - the end of a run: reaping, the published status, restart policy, and the hand-over of the cleanup. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "monitor/monitor.h"
#include "runtime/runtime.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define CGROUP_WAIT_MS 2000
#define RESTART_DELAY (100 * MS) /* the first; doubles */
#define RESTART_DELAY_MAX (60 * SECOND)
#define RESTART_GOOD (10 * SECOND) /* a run this long begins anew with the first delay */
#define CLEANER_PATIENCE (10 * SECOND)
#define WAITER_PATIENCE SECOND /* of `stop` or `rm`, which clean up; `wait` goes at once */

void exit_publish(struct monitor *m)
{
        m->status.monitor_pid = getpid();
        err_free(status_write(m->dirfd, &m->status)); /* nobody to tell; whoever reads sees the last one */
}

/* ---- children ---- */

static void reaped(struct monitor *m, pid_t pid, int status)
{
        if (m->init_is_child && m->phase == PHASE_RUNNING && pid == m->status.pid) {
                exit_container(m, status_exit_code(status), true);
                return;
        }
        if (pid == m->reload_pid) {
                watch_reloaded(m);
                return;
        }
        if (pid == m->cleanup_pid) {
                m->cleanup_pid = 0;
                m->cleanup_at_ns = loop_now_ns(); /* look whether it is done; if not, exit_timers() waits */
                return;
        }
        (void)exec_reaped(m, pid, status); /* or a builder, or an orphan that we are the subreaper of */
}

static void reap_one(struct monitor *m, pid_t pid)
{
        int status;

        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
                reaped(m, pid, status);
}

void exit_reap(struct monitor *m)
{
        struct session *next;
        int status;
        pid_t pid;

        if (!m->builders) {
                while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                        reaped(m, pid, status);
                return;
        }
        /* A builder may have made a child that it has not told us of yet: taking that one's status now would lose it.
         */
        if (m->init_is_child && m->phase == PHASE_RUNNING)
                reap_one(m, m->status.pid);
        reap_one(m, m->cleanup_pid);
        reap_one(m, m->reload_pid);
        for (struct session *s = m->sessions; s; s = next) {
                next = s->next;
                reap_one(m, s->pid);
        }
}

/* ---- restart policy ---- */

static bool timespec_equal(const struct timespec *a, const struct timespec *b)
{
        return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* `update --restart` replaces the configuration under us, and so does who changes its networks. */
static void reload_conf(struct monitor *m)
{
        _cleanup_(monitor_conf_done) struct monitor_conf c = {0};
        struct stat st;

        /* A file system may give the number of the one before to the next. */
        if (fstatat(m->dirfd, "conf", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            (st.st_ino == m->conf_ino && timespec_equal(&st.st_ctim, &m->conf_changed)))
                return;
        m->conf_ino = st.st_ino;
        m->conf_changed = st.st_ctim;
        err_free(monitor_conf_read(m->dirfd, &c));
        if (!c.id)
                return; /* unreadable: the old one stays */
        free(m->conf.restart_policy);
        m->conf.restart_policy = TAKE_PTR(c.restart_policy);
        m->conf.restart_max = c.restart_max;
        strv_free(m->conf.endpoints);
        m->conf.endpoints = TAKE_PTR(c.endpoints);
}

/* docker's restart manager; sets the delay as well. */
static bool should_restart(struct monitor *m, int code)
{
        const char *policy;

        reload_conf(m);
        policy = m->conf.restart_policy;
        if (m->stopping || str_empty(policy) || str_eq(policy, "no"))
                return false;
        if (str_eq(policy, "on-failure")) {
                if (code == 0 || (m->conf.restart_max && m->status.restarts >= m->conf.restart_max))
                        return false;
        } else if (!str_eq(policy, "always") && !str_eq(policy, "unless-stopped")) {
                return false;
        }
        if (m->restart_delay_ns == 0 || loop_now_ns() - m->started_mono_ns >= RESTART_GOOD)
                m->restart_delay_ns = RESTART_DELAY;
        else
                m->restart_delay_ns =
                        m->restart_delay_ns * 2 < RESTART_DELAY_MAX ? m->restart_delay_ns * 2 : RESTART_DELAY_MAX;
        return true;
}

/* ---- the end of a run ---- */

static void remove_cgroup(struct monitor *m)
{
        struct trace_span span = trace_begin(TRACE_CGROUP_REMOVE);
        err *e;

        if (!m->status.cgroup[0])
                return;
        e = runtime_cgroup_remove(m->status.cgroup, CGROUP_WAIT_MS);
        trace_end(&span, e ? err_errno(e) : 0, m->status.cgroup);
        err_free(e); /* what is stuck in the kernel is found by `hod system check` */
        m->status.cgroup[0] = '\0';
}

/* May it be removed while the client already cleans up? It must wait for our end (else it would report "removed" too
 * early), and nobody may start the container again meanwhile: that one would find, and lose, its cgroup. */
static bool cgroup_can_wait(const struct monitor *m)
{
        for (const struct client *c = m->clients; c; c = c->next)
                if (!c->dead && c->lingers)
                        return m->conf.auto_remove;
        return false;
}

static void begin_cleanup(struct monitor *m)
{
        int64_t now = loop_now_ns(), patience = 0;

        for (struct client *c = m->clients; c; c = c->next) {
                if (!c->dead && c->waits && !patience)
                        patience = WAITER_PATIENCE;
                if (!c->dead && c->cleaner)
                        patience = CLEANER_PATIENCE;
        }
        m->cleanup_at_ns = now + patience;
}

static void set_last_exit(struct monitor *m, bool restart)
{
        m->last_exit = (struct proto_exit){
                .code = m->status.exit_code,
                .flags = (m->status.oom_killed ? PROTO_EXIT_OOM : 0) | (m->status.exit_known ? 0 : PROTO_EXIT_UNKNOWN) |
                         (restart ? PROTO_EXIT_RESTARTING : 0),
                .finished_ns = m->status.finished_ns,
        };
}

/* What belonged to the run. After publishing: the last reference to the root writes its upper file system to disk. */
static void release(struct monitor *m)
{
        loop_close(m, &m->init);
        m->rootfs = file_close(m->rootfs);
}

void exit_container(struct monitor *m, int code, bool known)
{
        struct trace_span span = trace_begin(TRACE_EXIT);
        bool restart, late_cgroup = cgroup_can_wait(m);

        if (m->status.cgroup[0] && runtime_cgroup_oom_kills(m->status.cgroup) > 0)
                m->status.oom_killed = true;
        if (m->nameserver)
                reload_conf(m);
        links_end(m);
        nameserver_end(m); /* its sockets hold the network namespace, and that the interfaces */
        if (!late_cgroup)
                remove_cgroup(m);
        io_finish(m);
        restart = should_restart(m, code);
        m->phase = restart ? PHASE_DELAY : PHASE_ENDED;
        if (!restart)
                ports_release(m); /* whoever sees the exit may have them */
        m->kill_at_ns = 0;
        m->status.state = restart ? STATUS_RESTARTING : STATUS_EXITED;
        m->status.pid = 0;
        m->status.pid_start = 0;
        m->status.exit_code = code;
        m->status.exit_known = known;
        m->status.finished_ns = clock_now_ns();
        m->status.restarts += restart;
        if (restart)
                m->restart_at_ns = loop_now_ns() + m->restart_delay_ns;
        set_last_exit(m, restart);
        exit_publish(m);
        trace_end(&span, 0, m->conf.id);
        client_exit_all(m);
        if (late_cgroup)
                remove_cgroup(m);
        release(m);
        if (!restart)
                begin_cleanup(m);
}

void exit_stopping(struct monitor *m)
{
        m->stopping = true;
        if (m->phase != PHASE_DELAY)
                return;
        m->phase = PHASE_ENDED;
        ports_release(m);
        m->status.state = STATUS_EXITED;
        set_last_exit(m, false);
        exit_publish(m);
        client_exit_all(m);
        begin_cleanup(m);
}

void exit_kill_after(struct monitor *m, unsigned seconds)
{
        int64_t at = loop_now_ns() + seconds * SECOND;

        if (m->phase != PHASE_RUNNING && m->phase != PHASE_STARTING)
                return;
        if (!m->kill_at_ns || at < m->kill_at_ns)
                m->kill_at_ns = at;
}

void exit_failed(struct monitor *m)
{
        /* Whoever asked for the start cleans up after it; nobody there: at once. */
        m->cleanup_at_ns = -1;
        for (struct client *c = m->clients; c; c = c->next)
                if (!c->dead && c->starter)
                        return;
        m->cleanup_at_ns = loop_now_ns();
}

/* ---- cleanup ---- */

/* Done by whoever it was: the status says so, or everything has been taken away. */
static bool is_cleaned(const struct monitor *m)
{
        struct status s;
        err *e = status_read(m->dirfd, &s);

        if (e) {
                bool gone = err_code(e) == ERR_NOT_FOUND;

                err_free(e);
                return gone;
        }
        return s.cleaned;
}

pid_t exit_spawn(const struct monitor *m, const char *const *args)
{
        const char *argv[12] = {m->conf.hod, "--root", m->conf.root_dir, "--state", m->conf.state_dir};
        char *const env[] = {(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};
        posix_spawnattr_t attr;
        sigset_t none;
        pid_t pid;

        if (str_empty(m->conf.hod) || str_empty(m->conf.root_dir) || str_empty(m->conf.state_dir))
                return 0;
        for (size_t i = 0; args[i] && i + 6 < ARRAY_SIZE(argv); i++)
                argv[5 + i] = args[i];
        if (posix_spawnattr_init(&attr))
                return 0;
        (void)sigemptyset(&none);
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
        (void)posix_spawnattr_setsigmask(&attr, &none);
        if (posix_spawn(&pid, m->conf.hod, NULL, &attr, (char *const *)(uintptr_t)argv, env))
                pid = 0;
        (void)posix_spawnattr_destroy(&attr);
        return pid;
}

static void spawn_cleanup(struct monitor *m)
{
        m->cleanup_pid = exit_spawn(m, (const char *const[]){"internal", "cleanup", m->conf.id, NULL});
}

void exit_cleaned(struct monitor *m)
{
        if (m->phase == PHASE_ENDED || m->phase == PHASE_FAILED)
                m->handed_over = true;
}

void exit_cleaner_gone(struct monitor *m)
{
        bool failed = m->phase == PHASE_FAILED;

        if ((m->phase != PHASE_ENDED && !failed) || m->handed_over || m->cleanup_pid)
                return;
        /* Somebody else may still be at it; the patience with him is counted already. */
        for (const struct client *c = m->clients; c; c = c->next)
                if (!c->dead && (failed ? c->starter : c->cleaner || c->waits))
                        return;
        m->cleanup_at_ns = loop_now_ns();
}

/* Try, and try again: 0.1, 1, 10, 60, 60 ... seconds. */
static void clean_up(struct monitor *m)
{
        static const int64_t delays[] = {100 * MS, SECOND, 10 * SECOND, 60 * SECOND};
        unsigned n = m->cleanup_tries, last = ARRAY_SIZE(delays) - 1;

        m->cleanup_at_ns = -1;
        if (is_cleaned(m)) {
                m->handed_over = true;
                return;
        }
        /* The last try has just ended without success: wait. */
        if (n && loop_now_ns() < m->cleanup_next_ns) {
                m->cleanup_at_ns = m->cleanup_next_ns;
                return;
        }
        spawn_cleanup(m);
        m->cleanup_next_ns = loop_now_ns() + delays[n < last ? n : last];
        m->cleanup_tries++;
        if (!m->cleanup_pid)
                m->cleanup_at_ns = m->cleanup_next_ns;
}

/* ---- timers ---- */

int64_t exit_deadline(const struct monitor *m)
{
        if (m->phase == PHASE_DELAY)
                return m->restart_at_ns;
        if ((m->phase == PHASE_RUNNING || m->phase == PHASE_STARTING) && m->kill_at_ns)
                return m->kill_at_ns;
        if ((m->phase == PHASE_ENDED || m->phase == PHASE_FAILED) && !m->handed_over && !m->cleanup_pid)
                return m->cleanup_at_ns;
        return -1;
}

void exit_timers(struct monitor *m)
{
        int64_t at = exit_deadline(m);

        if (at < 0 || loop_now_ns() < at)
                return;
        if (m->phase == PHASE_DELAY) {
                start_begin(m, NULL);
        } else if (m->phase == PHASE_RUNNING || m->phase == PHASE_STARTING) {
                m->kill_at_ns = 0;
                err_free(client_signal_init(m, SIGKILL, true)); /* an error: it has just ended */
        } else {
                clean_up(m);
        }
}

bool exit_finished(const struct monitor *m)
{
        if (m->builders || m->cleanup_pid)
                return false;
        if (m->phase == PHASE_IDLE)
                return !m->clients;
        if (m->phase != PHASE_ENDED && m->phase != PHASE_FAILED)
                return false;
        for (const struct client *c = m->clients; c; c = c->next)
                if (client_owes(c))
                        return false;
        return m->handed_over && !m->sessions;
}
