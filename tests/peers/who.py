#!/usr/bin/env python3
"""A web server on port 9000, IPv4 and IPv6, that answers with its client's address."""
import http.server
import socket
import socketserver


class Who(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].removeprefix("::ffff:").encode() + b"\n")

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    address_family = socket.AF_INET6


server = Server(("::", 9000), Who)
print("ready", flush=True)
server.serve_forever()
