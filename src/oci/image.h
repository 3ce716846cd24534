/* image.h - OCI image-spec documents: configuration, manifest, and the Dockerfile-like changes of import and commit. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "codec/json.h"

#define OCI_MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"
#define OCI_MEDIA_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_MEDIA_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
/* docker's own, of registry v2 */
#define DOCKER_MEDIA_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_MEDIA_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MEDIA_SCHEMA1 "application/vnd.docker.distribution.manifest.v1"

/* Apply one change ("CMD [\"sh\"]", "ENV A=b c=d", "ENTRYPOINT", "EXPOSE", "USER", "VOLUME", "WORKDIR", "LABEL",
 * "STOPSIGNAL", "ONBUILD", "HEALTHCHECK") to the run configuration @config (docker's Config names).
 * ERR_INVALID "RUN is not a valid change command", or what is wrong with it; @config is unchanged then. */
MUST_USE err *oci_image_change(json *config, const char *change);
MUST_USE err *oci_image_changes(json *config, char *const *changes);

/* Check an image configuration document that came from outside: object, sane kinds, rootfs.diff_ids are digests.
 * ERR_CORRUPT. */
MUST_USE err *oci_image_config_check(const json *config);

/* Architecture of this machine in Go's words ("amd64", "arm64"); borrowed. @variant (may be NULL) gets "v8" or NULL. */
const char *oci_image_machine(const char **variant);
/* "sha256:" and 64 lower-case hexadecimal digits? */
bool oci_image_digest_valid(const char *text);
