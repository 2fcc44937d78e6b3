"""Combines the verdicts of several crops about one subject."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.config.policy import Policy
from monitor.domain import OCCLUDED, OCCLUDED_FROM, Covering, Verdict

_MAX_PROBABILITY = 0.98  # no single crop counts for more than this
_MAX_CROPS = 3.0  # crops of one face resemble each other: more than these add nothing


def log_odds(probability: float) -> float:
    """ln(p / (1 - p)), with p limited to what one crop may claim."""
    p = min(max(probability, 1 - _MAX_PROBABILITY), _MAX_PROBABILITY)
    return math.log(p / (1 - p))


@dataclass(slots=True)
class LogOddsFusion:
    """The evidence about one subject's face, which fades with time. Owned by one policy.

    The fused log-odds are the faded mean of the crops' log-odds, times the number of crops up to
    a limit. It is a mean because crops of one face in one light share their mistakes: 0.6 a
    hundred times does not make 0.99.

    Source:
        Logarithmic opinion pooling: Genest and Zidek, "Combining Probability Distributions:
        A Critique and an Annotated Bibliography", 1986.
    """

    policy: Policy
    _sum: float = 0.0
    _weight: float = 0.0
    _at: float = float("-inf")  # seconds of the last crop
    _coverings: dict[Covering, float] = field(default_factory=dict)
    _last_covered: bool = False
    agreeing: int = 0  # the latest crops in a row that agree: occluded, or not

    def add(self, verdict: Verdict) -> None:
        """Add one evaluable crop."""
        decay = self._decay(verdict.moment.seconds)
        value = log_odds(verdict.occluded)
        same = (value > 0) == self._last_covered and self._weight > 0
        self.agreeing = self.agreeing + 1 if same else 1
        self._last_covered = value > 0
        self._sum = self._sum * decay + verdict.weight * value
        self._weight = self._weight * decay + verdict.weight
        self._at = max(self._at, verdict.moment.seconds)
        for covering in OCCLUDED:
            before = self._coverings.get(covering, 0.0)
            share = verdict.weight * verdict.probabilities.get(covering, 0.0)
            self._coverings[covering] = before * decay + share

    def forget_clear(self) -> None:
        """Drop evidence that the face was free, because it may be another person by now."""
        if self._sum < 0:
            self._sum = self._weight = 0.0
            self.agreeing = 0

    @property
    def probability(self) -> float:
        """Of the face being occluded, 0..1; 0.5 without evidence."""
        if self._weight <= 0:
            return 0.5
        limit = self.policy.evidence_limit
        fused = self._sum / self._weight * min(self._weight, _MAX_CROPS)
        return 1 / (1 + math.exp(-min(max(fused, -limit), limit)))

    @property
    def covering(self) -> Covering:
        """The covering with the most evidence."""
        named: Mapping[Covering, float] = self._coverings
        return max(OCCLUDED, key=lambda covering: named.get(covering, 0.0))

    @property
    def belief(self) -> tuple[Covering, float] | None:
        """The likeliest covering (``none`` if the face is more likely free) and ``probability``."""
        if self._weight <= 0:
            return None
        covered = self.probability >= OCCLUDED_FROM
        return (self.covering if covered else Covering.NONE), self.probability

    def _decay(self, seconds: float) -> float:
        """The part of the evidence so far that counts at this time, 0..1."""
        if self._at == float("-inf"):
            return 0.0
        return float(0.5 ** (max(seconds - self._at, 0.0) / self.policy.half_life_s))
