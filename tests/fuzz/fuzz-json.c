/* JSON: what is accepted prints, the print is accepted, and prints the same. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_json_ json *j = NULL, *again = NULL, *copy = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL, *third = NULL, *pretty = NULL;
        err *e = json_parse((const char *)data, size, &j);

        if (e) {
                if (j)
                        abort();
                err_free(e);
                return 0;
        }
        if (json_print(j, JSON_COMPACT, &first) || json_print(j, JSON_INDENT4, &pretty) ||
            json_parse(first, strlen(first), &again) || json_print(again, JSON_COMPACT, &second) ||
            json_copy(j, &copy) || json_print(copy, JSON_COMPACT, &third))
                abort();
        if (strcmp(first, second) != 0 || strcmp(first, third) != 0)
                abort();
        JSON_EACH (j, it)
                if (json_get(j, it.key) != it.value)
                        abort();
        return 0;
}
