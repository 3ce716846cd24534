/* Unit tests of the monitor's name server: who has a name (files as the engine writes them), and who is asked else. */
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/nameserver.h"

#define X15 "aaaaaaaaaaaaaaa"
#define X60 X15 X15 X15 X15
#define NET_A "a100" X60
#define NET_B "b100" X60
#define C1 "c100" X60
#define LINE(address, name, names) C1 " " C1 " " address " 02:42:0a:00:00:02 hodc10000000000 " name " " names "\n"

static char dir[64];
static int top = -1, state_fd = -1;
static struct nameserver_names names;

static void put(const char *path, const char *text)
{
        const char *name = strrchr(path, '/') + 1;
        _cleanup_free_ char *where = strndup(path, (size_t)(name - path));
        _cleanup_close_ int fd = openat(top, where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(file_replace(fd, name, text, strlen(text), 0600, FILE_VOLATILE), 0);
}

static int setup(void **state)
{
        (void)state;
        (void)strcpy(dir, "/tmp/hod-test-names-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (file_mkdir_p(top, "state/containers/c", 0700, NULL) < 0 ||
            file_mkdir_p(top, "state/networks", 0700, NULL) < 0 || file_mkdir_p(top, "networks", 0700, NULL) < 0)
                return -1;
        state_fd = openat(top, "state/containers/c", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        put("networks/" NET_A ".json", "{\"Name\":\"na\",\"Internal\":true}");
        put("networks/" NET_B ".json", "{\"Name\":\"n.b\",\"Internal\":false}");
        put("state/networks/" NET_A, LINE("10.0.0.2/24 fd00::2/64", "web", "web,www,c100aaaaaaaa")
                                             LINE("10.0.0.3/24 -", "Db", "Db,www") "not a line\n");
        put("state/networks/" NET_B, LINE("10.1.0.2/24 -", "mail", "mail,web.x"));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        nameserver_names_done(&names);
        state_fd = file_close(state_fd);
        top = file_close(top);
        return file_remove_tree(AT_FDCWD, dir);
}

static void on(const char *networks)
{
        put("state/containers/c/network.json", networks);
        nameserver_names_refresh(&names, state_fd, dir);
}
#define ON_A "\"na\":{\"NetworkID\":\"" NET_A "\",\"Links\":[\"web:store\"]}"
#define ON_B "\"n.b\":{\"NetworkID\":\"" NET_B "\"}"

/* "10.0.0.2 10.0.0.3", "" (nobody), "none" (it exists, without such an address) */
static void check_name(const char *name, unsigned family, const char *want)
{
        static struct nameserver_match found[NAMESERVER_MATCHES];
        char text[300] = "";
        bool exists;
        size_t n = nameserver_names_find(&names, state_fd, name, family, &exists, found);

        for (size_t i = 0; i < n; i++)
                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", i ? " " : "",
                               (int)strcspn(found[i].address[family], "/ "), found[i].address[family]);
        if (!n && exists)
                (void)strcpy(text, "none");
        nameserver_names_release(&names);
        assert_string_equal(text, want);
}

static void names_are_found_in_the_container_s_networks(void **state)
{
        (void)state;
        on("{\"Networks\":{" ON_A "," ON_B "}}");
        check_name("web", 0, "10.0.0.2");
        check_name("WEB", 1, "fd00::2");
        check_name("db", 0, "10.0.0.3");
        check_name("db", 1, "none");
        check_name("www", 0, "10.0.0.2 10.0.0.3");
        check_name("www", 1, "fd00::2");
        check_name("c100aaaaaaaa", 0, "10.0.0.2");
        check_name("mail", 0, "10.1.0.2");
        check_name("ww", 0, "");
        check_name("web,www", 0, "");
        check_name("", 0, "");
        check_name("nobody", 0, "");
}

static void names_with_a_network_s_name_are_found_in_it(void **state)
{
        (void)state;
        on("{\"Networks\":{" ON_A "," ON_B "}}");
        check_name("web.na", 0, "10.0.0.2");
        check_name("web.NA", 0, "10.0.0.2");
        check_name("mail.n.b", 0, "10.1.0.2");
        check_name("web.x", 0, "10.1.0.2");
        check_name("web.x.n.b", 0, "10.1.0.2");
        check_name("web.n.b", 0, "");
        check_name("mail.na", 0, "");
        check_name("web.", 0, "");
        check_name(".na", 0, "");
}

static void a_link_s_alias_is_this_container_s_own(void **state)
{
        (void)state;
        on("{\"Networks\":{" ON_A "}}");
        check_name("store", 0, "10.0.0.2");
        check_name("store.na", 1, "fd00::2");
        on("{\"Networks\":{" ON_B "}}");
        check_name("store", 0, "");
}

static void networks_that_come_and_go_are_noticed(void **state)
{
        (void)state;
        on("{\"Networks\":{" ON_A "}}");
        check_name("mail", 0, "");
        assert_false(nameserver_names_outside(&names));
        on("{\"Networks\":{" ON_A "," ON_B "}}");
        check_name("mail", 0, "10.1.0.2");
        assert_true(nameserver_names_outside(&names));
        put("state/networks/" NET_B, LINE("10.1.0.9/24 -", "mail", "mail"));
        check_name("mail", 0, "10.1.0.9");
        put("state/networks/" NET_B, "");
        check_name("mail", 0, "");
}

static void the_default_bridge_has_a_way_out_and_no_names(void **state)
{
        (void)state;
        on("{\"Networks\":{\"bridge\":{\"NetworkID\":\"" NET_B "\"}," ON_A "}}");
        assert_true(nameserver_wanted(state_fd));
        assert_true(nameserver_names_outside(&names));
        check_name("mail", 0, "");
        on("{\"Networks\":{\"bridge\":{\"NetworkID\":\"" NET_B "\"}}}");
        assert_false(nameserver_wanted(state_fd));
        on("damaged");
        assert_false(nameserver_wanted(state_fd));
        assert_false(nameserver_names_outside(&names));
}

static void addresses_have_a_name_with_their_network_s(void **state)
{
        unsigned char a[16];
        char name[DNS_TEXT_MAX];

        (void)state;
        on("{\"Networks\":{" ON_A "," ON_B "}}");
        assert_int_equal(inet_pton(AF_INET, "10.0.0.3", a), 1);
        assert_true(nameserver_names_reverse(&names, state_fd, AF_INET, a, name));
        assert_string_equal(name, "Db.na");
        assert_int_equal(inet_pton(AF_INET6, "fd00::2", a), 1);
        assert_true(nameserver_names_reverse(&names, state_fd, AF_INET6, a, name));
        assert_string_equal(name, "web.na");
        assert_int_equal(inet_pton(AF_INET, "10.0.0.30", a), 1);
        assert_false(nameserver_names_reverse(&names, state_fd, AF_INET, a, name));
}

/* ---- other servers ---- */

static void check_servers(char *const *dns, const char *resolv_conf, const char *want)
{
        struct nameserver_upstreams u = {0};
        char text[300] = "", address[INET6_ADDRSTRLEN];

        nameserver_upstreams_parse(&u, dns, resolv_conf);
        for (unsigned i = 0; i < u.n; i++) {
                const void *a = u.server[i].address.ss_family == AF_INET
                                        ? (void *)&((struct sockaddr_in *)&u.server[i].address)->sin_addr
                                        : (void *)&((struct sockaddr_in6 *)&u.server[i].address)->sin6_addr;

                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s", i ? " " : "",
                               inet_ntop(u.server[i].address.ss_family, a, address, sizeof(address)),
                               u.server[i].inside ? "(inside)" : "");
        }
        assert_string_equal(text, want);
}

static void servers_are_those_of_dns_or_the_host_s(void **state)
{
        char *const dns[] = {(char[]){"9.9.9.9"}, (char[]){"127.0.0.1"}, NULL}, *const none[] = {NULL};
        char *const ourselves[] = {(char[]){"127.0.0.11"}, NULL};

        (void)state;
        check_servers(ourselves, "nameserver 1.1.1.1\n", "1.1.1.1");
        check_servers(dns, "nameserver 1.1.1.1\n", "9.9.9.9(inside) 127.0.0.1(inside)");
        check_servers(none, "# x\nnameserver 1.1.1.1 # y\nsearch a\nnameserver\t::1\n", "1.1.1.1 ::1");
        check_servers(NULL, "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4",
                      "1.1.1.1 2.2.2.2 3.3.3.3");
        check_servers(NULL, "nameserver bogus\nnameservers 1.1.1.1\n", "127.0.0.1");
        check_servers(NULL, "nameserver fe80::1%lo\r\n", "fe80::1");
        check_servers(NULL, "", "127.0.0.1");
}

static bool rules(struct monitor *m)
{
        (void)m;
        return true;
}

static void what_the_container_could_answer_is_not_asked_there_when_rules_believe_it(void **state)
{
        char *servers[] = {(char[]){"192.0.2.1"}, (char[]){"127.1.2.3"}, (char[]){"::1"}, NULL};
        static struct nameserver_upstreams u;
        static struct monitor m;

        (void)state;
        nameserver_upstreams_parse(&u, servers, "");
        m.names_ruled = NULL;
        assert_true(nameserver_upstream_inside(&m, &u.server[0]));
        m.names_ruled = rules;
        assert_false(nameserver_upstream_inside(&m, &u.server[0]));
        assert_true(nameserver_upstream_inside(&m, &u.server[1]));
        assert_true(nameserver_upstream_inside(&m, &u.server[2]));
        nameserver_upstreams_parse(&u, NULL, "nameserver 127.0.0.53\n");
        assert_false(nameserver_upstream_inside(&m, &u.server[0]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_the_container_could_answer_is_not_asked_there_when_rules_believe_it),
                cmocka_unit_test_setup_teardown(names_are_found_in_the_container_s_networks, setup, teardown),
                cmocka_unit_test_setup_teardown(names_with_a_network_s_name_are_found_in_it, setup, teardown),
                cmocka_unit_test_setup_teardown(a_link_s_alias_is_this_container_s_own, setup, teardown),
                cmocka_unit_test_setup_teardown(networks_that_come_and_go_are_noticed, setup, teardown),
                cmocka_unit_test_setup_teardown(the_default_bridge_has_a_way_out_and_no_names, setup, teardown),
                cmocka_unit_test_setup_teardown(addresses_have_a_name_with_their_network_s, setup, teardown),
                cmocka_unit_test(servers_are_those_of_dns_or_the_host_s),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
