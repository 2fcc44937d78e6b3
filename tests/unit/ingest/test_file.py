"""Recordings as sources, good and bad."""

import logging
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest

from monitor.domain import CameraId, Frame
from monitor.errors import SourceRejectedError
from monitor.ingest.file import FileVideo, VideoInfo, probe_file
from monitor.ingest.frames.picture import VideoPicture
from monitor.ingest.live.reader import Reader
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from tests.support.clips import numbered, panning, with_cover, write_clip
from tests.support.fakes import START, ManualStop


def recording(path: Path, analysis_fps: float = 5, *, paced: bool = False) -> FileVideo:
    return FileVideo(
        CameraId("yard"),
        path,
        analysis_fps=analysis_fps,
        paced=paced,
        started_at=START,
        clock=SystemClock(),
    )


def played(source: FileVideo) -> list[Frame]:
    with source.open() as frames:
        return list(frames)


def conversions(frame: Frame) -> int:
    assert isinstance(frame.picture, VideoPicture)
    return frame.picture.conversions


def brightness(frame: Frame) -> int:
    return round(float(frame.resize(16, 16).mean()))


def test_only_the_frames_that_are_due_come_and_none_is_converted(tmp_path: Path) -> None:
    """Three seconds at 30 a second, looked at 5 times a second."""
    source = recording(write_clip(tmp_path / "a.mp4", panning(90), fps=30))
    frames = played(source)
    assert source.decoded == 90
    assert [frame.sequence for frame in frames] == list(range(15))
    assert [frame.moment.seconds for frame in frames] == pytest.approx([n / 5 for n in range(15)])
    assert sum(conversions(frame) for frame in frames) == 0
    assert frames[3].resize(64, 48).shape == (48, 64, 3)
    assert [conversions(frame) for frame in frames[2:5]] == [0, 1, 0]
    assert all(frame.decode_ms >= 0 for frame in frames)


def test_they_are_the_right_frames(tmp_path: Path) -> None:
    source = recording(write_clip(tmp_path / "a.mp4", numbered(12), fps=20))
    levels = [brightness(frame) for frame in played(source)]
    assert levels == pytest.approx([20 * n for n in (0, 4, 8)], abs=8)


def test_playing_again_gives_the_same_frames(tmp_path: Path) -> None:
    source = recording(write_clip(tmp_path / "a.mp4", panning(30), fps=30), analysis_fps=7)
    first, second = played(source), played(source)
    assert [frame.moment for frame in first] == [frame.moment for frame in second]
    assert (first[2].resize(64, 48) == second[2].resize(64, 48)).all()
    assert source.decoded == 60


def test_a_wanted_rate_above_the_recordings_gives_every_frame(tmp_path: Path) -> None:
    source = recording(write_clip(tmp_path / "a.mp4", panning(12), fps=10), analysis_fps=25)
    assert len(played(source)) == 12


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi", ".mov", ".flv", ".h264"])
def test_the_usual_containers_begin_at_nought(tmp_path: Path, suffix: str) -> None:
    """A transport stream's stamps begin at 1.4 s; a bare stream has none at all."""
    frames = played(recording(write_clip(tmp_path / f"a{suffix}", panning(50), fps=25)))
    seconds = [frame.moment.seconds for frame in frames]
    assert seconds == pytest.approx([n / 5 for n in range(10)], abs=0.041)
    assert seconds[0] == 0


def test_times_count_from_when_the_recording_began(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", panning(10), fps=10)
    assert played(recording(path))[-1].moment.taken_at == START + timedelta(seconds=0.8)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    clock = SystemClock()
    unset = FileVideo(CameraId("yard"), path, analysis_fps=5, paced=False, clock=clock)
    assert played(unset)[0].moment.taken_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_paced_recording_comes_at_its_own_speed_on_the_machines_clock(tmp_path: Path) -> None:
    source = recording(write_clip(tmp_path / "a.mp4", panning(11), fps=10), paced=True)
    with source.open() as frames:
        late = [time.monotonic() - frame.moment.seconds for frame in frames]
    assert len(late) == 6
    assert all(0 <= seconds < 0.15 for seconds in late)


def test_a_paced_recording_stops_at_once(tmp_path: Path) -> None:
    """One frame every ten seconds, which is too long to wait for."""
    source = recording(write_clip(tmp_path / "a.mp4", panning(12), fps=1), 0.1, paced=True)
    stop = StopSwitch()
    frames = Mailbox[Frame](2, lossless=True)
    reader = Reader(source, frames, Backoff(first_s=1, limit_s=4), SystemClock())
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    assert frames.take(5) is not None
    started = time.monotonic()
    stop.request()
    thread.join(5)
    assert time.monotonic() - started < 3


def test_a_paced_recording_ends_between_frames_when_its_own_stop_is_asked_for(
    tmp_path: Path,
) -> None:
    path = write_clip(tmp_path / "a.mp4", panning(12), fps=1)
    stop = ManualStop(waits_allowed=2)
    source = FileVideo(
        CameraId("yard"), path, analysis_fps=1, paced=True, clock=SystemClock(), stop=stop
    )
    assert len(played(source)) == 1
    assert stop.waits[1] == pytest.approx(1, abs=0.2)


def test_a_picture_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    """A camera was set to another resolution while it was recorded; its clock began again."""
    small = write_clip(tmp_path / "small.ts", panning(10), fps=10)
    large = write_clip(tmp_path / "large.ts", panning(10, width=640, height=480), fps=10)
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames = played(recording(both))
    assert [frame.width for frame in frames] == [320] * 5 + [640] * 5
    assert [frame.moment.seconds for frame in frames] == pytest.approx([n / 5 for n in range(10)])
    assert frames[-1].resize(64, 48).shape == (48, 64, 3)


def test_a_gap_in_a_recording_stays_a_gap(tmp_path: Path) -> None:
    """A camera that records only while something moves."""
    frames = played(recording(write_clip(tmp_path / "a.mp4", panning(6), fps=10, gap_s=100)))
    seconds = [frame.moment.seconds for frame in frames]
    assert seconds == pytest.approx([0, 100.1, 100.2, 100.4], abs=0.001)


def test_a_cover_picture_is_not_the_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", panning(10), fps=10)
    covered = with_cover(tmp_path / "covered.mkv", clip)
    assert probe_file(covered).codec == "h264"
    assert len(played(recording(covered))) == 5


def test_a_file_tells_what_it_is(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", panning(30), fps=15)
    expected = VideoInfo(width=320, height=240, fps=15, frames=30, duration_s=2, codec="h264")
    assert probe_file(path) == expected
    assert recording(path).info == expected


def test_a_turned_file_tells_its_upright_size(tmp_path: Path) -> None:
    info = probe_file(write_clip(tmp_path / "phone.mp4", panning(3), turned=90))
    assert (info.width, info.height) == (240, 320)


def test_a_file_name_with_a_colon_is_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "plain.mp4", panning(3)).rename(tmp_path / "10:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe_file(Path("10:30.mp4")).width == 320


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.mp4", b"", "complete"),
        ("noise.mp4", bytes(range(256)) * 40, "complete"),
        ("letter.txt", b"Dear Sir or Madam,\n" * 40, "no video"),
        ("page.html", b"<html><body>404</body></html>" * 40, "complete"),
    ],
)
def test_what_is_no_video_is_named_in_one_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for attempt in (lambda: probe_file(path), lambda: played(recording(path))):
        with pytest.raises(SourceRejectedError, match=said) as caught:
            attempt()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceRejectedError, match=r"gone\.mp4: no such file; check the path"):
        probe_file(tmp_path / "gone.mp4")
    with pytest.raises(SourceRejectedError, match="is a folder; give one file"):
        probe_file(tmp_path)


def test_a_file_with_sound_only_has_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 8000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceRejectedError, match=r"song\.mp4: it holds no video"):
        probe_file(path)


def test_a_file_that_was_cut_off_plays_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / "a.mp4", panning(60), fps=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = recording(path)
    with caplog.at_level(logging.WARNING):
        frames = played(source)
    assert 0 < len(frames) < 10
    assert 0 < source.decoded < 60
    (message,) = caplog.messages
    assert f"{path} is damaged or cut off: {source.decoded} of 60" in message


def test_a_whole_file_plays_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    played(recording(write_clip(tmp_path / "a.mp4", panning(60), fps=30)))
    assert caplog.messages == []


def test_a_file_that_was_cut_off_before_its_index_came_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", panning(60), fps=30, options={})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceRejectedError, match="give a video file that is complete"):
        probe_file(path)


def test_a_file_of_which_nothing_can_be_decoded_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", panning(20), fps=10)
    content = path.read_bytes()
    start = content.index(b"mdat") + 4
    path.write_bytes(content[:start] + b"\xff" * (len(content) - start))
    source = recording(path)
    assert not source.traits.live
    for attempt in (lambda: probe_file(path), lambda: played(source)):
        with pytest.raises(SourceRejectedError, match="no picture could be decoded; check"):
            attempt()


def test_the_last_pictures_come_also_when_the_video_is_the_second_stream(
    tmp_path: Path,
) -> None:
    """They stay in the decoder until it is flushed at the end of the file."""
    clip = write_clip(tmp_path / "clip.mp4", panning(10), fps=10)
    source = recording(with_cover(tmp_path / "covered.mkv", clip))
    played(source)
    assert source.decoded == 10


def test_damage_in_the_middle_costs_only_some_frames(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / "a.mp4", panning(60), fps=30)
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : third + 20_000] = b"\xff" * 20_000
    path.write_bytes(content)
    source = recording(path)
    with caplog.at_level(logging.WARNING):
        frames = played(source)
    assert 30 < source.decoded < 60
    assert frames[-1].moment.seconds == pytest.approx(1.8, abs=0.2)
    assert "is damaged or cut off" in caplog.text
