/* help.c - `hod help`, `hod completion`. */
#include "cli/help.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/commands.h"

err *help_print(const struct invocation *inv, FILE *to)
{
        _cleanup_str_ struct str text = {0};
        struct winsize size;
        unsigned width = 0;

        if (ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
                width = size.ws_col;
        opt_help(inv, width, &text);
        TRY(str_done(&text));
        (void)fputs(str_text(&text), to);
        return NULL;
}

/* The same as `hod WORD... --help`. */
static err *help_run(struct invocation *inv)
{
        _cleanup_free_ char **argv = MEM_NEW0(char *, (size_t)inv->n_operands + 3);
        _cleanup_(opt_done) struct invocation about = {0};
        err *e;

        if (!argv)
                return err_nomem();
        argv[0] = (char[]){"hod"};
        for (int i = 0; i < inv->n_operands; i++)
                argv[i + 1] = inv->operands[i];
        argv[inv->n_operands + 1] = (char[]){"--help"};
        e = opt_parse(inv->root, argv, &about);
        if (e || about.depth != inv->n_operands) {
                _cleanup_free_ char *topic = strv_join(inv->operands, " ");

                err_free(e);
                /* no prefix: as docker prints it */
                (void)fprintf(stderr, "unknown help topic: %s\n", topic ? topic : "");
                inv->status = 1;
                return NULL;
        }
        return help_print(&about, stdout);
}

const struct command cmd_help = {
        .name = "help",
        .operands = "[COMMAND...]",
        .max_operands = OPERANDS_ANY,
        .summary = "Help about any command",
        .run = help_run,
        .complete = OPT_COMPLETE_COMMAND,
};

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static err *completion_run(struct invocation *inv)
{
        _cleanup_str_ struct str text = {0};

        for (int i = 0; shells[i]; i++) {
                if (strcmp(inv->operands[0], shells[i]) != 0)
                        continue;
                opt_complete_script("hod", (enum opt_shell)i, &text);
                TRY(str_done(&text));
                (void)fputs(str_text(&text), stdout);
                return NULL;
        }
        return opt_usage_error(inv, "unknown shell: %s (must be bash, zsh or fish)", inv->operands[0]);
}

const struct command cmd_completion = {
        .name = "completion",
        .operands = "bash|zsh|fish",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Generate the autocompletion script for the specified shell",
        .description = "Prints a script that teaches the shell to complete hod's commands, flags, and the names of "
                       "containers, "
                       "images and volumes.",
        .examples = "# bash, in ~/.bashrc\n$ source <(hod completion bash)\n"
                    "# zsh, in ~/.zshrc after compinit\n$ source <(hod completion zsh)\n"
                    "# fish, in ~/.config/fish/config.fish\n$ hod completion fish | source\n",
        .run = completion_run,
        .complete = OPT_COMPLETE_CHOICES,
        .choices = shells,
};
