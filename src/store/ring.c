/* ring.c - see ring.h.
 *
 * head and tail count bytes and never wrap. Who has to wait says so in shared memory, looks once more, and then
 * is told by an eventfd; a socket pair ends when the other process does. (A byte in the socket would do for both, but
 * who is woken by one is put on the processor of the waker, who has more to do.) Bytes are free
 * again when the reader has had them and the follower, if there is one, too. */
#include "store/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "store/follower.h"

#define SIZE ((size_t)4 << 20)
#define WAKE_READER (SIZE / 4) /* so much is worth waking it */
#define WAKE_WRITER (SIZE / 2)
#define TELL_WRITER (SIZE / 16)
#define ROOM (SIZE / 16) /* less is worth waiting for */

/* Both may write here. */
struct shared {
        _Atomic uint64_t head;
        _Atomic bool ended, reader_waits;
        _Alignas(64) _Atomic uint64_t tail;
        _Atomic bool writer_waits;
};

struct ring {
        struct stream stream;      /* first */
        struct follower *follower; /* NULL: none */
        struct shared *shared;
        unsigned char *data;
        int memory_fd; /* of the data, for reading only */
        int pair[2];   /* the writer's end, the reader's end */
        int told[2];   /* eventfds: for the writer, for the reader */
        uint64_t at;   /* head or tail, whichever is ours: never read back */
        uint64_t seen; /* the other one, when it was last looked at: lines of memory that move between processors are
                          slow */
        uint64_t said; /* reader: tail as the writer knows it */
        size_t lent;   /* reader: what is still in use */
};

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
        r->memory_fd = r->pair[0] = r->pair[1] = r->told[0] = r->told[1] = -1;
        r->shared = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (r->shared == MAP_FAILED) {
                r->shared = NULL;
                return err_sys(errno, "mapping shared memory");
        }
        TRY(make_data(r));
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->pair) < 0)
                return err_sys(errno, "making a socket pair");
        for (size_t i = 0; i < ARRAY_SIZE(r->told); i++)
                if ((r->told[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
                        return err_sys(errno, "making an eventfd");
        *ret = TAKE_PTR(r);
        return NULL;
}

void ring_free(struct ring *r)
{
        if (!r)
                return;
        follower_end(TAKE_PTR(r->follower));
        if (r->shared)
                (void)munmap(r->shared, sizeof(*r->shared));
        if (r->data)
                (void)munmap(r->data, SIZE);
        (void)file_close(r->memory_fd);
        (void)file_close(r->pair[0]);
        (void)file_close(r->pair[1]);
        (void)file_close(r->told[0]);
        (void)file_close(r->told[1]);
        free(r);
}

/* Full of wake-ups that nobody has received: it is awake. */
static void wake(int event)
{
        (void)eventfd_write(event, 1);
}

/* Sleep until woken; false when the other side has gone. */
static bool nap(int event, int socket)
{
        struct pollfd fds[] = {{.fd = event, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
        eventfd_t n;

        while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
                if (errno != EINTR)
                        return false;
        (void)eventfd_read(event, &n);
        return !fds[1].revents;
}

/* ---- the writer ---- */

void ring_write_here(struct ring *r)
{
        r->pair[1] = file_close(r->pair[1]);
        r->memory_fd = file_close(r->memory_fd);
}

err *ring_hash(struct ring *r, struct digest_hasher *h)
{
        return follower_start(h, r->data, SIZE, &r->shared->reader_waits, &r->follower);
}

/* Free bytes that the reader has had; SIZE + 1 when it says what cannot be. */
static size_t room(struct ring *r)
{
        r->seen = atomic_load(&r->shared->tail);
        return r->at - r->seen > SIZE ? SIZE + 1 : SIZE - (size_t)(r->at - r->seen);
}

/* Free bytes that are hashed. */
static size_t hashed_room(const struct ring *r)
{
        return r->follower ? SIZE - (size_t)(r->at - follower_hashed(r->follower)) : SIZE;
}

/* Sleep until the reader has made room; false when it has gone. */
static bool wait_for_reader(struct ring *r)
{
        bool there = true;

        atomic_store(&r->shared->writer_waits, true);
        if (room(r) < ROOM)
                there = nap(r->told[0], r->pair[0]);
        atomic_store(&r->shared->writer_waits, false);
        return there;
}

err *ring_reserve(struct ring *r, void **ret, size_t *ret_size)
{
        size_t at = (size_t)(r->at % SIZE), n = SIZE - (size_t)(r->at - r->seen), hashed = hashed_room(r);

        while ((n < ROOM && (n = room(r)) < ROOM) || hashed < ROOM) {
                if ((!r->follower || !follower_help(r->follower)) && n < ROOM && !wait_for_reader(r))
                        return err_sys(EPIPE, "handing the archive to the unpacker");
                hashed = hashed_room(r);
        }
        if (n > SIZE)
                return err_new(ERR_INTERNAL, "the unpacker has read what was never written");
        n = n < hashed ? n : hashed;
        *ret = r->data + at;
        *ret_size = n < SIZE - at ? n : SIZE - at;
        return NULL;
}

static void wake_reader(struct ring *r)
{
        if (atomic_load(&r->shared->reader_waits) && atomic_exchange(&r->shared->reader_waits, false))
                wake(r->told[1]);
}

void ring_commit(struct ring *r, size_t size)
{
        r->at += size;
        atomic_store(&r->shared->head, r->at);
        /* Only who waits is looked at: what was seen last says too much of what is there. */
        if (r->at - r->seen >= WAKE_READER && atomic_load(&r->shared->reader_waits) && SIZE - room(r) >= WAKE_READER)
                wake_reader(r);
        if (r->follower)
                follower_filled(r->follower, r->at);
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
        follower_end(TAKE_PTR(r->follower));
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
        r->said = r->at;
        atomic_store(&r->shared->tail, r->at);
        if (atomic_load(&r->shared->writer_waits) && atomic_load(&r->shared->head) - r->at <= SIZE - WAKE_WRITER &&
            atomic_exchange(&r->shared->writer_waits, false))
                wake(r->told[0]);
}

/* Bytes that are there; waits for some unless the end is reached. */
static size_t available(struct ring *r)
{
        bool there = true;

        give_back(r);
        if (r->at - r->said >= TELL_WRITER)
                tell(r);
        while (r->seen == r->at) {
                bool ended = atomic_load(&r->shared->ended) || !there;

                r->seen = atomic_load(&r->shared->head);
                if (r->seen != r->at || ended)
                        break;
                tell(r);
                atomic_store(&r->shared->reader_waits, true);
                if (atomic_load(&r->shared->head) == r->at && !atomic_load(&r->shared->ended))
                        there = nap(r->told[1], r->pair[1]);
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

void ring_fds(const struct ring *r, int ret[RING_FDS])
{
        ret[0] = r->pair[1];
        ret[1] = r->told[0];
        ret[2] = r->told[1];
}

void ring_moved(struct ring *r, int first)
{
        r->pair[1] = first;
        r->told[0] = first + 1;
        r->told[1] = first + 2;
}

struct stream *ring_stream(struct ring *r)
{
        r->stream = (struct stream){.read = ring_read, .free = free_nothing, .lend = ring_lend};
        return &r->stream;
}
