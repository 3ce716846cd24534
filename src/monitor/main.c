/* main.c - hod-monitor: one supervisor per container, parent of its init and of its exec sessions.
 *
 *   hod-monitor DIR           DIR = STATE/containers/<id>, with conf (status.h); descriptor 3 = first client,
 *                           4 = the lock of DIR, shared with whoever starts the container
 *   hod-monitor --adopt DIR   take over a running container whose monitor has died
 *
 * Life (enum phase; what others see is the status file):
 *
 *   IDLE ──START──▶ STARTING ──▶ RUNNING ⇄ paused ──end──▶ ENDED ──cleaned──▶ (ends)
 *    │                │  ▲                            │
 *    │ no client      │  └──── DELAY ◀── restart ─────┤ by policy: always, unless-stopped, on-failure[:n];
 *    ▼                ▼        │      policy          │ 100 ms, doubling up to 1 min, from the beginning after a run
 *   (ends)         FAILED      └─stopped by a person──┘ of 10 s; never after a request with PROTO_SIGNAL_STOPPING
 *
 * STARTING: a builder (a fork, builder.c) runs the runtime library; its crash is a failed start. A start that fails by
 *   restart policy is ENDED with the error; the first start that fails is FAILED, and whoever asked for it cleans up.
 * ENDED: in this order: macvlan and ipvlan devices go, the cgroup is emptied and removed, what is left of the output is
 *   read, the status is published, EXIT is sent, the root file system is let go. Then the client that said
 *   PROTO_START_CLEANUP cleans up and says CLEANED; when it does not (it is gone, or 10 s have passed) `hod internal
 *   cleanup ID` is started until the work is done. The monitor ends when it is, and every client has got what it is
 *   owed.
 * Signals to the monitor do nothing, SIGTERM included: they are for the container, which gets its own. kill -9 of the
 *   monitor does not touch the container (a terminal excepted); the next command adopts it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/monitor.h"

#define DEFAULT_CGROUP "/hod/monitor"

static struct monitor monitor;

static void say(const char *text)
{
        (void)file_write_all(STDERR_FILENO, text, strlen(text));
}

static void read_boot_id(struct status *s)
{
        _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, s->boot_id, sizeof(s->boot_id) - 1);

        s->boot_id[n < 0 ? 0 : n] = '\0';
        s->boot_id[strcspn(s->boot_id, "\n")] = '\0';
}

static err *lock(struct monitor *m, bool adopting)
{
        /* Whoever asks whether we live holds the lock for an instant, so the adopter tries more than once. */
        for (int tries = 0;; tries++) {
                m->lock_fd = adopting ? file_try_lock(m->dirfd, "lock", false) : file_lock(m->dirfd, "lock", false);
                if (m->lock_fd != -EWOULDBLOCK || tries == 20)
                        break;
                (void)usleep(1000);
        }
        if (m->lock_fd < 0)
                return err_sys(-m->lock_fd, "locking the container");
        return NULL;
}

static err *open_container(struct monitor *m, const char *dir, bool adopting)
{
        struct stat st;

        m->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (m->dirfd < 0)
                return err_sys(errno, "opening %s", dir);
        TRY(monitor_conf_read(m->dirfd, &m->conf));
        if (fstatat(m->dirfd, "conf", &st, 0) == 0) {
                m->conf_ino = st.st_ino;
                m->conf_changed = st.st_ctim;
        }
        setup_cgroup(str_empty(m->conf.monitor_cgroup) ? DEFAULT_CGROUP : m->conf.monitor_cgroup);
        m->oom_original = setup_oom();
        TRY(lock(m, adopting));
        m->status.version = STATUS_VERSION;
        m->status.exit_known = true;
        m->names_ask = learn_ask;
        m->names_told = learn_told;
        m->names_ruled = learn_rules;
        read_boot_id(&m->status);
        logs_init(&m->logs, m->conf.log_path, m->conf.log_attrs, m->conf.log_max_size, m->conf.log_max_files);
        return loop_open(m);
}

/* START is usually there already: it is begun first, and the builder works while we do the rest. */
static err *serve(struct monitor *m, bool adopting)
{
        struct client *first = NULL;

        if (fcntl(FIRST_CLIENT_FD, F_GETFD) >= 0)
                first = client_new(m, FIRST_CLIENT_FD);
        if (adopting)
                TRY(adopt(m));
        else if (first)
                client_drain(m, first);
        client_listen(m);
        if (adopting)
                client_ok(m, first);
        if (m->phase == PHASE_IDLE)
                exit_publish(m);
        loop_run(m);
        if (m->phase == PHASE_IDLE)
                (void)unlinkat(m->dirfd, "monitor.sock", 0);
        return NULL;
}

int main(int argc, char **argv)
{
        bool adopting = argc == 3 && strcmp(argv[1], "--adopt") == 0;
        struct monitor *m = &monitor;
        err *e;

        if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                (void)file_write_all(STDOUT_FILENO, "hod-monitor " HOD_VERSION "\n",
                                     strlen("hod-monitor " HOD_VERSION "\n"));
                return 0;
        }
        if (argc != 2 + adopting || (!adopting && argv[1][0] == '-')) {
                say("usage: hod-monitor [--adopt] DIR\nhod starts it; it is not for use by hand.\n");
                return 125;
        }
        m->began_ns = (uint64_t)loop_now_ns();
        m->epfd = m->dirfd = m->lock_fd = m->start_lock = m->rootfs = m->terminal_end = m->watch.fd = m->watch_lock =
                -1;
        m->watch_at_ns = m->parting = -1;
        m->listener.fd = m->devices.fd = m->init.fd = m->in.fd = m->out[0].fd = m->out[1].fd = -1;
        m->cleanup_at_ns = -1;
        setup_process();
        if (fcntl(START_LOCK_FD, F_GETFD) >= 0)
                m->start_lock = START_LOCK_FD;
        e = open_container(m, argv[argc - 1], adopting);
        if (!e)
                e = serve(m, adopting);
        if (!e) {
                links_leave(m);
                return 0;
        }
        /* The first client learns why; stderr is closed to the world. */
        if (!m->clients && fcntl(FIRST_CLIENT_FD, F_GETFD) >= 0)
                (void)client_new(m, FIRST_CLIENT_FD);
        if (m->clients)
                client_error(m, m->clients, e);
        else
                err_free(e);
        return 125;
}
