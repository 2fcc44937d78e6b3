"""The policy's decisions about one scripted half minute at a bank, against a reference file.

If this fails and the change is meant, the same people will raise other alerts from now on:
say so where the change is written down.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from monitor.alert.policy import AlertPolicy
from monitor.config.policy import Policy
from monitor.domain import Alert, Covering
from monitor.geometry import Box
from tests.support.fakes import YARD, moment, subject, verdict

GOLDEN = Path(__file__).with_name("policy_alerts.json")
STEP_S = 0.4
HEAD = Box(10, 10, 50, 60)

Said = tuple[Covering, float, float]
"""A covering, the probability of being occluded, and that the crop was unusable."""


def constant(covering: Covering, occluded: float, unusable: float = 0.0) -> list[Said]:
    return [(covering, occluded, unusable)] * 80


def told(*parts: tuple[int, Covering, float]) -> list[Said | None]:
    """So many steps of each; a probability below zero means out of view."""
    return [
        None if occluded < 0 else (covering, occluded, 0.0)
        for steps, covering, occluded in parts
        for _ in range(steps)
    ]


PEOPLE: Mapping[int, Sequence[Said | None]] = {
    1: told(  # puts a balaclava on, off, and on again before the cooldown has passed
        (8, Covering.BALACLAVA, 0.97), (20, Covering.NONE, 0.04), (52, Covering.BALACLAVA, 0.97)
    ),
    2: told(  # a scarf that turns out to be a balaclava, then leaves
        (6, Covering.SCARF, 0.9), (14, Covering.BALACLAVA, 0.95), (60, Covering.NONE, -1)
    ),
    3: constant(Covering.HAND_OBJECT, 0.97),  # is on the phone, which a bank ignores
    4: constant(Covering.AWAY, 0.9),  # looks elsewhere
    5: constant(Covering.MASK, 0.6),  # nobody can tell
    6: constant(Covering.BALACLAVA, 0.99, 0.8),  # stands in the dark
    7: told(  # free, out of sight for over a second, and then in a helmet until the end
        (10, Covering.NONE, 0.03), (3, Covering.NONE, -1), (67, Covering.HELMET, 0.94)
    ),
    8: told((40, Covering.NONE, 0.05), (1, Covering.MASK, 0.99), (39, Covering.NONE, 0.05)),
}


def alerts() -> list[tuple[float, Alert]]:
    """Everything that is sent, in order, and when."""
    ids = itertools.count(1)
    policy = AlertPolicy(
        YARD,
        Policy(preset="bank", cooldown_s=20, min_crops=2),
        zone="door",
        lost_after_s=2,
        new_id=lambda: UUID(int=next(ids)),
    )
    sent: list[tuple[float, Alert]] = []
    for step in range(80):
        seconds = step * STEP_S
        saying = {number: said for number, p in PEOPLE.items() if (said := p[step]) is not None}
        policy.update_subjects(
            [subject(number, seconds, HEAD) for number in saying], moment(seconds)
        )
        verdicts = [
            verdict(number, seconds, occluded, covering, unusable=unusable)
            for number, (covering, occluded, unusable) in saying.items()
        ]
        sent += [(seconds, alert) for alert in policy.decide(verdicts, moment(seconds))]
    return sent + [(80 * STEP_S, alert) for alert in policy.finish(moment(80 * STEP_S))]


def row(seconds: float, alert: Alert) -> dict[str, object]:
    return {
        "sent_at": round(seconds, 1),
        "alert": alert.id.int,
        "seq": alert.seq,
        "state": alert.state,
        "severity": alert.severity,
        "subject": alert.subject,
        "covering": alert.covering,
        "probability": round(alert.probability, 4),
        "first_seen": round(alert.first_seen.seconds, 1),
        "raised_at": round(alert.raised_at.seconds, 1),
    }


def test_the_half_minute_at_the_bank_is_judged_as_before() -> None:
    rows = [row(seconds, alert) for seconds, alert in alerts()]
    assert rows == json.loads(GOLDEN.read_text(encoding="utf-8"))
