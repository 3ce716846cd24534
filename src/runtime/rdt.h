/* rdt.h - linux.intelRdt: the bridge from the specification to sys/resctrl. */
#pragma once

#include "base/err.h"
#include "oci/spec.h"
#include "sys/resctrl.h"

/* The group that @spec wants for the container @id; false if none. Strings are borrowed. */
bool rdt_group(const struct oci_spec *spec, const char *id, struct resctrl_group *ret);
/* Check and make it (only @make), and open what the container's processes have to write to: appended to @fds, of which
 * @n are used and two more fit. Nothing if the spec wants none. */
MUST_USE err *rdt_open(const struct oci_spec *spec, const char *id, bool make, int *fds, size_t *n);
/* Remove what was made for the container; missing parts, and a machine without it, are fine. */
MUST_USE err *rdt_remove(const struct resctrl_group *g);
