/* logs.c - see logs.h. */
#include "monitor/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define ESCAPE_STEP (LOGS_STAGE / 6) /* bytes of output that fit the empty stage however they are escaped */

/* ---- JSON text, with exactly docker's escapes (also < > & and the two line separators of JavaScript) ---- */

/* Length of the well-formed UTF-8 sequence at @s, 0 if there is none (overlong, surrogate, beyond the end ...). */
static size_t sequence(const unsigned char *s, size_t n)
{
        size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
        unsigned char low = 0x80, high = 0xbf;

        if (s[0] < 0xc2 || s[0] > 0xf4 || n < length)
                return 0;
        if (s[0] == 0xe0)
                low = 0xa0;
        else if (s[0] == 0xed)
                high = 0x9f;
        else if (s[0] == 0xf0)
                low = 0x90;
        else if (s[0] == 0xf4)
                high = 0x8f;
        if (s[1] < low || s[1] > high)
                return 0;
        for (size_t i = 2; i < length; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        return length;
}

static bool is_plain(unsigned char c)
{
        return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* The escape of an ASCII character: 2 or 6 bytes at @to. */
static size_t escape_ascii(unsigned char c, char *to)
{
        static const char hex[] = "0123456789abcdef";

        to[0] = '\\';
        if (c == '"' || c == '\\' || c == '\n' || c == '\r') {
                to[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : (char)c;
                return 2;
        }
        memcpy(to + 1, "u00", 3);
        to[4] = hex[c >> 4];
        to[5] = hex[c & 15];
        return 6;
}

size_t logs_escape(const char *data, size_t size, char *to)
{
        const unsigned char *s = (const unsigned char *)data;
        size_t used = 0;

        for (size_t i = 0; i < size;) {
                size_t run = i, n;
                char text[6];

                while (run < size && is_plain(s[run]))
                        run++;
                if (to)
                        memcpy(to + used, data + i, run - i);
                used += run - i;
                i = run;
                if (i == size)
                        break;
                if (s[i] < 0x80) {
                        n = escape_ascii(s[i++], text);
                        if (to)
                                memcpy(to + used, text, n);
                        used += n;
                        continue;
                }
                n = sequence(s + i, size - i);
                if (n == 0 || (n == 3 && s[i] == 0xe2 && s[i + 1] == 0x80 && (s[i + 2] & 0xfe) == 0xa8)) {
                        if (to)
                                memcpy(to + used, n == 0 ? "\\ufffd" : s[i + 2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
                        used += 6;
                        i += n ? n : 1;
                        continue;
                }
                if (to)
                        memcpy(to + used, data + i, n);
                used += n;
                i += n;
        }
        return used;
}

/* ---- the file ---- */

void logs_init(struct logs *l, const char *path, const char *attrs, uint64_t max_size, unsigned max_files)
{
        l->path = path && *path ? path : NULL;
        l->attrs = attrs && *attrs ? attrs : NULL;
        l->max_size = max_size ? max_size : UINT64_MAX;
        l->max_files = max_files ? max_files : 1;
        l->fd = -1;
        l->second = INT64_MIN;
}

void logs_close(struct logs *l)
{
        l->fd = file_close(l->fd);
}

static int open_file(struct logs *l)
{
        struct stat st;
        int fd = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                (void)file_close(fd);
                return -EINVAL;
        }
        l->fd = fd;
        l->size = l->good = (uint64_t)st.st_size;
        return 0;
}

static void lose(struct logs *l, uint64_t bytes, int errnum)
{
        l->lost += bytes ? bytes : 1;
        l->lost_errnum = errnum < 0 ? -errnum : errnum;
}

/* Write the stage out. A failure leaves the complete entries that were in the file before. */
static void flush_stage(struct logs *l)
{
        size_t done = 0;
        int r = 0;

        if (!l->staged)
                return;
        if (l->fd < 0)
                r = open_file(l);
        while (r == 0 && done < l->staged) {
                ssize_t n = write(l->fd, l->stage + done, l->staged - done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        r = n < 0 ? -errno : -EIO;
                else
                        done += (size_t)n;
        }
        l->size += done;
        if (r < 0) {
                lose(l, l->staged, r);
                /* No half entry stays: cut back to the last good end. */
                if (l->fd >= 0 && l->size > l->good && ftruncate(l->fd, (off_t)l->good) == 0)
                        l->size = l->good;
                l->broken_entry = l->in_entry;
        } else if (!l->in_entry) {
                l->good = l->size;
        }
        l->staged = 0;
}

/* PATH.1 → PATH.2 and so on; the oldest goes; PATH → PATH.1. With one file it is emptied. */
static void rotate(struct logs *l)
{
        char from[PATH_MAX], to[PATH_MAX];

        if (l->fd < 0)
                return;
        if (l->max_files < 2) {
                if (ftruncate(l->fd, 0) == 0)
                        l->size = l->good = 0;
                return;
        }
        for (unsigned i = l->max_files - 1; i >= 1; i--) {
                if (i == 1)
                        (void)snprintf(from, sizeof(from), "%s", l->path);
                else
                        (void)snprintf(from, sizeof(from), "%s.%u", l->path, i - 1);
                (void)snprintf(to, sizeof(to), "%s.%u", l->path, i);
                if (rename(from, to) < 0 && i == 1)
                        return; /* better too long a file than none */
        }
        logs_close(l);
        (void)open_file(l); /* flush_stage() tries again and says why not */
}

static void put(struct logs *l, const char *data, size_t size)
{
        while (size && !l->broken_entry) {
                size_t n = LOGS_STAGE - l->staged < size ? LOGS_STAGE - l->staged : size;

                memcpy(l->stage + l->staged, data, n);
                l->staged += n;
                data += n;
                size -= n;
                if (size)
                        flush_stage(l);
        }
}

/* ---- entries ---- */

/* Everything behind the text is the same for all entries of a moment, except for the stream's name. */
static void set_time(struct logs *l, int64_t now_ns)
{
        int64_t second = now_ns / 1000000000;
        unsigned fraction = (unsigned)(now_ns % 1000000000);
        size_t n = 9;
        char *p;

        if (second != l->second) {
                char text[CLOCK_TEXT_MAX];

                clock_format(second * 1000000000, text);
                memcpy(l->date, text, 19);
                l->second = second;
        }
        memcpy(l->time, l->date, 19);
        p = l->time + 19;
        if (fraction) {
                *p = '.';
                for (; fraction % 10 == 0; n--)
                        fraction /= 10;
                for (size_t i = n; i > 0; i--, fraction /= 10)
                        p[i] = (char)('0' + fraction % 10);
                p += n + 1;
        }
        memcpy(p, "Z\"}\n", 4);
        l->tail_size = (size_t)(p + 4 - l->time);
}

#define BEGIN "{\"log\":\""

static void entry(struct logs *l, enum logs_stream stream, const char *data, size_t size)
{
        static const char *const names[] = {"\",\"stream\":\"stdout\"", "\",\"stream\":\"stderr\""};
        size_t attrs = l->attrs ? strlen(l->attrs) + 9 : 0, frame = strlen(BEGIN) + 19 + attrs + 9 + l->tail_size;

        /* The exact length is counted only when it matters. */
        if (l->fd >= 0 && l->max_size != UINT64_MAX && l->size + l->staged > 0 &&
            l->size + l->staged + frame + 6 * size > l->max_size &&
            l->size + l->staged + frame + logs_escape(data, size, NULL) > l->max_size) {
                flush_stage(l);
                rotate(l);
        }
        /* A stage of whole entries only: what a failed write takes with it is clear. */
        if (frame + 6 * size > LOGS_STAGE - l->staged)
                flush_stage(l);
        l->in_entry = true;
        l->broken_entry = false;
        put(l, BEGIN, strlen(BEGIN));
        while (size && !l->broken_entry) {
                size_t n = size;

                /* Never a cut inside a character: steps end where one begins. */
                if (n > ESCAPE_STEP)
                        for (n = ESCAPE_STEP; n > ESCAPE_STEP - 4 && ((unsigned char)data[n] & 0xc0) == 0x80; n--)
                                ;
                if (n * 6 > LOGS_STAGE - l->staged && logs_escape(data, n, NULL) > LOGS_STAGE - l->staged)
                        flush_stage(l);
                if (l->broken_entry)
                        break;
                l->staged += logs_escape(data, n, l->stage + l->staged);
                data += n;
                size -= n;
        }
        put(l, names[stream], 19);
        if (l->attrs) {
                put(l, ",\"attrs\":", 9);
                put(l, l->attrs, attrs - 9);
        }
        put(l, ",\"time\":\"", 9);
        put(l, l->time, l->tail_size);
        if (l->broken_entry)
                lose(l, size, l->lost_errnum);
        l->in_entry = false;
        l->broken_entry = false;
}

/* After a time without room: how much is missing. In the log itself, because nobody else is listening. */
static void confess(struct logs *l)
{
        char text[200];
        uint64_t lost = l->lost;
        int n;

        if (!lost)
                return;
        n = snprintf(text, sizeof(text), "hod-monitor: about %llu bytes of this log are lost: %s\n",
                     (unsigned long long)lost, strerror(l->lost_errnum));
        l->lost = 0;
        entry(l, LOGS_STDERR, text, (size_t)n);
        flush_stage(l);
        if (l->lost)
                l->lost = lost; /* still no room: the loss of the confession does not count */
}

static void piece(struct logs *l, enum logs_stream stream, const char *data, size_t size)
{
        size_t used = l->partial_used[stream];

        if (!used) {
                entry(l, stream, data, size);
                return;
        }
        memcpy(l->partial[stream] + used, data, size);
        l->partial_used[stream] = 0;
        entry(l, stream, l->partial[stream], used + size);
}

void logs_write(struct logs *l, enum logs_stream stream, const char *data, size_t size, int64_t now_ns)
{
        if (!l->path || !size)
                return;
        set_time(l, now_ns);
        confess(l);
        while (size) {
                size_t room = LOGS_PIECE - l->partial_used[stream], n = size < room ? size : room;
                const char *end = memchr(data, '\n', n);

                if (end)
                        n = (size_t)(end - data) + 1;
                if (end || n == room) {
                        piece(l, stream, data, n);
                } else {
                        memcpy(l->partial[stream] + l->partial_used[stream], data, n);
                        l->partial_used[stream] += n;
                }
                data += n;
                size -= n;
        }
        flush_stage(l);
}

void logs_end(struct logs *l, enum logs_stream stream, int64_t now_ns)
{
        size_t used = l->partial_used[stream];

        if (!l->path || !used)
                return;
        set_time(l, now_ns);
        l->partial_used[stream] = 0;
        entry(l, stream, l->partial[stream], used);
        flush_stage(l);
}
