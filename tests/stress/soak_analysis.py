"""What the daemon does with frames once they have been read, as one function."""

import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.build import PipelineSettings, build_pipeline, load_models
from monitor.config.judges import EmbeddedJudgeSettings, Scheduler
from monitor.config.policy import Policy
from monitor.config.schema import Economy, EmbeddedDetector, Tampering, Tracking
from monitor.domain import CameraId, Frame
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.load_shedder import LoadShedder
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch

JOIN_S = 10.0


class Analysis:
    """The embedded models and everything between them, from the block's start to its end.

    Args:
        names: The cameras.
        analysis_fps: How many frames a second of each are to be looked at.
        folder: Where the evidence goes.
    """

    def __init__(self, names: Collection[str], analysis_fps: float, folder: Path) -> None:
        economy, clock = Economy(), SystemClock()
        self.demand = {
            CameraId(name): CameraDemand(
                analysis_fps, key_frames_only=True, tampering_settings=Tampering()
            )
            for name in names
        }
        self.shedder = LoadShedder(self.demand, economy.least_fps)
        loaded = load_models(EmbeddedDetector(), EmbeddedJudgeSettings(), clock)
        settings = PipelineSettings(Tracking(), Scheduler(), Policy(), folder / "evidence", economy)
        zones = dict.fromkeys(self.demand)
        self._pipeline, judge = build_pipeline(
            settings, zones, loaded, clock, threading.Event(), self.demand
        )
        self._stop = StopSwitch()
        self._judge = threading.Thread(target=judge.run, args=(self._stop,), daemon=True)

    def __enter__(self) -> Self:
        self._judge.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.request()
        self._judge.join(JOIN_S)

    def __call__(self, frames: Sequence[Frame]) -> None:
        """Look at one batch, and decide on all cameras."""
        started = time.monotonic()
        self._pipeline.observe(frames)
        now = time.monotonic()
        lags_s = [now - frame.moment.seconds for frame in frames]
        self.shedder.record_batch(lags_s, now - started, now)
        for camera in self.demand:
            self._pipeline.decide(camera, self._pipeline.get_moment(camera))
