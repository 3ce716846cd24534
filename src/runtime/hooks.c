/* hooks.c - see hooks.h. */
#include "runtime/hooks.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/child/child_hook.h"

#define TIMEOUT_MAX_S 2000000

err *hooks_state(const struct oci_spec *s, const char *id, const char *bundle, char **ret_before, char **ret_after)
{
        _cleanup_json_ json *head = json_new_object(), *tail = json_new_object();
        _cleanup_free_ char *before = NULL, *after = NULL, *cut = NULL;

        json_set_str(head, "ociVersion", s->oci_version ? s->oci_version : OCI_SPEC_VERSION);
        json_set_str(head, "id", id);
        json_set_str(tail, "bundle", bundle ? bundle : "");
        if (s->n_annotations) {
                json *a = json_sub_object(tail, "annotations");

                for (size_t i = 0; i < s->n_annotations; i++)
                        json_set_str(a, s->annotations[i].key, s->annotations[i].value);
        }
        TRY(json_print(head, JSON_COMPACT, &before));
        TRY(json_print(tail, JSON_COMPACT, &after));
        before[strlen(before) - 1] = '\0'; /* "}" */
        cut = str_format("%s,\"status\":\"", before);
        if (!cut)
                return err_nomem();
        after[0] = ',';
        *ret_before = TAKE_PTR(cut);
        *ret_after = TAKE_PTR(after);
        return NULL;
}

json *hooks_state_json(const struct oci_spec *s, const char *id, const char *bundle, const char *status, pid_t pid)
{
        json *j = json_new_object();

        json_set_str(j, "ociVersion", s->oci_version ? s->oci_version : OCI_SPEC_VERSION);
        json_set_str(j, "id", id);
        json_set_str(j, "status", status);
        if (pid)
                json_set_int(j, "pid", pid);
        json_set_str(j, "bundle", bundle ? bundle : "");
        for (size_t i = 0; i < s->n_annotations; i++)
                json_set_str(json_sub_object(j, "annotations"), s->annotations[i].key, s->annotations[i].value);
        return j;
}

/* The document as a file: a hook that does not read it, or a large one, can neither block nor kill us. */
static int state_file(const char *state)
{
        _cleanup_close_ int fd = memfd_create("state", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = file_write_all(fd, state, strlen(state));
        if (r < 0)
                return r;
        return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

err *hooks_open_output(const struct oci_spec *s, int ret[2])
{
        static const char *const names[] = {"run.oci.hooks.stdout", "run.oci.hooks.stderr"};
        _cleanup_close_ int out = -1;

        ret[0] = ret[1] = -1;
        for (int i = 0; i < 2; i++) {
                const char *path = oci_spec_annotation(s, names[i]);
                int fd;

                if (str_empty(path))
                        continue;
                fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0700);
                if (fd < 0)
                        return err_sys(errno, "opening %s of annotation %s", path, names[i]);
                *(i ? &ret[1] : &out) = fd;
        }
        ret[0] = TAKE_FD(out);
        return NULL;
}

static err *run_one(const struct oci_hook *h, enum oci_hook_kind kind, size_t number,
                    const struct child_hook_place *place)
{
        char *argv[] = {(char *)(uintptr_t)h->path, NULL}, *none[] = {NULL};
        struct plan_hook hook = {
                .path = h->path, .argv = h->args ? h->args : argv, .envp = h->env ? h->env : none, .timeout_ms = -1};
        struct child_hook_result result;
        char text[2048];

        if (h->timeout.set)
                hook.timeout_ms = h->timeout.n > TIMEOUT_MAX_S ? TIMEOUT_MAX_S * 1000 : (int)h->timeout.n * 1000;
        if (child_hook_run(&hook, place, &result))
                return NULL;
        child_hook_describe(&hook, &result, text, sizeof(text));
        return err_new(result.errnum == ETIMEDOUT ? ERR_TIMEOUT : ERR_SYS, "error running %s hook #%zu: %s",
                       oci_hook_name(kind), number, text);
}

/* The specification: one that fails after the end is logged, and everything goes on as if it had not. */
static err *settle(err *e, enum oci_hook_kind kind)
{
        if (!e || kind != OCI_HOOK_POSTSTOP)
                return e;
        log_error_free(LOG_LEVEL_WARN, e);
        return NULL;
}

err *hooks_run(const struct oci_spec *s, enum oci_hook_kind kind, const char *id, const char *bundle,
               const char *status, pid_t pid)
{
        const struct oci_hooks *hooks = &s->hooks[kind];
        _cleanup_json_ json *state = NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int file = -1, out = -1, error = -1;
        struct child_hook_place place;
        struct trace_span span;

        if (!hooks->n)
                return NULL;
        span = trace_begin(TRACE_HOOKS);
        state = hooks_state_json(s, id, bundle, status, pid);
        TRY(json_print(state, JSON_COMPACT, &text));
        file = state_file(text);
        if (file < 0)
                return err_sys(-file, "writing the state for %s hooks", oci_hook_name(kind));
        place = (struct child_hook_place){.state = file, .dirfd = -1, .dir = bundle, .parent = -1};
        TRY(hooks_open_output(s, place.out));
        out = place.out[0];
        error = place.out[1];
        for (size_t i = 0; i < hooks->n; i++)
                TRY(settle(run_one(&hooks->hook[i], kind, i, &place), kind));
        trace_end(&span, 0, oci_hook_name(kind));
        return NULL;
}
