"""From a camera's frame to a judge's verdict about one head in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from monitor.domain.words import (
    OCCLUDED,
    OCCLUDED_FROM,
    UNUSABLE,
    CameraId,
    Covering,
    JudgeName,
    Moment,
    Pixels,
    SubjectId,
    Timings,
)
from monitor.geometry import Box

_SAME_VIEW = 0.02  # largest difference of the aspect ratios of two streams of one view


class Picture(Protocol):
    """A decoded picture. Only the requested part is converted to blue-green-red."""

    @property
    def width(self) -> int:
        """Pixels across."""

    @property
    def height(self) -> int:
        """Pixels down."""

    def resize(self, width: int, height: int) -> Pixels:
        """The whole picture, resized to (height, width, 3)."""

    def cut(self, box: Box) -> Pixels:
        """The part inside ``box``, clipped to the picture; at least 1 by 1 pixel."""


def _no_picture() -> Picture | None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture of one camera, not yet converted."""

    camera: CameraId
    sequence: int  # 0, 1, 2, ... since the source was opened; gaps are dropped frames
    moment: Moment
    picture: Picture = field(repr=False)
    decode_ms: float  # time to decode this picture
    moved: bool = True  # whether anything moves; true if motion was not measured
    # The same moment in the camera's larger stream, if there is one and it has arrived:
    closer: Callable[[], Picture | None] = field(default=_no_picture, repr=False)

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.picture.height

    def resize(self, width: int, height: int) -> Pixels:
        """The whole frame, resized to (height, width, 3)."""
        return self.picture.resize(width, height)

    def cut(self, box: Box) -> Pixels:
        """The part inside ``box``, clipped to the frame; at least 1 by 1 pixel."""
        return self.picture.cut(box)

    def get_closest_picture(self) -> tuple[Picture, float]:
        """The most detailed picture of this moment, and its scale against this frame, at least 1.

        A larger stream with another aspect ratio shows another view, and is not used.
        """
        closer = self.closer()
        if closer is not None and closer.width > self.width:
            factor = closer.width / self.width
            if abs(closer.height / self.height - factor) <= _SAME_VIEW * factor:
                return closer, factor
        return self.picture, 1.0


class Kind(StrEnum):
    """What a detector can find."""

    PERSON = "person"
    HEAD = "head"  # the whole of it, from every side, covered or not


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one frame, as the detector saw it."""

    kind: Kind
    box: Box
    score: float  # the detector's confidence, 0..1; comparable only within one model
    sure: bool = True  # false: below the threshold for a new person, enough for one who is followed


@dataclass(frozen=True, slots=True)
class Subject:
    """One person followed over time. Ids are unique within a camera, for one person each."""

    id: SubjectId
    camera: CameraId
    person: Box | None  # None when only a head was seen
    head: Box | None  # found now or a moment ago; None where it is not known
    score: float  # of the more confident of its detections
    first_seen: Moment
    last_seen: Moment


GAP_S = 0.7  # after this time out of sight, a subject may be another person


@dataclass(frozen=True, slots=True, eq=False)
class HeadCrop:
    """One head crop that the scheduler chose."""

    camera: CameraId
    subject: SubjectId
    moment: Moment  # of the frame it was cut from
    pixels: Pixels = field(repr=False)
    head_px: float  # the head's longer side in the frame, in pixels
    timings: Timings = field(default=Timings())

    def verdict(
        self,
        shares: Mapping[str, float],
        judge: JudgeName,
        *,
        thinking: str = "",
        judge_ms: float | None = None,
    ) -> "Verdict":
        """A judge's verdict on this crop.

        Args:
            shares: The probability of each of ANSWERS; one that is missing has 0.
            judge: Which model answered.
            thinking: The model's own words.
            judge_ms: How long the answer took, in milliseconds; None leaves the timings.
        """
        timings = self.timings if judge_ms is None else replace(self.timings, judge=judge_ms)
        return Verdict(
            camera=self.camera,
            subject=self.subject,
            moment=self.moment,
            probabilities={covering: shares.get(covering, 0.0) for covering in Covering},
            unusable=shares.get(UNUSABLE, 0.0),
            thinking=thinking,
            judge=judge,
            timings=timings,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge saw in one crop."""

    camera: CameraId
    subject: SubjectId
    moment: Moment  # when the crop was taken, not when the judge answered
    probabilities: Mapping[Covering, float]  # with ``unusable`` they sum to 1
    unusable: float  # too small, dark, blurred or cut off to say; 0..1
    thinking: str  # the model's own words: may be shown, decides nothing
    judge: JudgeName
    timings: Timings
    weight: float = 1.0  # how many crops of the first judge it counts for

    @property
    def covering(self) -> Covering:
        """The most probable covering, whether or not the crop was evaluable."""
        return max(Covering, key=lambda covering: self.probabilities.get(covering, 0.0))

    @property
    def occluded(self) -> float:
        """p(occluded coverings) / (p(occluded coverings) + p(none)), 0..1."""
        covered = sum(self.probabilities.get(covering, 0.0) for covering in OCCLUDED)
        both = covered + self.probabilities.get(Covering.NONE, 0.0)
        return covered / both if both > 0 else 0.0

    @property
    def named(self) -> Covering:
        """The covering that agrees with ``occluded``: from 0.5 the likeliest that hides a face.

        With 0.3 each for mask and scarf and 0.4 for none, ``covering`` is none although 0.6 is
        occluded.
        """
        if not self.evaluable or self.occluded < OCCLUDED_FROM:
            return self.covering
        return max(OCCLUDED, key=lambda covering: self.probabilities.get(covering, 0.0))

    @property
    def evaluable(self) -> bool:
        """Whether there was a face to judge: ``away`` and unusable have 0.5 or less together."""
        return self.unusable + self.probabilities.get(Covering.AWAY, 0.0) <= 0.5  # noqa: PLR2004
