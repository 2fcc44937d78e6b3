"""Alerts on their way out: on disk, and in memory for as long as the disk refuses.

A disk that is full, worn out or mounted read-only must not silence an alert while the broker
is there to take it. What the disk refuses is sent from memory; it is not safe from a crash
until then, and ``on_trouble`` is told so.
"""

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime
from itertools import islice
from uuid import UUID

from monitor.errors import OutboxError
from monitor.publish.outbox.outbox import Key, Outbox, OutboxMessage
from monitor.runtime.clock import Clock
from monitor.runtime.repeat_log import RepeatLog

log = logging.getLogger(__name__)

IN_MEMORY = 20_000  # messages, some 30 MB; then the oldest go, notes first
RETRY_S = 1.0  # between tries of a disk that refuses


class BufferedOutbox:
    """The outbox and what it would not take, as one queue. Thread-safe.

    Within one alert the order is kept, wherever its states lie. No method raises because of
    the disk.

    Args:
        outbox: On disk.
        clock: Tells when to try the disk again.
        on_trouble: Told why the disk refuses, and None when it does no longer.
        in_memory: So many messages at most.
    """

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        on_trouble: Callable[[str | None], None],
        *,
        in_memory: int = IN_MEMORY,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._on_trouble = on_trouble
        self._in_memory = in_memory
        self._added = threading.Event()
        self._lock = threading.Lock()  # guards all below
        self._kept: dict[Key, OutboxMessage] = {}  # what the disk would not take, oldest first
        self._begun: set[UUID] = set()  # alerts of which nothing has ever been on disk
        self._gone: dict[Key, None] = {}  # delivered, but the disk would not forget it
        self._retry_at = float("-inf")
        self._failures = RepeatLog(log, clock)
        self._losses = RepeatLog(log, clock)

    def __len__(self) -> int:
        with self._lock:
            try:
                on_disk = len(self._outbox) - len(self._gone)
            except OutboxError as error:
                self._refused(error)
                on_disk = 0
            return max(on_disk, 0) + len(self._kept)

    @property
    def unsaved(self) -> int:
        """Messages that a crash would lose."""
        with self._lock:
            return len(self._kept)

    def add(self, message: OutboxMessage) -> None:
        """Take a message, on disk if the disk allows, and wake whoever waits."""
        with self._lock:
            self._kept[message.key] = message
            self._settle()
            if message.seq == 0 and message.key in self._kept:
                self._begun.add(message.id)
            while len(self._kept) > self._in_memory:
                self._drop_one()
        self._added.set()

    def due(
        self, limit: int, *, besides: Collection[str] = (), without: Collection[UUID] = ()
    ) -> list[OutboxMessage]:
        """Messages that may be sent side by side, as Outbox.due."""
        with self._lock:
            self._settle()
            try:
                found = self._outbox.due(limit, besides=besides, without=without, gone=self._gone)
                if not (self._kept or self._gone):
                    self._recovered()
            except OutboxError as error:
                self._refused(error)
                found = []
            taken = {message.id for message in found} | set(without)
            for message in self._kept.values():
                if len(found) >= limit:
                    break
                if message.topic not in besides and message.id not in taken:
                    taken.add(message.id)
                    if self._is_first(message):
                        found.append(message)
            return found

    def remove(self, *messages: OutboxMessage) -> None:
        """Forget messages the broker has confirmed."""
        with self._lock:
            for message in messages:
                if self._kept.pop(message.key, None) is None:
                    self._gone[message.key] = None
            self._settle()

    def expire(self, before: datetime) -> int:
        """Drop expendable messages made before a time; how many. In memory they wait on."""
        with self._lock:
            try:
                return self._outbox.expire(before)
            except OutboxError as error:
                self._refused(error)
                return 0

    def wait(self, timeout_s: float) -> None:
        """Sleep until something is added, or the time is over; as Outbox.wait."""
        self._added.wait(timeout_s)
        self._added.clear()

    def settle(self) -> int:
        """Try the disk now, whenever the last try was; how many messages it still refuses."""
        with self._lock:
            self._retry_at = float("-inf")
            self._settle()
            return len(self._kept)

    def _settle(self) -> None:
        """Bring the disk up to date, unless it refused just now."""
        if not (self._kept or self._gone) or self._clock.seconds() < self._retry_at:
            return
        try:
            if self._gone:
                self._outbox.forget(self._gone)
                self._gone.clear()
            while self._kept:
                key, message = next(iter(self._kept.items()))
                self._outbox.add(message)
                del self._kept[key]
        except OutboxError as error:
            self._retry_at = self._clock.seconds() + RETRY_S
            self._refused(error)
            return
        self._begun.clear()
        self._recovered()

    def _recovered(self) -> None:
        if self._failures.reset():
            log.info("the outbox takes alerts again")
            self._on_trouble(None)

    def _is_first(self, message: OutboxMessage) -> bool:
        """Whether no earlier state of this alert waits on disk."""
        if message.id in self._begun:
            return True
        try:
            return not self._outbox.holds(message.id, gone=self._gone)
        except OutboxError:
            return False

    def _refused(self, error: OutboxError) -> None:
        """Log a failure of the disk and report it, at once and then once a minute."""
        if self._failures.write(
            logging.ERROR, "%s; %d alert messages wait in memory", error, len(self._kept)
        ):
            self._on_trouble(str(error))

    def _drop_one(self) -> None:
        notes = (key for key, message in self._kept.items() if message.expendable)
        (key,) = list(islice(notes, 1)) or list(islice(self._kept, 1))
        if not self._kept.pop(key).expendable:
            self._losses.write(
                logging.ERROR, "no broker, no disk and no memory: an alert message is lost"
            )
