/* checkpoint_dump.c - saving a container, see checkpoint.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/json.h"
#include "runtime/checkpoint_log.h"
#include "runtime/checkpoint_request.h"
#include "sys/process.h"

#define VERSION_MIN 31500 /* notifications and external namespaces */
#define LOG "dump.log"

/* ---- where mounts are: in the running container ---- */

static const char *resolve(void *data, struct arena *a, const char *destination, bool *ret_is_dir)
{
        _cleanup_close_ int fd =
                file_openat2(*(int *)data, destination, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        char link[40], path[4096];
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return NULL;
        *ret_is_dir = S_ISDIR(st.st_mode);
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path));
        return n > 0 && n < (ssize_t)sizeof(path) && *path == '/' ? arena_copy(a, path, (size_t)n) : NULL;
}

static err *find_mounts(const struct checkpoint_container *c, struct checkpoint_mounts *ret)
{
        _cleanup_close_ int root = -1;
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)c->pid);
        root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0 || process_signal(c->pidfd, 0) < 0)
                return err_new(ERR_NOT_RUNNING, "container not running");
        return checkpoint_mounts_find(c, resolve, &root, ret);
}

/* ---- what restore must know about 0, 1 and 2 ---- */

static err *write_descriptors(const struct checkpoint_options *o)
{
        _cleanup_json_ json *list = json_new_array();
        _cleanup_free_ char *text = NULL;
        int r;

        for (size_t i = 0; o->stdio && o->stdio[i]; i++)
                json_add_str(list, o->stdio[i]);
        TRY(json_print(list, JSON_COMPACT, &text));
        r = file_replace(o->image_fd, "descriptors.json", text, strlen(text), 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(-r, "writing descriptors.json") : NULL;
}

/* ---- the conversation ---- */

static void tell_status(const struct checkpoint_options *o, int *status_fd)
{
        if (*status_fd < 0)
                return;
        if (write(*status_fd, "", 1) != 1 && o->warn)
                o->warn("can't write \\0 to status fd: %s", strerror(errno));
        *status_fd = file_close(*status_fd);
}

static err *converse(const struct checkpoint_criu *criu, const struct checkpoint_options *o)
{
        int status_fd = o->status_fd;

        for (;;) {
                _cleanup_criu_reply_ struct checkpoint_criu_reply r = {.fd = -1};

                TRY(checkpoint_criu_receive(criu, &r));
                if (!r.success)
                        return checkpoint_criu_error(&r);
                if (r.type == CRIU_DUMP || r.type == CRIU_PRE_DUMP)
                        return NULL;
                if (r.type != CRIU_NOTIFY)
                        return err_new(ERR_SYS, "unable to parse the response of criu (type %d)", (int)r.type);
                if (str_eq(r.script, "status-ready"))
                        tell_status(o, &status_fd);
                TRY(checkpoint_criu_answer(criu, true));
        }
}

static err *dump(const struct checkpoint_options *o, const struct str *request)
{
        _cleanup_criu_ struct checkpoint_criu criu = {-1, -1};
        struct checkpoint_criu_start how = {0};
        int status;

        TRY(checkpoint_criu_start(&how, &criu));
        TRY(checkpoint_criu_send(&criu, request));
        TRY(converse(&criu, o));
        TRY(checkpoint_criu_end(&criu, &status));
        /* After a pre-dump it waits for the next request, and misses it. */
        if (status != 0 && !o->pre_dump)
                return err_new(ERR_SYS, "criu failed: %s %d", WIFSIGNALED(status) ? "signal" : "exit status",
                               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return NULL;
}

static err *check(const struct checkpoint_options *o)
{
        TRY(checkpoint_criu_check_version(VERSION_MIN));
        if (o->pre_dump || o->lazy_pages)
                TRY(checkpoint_criu_check_features(o->pre_dump, o->lazy_pages));
        return NULL;
}

err *checkpoint_dump(const struct checkpoint_container *c, const struct checkpoint_options *o)
{
        _cleanup_checkpoint_mounts_ struct checkpoint_mounts mounts = {.mount = NULL};
        _cleanup_free_ char *freezer = NULL;
        _cleanup_str_ struct str request = {0};
        err *e;

        TRY(check(o));
        if (!o->pre_dump) {
                TRY(find_mounts(c, &mounts));
                TRY(write_descriptors(o));
        }
        TRY(checkpoint_freezer_path(c->cgroup, &freezer));
        TRY(checkpoint_request_dump(c, o, &mounts, freezer, &request));
        e = dump(o, &request);
        if (e)
                checkpoint_log_quote(o, LOG);
        return e;
}
