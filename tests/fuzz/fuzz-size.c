/* Sizes: no input crashes, hangs or gives a negative size; what is printed is read back near enough. */
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);
        int64_t n = -2;
        err *e;

        if (!text)
                return 0;
        e = parse_size(text, &n);
        if (e ? n != -2 : n < 0)
                abort();
        if (!e) {
                char shown[32];
                int64_t again = -1;

                parse_size_format_binary((uint64_t)n, shown, sizeof(shown));
                err_free(parse_size(shown, &again));
                /* four digits: within 0.06 %; exbibytes are printed but, as in docker, not read */
                if (n < INT64_C(1) << 59 && (again < n - n / 1000 - 1 || again > n + n / 1000 + 1))
                        abort();
                parse_size_format((uint64_t)n, shown, sizeof(shown));
        }
        err_free(e);
        err_free(parse_size_unlimited(text, &n));
        err_free(parse_cpus(text, &n));
        return 0;
}
