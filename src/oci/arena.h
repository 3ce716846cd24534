/* arena.h - memory of one document: taken in small pieces, given back at once. */
#pragma once

#include <stddef.h>

#include "base/mem.h"

struct oci_arena;

struct oci_arena *oci_arena_new(void); /* NULL when out of memory */
void oci_arena_free(struct oci_arena *a);
DEFINE_CLEANUP(struct oci_arena *, oci_arena_free)

/* Zeroed memory for @n elements of @size, aligned for any type; NULL when out of memory or on overflow. */
void *oci_arena_new0(struct oci_arena *a, size_t n, size_t size);
#define OCI_ARENA_NEW0(a, type, n) ((type *)oci_arena_new0((a), (n), sizeof(type)))
