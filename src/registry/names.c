/* names.c - what a name that a person wrote may stand for. */
#include "base/str.h"
#include "registry/client.h"

err *registry_names(const struct registry_options *o, const char *text, bool default_tag, char ***ret)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_strv_ char **list = NULL;
        char *full;

        (void)o;
        TRY(reference_parse(text, default_tag, &r));
        TRY(reference_full(&r, &full));
        TRY(strv_push(&list, full));
        *ret = TAKE_PTR(list);
        return NULL;
}
