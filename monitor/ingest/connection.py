"""One connection to a source, on a thread of its own that can be left behind."""

import logging
from collections.abc import Callable

from monitor.domain import Frame
from monitor.errors import ConfigError, MonitorError, SourceError
from monitor.ingest import Source
from monitor.runtime.stop import Stop, StopSwitch
from monitor.runtime.worker import Worker

log = logging.getLogger(__name__)

MOST_LEFT = 3  # threads of one camera that may hang at a time, lest they eat the machine


class Connection:
    """One connection of a source, read by a thread of its own."""

    def __init__(self, source: Source, deliver: Callable[[Frame, Stop], None]) -> None:
        self.error: MonitorError | None = None
        self._source = source
        self._deliver = deliver
        self._left = StopSwitch()
        self._worker = Worker(f"{source.label}: connection", self._read, self._left)

    def start(self) -> None:
        """Begin to connect."""
        self._worker.start()

    def leave(self) -> None:
        """Nobody waits for it any more; it ends at its next frame or time-out."""
        self._left.request()

    def over(self, timeout_s: float) -> bool:
        """Whether it has ended, after waiting for that for so long.

        Raises:
            Exception: What ended it, if that is nothing a source is allowed to raise.
        """
        ended = self._worker.join(timeout_s)
        if self._worker.failure is not None:
            raise self._worker.failure
        return ended

    def _read(self, left: Stop) -> None:
        try:
            with self._source.open(left) as frames:
                for frame in frames:
                    self._deliver(frame, left)
                    if left.requested:
                        return
        except (SourceError, ConfigError) as error:
            self.error = error


class Hanging:
    """The connections of one source that were left behind while they hang in FFmpeg.

    Each costs a thread and a socket until the operating system lets go of it, so there is a
    limit to them. Owned by the reader's thread.
    """

    def __init__(self) -> None:
        self._left: list[Connection] = []

    def add(self, connection: Connection) -> None:
        """Leave one behind: its frames are not wanted any more."""
        connection.leave()
        self._left.append(connection)

    @property
    def too_many(self) -> bool:
        """Whether another connection has to wait for one of them to end."""
        self._left = [connection for connection in self._left if not connection.over(0)]
        return len(self._left) >= MOST_LEFT
