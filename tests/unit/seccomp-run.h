/* seccomp-run.h - classic BPF as the kernel's seccomp subset, for tests. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>

#include "sys/seccomp.h"

static inline uint32_t run(const struct seccomp_filter *f, uint32_t arch, uint32_t nr, const uint64_t args[6])
{
        struct seccomp_data d = {.nr = (int)nr, .arch = arch};
        uint32_t a = 0, x = 0, mem[16] = {0};

        if (args)
                memcpy(d.args, args, sizeof(d.args));
        for (size_t pc = 0; pc < f->n; pc++) {
                const struct sock_filter *i = &f->insns[pc];
                uint32_t src = BPF_SRC(i->code) == BPF_X ? x : i->k;
                bool hit;

                switch (BPF_CLASS(i->code)) {
                case BPF_LD:
                        if (BPF_MODE(i->code) == BPF_ABS) {
                                assert_in_range(i->k, 0, sizeof(d) - 4);
                                memcpy(&a, (char *)&d + i->k, 4);
                        } else if (BPF_MODE(i->code) == BPF_MEM) {
                                a = mem[i->k & 15];
                        } else {
                                a = i->k;
                        }
                        break;
                case BPF_LDX:
                        x = BPF_MODE(i->code) == BPF_MEM ? mem[i->k & 15] : i->k;
                        break;
                case BPF_ST:
                        mem[i->k & 15] = a;
                        break;
                case BPF_STX:
                        mem[i->k & 15] = x;
                        break;
                case BPF_ALU:
                        assert_int_equal(BPF_OP(i->code), BPF_AND);
                        a &= src;
                        break;
                case BPF_JMP:
                        if (BPF_OP(i->code) == BPF_JA) {
                                pc += i->k;
                                break;
                        }
                        hit = BPF_OP(i->code) == BPF_JEQ   ? a == src
                              : BPF_OP(i->code) == BPF_JGT ? a > src
                              : BPF_OP(i->code) == BPF_JGE ? a >= src
                                                           : (a & src) != 0;
                        pc += hit ? i->jt : i->jf;
                        break;
                case BPF_RET:
                        return i->k;
                default:
                        fail_msg("instruction class %d", BPF_CLASS(i->code));
                }
        }
        fail_msg("the program ends without an answer");
        return 0;
}
