"""RTSP cameras, played by a real server that is killed, frozen and locked."""

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from monitor.config.sources import DeviceSource, RtspSource
from monitor.domain import CameraId, Frame, StreamState
from monitor.errors import ConfigError, SourceError, SourceRejectedError, SourceUnavailableError
from monitor.ingest.live.live_video import LiveVideo
from monitor.ingest.live.reader import Reader
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from tests.support.clips import panning, write_clip
from tests.support.ports import free_port
from tests.support.rtsp_server import RtspServer
from tests.support.waiting import until

log = logging.getLogger(__name__)

pytestmark = pytest.mark.rtsp

PASSWORD = "p@ss:w/rd %41#?"  # noqa: S105  (made up; every character that URLs give a meaning)
OTHERS = [pytest.param(transport, marks=pytest.mark.slow) for transport in ("udp", "http")]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "pan.mp4", panning(40), fps=10)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "camera-password"
    path.write_text(PASSWORD + "\n", encoding="utf-8")
    return path


def camera(url: str, **settings: object) -> LiveVideo:
    source = RtspSource.model_validate({"kind": "rtsp", "url": url} | settings)
    return LiveVideo(CameraId("yard"), source, analysis_fps=5, clock=SystemClock())


def first_frames(source: LiveVideo, count: int) -> list[Frame]:
    with source.open() as frames:
        return [next(frames) for _ in range(count)]


class Watched:
    """A Reader at work on its own thread, and what comes out of it."""

    def __init__(self, source: LiveVideo) -> None:
        self.frames = Mailbox[Frame](1)
        self.stop = StopSwitch()
        self.reader = Reader(source, self.frames, Backoff(first_s=0.5, limit_s=4), SystemClock())
        self.thread = threading.Thread(target=self.reader.run, args=(self.stop,))

    def next_frame(self, timeout_s: float) -> float:
        """Seconds until a frame came that had not come before."""
        started = time.monotonic()
        self.frames.take(0)
        assert self.frames.take(timeout_s) is not None, f"no frame for {timeout_s} s"
        return time.monotonic() - started

    def state(self) -> StreamState:
        return self.reader.status().state

    def finish(self) -> float:
        """Seconds that stopping takes."""
        started = time.monotonic()
        self.stop.request()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return time.monotonic() - started


@contextmanager
def watching(source: LiveVideo) -> Iterator[Watched]:
    watched = Watched(source)
    watched.thread.start()
    try:
        yield watched
    finally:
        watched.finish()


@pytest.mark.parametrize("transport", ["tcp", *OTHERS])
def test_frames_flow_at_the_rate_that_is_asked_for(clip: Path, transport: str) -> None:
    with RtspServer(clip) as server:
        source = camera(server.url, transport=transport)
        frames = first_frames(source, 8)
    assert [frame.sequence for frame in frames] == list(range(8))
    assert (frames[0].width, frames[0].height) == (320, 240)
    assert frames[0].resize(160, 120).shape == (120, 160, 3)
    seconds = frames[-1].moment.seconds - frames[1].moment.seconds
    assert seconds == pytest.approx(6 / 5, abs=0.2), "5 of the camera's 10 a second"
    assert source.decoded >= 15
    assert all(frame.decode_ms > 0 for frame in frames)


@pytest.mark.parametrize("transport", ["tcp", OTHERS[0]])
def test_a_camera_that_loses_power_is_back_within_five_seconds(clip: Path, transport: str) -> None:
    with RtspServer(clip) as server, watching(camera(server.url, transport=transport)) as watched:
        watched.next_frame(10)
        server.kill()
        until(lambda: watched.state() is StreamState.STALLED, "the loss to be noticed", 6)
        server.start()
        seconds = watched.next_frame(5)
        log.info("%s: frames again after %.2f s", transport, seconds)
        assert watched.reader.status().reconnects == 1


@pytest.mark.parametrize("transport", ["tcp", OTHERS[0]])
def test_a_camera_that_freezes_is_given_up_and_comes_back(clip: Path, transport: str) -> None:
    """Its connection stays alive; it only sends nothing any more."""
    with RtspServer(clip) as server:
        source = camera(server.url, transport=transport, silence_limit_s=1, open_timeout_s=1)
        with watching(source) as watched:
            watched.next_frame(10)
            server.freeze()
            seconds = until(lambda: watched.state() is StreamState.STALLED, "it to be given up", 3)
            log.info("%s: given up after %.2f s", transport, seconds)
            server.thaw()
            seconds = watched.next_frame(6)
            log.info("%s: frames again after %.2f s", transport, seconds)


@pytest.mark.parametrize("transport", ["tcp", OTHERS[0]])
def test_silence_ends_the_connection_after_its_limit(clip: Path, transport: str) -> None:
    with RtspServer(clip) as server:
        source = camera(server.url, transport=transport, silence_limit_s=1)
        with source.open() as frames:
            next(frames)
            server.freeze()
            started = time.monotonic()
            with pytest.raises(SourceUnavailableError, match="no picture for 1 s"):
                deque(frames, maxlen=0)
        assert 0.9 < time.monotonic() - started < 1.5


@pytest.mark.parametrize("how", ["basic", "digest"])
def test_the_right_password_opens_and_the_wrong_one_is_named(
    clip: Path, password_file: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with RtspServer(clip, "viewer", PASSWORD, how) as server:
        login = {"username": "viewer", "password_file": password_file}
        assert len(first_frames(camera(server.url, **login), 2)) == 2
        password_file.write_text("something-else", encoding="utf-8")
        with pytest.raises(SourceRejectedError, match="check username and password_file") as wrong:
            first_frames(camera(server.url, **login), 1)
        with pytest.raises(SourceRejectedError, match="401"):
            first_frames(camera(server.url), 1)
    assert "something-else" not in f"{wrong.value!r}{wrong.value.__cause__!r}{caplog.text}"
    assert wrong.value.__suppress_context__


def test_nothing_of_a_camera_goes_on_after_a_stop(clip: Path) -> None:
    """A thread that OpenCV works for while the interpreter ends would abort the program."""
    with RtspServer(clip) as server:
        watched = Watched(camera(server.url))
        watched.thread.start()
        watched.next_frame(20)
        watched.stop.request()
        watched.thread.join(20)
        left = [thread.name for thread in threading.enumerate() if "yard" in thread.name]
    assert left == []


def test_a_connection_gives_nothing_more_once_it_is_left(clip: Path) -> None:
    left = StopSwitch()
    with RtspServer(clip) as server, camera(server.url).open(left) as frames:
        next(frames)
        left.request()
        assert list(frames) == []


def test_a_refused_password_is_asked_again_and_stays_secret(
    clip: Path, password_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password_file.write_text("not-this-one", encoding="utf-8")
    with RtspServer(clip, "viewer", PASSWORD) as server:
        source = camera(server.url, username="viewer", password_file=password_file)
        with watching(source) as watched:
            until(lambda: watched.state() is StreamState.REJECTED, "the refusal", 5)
            until(lambda: "retrying in 10.0 s" in caplog.text, "the log", 1)
            assert watched.finish() < 1
    assert "yard" in caplog.text
    assert "not-this-one" not in caplog.text


def test_no_such_stream_is_named(clip: Path) -> None:
    with (
        RtspServer(clip) as server,
        pytest.raises(SourceRejectedError, match="check the path in url"),
    ):
        first_frames(camera(server.url.replace("/cam", "/attic")), 1)


def test_an_unknown_host_may_come_later() -> None:
    with pytest.raises(SourceUnavailableError, match=r"camera\.invalid.*unknown host"):
        first_frames(camera("rtsp://camera.invalid/cam"), 1)


def test_a_closed_port_may_open_later() -> None:
    with pytest.raises(SourceUnavailableError, match="refused"):
        first_frames(camera(f"rtsp://127.0.0.1:{free_port()}/cam"), 1)


def test_a_server_that_accepts_and_stays_silent_is_given_up_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        source = camera(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/", open_timeout_s=0.5)
        started = time.monotonic()
        with pytest.raises(SourceUnavailableError, match=r"no answer in 0\.5 s"):
            first_frames(source, 1)
        assert time.monotonic() - started < 1.5


def test_stops_within_a_second_while_frames_flow(clip: Path) -> None:
    with RtspServer(clip) as server, watching(camera(server.url)) as watched:
        watched.next_frame(10)
        assert watched.finish() < 1


@pytest.mark.parametrize("transport", ["tcp", OTHERS[0]])
def test_stops_within_a_second_while_the_camera_is_frozen(clip: Path, transport: str) -> None:
    with RtspServer(clip) as server, watching(camera(server.url, transport=transport)) as watched:
        watched.next_frame(10)
        server.freeze()
        assert watched.finish() < 1


def test_stops_within_a_second_while_the_camera_does_not_answer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        source = camera(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/", open_timeout_s=2)
        with watching(source) as watched:
            accepted, _ = silent.accept()
            with accepted:
                assert watched.finish() < 1
            assert watched.frames.finished


@pytest.mark.parametrize(
    ("path", "said"), [("gone", "no such file"), ("file", "no camera, or it was unplugged")]
)
def test_a_device_that_is_not_there_is_named(tmp_path: Path, path: str, said: str) -> None:
    """No more can be tested without a camera, or a kernel that plays one."""
    (tmp_path / "file").write_bytes(b"no device")
    source = DeviceSource(kind="device", path=tmp_path / path, width=640, height=480, fps=15)
    video = LiveVideo(CameraId("desk"), source, analysis_fps=5, clock=SystemClock())
    with pytest.raises(SourceError, match=f"{path}: {said}"):
        first_frames(video, 1)


def test_a_missing_password_file_is_named_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gone"):
        camera("rtsp://127.0.0.1/", username="viewer", password_file=tmp_path / "gone")
