/* progress.c - see progress.h: who is told what, and how Ctrl-C ends it. */
#include "cli/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/progress_private.h"
#include "cli/terminal.h"
#include "codec/json.h"

#define DRAW_NS 80000000
#define GRACE_US 500000 /* for an operation to end by itself */
#define TOLD 8          /* more parts than are fetched at a time */

const char *const progress_modes[] = {"auto", "tty", "plain", "json", "none", NULL};

enum mode { MODE_NONE, MODE_PLAIN, MODE_TTY, MODE_JSON };

/* JSON: when a line had the amount of this part last; 0 = something else was said of it since. */
struct told {
        char id[16];
        int64_t ns;
};

struct progress_view {
        struct progress sink;
        enum mode mode;
        FILE *out;
        const char *note;
        struct progress_region region;
        bool dirty;
        int64_t drawn_ns;
        struct told told[TOLD];
};

/* ---- signals ---- */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
static struct sigaction old_actions[ARRAY_SIZE(signals)];
static volatile sig_atomic_t interrupted;
static char last_words[160];
static int last_words_fd = STDERR_FILENO;
static pid_t owner;

/* The operation did not come to a point where it could end, e.g. it waits for a server. Nothing is half made at any
 * time that the next command could not take back. */
static void die_now(void)
{
        ssize_t n = write(last_words_fd, last_words, strlen(last_words));

        (void)n;
        _exit(128 + (interrupted ? interrupted : SIGINT));
}

static void on_signal(int signum)
{
        const struct itimerval soon = {.it_value = {.tv_usec = GRACE_US}};

        if (getpid() != owner) /* a worker, which inherited us */
                _exit(130);
        if (signum == SIGALRM || interrupted)
                die_now();
        interrupted = signum;
        (void)setitimer(ITIMER_REAL, &soon, NULL);
}

/* @note: what die_now() says. */
static void catch_signals(const char *note)
{
        const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        struct sigaction old;

        owner = getpid();
        interrupted = 0;
        if (last_words_fd == STDERR_FILENO)
                (void)snprintf(last_words, sizeof(last_words), "\nhod: interrupted%s%s\n", note ? ": " : "",
                               note ? note : "");
        else
                (void)snprintf(last_words, sizeof(last_words), "%d interrupted%s%s", (int)ERR_INTERRUPTED,
                               note ? ": " : "", note ? note : "");
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                (void)sigaction(signals[i], &action, &old_actions[i]);
                old = old_actions[i];
                /* nohup and background jobs of simple shells: what is ignored stays so */
                if (old.sa_handler == SIG_IGN && signals[i] != SIGALRM)
                        (void)sigaction(signals[i], &old, NULL);
        }
}

int progress_signal(void)
{
        return interrupted;
}

void progress_report_to(int fd)
{
        last_words_fd = fd;
}

static void release_signals(void)
{
        const struct itimerval never = {0};

        (void)setitimer(ITIMER_REAL, &never, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                (void)sigaction(signals[i], &old_actions[i], NULL);
}

/* ---- output ---- */

static err *write_failed(void)
{
        return err_sys(errno, "writing the progress");
}

static err *say_plain(struct progress_view *v, const struct progress_event *e)
{
        if (e->amount)
                return NULL;
        if (fprintf(v->out, "%s%s%s\n", e->id ? e->id : "", e->id ? ": " : "", e->status) < 0 || fflush(v->out) != 0)
                return write_failed();
        return NULL;
}

/* What has been told of a part; of one that is new: the place of the one that was told of the longest time ago. */
static struct told *told_of(struct progress_view *v, const char *id)
{
        struct told *oldest = v->told;

        for (size_t i = 0; i < ARRAY_SIZE(v->told); i++) {
                struct told *t = &v->told[i];

                if (strncmp(t->id, id, sizeof(t->id) - 1) == 0)
                        return t;
                if (t->ns < oldest->ns)
                        oldest = t;
        }
        *oldest = (struct told){.ns = 0};
        (void)snprintf(oldest->id, sizeof(oldest->id), "%s", id);
        return oldest;
}

/* Of amounts of one part every now and then one is enough; several come in turns. */
static bool is_too_soon(struct progress_view *v, const struct progress_event *e)
{
        int64_t now = clock_monotonic_ns();
        struct told *t;

        if (!e->id)
                return false;
        t = told_of(v, e->id);
        if (e->amount && t->ns && now - t->ns < DRAW_NS)
                return true;
        t->ns = e->amount ? now : 0;
        return false;
}

static err *say_json(struct progress_view *v, const struct progress_event *e)
{
        _cleanup_json_ json *j = NULL;
        _cleanup_free_ char *text = NULL;

        if (is_too_soon(v, e))
                return NULL;
        j = json_new_object();
        json_set_str(j, "status", e->status);
        if (e->id) {
                json *detail = json_sub_object(j, "progressDetail");

                if (e->amount) {
                        json_set(detail, "current", json_new_uint(e->current));
                        if (e->total)
                                json_set(detail, "total", json_new_uint(e->total));
                }
                json_set_str(j, "id", e->id);
        }
        TRY(json_print(j, JSON_COMPACT, &text));
        if (fprintf(v->out, "%s\n", text) < 0 || fflush(v->out) != 0)
                return write_failed();
        return NULL;
}

static err *put(struct progress_view *v, const struct str *text)
{
        TRY(str_done(text));
        if (fwrite(str_text(text), 1, text->len, v->out) != text->len || fflush(v->out) != 0)
                return write_failed();
        return NULL;
}

static err *draw(struct progress_view *v, struct str *out)
{
        unsigned short rows, cols;

        terminal_size(fileno(v->out), &rows, &cols);
        v->dirty = false;
        v->drawn_ns = clock_monotonic_ns();
        return progress_region_draw(&v->region, rows, cols, out);
}

static err *say_tty(struct progress_view *v, const struct progress_event *e)
{
        _cleanup_str_ struct str out = {0};
        struct progress_row *row;

        if (!e->id) { /* the rows so far stay where they are; what follows stands below */
                if (v->dirty)
                        TRY(draw(v, &out));
                progress_region_done(&v->region);
                str_printf(&out, "%s\n", e->status);
                return put(v, &out);
        }
        TRY(progress_region_row(&v->region, e->id, &row));
        progress_row_update(row, e, clock_monotonic_ns());
        v->dirty = true;
        if (clock_monotonic_ns() - v->drawn_ns < DRAW_NS)
                return NULL;
        TRY(draw(v, &out));
        return put(v, &out);
}

static err *on_event(void *arg, const struct progress_event *e)
{
        struct progress_view *v = arg;

        if (interrupted)
                return err_new(ERR_INTERRUPTED, "interrupted%s%s", v->note ? ": " : "", v->note ? v->note : "");
        if (!e->status)
                return NULL;
        switch (v->mode) {
        case MODE_PLAIN:
                return say_plain(v, e);
        case MODE_TTY:
                return say_tty(v, e);
        case MODE_JSON:
                return say_json(v, e);
        case MODE_NONE:
        default:
                return NULL;
        }
}

static enum mode choose_mode(const char *text, bool quiet, FILE *out)
{
        const char *term = getenv("TERM");

        if (quiet || str_eq(text, "none"))
                return MODE_NONE;
        if (str_eq(text, "tty"))
                return MODE_TTY;
        if (str_eq(text, "json"))
                return MODE_JSON;
        if (str_eq(text, "plain") || !isatty(fileno(out)) || str_empty(term) || strcmp(term, "dumb") == 0)
                return MODE_PLAIN;
        return MODE_TTY;
}

err *progress_open(const char *mode, bool quiet, FILE *out, const char *note, const char *killed,
                   struct progress_view **ret)
{
        struct progress_view *v = MEM_NEW0(struct progress_view, 1);

        if (!v)
                return err_nomem();
        v->sink = (struct progress){.event = on_event, .arg = v};
        v->mode = choose_mode(mode, quiet, out);
        v->out = out;
        v->note = note;
        catch_signals(killed);
        *ret = v;
        return NULL;
}

const struct progress *progress_sink(const struct progress_view *v)
{
        return &v->sink;
}

void progress_close(struct progress_view *v)
{
        _cleanup_str_ struct str out = {0};

        if (!v)
                return;
        release_signals();
        if (v->dirty) {
                err *e = draw(v, &out);

                if (!e)
                        e = put(v, &out);
                err_free(e); /* main() looks at stdout once more */
        }
        if (interrupted && isatty(STDERR_FILENO)) { /* behind the ^C of the terminal */
                (void)fflush(v->out);
                (void)fputs("\n", stderr);
        }
        progress_region_done(&v->region);
        free(v);
}

err *progress_result(const struct progress_view *v, err *e)
{
        if (!e || !interrupted)
                return e;
        err_free(e); /* where it was just then, or e.g. that a worker was killed by the same Ctrl-C */
        return err_new(ERR_INTERRUPTED, "interrupted%s%s", v->note ? ": " : "", v->note ? v->note : "");
}
