/* Lines of leases: no input crashes; what is accepted is written and read back as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size), *again = NULL, *last = NULL;
        _cleanup_lease_ struct lease l = {0}, m = {0};
        err *e;

        if (!text)
                return 0;
        e = lease_parse(text, &l);
        if (e) {
                err_free(e);
                return 0;
        }
        if (lease_format(&l, &again) || lease_parse(again, &m) || lease_format(&m, &last) || strcmp(again, last) != 0)
                abort();
        return 0;
}
