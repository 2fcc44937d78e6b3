"""Cameras behind TLS: the right one is believed, every other is refused by name."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from monitor.config.sources import HttpSource, RtspSource
from monitor.domain import CameraId, Frame
from monitor.errors import ConfigError, SourceRejectedError
from monitor.ingest.live.live_video import LiveVideo
from monitor.runtime.clock import SystemClock
from tests.support.certificates import certificate
from tests.support.clips import panning, write_clip
from tests.support.fault_proxy import FaultProxy
from tests.support.http_server import http_camera
from tests.support.rtsp_server import RtspServer

LIVE = {"hls_list_size": "0", "hls_flags": "omit_endlist", "hls_time": "1"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "clip.mp4", panning(40), fps=10)
    write_clip(folder / "hls.m3u8", panning(40), fps=10, options=LIVE)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def rtsp(clips: Mapping[str, Path]) -> Iterator[RtspServer]:
    with RtspServer(clips["clip.mp4"]) as running:
        yield running


def first_frames(url: str, **settings: object) -> list[Frame]:
    model = RtspSource if url.startswith("rtsp") else HttpSource
    kind = "rtsp" if model is RtspSource else "http"
    source = model.model_validate({"kind": kind, "url": url} | settings)
    video = LiveVideo(CameraId("yard"), source, analysis_fps=5, clock=SystemClock())
    with video.open() as frames:
        return [next(frames) for _ in range(3)]


@pytest.mark.rtsp
def test_an_encrypted_camera_is_believed_by_its_own_certificate(
    rtsp: RtspServer, tmp_path: Path
) -> None:
    own = certificate(tmp_path, "yard")
    with FaultProxy(rtsp.port, own) as proxy:
        assert proxy.url().startswith("rtsps://")
        assert len(first_frames(proxy.url(), ca_file=own[0])) == 3


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("host", "days", "said"),
    [
        ("127.0.0.2", 2, "IP address mismatch"),
        ("127.0.0.1", -1, "has expired"),
    ],
)
def test_another_cameras_certificate_and_an_expired_one_are_refused(
    rtsp: RtspServer, tmp_path: Path, host: str, days: int, said: str
) -> None:
    shown = certificate(tmp_path, "yard", host, days=days)
    with FaultProxy(rtsp.port, shown) as proxy:
        with pytest.raises(SourceRejectedError, match=f"{said}.*as ca_file"):
            first_frames(proxy.url(), ca_file=shown[0])
        assert len(first_frames(proxy.url(), check_certificate=False)) == 3


@pytest.mark.rtsp
def test_a_certificate_that_nobody_vouches_for_is_refused(rtsp: RtspServer, tmp_path: Path) -> None:
    own, other = certificate(tmp_path, "yard"), certificate(tmp_path, "other")
    with FaultProxy(rtsp.port, own) as proxy:
        for settings in ({}, {"ca_file": other[0]}):
            with pytest.raises(SourceRejectedError, match="its certificate is not trusted"):
                first_frames(proxy.url(), **settings)


def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ca_file .*gone\.pem: no such file"):
        first_frames("rtsps://127.0.0.1/", ca_file=tmp_path / "gone.pem")


@pytest.mark.parametrize("path", ["/clip.mp4", "/mjpeg", "/hls.m3u8"])
def test_video_over_https_comes_only_from_whom_we_trust(
    clips: Mapping[str, Path], tmp_path: Path, path: str
) -> None:
    own = certificate(tmp_path, "door")
    files = {name: file.read_bytes() for name, file in clips.items()}
    with http_camera(files, panning(10), own) as server:
        assert len(first_frames(server.url(path), ca_file=own[0])) == 3
        with pytest.raises(SourceRejectedError, match="its certificate is not trusted"):
            first_frames(server.url(path))


def test_what_is_not_checked_of_an_hls_list_is_said(
    clips: Mapping[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = certificate(tmp_path, "door")
    files = {name: file.read_bytes() for name, file in clips.items()}
    with http_camera(files, panning(1), own) as server, caplog.at_level(logging.WARNING):
        first_frames(server.url("/hls.m3u8"), ca_file=own[0])
    assert caplog.messages == [
        "yard: the certificate is checked for the HLS list, not for its segments"
    ]
