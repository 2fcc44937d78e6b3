"""How many alerts a second go from the outbox to their acknowledgement.

    python -m tests.benchmarks.outbox [ROUNDS] [ALERTS]

Beside it, in turn, what paho does by itself with QoS 1 and nothing on disk, sending the same
payloads as fast as it can, and what one alert at a time would give. A real mosquitto on
loopback; medians over the rounds.
"""

import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from monitor.config.schema import Mqtt
from monitor.publish.contract.payload import alert_topic, encode_alert
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.relay import OutboxRelay
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.broker import Mosquitto
from tests.support.fakes import ALERT, YARD
from tests.support.ports import HOST
from tests.support.waiting import until

TOPIC = alert_topic("site", YARD)
PAYLOAD = encode_alert("site", ALERT)


def stored(outbox: Outbox, count: int) -> float:
    """Seconds to raise alerts: each is on disk before the next."""
    started = time.perf_counter()
    for n in range(count):
        outbox.add(OutboxMessage(UUID(int=n), 0, TOPIC, PAYLOAD, datetime.now(UTC)))
    return time.perf_counter() - started


def carried(folder: Path, port: int, count: int) -> tuple[float, float]:
    """Seconds to store alerts, and seconds from the outbox to the last acknowledgement."""
    stop = StopSwitch()
    with (
        Outbox(folder / "outbox") as outbox,
        MqttPublisher(Mqtt(port=port), "site") as publisher,
    ):
        storing_s = stored(outbox, count)
        until(lambda: publisher.connected)
        relay = OutboxRelay(outbox, publisher, Backoff(1, 2), clock=SystemClock(), late_after_s=10)
        worker = Worker("outbox-relay", relay.run, stop)
        started = time.perf_counter()
        worker.start()
        until(lambda: len(outbox) == 0, "the outbox to drain", 120)
        took_s = time.perf_counter() - started
        stop.request()
        assert worker.join(5)
        assert worker.failure is None
    return storing_s, took_s


def plain(port: int, count: int, at_once: int) -> float:
    """Seconds for paho alone, with so many messages on their way at one time."""
    acknowledged = threading.Semaphore(0)
    client = Client(CallbackAPIVersion.VERSION2, "plain", protocol=MQTTProtocolVersion.MQTTv5)
    client.on_publish = lambda *_: acknowledged.release()
    client.connect(HOST, port)
    client.loop_start()
    until(client.is_connected)
    started = time.perf_counter()
    for n in range(count):
        if n >= at_once:
            acknowledged.acquire()
        client.publish(TOPIC, PAYLOAD, qos=1)
    for _ in range(min(at_once, count)):
        acknowledged.acquire()
    took_s = time.perf_counter() - started
    client.disconnect()
    client.loop_stop()
    return took_s


def main(rounds: int, count: int) -> None:
    """Measure and print."""
    rates: dict[str, list[float]] = {}

    def note(what: str, seconds: float) -> None:
        rates.setdefault(what, []).append(count / seconds)

    with tempfile.TemporaryDirectory() as scratch, Mosquitto(Path(scratch)) as broker:
        for _ in range(rounds):
            storing_s, carrying_s = carried(Path(scratch), broker.port, count)
            note("raised: on disk, synced one by one", storing_s)
            note("outbox to PUBACK", carrying_s)
            note("plain paho, 20 on their way", plain(broker.port, count, 20))
            note("plain paho, one at a time", plain(broker.port, count, 1))
    for what, each in rates.items():
        low, high = min(each), max(each)
        print(f"{what:<38}{statistics.median(each):>8.0f}/s  ({low:.0f} to {high:.0f})")  # noqa: T201


if __name__ == "__main__":
    main(
        rounds=int(sys.argv[1]) if len(sys.argv) > 1 else 5,
        count=int(sys.argv[2]) if len(sys.argv) > 2 else 1000,
    )
