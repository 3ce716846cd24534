/* platform.h - os/arch[/variant]: what people write, what an image is for, and which member of an index fits best.
 *
 * Words are normalised as docker does: "x86_64" is amd64, "aarch64" is arm64 (whose variant v8 is not written),
 * "arm" is arm/v7. A machine also runs what its forerunners ran: arm64 takes arm/v8 ... v5, arm/v7 takes v6 and v5,
 * amd64/v3 takes v2 and v1, amd64 takes 386. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "codec/json.h"

#define PLATFORM_WORD 64
#define PLATFORM_TEXT (3 * PLATFORM_WORD)

struct platform {
        char os[PLATFORM_WORD], arch[PLATFORM_WORD], variant[PLATFORM_WORD];
};

/* @text of a flag; NULL or "" = this machine's. "arm64" alone is linux/arm64, "linux" alone this machine's linux.
 * ERR_INVALID in docker's words. */
MUST_USE err *platform_parse(const char *text, struct platform *ret);
/* From a document: a platform object of an index, or an image's config. False if it does not say. */
bool platform_read(const json *from, struct platform *ret);
/* Are system and architecture among those that Go knows? */
bool platform_is_known(const struct platform *p);
/* "linux/arm/v7"; returns @buf. */
const char *platform_text(const struct platform *p, char buf[PLATFORM_TEXT]);
/* How well something for @have runs where @want is wanted: 0 = exactly, larger = worse, -1 = not at all. */
int platform_rank(const struct platform *want, const struct platform *have);

/* The best member of the index @index for @want: its descriptor, borrowed; the first of equals. A single image
 * without a platform fits everywhere. NULL: none. */
json *platform_choose(const json *index, const struct platform *want);
