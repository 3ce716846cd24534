/* terminal.c - see terminal.h. */
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"

static struct termios saved;
static int saved_fd = -1;

void terminal_size(int fd, unsigned short *rows, unsigned short *cols)
{
        struct winsize size = {0};

        (void)ioctl(fd, TIOCGWINSZ, &size);
        *rows = size.ws_row;
        *cols = size.ws_col;
}

void terminal_restore(void)
{
        if (saved_fd >= 0)
                (void)tcsetattr(saved_fd, TCSADRAIN, &saved);
        saved_fd = -1;
}

err *terminal_raw(int fd)
{
        struct termios raw;

        if (tcgetattr(fd, &saved) < 0)
                return err_sys(errno, "reading the terminal's settings");
        raw = saved;
        cfmakeraw(&raw);
        if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
                return err_sys(errno, "switching the terminal to raw mode");
        if (saved_fd < 0)
                (void)atexit(terminal_restore);
        saved_fd = fd;
        return NULL;
}

static bool key_code(const char *key, unsigned char *ret)
{
        const char *ctrl = str_after(key, "ctrl-");

        if (!ctrl) {
                *ret = (unsigned char)key[0];
                return key[0] && !key[1];
        }
        if (!ctrl[0] || ctrl[1])
                return false;
        if (ctrl[0] >= 'a' && ctrl[0] <= 'z') {
                *ret = (unsigned char)(ctrl[0] - 'a' + 1);
                return true;
        }
        /* as docker: @ is NUL, [ \ ] ^ _ follow z */
        if (ctrl[0] == '@' || (ctrl[0] >= '[' && ctrl[0] <= '_')) {
                *ret = (unsigned char)(ctrl[0] - '@');
                return true;
        }
        return false;
}

err *detach_keys_parse(const char *text, struct detach_keys *ret)
{
        struct detach_keys d = {{16, 17}, 2, 0}; /* ctrl-p ctrl-q */
        _cleanup_strv_ char **keys = NULL;

        if (!str_empty(text)) {
                TRY(strv_split(text, ',', &keys));
                d.n = 0;
                for (char **k = keys; *k; k++)
                        if (d.n >= sizeof(d.keys) || !key_code(*k, &d.keys[d.n++]))
                                return err_new(ERR_INVALID, "Invalid escape keys (%s) provided", text);
        }
        *ret = d;
        return NULL;
}

size_t detach_keys_filter(struct detach_keys *d, const char *data, size_t n, char *out, bool *detached)
{
        size_t used = 0;

        for (size_t i = 0; i < n; i++) {
                if ((unsigned char)data[i] == d->keys[d->matched]) {
                        if (++d->matched == d->n) {
                                *detached = true;
                                return used;
                        }
                        continue;
                }
                memcpy(out + used, d->keys, d->matched);
                used += d->matched;
                d->matched = 0;
                if ((unsigned char)data[i] == d->keys[0])
                        d->matched = 1;
                else
                        out[used++] = data[i];
        }
        return used;
}
