"""What counts as motion, and what does not."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from monitor.ingest.frames.yuv import shrink_luma
from monitor.ingest.watch.motion import MotionDetector
from monitor.ingest.watch.tampering import Luma
from tests.support.clips import panning, photo, write_clip

FPS = 5


def scene(seed: int = 0, noise: float = 2.0) -> Luma:
    """A picture with shapes in it and a sensor's noise, (90, 160)."""
    rows, columns = np.mgrid[0:90, 0:160]
    shapes = 90 + 60 * ((rows // 15 + columns // 20) % 2)
    noisy = shapes + np.random.default_rng(seed).normal(0, noise, shapes.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def with_person(left: int, seed: int = 0) -> Luma:
    """A distant person: 5 by 12 pixels of 160."""
    luma = scene(seed)
    luma[40:52, left : left + 5] = 20
    return luma


def detector_at_rest(seconds: float = 4.0) -> MotionDetector:
    detector = MotionDetector()
    for n in range(round(seconds * FPS)):
        detector.detect_motion(scene(n), n / FPS)
    return detector


def test_the_first_picture_counts_as_motion_for_nothing_is_known_of_it() -> None:
    assert MotionDetector().detect_motion(scene(), 0.0)


def test_a_change_of_the_pictures_size_counts_as_motion() -> None:
    assert detector_at_rest().detect_motion(np.zeros((45, 80), np.uint8), 5.0)


def test_noise_is_not_motion() -> None:
    detector = detector_at_rest()
    assert not any(
        detector.detect_motion(scene(100 + n, noise=3.0), 4 + n / FPS) for n in range(50)
    )


def test_somebody_small_who_walks_is_motion_all_the_way() -> None:
    detector = detector_at_rest()
    assert all(detector.detect_motion(with_person(10 + 2 * n, n), 4 + n / FPS) for n in range(50))


def test_somebody_who_stands_still_for_long_is_motion_no_more() -> None:
    detector = detector_at_rest()
    moved = [detector.detect_motion(with_person(40, n), 4 + n / FPS) for n in range(60)]
    assert moved[0]
    assert not any(moved[-10:])


def test_a_clock_in_the_picture_is_left_out_after_a_while_and_a_person_is_not() -> None:
    detector, moved = detector_at_rest(), []
    for n in range(300):
        luma = with_person(60, n) if n > 290 else scene(n)
        luma[2:8, 150:156] = 250 * ((n // FPS) % 2)  # the seconds
        moved.append(detector.detect_motion(luma, 4 + n / FPS))
    assert moved[6], "at first it is motion like any other"
    assert not any(moved[200:290])
    assert all(moved[291:295])


def test_a_street_that_never_rests_stays_motion() -> None:
    detector = MotionDetector()
    moved = []
    for n in range(400):
        luma = scene(n)
        luma[30:60] = np.random.default_rng(n).integers(0, 255, (30, 160))
        moved.append(detector.detect_motion(luma, n / FPS))
    assert all(moved)


def frames(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


def test_a_clip_that_pans_moves_and_one_of_a_photo_does_not(tmp_path: Path) -> None:
    still = write_clip(tmp_path / "still.mp4", [photo()[:720, :1280]] * 20)
    pan = write_clip(tmp_path / "pan.mp4", panning(20))
    for path, expected in ((still, 0), (pan, 19)):
        detector = MotionDetector()
        moved = [detector.detect_motion(shrink_luma(f), n / 10) for n, f in enumerate(frames(path))]
        assert sum(moved[1:]) == expected, path.name


@pytest.mark.parametrize(
    "kind", ["yuv420p", "yuvj422p", "nv12", "yuv444p", "rgb24", "gray", "bgra", "yuv420p10le"]
)
def test_brightness_is_read_from_any_kind_of_picture(kind: str) -> None:
    pixels = np.zeros((180, 320, 3), np.uint8)
    pixels[:, 160:] = 255
    frame = av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(format=kind)
    luma = shrink_luma(frame)
    assert luma.shape == (90, 160)
    assert luma[:, :70].max() <= 20
    assert luma[:, 90:].min() >= 230


def test_a_picture_that_is_small_already_is_not_blown_up() -> None:
    frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
    assert shrink_luma(frame.reformat(format="yuv420p")).shape == (48, 64)
