"""When a recording's frames were taken, and which frames are analysed."""

import math
from fractions import Fraction

MAX_GAP_S = 3600.0  # between two frames; a time stamp further ahead is broken
ROUNDING_S = 0.001  # containers store times in milliseconds or finer
EARLY = 0.25  # of a period: how much too early a live frame may come and still be taken


class Timeline:
    """Converts presentation time stamps into seconds that start at 0 and always grow.

    A frame whose stamp is missing, does not grow (joined files, clocks set back) or leaps
    comes one frame interval after the one before; later stamps count from there.
    """

    def __init__(self, time_base: Fraction, fps: float) -> None:
        self._time_base = time_base
        self._interval_s = 1 / fps
        self._origin: tuple[int, float] | None = None  # a stamp, and the second it stands for
        self._last: float | None = None

    def place(self, pts: int | None) -> float:
        """Return the second of the next frame. ``pts`` is in units of the stream's time base."""
        expected = 0.0 if self._last is None else self._last + self._interval_s
        self._last = expected if pts is None else self._place_stamp(pts, expected)
        return self._last

    def _place_stamp(self, pts: int, expected: float) -> float:
        if self._origin is not None:
            stamp, second = self._origin
            placed = second + float((pts - stamp) * self._time_base)
            if self._last is None or 0 < placed - self._last <= MAX_GAP_S:
                return placed
        self._origin = (pts, expected)
        return expected


class TimelineSampler:
    """Takes the first frame at or after each multiple of ``1 / fps`` of a recording.

    The multiples are of the recording's own time, so that nothing drifts and the same
    frames are taken on every replay.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._last = -1

    def set_fps(self, fps: float) -> None:
        """Take this many frames per second from now on."""
        if fps != self._fps:
            self._last = math.floor(self._last * fps / self._fps)
            self._fps = fps

    def take(self, seconds: float) -> bool:
        """Whether the frame at this time, counted from the first frame, is taken."""
        slot = math.floor((seconds + ROUNDING_S) * self._fps)
        if slot <= self._last:
            return False
        self._last = slot
        return True


class ArrivalSampler:
    """Takes ``fps`` frames per second from frames that arrive with jitter.

    A frame may be early by a quarter of a period: otherwise a camera that sends exactly as
    many frames as are wanted would lose some of them to jitter.
    """

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._due_at = -math.inf

    def set_fps(self, fps: float) -> None:
        """Take this many frames per second from now on."""
        self._period_s = 1 / fps

    def would_take(self, seconds: float) -> bool:
        """Whether a frame that arrived at this time would be taken."""
        return seconds >= self._due_at - EARLY * self._period_s

    def take(self, seconds: float) -> bool:
        """Whether the frame that arrived at this time is taken."""
        if not self.would_take(seconds):
            return False
        behind = seconds - self._due_at
        self._due_at = (seconds if behind > self._period_s else self._due_at) + self._period_s
        return True
