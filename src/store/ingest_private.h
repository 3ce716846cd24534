/* ingest_private.h - between the files of ingest: documents, scheduling, the layers' processes, publishing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/image_private.h"
#include "store/ingest.h"
#include "store/unpack.h"

#define INGEST_TEXT 1200

/* A blob that layers are made from; layers with equal blobs share it. */
struct ingest_blob {
        const char *digest; /* borrowed from a layer */
        uint64_t size;
        int lock_fd; /* the partial blob, -1: not ours */
        int data_fd; /* where its bytes are or go: lock_fd, or a blob that was here; -1 with lock_fd */
        bool whole;  /* all of it is there and has the digest */
        bool here;   /* it was among the blobs before */
};

/* One layer on its way. */
struct ingest_item {
        struct ingest_layer shown;
        struct image_layer layer;
        struct ingest_blob *blob;
        bool staged;   /* its tree is in staging, under its chain's digits */
        bool has_root; /* the archive says what its root is like */
        bool retried;
        char *stand_in; /* another image's blob of the same content, in place of its own; owned, NULL = not needed */
        pid_t pid;      /* of its process, 0 = none */
        int pipe_fd;
};

struct ingest {
        struct store *store;
        struct ingest_options options;
        struct staging staging;
        struct digest id, manifest, index; /* .text "" = none */
        json *config;
        struct ingest_item *items;
        struct ingest_blob *blobs;
        size_t n, n_blobs;
        char **superseded; /* blobs that the record named before */
};

/* From a layer's process to its parent; one write(2) each. */
struct ingest_message {
        bool last;
        enum ingest_state state;
        uint64_t here;
        /* with .last */
        int code, errnum; /* enum err_code, 0 = success */
        bool again;       /* what an earlier fetch left may be to blame: it was thrown away */
        struct unpack_result result;
        uint64_t diff_size; /* of the uncompressed archive */
        char text[INGEST_TEXT];
};

/* Read and check the documents: fills the ingest's digests, items and blobs. */
MUST_USE err *ingest_documents(struct ingest *i);

/* What a layer's process needs. */
struct ingest_work {
        const struct ingest_item *item;
        size_t n; /* the item's number */
        const struct ingest_source *source;
        int tree_fd; /* empty directory */
        int pipe_fd; /* for messages */
        pid_t parent;
};
/* Its whole life. Does not return. */
_noreturn_ void ingest_worker(const struct ingest_work *w);

/* Look what is here already, for items that wait, and keep it from being removed. */
MUST_USE err *ingest_look(struct ingest *i);
/* Kill the layers' processes. */
void ingest_stop(struct ingest *i);
/* Move what is complete to its place, and give up the locks. Syncs. */
MUST_USE err *ingest_settle(struct ingest *i);
/* Directory of an item's tree, wherever it is. */
MUST_USE err *ingest_open_tree(struct ingest *i, const struct ingest_item *item, int *ret_fd);
