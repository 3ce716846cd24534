/* cleanup.c - see cleanup.h. */
#include "engine/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/endpoints.h"
#include "monitor/proto.h"
#include "runtime/runtime.h"
#include "store/record.h"
#include "store/snapshot.h"
#include "store/volume.h"
#include "sys/netlink.h"

#define DEAD_MONITOR_MS 15000

static err *drop_state_dir(struct container *c)
{
        int r;

        /* Its place in the networks is written in there. */
        log_error_free(LOG_LEVEL_WARN, endpoints_detach(c));
        r = file_remove_tree(c->engine->containers_fd, c->id);
        if (r < 0)
                return err_sys(r, "removing the run directory of container %s", c->id);
        return NULL;
}

static err *record_exit(struct container *c)
{
        json *state;

        TRY(container_state_json(c, &state));
        json_set_str(state, "Status", c->state == STATUS_CREATED ? "created" : "exited");
        json_set(c->record, "State", state);
        json_set_int(c->record, "RestartCount", c->status.restarts);
        json_del(c->record, "HodStartedBoot");
        endpoints_remember(c);
        return container_save(c);
}

err *cleanup_delete(struct container *c, bool volumes)
{
        struct trace_span span = trace_begin(TRACE_CLEANUP);
        const json *mounts = json_get(c->record, "Mounts");

        TRY(snapshot_remove(c->engine->store, c->id));
        TRY(drop_state_dir(c));
        TRY(record_delete(c->engine->store, c->id, c->durable));
        for (size_t i = 0; volumes && i < json_len(mounts); i++) {
                const json *m = json_at(mounts, i);

                if (!json_get_bool(m, "Anonymous", false))
                        continue;
                /* In use by another container (--volumes-from): stays. */
                err_free(volume_remove(c->engine->store, json_get_str_or(m, "Name", ""), false));
        }
        trace_end(&span, 0, c->id);
        return NULL;
}

void cleanup_cgroup(const struct container *c)
{
        _cleanup_free_ char *path = c->monitor_alive ? NULL : container_cgroup(c);

        if (!path)
                return;
        log_error_free(LOG_LEVEL_WARN, runtime_cgroup_kill(path, SIGKILL));
        log_error_free(LOG_LEVEL_WARN, runtime_cgroup_remove(path, 2000));
}

err *cleanup_keep(struct container *c)
{
        cleanup_cgroup(c);
        TRY(record_exit(c));
        return drop_state_dir(c);
}

err *cleanup_locked(struct container *c)
{
        if (!container_auto_remove(c))
                return cleanup_keep(c);
        cleanup_cgroup(c);
        return cleanup_delete(c, true);
}

err *cleanup_container(struct container *c)
{
        _cleanup_close_ int lock = -1;
        err *e;

        TRY(container_lock(c, false, &lock));
        /* A record that goes away anyway need not be read again; any other may have been changed meanwhile. */
        e = container_auto_remove(c) ? container_refresh(c) : container_reload(c);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return lock < 0 ? NULL : drop_state_dir(c);
        }
        TRY(e);
        if (container_is_alive(c) || (lock < 0 && !c->dirty))
                return NULL;
        return cleanup_locked(c);
}

err *cleanup_by_id(struct engine *e, const char *id)
{
        _cleanup_container_ struct container *c = NULL;
        err *error = container_find(e, id, &c);

        if (err_code(error) == ERR_NOT_FOUND) {
                int r;

                err_free(error);
                /* The record is gone but the monitor still asks: only its directory is left. */
                r = id_valid(id) ? file_remove_tree(e->containers_fd, id) : 0;
                return r < 0 ? err_sys(r, "removing the run directory of container %s", id) : NULL;
        }
        TRY(error);
        return cleanup_container(c);
}

err *cleanup_mark_started(struct container *c)
{
        if (mkdirat(c->engine->containers_fd, c->id, 0700) < 0 && errno != EEXIST)
                return err_sys(errno, "making the run directory of container %s", c->id);
        json_set_str(c->record, "HodStartedBoot", container_boot_id());
        return container_save(c);
}

void cleanup_start_failed(struct container *c, const err *e)
{
        int64_t started_ns, finished_ns;
        char text[1024];
        json *state;
        err *error;

        (void)err_text(e, text, sizeof(text));
        /* If the monitor died (after a time-out it was killed), what it was making may still be there, and its forks,
         * which share its lock, may still be making it. */
        err_free(container_refresh(c));
        if ((err_code(e) == ERR_NOT_RUNNING || err_code(e) == ERR_TIMEOUT) && c->state_fd >= 0) {
                _cleanup_close_ int old = status_open_lock(c->state_fd);

                if (!status_wait_ended(old, DEAD_MONITOR_MS))
                        log_warn("container %s: what its dead monitor was making is not done", c->id);
                err_free(container_refresh(c));
                c->monitor_alive = false; /* stuck in the kernel at most: the cgroup is ours to empty */
        }
        cleanup_cgroup(c);
        if (container_auto_remove(c)) {
                log_error_free(LOG_LEVEL_WARN, cleanup_delete(c, true));
                return;
        }
        started_ns = finished_ns = 0;
        err_free(clock_parse(json_get_str_or(json_get(c->record, "State"), "StartedAt", ""), &started_ns));
        err_free(clock_parse(json_get_str_or(json_get(c->record, "State"), "FinishedAt", ""), &finished_ns));
        c->state = started_ns > 0 ? STATUS_EXITED : STATUS_CREATED;
        c->status = (struct status){.exit_code = err_exit_status(err_code(e), true),
                                    .exit_known = true,
                                    .started_ns = started_ns,
                                    .finished_ns = finished_ns};
        /* docker: 127 and 126 for the program, 128 for everything else that went wrong while starting */
        if (c->status.exit_code == 125)
                c->status.exit_code = 128;
        (void)snprintf(c->status.error, sizeof(c->status.error), "%.500s", text);
        error = container_state_json(c, &state);
        if (!error) {
                json_set_int(state, "ExitCode", c->status.exit_code);
                json_set(c->record, "State", state);
                json_del(c->record, "HodStartedBoot");
                error = container_save(c);
        }
        log_error_free(LOG_LEVEL_WARN, error);
        log_error_free(LOG_LEVEL_WARN, drop_state_dir(c));
}

void cleanup_tell(int fd)
{
        _cleanup_close_ int parting = netlink_firewall_take();

        err_free(proto_send(fd, PROTO_CLEANED, NULL, 0, &parting, parting >= 0));
}
