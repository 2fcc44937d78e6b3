"""The queue on disk against a list in memory, and with more than one user at a time."""

import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.publish.outbox.outbox import Outbox, OutboxMessage

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def message(n: int, seq: int = 1, payload: bytes = b"{}") -> OutboxMessage:
    return OutboxMessage(UUID(int=n), seq, "monitor/v1/s/yard/alert", payload, NOON)


class OutboxIsAList(RuleBasedStateMachine):
    """Whatever is done, in whatever order, with the file closed and opened in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "outbox.sqlite"
        self.outbox = Outbox(self.path)
        self.expected: list[OutboxMessage] = []

    @rule(
        n=st.integers(0, 4),
        seq=st.integers(0, 2),
        payload=st.binary(max_size=20),
        minutes=st.integers(-99, 99),
    )
    def add(self, n: int, seq: int, payload: bytes, minutes: int) -> None:
        created_at = NOON + timedelta(minutes=minutes)
        new = OutboxMessage(UUID(int=n), seq, "t", payload, created_at)
        self.outbox.add(new)
        if (new.id, new.seq) not in {(m.id, m.seq) for m in self.expected}:
            self.expected.append(new)

    @precondition(lambda self: self.expected)
    @rule()
    def send_the_oldest(self) -> None:
        oldest = self.outbox.read_oldest()
        assert oldest is not None
        self.outbox.remove(oldest)
        assert oldest == self.expected.pop(0)

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def remove_any(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.expected))
        self.outbox.remove(chosen)
        self.expected.remove(chosen)

    @rule(n=st.integers(5, 9))
    def remove_what_is_not_inside(self, n: int) -> None:
        self.outbox.remove(message(n))

    @rule()
    def reopen(self) -> None:
        self.outbox.__exit__()
        self.outbox = Outbox(self.path)

    @invariant()
    def holds_what_the_list_holds(self) -> None:
        assert list(self.outbox) == self.expected
        assert len(self.outbox) == len(self.expected)
        assert self.outbox.read_oldest() == (self.expected[0] if self.expected else None)

    def teardown(self) -> None:
        self.outbox.__exit__()
        self.folder.cleanup()


TestOutboxIsAList = OutboxIsAList.TestCase
TestOutboxIsAList.settings = settings(max_examples=30, stateful_step_count=25)


def test_the_folder_is_made_if_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "outbox.sqlite"
    with Outbox(path) as outbox:
        outbox.add(message(1))
    assert path.exists()


def test_an_alert_keeps_its_second_state_beside_its_first(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        for seq in (1, 2, 1):
            outbox.add(message(1, seq))
        assert [(m.id, m.seq) for m in outbox] == [(UUID(int=1), 1), (UUID(int=1), 2)]


def test_topics_can_be_left_out_of_the_search_for_the_oldest(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        for n, topic in enumerate("aabbc"):
            outbox.add(OutboxMessage(UUID(int=n), 1, topic, b"", NOON))
        found = [outbox.read_oldest(skip_topics=besides) for besides in ("", "a", "ab", "abc")]
    assert [None if m is None else m.id.int for m in found] == [0, 2, 4, None]


def test_a_message_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        OutboxMessage(UUID(int=1), 1, "t", b"", datetime(2024, 5, 1))  # noqa: DTZ001  (the point)


def test_everything_is_written_ahead_and_synced(tmp_path: Path) -> None:
    """What survives a power cut is decided by these two settings."""
    with Outbox(tmp_path / "outbox") as outbox, outbox.file.connect() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_threads_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:

        def add_states(of: int) -> None:
            for seq in range(25):
                outbox.add(message(of, seq))

        threads = [threading.Thread(target=add_states, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outbox) == 100
        for k in range(4):
            assert [m.seq for m in outbox if m.id == UUID(int=k)] == list(range(25))


def test_adding_wakes_a_waiting_relay_at_once(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        woken = threading.Event()

        def wait() -> None:
            outbox.wait_for_message(60)
            woken.set()

        threading.Thread(target=wait, daemon=True).start()
        outbox.add(message(1))
        assert woken.wait(5)


def test_what_was_added_before_waiting_is_not_waited_for(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(message(1))
        started = time.monotonic()
        outbox.wait_for_message(60)
        assert time.monotonic() - started < 5


LISTING = """
import sys
from pathlib import Path
from monitor.publish.outbox.outbox import Outbox
with Outbox(Path(sys.argv[1])) as outbox:
    counts = []
    while not counts or counts[-1] < 60:
        counts.append(len(list(outbox)))
    assert counts == sorted(counts), "a message vanished"
"""


def test_another_process_may_look_while_the_daemon_adds(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    with Outbox(path) as outbox:
        reader = subprocess.Popen([sys.executable, "-c", LISTING, path])  # noqa: S603  (our own code)
        for n in range(60):
            outbox.add(message(n))
        assert reader.wait(60) == 0


def test_what_another_process_adds_is_seen(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as mine, Outbox(tmp_path / "outbox") as other:
        other.add(message(1))
        assert mine.read_oldest() == message(1)
        mine.remove(message(1))
        assert len(other) == 0
