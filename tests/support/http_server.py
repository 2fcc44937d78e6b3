"""A real HTTP server that serves one clip as MP4 and as MJPEG, on a thread of the test's.

And one that answers with given bytes.
"""

import http.server
import itertools
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import cv2

from monitor.domain import Pixels

MULTIPART = "multipart/x-mixed-replace; boundary=picture"
PART_HEAD = b"--picture\r\nContent-Type: image/jpeg\r\n\r\n"
PART_S = 0.05
KINDS = {
    "mp4": "video/mp4",
    "ts": "video/mp2t",
    "m3u8": "application/vnd.apple.mpegurl",
    "html": "text/html",
}
SOUND_BYTES = 2000  # per part


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what the path names.

    A file's name gives the file, ``/mjpeg`` goes on, ``/stalling`` stops sending after some
    pictures, ``/sound`` goes on without pictures, ``/silent`` does not even answer.
    """

    server: "HttpCamera"
    statuses: ClassVar[dict[str, int]] = {"/locked": 401, "/forbidden": 403, "/broken": 503}

    def do_GET(self) -> None:
        """Answer."""
        answers = {
            "/mjpeg": (MULTIPART, itertools.cycle(self.server.parts)),
            "/stalling": (MULTIPART, itertools.chain(self.server.parts, self._nothing())),
            "/sound": ("video/mp2t", batched(self.server.files.get("sound.ts", b""), SOUND_BYTES)),
        }
        if (content := self.server.files.get(self.path[1:])) is not None:
            self._send(KINDS[self.path.rpartition(".")[2]], [content])
        elif self.path in answers:
            self._send(*answers[self.path])
        elif self.path == "/silent":
            deque(self._nothing(), maxlen=0)
        else:
            self.send_error(self.statuses.get(self.path, 404))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
        """Keep the test's output clean."""

    def _nothing(self) -> Iterator[bytes]:
        """Say nothing for as long as the test goes on."""
        self.server.released.wait(30)
        yield from ()

    def _send(self, kind: str, parts: Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if isinstance(parts, list):
            self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        with suppress(OSError):  # the reader has left
            for part in parts:
                if self.server.released.is_set():
                    return
                self.wfile.write(part)
                time.sleep(PART_S)


def batched(content: bytes, size: int) -> Iterator[bytes]:
    """The bytes in pieces of this size."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


class HttpCamera(http.server.ThreadingHTTPServer):
    """Serves on a free loopback port."""

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], pictures: Iterable[Pixels]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.parts = [
            PART_HEAD + cv2.imencode(".jpg", picture)[1].tobytes() + b"\r\n" for picture in pictures
        ]
        self.released = threading.Event()

    def url(self, path: str) -> str:
        """The address of one of the handler's paths."""
        scheme = "https" if isinstance(self.socket, ssl.SSLSocket) else "http"
        return f"{scheme}://127.0.0.1:{self.server_port}{path}"


@contextmanager
def http_camera(
    files: Mapping[str, bytes],
    pictures: Iterable[Pixels],
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[HttpCamera]:
    """An HttpCamera that serves within the block.

    Args:
        files: What is served whole, by name; ``sound.ts``, of which the end is sound only, slowly.
        pictures: What the MJPEG streams show, (height, width, 3) each.
        certificate: Its file and its key's; the server then speaks TLS only.
    """
    with HttpCamera(files, pictures) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The HOST:PORT of a server that answers each request with these bytes within the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_all, args=(server, answer))
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)  # ends the wait for the next one
            thread.join()


def _answer_all(server: socket.socket, answer: bytes) -> None:
    with suppress(OSError):
        while True:
            channel, _ = server.accept()
            with channel:
                channel.recv(65536)
                channel.sendall(answer)
