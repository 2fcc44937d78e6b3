"""What people look like, in few numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from monitor.domain import Pixels
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.track.appearance import compare, describe
from tests.support.fakes import frame, textured

PERSON = Box(40, 20, 80, 110)
RED, BLUE = (0.2, 0.2, 1.0), (1.0, 0.2, 0.2)  # blue, green, red
pictures = arrays.arrays(np.uint8, (24, 16, 3))
boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    *(st.integers(-10, 30), st.integers(-10, 30), st.integers(0, 40), st.integers(0, 40)),
)


def dressed(tint: tuple[float, float, float], person: Box = PERSON) -> Pixels:
    """A bright picture of one person in cloth of a colour, blue, green, red."""
    pixels = textured(120, 120)
    left, top, right, bottom = (int(edge) for edge in person.edges)
    pixels[top:bottom, left:right] = textured(right - left, bottom - top, tint=tint)
    return pixels


def alike(first: Pixels, second: Pixels, place: Box = PERSON) -> float:
    return compare(
        describe(frame(0, ArrayPicture(first)), PERSON),
        describe(frame(0, ArrayPicture(second)), place),
    )


def test_a_person_looks_like_themselves_and_not_like_one_in_other_colours() -> None:
    red, blue = dressed(RED), dressed(BLUE)
    assert alike(red, red) == pytest.approx(1)
    assert alike(red, blue) < 0.1


def test_a_person_looks_like_themselves_elsewhere_and_larger() -> None:
    nearer = Box(10, 5, 70, 118)
    before, after = dressed(RED), dressed(RED, nearer)
    assert alike(before, after, nearer) > 0.9


def test_what_is_around_a_person_does_not_count() -> None:
    before, after = dressed(RED), dressed(RED)
    after[:, :30] = after[:, 90:] = (255, 0, 0)
    assert alike(before, after) == pytest.approx(1)


@given(pictures, boxes)
def test_an_appearance_is_shares_wherever_the_person_is(pixels: Pixels, person: Box) -> None:
    appearance = describe(frame(0, ArrayPicture(pixels)), person)
    assert appearance.shape == (128,)
    assert appearance.min() >= 0
    assert appearance.sum() == pytest.approx(1)


@given(pictures, pictures, boxes)
def test_likeness_is_mutual_and_at_most_one(first: Pixels, second: Pixels, person: Box) -> None:
    one = describe(frame(0, ArrayPicture(first)), person)
    other = describe(frame(0, ArrayPicture(second)), person)
    assert compare(one, one) == pytest.approx(1)
    assert compare(one, other) == compare(other, one)
    assert 0 <= compare(one, other) <= 1 + 1e-6
