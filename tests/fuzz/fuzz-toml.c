/* TOML: what is accepted is a JSON document. */
#include <stdlib.h>
#include <string.h>

#include "codec/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_json_ json *j = NULL, *again = NULL;
        _cleanup_free_ char *text = NULL;
        err *e = toml_parse((const char *)data, size, &j);

        if (e) {
                err_free(e);
                return 0;
        }
        if (json_print(j, JSON_COMPACT, &text))
                abort();
        e = json_parse(text, strlen(text), &again);
        if (e && err_code(e) != ERR_LIMIT)
                abort();
        err_free(e);
        return 0;
}
