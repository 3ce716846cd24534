/* utf8.h - characters of UTF-8 text: decoding that cannot be fooled, and columns on a terminal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at *@p, which is moved behind it; 0 at the end of the text. A byte that is not the beginning of a
 * well-formed, shortest-form sequence gives UTF8_BROKEN and moves by one byte. */
#define UTF8_BROKEN 0xffffffffu
uint32_t utf8_next(const char **p);
/* Columns that @c takes: 0 (combining, zero width), 1, or 2 (East Asian wide, emoji); control characters 0. */
unsigned utf8_width(uint32_t c);
/* Columns of a whole text; a broken byte counts 1. */
size_t utf8_columns(const char *text);
/* May @c be sent to a terminal as it is (no control character, no bidirectional override, no line separator)? */
bool utf8_printable(uint32_t c);
