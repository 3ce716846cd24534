/* Unit tests of store/record, name_index, volume and what ties the two databases together, on a store of our own.
 * Needs root: a store belongs to root. */
#include "check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/name_index.h"
#include "store/record.h"
#include "store/volume.h"

#define ID_A "a111111111111111111111111111111111111111111111111111111111111111"
#define ID_B "a122222222222222222222222222222222222222222222222222222222222222"
#define ID_C "c333333333333333333333333333333333333333333333333333333333333333"

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
        (void)strcpy(root, "/tmp/hod-test-record-XXXXXX");
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

/* As the next command would see it. */
static void reopen(void)
{
        store_close(store);
        store = open_store();
}

static void add(const char *id, const char *name, bool durable)
{
        check_ok(record_insert(store, id, name, 5, durable, "{}"));
}

static void found(const char *ref, const char *id)
{
        _cleanup_record_ struct record r = {0};

        check_ok(record_find(store, ref, &r));
        assert_string_equal(r.id, id);
}

static bool indexed(const char *name, const char *id)
{
        char text[ID_LEN + 1];

        return name_index_find(store, name, text) && strcmp(text, id) == 0;
}

static void record_find_takes_names_ids_and_unique_beginnings(void **state)
{
        struct record r;

        (void)state;
        add(ID_A, "one", true);
        add(ID_B, "two", false);
        add(ID_C, "a1", false); /* looks like the beginning of both others: names win */
        for (int i = 0; i < 2; i++, reopen()) {
                found("one", ID_A);
                found("/two", ID_B);
                found(ID_A, ID_A);
                found("a12", ID_B);
                found("a1", ID_C);
                check_err(record_find(store, "a", &r), "Multiple IDs found with provided prefix: a");
                check_err(record_find(store, "nosuch", &r), "No such container: nosuch");
                check_code(record_find(store, "", &r), ERR_INVALID);
                check_code(record_find(store, "one' OR '1'='1", &r), ERR_NOT_FOUND);
        }
}

static void record_insert_refuses_a_name_twice(void **state)
{
        (void)state;
        add(ID_A, "one", true);
        check_code(record_insert(store, ID_B, "one", 5, false, "{}"), ERR_CONFLICT);
        check_code(record_insert(store, ID_B, "one", 5, true, "{}"), ERR_CONFLICT);
        check_code(record_name_free(store, "one"), ERR_CONFLICT);
        check_ok(record_name_free(store, "two"));
        assert_true(indexed("one", ID_A));
}

static void record_rename_moves_the_name_and_never_steals_one(void **state)
{
        (void)state;
        add(ID_A, "one", true);
        add(ID_B, "two", false);
        check_code(record_rename(store, ID_A, true, "two", "{}"), ERR_CONFLICT);
        found("one", ID_A);
        assert_true(indexed("two", ID_B));
        check_ok(record_rename(store, ID_A, true, "three", "{}"));
        check_code(record_name_free(store, "three"), ERR_CONFLICT);
        check_ok(record_name_free(store, "one"));
        assert_false(indexed("one", ID_A));
        found("three", ID_A);
        /* The next change of the record makes the entry. */
        check_ok(record_update(store, ID_A, true, "{}"));
        assert_true(indexed("three", ID_A));
        check_code(record_rename(store, ID_C, false, "four", "{}"), ERR_NOT_FOUND);
}

static void record_delete_frees_the_name(void **state)
{
        (void)state;
        add(ID_A, "one", true);
        check_ok(record_delete(store, ID_A, true));
        assert_false(indexed("one", ID_A));
        check_ok(record_name_free(store, "one"));
        check_code(record_update(store, ID_A, true, "{}"), ERR_NOT_FOUND);
        check_ok(record_delete(store, ID_A, true)); /* twice is fine */
        add(ID_B, "one", false);
        assert_true(indexed("one", ID_B));
}

static void record_volatile_ones_are_forgotten_with_the_state_directory(void **state)
{
        struct record r;

        (void)state;
        add(ID_A, "stays", true);
        add(ID_B, "goes", false);
        store_close(store);
        assert_int_equal(file_remove_tree(AT_FDCWD, state_dir), 0);
        store = open_store();
        found("stays", ID_A);
        check_code(record_find(store, "goes", &r), ERR_NOT_FOUND);
        assert_false(indexed("goes", ID_B));
        check_ok(record_name_free(store, "goes"));
}

static void record_copies_what_another_process_wrote_durably(void **state)
{
        struct store *other;
        struct record r;

        (void)state;
        other = open_store();
        add(ID_A, "one", true);
        check_ok(record_find(other, "one", &r));
        record_done(&r);
        store_close(other);
        /* The volatile copy is lost half way: the durable one is copied again. */
        assert_int_equal(unlinkat(store_state_fd(store), "run.db", 0), 0);
        reopen();
        found("one", ID_A);
}

static void record_list_all_is_newest_first(void **state)
{
        _cleanup_record_list_ struct record_list l = {0};

        (void)state;
        check_ok(record_insert(store, ID_A, "old", 1, true, "{}"));
        check_ok(record_insert(store, ID_B, "new", 3, false, "{}"));
        check_ok(record_insert(store, ID_C, "middle", 2, true, "{}"));
        check_ok(record_list_all(store, &l));
        assert_int_equal(l.n, 3);
        assert_string_equal(l.items[0].name, "new");
        assert_string_equal(l.items[1].name, "middle");
        assert_string_equal(l.items[2].name, "old");
}

static void name_index_takes_no_path_for_a_name(void **state)
{
        char id[ID_LEN + 1];
        struct stat st;

        (void)state;
        name_index_put(store, "../escaped", ID_A);
        name_index_put(store, "..", ID_A);
        assert_int_not_equal(fstatat(store_state_fd(store), "escaped", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_false(name_index_find(store, "../boot", id));
        assert_false(name_index_find(store, "", id));
}

static void name_index_believes_ids_only(void **state)
{
        char id[ID_LEN + 1];

        (void)state;
        assert_int_equal(symlinkat("/etc", store_state_fd(store), "names/bad"), 0);
        assert_false(name_index_find(store, "bad", id));
        name_index_put(store, "bad", ID_A);
        assert_true(indexed("bad", ID_A));
}

static void volume_remove_refuses_one_that_a_record_names(void **state)
{
        _cleanup_free_ char *path = NULL;
        bool created;

        (void)state;
        check_ok(volume_ensure(store, "v1", NULL, false, &path, &created));
        assert_true(created);
        assert_true(volume_is_empty(store, "v1"));
        check_ok(record_insert(store, ID_A, "one", 1, true, "{\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"v1\"}]}"));
        check_err(volume_remove(store, "v1", false), "remove v1: volume is in use - [" ID_A "]");
        check_ok(record_delete(store, ID_A, true));
        check_ok(volume_remove(store, "v1", false));
        check_err(volume_remove(store, "v1", false), "get v1: no such volume");
        check_ok(volume_remove(store, "v1", true));
        check_code(volume_ensure(store, "../v", NULL, false, &path, NULL), ERR_INVALID);
}

int main(void)
{
#define RECORD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                RECORD_TEST(record_find_takes_names_ids_and_unique_beginnings),
                RECORD_TEST(record_insert_refuses_a_name_twice),
                RECORD_TEST(record_rename_moves_the_name_and_never_steals_one),
                RECORD_TEST(record_delete_frees_the_name),
                RECORD_TEST(record_volatile_ones_are_forgotten_with_the_state_directory),
                RECORD_TEST(record_copies_what_another_process_wrote_durably),
                RECORD_TEST(record_list_all_is_newest_first),
                RECORD_TEST(name_index_takes_no_path_for_a_name),
                RECORD_TEST(name_index_believes_ids_only),
                RECORD_TEST(volume_remove_refuses_one_that_a_record_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
