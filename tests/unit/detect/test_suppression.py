"""Of boxes that overlap, the best stays: per class, and whatever order the network gives."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.detect.engine import suppress_overlaps
from monitor.geometry import iou_matrix

LIMIT, MIN_SCORE, CLASSES = 0.5, 0.3, 2
Row = tuple[float, float, float, float, float, float]


def make_columns(rows: list[Row]) -> NDArray[np.float32]:
    """(4 + CLASSES, A) from rows of x, y, width, height and two scores."""
    return np.array(rows, np.float32).reshape(-1, 4 + CLASSES).T


def suppress(rows: list[Row]) -> NDArray[np.float32]:
    return suppress_overlaps(
        make_columns(rows), classes=[0, 1], min_score=MIN_SCORE, overlap_limit=LIMIT
    )


def test_the_better_of_two_boxes_on_one_thing_stays() -> None:
    kept = suppress([(50, 50, 20, 40, 0.6, 0), (51, 50, 20, 40, 0.9, 0), (200, 50, 20, 40, 0.4, 0)])
    assert kept[:, 4].tolist() == np.array([0.9, 0.4], np.float32).tolist()
    assert kept[0, :4].tolist() == [41, 30, 61, 70]


def test_boxes_of_different_classes_do_not_compete() -> None:
    kept = suppress([(50, 50, 20, 40, 0.6, 0), (50, 50, 20, 40, 0, 0.7)])
    assert sorted(kept[:, 5].tolist()) == [0, 1]


def test_nothing_is_found_below_the_threshold() -> None:
    assert suppress([(50, 50, 20, 40, 0.29, 0.1)]).shape == (0, 6)


places = st.tuples(
    st.floats(20, 400, width=32),
    st.floats(20, 400, width=32),
    st.floats(4, 80, width=32),
    st.floats(4, 80, width=32),
    st.floats(0, 1, width=32),
    st.floats(0, 1, width=32),
)


@settings(deadline=None)
@given(st.lists(places, max_size=30))
def test_what_stays_overlaps_little_is_sure_enough_and_lay_there(rows: list[Row]) -> None:
    kept = suppress(rows)
    assert (np.diff(kept[:, 4]) <= 0).all(), "the surest first"
    assert (kept[:, 4] >= MIN_SCORE).all()
    for number in range(CLASSES):
        boxes = kept[kept[:, 5] == number, :4].astype(np.float64)
        overlaps = iou_matrix(boxes, boxes) - np.eye(len(boxes))
        assert (overlaps <= LIMIT + 1e-3).all()
    confident = [row for row in rows if max(row[4:]) >= MIN_SCORE]
    assert bool(len(kept)) == bool(confident), "the best of all is never dropped"
