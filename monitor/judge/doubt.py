"""Small crops that a judge is not sure of: better called unusable than called wrong."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.domain import OCCLUDED, Covering
from monitor.judge.profile import ANSWERS, UNUSABLE

_CLEAR: Final = ANSWERS.index(Covering.NONE.value)
_HIDDEN: Final = sorted(ANSWERS.index(covering.value) for covering in OCCLUDED)
_UNUSABLE: Final = ANSWERS.index(UNUSABLE)


def with_doubt(shares: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities in which ``unusable`` is the likeliest where occluded or clear is in doubt.

    The doubt is the probability of the less likely of the two, given either. Up to the limit
    nothing changes; above it ``unusable`` gets more than a half, so that the crop is no longer
    evaluable: with twice the limit two thirds. The others keep their proportions.

    Args:
        shares: (N, answers), in the order of ANSWERS, each row summing to 1.
        limits: (N,) in 0..0.5; infinite where nothing is to be changed.

    Returns:
        (N, answers), each row summing to 1.
    """
    hidden = shares[:, _HIDDEN].sum(axis=1)
    clear = shares[:, _CLEAR]
    doubt = np.minimum(hidden, clear) / np.maximum(hidden + clear, np.finfo(np.float64).tiny)
    before = shares[:, _UNUSABLE]
    unusable = np.where(doubt > limits, np.maximum(before, doubt / (doubt + limits)), before)
    others = (1 - unusable) / np.maximum(1 - before, np.finfo(np.float64).tiny)
    changed = shares * others[:, None]
    changed[:, _UNUSABLE] = unusable
    return np.asarray(changed, dtype=np.float64)
