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
#define WRITE_SIZE (256u << 10)

struct record {
        uint32_t raw, path;
        uint64_t content;
};

struct skeleton {
        struct sink *to; /* borrowed */
        size_t start;    /* of the record that is not complete; those before it are not written yet */
        size_t used, room;
        unsigned char *data;
};

static err *add(struct skeleton *s, const void *data, size_t size)
{
        if (s->used + size > s->room) {
                size_t room = (s->used + size) * 2;
                unsigned char *more = realloc(s->data, room);

                if (!more)
                        return err_nomem();
                s->data = more;
                s->room = room;
        }
        if (size)
                memcpy(s->data + s->used, data, size);
        s->used += size;
        return NULL;
}

/* Its head is filled in when it is complete. */
static err *begin_record(struct skeleton *s)
{
        static const struct record none;

        s->start = s->used;
        return add(s, &none, sizeof(none));
}

static size_t raw_size(const struct skeleton *s)
{
        return s->used - s->start - sizeof(struct record);
}

/* Write what is complete: much at a time, because a compressor moves its window for each piece that it gets. */
static err *write_records(struct skeleton *s)
{
        size_t size = s->start;

        s->start = s->used = 0;
        return size ? sink_write(s->to, s->data, size) : NULL;
}

err *skeleton_new(struct sink *to, struct skeleton **ret)
{
        _cleanup_(skeleton_freep) struct skeleton *s = MEM_NEW0(struct skeleton, 1);

        if (!s)
                return err_nomem();
        s->to = to;
        TRY(begin_record(s));
        *ret = TAKE_PTR(s);
        return NULL;
}

void skeleton_free(struct skeleton *s)
{
        if (!s)
                return;
        free(s->data);
        free(s);
}

/* The record ends: after its raw bytes comes the content of @path. */
static err *put(struct skeleton *s, const char *path, uint64_t content)
{
        struct record head = {htole32((uint32_t)raw_size(s)), htole32((uint32_t)strlen(path)), htole64(content)};

        memcpy(s->data + s->start, &head, sizeof(head));
        TRY(add(s, path, strlen(path)));
        s->start = s->used;
        if (s->used >= WRITE_SIZE)
                TRY(write_records(s));
        return begin_record(s);
}

err *skeleton_raw(void *arg, const void *data, size_t size)
{
        struct skeleton *s = arg;

        TRY(add(s, data, size));
        return raw_size(s) > RAW_MAX ? put(s, "", 0) : NULL;
}

err *skeleton_content(void *arg, const char *path, uint64_t size)
{
        return put(arg, path, size);
}

err *skeleton_end(struct skeleton *s)
{
        if (raw_size(s))
                TRY(put(s, "", 0));
        return write_records(s);
}

/* @content: the entry's data is in the tree. */
static err *put_data(struct skeleton *s, struct tar_reader *tar, bool content)
{
        const void *data;
        uint64_t offset;
        size_t size;

        do {
                TRY(tar_read_data(tar, &data, &size, &offset));
                if (!content && size)
                        TRY(skeleton_raw(s, data, size));
        } while (size);
        return NULL;
}

static err *put_entry(struct skeleton *s, struct tar_reader *tar, const struct tar_entry *entry)
{
        bool content = skeleton_wants(entry);
        char path[UNPACK_PATH_MAX];

        if (content) {
                TRY(unpack_clean_name(entry->name, path));
                TRY(skeleton_content(s, path, entry->size));
        }
        return put_data(s, tar, content);
}

bool skeleton_wants(const struct tar_entry *entry)
{
        return entry->type == TAR_FILE && !entry->sparse && entry->size > 0;
}

err *layer_skeleton_make(struct stream *from, struct sink *to)
{
        _cleanup_(tar_reader_freep) struct tar_reader *tar = NULL;
        _cleanup_(skeleton_freep) struct skeleton *s = NULL;
        struct tar_limits limits = tar_limits_default;

        limits.missing_end_ok = true;
        limits.max_name = UNPACK_PATH_MAX - 1;
        TRY(skeleton_new(to, &s));
        TRY(tar_reader_new(from, &limits, &tar));
        tar_reader_watch(tar, skeleton_raw, s);
        for (;;) {
                const struct tar_entry *entry = NULL;

                TRY(tar_next(tar, &entry));
                if (!entry)
                        break;
                TRY(put_entry(s, tar, entry));
        }
        TRY(tar_drain(tar));
        return skeleton_end(s);
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
                /* Each record makes at least a byte: who limits those limits the records. */
                if (n != sizeof(head) || path_size >= sizeof(path) || !(path_size ? head.content : head.raw))
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
