/* stats.c - see stats.h. Names and units are runc's: nanoseconds, bytes, v1's words for v2's counters, too. Members
 * whose comment says "not 0" are left out when they are, as its encoder does. */
#include "hodrun/stats.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/str.h"

struct group {
        const struct cgroup_layout *l;
        const char *path;
};

/* ---- pieces ---- */

/* A number alone in a file; "max" is the largest. False if it is not there. */
static bool get(const struct group *g, enum cgroup_controller c, const char *file, uint64_t *ret)
{
        _cleanup_free_ char *text = NULL;

        if (cgroup_read(g->l, g->path, c, file, &text) < 0)
                return false;
        if (str_eq(text, "max")) {
                *ret = UINT64_MAX;
                return true;
        }
        return parse_u64(text, ret);
}

static void set_uint(json *to, const char *key, uint64_t n)
{
        json_set(to, key, json_new_uint(n));
}

/* Not 0. */
static void set_some(json *to, const char *key, uint64_t n)
{
        if (n)
                set_uint(to, key, n);
}

/* An object of its own, unless it is empty. Consumes @value. */
static void set_object(json *to, const char *key, json *value)
{
        if (json_len(value))
                json_set(to, key, value);
        else
                json_free(value);
}

/* The next line of @text, which is cut there; NULL at the end. */
static char *next_line(char **text)
{
        char *line = *text, *end;

        if (!line || !*line)
                return NULL;
        end = strchr(line, '\n');
        *text = end ? end + 1 : NULL;
        if (end)
                *end = '\0';
        return line;
}

/* The next word of @line between blanks, or NULL. */
static char *next_word(char **line)
{
        char *word = *line + strspn(*line, " ");

        if (!*word)
                return NULL;
        *line = word + strcspn(word, " ");
        if (**line)
                *(*line)++ = '\0';
        return word;
}

/* The number after "@key " in one of the lines, 0 if it is not there. */
static uint64_t number_of(const char *text, const char *key)
{
        size_t n = strlen(key);

        for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
                if (strncmp(p, key, n) == 0 && p[n] == ' ') {
                        char digits[24];
                        uint64_t value = 0;

                        (void)snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
                        (void)parse_u64(digits, &value);
                        return value;
                }
        return 0;
}

/* "12.34" */
static double percent(const char *text)
{
        double n = 0, unit = 1;

        for (; *text >= '0' && *text <= '9'; text++)
                n = n * 10 + (*text - '0');
        if (*text == '.')
                for (text++; *text >= '0' && *text <= '9'; text++)
                        n += (*text - '0') * (unit /= 10);
        return n;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static void add_pressure(const struct group *g, enum cgroup_controller c, const char *file, json *to)
{
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        json *psi;

        if (cgroup_version(g->l, c) != 2 || cgroup_read(g->l, g->path, c, file, &text) < 0)
                return;
        psi = json_new_object();
        for (rest = text; (line = next_line(&rest));) {
                char *word = next_word(&line), *pair;
                json *one = word ? json_sub_object(psi, word) : NULL;

                while (one && (pair = next_word(&line))) {
                        char *value = strchr(pair, '=');
                        uint64_t n;

                        if (!value)
                                continue;
                        *value++ = '\0';
                        if (str_eq(pair, "total") && parse_u64(value, &n))
                                set_uint(one, pair, n);
                        else
                                json_set(one, pair, json_new_double(percent(value)));
                }
        }
        set_object(to, "psi", psi);
}

/* ---- cpu, cpuset, pids ---- */

static void set_percpu(json *to, const char *key, char *text)
{
        json *list = json_new_array();
        uint64_t n;

        for (char *word, *rest = text; (word = next_word(&rest));)
                if (parse_u64(word, &n))
                        json_add(list, json_new_uint(n));
        set_object(to, key, list);
}

/* "cpu user system", then a line a CPU. */
static void set_percpu_modes(json *to, char *text)
{
        json *user = json_new_array(), *kernel = json_new_array();
        char *line = next_line(&text);
        uint64_t n;

        while ((line = next_line(&text))) {
                const char *words[3] = {NULL};

                for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                        words[i] = next_word(&line);
                if (words[2] && parse_u64(words[1], &n))
                        json_add(user, json_new_uint(n));
                if (words[2] && parse_u64(words[2], &n))
                        json_add(kernel, json_new_uint(n));
        }
        set_object(to, "percpu_kernel", kernel);
        set_object(to, "percpu_user", user);
}

static void cpu_v1(const struct group *g, json *usage, json *throttling)
{
        _cleanup_free_ char *percpu = NULL, *modes = NULL, *stat = NULL;
        uint64_t total = 0, kernel = 0, user = 0;

        (void)get(g, CGROUP_CPUACCT, "cpuacct.usage", &total);
        set_some(usage, "total", total);
        if (cgroup_read(g->l, g->path, CGROUP_CPUACCT, "cpuacct.usage_percpu", &percpu) == 0)
                set_percpu(usage, "percpu", percpu);
        if (cgroup_read(g->l, g->path, CGROUP_CPUACCT, "cpuacct.usage_all", &modes) == 0)
                set_percpu_modes(usage, modes);
        (void)get(g, CGROUP_CPUACCT, "cpuacct.usage_sys", &kernel);
        (void)get(g, CGROUP_CPUACCT, "cpuacct.usage_user", &user);
        set_uint(usage, "kernel", kernel);
        set_uint(usage, "user", user);
        if (cgroup_read(g->l, g->path, CGROUP_CPU, "cpu.stat", &stat) < 0)
                return;
        set_some(throttling, "periods", number_of(stat, "nr_periods"));
        set_some(throttling, "throttledPeriods", number_of(stat, "nr_throttled"));
        set_some(throttling, "throttledTime", number_of(stat, "throttled_time"));
}

static void cpu_v2(const struct group *g, json *usage, json *throttling)
{
        _cleanup_free_ char *stat = NULL;

        if (cgroup_read(g->l, g->path, CGROUP_CPU, "cpu.stat", &stat) < 0)
                return;
        set_some(usage, "total", number_of(stat, "usage_usec") * 1000);
        set_uint(usage, "kernel", number_of(stat, "system_usec") * 1000);
        set_uint(usage, "user", number_of(stat, "user_usec") * 1000);
        set_some(throttling, "periods", number_of(stat, "nr_periods"));
        set_some(throttling, "throttledPeriods", number_of(stat, "nr_throttled"));
        set_some(throttling, "throttledTime", number_of(stat, "throttled_usec") * 1000);
}

static void add_cpu(const struct group *g, json *data)
{
        json *cpu = json_sub_object(data, "cpu"), *usage = json_new_object(), *throttling = json_new_object();

        if (cgroup_version(g->l, CGROUP_CPU) == 2)
                cpu_v2(g, usage, throttling);
        else
                cpu_v1(g, usage, throttling);
        set_object(cpu, "usage", usage);
        set_object(cpu, "throttling", throttling);
        add_pressure(g, CGROUP_CPU, "cpu.pressure", cpu);
}

/* "0-2,7" as [0,1,2,7]; not 0. */
static void set_list(const struct group *g, const char *file, json *to, const char *key)
{
        _cleanup_free_ char *text = NULL;
        json *list;

        if (cgroup_read(g->l, g->path, CGROUP_CPUSET, file, &text) < 0 || !parse_cpuset_valid(text))
                return;
        list = json_new_array();
        for (const char *p = text; *p; p += *p == ',') {
                unsigned first = 0, last;

                for (; *p >= '0' && *p <= '9'; p++)
                        first = first * 10 + (unsigned)(*p - '0');
                last = first;
                if (*p == '-')
                        for (p++, last = 0; *p >= '0' && *p <= '9'; p++)
                                last = last * 10 + (unsigned)(*p - '0');
                for (; first <= last; first++)
                        json_add(list, json_new_int(first));
        }
        set_object(to, key, list);
}

static void add_cpuset(const struct group *g, json *data)
{
        static const char *const flags[] = {"mem_hardwall",       "mem_exclusive",      "memory_migrate",
                                            "memory_spread_page", "memory_spread_slab", "memory_pressure",
                                            "sched_load_balance"};
        json *to = json_sub_object(data, "cpuset");
        bool v1 = cgroup_version(g->l, CGROUP_CPUSET) == 1; /* v2 has no such knobs, and runc reads none */
        _cleanup_free_ char *level = NULL;
        int64_t relax = 0;
        uint64_t n = 0;

        if (v1)
                set_list(g, "cpuset.cpus", to, "cpus");
        if (v1)
                (void)get(g, CGROUP_CPUSET, "cpuset.cpu_exclusive", &n);
        set_uint(to, "cpu_exclusive", n);
        if (v1)
                set_list(g, "cpuset.mems", to, "mems");
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                char file[64];

                n = 0;
                (void)snprintf(file, sizeof(file), "cpuset.%s", flags[i]);
                if (v1)
                        (void)get(g, CGROUP_CPUSET, file, &n);
                set_uint(to, flags[i], n);
        }
        if (v1 && cgroup_read(g->l, g->path, CGROUP_CPUSET, "cpuset.sched_relax_domain_level", &level) == 0)
                (void)parse_i64(level, &relax);
        json_set_int(to, "sched_relax_domain_level", relax);
}

static void add_pids(const struct group *g, json *data)
{
        json *to = json_sub_object(data, "pids");
        uint64_t n;

        if (get(g, CGROUP_PIDS, "pids.current", &n))
                set_some(to, "current", n);
        if (get(g, CGROUP_PIDS, "pids.max", &n) && n != UINT64_MAX)
                set_some(to, "limit", n);
}

/* ---- memory ---- */

static void set_entry(json *to, const char *key, uint64_t limit, uint64_t usage, uint64_t max, uint64_t failures)
{
        json *entry;

        if (!limit && !usage && !max && !failures)
                return;
        entry = json_sub_object(to, key);
        set_uint(entry, "limit", limit);
        set_some(entry, "usage", usage);
        set_some(entry, "max", max);
        set_uint(entry, "failcnt", failures);
}

static void entry_v1(const struct group *g, const char *prefix, json *to, const char *key)
{
        static const char *const names[] = {"limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"};
        uint64_t n[ARRAY_SIZE(names)] = {0};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char file[64];

                (void)snprintf(file, sizeof(file), "memory%s.%s", prefix, names[i]);
                (void)get(g, CGROUP_MEMORY, file, &n[i]);
        }
        set_entry(to, key, n[0], n[1], n[2], n[3]);
}

static void memory_v1(const struct group *g, json *to)
{
        entry_v1(g, "", to, "usage");
        entry_v1(g, ".memsw", to, "swap");
        entry_v1(g, ".kmem", to, "kernel");
        entry_v1(g, ".kmem.tcp", to, "kernelTCP");
}

/* Swap is told as v1 does: together with memory. */
static void memory_v2(const struct group *g, json *to)
{
        uint64_t usage = 0, limit = 0, peak = 0, swap = 0, swap_limit = 0;

        (void)get(g, CGROUP_MEMORY, "memory.current", &usage);
        (void)get(g, CGROUP_MEMORY, "memory.max", &limit);
        (void)get(g, CGROUP_MEMORY, "memory.peak", &peak);
        set_entry(to, "usage", limit, usage, peak, 0);
        (void)get(g, CGROUP_MEMORY, "memory.swap.current", &swap);
        (void)get(g, CGROUP_MEMORY, "memory.swap.max", &swap_limit);
        if (__builtin_add_overflow(swap_limit, limit, &limit))
                limit = UINT64_MAX;
        set_entry(to, "swap", limit, swap + usage, 0, 0);
}

static void add_memory(const struct group *g, json *data)
{
        json *to = json_sub_object(data, "memory"), *raw = json_new_object();
        _cleanup_free_ char *stat = NULL;
        bool v2 = cgroup_version(g->l, CGROUP_MEMORY) == 2;
        char *line, *rest;
        uint64_t n;

        (void)cgroup_read(g->l, g->path, CGROUP_MEMORY, "memory.stat", &stat);
        if (stat)
                set_some(to, "cache", number_of(stat, v2 ? "file" : "cache"));
        if (v2)
                memory_v2(g, to);
        else
                memory_v1(g, to);
        for (rest = stat; (line = next_line(&rest));) {
                const char *key = next_word(&line), *value = key ? next_word(&line) : NULL;

                if (value && parse_u64(value, &n))
                        set_uint(raw, key, n);
        }
        set_object(to, "raw", raw);
        add_pressure(g, CGROUP_MEMORY, "memory.pressure", to);
}

/* ---- block devices ---- */

static void add_block_entry(json *list, uint64_t major, uint64_t minor, const char *op, uint64_t value)
{
        json *entry = json_new_object();

        set_some(entry, "major", major);
        set_some(entry, "minor", minor);
        if (!str_empty(op))
                json_set_str(entry, "op", op);
        set_some(entry, "value", value);
        json_add(list, entry);
}

/* "8:0": cut out of @word. */
static bool device_number(char *word, uint64_t *major, uint64_t *minor)
{
        char *colon = word ? strchr(word, ':') : NULL;

        if (!colon)
                return false;
        *colon = '\0';
        return parse_u64(word, major) && parse_u64(colon + 1, minor);
}

/* "8:0 Read 4096" or "8:0 17" in every line, and a total. False if there is no such file. */
static bool block_v1(const struct group *g, const char *file, json *to, const char *key)
{
        _cleanup_free_ char *text = NULL;
        json *list;
        char *line, *rest;

        if (cgroup_read(g->l, g->path, CGROUP_BLKIO, file, &text) < 0)
                return false;
        list = json_new_array();
        for (rest = text; (line = next_line(&rest));) {
                uint64_t major, minor, n;
                char *device = next_word(&line);
                const char *op = next_word(&line), *value = op ? next_word(&line) : NULL;

                if (device_number(device, &major, &minor) && op && parse_u64(value ? value : op, &n))
                        add_block_entry(list, major, minor, value ? op : NULL, n);
        }
        set_object(to, key, list);
        return true;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
static void block_v2(const struct group *g, json *to)
{
        static const struct {
                const char *name, *op;
                bool bytes;
        } known[] = {
                {"rbytes", "Read", true}, {"wbytes", "Write", true}, {"rios", "Read", false}, {"wios", "Write", false}};
        json *bytes = json_new_array(), *operations = json_new_array();
        _cleanup_free_ char *text = NULL;
        char *line, *rest;

        (void)cgroup_read(g->l, g->path, CGROUP_BLKIO, "io.stat", &text);
        for (rest = text; (line = next_line(&rest));) {
                uint64_t major, minor, n;
                char *word = next_word(&line);

                if (!device_number(word, &major, &minor))
                        continue;
                while ((word = next_word(&line))) {
                        char *value = strchr(word, '=');

                        if (!value)
                                continue;
                        *value++ = '\0';
                        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                                if (str_eq(word, known[i].name) && parse_u64(value, &n))
                                        add_block_entry(known[i].bytes ? bytes : operations, major, minor, known[i].op,
                                                        n);
                }
        }
        set_object(to, "ioServiceBytesRecursive", bytes);
        set_object(to, "ioServicedRecursive", operations);
}

static void add_block(const struct group *g, json *data)
{
        static const struct {
                const char *file, *key;
        } bfq[] = {{"sectors", "sectorsRecursive"},         {"io_service_time", "ioServiceTimeRecursive"},
                   {"io_wait_time", "ioWaitTimeRecursive"}, {"io_merged", "ioMergedRecursive"},
                   {"io_queued", "ioQueueRecursive"},       {"time", "ioTimeRecursive"}};
        static const char *const families[] = {"blkio.bfq", "blkio.throttle", "blkio"};
        json *to = json_sub_object(data, "blkio");
        char file[64];

        if (cgroup_version(g->l, CGROUP_BLKIO) == 2) {
                block_v2(g, to);
                add_pressure(g, CGROUP_BLKIO, "io.pressure", to);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(bfq); i++) { /* there with CONFIG_BFQ_CGROUP_DEBUG */
                (void)snprintf(file, sizeof(file), "blkio.bfq.%s_recursive", bfq[i].file);
                (void)block_v1(g, file, to, bfq[i].key);
        }
        /* Whoever counts: the scheduler, else the throttling layer. */
        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
                (void)snprintf(file, sizeof(file), "%s.io_service_bytes_recursive", families[i]);
                if (!block_v1(g, file, to, "ioServiceBytesRecursive"))
                        continue;
                (void)snprintf(file, sizeof(file), "%s.io_serviced_recursive", families[i]);
                (void)block_v1(g, file, to, "ioServicedRecursive");
                return;
        }
}

/* ---- huge pages ---- */

static void add_hugepage(const struct group *g, const char *size, json *to)
{
        static const char *const kinds[] = {".rsvd", ""};
        int version = cgroup_version(g->l, CGROUP_HUGETLB);

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                _cleanup_free_ char *events = NULL;
                uint64_t usage, max = 0, failures = 0;
                char file[64];
                json *entry;

                (void)snprintf(file, sizeof(file), "hugetlb.%s%s.%s", size, kinds[i],
                               version == 2 ? "current" : "usage_in_bytes");
                if (!get(g, CGROUP_HUGETLB, file, &usage))
                        continue;
                if (version == 2) {
                        (void)snprintf(file, sizeof(file), "hugetlb.%s.events", size);
                        if (cgroup_read(g->l, g->path, CGROUP_HUGETLB, file, &events) == 0)
                                failures = number_of(events, "max");
                } else {
                        (void)snprintf(file, sizeof(file), "hugetlb.%s%s.max_usage_in_bytes", size, kinds[i]);
                        (void)get(g, CGROUP_HUGETLB, file, &max);
                        (void)snprintf(file, sizeof(file), "hugetlb.%s%s.failcnt", size, kinds[i]);
                        (void)get(g, CGROUP_HUGETLB, file, &failures);
                }
                entry = json_sub_object(to, size);
                set_some(entry, "usage", usage);
                set_some(entry, "max", max);
                set_uint(entry, "failcnt", failures);
                return;
        }
}

/* The sizes that this machine has: /sys/kernel/mm/hugepages/hugepages-2048kB is "2MB". */
static void add_hugepages(const struct group *g, json *data)
{
        json *to = json_sub_object(data, "hugetlb");
        DIR *dir = cgroup_version(g->l, CGROUP_HUGETLB) ? opendir("/sys/kernel/mm/hugepages") : NULL;
        struct dirent *d;

        while (dir && (d = readdir(dir))) {
                const char *digits = str_after(d->d_name, "hugepages-");
                char text[24], size[24];
                unsigned unit = 0;
                uint64_t n;

                (void)snprintf(text, sizeof(text), "%.*s", digits ? (int)strspn(digits, "0123456789") : 0,
                               digits ? digits : "");
                if (!parse_u64(text, &n))
                        continue;
                for (; n >= 1024 && unit < 3; n /= 1024)
                        unit++;
                (void)snprintf(size, sizeof(size), "%llu%cB", (unsigned long long)n, "KMGT"[unit]);
                add_hugepage(g, size, to);
        }
        if (dir)
                (void)closedir(dir);
}

static void set_text(json *to, const char *key, const char *text)
{
        if (!str_empty(text))
                json_set_str(to, key, text);
}

/* What there is none of is left out, as runc does. */
static void describe_rdt(const struct resctrl_stats *r, json *to)
{
        if (r->l3_closids) {
                json *info = json_sub_object(to, "l3_cache_info");

                set_text(info, "cbm_mask", r->l3_mask);
                set_some(info, "min_cbm_bits", r->l3_min_bits);
                set_some(info, "num_closids", r->l3_closids);
        }
        set_text(to, "l3_cache_schema_root", r->l3_root);
        set_text(to, "l3_cache_schema", r->l3);
        if (r->mb_closids) {
                json *info = json_sub_object(to, "mem_bw_info");

                set_some(info, "bandwidth_gran", r->mb_gran);
                set_some(info, "delay_linear", r->mb_linear);
                set_some(info, "min_bandwidth", r->mb_min);
                set_some(info, "num_closids", r->mb_closids);
        }
        set_text(to, "mem_bw_schema_root", r->mb_root);
        set_text(to, "mem_bw_schema", r->mb);
        for (size_t i = 0; i < r->n_nodes; i++) {
                json *bandwidth = json_new_object(), *occupancy = json_new_object();

                set_some(bandwidth, "mbm_total_bytes", r->node[i].total);
                set_some(bandwidth, "mbm_local_bytes", r->node[i].local);
                set_some(occupancy, "llc_occupancy", r->node[i].occupancy);
                if (r->counts_bandwidth)
                        json_add(json_sub_array(to, "mbm_stats"), json_ref(bandwidth));
                if (r->counts_occupancy)
                        json_add(json_sub_array(to, "cmt_stats"), json_ref(occupancy));
                json_free(bandwidth);
                json_free(occupancy);
        }
}

static err *add_rdt(const struct resctrl_group *rdt, json *data)
{
        json *to = json_sub_object(data, "intel_rdt");
        _cleanup_(resctrl_stats_done) struct resctrl_stats r = {.n_nodes = 0};
        _cleanup_close_ int root = rdt ? resctrl_open() : -1;

        if (root < 0)
                return NULL;
        TRY(resctrl_stats_read(root, rdt, &r));
        describe_rdt(&r, to);
        return NULL;
}

err *stats_read(const struct cgroup_layout *l, const char *path, const struct resctrl_group *rdt, json **ret)
{
        const struct group g = {l, path};
        _cleanup_json_ json *data = NULL;

        if (!cgroup_exists(l, path))
                return err_new(ERR_NOT_FOUND, "cgroup %s does not exist", path);
        data = json_new_object();
        add_cpu(&g, data);
        add_cpuset(&g, data);
        add_memory(&g, data);
        add_pids(&g, data);
        add_block(&g, data);
        add_hugepages(&g, data);
        TRY(add_rdt(rdt, data));
        json_set(data, "network_interfaces", NULL); /* a bundle's interfaces are not ours */
        *ret = TAKE_PTR(data);
        return NULL;
}
