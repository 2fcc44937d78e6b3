"""Too much to look at: every camera is looked at less often, and no stream ever backs up."""

import logging
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from monitor.domain import CameraId
from monitor.ingest.watch.demand import CameraDemand

log = logging.getLogger(__name__)

LATE_S = 0.4  # from a frame's coming to its being done with; more often than not is too much
CALM_S = 0.2  # below this there is room for more
BUSY = 0.75  # part of the analyst's time; above it there is none
EVERY_S = 1.0  # how often the rate is thought about
LESS, MORE = 0.8, 1.1  # what the rate is multiplied by
OFTEN = 0.9  # of the frames are done with in the time that counts


@dataclass(slots=True)
class LoadShedder:
    """Lowers the rate of all cameras together while the analyst lags, and raises it again.

    Owned by the analyst's thread; ``skipped`` may be read by others.
    """

    demand: Mapping[CameraId, CameraDemand]
    least_fps: float
    share: float = 1.0  # of the full rate that is looked at now
    skipped: float = 0.0  # frames that were not looked at, of a camera looked at once a second
    _lags: deque[float] = field(init=False, default_factory=lambda: deque(maxlen=2000))
    _busy_s: float = field(init=False, default=0.0)
    _thought_at: float | None = field(init=False, default=None)

    def note(self, lags_s: Collection[float], busy_s: float, now: float) -> None:
        """Take in one batch.

        Args:
            lags_s: For each frame, how long ago it came.
            busy_s: What the batch took.
            now: Seconds on the clock of the frames.
        """
        self._lags.extend(lags_s)
        self._busy_s += busy_s
        if self._thought_at is None:
            self._thought_at = now
        passed = now - self._thought_at
        if passed < EVERY_S or not self._lags:
            return
        self.skipped += (1 - self.share) * passed
        self._think(sorted(self._lags)[int(OFTEN * (len(self._lags) - 1))], self._busy_s / passed)
        self._lags.clear()
        self._busy_s, self._thought_at = 0.0, now

    def _think(self, lag_s: float, busy: float) -> None:
        before = self.share
        if lag_s > LATE_S:
            self.share = max(self.share * LESS, self._least)
        elif lag_s < CALM_S and busy < BUSY:
            self.share = min(self.share * MORE, 1.0)
        if self.share == before:
            return
        for demand in self.demand.values():
            demand.shed(max(self.share * demand.full_fps, self.least_fps))
        if before == 1:
            log.warning(
                "overloaded: pictures wait for %.1f s; all cameras are looked at less", lag_s
            )
        elif self.share == 1:
            log.info("no longer overloaded: all cameras are looked at as often as they should be")

    @property
    def _least(self) -> float:
        """The share at which every camera is at the lowest rate."""
        fastest = max((a.full_fps for a in self.demand.values()), default=self.least_fps)
        return min(self.least_fps / fastest, 1.0)
