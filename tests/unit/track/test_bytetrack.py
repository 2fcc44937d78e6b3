"""Following people, and knowing where their heads are."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.schema import Tracking
from monitor.domain import CameraId, Detection, Kind, Subject
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.track import Tracker
from monitor.track.bytetrack import BodyTracker
from tests.support.fakes import YARD, frame, head, moment, person

WIDTH, HEIGHT = 640, 360
BLANK = ArrayPicture(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
STANDING = Box(100, 50, 200, 350)
ITS_HEAD = Box(125, 52, 170, 112)
SOON = Tracking(confirm_after=2, lost_after_s=2, remember_s=10)

Scene = list[Detection]
Film = list[tuple[float, Scene]]  # seconds since the picture before, and what is in it


@st.composite
def detections(draw: st.DrawFn) -> Detection:
    left, right = sorted((draw(st.integers(0, WIDTH)), draw(st.integers(0, WIDTH))))
    top, bottom = sorted((draw(st.integers(0, HEIGHT)), draw(st.integers(0, HEIGHT))))
    box = Box(left, top, right, bottom)
    kind, score = draw(st.sampled_from(Kind)), draw(st.floats(0.05, 1))
    return Detection(kind, box, score, sure=draw(st.booleans()))


films = st.lists(
    st.tuples(st.sampled_from([0.04, 0.2, 1, 2.5, 9]), st.lists(detections(), max_size=4)),
    max_size=12,
)


def show(tracker: Tracker, seconds: float, scene: Sequence[Detection]) -> list[Subject]:
    return tracker.update(frame(seconds, BLANK), scene)


def meet(tracker: Tracker, seconds: float, scene: Sequence[Detection]) -> list[Subject]:
    """Who is known once a scene has been there for as long as it takes to be sure."""
    show(tracker, seconds - 0.1, scene)
    return show(tracker, seconds, scene)


def play(tracker: Tracker, film: Film) -> list[list[Subject]]:
    seconds, seen = 0.0, []
    for pause, scene in film:
        seconds += pause
        seen.append(show(tracker, seconds, scene))
    return seen


@given(films)
@settings(max_examples=150)
def test_no_two_in_a_picture_share_an_id_and_no_id_outlives_the_memory(film: Film) -> None:
    last_seen: dict[int, float] = {}
    seconds = 0.0
    for (pause, _), subjects in zip(film, play(BodyTracker(YARD, SOON), film), strict=True):
        seconds += pause
        ids = [int(subject.id) for subject in subjects]
        assert len(ids) == len(set(ids)), "two people in one picture"
        newest = max(last_seen, default=0)
        for number in ids:
            known = number in last_seen
            assert known or number > newest, "a new subject gets a number nobody had"
            assert not known or seconds - last_seen[number] <= SOON.remember_s + 1e-6
        last_seen |= dict.fromkeys(ids, seconds)


@given(films, films)
@settings(max_examples=60)
def test_two_cameras_trackers_share_nothing(mine: Film, other: Film) -> None:
    alone = play(BodyTracker(YARD, SOON), mine)
    here, there = BodyTracker(YARD, SOON), BodyTracker(CameraId("lobby"), SOON)
    seconds, between = 0.0, []
    for index, (pause, scene) in enumerate(mine):
        seconds += pause
        show(there, seconds, other[index][1] if index < len(other) else [])
        between.append(show(here, seconds, scene))
    assert between == alone


@given(films)
@settings(max_examples=60)
def test_a_head_lies_inside_the_picture(film: Film) -> None:
    for subjects in play(BodyTracker(YARD, SOON), film):
        for subject in subjects:
            assert subject.head is None or subject.head == subject.head.clip(WIDTH, HEIGHT)
            assert subject.person is not None or subject.head is not None
            assert subject.camera == YARD


def test_a_person_without_a_head_is_a_subject_without_one() -> None:
    (subject,) = meet(BodyTracker(YARD, SOON), 0, [person(STANDING)])
    assert (subject.person, subject.head) == (STANDING, None)


def test_a_head_without_a_person_is_a_subject() -> None:
    (subject,) = meet(BodyTracker(YARD, SOON), 0, [head(ITS_HEAD)])
    assert (subject.person, subject.head) == (None, ITS_HEAD)


def test_a_person_whose_head_comes_and_goes_stays_one_subject() -> None:
    tracker = BodyTracker(YARD, SOON)
    both, body = [person(STANDING), head(ITS_HEAD)], [person(STANDING)]
    scenes = [both, body, both, body, body, both]
    seen = [show(tracker, n / 5, scene) for n, scene in enumerate(scenes)]
    assert [subject.id for subjects in seen for subject in subjects] == [1] * 5


def test_a_head_that_is_missed_is_where_it_was_on_its_person() -> None:
    tracker = BodyTracker(YARD, SOON)
    meet(tracker, 0, [person(STANDING), head(ITS_HEAD)])
    (subject,) = show(tracker, 0.2, [person(STANDING.move(10, 0))])
    assert subject.head is not None
    edges = subject.head.edges
    assert edges == pytest.approx((135, 52, 180, 112))


def test_a_head_that_is_missed_grows_with_its_person() -> None:
    tracker = BodyTracker(YARD, SOON)
    meet(tracker, 0, [person(STANDING), head(ITS_HEAD)])
    (subject,) = show(tracker, 0.2, [person(Box(90, 30, 210, 360))])
    assert subject.head is not None
    edges = subject.head.edges
    assert edges == pytest.approx((120, 32.2, 174, 98.2))


def test_a_head_that_is_half_out_of_the_picture_ends_at_its_edge() -> None:
    tracker = BodyTracker(YARD, SOON)
    meet(tracker, 0, [person(STANDING), head(Box(95, 60, 130, 100))])
    for n, left in enumerate((60, 30, 0)):
        (subject,) = show(tracker, 0.2 + n / 5, [person(Box(left, 50, left + 100, 350))])
    assert subject.head == Box(0, 60, 30, 100)


def test_a_head_is_carried_along_for_a_second_and_then_not_known() -> None:
    tracker = BodyTracker(YARD, SOON)
    meet(tracker, 0, [person(STANDING), head(ITS_HEAD)])
    heads = [show(tracker, n / 5, [person(STANDING)])[0].head for n in range(1, 16)]
    assert heads[:5] == [ITS_HEAD] * 5
    assert heads[5:] == [None] * 10


def test_a_head_that_was_found_by_looking_closer_is_carried_along_too() -> None:
    tracker = BodyTracker(YARD, SOON)
    (before,) = meet(tracker, 0, [person(STANDING)])
    assert before.head is None
    tracker.place_head(before.id, ITS_HEAD, 0)
    (after,) = show(tracker, 0.8, [person(STANDING.move(5, 0))])
    assert after.head == ITS_HEAD.move(5, 0)
    (late,) = show(tracker, 1.2, [person(STANDING.move(5, 0))])
    assert late.head is None


def test_a_head_is_placed_on_nobody_else() -> None:
    tracker = BodyTracker(YARD, SOON)
    pair = [person(STANDING), person(STANDING.move(300, 0))]
    first, second = meet(tracker, 0, pair)
    tracker.place_head(first.id, ITS_HEAD, 0)
    assert {s.id: s.head for s in show(tracker, 0.2, pair)} == {first.id: ITS_HEAD, second.id: None}


def test_who_comes_back_has_the_head_that_is_found_then() -> None:
    tracker = BodyTracker(YARD, SOON)
    (before,) = meet(tracker, 0, [person(STANDING), head(ITS_HEAD)])
    for n in range(1, 20):
        show(tracker, n / 5, [])
    (after,) = meet(tracker, 4, [person(STANDING)])
    assert (after.id, after.head) == (before.id, None)


def test_one_detection_is_not_yet_a_person() -> None:
    tracker = BodyTracker(YARD, Tracking(confirm_after=3))
    counts = [len(show(tracker, n / 5, [person(STANDING)])) for n in range(5)]
    assert counts == [0, 0, 1, 1, 1]


def doubtful(box: Box) -> Detection:
    return Detection(Kind.PERSON, box, 0.2, sure=False)


def test_what_the_detector_is_not_sure_of_is_nobody_new() -> None:
    tracker = BodyTracker(YARD, SOON)
    assert [show(tracker, n / 5, [doubtful(STANDING)]) for n in range(6)] == [[]] * 6


def test_who_is_followed_is_not_lost_while_the_detector_doubts() -> None:
    tracker = BodyTracker(YARD, SOON)
    (before,) = meet(tracker, 0, [person(STANDING)])
    seen = [show(tracker, n / 5, [doubtful(STANDING)]) for n in range(1, 30)]
    assert [[subject.id for subject in subjects] for subjects in seen] == [[before.id]] * 29


def test_a_doubtful_head_alone_is_nobody() -> None:
    tracker = BodyTracker(YARD, SOON)
    alone = [Detection(Kind.HEAD, ITS_HEAD, 0.2, sure=False)]
    assert [show(tracker, n / 5, alone) for n in range(6)] == [[]] * 6


def test_a_sure_head_is_somebody_without_the_doubtful_person_about_it() -> None:
    both = [doubtful(STANDING), head(ITS_HEAD)]
    (subject,) = meet(BodyTracker(YARD, SOON), 0, both)
    assert (subject.person, subject.head) == (None, ITS_HEAD)


def test_a_doubtful_box_about_several_people_takes_nobodys_place() -> None:
    """A man with a head and a woman lost each other's numbers to a box about both."""
    tracker = BodyTracker(YARD, SOON)
    hers = Box(220, 80, 300, 350)
    wide = doubtful(Box(90, 40, 330, 355))
    first = meet(tracker, 0, [person(STANDING), head(ITS_HEAD), person(hers)])
    for n in range(1, 20):
        some = [head(ITS_HEAD), wide, person(hers) if n % 3 else doubtful(hers)]
        ids = {subject.id for subject in show(tracker, n / 5, some)}
        assert ids <= {subject.id for subject in first}


@pytest.mark.parametrize("fps", [2, 5, 25])
def test_who_is_hidden_for_a_moment_is_the_same_at_any_rate(fps: int) -> None:
    tracker = BodyTracker(YARD, SOON)
    seen = [show(tracker, n / fps, [person(STANDING)]) for n in range(fps)]
    for n in range(fps, 2 * fps):
        assert show(tracker, n / fps, []) == []
    (after,) = show(tracker, 2, [person(STANDING)])
    assert {s.id for subjects in seen for s in subjects} == {after.id}
    assert (after.first_seen, after.last_seen) == (moment(1 / fps), moment(2))


@pytest.mark.parametrize("fps", [2, 5, 25])
def test_who_comes_back_where_they_were_lost_is_the_same_at_any_rate(fps: int) -> None:
    tracker = BodyTracker(YARD, SOON)
    (before,) = meet(tracker, 0, [person(STANDING)])
    for n in range(1, 5 * fps - fps // 2):
        show(tracker, n / fps, [])
    (after,) = meet(tracker, 5, [person(STANDING)])
    assert (after.id, after.first_seen, after.last_seen) == (before.id, moment(0), moment(5))


@given(films)
@settings(max_examples=60)
def test_who_is_seen_in_two_pictures_running_is_known_since_the_same_moment(film: Film) -> None:
    seen = play(BodyTracker(YARD, SOON), film)
    for before, after in pairwise(seen):
        since = {subject.id: subject.first_seen for subject in before}
        assert all(since.get(s.id, s.first_seen) == s.first_seen for s in after)


def test_two_people_who_pass_each_other_keep_their_ids() -> None:
    tracker = BodyTracker(YARD, SOON)
    walks = [
        [person(Box(x, 50, x + 80, 330)), person(Box(520 - x, 60, 600 - x, 340))]
        for x in range(0, 521, 20)
    ]
    seen = [show(tracker, n / 10, scene) for n, scene in enumerate(walks)]
    assert {subject.id for subjects in seen for subject in subjects} == {1, 2}
