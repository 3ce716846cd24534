/* links.c - see links.h. */
#include "engine/links.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/netfiles.h"
#include "net/network.h"

#define KEY "HodLinks"
#define MARK "linked"

/* ---- creation ---- */

/* When the other starts it looks for those that link to it: most have none. */
static err *leave_mark(const struct container *other)
{
        _cleanup_free_ char *path = str_format("%s/" MARK, other->id);
        _cleanup_close_ int fd = -1;

        if (!path)
                return err_nomem();
        fd = openat(other->engine->rw_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd < 0 ? err_sys(errno, "linking to container %s", other->name) : NULL;
}

static err *create_one(struct engine *e, json *list, const char *text)
{
        _cleanup_container_ struct container *other = NULL;
        _cleanup_free_ char *name = NULL, *alias = NULL;
        const char *mode;
        json *one;

        TRY(parse_link(text, &name, &alias));
        TRY_WRAP(container_find(e, name, &other), "could not get container for %s", name);
        mode = json_get_str_or(container_host_config(other), "NetworkMode", "");
        if (str_eq(mode, "host"))
                return err_new(ERR_INVALID, "conflicting options: host type networking can't be used with links. This "
                                            "would result in undefined behavior");
        TRY(leave_mark(other));
        one = json_new_object();
        json_set_str(one, "Id", other->id);
        json_set_str(one, "Alias", alias);
        json_add(list, one);
        return NULL;
}

err *links_create(struct engine *e, json *record)
{
        json *host = json_get(record, "HostConfig"), *links = json_get(host, "Links");
        const char *mode = json_get_str_or(host, "NetworkMode", "");
        json *networks = json_get(json_get(record, "NetworkSettings"), "Networks");

        if (!json_len(links))
                return NULL;
        if (!str_eq(mode, NETWORK_DEFAULT)) {
                json *settings = json_get(networks, mode);

                if (!json_len(json_get(settings, "Links")))
                        json_set(settings, "Links", json_ref(links));
                json_set(host, "Links", NULL);
                return NULL;
        }
        for (size_t i = 0; i < json_len(links); i++)
                TRY(create_one(e, json_sub_array(record, KEY), json_str(json_at(links, i))));
        return NULL;
}

/* ---- variables ---- */

struct port {
        unsigned number;
        const char *text, *protocol; /* borrowed from the key */
        int length;                  /* of the number's text */
};

/* The lowest first, tcp before others of its number. */
static int by_number(const void *a, const void *b)
{
        const struct port *x = a, *y = b;
        int tcp = !str_eq(x->protocol, "tcp") - !str_eq(y->protocol, "tcp");

        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        return tcp ? tcp : strcmp(x->protocol, y->protocol);
}

static err *ports_of(const struct container *other, struct port **ret, size_t *ret_n)
{
        const json *exposed = json_get(container_config(other), "ExposedPorts");
        _cleanup_free_ struct port *list = MEM_NEW0(struct port, json_len(exposed) + 1);
        size_t n = 0;

        if (!list)
                return err_nomem();
        JSON_EACH (exposed, it) {
                const char *slash = strchrnul(it.key, '/');
                _cleanup_(parse_port_done) struct parse_port p = {0};

                TRY(parse_expose(it.key, &p));
                list[n++] = (struct port){.number = p.first,
                                          .text = it.key,
                                          .protocol = *slash ? slash + 1 : "tcp",
                                          .length = (int)(slash - it.key)};
        }
        if (n)
                qsort(list, n, sizeof(*list), by_number);
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return NULL;
}

static void upper(char *text)
{
        for (; *text; text++)
                *text = *text == '-' ? '_' : (char)toupper((unsigned char)*text);
}

/* ALIAS_PORT_80_TCP=tcp://172.17.0.2:80 and its parts. */
static err *add_port(char ***env, const char *prefix, const char *ip, const struct port *p)
{
        _cleanup_free_ char *protocol = str_dup(p->protocol), *base = NULL;

        if (!protocol)
                return err_nomem();
        upper(protocol);
        base = str_format("%s_PORT_%.*s_%s", prefix, p->length, p->text, protocol);
        if (!base)
                return err_nomem();
        TRY(strv_push(env, str_format("%s=%s://%s:%.*s", base, p->protocol, ip, p->length, p->text)));
        TRY(strv_push(env, str_format("%s_ADDR=%s", base, ip)));
        TRY(strv_push(env, str_format("%s_PORT=%.*s", base, p->length, p->text)));
        return strv_push(env, str_format("%s_PROTO=%s", base, p->protocol));
}

/* Their environment, without what is everybody's. */
static err *add_their_env(char ***env, const char *prefix, const struct container *other)
{
        const json *theirs = json_get(container_config(other), "Env");

        for (size_t i = 0; i < json_len(theirs); i++) {
                const char *entry = json_str(json_at(theirs, i));

                if (entry && strchr(entry, '=') && !str_starts(entry, "HOME=") && !str_starts(entry, "PATH="))
                        TRY(strv_push(env, str_format("%s_ENV_%s", prefix, entry)));
        }
        return NULL;
}

static err *add_env(char ***env, const struct container *c, const struct container *other, const char *alias,
                    const char *ip)
{
        _cleanup_free_ char *prefix = str_dup(alias);
        _cleanup_free_ struct port *ports = NULL;
        size_t n = 0;

        if (!prefix)
                return err_nomem();
        upper(prefix);
        TRY(ports_of(other, &ports, &n));
        if (n)
                TRY(strv_push(env, str_format("%s_PORT=%s://%s:%.*s", prefix, ports[0].protocol, ip, ports[0].length,
                                              ports[0].text)));
        for (size_t i = 0; i < n; i++)
                TRY(add_port(env, prefix, ip, &ports[i]));
        TRY(strv_push(env, str_format("%s_NAME=/%s/%s", prefix, c->name, alias)));
        return add_their_env(env, prefix, other);
}

/* ---- start ---- */

static err *hosts_line(const struct container *other, const char *alias, const char *ip, char **ret)
{
        const char *hostname = json_get_str_or(container_config(other), "Hostname", "");

        *ret = str_format("%s\t%s %s%s%s", ip, alias, hostname, str_eq(alias, other->name) ? "" : " ",
                          str_eq(alias, other->name) ? "" : other->name);
        return *ret ? NULL : err_nomem();
}

static err *start_one(struct container *c, const json *link, char ***env, char ***hosts)
{
        _cleanup_container_ struct container *other = NULL;
        const char *alias = json_get_str_or(link, "Alias", ""), *ip;
        _cleanup_json_ json *now = NULL;
        char *line = NULL;
        err *e = container_find(c->engine, json_get_str_or(link, "Id", ""), &other);

        if (err_code(e) == ERR_NOT_FOUND) { /* removed since: so is the link */
                err_free(e);
                return NULL;
        }
        TRY(e);
        if (!container_is_running(other))
                return err_new(ERR_CONFLICT, "Cannot link to a non running container: /%s AS /%s/%s", other->name,
                               c->name, alias);
        TRY(endpoints_read(other, &now));
        ip = json_get_str(json_get(json_get(now, "Networks"), NETWORK_DEFAULT), "IPAddress");
        if (str_empty(ip))
                return err_new(ERR_CONFLICT, "container %s not attached to default bridge network", other->name);
        TRY(add_env(env, c, other, alias, ip));
        TRY(hosts_line(other, alias, ip, &line));
        return strv_push(hosts, line);
}

err *links_of(struct container *c, char ***env, char ***hosts)
{
        const json *links = json_get(c->record, KEY);

        for (size_t i = 0; i < json_len(links); i++)
                TRY(start_one(c, json_at(links, i), env, hosts));
        return NULL;
}

/* ---- others ---- */

static err *tell_one(const struct container *c, const struct container *from, const char *ip)
{
        _cleanup_close_ int rw = -1;
        const json *links = json_get(from->record, KEY);

        for (size_t i = 0; i < json_len(links); i++) {
                const char *alias = json_get_str_or(json_at(links, i), "Alias", "");
                _cleanup_free_ char *line = NULL;

                if (!str_eq(json_get_str(json_at(links, i), "Id"), c->id))
                        continue;
                if (rw < 0)
                        rw = openat(c->engine->rw_fd, from->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (rw < 0) /* it has just been removed */
                        return NULL;
                TRY(hosts_line(c, alias, ip, &line));
                TRY(netfiles_update_link(rw, alias, line));
        }
        return NULL;
}

err *links_tell(struct container *c, const json *networks)
{
        const char *ip = json_get_str(json_get(networks, NETWORK_DEFAULT), "IPAddress");
        _cleanup_free_ char *path = str_format("%s/" MARK, c->id);
        _cleanup_container_list_ struct container_list list = {0};
        err *first = NULL;

        if (!path)
                return err_nomem();
        if (str_empty(ip) || !file_exists(c->engine->rw_fd, path))
                return NULL;
        TRY(container_list(c->engine, &list));
        for (size_t i = 0; i < list.n; i++) {
                err *e = container_is_alive(list.items[i]) ? tell_one(c, list.items[i], ip) : NULL;

                if (first)
                        err_free(e);
                else
                        first = e;
        }
        return first;
}

/* Without the links called @alias; *@ret_found: was there one? */
static json *without(const json *links, const char *alias, bool *ret_found)
{
        json *rest = json_new_array();

        *ret_found = false;
        for (size_t i = 0; i < json_len(links); i++) {
                json *one = json_at(links, i);

                if (str_eq(json_get_str(one, "Alias"), alias))
                        *ret_found = true;
                else
                        json_add(rest, json_ref(one));
        }
        return rest;
}

static err *remove_locked(struct container *c, const char *alias, const char *path)
{
        _cleanup_close_ int rw = -1;
        bool found;

        json_set(c->record, KEY, without(json_get(c->record, KEY), alias, &found));
        if (!found)
                return err_new(ERR_NOT_FOUND, "No such container: /%s", path);
        TRY(container_save(c));
        rw = openat(c->engine->rw_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return rw >= 0 && container_is_alive(c) ? netfiles_update_link(rw, alias, NULL) : NULL;
}

err *links_remove(struct engine *e, const char *path)
{
        _cleanup_container_ struct container *c = NULL;
        const char *text = *path == '/' ? path + 1 : path, *slash = strrchr(text, '/');
        _cleanup_free_ char *name = slash ? strndup(text, (size_t)(slash - text)) : NULL;
        int lock = -1;
        err *error;

        if (!slash)
                return err_new(ERR_CONFLICT, "Conflict, cannot remove the default link name of the container");
        if (!name)
                return err_nomem();
        error = container_find(e, name, &c);
        if (err_code(error) == ERR_NOT_FOUND) {
                err_free(error);
                return err_new(ERR_NOT_FOUND, "Cannot get parent /%s for link name /%s", name, text);
        }
        TRY(error);
        TRY(container_lock_reload(c, &lock));
        error = remove_locked(c, slash + 1, text);
        container_unlock(c, lock);
        return error;
}

err *links_inspect(const struct container *c, json *doc)
{
        const json *links = json_get(c->record, KEY), *host = json_get(doc, "HostConfig");
        json *shown, *list;

        if (!json_len(links))
                return NULL;
        shown = json_new_object();
        JSON_EACH (host, it)
                json_set(shown, it.key, json_ref(it.value));
        json_del(shown, "Links");
        json_set(doc, "HostConfig", shown);
        list = json_sub_array(shown, "Links");
        for (size_t i = 0; i < json_len(links); i++) {
                _cleanup_container_ struct container *other = NULL;
                _cleanup_free_ char *text = NULL;
                err *e = container_find(c->engine, json_get_str_or(json_at(links, i), "Id", ""), &other);

                if (e) {
                        err_free(e);
                        continue;
                }
                text = str_format("/%s:/%s/%s", other->name, c->name, json_get_str_or(json_at(links, i), "Alias", ""));
                if (!text)
                        return err_nomem();
                json_add_str(list, text);
        }
        return NULL;
}
