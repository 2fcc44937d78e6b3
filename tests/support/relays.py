"""Relays from an outbox to a stand-in for the broker."""

from collections.abc import Callable
from uuid import UUID

from monitor.publish import Sender
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.relay import OutboxRelay
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from tests.support.fakes import START, ManualClock


class UntilEmpty:
    """A Stop that is requested once nothing waits, for which waiting takes no time.

    Args:
        outbox: Empty, it ends the loop.
        waits_allowed: So many waits end it too.
        meanwhile: Done during each wait: the world goes on.
    """

    def __init__(
        self, outbox: Outbox, waits_allowed: int = 99, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self.waits: list[float] = []
        self._outbox = outbox
        self._allowed = waits_allowed
        self._meanwhile = meanwhile

    @property
    def requested(self) -> bool:
        return len(self.waits) >= self._allowed or len(self._outbox) == 0

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self._meanwhile()
        return self.requested


def message(n: int, payload: bytes = b"") -> OutboxMessage:
    """The n-th message, whose payload is its number if not given."""
    return OutboxMessage(UUID(int=n), 1, "t", payload or b"%d" % n, START)


def real_time_relay(outbox: Outbox, publisher: Sender) -> OutboxRelay:
    """A relay on the machine's clock that soon tries again."""
    return OutboxRelay(
        outbox, publisher, Backoff(0.05, 0.1), clock=SystemClock(), late_after_s=10.0
    )


def relay_at(outbox: Outbox, publisher: Sender, seconds: float = 0.0) -> OutboxRelay:
    """A relay for which time stands still, so many seconds after the start."""
    return OutboxRelay(
        outbox, publisher, Backoff(1, 8), clock=ManualClock(seconds), late_after_s=10.0
    )
