/* digest.h - content addresses, "sha256:<64 lower-case hex digits>".
 *
 * Bulk data is hashed by libcrypto (SHA-NI), loaded by dlopen(3) when the first 64 KB have passed through a hasher:
 * loading it costs a millisecond that small inputs and other commands do not pay. Without libcrypto base/hash.h does
 * the work. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#define DIGEST_PREFIX "sha256:"
#define DIGEST_TEXT (sizeof(DIGEST_PREFIX) - 1 + SHA256_HEX)

struct digest {
        char text[DIGEST_TEXT + 1]; /* "" is no digest */
};

/* Parse untrusted text: exactly sha256 and 64 lower-case digits. Errors: ERR_INVALID, ERR_UNSUPPORTED (an algorithm
 * that exists but that we do not know). */
MUST_USE err *digest_parse(const char *text, struct digest *ret);
bool digest_equal(const struct digest *a, const struct digest *b);
/* The 64 digits: a file name beneath blobs/sha256/. Borrowed from @d. */
const char *digest_hex(const struct digest *d);
/* Digest from 64 hexadecimal digits. ERR_INVALID. */
MUST_USE err *digest_from_hex(const char *hex, struct digest *ret);
/* Digest of bytes in memory. */
void digest_of(const void *data, size_t size, struct digest *ret);

/* A running hash. */
struct digest_hasher;
MUST_USE err *digest_hasher_new(struct digest_hasher **ret);
void digest_hasher_update(struct digest_hasher *h, const void *data, size_t size);
/* Bytes hashed so far. */
uint64_t digest_hasher_size(const struct digest_hasher *h);
/* The digest of everything so far; the hasher can only be freed then. */
MUST_USE err *digest_hasher_final(struct digest_hasher *h, struct digest *ret);
void digest_hasher_free(struct digest_hasher *h);
DEFINE_CLEANUP(struct digest_hasher *, digest_hasher_free)
