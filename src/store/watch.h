/* watch.h - how far long work has come, told on the way to whoever asked for it. */
#pragma once

#include "base/err.h"
#include "codec/stream.h"

struct watch {
        /* @bytes so far. An error ends the work with it. NULL: nobody wants to know. */
        err *(*tell)(void *arg, uint64_t bytes);
        void *arg;
};

/* A stage without memory of its own: what is below stays the caller's, and there is nothing to free. */
struct watch_stream {
        struct stream stream; /* first */
        struct stream *below;
        const struct watch *watch;
        uint64_t bytes;
};
struct watch_sink {
        struct sink sink; /* first */
        struct sink *below;
        const struct watch *watch;
        uint64_t bytes;
};

/* What to read, or to write to, in place of @below: @below itself if nobody wants to know. @s, @below and @w must
 * outlive it. */
struct stream *watch_stream(struct watch_stream *s, struct stream *below, const struct watch *w);
struct sink *watch_sink(struct watch_sink *s, struct sink *below, const struct watch *w);
