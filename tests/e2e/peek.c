/* peek.c - run inside a container that may trace: how often can a file of the host be read through /proc/PID/root of
 * somebody who is just entering the PID namespace?  peek PATH SECONDS → the number. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 1);
        unsigned long seen = 0;
        char path[512];

        /* New processes have numbers that follow the last one: no directory need be read. */
        while (time(NULL) < end) {
                pid_t next = fork();

                if (next == 0)
                        _exit(0);
                for (int round = 0; round < 400; round++)
                        for (int i = 1; i < 6; i++) {
                                int fd;

                                (void)snprintf(path, sizeof(path), "/proc/%d/root%s", next + i, argv[1]);
                                fd = open(path, O_RDONLY);
                                if (fd >= 0) {
                                        seen++;
                                        (void)close(fd);
                                }
                        }
        }
        (void)printf("%lu\n", seen);
        return 0;
}
