/* hash.h - SHA-256 (FIPS 180-4), portable, no allocation: for small inputs and for programs that link no libcrypto.
 * Bulk data goes through codec/digest, which uses the CPU's instructions. And a short hash for tables and numbers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX 64

struct sha256 {
        uint32_t state[8];
        uint64_t total;
        unsigned char block[64];
};

/* Begin; add bytes, as often as needed; the digest, after which @s is used up. */
void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t size);
void sha256_final(struct sha256 *s, unsigned char out[SHA256_SIZE]);
/* Hash @data and write 64 hexadecimal digits, terminated. */
void sha256_hex(const void *data, size_t size, char out[SHA256_HEX + 1]);
/* FNV-1a: quick, the same on every machine and in every version, and nothing against who wants collisions. */
uint32_t hash_fnv32(const void *data, size_t size);
#define HASH_FNV64 UINT64_C(0xcbf29ce484222325) /* of nothing */
/* Of what @before is the hash of, and then @data. */
uint64_t hash_fnv64(uint64_t before, const void *data, size_t size);
/* Any bytes to lower-case hexadecimal, terminated (out has 2 * size + 1). */
void hash_to_hex(const unsigned char *raw, size_t size, char *out);
