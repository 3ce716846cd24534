/* parse_mount.c - see parse.h: --mount, -v, --tmpfs, and the CSV below --mount. */
#include "base/parse.h"

#include <unistd.h>

/* ---- CSV ---- */

static err *csv_error(const char *start, const char *at, const char *what)
{
        return err_new(ERR_INVALID, "parse error on line 1, column %zu: %s", (size_t)(at - start) + 1, what);
}

/* A field that begins with a quote; *@p stands behind it and is moved behind the closing one. */
static err *csv_quoted(const char *start, const char **p, struct str *field)
{
        const char *s = *p;

        for (;; s++) {
                if (!*s)
                        return csv_error(start, s, "extraneous or missing \" in quoted-field");
                if (*s != '"') {
                        str_add_char(field, *s);
                } else if (s[1] == '"') {
                        str_add_char(field, '"');
                        s++;
                } else if (s[1] == ',' || s[1] == '\0' || s[1] == '\n') {
                        *p = s + 1;
                        return NULL;
                } else {
                        return csv_error(start, s, "extraneous or missing \" in quoted-field");
                }
        }
}

err *parse_csv(const char *text, char ***ret)
{
        _cleanup_strv_ char **fields = NULL;
        const char *p = text;

        if (!text[strspn(text, "\r\n")])
                return err_new(ERR_INVALID, "EOF");
        for (;;) {
                _cleanup_str_ struct str field = {0};
                char *taken;

                if (*p == '"') {
                        p++;
                        TRY(csv_quoted(text, &p, &field));
                } else {
                        for (; *p && *p != ',' && *p != '\n'; p++) {
                                if (*p == '"')
                                        return csv_error(text, p, "bare \" in non-quoted-field");
                                str_add_char(&field, *p);
                        }
                }
                TRY(str_take(&field, &taken));
                TRY(strv_push(&fields, taken));
                /* docker reads one record and drops what follows; silently losing text helps nobody. */
                if (*p == '\n' && p[1])
                        return csv_error(text, p, "a line break outside of quotes");
                if (*p != ',')
                        break;
                p++;
        }
        *ret = TAKE_PTR(fields);
        return NULL;
}

/* ---- --mount ---- */

void parse_mount_done(struct parse_mount *m)
{
        free(m->type);
        free(m->source);
        free(m->target);
        free(m->consistency);
        free(m->propagation);
        free(m->subpath);
        free(m->driver);
        free(m->image_subpath);
        strv_free(m->labels);
        strv_free(m->driver_opts);
        *m = (struct parse_mount){0};
}

static err *set_text(char **at, const char *text, bool lower)
{
        char *copy = strdup(text);

        if (!copy)
                return err_nomem();
        for (char *p = copy; lower && *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char)(*p + 32);
        free(*at);
        *at = copy;
        return NULL;
}

/* Replace any error but out of memory by `invalid value for KEY: VALUE`. */
static err *value_error(err *e, const char *key, const char *value)
{
        if (!e || err_code(e) == ERR_NOMEM)
                return e;
        err_free(e);
        return err_new(ERR_INVALID, "invalid value for %s: %s", key, value);
}

/* A source "." or "./x" is meant from the working directory of the person, not of the engine. */
static err *mount_source(struct parse_mount *m, const char *value)
{
        _cleanup_free_ char *cwd = NULL, *absolute = NULL;

        if (strcmp(value, ".") != 0 && !str_starts(value, "./"))
                return set_text(&m->source, value, false);
        cwd = getcwd(NULL, 0);
        absolute = cwd ? str_format("%s%s%s", cwd, value[1] ? "/" : "", value[1] ? value + 2 : "") : NULL;
        if (!absolute)
                return err_nomem();
        return set_text(&m->source, absolute, false);
}

static err *mount_bind_key(struct parse_mount *m, const char *key, const char *value, bool *known)
{
        m->has_bind = true;
        if (strcmp(key, "bind-propagation") == 0)
                return set_text(&m->propagation, value, true);
        if (strcmp(key, "bind-nonrecursive") == 0)
                return value_error(parse_bool(value, &m->non_recursive), key, value);
        if (strcmp(key, "bind-recursive") == 0) {
                bool enabled = strcmp(value, "enabled") == 0;

                m->non_recursive = strcmp(value, "disabled") == 0;
                m->read_only_non_recursive = strcmp(value, "writable") == 0;
                m->read_only_force_recursive = strcmp(value, "readonly") == 0;
                if (!enabled && !m->non_recursive && !m->read_only_non_recursive && !m->read_only_force_recursive)
                        return err_new(ERR_INVALID,
                                       "invalid value for %s: %s (must be \"enabled\", \"disabled\", \"writable\", or "
                                       "\"readonly\")",
                                       key, value);
                return NULL;
        }
        *known = false;
        return NULL;
}

static err *mount_volume_key(struct parse_mount *m, const char *key, const char *value, bool *known)
{
        m->has_volume = true;
        if (strcmp(key, "volume-subpath") == 0)
                return set_text(&m->subpath, value, false);
        if (strcmp(key, "volume-nocopy") == 0)
                return value_error(parse_bool(value, &m->no_copy), key, value);
        if (strcmp(key, "volume-label") == 0)
                return strv_add(&m->labels, value);
        if (strcmp(key, "volume-driver") == 0)
                return set_text(&m->driver, value, false);
        if (strcmp(key, "volume-opt") == 0)
                return strv_add(&m->driver_opts, value);
        *known = false;
        return NULL;
}

static err *mount_tmpfs_key(struct parse_mount *m, const char *key, const char *value, bool *known)
{
        unsigned mode;

        m->has_tmpfs = true;
        if (strcmp(key, "tmpfs-size") == 0)
                return value_error(parse_size(value, &m->tmpfs_size), key, value);
        if (strcmp(key, "tmpfs-mode") == 0) {
                TRY(value_error(parse_mode(value, &mode), key, value));
                m->tmpfs_mode = mode;
                return NULL;
        }
        *known = false;
        return NULL;
}

static err *mount_key(struct parse_mount *m, const char *key, const char *value, bool *known)
{
        if (strcmp(key, "type") == 0)
                return set_text(&m->type, value, true);
        if (strcmp(key, "source") == 0 || strcmp(key, "src") == 0)
                return mount_source(m, value);
        if (strcmp(key, "target") == 0 || strcmp(key, "dst") == 0 || strcmp(key, "destination") == 0)
                return set_text(&m->target, value, false);
        if (strcmp(key, "readonly") == 0 || strcmp(key, "ro") == 0)
                return value_error(parse_bool(value, &m->read_only), key, value);
        if (strcmp(key, "consistency") == 0)
                return set_text(&m->consistency, value, true);
        if (strcmp(key, "image-subpath") == 0) {
                m->has_image = true;
                return set_text(&m->image_subpath, value, false);
        }
        if (str_starts(key, "bind-"))
                return mount_bind_key(m, key, value, known);
        if (str_starts(key, "volume-"))
                return mount_volume_key(m, key, value, known);
        if (str_starts(key, "tmpfs-"))
                return mount_tmpfs_key(m, key, value, known);
        *known = false;
        return NULL;
}

/* One field: "key=value", or one of the words that stand alone. */
static err *mount_field(struct parse_mount *m, const char *field)
{
        const char *eq = strchrnul(field, '=');
        _cleanup_free_ char *key = strndup(field, (size_t)(eq - field));
        bool known = true;

        if (!key)
                return err_nomem();
        for (char *p = key; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char)(*p + 32);
        if (!*eq) {
                if (strcmp(key, "readonly") == 0 || strcmp(key, "ro") == 0)
                        m->read_only = true;
                else if (strcmp(key, "volume-nocopy") == 0)
                        m->no_copy = m->has_volume = true;
                else if (strcmp(key, "bind-nonrecursive") == 0)
                        m->non_recursive = m->has_bind = true;
                else
                        return err_new(ERR_INVALID, "invalid field '%s' must be a key=value pair", field);
                return NULL;
        }
        TRY(mount_key(m, key, eq + 1, &known));
        if (!known)
                return err_new(ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
        return NULL;
}

static err *mount_check(const struct parse_mount *m)
{
        const struct {
                const char *type;
                bool given;
        } groups[] = {
                {"volume", m->has_volume}, {"bind", m->has_bind}, {"tmpfs", m->has_tmpfs}, {"image", m->has_image}};

        if (!*m->type)
                return err_new(ERR_INVALID, "type is required");
        if (str_empty(m->target))
                return err_new(ERR_INVALID, "target is required");
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                if (groups[i].given && strcmp(groups[i].type, m->type) != 0)
                        return err_new(ERR_INVALID, "cannot mix '%s-*' options with mount type '%s'", groups[i].type,
                                       m->type);
        if ((m->read_only_non_recursive || m->read_only_force_recursive) && !m->read_only)
                return err_new(ERR_INVALID,
                               "option 'bind-recursive=%s' requires 'readonly' to be specified in conjunction",
                               m->read_only_non_recursive ? "writable" : "readonly");
        if (m->read_only_force_recursive && !str_eq(m->propagation, "rprivate"))
                return err_new(ERR_INVALID,
                               "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be "
                               "specified in conjunction");
        return NULL;
}

err *parse_mount(const char *text, struct parse_mount *ret)
{
        _cleanup_(parse_mount_done) struct parse_mount m = {.tmpfs_mode = -1};
        _cleanup_strv_ char **fields = NULL;

        TRY(parse_csv(text, &fields));
        TRY(set_text(&m.type, "volume", false));
        TRY(set_text(&m.source, "", false));
        TRY(set_text(&m.target, "", false));
        for (char **f = fields; *f; f++)
                TRY(mount_field(&m, *f));
        TRY(mount_check(&m));
        *ret = m;
        m = (struct parse_mount){0};
        return NULL;
}

/* ---- -v ---- */

void parse_volume_done(struct parse_volume *v)
{
        free(v->source);
        free(v->target);
        free(v->mode);
        free(v->propagation);
        *v = (struct parse_volume){0};
}

static bool is_one_of(const char *text, const char *const *list)
{
        for (; *list; list++)
                if (strcmp(text, *list) == 0)
                        return true;
        return false;
}

/* The third part: each group of words at most once. */
static err *volume_mode(struct parse_volume *v)
{
        static const char *const propagations[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave", NULL};
        static const char *const consistencies[] = {"consistent", "cached", "delegated", NULL};
        _cleanup_strv_ char **words = NULL;
        bool access = false, consistency = false, bad = false;

        TRY(strv_split(v->mode, ',', &words));
        for (char **w = words; *w; w++) {
                if (strcmp(*w, "ro") == 0 || strcmp(*w, "rw") == 0) {
                        bad |= access;
                        access = true;
                        v->read_only = **w == 'r' && w[0][1] == 'o';
                } else if (strcmp(*w, "z") == 0 || strcmp(*w, "Z") == 0) {
                        bad |= v->relabel != 0;
                        v->relabel = **w;
                } else if (strcmp(*w, "nocopy") == 0) {
                        bad |= v->no_copy;
                        v->no_copy = true;
                } else if (is_one_of(*w, propagations)) {
                        bad |= v->propagation != NULL;
                        TRY(set_text(&v->propagation, *w, false));
                } else if (is_one_of(*w, consistencies)) {
                        bad |= consistency;
                        consistency = true;
                } else {
                        bad = true;
                }
        }
        return bad ? err_new(ERR_INVALID, "invalid mode: %s", v->mode) : NULL;
}

err *parse_volume(const char *text, struct parse_volume *ret)
{
        _cleanup_(parse_volume_done) struct parse_volume v = {0};
        _cleanup_strv_ char **parts = NULL;
        size_t n;

        if (!*text)
                return err_new(ERR_INVALID, "invalid empty volume spec");
        TRY(strv_split(text, ':', &parts));
        n = strv_len(parts);
        if (n > 3)
                return err_new(ERR_INVALID, "invalid spec: %s: too many colons", text);
        for (size_t i = 0; i < n; i++)
                if (!*parts[i])
                        return err_new(ERR_INVALID, "invalid spec: %s: empty section between colons", text);
        if (n > 1)
                TRY(set_text(&v.source, parts[0], false));
        TRY(set_text(&v.target, n > 1 ? parts[1] : parts[0], false));
        TRY(set_text(&v.mode, n > 2 ? parts[2] : "", false));
        v.is_bind = v.source && (*v.source == '/' || *v.source == '.' || *v.source == '~');
        if (*v.mode)
                TRY(volume_mode(&v));
        if (*v.target != '/')
                return err_new(
                        ERR_INVALID,
                        "invalid volume specification: '%s': invalid mount config for type \"%s\": invalid mount "
                        "path: '%s' mount path must be absolute",
                        text, v.is_bind ? "bind" : "volume", v.target);
        if (!v.target[strspn(v.target, "/")])
                return err_new(ERR_INVALID,
                               "invalid volume specification: '%s': invalid mount config for type \"%s\": invalid "
                               "specification: destination can't be '/'",
                               text, v.is_bind ? "bind" : "volume");
        *ret = v;
        v = (struct parse_volume){0};
        return NULL;
}

err *parse_tmpfs(const char *text, char **ret_path, char **ret_options)
{
        const char *colon = strchrnul(text, ':');
        _cleanup_free_ char *path = strndup(text, (size_t)(colon - text)), *options = strdup(*colon ? colon + 1 : "");

        if (!path || !options)
                return err_nomem();
        if (*path != '/')
                return err_new(ERR_INVALID, "invalid mount path: '%s' mount path must be absolute", path);
        if (!path[strspn(path, "/")])
                return err_new(ERR_INVALID, "invalid specification: destination can't be '/'");
        *ret_path = TAKE_PTR(path);
        *ret_options = TAKE_PTR(options);
        return NULL;
}
