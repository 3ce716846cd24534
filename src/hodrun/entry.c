/* entry.c - what happens before the C library: hodrun executes itself again, protected (sys/exe.h, decision 15).
 *
 * main() would do the same (and still does, where this cannot), but only after the C library has started, which would
 * then start twice: half a millisecond of looking at the processor where a hypervisor traps that, a tenth of a `run`.
 *
 *   kernel → entry → [entry_protect: execveat of ourselves, read only → entry] → _start → main
 *
 * Nothing is relocated yet, there is no thread-local storage and no errno: only system calls, local variables and
 * constants. */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>

#include "hodrun/hodrun.h"

#if defined(__x86_64__)

#define NAKED_OF_LIBC __attribute__((no_stack_protector, noinline, used))
#define IS_READONLY 1 /* ST_RDONLY */

static inline long call(long number, long a, long b, long c, long d, long e)
{
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        long ret;

        __asm__ volatile("syscall"
                         : "=a"(ret)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        return ret;
}

static inline bool same(const char *a, const char *b)
{
        while (*a && *a == *b) {
                a++;
                b++;
        }
        return *a == *b;
}

/* Commands that let a process into a container. A container of that name only costs an execve. */
static inline bool enters(char *const *argv)
{
        for (; *argv; argv++)
                if (same(*argv, "run") || same(*argv, "create") || same(*argv, "exec") || same(*argv, "restore") ||
                    same(*argv, "mounts"))
                        return true;
        return false;
}

#define TRACE_VARIABLE "HOD_TRACE_FD="
#define TRACE_TEXT (sizeof(TRACE_VARIABLE) + 8 + 20)

static inline const char *after(const char *text, const char *begin)
{
        while (*begin && *text == *begin) {
                text++;
                begin++;
        }
        return *begin ? 0 : text;
}

static inline unsigned long clock_ns(clockid_t clock)
{
        struct timespec t __attribute__((uninitialized));

        (void)call(SYS_clock_gettime, clock, (long)&t, 0, 0, 0);
        return (unsigned long)t.tv_sec * 1000000000ul + (unsigned long)t.tv_nsec;
}

/* For who looks at where the time goes: "HOD_TRACE_FD=5" becomes "HOD_TRACE_FD=5,123456", when this process began (ns):
 * as long ago as it has used a processor, the kernel's execve included. @text holds it until ours. */
static inline void tell_begin(const char **envp, char text[TRACE_TEXT])
{
        unsigned long ns;
        char *at = &text[TRACE_TEXT - 1];
        const char *fd, *end;

        while (*envp && !after(*envp, TRACE_VARIABLE))
                envp++;
        if (!*envp)
                return;
        fd = end = after(*envp, TRACE_VARIABLE);
        while (*end >= '0' && *end <= '9')
                end++;
        if (*end || end - fd > 8)
                return;
        ns = clock_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        *at = '\0';
        for (; ns; ns /= 10)
                *--at = (char)('0' + ns % 10);
        *--at = ',';
        while (end > *envp)
                *--at = *--end;
        *envp = at;
}

NAKED_OF_LIBC static void entry_protect(long *stack)
{
        char *const *argv = (char *const *)(stack + 1);
        const char **envp = (const char **)(stack + 1 + stack[0] + 1);
        char text[TRACE_TEXT] __attribute__((uninitialized));
        const char *self = "/proc/self/exe";
        struct statfs fs __attribute__((uninitialized));
        struct mount_attr attr __attribute__((uninitialized));
        long fd;

        if (!enters(argv))
                return;
        if (call(SYS_statfs, (long)self, (long)&fs, 0, 0, 0) < 0 || (fs.f_flags & IS_READONLY))
                return;
        fd = call(SYS_open_tree, AT_FDCWD, (long)self, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);
        if (fd < 0)
                return;
        attr.attr_set = MOUNT_ATTR_RDONLY;
        attr.attr_clr = 0;
        attr.propagation = MS_PRIVATE;
        attr.userns_fd = 0;
        if (call(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0) {
                tell_begin(envp, text);
                (void)call(SYS_execveat, fd, (long)"", (long)argv, (long)envp, AT_EMPTY_PATH);
        }
        (void)call(SYS_close, fd, 0, 0, 0, 0);
}

/* The stack is as the kernel made it: argc, argv, NULL, envp, NULL, ...; rdx belongs to _start. */
__asm__(".text\n"
        ".globl entry\n"
        ".hidden entry\n"
        ".type entry, @function\n"
        "entry:\n"
        "        endbr64\n"
        "        mov %rsp, %rbx\n"
        "        mov %rdx, %r12\n"
        "        mov %rsp, %rdi\n"
        "        and $-16, %rsp\n"
        "        call entry_protect\n"
        "        mov %rbx, %rsp\n"
        "        mov %r12, %rdx\n"
        "        jmp _start\n"
        ".size entry, . - entry\n");

#endif
