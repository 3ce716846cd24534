/* watch.c - see watch.h. */
#include "store/watch.h"

static err *tell(const struct watch *w, uint64_t *bytes, size_t more)
{
        *bytes += more;
        return w->tell(w->arg, *bytes);
}

static err *watch_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        struct watch_stream *s = (struct watch_stream *)stream;

        TRY(stream_read(s->below, data, size, ret));
        return tell(s->watch, &s->bytes, *ret);
}

struct stream *watch_stream(struct watch_stream *s, struct stream *below, const struct watch *w)
{
        *s = (struct watch_stream){.stream = {.read = watch_read}, .below = below, .watch = w};
        return w && w->tell ? &s->stream : below;
}

static err *watch_write(struct sink *sink, const void *data, size_t size)
{
        struct watch_sink *s = (struct watch_sink *)sink;

        TRY(sink_write(s->below, data, size));
        return tell(s->watch, &s->bytes, size);
}

static err *watch_finish(struct sink *sink)
{
        return sink_finish(((struct watch_sink *)sink)->below);
}

static err *watch_lend(struct sink *sink, void **ret, size_t *ret_size)
{
        struct watch_sink *s = (struct watch_sink *)sink;

        return s->below->lend(s->below, ret, ret_size);
}

static err *watch_filled(struct sink *sink, size_t size)
{
        struct watch_sink *s = (struct watch_sink *)sink;

        TRY(s->below->filled(s->below, size));
        return tell(s->watch, &s->bytes, size);
}

struct sink *watch_sink(struct watch_sink *s, struct sink *below, const struct watch *w)
{
        *s = (struct watch_sink){.sink = {.write = watch_write, .finish = watch_finish}, .below = below, .watch = w};
        if (below->lend) {
                s->sink.lend = watch_lend;
                s->sink.filled = watch_filled;
        }
        return w && w->tell ? &s->sink : below;
}
