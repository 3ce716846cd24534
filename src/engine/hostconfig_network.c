/* hostconfig_network.c - what of names, ports and networks goes together, in docker's words. */
#include <string.h>

#include "base/str.h"
#include "engine/hostconfig.h"

#define NAME_LIMIT 64 /* of the kernel, uname(2) */

/* What is going to be a word of /etc/hosts. */
static err *check_name(const char *what, const char *name)
{
        if (strlen(name) > NAME_LIMIT)
                return err_new(ERR_INVALID, "invalid %s: at most %d characters", what, NAME_LIMIT);
        for (const char *p = name; *p; p++)
                if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
                        return err_new(ERR_INVALID, "invalid %s: it has a space or a control character in it", what);
        return NULL;
}

/* Its words become words of a file, its lines no lines. */
static err *check_lines(const char *what, const json *list)
{
        for (size_t i = 0; i < json_len(list); i++) {
                const char *entry = json_str(json_at(list, i));

                for (const char *p = entry ? entry : ""; *p; p++)
                        if ((unsigned char)*p < ' ' || *p == 0x7f)
                                return err_new(ERR_INVALID,
                                               "bad format for add-host: it has a control character in it");
        }
        return NULL;
}

static bool publishes(const json *host)
{
        return json_len(json_get(host, "PortBindings")) || json_get_bool(host, "PublishAllPorts", false);
}

/* Everything of the network is the other container's. */
static err *check_joined(const json *given, const json *host)
{
        if (!str_empty(json_get_str(given, "Hostname")))
                return err_new(ERR_INVALID, "conflicting options: hostname and the network mode");
        if (!str_empty(json_get_str(given, "Domainname"))) /* docker takes the other container's without a word */
                return err_new(ERR_INVALID, "conflicting options: domainname and the network mode");
        if (json_len(json_get(host, "Links")))
                return err_new(ERR_INVALID, "conflicting options: container type network can't be used with links. "
                                            "This would result in undefined behavior");
        if (json_len(json_get(host, "Dns")) || json_len(json_get(host, "DnsSearch")) ||
            json_len(json_get(host, "DnsOptions")))
                return err_new(ERR_INVALID, "conflicting options: dns and the network mode");
        if (json_len(json_get(host, "ExtraHosts")))
                return err_new(ERR_INVALID, "conflicting options: custom host-to-IP mapping and the network mode");
        if (publishes(host))
                return err_new(ERR_INVALID, "conflicting options: port publishing and the container type network mode");
        if (json_len(json_get(given, "ExposedPorts")))
                return err_new(ERR_INVALID, "conflicting options: port exposing and the container type network mode");
        return NULL;
}

err *hostconfig_check_network(const json *given, const json *host, char ***warnings)
{
        const char *mode = json_get_str_or(host, "NetworkMode", "bridge");
        const char *path = str_after(mode, "ns:");

        TRY(check_name("hostname", json_get_str_or(given, "Hostname", "")));
        TRY(check_name("domainname", json_get_str_or(given, "Domainname", "")));
        TRY(check_lines("add-host", json_get(host, "ExtraHosts")));
        TRY(check_lines("dns-search", json_get(host, "DnsSearch")));
        TRY(check_lines("dns-option", json_get(host, "DnsOptions")));
        if (str_eq(mode, "container:"))
                return err_new(ERR_INVALID, "invalid network mode: invalid container format container:<name|id>");
        if (path && *path != '/')
                return err_new(ERR_INVALID, "invalid network mode: %s: the path of a namespace must be absolute", mode);
        if (str_starts(mode, "container:"))
                return check_joined(given, host);
        if (str_eq(mode, "host") && json_len(json_get(host, "Links")))
                return err_new(ERR_INVALID, "conflicting options: host type networking can't be used with links. This "
                                            "would result in undefined behavior");
        if ((path || str_eq(mode, "none")) && json_len(json_get(host, "Links")))
                return err_new(ERR_INVALID, "conflicting options: links and the network mode %s", path ? "ns" : mode);
        if (publishes(host) && (path || str_eq(mode, "host") || str_eq(mode, "none"))) {
                _cleanup_free_ char *text =
                        str_format("Published ports are discarded when using %s network mode", path ? "ns" : mode);

                return text ? strv_add(warnings, text) : err_nomem();
        }
        return NULL;
}
