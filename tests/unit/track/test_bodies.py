"""Putting faces on people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Detection, Kind
from monitor.geometry import Box
from monitor.track.bodies import bodies, guessed_head, guessed_outline
from tests.support.fakes import face, person

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
    assert body.outline == guessed_outline(ITS_FACE).clip(WIDTH, HEIGHT)
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


ADULT = Box(200, 20, 320, 350)
ADULTS_FACE = Box(242, 28, 278, 70)
CHILD = Box(220, 180, 290, 350)
CHILDS_FACE = Box(243, 186, 267, 214)
SEATED = Box(400, 150, 560, 330)
SEATED_FACE = Box(454, 175, 506, 238)


@pytest.mark.parametrize(
    ("people", "faces", "expected"),
    [
        pytest.param(
            [ADULT, CHILD],
            [CHILDS_FACE, ADULTS_FACE],
            [(ADULT, ADULTS_FACE), (CHILD, CHILDS_FACE)],
            id="a child before an adult",
        ),
        pytest.param(
            [ADULT, CHILD],
            [CHILDS_FACE],
            [(ADULT, None), (CHILD, CHILDS_FACE)],
            id="a child before an adult who looks away",
        ),
        pytest.param(
            [ADULT],
            [CHILDS_FACE],
            [(ADULT, None), (None, CHILDS_FACE)],
            id="a child that was missed, before an adult who looks away",
        ),
        pytest.param(
            [STANDING],
            [Box(160, 62, 168, 72)],
            [(STANDING, None), (None, Box(160, 62, 168, 72))],
            id="somebody far behind looks over a shoulder",
        ),
        pytest.param([SEATED], [SEATED_FACE], [(SEATED, SEATED_FACE)], id="seated, cut by a desk"),
        pytest.param(
            [STANDING], [Box(168, 62, 198, 102)], [(STANDING, Box(168, 62, 198, 102))], id="leaning"
        ),
    ],
)
def test_faces_go_to_whom_they_fit_in_place_and_size(
    people: list[Box], faces: list[Box], expected: list[tuple[Box | None, Box | None]]
) -> None:
    found = bodies([*map(person, people), *map(face, faces)], WIDTH, HEIGHT)
    assert [(body.person, body.face) for body in found] == expected


def test_nobody_loses_a_face_to_somebody_whom_it_fits_a_little_better() -> None:
    """Two stand close; the right one's face was missed, the left one bends towards it."""
    right = Box(130, 50, 230, 350)
    shared, other = Box(150, 62, 180, 102), Box(164, 60, 194, 100)
    found = bodies([person(STANDING), person(right), face(shared), face(other)], WIDTH, HEIGHT)
    assert [(body.person, body.face) for body in found] == [(STANDING, shared), (right, other)]


def test_one_face_found_twice_is_one_face() -> None:
    twice = [face(ITS_FACE, 0.5), face(Box(137, 62, 167, 102), 0.9)]
    (body,) = bodies(twice, WIDTH, HEIGHT)
    assert body.score == 0.9


@given(detections)
def test_nobody_is_lost_and_nobody_is_doubled(seen: list[Detection]) -> None:
    people = [d.box for d in seen if d.kind is Kind.PERSON]
    faces = [d.box for d in seen if d.kind is Kind.HEAD]
    found = bodies(seen, WIDTH, HEIGHT)
    assert [body.person for body in found if body.person is not None] == people
    shown = [body.face for body in found if body.face is not None]
    assert all(shown.count(box) <= faces.count(box) for box in shown)
    assert bool(shown) == bool(faces), "of faces that lie on one another the best is kept"
    assert all(body.person is not None or body.face is not None for body in found)


@given(detections)
def test_an_outline_lies_in_the_frame(seen: list[Detection]) -> None:
    assert all(b.outline == b.outline.clip(WIDTH, HEIGHT) for b in bodies(seen, WIDTH, HEIGHT))


@given(boxes_within(4000, 4000))
def test_a_head_that_was_not_found_is_looked_for_in_the_upper_part(outline: Box) -> None:
    head = guessed_head(outline)
    slack = 1e-6 * 4000
    assert outline.left - slack <= head.left <= head.right <= outline.right + slack
    assert outline.top <= head.top
    assert head.bottom <= outline.top + 0.9 * outline.height + slack


@pytest.mark.parametrize(
    ("outline", "least_px", "most_px"),
    [
        pytest.param(Box(0, 0, 100, 300), 30, 60, id="standing, from the front"),
        pytest.param(Box(0, 0, 40, 300), 25, 50, id="standing, in profile"),
        pytest.param(Box(0, 0, 200, 240), 70, 90, id="cut off at the waist"),
        pytest.param(Box(0, 0, 220, 180), 80, 100, id="head and shoulders"),
    ],
)
def test_a_guessed_head_is_about_as_large_as_heads_are(
    outline: Box, least_px: float, most_px: float
) -> None:
    head = guessed_head(outline)
    assert least_px <= head.height <= most_px
    assert head.top < 0.25 * outline.bottom
