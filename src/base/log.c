/* log.c - see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

enum log_level log_max = LOG_LEVEL_WARN;
static enum log_format log_format = LOG_FORMAT_TEXT;
static int log_fd = 2;
static void (*log_writer)(const char *level, const char *text);

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_setup(enum log_level max, enum log_format format, int fd)
{
        log_max = max;
        log_format = format;
        log_fd = fd;
}

void log_setup_writer(enum log_level max, void (*write)(const char *level, const char *text))
{
        log_max = max;
        log_writer = write;
}

bool log_level_parse(const char *text, enum log_level *ret)
{
        static const struct {
                const char *name;
                enum log_level level;
        } names[] = {
                {"debug", LOG_LEVEL_DEBUG}, {"trace", LOG_LEVEL_DEBUG},  {"info", LOG_LEVEL_INFO},
                {"warn", LOG_LEVEL_WARN},   {"warning", LOG_LEVEL_WARN}, {"error", LOG_LEVEL_ERROR},
                {"fatal", LOG_LEVEL_ERROR}, {"panic", LOG_LEVEL_ERROR},
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(names[i].name, text) == 0) {
                        *ret = names[i].level;
                        return true;
                }
        return false;
}

bool log_format_parse(const char *text, enum log_format *ret)
{
        if (strcmp(text, "json") == 0)
                *ret = LOG_FORMAT_JSON;
        else if (strcmp(text, "text") == 0)
                *ret = LOG_FORMAT_TEXT;
        else
                return false;
        return true;
}

/* Append @text as the inside of a JSON string. */
static size_t json_escape(char *out, size_t room, const char *text)
{
        size_t used = 0;

        for (; *text && used + 7 < room; text++) {
                unsigned char c = (unsigned char)*text;

                if (c == '"' || c == '\\') {
                        out[used++] = '\\';
                        out[used++] = (char)c;
                } else if (c < 0x20) {
                        used += (size_t)snprintf(out + used, room - used, "\\u%04x", c);
                } else {
                        out[used++] = (char)c;
                }
        }
        out[used] = '\0';
        return used;
}

void log_write(enum log_level level, const char *fmt, ...)
{
        char message[2048], line[6144], when[CLOCK_TEXT_MAX];
        va_list ap;
        int n;

        if (level > log_max)
                return;
        va_start(ap, fmt);
        (void)vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        if (log_writer) {
                log_writer(level_names[level], message);
                return;
        }
        clock_format(clock_now_ns(), when);
        if (log_format == LOG_FORMAT_JSON) {
                char escaped[5120];

                (void)json_escape(escaped, sizeof(escaped), message);
                n = snprintf(line, sizeof(line), "{\"level\":\"%s\",\"msg\":\"%s\",\"time\":\"%s\"}\n",
                             level_names[level], escaped, when);
        } else {
                n = snprintf(line, sizeof(line), "%s %s %s\n", when, level_names[level], message);
        }
        if (n > 0)
                (void)file_write_all(log_fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void log_error_free(enum log_level level, err *e)
{
        char text[1024];

        if (e && level <= log_max)
                log_write(level, "%s", err_text(e, text, sizeof(text)));
        err_free(e);
}
