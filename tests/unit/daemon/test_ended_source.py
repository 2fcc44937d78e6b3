"""A recording that ends beside cameras that do not."""

import threading
from collections.abc import Sequence
from pathlib import Path

from monitor.alert.policy import AlertPolicy
from monitor.build import Models, PipelineSettings, build_pipeline
from monitor.config.judges import Scheduler
from monitor.config.policy import Policy
from monitor.config.schema import Tracking
from monitor.daemon.alert_dispatch import AlertDispatch
from monitor.daemon.analyst import Analyst
from monitor.daemon.camera_control import SnapshotRequests
from monitor.domain import Alert, CameraId, Detection, Frame, Moment
from monitor.ingest.frames.picture import ArrayPicture
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import Outbox
from monitor.publish.retained.retained_topics import OpenAlerts, RetainedPublisher
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from tests.support.fakes import YARD, BlueJudge, ManualClock, frame, textured
from tests.support.fakes_mqtt import SwitchedBroker

OTHERS = (CameraId("lobby"), CameraId("stairs"))
PICTURE = ArrayPicture(textured(64, 48))
BATCHES = 40


class Relay:
    """A Detector that gets the next camera's frame before it is done with this one's.

    So it is never idle; after many batches it asks for the end.
    """

    def __init__(self, boxes: dict[CameraId, Mailbox[Frame]], stop: StopSwitch) -> None:
        self._boxes = boxes
        self._stop = stop
        self.batches = 0

    def feed(self, camera: CameraId) -> None:
        """Leave a frame of a camera."""
        self._boxes[camera].put(frame(self.batches, PICTURE, camera=camera))

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.batches += 1
        self.feed(OTHERS[frames[0].camera == OTHERS[0]])
        if self.batches == BATCHES:
            self._stop.request()
        return [[] for _ in frames]


class Noting(AlertPolicy):
    """Notes whether the program was already to end when its camera was over."""

    def __init__(self, camera: CameraId, stop: StopSwitch) -> None:
        super().__init__(camera, Policy(), zone=None, lost_after_s=2)
        self._stop = stop
        self.late: list[bool] = []

    def finish(self, now: Moment) -> list[Alert]:
        self.late.append(self._stop.requested)
        return super().finish(now)


def test_a_recording_is_over_while_other_cameras_keep_the_detector_busy(tmp_path: Path) -> None:
    """Its alerts stayed open until all of the other cameras happened to be quiet."""
    clock, bell, stop = ManualClock(), threading.Event(), StopSwitch()
    boxes = {camera: Mailbox[Frame](1, bell=bell) for camera in (YARD, *OTHERS)}
    boxes[YARD].close()
    detector = Relay(boxes, stop)
    detector.feed(OTHERS[0])
    settings = PipelineSettings(Tracking(), Scheduler(), Policy(), tmp_path / "evidence")
    models = Models(detector, BlueJudge(), batch=4)
    pipeline, _ = build_pipeline(settings, dict.fromkeys(boxes), models, clock)
    policies = {camera: Noting(camera, stop) for camera in boxes}
    for camera, policy in policies.items():
        pipeline.cameras[camera].policy = policy
    retained = RetainedPublisher(SwitchedBroker(), "site")
    with Outbox(tmp_path / "outbox") as outbox:
        buffered = BufferedOutbox(outbox, clock, lambda _: None)
        keeper = AlertDispatch(
            "site", buffered, retained, OpenAlerts(retained, "site", list(boxes)), clock
        )
        Analyst(pipeline, boxes, bell, clock, keeper, SnapshotRequests(bell)).run(stop)
    assert detector.batches >= BATCHES
    assert {camera: policy.late for camera, policy in policies.items()} == {
        YARD: [False],
        OTHERS[0]: [True],
        OTHERS[1]: [True],
    }
