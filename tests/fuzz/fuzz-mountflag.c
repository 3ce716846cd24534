/* --mount, -v, --tmpfs, and files of variables. */
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/table.h"

static void mounts(const char *text)
{
        struct parse_volume v;
        struct parse_mount m;
        char *path, *options;
        err *e = parse_mount(text, &m);

        if (!e) {
                if (!*m.type || !*m.target || m.tmpfs_mode > 07777 || m.tmpfs_size < 0)
                        abort();
                parse_mount_done(&m);
        }
        err_free(e);
        e = parse_volume(text, &v);
        if (!e) {
                if (*v.target != '/' || (v.source && !*v.source))
                        abort();
                parse_volume_done(&v);
        }
        err_free(e);
        e = parse_tmpfs(text, &path, &options);
        if (!e) {
                free(path);
                free(options);
        }
        err_free(e);
}

static void variables(const char *text)
{
        _cleanup_strv_ char **list = NULL, **env = NULL;
        char *none[] = {NULL};
        err *e = parse_env_file("f", text, &list);

        for (char **l = list; !e && *l; l++)
                if (!**l || **l == '=' || **l == '#' || strchr(*l, '\n'))
                        abort();
        err_free(e);
        err_free(parse_env(text, none, &env));
}

/* Nothing printed for people drives their terminal or breaks a table. */
static void shown(const char *text)
{
        _cleanup_table_ struct table t = {0};
        _cleanup_str_ struct str out = {0};

        table_row(&t, text, text, NULL);
        err_free(table_print(&t, &out));
        parse_quote(&out, text);
        for (const char *p = str_text(&out); *p; p++)
                if ((unsigned char)*p < 0x20 && *p != '\n')
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);

        if (!text)
                return 0;
        mounts(text);
        variables(text);
        shown(text);
        return 0;
}
