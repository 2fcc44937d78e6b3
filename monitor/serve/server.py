"""Runs uvicorn on a socket of our own, as one worker among the others."""

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from monitor.config.http import Http
from monitor.errors import ConfigError
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

_CONNECTIONS: Final = 512  # more are refused, so that cameras never run out of descriptors
_POLL_S = 0.2  # how late a stop request may be noticed
_KEEP_ALIVE_S = 5  # an idle connection is closed after this long
_SHUTDOWN_S = 2  # running requests may finish for this long
_BACKLOG = 256


class Server:
    """Serves an application on a socket that is open from the start. One thread runs it.

    Args:
        settings: Where to listen.
        app: The application.
        on_end: Called when no request runs any more.

    Raises:
        ConfigError: It cannot listen there.
    """

    def __init__(self, settings: Http, app: FastAPI, on_end: Callable[[], None]) -> None:
        self._app = app
        self._on_end = on_end
        self._socket = _open_socket(settings.host, settings.port)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    @property
    def address(self) -> str:
        """The URL it listens on."""
        host = self._socket.getsockname()[0]
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def run(self, stop: Stop) -> None:
        """Answer until stop is requested."""
        log.info("answering on %s", self.address)
        try:
            asyncio.run(self._serve(stop))
        finally:
            self._socket.close()
            self._on_end()

    async def _serve(self, stop: Stop) -> None:
        server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                http="h11",
                loop="asyncio",
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_SHUTDOWN_S,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        while not stop.requested and not serving.done():  # noqa: ASYNC110  (stop is a thread's)
            await asyncio.sleep(_POLL_S)
        server.should_exit = True
        await serving


def read_token(path: Path | None) -> str | None:
    """The token in a file; None without a file.

    Raises:
        ConfigError: The file cannot be read or is empty.
    """
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path}: cannot be read; http.token_file names a text file") from None
    if not token:
        raise ConfigError(f"{path}: empty; write a token of your own into it")
    return token


def _open_socket(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"http.host {host}: {error.strerror}; name one of this machine") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"http: cannot listen on {host}, port {port}: {error.strerror}; choose others"
        ) from None
    return listener
