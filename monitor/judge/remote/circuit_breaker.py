"""A circuit breaker: no requests for a while to a server that is busy or fails."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from monitor.errors import JudgeUnavailableError

WAIT_LIMIT_S: Final = 60.0  # the longest wait, whatever the server asks for
_FAILURES: Final = 3  # in a row that open the breaker
_OPEN_S: Final = (2.0, 30.0)  # first and longest rest of a server that fails


@dataclass(slots=True)
class CircuitBreaker:
    """Decides whether a server may be asked now. Thread-safe.

    After a busy answer no request is allowed until the wait is over: the server's own
    ``Retry-After``, or ours, which grows. The same after some failures in a row; then one
    request is let through, and the others follow if it succeeds.

    Args:
        waits: Seconds to wait after the first, second, ... busy answer in a row.
        seconds: The clock; monotonic.
    """

    waits: Sequence[float] = (1.0, 2.0, 4.0, 8.0)
    seconds: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _until: float = field(init=False, default=float("-inf"))
    _busy: int = field(init=False, default=0)
    _failures: int = field(init=False, default=0)
    _trying: bool = field(init=False, default=False)
    _reason: str = field(init=False, default="")

    def check_allowed(self) -> None:
        """Ask whether a request is allowed; the caller must then record how it went.

        Raises:
            JudgeUnavailableError: No request is allowed now.
        """
        with self._lock:
            left_s = self._until - self.seconds()
            resting = self._failures >= _FAILURES or self._busy > 0
            if left_s > 0 and resting:
                raise JudgeUnavailableError(f"{self._reason}; left alone for {left_s:.1f} s")
            if resting and self._trying:
                raise JudgeUnavailableError(f"{self._reason}; one request is trying it")
            self._trying = resting

    def record_success(self) -> None:
        """The server has answered."""
        with self._lock:
            self._busy = self._failures = 0
            self._trying = False

    def record_failure(self, reason: str) -> None:
        """The server could not be reached, did not answer in time, or broke."""
        with self._lock:
            self._trying = False
            self._failures += 1
            self._reason = reason
            first, longest = _OPEN_S
            doubled = first * 2.0 ** min(self._failures - _FAILURES, 10)
            if self._failures >= _FAILURES:
                self._until = self.seconds() + min(doubled, longest)

    def record_busy(self, reason: str, retry_after_s: float | None) -> None:
        """The server asks for fewer requests.

        Args:
            reason: For the log.
            retry_after_s: The server's own wait in seconds; None takes the next of ``waits``.
        """
        with self._lock:
            self._trying = False
            own = self.waits[min(self._busy, len(self.waits) - 1)]
            self._busy += 1
            self._reason = reason
            wait_s = own if retry_after_s is None else retry_after_s
            self._until = max(self._until, self.seconds() + min(max(wait_s, 0.1), WAIT_LIMIT_S))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for; None if it cannot be read.

    Args:
        value: A number of seconds, or an HTTP date.
        now: The present, with a time zone.

    Source:
        RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), WAIT_LIMIT_S)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return min(max((then - now).total_seconds(), 0.0), WAIT_LIMIT_S)
