/* import.c - see import.h. */
#include "engine/import.h"

#include <unistd.h>

#include "base/str.h"
#include "registry/http.h"

err *import_url(struct engine *e, const char *url, const struct image_import *i, char **ret_id)
{
        const struct http_options options = {.environment = environ};
        const struct http_request request = {.method = "GET", .url = url};
        _cleanup_free_ char *message = str_format("Imported from %s", url);
        _cleanup_(http_freep) struct http *http = NULL;
        _cleanup_(stream_freep) struct stream *body = NULL; /* goes before its connection */
        _cleanup_answer_ struct http_answer answer = {0};
        struct image_import import = *i;

        if (!message)
                return err_nomem();
        TRY(http_new(&options, &http));
        TRY(http_open(http, &request, &answer, &body));
        if (!body || answer.status != 200)
                return err_new(answer.status == 404 ? ERR_NOT_FOUND : ERR_NETWORK,
                               "Get \"%s\": the server answered %ld, not 200", url, answer.status);
        import.from = body;
        import.about = url;
        if (str_empty(import.message))
                import.message = message;
        return image_import(e->store, &import, ret_id);
}
