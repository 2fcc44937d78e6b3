"""One camera's policy, step by step."""

import itertools
from collections.abc import Sequence
from uuid import UUID

from monitor.alert.policy import AlertPolicy
from monitor.config.policy import Policy
from monitor.domain import Alert, Verdict
from monitor.geometry import Box
from tests.support.fakes import YARD, moment, subject, verdict

HEAD = Box(10, 10, 40, 50)
LOST_AFTER_S = 2.0
STEP_S = 0.4


class PolicySteps:
    """One camera's policy; each step it sees, then decides."""

    def __init__(self, policy: Policy | None = None) -> None:
        ids = itertools.count(1)
        self.policy = AlertPolicy(
            YARD,
            policy or Policy(min_crops=2),
            zone="door",
            lost_after_s=LOST_AFTER_S,
            new_id=lambda: UUID(int=next(ids)),
        )

    def step(self, seconds: float, *found: Verdict, seen: Sequence[int] = (1,)) -> list[Alert]:
        there = [subject(number, seconds, HEAD, first_seen=0) for number in seen]
        self.policy.update_subjects(there, moment(seconds))
        return self.policy.decide(found, moment(seconds))

    def watch(self, *occluded: float, start: float = 0.0) -> list[Alert]:
        """Judge subject 1 once each step; return its alerts."""
        changes: list[Alert] = []
        for n, probability in enumerate(occluded):
            seconds = start + n * STEP_S
            changes += self.step(seconds, verdict(1, seconds, probability))
        return changes
