/* nameserver_names.c - names and addresses of the container's networks. The list of its networks is network.json, which
 * the engine replaces when that changes; who has which address and names is STATE/networks/<id>, a line an endpoint
 * (net/lease.h), which is read when it is needed: it is never old. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/id.h"
#include "base/str.h"
#include "codec/json.h"
#include "monitor/nameserver.h"

#define NETWORKS_FILE "network.json"
#define NO_NAMES "bridge" /* the default bridge: names are not answered there */
#define LEASES_MAX (16u << 20)
#define FRESH_NS INT64_C(50000000) /* a file changed this short ago may change again without looking different */

/* ---- the container's networks ---- */

bool nameserver_wanted(int dirfd)
{
        _cleanup_json_ json *doc = NULL;
        err *e = json_read(dirfd, NETWORKS_FILE, &doc);

        err_free(e);
        JSON_EACH (json_get(doc, "Networks"), it)
                if (strcmp(it.key, NO_NAMES) != 0)
                        return true;
        return false;
}

static void forget(struct nameserver_names *s)
{
        for (size_t i = 0; i < s->n; i++) {
                free(s->network[i].id);
                free(s->network[i].name);
                strv_free(s->network[i].links);
                free(s->network[i].text);
        }
        free(s->network);
        s->network = NULL;
        s->n = 0;
}

void nameserver_names_done(struct nameserver_names *s)
{
        forget(s);
        *s = (struct nameserver_names){0};
}

void nameserver_names_release(struct nameserver_names *s)
{
        for (size_t i = 0; i < s->n; i++) {
                free(s->network[i].text);
                s->network[i].text = NULL;
        }
}

/* A network whose record cannot be read is taken for one without a way out. */
static bool is_internal(const char *root_dir, const char *id)
{
        _cleanup_free_ char *path = str_format("%s/networks/%s.json", root_dir, id);
        _cleanup_json_ json *doc = NULL;

        if (!path)
                return true;
        err_free(json_read(AT_FDCWD, path, &doc));
        return !doc || json_get_bool(doc, "Internal", false);
}

static err *add_network(struct nameserver_names *s, const char *root_dir, const char *name, const json *settings)
{
        const char *id = json_get_str_or(settings, "NetworkID", "");
        struct nameserver_network *n;

        if (strcmp(name, NO_NAMES) != 0 && !id_valid(id))
                return NULL;
        if (mem_grow(&s->network, s->n, sizeof(*s->network)) < 0)
                return err_nomem();
        n = &s->network[s->n++];
        *n = (struct nameserver_network){.id = str_dup(id), .name = str_dup(name)};
        if (!n->id || !n->name)
                return err_nomem();
        n->internal = strcmp(name, NO_NAMES) != 0 && is_internal(root_dir, id);
        return json_get_strv(settings, "Links", &n->links);
}

static err *read_networks(struct nameserver_names *s, int dirfd, const char *root_dir)
{
        _cleanup_json_ json *doc = NULL;

        TRY(json_read(dirfd, NETWORKS_FILE, &doc));
        JSON_EACH (json_get(doc, "Networks"), it)
                TRY(add_network(s, root_dir, it.key, it.value));
        return NULL;
}

void nameserver_names_refresh(struct nameserver_names *s, int dirfd, const char *root_dir)
{
        struct timespec now;
        struct stat st;
        uint64_t seen[4];
        int64_t age;
        err *e;

        if (fstatat(dirfd, NETWORKS_FILE, &st, 0) < 0)
                return; /* the end is near */
        seen[0] = st.st_ino;
        seen[1] = (uint64_t)st.st_size;
        seen[2] = (uint64_t)st.st_mtim.tv_sec;
        seen[3] = (uint64_t)st.st_mtim.tv_nsec;
        if (s->known && !s->racy && memcmp(seen, s->seen, sizeof(seen)) == 0)
                return;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        age = (now.tv_sec - st.st_mtim.tv_sec) * NAMESERVER_SECOND + (now.tv_nsec - st.st_mtim.tv_nsec);
        forget(s);
        s->racy = age < FRESH_NS;
        memcpy(s->seen, seen, sizeof(seen));
        e = read_networks(s, dirfd, root_dir);
        s->known = !e; /* what is not understood has no names, and is read again */
        err_free(e);
}

bool nameserver_names_outside(const struct nameserver_names *s)
{
        for (size_t i = 0; i < s->n; i++)
                if (!s->network[i].internal)
                        return true;
        return false;
}

/* ---- leases ---- */

static const char *leases(struct nameserver_network *n, int dirfd, size_t *ret_size)
{
        char path[sizeof("../../networks/") + ID_LEN];

        if (strcmp(n->name, NO_NAMES) == 0)
                return NULL;
        if (!n->text) {
                (void)snprintf(path, sizeof(path), "../../networks/%s", n->id);
                if (file_read(dirfd, path, LEASES_MAX, &n->text, &n->size) < 0)
                        return NULL;
        }
        *ret_size = n->size;
        return n->text;
}

enum { FIELD_FOUR = 2, FIELD_SIX = 3, FIELD_NAME = 6, FIELD_NAMES = 7, FIELDS };

/* Where the fields of a line begin. */
static bool split(const char *line, const char *end, const char *field[FIELDS + 1])
{
        const char *p = line;

        for (int i = 0; i < FIELDS; i++) {
                field[i] = p;
                p = i == FIELDS - 1 ? end : memchr(p, ' ', (size_t)(end - p));
                if (!p)
                        return false;
                p++;
        }
        field[FIELDS] = p; /* one behind the separator, as of the others */
        return true;
}

/* Is @name one of those between commas? */
static bool is_called(const char *names, const char *end, const char *name, size_t n)
{
        while (names < end) {
                const char *comma = memchr(names, ',', (size_t)(end - names));
                const char *stop = comma ? comma : end;

                if ((size_t)(stop - names) == n && strncasecmp(names, name, n) == 0)
                        return true;
                names = stop + 1;
        }
        return false;
}

/* Calls @fn for each line until it says stop. */
typedef bool line_fn(void *arg, const char *line, const char *end);
static void each_line(struct nameserver_network *network, int dirfd, line_fn *fn, void *arg)
{
        const char *line, *end;
        size_t size = 0;

        line = leases(network, dirfd, &size);
        for (const char *stop = line + size; line && line < stop; line = end + 1) {
                end = memchr(line, '\n', (size_t)(stop - line));
                if (!end)
                        end = stop;
                if (!fn(arg, line, end))
                        return;
        }
}

struct search {
        const char *name;
        size_t size; /* of the name */
        unsigned family;
        bool exists;
        struct nameserver_match *found;
        size_t n;
};

/* The last field is looked at first: of most lines nothing else matters. */
static bool match(void *arg, const char *line, const char *end)
{
        const char *field[FIELDS + 1], *space = memrchr(line, ' ', (size_t)(end - line));
        struct search *s = arg;

        if (!space || !is_called(space + 1, end, s->name, s->size) || !split(line, end, field))
                return true;
        s->exists = true;
        if (s->family < 2 && *field[FIELD_FOUR + s->family] == '-')
                return true;
        s->found[s->n++] = (struct nameserver_match){{field[FIELD_FOUR], field[FIELD_SIX]}};
        return s->n < NAMESERVER_MATCHES;
}

/* What this container calls somebody of the network: --link target:alias. */
static const char *linked(const struct nameserver_network *network, const char *name, size_t size)
{
        for (char *const *l = network->links; l && *l; l++) {
                const char *alias = strchr(*l, ':');

                if (alias && strlen(alias + 1) == size && strncasecmp(alias + 1, name, size) == 0)
                        return *l;
        }
        return NULL;
}

static void search_network(struct nameserver_network *network, int dirfd, struct search *s)
{
        const char *link = linked(network, s->name, s->size);
        struct search target = *s;

        if (link) {
                target.name = link;
                target.size = strcspn(link, ":");
                each_line(network, dirfd, match, &target);
                s->n = target.n;
                s->exists |= target.exists;
        }
        if (!s->n)
                each_line(network, dirfd, match, s);
}

size_t nameserver_names_find(struct nameserver_names *names, int dirfd, const char *name, unsigned family,
                             bool *ret_exists, struct nameserver_match *ret)
{
        struct search s = {.name = name, .size = strlen(name), .family = family, .found = ret};

        /* "a.b.c": in any network; then "a.b" in the network c, "a" in b.c. */
        for (const char *network = NULL; s.size && !s.n;) {
                for (size_t i = 0; i < names->n && !s.n; i++)
                        if (!network || strcasecmp(names->network[i].name, network) == 0)
                                search_network(&names->network[i], dirfd, &s);
                while (s.size && name[s.size - 1] != '.')
                        s.size--;
                network = name + s.size;
                s.size -= s.size > 0;
        }
        *ret_exists = s.exists;
        return s.n;
}

struct owner {
        const char *address;
        size_t size;
        unsigned field;
        char *name;
        bool found;
};

static bool match_address(void *arg, const char *line, const char *end)
{
        const char *field[FIELDS + 1];
        struct owner *o = arg;
        size_t n;

        if (!split(line, end, field))
                return true;
        n = strcspn(field[o->field], "/ ");
        if (n != o->size || memcmp(field[o->field], o->address, n) != 0)
                return true;
        (void)snprintf(o->name, DNS_TEXT_MAX, "%.*s", (int)(field[FIELD_NAME + 1] - 1 - field[FIELD_NAME]),
                       field[FIELD_NAME]);
        o->found = true;
        return false;
}

bool nameserver_names_reverse(struct nameserver_names *names, int dirfd, int family, const unsigned char *address,
                              char ret[DNS_TEXT_MAX])
{
        char text[INET6_ADDRSTRLEN] = "";
        struct owner o = {.address = text, .field = family == AF_INET ? FIELD_FOUR : FIELD_SIX, .name = ret};
        size_t n;

        if (!inet_ntop(family, address, text, sizeof(text)))
                return false;
        o.size = strlen(text);
        for (size_t i = 0; i < names->n; i++) {
                each_line(&names->network[i], dirfd, match_address, &o);
                if (!o.found)
                        continue;
                n = strlen(ret);
                (void)snprintf(ret + n, DNS_TEXT_MAX - n, ".%s", names->network[i].name);
                return true;
        }
        return false;
}
