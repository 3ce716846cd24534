/* seccomp_ops.c - see seccomp_ops.h. */
#include "runtime/seccomp_ops.h"

#include <linux/seccomp.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "runtime/hooks.h"
#include "sys/fdpass.h"

#define FAIL_UNKNOWN "run.oci.seccomp_fail_unknown_syscall"
#define RECEIVER "run.oci.seccomp.receiver"

static void rules_free(struct seccomp_rule **rules)
{
        free(*rules);
}

static void args_free(struct seccomp_arg **args)
{
        free(*args);
}

err *seccomp_ops_load(const struct oci_seccomp *s, const char *cache_dir, const char *name, struct seccomp_filter *ret)
{
        _cleanup_(rules_free) struct seccomp_rule *rules = MEM_NEW0(struct seccomp_rule, s->n_rules + 1);
        _cleanup_(args_free) struct seccomp_arg *args = NULL;
        size_t n_args = 0, used = 0;
        struct seccomp_profile p = {
                .default_action = s->default_action,
                .default_errno_set = s->default_errno_ret.set,
                .default_errno = (uint32_t)s->default_errno_ret.n,
                .archs = s->archs,
                .n_archs = s->n_archs,
                /* Not even an empty list: no slower code against speculation than the machine's default (as runc). */
                .flags = s->flags_set ? s->flags : SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                .rules = rules,
                .n_rules = s->n_rules,
        };

        for (size_t i = 0; i < s->n_rules; i++)
                n_args += s->rules[i].n_args;
        args = MEM_NEW0(struct seccomp_arg, n_args + 1);
        if (!rules || !args)
                return err_nomem();
        for (size_t i = 0; i < s->n_rules; i++) {
                const struct oci_seccomp_rule *from = &s->rules[i];

                rules[i] = (struct seccomp_rule){.names = from->names,
                                                 .action = from->action,
                                                 .errno_set = from->errno_ret.set,
                                                 .errno_ret = (uint32_t)from->errno_ret.n,
                                                 .args = args + used,
                                                 .n_args = from->n_args};
                for (size_t k = 0; k < from->n_args; k++)
                        args[used++] = (struct seccomp_arg){from->args[k].index, (uint32_t)from->args[k].op,
                                                            from->args[k].value, from->args[k].value_two};
        }
        return name ? seccomp_filter_load_as(&p, cache_dir, name, ret) : seccomp_filter_load(&p, cache_dir, ret);
}

/* ---- known by its text ---- */

void seccomp_known_done(struct seccomp_known *k)
{
        seccomp_filter_done(&k->filter);
}

/* Somebody wants to know more about the profile than what it does. */
static bool is_asked_for(const struct oci_spec *s)
{
        return !str_empty(oci_spec_annotation(s, FAIL_UNKNOWN)) || !str_empty(oci_spec_annotation(s, RECEIVER));
}

struct question {
        const char *cache_dir;
        struct seccomp_filter *filter;
};

static bool is_known(void *arg, const char *text, size_t size)
{
        const struct question *q = arg;

        return seccomp_text_find(q->cache_dir, text, size, q->filter);
}

static err *parse(const char *text, size_t size, struct json_skip *skip, struct oci_spec **ret)
{
        _cleanup_json_ json *doc = NULL;

        TRY(json_parse_but(text, size, skip, &doc));
        return oci_spec_from_json(doc, ret);
}

err *seccomp_ops_parse(const char *text, size_t size, const char *cache_dir, struct seccomp_known *known,
                       struct oci_spec **ret)
{
        struct question q = {cache_dir, &known->filter};
        struct json_skip skip = {.outer = "linux", .inner = "seccomp", .ask = is_known, .arg = &q};
        err *e = parse(text, size, cache_dir ? &skip : NULL, ret);

        known->found = !e && skip.known;
        known->text = skip.text;
        known->size = skip.size;
        if (e)
                return e;
        if (!known->found || !is_asked_for(*ret))
                return NULL;
        seccomp_known_done(known);
        *known = (struct seccomp_known){.text = NULL};
        oci_spec_free(*ret);
        return parse(text, size, NULL, ret);
}

void seccomp_ops_keep(const struct oci_spec *spec, const struct seccomp_known *known, const char *cache_dir,
                      const struct seccomp_filter *f)
{
        const struct oci_seccomp *s = spec->linux_.seccomp;

        if (known->text && s && !s->listener_path && !s->listener_metadata && !f->notify && !is_asked_for(spec))
                seccomp_text_keep(cache_dir, known->text, known->size, f);
}

err *seccomp_ops_check_names(const struct oci_spec *s)
{
        const struct oci_seccomp *seccomp = s->linux_.seccomp;
        const char *wanted = oci_spec_annotation(s, FAIL_UNKNOWN);

        if (!seccomp || str_empty(wanted) || str_eq(wanted, "0"))
                return NULL;
        for (size_t i = 0; i < seccomp->n_rules; i++)
                for (char **name = seccomp->rules[i].names; *name; name++)
                        if (!seccomp_call_known(*name))
                                return err_new(ERR_INVALID, "seccomp: unknown system call \"%.100s\"", *name);
        return NULL;
}

/* ---- the listener ---- */

const char *seccomp_ops_receiver(const struct oci_spec *s)
{
        const struct oci_seccomp *seccomp = s->linux_.seccomp;
        const char *annotation = oci_spec_annotation(s, RECEIVER);

        return seccomp && seccomp->listener_path ? seccomp->listener_path : str_empty(annotation) ? NULL : annotation;
}

err *seccomp_ops_deliver(const struct listener_process *p, int fd)
{
        const char *path = seccomp_ops_receiver(p->spec), *metadata;
        _cleanup_json_ json *j = json_new_object();
        _cleanup_free_ char *text = NULL;

        if (!path || !p->spec->linux_.seccomp)
                return err_new(ERR_INVALID, "seccomp listenerPath is not set");
        metadata = p->spec->linux_.seccomp->listener_metadata;
        json_set_str(j, "ociVersion", OCI_SPEC_VERSION);
        json_add_str(json_sub_array(j, "fds"), "seccompFd");
        json_set_int(j, "pid", p->pid);
        if (metadata)
                json_set_str(j, "metadata", metadata);
        json_set(j, "state", hooks_state_json(p->spec, p->id, p->bundle, p->status, p->init));
        TRY(json_print(j, JSON_COMPACT, &text));
        TRY_WRAP(fdpass_deliver(path, text, strlen(text), fd),
                 "failed to connect with seccomp agent specified in the seccomp profile");
        return NULL;
}
