/* Unit tests of images in the store: what others remove meanwhile, gc, blobs that are dropped. Needs root. */
#include "fake-image.h"

#include "store/record.h"

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

/* What an archive calls it by a digest, no registry has promised; what a registry has promised stays. */
static void image_origin_is_a_digest_that_was_pulled(void **state)
{
        static const bool archived[] = {true, false, true};
        _cleanup_fake_ struct fake f = {0};
        _cleanup_free_ char *digest = NULL;
        char *names[] = {NULL, NULL};

        (void)state;
        add_layer(&f, "one", 10, false, 0);
        finish(&f);
        names[0] = digest = str_format("reg.example:5000/a@%s", f.manifest_digest.text);
        for (size_t n = 0; n < ARRAY_SIZE(archived); n++) {
                const struct ingest_source source = {.open = source_open, .arg = &f};
                _cleanup_image_origin_ struct image_origin origin = {0};
                _cleanup_(image_freep) struct image *i = NULL;
                struct ingest_options o = options_of(&f);
                _cleanup_ingest_ struct ingest *in = NULL;
                _cleanup_free_ char *id = NULL;

                o.archived = archived[n];
                check_ok(ingest_begin(store, &o, &in));
                check_ok(ingest_layers(in, &source));
                check_ok(ingest_publish(in, names, &id));
                check_ok(image_find(store, digest, &i)); /* it has the name in any case */
                assert_string_equal(i->digests[0], digest);
                check_ok(image_origin(store, i->layers[0].chain, &origin));
                if (n == 0)
                        assert_null(origin.name);
                else
                        assert_string_equal(origin.name, digest);
        }
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

/* Another program removes it. */
static void remove_image(const char *id, bool force)
{
        const struct image_remove_options o = {.force = force};
        struct image_removed *removed;
        size_t n;

        check_ok(image_remove(store, id, &o, &removed, &n));
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

/* Two images with the same lowest layer: as it is, and compressed. */
static void share_a_layer(struct fake *plain, struct fake *packed)
{
        add_layer(plain, "base", 10000, false, 0);
        add_layer(plain, "one", 10, false, 0);
        finish(plain);
        add_layer(packed, "base", 10000, true, 0);
        add_layer(packed, "two", 10, true, 0);
        finish(packed);
}

/* An image whose layer was here already has no blob of its own: that of the other image may go all the same. */
static void image_remove_leaves_others_that_can_be_saved(void **state)
{
        _cleanup_fake_ struct fake plain = {0}, packed = {0};
        _cleanup_free_ char *one = NULL, *two = NULL;

        (void)state;
        share_a_layer(&plain, &packed);
        check_ok(receive(&plain, NULL, &one));
        check_ok(receive(&packed, NULL, &two));
        assert_false(blob_exists(store, packed.digests[0].text));
        remove_image(one, false);
        assert_false(blob_exists(store, plain.digests[0].text));
        assert_int_equal(entries("blobs/sha256"), 3); /* with that of "two" */
        check_can_be_saved(two);
}

/* Another program prunes; how many lines it has. */
static size_t prune(void)
{
        const struct image_prune_options dangling = {0};
        struct image_removed *removed;
        uint64_t bytes;
        size_t n;

        check_ok(image_prune(store, &dangling, &removed, &n, &bytes));
        image_removed_free(removed, n);
        return n;
}

static void image_prune_leaves_others_that_can_be_saved(void **state)
{
        _cleanup_fake_ struct fake plain = {0}, packed = {0}, third = {0};
        _cleanup_free_ char *one = NULL, *two = NULL, *three = NULL;

        (void)state;
        share_a_layer(&plain, &packed);
        add_layer(&third, "three", 10, false, 0);
        finish(&third);
        check_ok(receive(&plain, NULL, &one));
        check_ok(receive(&packed, NULL, &two));
        check_ok(receive(&third, NULL, &three));
        check_ok(image_pin(store, two, true));
        assert_int_equal(prune(), 4); /* two images, a layer of each */
        assert_false(blob_exists(store, plain.digests[0].text));
        check_can_be_saved(two);
}

static void image_prune_leaves_images_of_containers_alone(void **state)
{
        (void)state;
        for (int damaged = 0; damaged < 2; damaged++) {
                _cleanup_fake_ struct fake used = {0}, other = {0};
                _cleanup_free_ char *id = NULL, *other_id = NULL;
                char text[128];

                add_layer(&used, "used", 10, false, 0);
                finish(&used);
                add_layer(&other, "other", 10, false, 0);
                finish(&other);
                check_ok(receive(&used, NULL, &id));
                check_ok(receive(&other, NULL, &other_id));
                (void)snprintf(text, sizeof(text), "{\"Image\":\"%s\"%s", id, damaged ? "" : "}");
                check_ok(record_insert(store, "c0", "c", 1, true, text));
                assert_int_equal(prune(), 2);
                check_can_be_saved(id);
                check_ok(record_delete(store, "c0", true));
                assert_int_equal(prune(), 2);
        }
}

static void ingest_counts_on_the_blob_of_an_image_that_is_removed_meanwhile(void **state)
{
        _cleanup_fake_ struct fake plain = {0}, packed = {0};
        const struct ingest_source source = {.open = source_open, .arg = &packed};
        _cleanup_free_ char *one = NULL, *two = NULL;
        struct ingest_options o;
        struct ingest *i;

        (void)state;
        share_a_layer(&plain, &packed);
        check_ok(receive(&plain, NULL, &one));
        o = options_of(&packed);
        check_ok(ingest_begin(store, &o, &i));
        assert_int_equal(ingest_layer(i, 0)->state, INGEST_EXISTS);
        remove_image(one, true);
        check_ok(store_gc(store, NULL));
        assert_true(blob_exists(store, plain.digests[0].text));
        check_ok(ingest_layers(i, &source));
        check_ok(ingest_publish(i, NULL, &two));
        ingest_free(i);
        check_ok(store_gc(store, NULL));
        assert_false(blob_exists(store, plain.digests[0].text));
        check_can_be_saved(two);
}

static void ingest_can_do_without_the_blobs_of_the_record_that_it_replaces(void **state)
{
        _cleanup_fake_ struct fake plain = {0}, packed = {0};
        _cleanup_free_ char *id = NULL, *again = NULL, *lost = NULL;

        (void)state;
        add_layer(&packed, "one", 1000, true, 0);
        add_layer(&packed, "two", 1000, true, 0);
        finish(&packed);
        add_layer(&plain, "one", 1000, false, 0);
        add_layer(&plain, "two", 1000, false, 0);
        finish(&plain);
        check_ok(receive(&packed, NULL, &id));
        lost = str_format("%s/blobs/sha256/%s", root, digest_hex(&packed.digests[1]));
        assert_int_equal(unlink(lost), 0);
        check_ok(receive(&plain, NULL, &again));
        assert_string_equal(id, again);
        check_ok(store_gc(store, NULL));
        assert_false(blob_exists(store, packed.digests[0].text));
        check_can_be_saved(id);
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
        check_ok(receive(&packed, NULL, &id));
        set_parent(id, parent);
        check_ok(image_drop_blobs(store, &dropped, &bytes));
        check_ok(receive(&plain, NULL, &again));
        assert_string_equal(id, again);
        check_ok(image_find(store, id, &i));
        assert_string_equal(i->layers[0].digest, plain.digests[0].text);
        assert_string_equal(i->parent, parent);
        /* the other manifest has gone */
        assert_false(blob_exists(store, packed.manifest_digest.text));
        assert_true(blob_exists(store, plain.manifest_digest.text));
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
        remove_image(id, true);
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
        add_layer(&f, "one", 1000, true, 0);
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
        cmocka_unit_test_setup_teardown(gc_keeps_what_a_living_ingest_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(gc_removes_what_nobody_needs_and_old_partial_blobs, setup, teardown),
        cmocka_unit_test_setup_teardown(two_ingests_of_one_image_share_the_work, setup, teardown),
        cmocka_unit_test_setup_teardown(image_remove_takes_digests_with_the_last_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(image_origin_is_a_digest_that_was_pulled, setup, teardown),
        cmocka_unit_test_setup_teardown(image_prune_leaves_pinned_images_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(image_drop_blobs_leaves_images_that_can_be_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(image_drop_blobs_makes_a_half_written_skeleton_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_adds_nothing_to_a_blob_that_is_here, setup, teardown),
        cmocka_unit_test_setup_teardown(image_remove_leaves_others_that_can_be_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(image_prune_leaves_others_that_can_be_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(image_prune_leaves_images_of_containers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(ingest_counts_on_the_blob_of_an_image_that_is_removed_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ingest_can_do_without_the_blobs_of_the_record_that_it_replaces, setup,
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
