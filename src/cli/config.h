/* config.h - the global options, and the configuration files behind them.
 *
 * Precedence, strongest first: command line, environment (HOD_*), the user's file, the system's file, default. With
 * --config (or HOD_CONFIG) only that file is read and it must exist. Keys are the names in GLOBAL_OPTS' .config; an
 * unknown one is an error that names file and line. */
#pragma once

#include <stdbool.h>

#include "base/opt.h"

#define CONFIG_SYSTEM_FILE "/etc/hod/config.toml"

struct global_args {
        bool debug, version;
        const char *config, *log_file, *log_format, *log_level, *root, *state, *storage_driver;
        char **insecure_registries, **registry_mirrors, **token_realms;
        int64_t registry_timeout; /* ns */
};

extern const char *const config_log_levels[];
extern const char *const config_log_formats[];
extern const char *const config_drivers[];

/* 1s to 1h. */
MUST_USE err *config_check_timeout(const char *text);

#define GLOBAL_OPTS                                                                                                    \
        OPT_STR(0, "config", struct global_args, config, "string",                                                     \
                "Read this configuration file instead of /etc/hod/config.toml and ~/.config/hod/config.toml",          \
                .env = "HOD_CONFIG", .complete = OPT_COMPLETE_FILE),                                                   \
                OPT_FLAG('D', "debug", struct global_args, debug, "Enable debug mode", .env = "HOD_DEBUG",             \
                         .config = "debug"),                                                                           \
                OPT_LIST(0, "insecure-registry", struct global_args, insecure_registries, "list",                      \
                         "Registry (host, host:port or CIDR) that may be spoken to without verified TLS",              \
                         .config = "insecure-registries"),                                                             \
                OPT_STR(0, "log", struct global_args, log_file, "string",                                              \
                        "Append log messages to this file instead of stderr", .env = "HOD_LOG", .config = "log",       \
                        .complete = OPT_COMPLETE_FILE),                                                                \
                OPT_STR(0, "log-format", struct global_args, log_format, "string",                                     \
                        "Format of log messages (\"text\", \"json\")", .def = "text", .env = "HOD_LOG_FORMAT",         \
                        .config = "log-format", .choices = config_log_formats, .strict = true),                        \
                OPT_STR('l', "log-level", struct global_args, log_level, "string",                                     \
                        "Set the logging level (\"debug\", \"info\", \"warn\", \"error\")", .def = "warn",             \
                        .env = "HOD_LOG_LEVEL", .config = "log-level", .choices = config_log_levels),                  \
                OPT_LIST(0, "registry-mirror", struct global_args, registry_mirrors, "list",                           \
                         "Address of a mirror of docker.io, asked first", .config = "registry-mirrors"),               \
                OPT_DURATION(0, "registry-timeout", struct global_args, registry_timeout,                              \
                             "Give up on a registry that is silent or too slow for this long", .def = "1m",            \
                             .env = "HOD_REGISTRY_TIMEOUT", .config = "registry-timeout",                              \
                             .check = config_check_timeout),                                                           \
                OPT_STR(0, "root", struct global_args, root, "string", "Directory of images, containers and volumes",  \
                        .def = "/var/lib/hod", .env = "HOD_ROOT", .config = "root", .complete = OPT_COMPLETE_DIR),     \
                OPT_STR(0, "state", struct global_args, state, "string", "Directory of what a reboot may forget",      \
                        .def = "/run/hod", .env = "HOD_STATE", .config = "state", .complete = OPT_COMPLETE_DIR),       \
                OPT_STR(0, "storage-driver", struct global_args, storage_driver, "string",                             \
                        "How layers become a root file system (default: the best that works)",                         \
                        .env = "HOD_STORAGE_DRIVER", .config = "storage-driver", .choices = config_drivers),           \
                OPT_LIST(0, "token-realm", struct global_args, token_realms, "list",                                   \
                         "Further host that may be sent passwords for a token", .config = "token-realms"),             \
                OPT_FLAG('v', "version", struct global_args, version, "Print version information and quit")

/* What the program keeps while a command runs: inv->context. */
struct config {
        struct json_object *docs[2]; /* the values borrow from them */
        char *root, *state;          /* absolute */
};
void config_done(struct config *c);

/* Fill inv->global from the environment and the files, set inv->context and the logger. Call after opt_parse(). */
MUST_USE err *config_load(struct invocation *inv, struct config *c, char *const *environ_);
