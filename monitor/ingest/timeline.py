"""Seconds of a recording, whatever its time stamps say."""

from fractions import Fraction


class Timeline:
    """Turns presentation time stamps into seconds that start at 0 and always grow.

    A frame without a stamp, or with one that does not grow (files glued together, clocks set
    back), comes one frame interval after the one before; later stamps count from there.
    """

    def __init__(self, time_base: Fraction, fps: float) -> None:
        self._time_base = time_base
        self._interval_s = 1 / fps
        self._offset: float | None = None  # what to subtract from stamps, in seconds
        self._last: float | None = None

    def seconds(self, pts: int | None) -> float:
        """Where the next frame lies. ``pts`` is in units of the stream's time base."""
        expected = 0.0 if self._last is None else self._last + self._interval_s
        self._last = self._place(pts, expected)
        return self._last

    def _place(self, pts: int | None, expected: float) -> float:
        if pts is None:
            return expected
        stamp = float(pts * self._time_base)
        if self._offset is None:
            self._offset = stamp - expected
        if self._last is not None and stamp - self._offset <= self._last:
            self._offset = stamp - expected
        return stamp - self._offset
