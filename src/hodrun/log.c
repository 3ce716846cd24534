/* log.c - see log.h. */
#include "hodrun/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "codec/json.h"
#include "hodrun/hodrun.h"

static struct {
        int fd; /* 2, or the file of --log */
        bool is_json;
} log_to = {2, false};

/* RFC 3339 to the second, local time: what runc's lines begin with. */
static void timestamp(char *buf, size_t size)
{
        time_t now = (time_t)(clock_now_ns() / 1000000000);
        struct tm tm;
        size_t n;

        if (!localtime_r(&now, &tm)) {
                buf[0] = '\0';
                return;
        }
        n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S%z", &tm);
        if (str_ends(buf, "+0000"))
                (void)snprintf(buf + n - 5, size - n + 5, "Z");
        else if (n > 2 && n + 1 < size) { /* +0100 → +01:00 */
                buf[n + 1] = '\0';
                buf[n] = buf[n - 1];
                buf[n - 1] = buf[n - 2];
                buf[n - 2] = ':';
        }
}

/* A value of the text form: bare if nothing in it could be misread. */
static void add_value(struct str *s, const char *text)
{
        bool bare = *text;

        for (const char *p = text; *p && bare; p++)
                bare = isalnum((unsigned char)*p) || strchr("-._/@^+", *p);
        if (bare)
                str_add(s, text);
        else
                parse_quote(s, text);
}

static void write_line(const char *level, const char *text)
{
        _cleanup_str_ struct str s = {0};
        char when[48];

        timestamp(when, sizeof(when));
        if (log_to.is_json) {
                _cleanup_json_ json *j = json_new_object();
                _cleanup_free_ char *line = NULL;

                json_set_str(j, "level", level);
                json_set_str(j, "msg", text);
                json_set_str(j, "time", when);
                err_free(json_print(j, JSON_COMPACT, &line));
                str_printf(&s, "%s\n", line ? line : "{}");
        } else {
                str_printf(&s, "time=\"%s\" level=%s msg=", when, level);
                add_value(&s, text);
                str_add_char(&s, '\n');
        }
        (void)file_write_all(log_to.fd, str_text(&s), s.len);
}

err *hodrun_log_open(const struct log_request *r)
{
        enum log_level level = LOG_LEVEL_WARN;
        const char *path = r->path, *file;

        if (!str_empty(r->level) && !log_level_parse(r->level, &level))
                return err_new(ERR_INVALID, "invalid log-level: %s", r->level);
        log_setup_writer(r->debug ? LOG_LEVEL_DEBUG : level, write_line);
        if (!str_empty(r->format) && !str_eq(r->format, "text") && !str_eq(r->format, "json"))
                return err_new(ERR_INVALID, "invalid log-format: %s", r->format);
        log_to.is_json = str_eq(r->format, "json");
        if (str_empty(path))
                return NULL;
        if (str_starts(path, "journald:") || str_starts(path, "syslog:"))
                return err_new(ERR_UNSUPPORTED, "--log %s: only files are supported", path);
        file = str_after(path, "file:");
        if (file)
                path = file;
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_sys(errno, "open %s", path);
        log_to.fd = fd;
        return NULL;
}

void hodrun_warn(const char *fmt, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        log_warn("%s", text);
}

void hodrun_log_fatal(const char *text)
{
        write_line("error", text);
        if (log_to.fd != 2)
                (void)fprintf(stderr, "%s\n", text);
}
