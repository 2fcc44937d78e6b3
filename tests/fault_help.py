"""Scenes that several cases of the fault matrix share."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.publish.outbox import Outbox
from tests.broker import Mosquitto, Witness
from tests.fault_bench import Key, keys
from tests.road import Road

SETTLE_S = 0.3


def refused_at_first(act: Callable[[], list[Key]], witness: Witness) -> list[Key]:
    """Do something that must not come through yet."""
    raised = act()
    time.sleep(SETTLE_S)
    assert not witness.keys(), "it came through: the case did not happen"
    return raised


@contextmanager
def on_the_road(folder: Path) -> Iterator[tuple[Road, Witness]]:
    with (
        Mosquitto(folder, durable=True) as broker,
        Witness(broker.port) as witness,
        Road(broker.port) as road,
    ):
        yield road, witness


@contextmanager
def away(witness: Witness, broker: Mosquitto) -> Iterator[Callable[[], None]]:
    """The broker is down until what this yields is called."""
    with witness.across_a_loss():
        broker.stop()
        back = threading.Event()

        def come_back() -> None:
            broker.start()
            back.set()

        yield come_back
        assert back.is_set()


@contextmanager
def carrier(folder: Path, port: int, first: int) -> Iterator[subprocess.Popen[str]]:
    """A process that stores and carries; killed with SIGKILL at the end of the block."""
    arguments = [str(folder / "outbox"), str(port), str(first), "400"]
    with subprocess.Popen(  # noqa: S603  (our own code)
        [sys.executable, "-m", "tests.fault_carrier", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def stored(process: subprocess.Popen[str], upto: int) -> None:
    """Read until the process has stored so many messages and one more."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == upto:
            return
    raise AssertionError("the carrier ended by itself")


def waiting(folder: Path) -> list[Key]:
    """What is left in the outbox of a process that was killed."""
    with Outbox(folder / "outbox") as outbox:
        return keys(list(outbox))
