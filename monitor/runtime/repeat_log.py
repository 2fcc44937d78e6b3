"""A problem that repeats is logged at once, then as a count at intervals."""

import logging
import threading
from collections.abc import Hashable
from dataclasses import dataclass

from cachetools import LRUCache

from monitor.runtime.clock import Clock, SystemClock

EVERY_S = 60.0
MAX_KEYS = 64  # problems told apart; beyond that the one seen longest ago is forgotten


@dataclass(slots=True)
class _Repeats:
    """One problem that keeps coming back."""

    written_at: float  # seconds
    count: int = 0  # since then


class RepeatLog:
    """Writes the first message about a problem at once, then one per interval with a count.

    Messages in between are written at level DEBUG. Thread-safe.

    Args:
        log: Where messages go.
        clock: Measures the interval; the system's clock by default.
        every_s: The interval, in seconds.

    Source:
        mediamtx, internal/errordumper/dumper.go.
    """

    def __init__(
        self, log: logging.Logger, clock: Clock | None = None, *, every_s: float = EVERY_S
    ) -> None:
        self._log = log
        self._clock = clock or SystemClock()
        self._every_s = every_s
        self._lock = threading.Lock()  # guards the next
        self._problems: LRUCache[Hashable, _Repeats] = LRUCache(MAX_KEYS)

    def write(
        self, level: int, message: str, *args: object, key: Hashable = None, times: int = 1
    ) -> bool:
        """Log a message, unless the same problem was logged within the interval.

        Args:
            level: As in ``logging``.
            message: Formatted with ``args`` as in ``logging``.
            args: See above.
            key: What makes two problems the same, whatever their messages say.
            times: How often it has happened since the last call.

        Returns:
            Whether it was written at ``level``.
        """
        now = self._clock.seconds()
        with self._lock:
            known = self._problems.get(key)
            count = times if known is None else known.count + times
            is_due = known is None or now - known.written_at >= self._every_s
            if known is None or is_due:
                self._problems[key] = _Repeats(now)
            else:
                known.count = count
        if is_due and count > 1:
            self._log.log(level, f"{message} (%d times)", *args, count)
        else:
            self._log.log(level if is_due else logging.DEBUG, message, *args)
        return is_due

    def reset(self) -> bool:
        """Forget all problems: they are over. Returns whether there were any."""
        with self._lock:
            had_problems = bool(self._problems)
            self._problems.clear()
            return had_problems
