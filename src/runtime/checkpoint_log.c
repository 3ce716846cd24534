/* checkpoint_log.c - see checkpoint_log.h. */
#include "runtime/checkpoint_log.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define LOG_MAX (16u << 20)
#define BEFORE 5 /* lines before one with an error */
#define QUOTED_MAX 100

static char *cut_line(char **at)
{
        char *line = *at, *end = strchrnul(line, '\n');

        if (!*line)
                return NULL;
        *at = *end ? end + 1 : end;
        *end = '\0';
        return line;
}

void checkpoint_log_quote(const struct checkpoint_options *o, const char *name)
{
        _cleanup_free_ char *text = NULL;
        const char *last[BEFORE + 1] = {NULL};
        unsigned number = 0, shown = 0, quoted = 0;
        char *at, *line;

        if (!o->warn || file_read(o->work_fd >= 0 ? o->work_fd : o->image_fd, name, LOG_MAX, &text, NULL) < 0)
                return;
        for (at = text; quoted < QUOTED_MAX && (line = cut_line(&at));) {
                last[++number % (BEFORE + 1)] = line;
                if (!strstr(line, "Error"))
                        continue;
                if (!shown)
                        o->warn("--- Quoting \"%s/%s\"", o->log_dir, name);
                else if (number > shown + BEFORE + 1)
                        o->warn("...");
                for (unsigned n = number > BEFORE ? number - BEFORE : 1; n <= number; n++) {
                        if (n <= shown)
                                continue;
                        o->warn("%u:%s", n, last[n % (BEFORE + 1)]);
                        quoted++;
                }
                shown = number;
        }
        if (shown)
                o->warn("---");
}
