/* pty.h - pseudo terminals made inside a container's own devpts.
 * Functions return a descriptor or 0, or -errno; only system calls: safe between clone and exec. */
#pragma once

#include <stdint.h>

/* Open a new terminal of the devpts mount whose root directory is @pts_fd; "ptmx" must really be that of a devpts.
 * The slave comes from TIOCGPTPEER, never from a path. Size 0x0 leaves the kernel's. @ret_number: N of /dev/pts/N. */
int pty_open(int pts_fd, unsigned height, unsigned width, int *ret_master, int *ret_slave, unsigned *ret_number);
int pty_set_size(int fd, unsigned height, unsigned width);
/* The terminal does not turn "\n" into "\r\n": whoever shows its output does. */
int pty_keep_newlines(int fd);
/* Make @slave the controlling terminal of this session leader. */
int pty_control(int slave);
