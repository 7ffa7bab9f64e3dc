"""Real HTTP servers for tests: a handler says what is answered, `at` serves it on a free port of loopback."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Handler(http.server.BaseHTTPRequestHandler):
    """One that tells nobody of what it was asked."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer whole; `Content_Type` stands for `Content-Type`."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        # Who asks may have gone: a probe past its time, a prober that was killed.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def at(handler: type[Handler]) -> Iterator[str]:
    """Serve; gives the address, without a slash at its end. Nothing of it is left afterwards."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
