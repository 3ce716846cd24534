#!/usr/bin/env python3
"""index.py DIR - a registry for login.bats: /v2/ behind a token server, and an index for search. It has no images.

Its port is in DIR/port, requests go to DIR/log (method, path, Authorization, body; one JSON list a line). The user is u,
the password marker-password; the token server gives an identity token to who asks for one. Ends when its stdin does.
"""
import base64
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

directory = sys.argv[1]
BASIC = "Basic " + base64.b64encode(b"u:marker-password").decode()
RESULTS = [
    {"name": "few", "description": "a\nb", "star_count": 3, "is_official": False, "is_automated": True},
    {"name": "many", "description": "x" * 60, "star_count": 500, "is_official": True, "is_automated": False},
    {"name": "esc\x1b[31m", "description": "", "star_count": 0, "is_official": False, "is_automated": False},
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value, **headers):
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def token(self, authorization, body):
        form = parse_qs(body)
        if form.get("refresh_token") == ["marker-identity"] or authorization == BASIC:
            value = {"token": "marker-token"}
            if "offline_token=true" in self.path:
                value["refresh_token"] = "marker-identity"
            return self.answer(200, value)
        return self.answer(401, {"details": "incorrect username or password"})

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        authorization = self.headers.get("Authorization")
        with open(os.path.join(directory, "log"), "a") as log:
            log.write(json.dumps([self.command, self.path, authorization, body]) + "\n")
        path = urlsplit(self.path).path
        if path == "/token":
            return self.token(authorization, body)
        if path == "/v1/search":
            limit = int(parse_qs(urlsplit(self.path).query)["n"][0])
            return self.answer(200, {"results": RESULTS[:limit]})
        if authorization == "Bearer marker-token":
            return self.answer(200, {})
        realm = f'Bearer realm="http://127.0.0.1:{self.server.server_port}/token",service="index"'
        return self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]},
                           WWW_Authenticate=realm)

    do_GET = do_POST = do_HEAD = handle_any

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(os.path.join(directory, "port.new"), "w") as f:
    f.write(str(server.server_port))
os.rename(os.path.join(directory, "port.new"), os.path.join(directory, "port"))
sys.stdin.read()
