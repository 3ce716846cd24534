/* ahead.h - what takes the kernel long is begun early, on another processor, while this one makes the rest ready.
 *
 * A network namespace takes half a millisecond, a tenth of a `run`. A thread makes it and ends; the container's process
 * then joins it (it is the thread's alone until then, and belongs to our user namespace, as one that clone had made).
 * The thread has ended before there is that process, allocates nothing and holds no lock. */
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "oci/spec.h"

struct ahead {
        pthread_t thread;
        bool running;
        cpu_set_t cpus; /* our own */
        int fd;
};

/* Begin, as early as the specification is known to be good. Does nothing where the namespace is not to be ours (none,
 * one that exists, or one that has to belong to the container's user namespace), no thread can be made, or none may be
 * there because another mount namespace has to be entered. @a stays where it is until ahead_end(). */
void ahead_begin(struct ahead *a, const struct oci_spec *spec);
/* Wait for it. Returns a descriptor, the caller's, or -1: there is none, let clone make it (and tell what is wrong). */
int ahead_end(struct ahead *a);
/* Nobody wants it. Does nothing behind ahead_end(). */
void ahead_done(struct ahead *a);
#define _cleanup_ahead_ __attribute__((cleanup(ahead_done)))
