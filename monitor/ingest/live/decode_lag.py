"""Whether a camera's pictures pile up because decoding them takes longer than they take to come."""

import math
from dataclasses import dataclass, field

BEHIND_S = 1.0  # later than the camera's own stamps say, and pictures are piling up ...
HELD_S = 1.0  # ... once it has been so for this long
CAUGHT_UP_S = 0.3  # later than ever, and nothing waits any more
WAITING = 0.7  # part of the time that a reader waits for the camera: then the delay is not ours
LEAP_S = 10.0  # between two stamps: the camera's clock was set
DRIFT = 0.001  # seconds by which the two clocks may run apart in one
HOLD_S = (5.0, 60.0)  # for which only key frames are decoded: at first, and after relapses
RELAPSE_S = 30.0  # after catching up, in which falling behind again is a relapse


@dataclass(slots=True)
class DecodeLag:
    """Compares when one connection's pictures are read with the camera's stamps on them.

    Nothing is read later than it came unless the reader has no time to read: what lags
    although the reader waits for the camera is the network's or the camera's doing. Owned by
    the connection's thread.
    """

    hurry: bool = False
    """Whether no more than key frames should be decoded until nothing waits any more."""
    _offset: float = math.inf  # of the last picture: from its stamp to its being read
    _least: float = math.inf  # offset so far
    _at: float = -math.inf  # when the last picture was read
    _behind_since: float | None = None
    _waited_s: float = 0.0  # for the camera, since then
    _since: float = -math.inf  # when the hurry began or ended
    _hold_s: float = field(default=HOLD_S[0])

    def waited(self, seconds: float) -> None:
        """Note how long the reader has just waited for the camera's data."""
        self._waited_s += seconds

    def note(self, stamp: float, now: float) -> None:
        """Take in one picture that is about to be decoded, or not.

        Args:
            stamp: When it is to be decoded, in seconds on the camera's clock.
            now: When it was read, in seconds on ours.
        """
        offset = now - stamp
        if not abs(offset - self._offset) <= LEAP_S:
            self._least = offset
        self._least = min(offset, self._least + DRIFT * max(now - self._at, 0.0))
        self._offset, self._at = offset, now
        if self.hurry:
            self._end(now)
        else:
            self._begin(now)

    def _begin(self, now: float) -> None:
        if self._offset - self._least <= BEHIND_S:
            self._behind_since = None
            return
        if self._behind_since is None:
            self._behind_since, self._waited_s = now, 0.0
        passed = now - self._behind_since
        if passed < HELD_S:
            return
        if self._waited_s > WAITING * passed:
            self._forgive()
            return
        relapsed = now - self._since < RELAPSE_S
        self._hold_s = min(2 * self._hold_s, HOLD_S[1]) if relapsed else HOLD_S[0]
        self.hurry, self._since, self._waited_s = True, now, 0.0

    def _end(self, now: float) -> None:
        passed = now - self._since
        if passed < self._hold_s:
            return
        if self._waited_s > WAITING * passed:
            self._forgive()
        elif self._offset - self._least > CAUGHT_UP_S:
            return
        self.hurry, self._since, self._behind_since = False, now, None

    def _forgive(self) -> None:
        self._least, self._behind_since = self._offset, None
