/* clock.c - see clock.h. Calendar arithmetic is the proleptic Gregorian one, in UTC, without the C library's tables:
 * only local time asks them. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"

#define NS_PER_S INT64_C(1000000000)

static int64_t now_ns(clockid_t clock)
{
        struct timespec t;

        (void)clock_gettime(clock, &t);
        return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_now_ns(void)
{
        return now_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
        return now_ns(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a date (Howard Hinnant's days_from_civil), and back. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
        int64_t era;
        unsigned yoe, doy, doe;

        y -= m <= 2;
        era = (y >= 0 ? y : y - 399) / 400;
        yoe = (unsigned)(y - era * 400);
        doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
        doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        return era * 146097 + (int64_t)doe - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
        int64_t era;
        unsigned doe, yoe, doy, mp;

        days += 719468;
        era = (days >= 0 ? days : days - 146096) / 146097;
        doe = (unsigned)(days - era * 146097);
        yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        mp = (5 * doy + 2) / 153;
        *day = doy - (153 * mp + 2) / 5 + 1;
        *month = mp < 10 ? mp + 3 : mp - 9;
        *year = (int64_t)yoe + era * 400 + (*month <= 2);
}

void clock_format(int64_t ns, char buf[CLOCK_TEXT_MAX])
{
        int64_t seconds = ns / NS_PER_S, rest = ns % NS_PER_S, days, year;
        unsigned month, day;
        char fraction[12] = "";

        if (ns == 0) {
                (void)snprintf(buf, CLOCK_TEXT_MAX, "0001-01-01T00:00:00Z");
                return;
        }
        if (rest < 0) {
                rest += NS_PER_S;
                seconds--;
        }
        days = seconds / 86400;
        seconds %= 86400;
        if (seconds < 0) {
                seconds += 86400;
                days--;
        }
        date_of(days, &year, &month, &day);
        if (rest) {
                (void)snprintf(fraction, sizeof(fraction), ".%09lld", (long long)rest);
                for (size_t n = strlen(fraction); fraction[n - 1] == '0'; n--)
                        fraction[n - 1] = '\0';
        }
        (void)snprintf(buf, CLOCK_TEXT_MAX, "%04lld-%02u-%02uT%02d:%02d:%02d%sZ", (long long)year, month, day,
                       (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60), fraction);
}

/* Exactly @n digits at *@p. */
static bool digits(const char **p, unsigned n, unsigned *ret)
{
        unsigned value = 0;

        for (unsigned i = 0; i < n; i++, (*p)++) {
                if (**p < '0' || **p > '9')
                        return false;
                value = value * 10 + (unsigned)(**p - '0');
        }
        *ret = value;
        return true;
}

static bool literal(const char **p, char c)
{
        if (**p != c)
                return false;
        (*p)++;
        return true;
}

/* Fraction of a second after the point, cut to nanoseconds. */
static bool fraction_ns(const char **p, int64_t *ret)
{
        int64_t ns = 0, unit = NS_PER_S / 10;
        const char *start = *p;

        for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
                ns += (**p - '0') * unit;
        *ret = ns;
        return *p > start;
}

static unsigned days_in(unsigned year, unsigned month)
{
        static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return days[month - 1] + (month == 2 && leap);
}

/* A date and what of a time follows it, without a zone. */
struct moment {
        unsigned year, month, day, hour, minute, second;
        int64_t ns;
};

static bool date_read(const char **p, struct moment *m)
{
        return digits(p, 4, &m->year) && literal(p, '-') && digits(p, 2, &m->month) && literal(p, '-') &&
               digits(p, 2, &m->day) && m->month >= 1 && m->month <= 12 && m->day >= 1 &&
               m->day <= days_in(m->year, m->month);
}

/* "15:04:05.5"; unless @whole also "15" and "15:04". */
static bool time_read(const char **p, bool whole, struct moment *m)
{
        if (!digits(p, 2, &m->hour) || m->hour > 23)
                return false;
        if (!literal(p, ':'))
                return !whole;
        if (!digits(p, 2, &m->minute) || m->minute > 59)
                return false;
        if (!literal(p, ':'))
                return !whole;
        if (!digits(p, 2, &m->second) || m->second > 60)
                return false;
        return !literal(p, '.') || fraction_ns(p, &m->ns);
}

/* @whole: date and time with seconds, and a T between. Else the time may be short or missing, and a blank will do. */
static bool moment_read(const char **p, bool whole, struct moment *ret)
{
        struct moment m = {0};
        bool time;

        if (!date_read(p, &m))
                return false;
        time = literal(p, 'T') || literal(p, 't') || (!whole && literal(p, ' '));
        if (time ? !time_read(p, whole, &m) : whole)
                return false;
        *ret = m;
        return true;
}

static int64_t moment_utc(const struct moment *m)
{
        return days_of(m->year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 + m->second;
}

/* "Z" or "+01:00" at *@p; seconds east of Greenwich. */
static bool zone_read(const char **p, int64_t *ret)
{
        unsigned hours, minutes;
        bool west = **p == '-';

        if (literal(p, 'Z') || literal(p, 'z')) {
                *ret = 0;
                return true;
        }
        if (!literal(p, '+') && !literal(p, '-'))
                return false;
        if (!digits(p, 2, &hours) || !literal(p, ':') || !digits(p, 2, &minutes) || hours > 23 || minutes > 59)
                return false;
        *ret = (west ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
        return true;
}

static bool to_ns(int64_t seconds, int64_t ns, int64_t *ret)
{
        __int128 total = (__int128)seconds * NS_PER_S + ns;

        if (total < INT64_MIN || total > INT64_MAX)
                return false;
        *ret = (int64_t)total;
        return true;
}

static err *time_error(const char *text)
{
        _cleanup_str_ struct str quoted = {0};

        parse_quote(&quoted, text);
        TRY(str_done(&quoted));
        return err_new(ERR_INVALID, "%s is not a time", str_text(&quoted));
}

err *clock_parse(const char *text, int64_t *ret)
{
        const char *p = text;
        struct moment m;
        int64_t zone, value;

        if (!moment_read(&p, true, &m) || !zone_read(&p, &zone) || *p)
                return time_error(text);
        if (m.year <= 1) {
                *ret = 0;
                return NULL;
        }
        if (!to_ns(moment_utc(&m) - zone, m.ns, &value))
                return time_error(text);
        *ret = value;
        return NULL;
}

/* "1699999999.123" */
static bool unix_read(const char *text, int64_t *ret)
{
        const char *p = text + (*text == '-');
        int64_t seconds = 0, ns = 0;

        if (*p < '0' || *p > '9')
                return false;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(seconds, 10, &seconds) ||
                    __builtin_add_overflow(seconds, *p - '0', &seconds))
                        return false;
        if (literal(&p, '.') && !fraction_ns(&p, &ns))
                return false;
        return !*p && to_ns(*text == '-' ? -seconds : seconds, *text == '-' ? -ns : ns, ret);
}

err *clock_parse_point(const char *text, int64_t now, int64_t *ret)
{
        const char *p = text;
        int64_t span, zone, value;
        struct moment m;
        err *e;

        if (unix_read(text, ret))
                return NULL;
        if (moment_read(&p, false, &m)) {
                int64_t seconds;

                if (!*p) { /* no zone: the person's */
                        struct tm tm = {.tm_year = (int)m.year - 1900,
                                        .tm_mon = (int)m.month - 1,
                                        .tm_mday = (int)m.day,
                                        .tm_hour = (int)m.hour,
                                        .tm_min = (int)m.minute,
                                        .tm_sec = (int)m.second,
                                        .tm_isdst = -1};

                        seconds = mktime(&tm);
                } else if (zone_read(&p, &zone) && !*p) {
                        seconds = moment_utc(&m) - zone;
                } else {
                        return time_error(text);
                }
                if (!to_ns(seconds, m.ns, &value))
                        return time_error(text);
                *ret = value;
                return NULL;
        }
        e = parse_duration(text, &span);
        if (e && err_code(e) != ERR_NOMEM) {
                err_free(e);
                _cleanup_str_ struct str quoted = {0};

                parse_quote(&quoted, text);
                TRY(str_done(&quoted));
                return err_new(ERR_INVALID, "failed to parse value as time or duration: %s", str_text(&quoted));
        }
        if (e)
                return e;
        if (__builtin_sub_overflow(now, span, &value))
                return time_error(text);
        *ret = value;
        return NULL;
}

void clock_human(int64_t span_ns, char *buf, unsigned long size)
{
        /* go-units cuts towards zero up to hours, and rounds hours. */
        long long seconds = span_ns / NS_PER_S, minutes = seconds / 60, hours = (seconds + 1800) / 3600;

        if (seconds < 1)
                (void)snprintf(buf, size, "Less than a second");
        else if (seconds == 1)
                (void)snprintf(buf, size, "1 second");
        else if (seconds < 60)
                (void)snprintf(buf, size, "%lld seconds", seconds);
        else if (minutes == 1)
                (void)snprintf(buf, size, "About a minute");
        else if (minutes < 60)
                (void)snprintf(buf, size, "%lld minutes", minutes);
        else if (hours == 1)
                (void)snprintf(buf, size, "About an hour");
        else if (hours < 48)
                (void)snprintf(buf, size, "%lld hours", hours);
        else if (hours < 24 * 7 * 2)
                (void)snprintf(buf, size, "%lld days", hours / 24);
        else if (hours < 24 * 30 * 2)
                (void)snprintf(buf, size, "%lld weeks", hours / 24 / 7);
        else if (hours < 24 * 365 * 2)
                (void)snprintf(buf, size, "%lld months", hours / 24 / 30);
        else
                (void)snprintf(buf, size, "%lld years", hours / 24 / 365);
}
