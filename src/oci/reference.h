/* reference.h - names of images: [domain/]path[:tag][@digest], docker's grammar.
 * "busybox" is docker.io/library/busybox:latest. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* The domain of names without one, and what stands behind it: the host that serves images, the one that is searched
 * (and was the domain once), and the name that credentials have in docker's files. */
#define DOCKER_IO "docker.io"
#define DOCKER_IO_SERVER "registry-1.docker.io"
#define DOCKER_IO_INDEX "index.docker.io"
#define DOCKER_IO_KEY "https://index.docker.io/v1/"

struct reference {
        char *domain; /* "docker.io" */
        char *path;   /* "library/busybox" */
        char *tag;    /* "latest"; NULL with only a digest, or when none was given and parsing said not to add it */
        char *digest; /* "sha256:..." or NULL */
};
void reference_done(struct reference *r);
#define _cleanup_reference_ __attribute__((cleanup(reference_done)))

/* Parse. Without tag and digest the tag becomes "latest" if @default_tag.
 * ERR_INVALID "invalid reference format" and docker's variants of it. */
MUST_USE err *reference_parse(const char *text, bool default_tag, struct reference *ret);
/* "docker.io/library/busybox:latest[@sha256:...]"; owned. */
MUST_USE err *reference_full(const struct reference *r, char **ret);
/* As people write it: "busybox:latest"; owned. */
MUST_USE err *reference_familiar(const struct reference *r, char **ret);
/* Familiar form of the repository alone: "busybox", "reg.example:5000/a/b"; owned. */
MUST_USE err *reference_repository(const struct reference *r, char **ret);
/* Does the familiar form or the repository of it alone match @pattern, as docker's reference= filter has it (Go's
 * path.Match: "*" and "?" do not cross "/")? ERR_INVALID "syntax error in pattern". */
MUST_USE err *reference_matches(const struct reference *r, const char *pattern, bool *ret);
