/* unpack.h - put an untrusted tar stream into a directory.
 *
 * A child process does it, rooted in the directory on a private nodev mount, without network, with only the
 * capabilities CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP and no_new_privs. Inside it every entry goes by
 * descriptor (openat2 RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS). Afterwards the parent marks opaque directories. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/stream.h"

struct unpack_limits {
        uint64_t max_entries; /* 0 = the default, 4 million */
        uint64_t max_bytes;   /* of file content; 0 = the default, 1 TiB */
};

enum unpack_flags {
        UNPACK_LAYER = 1 << 0,         /* .wh. names are whiteouts: made into overlay's form; else refused */
        UNPACK_END_OPTIONAL = 1 << 2,  /* an archive without its end marker is whole: its digest will be compared */
        UNPACK_AS_USER_XATTR = 1 << 1, /* reserved for rootless: user.overlay.* instead of trusted.overlay.* */
};

struct unpack_result {
        uint64_t entries;
        uint64_t bytes; /* of regular files, hardlinks once */
        bool root;      /* the archive says what the root directory is like */
        bool replaced;  /* an entry took the place of an earlier one: the archive cannot be made again from the tree */
};

/* A running extraction. */
struct unpack;

/* Start unpacking into the empty directory @dir_fd (borrowed until the end). @skeleton_fd: an empty file that gets the
 * archive's skeleton (layer_skeleton.h, in gzip), or -1. */
MUST_USE err *unpack_start(int dir_fd, unsigned flags, const struct unpack_limits *limits, int skeleton_fd,
                           struct unpack **ret);
/* Before the first byte: have everything that is written hashed, by a thread beside, too, until unpack_finish() or
 * unpack_abort(). Nobody forks meanwhile. @h is borrowed until then. */
MUST_USE err *unpack_hash(struct unpack *u, struct digest_hasher *h);
/* Where the caller writes the plain tar; owned by @u. A write fails when the child has given up: unpack_finish() then
 * says why. */
struct sink *unpack_sink(struct unpack *u);
/* Has the child given up? */
bool unpack_broken(const struct unpack *u);
/* End of the stream: wait for the child, mark what only the parent may. Consumes @u. The caller removes a partial tree.
 * Errors: ERR_CORRUPT, ERR_UNSAFE_PATH, ERR_LIMIT, ERR_SYS. */
MUST_USE err *unpack_finish(struct unpack *u, struct unpack_result *ret);
/* Give up: kill the child. NULL is fine. Consumes @u. */
void unpack_abort(struct unpack *u);
DEFINE_CLEANUP(struct unpack *, unpack_abort)

/* All of it: the stream @tar (plain tar, borrowed) into @dir_fd. */
MUST_USE err *unpack_stream(int dir_fd, unsigned flags, struct stream *tar, struct unpack_result *ret);
/* The same with a skeleton and a hash, see above; @h NULL = none. */
MUST_USE err *unpack_hashed(int dir_fd, unsigned flags, int skeleton_fd, struct digest_hasher *h, struct stream *tar,
                            struct unpack_result *ret);
