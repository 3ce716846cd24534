/* network_args.c - see network_args.h. */
#include "cli/network_args.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

static bool is_user_defined(const char *network)
{
        static const char *const others[] = {"", "default", "bridge", "none", "host"};

        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (str_eq(network, others[i]))
                        return false;
        return !str_starts(network, "container:") && !str_starts(network, "ns:");
}

/* ---- settings ---- */

static void set_ipam(json *settings, const char *key, const char *text)
{
        if (!str_empty(text))
                json_set_str(json_sub_object(settings, "IPAMConfig"), key, text);
}

static err *set_mac(json *settings, const char *text)
{
        char mac[18];

        if (str_empty(text))
                return NULL;
        TRY(parse_mac(text, mac));
        json_set_str(settings, "MacAddress", mac);
        return NULL;
}

static err *add_driver_opt(json *settings, const char *text)
{
        const char *equals = strchr(text, '=');
        _cleanup_free_ char *key = strndup(text, strcspn(text, "="));

        if (!key)
                return err_nomem();
        if (!equals || !*key)
                return err_new(ERR_INVALID, "invalid key value pair format in driver options: '%s'", text);
        json_set_str(json_sub_object(settings, "DriverOpts"), key, equals + 1);
        return NULL;
}

static err *add_each(json *settings, const char *key, char *const *list)
{
        for (; list && *list; list++) {
                if (!**list)
                        return err_new(ERR_INVALID, "an empty %s", str_eq(key, "Aliases") ? "alias" : "link");
                json_add_str(json_sub_array(settings, key), *list);
        }
        return NULL;
}

static err *add_link_local(json *settings, const char *text)
{
        if (!parse_ip(text))
                return err_new(ERR_INVALID, "invalid link-local IP address: %s", text);
        json_add_str(json_sub_array(json_sub_object(settings, "IPAMConfig"), "LinkLocalIPs"), text);
        return NULL;
}

/* ---- one --network ---- */

static bool is_word(char c)
{
        return isalnum((unsigned char)c) || c == '_';
}

/* Is it key=value[,key=value...]? As docker sees it: a word, '=' and a word somewhere. */
static bool is_long(const char *text)
{
        if (str_starts(text, "container:") || str_starts(text, "ns:")) /* a path may contain anything */
                return false;
        for (const char *p = strchr(text, '='); p; p = strchr(p + 1, '='))
                if (p > text && is_word(p[-1]) && is_word(p[1]))
                        return true;
        return false;
}

static err *set_priority(json *settings, const char *value)
{
        int64_t number;

        if (!parse_i64(value, &number) || number < INT_MIN || number > INT_MAX)
                return err_new(ERR_INVALID, "invalid gw-priority (%s): invalid syntax", value);
        json_set_int(settings, "GwPriority", number);
        return NULL;
}

static err *set_field(const char *key, const char *value, json *settings, char **name)
{
        if (strcasecmp(key, "name") == 0) {
                free(*name);
                *name = str_dup(value);
                return *name ? NULL : err_nomem();
        }
        if (strcasecmp(key, "alias") == 0)
                return add_each(settings, "Aliases", (char *[]){(char *)value, NULL});
        if (strcasecmp(key, "ip") == 0)
                set_ipam(settings, "IPv4Address", value);
        else if (strcasecmp(key, "ip6") == 0)
                set_ipam(settings, "IPv6Address", value);
        else if (strcasecmp(key, "mac-address") == 0)
                return set_mac(settings, value);
        else if (strcasecmp(key, "link-local-ip") == 0)
                return add_link_local(settings, value);
        else if (strcasecmp(key, "driver-opt") == 0)
                return add_driver_opt(settings, value);
        else if (strcasecmp(key, "gw-priority") == 0)
                return set_priority(settings, value);
        else
                return err_new(ERR_INVALID, "invalid field key %s", key);
        return NULL;
}

static err *parse_long(const char *text, char **name, json *settings)
{
        _cleanup_strv_ char **fields = NULL;

        TRY(parse_csv(text, &fields));
        for (char **f = fields; f && *f; f++) {
                char *equals = strchr(*f, '=');

                if (!equals || equals == *f)
                        return err_new(ERR_INVALID, "invalid field %s", *f);
                *equals = '\0';
                TRY(set_field(*f, equals + 1, settings, name));
        }
        return str_empty(*name) ? err_new(ERR_INVALID, "network name/id is not specified") : NULL;
}

/* docker's rules for what only user-defined networks have. */
static err *check_network(const char *name, const json *settings)
{
        static const char *const own[][2] = {{"MacAddress", "mac-address"},
                                             {"IPAMConfig", "ip addresses"},
                                             {"DriverOpts", "driver options"},
                                             {"GwPriority", "gw-priority"}};
        bool shared = str_eq(name, "none") || str_eq(name, "host") || str_starts(name, "container:") ||
                      str_starts(name, "ns:");

        if (json_len(json_get(settings, "Aliases")) && !is_user_defined(name))
                return err_new(ERR_INVALID, "network-scoped aliases are only supported for user-defined networks");
        for (size_t i = 0; shared && i < ARRAY_SIZE(own); i++)
                if (json_has(settings, own[i][0])) /* nothing would come of it */
                        return err_new(ERR_INVALID, "conflicting options: %s and the network mode", own[i][1]);
        return NULL;
}

static err *read_network(const char *text, char **ret_name, json **ret_settings)
{
        _cleanup_json_ json *settings = json_new_object();
        _cleanup_free_ char *name = NULL;

        if (is_long(text))
                TRY_WRAP(parse_long(text, &name, settings), "invalid argument \"%s\" for \"--network\" flag", text);
        else
                name = str_dup(str_empty(text) ? "default" : text);
        if (!name)
                return err_nomem();
        if (str_eq(name, "default")) {
                free(name);
                name = str_dup("bridge");
        }
        *ret_name = TAKE_PTR(name);
        *ret_settings = TAKE_PTR(settings);
        return *ret_name ? NULL : err_nomem();
}

/* ---- run and create ---- */

static err *twice(const char *flag, const char *what)
{
        return err_new(ERR_INVALID, "conflicting options: cannot specify both --%s and per-network %s", flag, what);
}

/* The flags that know no network's name are about the first. */
static err *add_flags(json *settings, const struct create_args *a)
{
        const json *ipam = json_get(settings, "IPAMConfig");

        if (strv_len(a->network_aliases) && json_has(settings, "Aliases"))
                return twice("network-alias", "alias");
        if (!str_empty(a->ip) && json_has(ipam, "IPv4Address"))
                return twice("ip", "IPv4 address");
        if (!str_empty(a->ip6) && json_has(ipam, "IPv6Address"))
                return twice("ip6", "IPv6 address");
        if (!str_empty(a->mac) && json_has(settings, "MacAddress"))
                return twice("mac-address", "MAC address");
        if (strv_len(a->link_local_ips) && json_has(ipam, "LinkLocalIPs"))
                return twice("link-local-ip", "link-local IP addresses");
        set_ipam(settings, "IPv4Address", a->ip);
        set_ipam(settings, "IPv6Address", a->ip6);
        for (char **l = a->link_local_ips; l && *l; l++)
                TRY(add_link_local(settings, *l));
        TRY(set_mac(settings, a->mac));
        return add_each(settings, "Aliases", a->network_aliases);
}

err *network_args_body(json *body, json *host, const struct create_args *a)
{
        static char *const usual[] = {(char *)"bridge", NULL};
        char *const *list = a->networks && a->networks[0] ? a->networks : usual;
        json *all = NULL;

        for (size_t i = 0; list[i]; i++) {
                _cleanup_json_ json *settings = NULL;
                _cleanup_free_ char *name = NULL;

                TRY(read_network(list[i], &name, &settings));
                if (i == 0) {
                        json_set_str(host, "NetworkMode", name);
                        TRY(add_flags(settings, a));
                }
                TRY(check_network(name, settings));
                if (json_has(all, name))
                        return err_new(ERR_INVALID, "network \"%s\" is specified multiple times", name);
                if (!json_len(settings) && !list[1])
                        return NULL;
                all = json_sub_object(json_sub_object(body, "NetworkingConfig"), "EndpointsConfig");
                json_set(all, name, TAKE_PTR(settings));
        }
        return NULL;
}

/* ---- network connect ---- */

err *network_args_settings(const struct network_connect_args *a, json *settings)
{
        /* docker's command line sends these even if they are empty, and inspect shows the difference. */
        (void)json_sub_object(settings, "IPAMConfig");
        (void)json_sub_array(settings, "Aliases");
        (void)json_sub_object(settings, "DriverOpts");
        set_ipam(settings, "IPv4Address", a->ip);
        set_ipam(settings, "IPv6Address", a->ip6);
        for (char **l = a->link_local_ips; l && *l; l++)
                TRY(add_link_local(settings, *l));
        TRY(add_each(settings, "Links", a->links));
        TRY(add_each(settings, "Aliases", a->aliases));
        for (char **o = a->driver_opts; o && *o; o++)
                TRY(add_driver_opt(settings, *o));
        json_set_int(settings, "GwPriority", a->gw_priority);
        return NULL;
}
