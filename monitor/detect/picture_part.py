"""A part of a picture as a picture of its own, for detectors that look closer."""

from dataclasses import dataclass

import cv2
import numpy as np

from monitor.domain import Picture, Pixels
from monitor.geometry import Box


@dataclass(frozen=True, slots=True)
class PicturePart:
    """A Picture: part of another, in its own pixels. ``place`` has whole numbers as edges."""

    whole: Picture
    place: Box

    @property
    def width(self) -> int:
        """See Picture."""
        return int(self.place.width)

    @property
    def height(self) -> int:
        """See Picture."""
        return int(self.place.height)

    def resize(self, width: int, height: int) -> Pixels:
        """See Picture."""
        part = self.whole.cut(self.place)
        how = cv2.INTER_AREA if width < part.shape[1] else cv2.INTER_LINEAR
        return cv2.resize(part, (width, height), interpolation=how).astype(np.uint8, copy=False)

    def cut(self, box: Box) -> Pixels:
        """See Picture."""
        return self.whole.cut(box.move(self.place.left, self.place.top))
