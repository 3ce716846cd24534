/* client_list.c - see client.h: tags. */
#include <stdio.h>

#include "codec/json.h"
#include "registry/client_private.h"
#include "registry/failure.h"
#include "registry/url.h"

#define PAGE_MAX (4u << 20)
#define PAGES_MAX 1000
#define TAGS_MAX 100000

/* The address of `Link: <URL>; rel="next"`; NULL = none. */
err *client_link_next(const char *link, char **ret)
{
        *ret = NULL;
        while (*link) {
                const char *open = strchr(link, '<'), *close = open ? strchr(open, '>') : NULL;
                const char *end;
                bool quoted = false;

                if (!close)
                        return NULL;
                for (end = close; *end && (quoted || *end != ','); end++)
                        quoted ^= *end == '"';
                for (const char *p = close; p + 4 < end; p++)
                        if (strncasecmp(p, "rel=", 4) == 0 && strncasecmp(p + 4 + (p[4] == '"'), "next", 4) == 0) {
                                *ret = strndup(open + 1, (size_t)(close - open) - 1);
                                return *ret ? NULL : err_nomem();
                        }
                link = end + (*end == ',');
        }
        return NULL;
}

static err *add_tags(const struct http_answer *a, char ***list, size_t *n)
{
        _cleanup_json_ json *doc = NULL;
        const json *tags;

        TRY_WRAP(json_parse(a->data, a->size, &doc), "the list of tags");
        tags = json_get(doc, "tags");
        for (size_t i = 0; i < json_len(tags); i++) {
                const char *tag = json_str(json_at(tags, i));
                bool is_digest;

                if (!tag)
                        return err_new(ERR_CORRUPT, "the list of tags contains something else");
                TRY_WRAP(client_check_reference(tag, &is_digest), "the list of tags");
                if (++*n > TAGS_MAX)
                        return err_new(ERR_LIMIT, "the repository has more than %d tags", TAGS_MAX);
                TRY(strv_add(list, tag));
        }
        return NULL;
}

static err *list_tags(struct registry *r, struct server *s, void *arg)
{
        _cleanup_free_ char *next = NULL;
        _cleanup_strv_ char **list = NULL;
        size_t n = 0;

        for (int page = 0; page == 0 || next; page++) {
                _cleanup_answer_ struct http_answer a = {0};
                _cleanup_free_ char *relative = NULL;
                const char *link;

                if (page == PAGES_MAX)
                        return err_new(ERR_LIMIT, "the list of tags has more than %d pages", PAGES_MAX);
                TRY(client_send(r, s,
                                &(struct client_request){
                                        .method = "GET", .suffix = "tags/list", .url = next, .max_answer = PAGE_MAX},
                                &a, NULL));
                if (a.status != 200)
                        return failure_of(&a, "tags");
                TRY(add_tags(&a, &list, &n));
                free(next);
                next = NULL;
                link = http_answer_header(&a, "link");
                if (!link)
                        break;
                TRY(client_link_next(link, &relative));
                if (relative)
                        TRY(url_join(a.url, relative, &next));
        }
        if (!list) {
                list = MEM_NEW0(char *, 1);
                if (!list)
                        return err_nomem();
        }
        *(char ***)arg = TAKE_PTR(list);
        return NULL;
}

err *registry_tags(struct registry *r, char ***ret)
{
        return client_each(r, false, list_tags, ret);
}
