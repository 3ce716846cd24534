/* resctrl_stats.c - see resctrl.h: what the kernel counts of a group. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/str.h"
#include "sys/resctrl.h"
#include "sys/resctrl_private.h"

void resctrl_stats_done(struct resctrl_stats *s)
{
        free(s->l3_root);
        free(s->l3);
        free(s->mb_root);
        free(s->mb);
        *s = (struct resctrl_stats){.n_nodes = 0};
}

/* One line without its end; false and empty if the file is not there. */
static bool get_text(int dir, const char *name, char *buf, size_t size)
{
        _cleanup_free_ char *text = NULL;

        buf[0] = '\0';
        if (file_read(dir, name, 4096, &text, NULL) < 0)
                return false;
        (void)snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
        return true;
}

static bool get_number(int dir, const char *name, uint64_t *ret)
{
        char text[32];

        return get_text(dir, name, text, sizeof(text)) && parse_u64(text, ret);
}

/* The lines "L3:...", "L3CODE:..." and "L3DATA:..." of a schemata file, joined by a line's end; the same for MB. */
static err *get_schemata(int root, const char *name, char **ret_l3, char **ret_mb)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_str_ struct str l3 = {0}, mb = {0};

        if (file_read(root, name, 1u << 20, &text, NULL) < 0)
                return NULL;
        for (char *line = text, *next; line && *line; line = next) {
                struct str *to;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                line += strspn(line, " ");
                to = str_starts(line, "L3") ? &l3 : str_starts(line, "MB:") ? &mb : NULL;
                if (to)
                        str_printf(to, "%s%s", to->len ? "\n" : "", line);
        }
        TRY(str_done(&l3));
        TRY(str_done(&mb));
        *ret_l3 = str_dup(str_text(&l3));
        *ret_mb = str_dup(str_text(&mb));
        return *ret_l3 && *ret_mb ? NULL : err_nomem();
}

static int is_l3(const struct dirent *d)
{
        return str_starts(d->d_name, "mon_L3_");
}

/* mon_data/mon_L3_00/{llc_occupancy,mbm_total_bytes,mbm_local_bytes}, one directory a cache. */
static void get_counters(int group, struct resctrl_stats *s)
{
        _cleanup_close_ int data = openat(group, "mon_data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent **list = NULL;
        int n = data < 0 ? 0 : scandirat(data, ".", &list, is_l3, alphasort);

        for (int i = 0; i < n; i++) {
                _cleanup_close_ int node = openat(data, list[i]->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);

                if (node >= 0 && s->n_nodes < RESCTRL_NODES) {
                        if (get_number(node, "llc_occupancy", &s->node[s->n_nodes].occupancy))
                                s->counts_occupancy = true;
                        if (get_number(node, "mbm_total_bytes", &s->node[s->n_nodes].total))
                                s->counts_bandwidth = true;
                        if (get_number(node, "mbm_local_bytes", &s->node[s->n_nodes].local))
                                s->counts_bandwidth = true;
                        s->n_nodes++;
                }
                free(list[i]);
        }
        free(list);
}

err *resctrl_stats_read(int root, const struct resctrl_group *g, struct resctrl_stats *ret)
{
        char name[RESCTRL_NAME_LIMIT];
        _cleanup_close_ int group = -1;
        err *e;

        *ret = (struct resctrl_stats){.n_nodes = 0};
        (void)get_text(root, "info/L3/cbm_mask", ret->l3_mask, sizeof(ret->l3_mask));
        (void)get_number(root, "info/L3/min_cbm_bits", &ret->l3_min_bits);
        (void)get_number(root, "info/L3/num_closids", &ret->l3_closids);
        (void)get_number(root, "info/MB/bandwidth_gran", &ret->mb_gran);
        (void)get_number(root, "info/MB/delay_linear", &ret->mb_linear);
        (void)get_number(root, "info/MB/min_bandwidth", &ret->mb_min);
        (void)get_number(root, "info/MB/num_closids", &ret->mb_closids);
        e = get_schemata(root, "schemata", &ret->l3_root, &ret->mb_root);
        if (!e)
                e = get_schemata(root, resctrl_group_name(g, "schemata", name), &ret->l3, &ret->mb);
        if (e) {
                resctrl_stats_done(ret);
                return e;
        }
        group = openat(root, g->monitoring ? resctrl_count_name(g, NULL, name) : resctrl_group_name(g, NULL, name),
                       O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (group >= 0)
                get_counters(group, ret);
        return NULL;
}
