/* spec_private.h - the tables of the parts of a spec, shared by the files spec_*.c only. */
#pragma once

#include "oci/fields.h"
#include "oci/spec.h"

extern const struct fields spec_process_table[];   /* struct oci_process */
extern const struct fields spec_linux_table[];     /* struct oci_linux */
extern const struct fields spec_resources_table[]; /* struct oci_resources */
extern const struct fields spec_idmap_table[];     /* struct oci_idmap */

/* A list like "0-3,7" into a bitmap of the arena. */
MUST_USE err *spec_bitmap(struct fields_reader *r, const struct fields_at *at, json *v, struct oci_bitmap *ret);
/* Custom field: base is struct oci_linux. */
MUST_USE err *spec_seccomp_read(struct fields_reader *r, const struct fields_at *at, json *v, void *base);
