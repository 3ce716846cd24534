/* ui.c - see ui.h. */
#include "cli/ui.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/utf8.h"

#define ENV_FILE_MAX (16u << 20)

void ui_escape(struct str *out, const char *text)
{
        while (*text) {
                const char *start = text;
                uint32_t c = utf8_next(&text);

                if (c == '\n' || c == '\t' || utf8_printable(c))
                        str_add_n(out, start, (size_t)(text - start));
                else if (c == UTF8_BROKEN)
                        str_printf(out, "\\x%02x", (unsigned char)*start);
                else
                        str_printf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
        }
}

bool ui_terminal(FILE *f)
{
        static signed char known[3] = {-1, -1, -1};
        int fd = fileno(f);

        if (fd < 0 || fd > 2)
                return false;
        if (known[fd] < 0)
                known[fd] = (signed char)isatty(fd);
        return known[fd] > 0;
}

void ui_print(FILE *f, const char *text)
{
        _cleanup_str_ struct str safe = {0};

        if (ui_terminal(f)) {
                ui_escape(&safe, text);
                text = str_text(&safe);
        }
        (void)fputs(text, f);
}

void ui_fail(err *e)
{
        char text[8192];

        (void)fflush(stdout);
        (void)fputs("hod: ", stderr);
        ui_print(stderr, err_text(e, text, sizeof(text)));
        (void)fputc('\n', stderr);
        err_free(e);
}

void ui_warnings(char *const *warnings)
{
        for (; warnings && *warnings; warnings++) {
                (void)fputs("WARNING: ", stderr);
                ui_print(stderr, *warnings);
                (void)fputc('\n', stderr);
        }
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
