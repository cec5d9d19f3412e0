"""A local web server for the remote images of the tests, and the fetching of FileURLs as the guide does it."""

import http.server
import io
import threading
import urllib.request

from PIL import Image


class Pages:
    """Serves `content[path]`; every request is kept in `seen`."""

    def __init__(self):
        self.content: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.gates: dict[str, threading.Event] = {}
        self.seen: list[str] = []
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                pages.seen.append(self.path)
                if self.path in pages.gates:
                    pages.gates[self.path].wait(60)
                if self.path in pages.redirects:
                    self.send_response(302)
                    self.send_header("Location", pages.redirects[self.path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = pages.content.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def put(self, path: str, body: bytes) -> str:
        self.content[path] = body
        return self.base + path

    def put_held(self, path: str, body: bytes) -> tuple[str, threading.Event]:
        """As `put`, but nothing is answered before the event is set."""
        self.gates[path] = threading.Event()
        return self.put(path, body), self.gates[path]

    def redirect(self, path: str, target: str) -> str:
        self.redirects[path] = target
        return self.base + path

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def opened(file_url: str, context=None) -> bytes:
    """The bytes behind a FileURL, after PIL has decoded them: the guide opens every URL with urllib and PIL."""
    with urllib.request.urlopen(file_url, timeout=30, context=context) as reply:
        body = reply.read()
        assert reply.headers["Content-Type"].startswith("image/")
        assert int(reply.headers["Content-Length"]) == len(body)
    with Image.open(io.BytesIO(body)) as picture:
        picture.load()
    return body
