/* ports_text.c - published ports as people read them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "engine/ports.h"

/* One line of docker's list: a port of the container, and where it is published. */
struct shown {
        const char *ip;       /* NULL: it is only exposed; borrowed */
        const char *protocol; /* borrowed from the key */
        unsigned port, host_port;
};

/* Neighbours that are published under their own numbers, or not at all. */
struct group {
        const struct shown *first; /* borrowed */
        unsigned last;
};

static unsigned number(const char *text, size_t n)
{
        _cleanup_free_ char *copy = strndup(text, n);
        uint64_t value;

        return copy && parse_u64(copy, &value) && value <= UINT16_MAX ? (unsigned)value : 0;
}

static int by_port(const void *a, const void *b)
{
        const struct shown *x = a, *y = b;
        int r = x->port != y->port ? (x->port < y->port ? -1 : 1) : strcmp(x->ip ? x->ip : "", y->ip ? y->ip : "");

        if (!r)
                r = x->host_port != y->host_port ? (x->host_port < y->host_port ? -1 : 1) : 0;
        return r ? r : strcmp(x->protocol, y->protocol);
}

static int by_key(const void *a, const void *b)
{
        const struct shown *x = a, *y = b;
        int r = x->port == y->port ? strcmp(x->protocol, y->protocol) : 0;

        return r ? r : by_port(a, b);
}

static err *collect(const json *ports, struct shown **ret, size_t *ret_n)
{
        _cleanup_free_ struct shown *list = NULL;
        size_t n = 0;

        JSON_EACH (ports, it) {
                const char *slash = strchrnul(it.key, '/');
                struct shown s = {.protocol = *slash ? slash + 1 : "tcp",
                                  .port = number(it.key, (size_t)(slash - it.key))};

                for (size_t i = 0; i < json_len(it.value) || i == 0; i++) {
                        const json *one = json_at(it.value, i);
                        const char *host_port = json_get_str_or(one, "HostPort", "");

                        s.ip = one ? json_get_str_or(one, "HostIp", "") : NULL;
                        s.host_port = number(host_port, strlen(host_port));
                        if (mem_grow(&list, n, sizeof(*list)) < 0)
                                return err_nomem();
                        list[n++] = s;
                }
        }
        if (n)
                qsort(list, n, sizeof(*list), by_port);
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return NULL;
}

/* "0.0.0.0:80", "[::]:80" */
static void add_host(struct str *s, const char *ip)
{
        bool six = strchr(ip, ':') != NULL;

        str_printf(s, "%s%s%s:", six ? "[" : "", ip, six ? "]" : "");
}

static void add_range(struct str *s, unsigned first, unsigned last)
{
        str_printf(s, first == last ? "%u" : "%u-%u", first, last);
}

static void add_group(struct str *s, const struct group *g)
{
        if (s->len)
                str_add(s, ", ");
        if (g->first->ip) {
                add_host(s, g->first->ip);
                add_range(s, g->first->port, g->last);
                str_add(s, "->");
        }
        add_range(s, g->first->port, g->last);
        str_printf(s, "/%s", g->first->protocol);
}

static bool is_renumbered(const struct shown *p)
{
        return p->ip && p->host_port != p->port;
}

/* One group an address and protocol grows at a time; who does not fit ends it, and begins the next in its place. */
static err *add_groups(struct str *s, const struct shown *list, size_t n)
{
        _cleanup_free_ struct group *groups = MEM_NEW0(struct group, n + 1);
        size_t used = 0;

        if (!groups)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                struct group *g = groups;

                if (is_renumbered(&list[i]))
                        continue;
                while (g < groups + used &&
                       !(str_eq(g->first->ip, list[i].ip) && str_eq(g->first->protocol, list[i].protocol)))
                        g++;
                if (g == groups + used)
                        used++;
                else if (list[i].port > g->last + 1)
                        add_group(s, g);
                else
                        g->last = list[i].port;
                if (g->last != list[i].port)
                        *g = (struct group){&list[i], list[i].port};
        }
        for (size_t i = 0; i < used; i++)
                add_group(s, &groups[i]);
        return NULL;
}

err *ports_text(const json *ports, char **ret)
{
        _cleanup_free_ struct shown *list = NULL;
        _cleanup_str_ struct str s = {0};
        size_t n;

        TRY(collect(ports, &list, &n));
        TRY(add_groups(&s, list, n));
        for (size_t i = 0; i < n; i++) {
                if (!is_renumbered(&list[i]))
                        continue;
                if (s.len)
                        str_add(&s, ", ");
                add_host(&s, list[i].ip);
                str_printf(&s, "%u->%u/%s", list[i].host_port, list[i].port, list[i].protocol);
        }
        return str_take(&s, ret);
}

err *ports_list(const json *ports, const char *key, char ***ret)
{
        _cleanup_free_ struct shown *list = NULL;
        size_t n;

        TRY(collect(ports, &list, &n));
        if (n)
                qsort(list, n, sizeof(*list), by_key);
        for (size_t i = 0; i < n; i++) {
                _cleanup_str_ struct str s = {0};
                char own[24];
                char *line;

                (void)snprintf(own, sizeof(own), "%u/%s", list[i].port, list[i].protocol);
                if (!list[i].ip || (key && !str_eq(key, own)))
                        continue;
                if (!key)
                        str_printf(&s, "%s -> ", own);
                add_host(&s, list[i].ip);
                str_printf(&s, "%u", list[i].host_port);
                TRY(str_take(&s, &line));
                TRY(strv_push(ret, line));
        }
        return NULL;
}
