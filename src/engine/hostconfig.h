/* hostconfig.h - docker's create body: defaults, merging with the image, and checks. Pure functions on JSON. */
#pragma once

#include "base/err.h"
#include "codec/json.h"

/* A complete HostConfig in docker's order with docker's defaults; members of @given (may be NULL) replace them. */
MUST_USE err *hostconfig_complete(const json *given, json **ret);

/* The container's Config: @given (docker's create body) over the image's @image_config (may be NULL). Environment by
 * name, command and entrypoint by docker's rule (an entrypoint given drops the image's command), labels and volumes
 * united. */
MUST_USE err *hostconfig_merge_config(const json *given, const json *image_config, json **ret);

/* Refuse what docker refuses, with its words; adds to @warnings what docker warns about. Looks at /proc and cgroups
 * for what the machine has. */
MUST_USE err *hostconfig_check(const json *config, json *host, char ***warnings);

/* The same for what concerns names, ports and networks; @given is docker's create body as the user gave it, without
 * what the image adds. */
MUST_USE err *hostconfig_check_network(const json *given, const json *host, char ***warnings);

/* --log-opt of json-file: bytes a file (UINT64_MAX = unlimited) and files kept. ERR_INVALID. */
MUST_USE err *hostconfig_log_limits(const json *host, uint64_t *ret_size, unsigned *ret_files);

/* --storage-opt size=: bytes, 0 = none given. ERR_INVALID. */
MUST_USE err *hostconfig_storage_size(const json *host, uint64_t *ret);

/* The program and its arguments: Entrypoint + Cmd. ERR_INVALID "no command specified" when both are empty. */
MUST_USE err *hostconfig_argv(const json *config, char ***ret);
