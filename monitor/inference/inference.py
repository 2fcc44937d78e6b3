"""One picture or one recording in, one answer out: the HTTP contract's JSON."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.alert.fusion import LogOddsFusion
from monitor.build import Models
from monitor.config.policy import Policy
from monitor.config.schema import Tracking
from monitor.detect.padded_retry import PaddedRetryDetector
from monitor.detect.second_look import SecondLook
from monitor.domain import (
    CameraId,
    Covering,
    Detection,
    Frame,
    HeadCrop,
    Moment,
    Picture,
    Subject,
    SubjectId,
    Verdict,
)
from monitor.domain.framing import crop_window
from monitor.errors import JudgeError
from monitor.geometry import Box
from monitor.inference.response import OCCLUDED_FROM, FaceResult, answer, ranked
from monitor.judge.quality import flaws
from monitor.judge.scoring import one_line
from monitor.track.bodies import assemble_bodies
from monitor.track.bytetrack import BodyTracker

REQUEST = CameraId("request")
"""The camera of a single picture or recording."""

_EXPLAINED = 4  # faces that get a sentence of their own; writing is slow


def _never() -> bool:
    return False


@dataclass(slots=True)
class Inference:
    """Answers single pictures and recordings. Not thread-safe, as its models are not.

    All faces are judged and listed; the worst decides. Where a picture shows no face it is
    looked at again, smaller; if that shows nobody either, the whole picture is judged, and
    the answer says so. Once ``hurry`` says that time is up, the
    answer is made of what was judged until then, and says that it is not complete.
    """

    models: Models
    quality_is_occlusion: bool = True
    tracking: Tracking = field(default_factory=Tracking)
    hurry: Callable[[], bool] = _never

    def picture(self, picture: Picture) -> dict[str, object]:
        """The answer for one picture.

        Raises:
            JudgeError: The model cannot answer.
        """
        return self.pictures([picture])

    def pictures(self, pictures: Iterable[Picture]) -> dict[str, object]:
        """The answer for one picture, or the worst picture of an animation.

        Raises:
            JudgeError: The model cannot answer.
            ValueError: There are no pictures.
        """
        worst: tuple[bool, bool, float] | None = None
        told: tuple[list[FaceResult], bool] = [], False
        complete = True
        for number, picture in enumerate(pictures):
            if number and self.hurry():
                complete = False
                break
            faces, head_found, all_judged = self._seen(picture)
            complete = complete and all_judged
            order = ranked(faces, quality_is_occlusion=self.quality_is_occlusion)
            badness = order[0].badness(quality_is_occlusion=self.quality_is_occlusion)
            if worst is None or badness > worst:
                worst, told = badness, (order, head_found)
        if worst is None:
            raise ValueError("there is no picture to judge")
        order, head_found = told
        return self._told("image", order, head_found=head_found, complete=complete)

    def video(self, frames: Iterable[Frame]) -> dict[str, object]:
        """The answer for a recording: each person's crops are fused over time.

        Raises:
            JudgeError: The model cannot answer.
        """
        tracker = BodyTracker(REQUEST, self.tracking)
        people: dict[SubjectId, _Person] = {}
        complete = True
        for frame in frames:
            (detections,) = self.models.detector.detect([frame])
            subjects = tracker.update(frame, detections)
            heads = [(s, s.head) for s in subjects if s.head is not None]
            crops = [_crop(frame, subject.id, head) for subject, head in heads]
            verdicts = self._judged(crops)
            for (subject, head), verdict, crop in zip(heads, verdicts, crops, strict=False):
                people.setdefault(subject.id, _Person()).add(head, verdict, crop, frame)
            if self.hurry():
                complete = False
                break
        faces = [person.face() for person in people.values()]
        order = ranked(faces, quality_is_occlusion=self.quality_is_occlusion)
        return self._told("video", order, head_found=bool(faces), complete=complete)

    def _seen(self, picture: Picture) -> tuple[list[FaceResult], bool, bool]:
        """The faces of one picture, whether any was found, and whether all were judged."""
        moment = Moment(0.0, datetime.fromtimestamp(0, UTC))
        frame = Frame(REQUEST, 0, moment, picture, 0.0)
        (detections,) = PaddedRetryDetector(self.models.detector).detect([frame])
        found = sorted(self._find_heads(frame, detections), key=lambda head: -head.area)
        whole = Box(0, 0, frame.width, frame.height)
        if found:
            crops = [_crop(frame, SubjectId(n), head) for n, head in enumerate(found)]
        else:
            size = float(max(frame.width, frame.height))
            crops = [HeadCrop(REQUEST, SubjectId(0), moment, frame.cut(whole), size)]
        verdicts = self._judged(crops)
        faces = [
            _face(frame, head, verdict, crop)
            for head, verdict, crop in zip(found or [whole], verdicts, crops, strict=False)
        ]
        return faces, bool(found), len(faces) == len(crops)

    def _find_heads(self, frame: Frame, detections: Sequence[Detection]) -> list[Box]:
        """The heads of everybody in one picture; who has none is looked at more closely."""
        sure = [detection for detection in detections if detection.sure]
        bodies = assemble_bodies(sure, frame.width, frame.height)
        found = [body.head for body in bodies if body.head is not None]
        missing = [
            Subject(
                SubjectId(n), REQUEST, body.person, None, body.score, frame.moment, frame.moment
            )
            for n, body in enumerate(bodies)
            if body.head is None
        ]
        closer = SecondLook(self.models.detector, max_parts=len(bodies))
        return found + list(closer.find_heads(frame, missing).values())

    def _judged(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """Verdicts of the first crops: of all of them, unless time runs out."""
        verdicts: list[Verdict] = []
        for start in range(0, len(crops), self.models.batch):
            if start and self.hurry():
                break
            verdicts += self.models.judge.judge(crops[start : start + self.models.batch])
        return verdicts

    def _told(
        self,
        kind: str,
        order: Sequence[FaceResult],
        *,
        head_found: bool,
        complete: bool,
    ) -> dict[str, object]:
        sentences = [self._sentence(face) for face in order[:_EXPLAINED]]
        return answer(
            kind,
            list(zip(order, [*sentences, *[""] * len(order)], strict=False)),
            self.models.judge.name,
            quality_is_occlusion=self.quality_is_occlusion,
            facts={"head_found": head_found, "complete": complete},
        )

    def _sentence(self, face: FaceResult) -> str:
        """What the judge says of a face that looks covered; nothing if it cannot."""
        if face.evaluable and face.probability >= OCCLUDED_FROM and not self.hurry():
            with suppress(JudgeError):
                return one_line(self.models.judge.explain(face.crop))
        return ""


@dataclass(slots=True)
class _Person:
    """One person of a recording: what their crops add up to, and the most telling one."""

    evidence: LogOddsFusion = field(default_factory=lambda: LogOddsFusion(Policy()))
    telling: tuple[Box, Verdict, HeadCrop, Frame] | None = None
    belief: tuple[Covering, float] | None = None  # when they looked most covered

    def add(self, head: Box, verdict: Verdict, crop: HeadCrop, frame: Frame) -> None:
        """Take in what was seen of them in one frame."""
        if verdict.evaluable:
            self.evidence.add(verdict)
            now = self.evidence.belief
            enough = self.evidence.agreeing >= Policy().min_crops
            if now and (self.belief is None or (enough and now[1] > self.belief[1])):
                self.belief = now
        if self.telling is None or _telling(verdict) > _telling(self.telling[1]):
            self.telling = head, verdict, crop, frame

    def face(self) -> FaceResult:
        """What is said of them. What is wrong with one crop matters only if all were poor."""
        assert self.telling is not None, "a person is made when they are first seen"  # noqa: S101
        head, verdict, crop, frame = self.telling
        if self.belief is None:
            return _face(frame, head, verdict, crop)
        covering, probability = self.belief
        return FaceResult(head, covering, probability, True, (), crop)  # noqa: FBT003


def _telling(verdict: Verdict) -> tuple[bool, float]:
    return verdict.evaluable, verdict.occluded


def _crop(frame: Frame, subject: SubjectId, head: Box) -> HeadCrop:
    size = max(head.longer_side, 1.0)
    return HeadCrop(REQUEST, subject, frame.moment, frame.cut(crop_window(head)), size)


def _face(frame: Frame, head: Box, verdict: Verdict, crop: HeadCrop) -> FaceResult:
    wrong = flaws(crop.pixels, frame.cut(head), head, (frame.width, frame.height))
    return FaceResult(head, verdict.named, verdict.occluded, verdict.evaluable, wrong, crop)
