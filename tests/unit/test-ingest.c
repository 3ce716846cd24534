/* Unit tests of store/ingest, partial and blob, on a store of our own. Needs root. */
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

static struct store *open_store(void)
{
        struct store_options o = {.root = root, .state = state_dir, .driver = "vfs"};
        struct store *s;

        check_ok(store_open(&o, &s));
        return s;
}

static int setup(void **state)
{
        (void)state;
        (void)strcpy(root, "/var/tmp/hod-test-ingest-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        (void)snprintf(state_dir, sizeof(state_dir), "%s-state", root);
        store = open_store();
        return 0;
}

static int teardown(void **state)
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

static err *memory_write(struct sink *s, const void *data, size_t size)
{
        str_add_n(&((struct memory_sink *)s)->text, data, size);
        return NULL;
}
static err *memory_finish(struct sink *s)
{
        (void)s;
        return NULL;
}
static void memory_free(struct sink *s)
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

static void fake_done(struct fake *f)
{
        for (size_t i = 0; i < f->n; i++)
                str_free(&f->blobs[i]);
        free(f->config);
        free(f->manifest);
        (void)unlink(f->counter);
}
#define _cleanup_fake_ __attribute__((cleanup(fake_done)))

/* One file @name with @size bytes; optionally an entry for the root with mode 0700. */
static void add_layer(struct fake *f, const char *name, size_t size, bool gzip, mode_t root_mode)
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

static void finish(struct fake *f)
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

static struct ingest_options options_of(const struct fake *f)
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

static err *source_read(struct stream *s, void *data, size_t size, size_t *ret)
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

static void source_free(struct stream *s)
{
        free(s);
}

static err *source_open(void *arg, size_t n, uint64_t *offset, struct stream **ret)
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
static char *opened(const struct fake *f)
{
        char *text = NULL;

        if (file_read(AT_FDCWD, f->counter, 1 << 20, &text, NULL) < 0)
                text = str_dup("");
        return text;
}

static err *receive(struct fake *f, char *const *names, char **ret_id)
{
        const struct ingest_source source = {.open = source_open, .arg = f};
        const struct ingest_options o = options_of(f);
        _cleanup_ingest_ struct ingest *i = NULL;

        TRY(ingest_begin(store, &o, &i));
        TRY(ingest_layers(i, &source));
        return ingest_publish(i, names, ret_id);
}

static size_t entries(const char *dir)
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

/* ---- tests ---- */

static void ingest_makes_an_image_that_is_found_by_tag_and_digest(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        char *names[] = {(char *)"reg.example/a:1", NULL, NULL};
        _cleanup_free_ char *id = NULL, *by_digest = NULL, *both = NULL;
        _cleanup_(image_freep) struct image *i = NULL, *j = NULL, *k = NULL;

        (void)state;
        add_layer(&f, "one", 100000, true, 0);
        add_layer(&f, "two", 5, false, 0);
        finish(&f);
        by_digest = str_format("reg.example/a@%s", f.manifest_digest.text);
        both = str_format("reg.example/a:other@%s", f.manifest_digest.text);
        names[1] = by_digest;
        check_ok(receive(&f, names, &id));
        assert_string_equal(id, f.id.text);
        check_ok(image_find(store, "reg.example/a:1", &i));
        assert_string_equal(i->id, f.id.text);
        assert_int_equal(i->n_layers, 2);
        assert_int_equal(i->size, 100005);
        assert_int_equal(strv_len(i->names), 1);
        assert_int_equal(strv_len(i->digests), 1);
        assert_string_equal(i->digests[0], by_digest);
        check_ok(image_find(store, by_digest, &j));
        check_ok(image_find(store, both, &k));
        assert_true(blob_exists(store, f.digests[0].text));
        assert_true(blob_exists(store, f.manifest_digest.text));
        assert_int_equal(entries("tmp"), 0);
        assert_int_equal(entries("partial"), 0);
        assert_int_equal(entries("layers"), 2);
}

static void ingest_asks_only_for_the_rest_of_a_broken_blob(void **state)
{
        _cleanup_fake_ struct fake f = {.stop_after = 60000};
        _cleanup_free_ char *id = NULL, *log = NULL;

        (void)state;
        add_layer(&f, "one", 150000, false, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        log = opened(&f);
        assert_string_equal(log, "0@0 0@60000 0@120000 ");
}

static void ingest_continues_what_an_earlier_one_left(void **state)
{
        _cleanup_fake_ struct fake f = {.stop_after = 1};
        _cleanup_free_ char *id = NULL, *log = NULL, *path = NULL;
        FILE *out;

        (void)state;
        add_layer(&f, "one", 150000, false, 0);
        finish(&f);
        path = str_format("%s/partial/%s", root, digest_hex(&f.digests[0]));
        {
                _cleanup_free_ char *dir = str_format("%s/partial", root);

                assert_int_equal(mkdir(dir, 0700), 0);
        }
        out = fopen(path, "we");
        assert_int_equal(fwrite(f.blobs[0].data, 1, 100000, out), 100000);
        (void)fclose(out);
        f.stop_after = 0;
        check_ok(receive(&f, NULL, &id));
        log = opened(&f);
        assert_string_equal(log, "0@100000 ");
}

static void layer_tar_is_the_same_without_the_blob(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL, *path = NULL, *half = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        struct memory_sink m = {.sink = {memory_write, memory_finish, memory_free}};
        struct digest got;

        (void)state;
        add_layer(&f, "dir/one", 300001, true, 0750);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(image_find(store, id, &i));
        /* what a crash left of an earlier try */
        half = str_format("%s/layers/%s/skeleton", root, digest_hex(&f.diffs[0]));
        assert_int_equal(file_create(AT_FDCWD, half, "x", 1, 0600), 0);
        check_ok(layer_tar_keep(store, &i->layers[0], NULL));
        path = str_format("%s/blobs/sha256/%s", root, digest_hex(&f.digests[0]));
        assert_int_equal(unlink(path), 0);
        check_ok(layer_tar_write(store, &i->layers[0], &m.sink));
        digest_of(m.text.data, m.text.len, &got);
        assert_string_equal(got.text, f.diffs[0].text);
        str_free(&m.text);
}

static void layer_tar_tells_of_a_changed_file(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL, *blob = NULL, *file = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_(sink_freep) struct sink *null = NULL;

        (void)state;
        add_layer(&f, "one", 1000, true, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(image_find(store, id, &i));
        check_ok(layer_tar_keep(store, &i->layers[0], NULL));
        blob = str_format("%s/blobs/sha256/%s", root, digest_hex(&f.digests[0]));
        assert_int_equal(unlink(blob), 0);
        file = str_format("%s/layers/%s/diff/one", root, digest_hex(&f.diffs[0]));
        assert_int_equal(truncate(file, 999), 0);
        check_ok(sink_open_null(&null));
        check_code(layer_tar_write(store, &i->layers[0], null), ERR_CORRUPT);
}

static void ingest_begins_a_damaged_partial_blob_anew(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL, *log = NULL, *dir = NULL, *path = NULL;

        (void)state;
        add_layer(&f, "one", 150000, false, 0);
        finish(&f);
        dir = str_format("%s/partial", root);
        path = str_format("%s/%s", dir, digest_hex(&f.digests[0]));
        assert_int_equal(mkdir(dir, 0700), 0);
        f.blobs[0].data[700] ^= 1;
        assert_int_equal(file_create(AT_FDCWD, path, f.blobs[0].data, 100000, 0600), 0);
        f.blobs[0].data[700] ^= 1;
        check_ok(receive(&f, NULL, &id));
        log = opened(&f);
        assert_string_equal(log, "0@100000 0@0 ");
}

static void ingest_passes_over_what_is_here_when_the_source_cannot(void **state)
{
        _cleanup_fake_ struct fake f = {.stop_after = 120000, .from_start = true};
        _cleanup_free_ char *id = NULL, *log = NULL;

        (void)state;
        add_layer(&f, "one", 100000, false, 0);
        finish(&f);
        f.stop_after = 70000;
        /* Every try brings it no further than the first: it gives up, and keeps what it has. */
        check_code(receive(&f, NULL, &id), ERR_TIMEOUT);
        assert_int_equal(entries("partial"), 1);
        assert_int_equal(entries("tmp"), 0);
        f.stop_after = 0;
        check_ok(receive(&f, NULL, &id));
        log = opened(&f);
        assert_string_equal(log, "0@0 0@70000 0@70000 ");
}

static void ingest_refuses_wrong_content_and_keeps_nothing_of_it(void **state)
{
        _cleanup_fake_ struct fake f = {.corrupt = true};
        char *names[] = {(char *)"a", NULL};
        _cleanup_free_ char *id = NULL;
        struct image **list;
        size_t n;

        (void)state;
        add_layer(&f, "one", 1000, false, 0);
        add_layer(&f, "two", 1000, false, 0);
        finish(&f);
        check_code(receive(&f, names, &id), ERR_DIGEST);
        check_ok(image_list(store, &list, &n));
        image_list_free(list, n);
        assert_int_equal(n, 0);
        assert_int_equal(entries("layers") + entries("blobs/sha256") + entries("tmp"), 0);
        f.corrupt = false;
        check_ok(receive(&f, names, &id));
}

static void ingest_refuses_a_wrong_diff_id(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL;

        (void)state;
        add_layer(&f, "one", 1000, true, 0);
        f.diffs[0] = f.digests[0];
        finish(&f);
        check_code(receive(&f, NULL, &id), ERR_DIGEST);
        assert_int_equal(entries("layers") + entries("blobs/sha256") + entries("tmp") + entries("partial"), 0);
}

static void ingest_takes_equal_layers_and_images_without_any(void **state)
{
        _cleanup_fake_ struct fake f = {0}, none = {0};
        _cleanup_free_ char *id = NULL, *id2 = NULL;
        _cleanup_(image_freep) struct image *i = NULL, *empty = NULL;

        (void)state;
        add_layer(&f, "one", 1000, true, 0);
        add_layer(&f, "two", 1000, true, 0);
        f.blobs[2] = (struct str){0};
        str_add_n(&f.blobs[2], f.blobs[0].data, f.blobs[0].len);
        f.digests[2] = f.digests[0];
        f.diffs[2] = f.diffs[0];
        f.n = 3;
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(image_find(store, id, &i));
        assert_int_equal(i->n_layers, 3);
        assert_int_equal(entries("layers"), 3);
        finish(&none);
        check_ok(receive(&none, NULL, &id2));
        check_ok(image_find(store, id2, &empty));
        assert_int_equal(empty->n_layers, 0);
}

static void ingest_gives_a_layer_without_a_root_entry_that_of_the_layer_below(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL;
        _cleanup_(image_freep) struct image *i = NULL;

        (void)state;
        add_layer(&f, "one", 10, false, 0710);
        add_layer(&f, "two", 10, false, 0);
        add_layer(&f, "three", 10, false, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(image_find(store, id, &i));
        for (size_t n = 0; n < 3; n++) {
                _cleanup_free_ char *path = str_format("%s/layers/%s/diff", root, i->layers[n].chain + 7);
                struct stat st;

                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0710);
                assert_int_equal(st.st_uid, 5);
        }
}

static void ingest_takes_the_same_image_with_other_blobs(void **state)
{
        _cleanup_fake_ struct fake f = {0}, g = {0};
        _cleanup_free_ char *id = NULL, *id2 = NULL, *log = NULL;
        _cleanup_(image_freep) struct image *i = NULL;

        (void)state;
        add_layer(&f, "one", 10000, false, 0);
        finish(&f);
        add_layer(&g, "one", 10000, true, 0);
        finish(&g);
        assert_string_equal(f.id.text, g.id.text);
        assert_string_not_equal(f.digests[0].text, g.digests[0].text);
        check_ok(receive(&f, NULL, &id));
        (void)unlink(g.counter);
        check_ok(receive(&g, NULL, &id2));
        log = opened(&g);
        assert_string_equal(log, ""); /* its layers are here */
        check_ok(image_find(store, id2, &i));
        assert_string_equal(i->layers[0].digest, f.digests[0].text); /* what can be pushed as it was */
}

static void ingest_names_must_fit_the_documents(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        char *names[] = {(char *)"a@sha256:0000000000000000000000000000000000000000000000000000000000000000", NULL};
        _cleanup_free_ char *id = NULL;

        (void)state;
        finish(&f);
        check_code(receive(&f, names, &id), ERR_DIGEST);
}

/* ---- documents ---- */

static err *begin_with(struct fake *f, const char *manifest, const char *type, const char *index)
{
        struct ingest_options o = options_of(f);
        _cleanup_ingest_ struct ingest *i = NULL;

        o.manifest = (struct ingest_document){type, manifest, strlen(manifest)};
        if (index)
                o.index = (struct ingest_document){INDEX, index, strlen(index)};
        return ingest_begin(store, &o, &i);
}

static void ingest_refuses_documents_that_are_not_what_they_should_be(void **state)
{
        static const struct {
                const char *from, *to; /* in a good manifest */
                enum err_code code;
        } cases[] = {
                {"\"layers\":[", "\"manifests\":[],\"layers\":[", ERR_CORRUPT},
                {"\"layers\":[", "\"Layers\":[],\"layers\":[", 0}, /* an unknown member */
                {"\"layers\":[", "\"layers\":[],\"layers\":[", ERR_CORRUPT},
                {"\"layers\":[{", "\"layers\":{\"a\":{", ERR_CORRUPT},
                {"\"layers\":[{", "\"layers\":[null,{", ERR_CORRUPT},
                {"\"layers\":", "\"Layers\":", ERR_CORRUPT},
                {"\"schemaVersion\":2", "\"schemaVersion\":1", ERR_UNSUPPORTED},
                {"\"schemaVersion\":2", "\"schemaVersion\":3", ERR_CORRUPT},
                {"\"schemaVersion\":2", "\"schemaVersion\":2,\"fsLayers\":[]", ERR_UNSUPPORTED},
                {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json", ERR_CORRUPT},
                {"\"mediaType\":\"" MANIFEST "\",", "", 0}, /* it need not say it */
                {"image.config.v1", "something.v1", ERR_UNSUPPORTED},
                {"layer.v1.tar\"", "layer.v1.tar+encrypted\"", ERR_UNSUPPORTED},
                {"layer.v1.tar\"", "layer.v1.tar+gzip\"", 0}, /* what is in it decides */
                {"layer.v1.tar\"", "layer.nondistributable.v1.tar\"", 0},
                {"\"digest\":\"sha256:", "\"digest\":\"sha256:../", ERR_CORRUPT},
                {"\"digest\":\"sha256:", "\"digest\":\"SHA256:", ERR_CORRUPT},
                {"\"digest\":\"sha256:", "\"digest\":\"sha512:", ERR_UNSUPPORTED},
                {"\"size\":", "\"size\":-", ERR_CORRUPT},
                {"\"size\":", "\"size\":1.", ERR_CORRUPT},
                {"\"size\":", "\"sizes\":", ERR_CORRUPT},
                {"{\"schema", "[{\"schema", ERR_CORRUPT},
                {"{\"schema", "x{\"schema", ERR_CORRUPT},
        };
        _cleanup_fake_ struct fake f = {0};

        (void)state;
        add_layer(&f, "one", 10, false, 0);
        finish(&f);
        for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
                char *at = strstr(f.manifest, cases[n].from);
                _cleanup_free_ char *changed = NULL;

                assert_non_null(at);
                changed = str_format("%.*s%s%s", (int)(at - f.manifest), f.manifest, cases[n].to,
                                     at + strlen(cases[n].from));
                if (cases[n].code)
                        check_code(begin_with(&f, changed, MANIFEST, NULL), cases[n].code);
                else
                        check_ok(begin_with(&f, changed, MANIFEST, NULL));
        }
        check_code(begin_with(&f, f.manifest, INDEX, NULL), ERR_CORRUPT);
        check_code(begin_with(&f, f.manifest, "text/html", NULL), ERR_CORRUPT);
        check_ok(begin_with(&f, f.manifest, NULL, NULL));
        assert_int_equal(entries("tmp"), 0);
}

static void ingest_wants_the_index_to_list_the_manifest(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *good = NULL, *both = NULL;

        (void)state;
        finish(&f);
        good = str_format("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MANIFEST "\",\"digest\":\"%s\"}]}",
                          f.manifest_digest.text);
        both = str_format("{\"schemaVersion\":2,\"layers\":[],\"manifests\":[{\"digest\":\"%s\"}]}",
                          f.manifest_digest.text);
        check_ok(begin_with(&f, f.manifest, MANIFEST, good));
        check_code(begin_with(&f, f.manifest, MANIFEST, both), ERR_CORRUPT);
        check_code(begin_with(&f, f.manifest, MANIFEST, "{\"schemaVersion\":2,\"manifests\":[]}"), ERR_CORRUPT);
        check_code(begin_with(&f, f.manifest, MANIFEST, "{\"schemaVersion\":2}"), ERR_CORRUPT);
}

static void ingest_bounds_documents_and_layers(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_str_ struct str many = {0}, large = {0};

        (void)state;
        finish(&f);
        str_printf(&many,
                   "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
                   "\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
                   f.id.text, strlen(f.config));
        for (int n = 0; n < 10000; n++)
                str_printf(&many, "%s{\"mediaType\":\"" LAYER "\",\"digest\":\"%s\",\"size\":1}", n ? "," : "",
                           f.id.text);
        str_add(&many, "]}");
        check_code(begin_with(&f, str_text(&many), MANIFEST, NULL), ERR_LIMIT);
        str_add(&large, f.manifest);
        while (large.len <= INGEST_DOCUMENT_MAX)
                str_add(&large, "                                                                                ");
        check_code(begin_with(&f, str_text(&large), MANIFEST, NULL), ERR_LIMIT);
}

/* ---- beside others ---- */

static void gc_keeps_what_a_living_ingest_needs(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        const struct ingest_source source = {.open = source_open, .arg = &f};
        const struct image_remove_options force = {.force = true};
        struct image_removed *removed = NULL;
        _cleanup_free_ char *id = NULL;
        struct ingest_options o;
        struct ingest *i = NULL;
        size_t n = 0;

        (void)state;
        add_layer(&f, "one", 1000, true, 0);
        add_layer(&f, "two", 1000, true, 0);
        finish(&f);
        o = options_of(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(ingest_begin(store, &o, &i));
        assert_int_equal(ingest_layer(i, 0)->state, INGEST_EXISTS);
        /* as another program would */
        check_ok(image_remove(store, id, &force, &removed, &n));
        image_removed_free(removed, n);
        check_ok(store_gc(store, NULL));
        assert_int_equal(entries("layers"), 2);
        check_ok(ingest_layers(i, &source));
        free(TAKE_PTR(id));
        check_ok(ingest_publish(i, NULL, &id));
        ingest_free(i);
        check_ok(store_gc(store, NULL));
        assert_int_equal(entries("layers"), 2);
        assert_int_equal(entries("blobs/sha256"), 4);
        assert_int_equal(entries("tmp"), 0);
}

static void gc_removes_what_nobody_needs_and_old_partial_blobs(void **state)
{
        _cleanup_fake_ struct fake f = {.stop_after = 500, .from_start = true};
        _cleanup_free_ char *id = NULL, *path = NULL;
        const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        uint64_t bytes = 0;

        (void)state;
        add_layer(&f, "one", 1000, false, 0);
        finish(&f);
        check_code(receive(&f, NULL, &id), ERR_TIMEOUT);
        assert_int_equal(entries("partial"), 1);
        check_ok(store_gc(store, NULL));
        assert_int_equal(entries("partial"), 1); /* of today */
        path = str_format("%s/partial/%s", root, digest_hex(&f.digests[0]));
        assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
        finish(&f);
        f.stop_after = 0;
        {
                _cleanup_fake_ struct fake other = {0};

                add_layer(&other, "else", 10, false, 0);
                finish(&other);
                check_ok(receive(&other, NULL, &id)); /* every ingest looks for old ones */
        }
        assert_int_equal(entries("partial"), 0);
        check_ok(store_prune(store, &bytes));
}

static void two_ingests_of_one_image_share_the_work(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL, *log = NULL;
        pid_t children[6];
        size_t fetched = 0;

        (void)state;
        for (size_t n = 0; n < 5; n++) {
                char name[8];

                (void)snprintf(name, sizeof(name), "f%zu", n);
                add_layer(&f, name, 50000, true, 0);
        }
        finish(&f);
        for (size_t k = 0; k < ARRAY_SIZE(children); k++) {
                children[k] = fork();
                if (children[k] == 0) {
                        err *e;

                        store_close(store);
                        store = open_store();
                        e = receive(&f, NULL, &id);
                        _exit(e ? 1 : 0);
                }
        }
        for (size_t k = 0; k < ARRAY_SIZE(children); k++) {
                int status;

                assert_int_equal(waitpid(children[k], &status, 0), children[k]);
                assert_int_equal(status, 0);
        }
        log = opened(&f);
        for (char *p = log; (p = strchr(p, '@')); p++)
                fetched++;
        assert_int_equal(fetched, 5);
        assert_int_equal(entries("layers"), 5);
        assert_int_equal(entries("tmp") + entries("partial"), 0);
}

/* ---- names and pins ---- */

static void image_remove_takes_digests_with_the_last_tag(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL, *digest = NULL;
        char *names[] = {(char *)"reg.example:5000/a:1", (char *)"reg.example:5000/a:2", NULL, NULL};
        const struct image_remove_options o = {0};
        struct image_removed *removed = NULL;
        size_t n = 0;

        (void)state;
        add_layer(&f, "one", 10, false, 0);
        finish(&f);
        digest = str_format("reg.example:5000/a@%s", f.manifest_digest.text);
        names[2] = digest;
        check_ok(receive(&f, names, &id));
        check_ok(image_remove(store, "reg.example:5000/a:1", &o, &removed, &n));
        assert_int_equal(n, 1);
        image_removed_free(removed, n);
        check_ok(image_remove(store, "reg.example:5000/a:2", &o, &removed, &n));
        assert_int_equal(n, 4);
        assert_string_equal(removed[0].text, "reg.example:5000/a:2");
        assert_string_equal(removed[1].text, digest);
        assert_string_equal(removed[2].text, id);
        image_removed_free(removed, n);
        assert_int_equal(entries("layers") + entries("blobs/sha256"), 0);
}

static void image_prune_leaves_pinned_images_alone(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        char *names[] = {(char *)"a", NULL};
        const struct image_prune_options all = {.all = true}, dangling = {0};
        struct image_removed *removed = NULL;
        _cleanup_free_ char *id = NULL;
        uint64_t bytes = 0;
        size_t n = 0;

        (void)state;
        add_layer(&f, "one", 10, false, 0);
        finish(&f);
        check_ok(receive(&f, names, &id));
        check_ok(image_prune(store, &dangling, &removed, &n, &bytes));
        image_removed_free(removed, n);
        assert_int_equal(n, 0);
        check_ok(image_pin(store, "a", true));
        check_ok(image_prune(store, &all, &removed, &n, &bytes));
        image_removed_free(removed, n);
        assert_int_equal(n, 0);
        check_ok(image_pin(store, "a", false));
        check_ok(image_prune(store, &all, &removed, &n, &bytes));
        image_removed_free(removed, n);
        assert_int_equal(n, 3);
        assert_int_equal(entries("layers") + entries("blobs/sha256"), 0);
}

static void image_drop_blobs_leaves_images_that_can_be_saved(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        struct memory_sink m = {.sink = {memory_write, memory_finish, memory_free}};
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_strv_ char **dropped = NULL;
        _cleanup_free_ char *id = NULL;
        uint64_t bytes = 0;

        (void)state;
        add_layer(&f, "a/b/one", 10000, true, 0750);
        add_layer(&f, "two", 10000, true, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(image_drop_blobs(store, &dropped, &bytes));
        assert_int_equal(strv_len(dropped), 2);
        assert_int_equal(bytes, f.blobs[0].len + f.blobs[1].len);
        assert_int_equal(entries("blobs/sha256"), 2);
        check_ok(image_find(store, id, &i));
        for (size_t n = 0; n < 2; n++)
                check_ok(layer_tar_write(store, &i->layers[n], &m.sink));
        str_free(&m.text);
}

static void image_drop_blobs_makes_a_half_written_skeleton_anew(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_free_ char *id = NULL, *half = NULL;
        _cleanup_(sink_freep) struct sink *null = NULL;
        _cleanup_strv_ char **dropped = NULL;
        uint64_t bytes = 0;

        (void)state;
        add_layer(&f, "a/b/one", 10000, true, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        half = str_format("%s/layers/%s/skeleton", root, digest_hex(&f.diffs[0]));
        assert_int_equal(file_create(AT_FDCWD, half, "", 0, 0600), 0); /* killed */
        check_ok(image_drop_blobs(store, &dropped, &bytes));
        assert_int_equal(strv_len(dropped), 1);
        check_ok(image_find(store, id, &i));
        check_ok(sink_open_null(&null));
        check_ok(layer_tar_write(store, &i->layers[0], null));
}

static void ingest_adds_nothing_to_a_blob_that_is_here(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *id = NULL, *blob = NULL, *tree = NULL, *log = NULL;
        struct stat st;

        (void)state;
        add_layer(&f, "one", 10000, true, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        blob = str_format("%s/blobs/sha256/%s", root, digest_hex(&f.digests[0]));
        tree = str_format("%s/layers/%s", root, digest_hex(&f.diffs[0]));
        assert_int_equal(truncate(blob, 100), 0);
        assert_int_equal(file_remove_tree(AT_FDCWD, tree), 0);
        (void)unlink(f.counter);
        free(TAKE_PTR(id));
        check_code(receive(&f, NULL, &id), ERR_CORRUPT);
        log = opened(&f);
        assert_string_equal(log, "");
        assert_int_equal(stat(blob, &st), 0);
        assert_int_equal(st.st_size, 100);
}

/* An image whose layer was here already has no blob of its own: that of the other image may go all the same. */
static void image_remove_leaves_others_that_can_be_saved(void **state)
{
        static const struct image_remove_options none = {0};
        _cleanup_fake_ struct fake plain = {0}, packed = {0};
        _cleanup_free_ char *one = NULL, *two = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_(sink_freep) struct sink *null = NULL;
        struct image_removed *removed;
        size_t n;

        (void)state;
        add_layer(&plain, "base", 10000, false, 0);
        add_layer(&plain, "one", 10, false, 0);
        finish(&plain);
        add_layer(&packed, "base", 10000, true, 0);
        add_layer(&packed, "two", 10, true, 0);
        finish(&packed);
        check_ok(receive(&plain, NULL, &one));
        check_ok(receive(&packed, NULL, &two));
        assert_false(blob_exists(store, packed.digests[0].text));
        check_ok(image_remove(store, one, &none, &removed, &n));
        image_removed_free(removed, n);
        assert_false(blob_exists(store, plain.digests[0].text));
        assert_int_equal(entries("blobs/sha256"), 3); /* with that of "two" */
        check_ok(image_find(store, two, &i));
        check_ok(sink_open_null(&null));
        for (size_t k = 0; k < 2; k++)
                check_ok(layer_tar_write(store, &i->layers[k], null));
}

/* Another program removes it by force. */
static void remove_image(const char *id)
{
        static const struct image_remove_options force = {.force = true};
        struct image_removed *removed;
        size_t n;

        check_ok(image_remove(store, id, &force, &removed, &n));
        image_removed_free(removed, n);
}

static void check_can_be_saved(const char *id)
{
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_(sink_freep) struct sink *null = NULL;

        check_ok(image_find(store, id, &i));
        check_ok(sink_open_null(&null));
        for (size_t k = 0; k < i->n_layers; k++)
                check_ok(layer_tar_write(store, &i->layers[k], null));
}

static void ingest_counts_on_the_blob_of_an_image_that_is_removed_meanwhile(void **state)
{
        _cleanup_fake_ struct fake plain = {0}, packed = {0};
        const struct ingest_source source = {.open = source_open, .arg = &packed};
        _cleanup_free_ char *one = NULL, *two = NULL;
        struct ingest_options o;
        struct ingest *i;

        (void)state;
        add_layer(&plain, "base", 10000, false, 0);
        add_layer(&plain, "one", 10, false, 0);
        finish(&plain);
        add_layer(&packed, "base", 10000, true, 0);
        add_layer(&packed, "two", 10, true, 0);
        finish(&packed);
        check_ok(receive(&plain, NULL, &one));
        o = options_of(&packed);
        check_ok(ingest_begin(store, &o, &i));
        assert_int_equal(ingest_layer(i, 0)->state, INGEST_EXISTS);
        remove_image(one);
        check_ok(store_gc(store, NULL));
        assert_true(blob_exists(store, plain.digests[0].text));
        check_ok(ingest_layers(i, &source));
        check_ok(ingest_publish(i, NULL, &two));
        ingest_free(i);
        check_ok(store_gc(store, NULL));
        assert_false(blob_exists(store, plain.digests[0].text));
        check_can_be_saved(two);
}

/* As image_commit() writes it. */
static void set_parent(const char *id, const char *parent)
{
        _cleanup_free_ char *path = str_format("%s/state.db", root), *sql = NULL;
        sqlite3 *db;

        sql = str_format("UPDATE images SET layers=replace(layers, '}]', ',\"parent\":\"%s\"}]') WHERE id='%s'", parent,
                         id);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        store_close(store);
        store = open_store();
}

static void ingest_leaves_the_parent_of_an_image_that_comes_with_other_blobs(void **state)
{
        _cleanup_fake_ struct fake plain = {0}, packed = {0}, base = {0};
        _cleanup_free_ char *id = NULL, *again = NULL, *parent = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_strv_ char **dropped = NULL;
        uint64_t bytes;

        (void)state;
        add_layer(&base, "base", 10, false, 0);
        finish(&base);
        add_layer(&plain, "one", 1000, false, 0);
        finish(&plain);
        add_layer(&packed, "one", 1000, true, 0);
        finish(&packed);
        check_ok(receive(&base, NULL, &parent));
        check_ok(receive(&plain, NULL, &id));
        set_parent(id, parent);
        check_ok(image_drop_blobs(store, &dropped, &bytes));
        check_ok(receive(&packed, NULL, &again));
        assert_string_equal(id, again);
        check_ok(image_find(store, id, &i));
        assert_string_equal(i->layers[0].digest, packed.digests[0].text);
        assert_string_equal(i->parent, parent);
}

static void image_keep_lets_others_remove_the_image_but_not_its_content(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_strv_ char **dropped = NULL;
        _cleanup_free_ char *id = NULL;
        struct image *gone = NULL;
        uint64_t bytes;

        (void)state;
        add_layer(&f, "one", 1000, true, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(image_find(store, id, &i));
        check_ok(image_keep(i));
        check_ok(image_drop_blobs(store, &dropped, &bytes));
        assert_true(blob_exists(store, f.digests[0].text));
        remove_image(id);
        check_code(image_find(store, id, &gone), ERR_NOT_FOUND);
        check_ok(store_gc(store, NULL));
        assert_int_equal(entries("blobs/sha256"), 3);
        assert_int_equal(entries("layers"), 1);
        image_free(TAKE_PTR(i));
        assert_int_equal(entries("blobs/sha256"), 0);
        assert_int_equal(entries("layers"), 0);
        assert_int_equal(entries("tmp"), 0);
}

static void image_find_whole_makes_dropped_blobs_that_nobody_drops_again(void **state)
{
        _cleanup_fake_ struct fake f = {0};
        _cleanup_strv_ char **dropped = NULL, **none = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_free_ char *id = NULL, *manifest = NULL;
        uint64_t bytes;

        (void)state;
        add_layer(&f, "one", 1000, false, 0);
        finish(&f);
        check_ok(receive(&f, NULL, &id));
        check_ok(image_drop_blobs(store, &dropped, &bytes));
        assert_false(blob_exists(store, f.digests[0].text));
        check_ok(image_find_whole(store, id, &i));
        assert_true(blob_exists(store, i->layers[0].digest));
        assert_true(blob_exists(store, i->manifest));
        check_ok(image_drop_blobs(store, &none, &bytes));
        assert_true(blob_exists(store, i->layers[0].digest));
        manifest = str_dup(i->manifest);
        image_free(TAKE_PTR(i));
        check_ok(image_find(store, id, &i));
        assert_string_equal(i->manifest, manifest);
        check_can_be_saved(id);
}

/* ---- what an older version wrote ---- */

static void a_database_of_version_1_is_brought_up(void **state)
{
        static const char v1[] =
                "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
                "CREATE TABLE containers(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
                " durable INTEGER NOT NULL, json TEXT NOT NULL);"
                "CREATE TABLE images(id TEXT PRIMARY KEY, created INTEGER NOT NULL, size INTEGER NOT NULL,"
                " manifest TEXT NOT NULL, config TEXT NOT NULL, layers TEXT NOT NULL);"
                "CREATE TABLE names(name TEXT PRIMARY KEY, image TEXT NOT NULL, tagged INTEGER NOT NULL) WITHOUT ROWID;"
                "CREATE INDEX names_image ON names(image);"
                "INSERT INTO images VALUES('sha256:1111111111111111111111111111111111111111111111111111111111111111',5,"
                "6,'sha256:2222222222222222222222222222222222222222222222222222222222222222','{}','[]');"
                "INSERT INTO names VALUES('docker.io/library/old:1',"
                "'sha256:1111111111111111111111111111111111111111111111111111111111111111',7);"
                "PRAGMA user_version=1;";
        _cleanup_free_ char *path = NULL, *run = NULL;
        _cleanup_(image_freep) struct image *i = NULL, *j = NULL;
        sqlite3 *db;

        (void)state;
        store_close(store);
        path = str_format("%s/state.db", root);
        run = str_format("%s/run.db", state_dir);
        (void)unlink(path);
        (void)unlink(run);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, v1, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        store = open_store();
        check_ok(image_find(store, "old:1", &i));
        assert_false(i->pinned);
        check_ok(image_pin(store, "old:1", true));
        store_close(store);
        i->store = NULL; /* its lease went with it */
        store = open_store();
        check_ok(image_find(store, "old:1", &j));
        assert_true(j->pinned);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ingest_makes_an_image_that_is_found_by_tag_and_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_asks_only_for_the_rest_of_a_broken_blob, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_continues_what_an_earlier_one_left, setup, teardown),
        cmocka_unit_test_setup_teardown(layer_tar_is_the_same_without_the_blob, setup, teardown),
        cmocka_unit_test_setup_teardown(layer_tar_tells_of_a_changed_file, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_begins_a_damaged_partial_blob_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_passes_over_what_is_here_when_the_source_cannot, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_refuses_wrong_content_and_keeps_nothing_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_refuses_a_wrong_diff_id, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_takes_equal_layers_and_images_without_any, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_gives_a_layer_without_a_root_entry_that_of_the_layer_below, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ingest_takes_the_same_image_with_other_blobs, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_names_must_fit_the_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_refuses_documents_that_are_not_what_they_should_be, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_wants_the_index_to_list_the_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_bounds_documents_and_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(gc_keeps_what_a_living_ingest_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(gc_removes_what_nobody_needs_and_old_partial_blobs, setup, teardown),
        cmocka_unit_test_setup_teardown(two_ingests_of_one_image_share_the_work, setup, teardown),
        cmocka_unit_test_setup_teardown(image_remove_takes_digests_with_the_last_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(image_prune_leaves_pinned_images_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(image_drop_blobs_leaves_images_that_can_be_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(image_drop_blobs_makes_a_half_written_skeleton_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_adds_nothing_to_a_blob_that_is_here, setup, teardown),
        cmocka_unit_test_setup_teardown(image_remove_leaves_others_that_can_be_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_counts_on_the_blob_of_an_image_that_is_removed_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ingest_leaves_the_parent_of_an_image_that_comes_with_other_blobs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(image_keep_lets_others_remove_the_image_but_not_its_content, setup, teardown),
        cmocka_unit_test_setup_teardown(image_find_whole_makes_dropped_blobs_that_nobody_drops_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_database_of_version_1_is_brought_up, setup, teardown),
};

int main(void)
{
        return cmocka_run_group_tests(tests, NULL, NULL);
}
