/* bpf_program.c - see bpf_program.h. */
#include "sys/bpf_program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

void bpf_program_done(struct bpf_program *p)
{
        free(p->insn);
        *p = (struct bpf_program){0};
}

size_t bpf_program_emit(struct bpf_program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
        if (p->failed || mem_grow(&p->insn, p->n, sizeof(*p->insn)) < 0) {
                p->failed = true;
                return 0;
        }
        p->insn[p->n] = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
        return p->n++;
}

void bpf_program_land(struct bpf_program *p, size_t jump)
{
        if (!p->failed)
                p->insn[jump].off = (int16_t)(p->n - jump - 1);
}

int bpf_program_call(int cmd, union bpf_attr *attr)
{
        return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* Kernels before 5.11 count programs against the limit of locked memory, and say EPERM: there may be 64 KiB for all of
 * the user's. What is loaded by the end stays, whatever the limit is then; what we start is to have the limit that we
 * were started with. */
int bpf_program_with_memory(int (*fn)(void *arg), void *arg)
{
        const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        struct rlimit before, soft;
        int r = fn(arg);

        if (r != -EPERM || getrlimit(RLIMIT_MEMLOCK, &before) < 0 || before.rlim_cur == RLIM_INFINITY)
                return r;
        soft = (struct rlimit){before.rlim_max, before.rlim_max};
        if (setrlimit(RLIMIT_MEMLOCK, &all) < 0 &&
            (before.rlim_cur == before.rlim_max || setrlimit(RLIMIT_MEMLOCK, &soft) < 0))
                return r;
        r = fn(arg);
        (void)setrlimit(RLIMIT_MEMLOCK, &before); /* less may always be had */
        return r;
}

static int load(void *arg)
{
        union bpf_attr *attr = arg;
        int fd = bpf_program_call(BPF_PROG_LOAD, attr);

        if (fd < 0 && (errno == EINVAL || errno == E2BIG)) { /* before names existed (4.15) */
                memset(attr->prog_name, 0, sizeof(attr->prog_name));
                fd = bpf_program_call(BPF_PROG_LOAD, attr);
        }
        return fd < 0 ? -errno : fd;
}

int bpf_program_load(const struct bpf_program *p, enum bpf_prog_type type, const char *name)
{
        union bpf_attr attr;

        if (p->failed)
                return -ENOMEM;
        memset(&attr, 0, sizeof(attr));
        attr.prog_type = type;
        attr.insns = (uintptr_t)p->insn;
        attr.insn_cnt = (uint32_t)p->n;
        attr.license = (uintptr_t) "Apache-2.0";
        memcpy(attr.prog_name, name, strnlen(name, sizeof(attr.prog_name) - 1));
        return bpf_program_with_memory(load, &attr);
}
