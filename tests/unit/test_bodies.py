"""Putting faces on people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Detection, Kind
from monitor.geometry import Box
from monitor.track.bodies import bodies, guessed_head, guessed_outline
from tests.fakes import face, person

WIDTH, HEIGHT = 640, 360
STANDING = Box(100, 50, 200, 350)
ITS_FACE = Box(135, 60, 165, 100)


def boxes_within(width: int, height: int) -> st.SearchStrategy[Box]:
    across = st.tuples(st.integers(0, width), st.integers(0, width)).map(sorted)
    down = st.tuples(st.integers(0, height), st.integers(0, height)).map(sorted)
    return st.builds(lambda x, y: Box(x[0], y[0], x[1], y[1]), across, down)


detections = st.lists(
    st.builds(
        Detection, st.sampled_from(Kind), boxes_within(WIDTH, HEIGHT), st.floats(0, 1, width=32)
    ),
    max_size=8,
)


def test_a_face_goes_to_the_person_it_belongs_to() -> None:
    (body,) = bodies([person(STANDING, 0.6), face(ITS_FACE, 0.8)], WIDTH, HEIGHT)
    assert (body.person, body.face, body.outline) == (STANDING, ITS_FACE, STANDING)
    assert body.score == 0.8


def test_a_person_without_a_face_is_a_body_like_any_other() -> None:
    (body,) = bodies([person(STANDING, 0.6)], WIDTH, HEIGHT)
    assert (body.person, body.face, body.score) == (STANDING, None, 0.6)


def test_a_face_without_a_person_is_a_body_with_a_guessed_outline() -> None:
    (body,) = bodies([face(ITS_FACE, 0.7)], WIDTH, HEIGHT)
    assert (body.person, body.face, body.score) == (None, ITS_FACE, 0.7)
    assert body.outline == guessed_outline(ITS_FACE).clipped(WIDTH, HEIGHT)
    assert body.outline.area > 4 * ITS_FACE.area


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(Box(135, 290, 165, 330), id="on a poster they carry at their knees"),
        pytest.param(Box(300, 60, 330, 100), id="beside them"),
        pytest.param(Box(135, 5, 165, 45), id="above them"),
    ],
)
def test_a_face_where_no_head_can_be_is_somebody_elses(elsewhere: Box) -> None:
    found = bodies([person(STANDING), face(elsewhere)], WIDTH, HEIGHT)
    assert [(body.person, body.face) for body in found] == [(STANDING, None), (None, elsewhere)]


def test_of_two_people_in_one_place_each_gets_the_face_that_fits() -> None:
    behind = Box(150, 40, 250, 340)
    their_face = Box(185, 50, 215, 90)
    seen = [face(their_face), face(ITS_FACE), person(STANDING), person(behind)]
    found = bodies(seen, WIDTH, HEIGHT)
    assert [(b.person, b.face) for b in found] == [(STANDING, ITS_FACE), (behind, their_face)]


def test_one_face_found_twice_is_one_face() -> None:
    twice = [face(ITS_FACE, 0.5), face(Box(137, 62, 167, 102), 0.9)]
    (body,) = bodies(twice, WIDTH, HEIGHT)
    assert body.score == 0.9


@given(detections)
def test_nobody_is_lost_and_nobody_is_doubled(seen: list[Detection]) -> None:
    people = [d.box for d in seen if d.kind is Kind.PERSON]
    faces = [d.box for d in seen if d.kind is Kind.FACE]
    found = bodies(seen, WIDTH, HEIGHT)
    assert [body.person for body in found if body.person is not None] == people
    shown = [body.face for body in found if body.face is not None]
    assert all(shown.count(box) <= faces.count(box) for box in shown)
    assert bool(shown) == bool(faces), "of faces that lie on one another the best is kept"
    assert all(body.person is not None or body.face is not None for body in found)


@given(detections)
def test_an_outline_lies_in_the_frame(seen: list[Detection]) -> None:
    assert all(b.outline == b.outline.clipped(WIDTH, HEIGHT) for b in bodies(seen, WIDTH, HEIGHT))


@given(boxes_within(4000, 4000))
def test_a_head_that_was_not_found_is_looked_for_in_the_upper_part(outline: Box) -> None:
    head = guessed_head(outline)
    slack = 1e-6 * 4000
    assert outline.left - slack <= head.left <= head.right <= outline.right + slack
    assert outline.top <= head.top
    assert head.bottom <= outline.top + 0.4 * (outline.bottom - outline.top) + slack


@pytest.mark.parametrize(
    ("outline", "least_px", "most_px"),
    [
        pytest.param(Box(0, 0, 100, 300), 30, 60, id="standing, from the front"),
        pytest.param(Box(0, 0, 40, 300), 25, 50, id="standing, in profile"),
        pytest.param(Box(0, 0, 200, 240), 45, 90, id="cut off at the waist"),
    ],
)
def test_a_guessed_head_is_about_as_large_as_heads_are(
    outline: Box, least_px: float, most_px: float
) -> None:
    head = guessed_head(outline)
    assert least_px <= head.bottom - head.top <= most_px
