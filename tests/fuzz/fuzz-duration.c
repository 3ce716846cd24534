/* Durations and points in time: a point in time that is printed is read back exactly. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);
        int64_t n, again;
        char shown[64];
        err *e;

        if (!text)
                return 0;
        e = parse_duration(text, &n);
        if (!e) {
                clock_human(n, shown, sizeof(shown));
        }
        err_free(e);
        e = clock_parse(text, &n);
        if (!e) {
                clock_format(n, shown);
                if (clock_parse(shown, &again) || again != n)
                        abort();
        }
        err_free(e);
        err_free(clock_parse_point(text, 1795420800000000000, &n));
        return 0;
}
