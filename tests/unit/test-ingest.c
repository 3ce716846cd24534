/* Unit tests of store/ingest, partial and blob. Needs root. */
#include "fake-image.h"

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
        _cleanup_image_list_ struct image_list list = {0};

        (void)state;
        add_layer(&f, "one", 1000, false, 0);
        add_layer(&f, "two", 1000, false, 0);
        finish(&f);
        check_code(receive(&f, names, &id), ERR_DIGEST);
        check_ok(image_list(store, &list));
        assert_int_equal(list.n, 0);
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
};

int main(void)
{
        return cmocka_run_group_tests(tests, NULL, NULL);
}
