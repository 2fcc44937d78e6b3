"""Health: the program's own problems, as one retained message."""

import threading
from typing import Literal

from monitor.publish.contract.models import HealthV1, ProblemV1
from monitor.publish.contract.payload import encode_model, format_time, health_topic, to_printable
from monitor.publish.outbox.database import Damage
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.runtime.clock import Clock

ProblemKind = Literal["outbox_damaged", "outbox_refuses", "judge_fails", "verifier_fails"]


class HealthReporter:
    """Publishes the current problems as one retained message. Thread-safe.

    It does not use the outbox, whose problems it reports as well.
    """

    def __init__(self, retained: RetainedPublisher, site: str, clock: Clock) -> None:
        self._retained = retained
        self._site = site
        self._clock = clock
        self._lock = threading.Lock()
        self._problems: dict[ProblemKind, ProblemV1] = {}
        self._publish()

    def report_problem(self, kind: ProblemKind, detail: str) -> None:
        """Report a problem. Repeating it changes nothing."""
        with self._lock:
            known = self._problems.get(kind)
            if known is not None and known.detail == to_printable(detail):
                return
            since = format_time(self._clock.now()) if known is None else known.since
            self._problems[kind] = ProblemV1(kind=kind, detail=to_printable(detail), since=since)
            self._publish()

    def clear_problem(self, kind: ProblemKind) -> None:
        """Report that a problem is over."""
        with self._lock:
            if self._problems.pop(kind, None) is not None:
                self._publish()

    def report_damage(self, damage: Damage) -> None:
        """Report a damaged outbox. Stays until the next start: the disk needs a check."""
        self.report_problem(
            "outbox_damaged",
            f"moved to {damage.aside}; {damage.rescued} messages were rescued; "
            "check the disk, then delete the file",
        )

    def _publish(self) -> None:
        problems = list(self._problems.values())
        body = HealthV1(
            site=self._site, ok=not problems, at=format_time(self._clock.now()), problems=problems
        )
        self._retained.put(health_topic(self._site), encode_model(body))
