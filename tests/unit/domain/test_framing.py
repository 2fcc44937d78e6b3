"""One framing for everybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain.framing import crop_window, head_around_face
from monitor.geometry import Box

px = st.floats(-2000, 6000, width=32)
sizes = st.floats(0, 2000, width=32)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), px, px, sizes, sizes)
factors = st.floats(0.125, 8, width=32)
SLACK = 1e-3  # pixels


def near(box: Box, other: Box) -> bool:
    return all(abs(a - b) <= SLACK for a, b in zip(box.edges, other.edges, strict=True))


def test_a_head_is_larger_than_its_face_most_of_all_above_it() -> None:
    face = Box(100, 100, 180, 200)
    assert near(head_around_face(face), Box(71, 60, 209, 213))


def test_a_face_seen_from_above_has_a_head_as_large_as_one_of_that_length() -> None:
    """A box that is wider than high is a face that looks down, or one that is cut off."""
    wide, tall = Box(100, 110, 200, 190), Box(110, 100, 190, 200)
    assert near(head_around_face(wide), head_around_face(tall))


@given(boxes)
def test_a_face_lies_in_its_head(face: Box) -> None:
    head = head_around_face(face)
    assert head.left <= face.left + SLACK
    assert head.top <= face.top + SLACK
    assert head.right >= face.right - SLACK
    assert head.bottom >= face.bottom - SLACK
    longer, shorter = head.longer_side, min(head.width, head.height)
    assert longer == pytest.approx(1.53 * face.longer_side, abs=SLACK)
    assert longer <= 1.2 * shorter + SLACK


@given(boxes)
def test_a_crop_is_a_square_about_the_head_that_begins_lower(head: Box) -> None:
    window = crop_window(head)
    assert window.width == pytest.approx(window.height, abs=SLACK)
    assert window.width == pytest.approx(max(1.1 * head.longer_side, 1), abs=SLACK)
    (x, y), (head_x, head_y) = window.centre, head.centre
    assert x == pytest.approx(head_x, abs=SLACK)
    assert y == pytest.approx(head_y + 0.08 * head.height, abs=SLACK)


@given(boxes)
def test_the_middle_of_a_face_is_near_the_middle_of_its_crop(face: Box) -> None:
    (x, y), (face_x, face_y) = crop_window(head_around_face(face)).centre, face.centre
    assert x == pytest.approx(face_x, abs=SLACK)
    assert abs(y - face_y) <= 0.02 * face.longer_side + SLACK


def test_a_head_of_no_size_has_a_crop_of_a_pixel() -> None:
    assert crop_window(Box(7, 9, 7, 9)) == Box(6.5, 8.5, 7.5, 9.5)


@given(boxes, factors, px, px)
def test_a_crop_shows_the_same_in_a_larger_picture_and_anywhere_in_it(
    head: Box, factor: float, right: float, down: float
) -> None:
    if head.longer_side * min(factor, 1) >= 1:
        larger = crop_window(head).scale(factor)
        assert all(
            a == pytest.approx(b, abs=0.01 * factor)
            for a, b in zip(crop_window(head.scale(factor)).edges, larger.edges, strict=True)
        )
        moved = crop_window(head).move(right, down)
        assert near(crop_window(head.move(right, down)), moved)
