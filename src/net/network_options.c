/* network_options.c - what may be said with --opt: docker's own options act, or are refused; the rest are notes. */
#include <sys/socket.h>

#include "base/parse.h"
#include "base/str.h"
#include "net/network_private.h"
#include "sys/endpoint.h"

#define PREFIX_MAX 12 /* a number follows */
#define TRUSTED_MAX 16

/* ---- words ---- */

static err *check_bool_option(const json *options, const char *key)
{
        static const char *const known[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                            "0", "f", "F", "false", "FALSE", "False"};
        const char *text = json_get_str(options, key);

        for (size_t i = 0; text && i < ARRAY_SIZE(known); i++)
                if (str_eq(text, known[i]))
                        return NULL;
        if (!text)
                return NULL;
        return err_new(ERR_INVALID, "failed to parse %s value: %s (strconv.ParseBool: parsing \"%s\": invalid syntax)",
                       key, text, text);
}

static err *check_link_name(const char *name, const struct network_list *others)
{
        if (!name)
                return NULL;
        if (!*name || strlen(name) > LINK_NAME_MAX || strpbrk(name, "/ :%\t\n") || str_eq(name, ".") ||
            str_eq(name, ".."))
                return err_new(ERR_INVALID,
                               "'%s' is no name of a network device (1 to %d bytes, no '/', ':', '%%' or space)", name,
                               LINK_NAME_MAX);
        for (size_t i = 0; i < others->n; i++)
                if (str_eq(others->items[i]->driver, "bridge") && str_eq(others->items[i]->link, name))
                        return err_new(ERR_CONFLICT, "network device %s belongs to network %s", name,
                                       others->items[i]->name);
        return NULL;
}

static err *check_mode(const char *driver, const char *what, const char *text, const char *const *known)
{
        for (size_t i = 0; text && known[i]; i++)
                if (str_eq(text, known[i]))
                        return NULL;
        return text ? err_new(ERR_INVALID, "requested %s %s '%s' is not valid, '%s' is the %s driver default", driver,
                              what, text, known[0], driver)
                    : NULL;
}

static err *check_modes(const char *driver, const json *options)
{
        static const char *const macvlan[] = {"bridge", "private", "vepa", "passthru", NULL};
        static const char *const ipvlan[] = {"l2", "l3", "l3s", NULL}, *const flags[] = {"bridge", "private", "vepa",
                                                                                         NULL};
        bool mac = str_eq(driver, "macvlan");

        TRY(check_mode(driver, "mode", json_get_str(options, mac ? "macvlan_mode" : "ipvlan_mode"),
                       mac ? macvlan : ipvlan));
        TRY(check_mode(driver, "mode", json_get_str(options, "mode"), mac ? macvlan : ipvlan));
        return mac ? NULL : check_mode(driver, "flag", json_get_str(options, "ipvlan_flag"), flags);
}

static bool is_passthru(const json *options)
{
        return str_eq(json_get_str(options, "macvlan_mode"), "passthru") ||
               str_eq(json_get_str(options, "mode"), "passthru");
}

/* Several networks may stand on one device, as long as none takes all of it. */
static err *check_parent(const char *driver, const json *options, const struct network_list *others)
{
        const char *parent = json_get_str(options, "parent");

        if (str_eq(parent, "lo"))
                return err_new(ERR_INVALID, "loopback interface is not a valid %s parent link", driver);
        TRY(check_link_name(parent, &(struct network_list){0}));
        for (size_t i = 0; i < others->n; i++)
                if (network_on_parent(others->items[i]) && str_eq(others->items[i]->link, parent) &&
                    (is_passthru(options) || str_eq(others->items[i]->mode, "passthru") ||
                     !str_eq(others->items[i]->driver, driver)))
                        return err_new(ERR_CONFLICT, "network %s is already using parent interface %s",
                                       others->items[i]->name, parent);
        return NULL;
}

/* ---- bridges ---- */

const char *network_options_gateway_mode(const json *options, int family)
{
        return json_get_str_or(options, family == AF_INET ? OPTION_GATEWAY_MODE4 : OPTION_GATEWAY_MODE6, "nat");
}

/* "eth1:eth2" */
static err *check_trusted(const char *text, bool internal)
{
        _cleanup_strv_ char **names = NULL;

        if (!text)
                return NULL;
        if (internal)
                return err_new(ERR_INVALID, OPTION_TRUSTED " has no effect on an internal network");
        TRY(strv_split(text, ':', &names));
        if (strv_len(names) > TRUSTED_MAX)
                return err_new(ERR_INVALID, OPTION_TRUSTED ": more than %d network devices", TRUSTED_MAX);
        for (char **n = names; n && *n; n++)
                TRY(check_link_name(*n, &(struct network_list){0}));
        return NULL;
}

static err *check_gateway_mode(const json *options, const char *key, bool internal)
{
        static const char *const known[] = {"nat", "nat-unprotected", "routed", "isolated"};
        const char *mode = json_get_str(options, key);
        bool found = false;

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                found |= str_eq(mode, known[i]);
        if (mode && !found)
                return err_new(ERR_INVALID, "unknown gateway mode %s", mode);
        if (str_eq(mode, "isolated") && !internal)
                return err_new(ERR_INVALID, "gateway mode 'isolated' can only be used for an internal network");
        return NULL;
}

static err *check_host_binding(const char *text)
{
        struct link_address a;

        if (!text || (endpoint_address_parse(text, &a) && !strchr(text, '/')))
                return NULL;
        return err_new(ERR_INVALID, "failed to parse " OPTION_HOST_BINDING " value: %s (nil ip)", text);
}

static err *check_bridge(const json *doc, const json *options, const struct network_list *others)
{
        bool internal = json_get_bool(doc, "Internal", false);

        TRY(check_host_binding(json_get_str(options, OPTION_HOST_BINDING)));
        TRY(check_gateway_mode(options, OPTION_GATEWAY_MODE4, internal));
        TRY(check_gateway_mode(options, OPTION_GATEWAY_MODE6, internal));
        TRY(check_trusted(json_get_str(options, OPTION_TRUSTED), internal));
        return check_link_name(json_get_str(options, OPTION_BRIDGE_NAME), others);
}

/* ---- all ---- */

/* Whoever sets an option of docker's expects something of it. */
static err *check_known(const char *driver, const json *options)
{
        static const char *const known[] = {OPTION_MTU, OPTION_PREFIX};
        static const char *const bridge[] = {OPTION_BRIDGE_NAME,  OPTION_MASQUERADE,    OPTION_ICC,
                                             OPTION_HOST_BINDING, OPTION_GATEWAY_MODE4, OPTION_GATEWAY_MODE6,
                                             OPTION_INHIBIT_IPV4, OPTION_TRUSTED};

        JSON_EACH (options, it) {
                bool found = !str_starts(it.key, "com.docker.network."), of_bridge = false;

                for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                        found |= str_eq(it.key, known[i]);
                for (size_t i = 0; i < ARRAY_SIZE(bridge); i++)
                        of_bridge |= str_eq(it.key, bridge[i]);
                if (of_bridge && !str_eq(driver, "bridge"))
                        return err_new(ERR_INVALID, "network option %s is for networks of the driver bridge", it.key);
                if (!found && !of_bridge)
                        return err_new(ERR_UNSUPPORTED, "network option %s is not supported", it.key);
        }
        return NULL;
}

static err *check_mtu(const char *mtu)
{
        uint64_t number;

        if (!mtu)
                return NULL;
        if (!parse_u64(mtu, &number))
                return err_new(ERR_INVALID,
                               "failed to parse " OPTION_MTU " value: %s (strconv.Atoi: parsing \"%s\": invalid "
                               "syntax)",
                               mtu, mtu);
        if (number != 0 && (number < 68 || number > 65535))
                return err_new(ERR_INVALID, "invalid MTU %s: it must be 68 to 65535", mtu);
        return NULL;
}

err *network_options_check(const char *driver, const json *doc, const struct network_list *others)
{
        static const char *const flags[] = {OPTION_MASQUERADE, OPTION_ICC, OPTION_GUARD, OPTION_INHIBIT_IPV4};
        const json *options = json_get(doc, "Options");
        const char *prefix = json_get_str(options, OPTION_PREFIX);

        JSON_EACH (options, it)
                if (!json_str(it.value))
                        return err_new(ERR_INVALID, "option %s must be a string", it.key);
        TRY(check_mtu(json_get_str(options, OPTION_MTU)));
        TRY(check_known(driver, options));
        if (prefix && (!*prefix || strlen(prefix) > PREFIX_MAX || strpbrk(prefix, "/ :%,=\t\n")))
                return err_new(ERR_INVALID, "'%s' cannot begin the name of a network device (1 to %d bytes)", prefix,
                               PREFIX_MAX);
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                TRY(check_bool_option(options, flags[i]));
        if (json_has(options, "encrypted")) /* nobody is to believe it */
                return err_new(ERR_UNSUPPORTED, "invalid option encrypted: networks of this host are not encrypted");
        if (str_eq(driver, "bridge"))
                return check_bridge(doc, options, others);
        TRY(check_modes(driver, options));
        return check_parent(driver, options, others);
}

/* The kernel has no IPv6 on a device of less: the network could never be used. */
err *network_options_check_made(const json *doc)
{
        const char *mtu = json_get_str(json_get(doc, "Options"), OPTION_MTU);
        uint64_t number;

        if (json_get_bool(doc, "EnableIPv6", false) && mtu && parse_u64(mtu, &number) && number != 0 && number < 1280)
                return err_new(ERR_INVALID, "invalid MTU %s: IPv6 needs at least 1280", mtu);
        return NULL;
}
