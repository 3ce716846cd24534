/* Any bytes as an answer of criu. */
#include <stdlib.h>

#include "runtime/checkpoint_criu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct checkpoint_criu_reply r;
        err *e = checkpoint_criu_parse(data, size, &r);

        if (!e) {
                err *failure = checkpoint_criu_error(&r);

                if (!failure || r.fd != -1)
                        abort();
                err_free(failure);
                checkpoint_criu_reply_done(&r);
        }
        err_free(e);
        return 0;
}
