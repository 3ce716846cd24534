/* parse_env.c - see parse.h: environment and label entries, their files, and the checks of the option table. */
#include "base/parse.h"

#include "base/utf8.h"

/* ---- variables ---- */

static bool is_space(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}

static err *env_line(const char *name, const char *line, size_t number, char ***list)
{
        const char *eq, *p = line;

        for (uint32_t c; (c = utf8_next(&p));)
                if (c == UTF8_BROKEN)
                        return err_new(ERR_INVALID, "invalid env file (%s): invalid utf8 bytes at line %zu", name,
                                       number);
        while (is_space(*line))
                line++;
        if (!*line || *line == '#')
                return NULL;
        eq = strchrnul(line, '=');
        if (eq == line)
                return err_new(ERR_INVALID, "invalid env file (%s): no variable name on line '%s'", name, line);
        for (p = line; p < eq; p++)
                if (is_space(*p))
                        return err_new(ERR_INVALID, "invalid env file (%s): variable '%.*s' contains whitespaces", name,
                                       (int)(eq - line), line);
        return strv_add(list, line);
}

err *parse_env_file(const char *name, const char *text, char ***ret)
{
        _cleanup_strv_ char **list = MEM_NEW0(char *, 1);
        size_t number = 1;

        if (!list)
                return err_nomem();
        if (str_starts(text, "\357\273\277")) /* byte order mark */
                text += 3;
        for (; *text; number++) {
                size_t size = strcspn(text, "\n");
                _cleanup_free_ char *line = strndup(text, size && text[size - 1] == '\r' ? size - 1 : size);

                if (!line)
                        return err_nomem();
                TRY(env_line(name, line, number, &list));
                text += size + (text[size] == '\n');
        }
        *ret = TAKE_PTR(list);
        return NULL;
}

err *parse_env(const char *text, char *const *environ_, char ***list)
{
        const char *eq = strchrnul(text, '='), *value;
        size_t n = (size_t)(eq - text);
        _cleanup_free_ char *name = NULL, *entry = NULL;

        TRY(parse_check_env(text));
        name = strndup(text, n);
        if (!name)
                return err_nomem();
        value = *eq ? eq + 1 : strv_env(environ_, name);
        if (!value)
                return NULL;
        entry = str_format("%s=%s", name, value);
        if (!entry)
                return err_nomem();
        for (char **e = *list; e && *e; e++)
                if (strncmp(*e, entry, n + 1) == 0) {
                        free(*e);
                        *e = TAKE_PTR(entry);
                        return NULL;
                }
        return strv_push(list, TAKE_PTR(entry));
}

/* ---- checks ---- */

err *parse_check_env(const char *text)
{
        if (!*text || *text == '=')
                return err_new(ERR_INVALID, "invalid environment variable: %s", text);
        return NULL;
}

err *parse_check_label(const char *text)
{
        if (!*text || *text == '=')
                return err_new(ERR_INVALID, "invalid label '%s': empty name", text);
        return NULL;
}

err *parse_check_sysctl(const char *text)
{
        static const char *const allowed[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                              "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                              "kernel.shmmni", "kernel.shm_rmid_forced"};
        const char *eq = strchr(text, '=');

        if (eq && (str_starts(text, "net.") || str_starts(text, "fs.mqueue.")))
                return NULL;
        for (size_t i = 0; eq && i < ARRAY_SIZE(allowed); i++)
                if (strlen(allowed[i]) == (size_t)(eq - text) && str_starts(text, allowed[i]))
                        return NULL;
        return err_new(ERR_INVALID, "sysctl '%s' is not allowed", text);
}

err *parse_check_ulimit(const char *text)
{
        struct parse_ulimit u;

        return parse_ulimit(text, &u);
}

err *parse_check_throttle_bps(const char *text)
{
        _cleanup_(parse_throttle_done) struct parse_throttle t = {0};

        return parse_throttle(text, true, &t);
}

err *parse_check_throttle_iops(const char *text)
{
        _cleanup_(parse_throttle_done) struct parse_throttle t = {0};

        return parse_throttle(text, false, &t);
}

err *parse_check_add_host(const char *text)
{
        _cleanup_free_ char *entry = NULL;

        return parse_add_host(text, &entry);
}

err *parse_check_link(const char *text)
{
        _cleanup_free_ char *name = NULL, *alias = NULL;

        return parse_link(text, &name, &alias);
}

err *parse_check_ip(const char *text)
{
        size_t n = strlen(text), first = strspn(text, " \t");
        _cleanup_free_ char *trimmed = NULL;

        while (n > first && is_space(text[n - 1]))
                n--;
        trimmed = strndup(text + first, n - first);
        if (!trimmed)
                return err_nomem();
        return parse_ip(trimmed) ? NULL : err_new(ERR_INVALID, "IP address is not correctly formatted: %s", text);
}

err *parse_check_dns_search(const char *text)
{
        bool letter = false, good = *text && strlen(text) <= 255;
        char before = '.';

        if (strcmp(text, ".") == 0)
                return NULL;
        for (const char *p = text; *p && good; p++) {
                bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');

                letter |= word && (*p < '0' || *p > '9');
                /* A label begins and ends with a letter or a digit. */
                good = word || (*p == '-' && before != '.') || (*p == '.' && before != '.' && before != '-');
                before = *p;
        }
        if (!good || !letter || before == '-')
                return err_new(ERR_INVALID, "%s is not a valid domain", text);
        return NULL;
}

err *parse_check_mount(const char *text)
{
        _cleanup_(parse_mount_done) struct parse_mount m = {0};

        return parse_mount(text, &m);
}

err *parse_check_filter(const char *text)
{
        return strchr(text, '=') ? NULL : err_new(ERR_INVALID, "bad format of filter (expected name=value)");
}

err *parse_check_attach(const char *text)
{
        if (strcasecmp(text, "stdin") == 0 || strcasecmp(text, "stdout") == 0 || strcasecmp(text, "stderr") == 0)
                return NULL;
        return err_new(ERR_INVALID, "valid streams are STDIN, STDOUT and STDERR");
}
