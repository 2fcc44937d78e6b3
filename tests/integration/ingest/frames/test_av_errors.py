"""What FFmpeg's failures become."""

import socket
from contextlib import closing
from pathlib import Path

import av
import pytest

from monitor.errors import SourceRejectedError, SourceUnavailableError
from monitor.ingest.frames.av_errors import map_av_errors
from tests.support.http_server import answering
from tests.support.ports import free_port


def test_a_silent_server_is_unavailable_and_its_password_stays_secret() -> None:
    """The camera accepts the connection, then says nothing: the usual way to hang."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"rtsp://viewer:hunter2@127.0.0.1:{silent.getsockname()[1]}/"
        with (
            pytest.raises(SourceUnavailableError) as caught,
            map_av_errors("opening stream"),
        ):
            av.open(url, options={"rtsp_transport": "tcp"}, timeout=0.3)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_recording_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SourceRejectedError, match="opening"), map_av_errors("opening recording"):
        av.open(str(tmp_path / "gone.mp4"))


def test_a_closed_port_is_unavailable() -> None:
    with (
        pytest.raises(SourceUnavailableError, match=r"^opening: connection refused$"),
        map_av_errors("opening"),
    ):
        av.open(f"rtsp://127.0.0.1:{free_port()}/")


def test_a_camera_that_does_not_know_the_transport_may_have_another() -> None:
    with (
        answering(b"RTSP/1.0 461 Unsupported Transport\r\nCSeq: 1\r\n\r\n") as place,
        pytest.raises(SourceUnavailableError, match="not know this transport; try another"),
        map_av_errors("opening"),
    ):
        av.open(f"rtsp://{place}/", options={"rtsp_transport": "tcp"}, timeout=5)


def test_what_is_not_ffmpegs_passes_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), map_av_errors("counting"):
        _ = 1 / 0
