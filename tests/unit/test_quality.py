"""Whether a head crop is worth a look."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Pixels
from monitor.judge.quality import measured
from tests.fakes import textured


def blurred(pixels: Pixels, px: int) -> Pixels:
    return np.asarray(cv2.blur(pixels, (px, px)), np.uint8)


def test_the_more_a_crop_is_blurred_the_less_sharp_it_is() -> None:
    crop = textured(96, 96)
    sharpness = [measured(blurred(crop, px)).sharpness for px in (1, 3, 9, 27)]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 10 * sharpness[-1]


@given(st.integers(0, 255), st.integers(1, 200), st.integers(1, 200))
def test_a_plain_crop_has_its_own_brightness_and_no_edges(
    grey: int, width: int, height: int
) -> None:
    quality = measured(np.full((height, width, 3), grey, np.uint8))
    assert quality.sharpness == 0
    assert quality.brightness == pytest.approx(grey / 255, abs=1e-6)


def test_brightness_is_what_the_eye_sees_and_not_the_mean_of_colours() -> None:
    blue, green = np.zeros((2, 8, 8, 3), np.uint8)
    blue[..., 0], green[..., 1] = 255, 255
    assert measured(green).brightness > 3 * measured(blue).brightness


def test_one_threshold_serves_heads_of_every_size() -> None:
    small = textured(64, 64)
    large = np.asarray(cv2.resize(small, (256, 256), interpolation=cv2.INTER_NEAREST), np.uint8)
    assert measured(large).sharpness == pytest.approx(measured(small).sharpness)
