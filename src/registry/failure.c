/* failure.c - see failure.h. */
#include "registry/failure.h"

#include <ctype.h>
#include <stdio.h>

#include "base/str.h"
#include "codec/json.h"

#define SHOWN 300 /* bytes of a server's message */

const char *failure_status(long status, char *buf, size_t size)
{
        static const struct {
                long status;
                const char *text;
        } known[] = {
                {200, "OK"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {413, "Request Entity Too Large"},
                {416, "Requested Range Not Satisfiable"},
                {429, "Too Many Requests"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
        };
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (known[i].status == status)
                        text = known[i].text;
        (void)snprintf(buf, size, "%ld%s%s", status, *text ? " " : "", text);
        return buf;
}

static enum err_code code_of(long status)
{
        if (status == 404)
                return ERR_NOT_FOUND;
        if (status == 401 || status == 403)
                return ERR_DENIED;
        if (status == 429 || status >= 500)
                return ERR_NETWORK;
        return ERR_INVALID;
}

/* "MANIFEST_UNKNOWN", "..." → "manifest unknown: ..." */
static void add_error(struct str *out, const json *error)
{
        const char *code = json_get_str(error, "code"), *message = json_get_str(error, "message");

        for (const char *p = code; p && *p && p - code < 64; p++)
                str_add_char(out, *p == '_' ? ' ' : (char)tolower((unsigned char)*p));
        if (message)
                str_printf(out, "%s%.*s", code ? ": " : "", SHOWN, message);
}

err *failure_of(const struct http_answer *a, const char *what)
{
        _cleanup_json_ json *doc = NULL;
        _cleanup_str_ struct str text = {0};
        const char *details;
        char status[64];

        if (a->size)
                err_free(json_parse(a->data, a->size, &doc));
        details = json_get_str(doc, "details");
        if (json_len(json_get(doc, "errors")) && json_kind(json_get(doc, "errors")) == JSON_ARRAY)
                add_error(&text, json_at(json_get(doc, "errors"), 0));
        else if (details) /* of some token servers */
                str_printf(&text, "%s%.*s", a->status == 401 ? "unauthorized: " : "", SHOWN, details);
        if (text.len)
                return err_new(code_of(a->status), "%s", str_text(&text));
        (void)failure_status(a->status, status, sizeof(status));
        if (a->status == 401)
                return err_new(ERR_DENIED, "unauthorized: authentication required");
        return err_new(code_of(a->status), "%s%s: the server answered %s", what, a->status == 404 ? " unknown" : "",
                       status);
}
