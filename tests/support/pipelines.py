"""A pipeline of twelve cameras, and one frame of each."""

from collections.abc import Collection, Sequence
from pathlib import Path

from monitor.build import Models, PipelineSettings, build_pipeline
from monitor.config.judges import Scheduler
from monitor.config.policy import Policy
from monitor.config.schema import Tracking
from monitor.detect import Detector
from monitor.domain import CameraId, Frame
from monitor.ingest.frames.picture import ArrayPicture
from monitor.pipeline import Pipeline
from monitor.runtime.clock import RecordingClock
from tests.support.fakes import BlueJudge, moment, textured

CAMERAS = [CameraId(f"camera-{n}") for n in range(12)]
PICTURE = ArrayPicture(textured(160, 120))


class Boxes:
    """One frame of each camera, two at a time."""

    def __init__(self) -> None:
        self.frames = [Frame(camera, 0, moment(0), PICTURE, 1.0) for camera in CAMERAS]

    def newest(self, but: Collection[CameraId]) -> Sequence[Frame]:
        taken = [frame for frame in self.frames if frame.camera not in but][:2]
        self.frames = [frame for frame in self.frames if frame not in taken]
        return taken


def pipeline_of(folder: Path, detector: Detector) -> Pipeline:
    """All stages for those cameras, with this detector."""
    models = Models(detector, BlueJudge(), batch=4)
    settings = PipelineSettings(Tracking(), Scheduler(), Policy(), folder)
    return build_pipeline(settings, dict.fromkeys(CAMERAS), models, RecordingClock())[0]
