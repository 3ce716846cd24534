/* push_private.h - between push.c (what is said), push_plan.c (what goes), push_layer.c (how) and push_memory.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/push.h"
#include "store/image.h"

#define PUSH_ID 12
#define PUSH_SOURCES 4 /* repositories to mount a blob from, at most */

struct push_compression {
        bool given, zstd;
        int level; /* 0 = default */
};
/* "gzip", "zstd:19". NULL gives gzip. ERR_INVALID. */
MUST_USE err *push_compression_parse(const char *text, struct push_compression *ret);

/* What became of a blob: in memory that its worker shares. */
enum push_state { PUSH_WAITING, PUSH_CHECKING, PUSH_SENDING, PUSH_SENT, PUSH_EXISTS, PUSH_MOUNTED };
struct push_outcome {
        enum push_state state;
        uint64_t sent;
        size_t mounted_from; /* index into the blob's sources */
        struct digest digest;
        uint64_t size;
};

struct push_blob {
        char id[PUSH_ID + 1];            /* as people see it */
        char *stored;                    /* digest of the blob in the store */
        const struct image_layer *layer; /* one that is compressed on the way; NULL = sent as it is stored */
        const char *media_type;          /* as it will be called; static */
        struct digest digest;            /* as sent; "" = known when it was sent */
        uint64_t size;                   /* as sent; 0 = the same */
        uint64_t stored_size;
        bool absent;                 /* not here: the layer came in another form. It has to be there, or be mounted */
        char *sources[PUSH_SOURCES]; /* repositories of the same registry that have it ("library/busybox") */
        size_t n_sources;
        enum push_state told;
};

struct push_document {
        char *reference; /* tag or digest */
        char *media_type, *data;
        size_t size;
};

/* Everything that one tag needs. */
struct push_plan {
        struct push_blob *blobs; /* each once; top layer first, configs last */
        size_t n_blobs;
        struct push_document *documents; /* in the order in which they are put; the last one is the tag's */
        size_t n_documents;
        /* A manifest that is written when all blobs are there, instead of documents: */
        struct image *image; /* NULL = none; keeps the store's lease either way */
        bool rebuild;
        bool absent;    /* some blob is: if that does not do, the image can be rebuilt */
        size_t *layers; /* of the image, bottom first: index into blobs */
};
void push_plan_done(struct push_plan *p);
/* One more repository that @b could be mounted from. */
MUST_USE err *push_blob_source(struct push_blob *b, const char *path);

struct push {
        struct engine *engine;
        const struct push_options *o;
        struct push_compression compression;
        struct registry *registry;
        struct reference ref;
        struct push_plan plan;
        struct push_outcome *outcomes; /* one a blob; shared */
        bool no_absent;                /* all blobs must be here */
        pid_t pid;                     /* whose connections the registry's are */
};

/* What has to go for p->ref. */
MUST_USE err *push_plan_make(struct push *p);
/* The manifest of a rebuilt image, when the blobs' digests are known; owned. */
MUST_USE err *push_plan_manifest(const struct push *p, char **ret);

/* In a worker: get blob @i there. */
MUST_USE err *push_blob_send(struct push *p, size_t i);

/* What layers became when they were compressed: ROOT/pushed.json, the youngest few thousand. Only a hint: the registry
 * is asked whether it has the blob. */
struct push_memory;
MUST_USE err *push_memory_load(struct engine *e, struct push_memory **ret);
void push_memory_free(struct push_memory *m);
DEFINE_CLEANUP(struct push_memory *, push_memory_free)
/* Digest and size of @diff_id compressed so; false: not known. */
bool push_memory_find(const struct push_memory *m, const char *diff_id, const struct push_compression *c,
                      struct digest *ret, uint64_t *ret_size);
/* Repositories of @domain that got @digest become sources of @b. */
MUST_USE err *push_memory_sources(const struct push_memory *m, const char *domain, const char *digest,
                                  struct push_blob *b);
MUST_USE err *push_memory_add(struct push_memory *m, const struct push *p, const struct push_blob *b,
                              const struct push_outcome *o);
/* Write it if anything is new. */
MUST_USE err *push_memory_save(struct push_memory *m);
