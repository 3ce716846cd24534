/* ring.c - see ring.h.
 *
 * head and tail count bytes and never wrap. Who has to wait says so in shared memory, looks once more, and then
 * receives a byte from the other's end of a socket pair, which also ends when the other process does. Bytes are free
 * again when the reader has had them and the writer's hashing thread, if there is one, too. */
#include "store/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

#define SIZE ((size_t)4 << 20)
#define WAKE_READER (SIZE / 4) /* so much is worth waking it */
#define WAKE_WRITER (SIZE / 2)
#define TELL_WRITER (SIZE / 16)
#define ROOM (SIZE / 16) /* less is worth waiting for */
#define HASH_STEP (SIZE / 16)
#define WAKE_HASH (SIZE / 4)

/* Both may write here. */
struct shared {
        _Atomic uint64_t head;
        _Atomic bool ended, reader_waits;
        _Alignas(64) _Atomic uint64_t tail;
        _Atomic bool writer_waits;
};

/* The thread that hashes what the writer writes; in memory of the writer's own. */
struct follower {
        pthread_t thread;
        struct digest_hasher *hasher; /* borrowed, as is the ring's ... */
        const unsigned char *data;
        _Atomic uint64_t filled, hashed;
        pthread_mutex_t lock; /* of what follows */
        pthread_cond_t more, less;
        bool waits, last, writer_waits;
};

struct ring {
        struct stream stream;      /* first */
        struct follower *follower; /* NULL: none */
        struct shared *shared;
        unsigned char *data;
        int memory_fd; /* of the data, for reading only */
        int pair[2];   /* the writer's end, the reader's end */
        uint64_t at;   /* head or tail, whichever is ours: never read back */
        uint64_t seen; /* the other one, when it was last looked at: lines of memory that move between processors are
                          slow */
        uint64_t told; /* reader: tail as the writer knows it */
        size_t lent;   /* reader: what is still in use */
};

/* ---- hashing beside ---- */

static bool wait_for_more(struct follower *f, uint64_t done)
{
        (void)pthread_mutex_lock(&f->lock);
        f->waits = true;
        while (atomic_load(&f->filled) == done && !f->last)
                (void)pthread_cond_wait(&f->more, &f->lock);
        f->waits = false;
        (void)pthread_mutex_unlock(&f->lock);
        return atomic_load(&f->filled) != done;
}

static void *follow(void *arg)
{
        struct follower *f = arg;
        uint64_t done = 0;

        while (atomic_load(&f->filled) != done || wait_for_more(f, done)) {
                size_t n = (size_t)(atomic_load(&f->filled) - done), at = (size_t)(done % SIZE);

                if (n > HASH_STEP)
                        n = HASH_STEP;
                if (n > SIZE - at)
                        n = SIZE - at;
                digest_hasher_update(f->hasher, f->data + at, n);
                done += n;
                atomic_store(&f->hashed, done);
                (void)pthread_mutex_lock(&f->lock);
                if (f->writer_waits)
                        (void)pthread_cond_signal(&f->less);
                (void)pthread_mutex_unlock(&f->lock);
        }
        return NULL;
}

static void follower_wake(struct follower *f, bool last)
{
        (void)pthread_mutex_lock(&f->lock);
        f->last |= last;
        if (f->waits)
                (void)pthread_cond_signal(&f->more);
        (void)pthread_mutex_unlock(&f->lock);
}

static void follower_wait(struct follower *f, uint64_t until)
{
        (void)pthread_mutex_lock(&f->lock);
        f->writer_waits = true;
        if (f->waits)
                (void)pthread_cond_signal(&f->more);
        while (atomic_load(&f->hashed) < until)
                (void)pthread_cond_wait(&f->less, &f->lock);
        f->writer_waits = false;
        (void)pthread_mutex_unlock(&f->lock);
}

static void follower_free(struct follower *f)
{
        (void)pthread_cond_destroy(&f->more);
        (void)pthread_cond_destroy(&f->less);
        (void)pthread_mutex_destroy(&f->lock);
        free(f);
}

/* It hashes everything that there is first. */
static void stop_following(struct ring *r)
{
        struct follower *f = TAKE_PTR(r->follower);

        if (!f)
                return;
        follower_wake(f, true);
        (void)pthread_join(f->thread, NULL);
        follower_free(f);
}

err *ring_hash(struct ring *r, struct digest_hasher *h)
{
        struct follower *f = MEM_NEW0(struct follower, 1);
        sigset_t all, old;
        int e;

        if (!f)
                return err_nomem();
        f->hasher = h;
        f->data = r->data;
        (void)pthread_mutex_init(&f->lock, NULL);
        (void)pthread_cond_init(&f->more, NULL);
        (void)pthread_cond_init(&f->less, NULL);
        /* Signals are the program's. */
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &old);
        e = pthread_create(&f->thread, NULL, follow, f);
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (e) {
                follower_free(f);
                return err_sys(e, "starting a thread");
        }
        r->follower = f;
        return NULL;
}

/* ---- */

static err *make_data(struct ring *r)
{
        _cleanup_close_ int fd = memfd_create("hod-unpack", MFD_CLOEXEC);
        char link[64];

        if (fd < 0 || ftruncate(fd, (off_t)SIZE) < 0)
                return err_sys(errno, "making shared memory");
        r->data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (r->data == MAP_FAILED) {
                r->data = NULL;
                return err_sys(errno, "mapping shared memory");
        }
        /* The reader gets a mapping of its own. */
        if (madvise(r->data, SIZE, MADV_DONTFORK) < 0)
                return err_sys(errno, "keeping shared memory for us");
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        r->memory_fd = open(link, O_RDONLY | O_CLOEXEC);
        return r->memory_fd < 0 ? err_sys(errno, "opening shared memory for reading") : NULL;
}

err *ring_new(struct ring **ret)
{
        _cleanup_(ring_freep) struct ring *r = MEM_NEW0(struct ring, 1);

        if (!r)
                return err_nomem();
        r->memory_fd = r->pair[0] = r->pair[1] = -1;
        r->shared = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (r->shared == MAP_FAILED) {
                r->shared = NULL;
                return err_sys(errno, "mapping shared memory");
        }
        TRY(make_data(r));
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->pair) < 0)
                return err_sys(errno, "making a socket pair");
        *ret = TAKE_PTR(r);
        return NULL;
}

void ring_free(struct ring *r)
{
        if (!r)
                return;
        stop_following(r);
        if (r->shared)
                (void)munmap(r->shared, sizeof(*r->shared));
        if (r->data)
                (void)munmap(r->data, SIZE);
        (void)file_close(r->memory_fd);
        (void)file_close(r->pair[0]);
        (void)file_close(r->pair[1]);
        free(r);
}

/* Full of wake-ups that nobody has received: it is awake. */
static void wake(int fd)
{
        (void)send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sleep until woken; false when the other side has gone. More than one byte may have come together. */
static bool nap(int fd)
{
        char bytes[64];
        ssize_t n;

        do
                n = recv(fd, bytes, sizeof(bytes), 0);
        while (n < 0 && errno == EINTR);
        return n > 0;
}

/* ---- the writer ---- */

void ring_write_here(struct ring *r)
{
        r->pair[1] = file_close(r->pair[1]);
        r->memory_fd = file_close(r->memory_fd);
}

/* Free bytes; SIZE + 1 when the reader says what cannot be. */
static size_t room(struct ring *r)
{
        r->seen = atomic_load(&r->shared->tail);
        return r->at - r->seen > SIZE ? SIZE + 1 : SIZE - (size_t)(r->at - r->seen);
}

err *ring_reserve(struct ring *r, void **ret, size_t *ret_size)
{
        size_t at = (size_t)(r->at % SIZE), n = SIZE - (size_t)(r->at - r->seen);

        if (r->follower && r->at - atomic_load(&r->follower->hashed) > SIZE - ROOM)
                follower_wait(r->follower, r->at - (SIZE - WAKE_WRITER));
        while (n < ROOM && (n = room(r)) < ROOM) {
                bool there = true;

                atomic_store(&r->shared->writer_waits, true);
                if (room(r) < ROOM)
                        there = nap(r->pair[0]);
                atomic_store(&r->shared->writer_waits, false);
                if (!there)
                        return err_sys(EPIPE, "handing the archive to the unpacker");
        }
        if (n > SIZE)
                return err_new(ERR_INTERNAL, "the unpacker has read what was never written");
        if (r->follower) {
                size_t left = SIZE - (size_t)(r->at - atomic_load(&r->follower->hashed));

                n = n < left ? n : left;
        }
        *ret = r->data + at;
        *ret_size = n < SIZE - at ? n : SIZE - at;
        return NULL;
}

static void wake_reader(struct ring *r)
{
        if (atomic_load(&r->shared->reader_waits) && atomic_exchange(&r->shared->reader_waits, false))
                wake(r->pair[0]);
}

void ring_commit(struct ring *r, size_t size)
{
        r->at += size;
        atomic_store(&r->shared->head, r->at);
        if (r->at - r->seen >= WAKE_READER)
                wake_reader(r);
        if (!r->follower)
                return;
        atomic_store(&r->follower->filled, r->at);
        if (r->at / WAKE_HASH != (r->at - size) / WAKE_HASH)
                follower_wake(r->follower, false);
}

err *ring_write(struct ring *r, const void *data, size_t size)
{
        const unsigned char *p = data;

        while (size) {
                void *to;
                size_t n;

                TRY(ring_reserve(r, &to, &n));
                if (n > size)
                        n = size;
                memcpy(to, p, n);
                ring_commit(r, n);
                p += n;
                size -= n;
        }
        return NULL;
}

void ring_end(struct ring *r)
{
        atomic_store(&r->shared->ended, true);
        wake_reader(r);
        stop_following(r);
}

/* ---- the reader ---- */

static void give_back(struct ring *r)
{
        r->at += r->lent;
        r->lent = 0;
}

/* Tell the writer what is free again. */
static void tell(struct ring *r)
{
        r->told = r->at;
        atomic_store(&r->shared->tail, r->at);
        if (atomic_load(&r->shared->writer_waits) && atomic_load(&r->shared->head) - r->at <= SIZE - WAKE_WRITER &&
            atomic_exchange(&r->shared->writer_waits, false))
                wake(r->pair[1]);
}

/* Bytes that are there; waits for some unless the end is reached. */
static size_t available(struct ring *r)
{
        bool there = true;

        give_back(r);
        if (r->at - r->told >= TELL_WRITER)
                tell(r);
        while (r->seen == r->at) {
                bool ended = atomic_load(&r->shared->ended) || !there;

                r->seen = atomic_load(&r->shared->head);
                if (r->seen != r->at || ended)
                        break;
                tell(r);
                atomic_store(&r->shared->reader_waits, true);
                if (atomic_load(&r->shared->head) == r->at && !atomic_load(&r->shared->ended))
                        there = nap(r->pair[1]);
                atomic_store(&r->shared->reader_waits, false);
        }
        return (size_t)(r->seen - r->at);
}

static err *ring_lend(struct stream *s, size_t max, const void **ret, size_t *ret_size)
{
        struct ring *r = (struct ring *)s;
        size_t n = available(r), at = (size_t)(r->at % SIZE);

        if (n > SIZE - at)
                n = SIZE - at;
        if (n > max)
                n = max;
        *ret = r->data + at;
        *ret_size = r->lent = n;
        return NULL;
}

static err *ring_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        const void *from;

        TRY(ring_lend(s, size, &from, ret));
        if (*ret)
                memcpy(data, from, *ret);
        return NULL;
}

static void free_nothing(struct stream *s)
{
        (void)s;
}

err *ring_read_here(struct ring *r)
{
        r->data = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, r->memory_fd, 0);
        if (r->data == MAP_FAILED) {
                r->data = NULL;
                return err_sys(errno, "mapping shared memory");
        }
        r->pair[0] = file_close(r->pair[0]);
        r->memory_fd = file_close(r->memory_fd);
        return NULL;
}

int ring_fd(const struct ring *r)
{
        return r->pair[1];
}

void ring_moved(struct ring *r, int fd)
{
        r->pair[1] = fd;
}

struct stream *ring_stream(struct ring *r)
{
        r->stream = (struct stream){.read = ring_read, .free = free_nothing, .lend = ring_lend};
        return &r->stream;
}
