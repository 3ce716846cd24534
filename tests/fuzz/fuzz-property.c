/* Annotations "org.systemd.property.NAME": what is taken is one well-formed property of a permitted name, and a refusal
 * leaves nothing behind. Input: NAME, "=", the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/dbus_message.h"
#include "sys/systemd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_systemd_props_ struct systemd_props p = {{0}};
        _cleanup_free_ char *name = malloc(size + 1);
        struct dbus_reader r;
        const char *property, *type;
        char *text;
        err *e;

        if (!name)
                return 0;
        memcpy(name, data, size);
        name[size] = '\0';
        text = strchr(name, '=');
        if (!text)
                return 0;
        *text++ = '\0';
        e = systemd_annotation_parse(name, text, &p);
        if (e) {
                err_free(e);
                if (p.body.len)
                        abort();
                return 0;
        }
        r = (struct dbus_reader){.data = (const uint8_t *)p.body.data, .size = p.body.len};
        property = dbus_read_string(&r);
        if (!*property || strncmp(property, "Exec", 4) == 0)
                abort();
        type = dbus_read_signature(&r);
        dbus_skip(&r, &type);
        if (r.bad || *type || r.at != r.size)
                abort();
        return 0;
}
