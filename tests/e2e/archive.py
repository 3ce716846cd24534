"""Image archives of every kind, good and bad: what archive.bats makes its inputs with.

    archive.py OUTPUT CODE     CODE is run with the functions below; `files` becomes OUTPUT (a tar, or a directory if
                               OUTPUT ends in /)

A layer is a tar with one file; an image is a config with layers."""
import gzip, hashlib, io, json, os, sys, tarfile

files = []  # (name, bytes | ('link', target) | ('dir',) | ('hard', target) | ('fifo',) | ('size', declared))


def sha(data):
    return hashlib.sha256(data).hexdigest()


def tar(members):
    out = io.BytesIO()
    t = tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT)
    for name, data in members.items():
        i = tarfile.TarInfo(name)
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
    t.close()
    return out.getvalue()


def layer(text):
    return tar({'etc/hostname-of-layer': text.encode()})


def config(layers, arch='amd64', **more):
    return json.dumps({'architecture': arch, 'os': 'linux', 'config': {'Cmd': ['x']},
                       'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + sha(l) for l in layers]}, **more}).encode()


def add(name, data):
    files.append((name, data if isinstance(data, (bytes, tuple)) else json.dumps(data).encode()))


def desc(data, type, **more):
    return {'mediaType': type, 'digest': 'sha256:' + sha(data), 'size': len(data), **more}


OCI = 'application/vnd.oci.image.'


def blob(data, type, name=None, **more):
    if all(n != 'blobs/sha256/' + sha(data) for n, _ in files):
        add(name or 'blobs/sha256/' + sha(data), data)
    return desc(data, type, **more)


def image(layers=None, packed=True, **more):
    """Puts an image into the layout; gives its descriptor."""
    layers = [layer('one')] if layers is None else layers
    m = {'schemaVersion': 2, 'mediaType': OCI + 'manifest.v1+json', 'config': blob(config(layers, **more), OCI + 'config.v1+json'),
         'layers': [blob(gzip.compress(l, mtime=0), OCI + 'layer.v1.tar+gzip') if packed else blob(l, OCI + 'layer.v1.tar') for l in layers]}
    return blob(json.dumps(m).encode(), OCI + 'manifest.v1+json')


def index(members):
    return json.dumps({'schemaVersion': 2, 'mediaType': OCI + 'index.v1+json', 'manifests': members}).encode()


def named(d, name):
    return {**d, 'annotations': {'io.containerd.image.name': name}}


def ref(d, name):
    return {**d, 'annotations': {'org.opencontainers.image.ref.name': name}}


def layout(*members):
    add('oci-layout', b'{"imageLayoutVersion": "1.0.0"}')
    add('index.json', index(list(members)))


def docker(*images):
    """An old archive: images are (tags, layers); a layer that was there before becomes a link."""
    entries, seen = [], {}
    for tags, layers in images:
        names = []
        for l in layers:
            d = sha(l)[:16] + str(len(files))
            add(d + '/VERSION', b'1.0')
            add(d + '/layer.tar', ('link', '../' + seen[sha(l)]) if sha(l) in seen else l)
            seen.setdefault(sha(l), d + '/layer.tar')
            names.append(d + '/layer.tar')
        c = config(layers)
        add(sha(c) + '.json', c)
        entries.append({'Config': sha(c) + '.json', 'RepoTags': tags, 'Layers': names})
    add('manifest.json', entries)


def replace(name, data):
    for i, (n, _) in enumerate(files):
        if n == name:
            files[i] = (n, data)


def write_tar(path):
    with tarfile.open(path, 'w', format=tarfile.GNU_FORMAT) as t:
        for name, data in files:
            i = tarfile.TarInfo(name)
            if isinstance(data, bytes):
                i.size = len(data)
                t.addfile(i, io.BytesIO(data))
                continue
            i.type = {'link': tarfile.SYMTYPE, 'hard': tarfile.LNKTYPE, 'dir': tarfile.DIRTYPE, 'fifo': tarfile.FIFOTYPE, 'size': tarfile.REGTYPE}[data[0]]
            if data[0] == 'size':
                i.size = data[1]
            elif len(data) > 1:
                i.linkname = data[1]
            t.addfile(i)
            if data[0] == 'size':  # a hole
                t.fileobj.truncate(t.offset + data[1])
                t.fileobj.seek(data[1] + -data[1] % 512, 1)
                t.offset += data[1] + -data[1] % 512


def write_dir(path):
    for name, data in files:
        where = os.path.join(path, name)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        if isinstance(data, bytes):
            with open(where, 'wb') as f:
                f.write(data)
        elif data[0] == 'link':
            os.symlink(data[1], where)
        elif data[0] == 'fifo':
            os.mkfifo(where)


exec(sys.argv[2])
if sys.argv[1].endswith('/'):
    write_dir(sys.argv[1])
else:
    write_tar(sys.argv[1])
