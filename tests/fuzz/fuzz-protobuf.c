/* Any bytes as a message: fields stay inside the buffer, and what was read is written and read back the same. */
#include <stdlib.h>
#include <string.h>

#include "codec/protobuf.h"

static void rewrite(const struct protobuf_field *f)
{
        _cleanup_str_ struct str s = {0};
        struct protobuf_field again;
        struct protobuf p;

        if (f->type == PROTOBUF_VARINT)
                protobuf_add_uint(&s, f->number, f->n);
        else if (f->type == PROTOBUF_BYTES)
                protobuf_add_bytes(&s, f->number, f->data, f->size);
        else
                return;
        p = (struct protobuf){(const uint8_t *)s.data, s.len};
        if (s.failed)
                return;
        if (protobuf_next(&p, &again) || again.number != f->number || again.type != f->type || again.n != f->n ||
            again.size != f->size || (f->size && memcmp(again.data, f->data, f->size) != 0) || p.left)
                abort();
}

static void walk(struct protobuf p, unsigned depth)
{
        const uint8_t *begin = p.at, *end = p.at + p.left;

        for (;;) {
                _cleanup_free_ char *text = NULL;
                struct protobuf_field f;
                err *e = protobuf_next(&p, &f);

                err_free(e);
                if (e || !f.number)
                        return;
                if (f.size && (f.data < begin || f.data + f.size > end))
                        abort();
                rewrite(&f);
                err_free(protobuf_text(&f, &text));
                (void)protobuf_int32(&f);
                if (depth < 8)
                        walk(protobuf_message(&f), depth + 1);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        walk((struct protobuf){data, size}, 0);
        return 0;
}
