/* digest.c - see digest.h. */
#include "codec/digest.h"

#include "base/str.h"
#include "codec/loader.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Below this much data the portable code costs less than loading libcrypto (about 1 ms). */
#define BULK (64u << 10)

/* The part of libcrypto.so.3 that is used, as declared in openssl/evp.h: its ABI is stable within the major version. */
static struct {
        void *(*ctx_new)(void);
        void (*ctx_free)(void *ctx);
        const void *(*sha256)(void);
        int (*init)(void *ctx, const void *type, void *engine);
        int (*update)(void *ctx, const void *data, size_t size);
        int (*final)(void *ctx, unsigned char *out, unsigned *size);
        bool loaded;
} crypto;

static void crypto_load(void)
{
        void *lib = loader_open("libcrypto.so.3");

        if (!lib)
                return;
        /* POSIX lets a data pointer from dlsym() be a function's; ISO C has no cast for it. */
        *(void **)&crypto.ctx_new = loader_symbol(lib, "EVP_MD_CTX_new");
        *(void **)&crypto.ctx_free = loader_symbol(lib, "EVP_MD_CTX_free");
        *(void **)&crypto.sha256 = loader_symbol(lib, "EVP_sha256");
        *(void **)&crypto.init = loader_symbol(lib, "EVP_DigestInit_ex");
        *(void **)&crypto.update = loader_symbol(lib, "EVP_DigestUpdate");
        *(void **)&crypto.final = loader_symbol(lib, "EVP_DigestFinal_ex");
        crypto.loaded =
                crypto.ctx_new && crypto.ctx_free && crypto.sha256 && crypto.init && crypto.update && crypto.final;
}

struct digest_hasher {
        uint64_t total;
        void *evp;         /* bulk data: libcrypto */
        bool portable;     /* bulk data: libcrypto is missing */
        bool failed;       /* libcrypto said no half way: reported by final */
        struct sha256 sha; /* when portable */
        size_t n_early;    /* what came before the decision */
        unsigned char early[BULK];
};

err *digest_hasher_new(struct digest_hasher **ret)
{
        struct digest_hasher *h = malloc(sizeof(*h));

        if (!h)
                return err_nomem();
        h->total = h->n_early = 0;
        h->evp = NULL;
        h->portable = h->failed = false;
        *ret = h;
        return NULL;
}

void digest_hasher_free(struct digest_hasher *h)
{
        if (!h)
                return;
        if (h->evp)
                crypto.ctx_free(h->evp);
        free(h);
}

static void hash_bulk(struct digest_hasher *h, const void *data, size_t size)
{
        if (h->evp)
                h->failed |= crypto.update(h->evp, data, size) != 1;
        else
                sha256_update(&h->sha, data, size);
}

static void begin_bulk(struct digest_hasher *h)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void)pthread_once(&once, crypto_load);
        h->evp = crypto.loaded ? crypto.ctx_new() : NULL;
        if (h->evp && crypto.init(h->evp, crypto.sha256(), NULL) != 1) {
                crypto.ctx_free(h->evp);
                h->evp = NULL;
        }
        if (!h->evp) {
                h->portable = true;
                sha256_init(&h->sha);
        }
        hash_bulk(h, h->early, h->n_early);
}

void digest_hasher_update(struct digest_hasher *h, const void *data, size_t size)
{
        h->total += size;
        if (!h->evp && !h->portable) {
                if (size <= sizeof(h->early) - h->n_early) {
                        if (size)
                                memcpy(h->early + h->n_early, data, size);
                        h->n_early += size;
                        return;
                }
                begin_bulk(h);
        }
        hash_bulk(h, data, size);
}

uint64_t digest_hasher_size(const struct digest_hasher *h)
{
        return h->total;
}

static void from_raw(const unsigned char *raw, struct digest *ret)
{
        memcpy(ret->text, DIGEST_PREFIX, sizeof(DIGEST_PREFIX) - 1);
        hash_to_hex(raw, SHA256_SIZE, ret->text + sizeof(DIGEST_PREFIX) - 1);
}

err *digest_hasher_final(struct digest_hasher *h, struct digest *ret)
{
        unsigned char raw[64];
        unsigned size = 0;

        if (h->evp) {
                h->failed |= crypto.final(h->evp, raw, &size) != 1 || size != SHA256_SIZE;
                if (h->failed)
                        return err_new(ERR_INTERNAL, "libcrypto failed to compute a SHA-256");
        } else {
                if (!h->portable) {
                        sha256_init(&h->sha);
                        sha256_update(&h->sha, h->early, h->n_early);
                }
                sha256_final(&h->sha, raw);
        }
        from_raw(raw, ret);
        return NULL;
}

void digest_of(const void *data, size_t size, struct digest *ret)
{
        unsigned char raw[SHA256_SIZE];
        struct sha256 s;

        sha256_init(&s);
        sha256_update(&s, data, size);
        sha256_final(&s, raw);
        from_raw(raw, ret);
}

static bool is_hex(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'f'))
                        return false;
        return s[n] == '\0';
}

err *digest_from_hex(const char *hex, struct digest *ret)
{
        if (strnlen(hex, SHA256_HEX + 1) != SHA256_HEX || !is_hex(hex, SHA256_HEX))
                return err_new(ERR_INVALID, "invalid digest \"%.80s\": expected 64 lower-case hexadecimal digits", hex);
        memcpy(ret->text, DIGEST_PREFIX, sizeof(DIGEST_PREFIX) - 1);
        memcpy(ret->text + sizeof(DIGEST_PREFIX) - 1, hex, SHA256_HEX + 1);
        return NULL;
}

err *digest_parse(const char *text, struct digest *ret)
{
        const char *hex = str_after(text, DIGEST_PREFIX);

        if (str_starts(text, "sha512:") || str_starts(text, "blake3:"))
                return err_new(ERR_UNSUPPORTED, "unsupported digest \"%.20s...\": only sha256 is known", text);
        if (!hex)
                return err_new(ERR_INVALID, "invalid digest \"%.80s\": expected sha256:<64 hexadecimal digits>", text);
        return digest_from_hex(hex, ret);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
        return strcmp(a->text, b->text) == 0;
}

const char *digest_hex(const struct digest *d)
{
        return d->text[0] ? d->text + sizeof(DIGEST_PREFIX) - 1 : "";
}
