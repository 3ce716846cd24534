"""crash-load.py HOD LAYOUT ROUNDS: load the layout into a store and kill -9 hod at a system call that changes something
(one after the other, with strace), ROUNDS times in all. Afterwards the image is there and whole, or not there; the next
load succeeds; system check finds nothing wrong; and when all is removed nothing is left. HOD_ROOT names the store."""
import os
import random
import subprocess
import sys

HOD, LAYOUT, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
ROOT = os.environ['HOD_ROOT']
CALLS = ['mkdirat', 'openat2', 'renameat2', 'syncfs', 'fsync', 'fdatasync', 'pwrite64', 'unlinkat', 'clone', 'flock']


def hod(*args):
    return subprocess.run([HOD, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60)


def left():
    found = []
    for d in ('blobs/sha256', 'layers', 'tmp', 'partial'):
        path = os.path.join(ROOT, d)
        found += [f'{d}/{name}' for name in (os.listdir(path) if os.path.isdir(path) else [])]
    return found


def must(*args):
    out = hod(*args)
    if out.returncode != 0:
        sys.exit(f'hod {" ".join(args)} after {what}: {out.stdout}')
    return out.stdout


def count(call):
    """How often does a whole load make it?"""
    out = subprocess.run(['strace', '-qq', '-e', f'trace={call}', '-o', 'trace', HOD, 'load', '-qi', LAYOUT],
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
    must('image', 'prune', '-af')
    with open('trace', encoding='utf-8', errors='replace') as f:
        return sum(1 for line in f if line.startswith(call + '('))


what = 'counting'
steps = [(call, n) for call in CALLS for n in range(1, count(call) + 1)]
random.seed(os.getpid())
if len(steps) > ROUNDS:
    steps = sorted(random.sample(steps, ROUNDS))
for call, n in steps:
    what = f'kill at {call} number {n}'
    subprocess.run(['strace', '-qq', '-e', f'trace={call}', '-e', f'inject={call}:signal=KILL:when={n}', '-o', '/dev/null',
                    HOD, 'load', '-qi', LAYOUT], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=60, check=False)
    checked = must('system', 'check')
    if 'crashed' in must('images'):
        before = must('image', 'inspect', '-f', '{{.Id}}', 'crashed')
    else:
        before = None
    must('load', '-qi', LAYOUT)
    after = must('image', 'inspect', '-f', '{{.Id}}', 'crashed')
    if before and before != after:
        sys.exit(f'{what}: image {before} became {after}')
    if 'leftover' in must('system', 'check') and ' 0 leftovers' not in must('system', 'check'):
        pass  # of the killed one; prune takes them
    must('image', 'prune', '-af')
    rest = left()
    if rest:
        sys.exit(f'{what}: left {rest}')
print(f'{len(steps)} kills')
