/* parse.h - text from people and files to values: strict, bounded, safe with hostile input.
 *
 * Every function takes the whole text or fails: no leading or trailing blanks, no "+", no octal or hexadecimal, no
 * overflow. Outputs are set only on success. Errors are ERR_INVALID with the words docker uses, so that
 * `invalid argument "x" for "--shm-size" flag: invalid size: 'x'` comes out of the command table as docker prints it.
 * Functions that return bool or int allocate nothing and say only yes or no.
 * Sources: Go strconv, time.ParseDuration and encoding/csv; docker's units, opts and nat packages as observed
 * (reference/golden). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- numbers ---- */

/* Decimal integer within [@min, @max]; a leading zero is refused (docker reads "010" as octal).
 * Errors: `strconv.ParseInt: parsing "x": invalid syntax` (or `value out of range`). */
MUST_USE err *parse_int(const char *text, int64_t min, int64_t max, int64_t *ret);
MUST_USE err *parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
/* The same for files of the kernel and of ours: digits only, leading zeros allowed; false = not a number. */
bool parse_u64(const char *text, uint64_t *ret);
bool parse_i64(const char *text, int64_t *ret);
/* Octal mode "0755" or "755", at most 07777. Error: `strconv.ParseUint: parsing "999": invalid syntax`. */
MUST_USE err *parse_mode(const char *text, unsigned *ret);
/* Hexadecimal digits only (no 0x), at most 16. */
bool parse_hex(const char *text, uint64_t *ret);
/* 1 t T true TRUE True 0 f F false FALSE False. Error: `strconv.ParseBool: parsing "x": invalid syntax`. */
MUST_USE err *parse_bool(const char *text, bool *ret);

/* Bytes: "100", "64k", "16m", "1.5g", "1kb", "1KiB", "10 MB", binary multiples, any case; fractions are cut.
 * Errors: `invalid size: 'x'`, `invalid suffix: 'zz'`. What exceeds int64 is an error too. */
MUST_USE err *parse_size(const char *text, int64_t *ret);
/* parse_size(), and "-1" for unlimited (gives -1). */
MUST_USE err *parse_size_unlimited(const char *text, int64_t *ret);
/* Nanoseconds of "10s", "1m30s", "1.5h", "100ms", "-3us", "0". Errors: `time: invalid duration "x"`,
 * `time: missing unit in duration "10"`, `time: unknown unit "x" in duration "1x"`. */
MUST_USE err *parse_duration(const char *text, int64_t *ret);
/* --cpus: a decimal ("1.5", ".25", "1/2") in units of 1e-9 CPU, exactly; may be negative (checked by the engine).
 * Errors: `failed to parse x as a rational number`, `value is too precise`. */
MUST_USE err *parse_cpus(const char *text, int64_t *ret);

/* Bytes for people, three significant digits, decimal multiples: "0B", "762kB", "2.06MB" (docker's SIZE columns). */
void parse_size_format(uint64_t bytes, char *buf, size_t size);
/* The same with @digits significant digits ("2.064MB" with 4). */
void parse_size_format_digits(uint64_t bytes, int digits, char *buf, size_t size);
/* Binary multiples, four digits: "23.54GiB" (docker info, stats). */
void parse_size_format_binary(uint64_t bytes, char *buf, size_t size);

/* ---- CPU and memory node sets: "0-3,5" ---- */

#define PARSE_CPUSET_MAX 8192
/* Is @text a list of numbers and ranges, each below PARSE_CPUSET_MAX, none descending? "" is valid and empty. */
bool parse_cpuset_valid(const char *text);
/* Is each member of @set in @available? False also when one of them is not valid. */
bool parse_cpuset_subset(const char *set, const char *available);

/* ---- signals ---- */

/* "TERM", "SIGTERM", "term", "15", "RTMIN+3", "RTMAX-1" → 1..64. Returns 0, or -EINVAL. */
int parse_signal(const char *text, int *ret);
/* "SIGTERM", "SIGRTMIN+3"; never NULL ("SIG<n>" for what has no name) and valid until the next call in this thread. */
const char *parse_signal_name(int number);
/* Names without SIG, in order of number, NULL-terminated; for completion. */
extern const char *const parse_signal_names[];

/* ---- values of run's flags ---- */

struct parse_ulimit {
        char name[16]; /* "nofile" */
        int resource;  /* RLIMIT_NOFILE */
        int64_t soft;  /* -1 = unlimited */
        int64_t hard;
};
/* name=soft[:hard] */
MUST_USE err *parse_ulimit(const char *text, struct parse_ulimit *ret);
/* RLIMIT_* of "nofile" (or "RLIMIT_NOFILE"), -1 if unknown. */
int parse_rlimit(const char *name);

struct parse_device {
        char *host;      /* path on the host */
        char *container; /* path in the container */
        char access[4];  /* subset of "rwm" */
};
void parse_device_done(struct parse_device *d);
/* /dev/a[:/dev/b][:rwm] */
MUST_USE err *parse_device(const char *text, struct parse_device *ret);

struct parse_throttle {
        char *path;
        uint64_t rate;
};
void parse_throttle_done(struct parse_throttle *t);
/* --device-{read,write}-{bps,iops} PATH:RATE; @bytes: the rate is a size, else a plain number. */
MUST_USE err *parse_throttle(const char *text, bool bytes, struct parse_throttle *ret);
/* --blkio-weight-device PATH:WEIGHT, 10..1000 or 0. */
MUST_USE err *parse_weight_device(const char *text, struct parse_throttle *ret);

struct parse_port {
        char *ip;                       /* "" = every address; without brackets; or a network device of the host */
        uint16_t host_first, host_last; /* 0,0 = let the engine choose */
        uint16_t first, last;           /* in the container */
        char proto[8];                  /* "tcp", "udp", "sctp" */
};
void parse_port_done(struct parse_port *p);
/* -p [[ip|device:][host[-host]]:]container[-container][/proto]. When there are several container ports the host range
 * is of the same length; a host range for one container port means "one of these". Or docker's long form,
 * target=80,published=8080,protocol=udp. No port of a container is 0. Errors as docker's
 * (`Invalid containerPort: x`, `Invalid hostPort: x`, `Invalid proto: x`, `No port specified: x<empty>`, ...). */
MUST_USE err *parse_port(const char *text, struct parse_port *ret);
/* --expose port[-port][/proto]: only first, last and proto are set. */
MUST_USE err *parse_expose(const char *text, struct parse_port *ret);

struct parse_user {
        char *user;  /* name or number; "" = not given */
        char *group; /* name or number, NULL = not given */
        int64_t uid; /* -1 = a name, look it up */
        int64_t gid;
};
void parse_user_done(struct parse_user *u);
/* user[:group]. Error: `uids and gids must be in range 0-2147483647`. */
MUST_USE err *parse_user(const char *text, struct parse_user *ret);

/* --add-host host:ip or host=ip, ip may be [v6] or host-gateway; *@ret is docker's "host:ip". */
MUST_USE err *parse_add_host(const char *text, char **ret);
/* --link "container[:alias]"; both owned. ERR_INVALID "bad format for links: x". */
MUST_USE err *parse_link(const char *text, char **ret_name, char **ret_alias);
/* --restart no|always|unless-stopped|on-failure[:n]: name (one of its own words) and count. */
struct parse_restart {
        char *name;
        int64_t count;
};
void parse_restart_done(struct parse_restart *r);
MUST_USE err *parse_restart(const char *text, struct parse_restart *ret);
/* Is @text an IPv4 or IPv6 address? */
bool parse_ip(const char *text);
/* "02:42:ac:11:00:02" (also with - or .) → lower case with colons. Error: `x is not a valid mac address`. */
MUST_USE err *parse_mac(const char *text, char ret[18]);

/* ---- mounts ---- */

/* One record of comma separated values, quoted as Go's encoding/csv reads it (a field that begins with a quote ends at
 * the next single one, "" inside is one quote; a quote elsewhere is an error). Error for "": `EOF`. */
MUST_USE err *parse_csv(const char *text, char ***ret);

/* --mount as docker's API has it (Mount). What was not given is NULL or false; tmpfs_size 0, tmpfs_mode -1. */
struct parse_mount {
        char *type;   /* "bind", "volume" (default), "tmpfs", "image", ... : the engine judges */
        char *source; /* "" when not given; "." and "./x" are made absolute, the rest is kept */
        char *target;
        char *consistency;
        bool read_only;
        /* bind */
        char *propagation;
        bool non_recursive, read_only_non_recursive, read_only_force_recursive;
        /* volume */
        bool no_copy;
        char *subpath, *driver;
        char **labels;                                   /* "k=v" */
        char **driver_opts;                              /* "k=v" */
        bool has_bind, has_volume, has_tmpfs, has_image; /* an option of that group was given */
        char *image_subpath;
        int64_t tmpfs_size; /* bytes */
        int64_t tmpfs_mode;
};
void parse_mount_done(struct parse_mount *m);
MUST_USE err *parse_mount(const char *text, struct parse_mount *ret);

struct parse_volume {
        char *source; /* NULL = anonymous volume */
        char *target;
        char *mode;   /* the third part as given, "" when absent */
        bool is_bind; /* source is a path and not a volume's name */
        bool read_only, no_copy;
        char *propagation; /* "rshared", ... or NULL */
        char relabel;      /* 'z', 'Z' or 0 */
};
void parse_volume_done(struct parse_volume *v);
/* -v [SRC:]DST[:MODE]. Relative sources that begin with "." are not resolved here. */
MUST_USE err *parse_volume(const char *text, struct parse_volume *ret);
/* --tmpfs PATH[:OPTIONS] → two strings, options "" when absent. */
MUST_USE err *parse_tmpfs(const char *text, char **ret_path, char **ret_options);

/* ---- files of variables ---- */

/* The entries of an --env-file or --label-file: "NAME=value" (leading blanks cut, value verbatim) or "NAME" alone;
 * "#..." and empty lines are skipped, a byte order mark and CR LF are accepted. *@ret is never NULL.
 * @name is for the error: `invalid env file (name): variable 'A B' contains whitespaces`. */
MUST_USE err *parse_env_file(const char *name, const char *text, char ***ret);
/* -e NAME=value or NAME: appends "NAME=value" to *@list, taking the value from @environ_ (NULL-terminated; nothing is
 * appended when it has none). An entry of the same name is replaced, as docker does. */
MUST_USE err *parse_env(const char *text, char *const *environ_, char ***list);

/* ---- checks for `.check` of an option: the value stays text, but is refused at the door ---- */

MUST_USE err *parse_check_env(const char *text);    /* invalid environment variable: =x */
MUST_USE err *parse_check_label(const char *text);  /* invalid label '=x': empty name */
MUST_USE err *parse_check_sysctl(const char *text); /* sysctl 'x' is not allowed */
MUST_USE err *parse_check_ulimit(const char *text);
MUST_USE err *parse_check_throttle_bps(const char *text);
MUST_USE err *parse_check_throttle_iops(const char *text);
MUST_USE err *parse_check_add_host(const char *text);
MUST_USE err *parse_check_link(const char *text);
MUST_USE err *parse_check_ip(const char *text); /* IP address is not correctly formatted: x */
MUST_USE err *parse_check_dns_search(const char *text);
MUST_USE err *parse_check_mount(const char *text);
MUST_USE err *parse_check_filter(const char *text); /* bad format of filter (expected name=value) */
MUST_USE err *parse_check_attach(const char *text); /* valid streams are STDIN, STDOUT and STDERR */

/* ---- quoting for messages ---- */

/* Append @text between double quotes as Go's %q prints it: control characters and broken UTF-8 are escaped, so that
 * what a user typed cannot drive the terminal. */
void parse_quote(struct str *s, const char *text);
