"""crash-hodrun.py HODRUN ROOT BUNDLE CGROUP ROUNDS: for each command, ROUNDS times: kill -9 hodrun at a system call (one
after the other, with strace) or at a random moment; then the container is what state and list say, obeys, and goes away
with delete -f without leaving anything. CGROUP: the cgroup of the bundle's containers."""
import glob
import json
import os
import random
import subprocess
import sys
import time

HODRUN, ROOT, BUNDLE, CGROUP, ROUNDS = *sys.argv[1:5], int(sys.argv[5])
ID = 'c'


def hodrun(*args, timeout=60):
    return subprocess.run([HODRUN, '--root', ROOT, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, cwd=BUNDLE)


def quiet(*args):
    """Without pipes that the container would keep."""
    return subprocess.run([HODRUN, '--root', ROOT, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=60, cwd=BUNDLE).returncode


def cgroups():
    return [d for d in glob.glob(f'/sys/fs/cgroup/*{CGROUP}') + glob.glob(f'/sys/fs/cgroup{CGROUP}') if os.path.isdir(d)]


def processes():
    pids = set()
    for d in cgroups():
        try:
            with open(f'{d}/cgroup.procs', encoding='ascii') as f:
                pids |= set(map(int, f.read().split()))
        except OSError:
            pass
    return pids


def program(pid):
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            return f.read().split(b'\0')[0].decode()
    except OSError:
        return ''


def state():
    out = hodrun('state', ID)
    return json.loads(out.stdout) if out.returncode == 0 else None


def truth(s):
    """What is wrong with the state @s, or None."""
    listed = [c for c in json.loads(hodrun('list', '-f', 'json').stdout or 'null') or [] if c['id'] == ID]
    if s is None:
        return None if not listed else f'state says it does not exist, list has {listed}'
    if not listed or listed[0]['status'] != s['status'] or listed[0]['pid'] != s['pid']:
        return f'state says {s}, list {listed}'
    runs = program(s['pid']) == 'sleep' if s['pid'] else False
    if s['status'] == 'running' and not runs:
        return f'running, but process {s["pid"]} is {program(s["pid"])!r}'
    if s['status'] == 'created' and (runs or not os.path.exists(f'/proc/{s["pid"]}')):
        return f'created, but process {s["pid"]} is {program(s["pid"])!r}'
    if s['status'] == 'stopped' and any(program(p) == 'sleep' for p in processes()):
        return f'stopped, but {[program(p) for p in processes()]} run'
    return None if s['status'] in ('created', 'running', 'stopped') else f'status {s["status"]}'


def obeys(s):
    """A container that is said to be there does what it is told."""
    if s and s['status'] == 'created':
        if quiet('start', ID) != 0:
            # Its set-up ends when it sees that its maker is dead: that may be now.
            s = state()
            return None if s and s['status'] == 'stopped' else f'cannot be started, and is {s}'
        s = state()
        if not s or s['status'] != 'running':
            return f'started, and then {s}'
    if s and s['status'] == 'running':
        r = hodrun('exec', ID, 'true')
        if r.returncode != 0:
            return f'exec: {r.stderr}'
        r = hodrun('kill', ID, 'KILL')
        if r.returncode != 0:
            return f'kill: {r.stderr}'
    return None


def gone():
    r = hodrun('delete', '-f', ID)
    if r.returncode != 0:
        return f'delete -f: {r.stderr}'
    for _ in range(1000):
        left = [n for n in os.listdir(ROOT) if not n.startswith('@')] if os.path.isdir(ROOT) else []
        with open('/proc/self/mountinfo', encoding='utf-8') as f:
            left += [line for line in f if ROOT in line or f'{BUNDLE}/rootfs' in line]
        left += cgroups()
        if not left:
            return None
        time.sleep(0.02)
    return f'left: {left}'


def strike(args, where):
    """Run hodrun and kill it at the system call @where (name, which one of them; None: at some moment). True if it was
    killed."""
    command = [HODRUN, '--root', ROOT, *args]
    if where:
        command = ['strace', '-qq', '-o', '/dev/null', '-e', 'inject=%s:signal=SIGKILL:when=%d' % where] + command
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         cwd=BUNDLE)
    if not where:
        time.sleep(random.random() * 0.02)
        p.kill()
    return p.wait(timeout=60) in (-9, 137)


def settle(limit=20):
    """Wait until whoever has lost its parent in the middle of its own set-up has seen that."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        s = state()
        if truth(s) is None:
            return s, None
        time.sleep(0.05)
    return s, truth(s)


def prepare(what):
    if what in ('start', 'delete', 'kill', 'exec') and quiet('create', ID) != 0:
        sys.exit('create failed')
    if what in ('kill', 'exec') and quiet('start', ID) != 0:
        sys.exit('start failed')
    return {'create': ['create', ID], 'run': ['run', '-d', ID], 'start': ['start', ID], 'delete': ['delete', '-f', ID],
            'kill': ['kill', ID, 'KILL'], 'exec': ['exec', ID, 'true']}[what]


def attempt(what, where):
    killed = strike(prepare(what), where)
    s, problem = settle()
    if problem is None and what == 'exec' and (not s or s['status'] != 'running'):
        problem = f'after exec: {s}'
    if problem is None and what != 'kill':
        problem = obeys(s)
    return killed, problem or gone()


def calls(what):
    """The system calls that the command makes: (name, which one of them)."""
    trace = f'{ROOT}.trace'
    subprocess.run(['strace', '-qq', '-o', trace, HODRUN, '--root', ROOT, *prepare(what)], cwd=BUNDLE, check=True,
                   timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    gone()
    made, count = [], {}
    with open(trace, encoding='utf-8', errors='replace') as f:
        for line in f:
            name = line.split('(')[0]
            if name.isidentifier():
                count[name] = count.get(name, 0) + 1
                made.append((name, count[name]))
    os.unlink(trace)
    return made


random.seed(ROUNDS)
for what in ('create', 'run', 'start', 'delete', 'exec', 'kill'):
    made, struck = calls(what), 0
    for i in range(ROUNDS):
        at = len(made) * i // ROUNDS + random.randrange(max(1, len(made) // ROUNDS))
        where = None if i % 6 == 5 else made[min(at, len(made) - 1)]
        killed, problem = attempt(what, where)
        if problem:
            sys.exit(f'{what}, killed {"at %s number %d" % where if where else "at some moment"}: {problem}')
        struck += killed
    print(f'{what}: {len(made)} system calls, killed in {struck} of {ROUNDS} rounds')
    if struck < ROUNDS // 2:
        sys.exit(f'{what} was hardly ever killed')
