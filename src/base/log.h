/* log.h - structured logging of the programs to stderr or a file. Libraries may log at debug; they never print.
 *
 * text: `time level message key=value ...`; json: one object a line with time, level, msg and the keys. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

extern enum log_level log_max; /* read by the macros so that a silent debug line costs one compare */

/* Start logging to @fd (borrowed; 2 = stderr). */
void log_setup(enum log_level max, enum log_format format, int fd);
/* Give each line to @write instead, with the level's name. */
void log_setup_writer(enum log_level max, void (*write)(const char *level, const char *text));
/* "debug", "info", "warn"/"warning", "error"/"fatal"; false if unknown. */
bool log_level_parse(const char *text, enum log_level *ret);
bool log_format_parse(const char *text, enum log_format *ret);
void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* Log @e and free it. */
void log_error_free(enum log_level level, err *e);

#define LOG_AT(level, ...)                                                                                             \
        do {                                                                                                           \
                if ((level) <= log_max)                                                                                \
                        log_write((level), __VA_ARGS__);                                                               \
        } while (0)
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
