/* seccomp_layout.c - see seccomp_layout.h.
 *
 * libseccomp decides what a filter means; this decides how it looks. libseccomp tests for each call number by itself,
 * though what a call may do is mostly the same for long runs of numbers. So:
 *
 *   1. read    The program is run with an architecture and a call number, but without arguments. What depends on an
 *              argument remains as a test, the rest falls away: the outcome is a small graph of tests and answers.
 *              Equal parts are made once (hash consing), so equal outcomes are equal numbers.
 *   2. ranges  An outcome changes only at the constants that the program compares the call number with. One run for
 *              each interval between them tells all there is to know, without a limit on numbers.
 *   3. write   For each architecture a balanced tree of "number >= k" over the ranges of equal outcomes. Classic BPF
 *              jumps forward only, and its conditional jumps reach 255 instructions: the program is written from its
 * end to its beginning, and what is out of reach gets a stepping stone. */
#include "sys/seccomp_layout.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define ARCHS_MAX 32
#define NODES_MAX 16384
#define REACH 250 /* of 255: a test may write stepping stones for both ways */
#define NONE (-1)

/* One part of an outcome: an answer, or a test of an argument with two ways on. */
struct node {
        bool is_test;
        uint16_t jump;         /* test: BPF_JEQ, ... */
        uint32_t k;            /* what is answered, or compared with */
        uint32_t offset, mask; /* of the argument's half in struct seccomp_data */
        int yes, no;           /* nodes */
        int next;              /* with the same hash */
        int place;             /* once written: how many instructions come after its first one */
};

struct range {
        uint32_t first; /* up to the next range's */
        int node;
};

struct layout {
        const struct seccomp_filter *old;
        struct node *nodes;
        size_t n_nodes;
        int buckets[1024];
        uint32_t *bounds; /* where the outcome may change, ascending */
        size_t n_bounds;
        uint32_t archs[ARCHS_MAX];
        size_t n_archs;
        int *seen; /* by instruction: the node of the load there, in this run */
        struct range *ranges;
        struct sock_filter *out; /* backwards: the last instruction first */
        size_t n_out, max_out;
        bool gave_up; /* something that we do not understand, or no gain */
};

static void layout_done(struct layout *l)
{
        free(l->nodes);
        free(l->bounds);
        free(l->seen);
        free(l->ranges);
        free(l->out);
}

/* ---- nodes ---- */

static bool node_same(const struct node *a, const struct node *b)
{
        return a->is_test == b->is_test && a->jump == b->jump && a->k == b->k && a->offset == b->offset &&
               a->mask == b->mask && a->yes == b->yes && a->no == b->no;
}

static int node_get(struct layout *l, struct node n)
{
        uint32_t hash = (n.k * 2654435761u) ^ (n.offset * 40503u) ^ (n.mask * 97u) ^ ((uint32_t)n.yes * 8191u) ^
                        ((uint32_t)n.no * 131071u) ^ n.jump;
        int *bucket = &l->buckets[(hash ^ (hash >> 13)) % ARRAY_SIZE(l->buckets)];

        for (int i = *bucket; i != NONE; i = l->nodes[i].next)
                if (node_same(&l->nodes[i], &n))
                        return i;
        if (l->n_nodes == NODES_MAX) {
                l->gave_up = true;
                return 0;
        }
        n.next = *bucket;
        n.place = NONE;
        l->nodes[l->n_nodes] = n;
        return *bucket = (int)l->n_nodes++;
}

static int node_answer(struct layout *l, uint32_t k)
{
        return node_get(l, (struct node){.k = k, .yes = NONE, .no = NONE});
}

/* ---- 1. read ---- */

static bool has_arch(const struct layout *l, uint32_t arch)
{
        for (size_t i = 0; i < l->n_archs; i++)
                if (l->archs[i] == arch)
                        return true;
        return false;
}

/* The machine's one register that libseccomp uses. */
struct accumulator {
        bool known, is_arch;
        uint32_t value;        /* known */
        uint32_t offset, mask; /* else */
};

static bool jump_taken(uint16_t jump, uint32_t a, uint32_t k)
{
        switch (jump) {
        case BPF_JEQ:
                return a == k;
        case BPF_JGT:
                return a > k;
        case BPF_JGE:
                return a >= k;
        default:
                return (a & k) != 0;
        }
}

static int run(struct layout *l, size_t pc, struct accumulator a, uint32_t arch, uint32_t nr);

/* Where a jump goes that compares a call number or an architecture. What find_bounds() did not foresee: no. */
static size_t run_jump(struct layout *l, size_t pc, const struct accumulator *a)
{
        const struct sock_filter *i = &l->old->insns[pc];

        if (BPF_OP(i->code) == BPF_JSET || (a->is_arch && (BPF_OP(i->code) != BPF_JEQ || !has_arch(l, i->k))))
                l->gave_up = true;
        return pc + 1 + (jump_taken(BPF_OP(i->code), a->value, i->k) ? i->jt : i->jf);
}

static int run_test(struct layout *l, size_t pc, struct accumulator a, uint32_t arch, uint32_t nr)
{
        const struct sock_filter *i = &l->old->insns[pc];
        struct node n = {.is_test = true, .jump = BPF_OP(i->code), .k = i->k, .offset = a.offset, .mask = a.mask};

        n.yes = run(l, pc + 1 + i->jt, a, arch, nr);
        n.no = run(l, pc + 1 + i->jf, a, arch, nr);
        return n.yes == n.no ? n.yes : node_get(l, n);
}

static struct accumulator load(const struct sock_filter *i, uint32_t arch, uint32_t nr)
{
        if (i->k == offsetof(struct seccomp_data, nr))
                return (struct accumulator){.known = true, .value = nr};
        if (i->k == offsetof(struct seccomp_data, arch))
                return (struct accumulator){.known = true, .is_arch = true, .value = arch};
        return (struct accumulator){.offset = i->k, .mask = UINT32_MAX};
}

/* The outcome from instruction @pc on. What follows a load does not depend on what was before: remembered. */
static int run(struct layout *l, size_t pc, struct accumulator a, uint32_t arch, uint32_t nr)
{
        size_t loaded_at = SIZE_MAX;
        int node = NONE;

        while (node == NONE && !l->gave_up) {
                const struct sock_filter *i = &l->old->insns[pc];

                switch (i->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        if (l->seen[pc] != NONE) {
                                node = l->seen[pc];
                                continue;
                        }
                        loaded_at = loaded_at == SIZE_MAX ? pc : loaded_at;
                        a = load(i, arch, nr);
                        pc++;
                        continue;
                case BPF_ALU | BPF_AND | BPF_K:
                        if (a.known) /* of a call number: its ranges would not be intervals */
                                l->gave_up = true;
                        a.mask &= i->k;
                        pc++;
                        continue;
                case BPF_JMP | BPF_JA:
                        pc += 1 + i->k;
                        continue;
                case BPF_RET | BPF_K:
                        node = node_answer(l, i->k);
                        continue;
                default: /* a conditional jump: program_check() has seen to it */
                        if (!a.known)
                                node = run_test(l, pc, a, arch, nr);
                        else
                                pc = run_jump(l, pc, &a);
                }
        }
        if (loaded_at != SIZE_MAX)
                l->seen[loaded_at] = node;
        return node == NONE ? 0 : node;
}

static int outcome(struct layout *l, uint32_t arch, uint32_t nr)
{
        for (size_t i = 0; i < l->old->n; i++)
                l->seen[i] = NONE;
        return run(l, 0, (struct accumulator){.known = true}, arch, nr);
}

/* ---- 2. ranges ---- */

static bool is_jump(uint16_t code)
{
        return code == (BPF_JMP | BPF_JEQ | BPF_K) || code == (BPF_JMP | BPF_JGT | BPF_K) ||
               code == (BPF_JMP | BPF_JGE | BPF_K) || code == (BPF_JMP | BPF_JSET | BPF_K);
}

static bool is_known(uint16_t code)
{
        return is_jump(code) || code == (BPF_LD | BPF_W | BPF_ABS) || code == (BPF_ALU | BPF_AND | BPF_K) ||
               code == (BPF_JMP | BPF_JA) || code == (BPF_RET | BPF_K);
}

/* Only instructions that run() knows, and jumps that stay inside. */
static bool program_check(const struct seccomp_filter *f)
{
        if (f->n == 0 || BPF_CLASS(f->insns[f->n - 1].code) != BPF_RET)
                return false;
        for (size_t i = 0; i < f->n; i++) {
                const struct sock_filter *x = &f->insns[i];

                if (!is_known(x->code) || (is_jump(x->code) && (i + 1 + x->jt >= f->n || i + 1 + x->jf >= f->n)) ||
                    (x->code == (BPF_JMP | BPF_JA) && x->k >= f->n - i - 1))
                        return false;
        }
        return true;
}

static int compare_u32(const void *a, const void *b)
{
        const uint32_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* Every constant may be one that the call number is compared with: too many bounds cost a moment, too few the truth.
 * Architectures are what is compared after their load; run_jump() notices if that is not all. */
static bool find_bounds(struct layout *l)
{
        const struct seccomp_filter *f = l->old;
        bool on_arch = false;

        l->bounds[l->n_bounds++] = 0;
        for (size_t i = 0; i < f->n; i++) {
                const struct sock_filter *x = &f->insns[i];

                if (x->code == (BPF_LD | BPF_W | BPF_ABS))
                        on_arch = x->k == offsetof(struct seccomp_data, arch);
                if (!is_jump(x->code))
                        continue;
                l->bounds[l->n_bounds++] = x->k;
                if (x->k < UINT32_MAX)
                        l->bounds[l->n_bounds++] = x->k + 1;
                if (!on_arch || has_arch(l, x->k))
                        continue;
                if (l->n_archs == ARCHS_MAX)
                        return false;
                l->archs[l->n_archs++] = x->k;
        }
        qsort(l->bounds, l->n_bounds, sizeof(*l->bounds), compare_u32);
        return true;
}

/* An architecture that the filter does not name. */
static uint32_t other_arch(const struct layout *l)
{
        uint32_t arch = 0;

        while (has_arch(l, arch))
                arch++;
        return arch;
}

static size_t find_ranges(struct layout *l, uint32_t arch)
{
        size_t n = 0;

        for (size_t i = 0; i < l->n_bounds && !l->gave_up; i++) {
                int node;

                if (i > 0 && l->bounds[i] == l->bounds[i - 1])
                        continue;
                node = outcome(l, arch, l->bounds[i]);
                if (n == 0 || l->ranges[n - 1].node != node)
                        l->ranges[n++] = (struct range){l->bounds[i], node};
        }
        return n;
}

/* ---- 3. write ---- */

static int emit(struct layout *l, uint16_t code, int yes, int no, uint32_t k)
{
        int here = (int)l->n_out;
        bool jump = is_jump(code);

        if (l->n_out == l->max_out) {
                l->gave_up = true;
                return 0;
        }
        l->out[l->n_out++] = (struct sock_filter){code, (uint8_t)(jump ? here - yes - 1 : 0),
                                                  (uint8_t)(jump ? here - no - 1 : 0), k};
        return here;
}

/* A place within reach that leads to @place. */
static int stone(struct layout *l, int place)
{
        int distance = (int)l->n_out - place;

        return distance <= REACH ? place : emit(l, BPF_JMP | BPF_JA, 0, 0, (uint32_t)(distance - 1));
}

static int write_node(struct layout *l, int id)
{
        struct node *n = &l->nodes[id];
        int yes, no;

        if (n->place != NONE && (n->is_test || (int)l->n_out - n->place < REACH))
                return n->place;
        if (l->gave_up)
                return 0;
        if (!n->is_test) /* an answer is as short as a stepping stone */
                return n->place = emit(l, BPF_RET | BPF_K, 0, 0, n->k);
        no = write_node(l, n->no);
        yes = write_node(l, n->yes);
        no = stone(l, no);
        yes = stone(l, yes);
        n->place = emit(l, BPF_JMP | n->jump | BPF_K, yes, no, n->k);
        if (n->mask != UINT32_MAX)
                n->place = emit(l, BPF_ALU | BPF_AND | BPF_K, 0, 0, n->mask);
        return n->place = emit(l, BPF_LD | BPF_W | BPF_ABS, 0, 0, n->offset);
}

/* The tree over @r[0..n): the call number is in the accumulator. */
static int write_tree(struct layout *l, const struct range *r, size_t n)
{
        size_t half = n / 2;
        int above, below;

        if (n == 1 || l->gave_up)
                return write_node(l, r->node);
        above = write_tree(l, r + half, n - half);
        below = write_tree(l, r, half);
        above = stone(l, above);
        below = stone(l, below);
        return emit(l, BPF_JMP | BPF_JGE | BPF_K, above, below, r[half].first);
}

static int write_arch(struct layout *l, uint32_t arch)
{
        size_t n = find_ranges(l, arch);

        if (l->gave_up)
                return 0;
        if (n == 1) /* whatever the number is */
                return write_node(l, l->ranges->node);
        (void)write_tree(l, l->ranges, n);
        return emit(l, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
}

/* The native architecture comes first in libseccomp's list and is asked for first: its test is written last. */
static void write_program(struct layout *l)
{
        int rest = write_arch(l, other_arch(l));

        for (size_t i = l->n_archs; i > 0 && !l->gave_up; i--) {
                int this = write_arch(l, l->archs[i - 1]);

                rest = stone(l, rest);
                this = stone(l, this);
                rest = emit(l, BPF_JMP | BPF_JEQ | BPF_K, this, rest, l->archs[i - 1]);
        }
        (void)emit(l, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
}

err *seccomp_layout(struct seccomp_filter *f)
{
        _cleanup_(layout_done) struct layout l = {.old = f, .max_out = f->n};

        if (!program_check(f))
                return NULL;
        memset(l.buckets, 0xff, sizeof(l.buckets));
        l.nodes = MEM_NEW0(struct node, NODES_MAX);
        l.bounds = MEM_NEW0(uint32_t, 2 * (size_t)f->n + 1);
        l.ranges = MEM_NEW0(struct range, 2 * (size_t)f->n + 1);
        l.seen = MEM_NEW0(int, f->n);
        l.out = MEM_NEW0(struct sock_filter, f->n);
        if (!l.nodes || !l.bounds || !l.ranges || !l.seen || !l.out)
                return err_nomem();
        if (!find_bounds(&l))
                return NULL;
        write_program(&l);
        if (l.gave_up)
                return NULL;
        for (size_t i = 0; i < l.n_out; i++)
                f->insns[i] = l.out[l.n_out - 1 - i];
        f->n = (unsigned short)l.n_out;
        return NULL;
}
