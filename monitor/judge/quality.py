"""How good a head crop is: sharp, lit and large enough to be worth judging.

Classical measures, computed on the crop scaled to a fixed size, so that one threshold
serves heads of every size.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels
from monitor.geometry import Box

Grey: TypeAlias = NDArray[np.uint8]
"""(64, 64) grey levels."""

_SIDE_PX = 64  # every crop is measured at this size


class Flaw(StrEnum):
    """A defect of a head's picture. Each has one threshold, below."""

    BLURRED = "blurred"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    TOO_SMALL = "too_small"
    CUT_OFF = "cut_off"
    TILTED = "tilted"


HIDING: Final = frozenset({Flaw.BLURRED, Flaw.DARK, Flaw.OVEREXPOSED, Flaw.CUT_OFF})
"""The flaws that hide a face as a covering does; a tilted one can still be seen, and a small
one is most likely far away."""

MIN_SHARPNESS: Final = 50.0  # grey levels squared; lower is blurred
MIN_BRIGHTNESS: Final = 0.12  # mean luma, 0..1; lower is dark
MAX_BURNT_SHARE: Final = 0.5  # share of the head's pixels that are white; more is overexposed
MIN_HEAD_PX: Final = 24.0  # the head's longer side; smaller is too small
TILT_RANGE_DEG: Final = (
    25.0,
    75.0,
)  # of the edges' direction from level; near 90 is hair and walls
MIN_EDGE_AGREEMENT: Final = 0.3  # of the edges on that direction, 0..1; below it, none is called
EDGE_SHARE: Final = 0.02  # of a head's side: this near to the picture's edge, it touches it
MIN_WIDTH_RATIO: Final = 0.55  # of its height; a head at the left or right edge that is narrower
MIN_HEIGHT_RATIO: Final = 0.9  # of its width; a head at the top or bottom that is lower, is cut off

_BURNT = 250  # luma from which a pixel is white
_SMOOTHING_PX = 2.0  # pores and noise have no direction
_WINDOW_PX = 11.0  # how far from the middle edges count


@dataclass(frozen=True, slots=True)
class Quality:
    """Measurements of one crop."""

    sharpness: float  # variance of the Laplacian of the luma at 64 px, grey levels squared
    brightness: float  # mean luma, 0..1


def measure_quality(crop: Pixels) -> Quality:
    """Sharpness and brightness of a (height, width, 3) crop.

    Source:
        Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000, for the
        variance of the Laplacian.
    """
    small = _shrink_to_luma(crop)
    sharpness = float(cv2.Laplacian(small, cv2.CV_32F).var())
    return Quality(sharpness, float(np.mean(small)) / 255)


def find_flaws(crop: Pixels, face: Pixels, head: Box, size: tuple[int, int]) -> tuple[Flaw, ...]:
    """The defects of one head's picture, in the order of ``Flaw``.

    Args:
        crop: (H, W, 3), the head with its surroundings; sharpness is measured here.
        face: (h, w, 3), the head alone; light and tilt are measured here.
        head: Where it is in the picture, in pixels.
        size: Width and height of the picture, in pixels.
    """
    luma = _shrink_to_luma(face)
    checks = {
        Flaw.BLURRED: measure_quality(crop).sharpness < MIN_SHARPNESS,
        Flaw.DARK: float(np.mean(luma)) / 255 < MIN_BRIGHTNESS,
        Flaw.OVEREXPOSED: float(np.mean(luma >= _BURNT)) > MAX_BURNT_SHARE,
        Flaw.TOO_SMALL: head.longer_side < MIN_HEAD_PX,
        Flaw.CUT_OFF: is_cut_off(head, *size),
        Flaw.TILTED: _is_tilted(luma),
    }
    return tuple(flaw for flaw, holds in checks.items() if holds)


def is_cut_off(head: Box, width: int, height: int) -> bool:
    """Whether a head goes on beyond the edge of a picture of the given size, in pixels.

    Detectors keep their boxes inside the picture, so the box of a head that is cut off
    touches the edge and lacks a part of its usual shape.
    """
    wide, tall = head.width, head.height
    near_x, near_y = EDGE_SHARE * wide + 1, EDGE_SHARE * tall + 1
    at_side = head.left <= near_x or head.right >= width - near_x
    at_top_or_bottom = head.top <= near_y or head.bottom >= height - near_y
    return (at_side and wide < MIN_WIDTH_RATIO * tall) or (
        at_top_or_bottom and tall < MIN_HEIGHT_RATIO * wide
    )


def measure_tilt(luma: Grey) -> tuple[float, float]:
    """Which way the edges of a face run, and how well they agree.

    Eyes, brows and mouth are level lines in an upright face, and turn with it.

    Args:
        luma: Of the head.

    Returns:
        Degrees from level, -90..90; and 0..1, where 1 is edges all of one direction.

    Source:
        Bigun and Granlund, "Optimal orientation detection of linear symmetry", 1987.
    """
    smooth = cv2.GaussianBlur(luma.astype(np.float32), (0, 0), _SMOOTHING_PX)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    offsets = np.arange(_SIDE_PX) - (_SIDE_PX - 1) / 2
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * _WINDOW_PX**2))
    doubled = (across + 1j * down) ** 2 * window  # (64, 64): opposite gradients agree
    whole = float(np.abs(doubled).sum())
    if whole == 0:
        return 0.0, 0.0
    degrees = float(np.degrees(np.angle(doubled.sum()))) / 2 - 90  # of the edge, not across it
    return (degrees + 90) % 180 - 90, float(np.abs(doubled.sum())) / whole


def _is_tilted(luma: Grey) -> bool:
    degrees, agreement = measure_tilt(luma)
    low, high = TILT_RANGE_DEG
    return agreement > MIN_EDGE_AGREEMENT and low < abs(degrees) < high


def _shrink_to_luma(crop: Pixels) -> Grey:
    """The crop in grey levels at the size where everything is measured: (64, 64)."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)  # (height, width)
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    return cast("Grey", small)
