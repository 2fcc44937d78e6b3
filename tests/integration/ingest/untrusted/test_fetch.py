"""Fetching from a web address: what is wrong is named, and nothing secret with it."""

from pathlib import Path

import pytest

from monitor.errors import SourceRejectedError, SourceUnavailableError
from monitor.ingest.untrusted.fetch import fetch_anywhere, redact_url
from tests.support.certificates import certificate
from tests.support.http_server import answering, http_camera

OK = b"HTTP/1.1 200 OK\r\n"


def test_what_the_server_gives_is_returned() -> None:
    with answering(OK + b"Content-Length: 4\r\n\r\njpeg") as place:
        assert fetch_anywhere(f"http://{place}/a.jpg") == b"jpeg"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:abc/x",
        "http://127.0.0.1/a b.jpg",
        "http://[::1/x",
        "http://\xfc.invalid/\xfc",
    ],
)
def test_what_is_no_address_is_rejected_by_its_name(url: str) -> None:
    with pytest.raises(SourceRejectedError) as caught:
        fetch_anywhere(url)
    assert str(caught.value).startswith(f"{url}: not an address")


@pytest.mark.parametrize(
    "answer",
    [
        b"who is there?\r\n\r\n",
        b"",
        OK + b"Transfer-Encoding: chunked\r\n\r\n10\r\nshort",
    ],
    ids=["not HTTP", "nothing", "cut off"],
)
def test_a_broken_answer_may_come_right(answer: bytes) -> None:
    with answering(answer) as place, pytest.raises(SourceUnavailableError) as caught:
        fetch_anywhere(f"http://{place}/x?token=hunter2")
    assert str(caught.value).startswith(f"http://{place}/x: the server's answer is broken")


def test_a_refusal_names_the_address_without_its_query() -> None:
    with (
        answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as place,
        pytest.raises(SourceRejectedError, match=f"^http://{place}/x: 404 Not Found$"),
    ):
        fetch_anywhere(f"http://{place}/x?token=hunter2")


@pytest.mark.parametrize("rest", ["me:hunter2@h/x", "me:hun/ter2@h/", "me:1?hu@h/"])
def test_a_password_in_an_address_is_not_shown(rest: str) -> None:
    assert redact_url(f"http://{rest}") == "the address"


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(SourceRejectedError, match=r"^the address: not an address") as caught:
        fetch_anywhere("http://me:hunter2@127.0.0.1/x")
    assert "hunter2" not in str(caught.value)


def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = certificate(tmp_path, "server")
    with http_camera({"a.mp4": b"mp4"}, [], files) as server:
        with pytest.raises(SourceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch_anywhere(server.url("/a.mp4"))
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
        assert fetch_anywhere(server.url("/a.mp4")) == b"mp4"
        with pytest.raises(SourceUnavailableError, match="Hostname mismatch"):
            fetch_anywhere(server.url("/a.mp4").replace("127.0.0.1", "localhost"))
