/* platform.c - see platform.h. */
#include "oci/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oci/image.h"

#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

struct arch_alias {
        const char *word, *arch, *variant;
};
static const struct arch_alias arch_aliases[] = {
        {"x86_64", "amd64", NULL}, {"x86-64", "amd64", NULL}, {"aarch64", "arm64", NULL},
        {"i386", "386", NULL},     {"armhf", "arm", "v7"},    {"armel", "arm", "v6"},
};

static const char *const systems[] = {"linux",   "windows", "darwin",  "freebsd", "netbsd",
                                      "openbsd", "solaris", "illumos", "aix",     "plan9"};
static const char *const arches[] = {"386",    "amd64",    "arm",   "arm64",   "loong64", "mips",  "mipsle",
                                     "mips64", "mips64le", "ppc64", "ppc64le", "riscv64", "s390x", "wasm"};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(word, list[i]) == 0)
                        return true;
        return false;
}

/* False: the word is too long, or not one. */
static bool set_word(char to[PLATFORM_WORD], const char *word)
{
        size_t n = strlen(word);

        if (n >= PLATFORM_WORD || word[strspn(word, WORD_CHARS)])
                return false;
        for (size_t i = 0; i <= n; i++)
                to[i] = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] - 'A' + 'a') : word[i];
        return true;
}

static void normalize(struct platform *p)
{
        char *v = p->variant;

        if (strcmp(p->os, "macos") == 0)
                (void)set_word(p->os, "darwin");
        for (size_t i = 0; i < ARRAY_SIZE(arch_aliases); i++)
                if (strcmp(p->arch, arch_aliases[i].word) == 0) {
                        (void)set_word(p->arch, arch_aliases[i].arch);
                        if (arch_aliases[i].variant)
                                (void)set_word(v, arch_aliases[i].variant);
                        break;
                }
        if ((strcmp(p->arch, "arm") == 0 || strcmp(p->arch, "arm64") == 0) && v[0] >= '0' && v[0] <= '9' && !v[1]) {
                v[1] = v[0];
                v[0] = 'v';
                v[2] = '\0';
        }
        if (strcmp(p->arch, "arm64") == 0 && strcmp(v, "v8") == 0)
                v[0] = '\0';
        if (strcmp(p->arch, "amd64") == 0 && strcmp(v, "v1") == 0)
                v[0] = '\0';
        if (strcmp(p->arch, "arm") == 0 && !v[0])
                (void)set_word(v, "v7");
}

static void machine(struct platform *ret)
{
        const char *variant, *arch = oci_image_machine(&variant);

        *ret = (struct platform){.os = "linux"};
        (void)set_word(ret->arch, arch);
        (void)set_word(ret->variant, variant ? variant : "");
        normalize(ret);
}

err *platform_parse(const char *text, struct platform *ret)
{
        struct platform here, p = {.os = "linux"};
        _cleanup_strv_ char **parts = NULL;
        size_t n;

        machine(&here);
        if (str_empty(text)) {
                *ret = here;
                return NULL;
        }
        TRY(strv_split(text, '/', &parts));
        n = strv_len(parts);
        if (n > 3)
                return err_new(ERR_INVALID, "\"%s\": cannot parse platform specifier: invalid argument", text);
        for (size_t i = 0; i < n; i++)
                if (!*parts[i] || !set_word(i == 0 ? p.os : i == 1 ? p.arch : p.variant, parts[i]))
                        return err_new(ERR_INVALID,
                                       "\"%s\" is an invalid component of \"%s\": platform specifier component must "
                                       "match \"^[A-Za-z0-9_.-]+$\": invalid argument",
                                       parts[i], text);
        if (n == 1 && (is_one_of(p.os, systems, ARRAY_SIZE(systems)) || strcmp(p.os, "macos") == 0)) {
                (void)set_word(p.arch, here.arch);
                (void)set_word(p.variant, here.variant);
        } else if (n == 1) {
                (void)set_word(p.arch, p.os);
                (void)set_word(p.os, "linux");
        }
        normalize(&p);
        if (n == 1 && !is_one_of(p.arch, arches, ARRAY_SIZE(arches)))
                return err_new(ERR_INVALID, "\"%s\": unknown operating system or architecture: invalid argument", text);
        *ret = p;
        return NULL;
}

bool platform_read(const json *from, struct platform *ret)
{
        struct platform p = {0};

        if (!set_word(p.os, json_get_str_or(from, "os", "")) ||
            !set_word(p.arch, json_get_str_or(from, "architecture", "")) ||
            !set_word(p.variant, json_get_str_or(from, "variant", "")))
                return false;
        if (!p.os[0] || !p.arch[0])
                return false;
        normalize(&p);
        *ret = p;
        return true;
}

bool platform_is_known(const struct platform *p)
{
        return is_one_of(p->os, systems, ARRAY_SIZE(systems)) && is_one_of(p->arch, arches, ARRAY_SIZE(arches));
}

const char *platform_text(const struct platform *p, char buf[PLATFORM_TEXT])
{
        (void)snprintf(buf, PLATFORM_TEXT, "%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "", p->variant);
        return buf;
}

/* "v7" → 7; @otherwise for none, -1 for what is no number. */
static int version(const char *variant, int otherwise)
{
        if (!variant[0])
                return otherwise;
        return variant[0] == 'v' && variant[1] >= '0' && variant[1] <= '9' && !variant[2] ? variant[1] - '0' : -1;
}

static int rank_arm(int want, const struct platform *have)
{
        int got = version(have->variant, 7);

        return got >= 5 && got <= want ? want - got : -1;
}

int platform_rank(const struct platform *want, const struct platform *have)
{
        bool same = strcmp(want->arch, have->arch) == 0;
        int v, got;

        if (strcmp(want->os, have->os) != 0)
                return -1;
        if (same && strcmp(want->variant, have->variant) == 0)
                return 0;
        if (strcmp(want->arch, "arm") == 0)
                return same ? rank_arm(version(want->variant, 7), have) : -1;
        if (strcmp(want->arch, "arm64") == 0) {
                v = version(want->variant, 8);
                got = version(have->variant, 8);
                if (same) /* v8 runs everywhere, v9 only where it was asked for */
                        return v >= 8 && got >= 8 && got < v ? v - got : -1;
                v = strcmp(have->arch, "arm") == 0 ? rank_arm(8, have) : -1;
                return v < 0 ? -1 : 10 + v;
        }
        if (strcmp(want->arch, "amd64") == 0) {
                v = version(want->variant, 1);
                got = version(have->variant, 1);
                if (same)
                        return got >= 1 && got < v ? v - got : -1;
                return strcmp(have->arch, "386") == 0 ? 20 : -1;
        }
        return -1;
}

/* What is listed for other reasons than to be run: build attestations. */
static bool is_annotation_only(const json *descriptor)
{
        return json_has(json_get(descriptor, "annotations"), "vnd.docker.reference.type") ||
               json_has(descriptor, "artifactType");
}

json *platform_choose(const json *index, const struct platform *want)
{
        const json *list = json_get(index, "manifests");
        json *best = NULL, *plain = NULL;
        size_t n_plain = 0, n = json_len(list);
        int best_rank = -1;

        for (size_t i = 0; i < n; i++) {
                json *d = json_at(list, i), *p = json_get(d, "platform");
                struct platform have;
                int rank;

                if (is_annotation_only(d))
                        continue;
                if (!p || !platform_read(p, &have)) {
                        plain = d;
                        n_plain++;
                        continue;
                }
                rank = platform_rank(want, &have);
                if (rank >= 0 && (best_rank < 0 || rank < best_rank)) {
                        best_rank = rank;
                        best = d;
                }
        }
        return best ? best : n_plain == 1 && n == 1 ? plain : NULL;
}
