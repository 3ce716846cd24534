/* image_keep.c - an image that is read for long: its content stays by a list, not by the lease. */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "store/blob.h"
#include "store/image_private.h"
#include "store/roots.h"

/* What is not here needs no protection; a document from outside may list thousands of such. */
static err *list_content(struct store *s, const struct image *i, struct str *out)
{
        _cleanup_roots_ struct roots roots = {0};

        TRY(roots_of_image(s, i, &roots));
        for (size_t n = 0; n < roots.kinds[ROOTS_LAYERS].n; n++)
                str_printf(out, "%s\n", roots.kinds[ROOTS_LAYERS].items[n].text);
        for (size_t n = 0; n < roots.kinds[ROOTS_BLOBS].n; n++)
                if (blob_exists(s, roots.kinds[ROOTS_BLOBS].items[n].text))
                        str_printf(out, "%s\n", roots.kinds[ROOTS_BLOBS].items[n].text);
        return str_done(out);
}

static err *begin(const struct image *i, struct staging *st)
{
        _cleanup_str_ struct str text = {0};
        int r;

        TRY(list_content(i->store, i, &text));
        TRY(staging_begin(i->store, st));
        r = file_create(st->fd, STAGING_KEEP, str_text(&text), text.len, 0600);
        if (r == 0)
                return NULL;
        staging_done(st);
        return err_sys(r, "writing a list of what is being read");
}

err *image_keep(struct image *i)
{
        _cleanup_free_ struct staging *st = MEM_NEW0(struct staging, 1);

        if (!st)
                return err_nomem();
        TRY(begin(i, st));
        i->keep = TAKE_PTR(st);
        txn_unlease(i->store);
        return NULL;
}

err *image_keep_again(struct image *i)
{
        _cleanup_str_ struct str text = {0};
        int r;

        TRY(list_content(i->store, i, &text));
        r = file_replace(i->keep->fd, STAGING_KEEP, str_text(&text), text.len, 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(r, "writing a list of what is being read") : NULL;
}

static err *take_flag(const struct db_row *row, void *arg)
{
        *(bool *)arg = db_row_int(row, 0) != 0;
        return NULL;
}

err *image_is_recorded(struct store *s, const char *id, bool *ret)
{
        struct db *db;

        TRY(txn_reader(s, &db));
        return db_select(db, take_flag, ret, "SELECT count(*) FROM images WHERE id=?", "s", id);
}

void image_keep_done(struct image *i)
{
        bool recorded = true;
        err *e;

        staging_done(i->keep);
        free(TAKE_PTR(i->keep));
        e = image_is_recorded(i->store, i->id, &recorded);
        /* Whoever removed it left its content to us. */
        if (!e && !recorded && !i->store->lease_count)
                e = store_gc(i->store, NULL);
        log_error_free(LOG_LEVEL_WARN, e);
}
