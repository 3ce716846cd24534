/* Unit tests of engine/resolvconf: what becomes of the host's servers, of what was asked for, and who edited it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "engine/resolvconf.h"

static char *made(struct resolvconf r)
{
        char *text = NULL;

        r.path = "/etc/resolv.conf";
        assert_null(resolvconf_make(&r, &text));
        return text;
}

static void expect(const char *text, const char *line)
{
        if (!strstr(text, line))
                fail_msg("no %s in\n%s", line, text);
}

static void expect_not(const char *text, const char *line)
{
        if (strstr(text, line))
                fail_msg("%s in\n%s", line, text);
}

static void resolvconf_make_leaves_out_servers_that_are_the_hosts_alone(void **state)
{
        const char *host = "# x\nnameserver 127.0.0.1\nnameserver\t192.0.2.1\nnameserver ::1\nnameserver 2001:db8::1\n"
                           "nameserver fe80::1%eth0\nsearch a.example b.example\noptions rotate\nsortlist 10.0.0.0/8\n";
        _cleanup_free_ char *four = made((struct resolvconf){.host = host});
        _cleanup_free_ char *both = made((struct resolvconf){.host = host, .ipv6 = true});

        (void)state;
        expect(four, "\nnameserver 192.0.2.1\nsearch a.example b.example\noptions rotate\nsortlist 10.0.0.0/8\n");
        expect_not(four, "2001:db8");
        expect(both, "\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch");
        expect_not(both, "fe80");
        expect_not(both, "127.0.0.1");
        expect(four, "# Based on host file: '/etc/resolv.conf' (legacy)\n# Overrides: []\n");
}

static void resolvconf_make_takes_public_servers_when_none_is_left(void **state)
{
        _cleanup_free_ char *four = made((struct resolvconf){.host = "nameserver 127.0.0.53\n"});
        _cleanup_free_ char *both = made((struct resolvconf){.host = "", .ipv6 = true});

        (void)state;
        expect(four, "\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n\n# Based");
        expect(four, "# Used default nameservers.\n");
        expect(both, "\nnameserver 2001:4860:4860::8888\n");
}

static void resolvconf_make_copies_the_hosts_for_its_network(void **state)
{
        _cleanup_free_ char *text = made(
                (struct resolvconf){.kind = RESOLVCONF_HOST, .host = "nameserver 127.0.0.1\ndomain old.example\n"});
        _cleanup_free_ char *none = made((struct resolvconf){.kind = RESOLVCONF_HOST, .host = ""});

        (void)state;
        expect(text, "\nnameserver 127.0.0.1\nsearch old.example\n");
        expect_not(none, "nameserver");
}

static void resolvconf_make_names_the_internal_server(void **state)
{
        char *dns[] = {(char[]){"192.0.2.9"}, NULL}, *ndots[] = {(char[]){"ndots:3"}, NULL};
        struct resolvconf r = {.kind = RESOLVCONF_INTERNAL_SERVER, .host = "nameserver 192.0.2.1\nsearch h.example\n"};
        _cleanup_free_ char *text = made(r), *asked = NULL, *host = NULL;

        (void)state;
        expect(text, "\nnameserver 127.0.0.11\nsearch h.example\noptions ndots:0\n");
        expect(text, "(internal resolver)\n");
        expect_not(text, "192.0.2.1");
        r.dns = dns;
        r.options = ndots;
        asked = made(r);
        expect(asked, "\nnameserver 127.0.0.11\nsearch h.example\noptions ndots:3\n");
        expect(asked, "# Overrides: [nameservers options]\n# Option ndots from: override\n");
        r.options = NULL;
        r.host = "options ndots:5 edns0\n";
        host = made(r);
        expect(host, "options ndots:5 edns0\n");
}

static void resolvconf_make_puts_what_was_asked_for_in_place_of_the_hosts(void **state)
{
        char *dns[] = {(char[]){"127.0.0.1"}, (char[]){"9.9.9.9"}, NULL}, *search[] = {(char[]){"ex.org"}, NULL},
             *dot[] = {(char[]){"."}, NULL};
        struct resolvconf r = {.host = "nameserver 192.0.2.1\nsearch h.example\noptions rotate\n", .dns = dns};
        _cleanup_free_ char *text = NULL, *none = NULL;

        (void)state;
        r.search = search;
        text = made(r);
        expect(text, "\nnameserver 127.0.0.1\nnameserver 9.9.9.9\nsearch ex.org\noptions rotate\n");
        expect(text, "# Overrides: [nameservers search]\n");
        r.search = dot;
        none = made(r);
        expect_not(none, "\nsearch");
}

static void resolvconf_is_ours_notices_every_edit(void **state)
{
        _cleanup_free_ char *text = made((struct resolvconf){.host = "nameserver 192.0.2.1\n"}), *more = NULL;

        (void)state;
        assert_true(resolvconf_is_ours(text));
        assert_true(resolvconf_is_ours(""));
        assert_false(resolvconf_is_ours("nameserver 192.0.2.1\n"));
        more = str_format("%snameserver 192.0.2.2\n", text);
        assert_false(resolvconf_is_ours(more));
        text[strlen("# G")] ^= 1;
        assert_false(resolvconf_is_ours(text));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(resolvconf_make_leaves_out_servers_that_are_the_hosts_alone),
                cmocka_unit_test(resolvconf_make_takes_public_servers_when_none_is_left),
                cmocka_unit_test(resolvconf_make_copies_the_hosts_for_its_network),
                cmocka_unit_test(resolvconf_make_names_the_internal_server),
                cmocka_unit_test(resolvconf_make_puts_what_was_asked_for_in_place_of_the_hosts),
                cmocka_unit_test(resolvconf_is_ours_notices_every_edit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
