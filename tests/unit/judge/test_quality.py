"""Whether a head crop is worth judging."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Pixels
from monitor.geometry import Box
from monitor.judge.quality import MIN_BRIGHTNESS, Flaw, find_flaws, is_cut_off, measure_quality
from tests.support.fakes import textured

MIDDLE = Box(200, 100, 300, 230)


def blurred(pixels: Pixels, px: int) -> Pixels:
    return np.asarray(cv2.blur(pixels, (px, px)), np.uint8)


def test_the_more_a_crop_is_blurred_the_less_sharp_it_is() -> None:
    crop = textured(96, 96)
    sharpness = [measure_quality(blurred(crop, px)).sharpness for px in (1, 3, 9, 27)]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 10 * sharpness[-1]


@given(st.integers(0, 255), st.integers(1, 200), st.integers(1, 200))
def test_a_plain_crop_has_its_own_brightness_and_no_edges(
    grey: int, width: int, height: int
) -> None:
    quality = measure_quality(np.full((height, width, 3), grey, np.uint8))
    assert quality.sharpness == 0
    assert quality.brightness == pytest.approx(grey / 255, abs=1e-6)


def test_brightness_is_what_the_eye_sees_and_not_the_mean_of_colours() -> None:
    blue, green = np.zeros((2, 8, 8, 3), np.uint8)
    blue[..., 0], green[..., 1] = 255, 255
    assert measure_quality(green).brightness > 3 * measure_quality(blue).brightness


def test_one_threshold_serves_heads_of_every_size() -> None:
    small = textured(64, 64)
    large = np.asarray(cv2.resize(small, (256, 256), interpolation=cv2.INTER_NEAREST), np.uint8)
    assert measure_quality(large).sharpness == pytest.approx(measure_quality(small).sharpness)


def head_in(size: int = 96) -> Pixels:
    """Something like an upright face: dark level lines on a lit, soft ground."""
    picture = np.asarray(cv2.GaussianBlur(textured(size, size), (0, 0), 1.0), np.uint8)
    for row in (0.35, 0.65):
        top = round(row * size)
        picture[top : top + size // 12, size // 5 : -size // 5] = 20
    return picture


def turned(picture: Pixels, degrees: float) -> Pixels:
    size = picture.shape[0]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1)
    mode = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, turn, (size, size), borderMode=mode), np.uint8)


def wrong(picture: Pixels, head: Box = MIDDLE) -> tuple[Flaw, ...]:
    return find_flaws(picture, picture, head, (640, 480))


def test_a_good_head_has_no_flaws() -> None:
    assert wrong(head_in()) == ()


@pytest.mark.parametrize(
    ("picture", "flaw"),
    [
        (blurred(head_in(), 41), Flaw.BLURRED),
        (np.asarray(head_in() * 0.1, np.uint8), Flaw.DARK),
        (np.maximum(head_in(), 252), Flaw.OVEREXPOSED),
        (turned(head_in(), 45), Flaw.TILTED),
        (turned(head_in(), -45), Flaw.TILTED),
    ],
)
def test_each_flaw_is_named(picture: Pixels, flaw: Flaw) -> None:
    assert flaw in wrong(picture)


def test_a_head_far_away_is_too_small() -> None:
    assert wrong(head_in(), Box(300, 200, 318, 223)) == (Flaw.TOO_SMALL,)
    assert wrong(head_in(), Box(300, 200, 320, 225)) == ()


@pytest.mark.parametrize(
    ("head", "cut"),
    [
        (Box(200, 100, 300, 230), False),  # in the middle
        (Box(0, 100, 100, 230), False),  # touches the edge, whole
        (Box(0, 100, 60, 230), True),  # half of it is outside, left
        (Box(590, 100, 640, 230), True),  # right
        (Box(200, 0, 300, 70), True),  # above
        (Box(200, 410, 300, 480), True),  # below
        (Box(0, 0, 640, 480), True),  # fills a picture that is wider than a head
        (Box(140, 0, 500, 480), False),  # a portrait that fills the height
    ],
)
def test_a_head_beyond_the_edge_is_cut_off(head: Box, cut: bool) -> None:  # noqa: FBT001
    assert is_cut_off(head, 640, 480) is cut


@given(st.integers(0, 255), st.integers(1, 80), st.integers(1, 80))
def test_a_plain_crop_of_any_size_is_measured(grey: int, width: int, height: int) -> None:
    plain = np.full((height, width, 3), grey, np.uint8)
    found = wrong(plain)
    assert Flaw.BLURRED in found
    assert Flaw.TILTED not in found
    assert (Flaw.DARK in found) == (grey / 255 < MIN_BRIGHTNESS)
    assert (Flaw.OVEREXPOSED in found) == (grey >= 250)
