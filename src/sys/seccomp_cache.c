/* seccomp_cache.c - compiled filters on disk; see seccomp.h.
 *
 * The name of an entry is the SHA-256 of everything that the program depends on, so an entry never becomes stale; after
 * an update of libseccomp or of our format nobody asks for the old names again. Or it is a short sum of a profile's
 * text, which the entry holds: it is for that text, whatever else has the same sum. Security rests on who can write
 * there: the directory and the file must belong to us and be closed to others. The sum in the header finds damage. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/seccomp.h"
#include "sys/seccomp_cache.h"

struct header {
        char magic[8]; /* "HODBPF", version, newline */
        uint16_t n;
        uint16_t notify;
        uint32_t flags;
        uint64_t sum;
        uint32_t text_size; /* behind the instructions; 0 = the name says it all */
        uint32_t library;   /* libseccomp's version */
};
static const char magic[8] = {'H', 'O', 'D', 'B', 'P', 'F', '0' + SECCOMP_CACHE_FORMAT, '\n'};

/* ---- key ---- */

static void hash_u64(struct sha256 *s, uint64_t n)
{
        unsigned char raw[8];

        for (int i = 0; i < 8; i++)
                raw[i] = (unsigned char)(n >> (8 * i));
        sha256_update(s, raw, sizeof(raw));
}

err *seccomp_cache_key(const struct seccomp_profile *p, char ret[65])
{
        const struct scmp_version *v = seccomp_version();
        unsigned char raw[SHA256_SIZE];
        struct sha256 s;

        if (!v)
                return err_new(ERR_INTERNAL, "libseccomp does not tell its version");
        sha256_init(&s);
        sha256_update(&s, magic, sizeof(magic));
        hash_u64(&s, ((uint64_t)v->major << 32) | (v->minor << 16) | v->micro);
        hash_u64(&s, seccomp_arch_native());
        hash_u64(&s, ((uint64_t)p->default_action << 32) | (p->default_errno_set ? p->default_errno + 1u : 0));
        hash_u64(&s, p->n_archs);
        for (size_t i = 0; i < p->n_archs; i++)
                hash_u64(&s, p->archs[i]);
        for (size_t i = 0; i < p->n_rules; i++) {
                const struct seccomp_rule *r = &p->rules[i];

                hash_u64(&s, ((uint64_t)r->action << 32) | (r->errno_set ? r->errno_ret + 1u : 0));
                for (size_t k = 0; r->names && r->names[k]; k++)
                        sha256_update(&s, r->names[k], strlen(r->names[k]) + 1);
                sha256_update(&s, "", 1); /* the end of the names */
                hash_u64(&s, r->n_args);
                for (size_t k = 0; k < r->n_args; k++) {
                        hash_u64(&s, ((uint64_t)r->args[k].index << 32) | r->args[k].op);
                        hash_u64(&s, r->args[k].value);
                        hash_u64(&s, r->args[k].value_two);
                }
        }
        sha256_final(&s, raw);
        hash_to_hex(raw, sizeof(raw), ret);
        return NULL;
}

/* Version of libseccomp as one number; 0 if it does not tell. */
static uint32_t library(void)
{
        const struct scmp_version *v = seccomp_version();

        return v ? v->major << 20 | v->minor << 10 | v->micro : 0;
}

/* ---- read and write ---- */

/* Sum over the instructions, 8 bytes each: finds damage, not malice. */
static uint64_t sum_of(const struct sock_filter *insns, size_t n)
{
        uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ n;

        for (size_t i = 0; i < n; i++) {
                uint64_t word;

                memcpy(&word, &insns[i], sizeof(word));
                sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
                sum ^= sum >> 29;
        }
        return sum;
}

struct text {
        const char *data; /* NULL: the entry's name is enough */
        size_t size;
};

/* Does the rest of the entry @fd hold this very text? */
static bool is_text(int fd, const struct text *t)
{
        _cleanup_free_ char *theirs = t->size ? malloc(t->size) : NULL;

        return !t->size ||
               (theirs && read(fd, theirs, t->size) == (ssize_t)t->size && memcmp(theirs, t->data, t->size) == 0);
}

/* Take the entry @name. False if there is none that can be believed. */
static bool cache_read(int dirfd, const char *name, const struct text *t, struct seccomp_filter *ret)
{
        _cleanup_close_ int fd = file_open_beneath(dirfd, name, O_RDONLY | O_NONBLOCK, 0);
        _cleanup_free_ struct sock_filter *insns = NULL;
        struct header h;
        struct stat st;
        size_t size;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
                return false;
        if (read(fd, &h, sizeof(h)) != (ssize_t)sizeof(h) || memcmp(h.magic, magic, sizeof(magic)) != 0)
                return false;
        if (h.n == 0 || h.n > BPF_MAXINSNS || h.notify > 1 || h.text_size != t->size || h.library != library())
                return false;
        size = h.n * sizeof(*insns);
        if ((uint64_t)st.st_size != sizeof(h) + size + t->size)
                return false;
        insns = malloc(size);
        if (!insns || read(fd, insns, size) != (ssize_t)size || sum_of(insns, h.n) != h.sum || !is_text(fd, t))
                return false;
        ret->insns = TAKE_PTR(insns);
        ret->n = h.n;
        ret->notify = h.notify;
        ret->flags = h.flags;
        return true;
}

static void cache_write(int dirfd, const char *name, const struct text *t, const struct seccomp_filter *f)
{
        struct header h = {.n = f->n,
                           .notify = f->notify,
                           .flags = f->flags,
                           .sum = sum_of(f->insns, f->n),
                           .text_size = (uint32_t)t->size,
                           .library = library()};
        size_t size = f->n * sizeof(*f->insns);
        _cleanup_free_ char *entry = malloc(sizeof(h) + size + t->size);

        if (!entry)
                return;
        memcpy(h.magic, magic, sizeof(magic));
        memcpy(entry, &h, sizeof(h));
        memcpy(entry + sizeof(h), f->insns, size);
        if (t->size)
                memcpy(entry + sizeof(h) + size, t->data, t->size);
        (void)file_replace(dirfd, name, entry, sizeof(h) + size + t->size, 0600, FILE_VOLATILE);
}

/* Descriptor of the cache directory, or -1 if it cannot be used: not ours, or open to others. */
static int cache_open(const char *path)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;

        if (fd < 0 && errno == ENOENT && (mkdir(path, 0700) == 0 || errno == EEXIST))
                fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
                return -1;
        return TAKE_FD(fd);
}

err *seccomp_filter_load_as(const struct seccomp_profile *p, const char *cache_dir, const char *name,
                            struct seccomp_filter *ret)
{
        _cleanup_close_ int dir = cache_dir ? cache_open(cache_dir) : -1;
        char file[SECCOMP_CACHE_NAME_MAX + sizeof(SECCOMP_CACHE_SUFFIX)];
        const struct text none = {NULL, 0};
        struct seccomp_filter f = {0};

        (void)snprintf(file, sizeof(file), "%s" SECCOMP_CACHE_SUFFIX, name);
        if (dir >= 0 && cache_read(dir, file, &none, &f)) {
                if (p)
                        f.flags = p->flags; /* no part of the key */
                f.from_cache = true;
                *ret = f;
                return NULL;
        }
        if (!p)
                return err_new(ERR_NOT_FOUND, "the compiled filter %s/%s is not there or damaged", cache_dir, file);
        TRY(seccomp_compile(p, ret));
        if (dir >= 0)
                cache_write(dir, file, &none, ret);
        return NULL;
}

err *seccomp_filter_load(const struct seccomp_profile *p, const char *cache_dir, struct seccomp_filter *ret)
{
        char key[65];

        if (!cache_dir)
                return seccomp_compile(p, ret);
        TRY(seccomp_cache_key(p, key));
        return seccomp_filter_load_as(p, cache_dir, key, ret);
}

/* ---- by the text ---- */

static void text_name(const char *text, size_t size, char ret[40])
{
        uint64_t sum = size;

        for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
                uint64_t word = 0;

                memcpy(&word, text + i, size - i < sizeof(word) ? size - i : sizeof(word));
                sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
                sum ^= sum >> 29;
        }
        (void)snprintf(ret, 40, "text-%016llx" SECCOMP_CACHE_SUFFIX, (unsigned long long)sum);
}

bool seccomp_text_find(const char *cache_dir, const char *text, size_t size, struct seccomp_filter *ret)
{
        _cleanup_close_ int dir = cache_open(cache_dir);
        const struct text t = {text, size};
        struct seccomp_filter f = {0};
        char name[40];

        text_name(text, size, name);
        if (dir < 0 || !size || !cache_read(dir, name, &t, &f))
                return false;
        f.from_cache = true;
        *ret = f;
        return true;
}

void seccomp_text_keep(const char *cache_dir, const char *text, size_t size, const struct seccomp_filter *f)
{
        _cleanup_close_ int dir = cache_open(cache_dir);
        const struct text t = {text, size};
        char name[40];

        text_name(text, size, name);
        if (dir >= 0 && size && size <= UINT32_MAX)
                cache_write(dir, name, &t, f);
}
