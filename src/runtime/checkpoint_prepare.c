/* checkpoint_prepare.c - see checkpoint_prepare.h.
 *
 * A helper process does it, with the container's own means: names are resolved inside the root, by descriptor. */
#include "runtime/checkpoint_prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/child/child.h"
#include "sys/mountfd.h"
#include "sys/process.h"

#define ANSWER_MAX (4u << 20)

struct helper {
        const struct checkpoint_container *c;
        const char *place;
        int root;
        struct plan scratch; /* its memory only */
        struct str answer;
};

static bool is_bind(const struct oci_mount *m)
{
        return m->options.is_bind || str_eq(m->type, "bind");
}

/* The mount of the spec before @i in which @path is: the nearest one. NULL: in the root file system itself. */
static const struct oci_mount *mount_around(struct helper *h, size_t i, const char *path)
{
        const struct oci_mount *found = NULL;
        size_t longest = 0;

        for (size_t k = 0; k < i; k++) {
                const char *other = plan_clean_path(&h->scratch, "", h->c->spec->mounts[k].destination);
                const char *below = other ? plan_path_below(path, other) : NULL;

                if (below && *below == '/' && strlen(other) >= longest) {
                        longest = strlen(other);
                        found = &h->c->spec->mounts[k];
                }
        }
        return found;
}

static err *real_place(struct helper *h, int target)
{
        char link[40], path[4096];
        const char *below;
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", target);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return err_sys(errno, "readlink %s", link);
        path[n] = '\0';
        below = str_after(path, h->place);
        str_add(&h->answer, below ? below : "");
        return NULL;
}

static err *prepare_mount(struct helper *h, const struct oci_mount *m, const char *path)
{
        _cleanup_close_ int tree = -1, target = -1;
        bool is_dir = true, made;
        struct stat st;
        int r;

        if (is_bind(m)) {
                const char *source = plan_clean_path(&h->scratch, h->c->bundle, m->source ? m->source : "");

                TRY(arena_check(&h->scratch.arena));
                tree = mountfd_clone(AT_FDCWD, source, AT_RECURSIVE);
                if (tree < 0)
                        return err_sys(-tree, "opening mount source %s", source);
                if (fstat(tree, &st) < 0)
                        return err_sys(errno, "examining mount source %s", source);
                is_dir = S_ISDIR(st.st_mode);
        }
        target = child_path_mount_point(h->root, path, is_dir, 0, &made);
        if (target < 0)
                return err_sys(-target, "create criu restore mountpoint for %s mount", path);
        TRY(real_place(h, target));
        r = tree >= 0 ? mountfd_attach(tree, target) : 0;
        return r < 0 ? err_sys(-r, "mounting %s", path) : NULL;
}

static err *prepare_all(struct helper *h)
{
        const struct oci_spec *spec = h->c->spec;

        for (size_t i = 0; i < spec->n_mounts; i++) {
                const struct oci_mount *m = &spec->mounts[i], *around;
                const char *path = plan_clean_path(&h->scratch, "", m->destination);

                TRY(arena_check(&h->scratch.arena));
                around = mount_around(h, i, path);
                /* What is in a tmpfs comes from the image, what is in proc or sysfs from the kernel. */
                if (!(m->options.flags & MS_REMOUNT) && !str_starts(m->type ? m->type : "", "cgroup") &&
                    (!around || is_bind(around)))
                        TRY(prepare_mount(h, m, path));
                str_add_char(&h->answer, '\0');
        }
        return str_done(&h->answer);
}

static err *attach_root(struct helper *h)
{
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return err_sys(errno, "making the mounts private");
        if (move_mount(h->root, "", AT_FDCWD, h->place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return err_sys(errno, "mounting the root file system on %s", h->place);
        return NULL;
}

/* '+' and the places, or '-' and what went wrong. */
_noreturn_ static void help(struct helper *h, int answer)
{
        char text[2048];
        err *e;

        str_add_char(&h->answer, '+');
        e = attach_root(h);
        if (!e)
                e = prepare_all(h);
        if (e) {
                (void)snprintf(text, sizeof(text), "-");
                (void)err_text(e, text + 1, sizeof(text) - 1);
                (void)file_write_all(answer, text, strlen(text));
                _exit(1);
        }
        _exit(file_write_all(answer, str_text(&h->answer), h->answer.len) < 0);
}

static err *split(const struct checkpoint_container *c, const char *text, size_t size, char ***ret)
{
        _cleanup_strv_ char **places = NULL;
        const char *at = text + 1, *end = text + size;

        if (size && *text == '-')
                return err_new(ERR_SYS, "%s", text + 1);
        for (size_t i = 0; i < c->spec->n_mounts; i++) {
                if (!size || at >= end)
                        return err_new(ERR_SYS, "preparing the root file system: the helper died");
                TRY(strv_add(&places, at));
                at += strlen(at) + 1;
        }
        *ret = TAKE_PTR(places);
        return NULL;
}

err *checkpoint_prepare(const struct checkpoint_container *c, int tree, const char *place, char ***ret_places)
{
        _cleanup_close_ int answer = memfd_create("places", MFD_CLOEXEC), pidfd = -1;
        struct helper h = {.c = c, .place = place, .root = tree};
        _cleanup_free_ char *text = NULL;
        size_t size;
        int status, r;
        pid_t pid;

        if (answer < 0)
                return err_sys(errno, "making a memory file");
        pid = process_clone(CLONE_NEWNS, -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "creating the process that prepares the root file system");
        if (pid == 0)
                help(&h, answer);
        (void)process_wait(pidfd, -1);
        (void)process_reap(pidfd, &status);
        if (lseek(answer, 0, SEEK_SET) < 0)
                return err_sys(errno, "preparing the root file system");
        r = file_read_fd(answer, ANSWER_MAX, &text, &size);
        return r < 0 ? err_sys(-r, "preparing the root file system") : split(c, text, size, ret_places);
}
