"""More cases of the fault matrix: what is full, and what is not ours alone."""

import threading
from pathlib import Path

from tests.stress.fault_bench import Row, carrying, drained, raise_all, story
from tests.stress.fault_help import SmallDisk, away, heard
from tests.support.broker import Mosquitto, Witness
from tests.support.waiting import until


def disk_full(folder: Path) -> Row:
    """No byte is left, neither to store nor to forget; the broker is there to take alerts."""
    with (
        SmallDisk(folder) as disk,
        Mosquitto(folder, durable=True) as broker,
        Witness(broker.port) as witness,
        carrying(disk.folder / "us", broker.port) as buffered,
    ):
        raised = raise_all(buffered, story(10))
        until(lambda: len(buffered) == 0)
        disk.fill()
        refused: list[int] = []
        raised += raise_all(buffered, story(40, first=10), 0.002, refused=refused.append)
        assert refused, "the disk was not full: the case did not happen"
        remark = f"{'a real disk' if disk.real else 'a limit on files'}, still full"
        row = drained("disk full, broker there", raised, witness, buffered, remark=remark)
        disk.free()
        until(lambda: not buffered.flush(), "the disk to take alerts again")
        return row


def outbox_full(folder: Path) -> Row:
    """The outbox reaches its bound while the broker is away; the rest waits in memory."""
    broker = Mosquitto(folder, durable=True)
    with (
        broker,
        Witness(broker.port) as witness,
        away(witness, broker) as come_back,
        carrying(folder / "us", broker.port, max_bytes=60_000) as outbox,
    ):
        coming = threading.Timer(1.0, come_back)
        coming.start()
        refused: list[int] = []
        raised = raise_all(outbox, story(40, padding=2000), refused=refused.append)
        coming.join()
        remark = f"{max(refused)} refused at first"
        return drained("outbox full, broker away", raised, witness, outbox, remark=remark)


def one_client_id_for_two(folder: Path) -> Row:
    """They throw each other out, say so, and both get their alerts through."""
    with (
        heard("monitor.publish.mqtt.publisher") as log,
        Mosquitto(folder, durable=True) as broker,
        Witness(broker.port) as witness,
        carrying(folder / "one", broker.port, client_id="same") as one,
        carrying(folder / "two", broker.port, client_id="same") as two,
    ):
        raised = raise_all(one, story(40)) + raise_all(two, story(40, first=100))
        row = drained("two daemons with one client id", raised, witness, one, two)
        until(lambda: sum(map(evicted, log)) >= 2, "both to say that they were thrown out")
        return row


def evicted(line: str) -> bool:
    """Whether a line of the log names the mend; the broker's own words may be lost on the way."""
    return "give each program a client_id of its own" in line
