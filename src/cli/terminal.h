/* terminal.h - our own terminal: raw mode, size, detach keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Rows and columns of the terminal on @fd; 0 0 if it is none. */
void terminal_size(int fd, unsigned short *rows, unsigned short *cols);

/* Switch @fd to raw mode; terminal_restore() (also called at exit and on fatal signals) undoes it. */
MUST_USE err *terminal_raw(int fd);
void terminal_restore(void);

/* A key sequence such as "ctrl-p,ctrl-q" as bytes. */
struct detach_keys {
        unsigned char keys[16];
        size_t n, matched;
};
/* NULL or "" gives docker's default. ERR_INVALID "Invalid escape keys (zz) provided". */
MUST_USE err *detach_keys_parse(const char *text, struct detach_keys *ret);
/* Filter @n bytes of typed input in @data: the part to be sent on is written to @out (room for n + 16) and its size
 * returned; *detached becomes true when the sequence is complete. Keys of a beginning that did not go on are sent. */
size_t detach_keys_filter(struct detach_keys *d, const char *data, size_t n, char *out, bool *detached);
