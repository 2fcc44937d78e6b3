"""Scenes that several cases of the fault matrix share."""

import logging
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from monitor.publish.outbox.outbox import Outbox
from tests.stress.fault_bench import Key, keys
from tests.support.broker import Mosquitto, Witness
from tests.support.broker_proxy import BrokerProxy

SETTLE_S = 0.3


def refused_at_first(act: Callable[[], list[Key]], witness: Witness) -> list[Key]:
    """Do something that must not come through yet."""
    raised = act()
    time.sleep(SETTLE_S)
    assert not witness.keys(), "it came through: the case did not happen"
    return raised


@contextmanager
def heard(name: str) -> Iterator[list[str]]:
    """What one part of the program logs within the block."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, ear = logging.getLogger(name), Ear()
    logger.addHandler(ear)
    try:
        yield lines
    finally:
        logger.removeHandler(ear)


@contextmanager
def behind_proxy(folder: Path) -> Iterator[tuple[BrokerProxy, Witness]]:
    with (
        Mosquitto(folder, durable=True) as broker,
        Witness(broker.port) as witness,
        BrokerProxy(broker.port) as proxy,
    ):
        yield proxy, witness


class SmallDisk:
    """A folder on a disk of its own that can be full: a real one if we may mount it.

    Else no file of this process may grow for a while, which SQLite meets in the same way.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self._limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.real = False

    def __enter__(self) -> Self:
        self.folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(self.folder)]
        self.real = subprocess.run(mount, capture_output=True, check=False).returncode == 0  # noqa: S603
        return self

    def __exit__(self, *_: object) -> None:
        self.free()
        if self.real:
            subprocess.run(["umount", str(self.folder)], check=True)  # noqa: S603, S607

    def fill(self) -> None:
        """No byte is left."""
        if not self.real:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._limit[1]))
            return
        with suppress(OSError), (self.folder / "filling").open("wb", buffering=0) as filling:
            while True:
                filling.write(bytes(512))

    def free(self) -> None:
        """There is room again."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limit)
        (self.folder / "filling").unlink(missing_ok=True)


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


def waiting(folder: Path) -> list[Key]:
    """What is left in the outbox of a process that was killed."""
    with Outbox(folder / "outbox") as outbox:
        return keys(list(outbox))
