"""Keeping the C library's heaps small in a program whose threads come and go for months.

glibc gives threads heaps ("arenas") of their own, up to eight for each processor, and keeps
what they have freed. Each connection to a camera has a new thread, which gets any of the heaps;
so with time every heap grows to the most that it ever held, though never more is in use than
at the beginning. With few heaps that ends early, and what is freed can be given back.

Source:
    mallopt(3) and malloc_trim(3).
"""

import ctypes
import os
from collections.abc import Callable
from typing import Protocol, cast

from monitor.runtime.clock import Clock

HEAPS = 2
EVERY_S = 60.0  # between two times that memory is given back; it takes some ten milliseconds
_M_ARENA_MAX = -8  # of glibc's malloc.h
_SET_BY_USER = "MALLOC_ARENA_MAX"


class _Function(Protocol):
    """One of the C library's, of whole numbers; other threads run on while it works."""

    def __call__(self, *numbers: int) -> int: ...


def keep_few(heaps: int = HEAPS) -> bool:
    """Have all threads share a few heaps; call it before there are threads.

    The environment's MALLOC_ARENA_MAX wins, as it is read before we run.

    Returns:
        Whether it was done: only glibc can, and only once heaps are not limited already.
    """
    limit = _function("mallopt")
    if limit is None or _SET_BY_USER in os.environ:
        return False
    return limit(_M_ARENA_MAX, heaps) == 1


def give_back() -> bool:
    """Return what is free in all heaps to the system.

    Returns:
        Whether there was anything to return; False too where the C library is not glibc.
    """
    trim = _function("malloc_trim")
    return trim is not None and trim(0) == 1


class Trimmer:
    """Gives memory back once connections have ended, but not often. Owned by one thread.

    Args:
        ended: How many connections have ended so far.
        clock: Ours.
        trim: How memory is given back.
    """

    def __init__(
        self, ended: Callable[[], int], clock: Clock, trim: Callable[[], object] = give_back
    ) -> None:
        self._ended = ended
        self._clock = clock
        self._trim = trim
        self._looked_at = clock.seconds()
        self._seen = 0

    def tick(self) -> None:
        """Give back what is due; call it every second or more often."""
        now = self._clock.seconds()
        if now - self._looked_at < EVERY_S:
            return
        self._looked_at = now
        ended = self._ended()
        if ended != self._seen:
            self._seen = ended
            self._trim()


def _function(name: str) -> _Function | None:
    """The C library's function of this name; None where it has none."""
    found = getattr(ctypes.CDLL(None), name, None)
    return cast("_Function | None", found)
