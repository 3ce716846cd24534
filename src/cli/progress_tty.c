/* progress_tty.c - see progress_private.h: rows of text that are redrawn in place. ASCII only; the only sequences are
 * "cursor up" and "erase below", which every terminal has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "cli/progress_private.h"

#define BAR_MIN 10
#define BAR_MAX 50
#define RATE_NS 300000000 /* how often the rate is looked at */

void progress_row_update(struct progress_row *r, const struct progress_event *e, int64_t now_ns)
{
        bool same = r->amount && e->amount && strcmp(r->status, e->status) == 0 && e->current >= r->mark_bytes;

        if (!same) {
                r->mark_ns = now_ns;
                r->mark_bytes = e->current; /* what an earlier command received does not count */
                r->rate = 0;
        } else if (now_ns - r->mark_ns >= RATE_NS) {
                double rate = (double)(e->current - r->mark_bytes) * 1e9 / (double)(now_ns - r->mark_ns);

                r->rate = r->rate > 0 ? 0.6 * r->rate + 0.4 * rate : rate;
                r->mark_ns = now_ns;
                r->mark_bytes = e->current;
        }
        (void)snprintf(r->status, sizeof(r->status), "%s", e->status);
        r->amount = e->amount;
        r->done = e->done;
        r->current = e->current;
        r->total = e->total;
}

/* "  12.3MB/s  1m5s", each part if it is known. */
static void rate_text(const struct progress_row *r, char *rate, size_t rate_size, char *left, size_t left_size)
{
        char text[32];
        double s;

        *rate = *left = '\0';
        if (r->rate < 1 || (r->total && r->current >= r->total))
                return;
        parse_size_format((uint64_t)r->rate, text, sizeof(text));
        (void)snprintf(rate, rate_size, "  %s/s", text);
        if (!r->total)
                return;
        s = (double)(r->total - r->current) / r->rate + 0.5;
        if (s < 60)
                (void)snprintf(left, left_size, "  %ds", (int)s);
        else if (s < 3600)
                (void)snprintf(left, left_size, "  %dm%ds", (int)s / 60, (int)s % 60);
        else if (s < 360000)
                (void)snprintf(left, left_size, "  %dh%dm", (int)s / 3600, (int)s / 60 % 60);
}

static void bar(const struct progress_row *r, size_t width, struct str *out)
{
        size_t full = r->current >= r->total ? width : (size_t)((double)r->current / (double)r->total * (double)width);

        str_add(out, " [");
        for (size_t i = 0; i < width; i++)
                str_add_char(out, i < full ? '=' : i == full ? '>' : ' ');
        str_add(out, "]");
}

void progress_row_text(const struct progress_row *r, unsigned cols, struct str *out)
{
        size_t room = cols > 1 ? cols - 1 : 1, start = out->len, used;
        char current[32], total[32], amount[80] = "", rate[48] = "", left[32] = "";

        str_printf(out, "%s%s%s", r->id ? r->id : "", r->id ? ": " : "", r->status);
        if (r->amount && (r->current || r->total)) {
                parse_size_format(r->current, current, sizeof(current));
                parse_size_format(r->total, total, sizeof(total));
                (void)snprintf(amount, sizeof(amount), " %8s%s%s", current, r->total ? "/" : "", r->total ? total : "");
                rate_text(r, rate, sizeof(rate), left, sizeof(left));
                /* Places for rate and time are kept free, or the bar would dance. */
                used = out->len - start + strlen(amount) + 28;
                if (r->total && room >= used + BAR_MIN + 3)
                        bar(r, room - used - 3 > BAR_MAX ? BAR_MAX : room - used - 3, out);
                str_add(out, amount);
                if (out->len - start + strlen(rate) <= room)
                        str_add(out, rate);
                if (out->len - start + strlen(left) <= room)
                        str_add(out, left);
        }
        if (out->data && out->len - start > room) {
                out->len = start + room;
                out->data[out->len] = '\0';
        }
}

void progress_region_done(struct progress_region *g)
{
        for (size_t i = 0; i < g->n; i++)
                free(g->rows[i].id);
        free(g->rows);
        free(g->drawn);
        *g = (struct progress_region){0};
}

err *progress_region_row(struct progress_region *g, const char *id, struct progress_row **ret)
{
        char *copy;

        /* The newest first: a manifest may have thousands of layers, what changes is near the end. */
        for (size_t i = g->n; i-- > 0;)
                if (strcmp(g->rows[i].id, id) == 0) {
                        *ret = &g->rows[i];
                        return NULL;
                }
        copy = str_dup(id);
        if (!copy || mem_grow(&g->rows, g->n, sizeof(*g->rows)) < 0) {
                free(copy);
                return err_nomem();
        }
        g->rows[g->n] = (struct progress_row){.id = copy};
        *ret = &g->rows[g->n++];
        return NULL;
}

/* Screen lines that @width columns take in a window of @cols: lines wrap when a window becomes narrower. */
static size_t screen_lines(size_t width, unsigned cols)
{
        return width > cols ? (width + cols - 1) / cols : 1;
}

static err *add_line(struct progress_region *g, const struct progress_row *r, const char *text, unsigned cols,
                     struct str *out)
{
        size_t start = out->len;

        if (r)
                progress_row_text(r, cols, out);
        else
                str_printf(out, "%.*s", (int)cols - 1, text);
        if (mem_grow(&g->drawn, g->n_drawn, sizeof(*g->drawn)) < 0)
                return err_nomem();
        g->drawn[g->n_drawn++] = out->len - start;
        str_add(out, "\n");
        return NULL;
}

err *progress_region_draw(struct progress_region *g, unsigned rows, unsigned cols, struct str *out)
{
        size_t up = 0, room, shown = 0, hidden = 0, old = g->n_drawn;
        bool all;
        char text[64];

        if (!rows)
                rows = 24;
        if (!cols)
                cols = 80;
        for (size_t i = 0; i < old; i++)
                up += screen_lines(g->drawn[i], cols);
        if (up > rows - 1)
                up = rows - 1; /* what has left the window cannot be reached */
        if (up)
                str_printf(out, "\033[%zuA\r", up);
        str_add(out, "\033[J");
        g->n_drawn = 0;
        room = rows > 2 ? rows - 2 : 1;
        all = g->n <= room;
        for (size_t i = 0; i < g->n; i++) {
                if (all || (!g->rows[i].done && shown + 1 < room)) {
                        TRY(add_line(g, &g->rows[i], NULL, cols, out));
                        shown++;
                } else {
                        hidden++;
                }
        }
        if (hidden) {
                (void)snprintf(text, sizeof(text), "(and %zu more)", hidden);
                TRY(add_line(g, NULL, text, cols, out));
        }
        return str_done(out);
}
