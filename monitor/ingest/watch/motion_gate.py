"""Which frames of a camera are worth the detector's time."""

import math
from collections.abc import Sequence

from monitor.config.schema import Economy
from monitor.domain import Detection, Frame
from monitor.ingest.watch.demand import SETTLED_S, CameraDemand

HOLD_AFTER_MOTION_S = 1.0  # after the last motion: who stops moving is looked at a few times more
ROUNDING_S = 0.02  # frames do not come exactly when they are due
STILL_S = 5.0  # without any motion, and who was found is a poster, or stands as still as one
STILL_LOOK_S = 1.0  # how often that is looked at again, so long as nothing moves


class MotionGate:
    """Lets frames through while something moves or somebody is in view, and now and then.

    Who is found where nothing has moved for a while is looked at once a second; in the frames
    between they are ``standing`` where they were.

    Decides by the frames and by what was found in them, so the same frames are let through
    each time. Owned by the analyst's thread.

    Args:
        economy: The settings; None lets everything through.
        demand: Told whether somebody is in view.
        lost_after_s: How long somebody who is not seen is still followed.
    """

    def __init__(
        self,
        economy: Economy | None = None,
        demand: CameraDemand | None = None,
        *,
        lost_after_s: float = 2.0,
    ) -> None:
        self._economy = economy
        self._demand = demand
        self._lost_after_s = lost_after_s
        self._moved_at = -math.inf
        self._came_at = -math.inf  # the last frame
        self._looked_at = -math.inf
        self._found_at = -math.inf
        self._found: Sequence[Detection] = ()  # in the last frame that was let through
        self._since = -math.inf  # somebody has been found in every frame
        self.skipped = 0  # frames that the detector never saw

    def opens(self, frame: Frame) -> bool:
        """Whether this frame is worth looking at. Asked once for each frame, in order."""
        now = frame.moment.seconds
        if frame.moved:
            self._moved_at = now
        next_s, self._came_at = now - self._came_at, now
        if self._open(now, next_s):
            return True
        self.skipped += 1
        self._tell(now)
        return False

    @property
    def standing(self) -> Sequence[Detection]:
        """Who is in a frame that was not let through: nothing has moved since they were found."""
        return self._found

    def saw(self, frame: Frame, found: Sequence[Detection]) -> None:
        """What the detector found in a frame that was let through."""
        self._looked_at = frame.moment.seconds
        if not self._found:
            self._since = self._looked_at
        self._found = found
        if any(one.sure for one in found):
            self._found_at = self._looked_at
        self._tell(self._looked_at)

    def _open(self, now: float, next_s: float) -> bool:
        """Whether to look now; the next frame is expected in ``next_s``.

        Of two frames the one nearer to its time is looked at: key frames that come every two
        seconds would else, when one is a little early, be looked at every four.
        """
        if self._economy is None or not self._economy.motion_gate:
            return True
        if now - self._moved_at <= HOLD_AFTER_MOTION_S:
            return True
        pause_s = self._economy.look_around_s
        if now - self._found_at <= self._lost_after_s:
            motionless = self._found and now - max(self._moved_at, self._since) > STILL_S
            pause_s = min(STILL_LOOK_S, pause_s) if motionless else 0.0
        return now - self._looked_at >= pause_s - max(next_s / 2, ROUNDING_S)

    def _tell(self, now: float) -> None:
        """Say whether the reader may be content with key frames."""
        if self._demand is not None:
            quiet_s = now - max(self._moved_at, self._found_at)
            self._demand.occupied(somebody=quiet_s < max(SETTLED_S, self._lost_after_s))
