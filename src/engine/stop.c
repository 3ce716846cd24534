/* stop.c - see stop.h. */
#include "engine/stop.h"

#include <signal.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/cleanup.h"
#include "engine/connect.h"
#include "monitor/proto.h"
#include "store/record.h"

#define STOP_TIMEOUT 10 /* docker's default, seconds */
#define LOST_TRIES 20
#define REMOVE_TRIES 20
#define AHEAD 16            /* containers that are killed before the first of them is removed */
#define MONITOR_MS 500      /* that the monitor, whose SIGKILL it is, may be late before we send ours */
#define KILL_PATIENCE 10000 /* ms that SIGKILL may take before we say that the process is stuck */

static err *send_signal(int fd, int signal, unsigned flags)
{
        struct proto_signal s = {.signal = signal, .flags = flags};

        proto_be_patient(fd);
        TRY(proto_send(fd, PROTO_SIGNAL, &s, sizeof(s), NULL, 0));
        return proto_wait_ok(fd);
}

/* Ask with @f. A monitor that is being killed may still take the connection, and then says nothing more: the next one,
 * which adopts the container, is asked again. */
static err *ask(struct container *c, err *(*f)(struct container *c, void *arg), void *arg)
{
        for (int tries = 0;; tries++) {
                err *e = f(c, arg), *lost;

                if (err_code(e) != ERR_NOT_RUNNING || tries == LOST_TRIES)
                        return e;
                lost = container_refresh(c);
                if (lost || !container_is_alive(c)) {
                        err_free(lost);
                        return e;
                }
                err_free(e);
        }
}

static int stop_signal(const struct container *c)
{
        const char *text = json_get_str(container_config(c), "StopSignal");
        int signal;

        if (!str_empty(text) && parse_signal(text, &signal) == 0)
                return signal;
        return SIGTERM;
}

static err *kill_once(struct container *c, void *arg)
{
        _cleanup_close_ int fd = -1;
        int signal = *(int *)arg;
        bool wants_end;

        if (!container_is_alive(c))
                return err_new(ERR_NOT_RUNNING, "container %s is not running", c->id);
        TRY(container_connect(c, &fd));
        /* docker: a person who sends SIGKILL, or the stop signal, wants the end: no restart after it. Without a stop
         * signal of the container's own, any signal says so. */
        wants_end = signal == SIGKILL || str_empty(json_get_str(container_config(c), "StopSignal")) ||
                    signal == stop_signal(c);
        return send_signal(fd, signal, wants_end ? PROTO_SIGNAL_STOPPING : 0);
}

err *stop_kill(struct container *c, int signal)
{
        return ask(c, kill_once, &signal);
}

/* The end, once the monitor has been told that it is wanted. A run that ended before it heard so says that another one
 * follows: which does not, or ends as well. */
static err *wait_end(int fd, int64_t timeout_ms)
{
        struct proto_exit exit;

        TRY(proto_wait_exit_for(fd, timeout_ms, &exit));
        if (!(exit.flags & PROTO_EXIT_RESTARTING))
                return NULL;
        TRY(proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0));
        return proto_wait_exit_for(fd, timeout_ms, &exit);
}

/* ERR_NOT_RUNNING: the monitor has gone, with the container or without it. */
static err *end_once(struct container *c, int signal, int timeout_s, int *ret_fd)
{
        _cleanup_close_ int fd = -1;
        int64_t timeout_ms;
        err *e;

        if (timeout_s == -1)
                timeout_s = (int)json_get_int(container_config(c), "StopTimeout", STOP_TIMEOUT);
        timeout_ms = timeout_s < 0 ? -1 : (int64_t)timeout_s * 1000;
        TRY(container_connect(c, &fd));
        TRY(proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0));
        if (c->state == STATUS_PAUSED)
                TRY(proto_send(fd, PROTO_RESUME, NULL, 0, NULL, 0));
        if (timeout_ms != 0) {
                struct proto_signal s = {.signal = signal ? signal : stop_signal(c), .flags = PROTO_SIGNAL_STOPPING};

                /* The monitor ends the grace: we may be interrupted. */
                if (timeout_ms > 0 && timeout_s <= PROTO_SIGNAL_KILL_MAX) {
                        s.flags |= (1 + (unsigned)timeout_s) << PROTO_SIGNAL_KILL_SHIFT;
                        timeout_ms += MONITOR_MS;
                }
                TRY(proto_send(fd, PROTO_SIGNAL, &s, sizeof(s), NULL, 0));
                e = wait_end(fd, timeout_ms);
        } else {
                e = err_new(ERR_TIMEOUT, "no grace");
        }
        if (err_code(e) == ERR_TIMEOUT) {
                struct proto_signal s = {.signal = SIGKILL, .flags = PROTO_SIGNAL_STOPPING};

                err_free(e);
                TRY(proto_send(fd, PROTO_SIGNAL, &s, sizeof(s), NULL, 0));
                e = wait_end(fd, KILL_PATIENCE);
                if (err_code(e) == ERR_TIMEOUT)
                        return err_wrap(e,
                                        "container %s is stuck in the kernel after SIGKILL, or its monitor (process "
                                        "%d) was stopped",
                                        c->id, (int)c->status.monitor_pid);
        }
        if (!e)
                *ret_fd = TAKE_FD(fd);
        return e;
}

/* Do @f until the container has ended. A monitor that is being killed may still take connections, and then says nothing
 * more: the next one adopts the container. */
static err *until_ended(struct container *c, err *(*f)(struct container *c, void *arg), void *arg)
{
        for (int tries = 0; container_is_alive(c); tries++) {
                err *e = f(c, arg);

                if (err_code(e) != ERR_NOT_RUNNING || tries == LOST_TRIES)
                        return e;
                err_free(e);
                TRY(container_refresh(c));
        }
        return NULL;
}

struct end_how {
        int signal, timeout_s, *ret_fd;
};

static err *end_as(struct container *c, void *arg)
{
        const struct end_how *how = arg;

        return end_once(c, how->signal, how->timeout_s, how->ret_fd);
}

err *stop_end(struct container *c, int signal, int timeout_s, int *ret_fd)
{
        struct end_how how = {signal, timeout_s, ret_fd};

        *ret_fd = -1;
        return until_ended(c, end_as, &how);
}

err *stop_container(struct container *c, int signal, int timeout_s)
{
        _cleanup_close_ int fd = -1;

        if (!container_is_alive(c))
                return NULL;
        TRY(stop_end(c, signal, timeout_s, &fd));
        return cleanup_container(c);
}

static err *wait_once(struct container *c, void *arg)
{
        _cleanup_close_ int fd = -1;
        struct proto_exit exit;

        TRY(container_connect(c, &fd));
        TRY(proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0));
        TRY(proto_wait_exit(fd, &exit));
        *(int *)arg = exit.code;
        return NULL;
}

err *stop_wait(struct container *c, int *ret_code)
{
        int code = -1;

        TRY(until_ended(c, wait_once, &code));
        *ret_code = code >= 0 ? code : c->status.exit_code;
        return NULL;
}

err *stop_pause_held(struct container *c, int *ret_fd)
{
        struct proto_pause p = {.flags = PROTO_PAUSE_HELD};
        _cleanup_close_ int fd = -1;

        TRY(container_connect(c, &fd));
        proto_be_patient(fd);
        TRY(proto_send(fd, PROTO_PAUSE, &p, sizeof(p), NULL, 0));
        TRY(proto_wait_ok(fd));
        *ret_fd = TAKE_FD(fd);
        return NULL;
}

err *stop_resume_held(int fd)
{
        TRY(proto_send(fd, PROTO_RESUME, NULL, 0, NULL, 0));
        return proto_wait_ok(fd);
}

static err *pause_once(struct container *c, void *arg)
{
        _cleanup_close_ int fd = -1;
        bool pause = *(bool *)arg;

        if (!pause && c->state != STATUS_PAUSED)
                return err_new(ERR_CONFLICT, "Container %s is not paused", c->id);
        if (pause && c->state == STATUS_PAUSED)
                return err_new(ERR_CONFLICT, "Container %s is already paused", c->id);
        if (pause && c->state != STATUS_RUNNING)
                return err_new(ERR_NOT_RUNNING, "container %s is not running", c->id);
        TRY(container_connect(c, &fd));
        proto_be_patient(fd);
        TRY(proto_send(fd, pause ? PROTO_PAUSE : PROTO_RESUME, NULL, 0, NULL, 0));
        return proto_wait_ok(fd);
}

err *stop_pause(struct container *c, bool pause)
{
        return ask(c, pause_once, &pause);
}

static err *refuse_removal(const struct container *c)
{
        const char *why = c->state == STATUS_PAUSED ? "container is paused and must be unpaused first"
                          : c->state == STATUS_RESTARTING
                                  ? "container is restarting: stop the container before removing or force remove"
                                  : "container is running: stop the container before removing or force remove";

        return err_new(ERR_CONFLICT, "cannot remove container \"%s\": %s", c->name, why);
}

/* Remove a container that has ended. It may have begun (again) meanwhile: then it still is alive in @c. */
static err *remove_ended(struct container *c, bool volumes)
{
        bool interrupted = c->state_fd >= 0; /* a run directory: its last run did not end in order */
        _cleanup_close_ int lock = -1;

        TRY(container_lock(c, true, &lock));
        TRY(container_refresh(c));
        if (container_is_alive(c))
                return NULL;
        if (interrupted)
                cleanup_cgroup(c);
        /* The end of an --rm container takes its volumes along, whoever sees to it. */
        return cleanup_delete(c, volumes || (interrupted && container_auto_remove(c)));
}

/* How it ended need not be written down: its record goes. */
static err *kill_for_removal(struct container *c, int *ret_fd)
{
        *ret_fd = file_close(*ret_fd);
        return container_auto_remove(c) ? stop_container(c, SIGKILL, 0) : stop_end(c, SIGKILL, 0, ret_fd);
}

err *stop_remove(struct container *c, bool force, bool volumes)
{
        _cleanup_close_ int fd = -1;

        for (int tries = 0; tries < REMOVE_TRIES; tries++) {
                if (container_is_alive(c)) {
                        err *e = force ? kill_for_removal(c, &fd) : refuse_removal(c);

                        if (!force)
                                return e;
                        /* An --rm container is gone with its end. */
                        if (err_code(e) == ERR_NOT_FOUND)
                                e = err_free(e);
                        TRY_WRAP(e, "cannot remove container \"%s\": could not kill container", c->name);
                        if (container_auto_remove(c))
                                return NULL;
                }
                TRY(remove_ended(c, volumes));
                if (!container_is_alive(c))
                        return NULL;
        }
        return err_new(ERR_CONFLICT, "cannot remove container \"%s\": others start it over and over", c->name);
}

/* Kill what is to be removed soon: the kernel takes it apart while others are removed. Its monitor leaves the cleanup
 * to us as long as the descriptor is open; -1: it does not run, or whatever is wrong with it is seen later. */
static int kill_ahead(struct engine *e, const char *ref)
{
        struct proto_signal s = {.signal = SIGKILL, .flags = PROTO_SIGNAL_STOPPING};
        _cleanup_container_ struct container *c = NULL;
        _cleanup_close_ int fd = -1;
        err *error = container_find_monitor(e, ref, &c);

        if (!error && container_is_alive(c) && c->monitor_alive)
                error = proto_connect(c->state_fd, &fd);
        if (!error && fd >= 0) {
                proto_be_patient(fd);
                error = proto_send(fd, PROTO_WAIT, NULL, 0, NULL, 0);
                if (!error)
                        error = proto_send(fd, PROTO_SIGNAL, &s, sizeof(s), NULL, 0);
        }
        if (!error)
                return TAKE_FD(fd);
        err_free(error);
        return -1;
}

static err *remove_ref(struct engine *e, const char *ref, bool force, bool volumes)
{
        _cleanup_container_ struct container *c = NULL;

        TRY(container_find(e, ref, &c));
        return stop_remove(c, force, volumes);
}

void stop_remove_each(struct engine *e, char *const *refs, bool force, bool volumes, stop_report *report, void *arg)
{
        size_t n = strv_len((char **)refs), ahead = 0;
        int held[AHEAD];

        for (size_t i = 0; i < n; i++) {
                err *error;

                for (; force && ahead < n && ahead < i + AHEAD; ahead++)
                        held[ahead % AHEAD] = n > 1 ? kill_ahead(e, refs[ahead]) : -1;
                error = remove_ref(e, refs[i], force, volumes);
                /* One with --rm that was killed here may have been removed by others before its turn came. */
                if (force && held[i % AHEAD] >= 0 && err_code(error) == ERR_NOT_FOUND)
                        error = err_free(error);
                report(arg, refs[i], error);
                if (force)
                        (void)file_close(held[i % AHEAD]);
        }
}

err *stop_rename(struct container *c, const char *name)
{
        _cleanup_free_ char *slashed = NULL, *text = NULL;
        _cleanup_close_ int lock = -1;

        if (str_empty(name))
                return err_new(ERR_INVALID, "Neither old nor new names may be empty");
        if (*name == '/')
                name++;
        if (strcmp(name, c->name) == 0)
                return err_new(ERR_INVALID, "Renaming a container with the same name as its current name");
        if (!id_name_valid(name))
                return err_new(ERR_INVALID,
                               "Error when allocating new name: Invalid container name (/%s), only "
                               "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                               name);
        TRY(container_lock(c, false, &lock));
        TRY(container_reload(c));
        if (lock >= 0)
                log_error_free(LOG_LEVEL_WARN, connect_repair(c, lock));
        slashed = str_format("/%s", name);
        if (!slashed)
                return err_nomem();
        json_set_str(c->record, "Name", slashed);
        TRY(json_print(c->record, JSON_COMPACT, &text));
        TRY_WRAP(record_rename(c->engine->store, c->id, c->durable, name, text), "Error when allocating new name");
        log_error_free(LOG_LEVEL_WARN,
                       connect_rename(c, name)); /* it has the name; others may find it by the old one */
        return NULL;
}
