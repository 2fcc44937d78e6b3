"""A real camera's two streams."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.build import build_source
from monitor.config.sources import Camera
from monitor.domain import CameraId, Frame
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch
from tests.support.camera_park import CameraPark
from tests.support.clips import panning, write_clip
from tests.support.fault_proxy import FaultProxy

pytestmark = pytest.mark.rtsp

TIMEOUT_S = 30.0


def test_heads_come_from_the_large_stream_for_as_long_as_it_is_there(tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.mp4", panning(30, width=320, height=180), 10)
    large = write_clip(tmp_path / "large.mp4", panning(30, width=640, height=360), 10)
    with (
        CameraPark(1, {"small": small}) as sub,
        CameraPark(1, {"large": large}) as main,
        FaultProxy(main.ports[0]) as proxy,
    ):
        streams = {
            "source": {"kind": "rtsp", "url": sub.url(0)},
            "main": {"kind": "rtsp", "url": proxy.url()},
        }
        source = build_source("yard", Camera.model_validate(streams), SystemClock(), StopSwitch())
        with source.open() as frames:
            detailed = next_frame(frames, 2.0)
            assert detailed.camera == CameraId("yard")
            assert (detailed.width, detailed.get_closest_picture()[0].width) == (320, 640)
            proxy.power_off()
            assert next_frame(frames, 1.0).get_closest_picture()[0].width == 320
            proxy.power_on()
            next_frame(frames, 2.0)


def next_frame(frames: Iterator[Frame], factor: float) -> Frame:
    """Return the next frame whose most detailed picture is ``times`` larger."""
    deadline = time.monotonic() + TIMEOUT_S
    for frame in frames:
        if frame.get_closest_picture()[1] == factor:
            return frame
        assert time.monotonic() < deadline, f"no frame with {factor} times the detail"
    pytest.fail("the small stream ended")
