/* Unit tests of sys/nft and net/firewall, in a network namespace of our own. */
#include "check.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "net/firewall_private.h"
#include "sys/endpoint.h"

static int fd = -1;

static int begin(void **state)
{
        (void)state;
        if (unshare(CLONE_NEWNET) < 0)
                skip();
        fd = file_close(fd);
        fd = file_close(netlink_firewall_open()); /* one that was kept is of another namespace */
        fd = netlink_open(NETLINK_NETFILTER);
        return fd < 0 ? -1 : 0;
}

static const struct nft_set numbers = {.name = "numbers", .key_type = 1, .key_size = 4};

static int commit(struct nft *n)
{
        int r = nft_commit(fd, n, NULL);

        nft_done(n);
        return r;
}

static int has(uint32_t key, char comment[NFT_COMMENT_MAX + 1])
{
        return nft_element_get(fd, NFPROTO_INET, "t", "numbers", &key, sizeof(key), comment);
}

static void nft_elements_are_added_found_and_deleted(void **state)
{
        char comment[NFT_COMMENT_MAX + 1], long_one[NFT_COMMENT_MAX + 1];
        uint32_t seven = 7, eight = 8;
        struct nft_element e = {.key = &seven, .key_size = 4, .exclusive = true, .comment = "me"};
        unsigned count;
        struct nft n;

        (void)state;
        assert_int_equal(nft_set_count(fd, NFPROTO_INET, "t", "numbers", &count), -ENOENT);
        nft_begin(&n, NFPROTO_INET);
        nft_table_add(&n, "t");
        nft_set_add(&n, "t", &numbers);
        nft_element_add(&n, "t", "numbers", &e);
        assert_int_equal(commit(&n), 0);
        assert_int_equal(has(7, comment), 1);
        assert_string_equal(comment, "me");
        assert_int_equal(has(8, comment), 0);
        assert_string_equal(comment, "");

        /* All or nothing. */
        memset(long_one, 'x', sizeof(long_one) - 1);
        long_one[NFT_COMMENT_MAX] = '\0';
        nft_begin(&n, NFPROTO_INET);
        nft_element_add(&n, "t", "numbers", &(struct nft_element){.key = &eight, .key_size = 4, .comment = long_one});
        nft_element_add(&n, "t", "numbers", &e);
        assert_int_equal(commit(&n), -EEXIST);
        assert_int_equal(has(8, comment), 0);
        nft_begin(&n, NFPROTO_INET);
        nft_element_add(&n, "t", "numbers", &(struct nft_element){.key = &eight, .key_size = 4, .comment = long_one});
        assert_int_equal(commit(&n), 0);
        assert_int_equal(has(8, comment), 1);
        assert_string_equal(comment, long_one);

        nft_begin(&n, NFPROTO_INET);
        nft_element_delete(&n, "t", "numbers", &e);
        assert_int_equal(commit(&n), 0);
        assert_int_equal(has(7, comment), 0);
        assert_int_equal(nft_set_count(fd, NFPROTO_INET, "t", "numbers", &count), 0);
        assert_int_equal(count, 1);
        nft_begin(&n, NFPROTO_INET);
        nft_element_delete(&n, "t", "numbers", &e);
        assert_int_equal(commit(&n), -ENOENT);
}

static int end(uint32_t key)
{
        const struct nft_element e = {.key = &key, .key_size = 4};
        struct nft n;
        int r;

        nft_begin(&n, NFPROTO_INET);
        nft_element_end(&n, "t", "numbers", &e);
        r = commit(&n);
        return r < 0 ? r : nft_element_ends(fd, NFPROTO_INET, "t", "numbers", &e);
}

static void nft_element_end_makes_room_for_the_same_at_once(void **state)
{
        struct nft_set set = numbers;
        char comment[NFT_COMMENT_MAX + 1];
        uint32_t seven = 7;
        struct nft_element e = {.key = &seven, .key_size = 4};
        struct nft n;
        int r;

        (void)state;
        assert_int_equal(end(7), -ENOENT);
        set.flags |= NFT_SET_TIMEOUT;
        for (int i = 0; i < 20; i++) {
                nft_begin(&n, NFPROTO_INET);
                nft_table_add(&n, "t");
                nft_set_add(&n, "t", &set);
                nft_element_add(&n, "t", "numbers", &e);
                assert_int_equal(commit(&n), 0);
                (void)usleep(i * 1000); /* the last one's time runs out: not this one's */
                assert_int_equal(has(7, comment), 1);
                assert_int_equal(nft_element_ends(fd, NFPROTO_INET, "t", "numbers", &e), 0);
                r = end(7);
                if (r == 0) /* before Linux 6.12 */
                        skip();
                assert_int_equal(r, 1);
        }
        (void)usleep(20000);
        assert_int_equal(has(7, comment), 0);
        assert_int_equal(end(8), 1); /* was never there */
}

static void nft_commit_of_an_old_generation_is_refused(void **state)
{
        uint32_t generation;
        struct nft n;
        int r;

        (void)state;
        assert_int_equal(nft_generation(fd, &generation), 0);
        nft_begin(&n, NFPROTO_INET);
        nft_table_add(&n, "t");
        nft_set_add(&n, "t", &numbers);
        assert_int_equal(commit(&n), 0);
        nft_begin_at(&n, NFPROTO_INET, generation);
        nft_table_delete(&n, "t");
        r = commit(&n);
        assert_true(r == -ERESTART || r == -512 || r == -EAGAIN);
        assert_int_equal(nft_generation(fd, &generation), 0);
        nft_begin_at(&n, NFPROTO_INET, generation);
        nft_table_delete(&n, "t");
        assert_int_equal(commit(&n), 0);
}

/* The kernel answers once, not once a message. */
static void nft_lock_is_not_waited_for_without_end(void **state)
{
        _cleanup_close_ int other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC); /* as anybody may */
        _cleanup_firewall_ struct firewall *f = NULL;
        const struct firewall_network net = {.bridge = "br0"};
        int first, second;

        (void)state;
        assert_true(other >= 0);
        assert_int_equal(flock(other, LOCK_EX), 0);
        assert_int_equal(nft_lock(true), -ETIMEDOUT);
        check_ok(firewall_open(&f)); /* a start goes on, and an end does not remove the tables */
        check_ok(firewall_network_add(f, &net));
        check_ok(firewall_remove_idle(f));
        assert_int_equal(flock(other, LOCK_UN), 0);
        first = nft_lock(true);
        second = nft_lock(true);
        assert_true(first >= 0 && second >= 0);
        (void)file_close(first);
        (void)file_close(second);
}

static void nft_commit_without_rights_ends(void **state)
{
        pid_t pid = fork();
        int status;

        (void)state;
        if (pid == 0) {
                struct nft n;

                (void)alarm(10);
                if (setresuid(65534, 65534, 65534) < 0)
                        _exit(2);
                nft_begin(&n, NFPROTO_INET);
                firewall_table(&n, true);
                _exit(commit(&n) == -EPERM ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* ---- net/firewall ---- */

static struct link_address at(const char *text)
{
        struct link_address a = {0};

        assert_true(endpoint_address_parse(text, &a));
        return a;
}

static void firewall_network_is_known_until_it_is_removed(void **state)
{
        struct firewall_network one = {.bridge = "hod0", .own = true, .masquerade = true, .icc = true}, two = one;
        _cleanup_firewall_ struct firewall *f = NULL;
        unsigned count;
        bool known;

        (void)state;
        one.subnet[0] = at("172.17.0.0/16");
        one.gateway[0] = at("172.17.0.1/16");
        one.subnet[1] = at("fd00::/64");
        one.gateway[1] = at("fd00::1/64");
        two.bridge = "br-0123456789ab";
        two.subnet[0] = at("255.255.255.0/24"); /* nothing after it */
        two.internal = true;
        check_ok(firewall_open(&f));
        check_ok(firewall_network_known(f, &one, &known));
        assert_false(known);
        check_ok(firewall_remove_idle(f));
        check_ok(firewall_network_add(f, &one));
        check_ok(firewall_network_add(f, &one));
        check_ok(firewall_network_add(f, &two));
        check_ok(firewall_network_known(f, &one, &known));
        assert_true(known);
        check_ok(firewall_network_remove(f, &one));
        check_ok(firewall_network_remove(f, &one));
        check_ok(firewall_network_known(f, &one, &known));
        assert_false(known);
        check_ok(firewall_remove_idle(f)); /* not: the other one is in it */
        check_ok(firewall_network_known(f, &two, &known));
        assert_true(known);
        check_ok(firewall_network_remove(f, &two));
        check_ok(firewall_remove_idle(f));
        assert_int_equal(nft_set_count(fd, NFPROTO_INET, FIREWALL_TABLE, "bridges", &count), -ENOENT);
}

static bool has_internal_chains(void)
{
        static const char *const names[] = {"from_internal", "raw_internal", "forward_internal"};
        int n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                n += nft_chain_get(fd, NFPROTO_INET, FIREWALL_TABLE, names[i]);
        assert_true(n == 0 || n == ARRAY_SIZE(names));
        return n;
}

static const struct firewall_network plain = {.bridge = "hod0", .own = true},
                                     in = {.bridge = "br-in", .internal = true},
                                     in_too = {.bridge = "br-too", .internal = true};

static void firewall_network_add_has_chains_for_internal_networks_while_there_is_one(void **state)
{
        _cleanup_firewall_ struct firewall *f = NULL;
        struct nft n;

        (void)state;
        check_ok(firewall_open(&f));
        check_ok(firewall_network_add(f, &plain));
        assert_false(has_internal_chains()); /* each packet would ask them */
        check_ok(firewall_network_add(f, &in));
        assert_true(has_internal_chains());
        nft_begin(&n, NFPROTO_INET);
        nft_chain_delete(&n, FIREWALL_TABLE, "forward_internal");
        assert_int_equal(commit(&n), 0);
        check_ok(firewall_network_add(f, &plain)); /* which is not internal */
        assert_true(has_internal_chains());
        check_ok(firewall_network_add(f, &in_too));
        check_ok(firewall_network_remove(f, &in));
        check_ok(firewall_network_remove(f, &in));
        assert_true(has_internal_chains());
        check_ok(firewall_network_remove(f, &in_too));
        assert_false(has_internal_chains());
        check_ok(firewall_network_add(f, &in));
        assert_true(has_internal_chains());
        check_ok(firewall_remove(f));
}

/* What somebody else took away of the last one, or of its chains, keeps nothing of it here. */
static void firewall_network_remove_takes_chains_along_that_nobody_needs(void **state)
{
        const struct nft_element last = {.key = "br-in\0\0\0\0\0\0\0\0\0\0", .key_size = 16};
        struct firewall_network other = {.bridge = "br-other"};
        _cleanup_firewall_ struct firewall *f = NULL;
        struct nft n;

        (void)state;
        check_ok(firewall_open(&f));
        for (unsigned i = 0; i < 3; i++) {
                check_ok(firewall_network_add(f, &plain));
                check_ok(firewall_network_add(f, &other));
                check_ok(firewall_network_add(f, &in));
                nft_begin(&n, NFPROTO_INET);
                if (i == 2)
                        nft_chain_delete(&n, FIREWALL_TABLE, "forward_internal");
                else
                        nft_element_delete(&n, FIREWALL_TABLE, "internal", &last);
                assert_int_equal(commit(&n), 0);
                check_ok(firewall_network_remove(f, i ? &in : &other));
                assert_false(has_internal_chains());
        }
        check_ok(firewall_remove(f));
}

/* One of several that add and remove: what it has put in is protected, whatever the others take away. Its status. */
static int add_and_remove(const struct firewall_network *net, unsigned times)
{
        struct firewall *f;

        (void)file_close(netlink_firewall_open()); /* the parent's */
        if (firewall_open(&f))
                return 2;
        for (unsigned i = 0; i < times; i++) {
                if (firewall_network_add(f, net))
                        return 3;
                if (net->internal && nft_chain_get(f->fd, NFPROTO_INET, FIREWALL_TABLE, "forward_internal") != 1)
                        return 4;
                if (firewall_network_remove(f, net))
                        return 5;
        }
        return 0;
}

static void firewall_network_remove_leaves_chains_to_who_adds_meanwhile(void **state)
{
        const struct firewall_network other = {.bridge = "br-other"}, *const all[] = {&in, &in_too, &other};
        _cleanup_firewall_ struct firewall *f = NULL;
        pid_t pid[ARRAY_SIZE(all)];
        int status;

        (void)state;
        check_ok(firewall_open(&f));
        check_ok(firewall_network_add(f, &plain));
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                pid[i] = fork();
                if (pid[i] == 0)
                        _exit(add_and_remove(all[i], 40));
        }
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
                assert_int_equal(status, 0);
        }
        assert_false(has_internal_chains());
        check_ok(firewall_remove(f));
}

static void firewall_network_add_replaces_what_its_bridge_led_to(void **state)
{
        struct firewall_network net = {.bridge = "hod0", .own = true};
        _cleanup_firewall_ struct firewall *f = NULL;
        unsigned count;

        (void)state;
        check_ok(firewall_open(&f));
        net.gateway[0] = at("172.17.0.1/16");
        check_ok(firewall_network_add(f, &net));
        net.gateway[0] = at("172.18.0.1/16");
        check_ok(firewall_network_add(f, &net));
        assert_int_equal(nft_set_count(fd, NFPROTO_INET, FIREWALL_TABLE, "source4", &count), 0);
        assert_int_equal(count, 1);
        check_ok(firewall_network_remove(f, &net));
        assert_int_equal(nft_set_count(fd, NFPROTO_INET, FIREWALL_TABLE, "source4", &count), 0);
        assert_int_equal(count, 0);
        net.own = false; /* what stands on somebody's bridge may have another address there */
        check_ok(firewall_network_add(f, &net));
        assert_int_equal(nft_set_count(fd, NFPROTO_INET, FIREWALL_TABLE, "source4", &count), 0);
        assert_int_equal(count, 0);
        check_ok(firewall_remove(f));
}

static void firewall_publish_is_all_or_nothing_and_says_whose_it_is(void **state)
{
        struct firewall_network net = {.bridge = "hod0"};
        struct firewall_port ports[3] = {{.protocol = IPPROTO_TCP, .host_port = 80, .port = 8080},
                                         {.protocol = IPPROTO_TCP, .host_port = 81, .port = 8081},
                                         {.protocol = IPPROTO_UDP, .host_port = 80, .port = 53}};
        _cleanup_firewall_ struct firewall *f = NULL;
        char owner[FIREWALL_OWNER_MAX];
        size_t taken = 9;

        (void)state;
        net.gateway[0] = at("172.17.0.1/16");
        for (size_t i = 0; i < 3; i++)
                ports[i].to = at(i == 2 ? "fd00::2" : "172.17.0.2");
        ports[1].host = at("127.0.0.1");
        check_ok(firewall_open(&f));
        check_ok(firewall_network_add(f, &net));
        check_ok(firewall_publish(f, "a", ports, 3, &taken, owner));
        check_ok(firewall_network_add(f, &net)); /* the rules anew; elements stay */
        ports[0].host_port = 90;
        ports[1].to = at("172.17.0.3");
        check_code(firewall_publish(f, "b", ports, 2, &taken, owner), ERR_CONFLICT);
        assert_int_equal(taken, 1);
        assert_string_equal(owner, "a");
        check_ok(firewall_unpublish(f, "b", ports, 2)); /* nothing of it is b's */
        check_code(firewall_publish(f, "b", ports, 2, &taken, owner), ERR_CONFLICT);
        check_ok(firewall_unpublish(f, "a", ports, 2)); /* what it leads to does not count */
        check_ok(firewall_publish(f, "b", ports, 2, &taken, owner));
        check_ok(firewall_remove(f));
        check_ok(firewall_remove(f));
        check_ok(firewall_unpublish(f, "b", ports, 2));
}

/* Each element is answered: with that many an answer is lost, if the kernel has not been given room for them. */
static void firewall_publish_takes_as_many_as_a_container_may_have(void **state)
{
        const struct firewall_network net = {.bridge = "hod0"};
        const size_t n = 20000;
        _cleanup_free_ struct firewall_port *ports = calloc(n, sizeof(*ports));
        _cleanup_firewall_ struct firewall *f = NULL;
        char owner[FIREWALL_OWNER_MAX];
        size_t taken = 9;

        (void)state;
        assert_non_null(ports);
        for (size_t i = 0; i < n; i++)
                ports[i] = (struct firewall_port){.protocol = IPPROTO_UDP,
                                                  .host_port = (uint16_t)(20000 + i),
                                                  .port = 80,
                                                  .to = at("172.17.0.2")};
        check_ok(firewall_open(&f));
        check_ok(firewall_network_add(f, &net));
        check_ok(firewall_publish(f, "a", ports, n, &taken, owner));
        check_code(firewall_publish(f, "b", ports, n, &taken, owner), ERR_CONFLICT);
        assert_int_equal(taken, 0);
        assert_string_equal(owner, "a");
        check_ok(firewall_remove(f));
}

static void firewall_move_is_at_once_or_not_at_all(void **state)
{
        struct firewall_network net = {.bridge = "hod0"};
        struct firewall_port one = {.protocol = IPPROTO_TCP, .host_port = 80, .port = 8080}, moved = one, two = one,
                             pair[2];
        _cleanup_firewall_ struct firewall *f = NULL;
        char owner[FIREWALL_OWNER_MAX];
        size_t taken;

        (void)state;
        net.gateway[0] = at("172.17.0.1/16");
        one.to = at("172.17.0.2");
        moved.to = at("172.18.0.2");
        two.to = at("172.17.0.3");
        two.host_port = 81;
        check_ok(firewall_open(&f));
        check_ok(firewall_network_add(f, &net));
        check_ok(firewall_publish(f, "a", &one, 1, &taken, owner));
        check_ok(firewall_publish(f, "b", &two, 1, &taken, owner));
        check_ok(firewall_move(f, "a", &one, 1, &moved, 1, &taken, owner)); /* of the same port */
        check_code(firewall_publish(f, "b", &one, 1, &taken, owner), ERR_CONFLICT);
        assert_string_equal(owner, "a");
        pair[0] = moved;
        pair[1] = two;
        check_code(firewall_move(f, "a", &moved, 1, pair, 2, &taken, owner), ERR_CONFLICT);
        assert_int_equal(taken, 1);
        assert_string_equal(owner, "b"); /* the first is a's own */
        check_code(firewall_publish(f, "b", &one, 1, &taken, owner), ERR_CONFLICT);
        assert_string_equal(owner, "a");
        check_ok(firewall_unpublish(f, "b", &two, 1));
        check_ok(firewall_move(f, "a", &moved, 1, &two, 1, &taken, owner));
        check_ok(firewall_publish(f, "b", &one, 1, &taken, owner));
        check_ok(firewall_move(f, "c", &one, 1, NULL, 0, &taken, owner)); /* not c's */
        check_code(firewall_publish(f, "c", &one, 1, &taken, owner), ERR_CONFLICT);
        check_ok(firewall_remove(f));
}

/* As somebody leaves it who was killed at a move. */
static void firewall_move_replaces_what_the_owner_has_there_and_takes_what_is_named_twice_once(void **state)
{
        struct firewall_network net = {.bridge = "hod0"};
        struct firewall_port open = {.open = true, .protocol = IPPROTO_TCP, .host_port = 80, .port = 80}, old = open,
                             map = {.protocol = IPPROTO_TCP, .host_port = 81, .port = 80}, from[3], to[3];
        _cleanup_firewall_ struct firewall *f = NULL;
        char owner[FIREWALL_OWNER_MAX];
        size_t taken;

        (void)state;
        net.gateway[0] = at("172.17.0.1/16");
        old.to = at("172.17.0.2");
        open.to = at("172.18.0.2");
        map.to = at("172.17.0.2");
        from[0] = from[2] = old;
        from[1] = map;
        to[0] = to[2] = open;
        to[1] = map;
        check_ok(firewall_open(&f));
        check_ok(firewall_network_add(f, &net));
        check_ok(firewall_publish(f, "a", from, 2, &taken, owner));
        check_ok(firewall_publish(f, "a", &open, 1, &taken, owner));
        check_ok(firewall_move(f, "a", from, 3, to, 3, &taken, owner));
        check_code(firewall_publish(f, "b", to, 2, &taken, owner), ERR_CONFLICT);
        assert_string_equal(owner, "a");
        check_ok(firewall_publish(f, "b", &old, 1, &taken, owner)); /* is free */
        check_ok(firewall_remove(f));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(nft_elements_are_added_found_and_deleted, begin),
                cmocka_unit_test_setup(nft_element_end_makes_room_for_the_same_at_once, begin),
                cmocka_unit_test_setup(nft_commit_of_an_old_generation_is_refused, begin),
                cmocka_unit_test_setup(nft_commit_without_rights_ends, begin),
                cmocka_unit_test_setup(nft_lock_is_not_waited_for_without_end, begin),
                cmocka_unit_test_setup(firewall_network_is_known_until_it_is_removed, begin),
                cmocka_unit_test_setup(firewall_network_add_has_chains_for_internal_networks_while_there_is_one, begin),
                cmocka_unit_test_setup(firewall_network_remove_takes_chains_along_that_nobody_needs, begin),
                cmocka_unit_test_setup(firewall_network_remove_leaves_chains_to_who_adds_meanwhile, begin),
                cmocka_unit_test_setup(firewall_network_add_replaces_what_its_bridge_led_to, begin),
                cmocka_unit_test_setup(firewall_publish_is_all_or_nothing_and_says_whose_it_is, begin),
                cmocka_unit_test_setup(firewall_publish_takes_as_many_as_a_container_may_have, begin),
                cmocka_unit_test_setup(firewall_move_is_at_once_or_not_at_all, begin),
                cmocka_unit_test_setup(
                        firewall_move_replaces_what_the_owner_has_there_and_takes_what_is_named_twice_once, begin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
