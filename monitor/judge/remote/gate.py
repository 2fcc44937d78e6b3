"""How many requests a server takes at once, found out by measuring."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from monitor.errors import JudgeUnavailableError

SLOWER: Final = 1.2  # latency may be this many times its base
_WINDOW: Final = 5  # answers at the limit that decide about the next step
_HOLD: Final = 20  # windows without a step up after one that went too far


class Gate:
    """Lets a growing number of requests through, until that makes them slower. Thread-safe.

    It begins with one at a time; the median latency then is the base. One more is let
    through as long as the median stays within 120 % of the base; beyond, one less. A server
    that says it is busy halves the number.

    Args:
        most: Never more than this at a time.
        seconds: The clock; monotonic.
    """

    def __init__(self, most: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._changed = threading.Condition()  # guards everything below
        self._limit = 1
        self._inside = 0
        self._base_s: float | None = None
        self._times: list[float] = []  # of answers that came while the limit was reached
        self._hold = 0

    @property
    def limit(self) -> int:
        """How many may be inside now."""
        with self._changed:
            return self._limit

    @contextmanager
    def passing(self, timeout_s: float) -> Iterator[None]:
        """One request, from its start to its answer; waits for room.

        Raises:
            JudgeUnavailableError: There was no room for so long.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._inside < self._limit, timeout_s):
                raise JudgeUnavailableError("too many requests are under way")
            self._inside += 1
            full = self._inside >= self._limit
        started = self._seconds()
        try:
            yield
            with self._changed:
                if full:
                    self._learn(self._seconds() - started)
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify()

    def overloaded(self) -> None:
        """The server has said that this is too much."""
        with self._changed:
            self._step(max(self._limit // 2, 1), hold=_HOLD)

    def _learn(self, took_s: float) -> None:
        self._times.append(took_s)
        if len(self._times) < _WINDOW:
            return
        median = statistics.median(self._times)
        self._times.clear()
        if self._limit == 1:
            self._base_s = median
        self._hold = max(self._hold - 1, 0)
        if self._base_s is not None and median > SLOWER * self._base_s:
            self._step(max(self._limit - 1, 1), hold=_HOLD)
        elif not self._hold:
            self._step(min(self._limit + 1, self._most), hold=0)

    def _step(self, limit: int, *, hold: int) -> None:
        self._limit, self._hold = limit, hold
        self._times.clear()
        self._changed.notify_all()
