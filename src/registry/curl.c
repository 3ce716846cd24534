/* curl.c - see curl.h. */
#include "registry/curl.h"

#include <pthread.h>

#include "codec/loader.h"

struct curl curl;

static enum { ABSENT, INCOMPLETE, LOADED } state;

static void load(void)
{
        static const struct {
                void *to;
                const char *name;
        } symbols[] = {
                {&curl.global_init, "curl_global_init"},
                {&curl.easy_init, "curl_easy_init"},
                {&curl.easy_cleanup, "curl_easy_cleanup"},
                {&curl.easy_reset, "curl_easy_reset"},
                {&curl.easy_setopt, "curl_easy_setopt"},
                {&curl.easy_getinfo, "curl_easy_getinfo"},
                {&curl.easy_pause, "curl_easy_pause"},
                {&curl.easy_strerror, "curl_easy_strerror"},
                {&curl.multi_init, "curl_multi_init"},
                {&curl.multi_cleanup, "curl_multi_cleanup"},
                {&curl.multi_add, "curl_multi_add_handle"},
                {&curl.multi_remove, "curl_multi_remove_handle"},
                {&curl.multi_perform, "curl_multi_perform"},
                {&curl.multi_poll, "curl_multi_poll"},
                {&curl.multi_info_read, "curl_multi_info_read"},
                {&curl.multi_setopt, "curl_multi_setopt"},
                {&curl.slist_append, "curl_slist_append"},
                {&curl.slist_free, "curl_slist_free_all"},
                {&curl.version, "curl_version_info"},
        };
        /* The same interface, with another library for TLS. */
        void *lib = loader_open("libcurl.so.4");

        if (!lib)
                lib = loader_open("libcurl-gnutls.so.4");
        if (!lib)
                return;
        state = INCOMPLETE;
        for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
                void *symbol = loader_symbol(lib, symbols[i].name);

                if (!symbol)
                        return;
                *(void **)symbols[i].to = symbol;
        }
        /* 7.77 is the first that takes certificates from memory. */
        if (curl.version(CURLVERSION_NOW)->version_num < 0x074d00 || curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return;
        state = LOADED;
}

err *curl_load(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void)pthread_once(&once, load);
        if (state == LOADED)
                return NULL;
        return err_new(ERR_UNSUPPORTED, state == INCOMPLETE
                                                ? "registries need libcurl 7.77 or newer (Debian package libcurl4)"
                                                : "registries need libcurl.so.4 (Debian package libcurl4)");
}
