"""Fetching one picture or video from a web address."""

import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from monitor.errors import (
    AddressRefusedError,
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
    TooLargeError,
)
from monitor.ingest.untrusted.address_policy import AddressPolicy, Resolver, resolve_host

MAX_BYTES: Final = 20 * 1024 * 1024
_TIMEOUT_S = 15.0
_MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches what its policy allows. Thread-safe.

    Each name is resolved once and the connection goes to the address that was checked, so a
    name server that changes its answer gains nothing; a redirect is checked like the first
    address. Proxies named in the environment are not used: they would resolve names again.
    """

    policy: AddressPolicy
    timeout_s: float = _TIMEOUT_S
    resolve: Resolver = field(default=resolve_host)

    def fetch(self, url: str) -> bytes:
        """Return the bytes at an ``http`` or ``https`` address.

        Raises:
            AddressRefusedError: The policy does not allow it.
            TooLargeError: There are more than ``MAX_BYTES``.
            SourceRejectedError: The URL is not valid, or the server refuses.
            SourceUnavailableError: The server cannot be reached, is too slow or breaks off.
        """
        name = redact_url(url)
        deadline = time.monotonic() + self.timeout_s
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                content, location = self._request(url, deadline)
                if content is not None:
                    return content
                url = urljoin(url, location)
        except SourceError as error:  # one of ours, which does not name the address yet
            raise type(error)(f"{name}: {error}") from None
        except ValueError:  # its text may hold a password
            raise SourceRejectedError(
                f"{name}: not an address; check its host and port, and write spaces as %20"
            ) from None
        except httpcore.ProtocolError as error:
            raise SourceUnavailableError(
                f"{name}: the server's answer is broken ({type(error).__name__}); try again"
            ) from None
        except (TimeoutError, httpcore.TimeoutException):
            raise SourceUnavailableError(f"{name}: cannot be fetched: no answer in time") from None
        except httpcore.NetworkError as error:
            raise SourceUnavailableError(f"{name}: cannot be fetched: {error}") from None
        raise SourceRejectedError(f"{name}: too many redirects; give the last address")

    def _request(self, url: str, deadline: float) -> tuple[bytes | None, str]:
        """Return the body, or None and the location that the server redirects to."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS:
            raise AddressRefusedError("only http and https addresses are fetched")
        if not _is_valid(url, parts):
            raise ValueError(url)
        target = httpcore.URL(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )
        headers = [
            ("Host", parts.netloc),
            ("User-Agent", "monitor"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        backend = _PinnedBackend(self.policy, self.resolve, deadline)
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        with (
            httpcore.ConnectionPool(ssl_context=tls, network_backend=backend) as pool,
            pool.stream("GET", target, headers=headers) as response,
        ):
            received = {name.lower(): value for name, value in response.headers}
            if response.status in _REDIRECTS and received.get(b"location"):
                return None, received[b"location"].decode("latin-1")
            if response.status != _OK:
                reason = response.extensions["reason_phrase"].decode("latin-1")
                raise SourceRejectedError(f"{response.status} {reason}")
            return _read_body(response.iter_stream()), ""


def fetch_anywhere(url: str) -> bytes:
    """Return the bytes at an address that the user typed: no policy applies.

    Raises:
        SourceError: See ``Fetcher.fetch``.
    """
    return Fetcher(AddressPolicy(allow_all=True)).fetch(url)


def redact_url(url: str) -> str:
    """A URL as it may stand in a message: without credentials and query."""
    if "@" in url:  # what is before it may be a password, wherever it seems to end
        return "the address"
    return url.partition("#")[0].partition("?")[0]


def _is_valid(url: str, parts: SplitResult) -> bool:
    is_plain = url.isascii() and url.isprintable() and " " not in url
    return is_plain and bool(parts.hostname) and "@" not in parts.netloc


def _read_body(chunks: Iterable[bytes]) -> bytes:
    """Join a body.

    Raises:
        TooLargeError: There are more than ``MAX_BYTES``.
    """
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > MAX_BYTES:
            raise TooLargeError("larger than 20 MB; give a shorter or smaller file")
    return bytes(content)


@dataclass(frozen=True, slots=True)
class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to the address that the policy has checked, and to no other."""

    policy: AddressPolicy
    resolve: Resolver
    deadline: float  # on time.monotonic

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """See NetworkBackend.

        Raises:
            AddressRefusedError: The host, or any of its addresses, is not allowed.
            SourceUnavailableError: The host has no address.
        """
        del timeout
        address = self.policy.resolve_allowed(host, port, self.resolve)
        stream = httpcore.SyncBackend().connect_tcp(
            address, port, _left_s(self.deadline), local_address, socket_options
        )
        return _DeadlineStream(stream, self.deadline)


@dataclass(frozen=True, slots=True)
class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose reads and writes all end at one time, however slowly bytes trickle in."""

    stream: httpcore.NetworkStream
    deadline: float  # on time.monotonic

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """See NetworkStream."""
        del timeout
        return self.stream.read(max_bytes, _left_s(self.deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """See NetworkStream."""
        del timeout
        self.stream.write(buffer, _left_s(self.deadline))

    def close(self) -> None:
        """See NetworkStream."""
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """See NetworkStream."""
        del timeout
        stream = self.stream.start_tls(ssl_context, server_hostname, _left_s(self.deadline))
        return _DeadlineStream(stream, self.deadline)


def _left_s(deadline: float) -> float:
    """Seconds until the deadline.

    Raises:
        TimeoutError: It has passed.
    """
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
