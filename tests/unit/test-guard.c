/* Unit tests of net/guard: what happens between a look and a change; in a network namespace of its own. */
#include "check.h"

#include <linux/netfilter.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/hash.h"
#include "net/guard.h"
#include "sys/nft.h"

#define BRIDGE "hodtest0"

static struct endpoint of(const char *port)
{
        struct endpoint e = {.kind = ENDPOINT_BRIDGE,
                             .parent = BRIDGE,
                             .mac = {2, 0, 0, 0, 0, 7},
                             .address = {{.family = AF_INET, .data = {192, 0, 2, 7}, .prefix = 24}}};

        (void)snprintf(e.host_name, sizeof(e.host_name), "%s", port);
        return e;
}

static const struct link_address gateway[LINK_ADDRESSES] = {{.family = AF_INET, .data = {192, 0, 2, 1}, .prefix = 24}};

/* ---- somebody else, at a moment of ours ---- */

static const char *newcomer; /* takes the address over when somebody has asked @at_look times whose it is */
static unsigned at_look, looks;

int __real_nft_element_get(int fd, uint8_t family, const char *table, const char *set, const void *key, size_t key_size,
                           char comment[NFT_COMMENT_MAX + 1]);
int __wrap_nft_element_get(int fd, uint8_t family, const char *table, const char *set, const void *key, size_t key_size,
                           char comment[NFT_COMMENT_MAX + 1]);
int __wrap_nft_element_get(int fd, uint8_t family, const char *table, const char *set, const void *key, size_t key_size,
                           char comment[NFT_COMMENT_MAX + 1])
{
        int r = __real_nft_element_get(fd, family, table, set, key, key_size, comment);

        looks += strcmp(set, "all4") == 0;
        if (newcomer && strcmp(set, "all4") == 0 && looks == at_look) {
                struct endpoint e = of(newcomer);

                newcomer = NULL;
                check_ok(guard_add(&e, gateway, false));
        }
        return r;
}

static void comes(const char *who, unsigned look)
{
        newcomer = who;
        at_look = look;
        looks = 0;
}

/* Whose is the address on the bridge? "" = nobody's. */
static const char *holder(void)
{
        static char whose[NFT_COMMENT_MAX + 1];
        _cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER);
        uint32_t number = hash_fnv32(BRIDGE, strlen(BRIDGE));
        unsigned char key[8] = {[4] = 192, 0, 2, 7};
        const struct nft_element e = {.key = key, .key_size = sizeof(key)};

        memcpy(key, &number, sizeof(number));
        if (__real_nft_element_get(fd, NFPROTO_BRIDGE, "hod", "all4", key, sizeof(key), whose) <= 0 ||
            nft_element_ends(fd, NFPROTO_BRIDGE, "hod", "all4", &e))
                whose[0] = '\0';
        return whose;
}

static void guard_remove_takes_its_own_address_back(void **state)
{
        struct endpoint one = of("one"), two = of("two");

        (void)state;
        check_ok(guard_add(&one, gateway, false));
        assert_string_equal(holder(), "one");
        check_ok(guard_add(&two, gateway, false));
        assert_string_equal(holder(), "two"); /* the last one to come */
        check_ok(guard_remove(&one, false));
        assert_string_equal(holder(), "two");
        looks = 0;
        check_ok(guard_remove(&two, false));
        assert_string_equal(holder(), "");
        assert_int_equal(looks, 1); /* nobody was in between */
}

static void guard_remove_leaves_an_address_that_was_taken_over_meanwhile(void **state)
{
        struct endpoint one = of("one"), two = of("two");

        (void)state;
        check_ok(guard_add(&one, gateway, false));
        comes("two", 1);
        check_ok(guard_remove(&one, false));
        assert_null(newcomer);
        assert_string_equal(holder(), "two");
        check_ok(guard_remove(&two, false));
        assert_string_equal(holder(), "");
}

/* Kernels that cannot let an element end, and tables that lack something: one by one. */
static void guard_remove_leaves_it_when_it_has_to_go_one_by_one(void **state)
{
        struct endpoint one = of("one"), two = of("two");
        _cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER);
        _cleanup_nft_ struct nft n;

        (void)state;
        check_ok(guard_add(&one, gateway, false));
        nft_begin(&n, NFPROTO_BRIDGE);
        nft_chain_flush(&n, "hod", "from");
        nft_chain_flush(&n, "hod", "from_strict");
        nft_chain_flush(&n, "hod", "from_loose");
        nft_set_delete(&n, "hod", "own6");
        nft_set_delete(&n, "hod", "own");
        assert_int_equal(nft_commit(fd, &n, NULL), 0);
        comes("two", 3); /* after letting it end, and deleting it at once */
        check_ok(guard_remove(&one, false));
        assert_null(newcomer);
        assert_string_equal(holder(), "two");
        check_ok(guard_remove(&two, false));
        assert_string_equal(holder(), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(guard_remove_takes_its_own_address_back),
                cmocka_unit_test(guard_remove_leaves_an_address_that_was_taken_over_meanwhile),
                cmocka_unit_test(guard_remove_leaves_it_when_it_has_to_go_one_by_one),
        };

        if (unshare(CLONE_NEWNET) < 0 || guard_obstacle())
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
