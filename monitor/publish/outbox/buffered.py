"""The outbox, with a buffer in memory for as long as the disk fails.

A disk that is full, worn out or read-only must not silence an alert while the broker is there
to take it. Messages that the disk refuses are sent from memory; until they are sent, a crash
would lose them, and ``on_failure`` reports that.
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

MAX_BUFFERED = 20_000  # messages, some 30 MB; beyond that the oldest are dropped, notes first
RETRY_S = 1.0  # between attempts at a disk that fails


class BufferedOutbox:
    """The outbox and the messages that the disk refused, as one queue. Thread-safe.

    Within one alert the order is kept, wherever its states are stored. No method raises
    because of the disk.

    Args:
        outbox: On disk.
        clock: Determines when to try the disk again.
        on_failure: Called with the reason when the disk fails, and with None when it works
            again.
        max_buffered: Maximum number of messages in memory.
    """

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        on_failure: Callable[[str | None], None],
        *,
        max_buffered: int = MAX_BUFFERED,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._on_failure = on_failure
        self._max_buffered = max_buffered
        self._added = threading.Event()
        self._lock = threading.Lock()  # guards all below
        self._buffer: dict[Key, OutboxMessage] = {}  # refused by the disk, oldest first
        self._never_stored: set[UUID] = set()  # alerts without any message on disk, ever
        self._delivered: dict[Key, None] = {}  # sent, but the disk could not remove them
        self._retry_at = float("-inf")
        self._failures = RepeatLog(log, clock)
        self._losses = RepeatLog(log, clock)

    def __len__(self) -> int:
        with self._lock:
            try:
                on_disk = len(self._outbox) - len(self._delivered)
            except OutboxError as error:
                self._report_failure(error)
                on_disk = 0
            return max(on_disk, 0) + len(self._buffer)

    @property
    def unsaved(self) -> int:
        """Messages that a crash would lose."""
        with self._lock:
            return len(self._buffer)

    def add(self, message: OutboxMessage) -> None:
        """Store a message, on disk if possible, and wake a waiting thread."""
        with self._lock:
            self._buffer[message.key] = message
            self._try_flush()
            if message.seq == 0 and message.key in self._buffer:
                self._never_stored.add(message.id)
            while len(self._buffer) > self._max_buffered:
                self._drop_oldest()
        self._added.set()

    def read_due(
        self, limit: int, *, skip_topics: Collection[str] = (), skip_alerts: Collection[UUID] = ()
    ) -> list[OutboxMessage]:
        """Return messages that may be sent in parallel, as Outbox.read_due."""
        with self._lock:
            self._try_flush()
            try:
                due = self._outbox.read_due(
                    limit,
                    skip_topics=skip_topics,
                    skip_alerts=skip_alerts,
                    removed=self._delivered,
                )
                if not (self._buffer or self._delivered):
                    self._report_recovery()
            except OutboxError as error:
                self._report_failure(error)
                due = []
            seen = {message.id for message in due} | set(skip_alerts)
            for message in self._buffer.values():
                if len(due) >= limit:
                    break
                if message.topic not in skip_topics and message.id not in seen:
                    seen.add(message.id)
                    if self._is_first(message):
                        due.append(message)
            return due

    def remove(self, *messages: OutboxMessage) -> None:
        """Remove messages that the broker has acknowledged."""
        with self._lock:
            for message in messages:
                if self._buffer.pop(message.key, None) is None:
                    self._delivered[message.key] = None
            self._try_flush()

    def delete_expired(self, before: datetime) -> int:
        """Delete expendable messages on disk created before a time. Returns how many."""
        with self._lock:
            try:
                return self._outbox.delete_expired(before)
            except OutboxError as error:
                self._report_failure(error)
                return 0

    def wait_for_message(self, timeout_s: float) -> None:
        """Wait until a message is added, or for ``timeout_s``; as in Outbox."""
        self._added.wait(timeout_s)
        self._added.clear()

    def flush(self) -> int:
        """Try the disk now. Returns how many messages it still refuses."""
        with self._lock:
            self._retry_at = float("-inf")
            self._try_flush()
            return len(self._buffer)

    def _try_flush(self) -> None:
        """Bring the disk up to date, unless it failed a moment ago."""
        if not (self._buffer or self._delivered) or self._clock.seconds() < self._retry_at:
            return
        try:
            if self._delivered:
                self._outbox.remove_keys(self._delivered)
                self._delivered.clear()
            while self._buffer:
                key, message = next(iter(self._buffer.items()))
                self._outbox.add(message)
                del self._buffer[key]
        except OutboxError as error:
            self._retry_at = self._clock.seconds() + RETRY_S
            self._report_failure(error)
            return
        self._never_stored.clear()
        self._report_recovery()

    def _report_recovery(self) -> None:
        if self._failures.reset():
            log.info("the outbox takes alerts again")
            self._on_failure(None)

    def _report_failure(self, error: OutboxError) -> None:
        """Log and report a failure of the disk, at once and then once a minute."""
        if self._failures.write(
            logging.ERROR, "%s; %d alert messages wait in memory", error, len(self._buffer)
        ):
            self._on_failure(str(error))

    def _is_first(self, message: OutboxMessage) -> bool:
        """Whether no earlier state of this alert waits on disk."""
        if message.id in self._never_stored:
            return True
        try:
            return not self._outbox.contains_alert(message.id, removed=self._delivered)
        except OutboxError:
            return False

    def _drop_oldest(self) -> None:
        notes = (key for key, message in self._buffer.items() if message.expendable)
        (key,) = list(islice(notes, 1)) or list(islice(self._buffer, 1))
        if not self._buffer.pop(key).expendable:
            self._losses.write(
                logging.ERROR, "no broker, no disk and no memory: an alert message is lost"
            )
