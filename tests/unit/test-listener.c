/* Unit tests of sys/listener: whose a port is, in a network namespace of the test's own. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sys/listener.h"

#define PORT 4711

static int begin(void **state)
{
        struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        _cleanup_close_ int s = -1;

        if (unshare(CLONE_NEWNET) < 0)
                skip();
        s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return ioctl(s, SIOCSIFFLAGS, &lo);
}

static void parse(const char *text, int *ret_family, unsigned char ret[16])
{
        *ret_family = strchr(text, ':') ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(*ret_family, text, ret), 1);
}

/* A socket at @text, which listens when it is one of TCP. */
static int bound(int type, const char *text)
{
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        unsigned char address[16];
        int family, s;

        parse(text, &family, address);
        s = socket(family, type | SOCK_CLOEXEC, 0);
        if (s < 0 && family == AF_INET6)
                skip(); /* a kernel without it */
        memcpy(&four.sin_addr, address, 4);
        memcpy(&six.sin6_addr, address, 16);
        assert_int_equal(family == AF_INET ? bind(s, (struct sockaddr *)&four, sizeof(four))
                                           : bind(s, (struct sockaddr *)&six, sizeof(six)),
                         0);
        assert_true(type != SOCK_STREAM || listen(s, 1) == 0);
        return s;
}

static int find(uint8_t protocol, const char *text)
{
        unsigned char address[16];
        struct listener l;
        int family, r;

        parse(text, &family, address);
        r = listener_find(protocol, family, address, PORT, 0, &l);
        assert_int_equal(l.pid, r > 0 ? getpid() : 0);
        assert_int_equal(listener_find(protocol, family, address, PORT, 0, NULL), r);
        return r;
}

static void listener_find_knows_one_address_from_another(void **state)
{
        _cleanup_close_ _unused_ int s = bound(SOCK_STREAM, "127.0.0.1");

        assert_true(s >= 0);
        assert_int_equal(find(IPPROTO_TCP, "127.0.0.1"), 1);
        assert_int_equal(find(IPPROTO_TCP, "127.0.0.2"), 0);
        assert_int_equal(find(IPPROTO_UDP, "127.0.0.1"), 0);
        assert_int_equal(find(IPPROTO_TCP, "::1"), 0);
}

/* Whoever wants all addresses cannot have them where one is taken. */
static void listener_find_takes_zeros_for_any_address(void **state)
{
        _cleanup_close_ _unused_ int s = bound(SOCK_STREAM, "127.0.0.1"), u = bound(SOCK_DGRAM, "::1");
        struct listener l;

        assert_true(s >= 0 && u >= 0);
        assert_int_equal(find(IPPROTO_TCP, "0.0.0.0"), 1);
        assert_int_equal(listener_find(IPPROTO_TCP, AF_INET, NULL, PORT, 0, &l), 1);
        assert_int_equal(listener_find(IPPROTO_TCP, AF_INET, NULL, PORT + 1, 0, &l), 0);
        assert_int_equal(find(IPPROTO_TCP, "::"), 0);
        assert_int_equal(find(IPPROTO_UDP, "::"), 1);
        assert_int_equal(find(IPPROTO_UDP, "0.0.0.0"), 0);
}

static void listener_find_takes_all_addresses_for_each(void **state)
{
        _cleanup_close_ _unused_ int s = bound(SOCK_STREAM, "0.0.0.0"), u = bound(SOCK_DGRAM, "::");

        assert_true(s >= 0 && u >= 0);
        assert_int_equal(find(IPPROTO_TCP, "192.0.2.1"), 1);
        assert_int_equal(find(IPPROTO_UDP, "192.0.2.1"), 1);
        assert_int_equal(find(IPPROTO_UDP, "2001:db8::1"), 1);
}

static void listener_find_knows_addresses_of_ipv4_in_ipv6(void **state)
{
        _cleanup_close_ _unused_ int s = bound(SOCK_STREAM, "::ffff:127.0.0.1");

        assert_true(s >= 0);
        assert_int_equal(find(IPPROTO_TCP, "127.0.0.1"), 1);
        assert_int_equal(find(IPPROTO_TCP, "127.0.0.2"), 0);
        assert_int_equal(find(IPPROTO_TCP, "0.0.0.0"), 1);
        assert_int_equal(find(IPPROTO_TCP, "::"), 0);
}

static void listener_find_overlooks_connections(void **state)
{
        _cleanup_close_ int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), l = bound(SOCK_STREAM, "127.0.0.1"),
                            accepted = -1;
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        assert_int_equal(connect(c, (struct sockaddr *)&to, sizeof(to)), 0);
        accepted = accept4(l, NULL, NULL, SOCK_CLOEXEC);
        assert_true(accepted >= 0);
        l = file_close(l);
        assert_int_equal(find(IPPROTO_TCP, "127.0.0.1"), 0);
        assert_int_equal(find(IPPROTO_TCP, "0.0.0.0"), 0);
}

static void listener_find_passes_over_one_process(void **state)
{
        _cleanup_close_ int first = bound(SOCK_STREAM, "127.0.0.1"), s = bound(SOCK_STREAM, "127.0.0.2");
        pid_t other = fork();
        struct listener l;

        if (other == 0) {
                (void)file_close(first); /* which only the parent has then */
                (void)pause();
                _exit(1);
        }
        s = file_close(s); /* and that only the child */
        for (unsigned i = 0; i < 1000 && listener_find(IPPROTO_TCP, AF_INET, NULL, PORT, getpid(), &l) == 0; i++)
                (void)usleep(10000);
        assert_int_equal(listener_find(IPPROTO_TCP, AF_INET, NULL, PORT, getpid(), &l), 1);
        assert_int_equal(l.pid, other);
        assert_int_equal(kill(other, SIGKILL), 0);
        assert_int_equal(waitpid(other, NULL, 0), other);
        assert_int_equal(listener_find(IPPROTO_TCP, AF_INET, NULL, PORT, getpid(), &l), 0);
        assert_int_equal(l.pid, 0);
        assert_int_equal(listener_find(IPPROTO_TCP, AF_INET, NULL, PORT, 0, &l), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(listener_find_knows_one_address_from_another, begin),
                cmocka_unit_test_setup(listener_find_takes_zeros_for_any_address, begin),
                cmocka_unit_test_setup(listener_find_takes_all_addresses_for_each, begin),
                cmocka_unit_test_setup(listener_find_knows_addresses_of_ipv4_in_ipv6, begin),
                cmocka_unit_test_setup(listener_find_overlooks_connections, begin),
                cmocka_unit_test_setup(listener_find_passes_over_one_process, begin),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
