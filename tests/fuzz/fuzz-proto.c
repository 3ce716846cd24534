/* Packets as they come from a connection: the check accepts nothing that a handler could stumble over, and the strings
 * of an EXEC lie inside the packet. Input: a header and a body, as on the wire; the first byte is the number of
 * descriptors. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *body = NULL;
        struct proto_exec_strings s;
        struct proto_exec x;
        struct proto_header h = {0};
        size_t fds, n;
        err *e;

        if (size < 1 + sizeof(h))
                return 0;
        fds = data[0] % (PROTO_FDS_MAX + 1);
        memcpy(&h, data + 1, sizeof(h));
        if (proto_check(&h, size - 1, fds) < 0)
                return 0;
        if (h.version != PROTO_VERSION || h.size + sizeof(h) != size - 1 || h.type >= PROTO_OK)
                abort();
        if (h.type != PROTO_EXEC)
                return 0;
        if (h.size < sizeof(x) || fds < 3)
                abort();
        memcpy(&x, data + 1 + sizeof(h), sizeof(x));
        n = h.size - sizeof(x);
        body = malloc(n ? n : 1);
        if (!body)
                return 0;
        memcpy(body, data + 1 + sizeof(h) + sizeof(x), n);
        e = proto_exec_split(&x, body, n, &s);
        if (e) {
                err_free(e);
                return 0;
        }
        for (uint32_t i = 0; i < x.argc; i++)
                if (s.argv[i] < body || s.argv[i] + strlen(s.argv[i]) >= body + n)
                        abort();
        for (uint32_t i = 0; i < x.envc; i++)
                if (s.envp[i] < body || s.envp[i] + strlen(s.envp[i]) >= body + n)
                        abort();
        if (s.argv[x.argc] || s.envp[x.envc] || s.cwd < body || s.user + strlen(s.user) != body + n - 1)
                abort();
        free(s.argv);
        return 0;
}
