/* Unit tests of net/network: what may be made, what is chosen, finding, forgetting; in a temporary directory. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/address.h"
#include "net/home.h"
#include "net/network.h"
#include "sys/endpoint.h"

static char dir[64];
static int root = -1;
static struct networks *s;

static int setup(void **state)
{
        (void)state;
        (void)strcpy(dir, "/tmp/hod-test-network-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        check_ok(networks_open(root, root, "hodtest", &s));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        networks_close(s);
        root = file_close(root);
        return file_remove_tree(AT_FDCWD, dir);
}

static err *create(const char *body, struct network **ret)
{
        _cleanup_json_ json *doc = NULL;
        _cleanup_free_ char *id = NULL;

        check_ok(json_parse(body, strlen(body), &doc));
        TRY(network_create(s, doc, &id));
        return ret ? network_find(s, id, ret) : NULL;
}

static void is(const struct link_address *a, const char *want)
{
        char text[ENDPOINT_ADDRESS_MAX];

        assert_string_equal(endpoint_address_text(a, true, text), want);
}

static void network_find_knows_the_predefined_ones(void **state)
{
        static const char *const names[] = {"bridge", "host", "none"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_network_ struct network *n = NULL, *again = NULL;

                check_ok(network_find(s, names[i], &n));
                assert_true(n->predefined);
                check_ok(network_find(s, n->id, &again));
                assert_string_equal(again->name, names[i]);
                check_code(network_forget(s, n), ERR_DENIED);
        }
        check_err(create("{\"Name\":\"host\"}", NULL), "operation is not permitted on predefined host network");
}

static void network_create_reads_back_what_was_asked_for(void **state)
{
        _cleanup_network_ struct network *n = NULL;
        struct firewall_network rules;

        (void)state;
        check_ok(create("{\"Name\":\"n\",\"Internal\":true,\"EnableIPv6\":true,\"Options\":{"
                        "\"com.docker.network.bridge.name\":\"br7\",\"com.docker.network.driver.mtu\":\"1400\","
                        "\"com.docker.network.bridge.enable_icc\":\"false\"},\"IPAM\":{\"Config\":["
                        "{\"Subnet\":\"10.9.0.0/16\",\"IPRange\":\"10.9.8.0/24\",\"Gateway\":\"10.9.0.9\","
                        "\"AuxiliaryAddresses\":{\"a\":\"10.9.8.1\"}},{\"Subnet\":\"fd00:9::/64\"}]}}",
                        &n));
        assert_string_equal(n->link, "br7");
        assert_int_equal(n->mtu, 1400);
        assert_true(n->internal && n->configured && !n->masquerade && !n->icc && !n->predefined);
        is(&n->pool[0].subnet, "10.9.0.0/16");
        is(&n->pool[0].range, "10.9.8.0/24");
        is(&n->pool[0].gateway, "10.9.0.9/16");
        is(&n->pool[0].aux[0], "10.9.8.1/32");
        is(&n->pool[1].gateway, "fd00:9::1/64");
        network_firewall(n, &rules);
        assert_true(rules.internal && !rules.icc);
        is(&rules.gateway[1], "fd00:9::1/64");
}

static void network_create_refuses_in_docker_s_words(void **state)
{
        static const struct {
                const char *body, *words;
        } bad[] = {
                {"{\"Name\":\"\"}", "invalid name: name is empty"},
                {"{\"Name\":\"a/b\"}", "invalid name: it contains a control character or a slash"},
                {"{\"Name\":\"n\"}", "network with name n already exists"},
                {"{\"Name\":\"x\",\"Driver\":\"nosuch\"}", "plugin \"nosuch\" not found"},
                {"{\"Name\":\"x\",\"Driver\":\"host\"}", "only one instance of \"host\" network is allowed"},
                {"{\"Name\":\"x\",\"Driver\":\"macvlan\",\"Options\":{\"parent\":\"lo\"}}",
                 "loopback interface is not a valid macvlan parent link"},
                {"{\"Name\":\"x\",\"Driver\":\"macvlan\",\"Options\":{\"macvlan_mode\":\"l2\"}}",
                 "requested macvlan mode 'l2' is not valid, 'bridge' is the macvlan driver default"},
                {"{\"Name\":\"x\",\"Driver\":\"ipvlan\",\"Options\":{\"ipvlan_flag\":\"l2\"}}",
                 "requested ipvlan flag 'l2' is not valid, 'bridge' is the ipvlan driver default"},
                {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"127.0.0.0/24\"}]}}",
                 "invalid network config: invalid subnet 127.0.0.0/24: these addresses are not for networks"},
                {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.8.0.0/24\",\"Gateway\":\"10.8.0.255\"}]}}",
                 "invalid network config: invalid gateway 10.8.0.255: it is the subnet's first or last, which no one "
                 "can "
                 "have"},
                {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.4.0/24\"}]}}",
                 "invalid pool request: Pool overlaps with other one on this address space"},
                {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.8.0.1/24\"}]}}",
                 "invalid network config: invalid subnet 10.8.0.1/24: it should be 10.8.0.0/24"},
                {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.8.0.0/24\",\"Gateway\":\"10.9.0.1\"}]}}",
                 "invalid network config: invalid gateway 10.9.0.1: parent subnet does not contain this address"},
                {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.8.0.0/24\",\"Gateway\":\"fd00::1\"}]}}",
                 "invalid network config: invalid gateway fd00::1: invalid address"},
                {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.8.0.0/24\",\"IPRange\":\"10.8.0.0/16\"}]}}",
                 "invalid network config: invalid ip-range 10.8.0.0/16: it is outside its subnet"},
                {"{\"Name\":\"x\",\"Options\":{\"com.docker.network.bridge.name\":\"a123456789012345\"}}",
                 "'a123456789012345' is no name of a network device (1 to 15 bytes, no '/', ':', '%' or space)"},
                {"{\"Name\":\"x\",\"Options\":{\"com.docker.network.driver.mtu\":\"67\"}}",
                 "invalid MTU 67: it must be 68 to 65535"},
        };
        _cleanup_network_list_ struct network_list list = {0};

        (void)state;
        check_ok(create("{\"Name\":\"n\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/16\"}]}}", NULL));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_err(create(bad[i].body, NULL), bad[i].words);
        check_ok(network_list(s, &list));
        assert_int_equal(list.n, 4); /* nothing changed */
}

static void network_create_lets_networks_share_a_parent_unless_one_takes_all_of_it(void **state)
{
        _cleanup_network_ struct network *n = NULL;

        (void)state;
        check_ok(create("{\"Name\":\"a\",\"Driver\":\"macvlan\",\"Options\":{\"parent\":\"eth7\"}}", NULL));
        check_ok(create("{\"Name\":\"b\",\"Driver\":\"macvlan\",\"Options\":{\"parent\":\"eth7\"}}", NULL));
        check_err(create("{\"Name\":\"c\",\"Driver\":\"macvlan\","
                         "\"Options\":{\"parent\":\"eth7\",\"macvlan_mode\":\"passthru\"}}",
                         NULL),
                  "network a is already using parent interface eth7");
        check_err(create("{\"Name\":\"c\",\"Driver\":\"ipvlan\",\"Options\":{\"parent\":\"eth7\"}}", NULL),
                  "network a is already using parent interface eth7");
        /* Without one it is on a dummy of its own, and leads nowhere. */
        check_ok(create("{\"Name\":\"d\",\"Driver\":\"ipvlan\",\"Options\":{\"ipvlan_mode\":\"l3\",\"ipvlan_flag\":"
                        "\"vepa\"}}",
                        &n));
        assert_true(n->internal && network_on_parent(n));
        assert_true(strncmp(n->link, "dm-", 3) == 0 && strncmp(n->link + 3, n->id, 12) == 0);
        assert_string_equal(n->mode, "l3-vepa");
}

static void network_create_keeps_no_more_auxiliary_addresses_than_it_can(void **state)
{
        _cleanup_str_ struct str body = {0};

        (void)state;
        str_add(&body, "{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.8.0.0/24\",\"AuxiliaryAddresses\":{");
        for (unsigned i = 0; i <= NETWORK_AUX; i++)
                str_printf(&body, "%s\"a%u\":\"10.8.0.%u\"", i ? "," : "", i, i + 10);
        str_add(&body, "}}]}}");
        check_err(create(str_text(&body), NULL), "invalid network config: more than 16 auxiliary addresses");
}

static void network_create_chooses_subnets_that_do_not_overlap(void **state)
{
        struct network *n[20];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(n); i++) {
                char body[64];

                (void)snprintf(body, sizeof(body), "{\"Name\":\"n%zu\",\"EnableIPv6\":true}", i);
                check_ok(create(body, &n[i]));
                assert_false(n[i]->configured);
                assert_int_equal(n[i]->pool[1].subnet.data[0], 0xfd);
                for (size_t k = 0; k < i; k++)
                        for (unsigned f = 0; f < LINK_ADDRESSES; f++)
                                assert_false(address_overlap(&n[i]->pool[f].subnet, &n[k]->pool[f].subnet));
        }
        for (size_t i = 0; i < ARRAY_SIZE(n); i++)
                network_free(n[i]);
}

static void network_find_takes_the_beginning_of_an_id(void **state)
{
        _cleanup_network_ struct network *a = NULL, *found = NULL;
        char part[16];

        (void)state;
        check_ok(create("{\"Name\":\"n\",\"EnableIPv4\":false,\"EnableIPv6\":true}", &a));
        (void)snprintf(part, sizeof(part), "%.12s", a->id);
        check_ok(network_find(s, part, &found));
        assert_string_equal(found->id, a->id);
        check_ok(network_forget(s, a));
        check_ok(network_forget(s, a));
        network_free(found);
        found = NULL;
        check_err(network_find(s, "n", &found), "network n not found");
}

static void network_settle_writes_the_default_bridge_s_subnet_down(void **state)
{
        _cleanup_network_ struct network *n = NULL, *late = NULL, *again = NULL;

        (void)state;
        check_ok(network_find(s, "bridge", &n));
        check_ok(network_find(s, "bridge", &late));
        assert_string_equal(n->link, "hodtest");
        assert_int_equal(n->pool[0].subnet.family, 0);
        check_ok(network_settle(s, n));
        assert_int_equal(n->pool[0].subnet.family, AF_INET);
        check_ok(network_settle(s, late)); /* another start: the same */
        assert_int_equal(address_compare(&n->pool[0].subnet, &late->pool[0].subnet), 0);
        check_ok(network_find(s, "bridge", &again));
        assert_int_equal(address_compare(&n->pool[0].gateway, &again->pool[0].gateway), 0);
        assert_string_equal(again->link, "hodtest");
}

/* What the moment or the disk is to blame for must not be taken for damage: that may be removed. */
static void network_list_damaged_names_only_what_the_document_is_to_blame_for(void **state)
{
        _cleanup_strv_ char **damaged = NULL, **again = NULL;
        struct rlimit all, few;
        err *e;
        int next;

        (void)state;
        check_ok(create("{\"Name\":\"good\"}", NULL));
        assert_int_equal(file_create(root, "networks/bad.json", "{", 1, 0600), 0);
        assert_int_equal(mkdirat(root, "networks/odd.json", 0700), 0);
        check_ok(network_list_damaged(s, &damaged));
        assert_int_equal(strv_len(damaged), 2);
        assert_true(strv_contains(damaged, "bad") && strv_contains(damaged, "odd"));
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
        /* One more can be opened: the directory, and no file in it. */
        next = dup(root);
        few = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = all.rlim_max};
        next = file_close(next);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        e = network_list_damaged(s, &again);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
        assert_int_equal(err_errno(e), EMFILE);
        err_free(e);
        assert_null(again);
}

static void home_note_finds_its_line_wherever_it_is(void **state)
{
        _cleanup_close_ int fd = openat(root, "use", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct stat before, after;

        (void)state;
        for (unsigned i = 0; i < 1000; i++)
                assert_true(dprintf(fd, "net:[%u]\n", i + 1) > 0);
        check_ok(home_note(fd));
        assert_int_equal(fstat(fd, &before), 0);
        check_ok(home_note(fd));
        assert_int_equal(fstat(fd, &after), 0);
        assert_int_equal(before.st_size, after.st_size);
}

/* A child in a network namespace of its own, where it has done home_note() if @use is not -1; it waits to be killed. */
static pid_t elsewhere(int use, char ret[32])
{
        _cleanup_close_ int to = -1, from = -1;
        ssize_t n;
        int p[2];
        pid_t pid;

        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        from = p[0];
        to = p[1];
        pid = fork();
        if (pid == 0) {
                char here[32];

                (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not come to end it */
                n = unshare(CLONE_NEWNET) < 0 ? -1 : readlink("/proc/self/ns/net", here, sizeof(here));
                if (n < 0 || (use >= 0 && home_note(use)) || write(to, here, (size_t)n) != n)
                        _exit(1);
                for (;;)
                        (void)pause();
        }
        assert_true(pid > 0);
        to = file_close(to);
        n = read(from, ret, 31);
        assert_true(n > 0);
        ret[n] = '\0';
        return pid;
}

static void end_child(pid_t pid)
{
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void holds(int fd, const char *format, const char *first, const char *second)
{
        _cleanup_free_ char *text = NULL, *wanted = str_format(format, first, second);

        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_true(file_read_fd(fd, 4096, &text, NULL) >= 0);
        assert_string_equal(text, wanted);
}

/* Of every process but the first, where it is? Else nothing is gone for sure. */
static bool sees_all(void)
{
        char path[300], where[32] = "";
        bool all = readlink("/proc/self/ns/pid", where, sizeof(where) - 1) > 0 && str_eq(where, "pid:[4026531836]");
        DIR *d = opendir("/proc");

        for (struct dirent *x; d && (x = readdir(d));) {
                (void)snprintf(path, sizeof(path), "/proc/%s/ns/net", x->d_name);
                if (x->d_name[0] >= '1' && x->d_name[0] <= '9' && !str_eq(x->d_name, "1") &&
                    readlink(path, where, sizeof(where)) < 0)
                        all &= errno == ENOENT || errno == ESRCH;
        }
        if (d)
                (void)closedir(d);
        return d && all;
}

static void home_note_takes_the_place_of_namespaces_that_are_gone(void **state)
{
        _cleanup_close_ int fd = openat(root, "use", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        char here[32] = "", there[32], next[32];
        pid_t one, two;

        (void)state;
        assert_true(readlink("/proc/self/ns/net", here, sizeof(here) - 1) > 0);
        if (!sees_all())
                skip();
        one = elsewhere(-1, there);
        assert_true(dprintf(fd, "net:[4026530001]\n%s\nnet:[4026530002]\nnet:[4026530003]\nnet:[40", there) > 0);
        check_ok(home_note(fd));
        holds(fd, "%s\n%s\n", here, there);
        end_child(one);
        two = elsewhere(fd, next); /* a number that is given again is the same line */
        holds(fd, "%s\n%s\n", here, next);
        end_child(two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(network_find_knows_the_predefined_ones),
                TEST(network_create_reads_back_what_was_asked_for),
                TEST(network_create_refuses_in_docker_s_words),
                TEST(network_create_lets_networks_share_a_parent_unless_one_takes_all_of_it),
                TEST(network_create_keeps_no_more_auxiliary_addresses_than_it_can),
                TEST(network_create_chooses_subnets_that_do_not_overlap),
                TEST(network_find_takes_the_beginning_of_an_id),
                TEST(network_settle_writes_the_default_bridge_s_subnet_down),
                TEST(network_list_damaged_names_only_what_the_document_is_to_blame_for),
                TEST(home_note_finds_its_line_wherever_it_is),
                TEST(home_note_takes_the_place_of_namespaces_that_are_gone),
        };

        (void)unshare(CLONE_NEWNET); /* where no route is in the way of a subnet */
        return cmocka_run_group_tests(tests, NULL, NULL);
}
