"""Cameras attached to this machine. Where tests run there are none, so only options are tested."""

import av
import pytest

from monitor.config.sources import DeviceSource
from monitor.ingest.live.open_stream import build_ffmpeg_input


def test_ffmpeg_is_told_what_to_ask_the_camera_for() -> None:
    source = DeviceSource(
        kind="device", width=1280, height=720, fps=12.5, pixel_format="mjpeg", decoder="auto"
    )
    address = build_ffmpeg_input(source)
    assert (address.url, address.format) == ("/dev/video0", "v4l2")
    assert address.options == {
        "video_size": "1280x720",
        "framerate": "12.5",
        "input_format": "mjpeg",
    }


def test_what_is_not_set_is_left_to_the_camera() -> None:
    assert build_ffmpeg_input(DeviceSource(kind="device")).options == {}


def test_the_ffmpeg_that_comes_with_pyav_reads_such_cameras() -> None:
    assert av.ContainerFormat("v4l2", "r").is_input


def test_half_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="give width and height, or neither"):
        DeviceSource(kind="device", width=640)
