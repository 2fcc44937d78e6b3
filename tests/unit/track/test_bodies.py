"""Putting heads on people."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.domain import Detection, Kind
from monitor.geometry import Box
from monitor.track.bodies import (
    Body,
    assemble_bodies,
    find_private_areas,
    guess_outline,
    upper_part,
)
from tests.support.fakes import head, person

WIDTH, HEIGHT = 640, 360
STANDING = Box(100, 50, 200, 350)
ITS_HEAD = Box(125, 52, 170, 112)

Pair = tuple[Box | None, Box | None]


def boxes_within(width: int, height: int) -> st.SearchStrategy[Box]:
    across = st.tuples(st.integers(0, width), st.integers(0, width)).map(sorted)
    down = st.tuples(st.integers(0, height), st.integers(0, height)).map(sorted)
    return st.builds(lambda x, y: Box(x[0], y[0], x[1], y[1]), across, down)


detections = st.lists(
    st.builds(
        Detection,
        st.sampled_from(Kind),
        boxes_within(WIDTH, HEIGHT),
        st.floats(0, 1, width=32),
        st.booleans(),
    ),
    max_size=8,
)


def doubtful(detection: Detection) -> Detection:
    return replace(detection, score=0.2, sure=False)


def assemble(*seen: Detection) -> list[Body]:
    return assemble_bodies(seen, WIDTH, HEIGHT)


def pairs(*seen: Detection) -> list[Pair]:
    return [(body.person, body.head) for body in assemble(*seen)]


def test_a_head_goes_to_the_person_it_belongs_to() -> None:
    (body,) = assemble(person(STANDING, 0.6), head(ITS_HEAD, 0.8))
    assert (body.person, body.head, body.outline) == (STANDING, ITS_HEAD, STANDING)
    assert (body.score, body.sure) == (0.8, True)


def test_a_person_without_a_head_is_a_body_like_any_other() -> None:
    (body,) = assemble(person(STANDING, 0.6))
    assert (body.person, body.head, body.score, body.sure) == (STANDING, None, 0.6, True)


def test_a_head_without_a_person_is_a_body_with_a_guessed_outline() -> None:
    (body,) = assemble(head(ITS_HEAD, 0.7))
    assert (body.person, body.head, body.score, body.sure) == (None, ITS_HEAD, 0.7, True)
    assert body.outline == guess_outline(ITS_HEAD).clip(WIDTH, HEIGHT)
    assert body.outline.area > 4 * ITS_HEAD.area


@given(boxes_within(WIDTH, HEIGHT))
def test_a_guessed_person_is_about_the_head(box: Box) -> None:
    outline, slack = guess_outline(box), 1e-9 * WIDTH
    assert outline.left <= box.left + slack
    assert outline.top <= box.top
    assert outline.right >= box.right - slack
    assert outline.bottom >= box.bottom


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(Box(300, 60, 345, 120), id="beside them"),
        pytest.param(Box(175, 60, 230, 120), id="mostly beside them"),
        pytest.param(Box(125, 5, 170, 65), id="above them"),
        pytest.param(Box(90, 30, 210, 362), id="larger than they are"),
        pytest.param(Box(150, 60, 150, 120), id="nowhere, for it is empty"),
    ],
)
def test_a_head_that_cannot_be_this_persons_is_somebody_elses(elsewhere: Box) -> None:
    assert pairs(person(STANDING), head(elsewhere)) == [(STANDING, None), (None, elsewhere)]


BEHIND = Box(150, 40, 250, 340)
THEIR_HEAD = Box(180, 42, 222, 98)
ADULT, ADULTS_HEAD = Box(200, 20, 320, 350), Box(235, 22, 285, 85)
CHILD, CHILDS_HEAD = Box(220, 180, 290, 350), Box(238, 182, 272, 224)
SEATED, SEATED_HEAD = Box(400, 150, 560, 330), Box(446, 155, 514, 240)


@pytest.mark.parametrize(
    ("people", "heads", "expected"),
    [
        pytest.param(
            [STANDING, BEHIND],
            [THEIR_HEAD, ITS_HEAD],
            [(STANDING, ITS_HEAD), (BEHIND, THEIR_HEAD)],
            id="one behind the other",
        ),
        pytest.param(
            [STANDING, BEHIND],
            [Box(150, 60, 195, 120)],
            [(STANDING, Box(150, 60, 195, 120)), (BEHIND, None)],
            id="one head that could be either's",
        ),
        pytest.param(
            [ADULT, CHILD],
            [CHILDS_HEAD, ADULTS_HEAD],
            [(ADULT, ADULTS_HEAD), (CHILD, CHILDS_HEAD)],
            id="a child before an adult",
        ),
        pytest.param(
            [ADULT, CHILD],
            [CHILDS_HEAD],
            [(ADULT, None), (CHILD, CHILDS_HEAD)],
            id="a child before an adult whose head was missed",
        ),
        pytest.param(
            [ADULT],
            [CHILDS_HEAD, ADULTS_HEAD],
            [(ADULT, ADULTS_HEAD), (None, CHILDS_HEAD)],
            id="a child that was missed, before an adult",
        ),
        pytest.param(
            [STANDING],
            [Box(176, 60, 188, 76), ITS_HEAD],
            [(STANDING, ITS_HEAD), (None, Box(176, 60, 188, 76))],
            id="somebody far behind looks over a shoulder",
        ),
        pytest.param([SEATED], [SEATED_HEAD], [(SEATED, SEATED_HEAD)], id="seated, cut by a desk"),
        pytest.param(
            [STANDING], [Box(160, 55, 205, 115)], [(STANDING, Box(160, 55, 205, 115))], id="leaning"
        ),
        pytest.param(
            [Box(100, 200, 400, 300)],
            [Box(345, 215, 395, 270)],
            [(Box(100, 200, 400, 300), Box(345, 215, 395, 270))],
            id="lying",
        ),
    ],
)
def test_heads_go_to_whom_they_fit_in_place_and_size(
    people: list[Box], heads: list[Box], expected: list[Pair]
) -> None:
    assert pairs(*map(person, people), *map(head, heads)) == expected


def test_nobody_loses_a_head_to_a_person_whom_it_fits_a_little_better() -> None:
    """Two stand close; the right one's head was missed, the left one bends towards it."""
    right = Box(130, 50, 230, 350)
    shared, other = Box(145, 52, 185, 108), Box(164, 54, 204, 110)
    assert pairs(person(STANDING), person(right), head(other), head(shared)) == [
        (STANDING, shared),
        (right, other),
    ]


def test_one_head_found_twice_is_one_head() -> None:
    again = ITS_HEAD.move(2, 2)
    (body,) = assemble(head(ITS_HEAD, 0.5), head(again, 0.9))
    assert (body.head, body.score) == (again, 0.9)


def test_a_doubtful_head_counts_on_a_person_and_nowhere_else() -> None:
    assert pairs(person(STANDING), doubtful(head(ITS_HEAD))) == [(STANDING, ITS_HEAD)]
    assert pairs(doubtful(head(ITS_HEAD))) == []
    assert pairs(person(SEATED), doubtful(head(ITS_HEAD))) == [(SEATED, None)]


def test_a_doubtful_head_leaves_the_score_to_the_person() -> None:
    (body,) = assemble(person(STANDING, 0.6), doubtful(head(ITS_HEAD)))
    assert (body.score, body.sure) == (0.6, True)


def test_a_doubtful_person_counts_where_nobody_else_was_found() -> None:
    (body,) = assemble(doubtful(person(STANDING)))
    assert (body.person, body.head, body.outline, body.sure) == (STANDING, None, STANDING, False)


@pytest.mark.parametrize(
    "sure",
    [
        pytest.param([person(STANDING.move(10, 5))], id="a person who was found there"),
        pytest.param([head(ITS_HEAD)], id="a person of whom only the head was found"),
        pytest.param([head(SEATED_HEAD), head(ITS_HEAD)], id="the same beside another"),
    ],
)
def test_a_doubtful_person_is_not_added_to(sure: list[Detection]) -> None:
    assert pairs(doubtful(person(STANDING)), *sure) == pairs(*sure)


def test_a_doubtful_person_takes_no_head_from_a_person_who_was_found() -> None:
    seen = [doubtful(person(BEHIND)), person(STANDING), head(ITS_HEAD)]
    found = assemble(*seen)
    assert [(b.person, b.head, b.sure) for b in found] == [
        (STANDING, ITS_HEAD, True),
        (BEHIND, None, False),
    ]


@given(detections)
def test_each_person_is_one_body_and_each_head_at_most_one(seen: list[Detection]) -> None:
    found = assemble_bodies(seen, WIDTH, HEIGHT)
    sure = [d.box for d in seen if d.kind is Kind.PERSON and d.sure]
    assert [body.person for body in found if body.sure and body.person is not None] == sure
    shown = [body.head for body in found if body.head is not None]
    heads = [d.box for d in seen if d.kind is Kind.HEAD]
    assert all(shown.count(box) <= heads.count(box) for box in shown)
    assert all(body.person is not None or body.head is not None for body in found)
    assert all(body.outline == (body.person or body.outline) for body in found)


@given(detections)
def test_a_sure_head_is_somebodys_unless_a_surer_one_lies_on_it(seen: list[Detection]) -> None:
    shown = [body.head for body in assemble_bodies(seen, WIDTH, HEIGHT) if body.head is not None]
    heads = [d for d in seen if d.kind is Kind.HEAD]
    for one in heads:
        surer = [d.box for d in heads if d is not one and d.score >= one.score]
        if one.sure and all(one.box.overlap(other) < 0.5 for other in surer):
            assert one.box in shown


@given(detections)
def test_of_what_is_doubtful_no_body_is_sure(seen: list[Detection]) -> None:
    found = assemble_bodies([replace(d, sure=False) for d in seen], WIDTH, HEIGHT)
    assert not any(body.sure for body in found)
    assert all(body.head is None for body in found)


@given(detections)
def test_an_outline_lies_in_the_frame(seen: list[Detection]) -> None:
    found = assemble_bodies(seen, WIDTH, HEIGHT)
    assert all(body.outline == body.outline.clip(WIDTH, HEIGHT) for body in found)


@given(detections)
def test_every_head_and_every_person_without_one_has_a_private_area(seen: list[Detection]) -> None:
    areas = find_private_areas(seen, WIDTH, HEIGHT)
    assert all(d.box in areas for d in seen if d.kind is Kind.HEAD)
    for body in assemble_bodies(seen, WIDTH, HEIGHT):
        assert body.head is not None or upper_part(body.outline) in areas


def test_a_person_whose_head_may_be_a_childs_has_a_private_area_too() -> None:
    assert pairs(person(ADULT), head(CHILDS_HEAD)) == [(ADULT, CHILDS_HEAD)]
    areas = find_private_areas([person(ADULT), head(CHILDS_HEAD)], WIDTH, HEIGHT)
    assert areas == [CHILDS_HEAD, upper_part(ADULT)]


def test_two_heads_that_may_be_one_are_both_private() -> None:
    smaller = Box(130, 60, 150, 90)
    seen = [person(STANDING), head(ITS_HEAD, 0.5), head(smaller, 0.9)]
    assert find_private_areas(seen, WIDTH, HEIGHT) == [ITS_HEAD, smaller]


def test_the_upper_part_of_the_person_who_is_shown_is_not_private() -> None:
    seen = [person(STANDING), person(SEATED)]
    assert find_private_areas(seen, WIDTH, HEIGHT) == [upper_part(STANDING), upper_part(SEATED)]
    assert find_private_areas(seen, WIDTH, HEIGHT, STANDING) == [upper_part(SEATED)]


@given(boxes_within(4000, 4000))
@example(Box(0, 0, 100, 300))
def test_the_upper_part_is_a_part_of_the_person_from_the_top(outline: Box) -> None:
    part = upper_part(outline)
    assert (part.left, part.top, part.right) == (outline.left, outline.top, outline.right)
    assert part.bottom <= outline.top + 0.5 * outline.height


@pytest.mark.parametrize(
    ("outline", "its_head"),
    [
        pytest.param(STANDING, ITS_HEAD, id="standing"),
        pytest.param(ADULT, ADULTS_HEAD, id="an adult"),
        pytest.param(CHILD, CHILDS_HEAD, id="a child"),
        pytest.param(Box(0, 0, 40, 300), Box(2, 0, 38, 40), id="standing, in profile"),
        pytest.param(Box(0, 0, 200, 240), Box(60, 4, 130, 94), id="cut off at the waist"),
    ],
)
def test_the_head_of_somebody_upright_is_in_the_upper_part(outline: Box, its_head: Box) -> None:
    assert upper_part(outline).intersection(its_head) == its_head.area
