/* manifest_list_inspect.c - manifests as docker shows them: the bytes as they are, indented; or everything known. */
#include <string.h>

#include "base/str.h"
#include "engine/manifest_list_private.h"
#include "registry/base64.h"

static void line(struct str *out, unsigned depth)
{
        str_add_char(out, '\n');
        while (depth--)
                str_add_char(out, '\t');
}

/* Go's json.Indent with tabs; @text is sound JSON. */
static void indent(const char *text, size_t size, struct str *out)
{
        unsigned depth = 0;
        bool string = false, fresh = false;

        for (size_t i = 0; i < size; i++) {
                char c = text[i];

                if (string) {
                        str_add_char(out, c);
                        if (c == '\\' && i + 1 < size)
                                str_add_char(out, text[++i]);
                        string = c != '"';
                        continue;
                }
                if (strchr(" \t\r\n", c))
                        continue;
                if (fresh && c != '}' && c != ']')
                        line(out, ++depth);
                else if (!fresh && (c == '}' || c == ']'))
                        line(out, --depth);
                fresh = c == '{' || c == '[';
                string = c == '"';
                str_add_char(out, c);
                if (c == ',')
                        line(out, depth);
                else if (c == ':')
                        str_add_char(out, ' ');
        }
}

static err *indented(const char *text, size_t size, char **ret)
{
        _cleanup_str_ struct str out = {0};

        indent(text, size, &out);
        return str_take(&out, ret);
}

/* docker's ImageManifest. */
static err *verbose_member(const json *member, json **ret)
{
        const char *raw = json_get_str_or(member, "raw", "");
        const json *descriptor = json_get(member, "descriptor");
        bool oci = str_eq(json_get_str(descriptor, "mediaType"), OCI_MEDIA_MANIFEST);
        _cleanup_json_ json *j = json_new_object();
        _cleanup_free_ char *base64 = NULL;
        json *doc = NULL;

        json_set_str(j, "Ref", json_get_str(member, "ref"));
        json_set(j, "Descriptor", json_ref(json_get(member, "descriptor")));
        TRY(base64_encode(raw, strlen(raw), &base64));
        json_set_str(j, "Raw", base64);
        TRY(json_parse(raw, strlen(raw), &doc));
        json_set(j, oci ? "OCIManifest" : "SchemaV2Manifest", doc);
        *ret = TAKE_PTR(j);
        return NULL;
}

static err *print_verbose(const json *j, char **ret)
{
        _cleanup_free_ char *text = NULL;

        TRY(json_print(j, JSON_COMPACT, &text));
        return indented(text, strlen(text), ret);
}

static err *show_member(const json *member, bool verbose, char **ret)
{
        const char *raw = json_get_str_or(member, "raw", "");
        _cleanup_json_ json *j = NULL;

        if (!verbose)
                return indented(raw, strlen(raw), ret);
        TRY(verbose_member(member, &j));
        return print_verbose(j, ret);
}

static err *show_list(const json *list, bool verbose, char **ret)
{
        const json *members = json_get(list, "members");
        _cleanup_json_ json *all = json_new_array();
        _cleanup_doc_ struct document d = {0};

        if (!verbose) {
                TRY(manifest_list_document(list, &d));
                return indented(d.data, d.size, ret);
        }
        for (size_t i = 0; i < json_len(members); i++) {
                json *j = NULL;

                TRY(verbose_member(json_at(members, i), &j));
                json_add(all, j);
        }
        return print_verbose(all, ret);
}

/* ---- from a registry ---- */

struct member_src {
        struct source source;
        struct source *below;
};

static err *below_open(struct source *s, const struct descriptor *d, uint64_t *offset, struct stream **ret)
{
        struct source *below = ((struct member_src *)s)->below;

        return below->ops->open(below, d, offset, ret);
}

static void below_free(struct source *s)
{
}

/* A member of an index that a registry has, as if it stood alone. */
static err *index_member(struct source *s, const struct descriptor *d, const char *full, json **ret)
{
        static const struct source_ops ops = {NULL, below_open, NULL, below_free};
        struct member_src member = {.source.ops = &ops, .below = s};
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *name = NULL;
        json *platform;
        err *e;

        TRY(reference_parse(full, true, &r));
        name = str_format("%s/%s@%s", r.domain, r.path, d->digest.text);
        if (!name)
                return err_nomem();
        TRY(source_manifest(s, d, &member.source.top));
        e = manifest_list_member(&member.source, name, ret);
        document_done(&member.source.top);
        TRY(e);
        platform = json_get(d->json, "platform");
        if (platform)
                json_set(json_get(*ret, "descriptor"), "platform", json_ref(platform));
        return NULL;
}

static err *show_index(struct source *s, const json *doc, const char *full, char **ret)
{
        _cleanup_free_ struct descriptor *members = NULL;
        _cleanup_json_ json *all = json_new_array();
        size_t n;

        TRY(manifest_members(doc, &members, &n));
        for (size_t i = 0; i < n; i++) {
                _cleanup_json_ json *member = NULL;
                json *j = NULL;

                TRY(index_member(s, &members[i], full, &member));
                TRY(verbose_member(member, &j));
                json_add(all, j);
        }
        return print_verbose(all, ret);
}

static err *show_remote(const char *name, bool verbose, const struct registry_options *o, char **ret)
{
        _cleanup_(source_freep) struct source *s = NULL;
        _cleanup_json_ json *doc = NULL, *member = NULL;
        _cleanup_free_ char *full = NULL;
        bool index;

        TRY(manifest_list_fetch(name, o, &s, &full));
        if (!verbose)
                return indented(s->top.data, s->top.size, ret);
        TRY(json_parse(s->top.data, s->top.size, &doc));
        TRY(manifest_is_index(doc, s->top.media_type, &index));
        if (index)
                return show_index(s, doc, full, ret);
        TRY(manifest_list_member(s, full, &member));
        return show_member(member, true, ret);
}

err *manifest_list_inspect(struct engine *e, const char *list_name, const char *name, bool verbose,
                           const struct registry_options *o, char **ret)
{
        _cleanup_free_ char *full = NULL;
        _cleanup_json_ json *list = NULL;
        err *error = manifest_list_load(e, list_name ? list_name : name, &list, &full);
        const json *member;

        if (!error && !list_name)
                return show_list(list, verbose, ret);
        if (error && (list_name || err_code(error) != ERR_NOT_FOUND)) {
                if (err_code(error) != ERR_NOT_FOUND)
                        return error;
                err_free(error);
                return err_new(ERR_NOT_FOUND, "no such manifest: %s", list_name);
        }
        err_free(error);
        if (!list_name)
                return show_remote(name, verbose, o, ret);
        member = manifest_list_find(list, name);
        if (!member)
                return err_new(ERR_NOT_FOUND, "no such manifest: %s", name);
        return show_member(member, verbose, ret);
}
