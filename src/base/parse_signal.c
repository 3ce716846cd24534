/* parse_signal.c - see parse.h: signals by name and number, as docker and kill(1) spell them. */
#include "base/parse.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* glibc reserves two real-time signals; docker's table says the same. */
#define RT_MIN 34
#define RT_MAX 64

const char *const parse_signal_names[] = {"HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",  "FPE",
                                          "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM", "STKFLT",
                                          "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",  "XCPU",
                                          "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS",  NULL};

static const struct {
        const char *name;
        int number;
} other_names[] = {{"IOT", SIGIOT}, {"CLD", SIGCHLD}, {"POLL", SIGPOLL}, {"UNUSED", SIGSYS}};

/* The distance in "RTMIN+3": 0 when @text is empty, -1 if it is not @sign and a number up to @max. */
static int distance(const char *text, char sign, int max)
{
        uint64_t n = 0;

        if (!*text)
                return 0;
        if (*text != sign || !parse_u64(text + 1, &n) || n > (uint64_t)max)
                return -1;
        return (int)n;
}

int parse_signal(const char *text, int *ret)
{
        char name[16];
        const char *p = name, *rest;
        uint64_t n;
        size_t i;
        int d;

        if (parse_u64(text, &n)) {
                if (n < 1 || n > RT_MAX)
                        return -EINVAL;
                *ret = (int)n;
                return 0;
        }
        for (i = 0; i < sizeof(name) - 1 && text[i]; i++)
                name[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
        if (text[i])
                return -EINVAL;
        name[i] = '\0';
        if (str_starts(p, "SIG"))
                p += 3;
        rest = str_after(p, "RTMIN");
        if (rest) {
                d = distance(rest, '+', RT_MAX - RT_MIN);
                if (d < 0)
                        return -EINVAL;
                *ret = RT_MIN + d;
                return 0;
        }
        rest = str_after(p, "RTMAX");
        if (rest) {
                d = distance(rest, '-', RT_MAX - RT_MIN);
                if (d < 0)
                        return -EINVAL;
                *ret = RT_MAX - d;
                return 0;
        }
        for (i = 0; parse_signal_names[i]; i++)
                if (strcmp(p, parse_signal_names[i]) == 0) {
                        *ret = (int)i + 1;
                        return 0;
                }
        for (i = 0; i < ARRAY_SIZE(other_names); i++)
                if (strcmp(p, other_names[i].name) == 0) {
                        *ret = other_names[i].number;
                        return 0;
                }
        return -EINVAL;
}

const char *parse_signal_name(int number)
{
        static _Thread_local char buf[24];

        if (number >= 1 && number < (int)ARRAY_SIZE(parse_signal_names))
                (void)snprintf(buf, sizeof(buf), "SIG%s", parse_signal_names[number - 1]);
        else if (number == RT_MIN || number == RT_MAX)
                (void)snprintf(buf, sizeof(buf), number == RT_MIN ? "SIGRTMIN" : "SIGRTMAX");
        else if (number > RT_MIN && number <= RT_MIN + 15)
                (void)snprintf(buf, sizeof(buf), "SIGRTMIN+%d", number - RT_MIN);
        else if (number > RT_MIN && number < RT_MAX)
                (void)snprintf(buf, sizeof(buf), "SIGRTMAX-%d", RT_MAX - number);
        else
                (void)snprintf(buf, sizeof(buf), "SIG%d", number);
        return buf;
}
