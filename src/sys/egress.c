/* egress.c - see egress.h: the rules as text. What the kernel makes of them is in egress_table.c. */
#include "sys/egress.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/parse.h"
#include "base/str.h"

#define NAME_MAX_ 253
#define LABEL_MAX 63

void egress_done(struct egress *e)
{
        for (size_t i = 0; i < e->n; i++)
                free(e->rules[i].name);
        free(e->rules);
        *e = (struct egress){0};
}

/* ---- reading ---- */

static const struct {
        const char *name;
        uint8_t number;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}, {"icmp", IPPROTO_ICMP}};

static err *bad(const char *rule, const char *why)
{
        return err_new(ERR_INVALID, "invalid egress rule '%s': %s", rule, why);
}

static bool is_alpha(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Cut "/tcp" off; "/8" is a prefix and stays. */
static err *cut_protocol(const char *rule, char *text, struct egress_rule *r)
{
        char *slash = strrchr(text, '/');

        if (!slash || !is_alpha(slash[1]))
                return NULL;
        *slash++ = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
                if (str_eq(slash, protocols[i].name)) {
                        r->protocol = protocols[i].number;
                        return NULL;
                }
        return bad(rule, "the protocol must be tcp, udp, sctp or icmp");
}

static err *read_ports(const char *rule, char *text, struct egress_rule *r)
{
        char *dash = strchr(text, '-');
        uint64_t first, last;

        if (dash)
                *dash++ = '\0';
        if (!parse_u64(text, &first) || !parse_u64(dash ? dash : text, &last) || !first || first > last ||
            last > UINT16_MAX)
                return bad(rule, "a port must be a number from 1 to 65535, or a range of them");
        if (r->protocol == IPPROTO_ICMP)
                return bad(rule, "icmp has no ports");
        r->first = (uint16_t)first;
        r->last = (uint16_t)last;
        return NULL;
}

/* Host bits that are set are somebody's mistake. */
static bool is_network(const struct link_address *a)
{
        size_t size = a->family == AF_INET ? 4 : 16;

        for (size_t i = a->prefix / 8u; i < size; i++)
                if (a->data[i] & (i == a->prefix / 8u ? 0xffu >> a->prefix % 8 : 0xffu))
                        return false;
        return true;
}

/* Letters, digits, '-', '_' in labels; the first label may be "*", the last not a number: that is a broken address. */
static bool is_name(const char *text)
{
        const char *last = text, *p = text;

        if (strncmp(p, "*.", 2) == 0)
                p += 2;
        if (!*p || strlen(text) > NAME_MAX_)
                return false;
        while (*p) {
                size_t n = strcspn(p, ".");

                if (!n || n > LABEL_MAX || p[0] == '-')
                        return false;
                for (size_t i = 0; i < n; i++)
                        if (!is_alpha(p[i]) && !(p[i] >= '0' && p[i] <= '9') && p[i] != '-' && p[i] != '_')
                                return false;
                last = p;
                p += n;
                if (*p && !*++p)
                        return false;
        }
        return last[strspn(last, "0123456789")] != '\0';
}

static err *read_target(const char *rule, char *text, struct egress_rule *r)
{
        size_t n = strlen(text);

        if (str_eq(text, "*"))
                return NULL;
        if (endpoint_address_parse(text, &r->to))
                return is_network(&r->to) ? NULL : bad(rule, "the address has bits set beyond its prefix");
        if (strchr(text, '/') || strchr(text, ':'))
                return bad(rule, "the address is not valid");
        if (n > 1 && text[n - 1] == '.')
                text[n - 1] = '\0';
        if (!is_name(text))
                return bad(rule, "the target must be *, an address, a prefix or a name");
        r->name = str_dup(text);
        if (!r->name)
                return err_nomem();
        for (char *c = r->name; *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                        *c = (char)(*c + 'a' - 'A');
        return NULL;
}

/* TARGET[:PORT], where the target may be an IPv6 address, alone or in brackets. */
static err *read_rest(const char *rule, char *text, struct egress_rule *r)
{
        struct link_address whole;
        char *port;

        TRY(cut_protocol(rule, text, r));
        if (*text == '[') {
                char *end = strchr(text, ']');

                if (!end || (end[1] && end[1] != ':') || !memchr(text, ':', (size_t)(end - text)))
                        return bad(rule, "the address is not valid");
                port = end[1] ? end + 2 : NULL;
                *end = '\0';
                text++;
        } else {
                port = endpoint_address_parse(text, &whole) ? NULL : strrchr(text, ':');
                if (port)
                        *port++ = '\0';
                if (port && strchr(text, ':'))
                        return bad(rule, "an IPv6 address with a port must be in brackets");
        }
        if (port)
                TRY(read_ports(rule, port, r));
        return read_target(rule, text, r);
}

static err *read_rule(const char *rule, struct egress_rule *r)
{
        const char *allow = str_after(rule, "allow="), *deny = str_after(rule, "deny=");
        _cleanup_free_ char *rest = str_dup(allow ? allow : deny);

        if (!allow && !deny)
                return bad(rule, "it must be allow=TARGET or deny=TARGET");
        if (!rest)
                return err_nomem();
        r->allow = allow;
        return read_rest(rule, rest, r);
}

static bool is_everything(const struct egress_rule *r)
{
        return !r->to.family && !r->name && !r->protocol && !r->first;
}

static err *add_list(struct egress *e, const char *list)
{
        _cleanup_strv_ char **words = NULL;

        TRY(strv_split(list, ',', &words));
        for (char **w = words; *w; w++) {
                if (e->n == EGRESS_RULES_MAX)
                        return err_new(ERR_INVALID, "more than %d egress rules", EGRESS_RULES_MAX);
                if (e->n && is_everything(&e->rules[e->n - 1]))
                        return bad(*w, "it comes after a rule for everything (*), which must be the last");
                TRY(read_rule(*w, &e->rules[e->n++]));
        }
        return NULL;
}

err *egress_parse(char *const *lists, struct egress *ret)
{
        _cleanup_egress_ struct egress e = {0};

        if (lists && *lists) {
                e.rules = MEM_NEW0(struct egress_rule, EGRESS_RULES_MAX);
                if (!e.rules)
                        return err_nomem();
        }
        for (; lists && *lists; lists++)
                TRY(add_list(&e, *lists));
        if (e.n && !is_everything(&e.rules[e.n - 1]))
                return err_new(ERR_INVALID,
                               "invalid egress rules: the last one must be allow=* or deny=*, which says what "
                               "happens to everything else");
        *ret = e;
        e = (struct egress){0};
        return NULL;
}

err *egress_format(const struct egress_rule *r, char **ret)
{
        char text[ENDPOINT_ADDRESS_MAX] = "";
        _cleanup_str_ struct str s = {0};
        bool brackets = r->to.family == AF_INET6 && r->first;

        str_add(&s, r->allow ? "allow=" : "deny=");
        if (r->to.family)
                str_printf(&s, "%s%s%s", brackets ? "[" : "",
                           endpoint_address_text(&r->to, r->to.prefix != (r->to.family == AF_INET ? 32 : 128), text),
                           brackets ? "]" : "");
        else
                str_add(&s, r->name ? r->name : "*");
        if (r->first)
                str_printf(&s, ":%u", r->first);
        if (r->first != r->last)
                str_printf(&s, "-%u", r->last);
        for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
                if (r->protocol == protocols[i].number)
                        str_printf(&s, "/%s", protocols[i].name);
        return str_take(&s, ret);
}

/* ---- asking ---- */

bool egress_has_names(const struct egress *e)
{
        for (size_t i = 0; i < e->n; i++)
                if (e->rules[i].name)
                        return true;
        return false;
}

bool egress_name_fits(const char *rule, const char *name)
{
        size_t n = strlen(name), size = strlen(rule);

        if (n && name[n - 1] == '.')
                n--;
        if (rule[0] != '*')
                return n == size && strncasecmp(rule, name, n) == 0;
        /* "*.example.org": something, then ".example.org" */
        return n > size - 1 && strncasecmp(rule + 1, name + n - (size - 1), size - 1) == 0;
}
