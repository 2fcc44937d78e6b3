"""Which frames of a camera are worth the detector's time."""

import math

from monitor.config.economy import Economy
from monitor.domain import Frame
from monitor.ingest.attention import SETTLED_S, Attention

LINGER_S = 1.0  # after the last motion: who stops moving is looked at a few times more
ROUNDING_S = 0.02  # frames do not come exactly when they are due


class Gate:
    """Lets frames through while something moves or somebody is in view, and now and then.

    Decides by the frames and by what was found in them, so the same frames are let through
    each time. Owned by the analyst's thread.

    Args:
        economy: The settings; None lets everything through.
        attention: Told whether somebody is in view.
        lost_after_s: How long somebody who is not seen is still followed.
    """

    def __init__(
        self,
        economy: Economy | None = None,
        attention: Attention | None = None,
        *,
        lost_after_s: float = 2.0,
    ) -> None:
        self._economy = economy
        self._attention = attention
        self._lost_after_s = lost_after_s
        self._moved_at = -math.inf
        self._looked_at = -math.inf
        self._found_at = -math.inf
        self.spared = 0  # frames that the detector never saw

    def opens(self, frame: Frame) -> bool:
        """Whether this frame is worth looking at. Asked once for each frame, in order."""
        now = frame.moment.seconds
        if frame.moved:
            self._moved_at = now
        if self._open(now):
            return True
        self.spared += 1
        self._tell(now)
        return False

    def saw(self, frame: Frame, *, somebody: bool) -> None:
        """What the detector found in a frame that was let through."""
        self._looked_at = frame.moment.seconds
        if somebody:
            self._found_at = self._looked_at
        self._tell(self._looked_at)

    def _open(self, now: float) -> bool:
        if self._economy is None or not self._economy.motion_gate:
            return True
        return (
            now - self._moved_at <= LINGER_S
            or now - self._found_at <= self._lost_after_s
            or now - self._looked_at >= self._economy.look_around_s - ROUNDING_S
        )

    def _tell(self, now: float) -> None:
        """Say whether the reader may be content with key frames."""
        if self._attention is not None:
            quiet_s = now - max(self._moved_at, self._found_at)
            self._attention.occupied(somebody=quiet_s < max(SETTLED_S, self._lost_after_s))
