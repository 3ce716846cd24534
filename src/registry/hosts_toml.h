/* hosts_toml.h - certificates for a registry: certs.d of docker, containers and containerd, and containerd's hosts.toml
 * beside them. */
#pragma once

#include "base/err.h"
#include "registry/endpoint.h"

/* Put the certificates that certs.d has for @host ("host[:port]") into @e. ERR_INVALID: a key without its certificate.
 */
MUST_USE err *hosts_toml_certificates(const struct registry_options *o, const char *host, struct endpoint *e);
/* Containerd's hosts for @host: appended to @list in its order, the server of the file last, without .path. Nothing
 * when there is no file. *@ret_server: the file's server was appended. */
MUST_USE err *hosts_toml_load(const struct registry_options *o, const char *host, struct endpoints *list,
                              bool *ret_server);
/* The same from @text; @dir: that of the file. For tests and fuzzing. */
MUST_USE err *hosts_toml_parse(const char *name, const char *text, size_t size, const char *dir, struct endpoints *list,
                               bool *ret_server);
