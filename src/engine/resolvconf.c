/* resolvconf.c - see resolvconf.h. */
#include "engine/resolvconf.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/address.h"
#include "sys/endpoint.h"

#define HOST_FILE_MAX (256 * 1024)
#define PATH_ETC "/etc/resolv.conf"
#define PATH_RESOLVED "/run/systemd/resolve/resolv.conf"
#define STUB "127.0.0.53"
#define SUM "# Sum: "
#define SUM_DIGITS 16

/* What a file says: the last search counts, servers and options add up. */
struct parsed {
        char **servers, **search, **options, **other;
};

static void parsed_done(struct parsed *p)
{
        strv_free(p->servers);
        strv_free(p->search);
        strv_free(p->options);
        strv_free(p->other);
}

static err *words(const char *text, char ***list)
{
        while (*(text += strspn(text, " \t"))) {
                size_t n = strcspn(text, " \t");
                _cleanup_free_ char *word = strndup(text, n);

                if (!word)
                        return err_nomem();
                TRY(strv_add(list, word));
                text += n;
        }
        return NULL;
}

/* The rest after the keyword @key, or NULL. */
static const char *after_key(const char *line, const char *key)
{
        const char *rest = str_after(line, key);

        return rest && (*rest == ' ' || *rest == '\t') ? rest : NULL;
}

static err *parse_line(const char *line, struct parsed *p)
{
        const char *rest;

        line += strspn(line, " \t");
        if (!*line || *line == '#' || *line == ';')
                return NULL;
        if ((rest = after_key(line, "nameserver")))
                return words(rest, &p->servers);
        if ((rest = after_key(line, "options")))
                return words(rest, &p->options);
        if ((rest = after_key(line, "search")) || (rest = after_key(line, "domain"))) {
                strv_free(p->search);
                p->search = NULL;
                return words(rest, &p->search);
        }
        return strv_add(&p->other, line);
}

static err *parse(const char *text, struct parsed *p)
{
        _cleanup_strv_ char **lines = NULL;

        TRY(strv_split(text, '\n', &lines));
        for (char **l = lines; l && *l; l++) {
                (*l)[strcspn(*l, "\r")] = '\0';
                TRY(parse_line(*l, p));
        }
        return NULL;
}

/* ---- the host's ---- */

err *resolvconf_of_host(bool inside, char **ret_text, const char **ret_path)
{
        _cleanup_(parsed_done) struct parsed p = {0};
        _cleanup_free_ char *text = NULL, *real = NULL;

        *ret_path = PATH_ETC;
        if (file_read(AT_FDCWD, PATH_ETC, HOST_FILE_MAX, &text, NULL) < 0)
                text = str_dup(""); /* a host without the file */
        if (!text)
                return err_nomem();
        TRY(parse(text, &p));
        if (inside && strv_len(p.servers) == 1 && str_eq(p.servers[0], STUB) &&
            file_read(AT_FDCWD, PATH_RESOLVED, HOST_FILE_MAX, &real, NULL) >= 0) {
                *ret_path = PATH_RESOLVED;
                *ret_text = TAKE_PTR(real);
                return NULL;
        }
        *ret_text = TAKE_PTR(text);
        return NULL;
}

/* ---- the container's ---- */

/* Can the container reach @server, which is the host's? */
static bool is_usable(const char *server, bool ipv6)
{
        static const unsigned char loopback6[16] = {[15] = 1};
        _cleanup_free_ char *plain = str_dup(server);
        struct link_address a;

        if (!plain)
                return false;
        plain[strcspn(plain, "%")] = '\0'; /* a zone, which is a link of the host */
        if (!endpoint_address_parse(plain, &a))
                return false;
        if (a.family == AF_INET)
                return a.data[0] != 127;
        return ipv6 && memcmp(a.data, loopback6, sizeof(loopback6)) != 0 && str_eq(plain, server);
}

static err *choose_servers(const struct resolvconf *r, const struct parsed *host, struct str *text, bool *ret_default)
{
        static const char *const four[] = {"8.8.8.8", "8.8.4.4"};
        static const char *const six[] = {"2001:4860:4860::8888", "2001:4860:4860::8844"};
        bool any = false;

        *ret_default = false;
        if (r->kind == RESOLVCONF_INTERNAL_SERVER) {
                str_add(text, "nameserver " RESOLVCONF_INTERNAL "\n");
                return NULL;
        }
        if (strv_len(r->dns)) {
                for (char **s = r->dns; *s; s++)
                        str_printf(text, "nameserver %s\n", *s);
                return NULL;
        }
        for (char **s = host->servers; s && *s; s++) {
                if (r->kind == RESOLVCONF_PLAIN && !is_usable(*s, r->ipv6))
                        continue;
                str_printf(text, "nameserver %s\n", *s);
                any = true;
        }
        if (any || r->kind == RESOLVCONF_HOST)
                return NULL;
        *ret_default = true;
        for (size_t i = 0; i < ARRAY_SIZE(four); i++)
                str_printf(text, "nameserver %s\n", four[i]);
        for (size_t i = 0; r->ipv6 && i < ARRAY_SIZE(six); i++)
                str_printf(text, "nameserver %s\n", six[i]);
        return NULL;
}

static void add_words(struct str *text, const char *key, char *const *list)
{
        if (!list || !*list)
                return;
        str_add(text, key);
        for (; *list; list++)
                str_printf(text, " %s", *list);
        str_add_char(text, '\n');
}

static bool has_ndots(char *const *list)
{
        for (; list && *list; list++)
                if (str_starts(*list, "ndots:"))
                        return true;
        return false;
}

static err *add_options(const struct resolvconf *r, const struct parsed *host, struct str *text, const char **ret_ndots)
{
        _cleanup_strv_ char **list = NULL;
        char **from = strv_len(r->options) ? r->options : host->options;

        for (char **o = from; o && *o; o++)
                TRY(strv_add(&list, *o));
        if (has_ndots(list)) {
                *ret_ndots = from == r->options ? "override" : "host";
        } else if (r->kind == RESOLVCONF_INTERNAL_SERVER) {
                /* Names of containers have no dots, and are names nevertheless. */
                TRY(strv_add(&list, "ndots:0"));
                *ret_ndots = "internal";
        }
        add_words(text, "options", list);
        return NULL;
}

static void sum(const char *text, size_t n, char ret[SHA256_HEX + 1])
{
        sha256_hex(text, n, ret);
        ret[SUM_DIGITS] = '\0';
}

static void add_notes(const struct resolvconf *r, struct str *text, bool defaults, const char *ndots)
{
        static const char *const kinds[] = {" (legacy)", "", " (internal resolver)"};

        str_printf(text, "\n# Based on host file: '%s'%s\n", r->path, kinds[r->kind]);
        if (defaults)
                str_add(text, "# Used default nameservers.\n");
        str_printf(text, "# Overrides: [%s%s%s%s%s]\n", strv_len(r->dns) ? "nameservers" : "",
                   strv_len(r->dns) && (strv_len(r->search) || strv_len(r->options)) ? " " : "",
                   strv_len(r->search) ? "search" : "", strv_len(r->search) && strv_len(r->options) ? " " : "",
                   strv_len(r->options) ? "options" : "");
        if (ndots)
                str_printf(text, "# Option ndots from: %s\n", ndots);
}

err *resolvconf_make(const struct resolvconf *r, char **ret)
{
        _cleanup_(parsed_done) struct parsed host = {0};
        _cleanup_str_ struct str text = {0};
        char digits[SHA256_HEX + 1];
        const char *ndots = NULL;
        char **search;
        bool defaults;

        TRY(parse(r->host, &host));
        str_add(&text, "# Generated by hod.\n"
                       "# This file can be edited; hod will not make further changes once it has been modified.\n\n");
        TRY(choose_servers(r, &host, &text, &defaults));
        search = strv_len(r->search) ? r->search : host.search;
        if (!(strv_len(search) == 1 && str_eq(search[0], "."))) /* "none" */
                add_words(&text, "search", search);
        TRY(add_options(r, &host, &text, &ndots));
        for (char **o = host.other; o && *o; o++)
                str_printf(&text, "%s\n", *o);
        add_notes(r, &text, defaults, ndots);
        TRY(str_done(&text));
        sum(str_text(&text), text.len, digits);
        str_printf(&text, SUM "%s\n", digits);
        return str_take(&text, ret);
}

bool resolvconf_is_ours(const char *text)
{
        char digits[SHA256_HEX + 1];
        const char *at = strstr(text, "\n" SUM);

        if (!at)
                return !*text;
        at++;
        sum(text, (size_t)(at - text), digits);
        at += strlen(SUM);
        return strncmp(at, digits, SUM_DIGITS) == 0 && str_eq(at + SUM_DIGITS, "\n");
}
