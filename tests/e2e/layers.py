"""layers.py BUSYBOX.tar COUNT OUT.tar NAME: a docker-archive of an image with COUNT layers: busybox, then layers that
make, hide and replace files with every form of AUFS' marks that OCI layers have, then layers with one file each
(/n/<number>, and /top, which all of them have)."""
import hashlib
import io
import json
import sys
import tarfile

BUSYBOX, COUNT, OUT, NAME = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def entry(name, data=None, kind=tarfile.REGTYPE, **more):
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if data is None and kind == tarfile.REGTYPE else kind
    info.mode = 0o755 if info.type == tarfile.DIRTYPE else 0o644
    info.size = len(data or b'') if info.type == tarfile.REGTYPE else 0
    info.mtime = 1000000000
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data) if info.type == tarfile.REGTYPE else None)
    return out.getvalue()


with open(BUSYBOX, 'rb') as f:
    layers = [f.read()]
layers += [
    layer(entry('d'), entry('d/a', b'1'), entry('d/b', b'1'), entry('d/sub'), entry('d/sub/f', b'1'),
          entry('o'), entry('o/old', b'1'), entry('o/sub'), entry('o/sub/f', b'1'),
          entry('p'), entry('p/old', b'1'), entry('p/stays', b'1'),
          entry('q'), entry('q/f', b'1'), entry('was-dir'), entry('was-dir/f', b'1'), entry('was-file', b'1'),
          entry('twice', b'1'), entry('l1', b'linked'), entry('l2', None, tarfile.LNKTYPE, linkname='l1'),
          entry('sock'), entry('r'), entry('r/x'), entry('r/x/y', b'1')),
    # a file; a directory; an opaque directory marked before and after what is new in it
    layer(entry('d'), entry('d/.wh.a', b''), entry('d/.wh.sub', b''),
          entry('o'), entry('o/.wh..wh..opq', b''), entry('o/new', b'2'),
          entry('p'), entry('p/new', b'2'), entry('p/.wh..wh..opq', b''),
          # AUFS' own, which mean nothing
          entry('.wh..wh.aufs', b''), entry('.wh..wh.plnk'), entry('.wh..wh.plnk/1.2', b''), entry('.wh..wh.orph'),
          # hidden and made again in the same layer, in both orders; the kind changes
          entry('.wh.twice', b''), entry('twice', b'2'),
          entry('was-dir', b'2'), entry('was-file'), entry('was-file/f', b'2'),
          entry('q'), entry('q/f'), entry('q/f/g', b'2'),
          # one of two names; something that was never there
          entry('.wh.l1', b''), entry('.wh.nothing', b''), entry('.wh.r', b'')),
    # over an opaque directory; a whole tree comes back without what was hidden
    layer(entry('o'), entry('o/.wh.new', b''), entry('o/newer', b'3'), entry('d'), entry('d/a', b'3'),
          entry('r'), entry('r/z', b'3')),
]
for n in range(len(layers), COUNT):
    layers.append(layer(entry('n'), entry('n/%d' % n, b'%d' % n), entry('top', b'%d' % n)))
del layers[COUNT:]

config = json.dumps({
    'architecture': 'amd64', 'os': 'linux', 'config': {'Cmd': ['sh'], 'Labels': {'of': 'test'}},
    'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(d).hexdigest() for d in layers]},
}).encode()
name = hashlib.sha256(config).hexdigest() + '.json'
manifest = [{'Config': name, 'RepoTags': [NAME], 'Layers': ['%d/layer.tar' % n for n in range(len(layers))]}]
with tarfile.open(OUT, 'w') as tar:
    for path, data in [(name, config)] + [('%d/layer.tar' % n, d) for n, d in enumerate(layers)] + [
            ('manifest.json', json.dumps(manifest).encode())]:
        info = tarfile.TarInfo(path)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
