/* cgroup_private.h - shared by the files cgroup_*.c only. */
#pragma once

#include <limits.h>

#include "sys/cgroup.h"

#define CGROUP_FILE_MAX 4096

/* Is @path clean (see cgroup_path_clean)? The root "/" only with @root_ok. */
bool cgroup_path_ok(const char *path, bool root_ok);
#define CGROUP_CHECK_PATH(path, root_ok)                                                                               \
        do {                                                                                                           \
                if (!cgroup_path_ok((path), (root_ok)))                                                                \
                        return err_new(ERR_INVALID, "cgroup: \"%.200s\" is not a usable path", (path));                \
        } while (0)

/* "hod/<id>/file" or, with @file NULL, "hod/<id>", relative to a hierarchy's root. Returns @buf. */
const char *cgroup_name(const char *path, const char *file, char buf[CGROUP_FILE_MAX]);
/* Hierarchy that has the controller @c now; asks a hybrid's v2 part, too. NULL if there is none. */
const struct cgroup_hierarchy *cgroup_find(const struct cgroup_layout *l, enum cgroup_controller c);

/* Leaves: 0 or -errno. */
int cgroup_put(const struct cgroup_hierarchy *h, const char *path, const char *file, const char *text);
int cgroup_get(const struct cgroup_hierarchy *h, const char *path, const char *file, char *buf, size_t size);
int cgroup_get_u64(const struct cgroup_hierarchy *h, const char *path, const char *file, uint64_t *ret);
/* Number after "@key " at the beginning of a line of the file. */
int cgroup_get_key(const struct cgroup_hierarchy *h, const char *path, const char *file, const char *key,
                   uint64_t *ret);
/* Value after "key " in a text of such lines; false if absent. */
bool cgroup_text_key(const char *text, const char *key, uint64_t *ret);

/* Write and explain a failure with file and value. */
MUST_USE err *cgroup_set(const struct cgroup_hierarchy *h, const char *path, const char *file, const char *text);
MUST_USE err *cgroup_set_i64(const struct cgroup_hierarchy *h, const char *path, const char *file, int64_t n);
MUST_USE err *cgroup_set_u64(const struct cgroup_hierarchy *h, const char *path, const char *file, uint64_t n);
/* The error of a failed write. */
MUST_USE err *cgroup_set_failed(int errnum, const char *path, const char *file, const char *text);
MUST_USE err *cgroup_unavailable(enum cgroup_controller c);

/* A limit of @c is wanted: its hierarchy, or the error that says it is not available. */
MUST_USE err *cgroup_need(const struct cgroup_layout *l, enum cgroup_controller c, const struct cgroup_hierarchy **ret);

/* cgroup_v1.c and cgroup_v2.c */
MUST_USE err *cgroup_v1_create(const struct cgroup_hierarchy *h, const char *path);
MUST_USE err *cgroup_v1_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r);
MUST_USE err *cgroup_v2_create(const struct cgroup_hierarchy *h, const char *path);
MUST_USE err *cgroup_v2_apply(const struct cgroup_layout *l, const char *path, const struct cgroup_resources *r);
/* cgroup.controllers or cgroup.subtree_control as bits. */
unsigned cgroup_v2_controllers(const struct cgroup_hierarchy *h, const char *path, const char *file);
/* The pieces of cgroup_v2_apply() that a hybrid machine may need for controllers that live on v2. */
MUST_USE err *cgroup_v2_hugetlb(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r);
/* The same file format in both versions. */
MUST_USE err *cgroup_set_rdma(const struct cgroup_hierarchy *h, const char *path, const struct cgroup_resources *r);

/* mkdir with missing parents; 0, 1 if it was there already, or -errno. @made (may be NULL) is called for every parent
 * that had to be made, top first. */
int cgroup_mkdir(const struct cgroup_hierarchy *h, const char *path,
                 int (*made)(const struct cgroup_hierarchy *h, const char *path));
