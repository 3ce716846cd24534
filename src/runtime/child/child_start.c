/* child_start.c - the last steps: home directory, the program, start, execve. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "runtime/child/child.h"
#include "sys/fdpass.h"

#define PASSWD_MAX (64 * 1024)
#define EXIT_EXEC_FAILED 255

/* Field @n (from 0) of a line of passwd(5). */
static const char *field(const char *line, const char *end, unsigned n, size_t *ret_size)
{
        const char *p = line;

        for (; n > 0; n--) {
                while (p < end && *p != ':')
                        p++;
                if (p == end)
                        return NULL;
                p++;
        }
        *ret_size = 0;
        while (p + *ret_size < end && p[*ret_size] != ':')
                (*ret_size)++;
        return p;
}

static bool same_number(const char *text, size_t size, unsigned long n)
{
        unsigned long value = 0;

        if (size == 0 || size > 10)
                return false;
        for (size_t i = 0; i < size; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                value = value * 10 + (unsigned long)(text[i] - '0');
        }
        return value == n;
}

/* HOME= of the user in @data, which the image wrote: only an absolute path without control bytes is believed. */
static bool find_home(const char *data, size_t size, uid_t uid, struct child_text *home)
{
        const char *end = data + size;

        for (const char *line = data, *next; line < end; line = next + 1) {
                const char *text;
                size_t n;

                for (next = line; next < end && *next != '\n'; next++)
                        ;
                text = field(line, next, 2, &n);
                if (!text || !same_number(text, n, uid))
                        continue;
                text = field(line, next, 5, &n);
                if (!text || n == 0 || text[0] != '/' || home->len + n + 1 > home->size)
                        return false;
                for (size_t i = 0; i < n; i++)
                        if ((unsigned char)text[i] < ' ')
                                return false;
                memcpy(home->buf + home->len, text, n);
                home->len += n;
                home->buf[home->len] = '\0';
                return true;
        }
        return false;
}

/* A process without HOME gets the one of /etc/passwd, else "/", as runc does. */
int child_home(struct child *c)
{
        static char data[PASSWD_MAX], value[PATH_MAX];
        struct child_text home = {value, sizeof(value), 0};
        const struct plan_process *process = &c->p->process;
        _cleanup_close_ int fd = -1;
        ssize_t n = 0, size = 0;
        struct stat st;

        if (!process->want_home)
                return 0;
        child_text_add(&home, "HOME=");
        fd = child_path_open(c->root, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
                while (size < PASSWD_MAX && (n = read(fd, data + size, (size_t)(PASSWD_MAX - size))) > 0)
                        size += n;
        if (!find_home(data, (size_t)size, process->uid, &home))
                child_text_add(&home, "/");
        process->envp[process->n_env] = value;
        return 0;
}

/* May @path be executed? The errors are those of Go's exec.LookPath, which docker's messages come from. */
static int executable(const struct child *c, const char *path)
{
        struct stat st;

        if (fstatat(AT_FDCWD, path, &st, 0) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        /* /proc/self/exe is us, as long as we have not executed something else (CVE-2019-5736). */
        if (st.st_ino == c->p->self_ino && st.st_dev == c->p->self_dev)
                return -EACCES;
        if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
                if (errno != ENOSYS && errno != EPERM)
                        return -errno;
        } else {
                return 0;
        }
        return st.st_mode & 0111 ? 0 : -EACCES;
}

static const char *environment(const struct child *c, const char *name)
{
        size_t n = strlen(name);

        for (char *const *e = c->p->process.envp; *e; e++)
                if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
                        return *e + n + 1;
        return NULL;
}

static int not_found(struct child *c, const char *file)
{
        CHILD_TEXT(detail, 400);

        child_text_quote(&detail, file);
        child_text_add(&detail, ": executable file not found in $PATH");
        return child_fail(c, PLAN_STEP_LOOKUP, 0, detail.buf);
}

static int search(struct child *c, const char *file, char path[PATH_MAX])
{
        const char *dirs = environment(c, "PATH");
        size_t n = strlen(file);

        if (!dirs || n == 0)
                return not_found(c, file);
        for (const char *end;; dirs = end + 1) {
                size_t dir;

                for (end = dirs; *end && *end != ':'; end++)
                        ;
                dir = (size_t)(end - dirs);
                if (dir > 0 && dirs[0] == '/' && dir + n + 2 <= PATH_MAX) { /* never from the current directory */
                        memcpy(path, dirs, dir);
                        path[dir] = '/';
                        memcpy(path + dir + 1, file, n + 1);
                        if (executable(c, path) == 0)
                                return 0;
                }
                if (!*end)
                        return not_found(c, file);
        }
}

int child_close_inherited(struct child *c)
{
        if (c->p->start_fd >= 0 && !c->p->exec)
                return child_close_before_start(c);
        if (syscall(SYS_close_range, 3 + c->p->preserve_fds, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, "close_range");
        return 0;
}

int child_lookup(struct child *c, char path[PATH_MAX])
{
        const char *file = c->p->process.argv[0];
        size_t n = strlen(file);
        CHILD_TEXT(detail, 400);
        int r;

        if (!strchr(file, '/'))
                return search(c, file, path);
        child_text_quote(&detail, file);
        if (n >= PATH_MAX)
                return child_fail(c, PLAN_STEP_LOOKUP, ENAMETOOLONG, detail.buf);
        r = executable(c, file);
        if (r < 0 && r != -EACCES && r != -EISDIR) {
                child_text_add(&detail, ": stat ");
                child_text_add(&detail, file);
        }
        if (r < 0)
                return child_fail(c, PLAN_STEP_LOOKUP, r, detail.buf);
        memcpy(path, file, n + 1);
        return 0;
}

_noreturn_ static void end_by_signal(int number)
{
        (void)syscall(SYS_exit_group, 128 + number);
        __builtin_unreachable();
}

/* The first process of a PID namespace gets no signal that it has no handler for (pid_namespaces(7)). Until the program
 * is here to decide, it ends by the usual ones; execve takes the handlers away. */
static void die_when_told(void)
{
        static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        struct {
                void (*handler)(int);
                unsigned long flags;
                void (*restorer)(void);
                uint64_t mask;
        } action = {.handler = end_by_signal};

#ifdef SA_RESTORER
        action.flags = SA_RESTORER; /* x86 wants one, though nothing returns */
#endif
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                (void)syscall(SYS_rt_sigaction, numbers[i], &action, NULL, sizeof(action.mask));
}

/* Block until somebody reads the FIFO: `start`. Opening for writing does that. */
static int wait_for_start(struct child *c)
{
        CHILD_TEXT(name, 40);

        if (child_send(c, PLAN_REPORT_STAGED, -1) < 0)
                return -1;
        child_text_add(&name, "self/fd/");
        child_text_number(&name, c->p->start_fd);
        do
                c->gate = openat(c->p->proc_fd, name.buf, O_WRONLY | O_CLOEXEC);
        while (c->gate < 0 && errno == EINTR);
        return c->gate < 0 ? child_fail(c, PLAN_STEP_START, errno, "opening the FIFO") : 0;
}

/* What `start` reads: that it goes on, or why not. */
static void answer_start(struct child *c, bool ok)
{
        CHILD_TEXT(text, sizeof(c->report.detail) + 32);

        if (ok) {
                child_text_add(&text, "0");
        } else {
                child_text_add(&text, "error running ");
                child_text_add(&text, c->report.detail);
        }
        (void)!write(c->gate, text.buf, text.len);
        (void)close(c->gate);
}

/* What goes wrong in execve itself (wrong format, missing interpreter) happens in the container's name: its standard
 * error, status 255, as with docker. */
static void say_exec_failed(const char *path, int errnum)
{
        CHILD_TEXT(text, PATH_MAX + 80);
        const char *why = errnum == ENOEXEC   ? "exec format error"
                          : errnum == ENOENT  ? "no such file or directory"
                          : errnum == EACCES  ? "permission denied"
                          : errnum == E2BIG   ? "argument list too long"
                          : errnum == ENOMEM  ? "cannot allocate memory"
                          : errnum == ETXTBSY ? "text file busy"
                                              : NULL;

        child_text_add(&text, "exec ");
        child_text_add(&text, path);
        child_text_add(&text, ": ");
        if (why) {
                child_text_add(&text, why);
        } else {
                child_text_add(&text, "errno ");
                child_text_number(&text, errnum);
        }
        child_text_add(&text, "\n");
        if (write(2, text.buf, text.len) < 0) {
        }
}

/* With no_new_privs the filter can come last: what it need not permit is least then. But hooks run under it too, a
 * listener is for whoever still waits for us, and after `start` nobody would hear of a failure. */
static bool filter_is_last(const struct plan *p)
{
        return p->start_fd < 0 && !p->n_hooks_start && !p->seccomp.notify;
}

_noreturn_ void child_execve(struct child *c, const char *path)
{
        const struct plan *p = c->p;
        bool filter = p->seccomp_set && p->process.no_new_privs, last = filter_is_last(p);

        if (p->start_fd >= 0)
                die_when_told();
        if (filter && !last && child_seccomp(c) < 0)
                child_end(c);
        if (p->start_fd >= 0 && wait_for_start(c) < 0)
                child_end(c);
        if (child_hooks(c, p->hooks_start, p->n_hooks_start, "startContainer") < 0) {
                if (p->start_fd >= 0) {
                        answer_start(c, false);
                        _exit(EXIT_EXEC_FAILED);
                }
                child_end(c);
        }
        if (child_late_rlimits(c) < 0)
                child_end(c);
        if (p->start_fd >= 0)
                answer_start(c, true);
        /* A parent that has died is the end of what it was making. After `start` nobody listens any more. */
        if (p->start_fd < 0 && child_send(c, PLAN_REPORT_READY, -1) < 0)
                child_end(c);
        if (filter && last && child_seccomp(c) < 0)
                child_end(c);
        (void)execve(path, p->process.argv, p->process.envp);
        say_exec_failed(path, errno);
        _exit(EXIT_EXEC_FAILED);
}
