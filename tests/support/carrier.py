"""A process that stores alerts and carries them, to be killed by a test.

    python -m tests.support.carrier OUTBOX PORT FIRST COUNT

Stores COUNT messages, numbered from FIRST, of three alerts in turn, and says so on standard
output after each. Then it carries on until it is killed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from monitor.config.schema import Mqtt
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.relay import OutboxRelay
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker

ALERTS = 3


def numbered(n: int) -> OutboxMessage:
    """The n-th message: a state of one of three alerts, each with growing seq."""
    id_, seq = UUID(int=n % ALERTS), n // ALERTS
    payload = json.dumps({"id": str(id_), "seq": seq, "timings_ms": {}}).encode()
    return OutboxMessage(id_, seq, "monitor/v1/site/yard/alert", payload, datetime.now(UTC))


def key(n: int) -> tuple[str, int]:
    """The n-th message's id and seq, as subscribers see them."""
    message = numbered(n)
    return str(message.id), message.seq


@contextmanager
def carrier(
    outbox: Path, port: int, first: int, count: int, *, module: str = "tests.support.carrier"
) -> Iterator[subprocess.Popen[str]]:
    """A process that stores and carries; killed with SIGKILL at the end of the block."""
    arguments = map(str, (outbox, port, first, count))
    with subprocess.Popen(  # noqa: S603  (our own code)
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def read_stored(process: subprocess.Popen[str], upto: int) -> None:
    """Read what it prints until it has stored this message."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == upto:
            return
    raise AssertionError("the carrier ended by itself")


def main(path: Path, port: int, first: int, count: int) -> None:
    """Store, carry, never end."""
    stop = StopSwitch()
    with Outbox(path) as outbox, MqttPublisher(Mqtt(port=port), "site") as publisher:
        relay = OutboxRelay(
            outbox, publisher, Backoff(0.05, 0.2), clock=SystemClock(), late_after_s=10
        )
        Worker("outbox-relay", relay.run, stop).start()
        for n in range(first, first + count):
            outbox.add(numbered(n))
            print(n, flush=True)  # noqa: T201  (the test reads along)
        stop.wait(600)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
