/* clock.h - time: now, RFC 3339, "3 minutes ago". Nanoseconds since the epoch, UTC, everywhere. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CLOCK_TEXT_MAX 40

int64_t clock_now_ns(void);       /* CLOCK_REALTIME */
int64_t clock_monotonic_ns(void); /* CLOCK_MONOTONIC */

/* "2026-11-23T08:00:00.123456789Z" as docker prints it (trailing zeros of the fraction dropped); 0 gives
 * "0001-01-01T00:00:00Z", docker's zero time. */
void clock_format(int64_t ns, char buf[CLOCK_TEXT_MAX]);
/* Parse RFC 3339 (with zone, fraction optional) or docker's zero time (gives 0). */
MUST_USE err *clock_parse(const char *text, int64_t *ret);
/* What logs --since and events --until take: RFC 3339, a date or a date with time without a zone (local time), Unix
 * seconds with a fraction, or a Go duration before @now ("10m"). */
MUST_USE err *clock_parse_point(const char *text, int64_t now, int64_t *ret);
/* docker's words for a span: "Less than a second", "2 minutes", "About an hour". */
void clock_human(int64_t span_ns, char *buf, unsigned long size);
