/* progress_private.h - between progress.c (who is told what) and progress_tty.c (drawing). */
#pragma once

#include "base/str.h"
#include "engine/progress.h"

#define PROGRESS_TEXT 96

/* One line of the region that is redrawn. */
struct progress_row {
        char *id;
        char status[PROGRESS_TEXT];
        bool amount, done;
        uint64_t current, total;
        /* for the rate */
        uint64_t mark_bytes;
        int64_t mark_ns;
        double rate; /* bytes a second, smoothed; 0 = not known yet */
};
void progress_row_update(struct progress_row *r, const struct progress_event *e, int64_t now_ns);

/* The text of a row for a window of @cols columns, without line break: never wider than @cols - 1. */
void progress_row_text(const struct progress_row *r, unsigned cols, struct str *out);

struct progress_region {
        struct progress_row *rows;
        size_t n;
        size_t *drawn; /* widths of the lines that are on the screen */
        size_t n_drawn;
};
void progress_region_done(struct progress_region *g);
/* The row called @id, made at the end if there is none; borrowed until the next call. */
MUST_USE err *progress_region_row(struct progress_region *g, const char *id, struct progress_row **ret);
/* Append to @out what redraws the region in a window of @rows x @cols; the window may have changed its size. */
MUST_USE err *progress_region_draw(struct progress_region *g, unsigned rows, unsigned cols, struct str *out);
