"""Looking closer for heads that the first look missed."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.detect.second_look import SecondLook
from monitor.domain import Detection, Frame, Kind, Picture, Pixels, Subject, SubjectId
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from tests.support.fakes import ScriptedDetector, frame, head, person, subject

WIDTH, HEIGHT = 640, 360
STANDING = Box(100, 50, 180, 330)
ITS_HEAD = Box(125, 54, 155, 92)
BLANK = ArrayPicture(np.full((HEIGHT, WIDTH, 3), 128, np.uint8))


class Spots:
    """A Detector of white spots in parts of a picture: each is a head, the wider the surer."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.sizes: list[tuple[int, int]] = []

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        self.batches.append(len(frames))
        self.sizes += [(one.width, one.height) for one in frames]
        return [self._one(one.resize(one.width, one.height)) for one in frames]

    def _one(self, seen: Pixels) -> list[Detection]:
        _, _, stats, _ = cv2.connectedComponentsWithStats((seen[..., 0] > 200).astype(np.uint8))
        return [head(Box(x, y, x + w, y + h), w / 1000) for x, y, w, h, _ in stats[1:].tolist()]


def white(*boxes: Box, width: int = WIDTH, height: int = HEIGHT) -> ArrayPicture:
    pixels = np.full((height, width, 3), 128, np.uint8)
    for box in boxes:
        left, top, right, bottom = (int(edge) for edge in box.edges)
        pixels[top:bottom, left:right] = 255
    return ArrayPicture(pixels)


def headless(number: int, box: Box = STANDING) -> Subject:
    return subject(number, 0, None, person=box)


def spots_of(picture: Picture, *people: Subject) -> dict[SubjectId, Box]:
    return SecondLook(Spots()).find_heads(frame(0, picture), people)


def seconds_of_looks(look: SecondLook, detector: Spots, seconds: Sequence[float]) -> list[float]:
    """When one and the same person was looked at; nothing is found."""
    looks = []
    for second in seconds:
        before = len(detector.batches)
        look.find_heads(frame(second, BLANK), [headless(1)])
        looks += [second] * (len(detector.batches) - before)
    return looks


def test_a_head_is_given_in_pixels_of_the_frame() -> None:
    assert spots_of(white(ITS_HEAD), headless(7)) == {7: ITS_HEAD}


@pytest.mark.parametrize("factor", [2, 3])
def test_a_larger_stream_of_the_same_view_is_searched_instead(factor: int) -> None:
    large = white(ITS_HEAD.scale(factor), width=factor * WIDTH, height=factor * HEIGHT)
    detector = Spots()
    shown = replace(frame(0, BLANK), closer=lambda: large)
    assert SecondLook(detector).find_heads(shown, [headless(7)]) == {7: ITS_HEAD}
    ((wide, _),) = detector.sizes
    assert wide >= factor * STANDING.width


def test_a_larger_stream_of_another_view_is_left_alone() -> None:
    other = white(Box(0, 0, 900, 900), width=900, height=900)
    shown = replace(frame(0, white(ITS_HEAD)), closer=lambda: other)
    assert SecondLook(Spots()).find_heads(shown, [headless(7)]) == {7: ITS_HEAD}


@st.composite
def people_with_heads(draw: st.DrawFn) -> tuple[Box, Box]:
    """A person, also one who is cut off by the edge of the picture, and the head on top."""
    wide, tall = draw(st.integers(40, 200)), draw(st.integers(90, 340))
    left, top = draw(st.integers(-30, WIDTH - 50)), draw(st.integers(0, HEIGHT - 60))
    outline = Box(left, top, left + wide, top + tall).clip(WIDTH, HEIGHT)
    broad, high = draw(st.integers(8, 30)), draw(st.integers(8, 30))
    x = draw(st.integers(int(outline.left), int(outline.right)))
    y = draw(st.integers(int(outline.top), int(outline.top) + 20))
    return outline, Box(x, y, x + broad, y + high).clip(WIDTH, HEIGHT)


@given(people_with_heads(), st.sampled_from([1, 1.5, 2, 4]))
@settings(max_examples=150, deadline=None)
def test_coordinates_come_back_exactly_from_any_part_of_any_stream(
    one: tuple[Box, Box], factor: float
) -> None:
    outline, its_head = one
    assume(min(its_head.width, its_head.height) >= 4)
    assume(its_head.right <= outline.right + 0.2 * outline.width)
    assume(its_head.bottom <= outline.top + 0.6 * min(outline.height, 2 * outline.width))
    assume(factor * min(outline.width, 0.6 * outline.height) >= 24)
    whole = [factor * edge for edge in its_head.edges]
    assume(all(edge == int(edge) for edge in whole))
    picture = white(Box(*whole), width=int(factor * WIDTH), height=int(factor * HEIGHT))
    shown = replace(frame(0, BLANK), closer=lambda: picture) if factor > 1 else frame(0, picture)
    found = SecondLook(Spots()).find_heads(shown, [headless(1, outline)])
    assert found == {1: its_head}


def test_the_surest_head_of_a_part_is_taken() -> None:
    smaller = Box(100, 60, 120, 90)
    assert spots_of(white(ITS_HEAD, smaller), headless(7)) == {7: ITS_HEAD}


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param([replace(head(Box(20, 20, 50, 60)), sure=False)], id="a doubtful head"),
        pytest.param([person(Box(20, 20, 60, 90))], id="a person"),
        pytest.param([], id="nothing"),
    ],
)
def test_nothing_but_a_sure_head_counts(seen: list[Detection]) -> None:
    look = SecondLook(ScriptedDetector({0: seen}))
    assert look.find_heads(frame(0, BLANK), [headless(1)]) == {}


def test_a_sure_head_counts_beside_doubtful_ones_that_score_higher() -> None:
    seen = [
        Detection(Kind.HEAD, Box(0, 0, 30, 30), 0.9, sure=False),
        Detection(Kind.HEAD, Box(10, 10, 40, 40), 0.5),
    ]
    found = SecondLook(ScriptedDetector({0: seen})).find_heads(frame(0, BLANK), [headless(1)])
    assert [(box.width, box.height) for box in found.values()] == [(30, 30)]
    assert found[SubjectId(1)].left > STANDING.left - 30


def test_only_so_many_people_of_a_frame_are_looked_at_in_one_batch() -> None:
    detector = Spots()
    look = SecondLook(detector, max_parts=3)
    crowd = [headless(n, Box(60 * n, 50, 60 * n + 50, 330)) for n in range(8)]
    for n in range(4):
        look.find_heads(frame(n / 10, BLANK), crowd)
    assert detector.batches == [3, 3, 2], "then nobody is due"


def test_those_who_have_waited_longest_come_first() -> None:
    everybody = [headless(n, Box(60 * n, 50, 60 * n + 50, 330)) for n in range(6)]
    heads = [Box(60 * n + 10, 55, 60 * n + 40, 90) for n in range(6)]
    look = SecondLook(Spots(), max_parts=2)
    picture = white(*heads)
    looked_at = [set(look.find_heads(frame(n / 5, picture), everybody)) for n in range(3)]
    assert looked_at == [{0, 1}, {2, 3}, {4, 5}]


def test_pauses_double_while_nothing_is_found() -> None:
    detector = Spots()
    looks = seconds_of_looks(SecondLook(detector), detector, [n / 4 for n in range(4 * 42)])
    assert np.diff(looks).tolist() == [1, 2, 4, 8, 8, 8, 8]


def test_a_head_that_was_found_makes_the_pause_short_again() -> None:
    detector = Spots()
    look = SecondLook(detector)
    assert seconds_of_looks(look, detector, [0, 1, 3]) == [0, 1, 3]
    found = look.find_heads(frame(7, white(ITS_HEAD)), [headless(1)])
    assert found == {1: ITS_HEAD}
    assert seconds_of_looks(look, detector, [7.5, 8, 9, 10, 11]) == [8, 10]


def test_one_persons_pause_is_not_anothers() -> None:
    detector = Spots()
    look = SecondLook(detector)
    look.find_heads(frame(0, BLANK), [headless(1)])
    found = look.find_heads(frame(0.2, white(ITS_HEAD)), [headless(1), headless(2)])
    assert found == {2: ITS_HEAD}


def test_who_was_away_for_long_is_looked_at_as_at_first() -> None:
    detector = Spots()
    look = SecondLook(detector)
    seconds_of_looks(look, detector, [0, 1, 3, 7])
    seconds = [60, 61, 62, 63]
    assert seconds_of_looks(look, detector, seconds) == [60, 61, 63]


@pytest.mark.parametrize(
    "outline",
    [
        pytest.param(Box(100, 50, 115, 100), id="too far away"),
        pytest.param(Box(0, 0, 5, 300), id="almost out of view"),
        pytest.param(Box(640, 100, 640, 300), id="out of view"),
    ],
)
def test_a_part_too_small_for_a_head_worth_judging_is_not_looked_at(outline: Box) -> None:
    detector = Spots()
    assert SecondLook(detector).find_heads(frame(0, BLANK), [headless(1, outline)]) == {}
    assert detector.batches == []


def test_a_person_too_small_in_the_small_stream_is_looked_at_in_the_large_one() -> None:
    outline, its_head = Box(100, 50, 115, 100), Box(104, 51, 112, 60)
    large = white(its_head.scale(4), width=4 * WIDTH, height=4 * HEIGHT)
    shown = replace(frame(0, BLANK), closer=lambda: large)
    assert SecondLook(Spots()).find_heads(shown, [headless(1, outline)]) == {1: its_head}


def test_nobody_without_a_head_costs_nothing() -> None:
    detector = Spots()
    look = SecondLook(detector)
    assert look.find_heads(frame(0, BLANK), []) == {}
    assert look.find_heads(frame(0, BLANK), [subject(1, 0, ITS_HEAD)]) == {}, "without a person"
    assert detector.batches == []
