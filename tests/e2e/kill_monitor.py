"""kill_monitor.py HOD N: N times start a container, kill -9 its monitor at a random moment, remove the container.
Afterwards no process and no cgroup of it may be left. HOD_STATE names the engine."""
import os
import random
import subprocess
import sys
import time

HOD, ROUNDS = sys.argv[1], int(sys.argv[2])
STATE = os.environ['HOD_STATE']
PROGRAM = ['sleep', '424242']
CGROUPS = '/sys/fs/cgroup/pids/hod' if os.path.isdir('/sys/fs/cgroup/pids') else '/sys/fs/cgroup/hod'


def processes(wanted):
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                line = f.read().decode(errors='replace').split('\0')[:-1]
        except OSError:
            continue
        if line and wanted(line):
            found.append(int(pid))
    return found


def monitors():
    return processes(lambda line: line[0].endswith('hod-monitor') and any(STATE in word for word in line))


def left(container):
    cgroups = os.listdir(CGROUPS) if os.path.isdir(CGROUPS) else []
    return processes(lambda line: line == PROGRAM), [c for c in cgroups if c == container]


def one():
    run = subprocess.Popen([HOD, 'run', '-d', '--name', 'km', 'busybox'] + PROGRAM,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 5
    pids = []
    while not pids and time.monotonic() < deadline:
        pids = monitors()
    time.sleep(random.random() * 0.008)
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass
    run.communicate(timeout=30)
    id_ = subprocess.run([HOD, 'inspect', '-f', '{{.Id}}', 'km'], capture_output=True, text=True).stdout.strip()
    rm = subprocess.run([HOD, 'rm', '-f', 'km'], capture_output=True, text=True)
    if id_ and rm.returncode != 0:
        return f'rm: {rm.stderr}'
    for _ in range(50):
        rest = left(id_)
        if not rest[0] and not rest[1]:
            return None
        time.sleep(0.02)
    return f'left: {rest}, started: {run.returncode}'


random.seed(os.getpid())
for i in range(ROUNDS):
    problem = one()
    if problem:
        sys.exit(f'round {i}: {problem}')
