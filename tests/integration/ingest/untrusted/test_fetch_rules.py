"""Fetching within rules, from real servers on loopback: redirects, names that change, slowness."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from monitor.errors import (
    AddressRefusedError,
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
    TooLargeError,
)
from monitor.ingest.untrusted.address_policy import AddressPolicy
from monitor.ingest.untrusted.fetch import MAX_BYTES, Fetcher
from tests.support.http_server import answering

OK = b"HTTP/1.1 200 OK\r\n"
ANYWHERE = AddressPolicy(allow_all=True)
LOOPBACK = AddressPolicy(networks=(ipaddress.ip_network("127.0.0.0/8"),))


def moved(target: str, status: int = 302) -> bytes:
    return (
        f"HTTP/1.1 {status} Elsewhere\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    )


def ok(body: bytes) -> bytes:
    return OK + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


class Turning:
    """A Resolve whose answer is another one each time, as a hostile name server's is."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        del host, port
        self.asked += 1
        return [self._answers[min(self.asked, len(self._answers)) - 1]]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"],  # noqa: S104
)
def test_a_server_inside_is_not_even_connected_to(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        with pytest.raises(AddressRefusedError, match="not fetched from"):
            Fetcher(AddressPolicy()).fetch(f"http://{host}:{port}/a.jpg")
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_network_that_is_configured_is_fetched_from() -> None:
    with answering(ok(b"jpeg")) as place:
        assert Fetcher(LOOPBACK).fetch(f"http://{place}/a.jpg") == b"jpeg"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_where_it_may(status: int) -> None:
    with answering(ok(b"jpeg")) as last, answering(moved(f"http://{last}/b", status)) as first:
        assert Fetcher(LOOPBACK).fetch(f"http://{first}/a.jpg") == b"jpeg"


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/x",
        "//192.168.1.1/x",
        "https://[::ffff:10.0.0.1]/x",
        "file:///etc/hostname",
        "ftp://127.0.0.1/x",
    ],
)
def test_a_redirect_to_where_nothing_is_fetched_from_is_refused(target: str) -> None:
    with (
        answering(moved(target)) as place,
        pytest.raises(AddressRefusedError, match="fetched") as caught,
    ):
        Fetcher(LOOPBACK).fetch(f"http://{place}/a.jpg")
    assert str(caught.value).startswith(f"http://{place}/a.jpg: ")


def test_a_redirect_that_goes_round_ends() -> None:
    with answering(moved("/again")) as place, pytest.raises(SourceRejectedError, match="too many"):
        Fetcher(LOOPBACK).fetch(f"http://{place}/a.jpg")


def test_a_name_is_asked_once_and_its_checked_answer_is_used() -> None:
    """The first answer is allowed and the next ones are not: a second look-up would be caught."""
    with answering(ok(b"jpeg")) as place:
        port = place.rpartition(":")[2]
        names = Turning("127.0.0.1", "127.0.0.2")
        only = AddressPolicy(networks=(ipaddress.ip_network("127.0.0.1/32"),))
        fetcher = Fetcher(only, resolve=names)
        assert fetcher.fetch(f"http://rebinding.example:{port}/a") == b"jpeg"
        assert names.asked == 1
        with pytest.raises(AddressRefusedError):
            fetcher.fetch(f"http://rebinding.example:{port}/a")


def test_a_redirect_to_the_same_name_is_checked_anew() -> None:
    with answering(moved("/b")) as place:
        port = place.rpartition(":")[2]
        names = Turning("127.0.0.1", "10.0.0.1")
        with pytest.raises(AddressRefusedError):
            Fetcher(LOOPBACK, resolve=names).fetch(f"http://rebinding.example:{port}/a")
        assert names.asked == 2


def test_too_much_is_not_read_to_the_end() -> None:
    endless = (
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + 1000 * (b"8000\r\n" + bytes(0x8000) + b"\r\n")
    )
    assert len(endless) > MAX_BYTES
    with answering(endless) as place, pytest.raises(TooLargeError, match="larger than 20 MB"):
        Fetcher(ANYWHERE).fetch(f"http://{place}/a")


@contextmanager
def trickling(start: bytes, more: bytes) -> Iterator[str]:
    """A server that starts an answer and then goes on for ever, a few bytes at a time."""
    over = threading.Event()

    def serve(server: socket.socket) -> None:
        """Answer one caller."""
        with suppress(OSError):
            channel, _ = server.accept()
            with channel:
                channel.sendall(start)
                while not over.wait(0.05):
                    channel.sendall(more)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (ok(bytes(9999))[:-9999], b"a"),
        (OK + b"\r\n", b"a"),
    ],
    ids=["silent", "header", "body", "body without a length"],
)
def test_an_answer_that_trickles_in_is_given_up_in_time(start: bytes, more: bytes) -> None:
    began = time.monotonic()
    with trickling(start, more) as place, pytest.raises(SourceUnavailableError):
        Fetcher(ANYWHERE, timeout_s=0.5).fetch(f"http://{place}/a")
    assert time.monotonic() - began < 20, "the limit is half a second"


@pytest.mark.parametrize("url", ["http://user:pw@127.0.0.1/", "http:///x", "gopher://x/", "x", ""])
def test_what_is_no_address_is_refused_without_a_word_of_it_that_is_secret(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        Fetcher(LOOPBACK).fetch(url)
    assert "pw" not in str(caught.value)
