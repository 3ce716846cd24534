/* config.c - see config.h. */
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "codec/json.h"
#include "codec/toml.h"

#define CONFIG_MAX (1u << 20)

const char *const config_log_levels[] = {"debug", "info", "warn", "error", NULL};
const char *const config_log_formats[] = {"text", "json", NULL};
const char *const config_drivers[] = {"overlay", "btrfs", "fuse-overlayfs", "vfs", NULL};

err *config_check_timeout(const char *text)
{
        int64_t ns;

        TRY(parse_duration(text, &ns));
        if (ns < 1000000000 || ns > 3600 * 1000000000LL)
                return err_new(ERR_INVALID, "must be between 1s and 1h");
        return NULL;
}

void config_done(struct config *c)
{
        for (size_t i = 0; i < ARRAY_SIZE(c->docs); i++)
                json_free(c->docs[i]);
        free(c->root);
        free(c->state);
        *c = (struct config){0};
}

/* Does @line begin with @key, bare or quoted, or with the table [key]? */
static bool line_has_key(const char *line, const char *key)
{
        size_t n = strlen(key);

        line += strspn(line, " \t[");
        line += *line == '"' || *line == '\'';
        return strncmp(line, key, n) == 0 && strchr("\"' \t=.]", line[n]) && line[n];
}

/* The parser gives a document without lines: find the one that names top-level key @key. 0 = not found. */
static unsigned line_of(const char *text, const char *key)
{
        for (unsigned line = 1; *text; line++) {
                if (line_has_key(text, key))
                        return line;
                text += strcspn(text, "\n");
                text += *text == '\n';
        }
        return 0;
}

static const struct opt *find_key(const struct opt *opts, const char *key)
{
        for (const struct opt *o = opts; o->kind != OPT_KIND_END; o++)
                if (o->config && strcmp(o->config, key) == 0)
                        return o;
        return NULL;
}

static err *set_key(struct opt_values *v, const struct opt *o, const json *value, enum opt_source source,
                    const char *label)
{
        char number[24];

        switch (json_kind(value)) {
        case JSON_BOOL:
                if (o->kind == OPT_KIND_FLAG)
                        return opt_values_set(v, o, json_bool(value, false) ? "true" : "false", source, label);
                break;
        case JSON_STRING:
                if (o->kind != OPT_KIND_FLAG && strlen(json_str(value)) == json_str_len(value))
                        return opt_values_set(v, o, json_str(value), source, label);
                break;
        case JSON_INT: /* not for OPT_KIND_STR, which borrows the text */
                if (o->kind == OPT_KIND_INT || o->kind == OPT_KIND_UINT || o->kind == OPT_KIND_SIZE) {
                        (void)snprintf(number, sizeof(number), "%lld", (long long)json_int(value, 0));
                        return opt_values_set(v, o, number, source, label);
                }
                break;
        case JSON_ARRAY:
                if (o->kind != OPT_KIND_LIST)
                        break;
                for (size_t i = 0; i < json_len(value); i++) {
                        if (!json_str(json_at(value, i)))
                                return err_new(ERR_INVALID, "%s: must be an array of strings", label);
                        TRY(opt_values_set(v, o, json_str(json_at(value, i)), source, label));
                }
                return NULL;
        default:
                break;
        }
        return err_new(ERR_INVALID, "%s: must be a %s", label,
                       o->kind == OPT_KIND_FLAG   ? "boolean"
                       : o->kind == OPT_KIND_LIST ? "array of strings"
                                                  : "string");
}

static err *unknown_key(const struct opt *opts, const char *path, unsigned line, const char *key)
{
        const struct opt *best = NULL;
        int nearest = 4;

        for (const struct opt *o = opts; o->kind != OPT_KIND_END; o++) {
                int d = o->config ? str_distance(key, o->config) : 99;

                if (d < nearest) {
                        nearest = d;
                        best = o;
                }
        }
        return err_new(ERR_INVALID, "%s:%u: unknown key '%s'%s%s%s", path, line, key, best ? ", did you mean '" : "",
                       best ? best->config : "", best ? "'?" : "");
}

/* Read one file; a missing one is fine unless @must. */
static err *load_file(struct opt_values *v, const char *path, bool must, enum opt_source source, json **doc)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = file_read(AT_FDCWD, path, CONFIG_MAX, &text, &size);
        if (!must && (r == -ENOENT || r == -ENOTDIR || r == -EACCES))
                return NULL;
        if (r < 0)
                return err_sys(r, "reading the configuration file %s", path);
        TRY_WRAP(toml_parse(text, size, doc), "%s", path);
        JSON_EACH (*doc, it) {
                const struct opt *o = find_key(v->opts, it.key);
                _cleanup_free_ char *label = NULL;
                unsigned line = line_of(text, it.key);

                if (!o)
                        return unknown_key(v->opts, path, line, it.key);
                label = str_format("%s:%u: %s", path, line, it.key);
                if (!label)
                        return err_nomem();
                TRY(set_key(v, o, it.value, source, label));
        }
        return NULL;
}

static err *user_file(char *const *environ_, char **ret)
{
        const char *xdg = strv_env(environ_, "XDG_CONFIG_HOME"), *home = strv_env(environ_, "HOME");

        if (xdg && *xdg == '/')
                *ret = str_format("%s/hod/config.toml", xdg);
        else if (home && *home == '/')
                *ret = str_format("%s/.config/hod/config.toml", home);
        else
                return NULL;
        return *ret ? NULL : err_nomem();
}

static err *load_files(struct invocation *inv, struct config *c, char *const *environ_)
{
        const struct global_args *g = inv->global.args;
        _cleanup_free_ char *user = NULL;

        if (!str_empty(g->config))
                return load_file(&inv->global, g->config, true, OPT_USER_FILE, &c->docs[0]);
        TRY(load_file(&inv->global, CONFIG_SYSTEM_FILE, false, OPT_SYSTEM_FILE, &c->docs[0]));
        TRY(user_file(environ_, &user));
        return user ? load_file(&inv->global, user, false, OPT_USER_FILE, &c->docs[1]) : NULL;
}

/* Monitors run elsewhere and outlive us: they get names that mean the same everywhere. */
static err *absolute(const char *path, const char *what, char **ret)
{
        _cleanup_free_ char *cwd = NULL;

        if (str_empty(path))
                return err_new(ERR_INVALID, "%s must not be empty", what);
        if (*path == '/') {
                *ret = strdup(path);
                return *ret ? NULL : err_nomem();
        }
        cwd = getcwd(NULL, 0);
        if (!cwd)
                return err_sys(errno, "finding the working directory");
        *ret = str_format("%s/%s", cwd, path);
        return *ret ? NULL : err_nomem();
}

static err *setup_log(const struct global_args *g)
{
        enum log_level level = LOG_LEVEL_WARN;
        enum log_format format = LOG_FORMAT_TEXT;
        int fd = STDERR_FILENO;

        if (!log_level_parse(g->log_level, &level))
                return err_new(ERR_INVALID, "Unable to parse logging level: %s", g->log_level);
        if (!log_format_parse(g->log_format, &format))
                return err_new(ERR_INVALID, "unknown log format: %s", g->log_format);
        if (!str_empty(g->log_file)) {
                fd = open(g->log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
                if (fd < 0)
                        return err_sys(errno, "opening the log file %s", g->log_file);
        }
        log_setup(g->debug ? LOG_LEVEL_DEBUG : level, format, fd);
        return NULL;
}

err *config_load(struct invocation *inv, struct config *c, char *const *environ_)
{
        const struct global_args *g = inv->global.args;

        TRY(opt_environment(inv, environ_));
        TRY(load_files(inv, c, environ_));
        TRY(absolute(g->root, "--root", &c->root));
        TRY(absolute(g->state, "--state", &c->state));
        inv->context = c;
        return setup_log(g);
}
