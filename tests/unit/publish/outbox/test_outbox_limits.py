"""What makes room in the outbox, what never does, and what becomes of a broken file."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from monitor.errors import OutboxDamagedError, OutboxError, OutboxFullError
from monitor.publish.outbox.database import Damage
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from tests.support.fakes import START
from tests.support.outboxes import BIG, big_alert, broken_in_the_middle


def note(n: int, created_at: datetime = START) -> OutboxMessage:
    return OutboxMessage(
        UUID(int=n), 0, "monitor/v1/s/yard/alert", BIG, created_at, expendable=True
    )


def numbers(outbox: Outbox) -> list[int]:
    return [message.id.int for message in outbox]


def test_the_oldest_notes_make_room_for_an_alert(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox", max_bytes=120_000) as outbox:
        for n in range(100):
            outbox.add(big_alert(n) if n < 30 and n % 2 == 0 else note(n))
        kept = numbers(outbox)
        assert kept[-1] == 99, "the newest went in"
        assert set(range(0, 30, 2)) <= set(kept), "no alert went"
        saved_state = [n for n in kept if n >= 30 or n % 2]
        assert saved_state == list(range(saved_state[0], 100)), "of the notes, the oldest went"
    assert (tmp_path / "outbox").stat().st_size <= 120_000


def test_alerts_are_never_dropped_for_others(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox", max_bytes=120_000) as outbox:
        added = fill_with_alerts(outbox)
        for more in (big_alert(998), note(999)):
            with pytest.raises(OutboxFullError):
                outbox.add(more)
        assert numbers(outbox) == list(range(added))


def fill_with_alerts(outbox: Outbox) -> int:
    for n in range(1000):
        try:
            outbox.add(big_alert(n))
        except OutboxFullError:
            return n
    raise AssertionError("it never refused")


def test_notes_that_are_too_old_go_and_alerts_stay(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(big_alert(1))
        for hours in range(-3, 3):
            outbox.add(note(10 + hours, START + timedelta(hours=hours)))
        assert outbox.delete_expired(START) == 3
        assert numbers(outbox) == [1, 10, 11, 12]


def test_side_by_side_are_only_different_alerts(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        for n, seq in ((1, 0), (1, 1), (2, 0), (1, 2), (3, 0), (2, 1)):
            outbox.add(OutboxMessage(UUID(int=n), seq, "t", b"", START))
        due = outbox.read_due(9)
        assert [(m.id.int, m.seq) for m in due] == [(1, 0), (2, 0), (3, 0)]
        others = outbox.read_due(9, skip_alerts=[UUID(int=1), UUID(int=3)])
        assert [(m.id.int, m.seq) for m in others] == [(2, 0)]
        outbox.remove(*due)
        assert [(m.id.int, m.seq) for m in outbox.read_due(1)] == [(1, 1)]
        assert len(outbox) == 3


def test_a_file_of_the_first_version_is_carried_over(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "outbox", isolation_level=None)
    db.execute(
        "CREATE TABLE message (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, "
        "seq INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, "
        "created_at TEXT NOT NULL, UNIQUE (id, seq)) STRICT"
    )
    db.execute(
        "INSERT INTO message (id, seq, topic, payload, created_at) VALUES (?, 0, ?, ?, ?)",
        (str(UUID(int=1)), "monitor/v1/s/yard/alert", BIG, START.isoformat()),
    )
    db.execute("PRAGMA user_version=1")
    db.close()
    with Outbox(tmp_path / "outbox") as outbox:
        assert list(outbox) == [big_alert(1)]
        outbox.add(note(2))
        assert numbers(outbox) == [1, 2]


def test_a_broken_file_is_set_aside_and_what_can_be_read_is_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    broken_in_the_middle(path)
    damages: list[Damage] = []
    with Outbox(path, on_damage=damages.append) as outbox:
        (damage,) = damages
        saved = numbers(outbox)
        assert len(saved) == damage.rescued
        assert 30 < len(saved) < 60, "most can be read, but not all"
        assert saved == sorted(saved), "in their order"
        outbox.add(big_alert(999))
    assert damage.aside.name.startswith("outbox.damaged-2")
    assert damage.aside.exists()
    with Outbox(path, on_damage=damages.append) as outbox:
        assert numbers(outbox)[-1] == 999
    assert len(damages) == 1, "the new file is sound"


def test_a_file_that_is_no_outbox_at_all_is_set_aside_untouched(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    path.write_bytes(b"not a database" * 100)
    damages: list[Damage] = []
    with Outbox(path, on_damage=damages.append) as outbox:
        outbox.add(big_alert(1))
    (damage,) = damages
    assert damage.rescued == 0
    assert damage.aside.read_bytes() == b"not a database" * 100


def test_a_file_that_breaks_while_it_is_used_is_replaced_and_the_next_try_works(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox"
    damages: list[Damage] = []
    with Outbox(path, on_damage=damages.append) as outbox:
        for n in range(60):
            outbox.add(big_alert(n))
        # Another program's writing makes this one read the file again, not its own memory.
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("INSERT INTO retained VALUES ('t')")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (path.stat().st_size - 4096))
        assert_fails_once(outbox)
        outbox.add(big_alert(99))
        assert numbers(outbox)[-1] == 99
    assert len(damages) == 1


def assert_fails_once(outbox: Outbox) -> None:
    with pytest.raises(OutboxDamagedError):
        list(outbox)


def test_without_somebody_to_tell_a_broken_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OutboxError):
        Outbox(path)
    assert [each.name for each in tmp_path.iterdir()] == ["outbox"]
