"""How well a judge tells covered faces from clear ones, on a folder of labelled crops."""

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from monitor.domain import OCCLUDED, CameraId, Covering, Look, Moment, Pixels, SubjectId, Verdict
from monitor.errors import ConfigError
from monitor.judge import Judge

UNUSABLE: Final = "unusable"
LABELS: Final = (*(covering.value for covering in Covering), UNUSABLE, "not_a_face")
"""Every label that labels.csv may use."""
DECIDED: Final = frozenset({"none", *OCCLUDED} - {Covering.MASK_INCORRECT})
"""The labels that say occluded or clear without doubt; accuracy is taken over these."""

_THRESHOLD: Final = 0.5
_NORMAL: Final = 1.959964  # standard deviations either side that hold 95 % of a normal law
_BINS: Final = 10
_CROP_PER_FACE: Final = 1.5  # a head crop's side, in faces


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the judge said of one crop."""

    file: str
    label: str
    covering: str  # the likeliest, or "unusable"
    probability: float  # of occluded, given that the face can be seen
    seconds: float


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """Figures of one judge on one folder. See evaluate for what each means."""

    judge: str
    version: str
    predictions: tuple[Prediction, ...]

    @property
    def decided(self) -> list[Prediction]:
        """The predictions for labels that say occluded or clear."""
        return [p for p in self.predictions if p.label in DECIDED]

    @property
    def right(self) -> int:
        """How many of the decided were called rightly."""
        return sum(_is_right(p) for p in self.decided)

    @property
    def accuracy(self) -> float:
        """Share of the decided that were called rightly; 0 when there are none."""
        return self.right / len(self.decided) if self.decided else 0.0

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the clear called clear and the occluded called occluded."""
        shares = [
            sum(map(_is_right, group)) / len(group)
            for clear in (True, False)
            if (group := [p for p in self.decided if (p.label == "none") is clear])
        ]
        return sum(shares) / len(shares) if shares else 0.0

    @property
    def recall(self) -> dict[str, float]:
        """For each label that occurs and can be answered: the share named exactly so."""
        return self._shares(lambda p: p.covering == p.label)

    @property
    def called_occluded(self) -> dict[str, float]:
        """For each label that occurs and can be answered: the share called occluded."""
        return self._shares(lambda p: p.probability >= _THRESHOLD)

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Label to answer to count."""
        counts = Counter((p.label, p.covering) for p in self.predictions)
        table: dict[str, dict[str, int]] = {}
        for (label, covering), count in sorted(counts.items()):
            table.setdefault(label, {})[covering] = count
        return table

    @property
    def calibration_error(self) -> float:
        """How far the judge's certainty is from how often it is right, 0..1, over ten bins.

        Source:
            Expected calibration error: Guo et al., "On Calibration of Modern Neural
            Networks", 2017.
        """
        if not self.decided:
            return 0.0
        sure = np.array([max(p.probability, 1 - p.probability) for p in self.decided])
        right = np.array([_is_right(p) for p in self.decided])
        bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
        gaps = [abs(sure[bins == b].sum() - right[bins == b].sum()) for b in range(_BINS)]
        return float(sum(gaps) / len(sure))

    def to_json(self) -> str:
        """The report as JSON, for tools; the keys are a contract."""
        seconds = [p.seconds for p in self.predictions]
        low, high = wilson(self.right, len(self.decided))
        report = {
            "judge": {"name": self.judge, "version": self.version},
            "n": len(self.decided),
            "accuracy": self.accuracy,
            "wilson": [low, high],
            "balanced_accuracy": self.balanced_accuracy,
            "recall": self.recall,
            "called_occluded": self.called_occluded,
            "calibration_error": self.calibration_error,
            "confusion": self.confusion,
            "seconds_per_crop": {
                "median": float(np.median(seconds)) if seconds else 0.0,
                "p95": float(np.quantile(seconds, 0.95)) if seconds else 0.0,
            },
            "predictions": [asdict(p) for p in self.predictions],
        }
        return json.dumps(report, indent=2) + "\n"

    def _shares(self, holds: Callable[[Prediction], bool]) -> dict[str, float]:
        groups: dict[str, list[bool]] = {}
        for prediction in self.predictions:
            groups.setdefault(prediction.label, []).append(holds(prediction))
        return {
            label: sum(groups[label]) / len(groups[label])
            for label in LABELS
            if label in groups and label != "not_a_face"
        }


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share; (0, 1) when nothing was counted.

    Source:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    if count == 0:
        return 0.0, 1.0
    share, square = hits / count, _NORMAL**2
    middle = share + square / (2 * count)
    spread = _NORMAL * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    scale = 1 + square / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def evaluate(folder: Path, judge: Judge) -> JudgeReport:
    """Show a judge every crop of a folder, one at a time, and compare with the labels.

    Args:
        folder: Holds labels.csv with the columns file and label; others are ignored.
        judge: Any judge.

    Raises:
        ConfigError: The table or a picture cannot be read, or a label is unknown.
        JudgeUnavailableError: The judge cannot answer.
    """
    rows = read_labels(folder / "labels.csv")
    predictions = []
    shown = track(rows, "judging", console=Console(stderr=True), transient=True)
    for number, (name, label) in enumerate(shown):
        pixels = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ConfigError(f"{folder / name}: not a readable picture")
        look = _look(number, np.asarray(pixels, dtype=np.uint8))
        began = perf_counter()
        (verdict,) = judge.judge([look])
        seconds = perf_counter() - began
        predictions.append(Prediction(name, label, _said(verdict), verdict.occluded, seconds))
    return JudgeReport(judge.name.name, judge.name.version, tuple(predictions))


def read_labels(table: Path) -> Sequence[tuple[str, str]]:
    """File and label of every row.

    Raises:
        ConfigError: The table is missing, lacks a column, or uses an unknown label.
    """
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = {"file", "label"} - set(reader.fieldnames or [])
            if missing:
                raise ConfigError(f"{table}: no column {', '.join(sorted(missing))}")
            rows = [(str(row["file"]), str(row["label"])) for row in reader]
    except OSError as error:
        raise ConfigError(f"{table}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table}: not readable as CSV: {error}") from error
    for line, (_, label) in enumerate(rows, start=2):
        if label not in LABELS:
            raise ConfigError(
                f"{table}, line {line}: unknown label {label!r}; known are {', '.join(LABELS)}"
            )
    return rows


def _look(number: int, pixels: Pixels) -> Look:
    """A crop as the desk would have chosen it; the moment is arbitrary but fixed."""
    return Look(
        camera=CameraId("evaluation"),
        subject=SubjectId(number),
        moment=Moment(float(number), datetime(2000, 1, 1, tzinfo=UTC)),
        pixels=pixels,
        face_px=max(pixels.shape[:2]) / _CROP_PER_FACE,
    )


def _said(verdict: Verdict) -> str:
    """The likeliest answer, ``unusable`` among them."""
    best = verdict.covering
    if verdict.unusable > verdict.probabilities.get(best, 0.0):
        return UNUSABLE
    return verdict.named.value


def _is_right(prediction: Prediction) -> bool:
    """Whether occluded or clear was told rightly."""
    return (prediction.probability >= _THRESHOLD) == (prediction.label != "none")
