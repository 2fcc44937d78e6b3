"""Cameras that accept a connection and then fall silent, at every step of the conversation."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.config.sources import RtspSource
from monitor.domain import CameraId, Frame
from monitor.errors import SourceUnavailableError
from monitor.ingest.live.live_video import LiveVideo
from monitor.ingest.live.reader import Reader
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from tests.support.certificates import certificate
from tests.support.clips import panning, write_clip
from tests.support.fault_proxy import STAGES, FaultProxy
from tests.support.rtsp_server import RtspServer

pytestmark = pytest.mark.rtsp

LIMIT_S = 0.5
TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    clip = write_clip(tmp_path_factory.mktemp("clips") / "pan.mp4", panning(40), fps=10)
    with RtspServer(clip) as running:
        yield running


def camera(url: str, transport: str, limit_s: float = LIMIT_S) -> LiveVideo:
    source = RtspSource.model_validate(
        {
            "kind": "rtsp",
            "url": url,
            "transport": transport,
            "check_certificate": False,
            "open_timeout_s": limit_s,
            "silence_limit_s": limit_s,
        }
    )
    return LiveVideo(CameraId("yard"), source, analysis_fps=5, clock=SystemClock())


def seconds_of_silence(source: LiveVideo) -> float:
    """Read until the source gives up: seconds since its last frame, or since the beginning."""
    started = time.monotonic()
    try:
        with source.open() as frames:
            for _ in frames:
                started = time.monotonic()
    except SourceUnavailableError:
        return time.monotonic() - started
    pytest.fail("the source ended without an error")


@pytest.mark.parametrize(
    "way", ["tcp", *(pytest.param(way, marks=pytest.mark.slow) for way in ("udp", "http", "tls"))]
)
def test_silence_at_any_step_is_given_up_in_time(
    server: RtspServer, tmp_path: Path, way: str
) -> None:
    """Not answering PLAY was taken for a refusal, which is tried again only every 10 s."""
    own = certificate(tmp_path, "yard") if way == "tls" else None
    with FaultProxy(server.port, own) as proxy:
        for stage in STAGES:
            proxy.fall_silent(stage)
            source = camera(proxy.url(), "tcp" if way == "tls" else way)
            limit_s = source.traits.hang_timeout_s
            assert seconds_of_silence(source) < limit_s, f"{stage} takes too long"


@pytest.mark.slow
def test_a_camera_that_fell_silent_comes_back_and_its_neighbour_never_noticed(
    server: RtspServer,
) -> None:
    with FaultProxy(server.port) as proxy, watching(proxy.url(), server.url) as (sick, well):
        for watched in (sick, well):
            assert watched.frames.take(TIMEOUT_S) is not None
        for stage in ("connect", "PLAY", "frame"):
            proxy.fall_silent(stage)
            proxy.cut()
            before = proxy.accepted
            deadline = time.monotonic() + TIMEOUT_S
            while proxy.accepted == before:
                assert time.monotonic() < deadline, f"no connection for {stage}"
                assert well.frames.take(TIMEOUT_S) is not None
            proxy.fall_silent(None)
            sick.frames.take(0)
            assert sick.frames.take(TIMEOUT_S) is not None, f"not back after {stage}"
            assert well.reader.status().reconnects == 0


@contextmanager
def watching(*urls: str) -> Iterator[list["Watched"]]:
    """A camera for each address, with time-outs for a machine that has much else to do."""
    stop = StopSwitch()
    cameras = [Watched(camera(url, "tcp", 3.0), stop) for url in urls]
    try:
        yield cameras
    finally:
        stop.request()
    for watched in cameras:
        watched.thread.join(5)
        assert not watched.thread.is_alive()


class Watched:
    """A Reader at work on its own thread."""

    def __init__(self, source: LiveVideo, stop: StopSwitch) -> None:
        self.frames = Mailbox[Frame](1)
        self.reader = Reader(source, self.frames, Backoff(0.05, 0.2), SystemClock())
        self.thread = threading.Thread(target=self.reader.run, args=(stop,), daemon=True)
        self.thread.start()
