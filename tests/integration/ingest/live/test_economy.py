"""A real camera on which nothing happens, and then something does."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from monitor.config.sources import RtspSource
from monitor.domain import CameraId, Frame, Pixels
from monitor.ingest.live.live_video import LiveVideo
from monitor.ingest.watch.demand import CameraDemand
from monitor.runtime.clock import SystemClock
from tests.support.clips import photo, write_clip
from tests.support.rtsp_server import RtspServer

pytestmark = pytest.mark.rtsp

FPS = 10  # of the camera, with a key frame every second


def still(count: int) -> Iterator[Pixels]:
    scene = np.ascontiguousarray(photo()[200:440, 300:620])
    for _ in range(count):
        yield scene


def test_key_frames_are_enough_until_somebody_comes(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "still.mp4", still(40), fps=FPS)
    demand = CameraDemand(5, key_frames_only=True)
    with RtspServer(clip) as server:
        source = LiveVideo(
            CameraId("yard"),
            RtspSource(kind="rtsp", url=server.url),
            analysis_fps=5,
            clock=SystemClock(),
            demand=demand,
        )
        with source.open() as frames:
            assert gap_s(frames, until=lambda gap: gap < 0.5) < 0.5, "all its pictures at first"
            demand.set_occupied(occupied=False)
            assert gap_s(frames, until=lambda gap: gap > 0.75) > 0.75, "one a second"
            assert not next(frames).moved
            demand.set_occupied(occupied=True)
            assert gap_s(frames, until=lambda gap: gap < 0.5) < 0.5, "and back"
            assert source.decoded >= 20, "what is skipped counts, or it would seem stalled"


def gap_s(frames: Iterator[Frame], until: Callable[[float], bool]) -> float:
    """The first gap between two frames that is as wanted, or the last of forty."""
    before = next(frames).moment.seconds
    gap = 0.0
    for frame in itertools.islice(frames, 40):
        gap, before = frame.moment.seconds - before, frame.moment.seconds
        if until(gap):
            break
    return gap
