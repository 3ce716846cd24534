/* address.h - arithmetic with addresses and prefixes, IPv4 and IPv6 alike. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sys/link.h"

/* 4 or 16. */
size_t address_size(int family);
/* Byte-wise order of two addresses of one family; prefixes do not count. */
int address_compare(const struct link_address *a, const struct link_address *b);
/* Host bits cleared. */
struct link_address address_network(const struct link_address *a);
/* The last address of the prefix (IPv4: the broadcast address). */
struct link_address address_last(const struct link_address *a);
/* @n further; wraps silently. */
struct link_address address_add(const struct link_address *a, uint64_t n);
/* Is @a in the prefix @net? */
bool address_within(const struct link_address *net, const struct link_address *a);
/* Do the prefixes share an address? */
bool address_overlap(const struct link_address *a, const struct link_address *b);
