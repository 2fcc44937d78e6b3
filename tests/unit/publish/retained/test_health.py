"""What is said about the program itself, and about who is in view."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from monitor.domain import AlertState, CameraId, Covering, Severity
from monitor.publish.outbox.database import Damage
from monitor.publish.retained.health import HealthReporter
from monitor.publish.retained.retained_topics import OpenAlerts, RetainedPublisher
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.fakes import ALERT, ManualClock
from tests.support.fakes_mqtt import SwitchedBroker
from tests.support.waiting import until


class PublishedState:
    """A RetainedPublisher whose newest messages can be read."""

    def __init__(self) -> None:
        self.broker = SwitchedBroker()
        self.retained = RetainedPublisher(self.broker, "s")

    def newest(self, ending: str) -> dict[str, object]:
        stop = StopSwitch()
        worker = Worker("retained", self.retained.run, stop)
        before = len(self.broker.sent)
        worker.start()
        until(lambda: any(t.endswith(ending) for t, _, _ in self.broker.sent[before:]))
        stop.request()
        assert worker.join(5)
        body = [json.loads(p) for t, p, _ in self.broker.sent if t.endswith(ending)][-1]
        assert isinstance(body, dict)
        return body


def test_problems_are_told_until_they_are_over() -> None:
    published, clock = PublishedState(), ManualClock()
    health = HealthReporter(published.retained, "s", clock)
    assert published.newest("/health")["ok"] is True
    health.report_problem("judge_fails", "out of memory")
    clock.move_to(60)
    health.report_problem("outbox_refuses", "disk full")
    body = published.newest("/health")
    assert body["ok"] is False
    assert body["problems"] == [
        {"kind": kind, "detail": detail, "since": f"2024-05-01T12:0{minute}:00.000+00:00"}
        for kind, detail, minute in (
            ("judge_fails", "out of memory", 0),
            ("outbox_refuses", "disk full", 1),
        )
    ]
    health.clear_problem("judge_fails")
    health.clear_problem("outbox_refuses")
    assert published.newest("/health")["problems"] == []


def test_the_same_problem_again_is_no_news() -> None:
    published = PublishedState()
    health = HealthReporter(published.retained, "s", ManualClock())
    for _ in range(3):
        health.report_problem("judge_fails", "out of memory")
    published.newest("/health")
    health.report_problem("judge_fails", "out of memory")
    health.clear_problem("outbox_refuses")
    health.report_problem("judge_fails", "another reason")
    published.newest("/health")
    assert len(published.broker.sent) == 2


def test_a_damaged_outbox_is_told_with_where_it_lies() -> None:
    published = PublishedState()
    HealthReporter(published.retained, "s", ManualClock()).report_damage(
        Damage(Path("/x/outbox.damaged-1"), 7)
    )
    problems = json.dumps(published.newest("/health"))
    assert '"kind": "outbox_damaged"' in problems
    assert "/x/outbox.damaged-1; 7 messages were rescued" in problems


def test_a_camera_is_covered_while_an_alert_is_open() -> None:
    published = PublishedState()
    yard = CameraId("yard")
    covered = OpenAlerts(published.retained, "s", [yard])
    assert published.newest("/covered")["covered"] is False
    note = replace(ALERT, id=UUID(int=1), severity=Severity.NOTE, covering=Covering.SCARF)
    covered.record_alert(ALERT)
    covered.record_alert(note)
    assert published.newest("/covered") == {
        "camera": "yard",
        "covered": True,
        "alerts": 2,
        "covering": "scarf",
        "severity": "critical",
        "last_covering": "scarf",
    }
    covered.record_alert(replace(ALERT, seq=2, state=AlertState.ENDED))
    body = published.newest("/covered")
    assert (body["covered"], body["severity"]) == (True, "note")
    covered.record_alert(replace(note, seq=2, state=AlertState.REJECTED))
    body = published.newest("/covered")
    assert (body["covered"], body["covering"], body["last_covering"]) == (False, None, "scarf")
