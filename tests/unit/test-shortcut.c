/* Unit tests of the short way from a container to its host: which frames take it, by the kernel's own test run of the
 * program. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "sys/shortcut.h"

#define BRIDGE 77

static const unsigned char bridge[6] = {0xfe, 1, 2, 3, 4, 5}, other[6] = {2, 0x42, 9, 9, 9, 9};
static struct endpoint endpoint = {.kind = ENDPOINT_BRIDGE, .mac = {2, 0x42, 10, 0, 0, 2}, .n_extra = 1};
static int program = -1;

static struct link_address address(const char *text)
{
        struct link_address a;

        assert_true(endpoint_address_parse(text, &a));
        return a;
}

static int load(const struct endpoint *e)
{
        struct bpf_program p;
        int fd;

        shortcut_compile(e, bridge, BRIDGE, &p);
        fd = bpf_program_load(&p, BPF_PROG_TYPE_SCHED_CLS, "test");
        bpf_program_done(&p);
        return fd;
}

static int setup(void **state)
{
        (void)state;
        endpoint.address[0] = address("10.0.0.2/24");
        endpoint.address[1] = address("fd00::2/64");
        endpoint.extra[0] = address("169.254.7.7/16");
        program = load(&endpoint);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        program = file_close(program);
        return 0;
}

struct frame {
        unsigned char to[6], from[6];
        uint16_t type;
        unsigned char data[60];
} __attribute__((packed));

static void needs_kernel(void)
{
        if (program == -EPERM || program == -ENOSYS)
                skip(); /* no privilege, or no eBPF at all */
        assert_true(program >= 0);
}

static bool is_short(const struct frame *f, size_t size)
{
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.test.prog_fd = (uint32_t)program;
        attr.test.data_in = (uintptr_t)f;
        attr.test.data_size_in = (uint32_t)size;
        assert_int_equal(bpf_program_call(BPF_PROG_TEST_RUN, &attr), 0);
        if (attr.test.retval != TC_ACT_REDIRECT)
                assert_int_equal((int)attr.test.retval, TC_ACT_UNSPEC);
        return attr.test.retval == TC_ACT_REDIRECT;
}

static struct frame ipv4(const char *source, const char *destination)
{
        struct frame f = {.type = htons(ETH_P_IP), .data = {0x45}};

        memcpy(f.to, bridge, 6);
        memcpy(f.from, endpoint.mac, 6);
        assert_int_equal(inet_pton(AF_INET, source, f.data + 12), 1);
        assert_int_equal(inet_pton(AF_INET, destination, f.data + 16), 1);
        return f;
}

static struct frame ipv6(const char *source, uint8_t next)
{
        struct frame f = {.type = htons(ETH_P_IPV6), .data = {0x60, [6] = next}};

        memcpy(f.to, bridge, 6);
        memcpy(f.from, endpoint.mac, 6);
        assert_int_equal(inet_pton(AF_INET6, source, f.data + 8), 1);
        return f;
}

static void shortcut_takes_what_is_the_senders_own_and_for_the_bridge(void **state)
{
        struct frame own = ipv4("10.0.0.2", "10.0.0.1"), world = ipv4("10.0.0.2", "192.0.2.1"),
                     extra = ipv4("169.254.7.7", "10.0.0.1"), six = ipv6("fd00::2", IPPROTO_TCP),
                     udp = ipv6("fd00::2", IPPROTO_UDP);

        (void)state;
        needs_kernel();
        assert_true(is_short(&own, sizeof(own)));
        assert_true(is_short(&world, sizeof(world)));
        assert_true(is_short(&extra, sizeof(extra)));
        assert_true(is_short(&six, sizeof(six)));
        assert_true(is_short(&udp, sizeof(udp)));
}

static void shortcut_leaves_foreign_senders_to_the_guard(void **state)
{
        struct frame address4 = ipv4("10.0.0.3", "10.0.0.1"), address6 = ipv6("fd00::3", IPPROTO_TCP),
                     loopback = ipv4("127.0.0.1", "10.0.0.1"), mac = ipv4("10.0.0.2", "10.0.0.1"),
                     mac6 = ipv6("fd00::2", IPPROTO_TCP), low = ipv6("fe80::2", IPPROTO_UDP);

        (void)state;
        needs_kernel();
        memcpy(mac.from, other, 6);
        memcpy(mac6.from, other, 6);
        assert_false(is_short(&address4, sizeof(address4)));
        assert_false(is_short(&address6, sizeof(address6)));
        assert_false(is_short(&loopback, sizeof(loopback)));
        assert_false(is_short(&mac, sizeof(mac)));
        assert_false(is_short(&mac6, sizeof(mac6)));
        assert_false(is_short(&low, sizeof(low)));
}

static void shortcut_leaves_what_is_for_others_to_the_bridge(void **state)
{
        struct frame neighbour = ipv4("10.0.0.2", "10.0.0.3"), neighbour6 = ipv6("fd00::2", IPPROTO_TCP);

        (void)state;
        needs_kernel();
        memcpy(neighbour.to, other, 6);
        memcpy(neighbour6.to, other, 6);
        assert_false(is_short(&neighbour, sizeof(neighbour)));
        assert_false(is_short(&neighbour6, sizeof(neighbour6)));
        memset(neighbour.to, 0xff, 6);
        assert_false(is_short(&neighbour, sizeof(neighbour)));
}

static void shortcut_leaves_loopback_icmpv6_arp_and_tags(void **state)
{
        struct frame loopback = ipv4("10.0.0.2", "127.0.0.1"), icmp = ipv6("fd00::2", IPPROTO_ICMPV6),
                     hidden = ipv6("fd00::2", IPPROTO_HOPOPTS), arp = ipv4("10.0.0.2", "10.0.0.1"),
                     tagged = ipv4("10.0.0.2", "10.0.0.1");

        (void)state;
        needs_kernel();
        arp.type = htons(ETH_P_ARP);
        tagged.type = htons(ETH_P_8021Q);
        assert_false(is_short(&loopback, sizeof(loopback)));
        assert_false(is_short(&icmp, sizeof(icmp)));
        assert_false(is_short(&hidden, sizeof(hidden)));
        assert_false(is_short(&arp, sizeof(arp)));
        assert_false(is_short(&tagged, sizeof(tagged)));
}

static void shortcut_knows_an_endpoint_of_one_family(void **state)
{
        struct endpoint four = {.kind = ENDPOINT_BRIDGE,
                                .mac = {2, 0x42, 10, 0, 0, 2},
                                .address = {endpoint.address[0]}},
                        six = {.kind = ENDPOINT_BRIDGE,
                               .mac = {2, 0x42, 10, 0, 0, 2},
                               .address = {endpoint.address[1]}};
        struct frame own4 = ipv4("10.0.0.2", "10.0.0.1"), own6 = ipv6("fd00::2", IPPROTO_UDP);
        const struct endpoint *each[] = {&four, &six};
        int with = program;

        (void)state;
        needs_kernel();
        for (unsigned i = 0; i < 2; i++) {
                program = load(each[i]);
                assert_true(program >= 0);
                assert_int_equal(is_short(&own4, sizeof(own4)), i == 0);
                assert_int_equal(is_short(&own6, sizeof(own6)), i == 1);
                (void)file_close(program);
        }
        program = with;
}

static void shortcut_knows_as_many_addresses_as_there_can_be(void **state)
{
        struct endpoint e = endpoint;
        struct frame last4 = ipv4("169.254.7.9", "10.0.0.1"), last6 = ipv6("fd00::7", IPPROTO_TCP),
                     none = ipv6("fd00::8", IPPROTO_TCP);
        const char *const extra[ENDPOINT_EXTRA] = {"169.254.7.8/16", "fd00::6/64", "169.254.7.9/16", "fd00::7/64"};
        int with = program;

        (void)state;
        needs_kernel();
        for (e.n_extra = 0; e.n_extra < ENDPOINT_EXTRA; e.n_extra++)
                e.extra[e.n_extra] = address(extra[e.n_extra]);
        program = load(&e);
        assert_true(program >= 0);
        assert_true(is_short(&last4, sizeof(last4)));
        assert_true(is_short(&last6, sizeof(last6)));
        assert_false(is_short(&none, sizeof(none)));
        (void)file_close(program);
        program = with;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(shortcut_takes_what_is_the_senders_own_and_for_the_bridge),
                cmocka_unit_test(shortcut_leaves_foreign_senders_to_the_guard),
                cmocka_unit_test(shortcut_leaves_what_is_for_others_to_the_bridge),
                cmocka_unit_test(shortcut_leaves_loopback_icmpv6_arp_and_tags),
                cmocka_unit_test(shortcut_knows_an_endpoint_of_one_family),
                cmocka_unit_test(shortcut_knows_as_many_addresses_as_there_can_be),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
