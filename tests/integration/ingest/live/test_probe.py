"""``monitor check --probe``: what it says of cameras."""

from pathlib import Path

import pytest
import yaml

from monitor.cli.probe import describe_camera, probe_cameras
from monitor.config.sources import Camera, RtspSource
from monitor.errors import SourceUnavailableError
from monitor.ingest.live.probe import StreamInfo, probe_stream
from monitor.runtime.clock import SystemClock
from tests.support.camera_park import CameraPark, write_h265
from tests.support.clips import panning, write_clip
from tests.support.commands import monitor
from tests.support.ports import free_port

FACTS = StreamInfo("h264", 640, 360, 15.0, 2.0, 0.6, 2.0, 0.1)


@pytest.mark.rtsp
@pytest.mark.parametrize("codec", ["h264", pytest.param("hevc", marks=pytest.mark.slow)])
def test_a_camera_is_described_as_it_is(tmp_path: Path, codec: str) -> None:
    write = write_clip if codec == "h264" else write_h265
    name = "moving" if codec == "h264" else "moving265"
    clip = write(tmp_path / "a.mp4", panning(30), 10)
    with CameraPark(1, {name: clip}) as park:
        facts = probe_stream(RtspSource(kind="rtsp", url=park.url(0)), SystemClock())
    assert (facts.codec, facts.width, facts.height) == (codec, 320, 240)
    assert facts.fps == pytest.approx(10, rel=0.05)
    assert facts.key_frames_s == pytest.approx(1, rel=0.05)
    assert 0.01 < facts.megabits_s < 10
    assert facts.decode_ms > 0
    assert facts.skew_s is not None, "GStreamer tells the time at once"
    assert abs(facts.skew_s) < 60


@pytest.mark.rtsp
def test_the_command_says_it_of_every_camera_and_names_what_is_wrong(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", panning(30), 10)
    with CameraPark(1, {"moving": clip}) as park:
        cameras = {
            "yard": {
                "source": {"kind": "rtsp", "url": park.url(0)},
                "main": {"kind": "rtsp", "url": park.url(0)},
            },
            "gone": {"source": {"kind": "rtsp", "url": f"rtsp://127.0.0.1:{free_port()}/cam"}},
            "gate": {"source": {"kind": "folder", "path": str(tmp_path / "ftp")}},
            "clip": {"source": {"kind": "file", "path": str(clip)}},
        }
        config = tmp_path / "monitor.yaml"
        config.write_text(yaml.safe_dump({"cameras": cameras, "mqtt": {"port": 1}}))
        done = monitor("check", config, "--probe")
    assert done.exit_code == 1
    assert "camera yard: h264 320x240, 10.0 pictures/s, a key frame every 1.0 s" in done.stdout
    assert "camera yard, main stream: h264 320x240" in done.stdout
    assert "its clock is right" in done.stdout
    assert "camera gone: opening 127.0.0.1" in done.stdout
    assert "camera gate: " in done.stdout
    assert "no such folder; create it" in done.stdout
    assert "camera clip: h264 320x240, 10.0 pictures/s, 3 s long" in done.stdout


def test_a_stream_without_a_picture_is_named(tmp_path: Path) -> None:
    gone = Camera.model_validate({"source": {"kind": "file", "path": tmp_path / "gone.mp4"}})
    ((line, well),) = probe_cameras({"yard": gone})
    assert not well
    assert line.startswith("camera yard: ")
    assert "gone.mp4: no such file; check the path" in line
    source = RtspSource(kind="rtsp", url=f"rtsp://127.0.0.1:{free_port()}/cam")
    with pytest.raises(SourceUnavailableError, match="opening 127"):
        probe_stream(source, SystemClock())


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (FACTS, "h264 640x360, 15.0 pictures/s, a key frame every 2.0 s; 0.6 Mbit/s"),
        (FACTS, "decoding all of it takes 3 % of a core; its clock is right"),
        (StreamInfo("h264", 1920, 1080, 25, 2, 4, 8, None), "its small stream is enough"),
        (StreamInfo("h264", 1920, 1080, 25, 2, 4, 8, None), "does not say what time it is"),
        (StreamInfo("hevc", 640, 360, 25, 10, 4, 8, 75), "its clock is 75 s ahead; set it by"),
        (StreamInfo("hevc", 640, 360, 25, 10, 4, 8, -75), "its clock is 75 s behind"),
        (StreamInfo("hevc", 640, 360, 25, 10, 4, 8, 0), "set a key frame every 2 s or less"),
        (StreamInfo("hevc", 640, 360, 25, None, 4, 8, 0), "no second key frame came"),
    ],
)
def test_what_could_be_better_is_said(facts: StreamInfo, said: str) -> None:
    assert said in describe_camera(facts)
