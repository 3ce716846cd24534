/* Unit tests of net/lease, in a temporary directory. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/lease.h"
#include "sys/endpoint.h"

#define ID_A "a111111111111111111111111111111111111111111111111111111111111111"
#define ID_B "b122222222222222222222222222222222222222222222222222222222222222"
#define ID_C "c333333333333333333333333333333333333333333333333333333333333333"
#define LINE ID_A " " ID_B " 10.0.0.2/24 fd00::2/64 02:42:0a:00:00:02 hodb12222222222 web web,www,a11111111111"

static char dir[64];
static int root = -1, state_fd = -1;
static struct networks *s;
static struct network *n;

static struct link_address at(const char *text)
{
        struct link_address a = {0};

        if (!endpoint_address_parse(text, &a))
                fail_msg("'%s' is no address", text);
        return a;
}

/* 10.0.0.0/29: .1 is the gateway, .3 is kept back. */
static void make_network(void)
{
        static const char text[] = "{\"Name\":\"n\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.0.0.0/29\","
                                   "\"AuxiliaryAddresses\":{\"x\":\"10.0.0.3\"}}]}}";
        _cleanup_json_ json *body = NULL;
        _cleanup_free_ char *id = NULL;

        check_ok(json_parse(text, sizeof(text) - 1, &body));
        check_ok(network_create(s, body, &id));
        check_ok(network_find(s, id, &n));
}

static int setup(void **state)
{
        (void)state;
        (void)strcpy(dir, "/tmp/hod-test-lease-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (mkdirat(root, "state", 0700) < 0)
                return -1;
        state_fd = openat(root, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        check_ok(networks_open(root, state_fd, NULL, &s));
        make_network();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        network_free(n);
        networks_close(s);
        state_fd = file_close(state_fd);
        root = file_close(root);
        return file_remove_tree(AT_FDCWD, dir);
}

/* ---- lines ---- */

static void lease_format_writes_what_parse_read(void **state)
{
        _cleanup_lease_ struct lease l = {0};
        _cleanup_free_ char *again = NULL;

        (void)state;
        check_ok(lease_parse(LINE, &l));
        assert_string_equal(l.link, "hodb12222222222");
        assert_int_equal(l.address[1].family, AF_INET6);
        assert_int_equal(strv_len(l.names), 3);
        check_ok(lease_format(&l, &again));
        assert_string_equal(again, LINE);
}

static void lease_parse_refuses_what_is_damaged(void **state)
{
        static const char *const bad[] = {
                "",
                ID_A,
                ID_A " " ID_B " 10.0.0.2/24 - 02:42:0a:00:00:02 - web",
                ID_A " " ID_B " 10.0.0.2/24 - 02:42:0a:00:00:02 - web - more",
                ID_A " b1 10.0.0.2/24 - 02:42:0a:00:00:02 - web -",
                ID_A " " ID_B " 10.0.0.2/33 - 02:42:0a:00:00:02 - web -",
                ID_A " " ID_B " 10.0.0.2/24 - 02:42:0a:00:00 - web -",
                ID_A " " ID_B " 10.0.0.2/24 - 02:42:0a:00:00:02 a123456789012345 web -",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct lease l;

                check_code(lease_parse(bad[i], &l), ERR_CORRUPT);
        }
}

/* ---- taking ---- */

static bool alive_a;
static bool lives(const char *container, void *arg)
{
        (void)arg;
        return alive_a && str_eq(container, ID_A);
}

static err *take(const char *container, const char *wanted, const char *want)
{
        struct lease_request r = {.container = container, .name = "web", .lives = lives};
        _cleanup_lease_ struct lease l = {0};
        char text[ENDPOINT_ADDRESS_MAX];

        if (wanted)
                r.wanted[0] = at(wanted);
        TRY(lease_take(s, n, &r, &l));
        assert_string_equal(endpoint_address_text(&l.address[0], true, text), want);
        assert_memory_equal(l.mac, "\x02\x42", 2);
        assert_memory_equal(l.mac + 2, l.address[0].data, 4);
        assert_true(str_starts(l.link, "hod") && strlen(l.link) == LINK_NAME_MAX);
        return NULL;
}

static void lease_take_gives_the_lowest_free_address(void **state)
{
        _cleanup_lease_list_ struct lease_list list = {0};

        (void)state;
        alive_a = true;
        check_ok(take(ID_A, NULL, "10.0.0.2/29"));
        check_ok(take(ID_B, NULL, "10.0.0.4/29"));
        check_ok(take(ID_A, NULL, "10.0.0.2/29")); /* in place of its own */
        check_ok(lease_release(s, n->id, ID_A));
        check_ok(lease_release(s, n->id, ID_A));
        check_ok(take(ID_C, NULL, "10.0.0.2/29"));
        check_ok(lease_list(s, n->id, &list));
        assert_int_equal(list.n, 2);
}

static void lease_take_wants_an_address_that_is_free(void **state)
{
        (void)state;
        alive_a = true;
        check_ok(take(ID_A, "10.0.0.5", "10.0.0.5/29"));
        check_err(take(ID_B, "10.0.0.5", NULL), "Address already in use (10.0.0.5 is container web's)");
        check_err(take(ID_B, "10.0.0.0", NULL), "Address already in use (10.0.0.0 is for no container)");
        check_err(take(ID_B, "10.0.0.1", NULL), "Address already in use (10.0.0.1 is the gateway's)");
        check_err(take(ID_B, "10.0.0.3", NULL), "Address already in use (10.0.0.3 is for no container)");
        check_err(take(ID_B, "10.0.0.7", NULL), "Address already in use (10.0.0.7 is for no container)");
        check_code(take(ID_B, "10.0.0.8", NULL), ERR_INVALID);
        alive_a = false; /* a line of one who has ended */
        check_ok(take(ID_B, "10.0.0.5", "10.0.0.5/29"));
}

static void lease_take_gives_no_link_address_twice(void **state)
{
        struct lease_request r = {.container = ID_A, .name = "web", .lives = lives, .mac = {2, 0x42, 10, 0, 0, 4}};
        _cleanup_lease_ struct lease a = {0}, b = {0}, c = {0};

        (void)state;
        alive_a = true;
        check_ok(lease_take(s, n, &r, &a));
        check_ok(lease_take(s, n, &r, &b)); /* in place of its own */
        assert_memory_equal(b.mac, r.mac, 6);
        r.container = ID_B;
        check_err(lease_take(s, n, &r, &c),
                  "MAC address 02:42:0a:00:00:04 is already in use on network n (by container "
                  "web)");
        memset(r.mac, 0, 6);
        check_ok(lease_take(s, n, &r, &c)); /* would have had that very one */
        assert_memory_equal(c.address[0].data, "\x0a\0\0\x04", 4);
        assert_memory_equal(c.mac, "\x02\x43\x0a\0\0\x04", 6);
        lease_done(&c);
        alive_a = false; /* a line of one who has ended */
        memcpy(r.mac, "\x02\x42\x0a\0\0\x04", 6);
        check_ok(lease_take(s, n, &r, &c));
        assert_memory_equal(c.mac, r.mac, 6);
}

static void lease_take_of_a_full_network_asks_who_lives(void **state)
{
        char id[] = ID_C;

        (void)state;
        alive_a = true;
        check_ok(take(ID_A, NULL, "10.0.0.2/29"));
        for (const char *last = "456"; *last; last++) {
                char want[] = "10.0.0.x/29";

                want[7] = id[63] = *last;
                check_ok(take(id, NULL, want));
        }
        check_ok(take(ID_B, NULL, "10.0.0.4/29")); /* the three were gone */
        check_ok(take(ID_C, NULL, "10.0.0.5/29"));
}

static void lease_take_refuses_names_that_would_break_the_line(void **state)
{
        static const char *const bad[] = {"a b", "a,b", "a\nb", "", "\x7f"};
        _cleanup_lease_list_ struct lease_list list = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct lease_request r = {.container = ID_A, .name = "web", .names = (char *[]){(char *)bad[i], NULL}};
                struct lease l;

                check_code(lease_take(s, n, &r, &l), ERR_INVALID);
        }
        check_ok(lease_list(s, n->id, &list));
        assert_int_equal(list.n, 0);
}

static void lease_hold_keeps_who_removes_away(void **state)
{
        int one, two, alone;
        char name[80];

        (void)state;
        (void)snprintf(name, sizeof(name), "networks/%s.use", n->id);
        check_ok(lease_hold(s, n->id, false, &one));
        check_ok(lease_hold(s, n->id, false, &two));
        assert_int_equal(file_try_lock(state_fd, name, false), -EWOULDBLOCK);
        (void)file_close(one);
        (void)file_close(two);
        check_ok(lease_hold(s, n->id, true, &alone));
        assert_int_equal(file_try_lock(state_fd, name, true), -EWOULDBLOCK);
        (void)file_close(alone);
}

static void lease_forget_leaves_nothing(void **state)
{
        int alone;

        (void)state;
        check_ok(take(ID_B, NULL, "10.0.0.2/29"));
        check_ok(lease_hold(s, n->id, true, &alone));
        check_ok(lease_forget(s, n->id));
        (void)file_close(alone);
        check_ok(lease_release(s, n->id, ID_B)); /* a late one makes nothing anew */
        assert_int_equal(unlinkat(state_fd, "networks", AT_REMOVEDIR), 0);
}

static void lease_release_endpoint_leaves_what_came_since(void **state)
{
        const struct lease_request r = {.container = ID_A, .name = "web"};
        _cleanup_lease_ struct lease first = {0}, second = {0};
        _cleanup_lease_list_ struct lease_list list = {0};

        (void)state;
        check_ok(lease_take(s, n, &r, &first));
        check_ok(lease_take(s, n, &r, &second)); /* another run */
        check_ok(lease_release_endpoint(s, n->id, &first));
        check_ok(lease_list(s, n->id, &list));
        assert_int_equal(list.n, 1);
        assert_string_equal(list.items[0].endpoint, second.endpoint);
        lease_list_done(&list);
        check_ok(lease_release_endpoint(s, n->id, &second));
        check_ok(lease_list(s, n->id, &list));
        assert_int_equal(list.n, 0);
        lease_list_done(&list);
}

static void lease_rename_changes_what_the_old_name_answered_to(void **state)
{
        char *const names[] = {(char[]){"web"}, (char[]){"www"}, (char[]){"a11111111111"}, NULL};
        struct lease_request one = {.container = ID_A, .name = "web", .names = names};
        struct lease_request two = {.container = ID_B, .name = "other", .names = names};
        _cleanup_lease_ struct lease a = {0}, b = {0};
        _cleanup_free_ char *text = NULL;
        _cleanup_lease_list_ struct lease_list list = {0};

        (void)state;
        check_ok(lease_rename(s, n->id, ID_A, "shop")); /* nobody is there */
        check_ok(lease_take(s, n, &one, &a));
        check_ok(lease_take(s, n, &two, &b));
        check_ok(lease_rename(s, n->id, ID_A, "shop"));
        check_ok(lease_list(s, n->id, &list));
        assert_int_equal(list.n, 2);
        assert_string_equal(list.items[0].name, "shop");
        text = strv_join(list.items[0].names, ",");
        assert_string_equal(text, "shop,www,a11111111111");
        assert_string_equal(list.items[1].name, "other");
        assert_string_equal(list.items[1].names[0], "web");
        check_code(lease_rename(s, n->id, ID_A, "a b"), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lease_format_writes_what_parse_read),
                cmocka_unit_test(lease_parse_refuses_what_is_damaged),
                TEST(lease_release_endpoint_leaves_what_came_since),
                TEST(lease_rename_changes_what_the_old_name_answered_to),
                TEST(lease_take_gives_the_lowest_free_address),
                TEST(lease_take_wants_an_address_that_is_free),
                TEST(lease_take_gives_no_link_address_twice),
                TEST(lease_take_of_a_full_network_asks_who_lives),
                TEST(lease_take_refuses_names_that_would_break_the_line),
                TEST(lease_hold_keeps_who_removes_away),
                TEST(lease_forget_leaves_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
