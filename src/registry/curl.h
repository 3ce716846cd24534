/* curl.h - libcurl's functions, loaded at first use. For http*.c only. */
#pragma once

#include <curl/curl.h>

#include "base/err.h"

struct curl {
        CURLcode (*global_init)(long flags);
        CURL *(*easy_init)(void);
        void (*easy_cleanup)(CURL *easy);
        void (*easy_reset)(CURL *easy);
        CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
        CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
        CURLcode (*easy_pause)(CURL *easy, int mask);
        const char *(*easy_strerror)(CURLcode code);
        CURLM *(*multi_init)(void);
        CURLMcode (*multi_cleanup)(CURLM *multi);
        CURLMcode (*multi_add)(CURLM *multi, CURL *easy);
        CURLMcode (*multi_remove)(CURLM *multi, CURL *easy);
        CURLMcode (*multi_perform)(CURLM *multi, int *running);
        CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *fds, unsigned n, int timeout, int *ready);
        CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
        CURLMcode (*multi_setopt)(CURLM *multi, CURLMoption option, ...);
        struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
        void (*slist_free)(struct curl_slist *list);
        curl_version_info_data *(*version)(CURLversion age);
};
extern struct curl curl;

/* ERR_UNSUPPORTED with the package's name when libcurl is missing or too old. */
MUST_USE err *curl_load(void);
