/* nft_private.h - between nft.c and nft_rule.c. */
#pragma once

#include <linux/netfilter.h>

#include "sys/nft.h"

/* Begin an nf_tables message. */
void nft_message(struct nft *n, unsigned type, unsigned flags);
/* A comment as nft(8) writes and reads it, as attribute @type. */
void nft_comment(struct netbuf *b, unsigned type, const char *text);
/* The comment among @size bytes of user data, with its terminator; NULL. */
const char *nft_comment_find(const unsigned char *data, size_t size);
