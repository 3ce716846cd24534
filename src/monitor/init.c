/* init.c - hod-init, for `hod run --init`: the first process of a container. A program of its own, because the
 * monitor's must never be executable from inside (CVE-2019-5736).
 *
 * It starts the real program, passes signals on, reaps orphans, and ends as the program did. The program gets a process
 * group of its own, in the foreground if there is a terminal, as with docker's (tini). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTTIN, SIGTTOU};

static _noreturn_ void run(char **argv, const sigset_t *mask)
{
        char text[512];
        int n, status;

        (void)setpgid(0, 0);
        (void)tcsetpgrp(STDIN_FILENO, 0 + getpid()); /* ENOTTY without a terminal */
        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        (void)signal(SIGTTOU, SIG_DFL);
        (void)signal(SIGTTIN, SIG_DFL);
        (void)execvp(argv[0], argv);
        status = errno == ENOENT ? 127 : 126;
        n = snprintf(text, sizeof(text), "hod-init: exec %s failed: %s\n", argv[0], strerror(errno));
        (void)file_write_all(STDERR_FILENO, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
        _exit(status);
}

/* Every child that has ended; the status of @main_pid ends us. */
static void reap(pid_t main_pid)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == main_pid)
                        _exit((WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)));
}

int main(int argc, char **argv)
{
        sigset_t all, before;
        pid_t pid;

        argv++;
        if (*argv && strcmp(*argv, "--") == 0)
                argv++;
        if (!*argv)
                return 125;
        (void)sigfillset(&all);
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
                (void)sigdelset(&all, own[i]);
        (void)sigprocmask(SIG_SETMASK, &all, &before);
        /* The program's group takes the terminal from us. */
        (void)signal(SIGTTOU, SIG_IGN);
        (void)signal(SIGTTIN, SIG_IGN);
        pid = fork();
        if (pid < 0)
                return 126;
        if (pid == 0)
                run(argv, &before);
        for (;;) {
                int signal_number;

                if (sigwait(&all, &signal_number) != 0)
                        continue;
                if (signal_number == SIGCHLD)
                        reap(pid);
                else
                        (void)kill(pid, signal_number);
        }
}
