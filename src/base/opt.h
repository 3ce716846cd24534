/* opt.h - THE command table: every command and every flag is declared once, here is what reads the declarations.
 *
 * Parsing (this file), --help (opt_help.c), shell completion (opt_complete.c), man pages, Markdown and the JSON dump
 * (opt_doc.c) all come from `struct command` and `struct opt`; a test compares them.
 *
 *      struct pull_args {
 *              bool quiet;
 *              const char *platform;
 *              char **labels;
 *      };
 *      static const struct opt pull_opts[] = {
 *              OPT_FLAG('q', "quiet", struct pull_args, quiet, "Suppress verbose output"),
 *              OPT_STR(0, "platform", struct pull_args, platform, "string", "Set platform"),
 *              OPT_LIST('l', "label", struct pull_args, labels, "list", "Set a label", .check = parse_check_label),
 *              OPT_END
 *      };
 *      static err *pull_run(struct invocation *inv)
 *      {
 *              const struct pull_args *a = inv->args;
 *              ... inv->operands[0] ... opt_given(inv, &a->platform) ...
 *      }
 *      const struct command cmd_pull = {
 *              .name = "pull", .operands = "NAME[:TAG|@DIGEST]", .min_operands = 1, .max_operands = 1,
 *              .summary = "Download an image from a registry", .opts = pull_opts,
 *              .args_size = sizeof(struct pull_args), .run = pull_run,
 *      };
 *
 * Then put {&cmd_pull, ...} into the parent's list of subcommands (src/cli/commands.c). */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/parse.h"
#include "base/str.h"

/* ---- declarations ---- */

enum opt_kind {
        OPT_KIND_END,
        OPT_KIND_FLAG,     /* bool; --x, --x=false */
        OPT_KIND_STR,      /* (const) char *, borrowed from argv, the environment or the configuration */
        OPT_KIND_INT,      /* int64_t within min..max */
        OPT_KIND_UINT,     /* uint64_t */
        OPT_KIND_SIZE,     /* int64_t bytes; min -1 also takes "-1" = unlimited */
        OPT_KIND_DURATION, /* int64_t nanoseconds */
        OPT_KIND_CPUS,     /* int64_t nano CPUs */
        OPT_KIND_LIST,     /* char **, owned by the invocation; NULL when never given; one element a use */
        OPT_KIND_CSV,      /* char **, like a list, but each use may hold several, separated by commas */
        OPT_KIND_MAP,      /* char ** of "key=value"; a later key replaces an earlier one */
        OPT_KIND_USAGE,    /* no value and no member: means --help (the root's) */
};

/* What can stand in a place, for shell completion. */
enum opt_complete {
        OPT_COMPLETE_NONE,
        OPT_COMPLETE_FILE,
        OPT_COMPLETE_DIR,
        OPT_COMPLETE_CHOICES, /* .choices */
        OPT_COMPLETE_SIGNAL,
        OPT_COMPLETE_CAPABILITY,
        OPT_COMPLETE_ENV,       /* names of environment variables */
        OPT_COMPLETE_COMMAND,   /* commands of this table (help) */
        OPT_COMPLETE_CONTAINER, /* this and what follows: asked from the callback */
        OPT_COMPLETE_RUNNING,   /* running containers */
        OPT_COMPLETE_STOPPED,   /* created and exited containers */
        OPT_COMPLETE_IMAGE,
        OPT_COMPLETE_VOLUME,
        OPT_COMPLETE_NETWORK,
        OPT_COMPLETE_PATH_IN, /* CONTAINER:PATH or a local path (cp) */
};

struct opt {
        enum opt_kind kind;
        char letter;      /* 0 = no short form */
        const char *name; /* long name, without dashes */
        const char *type; /* docker's word for the value in --help; NULL for flags */
        const char *help; /* one or more lines, no final dot, no default */
        size_t offset;    /* of the member in the args struct */
        /* optional, by designated initializer after the fixed arguments of the macro: */
        const char *def;                  /* default, as the user would write it; shown in help and docs */
        int64_t min, max;                 /* INT, UINT (max 0 = none); SIZE: min -1 takes "-1" */
        err *(*check)(const char *value); /* refuses a value; runs on each use, before storing */
        enum opt_complete complete;
        const char *const *choices; /* NULL-terminated; completion and docs; refused unless listed if .strict */
        bool strict;
        const char *alias;            /* another long name, not shown ("net" of --network) */
        const char *deprecated_alias; /* long spelling after one dash, of the founding documents ("cpushare") */
        size_t given;                 /* OPT_GIVEN(struct, member): a bool set when the user gave this one */
        const char *conflicts;        /* long name that may not be given together with this one */
        const char *env;              /* environment variable, used when the flag is not given */
        const char *config;           /* key in the configuration file */
        bool hidden;                  /* not in help, completion and docs; still in the JSON dump */
        const char *deprecated;       /* said on stderr when used: "use --x instead" */
        const char *since;            /* docs: note such as "cgroup v1 only" */
};

/* offsetof that fails to compile when the member has another type. */
#define OPT_AT(T, member, want)                                                                                        \
        (offsetof(T, member) + 0 * sizeof(char[__builtin_types_compatible_p(typeof(((T *)0)->member), want) ? 1 : -1]))

/* The same for text: char * and const char * both do. */
#define OPT_AT_TEXT(T, member)                                                                                         \
        (offsetof(T, member) +                                                                                         \
         0 * sizeof(char[__builtin_types_compatible_p(typeof(((T *)0)->member), const char *) ||                       \
                                         __builtin_types_compatible_p(typeof(((T *)0)->member), char *)                \
                                 ? 1                                                                                   \
                                 : -1]))

#define OPT_FLAG(letter_, name_, T, member, help_, ...)                                                                \
        {                                                                                                              \
                .kind = OPT_KIND_FLAG, .letter = (letter_), .name = (name_), .help = (help_),                          \
                .offset = OPT_AT(T, member, bool), ##__VA_ARGS__                                                       \
        }
#define OPT_VALUE_(kind_, ctype, letter_, name_, T, member, type_, help_, ...)                                         \
        {                                                                                                              \
                .kind = (kind_), .letter = (letter_), .name = (name_), .type = (type_), .help = (help_),               \
                .offset = OPT_AT(T, member, ctype), ##__VA_ARGS__                                                      \
        }
#define OPT_GIVEN(T, member) .given = OPT_AT(T, member, bool) + 1
/* OPT_STR(letter, name, struct, member, type word, help, [.x = y ...]) and so on. */
#define OPT_STR(letter_, name_, T, member, type_, help_, ...)                                                          \
        {                                                                                                              \
                .kind = OPT_KIND_STR, .letter = (letter_), .name = (name_), .type = (type_), .help = (help_),          \
                .offset = OPT_AT_TEXT(T, member), ##__VA_ARGS__                                                        \
        }
#define OPT_LIST(l, n, T, m, type, help, ...) OPT_VALUE_(OPT_KIND_LIST, char **, l, n, T, m, type, help, ##__VA_ARGS__)
#define OPT_CSV(l, n, T, m, type, help, ...) OPT_VALUE_(OPT_KIND_CSV, char **, l, n, T, m, type, help, ##__VA_ARGS__)
#define OPT_MAP(l, n, T, m, type, help, ...) OPT_VALUE_(OPT_KIND_MAP, char **, l, n, T, m, type, help, ##__VA_ARGS__)
/* These know their type word: OPT_INT(letter, name, struct, member, help, [.x = y ...]). */
#define OPT_INT(l, n, T, m, help, ...) OPT_VALUE_(OPT_KIND_INT, int64_t, l, n, T, m, "int", help, ##__VA_ARGS__)
#define OPT_UINT(l, n, T, m, help, ...) OPT_VALUE_(OPT_KIND_UINT, uint64_t, l, n, T, m, "uint", help, ##__VA_ARGS__)
#define OPT_SIZE(l, n, T, m, help, ...) OPT_VALUE_(OPT_KIND_SIZE, int64_t, l, n, T, m, "bytes", help, ##__VA_ARGS__)
#define OPT_DURATION(l, n, T, m, help, ...)                                                                            \
        OPT_VALUE_(OPT_KIND_DURATION, int64_t, l, n, T, m, "duration", help, ##__VA_ARGS__)
#define OPT_CPUS(l, n, T, m, help, ...) OPT_VALUE_(OPT_KIND_CPUS, int64_t, l, n, T, m, "decimal", help, ##__VA_ARGS__)
/* Declare --help explicitly (the root does); every command takes it anyway. */
#define OPT_USAGE(help_)                                                                                               \
        {                                                                                                              \
                .kind = OPT_KIND_USAGE, .name = "help", .help = (help_)                                                \
        }
#define OPT_END                                                                                                        \
        {                                                                                                              \
                .kind = OPT_KIND_END                                                                                   \
        }

/* Several commands take the same flags (run and create): declare them by a macro that expands to OPT_ lines. */

#define OPERANDS_ANY INT_MAX

enum command_section {
        SECTION_COMMANDS,   /* "Commands:" */
        SECTION_COMMON,     /* "Common Commands:" */
        SECTION_MANAGEMENT, /* "Management Commands:" */
        SECTION_MAX_,
};

struct invocation;
struct command;

/* A command's place below its parent: one struct command may have several (hod run = hod container run,
 * hod images = hod image ls). */
struct subcommand {
        const struct command *command;
        const char *name;    /* NULL = command->name */
        const char *aliases; /* further names here, separated by blanks; or NULL */
        enum command_section section;
};

struct command {
        const char *name;
        const char *operands; /* "IMAGE [COMMAND] [ARG...]"; "\n" separates alternative forms; NULL = none */
        int min_operands;
        int max_operands;        /* OPERANDS_ANY = no limit */
        const char *summary;     /* one line, no final dot */
        const char *description; /* paragraphs for the man page, separated by empty lines; or NULL */
        const char *examples;    /* "command line\n" pairs for the man page: "# what\n$ hod ...\n"; or NULL */
        const struct opt *opts;  /* ended by OPT_END; or NULL */
        size_t args_size;        /* of the args struct */
        err *(*run)(struct invocation *inv);
        const struct subcommand *subcommands; /* ended by {0}; a command has these or .run (the root has both) */
        bool hidden;
        bool libraries;                  /* wants shared libraries: see cli/main.c */
        bool stop_at_operand;            /* the first operand ends the options: run IMAGE CMD -x */
        bool one_dash;                   /* the root: -name is --name wherever there is such a flag, as in Go */
        bool run_like;                   /* an engine's failure is status 125 and gets "Run 'hod x --help' ..." */
        enum opt_complete complete;      /* of the first operand */
        enum opt_complete complete_rest; /* of the following ones; COMPLETE_NONE = none */
        const char *const *choices;      /* of the first operand, with OPT_COMPLETE_CHOICES */
};

/* ---- parsing ---- */

/* Where a value came from, weakest first: a source never replaces a stronger one. */
enum opt_source { OPT_DEFAULT, OPT_SYSTEM_FILE, OPT_USER_FILE, OPT_ENVIRONMENT, OPT_COMMAND_LINE };

#define OPT_MAX 160 /* options of one command */
#define OPT_DEPTH 4 /* hod > container > run */

/* One level's options and their values. */
struct opt_values {
        const struct opt *opts;
        size_t count, args_size;
        void *args;                    /* the args struct; aligned, zeroed, then defaults */
        unsigned char source[OPT_MAX]; /* enum opt_source of each option */
};
MUST_USE err *opt_values_init(struct opt_values *v, const struct opt *opts, size_t args_size);
void opt_values_done(struct opt_values *v);

/* Store @text as the value of @o (one of v->opts), if nothing stronger than @source is there. @label is how the
 * message names the source, NULL = the flag as docker does: `invalid argument "x" for "-m, --memory" flag: ...`. */
MUST_USE err *opt_values_set(struct opt_values *v, const struct opt *o, const char *text, enum opt_source source,
                             const char *label);

/* What was wrong with a command line, for a program that has words of its own for it. */
enum opt_problem {
        OPT_PROBLEM_NONE,
        OPT_PROBLEM_COMMAND, /* unknown */
        OPT_PROBLEM_FLAG,    /* unknown */
        OPT_PROBLEM_NO_VALUE,
        OPT_PROBLEM_VALUE,
        OPT_PROBLEM_OPERANDS, /* how many */
};

/* A parsed command line. */
struct invocation {
        const struct command *root;
        const struct command *command; /* what was chosen: a leaf, or a parent when .help or nothing follows */
        const struct subcommand *path[OPT_DEPTH]; /* below the root, as typed */
        int depth;
        char name[128];  /* "hod container run" as typed (names, not aliases) */
        void *args;      /* of the command: values.args */
        char **operands; /* NULL-terminated; the strings are argv's */
        int n_operands;
        struct opt_values values; /* of the command */
        struct opt_values global; /* of the root */
        bool help;                /* --help was given */
        int status;               /* exit status when .run returns NULL */
        struct str hint;          /* what follows the error's message on stderr: nearest name, usage */
        void *context;            /* the program's; NULL after parsing */
        struct str notes;         /* lines for stderr: what is deprecated */
        enum opt_problem problem;
        const char *problem_word; /* the argument it is about, as typed; NULL with OPT_PROBLEM_OPERANDS */
};

/* Parse @argv (argv[0] is skipped; "hod" = root->name begins the usage). On failure @ret is valid too: print the error,
 * then ret->hint. Errors: ERR_USAGE (bad flag: 125), ERR_INVALID (unknown command, number of operands: 1).
 * Options of the root are accepted before the command only. With ret->help nothing is checked. */
MUST_USE err *opt_parse(const struct command *root, char *const *argv, struct invocation *ret);
void opt_done(struct invocation *inv);
/* Fill the root's options that have .env from @environ_, unless the command line gave them. */
MUST_USE err *opt_environment(struct invocation *inv, char *const *environ_);

/* Was the option that stores in @member (a member of inv->args) given by the user? */
bool opt_given(const struct invocation *inv, const void *member);
/* The same for the root's struct. */
bool opt_given_global(const struct invocation *inv, const void *member);
/* An error about the use of the command, found by .run: same form and status as a bad flag. */
MUST_USE err *opt_usage_error(struct invocation *inv, const char *fmt, ...) PRINTF(2, 3);
/* What the person should see on stderr for @e, with the final newline: message, hint, "Run 'hod x --help' ...";
 * frees @e and gives the exit status. @program is "hod". */
int opt_report(struct invocation *inv, const char *program, err *e, struct str *out);

/* ---- looking at the table ---- */

size_t opt_count(const struct opt *opts);                               /* without the end */
const struct opt *opt_find(const struct opt *opts, const char *name);   /* by long name or alias */
const struct opt *opt_find_letter(const struct opt *opts, char letter); /* NULL: there is none */
const char *opt_subcommand_name(const struct subcommand *s);            /* its own, or the command's */
const struct subcommand *opt_find_subcommand(const struct command *parent, const char *name); /* aliases too */
/* The options that people see, in alphabetical order as docker's help has them; returns how many. */
size_t opt_sorted(const struct opt *opts, const struct opt *ret[OPT_MAX]);
/* "-m, --memory" */
void opt_display(const struct opt *o, char *buf, size_t size);
/* Call @visit for every command below @root (depth first, hidden ones too); a shared struct is visited at each place.
 * @path is "hod container run". Stops at the first error. */
MUST_USE err *opt_walk(const struct command *root,
                       err *(*visit)(void *data, const struct subcommand *place, const char *path, int depth),
                       void *data);
/* Every name under which @command can be called, "hod container run, hod run". */
void opt_paths(const struct command *root, const struct command *command, struct str *out);
/* Is the table itself right: unique names and letters, types present, defaults parse, operands text matches the
 * numbers? For tests. */
MUST_USE err *opt_verify(const struct command *root);

/* ---- what is made from the table ---- */

/* --help of what @inv chose, @width columns (0 = 80). */
void opt_help(const struct invocation *inv, unsigned width, struct str *out);
/* "Usage:  hod run [OPTIONS] IMAGE [COMMAND] [ARG...]" without a newline; @full is "hod run". */
void opt_usage_line(const struct command *c, const char *full, struct str *out);

/* Shell completion. */
enum opt_shell { OPT_BASH, OPT_ZSH, OPT_FISH };
/* The script to source; it calls back `PROGRAM internal complete WORD...`. */
void opt_complete_script(const char *program, enum opt_shell shell, struct str *out);
/* Names of containers, images, ... for completion; adds to *@list. */
typedef err *(*opt_names_fn)(void *data, enum opt_complete kind, char ***list);
/* Candidates for the last of @words (the command line without the program's name; the last may be ""):
 * "candidate\tdescription\n" lines, then ":nospace", ":files", ":dirs" or ":" alone. */
MUST_USE err *opt_complete(const struct command *root, char *const *words, opt_names_fn names, void *data,
                           struct str *out);

/* Documents. */
/* Man page (section 1, man(7) macros) of @command; @path is "hod run", @date "2026-11-23". */
void opt_man(const struct command *root, const struct command *command, const char *path, const char *version,
             const char *date, struct str *out);
/* "hod container run" → "hod-container-run". */
void opt_page_name(const char *path, char *buf, size_t size);
/* The path under which @command has its page: the shortest one ("hod run", not "hod container run"). */
void opt_main_path(const struct command *root, const struct command *command, char *buf, size_t size);
/* The whole reference in Markdown. */
MUST_USE err *opt_markdown(const struct command *root, struct str *out);
/* The table as JSON, hidden things included: {"name", "version", "options": [...], "commands": [{"path", "paths",
 * "summary", "operands", "min_operands", "max_operands" (-1 = any), "hidden", "options": [{"name", "letter", "kind",
 * "type", "help", "default", "choices", "alias", "old", "conflicts", "env", "config", "hidden"}]}]}; one entry a place.
 */
MUST_USE err *opt_json(const struct command *root, const char *version, struct str *out);
