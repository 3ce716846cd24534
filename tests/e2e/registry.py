#!/usr/bin/env python3
"""registry.py DIR - a registry that misbehaves as the first part of the repository's name says.

    127.0.0.1:PORT/BEHAVIOUR/NAME:SEED

Every repository has an image for every tag: two layers whose content comes from the tag (SEED), so that two
repositories with the same tag have the same blobs. What is pushed is kept in memory. Requests go to DIR/log, one JSON
object a line. Ends when its stdin does.

One port for each way to ask who is there, in the files DIR/NAME: open (nobody is asked), basic, token (of this host),
foreignrealm (tokens come from tokens.example), oddrealm (ftp:), userrealm (user information in the address), and other: a
second host, 127.0.0.2, that asks nobody. The user is u, the password secret-pw. With DIR/tls.pem (certificate and key)
and DIR/ca.crt there are also tls and tlsother (on 127.0.0.2), which take certificates of clients and want none.
"""
import base64
import gzip
import hashlib
import io
import json
import os
import random
import re
import socket
import ssl
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
BIG = 1 << 20
BASIC = "Basic " + base64.b64encode(b"u:secret-pw").decode()
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)

directory = sys.argv[1]
log_lock = threading.Lock()
log_file = open(os.path.join(directory, "log"), "a")
counts = {}
uploads = {}
pushed_blobs = {}
pushed_manifests = {}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(kind, data, **more):
    return {"mediaType": kind, "digest": digest(data), "size": len(data), **more}


def tar_of(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def document(value):
    return json.dumps(value).encode()


class Image:
    """Blobs and documents of one tag; behaviours change them."""

    def __init__(self, seed, layers=None):
        rng = random.Random(seed)
        plain = layers or [tar_of("small", seed.encode()), tar_of("big", rng.randbytes(BIG))]
        self.layers = [gzip.compress(t, 1, mtime=0) for t in plain]
        self.config = document(
            {
                "os": "linux",
                "architecture": ARCH,
                "config": {"Cmd": ["sh"], "Labels": {"seed": seed}},
                "rootfs": {"type": "layers", "diff_ids": [digest(t) for t in plain]},
            }
        )
        self.make()

    def make(self, **more):
        self.value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, self.config),
            "layers": [descriptor(LAYER, l) for l in self.layers],
            **more,
        }
        self.manifest = document(self.value)

    def index(self, **platform):
        entry = descriptor(MANIFEST, self.manifest, platform={"os": "linux", "architecture": ARCH, **platform})
        return document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})

    def blob(self, name):
        for data in [self.config, *self.layers]:
            if digest(data) == name:
                return data
        return None


images = {}
images_lock = threading.Lock()


def image(seed):
    with images_lock:
        if seed not in images:
            images[seed] = Image(seed)
        return images[seed]


def count(key):
    with log_lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key]


def body(h, status, data, kind="application/octet-stream", **headers):
    h.send_response(status)
    h.send_header("Content-Type", kind)
    h.send_header("Content-Length", str(len(data)))
    for key, value in headers.items():
        h.send_header(key.replace("_", "-"), value)
    h.end_headers()
    if h.command != "HEAD":
        h.wfile.write(data)
    return True


def failure(h, status, code, message, **headers):
    return body(h, status, document({"errors": [{"code": code, "message": message}]}), "application/json", **headers)


def part_of(h, data, offset, stop=None, length=None, delay=0):
    """A blob's bytes from @offset, as 206 or 200, but only to @stop; then the connection is cut."""
    stop = len(data) if stop is None else stop
    h.send_response(206 if offset else 200)
    if offset:
        h.send_header("Content-Range", f"bytes {offset}-{len(data) - 1}/{len(data)}")
    h.send_header("Content-Length", str((length or len(data)) - offset))
    h.send_header("Content-Type", "application/octet-stream")
    h.end_headers()
    for at in range(offset, stop, 1 if delay else 65536):
        h.wfile.write(data[at : min(stop, at + (1 if delay else 65536))])
        if delay:
            h.wfile.flush()
            time.sleep(delay)
    if stop < (length or len(data)):
        h.wfile.flush()
        h.connection.shutdown(socket.SHUT_RDWR)
        h.close_connection = True
    return True


def is_big(data):
    return len(data) > 100000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = "open"

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError, OSError):
            self.close_connection = True

    def note(self, status):
        entry = {"host": self.name, "method": self.command, "path": self.path, "status": status,
                 "auth": self.headers.get("Authorization"), "range": self.headers.get("Range")}
        if isinstance(self.connection, ssl.SSLSocket):
            entry["cert"] = bool(self.connection.getpeercert())
        with log_lock:
            print(json.dumps(entry), file=log_file, flush=True)

    def send_response(self, code, message=None):
        self.note(code)
        super().send_response(code, message)

    def do(self):
        size = self.headers.get("Content-Length")
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            self.data = self.read_chunks()
        else:
            self.data = self.rfile.read(int(size)) if size else b""
        if self.path.startswith("/token"):
            return self.token()
        if self.unauthorized():
            return True
        if self.path.rstrip("/") == "/v2":
            return body(self, 200, b"{}", "application/json")
        match = re.match(r"^/v2/(.+)/(manifests|blobs|tags)/(.+)$", self.path)
        if not match:
            return failure(self, 404, "NAME_UNKNOWN", "what?")
        repo, kind, rest = match.groups()
        behaviour = repo.split("/")[0]
        if self.denied(behaviour):
            return True
        if self.command in ("POST", "PUT", "PATCH", "DELETE"):
            return self.write(behaviour, repo, kind, rest)
        if kind == "tags":
            return body(self, 200, document({"name": repo, "tags": ["t1", "t2"]}), "application/json")
        return self.manifest(behaviour, repo, rest) if kind == "manifests" else self.blob(behaviour, repo, rest)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do

    def read_chunks(self):
        data = b""
        while True:
            n = int(self.rfile.readline().split(b";")[0], 16)
            data += self.rfile.read(n)
            self.rfile.readline()
            if n == 0:
                return data

    # ---- who may ----

    def unauthorized(self):
        here = f"127.0.0.1:{ports[self.name]}"
        realms = {
            "token": f"http://{here}/token",
            "foreignrealm": "https://tokens.example/token",
            "oddrealm": "ftp://127.0.0.1/token",
            "userrealm": f"http://x:y@{here}/token",
        }
        auth = self.headers.get("Authorization", "")
        if self.name == "basic" and auth != BASIC:
            return failure(self, 401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="test"')
        if self.name in realms and auth != "Bearer good-token":
            challenge = f'Bearer realm="{realms[self.name]}",service="test"'
            return failure(self, 401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=challenge)
        return False

    def denied(self, behaviour):
        if behaviour == "status401":
            return failure(self, 401, "UNAUTHORIZED", "authentication required")
        if behaviour == "status403":
            return failure(self, 403, "DENIED", "requested access to the resource is denied")
        if behaviour == "status404":
            return failure(self, 404, "NAME_UNKNOWN", "repository name not known to registry")
        if behaviour == "status429":
            return failure(self, 429, "TOOMANYREQUESTS", "slow down", Retry_After="0")
        if behaviour == "later429" and count("429") <= 2:
            return failure(self, 429, "TOOMANYREQUESTS", "slow down", Retry_After="1")
        if behaviour == "status500":
            return failure(self, 500, "UNKNOWN", "broken")
        if behaviour == "later503" and count("503") <= 2:
            return body(self, 503, b"<html>busy</html>", "text/html")
        if behaviour == "html":
            return body(self, 200, b"<html>\x1b[31mlogin first\x1b[0m</html>", "text/html")
        return False

    def token(self):
        if self.name != "other" and self.headers.get("Authorization") != BASIC:
            return failure(self, 401, "UNAUTHORIZED", "incorrect username or password")
        return body(self, 200, document({"token": "good-token", "expires_in": 60}), "application/json")

    # ---- pull ----

    def manifest(self, behaviour, repo, reference):
        if (repo, reference) in pushed_manifests:
            kind, data = pushed_manifests[repo, reference]
            return body(self, 200, data, kind, Docker_Content_Digest=digest(data))
        by_digest = reference.startswith("sha256:")
        # A digest says nothing about the seed: the last tag that was asked for.
        if not by_digest:
            counts["seed", repo] = reference
        seed = counts.get(("seed", repo), "t1")
        i = image(seed)
        data, kind = self.manifest_of(behaviour, i, seed, reference)
        if data is None:
            return True
        if by_digest and digest(data) != reference and behaviour not in ("badchild", "selfindex", "wrongmanifest"):
            return failure(self, 404, "MANIFEST_UNKNOWN", "manifest unknown")
        name = digest(data)
        if behaviour == "wrongmanifest" and self.command == "GET":
            data = data.replace(b"schemaVersion", b"schemaversion")
        return body(self, 200, data, kind, Docker_Content_Digest=name)

    def manifest_of(self, behaviour, i, seed, reference):
        by_digest = reference.startswith("sha256:")
        value = dict(i.value)
        if behaviour == "loopmanifest":
            body(self, 307, b"", Location=self.path)
            return None, None
        if behaviour == "silent":
            self.silence()
        if behaviour == "badchild" and by_digest:
            return i.manifest.replace(b"sha256:", b"sha256:0", 1)[:len(i.manifest)], MANIFEST
        if behaviour == "selfindex":
            name = "sha256:" + "0" * 64
            entry = {"mediaType": INDEX, "digest": name, "size": 400, "platform": {"os": "linux", "architecture": ARCH}}
            return document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}), INDEX
        if behaviour in ("index", "badchild", "deepindex", "noplatform"):
            chain = [i.manifest]
            for depth in range(8 if behaviour == "deepindex" else 1):
                entry = descriptor(INDEX if depth else MANIFEST, chain[-1],
                                   platform={"os": "linux", "architecture": "mips" if behaviour == "noplatform" else ARCH})
                chain.append(document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
            for data in chain:
                if by_digest and digest(data) == reference:
                    return data, MANIFEST if data is i.manifest else INDEX
            return chain[-1], INDEX
        if behaviour == "manylayers":
            value["layers"] = [dict(value["layers"][0], digest="sha256:" + hashlib.sha256(str(n).encode()).hexdigest())
                               for n in range(10000)]
        elif behaviour == "bigconfig":
            value["config"] = dict(value["config"], size=50 << 20)
        elif behaviour == "hugemanifest":
            value["annotations"] = {"x": "y" * (5 << 20)}
        elif behaviour == "both":
            value["manifests"] = []
        elif behaviour == "nomediatype":
            value.pop("mediaType")
            value["manifests"] = json.loads(i.index())["manifests"]
        elif behaviour == "cases":
            value["Layers"] = value.pop("layers")
        elif behaviour == "evildigest":
            value["layers"] = [dict(l, digest="sha256:../../../../etc/passwd") for l in value["layers"]]
        elif behaviour == "foreignurls":
            value["layers"] = [dict(l, urls=[f"http://127.0.0.2:{ports['other']}/layer"],
                                    mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
                               for l in value["layers"]]
        elif behaviour == "artifact":
            value["config"] = dict(value["config"], mediaType="application/vnd.example.thing")
        elif behaviour == "shortsize":
            value["layers"] = [dict(l, size=l["size"] - 1) for l in value["layers"]]
        elif behaviour == "badlayer":
            value = json.loads(Malformed.get(seed).manifest)
        elif behaviour == "baddiff":
            value = json.loads(Malformed.get(seed, diff=True).manifest)
        data = document(value)
        if behaviour == "duplicate":
            data = data.replace(b'"schemaVersion": 2', b'"schemaVersion": 2, "schemaVersion": 2')
        kind = {"wrongtype": INDEX, "oddtype": "text/plain"}.get(behaviour, MANIFEST)
        return data, kind

    def blob(self, behaviour, repo, name):
        if (repo, name) in pushed_blobs:
            return body(self, 200, pushed_blobs[repo, name])
        data = next((b for i in [*images.values(), *Malformed.all.values()] if (b := i.blob(name)) is not None), None)
        if data is None:
            return failure(self, 404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.command == "HEAD":
            return body(self, 200, data)
        match = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        offset = int(match.group(1)) if match else 0
        n = count(("blob", repo, name))
        if data[:1] == b"{":
            if behaviour == "silentconfig":
                self.silence()
            if behaviour == "longconfig":  # the manifest says how long it is
                return part_of(self, data + b" " * (50 << 20), 0)
            if behaviour == "flippedconfig":
                return part_of(self, data.replace(b"linux", b"linuy"), 0)
        if not is_big(data):
            return part_of(self, data, offset)
        half = len(data) // 2
        if behaviour == "stuck":  # never more than half, however it is asked
            return part_of(self, data, min(offset, half), half)
        if behaviour == "drops" and n < 6:  # a sixth a time
            return part_of(self, data, offset, min(len(data), offset + len(data) // 6))
        if behaviour == "drop99" and n == 1:
            return part_of(self, data, offset, len(data) * 99 // 100)
        if behaviour == "norange":
            return part_of(self, data, 0, half if n == 1 else None)
        if behaviour == "range416" and offset:
            return failure(self, 416, "RANGE_INVALID", "no ranges here")
        if behaviour == "range416" and n == 1:
            return part_of(self, data, 0, half)
        if behaviour == "wrongrange" and offset:  # another part than the one asked for
            return part_of(self, data, offset - 1000)
        if behaviour == "wrongrange":
            return part_of(self, data, 0, half)
        if behaviour == "short":
            return part_of(self, data[:half], 0)
        if behaviour == "longer":
            return part_of(self, data + b"more", offset)
        if behaviour == "flipped":
            return part_of(self, data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :], offset)
        if behaviour == "flippedend":
            return part_of(self, data[:-1] + bytes([data[-1] ^ 1]), offset)
        if behaviour == "slow":
            return part_of(self, data, offset, delay=1)
        if behaviour == "pause":  # half, then silence
            part_of(self, data, offset, half, delay=0) if n > 1 else self.stall(data, half)
            return True
        if behaviour == "loop":
            return body(self, 307, b"", Location=self.path)
        if behaviour == "endless":
            return body(self, 307, b"", Location=self.path + "x" if len(self.path) < 300 else self.path + "/")
        if behaviour == "away":
            return body(self, 307, b"", Location=f"{self.elsewhere()}/v2/good/x/blobs/{name}")
        return part_of(self, data, offset)

    def elsewhere(self):
        if self.name.startswith("tls"):
            return f"https://127.0.0.2:{ports['tlsother']}"
        return f"http://127.0.0.2:{ports['other']}"

    def silence(self):
        self.note(0)
        time.sleep(600)

    def stall(self, data, half):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:half])
        self.wfile.flush()
        time.sleep(600)
        self.close_connection = True

    # ---- push ----

    def write(self, behaviour, repo, kind, rest):
        if behaviour == "readonly":
            return failure(self, 405, "UNSUPPORTED", "the operation is unsupported")
        if kind == "manifests":
            if behaviour == "badmanifest":
                return failure(self, 400, "MANIFEST_INVALID", "manifest invalid")
            for name in (rest, digest(self.data)):
                pushed_manifests[repo, name] = (self.headers.get("Content-Type"), self.data)
            return body(self, 201, b"", Docker_Content_Digest=digest(self.data), Location=self.path)
        path, _, query = rest.partition("?")
        where = self.elsewhere() if behaviour == "foreignloc" else ""
        if self.command == "POST":
            if "mount=" in query:
                pass  # 202: an upload has begun instead
            name = os.urandom(8).hex()
            uploads[name] = b""
            return body(self, 202, b"", Location=f"{where}/v2/{repo}/blobs/uploads/{name}")
        name = path.split("/")[-1]
        if name not in uploads:
            return failure(self, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        if behaviour == "uploaddrop" and self.data and count(("up", repo)) == 1:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return True
        if behaviour == "pieces" and len(self.data) > 16 << 20:
            return failure(self, 413, "UNKNOWN", "too large")
        if behaviour == "uploadfull" and self.data:
            return failure(self, 507, "UNKNOWN", "no space left")
        uploads[name] += self.data
        if self.command == "PATCH":
            return body(self, 202, b"", Location=f"{where}/v2/{repo}/blobs/uploads/{name}",
                        Range=f"0-{len(uploads[name]) - 1}")
        wanted = re.search(r"digest=(sha256(?::|%3A)[0-9a-f]{64})", query)
        data = uploads.pop(name)
        if behaviour == "gullible":
            return body(self, 201, b"", Location=f"/v2/{repo}/blobs/x")
        if not wanted or wanted.group(1).replace("%3A", ":") != digest(data):
            return failure(self, 400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        if behaviour != "forgets":
            pushed_blobs[repo, digest(data)] = data
        return body(self, 201, b"", Location=f"/v2/{repo}/blobs/{digest(data)}", Docker_Content_Digest=digest(data))


class Malformed(Image):
    """Layers that have the digest that they should, and are rubbish all the same; or whose diff ids are wrong."""

    all = {}

    @classmethod
    def get(cls, seed, diff=False):
        if (seed, diff) not in cls.all:
            cls.all[seed, diff] = cls(seed, diff)
        return cls.all[seed, diff]

    def __init__(self, seed, diff):
        super().__init__("malformed" + seed)
        if diff:
            value = json.loads(self.config)
            value["rootfs"]["diff_ids"][1] = "sha256:" + "1" * 64
            self.config = document(value)
        else:
            kinds = [
                gzip.compress(random.Random(seed).randbytes(5000), mtime=0),  # not a tar
                self.layers[1][: len(self.layers[1]) // 2],  # ends early
                b"\x1f\x8b\x08\x00" + b"\xff" * 1000,  # not gzip
                self.layers[1][:-8] + b"\0" * 8,  # wrong sum at the end
            ]
            self.layers[1] = kinds[int(seed[-1]) % len(kinds)] if seed[-1].isdigit() else kinds[0]
        self.make()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


ports = {}
names = ["open", "basic", "token", "foreignrealm", "oddrealm", "userrealm", "other"]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
if os.path.exists(os.path.join(directory, "tls.pem")):
    names += ["tls", "tlsother"]
    context.load_cert_chain(os.path.join(directory, "tls.pem"))
    context.load_verify_locations(os.path.join(directory, "ca.crt"))
    context.verify_mode = ssl.CERT_OPTIONAL
for name in names:
    kind = type(name, (Handler,), {"name": name})
    server = Server(("127.0.0.2" if "other" in name else "127.0.0.1", 0), kind)
    if name.startswith("tls"):
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    ports[name] = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
for name, number in ports.items():
    with open(os.path.join(directory, name), "w") as f:
        f.write(str(number))
open(os.path.join(directory, "ready"), "w").close()
sys.stdin.read()
