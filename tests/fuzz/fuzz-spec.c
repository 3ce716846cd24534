/* config.json: whatever the document, reading it either fails cleanly or gives a spec that can be checked, that has no
 * NULs in its strings, whose mount options and cgroup path can be worked with, and that is freed without a rest. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oci/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct oci_spec *s)
{
        for (size_t i = 0; i < s->n_mounts; i++)
                if (s->mounts[i].options.data && strlen(s->mounts[i].options.data) > 4095)
                        abort();
        for (size_t i = 0; i < s->linux_.n_sysctl; i++) {
                char path[256];

                if (oci_sysctl_path(s->linux_.sysctl[i].key, path, sizeof(path)) &&
                    (*path == '/' || strstr(path, "//") || strstr(path, "/../") || str_starts(path, "../") ||
                     str_ends(path, "/..") || str_ends(path, "/")))
                        abort();
        }
        for (size_t i = 0; s->linux_.seccomp && i < s->linux_.seccomp->n_rules; i++)
                for (size_t k = 0; k < s->linux_.seccomp->rules[i].n_args; k++)
                        if (s->linux_.seccomp->rules[i].args[k].index > 5)
                                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_json_ json *doc = NULL;
        struct oci_spec *s = NULL;
        struct oci_process *p = NULL;
        struct oci_resources *r = NULL;
        err *e = json_parse((const char *)data, size, &doc);

        if (e) {
                err_free(e);
                return 0;
        }
        e = oci_spec_from_json(doc, &s);
        if (e ? s != NULL : s == NULL)
                abort();
        if (!e) {
                walk(s);
                e = oci_spec_check(s);
                if (!e && (!s->process || !s->process->args || *s->process->cwd != '/'))
                        abort();
                oci_spec_free(s);
        }
        err_free(e);
        e = oci_process_from_json(doc, &p);
        if (!e) {
                err_free(oci_process_check(p));
                oci_process_free(p);
        }
        err_free(e);
        e = oci_resources_from_json(doc, &s, &r);
        if (!e)
                oci_spec_free(s);
        err_free(e);
        return 0;
}
