/* exec.c - see exec.h. */
#include "engine/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "monitor/proto.h"

static void add_string(struct str *s, const char *text)
{
        str_add_n(s, text, strlen(text) + 1);
}

static err *send_request(int fd, const struct proto_exec *head, const struct str *strings, const int *fds, size_t n_fds)
{
        struct proto_exec h = *head;
        int all[8];

        memcpy(all, fds, n_fds * sizeof(*fds));
        if (sizeof(struct proto_header) + sizeof(h) + strings->len <= PROTO_MAX) {
                _cleanup_free_ char *body = malloc(sizeof(h) + strings->len);

                if (!body)
                        return err_nomem();
                memcpy(body, &h, sizeof(h));
                memcpy(body + sizeof(h), strings->data, strings->len);
                return proto_send(fd, PROTO_EXEC, body, sizeof(h) + strings->len, all, n_fds);
        } else {
                _cleanup_close_ int memfd = memfd_create("hod-exec", MFD_CLOEXEC);
                int r = memfd < 0 ? -errno : file_write_all(memfd, strings->data, strings->len);

                if (r < 0)
                        return err_sys(r, "passing the arguments");
                h.flags |= PROTO_EXEC_MEMFD;
                all[n_fds++] = memfd;
                return proto_send(fd, PROTO_EXEC, &h, sizeof(h), all, n_fds);
        }
}

err *exec_start(struct container *c, const struct exec_options *o, struct exec_session *ret)
{
        struct trace_span span = trace_begin(TRACE_EXEC_REQUEST);
        struct proto_exec head = {.rows = o->rows, .cols = o->cols};
        _cleanup_close_ int fd = -1, null = -1, terminal = -1;
        _cleanup_str_ struct str strings = {0};
        size_t n_fds = 3;
        int fds[4];
        pid_t pid;

        if (c->state == STATUS_PAUSED)
                return err_new(ERR_CONFLICT, "Container %s is paused, unpause the container before exec", c->name);
        if (!container_is_running(c))
                return err_new(ERR_NOT_RUNNING, "container %s is not running", c->id);
        if (o->cwd && *o->cwd != '/')
                return err_new(ERR_INVALID, "OCI runtime exec failed: exec failed: Cwd must be an absolute path");
        TRY(container_connect(c, &fd));
        for (char *const *p = o->argv; *p; p++, head.argc++)
                add_string(&strings, *p);
        for (char *const *p = o->env; p && *p; p++, head.envc++)
                add_string(&strings, *p);
        add_string(&strings, o->cwd ? o->cwd : "");
        add_string(&strings, o->user ? o->user : "");
        TRY(str_done(&strings));
        head.flags = (o->tty ? PROTO_EXEC_TTY : 0) | (o->privileged ? PROTO_EXEC_PRIVILEGED : 0) |
                     (o->detach ? PROTO_EXEC_DETACH : 0);
        if (o->tty || o->detach) {
                null = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (null < 0)
                        return err_sys(errno, "opening /dev/null");
        }
        for (int i = 0; i < 3; i++)
                fds[i] = null >= 0 ? null : o->stdio[i];
        if (trace_fd >= 0) {
                head.flags |= PROTO_EXEC_TRACE;
                fds[n_fds++] = trace_fd;
        }
        TRY(send_request(fd, &head, &strings, fds, n_fds));
        TRY(proto_wait_started(fd, &pid, &terminal));
        trace_end(&span, 0, o->argv[0]);
        *ret = (struct exec_session){.fd = o->detach ? -1 : TAKE_FD(fd), .terminal = TAKE_FD(terminal), .pid = pid};
        return NULL;
}
