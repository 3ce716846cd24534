/* Names of images. What is taken must come back the same when its full form is read again. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size), *full = NULL, *again = NULL, *familiar = NULL,
                            *third = NULL;
        _cleanup_reference_ struct reference r = {0}, q = {0}, f = {0};
        err *e;

        if (!text)
                return 0;
        e = reference_parse(text, true, &r);
        if (e) {
                err_free(e);
                return 0;
        }
        if (reference_full(&r, &full) || reference_parse(full, true, &q) || reference_full(&q, &again) ||
            strcmp(full, again) != 0)
                abort();
        if (reference_familiar(&r, &familiar) || reference_parse(familiar, true, &f) || reference_full(&f, &third) ||
            strcmp(full, third) != 0)
                abort();
        return 0;
}
