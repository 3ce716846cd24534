/* pending.c - see pending.h. */
#include "store/pending.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "store/record.h"
#include "store/snapshot.h"
#include "store/txn.h"
#include "store/volume.h"

static err *open_markers(struct store *s, int *ret)
{
        int fd = openat(s->state_fd, "pending", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 && errno == ENOENT && (mkdirat(s->state_fd, "pending", 0700) == 0 || errno == EEXIST))
                fd = openat(s->state_fd, "pending", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return err_sys(errno, "opening %s/pending", s->state);
        *ret = fd;
        return NULL;
}

/* Empty: nothing was started from it. */
static err *drop_run_directory(struct store *s, const char *id)
{
        int fd;

        TRY(store_state_containers_fd(s, &fd));
        return unlinkat(fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT ? err_sys(errno, "removing containers/%s", id)
                                                                     : NULL;
}

static err *take_back_volumes(struct store *s, int marker)
{
        _cleanup_free_ char *text = NULL;
        int r = file_read_fd(marker, 1u << 20, &text, NULL);

        if (r < 0)
                return err_sys(r, "reading a marker in %s/pending", s->state);
        for (char *name = text, *next; *name; name = next) {
                next = name + strcspn(name, "\n");
                if (!*next)
                        break; /* not written to its end: not made yet */
                *next++ = '\0';
                if (id_valid(name)) {
                        err *e = volume_remove(s, name, false);

                        if (e && err_code(e) != ERR_NOT_FOUND)
                                return e;
                        err_free(e);
                }
        }
        return NULL;
}

/* Its creator is dead: remove what it made, unless it came as far as writing the record. */
static err *take_back(struct store *s, int markers, int marker, const char *id)
{
        _cleanup_record_ struct record r = {0};
        err *e = record_find(s, id, &r);

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                log_debug("removing what a dead creator left of container %s", id);
                e = snapshot_remove(s, id);
                if (!e)
                        e = drop_run_directory(s, id);
                if (!e)
                        e = take_back_volumes(s, marker);
        }
        if (!e && unlinkat(markers, id, 0) < 0 && errno != ENOENT)
                e = err_sys(errno, "removing %s/pending/%s", s->state, id);
        return e;
}

static err *take_back_dead(struct store *s, int markers, DIR *dir)
{
        struct dirent *d;

        while ((errno = 0, d = readdir(dir))) {
                _cleanup_close_ int fd = -1;

                if (!id_valid(d->d_name))
                        continue;
                fd = openat(markers, d->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
                if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
                        continue; /* gone, or alive */
                TRY(take_back(s, markers, fd, d->d_name));
        }
        return errno ? err_sys(errno, "reading %s/pending", s->state) : NULL;
}

static err *make_marker(struct store *s, int markers, const char *id, int *ret)
{
        for (;;) {
                _cleanup_close_ int fd = openat(markers, id, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
                struct stat st;

                if (fd < 0)
                        return err_sys(errno, "making %s/pending/%s", s->state, id);
                /* Between the two calls somebody may have taken it for a dead one's, and removed it. */
                while (flock(fd, LOCK_EX) < 0)
                        if (errno != EINTR)
                                return err_sys(errno, "locking %s/pending/%s", s->state, id);
                if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
                        *ret = TAKE_FD(fd);
                        return NULL;
                }
        }
}

err *pending_begin(struct store *s, const char *id, int *ret_fd)
{
        _cleanup_close_ int markers = -1;
        int copy;
        DIR *dir;
        err *e;

        if (!id_valid(id))
                return err_new(ERR_INVALID, "'%s' is not a container id", id);
        TRY(open_markers(s, &markers));
        copy = openat(markers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = copy < 0 ? NULL : fdopendir(copy);
        if (dir) {
                log_error_free(LOG_LEVEL_WARN, take_back_dead(s, markers, dir));
                (void)closedir(dir);
        } else {
                (void)file_close(copy);
        }
        TRY(txn_lease(s));
        e = make_marker(s, markers, id, ret_fd);
        if (e)
                txn_unlease(s);
        return e;
}

err *pending_volume(int fd, const char *name)
{
        char line[ID_LEN + 2];
        int r;

        (void)snprintf(line, sizeof(line), "%s\n", name);
        r = file_write_all(fd, line, strlen(line));
        return r < 0 ? err_sys(r, "noting a volume") : NULL;
}

void pending_end(struct store *s, const char *id, int fd)
{
        _cleanup_free_ char *path = NULL;

        if (fd < 0)
                return;
        path = str_format("pending/%s", id);
        if (path)
                (void)unlinkat(s->state_fd, path, 0);
        (void)file_close(fd);
        txn_unlease(s);
}
