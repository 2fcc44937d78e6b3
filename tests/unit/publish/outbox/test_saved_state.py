"""What is known again after a restart."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.saved_state import SavedState

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
OPEN = OutboxMessage(UUID(int=1), 0, "t", b"{}", NOON, unfinished=True)


def test_topics_the_broker_keeps_are_remembered_until_they_are_forgotten(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        saved_state = SavedState(outbox.file)
        saved_state.save_retained_topics(["a", "b"])
        saved_state.save_retained_topics(["b", "c"])
        saved_state.delete_retained_topic("a")
    with Outbox(tmp_path / "outbox") as outbox:
        assert SavedState(outbox.file).read_retained_topics() == {"b", "c"}


def test_cameras_that_pause_are_remembered_until_they_resume(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        saved_state = SavedState(outbox.file)
        for camera in ("yard", "gate", "yard"):
            saved_state.save_paused(camera, paused=True)
        saved_state.save_paused("gate", paused=False)
    with Outbox(tmp_path / "outbox") as outbox:
        assert SavedState(outbox.file).read_paused_cameras() == {"yard"}


def test_an_alert_is_unfinished_until_its_last_state_also_when_all_was_sent(tmp_path: Path) -> None:
    grown = replace(OPEN, seq=1, payload=b"[]")
    other = replace(OPEN, id=UUID(int=2))
    with Outbox(tmp_path / "outbox") as outbox:
        for message in (OPEN, other, grown, replace(other, seq=1, unfinished=False)):
            outbox.add(message)
        outbox.remove(*outbox)
    with Outbox(tmp_path / "outbox") as outbox:
        (left,) = SavedState(outbox.file).read_unfinished()
    assert (left.key, left.payload) == (grown.key, b"[]")
