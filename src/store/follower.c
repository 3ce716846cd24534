/* follower.c - see follower.h. */
#include "store/follower.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "base/mem.h"

#define STEP ((size_t)256 << 10)

struct follower {
        pthread_t thread;
        bool has_thread;
        struct digest_hasher *hasher; /* borrowed, as are ... */
        const unsigned char *data;
        const _Atomic bool *reader_rests;
        size_t size;
        bool eager; /* there is a processor for it anyway */
        _Atomic uint64_t filled, hashed;
        _Atomic bool waits;   /* the thread, for something to do */
        pthread_mutex_t lock; /* of what follows, and who hashes sets `hashing` under it */
        pthread_cond_t more, less;
        bool hashing, last;
};

static uint64_t rest(const struct follower *f)
{
        return atomic_load(&f->filled) - atomic_load(&f->hashed);
}

/* Is there something for the thread? It begins in time, before the writer has to wait, and does not stop at once. */
static bool worth_it(const struct follower *f)
{
        uint64_t left = rest(f);

        if (f->eager || atomic_load(f->reader_rests))
                return left >= STEP;
        return left >= (atomic_load(&f->waits) ? f->size / 8 * 7 : f->size / 2);
}

/* The next bytes; the lock is held, and released meanwhile. */
static void hash_step(struct follower *f)
{
        uint64_t done = atomic_load(&f->hashed);
        size_t n = rest(f) < STEP ? (size_t)rest(f) : STEP, at = (size_t)(done % f->size);

        if (n > f->size - at)
                n = f->size - at;
        f->hashing = true;
        (void)pthread_mutex_unlock(&f->lock);
        digest_hasher_update(f->hasher, f->data + at, n);
        (void)pthread_mutex_lock(&f->lock);
        f->hashing = false;
        atomic_store(&f->hashed, done + n);
        (void)pthread_cond_broadcast(&f->less);
}

static void *follow(void *arg)
{
        struct follower *f = arg;

        (void)pthread_mutex_lock(&f->lock);
        while (!f->last) {
                if (!f->hashing && worth_it(f)) {
                        hash_step(f);
                        continue;
                }
                atomic_store(&f->waits, true);
                if (f->hashing || !worth_it(f))
                        (void)pthread_cond_wait(&f->more, &f->lock);
                atomic_store(&f->waits, false);
        }
        (void)pthread_mutex_unlock(&f->lock);
        return NULL;
}

bool follower_help(struct follower *f)
{
        bool any;

        (void)pthread_mutex_lock(&f->lock);
        any = rest(f) > 0;
        if (f->hashing)
                (void)pthread_cond_wait(&f->less, &f->lock);
        else if (any)
                hash_step(f);
        (void)pthread_mutex_unlock(&f->lock);
        return any;
}

void follower_filled(struct follower *f, uint64_t filled)
{
        atomic_store(&f->filled, filled);
        if (!atomic_load(&f->waits) || !worth_it(f))
                return;
        (void)pthread_mutex_lock(&f->lock);
        (void)pthread_cond_signal(&f->more);
        (void)pthread_mutex_unlock(&f->lock);
}

uint64_t follower_hashed(const struct follower *f)
{
        return atomic_load(&f->hashed);
}

static void follower_free(struct follower *f)
{
        (void)pthread_cond_destroy(&f->more);
        (void)pthread_cond_destroy(&f->less);
        (void)pthread_mutex_destroy(&f->lock);
        free(f);
}

void follower_end(struct follower *f)
{
        if (!f)
                return;
        while (follower_help(f))
                ;
        (void)pthread_mutex_lock(&f->lock);
        f->last = true;
        (void)pthread_cond_signal(&f->more);
        (void)pthread_mutex_unlock(&f->lock);
        if (f->has_thread)
                (void)pthread_join(f->thread, NULL);
        follower_free(f);
}

static bool has_more_than_two_processors(void)
{
        cpu_set_t set;

        return sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) > 2;
}

err *follower_start(struct digest_hasher *h, const unsigned char *data, size_t size, const _Atomic bool *reader_rests,
                    struct follower **ret)
{
        struct follower *f = MEM_NEW0(struct follower, 1);
        sigset_t all, old;

        if (!f)
                return err_nomem();
        f->hasher = h;
        f->data = data;
        f->size = size;
        f->reader_rests = reader_rests;
        f->eager = has_more_than_two_processors();
        (void)pthread_mutex_init(&f->lock, NULL);
        (void)pthread_cond_init(&f->more, NULL);
        (void)pthread_cond_init(&f->less, NULL);
        /* Signals are the program's. */
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &old);
        f->has_thread = pthread_create(&f->thread, NULL, follow, f) == 0; /* without one the writer hashes all */
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
        *ret = f;
        return NULL;
}
