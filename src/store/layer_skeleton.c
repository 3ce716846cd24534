/* layer_skeleton.c - see layer_skeleton.h. */
#include "store/layer_skeleton.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/tar.h"
#include "store/unpack_private.h"

#define RAW_MAX (1u << 20) /* raw bytes of one record, about */

struct record {
        uint32_t raw, path;
        uint64_t content;
};

/* A stream that remembers what passed and was not yet written: the tar reader reads ahead. */
struct recorder {
        struct stream stream; /* first */
        struct stream *below; /* borrowed */
        struct sink *to;      /* borrowed */
        unsigned char *data;
        size_t used, room;
        uint64_t start; /* offset in the archive of data[0] */
};

static err *recorder_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct recorder *r = (struct recorder *)s;

        TRY(stream_read(r->below, data, size, ret));
        if (r->used + *ret > r->room) {
                size_t room = (r->used + *ret) * 2;
                unsigned char *more = realloc(r->data, room);

                if (!more)
                        return err_nomem();
                r->data = more;
                r->room = room;
        }
        if (*ret)
                memcpy(r->data + r->used, data, *ret);
        r->used += *ret;
        return NULL;
}

static void recorder_done(struct recorder *r)
{
        free(r->data);
}

/* Forget what lies before offset @end. */
static void forget(struct recorder *r, uint64_t end)
{
        size_t n = (size_t)(end - r->start);

        if (!n)
                return;
        memmove(r->data, r->data + n, r->used - n);
        r->used -= n;
        r->start = end;
}

/* Write what lies before offset @end, and that the content of @path follows. */
static err *put(struct recorder *r, uint64_t end, const char *path, uint64_t content)
{
        size_t raw = (size_t)(end - r->start);
        struct record head = {htole32((uint32_t)raw), htole32((uint32_t)strlen(path)), htole64(content)};

        TRY(sink_write(r->to, &head, sizeof(head)));
        if (raw)
                TRY(sink_write(r->to, r->data, raw));
        if (*path)
                TRY(sink_write(r->to, path, strlen(path)));
        forget(r, end);
        return NULL;
}

static err *put_entry(struct recorder *r, struct tar_reader *tar, const struct tar_entry *entry)
{
        bool content = entry->type == TAR_FILE && !entry->sparse && entry->size > 0;
        char path[UNPACK_PATH_MAX];
        const void *data;
        uint64_t offset;
        size_t size;

        if (content) {
                TRY(unpack_clean_name(entry->name, path));
                TRY(put(r, tar_reader_offset(tar), path, entry->size));
        }
        do {
                TRY(tar_read_data(tar, &data, &size, &offset));
                if (content)
                        forget(r, tar_reader_offset(tar));
                else if (tar_reader_offset(tar) - r->start > RAW_MAX)
                        TRY(put(r, tar_reader_offset(tar), "", 0));
        } while (size);
        return NULL;
}

err *layer_skeleton_make(struct stream *from, struct sink *to)
{
        _cleanup_(recorder_done) struct recorder r = {.stream = {.read = recorder_read}, .below = from, .to = to};
        _cleanup_(tar_reader_freep) struct tar_reader *tar = NULL;
        struct tar_limits limits = tar_limits_default;
        unsigned char tail[4096];
        size_t n;

        limits.missing_end_ok = true;
        limits.max_name = UNPACK_PATH_MAX - 1;
        TRY(tar_reader_new(&r.stream, &limits, &tar));
        for (;;) {
                const struct tar_entry *entry = NULL;

                TRY(tar_next(tar, &entry));
                if (!entry)
                        break;
                TRY(put_entry(&r, tar, entry));
        }
        do {
                TRY(stream_read(&r.stream, tail, sizeof(tail), &n));
                if (r.used > RAW_MAX || !n)
                        TRY(put(&r, r.start + r.used, "", 0));
        } while (n);
        return NULL;
}

static err *corrupt(void)
{
        return err_new(ERR_CORRUPT, "the layer's skeleton is damaged");
}

static err *copy_raw(struct stream *from, uint64_t bytes, struct sink *to)
{
        unsigned char buffer[16384];

        while (bytes) {
                size_t want = bytes < sizeof(buffer) ? (size_t)bytes : sizeof(buffer), n;

                TRY(stream_read_full(from, buffer, want, &n));
                if (n != want)
                        return corrupt();
                TRY(sink_write(to, buffer, n));
                bytes -= n;
        }
        return NULL;
}

static err *copy_content(int tree_fd, const char *path, uint64_t bytes, struct sink *to)
{
        _cleanup_close_ int fd = file_open_in(tree_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
        _cleanup_free_ unsigned char *buffer = NULL;
        struct stat st;

        if (fd < 0)
                return err_new(ERR_CORRUPT, "/%s: %s", path, strerror(-fd));
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
                return err_new(ERR_CORRUPT, "/%s is not what was in the archive", path);
        buffer = malloc(STREAM_CHUNK);
        if (!buffer)
                return err_nomem();
        while (bytes) {
                ssize_t n = read(fd, buffer, bytes < STREAM_CHUNK ? (size_t)bytes : STREAM_CHUNK);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? err_sys(errno, "reading /%s", path)
                                     : err_new(ERR_CORRUPT, "/%s became shorter", path);
                TRY(sink_write(to, buffer, (size_t)n));
                bytes -= (size_t)n;
        }
        return NULL;
}

err *layer_skeleton_fill(struct stream *skeleton, int tree_fd, struct sink *to)
{
        for (;;) {
                char path[UNPACK_PATH_MAX];
                struct record head;
                size_t n, path_size;

                TRY(stream_read_full(skeleton, &head, sizeof(head), &n));
                if (!n)
                        return NULL;
                path_size = le32toh(head.path);
                if (n != sizeof(head) || path_size >= sizeof(path))
                        return corrupt();
                TRY(copy_raw(skeleton, le32toh(head.raw), to));
                TRY(stream_read_full(skeleton, path, path_size, &n));
                path[n] = '\0';
                if (n != path_size || strlen(path) != n)
                        return corrupt();
                if (path_size)
                        TRY(copy_content(tree_fd, path, le64toh(head.content), to));
        }
}
