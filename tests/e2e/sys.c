/* sys.c - one system call, exactly as it is given: sys [-32] NUMBER [ARGUMENT...] → "ok" or the error's name.
 * -32: through the i386 entry (int 0x80), whose calls have i386's numbers. An argument "@N,N,..." is a pointer to those
 * 32-bit numbers, below 4 GiB. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static long call32(const unsigned long a[6], long nr)
{
        long r = -ENOSYS;

#ifdef __x86_64__
        register long bp __asm__("rbx") = (long)a[0];

        __asm__ volatile("int $0x80"
                         : "=a"(r)
                         : "a"(nr), "r"(bp), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                         : "memory", "r8", "r9", "r10", "r11");
#endif
        return r;
}

int main(int argc, char **argv)
{
        unsigned *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        int narrow = argc > 1 && strcmp(argv[1], "-32") == 0, at = 1 + narrow;
        unsigned long a[6] = {0};
        long nr, r;

        if (at >= argc || low == MAP_FAILED)
                return 2;
        nr = strtol(argv[at++], NULL, 0);
        for (int i = 0; i < 6 && at < argc; i++, at++) {
                if (argv[at][0] != '@') {
                        a[i] = strtoul(argv[at], NULL, 0);
                        continue;
                }
                a[i] = (unsigned long)low;
                for (char *p = argv[at]; *p;)
                        *low++ = (unsigned)strtoul(p + 1, &p, 0);
        }
        if (narrow) {
                r = call32(a, nr);
        } else {
                r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
                r = r < 0 ? -errno : r;
        }
        (void)puts(r < 0 ? strerrorname_np((int)-r) : "ok");
        return 0;
}
