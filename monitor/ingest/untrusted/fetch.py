"""Fetching one picture or recording from a web address."""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

from monitor.errors import (
    AddressRefusedError,
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
    TooLargeError,
)
from monitor.ingest.untrusted.address_policy import AddressPolicy, Resolve, resolved

LIMIT_BYTES: Final = 20 * 1024 * 1024
_TIMEOUT_S = 15.0
_REDIRECTS = 5
_PIECE = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
_OK = 200


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches what its rules allow. Thread-safe.

    Each name is looked up once and the connection goes to the address that was checked, so
    a name server that changes its answer gains nothing; a redirect is checked like the first
    address. Proxies named in the environment are not used: they would look names up again.
    """

    rules: AddressPolicy
    timeout_s: float = _TIMEOUT_S
    resolve: Resolve = field(default=resolved)

    def fetched(self, url: str) -> bytes:
        """The bytes at an ``http`` or ``https`` address.

        Raises:
            AddressRefusedError: The rules do not allow it.
            TooLargeError: There are more than ``LIMIT_BYTES``.
            SourceRejectedError: It is no address, or the server has no such thing.
            SourceUnavailableError: The server cannot be reached, is too slow or breaks off.
        """
        place = shown(url)
        deadline = time.monotonic() + self.timeout_s
        try:
            for _ in range(_REDIRECTS + 1):
                data, further = self._asked(url, deadline)
                if data is not None:
                    return data
                url = urljoin(url, further)
        except SourceError as error:  # one of ours, that names no address yet
            raise type(error)(f"{place}: {error}") from None
        except (http.client.InvalidURL, ValueError):  # whose text may hold a password
            raise SourceRejectedError(
                f"{place}: not an address; check its host and port, and write spaces as %20"
            ) from None
        except http.client.HTTPException as error:
            raise SourceUnavailableError(
                f"{place}: the server's answer is broken ({type(error).__name__}); try again"
            ) from None
        except OSError as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else error
            raise SourceUnavailableError(f"{place}: cannot be fetched: {reason}") from None
        raise SourceRejectedError(f"{place}: too many redirects; give the last address")

    def _asked(self, url: str, deadline: float) -> tuple[bytes | None, str]:
        """What is at one address: its bytes, or where else to look."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS:
            raise AddressRefusedError("only http and https addresses are fetched")
        port = parts.port or _PORTS[parts.scheme]
        if not parts.hostname or "@" in parts.netloc or not url.isascii():
            raise ValueError(url)
        address = self.rules.checked(parts.hostname, port, self.resolve)
        connection = _Connection(parts.hostname, port, address, _left(deadline))
        if parts.scheme == "https":
            connection.secure()
        alarm = threading.Timer(_left(deadline), connection.abort)  # for bytes that trickle in
        alarm.start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"User-Agent": "monitor"})
            answer = connection.getresponse()
            if answer.status in _ELSEWHERE and (further := answer.getheader("Location")):
                return None, further
            if answer.status != _OK:
                raise SourceRejectedError(f"{answer.status} {answer.reason}")
            return _read(connection, answer, deadline), ""
        finally:
            alarm.cancel()
            connection.close()


def fetched(url: str) -> bytes:
    """The bytes at an address that the user typed himself: it may be anywhere.

    Raises:
        SourceError: See ``Fetcher.fetched``.
    """
    return Fetcher(AddressPolicy(anywhere=True)).fetched(url)


def shown(url: str) -> str:
    """An address as it may stand in a message: nothing of a password, no query."""
    if "@" in url:  # what is before it may be a password, wherever it seems to end
        return "the address"
    return url.partition("#")[0].partition("?")[0]


class _Connection(http.client.HTTPConnection):
    """A connection to an address already known, whatever the host's name says by now."""

    def __init__(self, host: str, port: int, address: str, timeout_s: float) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._address = address
        self._tls: ssl.SSLContext | None = None

    def secure(self) -> None:
        """Speak TLS, with a certificate for the host's name."""
        self._tls = ssl.create_default_context()

    def abort(self) -> None:
        """Break the connection off, from another thread."""
        if (sock := getattr(self, "sock", None)) is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def connect(self) -> None:
        """Open the connection."""
        self.sock: socket.socket = socket.create_connection(
            (self._address, self.port), self.timeout
        )
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _read(connection: _Connection, answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body, however slowly it comes, but within time and size."""
    pieces: list[bytes] = []
    size = 0
    while True:
        if connection.sock is not None:  # gone once the server has said that this is all
            connection.sock.settimeout(_left(deadline))
        _left(deadline)
        piece = answer.read1(_PIECE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > LIMIT_BYTES:
            raise TooLargeError("larger than 20 MB; give a shorter or smaller file")
    _left(deadline)  # a connection broken off by the alarm looks like the end
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(pieces)


def _left(deadline: float) -> float:
    """Seconds that are left.

    Raises:
        TimeoutError: None are.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
