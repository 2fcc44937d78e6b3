"""Which frames of a camera are worth the detector's time."""

import math
from collections.abc import Sequence

from monitor.config.schema import Economy
from monitor.domain import Detection, Frame
from monitor.ingest.watch.demand import SETTLED_S, CameraDemand

HOLD_AFTER_MOTION_S = 1.0  # after the last motion every frame is still analysed
ROUNDING_S = 0.02  # of the frames' times
STILL_S = 5.0  # without motion: the person found is a poster, or stands as still as one
STILL_LOOK_S = 1.0  # how often such a person is analysed while nothing moves


class MotionGate:
    """Admits frames while something moves or a person is in view, and otherwise now and then.

    People where nothing has moved for a while are analysed once a second; the frames between
    keep the ``last_detections``. Decides by the frames and the detections alone, so a replay
    admits the same frames. Owned by the analyst's thread.

    Args:
        economy: The settings; None admits every frame.
        demand: Learns whether a person is in view.
        lost_after_s: How long a person who is not detected is still followed, in seconds.
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
        self._arrived_at = -math.inf  # when the last frame came
        self._admitted_at = -math.inf
        self._person_at = -math.inf
        self._detections: Sequence[Detection] = ()  # in the last admitted frame
        self._occupied_since = -math.inf  # people have been detected in every frame
        self.skipped = 0  # frames that were not admitted

    def admits(self, frame: Frame) -> bool:
        """Whether this frame should be analysed. Call once for each frame, in order."""
        now = frame.moment.seconds
        if frame.moved:
            self._moved_at = now
        next_s, self._arrived_at = now - self._arrived_at, now
        if self._should_admit(now, next_s):
            return True
        self.skipped += 1
        self._update_demand(now)
        return False

    @property
    def last_detections(self) -> Sequence[Detection]:
        """What was detected in the last admitted frame; holds for the frames after it, too."""
        return self._detections

    def record_detections(self, frame: Frame, detections: Sequence[Detection]) -> None:
        """Record what the detector found in an admitted frame."""
        self._admitted_at = frame.moment.seconds
        if not self._detections:
            self._occupied_since = self._admitted_at
        self._detections = detections
        if any(detection.sure for detection in detections):
            self._person_at = self._admitted_at
        self._update_demand(self._admitted_at)

    def _should_admit(self, now: float, next_s: float) -> bool:
        """Whether to admit a frame now; the next one is expected in ``next_s``.

        Of two frames the one nearer to the due time is admitted: otherwise, of key frames that
        come every two seconds, one that is a little early would be followed after four.
        """
        if self._economy is None or not self._economy.motion_gate:
            return True
        if now - self._moved_at <= HOLD_AFTER_MOTION_S:
            return True
        pause_s = self._economy.look_around_s
        if now - self._person_at <= self._lost_after_s:
            still_s = now - max(self._moved_at, self._occupied_since)
            motionless = self._detections and still_s > STILL_S
            pause_s = min(STILL_LOOK_S, pause_s) if motionless else 0.0
        return now - self._admitted_at >= pause_s - max(next_s / 2, ROUNDING_S)

    def _update_demand(self, now: float) -> None:
        """Let the reader know whether key frames are enough."""
        if self._demand is not None:
            quiet_s = now - max(self._moved_at, self._person_at)
            self._demand.set_occupied(occupied=quiet_s < max(SETTLED_S, self._lost_after_s))
