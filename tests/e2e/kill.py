"""kill.py monitor|hod HOD N: N times do something with a container and kill -9 its monitor, or the hod that does it, at a
random moment; then remove the container. Afterwards no process, monitor or cgroup of it may be left. HOD_STATE names
the engine."""
import os
import random
import subprocess
import sys
import time

WHO, HOD, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
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


def hod(*args):
    return subprocess.run([HOD, *args], capture_output=True, text=True, timeout=60)


def remove():
    """rm -f; what is wrong then, or None."""
    container = hod('inspect', '-f', '{{.Id}}', 'km').stdout.strip()
    rm = hod('rm', '-f', 'km')
    if container and rm.returncode != 0:
        return f'rm: {rm.stderr}'
    for _ in range(1000):
        rest = *left(container), monitors()
        if not any(rest):
            return None
        time.sleep(0.02)
    return f'left: {rest}'


def kill_monitor():
    run = subprocess.Popen([HOD, 'run', '-d', '--name', 'km', 'busybox'] + PROGRAM,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
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
    return remove()


ACTIONS = {
    'run': ['run', '-d', '--name', 'km', 'busybox'] + PROGRAM,
    'start': ['start', 'km'],
    'restart': ['restart', '-t', '0', 'km'],
    'stop': ['stop', '-t', '0', 'km'],
    'rm': ['rm', '-f', 'km'],
}


def kill_hod():
    what = random.choice(list(ACTIONS))
    if what != 'run':
        hod('create', '--name', 'km', 'busybox', *PROGRAM)
    if what not in ('run', 'start'):
        hod('start', 'km')
    process = subprocess.Popen([HOD] + ACTIONS[what], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.random() * 0.02)
    process.kill()
    process.wait()
    problem = remove()
    return problem and f'{what}: {problem}'


random.seed(os.getpid())
for i in range(ROUNDS):
    problem = {'monitor': kill_monitor, 'hod': kill_hod}[WHO]()
    if problem:
        sys.exit(f'round {i}: {problem}')
