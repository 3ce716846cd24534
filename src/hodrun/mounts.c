/* mounts.c - mounts add, mounts remove (crun's). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "hodrun/hodrun.h"
#include "runtime/live_mounts.h"

/* FILE holds an array of mounts as config.json has them. @ret owns what @ret's mounts are. */
static err *read_mounts(const char *file, struct oci_spec **ret)
{
        _cleanup_json_ json *list = NULL, *doc = json_new_object();
        _cleanup_oci_spec_ struct oci_spec *s = NULL;
        err *e = json_read(AT_FDCWD, file, &list);

        if (e && err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return err_new(ERR_NOT_FOUND, "open %s: no such file or directory", file);
        }
        if (e)
                return err_wrap(e, "%s", file);
        if (json_kind(list) != JSON_ARRAY)
                return err_new(ERR_INVALID, "mounts must be an array");
        json_set_str(doc, "ociVersion", OCI_SPEC_VERSION);
        json_set(doc, "mounts", json_ref(list));
        TRY_WRAP(oci_spec_from_json(doc, &s), "%s", file);
        for (size_t i = 0; i < s->n_mounts; i++)
                if (str_empty(s->mounts[i].destination))
                        return err_new(ERR_INVALID, "%s: mounts[%zu] has no destination", file, i);
        *ret = TAKE_PTR(s);
        return NULL;
}

static err *change(struct invocation *inv, err *(*how)(const struct live_mounts *l))
{
        _cleanup_oci_spec_ struct oci_spec *mounts = NULL;
        _cleanup_state_ struct state *s = NULL;
        _cleanup_close_ int pidfd = -1, bundle = -1;
        enum state_status status;

        TRY(read_mounts(inv->operands[2], &mounts));
        TRY(state_open(hodrun_root(inv), inv->operands[1], true, &s));
        status = state_status(s);
        pidfd = state_pidfd(s);
        if (pidfd < 0 || (status != STATE_CREATED && status != STATE_RUNNING && status != STATE_PAUSED))
                return err_new(ERR_NOT_RUNNING, "container not running");
        TRY(state_load_spec(s));
        bundle = open(s->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (bundle < 0)
                return err_sys(errno, "opening the bundle %s", s->bundle);

        struct live_mounts l = {.pid = s->pid,
                                .pidfd = pidfd,
                                .spec = s->spec,
                                .bundle_fd = bundle,
                                .cgroup = s->cgroup,
                                .mounts = mounts->mounts,
                                .n = mounts->n_mounts};
        TRY(how(&l));
        return NULL;
}

static err *mounts_run(struct invocation *inv)
{
        if (str_eq(inv->operands[0], "add"))
                return change(inv, live_mounts_add);
        if (str_eq(inv->operands[0], "remove"))
                return change(inv, live_mounts_remove);
        return err_new(ERR_INVALID, "unknown command %s", inv->operands[0]);
}

const struct command cmd_mounts = {
        .name = "mounts",
        .operands = "add|remove <container-id> <file>",
        .min_operands = 3,
        .max_operands = 3,
        .summary = "Add or remove the mounts that a JSON file lists while the container is running",
        .run = mounts_run,
};
