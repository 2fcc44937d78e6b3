"""Setting a judge's temperature, and when it abstains, on labelled crops of each size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import OCCLUDED, OCCLUDED_FROM, Covering, HeadCrop, Verdict
from monitor.errors import ConfigError
from monitor.evaluate.judge import read_crop
from monitor.evaluate.judge_report import DECIDED
from monitor.evaluate.judge_rows import RowFilter, read_rows
from monitor.judge import Judge

_FACTORS: Final = np.geomspace(0.3, 5.0, 90)
_MIN_PROBABILITY: Final = 1e-9  # probabilities are taken to be no less
_MIN_CROPS: Final = 20  # fewer crops are too few for calibration
_BATCH: Final = 32
MAX_WRONG: Final = (
    0.02  # share of the crops of a size that may be wrong; 0.03 is wanted in the field
)
_MIN_LIMIT: Final = 0.001  # smaller limits would make every crop unusable


def fit_factors(
    folder: Path, judge: Judge, sizes: Sequence[int], row_filter: RowFilter
) -> dict[int, float]:
    """Factors for a judge's temperature, for crops of each size.

    Args:
        folder: Holds labels.csv and the crops it names.
        judge: Any judge; its probabilities are read as a softmax.
        sizes: Sides in pixels, to which the crops are reduced; a crop that is smaller is
            left out.
        row_filter: Which rows.

    Returns:
        Size to factor: above 1 where the judge is overconfident.

    Raises:
        ConfigError: Too few crops are as large as that.
    """
    return {size: fit_factor(*judge_reduced(folder, judge, size, row_filter)) for size in sizes}


def fit_abstain_limits(
    folder: Path, judge: Judge, sizes: Sequence[int], row_filter: RowFilter
) -> dict[int, float]:
    """Limits of doubt for crops of each size, above which a judge abstains; see ``abstain``.

    A size at which the judge is right often enough gets no limit.

    Args:
        folder: Holds labels.csv and the crops it names.
        judge: Any judge, its temperature set and never abstaining.
        sizes: Sides in pixels, to which the crops are reduced.
        row_filter: Which rows.

    Raises:
        ConfigError: Too few crops are as large as that.
    """
    limits = {
        size: fit_abstain_limit(*judge_reduced(folder, judge, size, row_filter)) for size in sizes
    }
    return {size: limit for size, limit in limits.items() if limit is not None}


def fit_factor(verdicts: Sequence[Verdict], hidden: NDArray[np.bool_]) -> float:
    """The factor with the lowest loss of occluded against clear.

    Args:
        verdicts: N.
        hidden: (N,) whether each face was occluded.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    clear = np.array([_log_shares(verdict, [Covering.NONE]) for verdict in verdicts])  # (N, 1)
    covered = np.array([_log_shares(verdict, sorted(OCCLUDED)) for verdict in verdicts])  # (N, K)

    def mean_loss(factor: float) -> float:
        """The mean loss where every logarithm is divided by a factor."""
        gap = clear[:, 0] / factor - np.logaddexp.reduce(covered / factor, axis=1)
        return float(np.logaddexp(0, np.where(hidden, gap, -gap)).mean())

    best: float = min(_FACTORS.tolist(), key=mean_loss)
    return best


def fit_abstain_limit(verdicts: Sequence[Verdict], hidden: NDArray[np.bool_]) -> float | None:
    """The largest limit with which no more than MAX_WRONG are wrong and evaluable.

    Args:
        verdicts: N.
        hidden: (N,) whether each face was occluded.

    Returns:
        0.001 to 0.5; None where the judge is right often enough without.
    """
    occluded = np.array([verdict.occluded for verdict in verdicts])
    evaluable = np.array([verdict.evaluable for verdict in verdicts])
    wrong = evaluable & ((occluded >= OCCLUDED_FROM) != hidden)
    doubts = np.sort(np.minimum(occluded, 1 - occluded)[wrong])
    allowed = int(MAX_WRONG * len(verdicts))
    if len(doubts) <= allowed:
        return None
    return float(np.clip((np.ceil(doubts[allowed] * 1000) - 1) / 1000, _MIN_LIMIT, 0.5))


def judge_reduced(
    folder: Path, judge: Judge, size: int, row_filter: RowFilter
) -> tuple[list[Verdict], NDArray[np.bool_]]:
    """Judge the labelled crops, reduced to one size.

    Returns:
        N verdicts, and (N,) whether each face was occluded. Labels that are neither occluded
        nor clear are left out, and so are crops that are smaller.

    Raises:
        ConfigError: Too few crops are as large as that.
    """
    rows = [row for row in read_rows(folder / "labels.csv", row_filter) if row.label in DECIDED]
    whole = [read_crop(folder, row.file, number) for number, row in enumerate(rows)]
    large = [i for i, crop in enumerate(whole) if min(crop.pixels.shape[:2]) >= size]
    if len(large) < _MIN_CROPS:
        raise ConfigError(
            f"{folder}: {len(large)} crops of {size} px or more; give {_MIN_CROPS} at least"
        )
    crops = [_reduce_crop(whole[i], size) for i in large]
    verdicts: list[Verdict] = []
    for start in range(0, len(crops), _BATCH):
        verdicts += judge.judge(crops[start : start + _BATCH])
    return verdicts, np.array([rows[i].label != "none" for i in large])


def _log_shares(verdict: Verdict, coverings: Sequence[Covering]) -> list[float]:
    shares = [verdict.probabilities.get(covering, 0.0) for covering in coverings]
    return [float(value) for value in np.log(np.maximum(shares, _MIN_PROBABILITY))]


def _reduce_crop(crop: HeadCrop, side: int) -> HeadCrop:
    """A crop of the same head from further away."""
    small = cv2.resize(crop.pixels, (side, side), interpolation=cv2.INTER_AREA)
    pixels = np.asarray(small, dtype=np.uint8)
    return HeadCrop(crop.camera, crop.subject, crop.moment, pixels, crop.head_px)
