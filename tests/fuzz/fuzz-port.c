/* The small languages of flags: ports, devices, limits, users, hosts, cpusets, signals. */
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

static void ports(const char *text)
{
        struct parse_port p;
        err *e = parse_port(text, &p);

        if (!e) {
                if (p.last < p.first || p.host_last < p.host_first || !p.ip || (*p.ip && !parse_ip(p.ip)))
                        abort();
                if (p.first != p.last && p.host_last && p.last - p.first != p.host_last - p.host_first)
                        abort();
                parse_port_done(&p);
        }
        err_free(e);
        e = parse_expose(text, &p);
        if (!e)
                parse_port_done(&p);
        err_free(e);
}

static void devices(const char *text)
{
        struct parse_throttle t;
        struct parse_device d;
        err *e = parse_device(text, &d);

        if (!e) {
                if (*d.container != '/' || !*d.access || strlen(d.access) > 3)
                        abort();
                parse_device_done(&d);
        }
        err_free(e);
        for (int bytes = 0; bytes < 2; bytes++) {
                e = parse_throttle(text, bytes, &t);
                if (!e)
                        parse_throttle_done(&t);
                err_free(e);
        }
        e = parse_weight_device(text, &t);
        if (!e)
                parse_throttle_done(&t);
        err_free(e);
}

static void others(const char *text)
{
        _cleanup_free_ char *host = NULL;
        struct parse_restart r;
        struct parse_ulimit l;
        struct parse_user u;
        char mac[18];
        int number;
        err *e = parse_user(text, &u);

        if (!e)
                parse_user_done(&u);
        err_free(e);
        e = parse_restart(text, &r);
        if (!e)
                parse_restart_done(&r);
        err_free(e);
        err_free(parse_ulimit(text, &l));
        err_free(parse_add_host(text, &host));
        err_free(parse_mac(text, mac));
        if (parse_signal(text, &number) == 0 && (number < 1 || number > 64))
                abort();
        if (parse_cpuset_valid(text) != parse_cpuset_subset(text, text))
                abort();
        err_free(parse_check_sysctl(text));
        err_free(parse_check_ip(text));
        err_free(parse_check_dns_search(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);

        if (!text)
                return 0;
        ports(text);
        devices(text);
        others(text);
        return 0;
}
