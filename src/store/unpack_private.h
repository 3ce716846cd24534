/* unpack_private.h - between the files of unpack: parent, child, entries. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/tar.h"
#include "store/layer_skeleton.h"
#include "store/ring.h"
#include "store/unpack.h"

#define UNPACK_PATH_MAX 4096
#define UNPACK_TEXT 2000
#define UNPACK_DEFAULT_ACL "system.posix_acl_default"

/* What the child says at its end; one write. */
struct unpack_report {
        int code;   /* enum err_code, 0 = success */
        int errnum; /* of ERR_SYS */
        struct unpack_result result;
        char text[UNPACK_TEXT];
};

/* Buffered, append-only list in a nameless file: memory stays bounded however many entries there are. */
struct unpack_list {
        int fd;
        size_t used;
        unsigned char buffer[16384];
};
MUST_USE err *unpack_list_add(struct unpack_list *l, const void *data, size_t size);
MUST_USE err *unpack_list_flush(struct unpack_list *l);

/* Head of a record of the list of extended attributes that only the parent may set; path, name and value follow. */
struct unpack_mark {
        uint32_t path_size, name_size, value_size; /* path and name with their final NUL */
};

/* Head of a record of the list of directories whose times are set last; the path follows. */
struct unpack_time {
        int64_t mtime;
        uint32_t mtime_ns;
        uint32_t path_size;
};

/* The child's state. */
struct unpacker {
        int root; /* the layer's directory */
        unsigned flags;
        struct unpack_list marks, times;
        struct unpack_result result;
        bool default_acl; /* some directory gives what is made in it an ACL that the archive knows nothing of */
        struct skeleton *skeleton;    /* NULL: none is wanted */
        char parent[UNPACK_PATH_MAX]; /* path of the directory that parent_fd is; parent_fd -1 = none */
        int parent_fd;
        bool parent_known,
                parent_root; /* of whatever open_parent() gave last: looked at; what is made there is root's */
};

/* Put one entry where it belongs. */
MUST_USE err *unpack_entry(struct unpacker *u, struct tar_reader *tar, const struct tar_entry *entry);
/* Set the times of the directories, which writing into them has changed. */
MUST_USE err *unpack_directory_times(struct unpacker *u);

/* What the child begins with. */
struct unpack_work {
        int dir_fd, report_fd, marks_fd, times_fd;
        int skeleton_fd; /* -1: none */
        struct ring *ring;
        struct sink *skeleton; /* compresses; ends in UNPACK_SKELETON_FD */
        unsigned flags;
        const struct unpack_limits *limits;
};
#define UNPACK_SKELETON_FD 8 /* the child's number for it */
/* The child's whole life. Does not return. */
_noreturn_ void unpack_child(const struct unpack_work *w);

/* Clean @name as docker does: "." and "//" vanish, ".." goes up, an absolute name begins at the root. "" is the root
 * itself. ERR_UNSAFE_PATH when a relative name leaves the root. */
MUST_USE err *unpack_clean_name(const char *name, char out[UNPACK_PATH_MAX]);
