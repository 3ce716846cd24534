/* peak.c - what a command's own process needed at most.
 *
 *   peak COMMAND...     runs it and prints "RSS PSS" in KiB: the peak of its resident set (VmHWM), and its share of the
 *                       memory (proportional set size) at its end, without its children
 *
 * The process is stopped just before it is gone (PTRACE_EVENT_EXIT) and read there: a peak that was taken from its
 * parent's rusage would count what it was before it executed COMMAND. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The number behind @key in /proc/@pid/@file, -1 if there is none. */
static long number(pid_t pid, const char *file, const char *key)
{
        char path[64], line[256];
        long n = -1;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        f = fopen(path, "re");
        while (f && n < 0 && fgets(line, sizeof(line), f))
                if (strncmp(line, key, strlen(key)) == 0)
                        n = strtol(line + strlen(key), NULL, 10);
        if (f)
                fclose(f);
        return n;
}

int main(int argc, char **argv)
{
        long rss = -1, pss = -1;
        int status;
        pid_t pid;

        if (argc < 2)
                return 2;
        pid = fork();
        if (pid == 0) {
                raise(SIGSTOP);
                execvp(argv[1], argv + 1);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, WUNTRACED) < 0)
                return 1;
        if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) < 0)
                return 1;
        kill(pid, SIGCONT);
        while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
                int sig = WSTOPSIG(status), event = status >> 16;

                if (event == PTRACE_EVENT_EXIT) {
                        rss = number(pid, "status", "VmHWM:");
                        pss = number(pid, "smaps_rollup", "Pss:");
                }
                ptrace(PTRACE_CONT, pid, NULL, event ? 0 : sig);
        }
        printf("%ld %ld\n", rss, pss);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 && rss >= 0 ? 0 : 1;
}
