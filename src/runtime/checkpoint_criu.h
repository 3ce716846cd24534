/* checkpoint_criu.h - speaking with CRIU: the program `criu swrk 3` and its messages (images/rpc.proto of CRIU).
 *
 * One process of criu does one thing: a request goes over a SOCK_SEQPACKET socket, notifications come and are answered
 * one by one, the result ends it. The socket is criu's descriptor 3; what else it needs follows from 4 on. Numbers of
 * descriptors in requests are those of the process that has made the socket: ours for a dump, criu's for a restore. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "sys/cgroup.h"

enum checkpoint_criu_type {
        CRIU_DUMP = 1,
        CRIU_RESTORE = 2,
        CRIU_PRE_DUMP = 4,
        CRIU_NOTIFY = 6,
        CRIU_FEATURE_CHECK = 9,
        CRIU_VERSION = 10,
};

/* What criu says: a notification, or the result of a request. */
struct checkpoint_criu_reply {
        enum checkpoint_criu_type type;
        bool success;
        int32_t errnum;             /* 0 = not said */
        char *message;              /* of the first error, or NULL */
        char *script;               /* NOTIFY: what happens now, "post-restore"; NULL = not said */
        int32_t pid;                /* RESTORE, and some notifications: of the container's init; 0 = not said */
        int version;                /* VERSION: 40201 is 4.2.1 */
        bool mem_track, lazy_pages; /* FEATURE_CHECK */
        int fd;                     /* that came with it, or -1 */
};
/* Read one message; @ret is changed on success only. ERR_CORRUPT. */
MUST_USE err *checkpoint_criu_parse(const void *data, size_t size, struct checkpoint_criu_reply *ret);
void checkpoint_criu_reply_done(struct checkpoint_criu_reply *r);
#define _cleanup_criu_reply_ __attribute__((cleanup(checkpoint_criu_reply_done)))

#define CRIU_EXTRA_FDS_MAX 8
/* How criu is started. */
struct checkpoint_criu_start {
        const int *stdio;                  /* three descriptors for 0, 1, 2; NULL = /dev/null */
        int extra_fds[CRIU_EXTRA_FDS_MAX]; /* become 4, 5, ... */
        size_t n_extra_fds;
        /* restore: criu's children are the container, so it begins as they shall be */
        bool for_restore;
        int root_tree; /* detached root file system, and where criu sees it in its own mount namespace */
        const char *root_place;
        /* The first extra descriptors are directories with these names: criu mounts things below the one where it
         * works, so they have to be opened in that mount namespace. */
        const char *const *dirs;
        size_t n_dirs;
        const int *cgroup_fds;
        size_t n_cgroup_fds;
        const char *keyring;
};

struct checkpoint_criu {
        int socket, pidfd;
};

/* Find criu in the directories of the system (never in $PATH, never in a container) and start it. ERR_UNSUPPORTED
 * "criu executable not found", ERR_SYS. Close with checkpoint_criu_end(). */
MUST_USE err *checkpoint_criu_start(const struct checkpoint_criu_start *how, struct checkpoint_criu *ret);
MUST_USE err *checkpoint_criu_send(const struct checkpoint_criu *c, const struct str *request);
/* Wait for the next message. ERR_SYS "criu failed: ..." if it ends without one. */
MUST_USE err *checkpoint_criu_receive(const struct checkpoint_criu *c, struct checkpoint_criu_reply *ret);
/* Answer a notification. */
MUST_USE err *checkpoint_criu_answer(const struct checkpoint_criu *c, bool success);
/* Hang up and wait for its end. @status (may be NULL): as waitpid() gives it. */
MUST_USE err *checkpoint_criu_end(struct checkpoint_criu *c, int *status);
void checkpoint_criu_done(struct checkpoint_criu *c);
#define _cleanup_criu_ __attribute__((cleanup(checkpoint_criu_done)))

/* "criu failed: type DUMP errno 95: ..." */
MUST_USE err *checkpoint_criu_error(const struct checkpoint_criu_reply *r);

/* The version as a number, 40201. ERR_UNSUPPORTED if it is older than @min. */
MUST_USE err *checkpoint_criu_check_version(int min);
/* ERR_UNSUPPORTED "criu is missing features: [MemTrack]". */
MUST_USE err *checkpoint_criu_check_features(bool mem_track, bool lazy_pages);
