/* logs.h - the json-file log of a container, as docker's: one object a line,
 *
 *   {"log":"text\n","stream":"stdout","time":"2026-11-23T08:00:00.123456789Z"}
 *
 * A line longer than 16 KiB is cut into pieces, of which only the last ends in \n. Files: PATH (newest), PATH.1, PATH.2
 * ... rotated between entries, so that no entry is torn.
 *
 * Logging never stops a container: what cannot be written (full disk, missing directory) is counted and lost, and the
 * first entry after that says how much and why. Memory: one static structure, no heap. Not locked: one writer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGS_PIECE 16384 /* docker's buffer */
#define LOGS_STAGE 20480 /* a piece without escapes and its frame fit */

enum logs_stream { LOGS_STDOUT, LOGS_STDERR };

struct logs {
        const char *path;  /* borrowed; NULL = no log */
        const char *attrs; /* borrowed; JSON object, or NULL */
        uint64_t max_size; /* bytes a file; 0 or UINT64_MAX = no limit */
        unsigned max_files;
        int fd;        /* -1 until the first entry */
        uint64_t size; /* bytes in the file */
        uint64_t good; /* bytes of complete entries in the file: what survives a failed write */
        uint64_t lost; /* bytes of output not logged since the last success */
        int lost_errnum;
        int64_t second;    /* of the cached date below */
        size_t tail_size;  /* of the two texts below */
        char date[24];     /* "2026-11-23T08:00:00" */
        char time[40];     /* the date with the fraction and Z */
        bool broken_entry; /* the beginning of the entry under way was lost */
        bool in_entry;
        size_t staged;
        size_t partial_used[2];
        char stage[LOGS_STAGE];
        char partial[2][LOGS_PIECE];
};

/* Nothing is opened before the first entry. */
void logs_init(struct logs *l, const char *path, const char *attrs, uint64_t max_size, unsigned max_files);
/* Output of the container at @now_ns. Complete lines are in the file when this returns. */
void logs_write(struct logs *l, enum logs_stream stream, const char *data, size_t size, int64_t now_ns);
/* The stream has ended: log the unfinished line. */
void logs_end(struct logs *l, enum logs_stream stream, int64_t now_ns);
void logs_close(struct logs *l);

/* Bytes that @size bytes at @data take between the quotes; with @to they are written there. */
size_t logs_escape(const char *data, size_t size, char *to);
