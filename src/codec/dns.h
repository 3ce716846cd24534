/* dns.h - messages of the domain name system (RFC 1035, 3596, 6891): read in place, written into a buffer that the
 * caller has. Nothing is allocated, and nothing outside of the message is touched, whatever it says.
 *
 * A name as text is its labels with dots between them, without one at the end; the root is "". A dot, a backslash, a
 * blank or a control character inside a label is written \DDD, so that different names have different texts; bytes that
 * are no ASCII are as they are: nobody says in which alphabet. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER 12
#define DNS_TEXT_MAX 1024 /* text of any name, with its terminator */
#define DNS_UDP_MIN 512   /* what everybody can take by UDP */
#define DNS_UDP_OURS 1232 /* what we say that we can take: fits every path */

enum {
        DNS_FLAG_QR = 0x8000,
        DNS_FLAG_AA = 0x0400,
        DNS_FLAG_TC = 0x0200,
        DNS_FLAG_RD = 0x0100,
        DNS_FLAG_RA = 0x0080,
        DNS_FLAG_CD = 0x0010,
};
#define DNS_OPCODE(flags) ((flags) >> 11 & 15)
#define DNS_RCODE(flags) ((flags)&15)
enum { DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };
enum { DNS_BADVERS = 16 };
enum { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255 };
enum { DNS_IN = 1, DNS_CLASS_ANY = 255 };

/* ---- reading ---- */

struct dns_record {
        char name[DNS_TEXT_MAX];
        uint16_t type, class;
        uint32_t ttl;
        size_t data, size; /* where in the message */
};

/* The name at *@at; *@at moves behind it. Pointers are followed backwards only. False: it is none, or too long. */
bool dns_read_name(const void *message, size_t size, size_t *at, char ret[DNS_TEXT_MAX]);
bool dns_read_record(const void *message, size_t size, size_t *at, struct dns_record *ret);

struct dns_query {
        uint16_t id, flags, type, class;
        char name[DNS_TEXT_MAX];
        size_t question; /* bytes of header and question */
        bool edns;
        uint8_t version; /* of EDNS */
        uint16_t room;   /* the longest answer that may be sent by UDP, at least DNS_UDP_MIN */
};
/* Take a query apart. False: it is not one (a reply; no or several questions; not whole, or more than whole). */
bool dns_read_query(const void *message, size_t size, struct dns_query *ret);

/* Is this message a reply to the query, the same question under the number @id? (Letters may differ in case.) */
bool dns_is_reply(const void *message, size_t size, const void *query, size_t query_size, uint16_t id);

/* Number and flags of a message of at least DNS_HEADER bytes. */
uint16_t dns_id(const void *message);
void dns_set_id(void *message, uint16_t id);
uint16_t dns_flags(const void *message);

/* The addresses that a reply gives for the name it was asked for, aliases followed: @fn is called for each.
 * @family: AF_INET, AF_INET6. False: the reply is malformed (what came before that has been told). */
typedef void dns_address_fn(void *arg, int family, const unsigned char *address, uint32_t ttl);
bool dns_read_addresses(const void *message, size_t size, dns_address_fn *fn, void *arg);

/* "4.3.2.1.in-addr.arpa", "...ip6.arpa": the address that is asked for. False: no such name. */
bool dns_reverse(const char *name, int *ret_family, unsigned char ret[16]);

/* ---- writing ---- */

/* A message of one question is put together; what does not fit is left out and remembered. */
struct dns_reply {
        unsigned char *data;
        size_t size, room;
        const struct dns_query *query;
        uint16_t flags, answers;
        unsigned rcode; /* with EDNS up to 12 bits */
        bool truncated;
};
/* An answer to @query, whose message is @message, in @room bytes at @data (at least DNS_UDP_MIN). Space for what
 * dns_reply_end() adds is kept. */
void dns_reply_begin(struct dns_reply *r, void *data, size_t room, const void *message, const struct dns_query *query);
/* A record for the name of the question. False: no room; the rest need not be tried. */
bool dns_reply_address(struct dns_reply *r, int family, const unsigned char *address, uint32_t ttl);
bool dns_reply_ptr(struct dns_reply *r, const char *name, uint32_t ttl);
/* Its size. */
size_t dns_reply_end(struct dns_reply *r);

/* Cut a message that is too long for whoever gets it down to header and question, and say so in it. The new size; 0: it
 * is malformed. */
size_t dns_truncate(void *message, size_t size);

/* A query for @name, recursion wanted; for tests and tools. 0: no such name, or no room. */
size_t dns_write_query(void *data, size_t room, uint16_t id, const char *name, uint16_t type);
/* The name as a message has it, without compression. 0: it is none (empty or long labels, too long), or no room. */
size_t dns_write_name(void *data, size_t room, const char *name);
