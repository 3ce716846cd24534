/* Status files: no input crashes; what is accepted is written and read back as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);
        char again[STATUS_TEXT_MAX];
        struct status s, t;
        err *e;

        if (!text)
                return 0;
        e = status_parse(text, &s);
        if (e) {
                err_free(e);
                return 0;
        }
        if (status_format(&s, again, sizeof(again), &size) || status_parse(again, &t))
                abort();
        if (t.state != s.state || t.pid != s.pid || t.pid_start != s.pid_start || t.exit_code != s.exit_code ||
            strcmp(t.error, s.error) != 0 || strcmp(t.cgroup, s.cgroup) != 0 || t.finished_ns != s.finished_ns)
                abort();
        return 0;
}
