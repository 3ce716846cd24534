/* opt_complete.c - see opt.h: what may stand where the cursor is. The scripts hold no knowledge: they ask. */
#include "base/opt.h"

#include <stdio.h>
#include <unistd.h>

/* Where the words before the cursor lead. */
struct place {
        const struct command *at;
        const struct opt *pending; /* its value comes next */
        int operands;
        bool only_operands;
        bool lost; /* an unknown command: nothing can be said */
};

struct completion {
        const struct command *root;
        opt_names_fn names;
        void *data;
        struct str *out;
        const char *directive;
};

static bool takes_value(const struct opt *o)
{
        return o->kind != OPT_KIND_FLAG && o->kind != OPT_KIND_USAGE;
}

/* The option whose value the next word is, if any: "--name", "-x", "-abx", "-cpuset". */
static const struct opt *awaits_value(const struct opt *opts, const char *word)
{
        const struct opt *o;

        if (strchr(word, '='))
                return NULL;
        if (word[1] == '-') {
                o = opt_find(opts, word + 2);
                return o && takes_value(o) ? o : NULL;
        }
        for (o = opts; o && o->kind != OPT_KIND_END; o++)
                if (str_eq(o->deprecated_alias, word + 1))
                        return takes_value(o) ? o : NULL;
        for (const char *p = word + 1; *p; p++) {
                o = opt_find_letter(opts, *p);
                if (!o)
                        return NULL;
                if (takes_value(o))
                        return p[1] ? NULL : o;
        }
        return NULL;
}

static void step(struct place *p, const char *word)
{
        const struct subcommand *s;

        if (p->pending) {
                p->pending = NULL;
        } else if (!p->only_operands && word[0] == '-' && word[1]) {
                p->only_operands = strcmp(word, "--") == 0;
                if (!p->only_operands)
                        p->pending = awaits_value(p->at->opts, word);
        } else if (p->at->subcommands) {
                s = opt_find_subcommand(p->at, word);
                p->lost = !s;
                if (s)
                        *p = (struct place){.at = s->command};
        } else {
                p->operands++;
                p->only_operands |= p->at->stop_at_operand;
        }
}

/* Offer @prefix@name if it continues @typed. Only the first line of @about is shown. */
static void offer(struct completion *c, const char *typed, const char *prefix, const char *name, const char *about)
{
        size_t n = strlen(prefix), typed_size = strlen(typed);

        if (strncmp(typed, prefix, n < typed_size ? n : typed_size) != 0)
                return;
        if (typed_size > n && !str_starts(name, typed + n))
                return;
        str_printf(c->out, "%s%s", prefix, name);
        if (about)
                str_printf(c->out, "\t%.*s", (int)strcspn(about, "\n"), about);
        str_add_char(c->out, '\n');
}

static const char *const capabilities[] = {"ALL",
                                           "AUDIT_CONTROL",
                                           "AUDIT_READ",
                                           "AUDIT_WRITE",
                                           "BLOCK_SUSPEND",
                                           "BPF",
                                           "CHECKPOINT_RESTORE",
                                           "CHOWN",
                                           "DAC_OVERRIDE",
                                           "DAC_READ_SEARCH",
                                           "FOWNER",
                                           "FSETID",
                                           "IPC_LOCK",
                                           "IPC_OWNER",
                                           "KILL",
                                           "LEASE",
                                           "LINUX_IMMUTABLE",
                                           "MAC_ADMIN",
                                           "MAC_OVERRIDE",
                                           "MKNOD",
                                           "NET_ADMIN",
                                           "NET_BIND_SERVICE",
                                           "NET_BROADCAST",
                                           "NET_RAW",
                                           "PERFMON",
                                           "SETFCAP",
                                           "SETGID",
                                           "SETPCAP",
                                           "SETUID",
                                           "SYSLOG",
                                           "SYS_ADMIN",
                                           "SYS_BOOT",
                                           "SYS_CHROOT",
                                           "SYS_MODULE",
                                           "SYS_NICE",
                                           "SYS_PACCT",
                                           "SYS_PTRACE",
                                           "SYS_RAWIO",
                                           "SYS_RESOURCE",
                                           "SYS_TIME",
                                           "SYS_TTY_CONFIG",
                                           "WAKE_ALARM",
                                           NULL};

static void offer_list(struct completion *c, const char *typed, const char *prefix, const char *const *list)
{
        for (; list && *list; list++)
                offer(c, typed, prefix, *list, NULL);
}

static void offer_commands(struct completion *c, const struct command *parent, const char *typed)
{
        for (const struct subcommand *s = parent->subcommands; s && s->command; s++)
                if (!s->command->hidden)
                        offer(c, typed, "", opt_subcommand_name(s), s->command->summary);
}

static err *offer_environment(struct completion *c, const char *typed, const char *prefix)
{
        for (char **e = environ; e && *e; e++) {
                _cleanup_free_ char *name = strndup(*e, strcspn(*e, "="));

                if (!name)
                        return err_nomem();
                offer(c, typed, prefix, name, NULL);
        }
        return NULL;
}

/* Names that the engine knows. */
static err *offer_names(struct completion *c, enum opt_complete kind, const char *typed, const char *prefix)
{
        _cleanup_strv_ char **list = NULL;
        bool inside = kind == OPT_COMPLETE_PATH_IN;

        if (inside && (strchr(typed, '/') || strchr(typed, ':'))) {
                c->directive = ":files";
                return NULL;
        }
        if (c->names)
                TRY(c->names(c->data, inside ? OPT_COMPLETE_CONTAINER : kind, &list));
        for (char **n = list; n && *n; n++) {
                _cleanup_free_ char *name = str_format("%s%s", *n, inside ? ":" : "");

                if (!name)
                        return err_nomem();
                offer(c, typed, prefix, name, NULL);
        }
        if (inside)
                c->directive = c->out->len ? ":nospace" : ":files";
        return NULL;
}

static err *offer_kind(struct completion *c, enum opt_complete kind, const char *const *choices, const char *typed,
                       const char *prefix)
{
        switch (kind) {
        case OPT_COMPLETE_NONE:
                return NULL;
        case OPT_COMPLETE_FILE:
                c->directive = ":files";
                return NULL;
        case OPT_COMPLETE_DIR:
                c->directive = ":dirs";
                return NULL;
        case OPT_COMPLETE_CHOICES:
                offer_list(c, typed, prefix, choices);
                return NULL;
        case OPT_COMPLETE_SIGNAL:
                offer_list(c, typed, prefix, parse_signal_names);
                return NULL;
        case OPT_COMPLETE_CAPABILITY:
                offer_list(c, typed, prefix, capabilities);
                return NULL;
        case OPT_COMPLETE_ENV:
                return offer_environment(c, typed, prefix);
        case OPT_COMPLETE_COMMAND:
                offer_commands(c, c->root, typed);
                return NULL;
        case OPT_COMPLETE_CONTAINER:
        case OPT_COMPLETE_RUNNING:
        case OPT_COMPLETE_STOPPED:
        case OPT_COMPLETE_IMAGE:
        case OPT_COMPLETE_VOLUME:
        case OPT_COMPLETE_NETWORK:
        case OPT_COMPLETE_PATH_IN:
                return offer_names(c, kind, typed, prefix);
        }
        return NULL;
}

static err *offer_value(struct completion *c, const struct opt *o, const char *typed, const char *prefix)
{
        static const char *const booleans[] = {"true", "false", NULL};

        if (o->kind == OPT_KIND_FLAG)
                return offer_kind(c, OPT_COMPLETE_CHOICES, booleans, typed, prefix);
        return offer_kind(c, o->choices && !o->complete ? OPT_COMPLETE_CHOICES : o->complete, o->choices, typed,
                          prefix);
}

static err *offer_options(struct completion *c, const struct command *at, const char *typed)
{
        const char *eq = strchr(typed, '=');
        _cleanup_free_ char *name = NULL;
        const struct opt *o;

        if (eq && str_starts(typed, "--")) {
                _cleanup_free_ char *prefix = strndup(typed, (size_t)(eq - typed) + 1);

                name = strndup(typed + 2, (size_t)(eq - typed) - 2);
                if (!name || !prefix)
                        return err_nomem();
                o = opt_find(at->opts, name);
                return o ? offer_value(c, o, typed, prefix) : NULL;
        }
        for (o = at->opts; o && o->kind != OPT_KIND_END; o++) {
                char letter[2] = {o->letter, '\0'};

                if (o->hidden || o->kind == OPT_KIND_USAGE)
                        continue;
                if (o->letter && !str_starts(typed, "--"))
                        offer(c, typed, "-", letter, o->help);
                offer(c, typed, "--", o->name, o->help);
        }
        offer(c, typed, "--", "help", "Print usage");
        return NULL;
}

err *opt_complete(const struct command *root, char *const *words, opt_names_fn names, void *data, struct str *out)
{
        struct completion c = {.root = root, .names = names, .data = data, .out = out, .directive = ":"};
        struct place p = {.at = root};
        const char *typed = "";

        for (; *words && words[1]; words++)
                step(&p, *words);
        if (*words)
                typed = *words;
        if (p.lost)
                return str_done(out);
        if (p.pending)
                TRY(offer_value(&c, p.pending, typed, ""));
        else if (!p.only_operands && *typed == '-')
                TRY(offer_options(&c, p.at, typed));
        else if (p.at->subcommands)
                offer_commands(&c, p.at, typed);
        else if (p.operands < p.at->max_operands)
                TRY(offer_kind(&c, p.operands ? p.at->complete_rest : p.at->complete, p.operands ? NULL : p.at->choices,
                               typed, ""));
        str_printf(out, "%s\n", c.directive);
        return str_done(out);
}

/* ---- scripts: PROGRAM stands for the program's name ---- */

static const char bash_script[] =
        "# bash completion for PROGRAM; load it with: source <(PROGRAM completion bash)\n"
        "_PROGRAM() {\n"
        "        local i line cur part directive=: glue= words=()\n"
        "        # readline cuts words at = and :, put them together again\n"
        "        for ((i = 1; i <= COMP_CWORD; i++)); do\n"
        "                part=${COMP_WORDS[i]}\n"
        "                if [[ ${#words[@]} -gt 0 && ( $glue || $part == [=:] ) ]]; then\n"
        "                        words[${#words[@]} - 1]+=$part\n"
        "                else\n"
        "                        words+=(\"$part\")\n"
        "                fi\n"
        "                glue=\n"
        "                [[ $part == [=:] ]] && glue=1\n"
        "        done\n"
        "        cur=${words[${#words[@]} - 1]}\n"
        "        part=${cur%\"${cur##*[=:]}\"}\n"
        "        COMPREPLY=()\n"
        "        while IFS= read -r line; do\n"
        "                case $line in\n"
        "                :*) directive=$line ;;\n"
        "                *)\n"
        "                        line=${line%%$'\\t'*}\n"
        "                        COMPREPLY+=(\"${line#\"$part\"}\")\n"
        "                        ;;\n"
        "                esac\n"
        "        done < <(\"${COMP_WORDS[0]}\" internal complete -- \"${words[@]}\" 2>/dev/null)\n"
        "        case $directive in\n"
        "        :nospace) compopt -o nospace ;;\n"
        "        :files | :dirs)\n"
        "                compopt -o filenames\n"
        "                [[ $directive == :dirs ]] && i=-d || i=-f\n"
        "                while IFS= read -r line; do\n"
        "                        COMPREPLY+=(\"$line\")\n"
        "                done < <(compgen \"$i\" -- \"${cur#\"$part\"}\")\n"
        "                ;;\n"
        "        esac\n"
        "}\n"
        "complete -F _PROGRAM PROGRAM\n";

static const char zsh_script[] =
        "#compdef PROGRAM\n"
        "# zsh completion for PROGRAM; load it with: source <(PROGRAM completion zsh)\n"
        "_PROGRAM() {\n"
        "        local -a candidates\n"
        "        local line directive=:\n"
        "        for line in \"${(@f)$(\"${words[1]}\" internal complete -- \"${(@)words[2,CURRENT]}\" "
        "2>/dev/null)}\"; do\n"
        "                case $line in\n"
        "                :*) directive=$line ;;\n"
        "                ?*$'\\t'*) candidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
        "                ?*) candidates+=(\"${line//:/\\\\:}\") ;;\n"
        "                esac\n"
        "        done\n"
        "        case $directive in\n"
        "        :nospace) _describe -t values PROGRAM candidates -S '' ;;\n"
        "        *) ((${#candidates})) && _describe -t values PROGRAM candidates ;;\n"
        "        esac\n"
        "        case $directive in\n"
        "        :files) _files ;;\n"
        "        :dirs) _files -/ ;;\n"
        "        esac\n"
        "}\n"
        "if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then\n"
        "        _PROGRAM \"$@\"\n"
        "else\n"
        "        compdef _PROGRAM PROGRAM\n"
        "fi\n";

static const char fish_script[] =
        "# fish completion for PROGRAM; load it with: PROGRAM completion fish | source\n"
        "function __PROGRAM_complete\n"
        "        set -l words (commandline -opc)\n"
        "        set -l typed (commandline -ct)\n"
        "        # a path behind --name= keeps what is before it\n"
        "        set -l before (string match -r '^--[^=]*=' -- \"$typed\")\n"
        "        set -l path (string replace -r '^--[^=]*=' '' -- \"$typed\")\n"
        "        for line in (command $words[1] internal complete -- $words[2..-1] \"$typed\" 2>/dev/null)\n"
        "                switch $line\n"
        "                        case ':files'\n"
        "                                string replace -r '^' -- \"$before\" (__fish_complete_path \"$path\")\n"
        "                        case ':dirs'\n"
        "                                string replace -r '^' -- \"$before\" (__fish_complete_directories \"$path\")\n"
        "                        case ':*'\n"
        "                        case '*'\n"
        "                                echo $line\n"
        "                end\n"
        "        end\n"
        "end\n"
        "complete -c PROGRAM -e\n"
        "complete -c PROGRAM -f -a '(__PROGRAM_complete)'\n";

void opt_complete_script(const char *program, enum opt_shell shell, struct str *out)
{
        const char *p = shell == OPT_BASH ? bash_script : shell == OPT_ZSH ? zsh_script : fish_script, *hit;

        for (; (hit = strstr(p, "PROGRAM")); p = hit + strlen("PROGRAM")) {
                str_add_n(out, p, (size_t)(hit - p));
                str_add(out, program);
        }
        str_add(out, p);
}
