/* Lines of endpoints: no input crashes; what is accepted is written and read back as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size), *again = NULL, *last = NULL;
        struct endpoint e, f;
        err *error;

        if (!text)
                return 0;
        error = endpoint_parse(text, &e);
        if (error) {
                err_free(error);
                return 0;
        }
        if (endpoint_format(&e, &again) || endpoint_parse(again, &f) || endpoint_format(&f, &last) ||
            strcmp(again, last) != 0)
                abort();
        return 0;
}
