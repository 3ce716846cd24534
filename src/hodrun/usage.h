/* usage.h - help, and what is said about a wrong command line: the form that runc's users and their scripts know
 * ("NAME:", "USAGE:", "Incorrect Usage.", status 3 for an unknown command). */
#pragma once

#include "base/opt.h"

/* From argv[0]: see hodrun_name(). */
void hodrun_set_name(const char *argv0);

/* Help of @command (the root: of the program). */
void usage_help(const struct command *root, const struct command *command, struct str *out);

/* Say what is wrong with the command line: help on stdout, the message (without a prefix) in @ret_message for the log.
 * Returns the exit status. @e is the parser's error. */
int usage_explain(const struct invocation *inv, const err *e, struct str *ret_message);
