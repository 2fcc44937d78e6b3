"""Seconds of a recording, whatever its time stamps say."""

from fractions import Fraction

LONGEST_GAP_S = 3600.0  # between two frames; a stamp further ahead is broken


class Timeline:
    """Turns presentation time stamps into seconds that start at 0 and always grow.

    A frame without a stamp, or with one that does not grow (files glued together, clocks set
    back) or that leaps, comes one frame interval after the one before; later stamps count
    from there.
    """

    def __init__(self, time_base: Fraction, fps: float) -> None:
        self._time_base = time_base
        self._interval_s = 1 / fps
        self._origin: tuple[int, float] | None = None  # a stamp, and the second it stands for
        self._last: float | None = None

    def seconds(self, pts: int | None) -> float:
        """Where the next frame lies. ``pts`` is in units of the stream's time base."""
        expected = 0.0 if self._last is None else self._last + self._interval_s
        self._last = expected if pts is None else self._place(pts, expected)
        return self._last

    def _place(self, pts: int, expected: float) -> float:
        if self._origin is not None:
            stamp, second = self._origin
            placed = second + float((pts - stamp) * self._time_base)
            if self._last is None or 0 < placed - self._last <= LONGEST_GAP_S:
                return placed
        self._origin = (pts, expected)
        return expected
