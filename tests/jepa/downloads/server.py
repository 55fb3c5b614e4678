"""An HTTP server on this machine that misbehaves as it is told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Served(BaseHTTPRequestHandler):
    """Answers with the server's files. `server.faults` is a list that each request takes the first of."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        fault = self.server.faults.pop(0) if self.server.faults else ""
        content = self.server.files.get(urlsplit(self.path).path.rpartition("/")[2])
        if fault.isdigit() or content is None:
            return self.send_error(int(fault or 404))
        start = 0
        asked = self.headers.get("Range", "")
        fresh = self.headers.get("If-Range") in (None, self.server.tag)
        if asked and fresh and not self.server.whole:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(content) > 0:
            return self.send_error(416)
        self.send_response(206 if start or fault == "elsewhere" else 200)
        if fault == "elsewhere":
            start = 7
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        rest = content[start:]
        if fault != "no length":
            self.send_header("Content-Length", str(len(rest)))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if fault == "cut":
            self.wfile.write(rest[: len(rest) // 2])
            self.close_connection = True
            return None
        if fault == "stall":
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            time.sleep(1.5)
            self.close_connection = True
            return None
        if fault == "slow":
            for k in range(0, len(rest), -(-len(rest) // 8)):
                self.wfile.write(rest[k : k + -(-len(rest) // 8)])
                self.wfile.flush()
                time.sleep(0.05)
            return None
        self.wfile.write(rest)
        return None

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(
    files: dict[str, bytes], faults: list[str] | None = None, tag: str = '"a"', whole: bool = False
) -> Iterator[Any]:
    """Serve files by name; `url` is the server's address, `asked` what it was asked for. whole: it knows no ranges."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    server.files, server.faults, server.tag, server.whole, server.asked = files, list(faults or []), tag, whole, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
