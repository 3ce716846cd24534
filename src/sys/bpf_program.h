/* bpf_program.h - eBPF programs put together here, instruction by instruction, and given to the kernel by raw bpf(2).
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One that ran out of memory remembers it: loading says -ENOMEM. */
struct bpf_program {
        struct bpf_insn *insn; /* owned */
        size_t n;
        bool failed;
};
void bpf_program_done(struct bpf_program *p);
#define _cleanup_bpf_program_ __attribute__((cleanup(bpf_program_done)))

/* Append an instruction. Its index, for bpf_program_land(). */
size_t bpf_program_emit(struct bpf_program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm);
/* The jump at @jump leads to the instruction that is appended next. */
void bpf_program_land(struct bpf_program *p, size_t jump);

/* A program of @type, called @name (at most BPF_OBJ_NAME_LEN - 1 bytes). A descriptor (O_CLOEXEC) or -errno. Privilege:
 * CAP_BPF or CAP_SYS_ADMIN, for network programs CAP_NET_ADMIN, too. Not for several threads: the limit of locked
 * memory is another for a moment, where the kernel wants that. */
int bpf_program_load(const struct bpf_program *p, enum bpf_prog_type type, const char *name);

/* For tests: what @fn says (a descriptor or -errno), asked again with as much locked memory as may be had, if it says
 * -EPERM and there is more. The limit is as before then. */
int bpf_program_with_memory(int (*fn)(void *arg), void *arg);

/* bpf(2) itself. */
int bpf_program_call(int cmd, union bpf_attr *attr);
