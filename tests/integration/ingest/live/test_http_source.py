"""Live video over HTTP, from a real server."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.config.sources import HttpSource
from monitor.domain import CameraId, Frame, StreamState
from monitor.errors import SourceRejectedError, SourceUnavailableError
from monitor.ingest.live.live_video import LiveVideo
from monitor.ingest.live.reader import Reader
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from tests.support.clips import panning, write_clip, write_sound_after_picture
from tests.support.http_server import HttpCamera, http_camera

LIVE = {"hls_list_size": "0", "hls_flags": "omit_endlist"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpCamera]:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "clip.mp4", panning(15), fps=15)
    write_clip(folder / "gap.mp4", panning(15), fps=10, gap_s=100)
    write_sound_after_picture(folder / "sound.ts", panning(10), sound_s=30)
    write_clip(folder / "hls.m3u8", panning(50), fps=10, options={"hls_time": "1", **LIVE})
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files["page.html"] = b"<html><body>log in</body></html>"
    with http_camera(files, panning(10)) as running:
        yield running


def camera(url: str, **settings: object) -> LiveVideo:
    source = HttpSource.model_validate({"kind": "http", "url": url} | settings)
    return LiveVideo(CameraId("door"), source, analysis_fps=5, clock=SystemClock())


def first_frames(source: LiveVideo, count: int) -> list[Frame]:
    with source.open() as frames:
        return [next(frames) for _ in range(count)]


def test_mjpeg_flows_at_the_rate_that_is_asked_for(server: HttpCamera) -> None:
    source = camera(server.url("/mjpeg"))
    frames = first_frames(source, 6)
    seconds = frames[-1].moment.seconds - frames[1].moment.seconds
    assert seconds == pytest.approx(4 / 5, abs=0.2)
    assert frames[0].resize(160, 120).shape == (120, 160, 3)
    assert source.decoded > 2 * len(frames)


def test_a_recording_comes_at_its_own_speed_and_its_end_is_a_loss(server: HttpCamera) -> None:
    """One second of video; a download would take a hundredth of that."""
    source = camera(server.url("/clip.mp4"))
    frames: list[Frame] = []
    with source.open() as opened, pytest.raises(SourceUnavailableError, match="the stream ended"):
        frames.extend(opened)
    assert source.decoded == 15
    assert len(frames) == pytest.approx(5, abs=1)
    seconds = frames[-1].moment.seconds - frames[0].moment.seconds
    assert seconds == pytest.approx(0.8, abs=0.25)


def test_a_gap_in_a_recording_is_skipped(server: HttpCamera) -> None:
    started = time.monotonic()
    frames = first_frames(camera(server.url("/gap.mp4")), 3)
    assert len(frames) == 3
    assert time.monotonic() - started < 5


@pytest.mark.slow
def test_hls_comes_smoothly_and_is_given_up_when_its_list_no_longer_grows(
    server: HttpCamera,
) -> None:
    """Its pieces of a second are there at once; FFmpeg begins three from the end."""
    source = camera(server.url("/hls.m3u8"), silence_limit_s=1)
    frames: list[Frame] = []
    with source.open() as opened, pytest.raises(SourceUnavailableError):
        frames.extend(opened)
    seconds = frames[-1].moment.seconds - frames[0].moment.seconds
    assert seconds == pytest.approx(2.8, abs=0.3)
    assert len(frames) == pytest.approx(15, abs=1)
    assert time.monotonic() - frames[-1].moment.seconds < 3


def test_a_recording_that_ended_is_played_again(server: HttpCamera) -> None:
    frames = Mailbox[Frame](100)
    stop = StopSwitch()
    backoff = Backoff(first_s=0.2, limit_s=1)
    reader = Reader(camera(server.url("/clip.mp4")), frames, backoff, SystemClock())
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 10
    while reader.status().reconnects < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    status = reader.status()
    stop.request()
    thread.join(5)
    assert status.reconnects == 1
    assert status.state is StreamState.STREAMING
    assert status.decoded > 15


@pytest.mark.parametrize(
    ("path", "said"),
    [("/locked", "401, refused"), ("/forbidden", "403, refused"), ("/gone", "404, no such")],
)
def test_a_refusal_is_named(server: HttpCamera, path: str, said: str) -> None:
    with pytest.raises(SourceRejectedError, match=said):
        first_frames(camera(server.url(path)), 1)


@pytest.mark.parametrize("path", ["/broken", "/page.html"])
def test_a_server_in_trouble_may_recover(server: HttpCamera, path: str) -> None:
    with pytest.raises(SourceUnavailableError, match=r"opening 127\.0\.0\.1"):
        first_frames(camera(server.url(path)), 1)


def test_a_silent_server_is_given_up_in_time(server: HttpCamera) -> None:
    started = time.monotonic()
    with pytest.raises(SourceUnavailableError, match=r"no answer in 0\.5 s"):
        first_frames(camera(server.url("/silent"), open_timeout_s=0.5), 1)
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("path", ["/stalling", pytest.param("/sound", marks=pytest.mark.slow)])
def test_a_stream_without_pictures_is_given_up_in_time(server: HttpCamera, path: str) -> None:
    """Nothing comes any more; or sound goes on, and only the picture has stopped."""
    with camera(server.url(path), silence_limit_s=1).open() as frames:
        came = [next(frames)]
        with pytest.raises(SourceUnavailableError, match=r"no picture for 1 s|no answer in time"):
            came.extend(frames)
    assert time.monotonic() - came[-1].moment.seconds < 1.5


def test_the_password_stays_secret(
    server: HttpCamera, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password_file = tmp_path / "password"
    password_file.write_text("hunter2/@", encoding="utf-8")
    source = camera(server.url("/locked"), username="viewer", password_file=password_file)
    with pytest.raises(SourceRejectedError) as caught:
        first_frames(source, 1)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in caplog.text
