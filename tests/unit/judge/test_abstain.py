"""Doubt between occluded and clear makes a small crop unusable."""

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.domain import ANSWERS
from monitor.judge.scoring import abstain


def shares(none: float, mask: float, balaclava: float, unusable: float) -> NDArray[np.float64]:
    row = np.zeros((1, len(ANSWERS)))
    for name, share in zip(
        ("none", "mask", "balaclava", "unusable"), (none, mask, balaclava, unusable), strict=True
    ):
        row[0, ANSWERS.index(name)] = share
    return row


def unusable_of(row: NDArray[np.float64], limit: float) -> float:
    changed = abstain(row, np.array([limit]))
    assert changed.sum() == pytest.approx(1)
    return float(changed[0, ANSWERS.index("unusable")])


@pytest.mark.parametrize(
    ("none", "mask", "balaclava", "expected"),
    [
        pytest.param(0.92, 0.04, 0.04, 0.0, id="below the limit"),
        pytest.param(0.85, 0.1, 0.05, 0.6, id="above the limit"),
        pytest.param(0.15, 0.5, 0.35, 0.6, id="above the limit, occluded"),
        pytest.param(0.8, 0.2, 0.0, 2 / 3, id="twice the limit"),
        pytest.param(1.0, 0.0, 0.0, 0.0, id="no doubt"),
    ],
)
def test_a_doubt_above_the_limit_makes_a_crop_unusable(
    none: float, mask: float, balaclava: float, expected: float
) -> None:
    assert unusable_of(shares(none, mask, balaclava, 0.0), 0.1) == pytest.approx(expected)


def test_the_others_keep_their_proportions() -> None:
    row = shares(0.4, 0.3, 0.2, 0.1)
    changed = abstain(row, np.array([0.1]))
    rest = [ANSWERS.index(name) for name in ("none", "mask", "balaclava")]
    assert changed[0, rest] / changed[0, rest].sum() == pytest.approx(row[0, rest] / 0.9)


def test_what_was_unusable_stays_so_and_no_limit_changes_nothing() -> None:
    assert unusable_of(shares(0.05, 0.0, 0.0, 0.95), 0.1) == pytest.approx(0.95)
    row = shares(0.4, 0.3, 0.2, 0.1)
    assert abstain(row, np.array([np.inf])) == pytest.approx(row)
    assert unusable_of(shares(0.0, 0.0, 0.0, 1.0), 0.1) == 1
