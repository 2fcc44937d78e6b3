"""From what a camera shows to messages about it."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from monitor.domain import CameraId, Severity, TamperingReason
from monitor.publish.contract.models import TamperingV1
from monitor.publish.contract.payload import encode_ended, stamp_payload
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.retained.tampering import TamperAlerts
from tests.support.fakes import START, YARD, ManualClock

LOBBY = CameraId("lobby")


class TamperAlertsProbe:
    """A TamperAlerts, and what it put into the outbox."""

    def __init__(self, outbox: Outbox, severity: Severity) -> None:
        ids = count(1)
        self.outbox = outbox
        buffered = BufferedOutbox(outbox, ManualClock(), on_failure=lambda _: None)
        zones = {YARD: "gate", LOBBY: None}
        self.tamper_alerts = TamperAlerts(
            "site", buffered, zones, severity, lambda: UUID(int=next(ids))
        )

    def take_all(self) -> Iterator[OutboxMessage]:
        while (message := self.outbox.read_oldest()) is not None:
            yield message
            self.outbox.remove(message)

    def notes(
        self, *reasons: TamperingReason | None, camera: CameraId = YARD
    ) -> list[OutboxMessage]:
        for reason in reasons:
            self.tamper_alerts.update(camera, reason, START)
        return list(self.take_all())


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox") as opened:
        yield opened


def bodies(messages: list[OutboxMessage]) -> list[tuple[object, ...]]:
    read = [json.loads(message.payload) for message in messages]
    return [(UUID(b["id"]).int, b["seq"], b["state"], b["reason"]) for b in read]


def test_a_camera_that_was_tampered_with_is_raised_once_and_ended_once(outbox: Outbox) -> None:
    tamper_alerts = TamperAlertsProbe(outbox, Severity.ALERT)
    covered = TamperingReason.LENS_COVERED
    messages = tamper_alerts.notes(None, covered, covered, None, None, covered)
    assert bodies(messages) == [
        (1, 0, "raised", "lens_covered"),
        (1, 1, "ended", "lens_covered"),
        (2, 0, "raised", "lens_covered"),
    ]
    assert {message.topic for message in messages} == {"monitor/v1/site/yard/tampering"}


def test_another_reason_is_another_alert(outbox: Outbox) -> None:
    messages = TamperAlertsProbe(outbox, Severity.ALERT).notes(
        TamperingReason.IMAGE_TOO_BLURRY, TamperingReason.GLOBAL_SCENE_CHANGE
    )
    assert bodies(messages) == [
        (1, 0, "raised", "image_too_blurry"),
        (1, 1, "ended", "image_too_blurry"),
        (2, 0, "raised", "global_scene_change"),
    ]


def test_each_camera_has_its_own(outbox: Outbox) -> None:
    tamper_alerts = TamperAlertsProbe(outbox, Severity.NOTE)
    assert len(tamper_alerts.notes(TamperingReason.IMAGE_TOO_DARK)) == 1
    (message,) = tamper_alerts.notes(TamperingReason.IMAGE_TOO_DARK, camera=LOBBY)
    body = TamperingV1.model_validate_json(message.payload)
    assert (body.camera, body.zone, body.severity) == ("lobby", None, "note")
    assert message.expendable


def test_what_is_ignored_is_not_published(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    assert (
        TamperAlertsProbe(outbox, Severity.IGNORE).notes(TamperingReason.IMAGE_FROZEN, None) == []
    )
    assert "yard: tampering: image_frozen" in caplog.text
    assert "yard: sees again" in caplog.text


def test_a_late_delivery_and_an_end_after_a_crash_are_valid_too(outbox: Outbox) -> None:
    (raised,) = TamperAlertsProbe(outbox, Severity.ALERT).notes(TamperingReason.IMAGE_FROZEN)
    late = TamperingV1.model_validate_json(stamp_payload(raised.payload, late=True, publish_ms=3))
    ended = TamperingV1.model_validate_json(encode_ended(raised.payload))
    assert late.late
    assert (ended.seq, ended.state, ended.id) == (1, "ended", late.id)
