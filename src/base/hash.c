/* hash.c - see hash.h. */
#include "base/hash.h"

#include <string.h>

static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t ror(uint32_t x, unsigned n)
{
        return x >> n | x << (32 - n);
}

static void compress(uint32_t state[8], const unsigned char *p)
{
        uint32_t w[64], v[8];

        for (unsigned i = 0; i < 16; i++)
                w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
                       p[4 * i + 3];
        for (unsigned i = 16; i < 64; i++) {
                uint32_t s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
                uint32_t s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;

                w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        memcpy(v, state, sizeof(v));
        for (unsigned i = 0; i < 64; i++) {
                uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25);
                uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
                uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
                uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

                memmove(v + 1, v, 7 * sizeof(v[0]));
                v[4] += t1;
                v[0] = t1 + t2;
        }
        for (unsigned i = 0; i < 8; i++)
                state[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
        static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

        memcpy(s->state, start, sizeof(start));
        s->total = 0;
}

void sha256_update(struct sha256 *s, const void *data, size_t size)
{
        const unsigned char *p = data;
        size_t have = s->total % 64;

        s->total += size;
        if (have) {
                size_t want = 64 - have < size ? 64 - have : size;

                memcpy(s->block + have, p, want);
                p += want;
                size -= want;
                if (have + want < 64)
                        return;
                compress(s->state, s->block);
        }
        for (; size >= 64; p += 64, size -= 64)
                compress(s->state, p);
        if (size)
                memcpy(s->block, p, size);
}

void sha256_final(struct sha256 *s, unsigned char out[SHA256_SIZE])
{
        uint64_t bits = s->total * 8;
        unsigned char tail[72] = {0x80};
        size_t pad = (s->total % 64 < 56 ? 56 : 120) - s->total % 64;

        for (unsigned i = 0; i < 8; i++)
                tail[pad + i] = (unsigned char)(bits >> (56 - 8 * i));
        sha256_update(s, tail, pad + 8);
        for (unsigned i = 0; i < 32; i++)
                out[i] = (unsigned char)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}

uint32_t hash_fnv32(const void *data, size_t size)
{
        const unsigned char *p = data;
        uint32_t hash = UINT32_C(0x811c9dc5);

        for (size_t i = 0; i < size; i++)
                hash = (hash ^ p[i]) * UINT32_C(0x01000193);
        return hash;
}

uint64_t hash_fnv64(uint64_t before, const void *data, size_t size)
{
        const unsigned char *p = data;

        for (size_t i = 0; i < size; i++)
                before = (before ^ p[i]) * UINT64_C(0x100000001b3);
        return before;
}

void hash_to_hex(const unsigned char *raw, size_t size, char *out)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < size; i++) {
                out[2 * i] = digits[raw[i] >> 4];
                out[2 * i + 1] = digits[raw[i] & 15];
        }
        out[2 * size] = '\0';
}

void sha256_hex(const void *data, size_t size, char out[SHA256_HEX + 1])
{
        unsigned char raw[SHA256_SIZE];
        struct sha256 s;

        sha256_init(&s);
        sha256_update(&s, data, size);
        sha256_final(&s, raw);
        hash_to_hex(raw, sizeof(raw), out);
}
