"""The cameras that the benchmark reads are cameras to us."""

import itertools
from pathlib import Path

import pytest

from tests.benchmarks.cameras import Line
from tests.stress.many_cameras import ManyCameras
from tests.support.camera_bench import rtsp
from tests.support.clips import numbered, write_clip

COUNT = 12  # pictures of the clip, at 10 a second, each brighter than the one before
LINE = Line(15, 5, 5, 100, 400, 8, 10, 500, 1.0)


@pytest.mark.slow
@pytest.mark.stress
def test_two_cameras_play_the_whole_clip_over_and_over(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", numbered(COUNT, width=640, height=360))
    with ManyCameras(clip) as cameras:
        sources = [rtsp(name, cameras.url) for name in ("yard", "lobby")]
        with sources[0].open() as yard, sources[1].open() as lobby:
            seen = list(itertools.islice(yard, 20))
            assert next(lobby).resize(64, 36).shape == (36, 64, 3)
    assert sources[0].decoded >= 38, "of 10 a second, 5 are looked at"
    assert {(frame.width, frame.height) for frame in seen} == {(640, 360)}
    levels = [float(frame.resize(64, 36).mean()) for frame in seen]
    assert min(levels) < 50
    assert max(levels) > 170
    rounds = sum(after < before - 50 for before, after in itertools.pairwise(levels))
    assert rounds >= 2, "four seconds of a clip of 1.2 s"


def test_cameras_hold_if_frames_are_looked_at_soon_and_none_was_shed() -> None:
    assert LINE.holds
    assert str(LINE).endswith("yes")
    assert not Line(15, 5, 5, 100, 501, 8, 10, 500, 1.0).holds
    assert not Line(15, 4, 4, 100, 400, 8, 10, 500, 0.8).holds
