/* parse_spec.c - see parse.h: the small languages of run's flags. */
#include "base/parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/resource.h>

/* ---- ulimits ---- */

static const struct {
        const char *name;
        int resource;
} rlimits[] = {
        {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
        {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
        {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
        {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
        {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
        {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
        {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
        {"stack", RLIMIT_STACK},       {"as", RLIMIT_AS},
};

int parse_rlimit(const char *name)
{
        const char *constant = str_after(name, "RLIMIT_");

        for (size_t i = 0; i < ARRAY_SIZE(rlimits); i++)
                if (constant ? strcasecmp(constant, rlimits[i].name) == 0 : strcmp(name, rlimits[i].name) == 0)
                        return rlimits[i].resource;
        return -1;
}

err *parse_ulimit(const char *text, struct parse_ulimit *ret)
{
        const char *eq = strchr(text, '=');
        _cleanup_free_ char *name = NULL;
        _cleanup_strv_ char **values = NULL;
        struct parse_ulimit u = {0};

        if (!eq)
                return err_new(ERR_INVALID, "invalid ulimit argument: %s", text);
        name = strndup(text, (size_t)(eq - text));
        if (!name)
                return err_nomem();
        u.resource = parse_rlimit(name);
        /* docker's command line does not know "as" and the constants. */
        if (u.resource < 0 || u.resource == RLIMIT_AS || strlen(name) >= sizeof(u.name) || str_starts(name, "RLIMIT"))
                return err_new(ERR_INVALID, "invalid ulimit type: %s", name);
        (void)snprintf(u.name, sizeof(u.name), "%s", name);
        TRY(strv_split(eq + 1, ':', &values));
        if (strv_len(values) > 2)
                return err_new(ERR_INVALID,
                               "too many limit value arguments - %s, can only have up to two, `soft[:hard]`", eq + 1);
        if (values[1])
                TRY(parse_int(values[1], INT64_MIN, INT64_MAX, &u.hard));
        TRY(parse_int(values[0], INT64_MIN, INT64_MAX, &u.soft));
        if (!values[1])
                u.hard = u.soft;
        if (u.hard != -1 && u.soft == -1)
                return err_new(
                        ERR_INVALID,
                        "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: "
                        "%lld",
                        (long long)u.hard);
        if (u.hard != -1 && u.soft > u.hard)
                return err_new(ERR_INVALID, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                               (long long)u.soft, (long long)u.hard);
        *ret = u;
        return NULL;
}

/* ---- devices ---- */

void parse_device_done(struct parse_device *d)
{
        free(d->host);
        free(d->container);
        *d = (struct parse_device){0};
}

/* Non-empty, each of r, w and m at most once. */
static bool device_access_valid(const char *text)
{
        unsigned seen = 0;

        for (const char *p = text; *p; p++) {
                unsigned bit = *p == 'r' ? 1 : *p == 'w' ? 2 : *p == 'm' ? 4 : 8;

                if (bit == 8 || seen & bit)
                        return false;
                seen |= bit;
        }
        return seen != 0;
}

err *parse_device(const char *text, struct parse_device *ret)
{
        _cleanup_(parse_device_done) struct parse_device d = {.access = "rwm"};
        _cleanup_strv_ char **parts = NULL;
        const char *container, *access = NULL;
        size_t n;

        TRY(strv_split(text, ':', &parts));
        n = strv_len(parts);
        if (n > 3 || !*parts[0])
                return err_new(ERR_INVALID, "invalid device specification: %s", text);
        container = n > 1 && *parts[1] ? parts[1] : parts[0];
        if (n == 3)
                access = parts[2];
        if (n == 2 && device_access_valid(parts[1])) {
                access = parts[1];
                container = parts[0];
        }
        if (access && !device_access_valid(access))
                return err_new(ERR_INVALID, "bad mode specified: %s", access);
        if (*container != '/')
                return err_new(ERR_INVALID, "%s is not an absolute path", container);
        if (access)
                (void)snprintf(d.access, sizeof(d.access), "%s", access);
        d.host = str_dup(parts[0]);
        d.container = str_dup(container);
        if (!d.host || !d.container)
                return err_nomem();
        *ret = d;
        d = (struct parse_device){0};
        return NULL;
}

void parse_throttle_done(struct parse_throttle *t)
{
        free(t->path);
        *t = (struct parse_throttle){0};
}

/* "PATH:VALUE" with a path below /dev; *@ret_value points into @text. */
static err *device_value(const char *text, char **ret_path, const char **ret_value)
{
        const char *colon = strchr(text, ':');

        if (!colon || colon == text || !colon[1])
                return err_new(ERR_INVALID, "bad format: %s", text);
        if (!str_starts(text, "/dev/"))
                return err_new(ERR_INVALID, "bad format for device path: %s", text);
        *ret_path = strndup(text, (size_t)(colon - text));
        *ret_value = colon + 1;
        return *ret_path ? NULL : err_nomem();
}

err *parse_throttle(const char *text, bool bytes, struct parse_throttle *ret)
{
        _cleanup_free_ char *path = NULL;
        const char *value;
        int64_t size = 0;
        uint64_t rate = 0;
        err *e;

        TRY(device_value(text, &path, &value));
        e = bytes ? parse_size(value, &size) : parse_uint(value, 0, UINT64_MAX, &rate);
        if (e && err_code(e) == ERR_NOMEM)
                return e;
        if (e) {
                err_free(e);
                return err_new(
                        ERR_INVALID,
                        "invalid rate for device: %s. The correct format is <device-path>:<number>%s. Number must "
                        "be a positive integer%s",
                        text, bytes ? "[<unit>]" : "", bytes ? ". Unit is optional and can be kb, mb, or gb" : "");
        }
        *ret = (struct parse_throttle){.path = TAKE_PTR(path), .rate = bytes ? (uint64_t)size : rate};
        return NULL;
}

err *parse_weight_device(const char *text, struct parse_throttle *ret)
{
        _cleanup_free_ char *path = NULL;
        const char *value;
        uint64_t weight;
        err *e;

        TRY(device_value(text, &path, &value));
        e = parse_uint(value, 0, 1000, &weight);
        if (e && err_code(e) == ERR_NOMEM)
                return e;
        if (e || (weight > 0 && weight < 10)) {
                err_free(e);
                return err_new(ERR_INVALID, "invalid weight for device: %s", text);
        }
        *ret = (struct parse_throttle){.path = TAKE_PTR(path), .rate = weight};
        return NULL;
}

/* ---- ports ---- */

void parse_port_done(struct parse_port *p)
{
        free(p->ip);
        *p = (struct parse_port){0};
}

/* "80" or "80-90", 0..65535, not descending. */
static err *port_range(const char *text, uint16_t *first, uint16_t *last)
{
        const char *dash = strchrnul(text, '-');
        _cleanup_free_ char *low = strndup(text, (size_t)(dash - text));
        uint64_t a, b;

        if (!low)
                return err_nomem();
        if (!*text)
                return err_new(ERR_INVALID, "empty string specified for ports");
        TRY(parse_uint(low, 0, UINT16_MAX, &a));
        b = a;
        if (*dash)
                TRY(parse_uint(dash + 1, 0, UINT16_MAX, &b));
        if (b < a)
                return err_new(ERR_INVALID, "invalid range specified for port: %s", text);
        *first = (uint16_t)a;
        *last = (uint16_t)b;
        return NULL;
}

/* Cut "/proto" off @text (modified). */
static err *port_proto(char *text, char proto[8])
{
        char *slash = strchr(text, '/');
        size_t i;

        (void)snprintf(proto, 8, "tcp");
        if (!slash)
                return NULL;
        *slash = '\0';
        if (!slash[1])
                return NULL;
        for (i = 0; slash[1 + i] && i < 7; i++)
                proto[i] = slash[1 + i] >= 'A' && slash[1 + i] <= 'Z' ? (char)(slash[1 + i] + 32) : slash[1 + i];
        proto[i] = '\0';
        if (slash[1 + i] || (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0 && strcmp(proto, "sctp") != 0))
                return err_new(ERR_INVALID, "Invalid proto: %s", slash + 1);
        return NULL;
}

/* Could it be meant as one? */
static bool is_device_name(const char *text)
{
        return strlen(text) < IF_NAMESIZE && isalpha((unsigned char)*text) && !strchr(text, '.');
}

/* The address part of a port specification: "1.2.3.4" or "[::1]"; or the name of a network device that is there. */
static err *port_address(const char *text, char **ret)
{
        size_t n = strlen(text);
        _cleanup_free_ char *ip = NULL;

        if (*text == '[' && text[n - 1] != ']')
                return err_new(ERR_INVALID, "Invalid ip address %s: address %s:: missing ']' in address", text, text);
        if (*text != '[' && strchr(text, ':'))
                return err_new(ERR_INVALID, "Invalid ip address %s: address %s:: too many colons in address", text,
                               text);
        ip = *text == '[' ? strndup(text + 1, n - 2) : strdup(text);
        if (!ip)
                return err_nomem();
        if (*ip && !parse_ip(ip) && (*text == '[' || !if_nametoindex(ip)))
                return err_new(ERR_INVALID, "Invalid ip address: %s%s", ip,
                               is_device_name(ip) ? " (nor has the host a network device of that name)" : "");
        *ret = TAKE_PTR(ip);
        return NULL;
}

/* Replace any error but out of memory. */
static err *say_instead(err *e, const char *fmt, const char *a)
{
        if (!e || err_code(e) == ERR_NOMEM)
                return e;
        err_free(e);
        return err_new(ERR_INVALID, fmt, a);
}

/* What is the option's @name in "target=80,published=8080,protocol=udp"? *@ret stays as it is when it is not there. */
static err *long_option(char *field, char **target, char **published, char **protocol)
{
        char *value = strchr(field, '=');

        if (!value || value == field)
                return err_new(ERR_INVALID, "invalid publish opts format (should be name=value but got '%s')", field);
        *value++ = '\0';
        if (strcmp(field, "target") == 0)
                *target = value;
        else if (strcmp(field, "published") == 0)
                *published = value;
        else if (strcmp(field, "protocol") == 0)
                *protocol = value;
        else if (strcmp(field, "mode") != 0)
                return err_new(ERR_INVALID,
                               "invalid publish opts: unknown field '%s' (target, published, protocol "
                               "and mode=host are known)",
                               field);
        else if (strcmp(value, "host") != 0)
                return err_new(ERR_INVALID, "invalid publish opts: mode=%s needs a swarm (mode=host does not)", value);
        return NULL;
}

/* docker's long form: "target=80,published=8080,protocol=udp". */
static err *parse_long_port(const char *text, struct parse_port *ret)
{
        char *target = (char *)"", *published = (char *)"", *protocol = (char *)"tcp", *field;
        _cleanup_free_ char *copy = strdup(text), *standard = NULL;
        char *rest = copy;

        while (rest && (field = strsep(&rest, ",")))
                TRY(long_option(field, &target, &published, &protocol));
        if (!copy || asprintf(&standard, "%s:%s/%s", published, target, protocol) < 0)
                return err_nomem();
        return strchr(standard, '=') ? err_new(ERR_INVALID, "invalid publish opts: %s", text)
                                     : parse_port(standard, ret);
}

err *parse_port(const char *text, struct parse_port *ret)
{
        _cleanup_(parse_port_done) struct parse_port p = {0};
        _cleanup_free_ char *copy = strdup(text);
        char *container, *host = NULL, *ip = NULL;
        err *proto_error;

        if (strchr(text, '='))
                return parse_long_port(text, ret);
        if (!copy)
                return err_nomem();
        /* From the right: an address may contain colons. */
        container = strrchr(copy, ':');
        if (container) {
                *container++ = '\0';
                host = strrchr(copy, ':');
                if (host) {
                        *host++ = '\0';
                        ip = copy;
                } else {
                        host = copy;
                }
        } else {
                container = copy;
        }
        proto_error = port_proto(container, p.proto);
        if (proto_error && !*container)
                proto_error = err_free(proto_error);
        if (ip && *ip) {
                err *e = port_address(ip, &p.ip);

                if (e) {
                        err_free(proto_error);
                        return e;
                }
        }
        if (proto_error)
                return proto_error;
        if (!*container)
                return err_new(ERR_INVALID, "No port specified: %s<empty>", text);
        TRY(say_instead(port_range(container, &p.first, &p.last), "Invalid containerPort: %s", container));
        if (!p.first)
                return err_new(ERR_INVALID, "Invalid containerPort: %s (ports begin with 1)", container);
        if (host && *host)
                TRY(say_instead(port_range(host, &p.host_first, &p.host_last), "Invalid hostPort: %s", host));
        if (!p.host_first && p.host_last)
                return err_new(ERR_INVALID, "Invalid hostPort: %s (ports begin with 1)", host);
        if (host && *host && p.last - p.first != p.host_last - p.host_first && p.first != p.last)
                return err_new(ERR_INVALID, "Invalid ranges specified for container and host Ports: %s and %s",
                               container, host);
        if (!p.ip && !(p.ip = strdup("")))
                return err_nomem();
        *ret = p;
        p = (struct parse_port){0};
        return NULL;
}

err *parse_expose(const char *text, struct parse_port *ret)
{
        _cleanup_(parse_port_done) struct parse_port p = {0};
        _cleanup_free_ char *copy = strdup(text);
        err *e;

        if (!copy)
                return err_nomem();
        if (strchr(text, ':'))
                return err_new(ERR_INVALID, "invalid port format for --expose: %s", text);
        TRY(port_proto(copy, p.proto));
        e = port_range(copy, &p.first, &p.last);
        if (e) {
                char why[200];

                if (err_code(e) == ERR_NOMEM)
                        return e;
                (void)err_text(e, why, sizeof(why));
                err_free(e);
                return err_new(ERR_INVALID, "invalid range format for --expose: %s, error: %s", copy, why);
        }
        if (!p.first)
                return err_new(ERR_INVALID, "invalid range format for --expose: %s, error: ports begin with 1", copy);
        p.ip = strdup("");
        if (!p.ip)
                return err_nomem();
        *ret = p;
        p = (struct parse_port){0};
        return NULL;
}

/* ---- users ---- */

void parse_user_done(struct parse_user *u)
{
        free(u->user);
        free(u->group);
        *u = (struct parse_user){0};
}

/* -1 for a name, the number otherwise. "-1" and what exceeds 2^31-1 is refused. */
static err *user_number(const char *text, int64_t *ret)
{
        const char *digits = text + (*text == '-');
        uint64_t n;

        if (!*digits || digits[strspn(digits, "0123456789")]) {
                *ret = -1;
                return NULL;
        }
        if (*text == '-' || !parse_u64(digits, &n) || n > INT32_MAX)
                return err_new(ERR_INVALID, "uids and gids must be in range 0-2147483647");
        *ret = (int64_t)n;
        return NULL;
}

err *parse_user(const char *text, struct parse_user *ret)
{
        const char *colon = strchrnul(text, ':');
        _cleanup_(parse_user_done) struct parse_user u = {.gid = -1};

        u.user = strndup(text, (size_t)(colon - text));
        u.group = *colon && colon[1] ? strdup(colon + 1) : NULL;
        if (!u.user || (*colon && colon[1] && !u.group))
                return err_nomem();
        TRY(user_number(u.user, &u.uid));
        if (u.group)
                TRY(user_number(u.group, &u.gid));
        *ret = u;
        u = (struct parse_user){0};
        return NULL;
}

/* ---- addresses ---- */

bool parse_ip(const char *text)
{
        struct in6_addr buf;

        return inet_pton(AF_INET, text, &buf) == 1 || inet_pton(AF_INET6, text, &buf) == 1;
}

err *parse_add_host(const char *text, char **ret)
{
        _cleanup_str_ struct str quoted = {0};
        const char *separator = strchr(text, '='), *value;
        _cleanup_free_ char *name = NULL, *ip = NULL;
        size_t n;

        if (!separator)
                separator = strchr(text, ':');
        name = separator ? strndup(text, (size_t)(separator - text)) : NULL;
        if (separator && !name)
                return err_nomem();
        if (!name || !*name || strchr(name, ':')) {
                parse_quote(&quoted, text);
                TRY(str_done(&quoted));
                return err_new(ERR_INVALID, "bad format for add-host: %s", str_text(&quoted));
        }
        value = separator + 1;
        n = strlen(value);
        if (n > 2 && value[0] == '[' && value[n - 1] == ']')
                ip = strndup(value + 1, n - 2);
        else
                ip = strdup(value);
        if (!ip)
                return err_nomem();
        if (strcmp(ip, "host-gateway") != 0 && !parse_ip(ip)) {
                parse_quote(&quoted, ip);
                TRY(str_done(&quoted));
                return err_new(ERR_INVALID, "invalid IP address in add-host: %s", str_text(&quoted));
        }
        *ret = str_format("%s:%s", name, ip);
        return *ret ? NULL : err_nomem();
}

err *parse_link(const char *text, char **ret_name, char **ret_alias)
{
        _cleanup_strv_ char **parts = NULL;
        _cleanup_free_ char *name = NULL, *alias = NULL;

        if (str_empty(text))
                return err_new(ERR_INVALID, "empty string specified for links");
        TRY(strv_split(text, ':', &parts));
        if (strv_len(parts) > 2 || !*parts[0] || (parts[1] && !*parts[1]))
                return err_new(ERR_INVALID, "bad format for links: %s", text);
        for (const char *p = parts[1] ? parts[1] : ""; *p; p++)
                if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == ',')
                        return err_new(ERR_INVALID, "bad format for links: %s", text);
        name = str_dup(parts[0][0] == '/' ? parts[0] + 1 : parts[0]);
        /* "/name:/from/alias" is how inspect shows it. */
        alias = str_dup(!parts[1] ? name : parts[1][0] == '/' ? strrchr(parts[1], '/') + 1 : parts[1]);
        if (!name || !alias)
                return err_nomem();
        *ret_name = TAKE_PTR(name);
        *ret_alias = TAKE_PTR(alias);
        return NULL;
}

err *parse_mac(const char *text, char ret[18])
{
        char out[18];
        const char *p = text;

        for (unsigned i = 0; i < 6; i++) {
                for (unsigned j = 0; j < 2; j++, p++) {
                        bool hex = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f') || (*p >= 'A' && *p <= 'F');

                        if (!hex)
                                return err_new(ERR_INVALID, "%s is not a valid mac address", text);
                        out[3 * i + j] = *p >= 'A' && *p <= 'F' ? (char)(*p + 32) : *p;
                }
                out[3 * i + 2] = i < 5 ? ':' : '\0';
                if (i == 5 ? *p != '\0' : *p != ':' && *p != '-')
                        return err_new(ERR_INVALID, "%s is not a valid mac address", text);
                p += i < 5;
        }
        if (strchr("13579bdf", out[1]))
                return err_new(ERR_INVALID, "%s is not a valid mac address: it is that of a group (multicast)", text);
        if (str_eq(out, "00:00:00:00:00:00"))
                return err_new(ERR_INVALID, "%s is not a valid mac address: it is nobody's", text);
        memcpy(ret, out, sizeof(out));
        return NULL;
}

/* ---- restart policies ---- */

void parse_restart_done(struct parse_restart *r)
{
        free(r->name);
        *r = (struct parse_restart){0};
}

err *parse_restart(const char *text, struct parse_restart *ret)
{
        static const char *const names[] = {"no", "always", "on-failure", "unless-stopped"};
        const char *colon = strchrnul(text, ':');
        _cleanup_(parse_restart_done) struct parse_restart r = {0};
        bool known = false;

        r.name = *text ? strndup(text, (size_t)(colon - text)) : strdup("no");
        if (!r.name)
                return err_nomem();
        if (*colon && colon == text)
                return err_new(ERR_INVALID, "invalid restart policy format: no policy provided before colon");
        if (*colon && !parse_i64(colon + 1, &r.count))
                return err_new(ERR_INVALID, "invalid restart policy format: maximum retry count must be an integer");
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                known |= strcmp(names[i], r.name) == 0;
        if (!known)
                return err_new(
                        ERR_INVALID,
                        "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', or "
                        "'unless-stopped'",
                        r.name);
        if (*colon && strcmp(r.name, "on-failure") != 0)
                return err_new(ERR_INVALID,
                               "invalid restart policy: maximum retry count can only be used with 'on-failure'");
        if (r.count < 0 || r.count > INT32_MAX)
                return err_new(ERR_INVALID, "invalid restart policy: maximum retry count cannot be negative");
        *ret = r;
        r = (struct parse_restart){0};
        return NULL;
}
