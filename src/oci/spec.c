/* spec.c - the document as a whole: root, mounts, hooks; see spec.h. The parts are in spec_process.c, spec_linux.c,
 * spec_resources.c and spec_seccomp.c. */
#include <sys/mount.h>

#include "base/str.h"
#include "oci/spec_private.h"

/* ---- mounts ---- */

const struct fields spec_idmap_table[] = {
        FIELDS_PLAIN("containerID", FIELDS_U32, struct oci_idmap, container),
        FIELDS_PLAIN("hostID", FIELDS_U32, struct oci_idmap, host),
        FIELDS_PLAIN("size", FIELDS_U32, struct oci_idmap, size),
        FIELDS_END,
};

/* Copy what mount_options_parse() made into the arena; the options themselves are the document's strings. */
static err *keep_options(struct fields_reader *r, char **texts, struct mount_options *parsed, struct mount_options *ret)
{
        struct mount_options o = *parsed;
        size_t n = 0;

        o.data_list = NULL;
        o.data = NULL;
        if (parsed->data) {
                o.data = oci_arena_new0(r->arena, strlen(parsed->data) + 1, 1);
                o.data_list = OCI_ARENA_NEW0(r->arena, char *, strv_len(parsed->data_list) + 1);
                if (!o.data || !o.data_list)
                        return err_nomem();
                memcpy(o.data, parsed->data, strlen(parsed->data));
                for (size_t i = 0; texts[i]; i++)
                        if (!mount_options_known(texts[i]))
                                o.data_list[n++] = texts[i];
        }
        *ret = o;
        return NULL;
}

static err *read_mount_options(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_mount *m = base;
        _cleanup_mount_options_ struct mount_options o = {0};

        TRY(fields_strv(r, at, v, &m->options_text));
        err *e = mount_options_parse(m->options_text, &o);
        if (e) {
                char text[512];
                enum err_code code = err_code(e);

                err_text(e, text, sizeof(text));
                err_free(e);
                return code == ERR_NOMEM ? err_nomem() : fields_bad(at, "%s", text);
        }
        return keep_options(r, m->options_text, &o, &m->options);
}

static const struct fields mount_table[] = {
        FIELDS_STR("destination", struct oci_mount, destination),
        FIELDS_STR("type", struct oci_mount, type),
        FIELDS_STR("source", struct oci_mount, source),
        FIELDS_CUSTOM("options", read_mount_options),
        FIELDS_LIST("uidMappings", struct oci_mount, uid_map.map, uid_map.n, spec_idmap_table),
        FIELDS_LIST("gidMappings", struct oci_mount, gid_map.map, gid_map.n, spec_idmap_table),
        FIELDS_END,
};

static err *read_mounts(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_spec *s = base;
        void *list = NULL;

        TRY(fields_list(r, at, v, mount_table, sizeof(struct oci_mount), &list, &s->n_mounts));
        s->mounts = list;
        for (size_t i = 0; i < s->n_mounts; i++)
                if (str_eq(s->mounts[i].type, "bind") && !s->mounts[i].options.is_bind) {
                        s->mounts[i].options.is_bind = true;
                        s->mounts[i].options.flags |= MS_BIND;
                }
        return NULL;
}

/* ---- hooks ---- */

static const struct fields hook_table[] = {
        FIELDS_STR("path", struct oci_hook, path),
        FIELDS_PLAIN("args", FIELDS_STRV, struct oci_hook, args),
        FIELDS_PLAIN("env", FIELDS_STRV, struct oci_hook, env),
        FIELDS_PLAIN("timeout", FIELDS_OPT_I64, struct oci_hook, timeout),
        FIELDS_END,
};

static err *read_hooks(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        struct oci_spec *s = base;

        TRY(fields_object(at, v));
        for (int i = 0; i < OCI_HOOK_MAX_; i++) {
                struct fields_at here = {at, oci_hook_name(i), 0};
                json *list = json_get(v, here.key);
                void *hooks = NULL;

                if (json_kind(list) == JSON_NULL)
                        continue;
                TRY(fields_list(r, &here, list, hook_table, sizeof(struct oci_hook), &hooks, &s->hooks[i].n));
                s->hooks[i].hook = hooks;
        }
        return NULL;
}

/* ---- the document ---- */

static const struct fields root_table[] = {
        FIELDS_STR("path", struct oci_spec, root_path),
        FIELDS_BOOL("readonly", struct oci_spec, root_readonly),
        FIELDS_END,
};

static err *read_root(struct fields_reader *r, const struct fields_at *at, json *v, void *base)
{
        return fields_read(r, at, v, root_table, base);
}

static const struct fields spec_table[] = {
        FIELDS_STR("ociVersion", struct oci_spec, oci_version),
        FIELDS_POINTER("process", struct oci_spec, process, spec_process_table),
        FIELDS_CUSTOM("root", read_root),
        FIELDS_STR("hostname", struct oci_spec, hostname),
        FIELDS_STR("domainname", struct oci_spec, domainname),
        FIELDS_CUSTOM("mounts", read_mounts),
        FIELDS_CUSTOM("hooks", read_hooks),
        FIELDS_COUNTED("annotations", FIELDS_PAIRS, struct oci_spec, annotations, n_annotations),
        FIELDS_OBJECT("linux", struct oci_spec, linux_, spec_linux_table),
        FIELDS_END,
};

static err *spec_new(json *doc, struct oci_spec **ret)
{
        struct oci_arena *arena = oci_arena_new();
        struct oci_spec *s = arena ? OCI_ARENA_NEW0(arena, struct oci_spec, 1) : NULL;

        if (!s) {
                if (arena)
                        oci_arena_free(arena);
                return err_nomem();
        }
        s->arena = arena;
        s->doc = json_ref(doc);
        *ret = s;
        return NULL;
}

err *oci_spec_from_json(json *doc, struct oci_spec **ret)
{
        _cleanup_oci_spec_ struct oci_spec *s = NULL;
        struct fields_reader r;

        TRY(spec_new(doc, &s));
        r.arena = s->arena;
        TRY(fields_read(&r, NULL, doc, spec_table, s));
        *ret = TAKE_PTR(s);
        return NULL;
}

err *oci_spec_read(int dirfd, const char *name, struct oci_spec **ret)
{
        _cleanup_json_ json *doc = NULL;

        TRY(json_read(dirfd, name, &doc));
        TRY_WRAP(oci_spec_from_json(doc, ret), "%s", name);
        return NULL;
}

void oci_spec_free(struct oci_spec *s)
{
        if (!s)
                return;
        json_free(s->doc);
        oci_arena_free(s->arena); /* holds s itself */
}

err *oci_resources_from_json(json *doc, struct oci_spec **ret_owner, struct oci_resources **ret)
{
        _cleanup_oci_spec_ struct oci_spec *s = NULL;
        struct fields_reader r;

        TRY(spec_new(doc, &s));
        r.arena = s->arena;
        TRY(fields_read(&r, NULL, doc, spec_resources_table, &s->linux_.resources));
        *ret = &s->linux_.resources;
        *ret_owner = TAKE_PTR(s);
        return NULL;
}

const char *oci_spec_annotation(const struct oci_spec *s, const char *key)
{
        for (size_t i = 0; i < s->n_annotations; i++)
                if (str_eq(s->annotations[i].key, key))
                        return s->annotations[i].value;
        return NULL;
}
