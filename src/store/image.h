/* image.h - images: an OCI config (whose digest is the image's id), a manifest, layers, and names that point at it.
 *
 * Published all at once under the store's locks, after the data has been synced; nothing of a failed import is visible.
 * A `struct image` holds the store's lease: the image cannot be removed while one lives. Free it soon, or say
 * image_keep(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/stream.h"
#include "store/store.h"
#include "store/watch.h"

struct image_layer {
        char *chain;   /* "sha256:..." chain id: name of the layer's directory */
        char *diff_id; /* "sha256:..." of the uncompressed tar */
        char *digest;  /* "sha256:..." of the blob as received */
        uint64_t size; /* bytes of the unpacked files */
        uint64_t blob_size;
        uint64_t diff_size; /* of the uncompressed tar; 0 = an older version did not note it */
        char *media_type;
};

struct staging;
struct image {
        struct store *store;
        struct staging *keep; /* image_keep(); NULL = the lease holds it */
        char *id;             /* "sha256:<64 hex>" */
        char *manifest;       /* "sha256:<64 hex>" */
        char **names;         /* "docker.io/library/busybox:latest", sorted; empty list = dangling */
        char **digests;       /* "docker.io/library/busybox@sha256:...", sorted, may be empty */
        const char *origin;   /* that of them which it was pulled as; NULL = it was not */
        bool pinned;          /* no prune removes it */
        int64_t created_ns;
        int64_t tagged_ns;          /* last time a name was given, 0 = never */
        uint64_t size;              /* sum of the layers' */
        char *parent;               /* id of the image that it was committed from, which may be gone; or NULL */
        json *config;               /* OCI image config document; its member "config" is the run configuration */
        struct image_layer *layers; /* bottom first */
        size_t n_layers;
};
void image_free(struct image *i);
DEFINE_CLEANUP(struct image *, image_free)
#define _cleanup_image_ __attribute__((cleanup(image_freep)))

/* Find by reference ("busybox" is docker.io/library/busybox:latest), by id with or without "sha256:", or by the unique
 * beginning of an id; names win. ERR_NOT_FOUND "No such image: busybox:latest"; ERR_INVALID "invalid reference format".
 */
MUST_USE err *image_find(struct store *s, const char *ref, struct image **ret);
/* For whoever reads an image for as long as a network or a pipe wants: gives the lease back, so that nobody waits for
 * us. rmi and prune may take its record and its names then, but what it consists of stays until image_free(). */
MUST_USE err *image_keep(struct image *i);
/* image_find() and image_keep(), before an image is pushed or saved. Blobs that image_drop_blobs() removed are made
 * again, with another compression and a manifest that says so; nothing is done when nothing is missing. */
MUST_USE err *image_find_whole(struct store *s, const char *ref, struct image **ret);
/* Is every layer of image @id here, with what its archive can be had from? What a repair has dropped is not,
 * and nothing of an image that is not here. */
MUST_USE err *image_is_complete(struct store *s, const char *id, bool *ret);
/* What a layer can be had from again: an image that has it and was pulled. */
struct image_origin {
        char *name;     /* "docker.io/library/busybox@sha256:..."; NULL = there is none */
        char *platform; /* of that image, "linux/amd64"; NULL = it does not say */
};
void image_origin_done(struct image_origin *o);
#define _cleanup_image_origin_ __attribute__((cleanup(image_origin_done)))
MUST_USE err *image_origin(struct store *s, const char *chain, struct image_origin *ret);
/* Are the files of all layers of @i here, as a container needs them? ERR_NOT_FOUND otherwise, with @name as what the
 * image was called, and @ret_origin of the first layer that lacks (may be NULL). */
MUST_USE err *image_check_layers(const struct image *i, const char *name, struct image_origin *ret_origin);
/* All images, newest first, with their names. Damaged ones are left out, with a warning. */
struct image_list {
        struct image **items; /* owned, with what they point to */
        size_t n;
};
void image_list_done(struct image_list *l);
#define _cleanup_image_list_ __attribute__((cleanup(image_list_done)))
MUST_USE err *image_list(struct store *s, struct image_list *ret);

/* Is @i for @platform ("linux/arm64")? ERR_NOT_FOUND with docker's text otherwise, where @ref is how it was called;
 * ERR_INVALID. NULL and "" fit. */
MUST_USE err *image_check_platform(const struct image *i, const char *ref, const char *platform);

/* docker's inspect document. */
MUST_USE err *image_inspect(const struct image *i, json **ret);
/* docker's history rows, newest first: [{"Id","Created" (unix seconds),"CreatedBy","Size","Comment","Tags"}]. */
MUST_USE err *image_history(const struct image *i, json **ret);

struct image_import {
        int fd;               /* a tar, plain or compressed (codec/stream.h); read to its end */
        struct stream *from;  /* or from here, borrowed; NULL = from fd */
        const char *about;    /* what to call it in an error; NULL = standard input */
        const char *name;     /* reference to give, or NULL = dangling */
        char *const *changes; /* Dockerfile-like instructions, see oci/image.h; may be NULL */
        const char *message;  /* NULL or "" = "Imported from -" */
        const char *platform; /* "linux/amd64"; NULL = this machine's */
        struct watch watch;   /* bytes of the archive, as it comes */
};
/* Make an image of one layer from a root file system tar. @ret_id: "sha256:...", owned.
 * Errors: ERR_INVALID (reference, change), ERR_CORRUPT (not a tar, truncated, bad checksum), ERR_UNSAFE_PATH,
 * ERR_LIMIT, ERR_SYS (disk full); nothing is published then. */
MUST_USE err *image_import(struct store *s, const struct image_import *i, char **ret_id);

struct image_commit {
        const char *container_id; /* whose writable layer becomes the new layer */
        const char *parent;       /* "sha256:..." the container's image; NULL or "" = none (--rootfs): ERR_INVALID */
        const json *container_config; /* the container's Config: the start of the new image's; borrowed */
        const char *name;             /* reference to give, or NULL */
        char *const *changes;
        const char *author, *message; /* may be NULL */
        struct watch watch;           /* bytes of the layer's archive */
};
/* Make an image of the container's image plus one layer with its changes. The container should be paused or ended.
 * Errors as image_import(). */
MUST_USE err *image_commit(struct store *s, const struct image_commit *c, char **ret_id);

/* Give @image (reference or id) the name @name too; a name that points elsewhere moves.
 * ERR_INVALID "Error parsing reference: ...". */
MUST_USE err *image_tag(struct store *s, const char *image, const char *name);

/* Pin an image (reference or id): image and system prune leave it alone, rmi wants force. Or take that back. */
MUST_USE err *image_pin(struct store *s, const char *image, bool pinned);

struct image_removed {
        bool deleted; /* "Deleted: sha256:..." or "Untagged: busybox:latest" */
        char *text;   /* familiar name, or sha256:... */
};
struct image_remove_options {
        bool force;
        bool no_prune;          /* keep parents without a name */
        char *const *platforms; /* the image must be for each of them; may be NULL */
        /* Is the container running? Asked for containers that use the image. May be NULL = none is. */
        bool (*is_running)(const char *container_id, void *arg);
        void *arg;
};
/* docker rmi. By name: removes the name, and with the last tag of a repository its digests; with the last name the
 * image, unless something needs it. By id: the image with its names, if they are of one repository with one tag, or by
 * force. Then the images that it was committed from, as long as they have no name and nothing needs them. ERR_CONFLICT
 * with docker's texts while containers or images made from it need it. @ret: owned array of what happened, in order. */
MUST_USE err *image_remove(struct store *s, const char *ref, const struct image_remove_options *o,
                           struct image_removed **ret, size_t *ret_n);

struct image_prune_options {
        bool (*wanted)(const struct image *i, void *arg); /* NULL = all */
        void *arg;
        bool all; /* also images with tags */
};
/* Remove images that no container was made from and that are not pinned: those without a tag, or @all.
 * @ret: as for image_remove(). @ret_bytes: how much became free. */
MUST_USE err *image_prune(struct store *s, const struct image_prune_options *o, struct image_removed **ret,
                          size_t *ret_n, uint64_t *ret_bytes);
/* Remove the blobs of all images' layers whose archives can be made again (see layer_tar.h). @ret: their digests, owned
 * list, NULL for none. @ret_bytes: how much became free. */
MUST_USE err *image_drop_blobs(struct store *s, char ***ret, uint64_t *ret_bytes);
void image_removed_free(struct image_removed *list, size_t n);
