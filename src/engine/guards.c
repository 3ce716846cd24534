/* guards.c - see guards.h. */
#include "engine/guards.h"

#include <strings.h>

#include "base/str.h"
#include "engine/endpoints_private.h"
#include "net/guard.h"

#define MEMBER "HodGuard" /* "strict gateway gateway", IPv4 and IPv6, "-" = none */

/* May it configure its network? */
static bool is_loose(const struct container *c)
{
        const json *host = container_host_config(c), *add = json_get(host, "CapAdd");

        if (json_get_bool(host, "Privileged", false))
                return true;
        for (size_t i = 0; i < json_len(add); i++) {
                const char *name = json_str(json_at(add, i)) ? json_str(json_at(add, i)) : "";

                if (strncasecmp(name, "CAP_", 4) == 0)
                        name += 4;
                if (strcasecmp(name, "ALL") == 0 || strcasecmp(name, "NET_ADMIN") == 0)
                        return true;
        }
        return false;
}

err *guards_note(json *entry, const struct container *c, const struct network *n)
{
        char four[ENDPOINT_ADDRESS_MAX], six[ENDPOINT_ADDRESS_MAX];
        _cleanup_free_ char *text = NULL;

        if (!str_eq(n->driver, "bridge") || !n->guard)
                return NULL;
        (void)endpoint_address_text(&n->pool[0].gateway, false, four);
        (void)endpoint_address_text(&n->pool[1].gateway, false, six);
        text = str_format("%s %s %s", is_loose(c) ? "loose" : "strict", *four ? four : "-", *six ? six : "-");
        if (!text)
                return err_nomem();
        json_set_str(entry, MEMBER, text);
        return NULL;
}

static err *change(const json *entry, bool add)
{
        const char *text = json_get_str(entry, MEMBER), *line = json_get_str(entry, ENDPOINTS_LINE);
        struct link_address gateway[LINK_ADDRESSES] = {{0}, {0}};
        _cleanup_strv_ char **words = NULL;
        struct endpoint e;
        bool loose;

        if (!text || !line)
                return NULL;
        TRY(strv_split(text, ' ', &words));
        TRY(endpoint_parse(line, &e));
        loose = str_eq(words[0], "loose");
        for (size_t i = 0; i < LINK_ADDRESSES && i + 1 < strv_len(words); i++)
                (void)endpoint_address_parse(words[i + 1], &gateway[i]);
        return add ? guard_add(&e, gateway, loose) : guard_remove(&e, loose);
}

err *guards_add(const json *entry)
{
        return change(entry, true);
}

err *guards_remove(const json *entry)
{
        return change(entry, false);
}
