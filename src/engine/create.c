/* create.c - see create.h. A marker in ROOT/pending, locked while we live, tells the next command what a dead creator
 * left behind: it is removed before anything new is made. */
#include "engine/create.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/endpoints.h"
#include "engine/hostconfig.h"
#include "engine/links.h"
#include "engine/mounts.h"
#include "engine/networks.h"
#include "oci/platform.h"
#include "store/image.h"
#include "store/pending.h"
#include "store/record.h"
#include "store/snapshot.h"

struct draft {
        struct engine *engine;
        char id[ID_LEN + 1];
        json *record;
        struct image *image; /* NULL with --rootfs */
        struct mounts_made made;
        bool snapshot;
        int pending;
};

static void draft_done(struct draft *d)
{
        json_free(d->record);
        image_free(d->image);
        mounts_made_done(&d->made);
        pending_end(d->engine->store, d->id, d->pending);
}

static void draft_undo(struct draft *d)
{
        (void)unlinkat(d->engine->containers_fd, d->id, AT_REMOVEDIR);
        if (d->snapshot)
                log_error_free(LOG_LEVEL_WARN, snapshot_remove(d->engine->store, d->id));
        mounts_undo(d->engine, &d->made);
}

/* An image for another platform than the one asked for is as good as none. */
static err *check_platform(const struct draft *d, const char *name, const char *platform)
{
        char have_text[PLATFORM_TEXT], want_text[PLATFORM_TEXT];
        struct platform want, have;

        TRY_WRAP(platform_parse(platform, &want), "error parsing specified platform");
        if (!platform_read(d->image->config, &have) || platform_rank(&want, &have) >= 0)
                return NULL;
        return err_new(ERR_NOT_FOUND,
                       "image with reference %s was found but its platform (%s) does not match the specified platform "
                       "(%s)",
                       name, platform_text(&have, have_text), platform_text(&want, want_text));
}

static err *find_image(struct draft *d, const json *body, const char *platform)
{
        struct trace_span span = trace_begin(TRACE_IMAGE_RESOLVE);
        const char *rootfs = json_get_str(json_get(body, "HostConfig"), "Rootfs");
        const char *name = json_get_str_or(body, "Image", "");
        struct stat st;

        if (rootfs) {
                if (stat(rootfs, &st) < 0)
                        return err_sys(errno, "--rootfs %s", rootfs);
                if (!S_ISDIR(st.st_mode))
                        return err_new(ERR_INVALID, "--rootfs %s: not a directory", rootfs);
                return NULL;
        }
        TRY(image_find(d->engine->store, name, &d->image));
        if (platform)
                TRY(check_platform(d, name, platform));
        trace_end(&span, 0, name);
        return NULL;
}

static err *set_path(json *record, const char *key, const char *root, const char *id, const char *name)
{
        _cleanup_free_ char *path = str_format("%s/containers/%s/%s", root, id, name);

        if (!path)
                return err_nomem();
        json_set_str(record, key, path);
        return NULL;
}

/* A container that is joined is known by its id: its name may change, and be another's then. */
static err *join_by_id(json *host, const char *key, const struct container *other)
{
        _cleanup_free_ char *mode = str_format("container:%s", other->id);

        if (!mode)
                return err_nomem();
        json_set_str(host, key, mode);
        return NULL;
}

/* The other namespaces. A container that is not there yet is looked for at each start. */
static err *set_joins(struct draft *d, json *host)
{
        static const char *const keys[] = {"PidMode", "IpcMode"};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                const char *ref = str_after(json_get_str_or(host, keys[i], ""), "container:");
                _cleanup_container_ struct container *other = NULL;
                err *error;

                if (!ref)
                        continue;
                error = container_find(d->engine, ref, &other);
                if (error && err_code(error) != ERR_NOT_FOUND)
                        return error;
                err_free(error);
                if (other)
                        TRY(join_by_id(host, keys[i], other));
        }
        return NULL;
}

/* hosts, hostname, resolv.conf: ours, or those of the container whose network is joined. */
static err *set_net_paths(struct draft *d, json *host, const char *name)
{
        static const char *const keys[] = {"ResolvConfPath", "HostnamePath", "HostsPath"};
        static const char *const names[] = {"resolv.conf", "hostname", "hosts"};
        const char *other_ref = str_after(json_get_str_or(host, "NetworkMode", ""), "container:");
        _cleanup_container_ struct container *other = NULL;

        if (other_ref) {
                json *config = json_get(d->record, "Config");

                if (str_eq(other_ref, name))
                        return err_new(ERR_INVALID, "cannot join own network namespace");
                TRY_WRAP(container_find(d->engine, other_ref, &other), "joining network namespace of container");
                json_set_str(config, "Hostname", json_get_str_or(container_config(other), "Hostname", ""));
                TRY(join_by_id(host, "NetworkMode", other));
        }
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                if (other)
                        json_set_str(d->record, keys[i], json_get_str_or(other->record, keys[i], ""));
                else
                        TRY(set_path(d->record, keys[i], d->engine->root, d->id, names[i]));
        }
        return NULL;
}

static err *set_log_path(struct draft *d, const json *host)
{
        const char *type = json_get_str_or(json_get(host, "LogConfig"), "Type", "json-file");
        _cleanup_free_ char *name = str_format("%s-json.log", d->id);

        if (strcmp(type, "none") == 0) {
                json_set_str(d->record, "LogPath", "");
                return NULL;
        }
        if (strcmp(type, "json-file") != 0)
                return err_new(ERR_INVALID,
                               "error looking up logging plugin %s: plugin \"%s\" not found (this version has "
                               "json-file and none)",
                               type, type);
        if (!name)
                return err_nomem();
        return set_path(d->record, "LogPath", d->engine->root, d->id, name);
}

static err *set_program(json *record, const json *config)
{
        _cleanup_strv_ char **argv = NULL;
        json *args;

        TRY(hostconfig_argv(config, &argv));
        json_set_str(record, "Path", argv[0]);
        args = json_sub_array(record, "Args");
        for (char **p = argv + 1; *p; p++)
                json_add_str(args, *p);
        return NULL;
}

/* docker's EndpointSettings of one network, before it has anything. */
static void set_endpoint(json *networks, const char *name, const json *given)
{
        static const char *const nulls[] = {"IPAMConfig", "Links", "Aliases", "DriverOpts", "DNSNames"};
        static const char *const texts[] = {"MacAddress", "NetworkID",   "EndpointID",       "Gateway",
                                            "IPAddress",  "IPv6Gateway", "GlobalIPv6Address"};
        static const char *const numbers[] = {"GwPriority", "IPPrefixLen", "GlobalIPv6PrefixLen"};
        json *settings = json_sub_object(networks, name);

        for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
                json_set(settings, nulls[i], NULL);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                json_set_str(settings, texts[i], "");
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                json_set_int(settings, numbers[i], 0);
        JSON_EACH (given, it)
                json_set(settings, it.key, json_ref(it.value));
}

/* The name of the network that @ref may be the id of; @ref itself when there is none: the start says so. */
static err *name_of(struct engine *e, const char *ref, char **ret)
{
        _cleanup_network_ struct network *n = NULL;
        struct networks *networks;

        if (*ref && !ref[strspn(ref, "0123456789abcdef")]) {
                err *error;

                TRY(networks_of(e, &networks));
                error = network_find(networks, ref, &n);
                if (error && err_code(error) != ERR_NOT_FOUND)
                        return error;
                err_free(error);
        }
        *ret = str_dup(n ? n->name : ref);
        return *ret ? NULL : err_nomem();
}

/* Networks are kept by name. The one of the mode comes first: it is eth0. */
static err *set_networks(struct draft *d, json *host, const json *given)
{
        json *networks = json_sub_object(json_sub_object(d->record, "NetworkSettings"), "Networks");
        const char *mode = json_get_str_or(host, "NetworkMode", "");
        _cleanup_free_ char *first = NULL;

        if (!str_starts(mode, "container:") && !str_starts(mode, "ns:")) {
                TRY(name_of(d->engine, mode, &first));
                set_endpoint(networks, first, json_get(given, mode));
        }
        JSON_EACH (given, it) {
                _cleanup_free_ char *name = NULL;

                if (str_eq(it.key, mode))
                        continue;
                TRY(name_of(d->engine, it.key, &name));
                if (json_has(networks, name)) /* by name and by id */
                        return err_new(ERR_INVALID, "network \"%s\" is specified multiple times", name);
                set_endpoint(networks, name, it.value);
        }
        if (first)
                json_set_str(host, "NetworkMode", first);
        return NULL;
}

/* Its own short id, unless it shares the host's. */
static void set_hostname(const struct draft *d, json *config, const json *host)
{
        char name[65] = "";

        if (!str_empty(json_get_str(config, "Hostname")))
                return;
        if (str_eq(json_get_str(host, "NetworkMode"), "host") || str_eq(json_get_str(host, "UTSMode"), "host"))
                (void)gethostname(name, sizeof(name) - 1);
        else
                (void)snprintf(name, sizeof(name), "%.*s", ID_SHORT, d->id);
        json_set_str(config, "Hostname", name);
}

/* The record in docker's order of members. */
static err *write_record(struct draft *d, const struct create_options *o, const char *name, int64_t now,
                         char ***warnings)
{
        _cleanup_json_ json *config = NULL, *host = NULL;
        _cleanup_free_ char *slashed = str_format("/%s", name);
        const json *image_config = d->image ? json_get(d->image->config, "config") : NULL;
        const json *endpoints = json_get(o->body, "NetworkingConfig");
        const char *driver = "dir";
        char text[CLOCK_TEXT_MAX];

        if (!slashed)
                return err_nomem();
        if (d->image)
                TRY(snapshot_driver_name(d->engine->store, &driver));
        TRY(hostconfig_merge_config(o->body, image_config, &config));
        TRY(hostconfig_complete(json_get(o->body, "HostConfig"), &host));
        TRY(hostconfig_check(config, host, warnings));
        TRY(hostconfig_check_network(o->body, host, warnings));
        set_hostname(d, config, host);
        d->record = json_new_object();
        json_set_str(d->record, "Id", d->id);
        clock_format(now, text);
        json_set_str(d->record, "Created", text);
        TRY(set_program(d->record, config));
        json_set(d->record, "State", NULL); /* its place in the order; filled when shown */
        json_set_str(d->record, "Image", d->image ? d->image->id : "");
        json_set(d->record, "ResolvConfPath", NULL);
        json_set(d->record, "HostnamePath", NULL);
        json_set(d->record, "HostsPath", NULL);
        TRY(set_log_path(d, host));
        json_set_str(d->record, "Name", slashed);
        json_set_int(d->record, "RestartCount", 0);
        json_set_str(d->record, "Driver", driver);
        json_set_str(d->record, "Platform", "linux");
        json_set_str(d->record, "MountLabel", "");
        json_set_str(d->record, "ProcessLabel", "");
        json_set_str(d->record, "AppArmorProfile", "");
        json_set(d->record, "ExecIDs", NULL);
        json_set(d->record, "HostConfig", json_ref(host));
        (void)json_sub_array(d->record, "Mounts");
        json_set(d->record, "Config", json_ref(config));
        TRY(set_networks(d, host, json_get(endpoints, "EndpointsConfig")));
        TRY(endpoints_verify(d->engine, json_path(d->record, "NetworkSettings.Networks")));
        if (o->start_follows)
                json_set_str(d->record, "HodStartedBoot", container_boot_id());
        TRY(links_create(d->engine, d->record));
        TRY(set_joins(d, host));
        return set_net_paths(d, host, name);
}

static err *make_snapshot(struct draft *d)
{
        struct trace_span span = trace_begin(TRACE_SNAPSHOT_PREPARE);
        struct snapshot_options options = {0};
        struct snapshot snap = {0};
        err *e;

        TRY(hostconfig_storage_size(json_get(d->record, "HostConfig"), &options.size));
        d->snapshot = true;
        TRY(snapshot_prepare(d->engine->store, d->id, d->image, &options, &snap));
        e = d->image ? mounts_populate(d->engine, d->record, &snap) : NULL;
        snapshot_done(&snap);
        trace_end(&span, 0, d->id);
        return e;
}

static err *insert(struct draft *d, const struct create_options *o, const char *name, int64_t now)
{
        struct trace_span span = trace_begin(TRACE_CONTAINER_CREATE);
        _cleanup_free_ char *text = NULL;

        TRY(json_print(d->record, JSON_COMPACT, &text));
        TRY(record_insert(d->engine->store, d->id, name, now, !o->volatile_, text));
        trace_end(&span, 0, name);
        return NULL;
}

static err *build(struct draft *d, const struct create_options *o, const char *name, int64_t now, char ***warnings)
{
        TRY(write_record(d, o, name, now, warnings));
        TRY(mounts_resolve(d->engine, d->record, &d->made));
        TRY(make_snapshot(d));
        /* Before the record says "started in this boot": see state_from_record() in container.c. */
        if (o->start_follows && mkdirat(d->engine->containers_fd, d->id, 0700) < 0)
                return err_sys(errno, "making the run directory of container %s", d->id);
        return insert(d, o, name, now);
}

err *create_container(struct engine *e, const struct create_options *o, struct container **ret, char ***warnings)
{
        _cleanup_(draft_done) struct draft d = {.engine = e, .pending = -1};
        _cleanup_container_ struct container *c = NULL;
        _cleanup_free_ char *generated = NULL;
        const char *name = o->name;
        int64_t now = clock_now_ns();
        err *error;
        int r;

        if (!str_empty(name) && !id_name_valid(*name == '/' ? name + 1 : name))
                return err_new(ERR_INVALID, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                               name);
        if (!str_empty(name) && *name == '/')
                name++;
        r = id_new(d.id);
        if (r < 0)
                return err_sys(r, "making an id");
        if (str_empty(name)) {
                TRY(record_make_name(e->store, &generated));
                name = generated;
        } else {
                TRY(record_name_free(e->store, name));
        }
        /* Before the image is looked up: it may have to be alone with the store for a moment. */
        TRY(pending_begin(e->store, d.id, &d.pending));
        d.made.marker = d.pending;
        error = find_image(&d, o->body, o->platform);
        if (o->ret_no_image)
                *o->ret_no_image = error && err_code(error) == ERR_NOT_FOUND;
        TRY(error);
        /* One that is here and lacks a layer: what a registry has under its name need not be the same. */
        if (d.image)
                TRY(image_check_layers(d.image, json_get_str_or(o->body, "Image", ""), o->ret_origin));
        error = build(&d, o, name, now, warnings);
        if (error) {
                draft_undo(&d);
                return error;
        }
        c = MEM_NEW0(struct container, 1);
        if (!c)
                return err_nomem();
        c->engine = e;
        c->state_fd = -1;
        c->id = str_dup(d.id);
        c->name = str_dup(name);
        c->created_ns = now;
        c->durable = !o->volatile_;
        c->record = TAKE_PTR(d.record);
        if (!c->id || !c->name)
                return err_nomem();
        TRY(container_refresh(c));
        *ret = TAKE_PTR(c);
        return NULL;
}
