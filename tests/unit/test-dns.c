/* Unit tests of codec/dns: queries that are taken apart or refused, answers that are put together, names. */
#include "check.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/dns.h"

#define OPT(size, version) "\0\0\x29" size "\0" version "\0\0\0\0"

static size_t make_query(unsigned char *m, const char *name, uint16_t type)
{
        size_t n = dns_write_query(m, DNS_UDP_MIN, 0x1234, name, type);

        assert_true(n > 0);
        return n;
}

/* ---- names ---- */

static void write_name_and_read_name_agree(void **state)
{
        static const char *const names[] = {
                "",           "web", "a.b.c", "WWW.Example.org", "a\\046b.c", "\\000\xff\\127\\092x", "_sip._tcp.x-y",
                "b\303\274ro"};
        unsigned char wire[256];
        char text[DNS_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                size_t n = dns_write_name(wire, sizeof(wire), names[i]), at = 0;

                assert_true(n > 0);
                assert_true(dns_read_name(wire, n, &at, text));
                assert_int_equal(at, n);
                assert_string_equal(text, names[i]);
        }
        assert_int_equal(dns_write_name(wire, sizeof(wire), "end.dot."), dns_write_name(wire, sizeof(wire), "end.dot"));
}

static void write_name_refuses_what_is_no_name(void **state)
{
        static const char *const bad[] = {".", "a..b", ".a", "a\\", "a\\1", "a\\256"};
        unsigned char wire[256];
        char name[300];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(dns_write_name(wire, sizeof(wire), bad[i]), 0);
        memset(name, 'a', sizeof(name));
        name[63] = '\0';
        assert_int_equal(dns_write_name(wire, sizeof(wire), name), 65);
        assert_int_equal(dns_write_name(wire, 64, name), 0);
        name[63] = 'a';
        name[64] = '\0';
        assert_int_equal(dns_write_name(wire, sizeof(wire), name), 0);
        /* 253 letters and dots are the most: 63.63.63.61 */
        memset(name, 'a', sizeof(name));
        name[63] = name[127] = name[191] = '.';
        name[253] = '\0';
        assert_int_equal(dns_write_name(wire, sizeof(wire), name), 255);
        name[253] = 'a';
        name[254] = '\0';
        assert_int_equal(dns_write_name(wire, sizeof(wire), name), 0);
}

static void read_name_follows_pointers_backwards_only(void **state)
{
        static const unsigned char m[] = "............\3web\0\1a\xc0\x0c\xc0\x15\xc0\x04\xc0\x1a";
        char text[DNS_TEXT_MAX];
        size_t at = 17;

        (void)state;
        assert_true(dns_read_name(m, 21, &at, text));
        assert_string_equal(text, "a.web");
        assert_int_equal(at, 21);
        at = 21; /* at itself */
        assert_false(dns_read_name(m, sizeof(m) - 1, &at, text));
        at = 23; /* into the header */
        assert_false(dns_read_name(m, sizeof(m) - 1, &at, text));
        at = 25; /* forwards */
        assert_false(dns_read_name(m, sizeof(m) - 1, &at, text));
        at = 17; /* cut off */
        assert_false(dns_read_name(m, 20, &at, text));
}

static void read_name_follows_no_more_pointers_than_a_name_has_labels(void **state)
{
        unsigned char m[15 + 2 * 200] = "............\1a";
        char text[DNS_TEXT_MAX];
        size_t at;

        (void)state;
        for (size_t i = 0; i < 200; i++) {
                m[15 + 2 * i] = 0xc0 | (unsigned char)((i ? 13 + 2 * i : 12) >> 8);
                m[16 + 2 * i] = (unsigned char)(i ? 13 + 2 * i : 12);
        }
        at = 15 + 2 * 126;
        assert_true(dns_read_name(m, sizeof(m), &at, text));
        assert_string_equal(text, "a");
        at = 15 + 2 * 127;
        assert_false(dns_read_name(m, sizeof(m), &at, text));
}

static void reverse_reads_addresses_of_both_families(void **state)
{
        unsigned char a[16];
        char text[INET6_ADDRSTRLEN];
        int family;

        (void)state;
        assert_true(dns_reverse("4.3.2.10.in-addr.arpa", &family, a));
        assert_string_equal(inet_ntop(family, a, text, sizeof(text)), "10.2.3.4");
        assert_true(
                dns_reverse("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.3.6.D.f.IP6.arpa", &family, a));
        assert_string_equal(inet_ntop(family, a, text, sizeof(text)), "fd63:1::2");
        assert_false(dns_reverse("3.2.10.in-addr.arpa", &family, a));
        assert_false(dns_reverse("256.3.2.10.in-addr.arpa", &family, a));
        assert_false(dns_reverse("4.3.2.10.in-addr.arpa.x", &family, a));
        assert_false(dns_reverse("1.ip6.arpa", &family, a));
        assert_false(dns_reverse("", &family, a));
}

/* ---- queries ---- */

static void read_query_takes_a_plain_and_an_edns_query(void **state)
{
        unsigned char m[DNS_UDP_MIN];
        size_t n = make_query(m, "web", DNS_AAAA);
        struct dns_query q;

        (void)state;
        assert_true(dns_read_query(m, n, &q));
        assert_int_equal(q.id, 0x1234);
        assert_string_equal(q.name, "web");
        assert_int_equal(q.type, DNS_AAAA);
        assert_int_equal(q.question, n);
        assert_int_equal(q.room, 512);
        assert_false(q.edns);
        memcpy(m + n, OPT("\x10\x00", "\0"), 11);
        m[11] = 1;
        assert_true(dns_read_query(m, n + 11, &q));
        assert_true(q.edns);
        assert_int_equal(q.room, 4096);
        memcpy(m + n, OPT("\x00\x10", "\1"), 11);
        assert_true(dns_read_query(m, n + 11, &q));
        assert_int_equal(q.room, 512);
        assert_int_equal(q.version, 1);
}

static void read_query_refuses_what_is_not_whole(void **state)
{
        unsigned char m[DNS_UDP_MIN];
        size_t n = make_query(m, "web", DNS_A);
        struct dns_query q;

        (void)state;
        for (size_t i = 0; i < n; i++)
                assert_false(dns_read_query(m, i, &q));
        m[n] = 0;
        assert_false(dns_read_query(m, n + 1, &q)); /* more than whole */
        m[2] |= 0x80;                               /* a reply */
        assert_false(dns_read_query(m, n, &q));
        m[2] = 1;
        m[5] = 0; /* no question */
        assert_false(dns_read_query(m, n, &q));
        m[5] = 2; /* two */
        assert_false(dns_read_query(m, n, &q));
        m[5] = 1;
        m[11] = 2; /* records that are not there, or two OPT */
        assert_false(dns_read_query(m, n, &q));
        memcpy(m + n, OPT("\x10\x00", "\0"), 11);
        memcpy(m + n + 11, OPT("\x10\x00", "\0"), 11);
        assert_false(dns_read_query(m, n + 22, &q));
}

/* ---- answers ---- */

static void reply_holds_question_and_addresses(void **state)
{
        unsigned char m[DNS_UDP_MIN], out[DNS_UDP_MIN];
        size_t n = make_query(m, "Web", DNS_A), at;
        struct dns_record r;
        struct dns_query q;
        struct dns_reply a;

        (void)state;
        assert_true(dns_read_query(m, n, &q));
        dns_reply_begin(&a, out, sizeof(out), m, &q);
        assert_true(dns_reply_address(&a, AF_INET, (const unsigned char *)"\x0a\0\0\1", 5));
        assert_true(dns_reply_address(&a, AF_INET, (const unsigned char *)"\x0a\0\0\2", 5));
        n = dns_reply_end(&a);
        assert_true(dns_is_reply(out, n, m, q.question, 0x1234));
        assert_false(dns_is_reply(out, n, m, q.question, 0x1235));
        assert_int_equal(dns_flags(out), DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA);
        at = q.question;
        assert_true(dns_read_record(out, n, &at, &r));
        assert_string_equal(r.name, "Web");
        assert_int_equal(r.ttl, 5);
        assert_memory_equal(out + r.data, "\x0a\0\0\1", 4);
        assert_true(dns_read_record(out, n, &at, &r));
        assert_int_equal(at, n);
}

static void reply_that_does_not_fit_says_so(void **state)
{
        unsigned char m[DNS_UDP_MIN], out[DNS_UDP_MIN];
        size_t n = make_query(m, "www", DNS_AAAA);
        struct dns_query q;
        struct dns_reply a;
        unsigned fit = 0;

        (void)state;
        memcpy(m + n, OPT("\x02\x00", "\0"), 11);
        m[11] = 1;
        assert_true(dns_read_query(m, n + 11, &q));
        dns_reply_begin(&a, out, sizeof(out), m, &q);
        while (dns_reply_address(&a, AF_INET6, (const unsigned char *)"0123456789abcdef", 5))
                fit++;
        assert_false(dns_reply_ptr(&a, "x", 5));
        n = dns_reply_end(&a);
        assert_true(n <= sizeof(out) && n > sizeof(out) - 28);
        assert_int_equal(out[7], fit);
        assert_int_equal(out[11], 1); /* there is always room for OPT */
        assert_true(dns_flags(out) & DNS_FLAG_TC);
}

static void reply_rcode_of_edns_has_twelve_bits(void **state)
{
        unsigned char m[DNS_UDP_MIN], out[DNS_UDP_MIN];
        size_t n = make_query(m, "www", DNS_A);
        struct dns_query q;
        struct dns_reply a;

        (void)state;
        memcpy(m + n, OPT("\x02\x00", "\7"), 11);
        m[11] = 1;
        assert_true(dns_read_query(m, n + 11, &q));
        dns_reply_begin(&a, out, sizeof(out), m, &q);
        a.rcode = DNS_BADVERS;
        n = dns_reply_end(&a);
        assert_int_equal(DNS_RCODE(dns_flags(out)), 0);
        assert_int_equal(out[n - 6], 1);
}

static void truncate_keeps_header_and_question(void **state)
{
        unsigned char m[DNS_UDP_MIN];
        size_t n = make_query(m, "www", DNS_A);

        (void)state;
        m[2] |= 0x80;
        m[7] = 3;
        memset(m + n, 7, 100);
        assert_int_equal(dns_truncate(m, n + 100), n);
        assert_int_equal(m[7], 0);
        assert_true(dns_flags(m) & DNS_FLAG_TC);
        assert_int_equal(dns_truncate(m, 11), 0);
}

/* ---- replies of others ---- */

static void is_reply_compares_the_question(void **state)
{
        unsigned char q[DNS_UDP_MIN], m[DNS_UDP_MIN];
        size_t n = make_query(q, "web", DNS_A), other;

        (void)state;
        other = make_query(m, "WEB", DNS_A);
        assert_false(dns_is_reply(m, other, q, n, 0x1234)); /* a query */
        m[2] |= 0x80;
        assert_true(dns_is_reply(m, other, q, n, 0x1234));
        other = make_query(m, "wxb", DNS_A);
        m[2] |= 0x80;
        assert_false(dns_is_reply(m, other, q, n, 0x1234));
        other = make_query(m, "web", DNS_AAAA);
        m[2] |= 0x80;
        assert_false(dns_is_reply(m, other, q, n, 0x1234));
        assert_false(dns_is_reply(m, 11, q, n, 0x1234));
}

static void collect(void *arg, int family, const unsigned char *address, uint32_t ttl)
{
        char text[INET6_ADDRSTRLEN], *list = arg;

        (void)snprintf(list + strlen(list), 200 - strlen(list), "%s/%u ",
                       inet_ntop(family, address, text, sizeof(text)), ttl);
}

static void read_addresses_follows_aliases_and_nothing_else(void **state)
{
        /* www → cdn → addresses; an address of somebody else, which nobody asked for */
        static const unsigned char records[] = "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\5\3cdn\0"
                                               "\5other\0\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"
                                               "\3CDN\0\0\1\0\1\0\0\0\x1e\0\4\x0a\0\0\1"
                                               "\3cdn\0\0\x1c\0\1\0\0\0\x1e\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
        unsigned char m[DNS_UDP_MIN];
        size_t n = make_query(m, "www", DNS_A);
        char list[200] = "";

        (void)state;
        m[2] |= 0x80;
        m[7] = 4;
        memcpy(m + n, records, sizeof(records) - 1);
        n += sizeof(records) - 1;
        assert_true(dns_read_addresses(m, n, collect, list));
        assert_string_equal(list, "10.0.0.1/30 fd00::1/30 ");
        assert_false(dns_read_addresses(m, n - 1, collect, list));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(write_name_and_read_name_agree),
                cmocka_unit_test(write_name_refuses_what_is_no_name),
                cmocka_unit_test(read_name_follows_pointers_backwards_only),
                cmocka_unit_test(read_name_follows_no_more_pointers_than_a_name_has_labels),
                cmocka_unit_test(reverse_reads_addresses_of_both_families),
                cmocka_unit_test(read_query_takes_a_plain_and_an_edns_query),
                cmocka_unit_test(read_query_refuses_what_is_not_whole),
                cmocka_unit_test(reply_holds_question_and_addresses),
                cmocka_unit_test(reply_that_does_not_fit_says_so),
                cmocka_unit_test(reply_rcode_of_edns_has_twelve_bits),
                cmocka_unit_test(truncate_keeps_header_and_question),
                cmocka_unit_test(is_reply_compares_the_question),
                cmocka_unit_test(read_addresses_follows_aliases_and_nothing_else),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
