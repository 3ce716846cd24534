/* lookup.h - what the sets and maps of a table of others say of a key that may be known in part only. */
#pragma once

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define LOOKUP_WORDS 16 /* of 4 bytes, as many as registers have */

struct lookup_sets;
void lookup_sets_free(struct lookup_sets *s);
DEFINE_CLEANUP(struct lookup_sets *, lookup_sets_free)

/* What sets there are in the table; their elements are asked for when they are needed. @fd: a NETLINK_NETFILTER socket,
 * which is to stay open as long. 0 or -errno (-EAGAIN: they were changed meanwhile). */
int lookup_sets_read(int fd, uint8_t family, const char *table, struct lookup_sets **ret);

struct lookup_element {
        unsigned char key[LOOKUP_WORDS * 4]; /* of an interval: where it begins */
        size_t key_size;                     /* 0 = the one for all other keys */
        bool interval;
        bool conditional;                     /* it has a limit, a quota or the like of its own */
        unsigned char data[LOOKUP_WORDS * 4]; /* of a map */
        size_t data_size;
        bool has_verdict; /* of a verdict map */
        int32_t code;     /* NF_ACCEPT, NFT_JUMP, ... */
        char chain[NFT_NAME_MAXLEN];
};

enum lookup_answer {
        LOOKUP_NO,      /* the key is not in the set */
        LOOKUP_YES,     /* by *ret */
        LOOKUP_PERHAPS, /* by *ret, if what is not known of the key fits */
        LOOKUP_UNKNOWN,
        LOOKUP_TOO_MUCH, /* the same, for it would have taken too long */
};

/* Elements of a set that are compared with a key that is known in part. */
#define LOOKUP_ELEMENTS_MAX 1024

/* Is the key that begins with the word @key there? Of @key only what is @known is looked at, at most @words words. What
 * fits a key that is known in part may be several elements: *ret is one that accepts, or leads to another chain, before
 * others. How much is read of a set, and in all, is bounded. */
enum lookup_answer lookup_find(struct lookup_sets *s, const char *set, const unsigned char (*key)[4], const bool *known,
                               size_t words, struct lookup_element *ret);
