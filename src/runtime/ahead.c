/* ahead.c - see ahead.h. */
#include "runtime/ahead.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/trace.h"
#include "runtime/plan.h"
#include "sys/ns.h"

#define STACK_SIZE (64 * 1024)

static void *make_net(void *arg)
{
        struct ahead *a = arg;
        struct trace_span span = trace_begin(TRACE_NET_MAKE);

        a->fd = ns_new_net();
        trace_end(&span, a->fd < 0 ? -a->fd : 0, NULL);
        return NULL;
}

/* How many want a processor at this moment, we among them: /proc/loadavg, "0.20 0.18 0.12 1/80 11206". */
static unsigned long runnable(void)
{
        _cleanup_close_ int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
        char text[128];
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        char *p = text;
        uint64_t found;

        if (n <= 0)
                return ULONG_MAX;
        text[n] = '\0';
        for (int word = 0; word < 3 && p; word++) {
                p = strchr(p, ' ');
                p = p ? p + 1 : NULL;
        }
        if (!p)
                return ULONG_MAX;
        p[strcspn(p, "/")] = '\0';
        return parse_u64(p, &found) ? found : ULONG_MAX;
}

/* Left to the scheduler it may wait where we run, until we wait. False: there is no other processor for us, or none is
 * free: we would wait for it longer than it saves. */
static bool elsewhere(struct ahead *a, cpu_set_t *ret)
{
        int here = sched_getcpu();

        if (here < 0 || sched_getaffinity(0, sizeof(a->cpus), &a->cpus) < 0)
                return false;
        *ret = a->cpus;
        CPU_CLR((size_t)here, ret);
        return CPU_COUNT(ret) > 0 && runnable() < (unsigned long)CPU_COUNT(&a->cpus);
}

/* Who has a thread, which shares its root and working directory, cannot enter another mount namespace: plan_add_bind()
 * has to. */
static bool has_to_be_alone(const struct oci_spec *spec)
{
        char pid_dir[32];
        const char *path;

        for (size_t i = 0; i < spec->n_mounts; i++)
                if (spec->mounts[i].source && plan_source_is_of_process(spec->mounts[i].source, pid_dir, &path))
                        return true;
        return false;
}

void ahead_begin(struct ahead *a, const struct oci_spec *spec)
{
        const struct oci_namespace *ns = spec->linux_.ns;
        pthread_attr_t attr;
        cpu_set_t others;

        a->fd = -1;
        if (!ns[OCI_NS_NETWORK].present || ns[OCI_NS_NETWORK].path || ns[OCI_NS_USER].present || ns_is_rootless() ||
            has_to_be_alone(spec))
                return;
        if (!elsewhere(a, &others) || pthread_attr_init(&attr) != 0)
                return;
        a->running = pthread_attr_setstacksize(&attr, STACK_SIZE) == 0 &&
                     pthread_attr_setaffinity_np(&attr, sizeof(others), &others) == 0 &&
                     pthread_create(&a->thread, &attr, make_net, a) == 0;
        (void)pthread_attr_destroy(&attr);
}

void ahead_done(struct ahead *a)
{
        (void)file_close(ahead_end(a));
}

int ahead_end(struct ahead *a)
{
        if (!a->running)
                return -1;
        /* From here on our own processor is free: it may be the first. */
        (void)pthread_setaffinity_np(a->thread, sizeof(a->cpus), &a->cpus);
        (void)pthread_join(a->thread, NULL);
        a->running = false;
        return a->fd < 0 ? -1 : a->fd;
}
