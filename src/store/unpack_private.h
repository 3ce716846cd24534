/* unpack_private.h - between the files of unpack: parent, child, entries. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

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

/* A directory that is open. */
struct unpack_level {
        int fd;
        size_t len;       /* of its path */
        bool known, root; /* looked at; what is made in it belongs to root */
        bool timed;       /* it gets its time when it is left */
        struct timespec mtime;
};
#define UNPACK_LEVELS 64
#define UNPACK_IMPLIED_MODE 0755 /* of directories that the archive says nothing of */

/* The child's state. */
struct unpacker {
        int root; /* the layer's directory */
        unsigned flags;
        struct unpack_list marks, times;
        struct unpack_result result;
        bool default_acl; /* some directory gives what is made in it an ACL that the archive knows nothing of */
        struct skeleton *skeleton; /* NULL: none is wanted */
        /* unpack_place.c: the directories that are open, on the way to the last entry */
        struct unpack_level levels[UNPACK_LEVELS], top;
        size_t n_levels;
        char place[UNPACK_PATH_MAX]; /* path of the last of them */
        bool moved;                  /* they may be something else by now */
        bool times_left;             /* not all directories got their times when they were left */
        bool made, made_root;        /* there is a directory that was made last, and nothing else since */
        struct timespec made_time;
        char made_name[NAME_MAX + 1];
};

/* Put one entry where it belongs. */
MUST_USE err *unpack_entry(struct unpacker *u, struct tar_reader *tar, const struct tar_entry *entry);
/* Descriptor of the directory @dir, where the next entry belongs; made if the archive has no entry for it. Borrowed
 * until the next call. */
MUST_USE err *unpack_place_open(struct unpacker *u, const char *dir, int *ret);
/* Does what is made there belong to root and its group at once, as @entry wants it? Other directories may give it
 * their own group. */
bool unpack_place_is_root(struct unpacker *u, const struct tar_entry *entry);
/* The directory @name has just been made there; @root: it is root's and gives nothing else to what is made in it. */
void unpack_place_made(struct unpacker *u, const char *name, const struct tar_entry *entry, bool root);
/* A path may mean something else now, or a directory be different. What unpack_place_open() gave is still good. */
void unpack_place_moved(struct unpacker *u);
/* Set the times of the directories that have not got them yet, which writing into them has changed. */
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
#define UNPACK_SKELETON_FD 10 /* the child's number for it */
/* The child's whole life. Does not return. */
_noreturn_ void unpack_child(const struct unpack_work *w);

/* Clean @name as docker does: "." and "//" vanish, ".." goes up, an absolute name begins at the root. "" is the root
 * itself. ERR_UNSAFE_PATH when a relative name leaves the root. */
MUST_USE err *unpack_clean_name(const char *name, char out[UNPACK_PATH_MAX]);
