/* ahead.c - see ahead.h. */
#include "runtime/ahead.h"

#include <sched.h>

#include "base/file.h"
#include "base/trace.h"
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

/* Left to the scheduler it may wait where we run, until we wait. False: there is no other processor for us. */
static bool elsewhere(cpu_set_t *ret)
{
        int here = sched_getcpu();

        if (here < 0 || sched_getaffinity(0, sizeof(*ret), ret) < 0)
                return false;
        CPU_CLR((size_t)here, ret);
        return CPU_COUNT(ret) > 0;
}

void ahead_begin(struct ahead *a, const struct oci_spec *spec)
{
        const struct oci_namespace *ns = spec->linux_.ns;
        pthread_attr_t attr;
        cpu_set_t others;

        a->fd = -1;
        if (!ns[OCI_NS_NETWORK].present || ns[OCI_NS_NETWORK].path || ns[OCI_NS_USER].present || ns_is_rootless())
                return;
        if (!elsewhere(&others) || pthread_attr_init(&attr) != 0)
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
        (void)pthread_join(a->thread, NULL);
        a->running = false;
        return a->fd < 0 ? -1 : a->fd;
}
