"""Setting how unsure a judge may be of small crops, on labelled ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.domain import OCCLUDED_FROM, Verdict
from monitor.evaluate.judge_rows import RowFilter
from monitor.evaluate.judge_temperature import verdicts_at
from monitor.judge import Judge

MOST_WRONG: Final = 0.02  # of the crops of a size; 3 in 100 was asked for, and others are harder
_LEAST: Final = 0.001  # a judge that must be surer than this is of no use at that size


def fit_abstain_limits(
    folder: Path, judge: Judge, sizes: Sequence[int], row_filter: RowFilter
) -> dict[int, float]:
    """How much doubt a judge may have about crops of each size; see ``abstain``.

    A size at which it is right often enough as it is has no limit.

    Args:
        folder: Holds labels.csv and the crops it names.
        judge: Any judge, its temperature set and never abstaining.
        sizes: Sides in pixels, to which the crops are reduced.
        row_filter: Which rows.

    Raises:
        ConfigError: Too few crops are as large as that.
    """
    found = {
        size: fit_abstain_limit(*verdicts_at(folder, judge, size, row_filter)) for size in sizes
    }
    return {size: limit for size, limit in found.items() if limit is not None}


def fit_abstain_limit(verdicts: Sequence[Verdict], hidden: NDArray[np.bool_]) -> float | None:
    """The largest limit with which no more than MOST_WRONG are wrong and evaluable.

    Args:
        verdicts: N.
        hidden: (N,) whether each face was occluded.

    Returns:
        0.001 to 0.5; None where the judge is right often enough as it is.
    """
    said = np.array([verdict.occluded for verdict in verdicts])
    counts = np.array([verdict.evaluable for verdict in verdicts])
    wrong = counts & ((said >= OCCLUDED_FROM) != hidden)
    doubts = np.sort(np.minimum(said, 1 - said)[wrong])
    allowed = int(MOST_WRONG * len(verdicts))
    if len(doubts) <= allowed:
        return None
    return float(np.clip((np.ceil(doubts[allowed] * 1000) - 1) / 1000, _LEAST, 0.5))
