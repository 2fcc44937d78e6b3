"""Outboxes that are full or damaged."""

from pathlib import Path
from uuid import UUID

from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from tests.support.fakes import START

BIG = b"x" * 2000


def big_alert(n: int) -> OutboxMessage:
    """The n-th alert, of 2000 bytes."""
    return OutboxMessage(UUID(int=n), 0, "monitor/v1/s/yard/alert", BIG, START)


def broken_in_the_middle(path: Path, *, count: int = 60) -> None:
    """A file with messages, some of whose pages were overwritten by a failing disk."""
    with Outbox(path) as outbox:
        for n in range(count):
            outbox.add(big_alert(n))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
