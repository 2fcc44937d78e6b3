"""Builds objects from settings. The only module that names implementations."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from monitor.alert.policy import AlertPolicy
from monitor.config import judges, schema, sources
from monitor.config.policy import Policy
from monitor.config.schema import Economy
from monitor.detect import Detector
from monitor.detect import bundled as embedded
from monitor.detect.second_look import SecondLook
from monitor.domain import CameraId, Kind
from monitor.ingest import Source
from monitor.ingest.file import FileVideo
from monitor.ingest.folder import FolderPictures
from monitor.ingest.live.dual_stream import DualStream, MainStreamDemand
from monitor.ingest.live.live_video import LiveVideo
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.motion_gate import MotionGate
from monitor.judge import Judge
from monitor.judge.profile import GRAPH
from monitor.judge.schedule.crop_scheduler import CropScheduler
from monitor.judge.schedule.judge_worker import JudgeWorker
from monitor.judge.schedule.verification_queue import VerificationQueue
from monitor.judge.schedule.verifier_worker import VerifierWorker
from monitor.pipeline import CameraPipeline, Pipeline
from monitor.record.still import EvidenceFolder
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock
from monitor.runtime.resources import find_bundled
from monitor.runtime.stop import Stop
from monitor.track.bytetrack import BodyTracker

_LOW_SCORE = 0.01  # a threshold for measuring: precision-recall curves need almost all boxes
_JUDGE_PAUSE = (0.5, 10.0)  # seconds between tries of a judge that fails, first and longest


@dataclass(frozen=True, slots=True)
class Models:
    """The models, which are loaded once for all cameras, or for all files of a replay."""

    detector: Detector
    judge: Judge
    batch: int  # crops per forward pass
    verifier: Judge | None = None
    verifier_threads: int = 1


def load_models(
    detector: schema.Detector,
    judge: judges.Judge,
    clock: Clock,
    verifier: judges.Verifier | None = None,
    camera_px: Mapping[CameraId, int] = MappingProxyType({}),
) -> Models:
    """Load all models and try the judges, so that a broken model is found at start.

    Args:
        detector: Its settings.
        judge: Its settings.
        clock: Times the judges' answers.
        verifier: Its settings; None builds none.
        camera_px: The detector's ``input_px`` for the frames of some cameras.

    Raises:
        ConfigError: A model is missing, broken or of the wrong kind.
    """
    first_judge = build_judge(judge, clock)
    if verifier is None:
        return Models(build_detector(detector, camera_px=camera_px), first_judge, judge.batch)
    second = verifier.judge
    hosted = isinstance(second, judges.OpenAIJudgeSettings | judges.BynnJudgeSettings)
    return Models(
        build_detector(detector, camera_px=camera_px),
        first_judge,
        judge.batch,
        verifier=build_judge(second, clock, sentences=True),
        verifier_threads=second.batch if hosted else 1,  # local models are not thread-safe
    )


def build_detector(
    settings: schema.Detector,
    *,
    open_wide: bool = False,
    camera_px: Mapping[CameraId, int] = MappingProxyType({}),
) -> Detector:
    """The detector that the settings name.

    Args:
        settings: Its kind and thresholds.
        open_wide: Report almost all boxes, whatever the thresholds, as measuring needs.
        camera_px: The ``input_px`` for the frames of some cameras.

    Raises:
        ConfigError: Its weights are missing or unusable.
    """
    from monitor.detect.sliced import SlicedDetector  # noqa: PLC0415
    from monitor.detect.two_thresholds import TwoThresholdDetector, doubtful_from  # noqa: PLC0415
    from monitor.detect.yolo import Yolo  # noqa: PLC0415  (the engines load on demand)
    from monitor.detect.yunet import YuNet  # noqa: PLC0415

    sure_from = get_min_scores(settings)
    scores = dict.fromkeys(sure_from, _LOW_SCORE) if open_wide else doubtful_from(sure_from)
    detector: Detector
    match settings:
        case schema.EmbeddedDetector():
            own = embedded.facts()
            weights = embedded.FOLDER / own.weights
            input_px = settings.input_px or own.input_px
            detector = Yolo(
                weights,
                input_px=input_px,
                min_scores=scores,
                camera_px=camera_px,
            )
        case schema.YoloDetector():
            detector = Yolo(
                settings.weights,
                input_px=settings.input_px,
                min_scores=scores,
                device=settings.device,
                camera_px=camera_px,
            )
        case schema.YunetDetector(weights=weights, input_px=input_px):
            return YuNet(weights, scores[Kind.HEAD], input_px=input_px, camera_px=camera_px)
    detector = SlicedDetector(detector, settings.tiles) if settings.tiles > 1 else detector
    return detector if open_wide else TwoThresholdDetector(detector, sure_from)


def get_min_scores(settings: schema.Detector) -> dict[Kind, float]:
    """The thresholds that a detector runs with, by kind.

    Raises:
        ConfigError: The embedded detector is not readable.
    """
    match settings:
        case schema.EmbeddedDetector(min_person_score=person, min_head_score=head):
            own = embedded.facts().min_scores
            return {
                Kind.PERSON: own[Kind.PERSON] if person is None else person,
                Kind.HEAD: own[Kind.HEAD] if head is None else head,
            }
        case schema.YoloDetector(min_person_score=person, min_head_score=head):
            return {Kind.PERSON: person, Kind.HEAD: head}
        case schema.YunetDetector(min_face_score=face):
            return {Kind.HEAD: face}


def build_judge(
    settings: judges.Judge, clock: Clock, *, sentences: bool = False, warm: bool = True
) -> Judge:
    """The judge that the settings name, warmed up.

    Args:
        settings: Its kind and parameters.
        clock: Times its answers.
        sentences: Whether a remote judge writes a sentence with every verdict.
        warm: Whether to try it with two pictures first.

    Raises:
        ConfigError: The model's folder is missing or unusable.
    """
    from monitor.judge.local.embedded_judge import EmbeddedJudge  # noqa: PLC0415
    from monitor.judge.local.local_judge import LocalJudge  # noqa: PLC0415
    from monitor.judge.remote.bynn_judge import BynnJudge  # noqa: PLC0415  (these load on demand)
    from monitor.judge.remote.openai_judge import OpenAIJudge  # noqa: PLC0415

    judge: BynnJudge | EmbeddedJudge | LocalJudge | OpenAIJudge

    match settings:
        case judges.EmbeddedJudgeSettings():
            folder = settings.model or find_bundled("models") / "judge"
            judge = EmbeddedJudge(folder, clock=clock, batch=settings.batch)
        case judges.LocalJudgeSettings():
            judge = LocalJudge(
                settings.model,
                clock=clock,
                device=settings.device,
                batch=settings.batch,
                precision=settings.precision,
            )
        case judges.OpenAIJudgeSettings():
            judge = OpenAIJudge(settings, clock, sentences=sentences)
        case judges.BynnJudgeSettings():
            judge = BynnJudge(settings, clock)
    if warm:
        judge.warm_up()
    return judge


def judge_settings(folder: Path) -> judges.EmbeddedJudgeSettings | judges.LocalJudgeSettings:
    """The settings for a judge in a folder: its exported graph if there is one, else the model."""
    if (folder / GRAPH).is_file():
        return judges.EmbeddedJudgeSettings(model=folder)
    return judges.LocalJudgeSettings(kind="local", model=folder)


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """The settings that all cameras of one run share."""

    tracking: schema.Tracking
    scheduler: judges.Scheduler
    policy: Policy
    evidence: Path
    economy: Economy | None = None  # None looks at every frame, as replays do
    verifier: judges.Verifier | None = None


def build_pipeline(
    settings: PipelineSettings,
    zones: Mapping[CameraId, str | None],
    models: Models,
    clock: Clock,
    bell: threading.Event | None = None,
    demand: Mapping[CameraId, CameraDemand] = MappingProxyType({}),
) -> tuple[Pipeline, JudgeWorker]:
    """The stages for some cameras, and the judge's worker for the same scheduler.

    Args:
        settings: Shared by the cameras.
        zones: The cameras, and the name of each one's place.
        models: The detector and the judge.
        clock: Of the daemon, or of the recording.
        bell: Set whenever the judge has answered.
        demand: Of each live camera; the motion gate writes whether people are in view.
    """
    scheduler = CropScheduler(settings.scheduler, clock, bell)
    second = (
        VerificationQueue(settings.verifier, clock, bell) if settings.verifier is not None else None
    )
    cameras = {
        camera: CameraPipeline(
            BodyTracker(camera, settings.tracking),
            AlertPolicy(
                camera,
                settings.policy,
                zone=zone,
                lost_after_s=settings.tracking.lost_after_s,
                verify_within_s=settings.verifier.verify_within_s if settings.verifier else None,
            ),
            MotionGate(
                settings.economy, demand.get(camera), lost_after_s=settings.tracking.lost_after_s
            ),
            SecondLook(models.detector),
        )
        for camera, zone in zones.items()
    }
    pipeline = Pipeline(
        models.detector,
        scheduler,
        cameras,
        EvidenceFolder(settings.evidence),
        clock,
        verifier=second,
    )
    worker = JudgeWorker(scheduler, models.judge, models.batch, Backoff(*_JUDGE_PAUSE), second)
    return pipeline, worker


def build_verifier_workers(pipeline: Pipeline, models: Models) -> list[VerifierWorker]:
    """The verifier's workers, one for each thread; empty without a verifier."""
    if pipeline.verifier is None or models.verifier is None:
        return []
    return [
        VerifierWorker(pipeline.verifier, models.verifier, Backoff(*_JUDGE_PAUSE))
        for _ in range(models.verifier_threads)
    ]


def build_source(
    name: str,
    camera: sources.Camera,
    clock: Clock,
    stop: Stop,
    demand: CameraDemand | None = None,
) -> Source:
    """The source of one camera, not opened yet. A recording is played at its own speed."""
    match camera.source:
        case sources.FileSource(path=path):
            return FileVideo(
                CameraId(name),
                path,
                analysis_fps=camera.analysis_fps,
                paced=True,
                started_at=clock.now(),
                clock=clock,
                stop=stop,
                demand=demand,
            )
        case sources.FolderSource() as folder:
            return FolderPictures(
                CameraId(name), folder, analysis_fps=camera.analysis_fps, clock=clock
            )
        case sources.RtspSource() | sources.HttpSource() | sources.DeviceSource() as live:
            demand = demand or CameraDemand(camera.analysis_fps)
            fps = camera.analysis_fps
            video = LiveVideo(CameraId(name), live, analysis_fps=fps, clock=clock, demand=demand)
            if camera.main is None:
                return video
            main = CameraId(f"{name}, main stream")
            main_demand = MainStreamDemand(demand)
            large = LiveVideo(main, camera.main, analysis_fps=fps, clock=clock, demand=main_demand)
            return DualStream(video, large, clock)
