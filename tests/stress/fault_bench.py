"""Raising alerts, breaking things, and counting what an independent subscriber got."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from monitor.config.schema import Mqtt
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.relay import OutboxRelay
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.broker import Witness
from tests.support.waiting import until

TOPIC = "monitor/v1/site/yard/alert"
OPEN = 5  # alerts that are open at one time: each ends when the fifth after it is raised
TIMEOUT_S = 60.0  # for everything to arrive once a fault is mended
Key = tuple[str, int]


def story(alerts: int, first: int = 0, padding: int = 0) -> Iterator[OutboxMessage]:
    """Two states of each alert, interleaved, as several people in view make them."""
    for n in range(alerts + OPEN):
        if n < alerts:
            yield state(first + n, 0, padding)
        if n >= OPEN:
            yield state(first + n - OPEN, 1, padding)


def state(alert: int, seq: int, padding: int = 0) -> OutboxMessage:
    """One state of one alert."""
    id_ = UUID(int=alert + 1)
    body = {"id": str(id_), "seq": seq, "late": False, "timings_ms": {}, "thinking": "x" * padding}
    return OutboxMessage(id_, seq, TOPIC, json.dumps(body).encode(), datetime.now(UTC))


def keys(messages: list[OutboxMessage]) -> list[Key]:
    """As subscribers see them."""
    return [(str(message.id), message.seq) for message in messages]


@contextmanager
def carrying(
    folder: Path, port: int, *, site: str = "site", max_bytes: int | None = None, **settings: object
) -> Iterator[BufferedOutbox]:
    """An outbox that is being emptied into a broker, and what the disk would not take."""
    stop = StopSwitch()
    mqtt = Mqtt.model_validate({"port": port, **settings})
    folder.mkdir(exist_ok=True)
    with (
        Outbox(folder / "outbox", max_bytes=max_bytes) as outbox,
        MqttPublisher(mqtt, site) as publisher,
    ):
        buffered = BufferedOutbox(outbox, SystemClock(), lambda _: None)
        relay = OutboxRelay(
            buffered, publisher, Backoff(0.05, 0.5), clock=SystemClock(), late_after_s=10
        )
        worker = Worker("outbox-relay", relay.run, stop)
        worker.start()
        try:
            yield buffered
        finally:
            stop.request()
            assert worker.join(5)
        assert worker.failure is None


def raise_all(
    buffered: BufferedOutbox,
    messages: Iterator[OutboxMessage],
    pause_s: float = 0.0,
    *,
    refused: Callable[[int], None] = lambda _: None,
) -> list[Key]:
    """Raise alerts.

    Args:
        buffered: Where they go.
        messages: Their states.
        pause_s: Between two of them.
        refused: Told how many are waiting in memory, whenever there are any.
    """
    raised = []
    for message in messages:
        raised.append(message)
        buffered.add(message)
        if buffered.unsaved:
            refused(buffered.unsaved)
        time.sleep(pause_s)
    return keys(raised)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    case: str
    raised: int  # messages: states of alerts
    received: int  # repetitions included
    distinct: int
    lost: int
    out_of_order: int  # states that came after a later one of their alert
    drained_s: float  # from the mend to the last one's arrival
    remark: str = ""

    def __str__(self) -> str:
        return (
            f"{self.case:<44}{self.raised:>7}{self.received:>9}{self.distinct:>9}{self.lost:>6}"
            f"{self.out_of_order:>8}{self.drained_s:>9.2f}  {self.remark}"
        )


HEAD = (
    f"{'case':<44}{'raised':>7}{'received':>9}{'distinct':>9}{'lost':>6}"
    f"{'unorder':>8}{'drain s':>9}"
)


def drained(
    case: str, raised: list[Key], witness: Witness, *shelves: BufferedOutbox, remark: str = ""
) -> Row:
    """Wait until everything has arrived, and count. Called when the fault has been mended."""
    mended = time.monotonic()
    until(lambda: not any(map(len, shelves)), f"{case}: the outbox to drain", TIMEOUT_S)
    until(lambda: set(raised) <= set(witness.keys()), f"{case}: the last alerts", TIMEOUT_S)
    took_s = time.monotonic() - mended
    received = witness.keys()
    once = list(dict.fromkeys(received))
    latest: dict[str, int] = {}
    unordered = 0
    for id_, seq in once:
        unordered += seq < latest.get(id_, -1)
        latest[id_] = max(seq, latest.get(id_, -1))
    lost = len(set(raised) - set(received))
    return Row(case, len(raised), len(received), len(once), lost, unordered, took_s, remark=remark)
