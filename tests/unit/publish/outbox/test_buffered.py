"""A disk that refuses delays no alert, loses none and changes no order."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from tests.support.fakes import ManualClock

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
TOPIC = "monitor/v1/site/yard/alert"


def state(alert: int, seq: int, *, expendable: bool = False) -> OutboxMessage:
    return OutboxMessage(UUID(int=alert), seq, TOPIC, b"{}", NOON, expendable)


def keys(messages: list[OutboxMessage]) -> list[tuple[int, int]]:
    return [(message.id.int, message.seq) for message in messages]


class Disk:
    """An outbox on a disk that can be made to refuse writing, and reading too."""

    def __init__(self, path: Path) -> None:
        self.outbox = Outbox(path)
        self.clock = ManualClock()
        self.reported: list[str | None] = []
        report = self.reported.append
        self.buffered = BufferedOutbox(self.outbox, self.clock, report, max_buffered=5)

    def refuse(self) -> None:
        """Write no more: as a file system that was remounted read-only."""
        with self.outbox.file.connect() as db:
            db.execute("PRAGMA query_only = ON")

    def allow(self) -> None:
        with self.outbox.file.connect() as db:
            db.execute("PRAGMA query_only = OFF")
        self.clock.move_to(self.clock.seconds() + 2)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "outbox")


def test_what_the_disk_takes_is_on_disk(disk: Disk) -> None:
    disk.buffered.add(state(1, 0))
    assert keys(list(disk.outbox)) == [(1, 0)]
    assert disk.buffered.unsaved == 0
    assert disk.reported == []


def test_what_the_disk_refuses_is_sent_all_the_same_in_order(disk: Disk) -> None:
    disk.buffered.add(state(1, 0))
    disk.refuse()
    disk.buffered.add(state(1, 1))
    disk.buffered.add(state(2, 0))
    first = disk.buffered.read_due(9)
    assert keys(first) == [(1, 0), (2, 0)], "of each alert the oldest state"
    disk.buffered.remove(*first)
    second = disk.buffered.read_due(9)
    assert keys(second) == [(1, 1)], "what was delivered is not sent again"
    disk.buffered.remove(*second)
    assert disk.buffered.read_due(9) == []
    assert len(disk.buffered) == 0
    disk.allow()
    assert disk.buffered.read_due(9) == []
    assert len(disk.outbox) == 0, "the disk has caught up"


def test_what_waits_in_memory_goes_to_disk_as_soon_as_it_takes_it(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.refuse()
    for seq in range(3):
        disk.buffered.add(state(1, seq))
    assert disk.buffered.unsaved == 3
    disk.allow()
    assert keys(disk.buffered.read_due(9)) == [(1, 0)]
    assert keys(list(disk.outbox)) == [(1, 0), (1, 1), (1, 2)]
    assert disk.buffered.unsaved == 0
    trouble, over = disk.reported
    assert trouble is not None
    assert "readonly" in trouble
    assert over is None
    assert caplog.text.count("wait in memory") == 1, "said once, not once a second"


def test_a_message_on_its_way_that_was_stored_meanwhile_is_removed_from_disk(disk: Disk) -> None:
    disk.refuse()
    disk.buffered.add(state(1, 0))
    sent = disk.buffered.read_due(1)
    disk.allow()
    disk.buffered.read_due(1)
    assert keys(list(disk.outbox)) == [(1, 0)]
    disk.buffered.remove(*sent)
    assert len(disk.outbox) == len(disk.buffered) == 0


def test_memory_is_bounded_and_notes_go_first(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.refuse()
    for alert in range(4):
        disk.buffered.add(state(alert, 0, expendable=alert in (1, 2)))
    for alert in (4, 5, 6):
        disk.buffered.add(state(alert, 0))
    assert keys(disk.buffered.read_due(9)) == [(0, 0), (3, 0), (4, 0), (5, 0), (6, 0)]
    assert "is lost" not in caplog.text
    disk.buffered.add(state(7, 0))
    assert keys(disk.buffered.read_due(9))[0] == (3, 0)
    assert "an alert message is lost" in caplog.text


def test_an_alert_that_began_on_a_disk_that_cannot_be_read_does_not_overtake_itself(
    disk: Disk,
) -> None:
    disk.buffered.add(state(1, 0))
    disk.outbox.file.close()  # nothing can be read nor written
    disk.buffered.add(state(1, 1))
    disk.buffered.add(state(2, 0))
    disk.buffered.add(state(2, 1))
    sent = disk.buffered.read_due(9)
    assert keys(sent) == [(2, 0)]
    disk.buffered.remove(*sent)
    assert keys(disk.buffered.read_due(9)) == [(2, 1)]


class AnyDisk(RuleBasedStateMachine):
    """Whatever the disk does: nothing is lost, and the states of an alert keep their order."""

    def __init__(self) -> None:
        super().__init__()
        self.raised: dict[int, int] = {}  # states of each alert
        self.sent: list[OutboxMessage] = []
        self.delivered: dict[int, int] = {}

    @initialize()
    def make(self) -> None:
        self.disk = Disk(Path(":memory:"))
        self.disk.buffered = BufferedOutbox(self.disk.outbox, self.disk.clock, lambda _: None)

    @rule(alert=st.integers(0, 3))
    def add(self, alert: int) -> None:
        seq = self.raised.get(alert, 0)
        self.raised[alert] = seq + 1
        self.disk.buffered.add(state(alert, seq))

    @rule(allowed=st.booleans())
    def weather(self, allowed: bool) -> None:  # noqa: FBT001  (hypothesis draws it)
        if allowed:
            self.disk.allow()
        else:
            self.disk.refuse()

    @rule(limit=st.integers(1, 4))
    def send(self, limit: int) -> None:
        in_flight = [message.id for message in self.sent]
        self.sent += self.disk.buffered.read_due(limit, skip_alerts=in_flight)

    @rule()
    def confirm(self) -> None:
        for message in self.sent:
            alert = message.id.int
            assert message.seq == self.delivered.get(alert, 0), "the next state and no other"
            self.delivered[alert] = message.seq + 1
        self.disk.buffered.remove(*self.sent)
        self.sent.clear()

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "disk"):
            waiting = sum(self.raised.values()) - sum(self.delivered.values())
            assert len(self.disk.buffered) == waiting

    def teardown(self) -> None:
        self.disk.allow()
        while sum(self.raised.values()) > sum(self.delivered.values()):
            self.send(4)
            assert self.sent, "what is left is due"
            self.confirm()
        self.disk.outbox.file.close()


TestAnyDisk = AnyDisk.TestCase
TestAnyDisk.settings = settings(max_examples=60, stateful_step_count=30)

FULL_AT_START = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from monitor.publish.outbox.outbox import OutboxMessage, Outbox
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.runtime.clock import SystemClock

# No file of this process may grow: as on a disk that is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
with Outbox(Path(sys.argv[1]), on_damage=print) as outbox:
    reported = []
    buffered = BufferedOutbox(outbox, SystemClock(), reported.append)
    message = OutboxMessage(UUID(int=1), 0, "t", b"x", datetime(2024, 5, 1, tzinfo=UTC))
    buffered.add(message)
    assert reported, "the failure is reported"
    assert buffered.read_due(1) == [message], "the alert is silent"
    assert buffered.unsaved == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert buffered.flush() == 0
    assert list(outbox) == [message]
"""


def test_a_program_that_starts_on_a_full_disk_goes_on_from_memory(tmp_path: Path) -> None:
    """Systemd restarted it for another reason, and now no camera was watched at all."""
    done = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", FULL_AT_START, tmp_path / "outbox"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
