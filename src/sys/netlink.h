/* netlink.h - speaking netlink(7): requests are put into one buffer, sent at once, and every answer is looked at.
 *
 *   _cleanup_netbuf_ struct netbuf b = {0};
 *   netbuf_begin(&b, RTM_NEWLINK, NLM_F_ACK, &head, sizeof(head));
 *   netbuf_add_str(&b, IFLA_IFNAME, "eth0");
 *   r = netlink_send(fd, &b, NULL);
 *
 * A buffer that ran out of memory remembers it (sticky): sending says -ENOMEM. */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct netbuf {
        char *data;
        size_t size, room;
        size_t message; /* where the message begins that attributes go into */
        unsigned n;     /* messages */
        int failed;     /* -ENOMEM, -EMSGSIZE */
        int overlooked; /* 0, or the -errno that netlink_send() does not take for an error */
};
void netbuf_done(struct netbuf *b);
#define _cleanup_netbuf_ __attribute__((cleanup(netbuf_done)))

/* A new message: NLM_F_REQUEST is added to @flags; sequence numbers count from 1 in the order of the messages. */
void netbuf_begin(struct netbuf *b, unsigned type, unsigned flags, const void *head, size_t size);
/* An attribute of the last message. */
void netbuf_add(struct netbuf *b, unsigned type, const void *data, size_t size);
void netbuf_add_str(struct netbuf *b, unsigned type, const char *text); /* with its terminator */
void netbuf_add_u8(struct netbuf *b, unsigned type, uint8_t value);
void netbuf_add_u32(struct netbuf *b, unsigned type, uint32_t value);
void netbuf_add_be32(struct netbuf *b, unsigned type, uint32_t value);
void netbuf_add_be64(struct netbuf *b, unsigned type, uint64_t value);
/* Raw bytes, for structures inside an attribute that is open. */
void netbuf_add_raw(struct netbuf *b, const void *data, size_t size);
/* An attribute that holds attributes: what is added until netbuf_close() goes into it. */
size_t netbuf_open(struct netbuf *b, unsigned type);
void netbuf_close(struct netbuf *b, size_t open);

/* A socket for @protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in our network namespace, or in that of the descriptor @ns.
 * A descriptor or -errno. The second needs CAP_SYS_ADMIN; only the socket call runs there. */
int netlink_open(int protocol);
int netlink_open_in(int ns, int protocol);

/* Sockets for nf_tables in our own network namespace. When the last reference to one goes, the kernel waits until it
 * has freed what transactions have removed: several milliseconds. So they are kept for who wants one next; a process
 * that ends with one pays that wait, unless somebody else holds it, too: take it (-1 = none), give it to whoever has
 * the time, and close it. Not for several threads. */
int netlink_firewall_open(void);
void netlink_firewall_close(int fd);
int netlink_firewall_take(void);

/* Called for each message of an answer that is neither an acknowledgement nor an error. 0, or -errno to stop. */
typedef int netlink_fn(const struct nlmsghdr *h, void *arg);

/* Send all messages of @b and wait for the acknowledgement of each that asked for one (NLM_F_ACK). The kernel goes on
 * after a message that fails. 0, or the first error; *@ret_failed (may be NULL): which message that was, counted from
 * 0.
 */
int netlink_send(int fd, const struct netbuf *b, unsigned *ret_failed);
/* The same of messages that may be done twice, for as long as the kernel says that somebody else is just at work there
 * (-EBUSY: a queueing discipline whose filters are being changed), at most a second. */
int netlink_send_patiently(int fd, const struct netbuf *b);
/* Send the one message of @b and hand its answers to @fn until the end. -EAGAIN: a dump during which things changed. */
int netlink_ask(int fd, const struct netbuf *b, netlink_fn *fn, void *arg);

/* The attribute @type among the @size bytes of attributes at @data; its payload; NULL if there is none. */
const void *netlink_attribute(const void *data, size_t size, unsigned type, size_t *ret_size);
/* A text of at most @room bytes with its terminator. False: there is none, or it is longer. */
bool netlink_attribute_text(const void *data, size_t size, unsigned type, char *ret, size_t room);
/* A number in network order, as nf_tables has them; @otherwise when there is none. */
uint32_t netlink_attribute_be32(const void *data, size_t size, unsigned type, uint32_t otherwise);
/* The attributes after a message's own structure of @head bytes. */
static inline const void *netlink_attributes(const struct nlmsghdr *h, size_t head, size_t *ret_size)
{
        size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(head);

        *ret_size = h->nlmsg_len > at ? h->nlmsg_len - at : 0;
        return (const char *)h + at;
}
