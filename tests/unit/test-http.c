/* Unit tests of registry/http and the client above it, against servers of the test's own that follow a script. */
#include "check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/stream.h"
#include "registry/client.h"
#include "registry/http.h"

/* ---- a server ---- */

/* An answer's text is sent as it is; then, if it ends in '!', without that, the connection is closed. "~" in it means:
 * a byte every 20 ms from here on. "$A" and "$B" become the ports of the two servers, "$L" the length of the body. */
#define ANSWERS 24
struct server {
        int fd, client;
        unsigned port;
        pthread_t thread;
        const char *answers[ANSWERS];
        size_t n, next;
        char seen[1 << 16]; /* all requests, one after the other */
        size_t seen_size;
};
static struct server a, b;

static bool send_all(int fd, const char *data, size_t n)
{
        while (n) {
                ssize_t r = send(fd, data, n, MSG_NOSIGNAL);

                if (r <= 0)
                        return false;
                data += r;
                n -= (size_t)r;
        }
        return true;
}

static void expand(const char *text, struct str *out)
{
        const char *body = strstr(text, "\r\n\r\n");

        for (; *text; text++)
                if (text[0] == '$' && (text[1] == 'A' || text[1] == 'B'))
                        str_printf(out, "%u", *++text == 'A' ? a.port : b.port);
                else if (text[0] == '$' && *++text == 'L')
                        str_printf(out, "%zu", strlen(body + 4));
                else
                        str_add_char(out, *text);
}

/* One request with its body; false: the client is gone. */
static bool receive(struct server *s, int fd)
{
        size_t start = s->seen_size;

        for (;;) {
                char *end, *length;
                ssize_t n;

                if (s->seen_size + 1 >= sizeof(s->seen))
                        return false;
                n = read(fd, s->seen + s->seen_size, sizeof(s->seen) - 1 - s->seen_size);
                if (n <= 0)
                        return false;
                s->seen_size += (size_t)n;
                s->seen[s->seen_size] = '\0';
                if (s->seen[start] == 0x16) /* TLS: no request of ours */
                        return true;
                end = strstr(s->seen + start, "\r\n\r\n");
                if (!end)
                        continue;
                length = strcasestr(s->seen + start, "content-length: ");
                if (!length || length > end ||
                    s->seen_size - (size_t)(end + 4 - s->seen) >= strtoul(length + 16, NULL, 10))
                        return true;
        }
}

static void serve(struct server *s, int fd)
{
        while (receive(s, fd)) {
                const char *text =
                        s->next < s->n ? s->answers[s->next++] : "HTTP/1.1 599 No\r\nContent-Length: 0\r\n\r\n";
                _cleanup_str_ struct str out = {0};
                bool last, alive = true;
                size_t slow, n;

                expand(text, &out);
                n = out.len;
                last = n && out.data[n - 1] == '!';
                n -= last;
                slow = strcspn(str_text(&out), "~");
                alive = send_all(fd, str_text(&out), slow < n ? slow : n);
                for (size_t i = slow + 1; i < n && alive; i++) {
                        (void)usleep(20000);
                        alive = send_all(fd, out.data + i, 1);
                }
                if (last || !alive)
                        return;
        }
}

static void *server_main(void *arg)
{
        struct server *s = arg;

        for (;;) {
                _cleanup_close_ int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        return NULL;
                __atomic_store_n(&s->client, fd, __ATOMIC_SEQ_CST);
                serve(s, fd);
                __atomic_store_n(&s->client, -1, __ATOMIC_SEQ_CST);
        }
}

static int server_start(struct server *s)
{
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t size = sizeof(in);

        *s = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .client = -1};
        if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(s->fd, 16) < 0 ||
            getsockname(s->fd, (struct sockaddr *)&in, &size) < 0)
                return -1;
        s->port = ntohs(in.sin_port);
        return 0;
}

static void server_stop(struct server *s)
{
        int client = __atomic_load_n(&s->client, __ATOMIC_SEQ_CST);

        (void)shutdown(s->fd, SHUT_RDWR);
        if (client >= 0) /* of a test that failed half way */
                (void)shutdown(client, SHUT_RDWR);
        (void)pthread_join(s->thread, NULL);
        s->fd = file_close(s->fd);
}

static struct http *http;

/* Sockets first: each script may name both ports. */
static int setup(void **state)
{
        (void)state;
        if (server_start(&a) < 0 || server_start(&b) < 0)
                return -1;
        if (pthread_create(&a.thread, NULL, server_main, &a) != 0 ||
            pthread_create(&b.thread, NULL, server_main, &b) != 0)
                return -1;
        check_ok(http_new(&(struct http_options){.stall_timeout = 20, .connect_timeout = 20}, &http));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        http_free(http);
        http = NULL;
        server_stop(&a);
        server_stop(&b);
        return 0;
}

static void script(struct server *s, const char *answer)
{
        assert_true(s->n < ANSWERS);
        s->answers[s->n++] = answer;
}

#define OK(body) "HTTP/1.1 200 OK\r\nContent-Length: " body
#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static char url[100];
static const char *at(const struct server *s, const char *path)
{
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", s->port, path);
        return url;
}

static err *get(const char *where, struct http_answer *ret)
{
        return http_send(http, &(struct http_request){.method = "GET", .url = where, .authorization = "Basic c2VjcmV0"},
                         ret);
}

/* ---- requests and answers ---- */

static void http_send_uses_a_connection_again(void **state)
{
        _cleanup_answer_ struct http_answer one = {0}, two = {0};

        (void)state;
        script(&a, OK("3\r\nX-Thing:  v \r\n\r\nabc"));
        script(&a, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
        check_ok(get(at(&a, "/x?y"), &one));
        assert_int_equal(one.status, 200);
        assert_string_equal(one.data, "abc");
        assert_string_equal(http_answer_header(&one, "x-thing"), "v");
        check_ok(get(at(&a, "/y"), &two));
        assert_int_equal(two.status, 404);
        assert_string_equal(two.data, "no");
        assert_non_null(strstr(a.seen, "GET /x?y HTTP/1.1\r\n"));
        assert_non_null(strstr(a.seen, "Authorization: Basic c2VjcmV0\r\n"));
}

static void http_send_bounds_answers_and_headers(void **state)
{
        _cleanup_free_ char *many = malloc(80000);
        _cleanup_answer_ struct http_answer answer = {0};
        struct http_request r = {.method = "GET", .url = at(&a, "/"), .max_answer = 10};
        size_t n;

        (void)state;
        script(&a, OK("11\r\n\r\nabcdefghijk!"));
        check_code(http_send(http, &r, &answer), ERR_LIMIT);
        /* no length: until the end */
        script(&a, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcdefghijklmnopqrstuvwxyz!");
        check_code(http_send(http, &r, &answer), ERR_LIMIT);
        assert_non_null(many);
        n = (size_t)snprintf(many, 80000, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 1000; i++)
                n += (size_t)snprintf(many + n, 80000 - n, "X-%d: %060d\r\n", i, i);
        (void)snprintf(many + n, 80000 - n, "Content-Length: 0\r\n\r\n!");
        script(&a, many);
        check_code(http_send(http, &r, &answer), ERR_LIMIT);
}

static void http_send_says_why_it_failed(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};
        char want[200];

        (void)state;
        script(&a, "!");
        check_code(get(at(&a, "/"), &answer), ERR_NETWORK);
        assert_true(http_may_retry(http));
        script(&a, "nonsense\r\n\r\n!");
        check_code(get(at(&a, "/"), &answer), ERR_NETWORK);
        script(&a, OK("100\r\n\r\nabc!"));
        check_code(get(at(&a, "/"), &answer), ERR_NETWORK);
        assert_true(http_may_retry(http));
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:1/x");
        (void)snprintf(want, sizeof(want),
                       "Get \"http://127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused");
        check_err(get(url, &answer), want);
        assert_false(http_may_retry(http));
        (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/x", a.port);
        script(&a, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n!");
        (void)snprintf(want, sizeof(want), "Get \"%s\": http: server gave HTTP response to HTTPS client", url);
        check_err(get(url, &answer), want);
        check_code(get("ftp://127.0.0.1/", &answer), ERR_INVALID);
        check_code(get("http://u:p@127.0.0.1/", &answer), ERR_INVALID);
}

static void http_send_refuses_headers_with_line_breaks(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};

        (void)state;
        check_code(http_send(http,
                             &(struct http_request){.method = "GET", .url = at(&a, "/"), .authorization = "x\r\nX: y"},
                             &answer),
                   ERR_INVALID);
        assert_int_equal(a.seen_size, 0);
}

#define A20 "aaaaaaaaaaaaaaaaaaaa"
#define A100 A20 A20 A20 A20 A20
/* A server that sends a few bytes a second is given up: it would need 12 seconds. */
static void http_send_does_not_wait_for_ever(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};
        _cleanup_(http_freep) struct http *hasty = NULL;
        int64_t start = clock_monotonic_ns();

        (void)state;
        check_ok(http_new(&(struct http_options){.stall_timeout = 1}, &hasty));
        script(&a, OK("4000\r\n\r\n~" A100 A100 A100 A100 A100 A100 "!"));
        check_code(http_send(hasty, &(struct http_request){.method = "GET", .url = at(&a, "/")}, &answer), ERR_NETWORK);
        assert_true(clock_monotonic_ns() - start < 10000000000LL);
}

/* Who has got everything may be busy with it for longer. The slow answer's first line ends after 3 seconds. */
static void http_send_waits_for_who_has_got_the_body(void **state)
{
        _cleanup_(stream_freep) struct stream *body = NULL;
        _cleanup_answer_ struct http_answer answer = {0};
        _cleanup_(http_freep) struct http *hasty = NULL;

        (void)state;
        check_ok(http_new(&(struct http_options){.stall_timeout = 2}, &hasty));
        check_ok(stream_open_memory("content", 7, &body));
        script(&a, "~HTTP/1.1 201 " A100 A20 A20 "\r\nContent-Length: 0\r\n\r\n");
        check_ok(http_send(hasty,
                           &(struct http_request){.method = "PUT", .url = at(&a, "/"), .body = body, .body_size = 7},
                           &answer));
        assert_int_equal(answer.status, 201);
}

static void http_send_uses_the_proxies_of_the_environment(void **state)
{
        char proxy[64];
        static char none[] = "no_proxy=direct.test";
        char *environment[] = {proxy, none, NULL};
        _cleanup_answer_ struct http_answer one = {0}, two = {0}, three = {0};
        _cleanup_(http_freep) struct http *h = NULL;

        (void)state;
        (void)snprintf(proxy, sizeof(proxy), "HTTP_PROXY=http://127.0.0.1:%u", a.port);
        check_ok(http_new(
                &(struct http_options){.environment = environment, .connect_timeout = 20, .stall_timeout = 20}, &h));
        script(&a, EMPTY);
        check_ok(http_send(h, &(struct http_request){.method = "GET", .url = "http://far.test/x"}, &one));
        assert_non_null(strstr(a.seen, "GET http://far.test/x HTTP/1.1\r\n"));
        script(&b, EMPTY);
        check_ok(http_send(h, &(struct http_request){.method = "GET", .url = at(&b, "/y")}, &two));
        assert_non_null(strstr(b.seen, "GET /y HTTP/1.1\r\n"));
        check_code(http_send(h, &(struct http_request){.method = "GET", .url = "http://direct.test/"}, &three),
                   ERR_NETWORK);
        assert_int_equal(a.next, 1);
}

/* ---- redirects ---- */

/* Security rows 97 and 101: the other port is another place. */
static void http_send_takes_no_credentials_elsewhere(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};
        static char own[] = "X-Own: secret-header";
        char *own_headers[] = {own, NULL};

        (void)state;
        script(&a, "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:$B/there?sig=1\r\nContent-Length: 0\r\n\r\n");
        script(&b, OK("2\r\n\r\nok"));
        check_ok(http_send(http,
                           &(struct http_request){.method = "GET",
                                                  .url = at(&a, "/"),
                                                  .authorization = "Basic c2VjcmV0",
                                                  .own_headers = own_headers},
                           &answer));
        assert_string_equal(answer.data, "ok");
        assert_non_null(strstr(a.seen, "c2VjcmV0"));
        assert_non_null(strstr(a.seen, "secret-header"));
        assert_non_null(strstr(b.seen, "GET /there?sig=1 "));
        assert_null(strcasestr(b.seen, "authorization"));
        assert_null(strstr(b.seen, "secret"));
}

static void http_send_takes_no_credentials_back_again(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};

        (void)state;
        script(&a, "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:$B/there\r\nContent-Length: 0\r\n\r\n");
        script(&b, "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:$A/delete-everything\r\nContent-Length: 0\r\n\r\n");
        script(&a, OK("2\r\n\r\nok"));
        check_ok(get(at(&a, "/"), &answer));
        assert_null(strcasestr(strstr(a.seen, "GET /delete-everything"), "authorization"));
}

static void http_send_keeps_credentials_at_the_same_place(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};

        (void)state;
        script(&a, "HTTP/1.1 301 M\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n");
        script(&a, OK("2\r\n\r\nok"));
        check_ok(get(at(&a, "/old"), &answer));
        assert_non_null(strcasestr(strstr(a.seen, "GET /new "), "authorization: basic"));
}

static void http_send_ends_redirects_that_do_not_end(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};

        (void)state;
        for (int i = 0; i < 12; i++)
                script(&a, "HTTP/1.1 302 F\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
        check_code(get(at(&a, "/"), &answer), ERR_NETWORK);
        assert_int_equal(a.next, 11);
}

static void http_send_follows_only_addresses_of_http(void **state)
{
        static const char *const bad[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1:$B/",
                                          "http://127.0.0.1:$B@evil/", "gopher://x"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_answer_ struct http_answer answer = {0};
                static char texts[5][200];

                (void)snprintf(texts[i], sizeof(texts[i]),
                               "HTTP/1.1 302 F\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", bad[i]);
                script(&a, texts[i]);
                check_code(get(at(&a, "/"), &answer), ERR_INVALID);
        }
        assert_int_equal(b.seen_size, 0);
}

/* What a redirect's address has behind '?' is a signature. */
static void http_send_shows_no_signature(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};
        char text[512];
        err *e;

        (void)state;
        script(&a, "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:$B/x?sig=marker\r\nContent-Length: 0\r\n\r\n");
        script(&b, "HTTP/1.1 302 F\r\nLocation: ftp://other/\r\nContent-Length: 0\r\n\r\n");
        e = get(at(&a, "/"), &answer);
        assert_int_equal(err_code(e), ERR_INVALID);
        assert_null(strstr(err_text(e, text, sizeof(text)), "marker"));
        assert_non_null(strstr(text, "redirects"));
        err_free(e);
}

static void http_send_does_not_send_a_body_twice(void **state)
{
        _cleanup_(stream_freep) struct stream *body = NULL;
        _cleanup_answer_ struct http_answer answer = {0};

        (void)state;
        check_ok(stream_open_memory("secret", 6, &body));
        script(&a, "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:$B/\r\nContent-Length: 0\r\n\r\n");
        check_ok(http_send(http,
                           &(struct http_request){.method = "PUT", .url = at(&a, "/"), .body = body, .body_size = 6},
                           &answer));
        assert_int_equal(answer.status, 307);
        assert_int_equal(b.seen_size, 0);
}

/* ---- streams ---- */

static void http_open_gives_the_body_piece_by_piece(void **state)
{
        _cleanup_(stream_freep) struct stream *s = NULL;
        _cleanup_answer_ struct http_answer answer = {0}, again = {0};
        char buf[16];
        size_t n;

        (void)state;
        script(&a, OK("10\r\n\r\n0123456789"));
        script(&a, EMPTY);
        check_ok(http_open(http, &(struct http_request){.method = "GET", .url = at(&a, "/")}, &answer, &s));
        check_code(get(at(&a, "/"), &again), ERR_INTERNAL); /* one at a time */
        check_ok(stream_read_full(s, buf, 4, &n));
        assert_memory_equal(buf, "0123", 4);
        check_ok(stream_read_full(s, buf, sizeof(buf), &n));
        assert_int_equal(n, 6);
        check_ok(stream_read(s, buf, sizeof(buf), &n));
        assert_int_equal(n, 0);
        stream_free(TAKE_PTR(s));
        check_ok(get(at(&a, "/"), &again));
}

static void http_open_fails_when_the_connection_breaks(void **state)
{
        _cleanup_(stream_freep) struct stream *s = NULL;
        _cleanup_answer_ struct http_answer answer = {0};
        char buf[64];
        size_t n;

        (void)state;
        script(&a, OK("1000\r\n\r\n0123456789!"));
        check_ok(http_open(http, &(struct http_request){.method = "GET", .url = at(&a, "/")}, &answer, &s));
        check_ok(stream_read(s, buf, sizeof(buf), &n));
        assert_int_equal(n, 10);
        check_code(stream_read(s, buf, sizeof(buf), &n), ERR_NETWORK);
        assert_true(http_may_retry(http));
}

static void http_open_keeps_what_a_failure_says(void **state)
{
        _cleanup_answer_ struct http_answer answer = {0};
        struct stream *s = NULL;

        (void)state;
        script(&a, "HTTP/1.1 404 N\r\nContent-Length: 2\r\n\r\nno");
        check_ok(http_open(http, &(struct http_request){.method = "GET", .url = at(&a, "/")}, &answer, &s));
        assert_null(s);
        assert_string_equal(answer.data, "no");
}

/* ---- the client ---- */

static struct registry *open_registry(bool push, const char *creds)
{
        struct registry_options o = {
                .push = push, .tls_verify = -1, .creds = creds, .timeout = 20, .system_root = "/nonexistent"};
        struct reference r = {0};
        struct registry *ret = NULL;
        char name[64];

        (void)snprintf(name, sizeof(name), "127.0.0.1:%u/a/b:1", a.port);
        check_ok(reference_parse(name, true, &r));
        check_ok(registry_open(&o, &r, &ret));
        reference_done(&r);
        return ret;
}

#define BEARER(realm)                                                                                                  \
        "HTTP/1.1 401 U\r\nWWW-Authenticate: Bearer realm=\"" realm "\",service=\"s\"\r\nContent-Length: 0\r\n\r\n"

static void registry_manifest_get_fetches_a_token_and_renews_it(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, "u:p");
        _cleanup_document_ struct registry_document d = {0};

        (void)state;
        script(&a, BEARER("http://127.0.0.1:$B/token?x=y"));
        script(&b, OK("$L\r\n\r\n{\"token\":\"tok1\"}"));
        script(&a, BEARER("http://127.0.0.1:$B/token"));
        script(&b, OK("$L\r\n\r\n{\"access_token\":\"tok2\"}"));
        script(&a, OK("$L\r\nContent-Type: x/y; charset=utf-8\r\n\r\n{}"));
        check_ok(registry_manifest_get(r, "1", &d));
        assert_string_equal(d.media_type, "x/y");
        assert_non_null(strstr(b.seen, "GET /token?x=y&service=s&scope=repository%3Aa%2Fb%3Apull&account=u"));
        assert_non_null(strstr(b.seen, "Authorization: Basic dTpw\r\n"));
        assert_non_null(strstr(a.seen, "Authorization: Bearer tok1\r\n"));
        assert_non_null(strstr(a.seen, "Authorization: Bearer tok2\r\n"));
        assert_null(strstr(a.seen, "dTpw"));
}

/* A token for more than was asked for is renewed as well. */
static void registry_manifest_get_renews_a_wider_token(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, NULL);
        _cleanup_document_ struct registry_document one = {0}, two = {0};

        (void)state;
        script(&a, BEARER("http://127.0.0.1:$B/token"));
        script(&b, OK("$L\r\n\r\n{\"token\":\"tok1\"}"));
        script(&a,
               "HTTP/1.1 401 U\r\nWWW-Authenticate: Bearer realm=\"x\",scope=\"more\"\r\nContent-Length: 0\r\n\r\n");
        script(&b, OK("$L\r\n\r\n{\"token\":\"tok2\"}"));
        script(&a, OK("$L\r\n\r\n{}"));
        check_ok(registry_manifest_get(r, "1", &one));
        assert_non_null(strstr(b.seen, "scope=repository%3Aa%2Fb%3Apull&scope=more"));
        script(&a, BEARER("http://127.0.0.1:$B/token")); /* tok2 is not good any more */
        script(&b, OK("$L\r\n\r\n{\"token\":\"tok3\"}"));
        script(&a, OK("$L\r\n\r\n{}"));
        check_ok(registry_manifest_get(r, "1", &two));
        assert_non_null(strstr(a.seen, "Bearer tok3"));
}

/* --creds are for the registry that the name has. */
static void registry_manifest_get_gives_mirrors_no_password_of_the_registry(void **state)
{
        char path[] = "/tmp/hod-test-http-XXXXXX", variable[100], text[200], name[64];
        _cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
        char *environment[] = {variable, NULL};
        struct registry_options o = {.tls_verify = -1,
                                     .creds = "u:p",
                                     .timeout = 20,
                                     .environment = environment,
                                     .system_root = "/nonexistent"};
        _cleanup_(registry_freep) struct registry *r = NULL;
        _cleanup_document_ struct registry_document d = {0};
        _cleanup_reference_ struct reference ref = {0};

        (void)state;
        (void)snprintf(text, sizeof(text),
                       "[[registry]]\nlocation = \"127.0.0.1:%u\"\n[[registry.mirror]]\nlocation = \"127.0.0.1:%u\"\n",
                       a.port, b.port);
        (void)snprintf(variable, sizeof(variable), "CONTAINERS_REGISTRIES_CONF=%s", path);
        (void)snprintf(name, sizeof(name), "127.0.0.1:%u/a/b:1", a.port);
        assert_true(fd >= 0 && file_write_all(fd, text, strlen(text)) == 0);
        check_ok(reference_parse(name, true, &ref));
        check_ok(registry_open(&o, &ref, &r));
        assert_int_equal(unlink(path), 0);
        script(&b, "HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
        script(&a, "HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
        script(&a, OK("$L\r\n\r\n{}"));
        check_ok(registry_manifest_get(r, "1", &d));
        assert_non_null(strstr(a.seen, "Authorization: Basic dTpw"));
        assert_non_null(strstr(b.seen, "GET /v2/ "));
        assert_null(strstr(b.seen, "dTpw"));
}

/* Security row 100, on the wire. */
static void registry_manifest_get_sends_no_password_to_a_foreign_realm(void **state)
{
        static const char *const realms[] = {BEARER("http://other.test/token"), BEARER("http://u@127.0.0.1:$B/"),
                                             BEARER("https://192.0.2.1/token"), BEARER("ftp://127.0.0.1/")};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(realms); i++) {
                _cleanup_(registry_freep) struct registry *r = open_registry(false, "u:p");
                _cleanup_document_ struct registry_document d = {0};
                err *e;

                script(&a, realms[i]);
                e = registry_manifest_get(r, "1", &d);
                assert_true(err_code(e) == ERR_DENIED || err_code(e) == ERR_INVALID);
                err_free(e);
        }
        assert_int_equal(b.seen_size, 0);
        assert_null(strstr(a.seen, "dTpw"));
}

static void registry_manifest_get_asks_a_busy_server_again(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, NULL);
        _cleanup_document_ struct registry_document d = {0};

        (void)state;
        script(&a, EMPTY);
        script(&a, "HTTP/1.1 429 T\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
        script(&a, "HTTP/1.1 503 S\r\nContent-Length: 0\r\n\r\n!");
        script(&a, "!");
        script(&a, OK("$L\r\n\r\n{}"));
        check_ok(registry_manifest_get(r, "1", &d));
}

static void registry_manifest_get_gives_up(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, NULL);
        _cleanup_document_ struct registry_document d = {0};

        (void)state;
        script(&a, EMPTY);
        script(&a, "HTTP/1.1 429 T\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n");
        check_code(registry_manifest_get(r, "1", &d), ERR_NETWORK);
        assert_int_equal(a.next, 2);
}

/* Security rows 91 and 95: what the server says of a digest is compared, never believed. */
static void registry_manifest_get_compares_digests(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, NULL);
        _cleanup_document_ struct registry_document d = {0};
        const char *zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        struct digest digest;
        char *data;
        size_t n;

        (void)state;
        script(&a, EMPTY);
        script(&a, OK("$L\r\n\r\n{}"));
        check_code(registry_manifest_get(r, zeros, &d), ERR_DIGEST);
        script(&a, OK("$L\r\nDocker-Content-Digest: "
                      "sha256:0000000000000000000000000000000000000000000000000000000000000000\r\n\r\n{}"));
        check_code(registry_manifest_get(r, "1", &d), ERR_DIGEST);
        script(&a, OK("$L\r\nDocker-Content-Digest: sha256:../../x\r\n\r\n{}"));
        check_code(registry_manifest_get(r, "1", &d), ERR_INVALID);
        check_ok(digest_parse(zeros, &digest));
        script(&a, OK("$L\r\n\r\n{}"));
        check_code(registry_blob_get(r, &digest, 100, &data, &n), ERR_DIGEST);
        script(&a, OK("200\r\n\r\n{}!"));
        check_code(registry_blob_get(r, &digest, 1, &data, &n), ERR_LIMIT);
}

static void registry_blob_open_refuses_another_part(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, NULL);
        struct stream *s = NULL;
        struct digest digest;
        uint64_t offset = 5;
        char buf[16];
        size_t n;

        (void)state;
        digest_of("0123456789", 10, &digest);
        script(&a, EMPTY);
        script(&a, "HTTP/1.1 206 P\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n456789");
        check_code(registry_blob_open(r, &digest, &offset, &s), ERR_CORRUPT);
        script(&a, "HTTP/1.1 206 P\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n56789");
        check_ok(registry_blob_open(r, &digest, &offset, &s));
        assert_int_equal(offset, 5);
        check_ok(stream_read_full(s, buf, sizeof(buf), &n));
        assert_int_equal(n, 5);
        stream_free(s);
        /* a server that does not know ranges */
        script(&a, OK("10\r\n\r\n0123456789"));
        check_ok(registry_blob_open(r, &digest, &offset, &s));
        assert_int_equal(offset, 0);
        stream_free(s);
}

static err *open_text(void *arg, struct stream **ret)
{
        return stream_open_memory(arg, strlen(arg), ret);
}

/* Security row 101: where to upload to is the registry's to say, but the token stays. */
static void registry_blob_put_takes_no_token_elsewhere(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(true, "u:p");
        static char text[] = "content";
        struct registry_upload u = {.open = open_text, .arg = text, .size = 7};
        struct digest digest, got;

        (void)state;
        digest_of(text, 7, &digest);
        u.digest = &digest;
        script(&a, BEARER("http://127.0.0.1:$A/token"));
        script(&a, OK("$L\r\n\r\n{\"token\":\"tok1\"}"));
        script(&a, "HTTP/1.1 202 A\r\nLocation: http://127.0.0.1:$B/up?x=1\r\nContent-Length: 0\r\n\r\n");
        script(&b, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n");
        check_ok(registry_blob_put(r, &u, &got));
        assert_true(digest_equal(&got, &digest));
        assert_non_null(strstr(a.seen, "Bearer tok1"));
        assert_non_null(strstr(b.seen, "PUT /up?x=1&digest=sha256:"));
        assert_null(strcasestr(b.seen, "authorization"));
}

static void registry_blob_put_goes_on_where_it_broke_off(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(true, NULL);
        static char text[] = "0123456789";
        struct registry_upload u = {.open = open_text, .arg = text, .size = 10};
        struct digest digest, got;

        (void)state;
        digest_of(text, 10, &digest);
        u.digest = &digest;
        script(&a, EMPTY);
        script(&a, "HTTP/1.1 202 A\r\nLocation: /up\r\nContent-Length: 0\r\n\r\n");
        script(&a, "!");
        script(&a, "HTTP/1.1 204 N\r\nRange: 0-3\r\nLocation: /up2\r\n\r\n");
        script(&a, "HTTP/1.1 202 A\r\nLocation: /up3\r\nContent-Length: 0\r\n\r\n");
        script(&a, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n");
        check_ok(registry_blob_put(r, &u, &got));
        assert_true(digest_equal(&got, &digest));
        assert_non_null(strstr(a.seen, "PATCH /up2 HTTP/1.1\r\n"));
        assert_non_null(strstr(a.seen, "Content-Range: 4-9\r\n"));
        assert_non_null(strstr(a.seen, "\r\n\r\n456789PUT /up3?digest="));
}

static void registry_tags_ends_lists_that_do_not_end(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, NULL);
        _cleanup_strv_ char **tags = NULL;

        (void)state;
        script(&a, EMPTY);
        script(&a, OK("$L\r\nLink: </v2/a/b/tags/list?last=x>; rel=\"next\"\r\n\r\n{\"tags\":[\"x\",\"y\"]}"));
        script(&a, OK("$L\r\n\r\n{\"tags\":[\"z\"]}"));
        check_ok(registry_tags(r, &tags));
        assert_int_equal(strv_len(tags), 3);
        assert_string_equal(tags[2], "z");
        script(&a, OK("$L\r\n\r\n{\"tags\":[\"../../x\"]}"));
        check_code(registry_tags(r, &tags), ERR_INVALID);
}

static char *logged;
static void log_line(const char *level, const char *text)
{
        char *more = str_format("%s%s %s\n", logged ? logged : "", level, text);

        free(logged);
        logged = more;
}

/* Security row 128: nothing secret is logged, at any level. */
static void registry_logs_no_secret(void **state)
{
        _cleanup_(registry_freep) struct registry *r = open_registry(false, "user:marker-password");
        _cleanup_document_ struct registry_document d = {0};

        (void)state;
        log_setup_writer(LOG_LEVEL_DEBUG, log_line);
        script(&a, BEARER("http://127.0.0.1:$A/token"));
        script(&a, OK("$L\r\n\r\n{\"token\":\"marker-token\"}"));
        script(&a,
               "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:$B/x?sig=marker-signature\r\nContent-Length: 0\r\n\r\n");
        script(&b, OK("$L\r\n\r\n{}"));
        check_ok(registry_manifest_get(r, "1", &d));
        log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
        assert_non_null(logged);
        assert_non_null(strstr(logged, "/token"));
        assert_null(strstr(logged, "marker"));
        assert_null(strstr(logged, "Basic "));
        free(logged);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(http_send_uses_a_connection_again),
                TEST(http_send_bounds_answers_and_headers),
                TEST(http_send_says_why_it_failed),
                TEST(http_send_refuses_headers_with_line_breaks),
                TEST(http_send_does_not_wait_for_ever),
                TEST(http_send_waits_for_who_has_got_the_body),
                TEST(http_send_uses_the_proxies_of_the_environment),
                TEST(http_send_takes_no_credentials_elsewhere),
                TEST(http_send_takes_no_credentials_back_again),
                TEST(http_send_keeps_credentials_at_the_same_place),
                TEST(http_send_ends_redirects_that_do_not_end),
                TEST(http_send_follows_only_addresses_of_http),
                TEST(http_send_shows_no_signature),
                TEST(http_send_does_not_send_a_body_twice),
                TEST(http_open_gives_the_body_piece_by_piece),
                TEST(http_open_fails_when_the_connection_breaks),
                TEST(http_open_keeps_what_a_failure_says),
                TEST(registry_manifest_get_fetches_a_token_and_renews_it),
                TEST(registry_manifest_get_renews_a_wider_token),
                TEST(registry_manifest_get_gives_mirrors_no_password_of_the_registry),
                TEST(registry_manifest_get_sends_no_password_to_a_foreign_realm),
                TEST(registry_manifest_get_asks_a_busy_server_again),
                TEST(registry_manifest_get_gives_up),
                TEST(registry_manifest_get_compares_digests),
                TEST(registry_blob_open_refuses_another_part),
                TEST(registry_blob_put_takes_no_token_elsewhere),
                TEST(registry_blob_put_goes_on_where_it_broke_off),
                TEST(registry_tags_ends_lists_that_do_not_end),
                TEST(registry_logs_no_secret),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
