"""A model hub on loopback: as much of its file API as fetching a model needs."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

REPOSITORY = "tiny/judge"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.ThreadingHTTPServer):
    """Serves one folder as the only version of one repository."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        """For HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        """What a file is."""
        self._file(body=False)

    def do_GET(self) -> None:
        """The repository, its tree, or a file."""
        path = unquote(urlsplit(self.path).path)
        api = f"/api/models/{REPOSITORY}"
        if path in {api, f"{api}/revision/{COMMIT}", f"{api}/revision/main"}:
            names = [{"rfilename": name} for name in self.server.files]
            self._json({"id": REPOSITORY, "sha": COMMIT, "siblings": names})
        elif path.startswith(f"{api}/tree/"):
            files = self.server.files.items()
            self._json(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": _oid(data)}
                    for name, data in files
                ]
            )
        else:
            self._file(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
        """Keep the test's output clean."""

    def _file(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        start = f"/{REPOSITORY}/resolve/{COMMIT}/"
        data = self.server.files.get(path.removeprefix(start)) if path.startswith(start) else None
        if data is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{_oid(data)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.server.fetched.append(path.removeprefix(start))
            self.wfile.write(data)

    def _json(self, content: Any) -> None:  # noqa: ANN401
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _oid(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """A hub that serves a folder, within the block."""
    with Hub(folder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
