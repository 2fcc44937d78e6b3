"""The demo's clip: what is in it, and that its script tells the truth."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo.balaclava import Balaclava
from monitor.demo.clip import DemoScript, render_frames, write_demo_clip
from monitor.demo.drawing import LandmarkedFace
from monitor.demo.scene import MARGIN, PICTURE, load_picture, widen_picture
from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.geometry import Box

SCRIPT = DemoScript(seconds=12, fps=2, width=640, height=360)
SIZES = st.sampled_from([(320, 180), (640, 480), (960, 540)])


@pytest.fixture(scope="module")
def frames() -> list[Pixels]:
    return list(render_frames(SCRIPT))


def cut(frames: list[Pixels], seconds: float, box: Box) -> Pixels:
    rows = slice(round(box.top), round(box.bottom))
    return frames[round(seconds * SCRIPT.fps)][rows, round(box.left) : round(box.right)]


def lower_half(box: Box) -> Box:
    return Box(box.left, box.centre[1], box.right, box.bottom)


def skin(pixels: Pixels) -> float:
    """The share of pixels whose red is well above their blue."""
    blue, red = pixels[..., 0].astype(int), pixels[..., 2].astype(int)
    return float(((red - blue) > 25).mean())


def test_there_are_as_many_pictures_as_seconds_and_rate_say(frames: list[Pixels]) -> None:
    assert len(frames) == 24
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((360, 640, 3), "uint8")}


def test_every_call_gives_the_same_pictures(frames: list[Pixels]) -> None:
    again = render_frames(SCRIPT)
    assert all(np.array_equal(frame, next(again)) for frame in frames[:6])


def test_the_picture_changes_all_the_time(frames: list[Pixels]) -> None:
    assert min(float(cv2.absdiff(one, two).mean()) for one, two in pairwise(frames)) > 1


def test_the_face_is_bare_then_covered_then_bare(frames: list[Pixels]) -> None:
    shares = {
        number: skin(cut(frames, number / 2, lower_half(SCRIPT.locate_face(number / 2))))
        for number in range(len(frames))
    }
    bare = [share for number, share in shares.items() if SCRIPT.get_pull(number / 2) == 0]
    covered = [share for number, share in shares.items() if SCRIPT.get_pull(number / 2) == 1]
    assert len(bare) > 8
    assert len(covered) > 8
    assert min(bare) > 0.6
    assert max(covered) < 0.1


def test_the_bystander_stays_bare(frames: list[Pixels]) -> None:
    times = [number / 2 for number in range(len(frames))]
    assert min(skin(cut(frames, at, SCRIPT.locate_bystander(at))) for at in times) > 0.5


def test_the_script_covers_once_and_uncovers_once() -> None:
    pulled = [SCRIPT.get_pull(step / 100) for step in range(1200)]
    steps = np.diff(pulled)
    assert pulled[0] == pulled[-1] == 0
    assert SCRIPT.get_pull(SCRIPT.covered_from_s) == SCRIPT.get_pull(SCRIPT.covered_until_s) == 1
    assert (steps > 0).any()
    assert np.flatnonzero(steps > 0).max() < np.flatnonzero(steps < 0).min()


@given(at=st.floats(0, 600), size=SIZES)
def test_both_faces_stay_in_view_and_large_enough_to_judge(
    at: float, size: tuple[int, int]
) -> None:
    script = DemoScript(600, 15, *size)
    for face in (script.locate_face(at), script.locate_bystander(at)):
        assert face.left > 0
        assert face.top > 0
        assert face.right < script.width
        assert face.bottom < script.height
        assert face.height > script.height / 8


@given(at=st.floats(0, 600), size=SIZES)
def test_the_camera_never_looks_past_the_scene(at: float, size: tuple[int, int]) -> None:
    view = DemoScript(600, 15, *size).get_view(at)
    (side, top), (width, height) = MARGIN, PICTURE
    assert view.left >= -side
    assert view.top >= -top
    assert view.right <= width + side
    assert view.bottom <= height


def test_the_scene_goes_on_beyond_the_picture_without_touching_the_people() -> None:
    pixels = load_picture()
    scene = widen_picture(pixels)
    (side, top), (width, height) = MARGIN, PICTURE
    assert scene.shape == (top + height, width + 2 * side, 3)
    assert np.array_equal(scene[top + 36 :, side : side + width], pixels[36:])


def test_a_balaclava_hides_the_face_but_not_the_eyes() -> None:
    pixels = load_picture()[20:340, 820:1140].copy()
    points = np.array([(147, 145), (208, 146), (185, 185), (148, 214), (200, 216)], np.float32)
    balaclava = Balaclava(LandmarkedFace(pixels, points))
    worn = balaclava.put_on()
    mouth = (slice(205, 225), slice(150, 200))
    eye = (slice(143, 149), slice(140, 154))
    assert np.array_equal(balaclava.put_on(0.0), pixels)
    assert skin(pixels[mouth]) > 0.8
    assert skin(worn[mouth]) == 0
    assert worn[mouth].max() < 100
    assert cv2.absdiff(worn[eye], pixels[eye]).max() < 30
    assert np.array_equal(worn[:10], pixels[:10])


def test_the_file_plays_for_as_long_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "demo.mp4"
    script = write_demo_clip(path, seconds=2, fps=10, width=320, height=180)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        sizes = [(frame.width, frame.height) for frame in container.decode(stream)]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 10
    assert sizes == [(320, 180)] * 20
    assert script == DemoScript(2, 10, 320, 180)


def test_a_frame_too_narrow_for_two_people_is_refused() -> None:
    with pytest.raises(ValueError, match="4:3 or wider"):
        DemoScript(10, 10, 480, 640)


def test_a_missing_package_is_named_with_the_mend() -> None:
    with pytest.raises(ConfigError, match="pip install --force-reinstall no_such_package"):
        load_picture("no_such_package")


def test_making_it_loads_neither_ultralytics_nor_torch() -> None:
    program = (
        "import sys; from monitor.demo.clip import DemoScript, render_frames;"
        "next(render_frames(DemoScript(1, 1, 320, 180)));"
        "sys.exit(bool({'ultralytics', 'torch', 'transformers'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603
    assert result.returncode == 0
