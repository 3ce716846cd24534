/* nft_private.h - between nft.c and nft_rule.c. */
#pragma once

#include "sys/nft.h"

#define NFT_COMMENT_MAX 100

/* Begin an nf_tables message. */
void nft_message(struct nft *n, unsigned type, unsigned flags);
/* A comment as nft(8) writes and reads it, as attribute @type. */
void nft_comment(struct netbuf *b, unsigned type, const char *text);
