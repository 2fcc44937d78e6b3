"""From what a camera shows to messages about it."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from monitor.domain import Blindness, CameraId, Severity
from monitor.publish.contract.models import BlindV1
from monitor.publish.contract.payload import ended_payload, stamped
from monitor.publish.outbox.buffered import Shelf
from monitor.publish.outbox.outbox import Message, Outbox
from monitor.publish.retained.tampering import BlindBook
from tests.support.fakes import START, YARD, ManualClock

LOBBY = CameraId("lobby")


class Books:
    """A book, and what it put on the shelf."""

    def __init__(self, outbox: Outbox, severity: Severity) -> None:
        ids = count(1)
        self.outbox = outbox
        shelf = Shelf(outbox, ManualClock(), on_trouble=lambda _: None)
        zones = {YARD: "gate", LOBBY: None}
        self.book = BlindBook("site", shelf, zones, severity, lambda: UUID(int=next(ids)))

    def told(self) -> Iterator[Message]:
        while (message := self.outbox.oldest()) is not None:
            yield message
            self.outbox.remove(message)

    def notes(self, *reasons: Blindness | None, camera: CameraId = YARD) -> list[Message]:
        for reason in reasons:
            self.book.note(camera, reason, START)
        return list(self.told())


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox") as opened:
        yield opened


def bodies(messages: list[Message]) -> list[tuple[object, ...]]:
    read = [json.loads(message.payload) for message in messages]
    return [(UUID(b["id"]).int, b["seq"], b["state"], b["reason"]) for b in read]


def test_a_blind_camera_is_raised_once_and_ended_once(outbox: Outbox) -> None:
    books = Books(outbox, Severity.ALERT)
    covered = Blindness.COVERED
    messages = books.notes(None, covered, covered, None, None, covered)
    assert bodies(messages) == [
        (1, 0, "raised", "covered"),
        (1, 1, "ended", "covered"),
        (2, 0, "raised", "covered"),
    ]
    assert {message.topic for message in messages} == {"monitor/v1/site/yard/blind"}


def test_another_reason_is_another_alert(outbox: Outbox) -> None:
    messages = Books(outbox, Severity.ALERT).notes(Blindness.DEFOCUSED, Blindness.MOVED)
    assert bodies(messages) == [
        (1, 0, "raised", "defocused"),
        (1, 1, "ended", "defocused"),
        (2, 0, "raised", "moved"),
    ]


def test_each_camera_has_its_own(outbox: Outbox) -> None:
    books = Books(outbox, Severity.NOTE)
    assert len(books.notes(Blindness.DARK)) == 1
    (message,) = books.notes(Blindness.DARK, camera=LOBBY)
    body = BlindV1.model_validate_json(message.payload)
    assert (body.camera, body.zone, body.severity) == ("lobby", None, "note")
    assert message.expendable


def test_what_is_ignored_is_not_published(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    assert Books(outbox, Severity.IGNORE).notes(Blindness.FROZEN, None) == []
    assert "yard: blind: frozen" in caplog.text
    assert "yard: sees again" in caplog.text


def test_a_late_delivery_and_an_end_after_a_crash_are_valid_too(outbox: Outbox) -> None:
    (raised,) = Books(outbox, Severity.ALERT).notes(Blindness.FROZEN)
    late = BlindV1.model_validate_json(stamped(raised.payload, late=True, publish_ms=3))
    ended = BlindV1.model_validate_json(ended_payload(raised.payload))
    assert late.late
    assert (ended.seq, ended.state, ended.id) == (1, "ended", late.id)
