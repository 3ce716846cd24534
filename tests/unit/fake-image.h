/* fake-image.h - a store of the test's own, images to receive, and a source of their layers that misbehaves on demand.
 * Needs root. */
#pragma once

#include "check.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/digest.h"
#include "codec/tar.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/ingest.h"
#include "store/layer_tar.h"

#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define INDEX "application/vnd.oci.image.index.v1+json"
#define LAYER "application/vnd.oci.image.layer.v1.tar"

static char root[64], state_dir[64];
static struct store *store;

static _unused_ struct store *open_store(void)
{
        struct store_options o = {.root = root, .state = state_dir, .driver = "vfs"};
        struct store *s;

        check_ok(store_open(&o, &s));
        return s;
}

static _unused_ int setup(void **state)
{
        (void)state;
        (void)strcpy(root, "/var/tmp/hod-test-ingest-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        (void)snprintf(state_dir, sizeof(state_dir), "%s-state", root);
        store = open_store();
        return 0;
}

static _unused_ int teardown(void **state)
{
        (void)state;
        store_close(store);
        return file_remove_tree(AT_FDCWD, root) | file_remove_tree(AT_FDCWD, state_dir);
}

/* ---- images to receive ---- */

struct memory_sink {
        struct sink sink;
        struct str text;
};

static _unused_ err *memory_write(struct sink *s, const void *data, size_t size)
{
        str_add_n(&((struct memory_sink *)s)->text, data, size);
        return NULL;
}
static _unused_ err *memory_finish(struct sink *s)
{
        (void)s;
        return NULL;
}
static _unused_ void memory_free(struct sink *s)
{
        (void)s;
}

enum { MAX_LAYERS = 8 };

struct fake {
        struct str blobs[MAX_LAYERS];
        struct digest digests[MAX_LAYERS], diffs[MAX_LAYERS];
        size_t n;
        char *config, *manifest;
        struct digest id, manifest_digest;
        /* what the source does */
        size_t stop_after; /* bytes a stream gives before it breaks; 0 = all */
        bool from_start;   /* it cannot begin in the middle */
        bool corrupt;      /* the last byte is wrong */
        char counter[96];  /* path of a file that gets one byte for each opened source */
};

static _unused_ void fake_done(struct fake *f)
{
        for (size_t i = 0; i < f->n; i++)
                str_free(&f->blobs[i]);
        free(f->config);
        free(f->manifest);
        (void)unlink(f->counter);
}
#define _cleanup_fake_ __attribute__((cleanup(fake_done)))

/* One file @name with @size bytes; optionally an entry for the root with mode 0700. */
static _unused_ void add_layer(struct fake *f, const char *name, size_t size, bool gzip, mode_t root_mode)
{
        struct memory_sink m = {.sink = {memory_write, memory_finish, memory_free}};
        struct tar_entry file = {
                .name = name, .linkname = "", .type = TAR_FILE, .mode = 0644, .size = size, .mtime = 7};
        struct tar_entry top = {.name = "./", .linkname = "", .type = TAR_DIR, .mode = root_mode, .uid = 5};
        struct digest_hasher *diff = NULL;
        struct sink *out = &m.sink, *next;
        struct tar_writer *w;
        char *content = calloc(1, size + 1);

        for (size_t i = 0; i < size; i++)
                content[i] = (char)(i * 2654435761u >> 7);
        check_ok(digest_hasher_new(&diff));
        if (gzip) {
                check_ok(sink_open_gzip(out, 1, &next));
                out = next;
        }
        check_ok(sink_open_hash(out, diff, &next));
        out = next;
        check_ok(tar_writer_new(out, &w));
        if (root_mode)
                check_ok(tar_write_entry(w, &top));
        check_ok(tar_write_entry(w, &file));
        check_ok(tar_write_data(w, content, size));
        check_ok(tar_write_end(w));
        tar_writer_free(w);
        check_ok(sink_finish(out));
        sink_free(out);
        check_ok(digest_hasher_final(diff, &f->diffs[f->n]));
        digest_hasher_free(diff);
        free(content);
        digest_of(m.text.data, m.text.len, &f->digests[f->n]);
        f->blobs[f->n++] = m.text;
}

static _unused_ void finish(struct fake *f)
{
        _cleanup_str_ struct str ids = {0}, layers = {0};

        for (size_t i = 0; i < f->n; i++) {
                str_printf(&ids, "%s\"%s\"", i ? "," : "", f->diffs[i].text);
                str_printf(&layers, "%s{\"mediaType\":\"" LAYER "\",\"digest\":\"%s\",\"size\":%zu}", i ? "," : "",
                           f->digests[i].text, f->blobs[i].len);
        }
        free(f->config); /* when it is finished once more */
        free(f->manifest);
        f->config = str_format("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]},"
                               "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
                               str_text(&ids));
        digest_of(f->config, strlen(f->config), &f->id);
        f->manifest = str_format("{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST "\",\"config\":{\"mediaType\":"
                                 "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
                                 "\"layers\":[%s]}",
                                 f->id.text, strlen(f->config), str_text(&layers));
        digest_of(f->manifest, strlen(f->manifest), &f->manifest_digest);
        (void)snprintf(f->counter, sizeof(f->counter), "%s/opened", state_dir); /* goes with it */
        (void)unlink(f->counter);
}

static _unused_ struct ingest_options options_of(const struct fake *f)
{
        return (struct ingest_options){.manifest = {MANIFEST, f->manifest, strlen(f->manifest)},
                                       .config = {NULL, f->config, strlen(f->config)}};
}

/* ---- a source that misbehaves on demand ---- */

struct source_stream {
        struct stream stream;
        const struct fake *fake;
        const struct str *blob;
        size_t at, left;
};

static _unused_ err *source_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct source_stream *m = (struct source_stream *)s;
        size_t n = m->blob->len - m->at;

        n = n < size ? n : size;
        n = n < 1000 ? n : 1000;
        if (m->fake->stop_after) {
                if (!m->left)
                        return err_new(ERR_TIMEOUT, "the test's source broke");
                n = n < m->left ? n : m->left;
                m->left -= n;
        }
        memcpy(data, m->blob->data + m->at, n);
        m->at += n;
        if (m->fake->corrupt && n && m->at == m->blob->len)
                ((char *)data)[n - 1] ^= 1;
        *ret = n;
        return NULL;
}

static _unused_ void source_free(struct stream *s)
{
        free(s);
}

static _unused_ err *source_open(void *arg, size_t n, uint64_t *offset, struct stream **ret)
{
        const struct fake *f = arg;
        struct source_stream *m = MEM_NEW0(struct source_stream, 1);
        FILE *counter = fopen(f->counter, "ae");

        (void)fprintf(counter, "%zu@%llu ", n, (unsigned long long)*offset);
        (void)fclose(counter);
        if (f->from_start)
                *offset = 0;
        *m = (struct source_stream){{source_read, source_free}, f, &f->blobs[n], *offset, f->stop_after};
        *ret = &m->stream;
        return NULL;
}

/* "layer@offset" of each source that was opened. */
static _unused_ char *opened(const struct fake *f)
{
        char *text = NULL;

        if (file_read(AT_FDCWD, f->counter, 1 << 20, &text, NULL) < 0)
                text = str_dup("");
        return text;
}

static _unused_ err *receive(struct fake *f, char *const *names, char **ret_id)
{
        const struct ingest_source source = {.open = source_open, .arg = f};
        const struct ingest_options o = options_of(f);
        _cleanup_ingest_ struct ingest *i = NULL;

        TRY(ingest_begin(store, &o, &i));
        TRY(ingest_layers(i, &source));
        return ingest_publish(i, names, ret_id);
}

static _unused_ size_t entries(const char *dir)
{
        _cleanup_free_ char *path = str_format("%s/%s", root, dir);
        FILE *p;
        char command[256], text[32] = "";

        (void)snprintf(command, sizeof(command), "ls -A %s 2>/dev/null | wc -l", path);
        p = popen(command, "re");
        assert_non_null(p);
        (void)!fgets(text, sizeof(text), p);
        (void)pclose(p);
        return (size_t)atoi(text);
}
