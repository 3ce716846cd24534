"""crash-network.py HOD N: N times do something with a container on networks and kill -9 the hod that does it, its monitor,
or both, at a random moment. Then the next commands must work, and after `rm -f` and `network rm` nothing of it may be
left: links, leases, elements of tables, namespaces. HOD_STATE names the engine."""
import json
import os
import random
import subprocess
import sys
import time

HOD, ROUNDS = sys.argv[1], int(sys.argv[2])
STATE = os.environ['HOD_STATE']
NETS = ['kn1', 'kn2']
RUN = ['--network', 'kn1', '-p', '80', '--net-rate', '50mbit', '--egress', 'allow=10.0.0.0/8,deny=*', 'busybox', 'sleep', '424243']
ACTIONS = {
    'run': ['run', '-d', '--name', 'kn'] + RUN,
    'start': ['start', 'kn'],
    'restart': ['restart', '-t', '0', 'kn'],
    'stop': ['stop', '-t', '0', 'kn'],
    'rm': ['rm', '-f', 'kn'],
    'connect': ['network', 'connect', 'kn2', 'kn'],
    'disconnect': ['network', 'disconnect', 'kn1', 'kn'],
    'update': ['update', '--net-rate', '20mbit', '--egress', 'deny=192.0.2.1,allow=*', 'kn'],
    'create network': ['network', 'create', 'kn3'],
    'rm network': ['network', 'rm', 'kn3'],
}


def hod(*args, check=False):
    p = subprocess.run([HOD, *args], capture_output=True, text=True, timeout=60)
    if check and p.returncode != 0:
        sys.exit(f'hod {" ".join(args)}: {p.stderr}')
    return p


def output(*args):
    return subprocess.run(args, capture_output=True, text=True).stdout


def left():
    """What there is of networks on this machine and in this engine: ours, without what was there before."""
    found = {f'link {l["ifname"]}' for l in json.loads(output('ip', '-j', 'link')) if l['ifname'].startswith(('hod', 'ifb', 'br-'))}
    directory = os.path.join(STATE, 'networks')
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        if len(name) == 64:  # others are locks, and who watches the rules
            try:
                with open(os.path.join(directory, name)) as f:
                    found |= {f'lease {line.split()[0]}' for line in f}
            except FileNotFoundError:  # it has just gone
                pass
    rules = json.loads(output('nft', '-j', 'list', 'ruleset') or '{"nftables": []}')['nftables']
    for item in rules:
        for kind, o in item.items():
            if kind in ('set', 'map') and o.get('table', '').startswith('hod'):
                found |= {f'{o["table"]} {o["name"]} {json.dumps(e)}' for e in o.get('elem', [])}
            if kind == 'chain' and 'egress' in o.get('name', '') or kind == 'table' and o['name'] == 'hod_egress':
                found.add(f'{kind} {o["name"]}')
    found |= {f'netns {line.split()[0]}' for line in output('lsns', '-t', 'net', '-n', '-o', 'NS,COMMAND').splitlines() if '424243' in line}
    return found


def monitors():
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                line = f.read().decode(errors='replace').split('\0')
        except OSError:
            continue
        if line[0].endswith('hod-monitor') and any(STATE in word for word in line):
            found.append(int(pid))
    return found


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass


def prepare(what):
    if what in ('run', 'create network'):
        return
    if what == 'rm network':
        hod('network', 'create', 'kn3', check=True)
        return
    hod('create', '--name', 'kn', *RUN, check=True)
    if what != 'start':
        hod('start', 'kn', check=True)


def one_round():
    what, whom = random.choice(list(ACTIONS)), random.choice(['hod', 'monitor', 'both'])
    prepare(what)
    process = subprocess.Popen([HOD] + ACTIONS[what], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.random() * 0.025)
    if whom != 'monitor':
        process.kill()
    if whom != 'hod':
        kill(monitors())
    process.wait(60)
    # Whatever it was, the next command understands, and the names are free again.
    problems = []
    if random.random() < 0.5:
        hod('start', 'kn')  # what another start had taken is given back, too
    p = hod('run', '--rm', '--network', 'kn1', 'busybox', 'true')
    if p.returncode:
        problems.append(f'run: {p.stderr}')
    if hod('inspect', '--type', 'container', 'kn').returncode == 0:
        p = hod('rm', '-f', 'kn')
        if p.returncode:
            problems.append(f'rm: {p.stderr}')
    hod('network', 'rm', '-f', 'kn3')
    rest = None
    for _ in range(600):
        rest = left() - before
        if not rest and not monitors():
            break
        time.sleep(0.02)
    else:
        problems.append(f'left: {sorted(rest)} monitors {monitors()}')
    return f'{what}, {whom} killed: {"; ".join(problems)}' if problems else None


seed = int(os.environ.get('SEED', os.getpid()))
random.seed(seed)
for net in NETS:
    # Who comes to the second one gets its ports for another family, too.
    hod('network', 'create', *(['--ipv6'] if net == 'kn2' else []), net, check=True)
    hod('run', '--rm', '--network', net, 'busybox', 'true', check=True)
before = left()
for i in range(ROUNDS):
    problem = one_round()
    if problem:
        sys.exit(f'seed {seed} round {i}: {problem}')
for net in NETS:
    hod('network', 'rm', net, check=True)
