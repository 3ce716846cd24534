/* image_change.c - the instructions that `import -c` and `commit -c` take. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/image.h"
#include "oci/words.h"

struct change {
        json *config;     /* a copy that replaces the original when everything worked */
        json *before;     /* the original: $NAME means what it was before the instruction */
        const char *name; /* upper case */
        const char *rest; /* after the instruction, blanks trimmed */
};

static const char *lookup_env(const char *name, size_t n, void *arg)
{
        const json *env = json_get(arg, "Env");
        const char *found = NULL;

        for (size_t i = 0; i < json_len(env); i++) {
                const char *entry = json_str(json_at(env, i));

                if (entry && strncmp(entry, name, n) == 0 && entry[n] == '=')
                        found = entry + n + 1;
        }
        return found;
}

static err *expand(const struct change *c, const char *word, char **ret)
{
        return words_expand(word, lookup_env, c->before, ret);
}

static err *need_argument(const struct change *c)
{
        if (!*c->rest)
                return err_new(ERR_INVALID, "%s requires at least one argument", c->name);
        return NULL;
}

/* A JSON array of strings, or NULL: then the text is something else. */
static json *json_words(const char *text)
{
        json *list = NULL;
        err *e = *text == '[' ? json_parse(text, strlen(text), &list) : NULL;
        bool ok = !e && json_kind(list) == JSON_ARRAY;

        err_free(e);
        for (size_t i = 0; ok && i < json_len(list); i++)
                ok = json_kind(json_at(list, i)) == JSON_STRING;
        if (!ok) {
                json_free(list);
                return NULL;
        }
        return list;
}

static json *shell_form(const struct change *c)
{
        const json *shell = json_get(c->config, "Shell");
        json *list = json_new_array();

        if (json_len(shell) == 0) {
                json_add_str(list, "/bin/sh");
                json_add_str(list, "-c");
        }
        for (size_t i = 0; i < json_len(shell); i++)
                json_add_str(list, json_str(json_at(shell, i)));
        json_add_str(list, c->rest);
        return list;
}

static err *change_program(const struct change *c)
{
        json *list = json_words(c->rest);
        bool empty = !list && !*c->rest;

        if (!list)
                list = empty ? json_new_array() : shell_form(c);
        if (strcmp(c->name, "CMD") == 0) {
                json_set(c->config, "Cmd", list);
        } else {
                json_set(c->config, "Entrypoint", json_len(list) ? list : NULL);
                if (!json_len(list))
                        json_free(list);
        }
        return NULL;
}

static err *set_env(const struct change *c, const char *name, const char *value)
{
        json *old = json_get(c->config, "Env"), *list = json_new_array();
        _cleanup_free_ char *entry = str_format("%s=%s", name, value);
        size_t n = strlen(name);
        bool done = false;

        if (!entry) {
                json_free(list);
                return err_nomem();
        }
        for (size_t i = 0; i < json_len(old); i++) {
                const char *text = json_str(json_at(old, i));
                bool same = text && strncmp(text, name, n) == 0 && text[n] == '=';

                json_add_str(list, same ? entry : text);
                done = done || same;
        }
        if (!done)
                json_add_str(list, entry);
        json_set(c->config, "Env", list);
        return NULL;
}

static err *set_label(const struct change *c, const char *name, const char *value)
{
        json_set_str(json_sub_object(c->config, "Labels"), name, value);
        return NULL;
}

typedef err *pair_fn(const struct change *c, const char *name, const char *value);

/* "A=b c='d e'" or the old form "A the rest". */
static err *change_pairs(const struct change *c, pair_fn *set)
{
        _cleanup_strv_ char **words = NULL;

        TRY(need_argument(c));
        TRY(words_split(c->rest, &words));
        if (!strchr(words[0], '=')) {
                _cleanup_free_ char *value = NULL;
                const char *text = c->rest + strlen(words[0]);

                text += strspn(text, " \t");
                if (!*text)
                        return err_new(ERR_INVALID, "%s must have two arguments", c->name);
                TRY(expand(c, text, &value));
                return set(c, words[0], value);
        }
        for (char **w = words; *w; w++) {
                _cleanup_free_ char *value = NULL, *name = NULL;
                char *equals = strchr(*w, '=');

                if (!equals)
                        return err_new(ERR_INVALID,
                                       "Syntax error - can't find = in \"%s\". Must be of the form: name=value", *w);
                *equals = '\0';
                TRY(expand(c, *w, &name));
                TRY(expand(c, equals + 1, &value));
                if (!*name)
                        return err_new(ERR_INVALID, "%s names can not be blank", c->name);
                TRY(set(c, name, value));
        }
        return NULL;
}

static err *change_env(const struct change *c)
{
        return change_pairs(c, set_env);
}

static err *change_label(const struct change *c)
{
        return change_pairs(c, set_label);
}

static err *change_expose(const struct change *c)
{
        _cleanup_strv_ char **words = NULL;
        json *ports = json_sub_object(c->config, "ExposedPorts");

        TRY(need_argument(c));
        TRY(words_split(c->rest, &words));
        for (char **w = words; *w; w++) {
                _cleanup_free_ char *text = NULL;
                struct parse_port p = {0};

                TRY(expand(c, *w, &text));
                TRY(parse_expose(text, &p));
                for (unsigned n = p.first; n <= p.last; n++) {
                        char key[32];

                        (void)snprintf(key, sizeof(key), "%u/%s", n, p.proto);
                        json_set(ports, key, json_new_object());
                }
                parse_port_done(&p);
        }
        return NULL;
}

static err *change_user(const struct change *c)
{
        _cleanup_strv_ char **words = NULL;
        _cleanup_free_ char *text = NULL;

        TRY(words_split(c->rest, &words));
        if (strv_len(words) != 1)
                return err_new(ERR_INVALID, "USER requires exactly one argument");
        TRY(expand(c, words[0], &text));
        json_set_str(c->config, "User", text);
        return NULL;
}

/* Join and clean, as path.Join does. */
static err *join_dir(const char *base, const char *path, char **ret)
{
        _cleanup_free_ char *joined = str_format("%s/%s", *path == '/' ? "" : base, path);

        return joined ? path_clean(joined, ret) : err_nomem();
}

static err *change_workdir(const struct change *c)
{
        _cleanup_free_ char *text = NULL, *dir = NULL;

        TRY(need_argument(c));
        TRY(expand(c, c->rest, &text));
        TRY(join_dir(json_get_str_or(c->config, "WorkingDir", ""), text, &dir));
        json_set_str(c->config, "WorkingDir", dir);
        return NULL;
}

static err *change_volume(const struct change *c)
{
        _cleanup_json_ json *list = json_words(c->rest);
        _cleanup_strv_ char **words = NULL;

        TRY(need_argument(c));
        if (!list) {
                TRY(words_split(c->rest, &words));
                list = json_new_array();
                for (char **w = words; *w; w++)
                        json_add_str(list, *w);
        }
        for (size_t i = 0; i < json_len(list); i++) {
                _cleanup_free_ char *text = NULL;

                TRY(expand(c, json_str(json_at(list, i)), &text));
                if (!*text)
                        return err_new(ERR_INVALID, "VOLUME specified can not be an empty string");
                json_set(json_sub_object(c->config, "Volumes"), text, json_new_object());
        }
        return NULL;
}

static err *change_stopsignal(const struct change *c)
{
        _cleanup_free_ char *text = NULL;
        int number;

        TRY(need_argument(c));
        TRY(expand(c, c->rest, &text));
        if (parse_signal(text, &number) < 0)
                return err_new(ERR_INVALID, "Invalid signal: %s", text);
        json_set_str(c->config, "StopSignal", text);
        return NULL;
}

static err *change_onbuild(const struct change *c)
{
        TRY(need_argument(c));
        if (strncasecmp(c->rest, "ONBUILD", 7) == 0)
                return err_new(ERR_INVALID, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
        if (strncasecmp(c->rest, "FROM", 4) == 0 || strncasecmp(c->rest, "MAINTAINER", 10) == 0)
                return err_new(ERR_INVALID, "%.*s isn't allowed as an ONBUILD trigger", (int)strcspn(c->rest, " \t"),
                               c->rest);
        json_add_str(json_sub_array(c->config, "OnBuild"), c->rest);
        return NULL;
}

/* --interval=30s and its like; the rest starts at *@rest afterwards. */
static err *health_flags(json *check, const char **rest)
{
        static const struct {
                const char *flag, *key;
        } flags[] = {{"--interval=", "Interval"},
                     {"--timeout=", "Timeout"},
                     {"--start-period=", "StartPeriod"},
                     {"--start-interval=", "StartInterval"},
                     {"--retries=", "Retries"}};

        while (str_starts(*rest, "--")) {
                size_t n = strcspn(*rest, " \t");
                _cleanup_free_ char *word = strndup(*rest, n);
                const char *value = NULL;
                int64_t number;

                if (!word)
                        return err_nomem();
                for (size_t i = 0; i < ARRAY_SIZE(flags) && !value; i++) {
                        value = str_after(word, flags[i].flag);
                        if (!value)
                                continue;
                        if (strcmp(flags[i].key, "Retries") == 0)
                                TRY(parse_int(value, 0, 1000000, &number));
                        else
                                TRY(parse_duration(value, &number));
                        if (number < 0)
                                return err_new(ERR_INVALID, "%s cannot be negative", word);
                        json_set_int(check, flags[i].key, number);
                }
                if (!value)
                        return err_new(ERR_INVALID, "unknown flag: %s", word);
                *rest += n;
                *rest += strspn(*rest, " \t");
        }
        return NULL;
}

static err *change_healthcheck(const struct change *c)
{
        _cleanup_json_ json *check = json_new_object();
        json *test = json_sub_array(check, "Test"), *words;
        const char *rest = c->rest;
        size_t n;

        TRY(need_argument(c));
        TRY(health_flags(check, &rest));
        n = strcspn(rest, " \t");
        if (n == 4 && strncasecmp(rest, "NONE", 4) == 0) {
                if (rest[n])
                        return err_new(ERR_INVALID, "HEALTHCHECK NONE takes no arguments");
                json_add_str(test, "NONE");
        } else if (n == 3 && strncasecmp(rest, "CMD", 3) == 0) {
                rest += n;
                rest += strspn(rest, " \t");
                if (!*rest)
                        return err_new(ERR_INVALID, "Missing command after HEALTHCHECK CMD");
                words = json_words(rest);
                json_add_str(test, words ? "CMD" : "CMD-SHELL");
                for (size_t i = 0; i < json_len(words); i++)
                        json_add_str(test, json_str(json_at(words, i)));
                if (!words)
                        json_add_str(test, rest);
                json_free(words);
        } else {
                return err_new(ERR_INVALID, "Unknown type \"%.*s\" in HEALTHCHECK (try CMD)", (int)n, rest);
        }
        json_set(c->config, "Healthcheck", json_ref(check));
        return NULL;
}

static const struct {
        const char *name;
        err *(*apply)(const struct change *c);
} instructions[] = {
        {"CMD", change_program},     {"ENTRYPOINT", change_program},      {"ENV", change_env},
        {"EXPOSE", change_expose},   {"HEALTHCHECK", change_healthcheck}, {"LABEL", change_label},
        {"ONBUILD", change_onbuild}, {"STOPSIGNAL", change_stopsignal},   {"USER", change_user},
        {"VOLUME", change_volume},   {"WORKDIR", change_workdir},
};

/* Make @config a copy of @from. */
static void replace_members(json *config, const json *from)
{
        JSON_EACH (config, it)
                json_del(config, it.key);
        JSON_EACH (from, it)
                json_set(config, it.key, json_ref(it.value));
}

err *oci_image_change(json *config, const char *change)
{
        _cleanup_json_ json *copy = NULL;
        _cleanup_free_ char *text = NULL;
        struct change c;
        size_t n;

        change += strspn(change, " \t\r\n");
        text = str_dup(change);
        if (!text)
                return err_nomem();
        for (n = strlen(text); n && strchr(" \t\r\n", text[n - 1]); n--)
                text[n - 1] = '\0';
        if (!*text)
                return err_new(ERR_INVALID, "an empty change: expected something like CMD, ENV, ENTRYPOINT, LABEL");
        n = strcspn(text, " \t");
        TRY(json_copy(config, &copy));
        c = (struct change){.config = copy, .before = config, .rest = text + n + strspn(text + n, " \t")};
        for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
                if (strlen(instructions[i].name) != n || strncasecmp(instructions[i].name, text, n) != 0)
                        continue;
                c.name = instructions[i].name;
                TRY(instructions[i].apply(&c));
                replace_members(config, copy);
                return NULL;
        }
        for (size_t i = 0; i < n; i++)
                if (text[i] >= 'a' && text[i] <= 'z')
                        text[i] = (char)(text[i] - 'a' + 'A');
        return err_new(ERR_INVALID, "%.*s is not a valid change command", (int)n, text);
}

err *oci_image_changes(json *config, char *const *changes)
{
        for (; changes && *changes; changes++)
                TRY(oci_image_change(config, *changes));
        return NULL;
}
