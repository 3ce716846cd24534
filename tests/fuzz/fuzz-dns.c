/* Any bytes as a query and as a reply: nothing outside of the message is read, what is read is written and read back
 * the same, and an answer to any query is a reply to it. The first byte says how much room an answer has. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "codec/dns.h"

static void check(bool ok)
{
        if (!ok)
                abort();
}

static void rewrite(const char *name)
{
        unsigned char wire[256];
        char again[DNS_TEXT_MAX];
        size_t n = dns_write_name(wire, sizeof(wire), name), at = 0;

        check(n && dns_read_name(wire, n, &at, again) && at == n && strcmp(name, again) == 0);
}

static void answer(const uint8_t *data, size_t size, const struct dns_query *q, size_t room)
{
        unsigned char out[2048];
        struct dns_reply r;
        struct dns_query other;
        size_t n;

        dns_reply_begin(&r, out, room, data, q);
        for (int i = 0; i < 40; i++)
                (void)dns_reply_address(&r, i & 1 ? AF_INET6 : AF_INET, (const unsigned char *)"0123456789abcdef", 7);
        (void)dns_reply_ptr(&r, q->name, 7);
        r.rcode = DNS_BADVERS;
        n = dns_reply_end(&r);
        check(n <= room && dns_is_reply(out, n, data, size, q->id) && !dns_read_query(out, n, &other));
        check(dns_truncate(out, n) == q->question);
}

static void count(void *arg, int family, const unsigned char *address, uint32_t ttl)
{
        volatile unsigned char last = address[family == AF_INET ? 3 : 15];

        (void)last;
        ++*(unsigned *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        unsigned n = 0;
        unsigned char address[16];
        struct dns_record record;
        struct dns_query q;
        size_t room, at = DNS_HEADER;
        int family;

        if (!size)
                return 0;
        room = DNS_UDP_MIN + data[0] * 6u;
        data++;
        size--;
        if (dns_read_query(data, size, &q)) {
                rewrite(q.name);
                (void)dns_reverse(q.name, &family, address);
                answer(data, size, &q, room);
        }
        while (dns_read_record(data, size, &at, &record)) {
                rewrite(record.name);
                check(at <= size && record.data + record.size == at);
        }
        (void)dns_read_addresses(data, size, count, &n);
        (void)dns_is_reply(data, size, data, size, size > 1 ? dns_id(data) : 0);
        return 0;
}
