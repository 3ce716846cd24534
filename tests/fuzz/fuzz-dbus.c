/* Messages as they come over a D-Bus connection: whatever is taken has terminated strings inside the message, and its
 * values can be passed over without leaving it. Input: the message's bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/dbus_message.h"

static void inside(const char *text, const uint8_t *data, size_t size)
{
        const uint8_t *p = (const uint8_t *)text;

        if (text && *text && (p < data || p + strlen(text) >= data + size))
                abort();
}

static void read_values(struct dbus_reader r)
{
        while (!r.bad && r.at < r.size)
                switch (dbus_read_byte(&r) % 4) {
                case 0:
                        inside(dbus_read_string(&r), r.data, r.size);
                        break;
                case 1:
                        inside(dbus_read_signature(&r), r.data, r.size);
                        break;
                case 2:
                        (void)dbus_read_u64(&r);
                        break;
                default:
                        (void)dbus_read_u32(&r);
                }
        if (r.at > r.size)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ uint8_t *copy = NULL; /* exactly as long, so that the sanitizer sees a byte too far */
        struct dbus_message m;
        const char *signature;

        if (size < DBUS_HEADER_SIZE)
                return 0;
        copy = malloc(size);
        if (!copy)
                return 0;
        memcpy(copy, data, size);
        if (dbus_message_size(copy) != size || !dbus_message_parse(copy, size, &m))
                return 0;
        inside(m.path, copy, size);
        inside(m.interface, copy, size);
        inside(m.member, copy, size);
        inside(m.error, copy, size);
        inside(m.sender, copy, size);
        inside(m.signature, copy, size);
        read_values(m.body);
        for (signature = m.signature; *signature && !m.body.bad;)
                dbus_skip(&m.body, &signature);
        if (m.body.at > m.body.size)
                abort();
        return 0;
}
