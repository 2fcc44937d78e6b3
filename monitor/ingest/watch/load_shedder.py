"""Overload: all cameras are analysed less often, so that no stream backs up."""

import logging
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from monitor.domain import CameraId
from monitor.ingest.watch.demand import CameraDemand

log = logging.getLogger(__name__)

MAX_LAG_S = 0.4  # from a frame's arrival to the end of its analysis; more is overload
LOW_LAG_S = 0.2  # below this the rate may rise
MAX_BUSY = 0.75  # share of the analyst's time; above it the rate does not rise
ADJUST_EVERY_S = 1.0  # how often the rate is adjusted
DECREASE, INCREASE = 0.8, 1.1  # factors of the rate
LAG_QUANTILE = 0.9  # of the frames' lags, which is compared with the limits


@dataclass(slots=True)
class LoadShedder:
    """Lowers the rate of all cameras together while the analyst lags, and raises it again.

    Owned by the analyst's thread; ``skipped`` may be read by others.
    """

    demand: Mapping[CameraId, CameraDemand]
    least_fps: float
    share: float = 1.0  # of the full rate that is analysed now
    skipped: float = 0.0  # frames not analysed, for a camera with a full rate of one per second
    _lags: deque[float] = field(init=False, default_factory=lambda: deque(maxlen=2000))
    _busy_s: float = field(init=False, default=0.0)
    _adjusted_at: float | None = field(init=False, default=None)

    def record_batch(self, lags_s: Collection[float], busy_s: float, now: float) -> None:
        """Record one batch, and adjust the rate once a second.

        Args:
            lags_s: For each frame, the seconds since it arrived.
            busy_s: How long the batch took.
            now: Seconds on the clock of the frames.
        """
        self._lags.extend(lags_s)
        self._busy_s += busy_s
        if self._adjusted_at is None:
            self._adjusted_at = now
        passed = now - self._adjusted_at
        if passed < ADJUST_EVERY_S or not self._lags:
            return
        self.skipped += (1 - self.share) * passed
        lag_s = sorted(self._lags)[int(LAG_QUANTILE * (len(self._lags) - 1))]
        self._adjust_share(lag_s, self._busy_s / passed)
        self._lags.clear()
        self._busy_s, self._adjusted_at = 0.0, now

    def _adjust_share(self, lag_s: float, busy: float) -> None:
        before = self.share
        if lag_s > MAX_LAG_S:
            self.share = max(self.share * DECREASE, self._min_share)
        elif lag_s < LOW_LAG_S and busy < MAX_BUSY:
            self.share = min(self.share * INCREASE, 1.0)
        if self.share == before:
            return
        for demand in self.demand.values():
            demand.limit_fps(max(self.share * demand.full_fps, self.least_fps))
        if before == 1:
            log.warning(
                "overloaded: pictures wait for %.1f s; all cameras are analysed less often", lag_s
            )
        elif self.share == 1:
            log.info("no longer overloaded: all cameras are analysed at their full rate")

    @property
    def _min_share(self) -> float:
        """The share at which the fastest camera is at the lowest rate."""
        fastest = max((d.full_fps for d in self.demand.values()), default=self.least_fps)
        return min(self.least_fps / fastest, 1.0)
