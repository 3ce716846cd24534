/* info.c - see info.h. */
#include "engine/info.h"

#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "codec/digest.h"
#include "engine/container.h"
#include "engine/networks.h"
#include "net/guard.h"
#include "net/obstacle.h"
#include "oci/reference.h"
#include "store/image.h"
#include "store/snapshot.h"
#include "sys/cgroup.h"

static err *add_counts(struct engine *e, json *doc)
{
        _cleanup_container_list_ struct container_list all = {0};
        _cleanup_image_list_ struct image_list images = {0};
        size_t running = 0, paused = 0;

        TRY(container_list(e, &all));
        for (size_t i = 0; i < all.n; i++) {
                enum status_state state = all.items[i]->state;

                running += state == STATUS_RUNNING || state == STATUS_RESTARTING;
                paused += state == STATUS_PAUSED;
        }
        TRY(image_list(e->store, &images));
        json_set_int(doc, "Containers", (int64_t)all.n);
        json_set_int(doc, "ContainersRunning", (int64_t)running);
        json_set_int(doc, "ContainersPaused", (int64_t)paused);
        json_set_int(doc, "ContainersStopped", (int64_t)(all.n - running - paused));
        json_set_int(doc, "Images", (int64_t)images.n);
        return NULL;
}

static void add_pair(json *list, const char *key, const char *value)
{
        json *pair = json_new_array();

        json_add_str(pair, key);
        json_add_str(pair, value);
        json_add(list, pair);
}

static err *add_driver(struct engine *e, json *doc)
{
        struct snapshot_about about;
        json *status;

        TRY(snapshot_about(e->store, &about));
        json_set_str(doc, "Driver", about.shown);
        status = json_sub_array(doc, "DriverStatus");
        add_pair(status, "Backing Filesystem", about.backing);
        if (about.overlay) {
                /* How hod mounts: see decision 3. */
                add_pair(status, "Supports d_type", "true");
                add_pair(status, "Using metacopy", "false");
                add_pair(status, "Native Overlay Diff", "true");
                add_pair(status, "userxattr", "false");
        }
        add_pair(status, "Chosen", about.why);
        snapshot_about_done(&about);
        return NULL;
}

static void add_strings(json *doc, const char *key, const char *const *list)
{
        json *array = json_sub_array(doc, key);

        for (; *list; list++)
                json_add_str(array, *list);
}

static void add_plugins(json *doc)
{
        json *plugins = json_sub_object(doc, "Plugins");

        add_strings(plugins, "Volume", (const char *const[]){"local", NULL});
        add_strings(plugins, "Network", (const char *const[]){"bridge", "host", "ipvlan", "macvlan", "null", NULL});
        json_set(plugins, "Authorization", NULL);
        add_strings(plugins, "Log", (const char *const[]){"json-file", "none", NULL});
}

static bool has(const struct cgroup_layout *l, enum cgroup_controller c)
{
        return l->of[c] >= 0;
}

/* What limits can do here; docker warns of what is missing. */
static err *add_limits(json *doc, json *warnings)
{
        static const struct {
                const char *member, *warning;
                enum cgroup_controller controller;
        } limits[] = {
                {"MemoryLimit", "No memory limit support", CGROUP_MEMORY},
                {"SwapLimit", NULL, CGROUP_MEMORY},
                {"CpuCfsPeriod", "No cpu cfs period support", CGROUP_CPU},
                {"CpuCfsQuota", "No cpu cfs quota support", CGROUP_CPU},
                {"CPUShares", "No cpu shares support", CGROUP_CPU},
                {"CPUSet", "No cpuset support", CGROUP_CPUSET},
                {"PidsLimit", "No pids limit support", CGROUP_PIDS},
        };
        const struct cgroup_layout *layout;
        char forwarding[4] = "";
        _cleanup_free_ char *text = NULL;

        TRY(cgroup_layout_get(&layout));
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                bool there = has(layout, limits[i].controller);

                json_set_bool(doc, limits[i].member, there);
                if (!there && limits[i].warning)
                        json_add_str(warnings, limits[i].warning);
        }
        if (file_read(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &text, NULL) == 0)
                (void)snprintf(forwarding, sizeof(forwarding), "%.1s", text);
        json_set_bool(doc, "IPv4Forwarding", *forwarding == '1');
        json_set_str(doc, "CgroupVersion", layout->mode == CGROUP_MODE_V2 ? "2" : "1");
        return NULL;
}

/* PRETTY_NAME of os-release, without its quotes. */
static void add_system_name(json *doc)
{
        _cleanup_free_ char *text = NULL, *name = NULL;
        const char *at = NULL;

        if (file_read(AT_FDCWD, "/etc/os-release", 1 << 16, &text, NULL) == 0)
                at = str_starts(text, "PRETTY_NAME=") ? text : strstr(text, "\nPRETTY_NAME=");
        if (at) {
                at = strchr(at, '=') + 1;
                at += *at == '"' || *at == '\'';
                name = strndup(at, strcspn(at, "\"'\n"));
        }
        json_set_str(doc, "OperatingSystem", name ? name : "Linux");
        json_set_str(doc, "OSType", "linux");
}

static void add_machine(json *doc)
{
        struct utsname host = {0};
        struct sysinfo memory = {0};

        (void)uname(&host);
        (void)sysinfo(&memory);
        json_set_str(doc, "KernelVersion", host.release);
        add_system_name(doc);
        json_set_str(doc, "Architecture", host.machine);
        json_set_int(doc, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
        json_set_int(doc, "MemTotal", (int64_t)memory.totalram * memory.mem_unit);
        json_set_str(doc, "Name", host.nodename);
}

/* One for this machine and this ROOT, the same each time; shaped as docker's. */
static void add_id(const struct engine *e, json *doc)
{
        _cleanup_free_ char *machine = NULL, *text = NULL;
        struct digest d;
        const char *hex;

        (void)file_read(AT_FDCWD, "/etc/machine-id", 256, &machine, NULL);
        text = str_format("hod %s %s", machine ? machine : "", e->root);
        if (!text)
                return;
        digest_of(text, strlen(text), &d);
        hex = strchr(d.text, ':') + 1;
        free(text);
        text = str_format("%.8s-%.4s-4%.3s-8%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);
        json_set_str(doc, "ID", text ? text : "");
}

static void add_index(json *indexes, const char *name, bool secure, char *const *mirrors)
{
        json *index = json_sub_object(indexes, name);

        json_set_str(index, "Name", name);
        json_set_strv(index, "Mirrors", mirrors ? mirrors : (char *const[]){NULL});
        json_set_bool(index, "Secure", secure);
        json_set_bool(index, "Official", secure);
}

/* The loopback needs no encryption, as with docker. Files that are read for each registry (certs.d, registries.conf)
 * are not in here. */
static void add_registries(json *doc, const struct info_options *o)
{
        json *config, *cidrs, *indexes;

        json_set_str(doc, "IndexServerAddress", DOCKER_IO_KEY);
        config = json_sub_object(doc, "RegistryConfig");
        indexes = json_sub_object(config, "IndexConfigs");
        cidrs = json_sub_array(config, "InsecureRegistryCIDRs");
        json_add_str(cidrs, "::1/128");
        json_add_str(cidrs, "127.0.0.0/8");
        for (char *const *r = o->insecure; r && *r; r++)
                if (strchr(*r, '/'))
                        json_add_str(cidrs, *r);
                else
                        add_index(indexes, *r, false, NULL);
        add_index(indexes, DOCKER_IO, true, o->mirrors);
        json_set_strv(config, "Mirrors", o->mirrors ? o->mirrors : (char *const[]){NULL});
}

static void add_runtimes(json *doc, const struct engine *e, const char *version)
{
        json_set_str(json_sub_object(json_sub_object(doc, "Runtimes"), "hod"), "path", e->monitor);
        json_set_str(doc, "DefaultRuntime", "hod");
        json_set_str(json_sub_object(doc, "Swarm"), "LocalNodeState", "inactive");
        json_set_bool(doc, "LiveRestoreEnabled", true); /* nothing of hod's must run for containers to */
        json_set_str(doc, "InitBinary", "hod-init");
        json_set_str(doc, "ServerVersion", version);
        add_strings(doc, "SecurityOptions",
                    (const char *const[]){"name=seccomp,profile=builtin", "name=cgroupns", NULL});
}

/* What stands in the way of our bridges. */
static err *add_obstacles(struct engine *e, json *warnings)
{
        _cleanup_network_list_ struct network_list list = {0};
        const char *text = guard_obstacle();
        struct networks *s;

        if (text)
                json_add_str(warnings, text);
        TRY(networks_of(e, &s));
        TRY(network_list(s, &list));
        for (size_t i = 0; i < list.n; i++) {
                _cleanup_strv_ char **found = NULL;

                if (!str_eq(list.items[i]->driver, "bridge"))
                        continue;
                TRY(obstacles_find(list.items[i], &found));
                for (char **at = found; at && *at; at++)
                        json_add_str(warnings, *at);
        }
        return NULL;
}

err *info_document(struct engine *e, const struct info_options *o, json **ret)
{
        _cleanup_json_ json *doc = json_new_object(), *warnings = json_new_array();
        char now[CLOCK_TEXT_MAX];

        add_id(e, doc);
        TRY(add_counts(e, doc));
        TRY(add_driver(e, doc));
        add_plugins(doc);
        TRY(add_limits(doc, warnings));
        TRY(add_obstacles(e, warnings));
        json_set_bool(doc, "OomKillDisable", !str_eq(json_get_str(doc, "CgroupVersion"), "2"));
        json_set_bool(doc, "Debug", false);
        clock_format(clock_now_ns(), now);
        json_set_str(doc, "SystemTime", now);
        json_set_str(doc, "LoggingDriver", "json-file");
        json_set_str(doc, "CgroupDriver", "cgroupfs");
        add_machine(doc);
        add_registries(doc, o);
        json_set_str(doc, "DockerRootDir", e->root);
        json_set_str(doc, "HodStateDir", e->state);
        json_sub_array(doc, "Labels");
        json_set_bool(doc, "ExperimentalBuild", false);
        add_runtimes(doc, e, o->version);
        json_set(doc, "Warnings", json_len(warnings) ? TAKE_PTR(warnings) : NULL);
        *ret = TAKE_PTR(doc);
        return NULL;
}
