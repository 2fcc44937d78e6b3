"""Large frames in pieces: small things are found, nothing twice, nothing cut in half."""

from collections.abc import Sequence

import cv2
import numpy as np

from monitor.detect.sliced import SlicedDetector
from monitor.domain import Detection, Frame, Kind
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from tests.support.fakes import frame


class Spots:
    """A Detector of white spots that scales to 100 pixels and misses what is then below 8."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        self.batches.append(len(frames))
        return [self._one(one) for one in frames]

    def _one(self, seen: Frame) -> list[Detection]:
        scale = 100 / max(seen.width, seen.height)
        small = seen.resize(round(seen.width * scale), round(seen.height * scale))
        _, _, stats, _ = cv2.connectedComponentsWithStats((small[..., 0] > 127).astype(np.uint8))
        return [
            Detection(Kind.HEAD, Box(x, y, x + w, y + h).scale(1 / scale), 0.5 + w / 1000)
            for x, y, w, h, _ in stats[1:].tolist()
            if min(w, h) >= 8
        ]


def scene(*boxes: tuple[int, int, int, int]) -> Frame:
    pixels = np.zeros((300, 400, 3), np.uint8)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = 255
    return frame(0.0, ArrayPicture(pixels))


def centres(found: Sequence[Detection]) -> list[tuple[int, int]]:
    return sorted((round(d.box.centre[0] / 20), round(d.box.centre[1] / 20)) for d in found)


def test_small_things_are_found_where_they_are_in_the_frame() -> None:
    far = scene((30, 30, 50, 50), (350, 230, 370, 250))
    assert Spots().detect([far]) == [[]], "too small in the whole frame"
    (found,) = SlicedDetector(Spots(), 2).detect([far])
    assert centres(found) == [(2, 2), (18, 12)]


def test_what_several_pieces_show_is_reported_once_and_whole() -> None:
    """Across the cuts lies a thing so large that only the whole frame shows it whole."""
    both = scene((190, 140, 212, 162), (60, 60, 330, 120))
    (found,) = SlicedDetector(Spots(), 2).detect([both])
    assert len(found) == 2
    widths = sorted(round(d.box.width, -1) for d in found)
    assert widths == [20, 270]
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


def test_each_frame_is_one_batch_with_all_its_pieces() -> None:
    spots = Spots()
    assert SlicedDetector(spots, 3).detect([scene(), scene()]) == [[], []]
    assert spots.batches == [10, 10]
