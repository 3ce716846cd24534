/* ui.c - see ui.h. */
#include "cli/ui.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"

#define ENV_FILE_MAX (16u << 20)

void ui_fail(err *e)
{
        char text[8192];

        (void)fflush(stdout);
        (void)fprintf(stderr, "hod: %s\n", err_text(e, text, sizeof(text)));
        err_free(e);
}

void ui_warnings(char *const *warnings)
{
        for (; warnings && *warnings; warnings++)
                (void)fprintf(stderr, "WARNING: %s\n", *warnings);
}

err *ui_for_each(struct invocation *inv, ui_each *f)
{
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        for (char **o = inv->operands; *o; o++) {
                err *error = f(e, *o, inv);

                if (error) {
                        ui_fail(error);
                        inv->status = 1;
                        continue;
                }
                (void)printf("%s\n", *o);
                (void)fflush(stdout);
        }
        return NULL;
}

err *ui_env_file(const char *path, char ***ret)
{
        _cleanup_free_ char *text = NULL;
        int r = file_read(AT_FDCWD, path, ENV_FILE_MAX, &text, NULL);

        if (r == -ENOENT)
                return err_new(ERR_INVALID, "open %s: no such file or directory", path);
        if (r < 0)
                return err_sys(r, "open %s", path);
        return parse_env_file(path, text, ret);
}

err *ui_env(char *const *files, char *const *list, char ***ret)
{
        _cleanup_strv_ char **env = NULL;

        for (; files && *files; files++) {
                _cleanup_strv_ char **lines = NULL;

                TRY(ui_env_file(*files, &lines));
                for (char **l = lines; l && *l; l++)
                        TRY(parse_env(*l, environ, &env));
        }
        for (; list && *list; list++)
                TRY(parse_env(*list, environ, &env));
        *ret = TAKE_PTR(env);
        return NULL;
}
