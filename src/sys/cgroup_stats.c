/* cgroup_stats.c - counters; see cgroup.h. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup_private.h"

uint64_t cgroup_oom_kills(const struct cgroup_layout *l, const char *path)
{
        const struct cgroup_hierarchy *h = l->of[CGROUP_MEMORY] >= 0 ? &l->h[(int)l->of[CGROUP_MEMORY]] : NULL;
        uint64_t n = 0;

        if (!h || !cgroup_path_ok(path, false))
                return 0;
        return cgroup_get_key(h, path, h->v2 ? "memory.events" : "memory.oom_control", "oom_kill", &n) == 0 ? n : 0;
}

int cgroup_version(const struct cgroup_layout *l, enum cgroup_controller c)
{
        const struct cgroup_hierarchy *h = cgroup_find(l, c);

        return !h ? 0 : h->v2 ? 2 : 1;
}

int cgroup_read(const struct cgroup_layout *l, const char *path, enum cgroup_controller c, const char *file, char **ret)
{
        const struct cgroup_hierarchy *h = cgroup_find(l, c);
        char name[CGROUP_FILE_MAX], *text;
        size_t n;
        int r;

        if (!h)
                return -ENODEV;
        if (!cgroup_path_ok(path, true))
                return -EINVAL;
        r = file_read(h->fd, cgroup_name(path, file, name), 4u << 20, &text, &n);
        if (r < 0)
                return r;
        if (n && text[n - 1] == '\n')
                text[n - 1] = '\0';
        *ret = text;
        return 0;
}

static const struct cgroup_hierarchy *have(const struct cgroup_layout *l, enum cgroup_controller c)
{
        return l->of[c] >= 0 ? &l->h[(int)l->of[c]] : NULL;
}

/* Sum of the numbers that follow @word in every line; v1 "8:0 Read 4096", v2 "8:0 rbytes=4096 wbytes=0". */
static uint64_t sum_after(const char *text, const char *word)
{
        uint64_t sum = 0;

        for (const char *p = strstr(text, word); p; p = strstr(p, word)) {
                uint64_t n = 0;

                for (p += strlen(word); *p >= '0' && *p <= '9'; p++)
                        n = n * 10 + (uint64_t)(*p - '0');
                sum += n;
        }
        return sum;
}

static void stats_v1(const struct cgroup_layout *l, const char *path, struct cgroup_stats *s)
{
        const struct cgroup_hierarchy *h;
        char buf[8192];

        if ((h = have(l, CGROUP_MEMORY))) {
                (void)cgroup_get_u64(h, path, "memory.usage_in_bytes", &s->memory_current);
                (void)cgroup_get_u64(h, path, "memory.limit_in_bytes", &s->memory_limit);
                (void)cgroup_get_key(h, path, "memory.stat", "total_inactive_file", &s->memory_inactive_file);
        }
        if ((h = have(l, CGROUP_CPUACCT))) {
                (void)cgroup_get_u64(h, path, "cpuacct.usage", &s->cpu_usage_ns);
                (void)cgroup_get_u64(h, path, "cpuacct.usage_user", &s->cpu_user_ns);
                (void)cgroup_get_u64(h, path, "cpuacct.usage_sys", &s->cpu_system_ns);
        }
        if ((h = have(l, CGROUP_CPU)) && cgroup_get(h, path, "cpu.stat", buf, sizeof(buf)) == 0) {
                (void)cgroup_text_key(buf, "nr_periods", &s->cpu_periods);
                (void)cgroup_text_key(buf, "nr_throttled", &s->cpu_throttled);
                (void)cgroup_text_key(buf, "throttled_time", &s->cpu_throttled_ns);
        }
        if ((h = have(l, CGROUP_BLKIO)) &&
            cgroup_get(h, path, "blkio.throttle.io_service_bytes_recursive", buf, sizeof(buf)) == 0) {
                s->io_read_bytes = sum_after(buf, "Read ");
                s->io_write_bytes = sum_after(buf, "Write ");
        }
}

static void stats_v2(const struct cgroup_hierarchy *h, const char *path, struct cgroup_stats *s)
{
        static const struct {
                const char *key;
                size_t offset;
        } cpu[] = {
                {"usage_usec", offsetof(struct cgroup_stats, cpu_usage_ns)},
                {"user_usec", offsetof(struct cgroup_stats, cpu_user_ns)},
                {"system_usec", offsetof(struct cgroup_stats, cpu_system_ns)},
                {"throttled_usec", offsetof(struct cgroup_stats, cpu_throttled_ns)},
        };
        char buf[8192];

        (void)cgroup_get_u64(h, path, "memory.current", &s->memory_current);
        (void)cgroup_get_u64(h, path, "memory.max", &s->memory_limit);
        (void)cgroup_get_key(h, path, "memory.stat", "inactive_file", &s->memory_inactive_file);
        if (cgroup_get(h, path, "cpu.stat", buf, sizeof(buf)) == 0) {
                for (size_t i = 0; i < ARRAY_SIZE(cpu); i++) {
                        uint64_t *to = (uint64_t *)((char *)s + cpu[i].offset);

                        if (cgroup_text_key(buf, cpu[i].key, to))
                                *to *= 1000;
                }
                (void)cgroup_text_key(buf, "nr_periods", &s->cpu_periods);
                (void)cgroup_text_key(buf, "nr_throttled", &s->cpu_throttled);
        }
        if (cgroup_get(h, path, "io.stat", buf, sizeof(buf)) == 0) {
                s->io_read_bytes = sum_after(buf, "rbytes=");
                s->io_write_bytes = sum_after(buf, "wbytes=");
        }
}

err *cgroup_stats_read(const struct cgroup_layout *l, const char *path, struct cgroup_stats *ret)
{
        struct cgroup_stats s;
        const struct cgroup_hierarchy *h;

        CGROUP_CHECK_PATH(path, false);
        if (!cgroup_exists(l, path))
                return err_new(ERR_NOT_FOUND, "cgroup: %s does not exist", path);
        memset(&s, 0xff, sizeof(s)); /* UINT64_MAX: unknown */
        if (l->mode == CGROUP_MODE_V2)
                stats_v2(&l->h[(int)l->unified], path, &s);
        else
                stats_v1(l, path, &s);
        if ((h = have(l, CGROUP_PIDS))) {
                (void)cgroup_get_u64(h, path, "pids.current", &s.pids_current);
                (void)cgroup_get_u64(h, path, "pids.max", &s.pids_limit);
        }
        *ret = s;
        return NULL;
}
