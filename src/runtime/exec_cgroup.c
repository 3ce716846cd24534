/* exec_cgroup.c - see exec_cgroup.h. */
#include "runtime/exec_cgroup.h"

#include <stdio.h>

#include "base/file.h"
#include "base/str.h"

void exec_cgroup_done(struct exec_cgroup *g)
{
        for (size_t i = 0; i < CGROUP_HIERARCHIES_MAX; i++) {
                free(g->path[i]);
                g->path[i] = NULL;
        }
}

err *exec_cgroup_below(const char *base, const char *sub, char **ret)
{
        _cleanup_free_ char *joined = str_format("%s/%s", base, sub), *clean = NULL;
        const char *rest;
        err *e;

        if (!joined)
                return err_nomem();
        e = cgroup_path_clean(joined, &clean);
        rest = e ? NULL : str_after(clean, base);
        if (!rest || (*rest && *rest != '/')) {
                err_free(e);
                return err_new(ERR_INVALID, "bad sub cgroup path: %s", sub);
        }
        *ret = TAKE_PTR(clean);
        return NULL;
}

/* Hierarchy of v1's controller @name, -1 if there is none. */
static int hierarchy_of(const struct cgroup_layout *l, const char *name)
{
        if (str_eq(name, "name=systemd"))
                name += strlen("name=");
        for (int c = 0; c < CGROUP_CONTROLLER_MAX_; c++)
                if (str_eq(name, cgroup_controller_name(c)) && l->of[c] >= 0 && !l->h[(int)l->of[c]].v2)
                        return l->of[c];
        return -1;
}

/* @seen: controllers that have been named, for the next call. */
static err *parse_controllers(const struct cgroup_layout *l, const char *arg, const char *path, char ***seen,
                              struct exec_cgroup *g)
{
        _cleanup_free_ char *names = str_format("%.*s", (int)strcspn(arg, ":"), arg);
        _cleanup_strv_ char **list = NULL;

        if (!names)
                return err_nomem();
        TRY(strv_split(names, ',', &list));
        for (size_t i = 0; list[i]; i++) {
                int h = hierarchy_of(l, list[i]);

                if (!*list[i])
                        return err_new(ERR_INVALID, "invalid --cgroup argument: %s (empty <controller> prefix)", arg);
                if (strv_contains(*seen, list[i]))
                        return err_new(ERR_INVALID,
                                       "invalid --cgroup argument(s): controller %s specified multiple times", list[i]);
                if (h < 0)
                        return err_new(ERR_INVALID, "unknown controller %s in --cgroup %s", list[i], arg);
                TRY(strv_add(seen, list[i]));
                free(g->path[h]); /* mounted together: the last one */
                g->path[h] = str_dup(path);
                if (!g->path[h])
                        return err_nomem();
        }
        return NULL;
}

err *exec_cgroup_parse(const struct cgroup_layout *l, const char *base, char *const *args, struct exec_cgroup *ret)
{
        _cleanup_(exec_cgroup_done) struct exec_cgroup g = {.chosen = true};
        _cleanup_strv_ char **seen = NULL;

        for (size_t i = 0; args[i]; i++) {
                const char *colon = strchr(args[i], ':');
                _cleanup_free_ char *path = NULL;

                TRY(exec_cgroup_below(base, colon ? colon + 1 : args[i], &path));
                if (colon) {
                        TRY(parse_controllers(l, args[i], path, &seen, &g));
                        continue;
                }
                if (args[1])
                        return err_new(ERR_INVALID, "invalid --cgroup argument: %s (missing <controller>: prefix)",
                                       args[i]);
                for (size_t k = 0; k < l->n; k++) {
                        g.path[k] = str_dup(path);
                        if (!g.path[k])
                                return err_nomem();
                }
        }
        *ret = g;
        g = (struct exec_cgroup){.chosen = false};
        return NULL;
}

char *exec_cgroup_of(pid_t pid)
{
        _cleanup_free_ char *text = NULL;
        char path[32], *line;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
                return NULL;
        line = str_starts(text, "0::") ? text : strstr(text, "\n0::");
        line = line ? strchr(line, '/') : NULL;
        if (!line)
                return NULL;
        line[strcspn(line, "\n")] = '\0';
        return str_dup(line);
}
