/* racer.c - wins every race, on purpose: run a program again and again, and each time exchange two names just before
 * another one of its system calls that take a path.
 *
 *   racer [-p] [-s WORD] [-u CALL] [-o FILE] -x A B -c CHECK -- COMMAND [ARG...]
 *   racer -n TIMES [-o FILE] -x A B -c CHECK -- COMMAND [ARG...]
 *
 * The K-th run of COMMAND (K = 1, 2, ...) is stopped at the entry of the K-th such call, in whichever of its processes
 * that is; A and B are exchanged (renameat2); it goes on. After each run the names are put back and CHECK runs, with
 * RACER_POINT (K), RACER_CALL (what was about to be called) and RACER_STATUS (COMMAND's exit status) in its
 * environment. A check that fails ends everything, status 1. The end is a run that has fewer than K calls; then the
 * number of points that were tried is printed.
 *
 *   -p  pulse: put the names back as soon as that one call has returned
 *   -s  do not count before a path contains WORD
 *   -u  nor from the first call of that name on ("pivot_root")
 *   -o  COMMAND's output, of each run, goes there
 *   -n  no stopping: exchange all the time from another process, TIMES runs
 *
 * Programs that COMMAND executes (the container's, hooks') are let go; only its own processes are followed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 256
#define RUN_SECONDS 20

static struct {
        const char *a, *b, *word, *until, *output, *check;
        char **command;
        bool pulse;
        long times;
} opts;

static struct {
        pid_t pids[PROCESSES_MAX];
        size_t n;
        pid_t main, swapper; /* swapper: in the call before which the names were exchanged */
        long point, count;
        bool swapped, counting, over;
        char call[PATH_MAX + 64];
        int status;
} run;

static void die(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        (void)fprintf(stderr, "racer: ");
        (void)vfprintf(stderr, fmt, ap);
        (void)fprintf(stderr, ": %s\n", strerror(errno));
        va_end(ap);
        exit(2);
}

static void exchange(void)
{
        if (syscall(SYS_renameat2, AT_FDCWD, opts.a, AT_FDCWD, opts.b, RENAME_EXCHANGE) < 0)
                die("exchanging %s and %s", opts.a, opts.b);
}

/* Calls that resolve a name, and which argument that is; -1 for other calls. */
static int path_argument(unsigned long nr, const char **ret_name)
{
        static const struct {
                unsigned long nr;
                int argument;
                const char *name;
        } calls[] = {
#ifdef SYS_open
                {SYS_open, 0, "open"},
                {SYS_mkdir, 0, "mkdir"},
                {SYS_mknod, 0, "mknod"},
                {SYS_symlink, 1, "symlink"},
                {SYS_unlink, 0, "unlink"},
                {SYS_chmod, 0, "chmod"},
                {SYS_chown, 0, "chown"},
                {SYS_readlink, 0, "readlink"},
                {SYS_rename, 0, "rename"},
                {SYS_stat, 0, "stat"},
                {SYS_lstat, 0, "lstat"},
                {SYS_access, 0, "access"},
#endif
                {SYS_openat, 1, "openat"},
                {SYS_openat2, 1, "openat2"},
                {SYS_open_tree, 1, "open_tree"},
                {SYS_move_mount, 3, "move_mount"},
                {SYS_mount, 1, "mount"},
                {SYS_mount_setattr, 1, "mount_setattr"},
                {SYS_umount2, 0, "umount2"},
                {SYS_pivot_root, 0, "pivot_root"},
                {SYS_mkdirat, 1, "mkdirat"},
                {SYS_mknodat, 1, "mknodat"},
                {SYS_symlinkat, 2, "symlinkat"},
                {SYS_linkat, 3, "linkat"},
                {SYS_unlinkat, 1, "unlinkat"},
                {SYS_renameat, 1, "renameat"},
                {SYS_renameat2, 1, "renameat2"},
                {SYS_readlinkat, 1, "readlinkat"},
                {SYS_fchmodat, 1, "fchmodat"},
                {SYS_fchownat, 1, "fchownat"},
                {SYS_newfstatat, 1, "newfstatat"},
                {SYS_statx, 1, "statx"},
                {SYS_faccessat, 1, "faccessat"},
                {SYS_faccessat2, 1, "faccessat2"},
                {SYS_fspick, 1, "fspick"},
                {SYS_chdir, 0, "chdir"},
                {SYS_fchdir, -2, "fchdir"},
                {SYS_chroot, 0, "chroot"},
                {SYS_execve, 0, "execve"},
        };

        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                if (calls[i].nr == nr) {
                        *ret_name = calls[i].name;
                        return calls[i].argument;
                }
        return -1;
}

static void read_text(pid_t pid, unsigned long at, char text[PATH_MAX])
{
        size_t n = 0;

        /* Up to the end of a page at a time: what follows may not be mapped. */
        while (n < PATH_MAX - 1) {
                size_t room = 4096 - (at + n) % 4096, take = room < PATH_MAX - 1 - n ? room : PATH_MAX - 1 - n;
                struct iovec local = {text + n, take}, remote = {(void *)(at + n), take};
                ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

                if (got <= 0)
                        break;
                if (memchr(text + n, '\0', (size_t)got))
                        return;
                n += (size_t)got;
        }
        text[n] = '\0';
}

/* A system call begins or has returned. */
static void on_call(pid_t pid)
{
        struct __ptrace_syscall_info info;
        const char *name;
        char path[PATH_MAX] = "";
        int argument;

        if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) < 0)
                return;
        if (info.op == PTRACE_SYSCALL_INFO_EXIT && pid == run.swapper && opts.pulse && run.swapped) {
                exchange();
                run.swapped = false;
                run.swapper = 0;
        }
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
                return;
        argument = path_argument((unsigned long)info.entry.nr, &name);
        if (argument == -1)
                return;
        if (argument >= 0)
                read_text(pid, (unsigned long)info.entry.args[argument], path);
        if (argument >= 0 && !*path) /* by descriptor: no name to be raced for */
                return;
        run.counting |= !opts.word || strstr(path, opts.word);
        run.over |= run.counting && opts.until && strcmp(name, opts.until) == 0;
        if (!run.counting || run.over || ++run.count != run.point)
                return;
        (void)snprintf(run.call, sizeof(run.call), "%s \"%s\"", name, path);
        exchange();
        run.swapped = true;
        run.swapper = pid;
}

static void forget(pid_t pid)
{
        for (size_t i = 0; i < run.n; i++)
                if (run.pids[i] == pid) {
                        run.pids[i] = run.pids[--run.n];
                        return;
                }
}

static void remember(pid_t pid)
{
        for (size_t i = 0; i < run.n; i++)
                if (run.pids[i] == pid)
                        return;
        if (run.n == PROCESSES_MAX)
                die("too many processes");
        run.pids[run.n++] = pid;
}

/* COMMAND executes itself anew, by a read-only mount or from a sealed copy; everything else is somebody else's program.
 */
static bool is_ours(pid_t pid)
{
        char path[64], exe[PATH_MAX];
        struct stat now, command;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
        if (stat(path, &now) == 0 && stat(opts.command[0], &command) == 0 && now.st_ino == command.st_ino &&
            now.st_dev == command.st_dev)
                return true;
        n = readlink(path, exe, sizeof(exe) - 1);
        exe[n < 0 ? 0 : n] = '\0';
        return strstr(exe, "memfd:");
}

static void on_stop(pid_t pid, int status)
{
        int signal = WSTOPSIG(status), event = status >> 16;

        remember(pid);
        if (event == PTRACE_EVENT_EXEC && !is_ours(pid)) {
                forget(pid);
                (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
                return;
        }
        if (signal == (SIGTRAP | 0x80)) {
                on_call(pid);
                signal = 0;
        } else if (event) {
                signal = 0;
        }
        (void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal);
}

static void hangs(void)
{
        for (size_t i = 0; i < run.n; i++)
                (void)kill(run.pids[i], SIGKILL);
        (void)fprintf(stderr, "racer: point %ld, %s: hangs\n", run.point, run.call);
        exit(1);
}

static void follow(void)
{
        bool alive = true;

        (void)alarm(RUN_SECONDS);
        while (alive || run.n) {
                int status;
                pid_t pid = waitpid(-1, &status, __WALL);

                if (pid < 0 && errno == EINTR)
                        hangs();
                if (pid < 0)
                        break;
                if (WIFSTOPPED(status)) {
                        on_stop(pid, status);
                        continue;
                }
                forget(pid);
                if (pid == run.main) {
                        run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                        alive = false;
                }
        }
        (void)alarm(0);
}

static void on_alarm(int signal)
{
        (void)signal;
}

static pid_t start(const int gate[2])
{
        pid_t pid = fork();
        char c;

        if (pid)
                return pid;
        if (opts.output) {
                int fd = open(opts.output, O_WRONLY | O_CREAT | O_TRUNC, 0600), null = open("/dev/null", O_RDONLY);

                (void)dup2(null, 0);
                (void)dup2(fd, 1);
                (void)dup2(fd, 2);
                (void)close(fd);
                (void)close(null);
        }
        if (gate) {
                (void)close(gate[1]);
                if (read(gate[0], &c, 1) != 1)
                        _exit(127);
                (void)close(gate[0]);
        }
        (void)execvp(opts.command[0], opts.command);
        _exit(127);
}

static void run_stopped(long point)
{
        int gate[2], status;

        memset(&run, 0, sizeof(run));
        run.point = point;
        if (pipe2(gate, O_CLOEXEC) < 0)
                die("pipe");
        run.main = start(gate);
        (void)close(gate[0]);
        if (ptrace(PTRACE_SEIZE, run.main, NULL,
                   (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                            PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) < 0 ||
            ptrace(PTRACE_INTERRUPT, run.main, NULL, NULL) < 0 || waitpid(run.main, &status, __WALL) < 0)
                die("tracing");
        remember(run.main);
        if (ptrace(PTRACE_SYSCALL, run.main, NULL, NULL) < 0 || write(gate[1], "1", 1) != 1)
                die("starting");
        (void)close(gate[1]);
        follow();
        if (run.swapped)
                exchange();
}

static void run_free(long point)
{
        pid_t other = fork();
        int status;

        memset(&run, 0, sizeof(run));
        run.point = run.count = point;
        if (other == 0)
                for (pid_t parent = getppid(); getppid() == parent;)
                        exchange();
        run.main = start(NULL);
        if (waitpid(run.main, &status, 0) < 0)
                die("waiting");
        run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        (void)kill(other, SIGKILL);
        (void)waitpid(other, &status, 0);
}

static bool check(void)
{
        char point[24], text[16];
        int status;
        pid_t pid;

        (void)snprintf(point, sizeof(point), "%ld", run.point);
        (void)snprintf(text, sizeof(text), "%d", run.status);
        (void)setenv("RACER_POINT", point, 1);
        (void)setenv("RACER_STATUS", text, 1);
        (void)setenv("RACER_CALL", run.call, 1);
        pid = fork();
        if (pid == 0) {
                (void)execl("/bin/bash", "bash", "-c", opts.check, (char *)NULL);
                _exit(127);
        }
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                (void)fprintf(stderr, "racer: at point %ld, before %s: the check failed\n", run.point, run.call);
        return status == 0;
}

int main(int argc, char **argv)
{
        struct sigaction action = {.sa_handler = on_alarm}; /* it interrupts waitpid */
        int c;

        (void)sigaction(SIGALRM, &action, NULL);
        while ((c = getopt(argc, argv, "+ps:u:o:x:c:n:")) >= 0)
                switch (c) {
                case 'p':
                        opts.pulse = true;
                        break;
                case 's':
                        opts.word = optarg;
                        break;
                case 'u':
                        opts.until = optarg;
                        break;
                case 'o':
                        opts.output = optarg;
                        break;
                case 'n':
                        opts.times = atol(optarg);
                        break;
                case 'c':
                        opts.check = optarg;
                        break;
                case 'x':
                        if (optind >= argc)
                                return 2;
                        opts.a = optarg;
                        opts.b = argv[optind++];
                        break;
                default:
                        return 2;
                }
        opts.command = argv + optind;
        if (!opts.a || !opts.check || !opts.command[0])
                return 2;
        for (long point = 1;; point++) {
                if (opts.times)
                        run_free(point);
                else
                        run_stopped(point);
                if (!check())
                        return 1;
                if (opts.times ? point >= opts.times : run.count < point) {
                        (void)printf("%ld points\n", opts.times ? point : run.count);
                        return 0;
                }
        }
}
