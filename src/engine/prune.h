/* prune.h - removing what nobody uses: containers, images, volumes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/engine.h"

enum prune_kind {
        PRUNE_CONTAINERS = 1 << 0,
        PRUNE_IMAGES = 1 << 1,
        PRUNE_VOLUMES = 1 << 2,
        PRUNE_NETWORKS = 1 << 3,
};

/* What is to go: older than @until_ns (0 = any age), with or without labels. */
struct prune_filter {
        int64_t until_ns;
        char **labels, **not_labels; /* "key" or "key=value"; owned */
        bool dangling_given, dangling;
        bool all; /* volumes: all=1 */
};
void prune_filter_done(struct prune_filter *f);
#define _cleanup_prune_filter_ __attribute__((cleanup(prune_filter_done)))
/* From --filter's "until=", "label=", "label!=", "dangling=" (images) and "all=" (volumes).
 * ERR_INVALID "invalid filter 'x'". */
MUST_USE err *prune_filter_parse(char *const *filters, enum prune_kind kind, struct prune_filter *ret);

/* All of label=, none of label!=. */
bool prune_labels_match(const struct prune_filter *f, const json *labels);

struct prune_report {
        char **lines; /* what went, as docker prints it; owned */
        uint64_t bytes;
};
void prune_report_done(struct prune_report *r);
#define _cleanup_prune_report_ __attribute__((cleanup(prune_report_done)))

/* Containers that do not run. */
MUST_USE err *prune_containers(struct engine *e, const struct prune_filter *f, struct prune_report *ret);
/* Images without a tag, or @all, that no container was made from; never pinned ones. Also what interrupted pulls left.
 */
MUST_USE err *prune_images(struct engine *e, bool all, const struct prune_filter *f, struct prune_report *ret);
/* Volumes that no container has: anonymous ones, or @all. */
MUST_USE err *prune_volumes(struct engine *e, bool all, const struct prune_filter *f, struct prune_report *ret);
/* The compressed originals of all images' layers: push and save make them again, with other digests. */
MUST_USE err *prune_blobs(struct engine *e, struct prune_report *ret);
