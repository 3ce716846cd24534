/* Unit tests of registry: addresses, challenges, where passwords may go, credentials, registries.conf, endpoints. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "registry/auth.h"
#include "registry/base64.h"
#include "registry/client_private.h"
#include "registry/credentials.h"
#include "registry/endpoint.h"
#include "registry/hosts_toml.h"
#include "registry/registries_conf.h"
#include "registry/url.h"

static char dir[] = "/tmp/hod-test-registry-XXXXXX";

/* Write below the test's directory; the parents are made. */
static void put(const char *path, const char *text, mode_t mode)
{
        _cleanup_free_ char *full = str_format("%s/%s", dir, path), *parent = NULL;
        _cleanup_close_ int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

        parent = strndup(path, (size_t)(strrchr(path, '/') - path));
        assert_int_equal(file_mkdir_p(root, parent, 0755, NULL), 0);
        fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
        assert_int_equal(fchmod(fd, mode), 0);
}

static char home_var[80], path_var[80];
static char *environment[] = {home_var, path_var, NULL, NULL};

static int setup(void **state)
{
        (void)state;
        if (!mkdtemp(dir))
                return -1;
        (void)snprintf(home_var, sizeof(home_var), "HOME=%s/home", dir);
        (void)snprintf(path_var, sizeof(path_var), "PATH=%s/bin", dir);
        return 0;
}

static int clean(void **state)
{
        (void)state;
        environment[2] = NULL;
        if (file_remove_tree(AT_FDCWD, dir) < 0)
                return -1;
        return mkdir(dir, 0755);
}

static int teardown(void **state)
{
        (void)state;
        return file_remove_tree(AT_FDCWD, dir);
}

static struct registry_options options(void)
{
        return (struct registry_options){.tls_verify = -1, .environment = environment, .system_root = dir};
}

/* ---- addresses ---- */

static void url_parse_refuses_what_could_mislead(void **state)
{
        static const char *const bad[] = {"",
                                          "ftp://x/",
                                          "http://",
                                          "https://user@host/",
                                          "https://u:p@host/",
                                          "https://ho st/",
                                          "https://host\r\nX: y/",
                                          "https://host:0/",
                                          "https://host:65536/",
                                          "https://host:+1/",
                                          "https://[::1/",
                                          "https://a..b/",
                                          "//host/x",
                                          "https://ho\"st/",
                                          "https://host\\@evil/",
                                          "https://\xc3\xa9/"};
        struct url u;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_code(url_parse(bad[i], &u), ERR_INVALID);
}

static void url_join_follows_rfc3986(void **state)
{
        static const struct {
                const char *base, *location, *want;
        } cases[] = {
                {"https://a/v2/x?y", "https://b/z", "https://b/z"},
                {"https://a:5000/v2/x", "/z?q", "https://a:5000/z?q"},
                {"https://a/v2/x", "//b/z", "https://b/z"},
                {"https://a/v2/x", "z", "https://a/v2/z"},
                {"https://a/v2/x?y", "?n=1", "https://a/v2/x?n=1"},
                {"http://[::1]:80/v2/", "up", "http://[::1]:80/v2/up"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *got = NULL;

                check_ok(url_join(cases[i].base, cases[i].location, &got));
                assert_string_equal(got, cases[i].want);
        }
        check_code(url_join("https://a/", "file:///etc/passwd", &(char *){NULL}), ERR_INVALID);
        check_code(url_join("https://a/", "https://u:p@b/", &(char *){NULL}), ERR_INVALID);
}

static void url_is_loopback_knows_addresses(void **state)
{
        (void)state;
        assert_true(url_is_loopback("127.0.0.1"));
        assert_true(url_is_loopback("127.9.9.9"));
        assert_true(url_is_loopback("::1"));
        assert_true(url_is_loopback("LOCALHOST"));
        assert_false(url_is_loopback("128.0.0.1"));
        assert_false(url_is_loopback("127.0.0.1.example"));
        assert_false(url_is_loopback("localhost.example"));
        assert_true(url_in_cidr("10.1.2.3", "10.0.0.0/8"));
        assert_false(url_in_cidr("11.1.2.3", "10.0.0.0/8"));
        assert_false(url_in_cidr("name", "0.0.0.0/0"));
        assert_false(url_in_cidr("10.1.2.3", "10.0.0.0/33"));
        assert_true(url_in_cidr("fd00::1", "fd00::/8"));
}

static void base64_survives_a_round_trip(void **state)
{
        static const char *const texts[] = {"", "f", "fo", "foo", "foob", "\xff\xfe\x01"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_free_ char *encoded = NULL, *decoded = NULL;
                size_t n;

                check_ok(base64_encode(texts[i], strlen(texts[i]), &encoded));
                check_ok(base64_decode(encoded, &decoded, &n));
                assert_int_equal(n, strlen(texts[i]));
                assert_string_equal(decoded, texts[i]);
        }
        {
                _cleanup_free_ char *lines = NULL;
                size_t n;

                check_ok(base64_decode("Zm9v\r\nYg=\n=\n", &lines, &n));
                assert_string_equal(lines, "foob");
        }
        check_code(base64_decode("Zm9vYg===", &(char *){NULL}, &(size_t){0}), ERR_INVALID);
        check_code(base64_decode("a", &(char *){NULL}, &(size_t){0}), ERR_INVALID);
        check_code(base64_decode("ab*c", &(char *){NULL}, &(size_t){0}), ERR_INVALID);
        check_code(base64_decode("ab=c", &(char *){NULL}, &(size_t){0}), ERR_INVALID);
}

/* ---- challenges ---- */

static void auth_parse_reads_what_servers_send(void **state)
{
        static const struct {
                const char *text;
                enum auth_scheme scheme;
                const char *realm, *service, *scope;
        } cases[] = {
                {"Basic realm=\"x\"", AUTH_BASIC, "x", NULL, NULL},
                {"basic", AUTH_BASIC, NULL, NULL, NULL},
                {"Bearer realm=\"https://a/token\",service=\"s\",scope=\"repository:a/b:pull,push\"", AUTH_BEARER,
                 "https://a/token", "s", "repository:a/b:pull,push"},
                {"bearer  Realm = \"a\\\"b\" , SERVICE=s", AUTH_BEARER, "a\"b", "s", NULL},
                {"Negotiate, Basic realm=\"r\", Bearer realm=\"t\", x=y", AUTH_BEARER, "t", NULL, NULL},
                {"Negotiate YII==, Bearer realm=t", AUTH_BEARER, "t", NULL, NULL},
                {"Bearer realm=\"t\", Basic realm=\"r\"", AUTH_BEARER, "t", NULL, NULL},
                {"Digest nonce=\"x\", realm=\"r\"", AUTH_NONE, NULL, NULL, NULL},
                {"", AUTH_NONE, NULL, NULL, NULL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_challenge_ struct auth_challenge c = {0};

                check_ok(auth_parse(cases[i].text, &c));
                assert_int_equal(c.scheme, cases[i].scheme);
                if (c.scheme == AUTH_NONE)
                        continue;
                assert_true(str_eq(c.realm, cases[i].realm));
                assert_true(str_eq(c.service, cases[i].service));
                assert_true(str_eq(c.scope, cases[i].scope));
        }
}

static void auth_parse_refuses_what_cannot_be_read(void **state)
{
        static const char *const bad[] = {"Bearer",      "Bearer service=\"s\"",  "Bearer realm=\"x",   "=",
                                          "Basic \"x\"", "Bearer realm=\"a\rb\"", "Bearer realm=\"a\"b"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_challenge_ struct auth_challenge c = {0};

                check_code(auth_parse(bad[i], &c), ERR_INVALID);
        }
}

/* Security row 100: a realm on another host, without TLS, with a user name, an address. */
static void auth_check_realm_keeps_passwords_at_home(void **state)
{
        static char other[] = "other.test";
        static char *const allowed[] = {other, NULL};
        static const struct {
                const char *origin, *realm;
                enum err_code want;
        } cases[] = {
                {"https://reg.example.test", "https://reg.example.test/token", 0},
                {"https://reg.example.test:5000", "https://auth.example.test/token", 0},
                {"https://reg.example.co.uk", "https://auth.example.co.uk/token", 0},
                {"http://127.0.0.1:5000", "http://127.0.0.1:5001/token", 0},
                {"http://localhost:5000", "http://127.0.0.1:5001/token", 0},
                {"http://reg.test:5000", "http://reg.test:5001/token", 0},
                {"https://reg.example.test", "https://other.test/token", 0},
                {"https://reg.example.test", "https://evil.test/token", ERR_DENIED},
                {"https://reg.example.co.uk", "https://evil.co.uk/token", ERR_DENIED},
                {"https://reg.example.test", "http://reg.example.test/token", ERR_DENIED},
                {"https://reg.example.test", "https://192.0.2.1/token", ERR_DENIED},
                {"https://192.0.2.1", "https://192.0.2.2/token", ERR_DENIED},
                {"http://reg.test:5000", "http://evil.test/token", ERR_DENIED},
                {"http://127.0.0.1:5000", "http://evil.test/token", ERR_DENIED},
                {"http://127.0.0.1:5000", "https://evil.test/token", ERR_DENIED},
                {"https://reg.example.test", "https://reg.example.test@evil.test/", ERR_INVALID},
                {"https://reg.example.test", "https://reg.example.test.evil.test/", ERR_DENIED},
                {"https://reg.example.test", "https://reg.example.test/\r\nHost: evil", ERR_INVALID},
                {"https://reg.example.test", "file:///etc/passwd", ERR_INVALID},
                {"https://registry", "https://evil/token", ERR_DENIED},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                check_code(auth_check_realm(cases[i].origin, cases[i].realm, allowed), cases[i].want);
}

static void client_retry_after_reads_seconds_and_dates(void **state)
{
        const int64_t now = 784111777LL * 1000000000; /* Sun, 06 Nov 1994 08:49:37 GMT */

        (void)state;
        assert_int_equal(client_retry_after("7", now), 7);
        assert_int_equal(client_retry_after("99999999", now), 3600);
        assert_int_equal(client_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), 10);
        assert_int_equal(client_retry_after("Sun, 06 Nov 1994 08:49:30 GMT", now), 0);
        assert_int_equal(client_retry_after("Sun, 06 Xxx 1994 08:49:47 GMT", now), 0);
        assert_int_equal(client_retry_after("", now), 0);
        assert_int_equal(client_retry_after("-1", now), 0);
}

static void client_link_next_finds_the_next_page(void **state)
{
        static const struct {
                const char *text, *want;
        } cases[] = {
                {"</v2/x/tags/list?n=1&last=a>; rel=\"next\"", "/v2/x/tags/list?n=1&last=a"},
                {"<a>; rel=prev, <b>; rel=next", "b"},
                {"<a>; title=\"x, rel=\", <b>; rel=\"next\"", "b"},
                {"<a>; rel=\"prev\"", NULL},
                {"<a", NULL},
                {"", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *got = NULL;

                check_ok(client_link_next(cases[i].text, &got));
                assert_true(str_eq(got, cases[i].want));
        }
}

/* Security row 98: what a server sends as a tag or a digest goes into addresses. */
static void client_check_reference_lets_nothing_odd_into_an_address(void **state)
{
        static const char *const bad[] = {"",    "..",   "a/b",       "../x",      "a?b",         "a#b",
                                          "a b", "a\nb", "sha256:..", "sha256:/x", "sha256:0123", "sha512:../..",
                                          ".a",  "-a",   "a%2fb"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                err *e = client_check_reference(bad[i], NULL);

                assert_true(e != NULL);
                err_free(e);
        }
        check_ok(client_check_reference("v1.2_3-x", NULL));
}

/* ---- credentials ---- */

static void find(const struct registry_options *o, const char *key, const char *path, const char *want)
{
        _cleanup_credentials_ struct auth_credentials c = {0};
        _cleanup_free_ char *got = NULL;

        check_ok(credentials_find(o, key, path, &c));
        got = c.identity ? str_format("<token>:%s", c.identity)
                         : str_format("%s:%s", c.user ? c.user : "", c.password ? c.password : "");
        assert_string_equal(got, want);
}

static void credentials_find_looks_in_dockers_and_podmans_files(void **state)
{
        struct registry_options o = options();
        char runtime[100];

        (void)state;
        find(&o, "a.test", NULL, ":");
        put("home/.docker/config.json",
            "{\"auths\":{\"a.test\":{\"auth\":\"dTpwdw==\"},\"https://b.test:5000/v1/\":{\"auth\":\"dTpwdw==\"},"
            "\"https://index.docker.io/v1/"
            "\":{\"auth\":\"ZDpk\"},\"t.test\":{\"auth\":\"eDo=\",\"identitytoken\":\"I\"},"
            "\"e.test\":{}}}",
            0600);
        put("run/containers/auth.json",
            "{\"auths\":{\"a.test/ns\":{\"auth\":\"bjpu\"},\"e.test\":{\"auth\":\"ZTpl\"},"
            "\"c.test/ns/repo\":{\"auth\":\"cjpy\"},\"c.test/ns\":{\"auth\":\"bjpu\"}}}",
            0600);
        (void)snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s/run", dir);
        environment[2] = runtime;
        find(&o, "a.test", "ns/repo", "u:pw"); /* docker's file comes first */
        find(&o, "b.test:5000", NULL, "u:pw");
        find(&o, "docker.io", "library/x", "d:d");
        find(&o, "t.test", NULL, "<token>:I");
        find(&o, "e.test", NULL, "e:e"); /* an empty entry is none */
        find(&o, "c.test", "ns/repo", "r:r");
        find(&o, "c.test", "ns/other", "n:n");
        find(&o, "c.test", "other", ":");
        find(&o, "c.test:80", NULL, ":");
        o.creds = "x:y:z";
        find(&o, "a.test", NULL, "x:y:z");
}

static void credentials_find_takes_one_named_file_only(void **state)
{
        struct registry_options o = options();
        char file[100];

        (void)state;
        put("home/.docker/config.json", "{\"auths\":{\"a.test\":{\"auth\":\"dTpwdw==\"}}}", 0600);
        put("x/auth.json", "{\"auths\":{\"b.test\":{\"auth\":\"eDp5\"}}}", 0600);
        (void)snprintf(file, sizeof(file), "%s/x/auth.json", dir);
        o.auth_file = file;
        find(&o, "a.test", NULL, ":");
        find(&o, "b.test", NULL, "x:y");
        o.auth_file = "/nonexistent/auth.json";
        check_code(credentials_find(&o, "a.test", NULL, &(struct auth_credentials){0}), ERR_SYS);
}

static void credentials_find_names_the_file_that_is_wrong(void **state)
{
        struct registry_options o = options();
        struct auth_credentials c = {0};

        (void)state;
        put("home/.docker/config.json", "{\"auths\":", 0600);
        check_code(credentials_find(&o, "a.test", NULL, &c), ERR_INVALID);
        put("home/.docker/config.json", "{\"auths\":{\"a.test\":{\"auth\":\"!\"}}}", 0600);
        check_code(credentials_find(&o, "a.test", NULL, &c), ERR_INVALID);
        put("home/.docker/config.json", "[]", 0600);
        check_code(credentials_find(&o, "a.test", NULL, &c), ERR_INVALID);
        put("home/.docker/config.json", "", 0600);
        find(&o, "a.test", NULL, ":");
}

#define HELPER                                                                                                         \
        "#!/bin/sh\nread -r server\ncase $1:$server in\n"                                                              \
        "get:a.test) echo '{\"ServerURL\":\"a.test\",\"Username\":\"hu\",\"Secret\":\"hs\"}' ;;\n"                     \
        "get:t.test) echo '{\"Username\":\"<token>\",\"Secret\":\"id\"}' ;;\n"                                         \
        "get:*) echo 'credentials not found in native keychain'; exit 1 ;;\nesac\n"

static void credentials_find_asks_credential_helpers(void **state)
{
        struct registry_options o = options();

        (void)state;
        put("bin/docker-credential-one", HELPER, 0755);
        put("home/.docker/config.json",
            "{\"credsStore\":\"one\",\"credHelpers\":{\"m.test\":\"missing\",\"b.test\":\"../bin/x\"},"
            "\"auths\":{\"a.test\":{}}}",
            0600);
        find(&o, "a.test", NULL, "hu:hs");
        find(&o, "t.test", "x", "<token>:id");
        find(&o, "n.test", NULL, ":");
        check_code(credentials_find(&o, "m.test", NULL, &(struct auth_credentials){0}), ERR_UNSUPPORTED);
        check_code(credentials_find(&o, "b.test", NULL, &(struct auth_credentials){0}), ERR_INVALID);
}

/* Security row 152: a directory that others may write to could hold anybody's program. */
static void credentials_find_passes_over_helpers_of_others(void **state)
{
        struct registry_options o = options();
        char bin[80];

        (void)state;
        put("bin/docker-credential-one", HELPER, 0755);
        put("home/.docker/config.json", "{\"credsStore\":\"one\"}", 0600);
        (void)snprintf(bin, sizeof(bin), "%s/bin", dir);
        assert_int_equal(chmod(bin, 0777), 0);
        check_code(credentials_find(&o, "a.test", NULL, &(struct auth_credentials){0}), ERR_UNSUPPORTED);
        assert_int_equal(chmod(bin, 0755), 0);
        find(&o, "a.test", NULL, "hu:hs");
}

static void check_file(const char *path, const char *want)
{
        _cleanup_free_ char *full = str_format("%s/%s", dir, path), *text = NULL;
        struct stat st;

        assert_int_equal(file_read(AT_FDCWD, full, 65536, &text, NULL), 0);
        assert_string_equal(text, want);
        assert_int_equal(stat(full, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
}

static void credentials_store_writes_as_docker_does(void **state)
{
        struct auth_credentials c = {(char[]){"u"}, (char[]){"pw"}, NULL},
                                id = {(char[]){"u"}, (char[]){"pw"}, (char[]){"T"}};
        struct registry_options o = options();
        _cleanup_free_ char *file = NULL, *file2 = NULL, *file3 = NULL, *file4 = NULL;

        (void)state;
        check_ok(credentials_store(&o, "127.0.0.1:5001", &c, &file));
        assert_true(file && str_ends(file, "/home/.docker/config.json"));
        check_file("home/.docker/config.json", "{\n\t\"auths\": {\n\t\t\"127.0.0.1:5001\": {\n\t\t\t\"auth\": "
                                               "\"dTpwdw==\"\n\t\t}\n\t}\n}");
        put("home/.docker/config.json", "{\"x\":1,\"auths\":{\"http://a.test/v1/\":{\"auth\":\"eDp5\"}}}", 0644);
        check_ok(credentials_store(&o, "a.test", &id, &file2));
        check_file("home/.docker/config.json", "{\n\t\"x\": 1,\n\t\"auths\": {\n\t\t\"a.test\": {\n\t\t\t\"auth\": "
                                               "\"dTo=\",\n\t\t\t\"identitytoken\": \"T\"\n\t\t}\n\t}\n}");
        check_ok(credentials_store(&o, "docker.io", &c, &file3));
        find(&o, "docker.io", NULL, "u:pw");
        check_ok(credentials_erase(&o, "docker.io"));
        check_ok(credentials_erase(&o, "a.test"));
        check_ok(credentials_erase(&o, "a.test"));
        check_file("home/.docker/config.json", "{\n\t\"x\": 1,\n\t\"auths\": {}\n}");
        o.auth_file = ""; /* as if it had not been said */
        check_ok(credentials_store(&o, "a.test", &c, &file4));
        assert_string_equal(file4, file);
}

/* root, with a user's HOME: the file stays theirs. */
static void credentials_store_keeps_the_owner(void **state)
{
        struct auth_credentials c = {(char[]){"u"}, (char[]){"pw"}, NULL};
        _cleanup_free_ char *file = NULL, *full = str_format("%s/home/.docker/config.json", dir);
        struct registry_options o = options();
        struct stat st;

        (void)state;
        if (geteuid() != 0)
                skip();
        put("home/.docker/config.json", "{}", 0600);
        assert_int_equal(chown(full, 1000, 1001), 0);
        check_ok(credentials_store(&o, "a.test", &c, &file));
        assert_int_equal(stat(full, &st), 0);
        assert_int_equal(st.st_uid, 1000);
        assert_int_equal(st.st_gid, 1001);
        assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- registries.conf ---- */

#define CONF                                                                                                           \
        "unqualified-search-registries = [\"one.test\", \"docker.io\"]\n"                                              \
        "short-name-mode = \"permissive\"\n"                                                                           \
        "[[registry]]\nlocation = \"a.test\"\ninsecure = true\n"                                                       \
        "[[registry]]\nprefix = \"a.test/ns\"\nlocation = \"b.test/other\"\n"                                          \
        "[[registry.mirror]]\nlocation = \"m1.test:5000\"\ninsecure = true\n"                                          \
        "[[registry.mirror]]\nlocation = \"m2.test/x\"\npull-from-mirror = \"digest-only\"\n"                          \
        "[[registry]]\nprefix = \"*.wild.test\"\nlocation = \"w.test\"\n"                                              \
        "[[registry]]\nprefix = \"bad.test\"\nblocked = true\n"                                                        \
        "[aliases]\n\"short\" = \"s.test/ns/short\"\n\"a/b\" = \"s.test/c\"\n"

static void names_are(const struct registry_options *o, const char *text, const char *want)
{
        _cleanup_strv_ char **list = NULL;
        _cleanup_free_ char *got = NULL;

        check_ok(registry_names(o, text, true, &list));
        got = strv_join(list, " ");
        assert_string_equal(got, want);
}

static void registry_names_follows_aliases_and_search_registries(void **state)
{
        struct registry_options o = options();

        (void)state;
        names_are(&o, "busybox", "docker.io/library/busybox:latest");
        put("etc/containers/registries.conf", CONF, 0644);
        names_are(&o, "busybox", "one.test/busybox:latest docker.io/library/busybox:latest");
        names_are(&o, "x/y:1", "one.test/x/y:1 docker.io/x/y:1");
        names_are(&o, "library/x", "one.test/library/x:latest docker.io/library/x:latest");
        names_are(&o, "HOST/x", "HOST/x:latest");
        o.creds = "u:p"; /* for one of them */
        check_code(registry_names(&o, "busybox", true, &(char **){NULL}), ERR_INVALID);
        names_are(&o, "short", "s.test/ns/short:latest");
        o.creds = NULL;
        names_are(&o, "short:2", "s.test/ns/short:2");
        names_are(&o, "a/b:3", "s.test/c:3");
        names_are(&o, "docker.io/short", "docker.io/library/short:latest");
        names_are(&o, "localhost/short", "localhost/short:latest");
        names_are(&o, "q.test:1/short", "q.test:1/short:latest");
        put("etc/containers/registries.conf.d/1.conf", "short-name-mode = \"enforcing\"\n", 0644);
        names_are(&o, "short", "s.test/ns/short:latest");
        check_code(registry_names(&o, "busybox", true, &(char **){NULL}), ERR_INVALID);
        put("etc/containers/registries.conf.d/2.conf", "short-name-mode = \"disabled\"\n", 0644);
        names_are(&o, "short", "one.test/short:latest docker.io/library/short:latest");
}

static void registries_conf_parse_names_the_mistake(void **state)
{
        static const char *const bad[] = {
                "x = ",
                "[registries.search]\nregistries = [\"a\"]",
                "[[registry]]\n",
                "[[registry]]\nlocation = 1",
                "[[registry]]\nlocation = \"https://a\"",
                "[[registry]]\nprefix = \"a.*\"\nlocation = \"b\"",
                "[[registry]]\nlocation = \"a/../b\"",
                "[[registry]]\nlocation=\"a\"\n[[registry.mirror]]\ninsecure=true",
                "[[registry]]\nlocation=\"a\"\n[[registry.mirror]]\nlocation=\"b\"\npull-from-mirror=\"x\"",
                "[aliases]\n\"a\" = \"noregistry\"",
                "[aliases]\n\"a\" = \"r.test/x:tag\"",
                "short-name-mode = \"x\"",
                "unqualified-search-registries = \"a\"",
                "unqualified-search-registries = [\"a/b\"]",
                "registry = 1"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_registries_ struct registries_conf c = {0};

                check_code(registries_conf_parse("f", bad[i], strlen(bad[i]), &c), ERR_INVALID);
        }
}

static void registries_conf_load_merges_drop_ins(void **state)
{
        struct registry_options o = options();
        _cleanup_registries_ struct registries_conf c = {0};
        size_t n;

        (void)state;
        put("etc/containers/registries.conf", CONF, 0644);
        put("etc/containers/registries.conf.d/a.conf", "[[registry]]\nlocation = \"a.test\"\n[aliases]\nshort = \"\"\n",
            0644);
        put("etc/containers/registries.conf.d/ignored", "nonsense", 0644);
        check_ok(registries_conf_load(&o, &c));
        assert_false(json_get_bool(registries_conf_find(&c, "a.test/x", &n), "insecure", false));
        assert_null(registries_conf_alias(&c, "short"));
        assert_non_null(registries_conf_alias(&c, "a/b"));
}

/* ---- endpoints ---- */

/* "HOST PREFIX PATH flags" of each, joined by "; ". */
static err *places(const struct registry_options *o, const char *name, char **ret)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_endpoints_ struct endpoints e = {0};
        _cleanup_str_ struct str out = {0};

        TRY(reference_parse(name, true, &r));
        TRY(endpoint_find(o, &r, &e));
        for (size_t i = 0; i < e.n; i++) {
                const struct endpoint *p = &e.list[i];

                str_printf(&out, "%s%s%s/%s%s%s%s%s%s", i ? "; " : "", p->host, p->prefix, p->path,
                           p->mirror ? " mirror" : "", p->insecure ? " insecure" : "", p->plain ? " plain" : "",
                           p->plain_only ? " plain-only" : "", p->use == ENDPOINT_DIGEST_ONLY ? " digest" : "");
        }
        return str_take(&out, ret);
}

static void places_are(const struct registry_options *o, const char *name, const char *want)
{
        _cleanup_free_ char *got = NULL;

        check_ok(places(o, name, &got));
        assert_string_equal(got, want);
}

static void endpoint_find_follows_registries_conf(void **state)
{
        struct registry_options o = options();

        (void)state;
        put("etc/containers/registries.conf", CONF, 0644);
        places_are(&o, "a.test/x", "a.test/v2/x insecure plain");
        places_are(&o, "a.test/ns/x",
                   "m1.test:5000/v2/x mirror insecure plain; m2.test/v2/x/x mirror digest; b.test/v2/other/x");
        places_are(&o, "a.test/nsx", "a.test/v2/nsx insecure plain");
        places_are(&o, "x.wild.test/y", "w.test/v2/y");
        places_are(&o, "wild.test/y", "wild.test/v2/y");
        places_are(&o, "y.test/x.wild.test", "y.test/v2/x.wild.test");
        check_code(places(&o, "bad.test/x", &(char *){NULL}), ERR_DENIED);
        o.push = true;
        places_are(&o, "a.test/ns/x", "b.test/v2/other/x");
}

static void endpoint_find_trusts_no_more_than_it_is_told(void **state)
{
        static char one[] = "reg.test:5000", two[] = "10.0.0.0/8";
        static char *const insecure[] = {one, two, NULL};
        struct registry_options o = options();

        (void)state;
        places_are(&o, "busybox", "registry-1.docker.io/v2/library/busybox");
        places_are(&o, "127.0.0.1:5000/x", "127.0.0.1:5000/v2/x plain");
        places_are(&o, "reg.test:5000/x", "reg.test:5000/v2/x");
        o.insecure = insecure;
        places_are(&o, "reg.test:5000/x", "reg.test:5000/v2/x insecure plain");
        places_are(&o, "reg.test/x", "reg.test/v2/x");
        places_are(&o, "10.1.1.1:5000/x", "10.1.1.1:5000/v2/x insecure plain");
        o.tls_verify = 1;
        places_are(&o, "reg.test:5000/x", "reg.test:5000/v2/x");
        places_are(&o, "127.0.0.1:5000/x", "127.0.0.1:5000/v2/x");
        o.tls_verify = 0;
        places_are(&o, "other.test/x", "other.test/v2/x insecure plain");
}

static void endpoint_find_asks_mirrors_of_docker_io_first(void **state)
{
        static char one[] = "https://mirror.test:5000/cache/", two[] = "http://127.0.0.1:5001", bad[] = "mirror.test";
        static char *const mirrors[] = {one, two, NULL}, *const wrong[] = {bad, NULL};
        struct registry_options o = options();

        (void)state;
        o.mirrors = mirrors;
        places_are(&o, "busybox",
                   "mirror.test:5000/cache/v2/library/busybox mirror; 127.0.0.1:5001/v2/library/busybox mirror plain "
                   "plain-only; registry-1.docker.io/v2/library/busybox");
        places_are(&o, "reg.test/x", "reg.test/v2/x");
        o.mirrors = wrong;
        check_code(places(&o, "busybox", &(char *){NULL}), ERR_INVALID);
}

#define HOSTS                                                                                                          \
        "server = \"https://up.test\"\n"                                                                               \
        "[host.\"https://h1.test\"]\ncapabilities = [\"pull\", \"resolve\"]\nca = \"ca.crt\"\n"                        \
        "[host.\"http://h2.test:5000/proxy\"]\ncapabilities = [\"pull\"]\noverride_path = true\n"                      \
        "[host.\"https://h3.test\"]\ncapabilities = [\"push\"]\n"                                                      \
        "[host.\"https://h4.test\"]\nskip_verify = true\n[host.\"https://h4.test\".header]\nX-A = [\"1\", \"2\"]\n"

static void endpoint_find_reads_containerds_hosts(void **state)
{
        struct registry_options o = options();
        _cleanup_reference_ struct reference r = {0};
        _cleanup_endpoints_ struct endpoints e = {0};

        (void)state;
        put("etc/containerd/certs.d/reg.test/hosts.toml", HOSTS, 0644);
        places_are(&o, "reg.test/x",
                   "h1.test/v2/x mirror; h2.test:5000/proxy/x mirror plain-only digest; h4.test/v2/x mirror insecure "
                   "plain; up.test/v2/x");
        check_ok(reference_parse("reg.test/x", true, &r));
        check_ok(endpoint_find(&o, &r, &e));
        assert_true(str_ends(e.list[0].ca_files[0], "/etc/containerd/certs.d/reg.test/ca.crt"));
        assert_string_equal(e.list[2].headers[0], "X-A: 1");
        assert_string_equal(e.list[3].key, "reg.test");
}

/* A server that nothing may be pulled from: there is one to push to all the same. */
static void endpoint_find_always_has_a_server(void **state)
{
        _cleanup_(registry_freep) struct registry *registry = NULL;
        _cleanup_document_ struct registry_document d = {0};
        _cleanup_reference_ struct reference r = {0};
        struct registry_options o = options();

        (void)state;
        put("etc/containerd/certs.d/reg.test/hosts.toml", "server = \"https://up.test\"\ncapabilities = [\"push\"]\n",
            0644);
        check_ok(reference_parse("reg.test/x", true, &r));
        check_ok(registry_open(&o, &r, &registry));
        assert_string_equal(client_main(registry)->endpoint->host, "up.test");
        check_code(registry_manifest_get(registry, "1", &d), ERR_DENIED);
}

static void hosts_toml_certificates_pairs_keys_as_docker_does(void **state)
{
        struct registry_options o = options();
        _cleanup_(endpoint_done) struct endpoint e = {0};

        (void)state;
        put("etc/docker/certs.d/reg.test:5000/ca.crt", "x", 0644);
        put("etc/docker/certs.d/reg.test:5000/me.cert", "x", 0644);
        check_code(hosts_toml_certificates(&o, "reg.test:5000", &e), ERR_INVALID);
        endpoint_done(&e);
        put("etc/docker/certs.d/reg.test:5000/me.key", "x", 0600);
        check_ok(hosts_toml_certificates(&o, "reg.test:5000", &e));
        assert_true(str_ends(e.ca_files[0], "/ca.crt"));
        assert_true(str_ends(e.client_cert, "/me.cert"));
        assert_true(str_ends(e.client_key, "/me.key"));
}

#define TEST(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(url_parse_refuses_what_could_mislead),
                TEST(url_join_follows_rfc3986),
                TEST(url_is_loopback_knows_addresses),
                TEST(base64_survives_a_round_trip),
                TEST(auth_parse_reads_what_servers_send),
                TEST(auth_parse_refuses_what_cannot_be_read),
                TEST(auth_check_realm_keeps_passwords_at_home),
                TEST(client_retry_after_reads_seconds_and_dates),
                TEST(client_link_next_finds_the_next_page),
                TEST(client_check_reference_lets_nothing_odd_into_an_address),
                TEST(credentials_find_looks_in_dockers_and_podmans_files),
                TEST(credentials_find_takes_one_named_file_only),
                TEST(credentials_find_names_the_file_that_is_wrong),
                TEST(credentials_find_asks_credential_helpers),
                TEST(credentials_find_passes_over_helpers_of_others),
                TEST(credentials_store_writes_as_docker_does),
                TEST(credentials_store_keeps_the_owner),
                TEST(registry_names_follows_aliases_and_search_registries),
                TEST(registries_conf_parse_names_the_mistake),
                TEST(registries_conf_load_merges_drop_ins),
                TEST(endpoint_find_follows_registries_conf),
                TEST(endpoint_find_trusts_no_more_than_it_is_told),
                TEST(endpoint_find_asks_mirrors_of_docker_io_first),
                TEST(endpoint_find_reads_containerds_hosts),
                TEST(endpoint_find_always_has_a_server),
                TEST(hosts_toml_certificates_pairs_keys_as_docker_does),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
