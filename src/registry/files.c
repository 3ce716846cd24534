/* files.c - see files.h. */
#include "registry/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/str.h"

const char *files_variable(const struct registry_options *o, const char *name)
{
        const char *value = o->environment ? strv_env(o->environment, name) : NULL;

        return str_empty(value) ? NULL : value;
}

err *files_system(const struct registry_options *o, const char *path, char **ret)
{
        *ret = str_format("%s%s", o->system_root ? o->system_root : "", path);
        return *ret ? NULL : err_nomem();
}

err *files_user(const struct registry_options *o, const char *path, char **ret)
{
        const char *xdg = files_variable(o, "XDG_CONFIG_HOME"), *home = files_variable(o, "HOME");

        *ret = NULL;
        if (xdg && *xdg == '/')
                *ret = str_format("%s/%s", xdg, path);
        else if (home && *home == '/')
                *ret = str_format("%s/.config/%s", home, path);
        else
                return NULL;
        return *ret ? NULL : err_nomem();
}

err *files_docker(const struct registry_options *o, char **ret)
{
        const char *own = files_variable(o, "DOCKER_CONFIG"), *home = files_variable(o, "HOME");

        *ret = NULL;
        if (own)
                *ret = str_dup(own);
        else if (home && *home == '/')
                *ret = str_format("%s/.docker", home);
        else
                return NULL;
        return *ret ? NULL : err_nomem();
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dir_close(DIR **d)
{
        if (*d)
                (void)closedir(*d);
}

err *files_read(const char *path, bool must, char **ret, size_t *ret_size)
{
        int r = file_read(AT_FDCWD, path, FILES_MAX, ret, ret_size);

        if (r < 0)
                *ret = NULL;
        if (!must && (r == -ENOENT || r == -ENOTDIR || r == -EACCES))
                return NULL;
        return r < 0 ? err_sys(r, "reading %s", path) : NULL;
}

err *files_list(const char *path, const char *suffix, char ***ret)
{
        _cleanup_(dir_close) DIR *d = NULL;
        _cleanup_strv_ char **list = NULL;
        struct dirent *entry;
        int fd;

        *ret = NULL;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? NULL
                                                                              : err_sys(errno, "opening %s", path);
        d = fdopendir(fd);
        if (!d) {
                (void)file_close(fd);
                return err_sys(errno, "reading %s", path);
        }
        while ((entry = readdir(d)))
                if (str_ends(entry->d_name, suffix) && entry->d_name[0] != '.')
                        TRY(strv_add(&list, entry->d_name));
        if (list)
                qsort(list, strv_len(list), sizeof(*list), compare);
        *ret = TAKE_PTR(list);
        return NULL;
}
