/* hooks.h - hooks that run in the runtime's namespaces: prestart, createRuntime, poststart, poststop. */
#pragma once

#include "base/err.h"
#include "codec/json.h"
#include "oci/spec.h"

/* Run all hooks of @kind one after the other with the state document on their standard input. They get their own
 * environment and nothing of ours. The first failure ends it: ERR_SYS (exit status, with what it wrote to stderr),
 * ERR_TIMEOUT; those of poststop are warned of only. @status: "creating", "created", "running", "stopped". */
MUST_USE err *hooks_run(const struct oci_spec *s, enum oci_hook_kind kind, const char *id, const char *bundle,
                        const char *status, pid_t pid);

/* Files for what hooks say, as the annotations run.oci.hooks.stdout and .stderr (crun's) name them, for appending; -1
 * for none. The caller's. */
MUST_USE err *hooks_open_output(const struct oci_spec *s, int ret[2]);

/* The state document of the specification. */
json *hooks_state_json(const struct oci_spec *s, const char *id, const char *bundle, const char *status, pid_t pid);
/* The state document in two halves, between which the status and the pid belong:
 * BEFORE status BETWEEN-is-fixed pid AFTER; see child_hook.c. Owned by the caller. */
MUST_USE err *hooks_state(const struct oci_spec *s, const char *id, const char *bundle, char **ret_before,
                          char **ret_after);
