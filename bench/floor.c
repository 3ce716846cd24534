/* floor.c - the least work that still makes a container, step by step: what every engine pays at least.
 *
 *   floor DIR [RUNS]     DIR holds lower/ (with a static bin/busybox and dev, proc, sys), upper/, work/, root/
 *
 * Each round: clone3 into mount, pid, ipc, uts, cgroup and network namespaces; make mounts private; overlay, proc,
 * tmpfs on /dev, sysfs; pivot_root; exec of `busybox true`; wait. Prints the median of the whole and of each step in
 * microseconds, one "name number" a line, "full" first. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum step { STEP_CLONE, STEP_PRIVATE, STEP_OVERLAY, STEP_PROC, STEP_DEV, STEP_SYS, STEP_PIVOT, STEP_PROGRAM, STEP_MAX };
static const char *const step_names[STEP_MAX] = {"clone3", "private", "overlay",    "proc",
                                                 "dev",    "sysfs",   "pivot_root", "exec-and-exit"};

/* Written by the child, read by the parent: the time at which each step was done. */
static uint64_t *done;

static uint64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void step(enum step s, long result)
{
        if (result < 0) {
                fprintf(stderr, "floor: %s: %s\n", step_names[s], strerror(errno));
                _exit(99);
        }
        done[s] = now();
}

static void child(void)
{
        step(STEP_CLONE, 0);
        step(STEP_PRIVATE, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        step(STEP_OVERLAY, mount("overlay", "root", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"));
        if (chdir("root") < 0)
                _exit(99);
        step(STEP_PROC, mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
        step(STEP_DEV, mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755"));
        step(STEP_SYS, mount("sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
        if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                step(STEP_PIVOT, -1);
        step(STEP_PIVOT, chdir("/"));
        execl("/bin/busybox", "busybox", "true", (char *)NULL);
        _exit(98);
}

static int by_value(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static void report(const char *name, uint64_t *samples, int n)
{
        qsort(samples, (size_t)n, sizeof(*samples), by_value);
        printf("%s %.1f\n", name, (double)samples[n / 2] / 1e3);
}

int main(int argc, char **argv)
{
        int runs = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 200;
        uint64_t *full, *steps[STEP_MAX];

        if (argc < 2 || runs < 1 || chdir(argv[1]) < 0) {
                fprintf(stderr, "usage: floor DIR [RUNS]\n");
                return 2;
        }
        done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        full = calloc((size_t)runs, sizeof(*full));
        for (int s = 0; s < STEP_MAX; s++)
                steps[s] = calloc((size_t)runs, sizeof(**steps));

        for (int i = 0; i < runs; i++) {
                struct clone_args args = {
                        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                                 CLONE_NEWNET,
                        .exit_signal = SIGCHLD,
                };
                uint64_t start = now(), before = start;
                int status = 0;
                pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

                if (pid == 0)
                        child();
                if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
                        fprintf(stderr, "floor: round %d failed (status %#x)\n", i, (unsigned)status);
                        return 1;
                }
                done[STEP_PROGRAM] = now();
                full[i] = done[STEP_PROGRAM] - start;
                for (int s = 0; s < STEP_MAX; s++) {
                        steps[s][i] = done[s] - before;
                        before = done[s];
                }
        }
        report("full", full, runs);
        for (int s = 0; s < STEP_MAX; s++)
                report(step_names[s], steps[s], runs);
        return 0;
}
