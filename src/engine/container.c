/* container.c - see container.h. */
#include "engine/container.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/monitor_spawn.h"
#include "monitor/proto.h"
#include "store/name_index.h"
#include "store/record.h"
#include "sys/process.h"

/* Key of the record that remembers in which boot the container was last started; docker has no such field. */
#define STARTED_BOOT "HodStartedBoot"

#define CONNECT_TRIES 200
#define CONNECT_PAUSE_US 5000

const char *container_boot_id(void)
{
        static char id[40];
        _cleanup_free_ char *text = NULL;

        if (!*id && file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL) == 0) {
                text[strcspn(text, "\n")] = '\0';
                (void)snprintf(id, sizeof(id), "%s", text);
        }
        return id;
}

void container_free(struct container *c)
{
        if (!c)
                return;
        (void)file_close(c->state_fd);
        json_free(c->record);
        free(c->id);
        free(c->name);
        free(c);
}

void container_list_done(struct container_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                container_free(l->items[i]);
        free(l->items);
        *l = (struct container_list){0};
}

const json *container_config(const struct container *c)
{
        return json_get(c->record, "Config");
}

const json *container_host_config(const struct container *c)
{
        return json_get(c->record, "HostConfig");
}

bool container_auto_remove(const struct container *c)
{
        return json_get_bool(container_host_config(c), "AutoRemove", false);
}

/* What the record alone says. */
static void state_from_record(struct container *c)
{
        const json *state = json_get(c->record, "State");
        const char *name = json_get_str_or(state, "Status", "created"), *boot = json_get_str(c->record, STARTED_BOOT);

        c->status = (struct status){.exit_known = true};
        c->has_status = c->monitor_alive = c->adoptable = c->dirty = false;
        c->state = strcmp(name, "exited") == 0 ? STATUS_EXITED : STATUS_CREATED;
        /* A start makes the run directory first: without it the container ran before the machine (or somebody) emptied
         * the state directory. */
        if (boot && (c->state_fd < 0 || strcmp(boot, container_boot_id()) != 0)) {
                c->state = STATUS_EXITED;
                c->dirty = true;
                c->status.exit_code = 255;
                c->status.exit_known = false;
                err_free(clock_parse(json_get_str_or(state, "StartedAt", ""), &c->status.started_ns));
                return;
        }
        c->status.exit_code = (int)json_get_int(state, "ExitCode", 0);
        c->status.oom_killed = json_get_bool(state, "OOMKilled", false);
        (void)snprintf(c->status.error, sizeof(c->status.error), "%s", json_get_str_or(state, "Error", ""));
        err_free(clock_parse(json_get_str_or(state, "StartedAt", ""), &c->status.started_ns));
        err_free(clock_parse(json_get_str_or(state, "FinishedAt", ""), &c->status.finished_ns));
}

/* What the database says now. */
static err *reread_record(struct container *c)
{
        _cleanup_record_ struct record r = {0};
        json *record;

        TRY(record_find(c->engine->store, c->id, &r));
        TRY(json_parse(r.json, strlen(r.json), &record));
        json_free(c->record);
        c->record = record;
        return NULL;
}

/* The run directory is gone although our copy of the record says "started": somebody may have cleaned up since we read
 * it. A record that is gone leaves an ended container. */
static err *reread_if_cleaned(struct container *c)
{
        err *e;

        if (!json_get(c->record, STARTED_BOOT))
                return NULL;
        e = reread_record(c);
        if (err_code(e) == ERR_NOT_FOUND) {
                json_del(c->record, STARTED_BOOT);
                return err_free(e);
        }
        return e;
}

/* The status file could not be read, for the reason @e, which is consumed. */
static err *without_status(struct container *c, err *e)
{
        bool damaged = err_code(e) == ERR_CORRUPT;

        if (!damaged && err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        if (!damaged) /* the directory is just being removed, by a cleanup that has written the exit into the record */
                TRY(reread_if_cleaned(c));
        state_from_record(c);
        if (damaged) {
                /* One damaged file must not hide all the others: nobody knows how this one ended. */
                log_warn("container %s: its status file is damaged", c->id);
                c->state = STATUS_EXITED;
                c->dirty = true;
                c->status.exit_code = 255;
                c->status.exit_known = false;
        }
        return NULL;
}

/* Its process is there and has not ended: who has inherited it may be slow to reap it, or never do it. */
static bool is_there(const struct container *c)
{
        _cleanup_close_ int pidfd = -1;

        if (c->status.pid <= 0 || status_pid_start(c->status.pid) != c->status.pid_start)
                return false;
        pidfd = process_of(c->status.pid);
        return pidfd < 0 ? pidfd != -ESRCH : process_wait(pidfd, 0) < 0;
}

/* Monitor and container are gone and nobody saw the exit; of a process that nobody has reaped the kernel knows it. */
static void unseen_end(struct container *c)
{
        int wait_status;

        c->state = STATUS_EXITED;
        c->status.exit_known = status_of_zombie(c->status.pid, c->status.pid_start, &wait_status);
        c->status.exit_code = c->status.exit_known ? status_exit_code(wait_status) : 255;
        c->status.finished_ns = clock_now_ns();
}

err *container_refresh(struct container *c)
{
        bool alive;
        err *e;

        c->state_fd = file_close(c->state_fd);
        c->state_fd = openat(c->engine->containers_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (c->state_fd < 0) {
                if (errno != ENOENT)
                        return err_sys(errno, "opening the state of container %s", c->id);
                c->state_fd = -1;
                TRY(reread_if_cleaned(c));
                state_from_record(c);
                return NULL;
        }
        /* The lock first: a monitor that has gone has written its last. */
        alive = status_monitor_alive(c->state_fd);
        e = status_read(c->state_fd, &c->status);
        if (e)
                return without_status(c, e);
        if (strcmp(c->status.boot_id, container_boot_id()) != 0) {
                /* A run directory that outlived the machine: whatever ran then has ended, and nobody saw how. */
                int64_t started = c->status.started_ns;

                state_from_record(c);
                if (!json_get(c->record, STARTED_BOOT))
                        return NULL;
                c->state = STATUS_EXITED;
                c->dirty = true;
                c->status = (struct status){.exit_code = 255, .started_ns = started};
                return NULL;
        }
        c->has_status = true;
        c->adoptable = c->dirty = false;
        c->monitor_alive = alive;
        c->state = c->status.state;
        if (c->monitor_alive)
                return NULL;
        if (container_is_running(c) && is_there(c)) {
                c->adoptable = true;
                return NULL;
        }
        if (container_is_alive(c)) {
                unseen_end(c);
        }
        c->dirty = c->state == STATUS_EXITED && !c->status.cleaned;
        return NULL;
}

err *container_reload(struct container *c)
{
        TRY(reread_record(c));
        return container_refresh(c);
}

/* One that is damaged is as good as empty: the others are listed beside it, and it can be removed. */
static err *parse_record(const struct record *r, json **ret)
{
        err *e = json_parse(r->json, strlen(r->json), ret);

        if (!e || err_code(e) == ERR_NOMEM)
                return e;
        log_error_free(LOG_LEVEL_WARN, err_wrap(e, "record of container %s", r->id));
        *ret = json_new_object();
        return NULL;
}

static err *from_record(struct engine *e, struct record *r, struct container **ret)
{
        _cleanup_container_ struct container *c = MEM_NEW0(struct container, 1);

        if (!c)
                return err_nomem();
        c->engine = e;
        c->state_fd = -1;
        c->id = str_dup(r->id);
        c->name = str_dup(r->name);
        c->created_ns = r->created_ns;
        c->durable = r->durable;
        if (!c->id || !c->name)
                return err_nomem();
        TRY(parse_record(r, &c->record));
        TRY(container_refresh(c));
        *ret = TAKE_PTR(c);
        return NULL;
}

err *container_find(struct engine *e, const char *ref, struct container **ret)
{
        _cleanup_record_ struct record r = {0};

        TRY(record_find(e->store, ref, &r));
        return from_record(e, &r, ret);
}

err *container_find_monitor(struct engine *e, const char *ref, struct container **ret)
{
        _cleanup_container_ struct container *c = NULL;
        char id[ID_LEN + 1];

        if (!name_index_find(e->store, ref, id))
                return container_find(e, ref, ret);
        c = MEM_NEW0(struct container, 1);
        if (!c)
                return err_nomem();
        c->engine = e;
        c->state_fd = -1;
        c->id = str_dup(id);
        c->name = str_dup(ref);
        if (!c->id || !c->name)
                return err_nomem();
        TRY(container_refresh(c));
        if (!container_is_running(c) || !c->monitor_alive)
                return container_find(e, ref, ret);
        *ret = TAKE_PTR(c);
        return NULL;
}

err *container_list(struct engine *e, struct container_list *ret)
{
        _cleanup_record_list_ struct record_list records = {0};
        _cleanup_container_list_ struct container_list list = {0};

        TRY(record_list_all(e->store, &records));
        list.items = MEM_NEW0(struct container *, records.n + 1);
        if (!list.items)
                return err_nomem();
        for (; list.n < records.n; list.n++)
                TRY(from_record(e, &records.items[list.n], &list.items[list.n]));
        *ret = list;
        list = (struct container_list){0};
        return NULL;
}

err *container_state_json(const struct container *c, json **ret)
{
        static const char *const names[] = {
                [STATUS_CREATED] = "created",       [STATUS_RUNNING] = "running", [STATUS_PAUSED] = "paused",
                [STATUS_RESTARTING] = "restarting", [STATUS_EXITED] = "exited",
        };
        _cleanup_json_ json *state = json_new_object();
        char text[CLOCK_TEXT_MAX];

        json_set_str(state, "Status", names[c->state]);
        json_set_bool(state, "Running", container_is_alive(c));
        json_set_bool(state, "Paused", c->state == STATUS_PAUSED);
        json_set_bool(state, "Restarting", c->state == STATUS_RESTARTING);
        json_set_bool(state, "OOMKilled", c->status.oom_killed);
        json_set_bool(state, "Dead", false);
        json_set_int(state, "Pid", container_is_running(c) ? c->status.pid : 0);
        json_set_int(state, "ExitCode", container_is_running(c) ? 0 : c->status.exit_code);
        json_set_str(state, "Error",
                     c->state == STATUS_EXITED && !c->status.exit_known && !*c->status.error
                             ? "nobody saw the exit: its status is unknown"
                             : c->status.error);
        clock_format(c->status.started_ns, text);
        json_set_str(state, "StartedAt", text);
        clock_format(c->status.finished_ns, text);
        json_set_str(state, "FinishedAt", text);
        *ret = TAKE_PTR(state);
        return NULL;
}

err *container_status_text(const struct container *c, char **ret)
{
        int64_t now = clock_now_ns();
        char span[64];
        char *text;

        switch (c->state) {
        case STATUS_RUNNING:
        case STATUS_PAUSED:
                clock_human(now - c->status.started_ns, span, sizeof(span));
                text = str_format("Up %s%s", span, c->state == STATUS_PAUSED ? " (Paused)" : "");
                break;
        case STATUS_RESTARTING:
                clock_human(now - c->status.finished_ns, span, sizeof(span));
                text = str_format("Restarting (%d) %s ago", c->status.exit_code, span);
                break;
        case STATUS_EXITED:
                if (!c->status.finished_ns) {
                        text = str_format("Exited (%d)", c->status.exit_code);
                        break;
                }
                clock_human(now - c->status.finished_ns, span, sizeof(span));
                text = str_format("Exited (%d) %s ago", c->status.exit_code, span);
                break;
        default:
                text = str_dup("Created");
                break;
        }
        if (!text)
                return err_nomem();
        *ret = text;
        return NULL;
}

err *container_connect(struct container *c, int *ret_fd)
{
        /* A monitor that was killed seems to live until the last of its forks has gone (they share its lock): then its
         * socket refuses us, or whoever should adopt the container finds the lock taken. */
        for (int tries = 0;; tries++) {
                err *e;

                if (c->adoptable) {
                        TRY(monitor_adopt(c->engine, c->id));
                        TRY(container_refresh(c));
                }
                if (!container_is_alive(c))
                        return err_new(ERR_NOT_RUNNING, "container %s is not running", c->id);
                e = c->monitor_alive ? proto_connect(c->state_fd, ret_fd)
                                     : err_new(ERR_BUSY, "it has no monitor, and none can be started");
                if (!e)
                        return NULL;
                if (tries == CONNECT_TRIES || err_code(e) == ERR_TIMEOUT)
                        return err_wrap(e, "container %s", c->id);
                err_free(e);
                (void)usleep(CONNECT_PAUSE_US);
                TRY(container_refresh(c));
        }
}

err *container_lock(struct container *c, bool create, int *ret_fd)
{
        for (int tries = 0; tries < 100; tries++) {
                _cleanup_close_ int fd = -1;
                struct stat st;

                if (create && mkdirat(c->engine->containers_fd, c->id, 0700) < 0 && errno != EEXIST)
                        return err_sys(errno, "making the state directory of container %s", c->id);
                fd = openat(c->engine->containers_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fd < 0 && errno == ENOENT && !create) {
                        *ret_fd = -1;
                        return NULL;
                }
                if (fd < 0 && errno == ENOENT)
                        continue;
                if (fd < 0)
                        return err_sys(errno, "opening the state of container %s", c->id);
                while (flock(fd, LOCK_EX) < 0)
                        if (errno != EINTR)
                                return err_sys(errno, "locking container %s", c->id);
                /* Whoever held the lock before us may have removed the directory. */
                if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
                        *ret_fd = TAKE_FD(fd);
                        return NULL;
                }
                if (!create) {
                        *ret_fd = -1;
                        return NULL;
                }
        }
        return err_new(ERR_BUSY, "container %s is being removed over and over", c->id);
}

err *container_lock_reload(struct container *c, int *ret_lock)
{
        _cleanup_close_ int lock = -1;
        err *e;

        TRY(container_lock(c, true, &lock));
        e = container_reload(c);
        if (err_code(e) == ERR_NOT_FOUND)
                (void)file_remove_tree(c->engine->containers_fd, c->id); /* which this lock has just made */
        TRY(e);
        *ret_lock = TAKE_FD(lock);
        return NULL;
}

void container_unlock(struct container *c, int lock)
{
        if (!c->has_status)
                (void)unlinkat(c->engine->containers_fd, c->id, AT_REMOVEDIR);
        (void)file_close(lock);
}

err *container_save(struct container *c)
{
        _cleanup_free_ char *text = NULL;

        TRY(json_print(c->record, JSON_COMPACT, &text));
        return record_update(c->engine->store, c->id, c->durable, text);
}

char *container_cgroup(const struct container *c)
{
        const char *parent = json_get_str_or(container_host_config(c), "CgroupParent", "");

        if (!*parent)
                parent = "hod";
        return str_format("%s%s%s%s", *parent == '/' ? "" : "/", parent, str_ends(parent, "/") ? "" : "/", c->id);
}
