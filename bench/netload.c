/* netload.c - load for bench/network.sh and the tests of networks; every address is "ADDRESS PORT", IPv4 or IPv6.
 *
 *   netload serve PORT                          accepts for ever on all addresses, sends one byte, closes
 *   netload connect ADDRESS PORT SECONDS N      N clients connect, read the byte and go, over and over: prints
 *                                               "CONNECTIONS-A-SECOND FAILED"
 *   netload dns ADDRESS PORT COUNT NAME...      asks for the names (A) in turn, each when the last is answered: prints
 *                                               "P50 P99 LOST", µs, "- - LOST" without any answer;
 *                                               gives up after five that were lost
 *   netload flood ADDRESS PORT SECONDS N NAME   N questions always on their way: prints "ANSWERS-A-SECOND LOST" */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
        fprintf(stderr, "netload: %s: %s\n", what, strerror(errno));
        exit(1);
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sockaddr_storage where;
static socklen_t where_size;

static void parse_where(const char *address, const char *port)
{
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};

        if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
                memcpy(&where, &four, sizeof(four));
                where_size = sizeof(four);
        } else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
                memcpy(&where, &six, sizeof(six));
                where_size = sizeof(six);
        } else {
                fprintf(stderr, "netload: '%s' is no address\n", address);
                exit(1);
        }
}

/* ---- connections ---- */

static _Noreturn void serve(const char *port)
{
        struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = at.sin6_port};
        int s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, zero = 0;

        signal(SIGPIPE, SIG_IGN);
        if (s >= 0)
                setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
        else
                s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0 && bind(s, (struct sockaddr *)&four, sizeof(four)) < 0)
                die("bind");
        if (listen(s, 4096) < 0)
                die("listen");
        if (fork() < 0) /* two of us */
                die("fork");
        for (;;) {
                int c = accept4(s, NULL, NULL, SOCK_CLOEXEC);

                if (c < 0)
                        continue;
                if (write(c, "x", 1) < 0 && errno == EINVAL)
                        die("write");
                close(c);
        }
}

struct counts {
        atomic_ulong done, failed;
};

static bool one_connection(void)
{
        struct linger gone = {1, 0};
        struct timeval patience = {2, 0};
        int s = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char byte;
        bool ok;

        if (s < 0)
                die("socket");
        /* No TIME_WAIT: there are more connections than ports. */
        setsockopt(s, SOL_SOCKET, SO_LINGER, &gone, sizeof(gone));
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        ok = connect(s, (struct sockaddr *)&where, where_size) == 0 && read(s, &byte, 1) == 1;
        close(s);
        return ok;
}

static int connect_all(double seconds, int clients)
{
        struct counts *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        double start = now(), end = start + seconds;

        if (c == MAP_FAILED)
                die("mmap");
        for (int i = 0; i < clients; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        die("fork");
                if (pid)
                        continue;
                while (now() < end)
                        atomic_fetch_add(one_connection() ? &c->done : &c->failed, 1);
                _exit(0);
        }
        while (wait(NULL) > 0)
                ;
        printf("%.0f %lu\n", (double)c->done / (now() - start), (unsigned long)c->failed);
        return 0;
}

/* ---- names ---- */

/* Header and question; the size. */
static size_t question(unsigned char *p, uint16_t id, const char *name)
{
        static const unsigned char rest[10] = {1, 0, 0, 1}; /* recursion desired, one question */
        size_t at = 12;

        p[0] = (unsigned char)(id >> 8);
        p[1] = (unsigned char)id;
        memcpy(p + 2, rest, sizeof(rest));
        while (*name) {
                size_t n = strcspn(name, ".");

                p[at++] = (unsigned char)n;
                memcpy(p + at, name, n);
                at += n;
                name += n + (name[n] == '.');
        }
        memcpy(p + at, "\0\0\1\0\1", 5); /* the root, A, IN */
        return at + 5;
}

static int open_dns(void)
{
        int s = socket(where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (s < 0 || connect(s, (struct sockaddr *)&where, where_size) < 0)
                die("connect");
        return s;
}

/* An answer with an address to the question @id, within a second? */
static bool answered(int s, uint16_t id, int ms)
{
        struct pollfd p = {.fd = s, .events = POLLIN};
        unsigned char a[1500];

        while (poll(&p, 1, ms) == 1) {
                ssize_t n = recv(s, a, sizeof(a), 0);

                if (n >= 12 && a[0] == id >> 8 && a[1] == (id & 0xff))
                        return (a[3] & 15) == 0 && (a[6] || a[7]);
        }
        return false;
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static int ask(int count, char **names, int n_names)
{
        double *took = calloc((size_t)count, sizeof(*took));
        int s = open_dns(), n = 0, lost = 0;

        if (!took)
                die("calloc");
        for (int i = 0; i < count && lost < 5; i++) {
                unsigned char q[512];
                size_t size = question(q, (uint16_t)i, names[i % n_names]);
                double start = now();

                if (send(s, q, size, 0) < 0 || !answered(s, (uint16_t)i, 1000))
                        lost++;
                else
                        took[n++] = (now() - start) * 1e6;
        }
        qsort(took, (size_t)n, sizeof(*took), by_value);
        if (n)
                printf("%.1f %.1f %d\n", took[n / 2], took[n * 99 / 100], lost);
        else
                printf("- - %d\n", lost);
        free(took);
        return 0;
}

static int flood(double seconds, int window, const char *name)
{
        double start = now(), end = start + seconds;
        unsigned long sent = 0, got = 0;
        int s = open_dns();

        for (;;) {
                struct pollfd p = {.fd = s, .events = POLLIN};
                unsigned char q[1500];
                bool asking = now() < end;

                for (; asking && sent < got + (unsigned)window; sent++)
                        if (send(s, q, question(q, (uint16_t)sent, name), 0) < 0)
                                die("send");
                if (sent == got || poll(&p, 1, 500) != 1)
                        break;
                while (recv(s, q, sizeof(q), MSG_DONTWAIT) > 0)
                        got++;
        }
        printf("%.0f %lu\n", (double)got / (end - start), sent - got);
        return 0;
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";

        if (argc == 3 && !strcmp(what, "serve"))
                serve(argv[2]);
        if (argc > 3)
                parse_where(argv[2], argv[3]);
        if (argc == 6 && !strcmp(what, "connect"))
                return connect_all(atof(argv[4]), atoi(argv[5]));
        if (argc > 5 && !strcmp(what, "dns"))
                return ask(atoi(argv[4]), argv + 5, argc - 5);
        if (argc == 7 && !strcmp(what, "flood"))
                return flood(atof(argv[4]), atoi(argv[5]), argv[6]);
        fputs("netload: see the beginning of netload.c\n", stderr);
        return 2;
}
