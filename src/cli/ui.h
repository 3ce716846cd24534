/* ui.h - what the verbs share: the engine from the global flags, errors and warnings for people. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/engine.h"

/* `hod` linked dynamically: docs/decisions/0017-hod-is-static.md. */
#define UI_FULL_PROGRAM "hod-full"

/* Path of the program @name, which lies beside this one; NULL = of hod itself. Owned by the caller. */
MUST_USE err *ui_program(const char *name, char **ret);

/* Open the engine that the global flags of @inv name. */
MUST_USE err *ui_engine(const struct invocation *inv, struct engine **ret);

/* Append @text, what a terminal would obey or hide (control and bidirectional characters, broken UTF-8) as \u001b: text
 * from images, registries and containers must not drive the terminal of who looks at it. Line ends and tabs stay. */
void ui_escape(struct str *out, const char *text);
/* Print @text to @f: escaped if that is a terminal, else as it is. */
void ui_print(FILE *f, const char *text);
/* Is what is printed to @f looked at? (0, 1 and 2 only.) */
bool ui_terminal(FILE *f);

/* "WARNING: ..." lines on stderr. */
void ui_warnings(char *const *warnings);

/* "hod: message" on stderr for one of several operands; frees @e. */
void ui_fail(err *e);

/* Do @f for each operand; print the operand after each success. One that fails is reported and the others are done;
 * inv->status is 1 then. */
typedef err *ui_each(struct engine *e, const char *operand, const struct invocation *inv);
MUST_USE err *ui_for_each(struct invocation *inv, ui_each *f);

/* The entries of an --env-file or --label-file. */
MUST_USE err *ui_env_file(const char *path, char ***ret);
/* The environment that flags ask for: the entries of the --env-file @files, then @list of -e ("K" alone takes our own
 * value). Any of them may be NULL; so may the result. */
MUST_USE err *ui_env(char *const *files, char *const *list, char ***ret);
