"""A cable between a client and a server: cut and mended, moved to another server, or swallowing what is answered."""

from __future__ import annotations

import contextlib
import socket
import threading


class Cable:
    """Listens on a free port of loopback and passes on to another.

    Attributes:
        port: where clients find it.
        to: where new connections go; those that are open stay where they are.
        swallow: while set, an answer of the server is dropped, and its client hung up on.
        swallowed: how many answers were.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self.swallow = False
        self.swallowed = 0
        self._is_cut = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Connections end, new ones are refused, until it is mended."""
        self._is_cut = True
        self.shake()

    def mend(self) -> None:
        self._is_cut = False

    def shake(self, newest: int | None = None) -> None:
        """Every connection ends, or only so many of the newest."""
        with self._lock:
            ending = self._pairs[-newest:] if newest else list(self._pairs)
        for pair in ending:
            self._end(pair)

    def close(self) -> None:
        self._listener.close()
        self.shake()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = None
            if not self._is_cut:
                with contextlib.suppress(OSError):
                    far = socket.create_connection(("127.0.0.1", self.to), timeout=5)
            if far is None:
                near.close()
                continue
            far.settimeout(None)
            pair = (near, far)
            with self._lock:
                self._pairs.append(pair)
            for source, target in (pair, pair[::-1]):
                threading.Thread(target=self._carry, args=(pair, source, target), daemon=True).start()

    def _carry(self, pair: tuple[socket.socket, socket.socket], source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.swallow and source is pair[1]:
                    self.swallowed += 1
                    break
                target.sendall(data)
        self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._pairs.remove(pair)
        for each in pair:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
