/* id.c - see id.h. */
#include "base/id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int id_new(char buf[ID_LEN + 1])
{
        static const char digits[] = "0123456789abcdef";
        unsigned char raw[ID_LEN / 2];

        do {
                if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
                        return -errno;
                for (size_t i = 0; i < sizeof(raw); i++) {
                        buf[2 * i] = digits[raw[i] >> 4];
                        buf[2 * i + 1] = digits[raw[i] & 15];
                }
                buf[ID_LEN] = '\0';
        } while (strspn(buf, "0123456789") >= ID_SHORT);
        return 0;
}

bool id_prefix_valid(const char *text)
{
        size_t n = strspn(text, "0123456789abcdef");

        return n >= 1 && n <= ID_LEN && text[n] == '\0';
}

bool id_valid(const char *text)
{
        return strlen(text) == ID_LEN && id_prefix_valid(text);
}

bool id_name_valid(const char *text)
{
        static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
        size_t n = strlen(text);

        return n >= 1 && n <= 255 && strchr(first, text[0]) && strspn(text, rest) == n;
}
