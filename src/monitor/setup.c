/* setup.c - independence from whoever started us: not their signals, limits, cgroup, priority, descriptors or session.
 * What the monitor has here is also what its children begin with. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "monitor/monitor.h"
#include "sys/cgroup.h"

#define FIRST_FREE_FD (START_LOCK_FD + 1)
#define OOM_WANTED (-900)

static void ignore(int signal)
{
}

/* Handlers instead of SIG_IGN, because execve resets handlers and keeps what is ignored.
 * TERM: whoever ends all processes of a machine reaches init of the container as well; the monitor stays until that has
 * ended, to record it. SIGCHLD gets its handler in loop.c. */
static void reset_signals(void)
{
        static const int harmless[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM};
        struct sigaction deaf = {.sa_handler = ignore, .sa_flags = SA_RESTART}, normal = {.sa_handler = SIG_DFL};
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                (void)sigaction(i, &normal, NULL); /* some numbers are refused: KILL, STOP, libc's own */
        for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
                (void)sigaction(harmless[i], &deaf, NULL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What a system starts services with; a container's own limits come from its spec. */
static void reset_limits(void)
{
        static const struct {
                int resource;
                rlim_t soft, hard;
        } limits[] = {
                {RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY},
                {RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY},
                {RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY},
                {RLIMIT_STACK, 8u << 20, RLIM_INFINITY},
                {RLIMIT_CORE, 0, RLIM_INFINITY},
                {RLIMIT_RSS, RLIM_INFINITY, RLIM_INFINITY},
                {RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY},
                {RLIMIT_NOFILE, 1024, 524288},
                {RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY},
                {RLIMIT_LOCKS, RLIM_INFINITY, RLIM_INFINITY},
                {RLIMIT_NICE, 0, 0},
                {RLIMIT_RTPRIO, 0, 0},
                {RLIMIT_RTTIME, RLIM_INFINITY, RLIM_INFINITY},
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                struct rlimit want = {limits[i].soft, limits[i].hard}, have;

                if (setrlimit(limits[i].resource, &want) == 0)
                        continue;
                /* Not permitted to raise the hard limit: as far as it goes. */
                if (getrlimit(limits[i].resource, &have) == 0) {
                        have.rlim_cur = want.rlim_cur < have.rlim_max ? want.rlim_cur : have.rlim_max;
                        (void)setrlimit(limits[i].resource, &have);
                }
        }
}

static void reset_scheduling(void)
{
        unsigned char all[1024];

        (void)setpriority(PRIO_PROCESS, 0, 0);
        memset(all, 0xff, sizeof(all)); /* 8192 CPUs; the kernel takes those that there are */
        (void)sched_setaffinity(0, sizeof(all), (const cpu_set_t *)all);
}

static void null_stdio(void)
{
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (int i = 0; fd >= 0 && i < 3; i++)
                if (fd != i)
                        (void)dup2(fd, i);
        if (fd > 2)
                (void)file_close(fd);
}

void setup_process(void)
{
        (void)close_range(FIRST_FREE_FD, ~0U, 0);
        (void)fcntl(FIRST_CLIENT_FD, F_SETFD, FD_CLOEXEC);
        (void)fcntl(START_LOCK_FD, F_SETFD, FD_CLOEXEC);
        null_stdio();
        reset_signals();
        reset_limits();
        reset_scheduling();
        (void)prctl(PR_SET_NAME, "hod-monitor"); /* it was executed through a descriptor: sys/exe.h */
        (void)setsid();                          /* the engine has made us a leader already */
        (void)umask(022);
        if (chdir("/") < 0)
                return; /* then we stay where we are: nothing here is relative */
        (void)prctl(PR_SET_PDEATHSIG, 0);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* ---- out of the caller's cgroup ---- */

/* v1's cpuset lets nobody in before it has CPUs and memory nodes. */
static void fill_cpuset(int root, const char *parent, const char *path)
{
        static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
        char name[512];

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                _cleanup_free_ char *value = NULL;

                (void)snprintf(name, sizeof(name), "%s/%s", parent, files[i]);
                if (file_read(root, name, 65536, &value, NULL) < 0)
                        continue;
                (void)snprintf(name, sizeof(name), "%s/%s", path, files[i]);
                (void)file_put(root, name, value);
        }
}

static void make_cgroup(const struct cgroup_hierarchy *h, const char *path)
{
        bool cpuset = !h->v2 && h->controllers & 1u << CGROUP_CPUSET;
        char part[256], parent[256] = ".";

        for (const char *end = path; *end; end++) {
                if (end[1] != '/' && end[1] != '\0')
                        continue;
                (void)snprintf(part, sizeof(part), "%.*s", (int)(end + 1 - path), path);
                if (mkdirat(h->fd, part, 0755) == 0 && cpuset)
                        fill_cpuset(h->fd, parent, part);
                memcpy(parent, part, sizeof(parent));
        }
}

static bool enter(const struct cgroup_hierarchy *h, const char *path)
{
        char file[512];

        /* "0" is this process. A single thread's `tasks` is cheaper than `cgroup.procs`: no global lock. */
        (void)snprintf(file, sizeof(file), "%s/%s", path, h->v2 ? "cgroup.procs" : "tasks");
        return file_put(h->fd, file, "0") == 0;
}

/* The hierarchy that a line of /proc/self/cgroup is about: "4:memory:/a", "0::/a", "9:name=systemd:/a". */
static const struct cgroup_hierarchy *hierarchy_of(const struct cgroup_layout *l, char *controllers)
{
        if (!*controllers)
                return l->unified >= 0 ? &l->h[(unsigned)l->unified] : NULL;
        if (strcmp(controllers, "name=systemd") == 0)
                return l->of[CGROUP_SYSTEMD] >= 0 ? &l->h[(unsigned)l->of[CGROUP_SYSTEMD]] : NULL;
        controllers[strcspn(controllers, ",")] = '\0';
        for (int i = 0; i < CGROUP_CONTROLLER_MAX_; i++)
                if (strcmp(cgroup_controller_name(i), controllers) == 0 && l->of[i] >= 0)
                        return &l->h[(unsigned)l->of[i]];
        return NULL;
}

/* Leave each cgroup that is not its hierarchy's root: it would limit the container, or end it together with the session
 * of whoever started it. Best effort: in a delegated tree there may be nowhere to go. */
void setup_cgroup(const char *path)
{
        const struct cgroup_layout *layout = NULL;
        char text[4096], *line = text, *next;
        _cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        path += *path == '/';
        if (n <= 0 || !*path || strlen(path) > 200)
                return;
        text[n] = '\0';
        for (; *line; line = next) {
                const struct cgroup_hierarchy *h;
                char *controllers, *where;

                next = line + strcspn(line, "\n");
                if (*next)
                        *next++ = '\0';
                controllers = strchr(line, ':');
                where = controllers ? strchr(controllers + 1, ':') : NULL;
                if (!where || strcmp(where, ":/") == 0 || strcmp(where + 2, path) == 0)
                        continue;
                *where = '\0';
                if (!layout) {
                        err *e = cgroup_layout_get(&layout);

                        if (e) {
                                err_free(e);
                                return;
                        }
                }
                h = hierarchy_of(layout, controllers + 1);
                if (!h || enter(h, path))
                        continue;
                make_cgroup(h, path);
                (void)enter(h, path);
        }
}

/* ---- the last to be killed when memory runs out ---- */

static int put_score(int fd, int score)
{
        char text[16];
        int n = snprintf(text, sizeof(text), "%d", score);

        return pwrite(fd, text, (size_t)n, 0) == n ? 0 : -errno;
}

int setup_oom(void)
{
        _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
        int original = 0, sign = 1;
        char text[16], *p = text;
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (n <= 0)
                return 0;
        text[n] = '\0';
        if (*p == '-') {
                sign = -1;
                p++;
        }
        while (*p >= '0' && *p <= '9')
                original = original * 10 + (*p++ - '0');
        original *= sign;
        /* Without CAP_SYS_RESOURCE nothing below a value that only the kernel knows: 0 is as good as it gets. */
        if (original > OOM_WANTED && put_score(fd, OOM_WANTED) < 0 && original > 0)
                (void)put_score(fd, 0);
        return original;
}

void setup_oom_restore(int original)
{
        _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd >= 0)
                (void)put_score(fd, original);
}

void setup_builder(void)
{
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        /* A builder without a monitor would make a container that nobody knows. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}
