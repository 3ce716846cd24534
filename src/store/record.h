/* record.h - containers' records: docker's inspect document as text, found by name, id or beginning of the id.
 *
 * A durable record is in state.db (and copied to run.db); that of an --rm container is only in run.db and is forgotten
 * at the next boot. Names and ids are unique over both. The text is opaque here, except for record_volume_users(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/store.h"

struct record {
        char *id;
        char *name; /* without the slash */
        int64_t created_ns;
        bool durable;
        char *json;
};
void record_done(struct record *r);
#define _cleanup_record_ __attribute__((cleanup(record_done)))

struct record_list {
        struct record *items;
        size_t n;
};
void record_list_done(struct record_list *l);
#define _cleanup_record_list_ __attribute__((cleanup(record_list_done)))

/* Add a record and reserve its name, in one transaction. ERR_CONFLICT with docker's text if the name is taken. */
MUST_USE err *record_insert(struct store *s, const char *id, const char *name, int64_t created_ns, bool durable,
                            const char *text);
/* ERR_CONFLICT with docker's text if @name is taken now (a hint: record_insert() decides). */
MUST_USE err *record_name_free(struct store *s, const char *name);
/* A name nobody has ("brave_lovelace"), owned by the caller. */
MUST_USE err *record_make_name(struct store *s, char **ret);

/* Find by exact name (a leading slash is dropped), else by id or its unique beginning.
 * ERR_NOT_FOUND "No such container: x"; ERR_CONFLICT "Multiple IDs found with provided prefix: x";
 * ERR_INVALID for an empty @ref. */
MUST_USE err *record_find(struct store *s, const char *ref, struct record *ret);
/* All, newest first. */
MUST_USE err *record_list_all(struct store *s, struct record_list *ret);

/* Replace the text. @durable as the record has it. ERR_NOT_FOUND if it is gone. */
MUST_USE err *record_update(struct store *s, const char *id, bool durable, const char *text);
/* Change name and text together. ERR_CONFLICT with docker's text if the name is taken. */
MUST_USE err *record_rename(struct store *s, const char *id, bool durable, const char *name, const char *text);
/* Remove; a missing record is fine. */
MUST_USE err *record_delete(struct store *s, const char *id, bool durable);

/* Ids (owned list, may be NULL for none) of the containers whose Mounts name volume @volume. */
MUST_USE err *record_volume_users(struct store *s, const char *volume, char ***ret);
/* Records of containers made from image @image_id ("sha256:..."). */
MUST_USE err *record_image_users(struct store *s, const char *image_id, struct record_list *ret);
/* The same for many images: what all containers use, read once. */
struct record_images {
        char **ids;     /* sorted */
        char **damaged; /* texts that cannot be read: what is in them may well be used */
};
MUST_USE err *record_images_used(struct store *s, struct record_images *ret);
bool record_images_have(const struct record_images *u, const char *image_id);
void record_images_done(struct record_images *u);
#define _cleanup_record_images_ __attribute__((cleanup(record_images_done)))
