/* traffic_check.c - what can be said about --net-rate and --egress before there is a container; see traffic.h. */
#include "base/str.h"
#include "engine/traffic.h"
#include "sys/egress.h"
#include "sys/rate.h"

err *traffic_check(const json *host)
{
        const char *rate_text = json_get_str(host, "NetRate"), *mode = json_get_str_or(host, "NetworkMode", "");
        _cleanup_egress_ struct egress egress = {0};
        _cleanup_strv_ char **rules = NULL;
        struct rate rate = {0};

        if (!str_empty(rate_text))
                TRY(rate_parse(rate_text, &rate));
        TRY(json_get_strv(host, "Egress", &rules));
        TRY(egress_parse(rules, &egress));
        if (!rate.bytes && !egress.n)
                return NULL;
        if (str_eq(mode, "host") || str_eq(mode, "none") || str_starts(mode, "container:") || str_starts(mode, "ns:"))
                return err_new(
                        ERR_INVALID,
                        "conflicting options: %s and the network mode %s (it needs a network of the container's own)",
                        rate.bytes ? "--net-rate" : "--egress", mode);
        return NULL;
}
