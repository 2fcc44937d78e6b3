"""The loop that takes frames through the pipeline and hands out what it decides."""

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

_BATCH = 8  # frames in one go; more would make the first of them wait for the last
POLL_S = 0.1  # how late an alert may end when no camera sends anything
_LAST_WORDS_S = 1.0  # what the judge gets after the last frame of a recording
_DRAIN_S = 5.0  # what the broker gets after the last recording; the rest stays in the outbox


@dataclass(slots=True)
class Analyst:
    """Takes the newest frame of each camera through the pipeline. Owned by one thread."""

    pipeline: Pipeline
    boxes: Mapping[CameraId, Mailbox[Frame]]
    bell: threading.Event
    clock: Clock
    dispatch: AlertDispatch
    pictures: SnapshotRequests
    shedder: LoadShedder | None = None
    _served: dict[CameraId, float] = field(init=False, default_factory=dict)
    _swept_at: float = field(init=False, default=float("-inf"))

    def run(self, stop: Stop) -> None:
        """Work until stop is requested or every source has ended and been decided on."""
        with DetectionQueue(self.pipeline) as queue:
            open_cameras = self._watched(stop, queue)
        for camera in open_cameras:  # a restarted daemon knows nothing of this one's subjects
            self._hand_out(self.pipeline.finish(camera, self.pipeline.get_moment(camera)))

    def _watched(self, stop: Stop, queue: DetectionQueue) -> set[CameraId]:
        """Work; gives back which sources have not ended."""
        open_cameras = set(self.boxes)
        while open_cameras and not stop.requested:
            if not queue.cameras:
                self.bell.wait(POLL_S)
            self.bell.clear()
            frames = self._observed(queue)
            self.pictures.serve(self.pipeline.cameras)
            for camera in self._undecided(frames):
                self._hand_out(self.pipeline.decide(camera, self.pipeline.get_moment(camera)))
            if frames:
                self.bell.set()  # there may be more where these came from
            for camera in [c for c in open_cameras - queue.cameras if self._over(c)]:
                open_cameras.discard(camera)
                self._hand_out(self.pipeline.finish(camera, self.pipeline.get_moment(camera)))
        return open_cameras

    def _undecided(self, frames: Sequence[Frame]) -> list[CameraId]:
        """The cameras of which something may have changed; of most of many, nothing has."""
        new = {frame.camera for frame in frames} | self.pipeline.answered_cameras
        now = self.clock.seconds()
        if now - self._swept_at < POLL_S:
            return [camera for camera in self.boxes if camera in new]
        self._swept_at = now
        cameras = self.pipeline.cameras
        return [c for c in self.boxes if c in new or not cameras[c].policy.empty]

    def _newest(self, but: Collection[CameraId]) -> Sequence[Frame]:
        """The newest frames of a few cameras: those that have waited longest for their turn."""
        frames: list[Frame] = []
        for camera in sorted(self.boxes, key=lambda camera: self._served.get(camera, 0.0)):
            if camera not in but and (frame := self.boxes[camera].take(0)) is not None:
                self._served[camera] = self.clock.seconds()
                frames.append(frame)
                if len(frames) == _BATCH:
                    break
        return frames

    def _observed(self, queue: DetectionQueue) -> Sequence[Frame]:
        """Follow whom the detector has found while it looks at what has come meanwhile."""
        queue.fill(self._newest)
        if (seen := queue.take()) is None:
            return ()
        frames = seen.batch.frames
        queue.fill(self._newest, but=frames)
        started = self.clock.seconds()
        self.pipeline.track_batch(seen)
        if self.shedder is not None:
            now = self.clock.seconds()
            busy_s = max(now - started, seen.detect_s / queue.most)
            self.shedder.note([now - f.moment.seconds for f in frames], busy_s, now)
        return frames

    def _hand_out(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.dispatch.hand_out(change)

    def _over(self, camera: CameraId) -> bool:
        """Whether a source has ended and its subjects have had time for their verdicts."""
        if not self.boxes[camera].finished:
            return False
        stages = self.pipeline.cameras[camera]
        result = stages.result
        seconds = result.frame.moment.seconds if result else float("-inf")
        idle_s = self.pipeline.get_moment(camera).seconds - seconds
        return idle_s > _LAST_WORDS_S and stages.policy.settled


def ending(analyst: Analyst, buffered: BufferedOutbox) -> Callable[[StopSwitch], None]:
    """The analyst's loop, after which the program ends: recordings do not go on for ever."""

    def loop(stop: StopSwitch) -> None:
        """Analyse to the end, let the outbox drain, stop the program."""
        analyst.run(stop)
        deadline = time.monotonic() + _DRAIN_S
        while len(buffered) and time.monotonic() < deadline and not stop.wait(POLL_S):
            pass
        stop.request()

    return loop
