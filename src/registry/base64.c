/* base64.c - see base64.h. */
#include "registry/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

err *base64_encode(const void *data, size_t size, char **ret)
{
        const unsigned char *in = data;
        char *out = malloc((size + 2) / 3 * 4 + 1), *p = out;

        if (!out)
                return err_nomem();
        for (size_t i = 0; i < size; i += 3) {
                size_t left = size - i;
                uint32_t v =
                        (uint32_t)in[i] << 16 | (uint32_t)(left > 1 ? in[i + 1] : 0) << 8 | (left > 2 ? in[i + 2] : 0);

                *p++ = alphabet[v >> 18];
                *p++ = alphabet[v >> 12 & 63];
                *p++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
                *p++ = left > 2 ? alphabet[v & 63] : '=';
        }
        *p = '\0';
        *ret = out;
        return NULL;
}

err *base64_decode(const char *text, char **ret, size_t *ret_size)
{
        _cleanup_free_ char *out = malloc(strlen(text) / 4 * 3 + 3);
        size_t n = 0, padding = 0, used = 0;
        uint32_t bits = 0;
        unsigned have = 0;

        if (!out)
                return err_nomem();
        for (; *text; text++) {
                const char *at = strchr(alphabet, *text);

                if (*text == '\n' || *text == '\r')
                        continue;
                if (*text == '=' && padding++ < 2)
                        continue;
                if (!at || padding)
                        return err_new(ERR_INVALID, "not base64");
                n++;
                bits = bits << 6 | (uint32_t)(at - alphabet);
                have += 6;
                if (have >= 8) {
                        have -= 8;
                        out[used++] = (char)(bits >> have);
                        bits &= (1u << have) - 1;
                }
        }
        if (n % 4 == 1)
                return err_new(ERR_INVALID, "not base64");
        out[used] = '\0';
        *ret = TAKE_PTR(out);
        *ret_size = used;
        return NULL;
}
