/* path.c - see path.h. */
#include "base/path.h"

#include "base/mem.h"
#include "base/str.h"

err *path_clean(const char *path, char **ret)
{
        _cleanup_strv_ char **parts = NULL, **kept = NULL;
        _cleanup_str_ struct str s = {0};
        size_t n = 0;

        TRY(strv_split(path, '/', &parts));
        kept = MEM_NEW0(char *, strv_len(parts) + 1);
        if (!kept)
                return err_nomem();
        for (char **p = parts; *p; p++) {
                if (!**p || str_eq(*p, "."))
                        continue;
                if (str_eq(*p, "..")) {
                        if (n)
                                free(TAKE_PTR(kept[--n]));
                        continue;
                }
                kept[n] = str_dup(*p);
                if (!kept[n++])
                        return err_nomem();
        }
        for (size_t i = 0; i < n; i++)
                str_printf(&s, "/%s", kept[i]);
        if (!n)
                str_add(&s, "/");
        return str_take(&s, ret);
}
