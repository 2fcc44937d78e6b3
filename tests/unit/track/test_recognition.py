"""Knowing people again who were lost, by where they were and by what they look like."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.schema import Tracking
from monitor.domain import Pixels, Subject, SubjectId
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.track import Tracker
from monitor.track.bytetrack import BodyTracker
from tests.support.fakes import YARD, frame, person

WIDTH, HEIGHT = 640, 360
STANDING = Box(100, 50, 200, 350)
SOON = Tracking(confirm_after=2, lost_after_s=2, remember_s=10)
RED, GREEN, BLUE = (30, 30, 200), (30, 200, 30), (200, 30, 30)  # blue, green, red

Colour = tuple[int, int, int]


def dressed(*people: tuple[Box, Colour]) -> ArrayPicture:
    """A grey picture of people who are of one colour each."""
    pixels: Pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for box, colour in people:
        left, top, right, bottom = (int(edge) for edge in box.clip(WIDTH, HEIGHT).edges)
        pixels[top:bottom, left:right] = colour
    return ArrayPicture(pixels)


def see(tracker: Tracker, seconds: float, *people: tuple[Box, Colour]) -> list[Subject]:
    """Show people, all of whom are detected."""
    scene = [person(box) for box, _ in people]
    return tracker.update(frame(seconds, dressed(*people)), scene)


def stay(
    tracker: Tracker, since: float, until: float, *people: tuple[Box, Colour]
) -> list[SubjectId]:
    """Show people five times a second, and who they are in the end, in their order."""
    seen: list[Subject] = []
    for n in range(round(5 * since), round(5 * until)):
        seen = see(tracker, n / 5, *people)
    ids = {subject.person: subject.id for subject in seen}
    return [ids[box] for box, _ in people]


def returning(
    before: tuple[Box, Colour], after: tuple[Box, Colour], *, pause_s: float = 5
) -> list[SubjectId]:
    """The ids of somebody who is there, and of whoever comes after a while."""
    tracker = BodyTracker(YARD, SOON)
    (first,) = stay(tracker, 0, 2, before)
    stay(tracker, 2, 2 + pause_s)
    (second,) = stay(tracker, 2 + pause_s, 3 + pause_s, after)
    return [first, second]


def test_who_comes_back_near_there_and_looking_alike_keeps_the_id() -> None:
    first, second = returning((STANDING, RED), (STANDING.move(80, -20), RED))
    assert first == second


def test_who_comes_back_larger_keeps_the_id() -> None:
    first, second = returning((Box(120, 110, 190, 310), RED), (STANDING, RED))
    assert first == second


@pytest.mark.parametrize(
    ("after", "pause_s"),
    [
        pytest.param((STANDING, BLUE), 5, id="in other colours"),
        pytest.param((STANDING.move(400, 0), RED), 5, id="far away"),
        pytest.param((Box(120, 140, 170, 290), RED), 5, id="much smaller"),
        pytest.param((STANDING, RED), 11, id="after the memory"),
    ],
)
def test_who_comes_otherwise_is_somebody_new(after: tuple[Box, Colour], pause_s: float) -> None:
    first, second = returning((STANDING, RED), after, pause_s=pause_s)
    assert second > first


@pytest.mark.parametrize("remember_s", [0, 1.5])
def test_without_a_longer_memory_who_comes_back_is_somebody_new(remember_s: float) -> None:
    tracker = BodyTracker(YARD, Tracking(lost_after_s=2, remember_s=remember_s))
    (first,) = stay(tracker, 0, 2, (STANDING, RED))
    stay(tracker, 2, 4.4)
    (second,) = stay(tracker, 4.4, 5, (STANDING, RED))
    assert second > first


def test_of_two_who_were_lost_the_one_who_looks_alike_comes_back() -> None:
    tracker = BodyTracker(YARD, SOON)
    beside = STANDING.move(120, 0)
    red, blue = stay(tracker, 0, 2, (STANDING, RED), (beside, BLUE))
    stay(tracker, 2, 5)
    assert stay(tracker, 5, 6, (STANDING, BLUE), (beside, RED)) == [blue, red]


def test_nobody_takes_the_id_of_a_living_person_who_looks_alike() -> None:
    """The guard is missed in the very picture in which a second one is believed."""
    tracker = BodyTracker(YARD, SOON)
    guard, colleague = (STANDING, GREEN), (STANDING.move(150, 0), GREEN)
    (first,) = stay(tracker, 0, 2, guard)
    see(tracker, 2.0, guard, colleague)
    (second,) = see(tracker, 2.2, colleague)
    both = {subject.person: subject.id for subject in see(tracker, 2.4, guard, colleague)}
    assert both == {guard[0]: first, colleague[0]: second.id}
    assert first != second.id


def test_who_is_just_found_again_keeps_the_id() -> None:
    """The guard is hidden for a second, and doubtful when the second one is believed."""
    tracker = BodyTracker(YARD, SOON)
    guard, colleague = (STANDING, GREEN), (STANDING.move(150, 0), GREEN)
    (first,) = stay(tracker, 0, 2, guard)
    stay(tracker, 2, 3)
    see(tracker, 3.0, colleague)
    scene = [person(colleague[0]), replace(person(guard[0]), score=0.2, sure=False)]
    both = tracker.update(frame(3.2, dressed(guard, colleague)), scene)
    assert {s.person: s.id == first for s in both} == {guard[0]: True, colleague[0]: False}


def test_who_comes_to_the_place_of_one_who_stepped_aside_is_somebody_else() -> None:
    tracker = BodyTracker(YARD, SOON)
    aside = (STANDING.move(150, 0), RED)
    (first,) = stay(tracker, 0, 2, (STANDING, RED))
    stay(tracker, 2, 2.6, aside)
    same, other = stay(tracker, 2.6, 3, aside, (STANDING, BLUE))
    assert same == first
    assert other > first


def test_who_steps_aside_faster_than_the_camera_looks_keeps_the_id() -> None:
    tracker = BodyTracker(YARD, SOON)
    (first,) = stay(tracker, 0, 2, (STANDING, RED))
    assert stay(tracker, 2, 3, (STANDING.move(150, 0), RED)) == [first]


@st.composite
def visits(draw: st.DrawFn) -> list[list[bool]]:
    """Who of three people is in view, stay by stay of 2.6 seconds."""
    return draw(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), max_size=7))


@given(visits())
@settings(max_examples=40, deadline=None)
def test_two_people_never_share_an_id(film: list[list[bool]]) -> None:
    """They come to one and the same place, in other clothes, or to two, in the same."""
    tracker = BodyTracker(YARD, SOON)
    there = [(STANDING, RED), (STANDING, BLUE), (STANDING.move(350, 0), RED)]
    ids: dict[int, set[SubjectId]] = {0: set(), 1: set(), 2: set()}
    for number, stays in enumerate(film):
        visible = [n for n in range(3) if stays[n] and not (n == 1 and stays[0])]
        since = 2.6 * 2 * number  # all leave in between, for longer than tracks live
        found = stay(tracker, since, since + 2.6, *(there[n] for n in visible))
        stay(tracker, since + 2.6, since + 5.2)
        for who, number_of_theirs in zip(visible, found, strict=True):
            ids[who].add(number_of_theirs)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not ids[first] & ids[second]
