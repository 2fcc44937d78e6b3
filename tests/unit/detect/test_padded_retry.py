"""A second look from further away: for faces that fill the picture, and only for those."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from monitor.detect.padded_retry import PaddedRetryDetector
from monitor.domain import Detection, Frame, Kind
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from tests.support.fakes import frame, person


class Timid:
    """A Detector of white spots that misses those that take up too much of what it is shown."""

    def __init__(self, most: float, *also: Detection) -> None:
        self._most = most
        self._also = also
        self.asked = 0

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        self.asked += len(frames)
        return [self._one(one) for one in frames]

    def _one(self, seen: Frame) -> list[Detection]:
        scale = 240 / max(seen.width, seen.height)
        small = seen.resize(round(seen.width * scale), round(seen.height * scale))
        _, _, stats, _ = cv2.connectedComponentsWithStats((small[..., 0] > 160).astype(np.uint8))
        spots = [
            Detection(Kind.HEAD, Box(x, y, x + w, y + h).scale(1 / scale), 0.9)
            for x, y, w, h, _ in stats[1:].tolist()
            if max(w, h) <= self._most * 240
        ]
        return [*spots, *self._also]


def scene(*spots: Box, width: int = 120, height: int = 160) -> Frame:
    pixels = np.zeros((height, width, 3), np.uint8)
    for box in spots:
        left, top, right, bottom = (round(edge) for edge in box.edges)
        pixels[top:bottom, left:right] = 255
    return frame(0.0, ArrayPicture(pixels))


TIGHT = Box(15, 20, 105, 140)


@pytest.mark.parametrize("most", [0.55, 0.35], ids=["a little afar", "further afar"])
def test_a_head_that_fills_the_picture_is_found_where_it_is(most: float) -> None:
    assert Timid(most).detect([scene(TIGHT)]) == [[]], "at first sight it is missed"
    ((found,),) = PaddedRetryDetector(Timid(most)).detect([scene(TIGHT)])
    edges = found.box.edges
    assert edges == pytest.approx((15, 20, 105, 140), abs=4)


def test_a_head_in_a_wide_picture_is_found_where_it_is() -> None:
    beside = Box(150, 10, 230, 110)
    ((found,),) = PaddedRetryDetector(Timid(0.3)).detect([scene(beside, width=240, height=120)])
    edges = found.box.edges
    assert edges == pytest.approx((150, 10, 230, 110), abs=5)


def test_a_picture_that_shows_a_head_is_looked_at_once() -> None:
    detector = Timid(0.5)
    ((found,),) = PaddedRetryDetector(detector).detect([scene(Box(40, 40, 70, 80))])
    assert found.box.area < 40 * 50
    assert detector.asked == 1


@pytest.mark.parametrize(("sure", "found"), [(True, [True]), (False, [])])
def test_a_doubtful_head_is_looked_for_again_and_is_not_enough(
    sure: bool,  # noqa: FBT001  (a parameter of the test)
    found: list[bool],
) -> None:
    class Doubting(Timid):
        """Is not sure of what it sees in the picture itself, nor perhaps on grey."""

        def _one(self, seen: Frame) -> list[Detection]:
            return [replace(d, sure=sure and seen.width > 160) for d in super()._one(seen)]

    detector = Doubting(0.9)
    (heads,) = PaddedRetryDetector(detector).detect([scene(TIGHT)])
    assert detector.asked > 1
    assert [one.sure for one in heads if one.sure] == found


def test_what_is_small_from_near_is_no_head_from_afar() -> None:
    class Dreamer(Timid):
        """Sees things in small pictures."""

        def _one(self, seen: Frame) -> list[Detection]:
            middle = seen.width / 2
            dream = Box(middle, middle, middle + 12, middle + 12)
            return [] if seen.width < 200 else [Detection(Kind.HEAD, dream, 0.9)]

    assert PaddedRetryDetector(Dreamer(0.5)).detect([scene()]) == [[]]


def test_people_are_those_of_the_first_look() -> None:
    whole = person(Box(0, 0, 120, 160))
    found, body = PaddedRetryDetector(Timid(0.35, whole)).detect([scene(TIGHT)])[0]
    assert (found.kind, body) == (Kind.HEAD, whole)


def test_an_empty_picture_stays_empty_and_each_frame_has_its_own_answer() -> None:
    answers = PaddedRetryDetector(Timid(0.35)).detect(
        [scene(), scene(TIGHT), scene(Box(40, 40, 60, 65))]
    )
    assert [len(found) for found in answers] == [0, 1, 1]


def test_a_crop_is_cut_from_the_picture_not_from_the_grey_around_it() -> None:
    class Cutting(Timid):
        """Notes what its frames look like where they show something."""

        def _one(self, seen: Frame) -> list[Detection]:
            self.cut = seen.cut(Box(0, 0, seen.width, seen.height))
            return []

    detector = Cutting(0.5)
    PaddedRetryDetector(detector).detect([scene(TIGHT)])
    assert detector.cut.shape == (160, 120, 3)
