/* id.h - container ids: 64 lower-case hexadecimal digits from getrandom(2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ID_LEN 64
#define ID_SHORT 12

/* Fill @buf with a fresh id, terminated. An id never is all digits in its first twelve (docker's rule: it would look
 * like a number). Returns 0 or -errno. */
int id_new(char buf[ID_LEN + 1]);
bool id_valid(const char *text);
/* Could @text be the beginning of an id (1..64 hexadecimal digits)? */
bool id_prefix_valid(const char *text);
/* Container, volume and network names: [a-zA-Z0-9][a-zA-Z0-9_.-]* , at most 255 (docker wants two characters at least).
 */
bool id_name_valid(const char *text);
