"""The relay against real time: how soon it starts, and what the clock on the wall may do."""

import json
import statistics
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.fakes import START
from tests.support.fakes_mqtt import FakeSender
from tests.support.relays import UntilEmpty, message, real_time_relay, relay_at


def test_a_new_alert_is_on_its_way_within_fifty_milliseconds(tmp_path: Path) -> None:
    publisher = FakeSender()
    stop = StopSwitch()
    delays = []
    with Outbox(tmp_path / "outbox") as outbox:
        worker = Worker("outbox-relay", real_time_relay(outbox, publisher).run, stop)
        worker.start()
        for n in range(15):
            publisher.taken.clear()
            outbox.add(message(n))
            added = time.perf_counter()
            assert publisher.taken.wait(5)
            delays.append(time.perf_counter() - added)
        stop.request()
        asked = time.monotonic()
        assert worker.join(5)
    assert time.monotonic() - asked < 1, "an idle relay stops at once"
    assert statistics.median(delays) < 0.05


def test_a_clock_of_another_zone_changes_nothing(tmp_path: Path) -> None:
    publisher = FakeSender()
    elsewhere = START.astimezone().replace(microsecond=0)
    with Outbox(tmp_path / "outbox") as outbox:
        outbox.add(
            OutboxMessage(
                UUID(int=1),
                1,
                "t",
                b'{"late": false, "timings_ms": {}}',
                elsewhere - timedelta(seconds=2),
            )
        )
        relay_at(outbox, publisher).run(UntilEmpty(outbox))
    assert json.loads(publisher.received[0])["timings_ms"] == {"publish": 2000.0}
