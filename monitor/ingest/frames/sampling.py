"""Choosing the few frames that are looked at."""

import math

ROUNDING_S = 0.001  # containers store times in milliseconds or finer
EARLY = 0.25  # of a period: how much too early a live frame may come and still count


class TimelineSampler:
    """Takes the first frame at or after each multiple of ``1 / fps`` of a recording.

    The multiples are of the recording's own time, so that nothing drifts and the same
    frames are taken on every replay.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._last = -1

    def pace(self, fps: float) -> None:
        """Take so many frames a second from now on."""
        if fps != self._fps:
            self._last = math.floor(self._last * fps / self._fps)
            self._fps = fps

    def due(self, seconds: float) -> bool:
        """Whether the frame at this time, counted from the first frame, is to be taken."""
        slot = math.floor((seconds + ROUNDING_S) * self._fps)
        if slot <= self._last:
            return False
        self._last = slot
        return True


class ArrivalSampler:
    """Takes ``fps`` frames a second from frames that arrive with jitter.

    A frame may be early by a quarter of a period: a camera that sends exactly as many
    frames as are wanted would else lose some of them to jitter.
    """

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._due_at = -math.inf

    def pace(self, fps: float) -> None:
        """Take so many frames a second from now on."""
        self._period_s = 1 / fps

    def would_take(self, seconds: float) -> bool:
        """Whether a frame that arrived at this time would be taken."""
        return seconds >= self._due_at - EARLY * self._period_s

    def due(self, seconds: float) -> bool:
        """Whether the frame that arrived at this time is to be taken."""
        if not self.would_take(seconds):
            return False
        behind = seconds - self._due_at
        self._due_at = (seconds if behind > self._period_s else self._due_at) + self._period_s
        return True
