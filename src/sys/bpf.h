/* bpf.h - device access of a v2 cgroup as an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE), by raw bpf(2).
 *
 * The specification's rules are ordered: for each access (read, write, mknod) the last rule that is about the device
 * decides. The program does exactly that. v1's kernel interface knows a default and exceptions only, see
 * bpf_device_reduce(). Privilege: CAP_BPF or CAP_SYS_ADMIN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "sys/bpf_program.h"
#include "sys/cgroup.h"

#define BPF_DEVICE_RULES_MAX 4000 /* jumps are 16 bits and the verifier walks every path */

/* A default and what differs from it, later rules first to decide. */
struct bpf_device_list {
        bool default_allow;
        struct cgroup_device_rule *rules; /* owned; none of type 'a' */
        size_t n;
};
/* @rules, starting from "everything denied" as runc does for a new cgroup, without those that decide nothing.
 * ERR_LIMIT for more than a program can hold. */
MUST_USE err *bpf_device_order(const struct cgroup_device_rule *rules, size_t n, struct bpf_device_list *ret);
/* The same for v1: no two of @ret's rules are about the same device and all are of the opposite of the default.
 * ERR_UNSUPPORTED for what cannot be said so: a rule that takes a part of an earlier, wider one away again; ERR_LIMIT.
 */
MUST_USE err *bpf_device_reduce(const struct cgroup_device_rule *rules, size_t n, struct bpf_device_list *ret);
void bpf_device_list_done(struct bpf_device_list *l);
/* Does the list permit it? What the program computes; for tests and `why`. */
bool bpf_device_allowed(const struct bpf_device_list *l, char type, uint32_t major, uint32_t minor, unsigned access);

/* Compile to eBPF. *@ret is the caller's, also on failure. ERR_LIMIT for more rules than a program can hold. */
MUST_USE err *bpf_device_compile(const struct bpf_device_list *l, struct bpf_program *ret);

/* Load and attach @rules to the v2 cgroup @cgroup_fd: added with BPF_F_ALLOW_MULTI, or in place of the one program that
 * is there. ERR_UNSUPPORTED where the kernel has no such programs, ERR_SYS. */
MUST_USE err *bpf_device_attach(int cgroup_fd, const struct cgroup_device_rule *rules, size_t n);
