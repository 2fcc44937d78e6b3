"""What somebody looks like, in few numbers: enough to know them again a moment later."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Frame
from monitor.geometry import Box

Histogram: TypeAlias = NDArray[np.float32]
"""(8 * 4 * 4,) shares of hue, saturation and value; they sum to 1."""

_BINS: Final = (8, 4, 4)
_SIDE_PX: Final = 32
_MIDDLE: Final = (0.2, 0.1, 0.8, 0.6)  # of a person's box: the clothes, little background


def describe(frame: Frame, person: Box) -> Histogram:
    """The colours of a person's upper body."""
    left, top, right, bottom = _MIDDLE
    area = Box(
        person.left + left * person.width,
        person.top + top * person.height,
        person.left + right * person.width,
        person.top + bottom * person.height,
    )
    small = cv2.resize(frame.cut(area), (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(_BINS), [0, 180, 0, 256, 0, 256])
    shares: Histogram = (counts.ravel() / _SIDE_PX**2).astype(np.float32)
    return shares


def compare(first: Histogram, second: Histogram) -> float:
    """How alike two appearances are, 0..1.

    Source:
        Bhattacharyya, "On a Measure of Divergence between Two Statistical Populations", 1943.
    """
    return float(np.sqrt(first * second).sum())
