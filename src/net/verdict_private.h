/* verdict_private.h - what is the same for the rules of nf_tables and of iptables-legacy. */
#pragma once

#include "net/verdict.h"

/* The chain is entered. */
void verdict_enter(struct verdict *v, const char *chain);
/* It is the one that goes on. */
void verdict_set_chain(struct verdict *v, const char *chain);
/* Does a comparison with these bytes, which is met, name the packet's bridge or subnet? A name that is shorter than 16
 * bytes, or where an interval of names begins (@prefix), is the beginning of names. */
bool verdict_is_ours(const struct verdict_packet *p, const void *data, size_t n, bool prefix);
/* One of xtables' matches: does the packet meet it? *@ret_doubtful is set where that is not known. */
bool verdict_match(const struct verdict_packet *p, const char *name, unsigned revision, const void *info, size_t n,
                   bool *ret_doubtful);
