"""Plays recordings through the pipeline, as fast as possible and with the same alerts each time."""

import csv
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO
from uuid import UUID

from monitor.alert.policy import AlertPolicy
from monitor.build import Models, PipelineSettings, build_pipeline, build_verifier_workers
from monitor.config.schema import ReplayConfig
from monitor.domain import Alert, CameraId, Frame, Moment, Subject, SubjectId
from monitor.errors import OutputError
from monitor.ingest.file import FileVideo
from monitor.pipeline import Change
from monitor.publish.contract.payload import build_recorded_body
from monitor.record.annotate import AnnotatedVideo, draw_subjects
from monitor.replay.prefetch import PrefetchingDetector
from monitor.runtime.clock import RecordingClock
from monitor.runtime.meter import StageMeter

_ANNOTATED_PX = 1280  # longer side of the annotated video


@dataclass(frozen=True, slots=True)
class Summary:
    """The results of one replay; ``summary.json``."""

    file: str
    frames_decoded: int
    frames_analysed: int
    subjects: int
    judged: int  # subjects with at least one crop that the judge could evaluate
    not_judged: dict[str, int]  # the others by reason: no_head, too_small or not_evaluable
    looks: int
    alerts: int
    video_s: float
    taken_s: float
    stage_ms: dict[str, float]  # wall-clock milliseconds per stage, in all; stages overlap


@dataclass(slots=True)
class _SubjectSummary:
    """What is remembered of one subject for the summary."""

    judged: bool = False
    head_px: float = 0.0  # the longer side of its largest head; 0 where none was found

    def explain(self, min_head_px: int) -> str:
        """Why it was not judged."""
        if self.head_px == 0:
            return "no_head"
        return "too_small" if self.head_px < min_head_px else "not_evaluable"


@dataclass(slots=True)
class Replay:
    """Plays files one after another with models that the caller loaded.

    All decisions depend on the recording's own time, so the same file gives the same alerts on
    fast and slow machines.
    """

    config: ReplayConfig
    models: Models
    clock: RecordingClock  # the one the judge was built with

    def read_duration_s(self, path: Path) -> float | None:
        """The length that a recording states, in seconds; None if it states none.

        Raises:
            SourceRejectedError: The file is no video.
        """
        return self._open_source(path).info.duration_s

    def play(
        self, path: Path, out: Path, *, annotate: bool, progress: Callable[[float], None]
    ) -> Summary:
        """Play one file and write its results.

        Args:
            path: The recording.
            out: A folder for the results; made if it is missing.
            annotate: Whether to write ``annotated.mp4`` too.
            progress: Called with the seconds of the recording that have been played.

        Raises:
            SourceRejectedError: The file is no video.
            OutputError: The results cannot be written.
        """
        source = self._open_source(path)
        try:
            out.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                tracks = stack.enter_context((out / "tracks.csv").open("w", encoding="utf-8"))
                frames = stack.enter_context(source.open())
                prefetching = stack.enter_context(PrefetchingDetector(frames, self.models.detector))
                session = _Session(self, source, prefetching, (out, tracks), annotate=annotate)
                stack.callback(session.close)
                return session.run(progress)
        except OSError as error:
            raise OutputError(f"{out}: {error.strerror}; choose another folder") from error

    def _open_source(self, path: Path) -> FileVideo:
        camera = CameraId(_to_topic_word(path.stem))
        fps = self.config.analysis_fps
        still = RecordingClock()  # prefetching decodes ahead, so no decoding time is charged
        return FileVideo(camera, path, analysis_fps=fps, paced=False, clock=still)


class _Session:
    """Plays one file through the pipeline."""

    def __init__(
        self,
        replay: Replay,
        source: FileVideo,
        prefetching: PrefetchingDetector,
        results: tuple[Path, TextIO],
        *,
        annotate: bool,
    ) -> None:
        out, tracks = results
        config = replay.config
        settings = PipelineSettings(
            config.tracking,
            config.scheduler,
            config.policy,
            out / "evidence",
            verifier=config.verifier,
        )
        camera = source.camera
        self._prefetching = prefetching
        models = replace(replay.models, detector=prefetching)
        self._pipeline, self._judge = build_pipeline(settings, {camera: None}, models, replay.clock)
        self._verifiers = build_verifier_workers(self._pipeline, replay.models)[:1]
        self._replay, self._camera, self._source, self._out = replay, camera, source, out
        self._tracks = csv.writer(tracks)
        self._tracks.writerow(
            ["seconds", "subject", "head_found", "score"]
            + [f"{part}_{edge}" for part in ("head", "person") for edge in ("x0", "y0", "x1", "y1")]
        )
        self._annotate = annotate
        self._video: AnnotatedVideo | None = None
        self._subjects: dict[SubjectId, _SubjectSummary] = {}
        self._alerts: dict[UUID, Alert] = {}  # the last state of each, as they were raised

    def close(self) -> None:
        """Finish the annotated video, if there is one."""
        if self._video is not None:
            self._video.__exit__(None, None, None)

    def run(self, progress: Callable[[float], None]) -> Summary:
        """Play to the end."""
        started = time.perf_counter()
        analysed, last = 0, None
        meter = self._pipeline.meter
        frames = self._prefetching.read_frames()
        while (frame := _take_frame(frames, meter)) is not None:
            analysed, last = analysed + 1, frame.moment
            self._play_frame(frame)
            progress(frame.moment.seconds)
        if last is not None:
            self._store_changes(self._pipeline.finish(self._camera, last))
        alerts = list(self._alerts.values())
        self._write_alerts(alerts)
        summary = Summary(
            file=self._source.path.name,
            frames_decoded=self._source.decoded,
            frames_analysed=analysed,
            subjects=len(self._subjects),
            judged=sum(subject.judged for subject in self._subjects.values()),
            not_judged=self._count_not_judged(),
            looks=self._pipeline.scheduler.counts.taken,
            alerts=len(alerts),
            video_s=round(self._source.info.duration_s or (last.seconds if last else 0.0), 3),
            taken_s=round(time.perf_counter() - started, 3),
            stage_ms={
                stage: round(ms, 1)
                for stage, ms in {**meter.get_totals_ms(), **self._prefetching.stage_ms}.items()
            },
        )
        (self._out / "summary.json").write_text(
            json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8"
        )
        return summary

    def _play_frame(self, frame: Frame) -> None:
        self._replay.clock.set(frame.moment.seconds, frame.moment.taken_at)
        self._pipeline.observe([frame])
        with self._pipeline.meter.measure("judge"):
            self._judge.answer_waiting()
        self._store_changes(self._pipeline.decide(self._camera, frame.moment))
        for verifier in self._verifiers:
            with self._pipeline.meter.measure("verify"):
                verifier.answer_waiting()
            self._store_changes(self._pipeline.decide(self._camera, frame.moment))
        subjects = self._pipeline.cameras[self._camera].subjects
        self._update_summaries(frame, subjects)
        for subject in subjects:
            self._write_track(frame.moment, subject)
        if self._annotate:
            with self._pipeline.meter.measure("annotate"):
                self._draw_frame(frame, subjects)

    def _store_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._alerts[change.alert.id] = change.alert

    def _update_summaries(self, frame: Frame, subjects: Sequence[Subject]) -> None:
        policy = self._pipeline.cameras[self._camera].policy
        _, factor = frame.get_closest_picture()
        for subject in subjects:
            known = self._subjects.setdefault(subject.id, _SubjectSummary())
            known.judged = known.judged or policy.get_belief(subject.id) is not None
            if subject.head is not None:
                known.head_px = max(known.head_px, factor * subject.head.longer_side)

    def _count_not_judged(self) -> dict[str, int]:
        least = self._replay.config.scheduler.min_head_px
        reasons = [known.explain(least) for known in self._subjects.values() if not known.judged]
        return dict(sorted(Counter(reasons).items()))

    def _draw_frame(self, frame: Frame, subjects: Sequence[Subject]) -> None:
        scale = min(1.0, _ANNOTATED_PX / max(frame.width, frame.height))
        width, height = (2 * round(side * scale / 2) for side in (frame.width, frame.height))
        if self._video is None:
            path = self._out / "annotated.mp4"
            video = AnnotatedVideo(path, width, height, self._replay.config.analysis_fps)
            self._video = video.__enter__()
        pixels = frame.resize(width, height)
        policy = self._pipeline.cameras[self._camera].policy
        shown = [_scale_subject(subject, scale) for subject in subjects]
        labels = {subject.id: _format_label(subject, policy) for subject in subjects}
        draw_subjects(pixels, shown, labels, policy.alarmed)
        self._video.write(pixels)

    def _write_track(self, moment: Moment, subject: Subject) -> None:
        edges: list[str] = []
        for box in (subject.head, subject.person):
            edges += [f"{edge:.1f}" for edge in box.edges] if box else [""] * 4
        known = int(subject.head is not None)
        self._tracks.writerow(
            [f"{moment.seconds:.3f}", subject.id, known, f"{subject.score:.3f}", *edges]
        )

    def _write_alerts(self, alerts: list[Alert]) -> None:
        lines = (
            json.dumps(build_recorded_body(self._replay.config.site, alert), sort_keys=True)
            for alert in alerts
        )
        text = "".join(f"{line}\n" for line in lines)
        (self._out / "alerts.jsonl").write_text(text, encoding="utf-8")


def _take_frame(frames: Iterator[Frame], meter: StageMeter) -> Frame | None:
    """The next frame, or None at the end; the waiting time is measured."""
    with meter.measure("wait"):
        return next(frames, None)


def _scale_subject(subject: Subject, factor: float) -> Subject:
    person = subject.person.scale(factor) if subject.person else None
    head = subject.head.scale(factor) if subject.head else None
    return replace(subject, head=head, person=person)


def _format_label(subject: Subject, policy: AlertPolicy) -> str:
    belief = policy.get_belief(subject.id)
    return f"{subject.id}" if belief is None else f"{subject.id} {belief[0]} {belief[1]:.2f}"


def _to_topic_word(stem: str) -> str:
    """A file's name as a camera's name: letters, digits, ``_`` and ``-``."""
    word = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in stem)
    return word[:63] or "file"
