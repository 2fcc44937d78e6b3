"""The parts of all records: ids, coverings, times, and names of models."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, TypeAlias

import numpy as np
from numpy.typing import NDArray

CameraId = NewType("CameraId", str)
SubjectId = NewType("SubjectId", int)

Pixels: TypeAlias = NDArray[np.uint8]
"""(height, width, 3), blue-green-red, 0..255, C-contiguous: what OpenCV expects."""


class Covering(StrEnum):
    """What covers a face. Tables and models' answers have the same order."""

    NONE = "none"
    MASK = "mask"
    MASK_INCORRECT = "mask_incorrect"  # worn below the nose
    SCARF = "scarf"
    BALACLAVA = "balaclava"
    HARD_MASK = "hard_mask"
    HELMET = "helmet"
    SUNGLASSES = "sunglasses"
    HAND_OBJECT = "hand_object"
    AWAY = "away"  # no face in view: neither clear nor occluded


OCCLUDED = tuple(c for c in Covering if c not in (Covering.NONE, Covering.AWAY))
"""The coverings that count as an occluded face."""
OCCLUDED_FROM = 0.5
"""The probability of being occluded from which a face is said to be: more likely than not."""
UNUSABLE = "unusable"
"""The answer that a crop is too small, dark, blurred or cut off to say."""
ANSWERS = (*(covering.value for covering in Covering), UNUSABLE)
"""What a judge can answer, in the order of every table: the coverings, then ``unusable``."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks."""

    seconds: float  # monotonic when live, of the recording when replayed
    taken_at: datetime

    def __post_init__(self) -> None:
        if self.taken_at.tzinfo is None:
            raise ValueError("taken_at must carry a time zone")


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that each step took on the way to one alert, on the pipeline's clock."""

    decode: float = 0.0
    detect: float = 0.0
    track: float = 0.0
    queue: float = 0.0  # from cutting the crop to the start of judging
    judge: float = 0.0
    decide: float = 0.0
    publish: float = 0.0  # from the decision to sending it to the broker


@dataclass(frozen=True, slots=True)
class JudgeName:
    """The name of a model."""

    name: str
    version: str
