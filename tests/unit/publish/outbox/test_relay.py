"""What the relay does when the broker or the disk fails it, in simulated time."""

import json
import logging
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest

from monitor.errors import BrokerUnavailableError
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.relay import OutboxRelay
from monitor.runtime.backoff import Backoff
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.fakes import START, ManualClock
from tests.support.fakes_mqtt import FakeSender
from tests.support.relays import UntilEmpty, message, real_time_relay, relay_at
from tests.support.waiting import until

AWAY = BrokerUnavailableError("not connected")


def test_everything_arrives_in_order_after_an_outage(tmp_path: Path) -> None:
    publisher = FakeSender([AWAY, AWAY])
    with Outbox(tmp_path / "outbox") as outbox:
        for n in range(3):
            outbox.add(message(n))
        stop = UntilEmpty(outbox)
        relay_at(outbox, publisher).run(stop)
    assert publisher.received == [b"0", b"1", b"2"]
    assert {topic for topic, _ in publisher.asked} == {"t"}
    first, second = stop.waits
    assert 0.5 <= first <= 1 <= second <= 2, "it backs off between attempts"


def test_what_was_not_sent_is_sent_after_a_restart(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(message(1))
        relay_at(outbox, FakeSender([AWAY])).run(UntilEmpty(outbox, waits_allowed=1))
        assert len(outbox) == 1

    publisher = FakeSender()
    with Outbox(tmp_path / "outbox") as outbox:
        relay_at(outbox, publisher).run(UntilEmpty(outbox))
    assert publisher.received == [b"1"]


def test_a_topic_that_is_refused_holds_up_no_other_and_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = FakeSender(refused=["yard"])
    clock = ManualClock()
    stop = StopSwitch()
    with Outbox(tmp_path / "outbox") as outbox:
        for n in range(6):
            topic = ("yard", "gate")[n % 2]
            outbox.add(OutboxMessage(UUID(int=n), 1, topic, b"%d" % n, START))
        carrying = OutboxRelay(outbox, publisher, Backoff(1, 8), clock=clock, late_after_s=10)
        worker = Worker("outbox-relay", carrying.run, stop)
        worker.start()
        until(lambda: len(outbox) == 3)
        assert publisher.received == [b"1", b"3", b"5"]
        assert publisher.asked.count(("yard", b"0")) == 1, "it does not insist"
        clock.move_to(8.1)
        until(lambda: publisher.asked.count(("yard", b"2")) == 1, "another one is tried")
        publisher.refused.clear()
        clock.move_to(16.3)
        until(lambda: len(outbox) == 0)
        stop.request()
        assert worker.join(5)
    assert publisher.received == [b"1", b"3", b"5", b"0", b"2", b"4"]
    assert worker.failure is None
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 1, "it is logged once"


def test_id_and_seq_travel_beside_the_payload(tmp_path: Path) -> None:
    publisher = FakeSender()
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(message(1))
        relay_at(outbox, publisher).run(UntilEmpty(outbox))
    assert publisher.properties == [{"id": str(UUID(int=1)), "seq": "1"}]


@pytest.mark.parametrize(
    ("waited_s", "late", "publish_ms"),
    [
        (0.0123, False, 12.3),
        (10.0, False, 10_000.0),
        (10.1, True, 10_100.0),
        (-3600.0, False, 0.0),  # the wall clock was set back
    ],
)
def test_an_alert_says_how_long_it_waited(
    tmp_path: Path, waited_s: float, publish_ms: float, *, late: bool
) -> None:
    publisher = FakeSender()
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(message(1, b'{"late": false, "timings_ms": {"publish": 0.0}}'))
        relay_at(outbox, publisher, seconds=waited_s).run(UntilEmpty(outbox))
    (sent,) = map(json.loads, publisher.received)
    assert sent == {"late": late, "timings_ms": {"publish": publish_ms}}


def test_an_outage_is_logged_at_its_start_each_minute_and_at_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(message(1))
        carrying = OutboxRelay(
            outbox, FakeSender([AWAY] * 9), Backoff(1, 8), clock=clock, late_after_s=1
        )
        seconds = iter(range(10, 200, 10))
        carrying.run(UntilEmpty(outbox, meanwhile=lambda: clock.move_to(next(seconds))))
    assert [record.getMessage() for record in caplog.records] == [
        "not connected; alerts wait in the outbox",
        "not connected; alerts wait in the outbox (6 times)",
        "alerts are delivered again",
    ]


def test_a_disk_that_will_not_forget_a_message_does_not_repeat_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = FakeSender()
    with Outbox(tmp_path / "outbox", busy_timeout_s=0) as outbox:
        outbox.add(message(1))
        outbox.add(message(2))
        other = sqlite3.connect(tmp_path / "outbox", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        def unlock_at_the_third_wait() -> None:
            if len(stop.waits) == 3:
                other.close()

        stop = UntilEmpty(outbox, meanwhile=unlock_at_the_third_wait)
        relay_at(outbox, publisher).run(stop)
        assert len(stop.waits) == 3
    assert publisher.received == [b"1", b"2"]
    assert "end the other program" in caplog.text


def test_a_disk_that_cannot_be_read_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = FakeSender()
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(message(1))
        other = sqlite3.connect(tmp_path / "outbox", isolation_level=None)
        other.execute("ALTER TABLE message RENAME TO away")
        switch = StopSwitch()
        worker = Worker("outbox-relay", real_time_relay(outbox, publisher).run, switch)
        worker.start()
        until(lambda: "no such table" in caplog.text)
        other.execute("ALTER TABLE away RENAME TO message")
        other.close()
        until(lambda: publisher.received)
        switch.request()
        assert worker.join(5)
    assert publisher.received == [b"1"]
    assert worker.failure is None
