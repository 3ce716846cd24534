/* ui.h - what the verbs share: the engine from the global flags, errors and warnings for people. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

/* Open the engine that the global flags name. */
MUST_USE err *ui_engine(struct engine **ret);

/* "hod: message" on stderr; frees @e and returns the exit status. @run: an engine failure is 125 (run, create, exec). */
int ui_fail(err *e, bool run);
/* "Error response …" lines for one of several operands: print and remember; returns 1. */
int ui_fail_one(err *e);
void ui_warnings(char *const *warnings);

typedef err *ui_each(struct engine *e, const char *operand, const void *args);
/* Do @f for each operand; print the operand after each success unless @quiet; the status is 1 if any failed. */
int ui_for_each(char *const *operands, const void *args, ui_each *f);
