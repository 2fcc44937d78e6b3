"""What a verifier's opinion makes of an alert."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from monitor.domain import OCCLUDED, Alert, AlertState, Covering, Severity, Verdict

_AGREES: Final = 0.5  # probability of a covered face: more likely than not
_NAMED: Final = 0.5  # share of one covering among those that hide a face: it is that one


@dataclass(frozen=True, slots=True)
class Claim:
    """A raised alert that waits for the verifier."""

    seq: int  # of the state that was raised
    until: float  # seconds; then nobody waits any longer


def answered(alert: Alert, verdict: Verdict | None, table: Mapping[Covering, Severity]) -> Alert:
    """The alert's next state: confirmed, rejected, or unverified if there was no answer.

    A verifier that says covered without saying by what leaves the covering as it was. One
    that names a covering which this place ignores has rejected the alert.

    Args:
        alert: As it was raised.
        verdict: Of the verifier. None, or one of a face that it could not see, is no answer.
        table: What each covering leads to.
    """
    following = replace(alert, seq=alert.seq + 1, state=AlertState.UNVERIFIED)
    if verdict is None or not verdict.evaluable:
        return following
    covering = _named(verdict) or alert.covering
    severity = table[covering]
    agrees = verdict.occluded >= _AGREES and severity is not Severity.IGNORE
    return replace(
        following,
        state=AlertState.CONFIRMED if agrees else AlertState.REJECTED,
        severity=severity if agrees else alert.severity,
        covering=covering,
        probability=verdict.occluded,
        thinking=verdict.thinking or alert.thinking,
        judge=verdict.judge,
        timings=replace(verdict.timings, decide=0.0),
    )


def _named(verdict: Verdict) -> Covering | None:
    """The covering that the verdict names, ``none`` included; None if it names none."""
    if verdict.occluded < _AGREES:
        return Covering.NONE
    covered = sum(verdict.probabilities.get(covering, 0.0) for covering in OCCLUDED)
    named = verdict.named
    return named if verdict.probabilities.get(named, 0.0) >= _NAMED * covered else None
