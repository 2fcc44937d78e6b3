"""Publishes the state of the cameras, the judge and the analyst."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from monitor.domain import CameraId, CameraState, StreamState
from monitor.ingest.live.reader import Reader
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.load_shedder import LoadShedder
from monitor.judge.schedule.judge_worker import JudgeWorker
from monitor.judge.schedule.verifier_worker import VerifierWorker, find_trouble
from monitor.pipeline import Pipeline
from monitor.publish.retained.health import HealthReporter, ProblemKind
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.publish.retained.tampering import TamperAlerts
from monitor.runtime.clock import Clock
from monitor.runtime.repeat_log import RepeatLog
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

_CHECK_EVERY_S = 1.0  # for changes of a camera's state


@dataclass(frozen=True, slots=True)
class AnalysisStatus:
    """Adds tampering, analysis rate and skipped frames to a camera's state."""

    demand: Mapping[CameraId, CameraDemand]
    shedder: LoadShedder
    tamper_alerts: TamperAlerts
    clock: Clock

    def add_analysis(self, state: CameraState) -> CameraState:
        """The state with these added. Publishes tamper alerts when the reason changes."""
        demand = self.demand[state.camera]
        state = replace(
            state,
            analysis_fps=demand.current.fps,
            skipped=round(self.shedder.skipped * demand.full_fps) + demand.dropped,
        )
        if state.state is not StreamState.STREAMING:
            return state
        reason = demand.tampering
        self.tamper_alerts.update(state.camera, reason, self.clock.now())
        return replace(state, state=StreamState.TAMPERED, tampering=reason) if reason else state


@dataclass(slots=True)
class StatusReporter:
    """Publishes the state of cameras and judges. Owned by one thread."""

    readers: Mapping[CameraId, Reader]
    pipeline: Pipeline
    judge: JudgeWorker
    retained: RetainedPublisher
    health: HealthReporter
    every_s: float
    verifiers: Sequence[VerifierWorker] = ()
    analysis: AnalysisStatus | None = None
    _lost: int = field(init=False, default=0)
    _overloads: RepeatLog = field(init=False, default_factory=lambda: RepeatLog(log))

    def run(self, stop: Stop) -> None:
        """Publish each camera's state when it changes, and every ``every_s`` seconds."""
        posted: dict[CameraId, tuple[float, StreamState]] = {}
        while True:
            for camera, reader in self.readers.items():
                state = self._read_state(camera, reader)
                if self.analysis is not None:
                    state = self.analysis.add_analysis(state)
                at, before = posted.get(camera, (float("-inf"), None))
                now = time.monotonic()
                if state.state is not before or now - at >= self.every_s:
                    self.retained.put_state(state)
                    posted[camera] = (now, state.state)
            self._publish_problem("judge_fails", self.judge.trouble)
            self._publish_problem("verifier_fails", find_trouble(self.verifiers))
            self._warn_of_overload()
            if stop.wait(_CHECK_EVERY_S):
                return

    def _publish_problem(self, kind: ProblemKind, trouble: str | None) -> None:
        if trouble is None:
            self.health.clear_problem(kind)
        else:
            self.health.report_problem(kind, trouble)

    def _warn_of_overload(self) -> None:
        """Warn of crops that were dropped because the judge is behind."""
        counts = self.pipeline.scheduler.counts
        lost = counts.stale + counts.refused
        if lost > self._lost:
            self._overloads.write(
                logging.WARNING, "judge overloaded: crop dropped", times=lost - self._lost
            )
            self._lost = lost

    def _read_state(self, camera: CameraId, reader: Reader) -> CameraState:
        status = reader.status()
        streaming = status.state is StreamState.STREAMING
        subjects = len(self.pipeline.cameras[camera].subjects) if streaming else 0
        return CameraState(camera, status.state, status.fps, subjects, status.last_frame)
