"""The loop that moves frames through the pipeline and publishes the alerts."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.daemon.alert_dispatch import AlertDispatch
from monitor.daemon.camera_control import SnapshotRequests
from monitor.daemon.detection_queue import DetectionQueue
from monitor.domain import CameraId, Frame
from monitor.ingest.watch.load_shedder import LoadShedder
from monitor.pipeline import Change, Pipeline
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.runtime.clock import Clock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import Stop, StopSwitch

_BATCH = 8  # frames; in a larger batch the first would wait too long for the last
POLL_S = 0.1  # alerts end at most this late while no camera sends frames
_JUDGE_TIME_S = 1.0  # for the judge after the last frame of a recording
_DRAIN_S = 5.0  # for sending after the last recording; the rest stays in the outbox


@dataclass(slots=True)
class Analyst:
    """Moves the newest frame of each camera through the pipeline. Owned by one thread."""

    pipeline: Pipeline
    boxes: Mapping[CameraId, Mailbox[Frame]]
    bell: threading.Event
    clock: Clock
    dispatch: AlertDispatch
    pictures: SnapshotRequests
    shedder: LoadShedder | None = None
    _taken_at: dict[CameraId, float] = field(init=False, default_factory=dict)
    _swept_at: float = field(init=False, default=float("-inf"))

    def run(self, stop: Stop) -> None:
        """Analyse until stop is requested, or until all sources have ended and are decided."""
        with DetectionQueue(self.pipeline) as queue:
            open_cameras = self._analyse(stop, queue)
        for camera in open_cameras:  # the next run does not know these subjects
            self._publish_changes(self.pipeline.finish(camera, self.pipeline.get_moment(camera)))

    def _analyse(self, stop: Stop, queue: DetectionQueue) -> set[CameraId]:
        """Analyse; returns the cameras whose sources have not ended."""
        open_cameras = set(self.boxes)
        while open_cameras and not stop.requested:
            if not queue.cameras:
                self.bell.wait(POLL_S)
            self.bell.clear()
            frames = self._observe(queue)
            self.pictures.render_requested(self.pipeline.cameras)
            for camera in self._find_undecided(frames):
                self._publish_changes(
                    self.pipeline.decide(camera, self.pipeline.get_moment(camera))
                )
            if frames:
                self.bell.set()  # more frames may be waiting
            for camera in [c for c in open_cameras - queue.cameras if self._has_ended(c)]:
                open_cameras.discard(camera)
                self._publish_changes(
                    self.pipeline.finish(camera, self.pipeline.get_moment(camera))
                )
        return open_cameras

    def _find_undecided(self, frames: Sequence[Frame]) -> list[CameraId]:
        """The cameras with new frames or verdicts, and every ``POLL_S`` those with subjects."""
        new = {frame.camera for frame in frames} | self.pipeline.answered_cameras
        now = self.clock.seconds()
        if now - self._swept_at < POLL_S:
            return [camera for camera in self.boxes if camera in new]
        self._swept_at = now
        cameras = self.pipeline.cameras
        return [c for c in self.boxes if c in new or not cameras[c].policy.empty]

    def _take_newest(self, exclude: Collection[CameraId]) -> Sequence[Frame]:
        """The newest frame of each of a few cameras, those first that waited longest."""
        frames: list[Frame] = []
        for camera in sorted(self.boxes, key=lambda camera: self._taken_at.get(camera, 0.0)):
            if camera not in exclude and (frame := self.boxes[camera].take(0)) is not None:
                self._taken_at[camera] = self.clock.seconds()
                frames.append(frame)
                if len(frames) == _BATCH:
                    break
        return frames

    def _observe(self, queue: DetectionQueue) -> Sequence[Frame]:
        """Track one detected batch while the detector works on the next ones."""
        queue.fill(self._take_newest)
        if (detected := queue.take()) is None:
            return ()
        frames = detected.batch.frames
        queue.fill(self._take_newest, exclude=frames)
        started = self.clock.seconds()
        self.pipeline.track_batch(detected)
        if self.shedder is not None:
            now = self.clock.seconds()
            busy_s = max(now - started, detected.detect_s / queue.max_batches)
            self.shedder.record_batch([now - f.moment.seconds for f in frames], busy_s, now)
        return frames

    def _publish_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.dispatch.publish_change(change)

    def _has_ended(self, camera: CameraId) -> bool:
        """Whether a source has ended and the verdicts on its last subjects have arrived."""
        if not self.boxes[camera].finished:
            return False
        stages = self.pipeline.cameras[camera]
        result = stages.result
        seconds = result.frame.moment.seconds if result else float("-inf")
        idle_s = self.pipeline.get_moment(camera).seconds - seconds
        return idle_s > _JUDGE_TIME_S and stages.policy.settled


def build_analyst_loop(analyst: Analyst, buffered: BufferedOutbox) -> Callable[[StopSwitch], None]:
    """A loop for the analyst's worker that stops the program when all recordings have ended."""

    def loop(stop: StopSwitch) -> None:
        """Analyse, wait for the outbox to drain, stop the program."""
        analyst.run(stop)
        deadline = time.monotonic() + _DRAIN_S
        while len(buffered) and time.monotonic() < deadline and not stop.wait(POLL_S):
            pass
        stop.request()

    return loop
