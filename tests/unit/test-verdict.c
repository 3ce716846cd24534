/* Unit tests of net/verdict, with rules of our own in a network namespace of our own. */
#include "check.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/file.h"
#include "net/lookup.h"
#include "net/verdict.h"
#include "sys/endpoint.h"
#include "sys/nft.h"

static int fd = -1;

static int begin(void **state)
{
        (void)state;
        if (unshare(CLONE_NEWNET) < 0)
                skip();
        fd = file_close(fd);
        fd = netlink_open(NETLINK_NETFILTER);
        return fd < 0 ? -1 : 0;
}

static void begin_table(struct nft *n, const char *const *chains)
{
        nft_begin(n, NFPROTO_INET);
        nft_table_add(n, "t");
        for (size_t i = 0; chains[i]; i++)
                nft_chain_add(n, "t", chains[i], NULL);
}

static void commit(struct nft *n)
{
        int r = nft_commit(fd, n, NULL);

        nft_done(n);
        assert_int_equal(r, 0);
}

/* A rule without a condition. */
static void always(struct nft *n, const char *chain, int verdict, const char *to)
{
        nft_rule_begin(n, "t", chain);
        nft_verdict(n, verdict, to);
        nft_rule_end(n);
}

static void if_name(struct nft *n, const char *chain, unsigned key, const char *name, int verdict, const char *to)
{
        nft_rule_begin(n, "t", chain);
        nft_meta(n, key, NFT_REG_1);
        nft_cmp_name(n, NFT_CMP_EQ, NFT_REG_1, name);
        nft_verdict(n, verdict, to);
        nft_rule_end(n);
}

/* A condition that nobody can know of the packet: its mark. */
static void mark(struct nft *n)
{
        nft_meta(n, NFT_META_MARK, NFT_REG_2);
        nft_cmp_u32(n, NFT_CMP_EQ, NFT_REG_2, 7);
}

/* From a container on br0 to the world by eth0, or the other way. */
static struct verdict find_at(bool out, bool drop, enum verdict_ct ct, bool early)
{
        _cleanup_verdict_rules_ struct verdict_rules *rules = NULL;
        struct link_address a;
        struct verdict_packet p = {.family = NFPROTO_IPV4,
                                   .in = out ? "br0" : "eth0",
                                   .out = out ? "eth0" : "br0",
                                   .from = out ? &a : NULL,
                                   .to = out ? NULL : &a,
                                   .ours = "br0",
                                   .ct = ct,
                                   .early = early,
                                   .translated = !out && !early};
        struct verdict v;

        assert_true(endpoint_address_parse("10.1.0.1/16", &a));
        assert_int_equal(verdict_rules_read(fd, NFPROTO_INET, "t", &rules), 0);
        verdict_find(rules, "f", drop, &p, &v);
        return v;
}

static struct verdict find(bool out, bool drop)
{
        return find_at(out, drop, VERDICT_CT_NEW, false);
}

static void verdict_find_gives_the_policy_of_the_first_chain(void **state)
{
        static const char *const chains[] = {"f", "a", NULL};
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        always(&n, "f", NFT_JUMP, "a");
        always(&n, "a", NFT_RETURN, NULL);
        always(&n, "a", NF_DROP, NULL);
        commit(&n);
        assert_false(find(true, false).refused);
        assert_true(find(true, true).refused && find(true, true).policy);
        assert_string_equal(find(true, true).path, " f a ");
        assert_string_equal(find(true, true).chain, "f");
}

static void verdict_find_comes_back_from_a_jump_and_not_from_a_goto(void **state)
{
        static const char *const chains[] = {"f", "a", "b", "c", NULL};
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        always(&n, "f", NFT_JUMP, "a");
        always(&n, "a", NFT_GOTO, "b");
        always(&n, "a", NF_DROP, NULL); /* behind the goto */
        if_name(&n, "b", NFT_META_IIFNAME, "eth0", NF_ACCEPT, NULL);
        always(&n, "f", NFT_JUMP, "c");
        always(&n, "c", NF_DROP, NULL);
        commit(&n);
        assert_false(find(false, true).refused);
        assert_true(find(true, false).refused);
        assert_false(find(true, false).policy);
        assert_string_equal(find(true, false).chain, "c");
}

static void verdict_find_follows_names_as_long_as_the_kernel_has_them(void **state)
{
        char name[NFT_NAME_MAXLEN] = "";
        const char *const chains[] = {"f", "a", name, NULL};
        struct nft n;

        (void)state;
        memset(name, 'x', sizeof(name) - 1);
        begin_table(&n, chains);
        always(&n, "f", NFT_JUMP, "a");
        always(&n, "f", NFT_JUMP, name);
        always(&n, name, NF_DROP, NULL);
        commit(&n);
        assert_true(find(true, false).refused);
        assert_int_equal(strlen(find(true, false).chain), sizeof(((struct verdict *)0)->chain) - 1);
}

static void verdict_find_takes_what_is_not_known_for_no(void **state)
{
        static const char *const chains[] = {"f", NULL};
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        for (unsigned i = 0; i < 2; i++) { /* mark 7 drop; mark 7 accept */
                nft_rule_begin(&n, "t", "f");
                mark(&n);
                nft_verdict(&n, i ? NF_ACCEPT : NF_DROP, NULL);
                nft_rule_end(&n);
        }
        commit(&n);
        assert_false(find(true, false).refused);
        assert_true(find(true, true).refused);
        nft_begin(&n, NFPROTO_INET); /* iifname br0 mark 7 accept: whoever wrote it has thought of us */
        nft_rule_begin(&n, "t", "f");
        nft_meta(&n, NFT_META_IIFNAME, NFT_REG_1);
        nft_cmp_name(&n, NFT_CMP_EQ, NFT_REG_1, "br0");
        mark(&n);
        nft_verdict(&n, NF_ACCEPT, NULL);
        nft_rule_end(&n);
        commit(&n);
        assert_false(find(true, true).refused);
        assert_true(find(false, true).refused);
}

static void verdict_find_says_that_it_passed_over_what_might_have_let_it_through(void **state)
{
        static const char *const chains[] = {"f", "a", NULL};
        static const struct {
                int verdict;
                const char *to;
                bool perhaps;
        } rules[] = {{NF_ACCEPT, NULL, true},  {NF_DROP, NULL, false}, {NFT_CONTINUE, NULL, false},
                     {NFT_RETURN, NULL, true}, {NFT_JUMP, "a", true},  {NFT_GOTO, "a", true}};
        struct nft n;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) { /* mark 7 ... */
                begin_table(&n, chains);
                nft_chain_flush(&n, "t", "f");
                nft_rule_begin(&n, "t", "f");
                mark(&n);
                nft_verdict(&n, rules[i].verdict, rules[i].to);
                nft_rule_end(&n);
                always(&n, "f", NF_DROP, NULL);
                commit(&n);
                assert_true(find(true, false).refused);
                assert_int_equal(find(true, false).perhaps, rules[i].perhaps);
                assert_false(find(true, false).unread);
        }
}

/* ct ... != 0 drop */
static void drop_if_ct(struct nft *n, unsigned key, uint32_t bits)
{
        const uint32_t zero = 0;

        nft_begin(n, NFPROTO_INET);
        nft_chain_flush(n, "t", "f");
        nft_rule_begin(n, "t", "f");
        nft_ct(n, key, NFT_REG_1);
        nft_bitwise(n, NFT_REG_1, 4, &bits);
        nft_cmp(n, NFT_CMP_NEQ, NFT_REG_1, &zero, 4);
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
        commit(n);
}

static void verdict_find_knows_what_is_known_of_a_connection_where_the_packet_is(void **state)
{
        static const char *const chains[] = {"f", NULL};
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        commit(&n);
        drop_if_ct(&n, NFT_CT_STATE, NF_CT_STATE_INVALID_BIT);
        assert_true(find_at(true, false, VERDICT_CT_NONE, true).refused);
        assert_false(find_at(true, false, VERDICT_CT_NEW, true).refused);
        assert_false(find_at(true, false, VERDICT_CT_UNKNOWN, true).refused);
        drop_if_ct(&n, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_NEW));
        assert_false(find_at(true, false, VERDICT_CT_NONE, true).refused);
        assert_true(find_at(true, false, VERDICT_CT_NEW, true).refused);
        assert_false(find_at(true, false, VERDICT_CT_UNKNOWN, true).refused);
        drop_if_ct(&n, NFT_CT_STATUS, IPS_DST_NAT | IPS_DST_NAT_DONE);
        assert_false(find_at(false, false, VERDICT_CT_NONE, true).refused);
        assert_false(find_at(false, false, VERDICT_CT_NEW, true).refused);
        assert_true(find_at(false, false, VERDICT_CT_NEW, false).refused);
}

static void verdict_find_knows_states_translation_and_addresses(void **state)
{
        static const char *const chains[] = {"f", NULL};
        static const unsigned char mask[4] = {255, 255}, net[4] = {10, 1};
        const uint32_t zero = 0, old = NF_CT_STATE_BIT(IP_CT_ESTABLISHED), nat = IPS_DST_NAT;
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        nft_rule_begin(&n, "t", "f"); /* ct state established drop */
        nft_ct(&n, NFT_CT_STATE, NFT_REG_1);
        nft_bitwise(&n, NFT_REG_1, 4, &old);
        nft_cmp(&n, NFT_CMP_NEQ, NFT_REG_1, &zero, 4);
        nft_verdict(&n, NF_DROP, NULL);
        nft_rule_end(&n);
        nft_rule_begin(&n, "t", "f"); /* ct status dnat accept */
        nft_ct(&n, NFT_CT_STATUS, NFT_REG_1);
        nft_bitwise(&n, NFT_REG_1, 4, &nat);
        nft_cmp(&n, NFT_CMP_NEQ, NFT_REG_1, &zero, 4);
        nft_verdict(&n, NF_ACCEPT, NULL);
        nft_rule_end(&n);
        commit(&n);
        assert_false(find(false, true).refused);
        assert_true(find(true, true).policy);
        nft_begin(&n, NFPROTO_INET);
        nft_rule_begin(&n, "t", "f"); /* ip saddr 10.1.0.0/16 drop */
        nft_meta(&n, NFT_META_NFPROTO, NFT_REG_1);
        nft_cmp_u8(&n, NFT_CMP_EQ, NFT_REG_1, NFPROTO_IPV4);
        nft_payload(&n, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFT_REG_1);
        nft_bitwise(&n, NFT_REG_1, 4, mask);
        nft_cmp(&n, NFT_CMP_EQ, NFT_REG_1, net, 4);
        nft_verdict(&n, NF_DROP, NULL);
        nft_rule_end(&n);
        commit(&n);
        assert_true(find(true, false).refused);
        assert_false(find(true, false).policy);
}

static void verdict_find_asks_the_kernel_what_is_in_a_set(void **state)
{
        static const char *const chains[] = {"f", NULL};
        const struct nft_set set = {.name = "names", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true};
        char key[16] = "br0";
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        nft_set_add(&n, "t", &set);
        nft_element_add(&n, "t", "names", &(struct nft_element){.key = key, .key_size = sizeof(key)});
        nft_rule_begin(&n, "t", "f"); /* iifname != @names drop */
        nft_meta(&n, NFT_META_IIFNAME, NFT_REG_1);
        nft_lookup(&n, "names", NFT_REG_1, 0, NFT_LOOKUP_F_INV);
        nft_verdict(&n, NF_DROP, NULL);
        nft_rule_end(&n);
        commit(&n);
        assert_false(find(true, false).refused);
        assert_true(find(false, false).refused);
}

/* A map from names of links to verdicts: br0 to chain a, eth0 is dropped. */
static void name_map(struct nft *n, const char *map)
{
        static const char *const chains[] = {"f", "a", "b", NULL};
        const struct nft_set set = {.name = map,
                                    .key_type = NFT_TYPE_IFNAME,
                                    .key_size = 16,
                                    .host_order = true,
                                    .flags = NFT_SET_MAP,
                                    .data_type = NFT_DATA_VERDICT};
        const char br0[16] = "br0", eth0[16] = "eth0";

        begin_table(n, chains);
        nft_set_add(n, "t", &set);
        nft_element_add(n, "t", map,
                        &(struct nft_element){.key = br0, .key_size = 16, .has_verdict = true, .jump = "a"});
        nft_element_add(n, "t", map,
                        &(struct nft_element){.key = eth0, .key_size = 16, .has_verdict = true, .verdict = NF_DROP});
}

static void lookup_name(struct nft *n, const char *chain, unsigned key, const char *map)
{
        nft_rule_begin(n, "t", chain);
        nft_meta(n, key, NFT_REG_1);
        nft_lookup_verdict(n, map, NFT_REG_1);
        nft_rule_end(n);
}

static void verdict_find_follows_a_verdict_map(void **state)
{
        struct nft n;

        (void)state;
        name_map(&n, "m");
        lookup_name(&n, "f", NFT_META_IIFNAME, "m");
        if_name(&n, "a", NFT_META_OIFNAME, "eth0", NF_ACCEPT, NULL);
        commit(&n);
        assert_false(find(true, true).refused);
        assert_string_equal(find(true, true).path, " f a ");
        assert_true(find(false, false).refused);
        assert_false(find(false, false).policy);
        nft_begin(&n, NFPROTO_INET); /* what is in no element goes on */
        nft_chain_flush(&n, "t", "f");
        lookup_name(&n, "f", NFT_META_SDIFNAME, "m"); /* a key that is not known */
        commit(&n);
        assert_true(find(true, true).policy);
        assert_false(find(false, false).refused);
}

static void verdict_find_takes_the_element_for_all_others(void **state)
{
        struct nft n;

        (void)state;
        name_map(&n, "m");
        nft_element_add(&n, "t", "m", &(struct nft_element){.has_verdict = true, .jump = "b"});
        lookup_name(&n, "f", NFT_META_IIFNAME, "m");
        always(&n, "b", NF_DROP, NULL);
        commit(&n);
        assert_false(find(true, false).refused);
        assert_true(find(false, false).refused);
        nft_begin(&n, NFPROTO_INET);
        nft_element_delete(&n, "t", "m", &(struct nft_element){.key = "br0\0\0\0\0\0\0\0\0\0\0\0\0", .key_size = 16});
        commit(&n);
        assert_string_equal(find(true, false).chain, "b");
}

/* iifname . mark, of which the mark is not known. */
static void pair(struct nft *n, const char *map, unsigned flags)
{
        nft_rule_begin(n, "t", "f");
        nft_meta(n, NFT_META_IIFNAME, NFT_REG32_00);
        nft_meta(n, NFT_META_MARK, NFT_REG32_04);
        if (flags & NFT_LOOKUP_F_INV)
                nft_lookup(n, map, NFT_REG32_00, 0, flags);
        else
                nft_lookup_verdict(n, map, NFT_REG32_00);
}

static unsigned disturbed; /* so many dumps are of a ruleset that somebody changes meanwhile */

int __real_nft_elements_dump(int socket, uint8_t family, const char *table, const char *set, netlink_fn *fn, void *arg);
int __wrap_nft_elements_dump(int socket, uint8_t family, const char *table, const char *set, netlink_fn *fn, void *arg);
int __wrap_nft_elements_dump(int socket, uint8_t family, const char *table, const char *set, netlink_fn *fn, void *arg)
{
        int r = __real_nft_elements_dump(socket, family, table, set, fn, arg);

        if (!disturbed)
                return r;
        disturbed--;
        return -EAGAIN;
}

static void verdict_find_compares_the_known_part_of_a_concatenation(void **state)
{
        static const char *const chains[] = {"f", NULL};
        struct nft_set set = {.name = "m",
                              .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_MARK),
                              .key_size = 20,
                              .flags = NFT_SET_MAP,
                              .data_type = NFT_DATA_VERDICT};
        char key[20] = "br0";
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        nft_set_add(&n, "t", &set);
        nft_element_add(&n, "t", "m",
                        &(struct nft_element){.key = key, .key_size = 20, .has_verdict = true, .verdict = NF_DROP});
        key[19] = 1;
        nft_element_add(&n, "t", "m",
                        &(struct nft_element){.key = key, .key_size = 20, .has_verdict = true, .verdict = NF_ACCEPT});
        set.name = "s";
        set.flags = 0;
        set.data_type = 0;
        nft_set_add(&n, "t", &set);
        nft_element_add(&n, "t", "s", &(struct nft_element){.key = key, .key_size = 20});
        pair(&n, "m", 0);
        nft_rule_end(&n);
        commit(&n);
        assert_false(find(true, true).refused); /* whoever wrote it has thought of us */
        assert_false(find(true, false).refused);
        assert_true(find(false, true).policy); /* no element is for eth0 */
        disturbed = 2;
        assert_false(find(true, true).refused);
        assert_int_equal(disturbed, 0);
        nft_begin(&n, NFPROTO_INET); /* whatever the mark is, the pair with eth0 is not among them */
        nft_chain_flush(&n, "t", "f");
        pair(&n, "s", NFT_LOOKUP_F_INV);
        nft_verdict(&n, NF_DROP, NULL);
        nft_rule_end(&n);
        commit(&n);
        assert_true(find(false, false).refused);
        assert_false(find(true, false).refused);
}

static void add_marks(struct nft *n, const char *set, uint32_t count)
{
        char key[20] = "eth7";

        for (uint32_t i = 0; i < count; i++) {
                memcpy(key + 16, &i, 4);
                nft_element_add(n, "t", set, &(struct nft_element){.key = key, .key_size = 20});
        }
}

static void verdict_find_does_not_read_all_of_a_large_set(void **state)
{
        static const char *const chains[] = {"f", NULL};
        struct nft_set set = {.name = "s", .key_type = NFT_CONCAT2(NFT_TYPE_IFNAME, NFT_TYPE_MARK), .key_size = 20};
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        nft_set_add(&n, "t", &set);
        set.name = "small";
        nft_set_add(&n, "t", &set);
        add_marks(&n, "s", LOOKUP_ELEMENTS_MAX);
        add_marks(&n, "small", 3);
        pair(&n, "s", NFT_LOOKUP_F_INV); /* iifname . mark != @s drop */
        nft_verdict(&n, NF_DROP, NULL);
        nft_rule_end(&n);
        commit(&n);
        assert_true(find(true, false).refused);
        assert_false(find(true, false).unread);
        nft_begin(&n, NFPROTO_INET);
        add_marks(&n, "s", LOOKUP_ELEMENTS_MAX + 1);
        commit(&n);
        assert_false(find(true, false).refused);
        assert_false(find(true, false).unread); /* it might only have been refused */
        nft_begin(&n, NFPROTO_INET);
        nft_chain_flush(&n, "t", "f");
        pair(&n, "s", NFT_LOOKUP_F_INV);
        nft_verdict(&n, NF_ACCEPT, NULL);
        nft_rule_end(&n);
        pair(&n, "small", NFT_LOOKUP_F_INV); /* the socket is fit for the next one */
        nft_verdict(&n, NF_DROP, NULL);
        nft_rule_end(&n);
        commit(&n);
        assert_true(find(true, false).refused && find(true, false).unread && find(true, false).perhaps);
}

static void verdict_find_asks_only_so_many_questions(void **state)
{
        static const char *const chains[] = {"f", NULL};
        const struct nft_set set = {.name = "names", .key_type = NFT_TYPE_IFNAME, .key_size = 16, .host_order = true};
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        nft_set_add(&n, "t", &set);
        commit(&n);
        for (unsigned i = 0; i < 6000; i += 500) {
                nft_begin(&n, NFPROTO_INET);
                for (unsigned k = 0; k < 500; k++) { /* iifname @names accept */
                        nft_rule_begin(&n, "t", "f");
                        nft_meta(&n, NFT_META_IIFNAME, NFT_REG_1);
                        nft_lookup(&n, "names", NFT_REG_1, 0, 0);
                        nft_verdict(&n, NF_ACCEPT, NULL);
                        nft_rule_end(&n);
                }
                commit(&n);
                assert_true(find(true, true).refused);
                assert_int_equal(find(true, true).unread, i >= 4000);
        }
}

static void verdict_find_knows_nothing_of_a_set_that_is_gone(void **state)
{
        _cleanup_verdict_rules_ struct verdict_rules *rules = NULL;
        const struct verdict_packet p = {.family = NFPROTO_IPV4, .in = "br0", .out = "eth0", .ours = "br0"};
        struct verdict v;
        struct nft n;

        (void)state;
        name_map(&n, "m");
        lookup_name(&n, "f", NFT_META_OIFNAME, "m");
        commit(&n);
        assert_int_equal(verdict_rules_read(fd, NFPROTO_INET, "t", &rules), 0);
        verdict_find(rules, "f", false, &p, &v);
        assert_true(v.refused);
        nft_begin(&n, NFPROTO_INET);
        nft_table_delete(&n, "t");
        commit(&n);
        verdict_find(rules, "f", false, &p, &v);
        assert_false(v.refused);
}

static void verdict_find_believes_no_refusal_behind_a_jump_that_is_not_certain(void **state)
{
        static const char *const chains[] = {"f", "a", NULL};
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        for (unsigned i = 0; i < 2; i++) { /* iifname br0 mark 7 jump a, goto a */
                nft_rule_begin(&n, "t", "f");
                nft_meta(&n, NFT_META_IIFNAME, NFT_REG_1);
                nft_cmp_name(&n, NFT_CMP_EQ, NFT_REG_1, "br0");
                mark(&n);
                nft_verdict(&n, i ? NFT_GOTO : NFT_JUMP, "a");
                nft_rule_end(&n);
        }
        always(&n, "a", NF_DROP, NULL);
        if_name(&n, "f", NFT_META_IIFNAME, "br0", NF_ACCEPT, NULL);
        commit(&n);
        assert_false(find(true, true).refused);
        assert_true(find(false, true).refused);
}

static void verdict_rules_read_leaves_the_socket_fit_when_there_are_too_many(void **state)
{
        static const char *const chains[] = {"f", NULL};
        struct verdict_rules *rules = NULL;
        uint32_t generation;
        struct nft n;

        (void)state;
        begin_table(&n, chains);
        commit(&n);
        for (unsigned i = 0; i < 144; i++) { /* as many answers as a socket holds */
                nft_begin(&n, NFPROTO_INET);
                for (unsigned k = 0; k < 500; k++)
                        always(&n, "f", NFT_RETURN, NULL);
                commit(&n);
        }
        assert_int_equal(verdict_rules_read(fd, NFPROTO_INET, "t", &rules), -E2BIG);
        assert_int_equal(nft_generation(fd, &generation), 0);
        nft_begin(&n, NFPROTO_INET);
        nft_table_delete(&n, "t");
        nft_table_add(&n, "t");
        commit(&n);
        assert_int_equal(verdict_rules_read(fd, NFPROTO_INET, "t", &rules), 0);
        verdict_rules_free(rules);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(verdict_find_gives_the_policy_of_the_first_chain, begin),
                cmocka_unit_test_setup(verdict_find_comes_back_from_a_jump_and_not_from_a_goto, begin),
                cmocka_unit_test_setup(verdict_find_follows_names_as_long_as_the_kernel_has_them, begin),
                cmocka_unit_test_setup(verdict_find_takes_what_is_not_known_for_no, begin),
                cmocka_unit_test_setup(verdict_find_says_that_it_passed_over_what_might_have_let_it_through, begin),
                cmocka_unit_test_setup(verdict_find_knows_what_is_known_of_a_connection_where_the_packet_is, begin),
                cmocka_unit_test_setup(verdict_find_knows_states_translation_and_addresses, begin),
                cmocka_unit_test_setup(verdict_find_asks_the_kernel_what_is_in_a_set, begin),
                cmocka_unit_test_setup(verdict_find_follows_a_verdict_map, begin),
                cmocka_unit_test_setup(verdict_find_takes_the_element_for_all_others, begin),
                cmocka_unit_test_setup(verdict_find_compares_the_known_part_of_a_concatenation, begin),
                cmocka_unit_test_setup(verdict_find_does_not_read_all_of_a_large_set, begin),
                cmocka_unit_test_setup(verdict_find_asks_only_so_many_questions, begin),
                cmocka_unit_test_setup(verdict_find_knows_nothing_of_a_set_that_is_gone, begin),
                cmocka_unit_test_setup(verdict_find_believes_no_refusal_behind_a_jump_that_is_not_certain, begin),
                cmocka_unit_test_setup(verdict_rules_read_leaves_the_socket_fit_when_there_are_too_many, begin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
