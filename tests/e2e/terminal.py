#!/usr/bin/env python3
"""terminal.py [step...] -- COMMAND...: run COMMAND on a new terminal, as a person would.

Steps, in order:
  -e TEXT   wait until TEXT (a regular expression) has appeared since the last step
  -s TEXT   type TEXT (Python escapes: \\r, \\x03, \\x10)
  -r RxC    change the terminal's size
  -w SECS   wait
Options before the steps: -z RxC initial size (40x150), -t SECS limit for each wait (40).
Prints all that appeared. Ends with COMMAND's status (128+n for signal n); 200 when a wait timed out.
After the last step it waits for COMMAND to end.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


def set_size(fd, text):
    rows, cols = (int(n) for n in text.split('x'))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))


def main():
    args = sys.argv[1:]
    split = args.index('--')
    steps, command = args[:split], args[split + 1:]
    size, limit, todo = '40x150', 40.0, []
    for flag, value in zip(steps[::2], steps[1::2]):
        if flag == '-z':
            size = value
        elif flag == '-t':
            limit = float(value)
        else:
            todo.append((flag, value))

    pid, master = pty.fork()
    if pid == 0:
        set_size(0, size)
        os.execvp(command[0], command)
    set_size(master, size)

    seen, mark, deadline = b'', 0, time.monotonic() + limit
    status = None
    while True:
        while todo:
            flag, value = todo[0]
            if flag == '-e':
                match = re.search(value.encode(), seen[mark:])
                if not match:
                    break
                mark += match.end()
            elif flag == '-s':
                os.write(master, codecs.decode(value, 'unicode_escape').encode('latin-1'))
            elif flag == '-r':
                set_size(master, value)
                os.kill(pid, signal.SIGWINCH)
            elif flag == '-w':
                if time.monotonic() < deadline - limit + float(value):
                    break
            todo.pop(0)
            deadline = time.monotonic() + limit
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            sys.stdout.buffer.write(seen)
            print(f'\nterminal.py: timed out, waiting for {todo[0] if todo else "the end"}', flush=True)
            sys.exit(200)
        ready, _, _ = select.select([master], [], [], 0.05)
        if ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                data = b''
            if not data:
                break
            seen += data
    _, status = os.waitpid(pid, 0)
    sys.stdout.buffer.write(seen)
    sys.stdout.flush()
    if todo:
        print(f'\nterminal.py: ended before {todo[0]}', flush=True)
        sys.exit(200)
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


if __name__ == '__main__':
    main()
