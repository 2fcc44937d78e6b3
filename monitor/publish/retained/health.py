"""What is wrong with the program itself, told to whoever subscribes."""

import threading
from typing import Literal

from monitor.publish.contract.models import HealthV1, ProblemV1
from monitor.publish.contract.payload import encode_model, format_time, health_topic, to_printable
from monitor.publish.outbox.database import Damage
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.runtime.clock import Clock

ProblemKind = Literal["outbox_damaged", "outbox_refuses", "judge_fails", "verifier_fails"]


class HealthReporter:
    """The problems there are, kept at the broker as one retained message. Thread-safe.

    It does not go through the outbox, whose troubles are among those it tells of.
    """

    def __init__(self, retained: RetainedPublisher, site: str, clock: Clock) -> None:
        self._retained = retained
        self._site = site
        self._clock = clock
        self._lock = threading.Lock()
        self._problems: dict[ProblemKind, ProblemV1] = {}
        self._tell()

    def report(self, kind: ProblemKind, detail: str) -> None:
        """There is a problem. The same again changes nothing."""
        with self._lock:
            known = self._problems.get(kind)
            if known is not None and known.detail == to_printable(detail):
                return
            since = format_time(self._clock.now()) if known is None else known.since
            self._problems[kind] = ProblemV1(kind=kind, detail=to_printable(detail), since=since)
            self._tell()

    def clear(self, kind: ProblemKind) -> None:
        """It is over."""
        with self._lock:
            if self._problems.pop(kind, None) is not None:
                self._tell()

    def damaged(self, damage: Damage) -> None:
        """The outbox was broken. Stays until the next start: somebody should look."""
        self.report(
            "outbox_damaged",
            f"set aside as {damage.aside}; {damage.rescued} messages were rescued; "
            "look at the disk, then delete the file",
        )

    def _tell(self) -> None:
        problems = list(self._problems.values())
        body = HealthV1(
            site=self._site, ok=not problems, at=format_time(self._clock.now()), problems=problems
        )
        self._retained.keep(health_topic(self._site), encode_model(body))
