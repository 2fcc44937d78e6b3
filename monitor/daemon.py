"""``monitor run``: cameras in, alerts out, until somebody says stop."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.app import supervise
from monitor.build import Models, Watch, build_pipeline, build_source, verifier_loops
from monitor.census import Census, Sight
from monitor.config.schema import Config
from monitor.controls import Controls, PictureDesk
from monitor.dispatch import Dispatch
from monitor.domain import CameraId, Frame, StreamState
from monitor.inference import Inference
from monitor.ingest import Source
from monitor.ingest.attention import Attention
from monitor.ingest.load import Load
from monitor.ingest.reader import Reader
from monitor.mailroom import Mailroom
from monitor.overlap import Overlap
from monitor.pipeline import Change, Pipeline
from monitor.publish.blind import BlindBook
from monitor.publish.covered import CoveredBoard
from monitor.publish.shelf import Shelf
from monitor.record.retention import Retention
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock, SystemClock
from monitor.runtime.heap import Trimmer
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import Stop, StopSwitch
from monitor.runtime.systemd import notify
from monitor.runtime.worker import Worker
from monitor.sharing import shared
from monitor.vitals import Vitals

if TYPE_CHECKING:
    from monitor.serve.server import Server

log = logging.getLogger(__name__)

_BATCH = 8  # frames in one go; more would make the first of them wait for the last
POLL_S = 0.1  # how late an alert may end when no camera sends anything
_CAMERA_PAUSE = (0.5, 3.0)  # seconds between tries of a camera, first and longest
_LAST_WORDS_S = 1.0  # what the judge gets after the last frame of a recording
_DRAIN_S = 5.0  # what the broker gets after the last recording; the rest stays in the outbox


@dataclass(slots=True)
class Analyst:
    """Takes the newest frame of each camera through the pipeline. Owned by one thread."""

    pipeline: Pipeline
    boxes: Mapping[CameraId, Mailbox[Frame]]
    bell: threading.Event
    clock: Clock
    dispatch: Dispatch
    pictures: PictureDesk
    load: Load | None = None
    _served: dict[CameraId, float] = field(init=False, default_factory=dict)
    _swept_at: float = field(init=False, default=float("-inf"))

    def run(self, stop: Stop) -> None:
        """Work until stop is requested or every source has ended and been decided on."""
        with Overlap(self.pipeline) as overlap:
            open_cameras = self._watched(stop, overlap)
        for camera in open_cameras:  # a restarted daemon knows nothing of this one's subjects
            self._hand_out(self.pipeline.finish(camera, self.pipeline.now(camera)))

    def _watched(self, stop: Stop, overlap: Overlap) -> set[CameraId]:
        """Work; gives back which sources have not ended."""
        open_cameras = set(self.boxes)
        while open_cameras and not stop.requested:
            if not overlap.cameras:
                self.bell.wait(POLL_S)
            self.bell.clear()
            frames = self._observed(overlap)
            self.pictures.serve(self.pipeline.lanes)
            for camera in self._undecided(frames):
                self._hand_out(self.pipeline.decide(camera, self.pipeline.now(camera)))
            if frames:
                self.bell.set()  # there may be more where these came from
            for camera in [c for c in open_cameras - overlap.cameras if self._over(c)]:
                open_cameras.discard(camera)
                self._hand_out(self.pipeline.finish(camera, self.pipeline.now(camera)))
        return open_cameras

    def _undecided(self, frames: Sequence[Frame]) -> list[CameraId]:
        """The cameras of which something may have changed; of most of many, nothing has."""
        new = {frame.camera for frame in frames} | self.pipeline.answered
        now = self.clock.seconds()
        if now - self._swept_at < POLL_S:
            return [camera for camera in self.boxes if camera in new]
        self._swept_at = now
        lanes = self.pipeline.lanes
        return [c for c in self.boxes if c in new or not lanes[c].policy.empty]

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

    def _observed(self, overlap: Overlap) -> Sequence[Frame]:
        """Follow whom the detector has found while it looks at what has come meanwhile."""
        overlap.fill(self._newest)
        if (seen := overlap.take()) is None:
            return ()
        frames = seen.batch.frames
        overlap.fill(self._newest, but=frames)
        started = self.clock.seconds()
        self.pipeline.follow(seen)
        if self.load is not None:
            now = self.clock.seconds()
            busy_s = max(now - started, seen.detect_s / overlap.most)
            self.load.note([now - f.moment.seconds for f in frames], busy_s, now)
        return frames

    def _hand_out(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.dispatch.hand_out(change)

    def _over(self, camera: CameraId) -> bool:
        """Whether a source has ended and its subjects have had time for their verdicts."""
        if not self.boxes[camera].finished:
            return False
        lane = self.pipeline.lanes[camera]
        view = lane.view
        seconds = view.frame.moment.seconds if view else float("-inf")
        idle_s = self.pipeline.now(camera).seconds - seconds
        return idle_s > _LAST_WORDS_S and lane.policy.settled


def ending(analyst: Analyst, shelf: Shelf) -> Callable[[StopSwitch], None]:
    """The analyst's loop, after which the program ends: recordings do not go on for ever."""

    def loop(stop: StopSwitch) -> None:
        """Analyse to the end, let the shelf drain, stop the program."""
        analyst.run(stop)
        deadline = time.monotonic() + _DRAIN_S
        while len(shelf) and time.monotonic() < deadline and not stop.wait(POLL_S):
            pass
        stop.request()

    return loop


def run(config: Config, models: Models, clock: Clock | None = None) -> bool:
    """Watch the cameras until a signal comes or all recordings have ended.

    Returns:
        Whether everything ended in time and without failing, and there was anything to see.

    Raises:
        ConfigError: A password file or a certificate is missing.
        OutboxError: The outbox cannot be used at all.
    """
    clock = clock or SystemClock()
    models = shared(models) if config.http else models
    zones = {CameraId(name): camera.zone for name, camera in config.cameras.items()}
    attention = _attention(config)
    stop = StopSwitch()
    bell = threading.Event()
    pipeline, judge = build_pipeline(_watch(config), zones, models, clock, bell, attention)
    verifiers = verifier_loops(pipeline, models)
    boxes: dict[CameraId, Mailbox[Frame]] = {}
    readers: dict[CameraId, Reader] = {}
    sources: dict[CameraId, Source] = {}
    for name, camera in config.cameras.items():
        source = build_source(name, camera, clock, stop, attention[CameraId(name)])
        box = Mailbox[Frame](1 if source.live else 2, lossless=not source.live, bell=bell)
        boxes[CameraId(name)], sources[CameraId(name)] = box, source
        readers[CameraId(name)] = Reader(source, box, Backoff(*_CAMERA_PAUSE), clock)
    pictures = PictureDesk(bell)
    with Mailroom(config, clock) as mail, ExitStack() as doors:
        retention = Retention(config.evidence, config.evidence_days.model_dump(), clock)
        dispatch = _dispatch(config.site, mail, readers, clock, retention)
        load = Load(attention, config.economy.least_fps)
        analyst = Analyst(pipeline, boxes, bell, clock, dispatch, pictures, load)
        every_s = config.mqtt.state_every_s
        book = BlindBook(config.site, mail.shelf, zones, config.blindness.severity)
        sight = Sight(attention, load, book, clock)
        census = Census(
            readers, pipeline, judge, mail.board, mail.health, every_s, verifiers, sight
        )
        controls = Controls(readers, pictures, mail.board, mail.notes)
        controls.restore()
        workers = [
            *(Worker(f"read-{camera}", reader.run, stop) for camera, reader in readers.items()),
            Worker("analyst", ending(analyst, mail.shelf), stop),
            Worker("judge", judge.run, stop),
            *(Worker(f"verify-{n}", loop.run, stop) for n, loop in enumerate(verifiers)),
            Worker("census", census.run, stop),
            *mail.workers(controls, zones, stop),
            Worker("retention", retention.run, stop),
        ]
        vitals = Vitals(readers, pipeline, judge, mail)
        if (server := _door(config, models, vitals, doors)) is not None:
            workers.append(Worker("http", server.run, stop))
        notify("READY=1")
        clean = supervise(workers, stop, _beat(readers.values(), clock))
        mail.last_words()
    return clean and not all(_refused_file(sources[c], r) for c, r in readers.items())


def _beat(readers: Iterable[Reader], clock: Clock) -> Callable[[], None]:
    """What is done every second, as long as all goes well."""
    trimmer = Trimmer(lambda: sum(reader.status().reconnects for reader in readers), clock)

    def beat() -> None:
        """Tell systemd so, and give back what old connections held."""
        notify("WATCHDOG=1")
        trimmer.tick()

    return beat


def _dispatch(
    site: str, mail: Mailroom, cameras: Iterable[CameraId], clock: Clock, retention: Retention
) -> Dispatch:
    covered = CoveredBoard(mail.board, site, cameras)
    return Dispatch(site, mail.shelf, mail.board, covered, clock, mail.mirror, retention)


def _watch(config: Config) -> Watch:
    """What all cameras share."""
    return Watch(
        config.tracking,
        config.desk,
        config.policy,
        config.evidence,
        config.economy,
        config.verifier,
    )


def _attention(config: Config) -> dict[CameraId, Attention]:
    """What the readers and the analyst tell each other."""
    keys, blindness = config.economy.key_frames_only, config.blindness
    return {
        CameraId(name): Attention(camera.analysis_fps, key_frames_only=keys, blindness=blindness)
        for name, camera in config.cameras.items()
    }


def _door(config: Config, models: Models, vitals: Vitals, doors: ExitStack) -> "Server | None":
    """The HTTP API, if it is wanted; ``doors`` closes it."""
    if config.http is None:
        return None
    from monitor.doorway import opened  # noqa: PLC0415  (a second, for those without it)

    inference = Inference(models, tracking=config.tracking)
    return doors.enter_context(opened(config.http, inference, vitals))


def _refused_file(source: Source, reader: Reader) -> bool:
    return not source.live and reader.status().state is StreamState.REJECTED
