"""Detecting that a camera's pictures come faster than they can be decoded."""

import math
from dataclasses import dataclass, field

MAX_LAG_S = 1.0  # behind the camera's time stamps; more means that pictures pile up ...
MIN_BEHIND_S = 1.0  # ... once it has lasted this long
CAUGHT_UP_LAG_S = 0.3  # above the least lag; less means that no packets wait
MIN_WAIT_SHARE = 0.7  # of the time spent waiting for the camera: then the delay is not ours
MAX_CLOCK_STEP_S = 10.0  # between two stamps; more means that the camera's clock was set
MAX_DRIFT = 0.001  # seconds per second by which the two clocks may drift
HOLD_S = (5.0, 60.0)  # decode only key frames for this long: at first, and at most
RELAPSE_S = 30.0  # after catching up, in which falling behind doubles the time


@dataclass(slots=True)
class DecodeLag:
    """Compares when one connection's packets are read with the camera's time stamps.

    A lag while the reader waits for the camera comes from the network or the camera; a lag
    without waiting means that this machine is too slow. Owned by the connection's thread.
    """

    key_frames_only: bool = False
    """Whether only key frames should be decoded, until no packets wait."""
    _offset: float = math.inf  # of the last packet: from its stamp to its reading
    _min_offset: float = math.inf  # so far, allowing for drift
    _read_at: float = -math.inf  # when the last packet was read
    _behind_since: float | None = None
    _waited_s: float = 0.0  # waited for the camera since then
    _switched_at: float = -math.inf  # when key_frames_only last changed
    _hold_s: float = field(default=HOLD_S[0])

    def add_wait(self, seconds: float) -> None:
        """Add the time that the reader has just waited for the camera's data."""
        self._waited_s += seconds

    def record_packet(self, stamp: float, now: float) -> None:
        """Update from one packet that has been read.

        Args:
            stamp: Its decoding time stamp, in seconds on the camera's clock.
            now: When it was read, in seconds on our clock.
        """
        offset = now - stamp
        if not abs(offset - self._offset) <= MAX_CLOCK_STEP_S:
            self._min_offset = offset
        self._min_offset = min(offset, self._min_offset + MAX_DRIFT * max(now - self._read_at, 0.0))
        self._offset, self._read_at = offset, now
        if self.key_frames_only:
            self._check_end(now)
        else:
            self._check_start(now)

    def _check_start(self, now: float) -> None:
        if self._offset - self._min_offset <= MAX_LAG_S:
            self._behind_since = None
            return
        if self._behind_since is None:
            self._behind_since, self._waited_s = now, 0.0
        passed = now - self._behind_since
        if passed < MIN_BEHIND_S:
            return
        if self._waited_s > MIN_WAIT_SHARE * passed:
            self._reset_baseline()
            return
        relapsed = now - self._switched_at < RELAPSE_S
        self._hold_s = min(2 * self._hold_s, HOLD_S[1]) if relapsed else HOLD_S[0]
        self.key_frames_only, self._switched_at, self._waited_s = True, now, 0.0

    def _check_end(self, now: float) -> None:
        passed = now - self._switched_at
        if passed < self._hold_s:
            return
        if self._waited_s > MIN_WAIT_SHARE * passed:
            self._reset_baseline()
        elif self._offset - self._min_offset > CAUGHT_UP_LAG_S:
            return
        self.key_frames_only, self._switched_at, self._behind_since = False, now, None

    def _reset_baseline(self) -> None:
        self._min_offset, self._behind_since = self._offset, None
