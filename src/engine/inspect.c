/* inspect.c - see inspect.h. */
#include "engine/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/links.h"
#include "engine/ports.h"
#include "store/snapshot.h"

#define COMMAND_WIDTH 20 /* docker's, in characters */

/* docker's members, all there whatever the network is. */
static json *network_settings(const json *known)
{
        static const char *const texts[] = {"Bridge",      "SandboxID", "SandboxKey",        "LinkLocalIPv6Address",
                                            "EndpointID",  "Gateway",   "GlobalIPv6Address", "IPAddress",
                                            "IPv6Gateway", "MacAddress"};
        static const char *const numbers[] = {"LinkLocalIPv6PrefixLen", "GlobalIPv6PrefixLen", "IPPrefixLen"};
        json *n = json_new_object();

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                json_set_str(n, texts[i], "");
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                json_set_int(n, numbers[i], 0);
        json_set_bool(n, "HairpinMode", false);
        json_set(n, "SecondaryIPAddresses", json_new_null());
        json_set(n, "SecondaryIPv6Addresses", json_new_null());
        (void)json_sub_object(n, "Ports");
        (void)json_sub_object(n, "Networks");
        JSON_EACH (known, it)
                json_set(n, it.key, json_ref(it.value));
        return n;
}

static err *graph_driver(const struct container *c, json **ret)
{
        _cleanup_snapshot_ struct snapshot snap = {0};
        _cleanup_free_ char *lower = NULL;
        json *o = json_new_object(), *data;

        *ret = o;
        data = json_sub_object(o, "Data");
        json_set_str(o, "Name", "dir");
        if (json_get_str(container_host_config(c), "Rootfs"))
                return NULL;
        TRY(snapshot_get(c->engine->store, c->id, json_get_str_or(c->record, "Image", ""), &snap));
        lower = strv_join(snap.lower, ":");
        if (!lower)
                return err_nomem();
        json_set_str(o, "Name", snap.driver);
        json_set_str(data, "LowerDir", lower);
        if (snap.upper)
                json_set_str(data, "UpperDir", snap.upper);
        if (snap.work)
                json_set_str(data, "WorkDir", snap.work);
        return NULL;
}

/* Without what is not docker's. */
static json *shown_ports(const json *list)
{
        json *all = json_new_array();

        for (size_t i = 0; i < json_len(list); i++) {
                json *one = json_new_object();

                json_set_str(one, "HostIp", json_get_str_or(json_at(list, i), "HostIp", ""));
                json_set_str(one, "HostPort", json_get_str_or(json_at(list, i), "HostPort", ""));
                json_add(all, one);
        }
        return all;
}

err *inspect_ports(const struct container *c, json **ret)
{
        _cleanup_json_ json *now = NULL, *ports = json_new_object();
        _cleanup_strv_ char **keys = NULL;
        const char *mode = json_get_str_or(container_host_config(c), "NetworkMode", "");
        const json *published;

        *ret = NULL;
        if (container_is_alive(c) && endpoints_mode_is_network(mode)) {
                err *e = endpoints_read(c, &now);

                if (err_code(e) != ERR_CORRUPT)
                        TRY(e);
                else
                        log_error_free(LOG_LEVEL_WARN, e); /* the rest is shown, and the other containers */
                published = json_get(now, "Ports");
                JSON_EACH (json_get(container_config(c), "ExposedPorts"), it)
                        TRY(strv_add(&keys, it.key));
                JSON_EACH (published, it)
                        if (!strv_contains(keys, it.key))
                                TRY(strv_add(&keys, it.key));
                strv_sort(keys);
                for (char **k = keys; k && *k; k++)
                        json_set(ports, *k, json_get(published, *k) ? shown_ports(json_get(published, *k)) : NULL);
        }
        *ret = TAKE_PTR(ports);
        return NULL;
}

static err *row_ports(const struct container *c, json *row)
{
        _cleanup_json_ json *ports = NULL;
        _cleanup_free_ char *text = NULL;

        TRY(inspect_ports(c, &ports));
        TRY(ports_text(ports, &text));
        json_set_str(row, "Ports", text);
        return NULL;
}

err *inspect_container(const struct container *c, bool size, json **ret)
{
        _cleanup_json_ json *doc = json_new_object();
        json *state, *driver, *settings, *ports;

        TRY(container_state_json(c, &state));
        JSON_EACH (c->record, it) {
                if (str_starts(it.key, "Hod"))
                        continue;
                json_set(doc, it.key, strcmp(it.key, "State") == 0 ? TAKE_PTR(state) : json_ref(it.value));
        }
        json_free(state);
        TRY(links_inspect(c, doc));
        settings = network_settings(json_get(c->record, "NetworkSettings"));
        json_set(doc, "NetworkSettings", settings);
        TRY(endpoints_inspect(c, settings));
        TRY(inspect_ports(c, &ports));
        json_set(settings, "Ports", ports);
        log_error_free(LOG_LEVEL_DEBUG, graph_driver(c, &driver)); /* being removed: what there is */
        json_set(doc, "GraphDriver", driver);
        if (c->has_status)
                json_set_int(doc, "RestartCount", c->status.restarts);
        if (size) {
                uint64_t rw = 0, all = 0;

                TRY(snapshot_usage(c->engine->store, c->id, json_get_str_or(c->record, "Image", ""), &rw, &all));
                json_set(doc, "SizeRw", json_new_uint(rw));
                json_set(doc, "SizeRootFs", json_new_uint(all));
        }
        *ret = TAKE_PTR(doc);
        return NULL;
}

/* Path and arguments in quotes, as docker shows them; cut to 20 characters with an ellipsis when @trunc. */
static err *command_text(const struct container *c, bool trunc, char **ret)
{
        const json *args = json_get(c->record, "Args");
        _cleanup_str_ struct str s = {0};

        str_add_char(&s, '"');
        str_add(&s, json_get_str_or(c->record, "Path", ""));
        for (size_t i = 0; i < json_len(args); i++) {
                const char *arg = json_str(json_at(args, i));
                bool quote = !*arg || strpbrk(arg, " \t\n\"'");

                str_printf(&s, quote ? " '%s'" : " %s", arg);
        }
        TRY(str_done(&s));
        if (trunc) {
                size_t chars = 0, i = 1;

                while (s.data[i] && chars < COMMAND_WIDTH) {
                        i++;
                        while (((unsigned char)s.data[i] & 0xc0) == 0x80)
                                i++;
                        chars++;
                }
                if (s.data[i]) {
                        /* the last visible character gives way to the ellipsis */
                        do
                                i--;
                        while (((unsigned char)s.data[i] & 0xc0) == 0x80);
                        s.len = i;
                        str_add(&s, "…");
                }
        }
        str_add_char(&s, '"');
        return str_take(&s, ret);
}

static err *labels_text(const json *labels, char **ret)
{
        _cleanup_str_ struct str s = {0};

        JSON_EACH (labels, it)
                str_printf(&s, "%s%s=%s", s.len ? "," : "", it.key, json_str(it.value) ? json_str(it.value) : "");
        return str_take(&s, ret);
}

static err *mounts_text(const json *mounts, bool trunc, char **ret, int *ret_volumes)
{
        _cleanup_str_ struct str s = {0};
        int volumes = 0;

        for (size_t i = 0; i < json_len(mounts); i++) {
                const char *name = json_get_str(json_at(mounts, i), "Name");
                const char *shown = name ? name : json_get_str_or(json_at(mounts, i), "Source", "");

                volumes += name != NULL;
                str_printf(&s, "%s%.*s%s", s.len ? "," : "", trunc && strlen(shown) > 15 ? 14 : (int)strlen(shown),
                           shown, trunc && strlen(shown) > 15 ? "…" : "");
        }
        *ret_volumes = volumes;
        return str_take(&s, ret);
}

static err *networks_text(const json *networks, char **ret)
{
        _cleanup_str_ struct str s = {0};

        JSON_EACH (networks, it)
                str_printf(&s, "%s%s", s.len ? "," : "", it.key);
        return str_take(&s, ret);
}

static void set_taken(json *row, const char *key, char *text)
{
        json_set_str(row, key, text);
        free(text);
}

static err *size_text(const struct container *c, char **ret)
{
        uint64_t rw = 0, all = 0;
        char a[32], b[32];

        TRY(snapshot_usage(c->engine->store, c->id, json_get_str_or(c->record, "Image", ""), &rw, &all));
        parse_size_format(rw, a, sizeof(a));
        parse_size_format(all, b, sizeof(b));
        *ret = str_format("%s (virtual %s)", a, b);
        return *ret ? NULL : err_nomem();
}

err *inspect_ps_row(const struct container *c, bool trunc, bool size, json **ret)
{
        _cleanup_json_ json *row = json_new_object();
        int64_t age = clock_now_ns() - c->created_ns;
        time_t created = (time_t)(c->created_ns / 1000000000);
        char span[64], when[64] = "";
        struct tm tm;
        int volumes;
        char *text;

        if (localtime_r(&created, &tm))
                (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
        TRY(command_text(c, trunc, &text));
        set_taken(row, "Command", text);
        json_set_str(row, "CreatedAt", when);
        text = strndup(c->id, trunc ? ID_SHORT : ID_LEN);
        set_taken(row, "ID", text);
        json_set_str(row, "Image", json_get_str_or(container_config(c), "Image", ""));
        TRY(labels_text(json_get(container_config(c), "Labels"), &text));
        set_taken(row, "Labels", text);
        TRY(mounts_text(json_get(c->record, "Mounts"), trunc, &text, &volumes));
        (void)snprintf(span, sizeof(span), "%d", volumes);
        json_set_str(row, "LocalVolumes", span);
        set_taken(row, "Mounts", text);
        json_set_str(row, "Names", c->name);
        TRY(networks_text(json_path(c->record, "NetworkSettings.Networks"), &text));
        set_taken(row, "Networks", text);
        json_set(row, "Platform", NULL);
        TRY(row_ports(c, row));
        clock_human(age, span, sizeof(span));
        text = str_format("%s ago", span);
        set_taken(row, "RunningFor", text);
        if (size) {
                TRY(size_text(c, &text));
                set_taken(row, "Size", text);
        } else {
                json_set_str(row, "Size", "0B");
        }
        json_set_str(row, "State", status_state_name(c->state));
        TRY(container_status_text(c, &text));
        set_taken(row, "Status", text);
        *ret = TAKE_PTR(row);
        return NULL;
}
