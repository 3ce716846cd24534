/* image_inspect.c - images as docker shows them. */
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "oci/reference.h"
#include "store/image_private.h"
#include "store/snapshot.h"

static err *add_familiar(json *list, char *const *names)
{
        for (; names && *names; names++) {
                _cleanup_free_ char *familiar = NULL;

                TRY(image_familiar(*names, &familiar));
                json_add_str(list, familiar);
        }
        return NULL;
}

static err *set_names(json *doc, const struct image *i)
{
        json *tags = json_sub_array(doc, "RepoTags"), *digests = json_sub_array(doc, "RepoDigests");

        TRY(add_familiar(tags, i->names));
        return add_familiar(digests, i->digests);
}

static err *set_driver(json *doc, const struct image *i)
{
        json *driver = json_sub_object(doc, "GraphDriver"), *data = json_sub_object(driver, "Data");
        _cleanup_str_ struct str lower = {0};
        const char *name = "";

        for (size_t n = i->n_layers; n > 0; n--) {
                _cleanup_free_ char *path = NULL;

                TRY(layer_path(i->store, i->layers[n - 1].chain, &path));
                if (n == i->n_layers)
                        json_set_str(data, "UpperDir", path);
                else
                        str_printf(&lower, "%s%s", lower.len ? ":" : "", path);
        }
        TRY(str_done(&lower));
        if (lower.len)
                json_set_str(data, "LowerDir", str_text(&lower));
        err_free(snapshot_driver_name(i->store, &name));
        json_set_str(driver, "Name", name);
        return NULL;
}

/* docker's order, with the members it always shows. */
static json *run_config(const struct image *i)
{
        static const struct {
                const char *key;
                bool always;
                bool text;
        } members[] = {
                {"ArgsEscaped", false, false}, {"Cmd", true, false},           {"Entrypoint", true, false},
                {"Env", true, false},          {"ExposedPorts", false, false}, {"Healthcheck", false, false},
                {"Labels", true, false},       {"OnBuild", true, false},       {"Shell", false, false},
                {"StopSignal", false, false},  {"User", true, true},           {"Volumes", true, false},
                {"WorkingDir", true, true},
        };
        const json *from = json_get(i->config, "config");
        json *to = json_new_object();

        for (size_t n = 0; n < ARRAY_SIZE(members); n++) {
                json *value = json_get(from, members[n].key);

                if (value)
                        json_set(to, members[n].key, json_ref(value));
                else if (members[n].always && members[n].text)
                        json_set_str(to, members[n].key, "");
                else if (members[n].always)
                        json_set(to, members[n].key, NULL);
        }
        return to;
}

static const char *comment(const struct image *i)
{
        const json *history = json_get(i->config, "history");
        const char *own = json_get_str(i->config, "comment");

        if (own)
                return own;
        return json_get_str_or(json_at(history, json_len(history) ? json_len(history) - 1 : 0), "comment", "");
}

err *image_inspect(const struct image *i, json **ret)
{
        _cleanup_json_ json *doc = json_new_object();
        json *layers, *rootfs;
        char tagged[CLOCK_TEXT_MAX];

        json_set_str(doc, "Id", i->id);
        TRY(set_names(doc, i));
        json_set_str(doc, "Parent", i->parent ? i->parent : "");
        json_set_str(doc, "Comment", comment(i));
        json_set_str(doc, "Created", json_get_str_or(i->config, "created", "0001-01-01T00:00:00Z"));
        json_set_str(doc, "DockerVersion", json_get_str_or(i->config, "docker_version", ""));
        json_set_str(doc, "Author", json_get_str_or(i->config, "author", ""));
        json_set_str(doc, "Architecture", json_get_str_or(i->config, "architecture", ""));
        if (json_get_str(i->config, "variant"))
                json_set_str(doc, "Variant", json_get_str(i->config, "variant"));
        json_set_str(doc, "Os", json_get_str_or(i->config, "os", ""));
        if (json_get_str(i->config, "os.version"))
                json_set_str(doc, "OsVersion", json_get_str(i->config, "os.version"));
        json_set(doc, "Size", json_new_uint(i->size));
        TRY(set_driver(doc, i));
        rootfs = json_sub_object(doc, "RootFS");
        json_set_str(rootfs, "Type", "layers");
        layers = json_sub_array(rootfs, "Layers");
        for (size_t n = 0; n < i->n_layers; n++)
                json_add_str(layers, i->layers[n].diff_id);
        clock_format(i->tagged_ns, tagged);
        json_set_str(json_sub_object(doc, "Metadata"), "LastTagTime", tagged);
        json_set(doc, "Config", run_config(i));
        *ret = TAKE_PTR(doc);
        return NULL;
}
