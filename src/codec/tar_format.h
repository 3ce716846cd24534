/* tar_format.h - the blocks of a tar archive; shared by tar*.c only. Sources: POSIX.1-2017 pax(1), GNU tar's tar.h. */
#pragma once

#include "codec/tar.h"

#define TAR_BLOCK_SIZE 512u

struct tar_header {
        char name[100];
        char mode[8];
        char uid[8];
        char gid[8];
        char size[12];
        char mtime[12];
        char checksum[8];
        char type;
        char linkname[100];
        char magic[8]; /* "ustar\0" "00", or GNU's "ustar  \0" */
        char uname[32];
        char gname[32];
        char dev_major[8];
        char dev_minor[8];
        union {
                char prefix[155];
                struct { /* star: a shorter prefix, "tar\0" in the last four bytes of the block */
                        char prefix[131];
                        char atime[12];
                        char ctime[12];
                } star;
                struct { /* GNU: no prefix */
                        char atime[12], ctime[12], offset[12], longnames[4], unused;
                        struct tar_gnu_stretch {
                                char offset[12], size[12];
                        } map[4];
                        char extended;
                        char real_size[12];
                } gnu;
        };
        char tail[12];
};

#define TAR_GNU_MAP_MORE 21u
struct tar_gnu_more { /* follows a GNU sparse header whose `extended` is set */
        struct tar_gnu_stretch map[TAR_GNU_MAP_MORE];
        char extended;
        char unused[7];
};

_Static_assert(sizeof(struct tar_header) == TAR_BLOCK_SIZE, "a tar header is one block");
_Static_assert(sizeof(struct tar_gnu_more) == TAR_BLOCK_SIZE, "a sparse extension is one block");

/* The checksum over a header block, its own field counted as spaces. @as_signed: as some old Unixes did. */
int64_t tar_checksum(const struct tar_header *h, bool as_signed);
/* A number field: octal text with spaces or NULs around it (empty is 0), or base-256. False when malformed or outside
 * int64_t. */
bool tar_number(const char *field, size_t size, int64_t *ret);
/* Decimal text of exactly @size bytes, no sign, at most INT64_MAX. */
bool tar_decimal(const char *text, size_t size, uint64_t *ret);

enum tar_pax_have {
        PAX_PATH = 1u << 0,
        PAX_LINKPATH = 1u << 1,
        PAX_SIZE = 1u << 2,
        PAX_UID = 1u << 3,
        PAX_GID = 1u << 4,
        PAX_MTIME = 1u << 5,
        PAX_SPARSE_NAME = 1u << 6,
        PAX_SPARSE_SIZE = 1u << 7, /* GNU.sparse.size or .realsize */
        PAX_SPARSE_COUNT = 1u << 8,
        PAX_SPARSE_MAP = 1u << 9, /* 0.1's one record, or 0.0's pairs */
        PAX_SPARSE_MAJOR = 1u << 10,
        PAX_SPARSE_MINOR = 1u << 11,
};

struct tar_pax {
        unsigned have; /* enum tar_pax_have */
        bool sparse_pairs, sparse_half;
        char *path, *linkpath, *sparse_name;
        uint64_t size, sparse_size, sparse_count, sparse_major, sparse_minor;
        uint32_t uid, gid;
        int64_t mtime;
        uint32_t mtime_ns;
        struct tar_xattr *xattrs;
        size_t n_xattrs, xattr_total;
        struct tar_stretch *map;
        size_t n_map;
};

/* Parse the records of one extended header into the empty @p. @global: only what may stand in a global header.
 * ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM; @p is to be freed also then. */
MUST_USE err *tar_pax_parse(const char *data, size_t size, bool global, const struct tar_limits *limits,
                            struct tar_pax *p);
void tar_pax_free(struct tar_pax *p);
/* Append one stretch; ERR_LIMIT, ERR_NOMEM. */
MUST_USE err *tar_map_add(struct tar_stretch **map, size_t *n, uint64_t offset, uint64_t size,
                          const struct tar_limits *limits);
/* Is @map ascending, without overlap, inside @logical, and does it hold exactly @stored bytes? */
bool tar_map_valid(const struct tar_stretch *map, size_t n, uint64_t logical, uint64_t stored);
