/* Templates: the input is the template; it runs over a document of docker's shape, with and without types. */
#include <stdlib.h>
#include <string.h>

#include "codec/template.h"

static const char document[] =
        "{\"Id\":\"abc\",\"State\":{\"Status\":\"up\",\"Pid\":42,\"Health\":null},\"Config\":{\"Labels\":{\"a\":\"b\"},"
        "\"Env\":[\"A=b\"],"
        "\"Cmd\":null,\"Volumes\":null},\"Mounts\":[{\"Type\":\"bind\"},{\"Type\":\"volume\"}],\"F\":1.5,\"T\":true,"
        "\"Networks\":{\"n\":{\"IP\":\"1.2.3.4\"}},\"Ports\":{\"80/tcp\":null},\"L\":[1,2,3]}";

static err *method(void *ctx, const json *root, const char *name, json *const *args, size_t n, json **ret, bool *found)
{
        *found = *name == 'M';
        if (*found)
                *ret = n && args[0] ? json_ref(args[0]) : json_new_str(name);
        return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct template_options options[] = {
                {0}, {.types = &template_docker_types}, {.type_name = "T", .method = method}};
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_free_ char *text = strndup((const char *)data, size);
        _cleanup_json_ json *j = NULL;
        err *e;

        if (!text)
                return 0;
        if (json_parse(document, sizeof(document) - 1, &j))
                abort();
        e = template_parse("", text, &t);
        for (size_t i = 0; !e && i < ARRAY_SIZE(options); i++) {
                struct str out = {0};

                err_free(template_execute(t, j, &options[i], &out));
                str_free(&out);
        }
        err_free(e);
        return 0;
}
