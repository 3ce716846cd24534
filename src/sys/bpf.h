/* bpf.h - device access of a v2 cgroup as an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE), by raw bpf(2).
 *
 * The rules are first reduced exactly as the v1 kernel code does it (a default and a list of exceptions), so that both
 * versions decide alike. Privilege: CAP_BPF or CAP_SYS_ADMIN. */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "sys/cgroup.h"

/* Rules in their reduced form. */
struct bpf_device_list {
        bool default_allow;
        struct cgroup_device_rule *exceptions; /* all of the opposite of the default; owned */
        size_t n;
};
/* Reduce @rules, starting from "everything denied" as runc does for a new cgroup. */
MUST_USE err *bpf_device_reduce(const struct cgroup_device_rule *rules, size_t n, struct bpf_device_list *ret);
void bpf_device_list_done(struct bpf_device_list *l);
/* Does the list permit it? What the program computes; for tests and `why`. */
bool bpf_device_allowed(const struct bpf_device_list *l, char type, uint32_t major, uint32_t minor, unsigned access);

/* Compile to eBPF. @ret is owned by the caller. ERR_LIMIT for more rules than a program can hold. */
MUST_USE err *bpf_device_compile(const struct bpf_device_list *l, struct bpf_insn **ret, size_t *ret_n);

/* Load and attach @rules to the v2 cgroup @cgroup_fd: added with BPF_F_ALLOW_MULTI, or in place of the one program that
 * is there. ERR_UNSUPPORTED where the kernel has no such programs, ERR_SYS. */
MUST_USE err *bpf_device_attach(int cgroup_fd, const struct cgroup_device_rule *rules, size_t n);
