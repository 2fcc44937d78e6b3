"""Large frames looked at in pieces as well, for people far away."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from monitor.detect import Detector
from monitor.detect.picture_part import PicturePart
from monitor.domain import Detection, Frame
from monitor.geometry import Box

_SHARED = 0.2  # of a piece's side that the next one shows too
_EDGE_PX = 2.0  # a box that ends this near to a cut is not whole
_SAME = 0.6  # of the smaller of two boxes that lies in the other: one thing seen twice


class SlicedDetector:
    """A Detector that asks another about each frame and about its pieces. As thread-safe as that.

    Args:
        detector: Who is asked, in one batch for each frame.
        tiles: Pieces across and down, at least 2; they overlap by a fifth.

    Source:
        Akyon et al., "Slicing Aided Hyper Inference and Fine-tuning for Small Object
        Detection", 2022.
    """

    def __init__(self, detector: Detector, tiles: int) -> None:
        self._detector = detector
        self._tiles = tiles

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        return [self._one(frame) for frame in frames]

    def _one(self, frame: Frame) -> list[Detection]:
        pieces = [PicturePart(frame.picture, place) for place in _places(frame, self._tiles)]
        views = [frame, *(replace(frame, picture=piece) for piece in pieces)]
        whole, *parts = self._detector.detect(views)
        found = list(whole)
        for piece, seen in zip(pieces, parts, strict=True):
            for one in seen:
                box = one.box.move(piece.place.left, piece.place.top)
                if not _cut_off(box, piece.place, frame):
                    found.append(replace(one, box=box))
        return _once_each(found)


def _places(frame: Frame, tiles: int) -> Iterator[Box]:
    """Overlapping pieces, row by row, in whole pixels."""
    wide = int(frame.width / (tiles - (tiles - 1) * _SHARED))
    high = int(frame.height / (tiles - (tiles - 1) * _SHARED))
    for row in range(tiles):
        for column in range(tiles):
            left = (frame.width - wide) * column // (tiles - 1)
            top = (frame.height - high) * row // (tiles - 1)
            yield Box(left, top, left + wide, top + high)


def _cut_off(box: Box, place: Box, frame: Frame) -> bool:
    """Whether a box ends where its piece was cut from the frame."""
    return (
        (place.left > 0 and box.left - place.left < _EDGE_PX)
        or (place.top > 0 and box.top - place.top < _EDGE_PX)
        or (place.right < frame.width and place.right - box.right < _EDGE_PX)
        or (place.bottom < frame.height and place.bottom - box.bottom < _EDGE_PX)
    )


def _once_each(found: Sequence[Detection]) -> list[Detection]:
    """Best first; of two of a kind that are one thing, the better one."""
    stay: list[Detection] = []
    for one in sorted(found, key=lambda detection: detection.score, reverse=True):
        if not any(other.kind is one.kind and other.box.overlap(one.box) > _SAME for other in stay):
            stay.append(one)
    return stay
