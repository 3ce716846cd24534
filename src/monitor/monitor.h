/* monitor.h - the supervisor's state; private to hod-monitor. The life cycle is described at the top of main.c.
 *
 * One thread, one epoll loop, nothing that blocks but the kernel's own work (cgroup files, the log's disk). Memory is
 * fixed buffers in one static structure plus a few small objects per connection and session. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "monitor/conf.h"
#include "monitor/logs.h"
#include "monitor/proto.h"
#include "monitor/status.h"
#include "sys/endpoint.h"

struct monitor;

/* Something that epoll watches. First member of what it belongs to. */
struct source {
        void (*handle)(struct monitor *m, struct source *s, uint32_t events);
        int fd;          /* -1 = not there */
        uint32_t events; /* what it is registered for; 0 = not registered */
};

/* A connection. */
struct client {
        struct source source;
        struct client *next;
        unsigned streams; /* PROTO_STREAM_* attached */
        bool dead;        /* freed at the end of the round */
        bool left;        /* has closed its end: what it has sent is still read */
        bool starter;     /* sent START and waits for the answer */
        bool cleaner;     /* takes on the cleanup */
        bool lingers;     /* and waits for our end */
        bool waits;       /* asked to be told of the end: may clean up, too, as long as it stays connected */
        bool want_exit;   /* to be told the container's exit */
        bool exit_due;    /* EXIT did not fit yet */
        bool chunk_due;   /* has not taken the current chunk of output yet */
        bool holds_pause; /* frozen for this client: its end thaws */
        bool stdin_ok_due;
        bool eof_due;   /* STDIN_EOF came while input was still waiting */
        size_t tail_at; /* next byte of the tail to send; TAIL_NONE = follows the stream directly */
        char *input;    /* STDIN that the container has not taken yet, owned */
        size_t input_from, input_to, input_room;
        struct session *session;
};
#define TAIL_NONE ((size_t)-1)

/* A process of exec. Lives until its process has been reaped. */
struct session {
        struct source terminal; /* master; read (to nowhere) only when no client does */
        struct session *next;
        struct client *client; /* NULL: gone or detached */
        pid_t pid;
        bool detach;
};

/* A fork that builds init (session NULL) or a session. */
struct builder {
        struct source source; /* our end of its socket */
        struct builder *next;
        struct client *client; /* who asked, NULL when gone */
        pid_t pid;
        bool is_exec, detach, tty;
};

/* Descriptors that a builder gives. */
enum { BUILDER_PIDFD, BUILDER_TERMINAL, BUILDER_ROOTFS, BUILDER_DNS_UDP, BUILDER_DNS_TCP, BUILDER_FDS };

enum phase {
        PHASE_IDLE,     /* nothing started yet */
        PHASE_STARTING, /* builder under way */
        PHASE_RUNNING,  /* init lives (status: running or paused) */
        PHASE_DELAY,    /* waits for the restart delay */
        PHASE_ENDED,    /* exit published; cleanup under way */
        PHASE_FAILED,   /* the first start failed */
};

/* A published port. */
struct port {
        struct source relay; /* serves ::1 or the device; fd -1 = does not. First member */
        struct port *next;
        char *line;                      /* of the conf; owned */
        uint32_t hash;                   /* of the line */
        bool listed;                     /* in the list that is looked at */
        char host[ENDPOINT_ADDRESS_MAX]; /* address or network device */
        struct link_address to;
        uint16_t port, to_port;
        uint8_t protocol;
        int held;       /* bound on the host; negative: it need not be */
        bool of_device; /* @host is a network device */
        int index;      /* of that device, on which @held is bound; 0 = there is none of this name */
};

/* What the engine gives us. */
#define FIRST_CLIENT_FD 3
#define START_LOCK_FD 4

#define CHUNK_SIZE 32768

struct monitor {
        enum phase phase;
        int dirfd, epfd, lock_fd;
        int start_lock; /* the lock of whoever starts the container, held until that has succeeded or failed; -1 */
        struct source listener;
        struct monitor_conf conf;
        uint64_t conf_ino; /* of the conf that was read: `update` replaces it */
        struct timespec conf_changed;
        struct status status;
        uint64_t began_ns; /* CLOCK_MONOTONIC at the start of main, for the trace */

        struct client *clients;
        struct session *sessions;
        struct builder *builders;

        /* init */
        struct source init; /* pidfd; watched only when init is not our child (adopted) */
        bool init_is_child;
        int rootfs;          /* the container's root mount, -1 = none */
        int parting;         /* held for a client that was in a hurry, -1 = none */
        int oom_original;    /* oom_score_adj that we were started with */
        uint16_t rows, cols; /* terminal size asked for by START */
        int64_t started_mono_ns;

        /* names (nameserver.h) */
        struct nameserver *nameserver;     /* NULL = no user network */
        struct nameserver *old_nameserver; /* freed at the end of the round */
        /* Hooks of rules about names, NULL = none. May other servers be asked for @name? (Containers' names may
         * always.) And: an address that an answer to a query for @name holds, before the answer is sent; aliases have
         * been followed. @name has letters as they were asked for. @family: AF_INET, AF_INET6. Are there such rules?
         * Then nothing is told of answers that the container could have forged. */
        bool (*names_ask)(struct monitor *m, const char *name);
        void (*names_told)(struct monitor *m, const char *name, int family, const unsigned char *address, uint32_t ttl);
        bool (*names_ruled)(struct monitor *m);

        struct port *ports;      /* published ones, held on the host */
        struct port *gone_ports; /* to be freed at the end of the round */
        struct relay *relays;
        struct source devices; /* of the host: those of published ports may come and go */

        struct source watch; /* of the ruleset's changes, or of the monitor that watches them */
        int watch_lock;      /* -1: another monitor has it */
        int64_t watch_at_ns; /* next look; -1 = none */
        bool watch_less;     /* a transaction, of which we have not heard the end, took something of ours away */
        bool watch_torn;     /* it was not ours */
        pid_t reload_pid;

        /* streams */
        struct source out[2]; /* FIFOs, or out[0] = the terminal's master */
        int terminal_end;     /* of the terminal, the container's side, kept open; -1 = none */
        struct source in;     /* FIFO or a duplicate of the master, for writing */
        bool in_broken;       /* nobody reads it */
        unsigned chunks_due;  /* clients that have not taken the chunk */
        enum logs_stream chunk_stream;
        size_t chunk_size;
        char *tail; /* output after the end that some client could not take yet */
        size_t tail_size;

        /* restart policy */
        bool stopping;
        int pending_signal; /* came while the container was being started; 0 = none */
        int64_t restart_at_ns, restart_delay_ns;
        int64_t kill_at_ns; /* end of the grace that a stop has given; 0 = none */

        /* the end */
        bool handed_over;        /* cleanup is done */
        int64_t cleanup_at_ns;   /* next look or try; -1 = none */
        int64_t cleanup_next_ns; /* no further try before this */
        unsigned cleanup_tries;
        pid_t cleanup_pid;

        bool look_for_children; /* as if SIGCHLD had come */
        struct proto_exit last_exit;
        struct logs logs;
        char chunk[CHUNK_SIZE];
        char packet[PROTO_MAX];
};

/* ---- loop.c ---- */
int64_t loop_now_ns(void); /* CLOCK_MONOTONIC */
MUST_USE err *loop_open(struct monitor *m);
/* Watch @s for @events; 0 stops watching. Failures are remembered as "not watched" and end nothing. */
void loop_watch(struct monitor *m, struct source *s, uint32_t events);
/* Stop watching and close. */
void loop_close(struct monitor *m, struct source *s);
/* Is the descriptor one of the last that we may have? What others can make us open without end is refused then: exec,
 * attach and the logs need some. */
bool loop_is_scarce(int fd);
void loop_run(struct monitor *m);

/* ---- setup.c: independence from whoever started us ---- */
void setup_process(void);
void setup_cgroup(const char *path);
/* Lower our oom_score_adj as far as permitted; returns what it was. */
int setup_oom(void);
/* In a builder: what init inherits unless its spec says otherwise. */
void setup_oom_restore(int original);
void setup_builder(void);

/* ---- client.c ---- */
struct client *client_new(struct monitor *m, int fd);
void client_listen(struct monitor *m);
/* Handle every packet that is there. */
void client_drain(struct monitor *m, struct client *c);
void client_drop(struct monitor *m, struct client *c);
void client_reap(struct monitor *m); /* free the dropped ones */
/* Watch it for what we want from it now. */
void client_update(struct monitor *m, struct client *c);
void client_ok(struct monitor *m, struct client *c);
void client_error(struct monitor *m, struct client *c, err *e); /* consumes @e */
void client_send(struct monitor *m, struct client *c, enum proto_type type, const void *data, size_t size,
                 const int *fds, size_t n_fds);
/* Tell everybody who waits. */
void client_exit_all(struct monitor *m);
/* Send what is due; drops the client when its connection is gone. */
void client_flush(struct monitor *m, struct client *c);
bool client_owes(const struct client *c); /* something still has to be sent */
/* Signal init, or what is being started. @stopping: thaw it as well. */
MUST_USE err *client_signal_init(struct monitor *m, int signal, bool stopping);

/* ---- io.c ---- */
/* Make and open what a start needs; *@stdio are the container's ends (closed by io_close_ends). */
MUST_USE err *io_open(struct monitor *m, int stdio[3]);
void io_close_ends(int stdio[3]);
void io_run(struct monitor *m, int terminal); /* begin to relay; @terminal -1 = FIFOs */
MUST_USE err *io_adopt(struct monitor *m);
void io_attach(struct monitor *m, struct client *c, unsigned streams);
void io_detach(struct monitor *m, struct client *c);
void io_stdin(struct monitor *m, struct client *c, const char *data, size_t size);
void io_stdin_eof(struct monitor *m, struct client *c);
void io_resize(struct monitor *m, unsigned rows, unsigned cols);
/* Take in what @c has typed and the container can have now. */
void io_input_ready(struct monitor *m);
/* Try again to give the chunk or the tail to @c: 0, -EAGAIN or what broke. */
int io_flush(struct monitor *m, struct client *c);
/* Read what is left, log it, keep what slow clients still need; close everything. */
void io_finish(struct monitor *m);

/* ---- builder.c, start.c, exec.c ---- */
/* Fork. Returns NULL in the child (with *@ret_socket), the builder in the parent. */
MUST_USE err *builder_fork(struct monitor *m, struct client *c, struct builder **ret, int *ret_socket);
/* The client of a builder has gone. */
void builder_forget_client(struct monitor *m, struct client *c);
/* @c NULL: a restart by policy. */
void start_begin(struct monitor *m, struct client *c);
/* @fds: as BUILDER_*; all of them are taken. */
void start_done(struct monitor *m, struct client *c, pid_t pid, const int fds[BUILDER_FDS]);
void start_failed(struct monitor *m, struct client *c, err *e);
/* A signal for a container that is being started. */
void start_signal(struct monitor *m, int signal);
void exec_begin(struct monitor *m, struct client *c, struct proto_packet *p);
void exec_done(struct monitor *m, struct builder *b, pid_t pid, int terminal);
bool exec_reaped(struct monitor *m, pid_t pid, int status);
void exec_client_gone(struct monitor *m, struct session *s);
void exec_signal(struct monitor *m, struct client *c, int signal);
void exec_resize(struct session *s, unsigned rows, unsigned cols);

/* ---- nameserver.c ---- */
/* In a builder: the sockets of the container's DNS server (UDP, TCP) in its network namespace @ns, and the rules that
 * lead port 53 of 127.0.0.11 to them; -1 when it is on no user network. `lo` must be up there: before, the
 * kernel takes any address for one of everybody, and a socket bound to it sends with another. */
MUST_USE err *nameserver_prepare(const struct monitor *m, int ns, int ret[2]);
/* Serve on them; they are taken. -1: nothing. */
void nameserver_begin(struct monitor *m, int udp, int tcp);
/* The container's networks may have changed, or somebody may have flushed the rules: begin if there is a user network
 * now, make the rules anew. Nothing when it does not run. */
MUST_USE err *nameserver_refresh(struct monitor *m);
void nameserver_end(struct monitor *m);
void nameserver_reap(struct monitor *m); /* free what was closed in this round */
int64_t nameserver_deadline(const struct monitor *m);
void nameserver_timers(struct monitor *m);

/* ---- exit.c ---- */
void exit_publish(struct monitor *m); /* write the status; failures cannot be told to anybody */
void exit_reap(struct monitor *m);    /* after SIGCHLD */
void exit_container(struct monitor *m, int code, bool known);
/* A person wants the end: no restart, not even one that is due. */
void exit_stopping(struct monitor *m);
/* SIGKILL in @seconds, if it has not ended by then. */
void exit_kill_after(struct monitor *m, unsigned seconds);
/* Timers: when is the next (-1 = never), and do what is due. */
int64_t exit_deadline(const struct monitor *m);
void exit_timers(struct monitor *m);
/* The first start failed: clean up if whoever asked does not. */
void exit_failed(struct monitor *m);
/* The client that was to clean up has gone. */
void exit_cleaner_gone(struct monitor *m);
void exit_cleaned(struct monitor *m);
bool exit_finished(const struct monitor *m); /* nothing left to do */
/* Start hod, with this engine's --root and --state and the arguments @args; 0 on failure. */
pid_t exit_spawn(const struct monitor *m, const char *const *args);

/* ---- adopt.c ---- */
MUST_USE err *adopt(struct monitor *m);

/* ---- init.c ---- */

/* ---- ports.c: published ports on the host ---- */
/* Bind those of the configuration, all or none; called again while they are held: nothing. */
MUST_USE err *ports_hold(struct monitor *m);
/* The configuration has others now: as it says; on failure none is added, and those that there were lead where it
 * says. */
MUST_USE err *ports_reload(struct monitor *m);
void ports_release(struct monitor *m);
/* A socket that is bound to the port at @a (and to the device @link, if not NULL), or -errno. */
int ports_bind(const struct port *p, const struct link_address *a, const char *link);

/* ---- watch.c: rules that somebody flushes ---- */
void watch_start(struct monitor *m);             /* unless it is under way */
void watch_refresh(struct monitor *m);           /* the container's networks have changed */
void watch_reloaded(struct monitor *m);          /* the child reload_pid has ended */
int64_t watch_deadline(const struct monitor *m); /* -1 = none */
void watch_timer(struct monitor *m);

/* ---- relay.c: what the kernel cannot translate ---- */
void relay_start(struct monitor *m); /* for all ports that want one and have none */
void relay_stop(struct monitor *m, struct port *p);
/* @wanted is about to be bound: what is bound for the relay of another one, which is in its way, is let go. */
void relay_yield(struct monitor *m, const struct port *wanted);
/* The container's interfaces are @endpoints (lines of sys/endpoint.h): connections to addresses that it had are cut. */
void relay_cut(struct monitor *m, char *const *endpoints);
void relay_forget(struct monitor *m, const struct port *p); /* it leads elsewhere now: clients of datagrams follow */
int64_t relay_deadline(const struct monitor *m);            /* -1 = none */
void relay_timers(struct monitor *m);                       /* clients of datagrams that are silent go */
void relay_reap(struct monitor *m);                         /* free what has ended, and the ports that are gone */

/* ---- links.c ---- */

/* Take away the container's devices that are in its network namespace alone (macvlan, ipvlan), by the namespace that
 * the nameserver's sockets are in: before somebody else, or the next run, has their addresses. */
void links_end(struct monitor *m);
/* The last that a monitor does, when nobody waits for it any more (all its descriptors are closed first): the kernel
 * needs some time for a namespace with its pairs of devices; a pair that it does not take away goes after a second. To
 * delete each at once would take milliseconds for which everybody had to wait. */
void links_leave(struct monitor *m);

/* ---- learn.c ---- */

/* The hooks of egress rules with names: names_ask, names_told, names_ruled. */
bool learn_rules(struct monitor *m);
bool learn_ask(struct monitor *m, const char *name);
void learn_told(struct monitor *m, const char *name, int family, const unsigned char *address, uint32_t ttl);
