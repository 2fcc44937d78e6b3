"""Cameras that send pictures and see nothing: clips of a scene, edited as trouble would."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from monitor.config.schema import Tampering as Settings
from monitor.domain import CameraId, Pixels, TamperingReason
from monitor.ingest.file import FileVideo
from monitor.ingest.watch.demand import CameraDemand
from monitor.runtime.clock import SystemClock
from tests.support.clips import photo, write_clip

FPS = 5
WIDTH, HEIGHT = 320, 180
WELL_S = 15  # before the trouble begins
SETTINGS = Settings(
    image_frozen_after_s=10,
    image_too_dark_after_s=5,
    image_too_blurry_after_s=5,
    global_scene_change_after_s=5,
)


@functools.cache
def empty_room() -> Pixels:
    room = cv2.resize(photo()[:720, :1280], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(room, np.uint8)


def seen(n: int) -> Pixels:
    """A room with a sensor's noise, in which a person walks to and fro."""
    rng = np.random.default_rng(n)
    room = empty_room().copy()
    left = round(WIDTH * 0.4 * (1 + np.sin(n / 10)))
    room[60:180, left : left + 40] = (40, 60, 90)
    noisy = room.astype(np.int16) + rng.integers(-4, 5, room.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def edited(edit: Callable[[Pixels, float], Pixels], *, well_again_s: int = 0) -> Iterator[Pixels]:
    """Well, then 25 s of trouble, whose seconds the edit knows, then perhaps well again."""
    for n in range(WELL_S * FPS):
        yield seen(n)
    for n in range(25 * FPS):
        yield edit(seen(WELL_S * FPS + n), n / FPS)
    for n in range(well_again_s * FPS):
        yield seen((WELL_S + 25) * FPS + n)


def find_changes(
    path: Path, settings: Settings = SETTINGS
) -> list[tuple[float, TamperingReason | None]]:
    """The reasons reported for a video, and from which second on."""
    demand = CameraDemand(FPS, tampering_settings=settings)
    video = FileVideo(
        CameraId("yard"),
        path,
        analysis_fps=FPS,
        paced=False,
        clock=SystemClock(),
        threads=1,
        demand=demand,
    )
    changes: list[tuple[float, TamperingReason | None]] = []
    with video.open() as frames:
        for frame in frames:
            if demand.tampering is not (changes[-1][1] if changes else None):
                changes.append((round(frame.moment.seconds, 1), demand.tampering))
    return changes


def black(_: Pixels, __: float) -> Pixels:
    return np.full((HEIGHT, WIDTH, 3), 4, np.uint8)


def painted(_: Pixels, __: float) -> Pixels:
    return np.full((HEIGHT, WIDTH, 3), 120, np.uint8)


def dusk(picture: Pixels, seconds: float) -> Pixels:
    return np.asarray(picture * max(0.03, 1 - seconds / 14), np.uint8)


def frozen(_: Pixels, __: float) -> Pixels:
    return seen(WELL_S * FPS)


def blurred(picture: Pixels, _: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8)


def turned(picture: Pixels, _: float) -> Pixels:
    return np.ascontiguousarray(picture[::-1, ::-1])


@pytest.mark.parametrize(
    ("edit", "reason", "after_s"),
    [
        (black, TamperingReason.LENS_COVERED, (3, 4)),
        (painted, TamperingReason.LENS_COVERED, (3, 4)),
        (dusk, TamperingReason.IMAGE_TOO_DARK, (5, 20)),
        (frozen, TamperingReason.IMAGE_FROZEN, (10, 16)),
        (blurred, TamperingReason.IMAGE_TOO_BLURRY, (5, 8)),
        (turned, TamperingReason.GLOBAL_SCENE_CHANGE, (5, 12)),
    ],
)
def test_trouble_is_named_and_its_end_is_told(
    tmp_path: Path,
    edit: Callable[[Pixels, float], Pixels],
    reason: TamperingReason,
    after_s: tuple[int, int],
) -> None:
    path = write_clip(tmp_path / "clip.mp4", edited(edit, well_again_s=12), fps=FPS)
    changes = find_changes(path)
    assert [why for _, why in changes] == [reason, None]
    begun, over = (seconds for seconds, _ in changes)
    assert after_s[0] - 1 < begun - WELL_S <= after_s[1]
    assert 2 <= over - WELL_S - 25 <= 8, "not at the first good picture"


def test_a_camera_that_sees_says_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", edited(lambda picture, _: picture), fps=FPS)
    assert find_changes(path) == []


def test_trouble_that_comes_and_goes_is_not_told(tmp_path: Path) -> None:
    """A hand before the lens for a moment, a lamp that flickers."""

    def flicker(picture: Pixels, seconds: float) -> Pixels:
        return black(picture, seconds) if seconds % 4 < 1.5 else picture

    assert find_changes(write_clip(tmp_path / "clip.mp4", edited(flicker), fps=FPS)) == []


def test_what_is_not_asked_for_is_not_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", edited(black), fps=FPS)
    assert find_changes(path, Settings(reasons=(TamperingReason.GLOBAL_SCENE_CHANGE,))) == []


def test_the_same_recording_says_the_same_each_time(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", edited(blurred), fps=FPS)
    assert find_changes(path) == find_changes(path) != []


def test_another_size_of_pictures_is_no_trouble() -> None:
    from monitor.ingest.watch.tampering import TamperDetector  # noqa: PLC0415  (only here)

    watch = TamperDetector(SETTINGS)
    for n in range(200):
        size = (320, 180) if n < 100 else (240, 180)
        grey = cv2.resize(cv2.cvtColor(seen(n), cv2.COLOR_BGR2GRAY), size)
        luma = np.asarray(grey, np.uint8)
        watch.check_picture(luma, luma[::2, ::2].copy(), n / FPS)
    assert watch.reason is None
