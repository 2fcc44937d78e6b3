"""The relay against real time: how soon it starts, and what the clock on the wall may do."""

import json
import statistics
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from monitor.publish import NO_PROPERTIES
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.fakes import START, Outcome
from tests.unit.publish.outbox.test_relay import (
    ScriptedPublisher,
    UntilEmpty,
    message,
    relay,
    relay_of_real_time,
)


class StampingPublisher(ScriptedPublisher):
    """Notes when it was handed something."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()

    def send(
        self, topic: str, payload: bytes, *, properties: Mapping[str, str] = NO_PROPERTIES
    ) -> Outcome:
        outcome = super().send(topic, payload, properties=properties)
        self.taken.set()
        return outcome


def test_a_new_alert_is_on_its_way_within_fifty_milliseconds(tmp_path: Path) -> None:
    publisher = StampingPublisher()
    stop = StopSwitch()
    delays = []
    with Outbox(tmp_path / "outbox") as outbox:
        worker = Worker("outbox-relay", relay_of_real_time(outbox, publisher).run, stop)
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
    publisher = ScriptedPublisher()
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
        relay(outbox, publisher).run(UntilEmpty(outbox))
    assert json.loads(publisher.received[0])["timings_ms"] == {"publish": 2000.0}
