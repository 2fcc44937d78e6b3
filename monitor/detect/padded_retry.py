"""A second look from further away, where a head that fills the picture was missed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.detect import Detector
from monitor.domain import Detection, Frame, Kind, Picture, Pixels
from monitor.geometry import Box

_SIZES = (1 / 3, 1 / 2)  # of the sheet's side, for the picture's longer one; the best first
_GREY = 114  # as around every picture that YOLO models are shown
_MIN_SHARE = 0.3  # of the picture's shorter side: a smaller head would have been found at first


@dataclass(frozen=True, slots=True)
class _PaddedPicture:
    """A Picture: another one in the middle of a grey square, in pixels of the other."""

    inner: Picture
    side: int

    @property
    def width(self) -> int:
        """See Picture."""
        return self.side

    @property
    def height(self) -> int:
        """See Picture."""
        return self.side

    @property
    def corner(self) -> tuple[int, int]:
        """Where the other picture's top left corner lies."""
        return (self.side - self.inner.width) // 2, (self.side - self.inner.height) // 2

    def resize(self, width: int, height: int) -> Pixels:
        """See Picture. The whole is scaled, not cut out of a large sheet."""
        across, down = width / self.side, height / self.side
        wide = min(max(round(self.inner.width * across), 1), width)
        high = min(max(round(self.inner.height * down), 1), height)
        left, top = (width - wide) // 2, (height - high) // 2
        sheet = np.full((height, width, 3), _GREY, np.uint8)
        sheet[top : top + high, left : left + wide] = self.inner.resize(wide, high)
        return sheet

    def cut(self, box: Box) -> Pixels:
        """See Picture. What lies outside of the other picture is left out."""
        left, top = self.corner
        return self.inner.cut(box.move(-left, -top))


class PaddedRetryDetector:
    """A Detector that looks again where it is sure of no head, with the picture smaller on grey.

    For single pictures, of which many show one head and nothing else: detectors are trained
    on people with something around them, and miss a head that fills the picture. As
    thread-safe as the detector that it asks.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        at_first = self._detector.detect(frames)
        return [
            found if _shows_a_head(found) else [*self._again(frame), *found]
            for frame, found in zip(frames, at_first, strict=True)
        ]

    def _again(self, frame: Frame) -> list[Detection]:
        """The large heads on the first sheet that shows any, the surest first."""
        least = _MIN_SHARE * min(frame.width, frame.height)
        for size in _SIZES:
            sheet = _PaddedPicture(frame.picture, round(max(frame.width, frame.height) / size))
            (found,) = self._detector.detect([replace(frame, picture=sheet)])
            left, top = sheet.corner
            heads = [
                replace(one, box=one.box.move(-left, -top).clip(frame.width, frame.height))
                for one in found
                if one.kind is Kind.HEAD and one.sure
            ]
            if large := [head for head in heads if head.box.longer_side >= least]:
                return large
        return []


def _shows_a_head(found: Sequence[Detection]) -> bool:
    return any(one.kind is Kind.HEAD and one.sure for one in found)
