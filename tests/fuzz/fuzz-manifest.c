/* Documents about images from outside. The first byte says which: 'm' a manifest or an index, 'd' docker's
 * manifest.json, 'c' an image's config, 'p' a platform and an index behind the first line's end. What is accepted keeps
 * its promises. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oci/manifest.h"
#include "oci/platform.h"

static err *check_descriptors(const struct descriptor *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!oci_image_digest_valid(list[i].digest.text) || !list[i].media_type || list[i].size > INT64_MAX)
                        abort();
        return NULL;
}

static err *manifest(const json *doc)
{
        _cleanup_free_ struct descriptor *list = NULL;
        bool index;
        size_t n = 0;

        TRY(manifest_is_index(doc, NULL, &index));
        if (!manifest_media_type(doc, index))
                abort();
        TRY(index ? manifest_members(doc, &list, &n) : manifest_blobs(doc, &list, &n));
        if (!index && !n)
                abort(); /* a manifest has a config at least */
        return check_descriptors(list, n);
}

static err *docker(const json *doc)
{
        struct docker_image *list = NULL;
        size_t n = 0;

        TRY(manifest_docker_archive(doc, &list, &n));
        if (!n)
                abort();
        for (size_t i = 0; i < n; i++) {
                if (!list[i].config)
                        abort();
                for (size_t k = 0; k < list[i].n_layers; k++)
                        if (!list[i].layers[k])
                                abort();
        }
        docker_images_free(list, n);
        return NULL;
}

static err *config(const json *doc)
{
        const json *ids;
        struct platform p;
        char text[PLATFORM_TEXT];

        if (platform_read(doc, &p))
                (void)platform_text(&p, text);
        TRY(oci_image_config_check(doc));
        ids = json_path(doc, "rootfs.diff_ids");
        for (size_t i = 0; i < json_len(ids); i++)
                if (!oci_image_digest_valid(json_str(json_at(ids, i))))
                        abort();
        return NULL;
}

/* What is chosen is a member, and fits. */
static err *choose(const char *wanted, const json *index)
{
        struct platform want, have;
        json *got;

        TRY(platform_parse(wanted, &want));
        got = platform_choose(index, &want);
        if (got && platform_read(json_get(got, "platform"), &have) && platform_rank(&want, &have) < 0)
                abort();
        return NULL;
}

static err *one(char which, const char *text, size_t size)
{
        const char *line = which == 'p' ? memchr(text, '\n', size) : NULL;
        _cleanup_free_ char *first = line ? strndup(text, (size_t)(line - text)) : NULL;
        _cleanup_json_ json *doc = NULL;

        if (line) {
                size -= (size_t)(line + 1 - text);
                text = line + 1;
        }
        TRY(json_parse(text, size, &doc));
        switch (which) {
        case 'm':
                return manifest(doc);
        case 'd':
                return docker(doc);
        case 'c':
                return config(doc);
        case 'p':
                return choose(first, doc);
        default:
                return NULL;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size)
                err_free(one((char)*data, (const char *)data + 1, size - 1));
        return 0;
}
