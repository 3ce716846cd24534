/* Unit tests of runtime/checkpoint: what is asked of criu, and how its answers are read. */
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/protobuf.h"
#include "runtime/checkpoint_request.h"

/* ---- requests, read back ---- */

/* The first field @number of a message as text or as a number; false if it is not there. */
static bool field(struct protobuf p, uint32_t number, struct protobuf_field *ret)
{
        for (;;) {
                check_ok(protobuf_next(&p, ret));
                if (!ret->number)
                        return false;
                if (ret->number == number)
                        return true;
        }
}

static struct protobuf opts_of(const struct str *request)
{
        struct protobuf p = {(const uint8_t *)request->data, request->len};
        struct protobuf_field f;

        assert_true(field(p, 2, &f));
        return protobuf_message(&f);
}

static uint64_t number_of(const struct str *request, uint32_t option)
{
        struct protobuf_field f;

        return field(opts_of(request), option, &f) ? f.n : UINT64_MAX;
}

static void has_text(const struct str *request, uint32_t option, const char *want)
{
        struct protobuf_field f;

        if (!want) {
                assert_false(field(opts_of(request), option, &f));
                return;
        }
        assert_true(field(opts_of(request), option, &f));
        assert_int_equal(f.size, strlen(want));
        assert_memory_equal(f.data, want, f.size);
}

/* "key=value" of all pairs @option, one a line. */
static char *pairs(const struct str *request, uint32_t option)
{
        struct protobuf p = opts_of(request);
        struct protobuf_field f, k, v;
        struct str text = {0};
        char *ret;

        for (;;) {
                check_ok(protobuf_next(&p, &f));
                if (!f.number)
                        break;
                if (f.number != option)
                        continue;
                assert_true(field(protobuf_message(&f), 1, &k));
                assert_true(field(protobuf_message(&f), 2, &v));
                str_add_n(&text, (const char *)k.data, k.size);
                str_add_char(&text, '=');
                if (v.type == PROTOBUF_VARINT)
                        str_printf(&text, "%d", protobuf_int32(&v));
                else
                        str_add_n(&text, (const char *)v.data, v.size);
                str_add_char(&text, '\n');
        }
        check_ok(str_take(&text, &ret));
        return ret;
}

/* ---- a container ---- */

static struct oci_spec *spec_of(const char *more)
{
        _cleanup_free_ char *text =
                str_format("{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"rootfs\"}, \"process\": "
                           "{\"cwd\": \"/\", \"args\": [\"sh\"], \"user\": {\"uid\": 0, \"gid\": 0}}%s}",
                           more);
        _cleanup_json_ json *j = NULL;
        struct oci_spec *s;

        check_ok(json_parse(text, strlen(text), &j));
        check_ok(oci_spec_from_json(j, &s));
        return s;
}

static struct checkpoint_container container(const struct oci_spec *s)
{
        return (struct checkpoint_container){.id = "c",
                                             .spec = s,
                                             .bundle = "/b",
                                             .rootfs = "/b/rootfs",
                                             .cgroup = "/x/c",
                                             .pid = 4711,
                                             .pidfd = -1};
}

static const struct checkpoint_options plain = {
        .image_fd = 7, .work_fd = -1, .log_dir = "d", .cgroups = CHECKPOINT_CGROUPS_DEFAULT, .status_fd = -1};

/* "/conf" is a link to "/real/conf", "/dir" a directory; the rest is not known. */
static const char *resolve(void *data, struct arena *a, const char *destination, bool *ret_is_dir)
{
        (void)data;
        *ret_is_dir = strcmp(destination, "/dir") == 0;
        return strcmp(destination, "/conf") == 0 ? arena_printf(a, "/real/conf")
               : *ret_is_dir                     ? arena_printf(a, "/dir")
                                                 : NULL;
}

static const struct checkpoint_mount *mount_of(const struct checkpoint_mounts *m, const char *key)
{
        for (size_t i = 0; i < m->n; i++)
                if (strcmp(m->mount[i].key, key) == 0)
                        return &m->mount[i];
        return NULL;
}

/* ---- mounts ---- */

static void mounts_find_bind_mounts_masks_and_devices(void **state)
{
        struct oci_spec *s = spec_of(", \"mounts\": ["
                                     "{\"destination\": \"/conf/\", \"source\": \".\", \"options\": [\"bind\"]},"
                                     "{\"destination\": \"/data\", \"source\": \"/srv/../srv/x\", \"type\": \"bind\"},"
                                     "{\"destination\": \"/tmp\", \"source\": \"tmpfs\", \"type\": \"tmpfs\"},"
                                     "{\"destination\": \"/data\", \"options\": [\"remount\", \"ro\", \"bind\"]}],"
                                     "\"linux\": {\"maskedPaths\": [\"/proc/kcore\", \"/dir\"], \"devices\": "
                                     "[{\"type\": \"c\", \"path\": \"/dev/fuse\", \"major\": 10, \"minor\": 229}]}");
        _cleanup_checkpoint_mounts_ struct checkpoint_mounts m;
        struct checkpoint_container c = container(s);

        (void)state;
        check_ok(checkpoint_mounts_find(&c, resolve, NULL, &m));
        assert_string_equal(mount_of(&m, "/real/conf")->source, "/b");
        assert_string_equal(mount_of(&m, "/data")->source, "/srv/x");
        assert_string_equal(mount_of(&m, "/proc/kcore")->source, "/dev/null");
        assert_string_equal(mount_of(&m, "/dev/null")->source, "/dev/null");
        assert_string_equal(mount_of(&m, "/dev/fuse")->source, "/dev/fuse");
        assert_string_equal(mount_of(&m, "/dev/zero")->source, "/dev/zero");
        assert_null(mount_of(&m, "/tmp"));
        assert_null(mount_of(&m, "/dir")); /* masked by a file system of the container's own */
        oci_spec_free(s);
}

/* Row 41 of the catalogue of weaknesses: CVE-2026-115520. */
static void mounts_find_refuses_names_that_criu_reads_as_two(void **state)
{
        static const struct {
                const char *mount, *message;
        } cases[] = {
                {"{\"destination\": \"/x]:/etc\", \"source\": \"/srv\", \"options\": [\"bind\"]}",
                 "criu cannot handle mount /x]:/etc: there is \"]:\" in its name"},
                {"{\"destination\": \"/x\", \"source\": \"/srv/a]:/etc\", \"options\": [\"bind\"]}",
                 "criu cannot handle mount /srv/a]:/etc: there is \"]:\" in its name"},
                {"{\"destination\": \"/x\\ny\", \"source\": \"/srv\", \"options\": [\"bind\"]}",
                 "criu cannot handle a mount with control characters in its name"},
                {"{\"destination\": \"/x\", \"source\": \"/srv\", \"options\": [\"bind\", \"idmap\"]}",
                 "criu cannot handle mount /x: its ids are mapped"},
                {"{\"destination\": \"/x\", \"source\": \"/srv\", \"options\": [\"bind\", \"src-nofollow\"]}",
                 "criu cannot handle mount /x: it is on, or of, a symbolic link"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *more = str_format(", \"mounts\": [%s]", cases[i].mount);
                _cleanup_checkpoint_mounts_ struct checkpoint_mounts m;
                struct oci_spec *s = spec_of(more);
                struct checkpoint_container c = container(s);

                check_err(checkpoint_mounts_find(&c, resolve, NULL, &m), cases[i].message);
                oci_spec_free(s);
        }
}

static void mounts_find_accepts_names_that_only_look_odd(void **state)
{
        struct oci_spec *s = spec_of(", \"mounts\": [{\"destination\": \"/a[1],b=c]\", \"source\": \"/s:[x]\", "
                                     "\"options\": [\"bind\"]}]");
        _cleanup_checkpoint_mounts_ struct checkpoint_mounts m;
        struct checkpoint_container c = container(s);

        (void)state;
        check_ok(checkpoint_mounts_find(&c, resolve, NULL, &m));
        assert_string_equal(mount_of(&m, "/a[1],b=c]")->source, "/s:[x]");
        oci_spec_free(s);
}

/* ---- dump ---- */

static void request_dump_says_what_was_asked_for(void **state)
{
        struct oci_spec *s = spec_of("");
        struct checkpoint_container c = container(s);
        struct checkpoint_options o = plain;
        struct checkpoint_mount mount[] = {{"/real/conf", "/b"}, {"/proc/kcore", "/dev/null"}};
        struct checkpoint_mounts m = {.mount = mount, .n = 2};
        _cleanup_str_ struct str r = {0};
        _cleanup_free_ char *ext = NULL, *server = NULL;

        (void)state;
        o.work_fd = 9;
        o.leave_running = o.tcp_established = o.tcp_skip_in_flight = o.link_remap = o.ext_unix_sk = o.shell_job = true;
        o.file_locks = o.auto_dedup = o.lazy_pages = true;
        o.cgroups = CHECKPOINT_CGROUPS_STRICT;
        o.network_lock = CHECKPOINT_LOCK_NFTABLES;
        o.empty_ns = CLONE_NEWNET;
        o.parent = "../before";
        o.page_server = "10.0.0.1";
        o.page_server_port = 27277;
        check_ok(checkpoint_request_dump(&c, &o, &m, "/sys/fs/cgroup/freezer/x/c", &r));
        assert_memory_equal(r.data, "\x08\x01", 2); /* DUMP */
        assert_int_equal(number_of(&r, 1), 7);
        assert_int_equal(number_of(&r, 2), 4711);
        for (uint32_t option = 3; option <= 8; option++)
                assert_int_equal(number_of(&r, option), option == 6 ? UINT64_MAX : 1);
        has_text(&r, 10, "dump.log");
        has_text(&r, 13, "/b/rootfs");
        has_text(&r, 14, "../before");
        assert_int_equal(number_of(&r, 15), 1);
        assert_int_equal(number_of(&r, 16), 1);
        assert_int_equal(number_of(&r, 17), 9);
        assert_int_equal(number_of(&r, 18), 1);
        assert_int_equal(number_of(&r, 34), 5);
        assert_int_equal(number_of(&r, 38), CLONE_NEWNET);
        has_text(&r, 44, "/sys/fs/cgroup/freezer/x/c");
        assert_int_equal(number_of(&r, 46), 1);
        assert_int_equal(number_of(&r, 48), 1);
        assert_int_equal(number_of(&r, 50), 1);
        assert_int_equal(number_of(&r, 64), 2);
        ext = pairs(&r, 23);
        assert_string_equal(ext, "/real/conf=/real/conf\n/proc/kcore=/dev/null\n");
        server = pairs(&r, 11);
        assert_string_equal(server, "10.0.0.1=27277\n");
        oci_spec_free(s);
}

static void request_dump_leaves_out_what_was_not_asked_for(void **state)
{
        struct oci_spec *s = spec_of("");
        struct checkpoint_container c = container(s);
        struct checkpoint_options o = plain;
        struct checkpoint_mounts m = {.n = 0};
        _cleanup_str_ struct str r = {0};

        (void)state;
        o.pre_dump = true;
        check_ok(checkpoint_request_dump(&c, &o, &m, NULL, &r));
        assert_memory_equal(r.data, "\x08\x04", 2); /* PRE_DUMP */
        assert_int_equal(number_of(&r, 3), 0);
        has_text(&r, 11, NULL);
        has_text(&r, 14, NULL);
        has_text(&r, 17, NULL);
        has_text(&r, 23, NULL);
        has_text(&r, 37, NULL);
        has_text(&r, 44, NULL);
        has_text(&r, 64, NULL);
        oci_spec_free(s);
}

static void request_dump_names_joined_namespaces_by_inode(void **state)
{
        struct oci_spec *s = spec_of(", \"linux\": {\"namespaces\": [{\"type\": \"network\", \"path\": "
                                     "\"/proc/self/ns/net\"}]}");
        struct checkpoint_container c = container(s);
        struct checkpoint_mounts m = {.n = 0};
        _cleanup_str_ struct str r = {0};
        _cleanup_free_ char *want = NULL;
        char link[64];
        ssize_t n = readlink("/proc/self/ns/net", link, sizeof(link) - 1);

        (void)state;
        assert_true(n > 4);
        link[n] = '\0'; /* "net:[4026531840]" */
        want = str_format("net%s:extRootNetNS", link + 4);
        check_ok(checkpoint_request_dump(&c, &plain, &m, NULL, &r));
        has_text(&r, 37, want);
        oci_spec_free(s);
}

static void requests_name_the_containers_criu_configuration(void **state)
{
        struct checkpoint_mounts m = {.n = 0};
        static const struct {
                const char *annotations, *want, *error;
        } cases[] = {
                {", \"annotations\": {\"org.criu.config\": \"/etc/criu/c.conf\"}", "/etc/criu/c.conf", NULL},
                {", \"annotations\": {\"org.criu.config\": \"\"}", NULL, NULL},
                {", \"annotations\": {\"org.criu.config\": \"/srv/volume/c.conf\"}", NULL,
                 "annotation org.criu.config: /srv/volume/c.conf is not a file below /etc/criu"},
                {", \"annotations\": {\"org.criu.config\": \"/etc/criu/../../srv/c.conf\"}", NULL,
                 "annotation org.criu.config: /etc/criu/../../srv/c.conf is not a file below /etc/criu"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct oci_spec *s = spec_of(cases[i].annotations);
                struct checkpoint_container c = container(s);
                _cleanup_str_ struct str r = {0};
                err *e = checkpoint_request_dump(&c, &plain, &m, NULL, &r);

                if (cases[i].error) {
                        check_err(e, cases[i].error);
                } else {
                        check_ok(e);
                        has_text(&r, 51, cases[i].want);
                }
                oci_spec_free(s);
        }
}

/* ---- restore ---- */

static void request_restore_takes_sources_from_the_bundle(void **state)
{
        struct oci_spec *s = spec_of(", \"linux\": {\"namespaces\": [{\"type\": \"ipc\", \"path\": "
                                     "\"/proc/self/ns/ipc\"}]}");
        struct checkpoint_container c = container(s);
        struct checkpoint_options o = plain;
        struct checkpoint_mount mount[] = {{"/real/conf", "/b"}, {"/dev/null", "/dev/null"}};
        struct checkpoint_mounts m = {.mount = mount, .n = 2};
        struct checkpoint_inherit inherit[] = {{"pipe:[5]", 1}, {"extRootNetNS", 6}};
        _cleanup_free_ char *ext = NULL, *fds = NULL, *joined = NULL;
        _cleanup_str_ struct str r = {0};
        struct protobuf_field f;

        (void)state;
        o.tcp_close = true;
        o.lsm_profile = "apparmor:x";
        o.lsm_mount_context = "ctx";
        check_ok(checkpoint_request_restore(&c, &o, &m, "/run/place", inherit, 2, &r));
        assert_memory_equal(r.data, "\x08\x02", 2); /* RESTORE */
        assert_int_equal(number_of(&r, 6), 1);
        has_text(&r, 10, "restore.log");
        has_text(&r, 13, "/run/place");
        ext = pairs(&r, 23);
        assert_string_equal(ext, "/real/conf=/b\n/dev/null=/dev/null\n");
        assert_true(field(opts_of(&r), 25, &f));
        assert_true(field(protobuf_message(&f), 2, &f));
        assert_memory_equal(f.data, "/x/c", 4);
        assert_int_equal(number_of(&r, 26), 1); /* our child */
        fds = pairs(&r, 27);
        assert_string_equal(fds, "pipe:[5]=1\nextRootNetNS=6\n");
        joined = pairs(&r, 39);
        assert_string_equal(joined, "ipc=/proc/self/ns/ipc\n");
        assert_int_equal(number_of(&r, 52), 1);
        has_text(&r, 53, "apparmor:x");
        has_text(&r, 63, "ctx");
        oci_spec_free(s);
}

static void request_restore_refuses_a_cgroup_namespace_to_join(void **state)
{
        struct oci_spec *s = spec_of(", \"linux\": {\"namespaces\": [{\"type\": \"cgroup\", \"path\": "
                                     "\"/proc/self/ns/cgroup\"}]}");
        struct checkpoint_container c = container(s);
        struct checkpoint_mounts m = {.n = 0};
        _cleanup_str_ struct str r = {0};

        (void)state;
        check_err(checkpoint_request_restore(&c, &plain, &m, "/p", NULL, 0, &r),
                  "criu cannot restore into an existing cgroup namespace");
        oci_spec_free(s);
}

/* ---- words ---- */

static void cgroups_parse_knows_runcs_modes(void **state)
{
        enum checkpoint_cgroups mode;

        (void)state;
        check_ok(checkpoint_cgroups_parse(NULL, &mode));
        assert_int_equal(mode, 6);
        check_ok(checkpoint_cgroups_parse("soft", &mode));
        assert_int_equal(mode, 3);
        check_ok(checkpoint_cgroups_parse("ignore", &mode));
        assert_int_equal(mode, 0);
        check_err(checkpoint_cgroups_parse("hard", &mode), "invalid manage-cgroups-mode value");
}

static void network_lock_parse_knows_crius_methods(void **state)
{
        enum checkpoint_network_lock lock;

        (void)state;
        check_ok(checkpoint_network_lock_parse("", &lock));
        assert_int_equal(lock, CHECKPOINT_LOCK_DEFAULT);
        check_ok(checkpoint_network_lock_parse("skip", &lock));
        assert_int_equal(lock, 3);
        check_code(checkpoint_network_lock_parse("ipchains", &lock), ERR_INVALID);
}

/* ---- answers ---- */

static void parse_reads_notifications_results_and_versions(void **state)
{
        static const char notify[] = "\x08\x06\x10\x01\x2a\x10\x0a\x0cpost-restore\x10\x2a";
        static const char failed[] = "\x08\x01\x10\x00\x38\x5f\x4a\x03"
                                     "bad";
        static const char version[] = "\x08\x0a\x10\x01\x52\x06\x08\x04\x10\x02\x20\x01";
        static const char features[] = "\x08\x09\x10\x01\x42\x04\x08\x00\x10\x01";
        struct checkpoint_criu_reply r;

        (void)state;
        check_ok(checkpoint_criu_parse(notify, sizeof(notify) - 1, &r));
        assert_int_equal(r.type, CRIU_NOTIFY);
        assert_true(r.success);
        assert_string_equal(r.script, "post-restore");
        assert_int_equal(r.pid, 42);
        assert_int_equal(r.fd, -1);
        checkpoint_criu_reply_done(&r);

        check_ok(checkpoint_criu_parse(failed, sizeof(failed) - 1, &r));
        assert_false(r.success);
        check_err(checkpoint_criu_error(&r), "criu failed: type DUMP errno 95: bad");
        checkpoint_criu_reply_done(&r);

        check_ok(checkpoint_criu_parse(version, sizeof(version) - 1, &r));
        assert_int_equal(r.version, 40201);
        checkpoint_criu_reply_done(&r);

        check_ok(checkpoint_criu_parse(features, sizeof(features) - 1, &r));
        assert_false(r.mem_track);
        assert_true(r.lazy_pages);
        checkpoint_criu_reply_done(&r);
}

static void parse_refuses_damaged_answers(void **state)
{
        struct checkpoint_criu_reply r;

        (void)state;
        check_code(checkpoint_criu_parse("\x08", 1, &r), ERR_CORRUPT);
        check_code(checkpoint_criu_parse("\x2a\x05\x0a\x01", 4, &r), ERR_CORRUPT);
        check_code(checkpoint_criu_parse("\x4a\x02"
                                         "a\0",
                                         4, &r),
                   ERR_CORRUPT);
        check_code(checkpoint_criu_parse("\x48\x01", 2, &r), ERR_CORRUPT); /* a message that is a number */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(mounts_find_bind_mounts_masks_and_devices),
                cmocka_unit_test(mounts_find_refuses_names_that_criu_reads_as_two),
                cmocka_unit_test(mounts_find_accepts_names_that_only_look_odd),
                cmocka_unit_test(request_dump_says_what_was_asked_for),
                cmocka_unit_test(request_dump_leaves_out_what_was_not_asked_for),
                cmocka_unit_test(request_dump_names_joined_namespaces_by_inode),
                cmocka_unit_test(requests_name_the_containers_criu_configuration),
                cmocka_unit_test(request_restore_takes_sources_from_the_bundle),
                cmocka_unit_test(request_restore_refuses_a_cgroup_namespace_to_join),
                cmocka_unit_test(cgroups_parse_knows_runcs_modes),
                cmocka_unit_test(network_lock_parse_knows_crius_methods),
                cmocka_unit_test(parse_reads_notifications_results_and_versions),
                cmocka_unit_test(parse_refuses_damaged_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
