/* Unit tests of unpacking: times and owners of directories, in whatever order their entries come; the hash beside.
 * Needs root. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/digest.h"
#include "codec/tar.h"
#include "store/unpack.h"

static char top[64];
static int top_fd;

static int setup(void **state)
{
        (void)state;
        (void)strcpy(top, "/var/tmp/hod-test-unpack-XXXXXX");
        if (!mkdtemp(top))
                return -1;
        top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return top_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        (void)state;
        (void)close(top_fd);
        return file_remove_tree(AT_FDCWD, top);
}

/* An archive in memory. */
struct memory {
        struct sink sink; /* first */
        struct str text;
};

static err *keep(struct sink *s, const void *data, size_t size)
{
        struct memory *m = (struct memory *)s;

        str_add_n(&m->text, data, size);
        return str_done(&m->text);
}

static void memory_done(struct memory *m)
{
        str_free(&m->text);
}
#define _cleanup_memory_ __attribute__((cleanup(memory_done)))

/* Entries by a line each: "d PATH", "f PATH" or "l PATH TARGET"; the directories' times are 1000, 1001, ... in turn. */
static void write_archive(struct memory *m, const char *const *lines)
{
        struct tar_writer *w;

        m->sink = (struct sink){.write = keep};
        check_ok(tar_writer_new(&m->sink, &w));
        for (int n = 0; lines[n]; n++) {
                _cleanup_free_ char *name = str_dup(lines[n] + 2);
                char *link = strchr(name, ' ');
                struct tar_entry t = {.name = name, .linkname = "", .mode = 0755, .mtime = 1000 + n};

                if (link)
                        *link++ = '\0';
                t.type = *lines[n] == 'd' ? TAR_DIR : *lines[n] == 'l' ? TAR_SYMLINK : TAR_FILE;
                if (*lines[n] == 's') { /* a directory that gives its group away */
                        t.type = TAR_DIR;
                        t.mode = 02755;
                        t.gid = 7;
                }
                if (link)
                        t.linkname = link;
                t.size = t.type == TAR_FILE ? 1 : 0;
                check_ok(tar_write_entry(w, &t));
                if (t.size)
                        check_ok(tar_write_data(w, "x", 1));
        }
        check_ok(tar_write_end(w));
        tar_writer_free(w);
}

static void unpack(const char *const *lines)
{
        _cleanup_(stream_freep) struct stream *from = NULL;
        _cleanup_memory_ struct memory m = {0};

        write_archive(&m, lines);
        check_ok(stream_open_memory(m.text.data, m.text.len, &from));
        check_ok(unpack_stream(top_fd, UNPACK_LAYER, from, NULL));
}

static struct stat look(const char *path)
{
        struct stat st;

        assert_int_equal(fstatat(top_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        return st;
}

/* All directories of @lines have the times that they say last. */
static void assert_times(const char *const *lines)
{
        for (int n = 0; lines[n]; n++) {
                bool again = false;

                for (int k = n + 1; lines[k]; k++)
                        again |= str_eq(lines[k], lines[n]);
                if (*lines[n] == 'd' && !again)
                        assert_int_equal(look(lines[n] + 2).st_mtim.tv_sec, 1000 + n);
        }
}

static void unpack_sets_the_times_of_directories_in_the_order_of_a_walk(void **state)
{
        const char *const lines[] = {"d .",   "d a",   "d a/b", "d a/b/c", "f a/b/c/f", "f a/b/f",
                                     "d a/e", "f a/f", "d z",   "f z/f",   "f y",       NULL};

        (void)state;
        unpack(lines);
        assert_times(lines);
}

static void unpack_sets_the_times_of_directories_in_any_order(void **state)
{
        const char *const lines[] = {"d a",   "d a/b", "d a/b/c", "d z", "f a/b/c/f", "f z/f",
                                     "f a/f", "d a/b", "f a/b/f", "d .", NULL};

        (void)state;
        unpack(lines);
        assert_times(lines);
}

static void unpack_sets_the_times_of_directories_that_come_again(void **state)
{
        const char *const lines[] = {"d a", "f a/f", "d a", "d z", "d z", NULL};

        (void)state;
        unpack(lines);
        assert_times(lines);
}

static void unpack_sets_the_times_of_directories_reached_by_links(void **state)
{
        const char *const lines[] = {"d a", "d a/b", "l a/l b", "f a/l/f", "d z", "l z/up /", "f z/up/a/b/g", NULL};

        (void)state;
        unpack(lines);
        assert_times(lines);
        assert_true(file_exists(top_fd, "a/b/f") && file_exists(top_fd, "a/b/g"));
}

static void unpack_sets_the_times_around_directories_without_entries(void **state)
{
        const char *const lines[] = {"d a", "f a/b/c/f", "f a/g", "d z", NULL};

        (void)state;
        unpack(lines);
        assert_times(lines);
        assert_true(file_exists(top_fd, "a/b/c/f"));
}

static void unpack_goes_on_where_a_directory_was_replaced(void **state)
{
        const char *const lines[] = {"d a", "d a/b", "f a/b/old", "f a/b", "d a/b", "f a/b/new", "d z", NULL};

        (void)state;
        unpack(lines);
        assert_false(file_exists(top_fd, "a/b/old"));
        assert_true(file_exists(top_fd, "a/b/new"));
        assert_int_equal(look("a").st_mtim.tv_sec, 1000);
        assert_int_equal(look("a/b").st_mtim.tv_sec, 1004);
}

static void unpack_gives_files_their_own_group_in_a_directory_that_has_one(void **state)
{
        const char *const lines[] = {"s a", "f a/f", "d a/d", "f a/d/f", "d b", "l b/l /", "s b/l/b", "f b/f", NULL};

        (void)state;
        unpack(lines);
        assert_int_equal(look("a").st_gid, 7);
        assert_int_equal(look("a/f").st_gid, 0);
        assert_int_equal(look("a/d").st_gid, 0);
        assert_int_equal(look("a/d").st_mode & 07777, 0755);
        assert_int_equal(look("a/d/f").st_gid, 0);
        assert_int_equal(look("b").st_gid, 7);
        assert_int_equal(look("b/f").st_gid, 0);
}

static void unpack_reaches_what_is_deeper_than_it_keeps_open(void **state)
{
        enum { DEPTH = 150 };
        _cleanup_strv_ char **lines = MEM_NEW0(char *, 1);
        _cleanup_str_ struct str path = {0};

        (void)state;
        assert_non_null(lines);
        for (int n = 0; n < DEPTH; n++) {
                _cleanup_free_ char *line = NULL;

                str_printf(&path, "%sd", n ? "/" : "");
                line = str_format("d %s", path.data);
                assert_non_null(line);
                check_ok(strv_add(&lines, line));
        }
        check_ok(strv_add(&lines, "f d/d/f"));
        unpack((const char *const *)lines);
        assert_times((const char *const *)lines);
}

/* More than the ring holds, so that whoever waits hashes. */
static void hash_beside(void)
{
        enum { SIZE = 24 << 20, PIECE = 3 << 20 };
        const struct tar_entry t = {.name = "big", .linkname = "", .type = TAR_FILE, .mode = 0644, .size = SIZE};
        _cleanup_(digest_hasher_freep) struct digest_hasher *beside = NULL, *alone = NULL;
        _cleanup_free_ unsigned char *piece = malloc(PIECE);
        _cleanup_(stream_freep) struct stream *from = NULL;
        _cleanup_memory_ struct memory m = {.sink = {.write = keep}};
        struct digest a, b;
        struct tar_writer *w;

        assert_non_null(piece);
        check_ok(tar_writer_new(&m.sink, &w));
        check_ok(tar_write_entry(w, &t));
        for (int n = 0; n < SIZE / PIECE; n++) {
                for (size_t i = 0; i < PIECE; i++)
                        piece[i] = (unsigned char)(i * 7 + i / 251 + (size_t)n);
                check_ok(tar_write_data(w, piece, PIECE));
        }
        check_ok(tar_write_end(w));
        tar_writer_free(w);
        check_ok(digest_hasher_new(&beside));
        check_ok(digest_hasher_new(&alone));
        check_ok(stream_open_memory(m.text.data, m.text.len, &from));
        check_ok(unpack_hashed(top_fd, UNPACK_LAYER, -1, beside, from, NULL));
        digest_hasher_update(alone, m.text.data, m.text.len);
        assert_int_equal(digest_hasher_size(beside), m.text.len);
        check_ok(digest_hasher_final(beside, &a));
        check_ok(digest_hasher_final(alone, &b));
        assert_string_equal(a.text, b.text);
        assert_int_equal(look("big").st_size, SIZE);
}

static void unpack_hashes_what_is_written(void **state)
{
        (void)state;
        hash_beside();
}

static bool threads_fail;
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
        return threads_fail ? EAGAIN : __real_pthread_create(t, a, f, arg);
}

static void unpack_hashes_what_is_written_where_no_thread_can_be_had(void **state)
{
        (void)state;
        threads_fail = true;
        hash_beside();
        threads_fail = false;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(unpack_sets_the_times_of_directories_in_the_order_of_a_walk),
                TEST(unpack_sets_the_times_of_directories_in_any_order),
                TEST(unpack_sets_the_times_of_directories_that_come_again),
                TEST(unpack_sets_the_times_of_directories_reached_by_links),
                TEST(unpack_sets_the_times_around_directories_without_entries),
                TEST(unpack_goes_on_where_a_directory_was_replaced),
                TEST(unpack_gives_files_their_own_group_in_a_directory_that_has_one),
                TEST(unpack_reaches_what_is_deeper_than_it_keeps_open),
                TEST(unpack_hashes_what_is_written),
                TEST(unpack_hashes_what_is_written_where_no_thread_can_be_had),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
