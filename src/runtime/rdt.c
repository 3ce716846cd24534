/* rdt.c - see rdt.h. */
#include "runtime/rdt.h"

#include "base/file.h"

bool rdt_group(const struct oci_spec *spec, const char *id, struct resctrl_group *ret)
{
        const struct oci_intel_rdt *rdt = spec->linux_.intel_rdt;

        if (!rdt)
                return false;
        *ret = (struct resctrl_group){.id = id,
                                      .clos = rdt->clos_id,
                                      .l3_schema = rdt->l3_cache_schema,
                                      .mb_schema = rdt->mem_bw_schema,
                                      .schemata = rdt->schemata,
                                      .monitoring = rdt->enable_monitoring};
        return true;
}

err *rdt_open(const struct oci_spec *spec, const char *id, bool make, int *fds, size_t *n)
{
        struct resctrl_group g;
        _cleanup_close_ int root = -1;
        int opened[2];
        size_t count;
        err *e;

        if (!rdt_group(spec, id, &g))
                return NULL;
        root = resctrl_open();
        TRY(resctrl_check(root, &g));
        if (make)
                TRY(resctrl_create(root, &g));
        e = resctrl_join_open(root, &g, opened, &count);
        if (e) {
                if (make)
                        err_free(resctrl_remove(root, &g));
                return e;
        }
        for (size_t i = 0; i < count; i++)
                fds[(*n)++] = opened[i];
        return NULL;
}

err *rdt_remove(const struct resctrl_group *g)
{
        _cleanup_close_ int root = resctrl_open();

        return root < 0 ? NULL : resctrl_remove(root, g);
}
