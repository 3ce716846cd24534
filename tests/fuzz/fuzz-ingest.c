/* A manifest and, behind a zero byte, its config, perhaps behind another its index: whether they fit each other. In the
 * manifest @C stands for the config's digest and @S for its size, in the index @M for the manifest's digest: a fuzzer
 * finds no digests. What is accepted keeps its promises. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oci/image.h"
#include "store/ingest_private.h"
#include "store/layer.h"

/* @text with every @key replaced. */
static void fill_in(const char *text, size_t size, char key, const char *value, struct str *ret)
{
        for (size_t i = 0; i < size; i++)
                if (text[i] == '@' && i + 1 < size && text[i + 1] == key) {
                        str_add(ret, value);
                        i++;
                } else {
                        str_add_n(ret, text + i, 1);
                }
}

static void check(const struct ingest *i)
{
        const char *above = NULL;

        for (size_t n = 0; n < i->n; n++) {
                const struct image_layer *l = &i->items[n].layer;
                struct digest chain;

                layer_chain_id(above, l->diff_id, &chain);
                if (strcmp(chain.text, l->chain) != 0 || !oci_image_digest_valid(l->digest) ||
                    i->items[n].blob->size != l->blob_size)
                        abort();
                above = l->chain;
        }
}

static void done(struct ingest *i)
{
        for (size_t n = 0; n < i->n; n++)
                image_layer_done(&i->items[n].layer);
        free(i->items);
        free(i->blobs);
        json_free(i->config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *part[3] = {(const char *)data};
        size_t sizes[3] = {size};
        _cleanup_str_ struct str once = {0}, manifest = {0}, index = {0};
        struct ingest i = {0};
        struct digest d;
        char number[24];
        err *e;

        for (size_t n = 0; n < 2 && part[n]; n++) {
                const char *zero = sizes[n] ? memchr(part[n], 0, sizes[n]) : NULL;

                if (!zero)
                        break;
                part[n + 1] = zero + 1;
                sizes[n + 1] = sizes[n] - (size_t)(zero + 1 - part[n]);
                sizes[n] = (size_t)(zero - part[n]);
        }
        if (!part[1])
                return 0;
        digest_of(part[1], sizes[1], &d);
        fill_in(part[0], sizes[0], 'C', d.text, &once);
        (void)snprintf(number, sizeof(number), "%zu", sizes[1]);
        fill_in(once.data, once.len, 'S', number, &manifest);
        digest_of(manifest.data, manifest.len, &d);
        if (part[2])
                fill_in(part[2], sizes[2], 'M', d.text, &index);
        i.options = (struct ingest_options){
                .manifest = {.data = manifest.data, .size = manifest.len},
                .config = {.data = part[1], .size = sizes[1]},
                .index = {.data = index.len ? index.data : NULL, .size = index.len},
        };
        if (!manifest.len)
                return 0;
        e = ingest_documents(&i);
        if (!e)
                check(&i);
        err_free(e);
        done(&i);
        return 0;
}
