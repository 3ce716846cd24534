/* internal.c - `hod internal commands|complete|man|markdown`: what is made from the command table. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/names.h"

static err *print(struct str *text)
{
        TRY(str_done(text));
        (void)fputs(str_text(text), stdout);
        return NULL;
}

/* ---- commands ---- */

struct commands_args {
        bool json;
};

static err *commands_run(struct invocation *inv)
{
        _cleanup_str_ struct str text = {0};

        TRY(opt_json(inv->root, HOD_VERSION, &text));
        return print(&text);
}

static const struct opt commands_opts[] = {
        OPT_FLAG(0, "json", struct commands_args, json, "Print as JSON (there is no other form)"),
        OPT_END,
};

const struct command cmd_internal_commands = {
        .name = "commands",
        .summary = "Print the command table",
        .opts = commands_opts,
        .args_size = sizeof(struct commands_args),
        .run = commands_run,
};

/* ---- complete ---- */

/* Our own global flags stand behind those that were typed. */
static err *inherit_globals(struct opt_values *typed, const struct opt_values *own)
{
        for (size_t i = 0; i < own->count; i++) {
                const struct opt *o = &own->opts[i];
                const char *text = o->kind == OPT_KIND_STR ? *(char *const *)((char *)own->args + o->offset) : NULL;

                if (text && own->source[i] == OPT_COMMAND_LINE)
                        TRY(opt_values_set(typed, o, text, OPT_ENVIRONMENT, o->name));
        }
        return NULL;
}

/* The global flags that the person has typed so far decide which engine is asked. */
static err *complete_run(struct invocation *inv)
{
        _cleanup_free_ char **argv = MEM_NEW0(char *, (size_t)inv->n_operands + 2);
        _cleanup_(config_done) struct config config = {0};
        _cleanup_(opt_done) struct invocation typed = {0};
        _cleanup_str_ struct str text = {0};

        if (!argv)
                return err_nomem();
        argv[0] = (char[]){"hod"};
        for (int i = 0; i + 1 < inv->n_operands; i++)
                argv[i + 1] = inv->operands[i];
        /* What is typed is not finished: it need not be right. */
        err_free(opt_parse(inv->root, argv, &typed));
        TRY(inherit_globals(&typed.global, &inv->global));
        err_free(config_load(&typed, &config, environ));
        TRY(opt_complete(inv->root, inv->operands, names_complete, typed.context ? &typed : inv, &text));
        return print(&text);
}

const struct command cmd_internal_complete = {
        .name = "complete",
        .operands = "[WORD...]",
        .max_operands = OPERANDS_ANY,
        .summary = "Print the candidates for the last word (called by completion scripts)",
        .run = complete_run,
        .stop_at_operand = true,
};

/* ---- man pages ---- */

struct man {
        const struct command *root;
        int dir;
        char date[16];
};

static err *write_page(const struct man *m, const char *path, const struct str *text)
{
        char page[128], name[140];
        int r;

        opt_page_name(path, page, sizeof(page));
        (void)snprintf(name, sizeof(name), "%s.1", page);
        TRY(str_done(text));
        r = file_replace(m->dir, name, str_text(text), text->len, 0644, FILE_VOLATILE);
        return r < 0 ? err_sys(r, "writing %s", name) : NULL;
}

static err *man_command(void *data, const struct subcommand *place, const char *path, int depth)
{
        const struct man *m = data;
        _cleanup_str_ struct str text = {0};
        char main_path[128], page[128];

        (void)depth;
        if (place->command->hidden || str_starts(path, "hod internal"))
                return NULL;
        opt_main_path(m->root, place->command, main_path, sizeof(main_path));
        if (strcmp(main_path, path) == 0) {
                opt_man(m->root, place->command, path, HOD_VERSION, m->date, &text);
        } else {
                opt_page_name(main_path, page, sizeof(page));
                str_printf(&text, ".so man1/%s.1\n", page);
        }
        return write_page(m, path, &text);
}

/* SOURCE_DATE_EPOCH makes the pages reproducible. */
static err *man_date(struct man *m)
{
        const char *epoch = strv_env(environ, "SOURCE_DATE_EPOCH");
        char now[CLOCK_TEXT_MAX];
        uint64_t seconds;

        if (epoch && (!parse_u64(epoch, &seconds) || seconds > INT64_MAX / 1000000000))
                return err_new(ERR_INVALID, "SOURCE_DATE_EPOCH is not a number of seconds");
        clock_format(epoch ? (int64_t)(seconds * 1000000000 + 1) : clock_now_ns(), now);
        (void)snprintf(m->date, sizeof(m->date), "%.10s", now);
        return NULL;
}

static err *man_run(struct invocation *inv)
{
        struct man m = {.root = inv->root};
        _cleanup_str_ struct str text = {0};
        _cleanup_close_ int dir = -1;

        TRY(man_date(&m));
        if (mkdir(inv->operands[0], 0755) < 0 && errno != EEXIST)
                return err_sys(errno, "creating %s", inv->operands[0]);
        dir = open(inv->operands[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_sys(errno, "opening %s", inv->operands[0]);
        m.dir = dir;
        opt_man(inv->root, inv->root, inv->root->name, HOD_VERSION, m.date, &text);
        TRY(write_page(&m, inv->root->name, &text));
        return opt_walk(inv->root, man_command, &m);
}

const struct command cmd_internal_man = {
        .name = "man",
        .operands = "DIR",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Write the man pages",
        .run = man_run,
        .complete = OPT_COMPLETE_DIR,
};

/* ---- Markdown ---- */

static err *markdown_run(struct invocation *inv)
{
        _cleanup_str_ struct str text = {0};

        TRY(opt_markdown(inv->root, &text));
        return print(&text);
}

const struct command cmd_internal_markdown = {
        .name = "markdown",
        .summary = "Print the command reference",
        .run = markdown_run,
};
