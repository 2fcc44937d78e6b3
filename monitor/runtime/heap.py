"""Keeps the C library's heaps small in a program whose threads come and go for months.

glibc gives threads heaps ("arenas") of their own, up to eight for each processor, and keeps
freed memory in them. Each connection to a camera has a new thread, which gets any of the heaps,
so in time every heap grows to the largest size that it ever needed. A few shared heaps stop
growing early, and their free memory can be returned to the system.

Source:
    mallopt(3) and malloc_trim(3).
"""

import ctypes
import os
from collections.abc import Callable
from typing import Protocol, cast

from monitor.runtime.clock import Clock

HEAPS = 2
TRIM_EVERY_S = 60.0  # trimming takes some ten milliseconds
_M_ARENA_MAX = -8  # of glibc's malloc.h
_SET_BY_USER = "MALLOC_ARENA_MAX"


class _Function(Protocol):
    """A function of the C library with integer arguments; it releases the GIL while it runs."""

    def __call__(self, *numbers: int) -> int: ...


def limit_heaps(heaps: int = HEAPS) -> bool:
    """Make all threads share a few heaps; call it before threads are started.

    The environment variable MALLOC_ARENA_MAX has precedence.

    Returns:
        Whether the limit was set. It is not without glibc, or when the variable is set.
    """
    limit = _find_function("mallopt")
    if limit is None or _SET_BY_USER in os.environ:
        return False
    return limit(_M_ARENA_MAX, heaps) == 1


def return_free_memory() -> bool:
    """Return the free memory of all heaps to the system.

    Returns:
        Whether any memory was returned; False without glibc.
    """
    trim = _find_function("malloc_trim")
    return trim is not None and trim(0) == 1


class Trimmer:
    """Returns free memory after connections have ended, once a minute. Owned by one thread.

    Args:
        count_ended: Gives the number of connections that have ended so far.
        clock: The present.
        trim: Returns the memory.
    """

    def __init__(
        self,
        count_ended: Callable[[], int],
        clock: Clock,
        trim: Callable[[], object] = return_free_memory,
    ) -> None:
        self._count_ended = count_ended
        self._clock = clock
        self._trim = trim
        self._checked_at = clock.seconds()
        self._ended = 0

    def trim_if_due(self) -> None:
        """Return memory if it is time to; call it every second or more often."""
        now = self._clock.seconds()
        if now - self._checked_at < TRIM_EVERY_S:
            return
        self._checked_at = now
        ended = self._count_ended()
        if ended != self._ended:
            self._ended = ended
            self._trim()


def _find_function(name: str) -> _Function | None:
    """A function of the C library; None if it has none of this name."""
    function = getattr(ctypes.CDLL(None), name, None)
    return cast("_Function | None", function)
