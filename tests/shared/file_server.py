"""A web server on this machine for programs that download: files from memory, in parts if asked."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """What the server has, how it behaves, and what was asked of it.

    Attributes:
        address: its URL, without a slash at the end.
        files: the content of each path, which begins without a slash.
        cut: by path, after how many bytes of the answer the connection breaks, once.
        hang: by path, after how many bytes the server falls silent for good.
        ranges: whether it answers with a part of a file.
        redirects: by path, the path that the answer refers to.
        asked: (path, the Range that was asked for or None) of every request.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict = {}
        self.cut: dict = {}
        self.hang: dict = {}
        self.redirects: dict = {}
        self.ranges = True
        self.asked: list = []
        self.released = threading.Event()


@contextmanager
def file_server():
    """Gives a FileServer on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.lstrip("/")
            wanted = self.headers["Range"]
            server.asked.append((path, wanted))
            if path in server.redirects:
                self.send_response(302)
                self.send_header("Location", f"{server.address}/{server.redirects[path]}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = server.files.get(path)
            if content is None:
                self.send_error(404)
                return
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            start = 0
            if wanted and server.ranges and self.headers["If-Range"] in (None, tag):
                start = int(wanted[len("bytes=") :].rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                span = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", span)
            else:
                self.send_response(200)
            body = content[start:]
            self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if path in server.hang:
                self.wfile.write(body[: server.hang[path]])
                self.wfile.flush()
                server.released.wait(30)
            elif path in server.cut:
                self.wfile.write(body[: server.cut.pop(path)])
            else:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server = FileServer(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
