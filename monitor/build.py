"""From settings to objects: the only place that names implementations."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.alert.policy import AlertPolicy
from monitor.config import schema
from monitor.config.policy import Policy
from monitor.detect import Detector
from monitor.domain import CameraId, Kind
from monitor.errors import ConfigError
from monitor.ingest import Source
from monitor.ingest.file import FileVideo
from monitor.ingest.network import NetworkVideo
from monitor.judge import Judge
from monitor.judge.desk import JudgeDesk
from monitor.judge.loop import JudgeLoop
from monitor.pipeline import Lane, Pipeline
from monitor.record.still import EvidenceFolder
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock
from monitor.runtime.resources import bundled
from monitor.runtime.stop import Stop
from monitor.track.bytetrack import BodyTracker

_JUDGE_PAUSE = (0.5, 10.0)  # seconds between tries of a judge that fails, first and longest


@dataclass(frozen=True, slots=True)
class Models:
    """What takes long to load and is shared by all cameras, or by all files of a replay."""

    detector: Detector
    judge: Judge
    batch: int  # looks per forward pass


def models(detector: schema.Detector, judge: schema.Judge, clock: Clock) -> Models:
    """Load both models and judge one picture, so that a broken one is found at start.

    Raises:
        ConfigError: A model is missing, broken or of the wrong kind.
    """
    return Models(build_detector(detector), build_judge(judge, clock), judge.batch)


def build_detector(settings: schema.Detector) -> Detector:
    """The detector that the settings name.

    Raises:
        ConfigError: Its weights are missing or unusable.
    """
    from monitor.detect.yolo import Yolo  # noqa: PLC0415  (the engines load on demand)
    from monitor.detect.yunet import YuNet  # noqa: PLC0415

    match settings:
        case schema.EmbeddedDetector():
            return _embedded_detector(settings, bundled("models") / "detector")
        case schema.YoloDetector():
            scores = {
                Kind.PERSON: settings.min_person_score,
                Kind.FACE: settings.min_face_score,
            }
            return Yolo(
                settings.weights,
                input_px=settings.input_px,
                min_scores=scores,
                device=settings.device,
            )
        case schema.YunetDetector():
            return YuNet(settings.weights, settings.min_face_score, input_px=settings.input_px)


def build_judge(settings: schema.Judge, clock: Clock) -> Judge:
    """The judge that the settings name, warmed up.

    Raises:
        ConfigError: The model's folder is missing or unusable.
    """
    from monitor.judge.local import LocalJudge  # noqa: PLC0415  (torch loads on demand)

    match settings:
        case schema.EmbeddedJudge():
            judge = LocalJudge(bundled("models") / "judge", clock=clock, batch=settings.batch)
        case schema.LocalJudge():
            judge = LocalJudge(
                settings.model, clock=clock, device=settings.device, batch=settings.batch
            )
    judge.warm_up()
    return judge


@dataclass(frozen=True, slots=True)
class Watch:
    """What every camera of one run shares: its settings and the folder for its evidence."""

    tracking: schema.Tracking
    desk: schema.Desk
    policy: Policy
    evidence: Path


def build_pipeline(
    watch: Watch, zones: Mapping[CameraId, str | None], models: Models, clock: Clock
) -> tuple[Pipeline, JudgeLoop]:
    """The stages for some cameras, and the judge's loop at the same desk."""
    desk = JudgeDesk(watch.desk, clock)
    lanes = {
        camera: Lane(
            BodyTracker(camera, watch.tracking),
            AlertPolicy(camera, watch.policy, zone=zone, lost_after_s=watch.tracking.lost_after_s),
        )
        for camera, zone in zones.items()
    }
    pipeline = Pipeline(models.detector, desk, lanes, EvidenceFolder(watch.evidence), clock)
    loop = JudgeLoop(desk, models.judge, models.batch, Backoff(*_JUDGE_PAUSE))
    return pipeline, loop


def build_source(name: str, camera: schema.Camera, clock: Clock, stop: Stop) -> Source:
    """The source of one camera, not opened yet. A recording is played as if it were now."""
    match camera.source:
        case schema.FileSource(path=path):
            return FileVideo(
                CameraId(name),
                path,
                analysis_fps=camera.analysis_fps,
                paced=True,
                started_at=clock.now(),
                clock=clock,
                stop=stop,
            )
        case schema.RtspSource() | schema.HttpSource() as network:
            return NetworkVideo(
                CameraId(name), network, analysis_fps=camera.analysis_fps, clock=clock
            )


def _embedded_detector(settings: schema.EmbeddedDetector, folder: Path) -> Detector:
    from monitor.detect.yolo import Yolo  # noqa: PLC0415  (ultralytics loads on demand)

    card = folder / "detector.json"
    try:
        facts = json.loads(card.read_text(encoding="utf-8"))
        scores = {kind: float(facts["min_scores"][kind]) for kind in Kind}
        weights, input_px = folder / str(facts["weights"]), int(facts["input_px"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{card}: the embedded detector is not readable ({error}); install monitor again"
        ) from error
    if settings.min_person_score is not None:
        scores[Kind.PERSON] = settings.min_person_score
    if settings.min_face_score is not None:
        scores[Kind.FACE] = settings.min_face_score
    return Yolo(weights, input_px=settings.input_px or input_px, min_scores=scores)
