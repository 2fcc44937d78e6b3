"""How well a detector finds the boxes that people drew."""

import csv
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from monitor.detect import Detector
from monitor.domain import CameraId, Detection, Frame, Kind, Moment, Pixels
from monitor.errors import ConfigError
from monitor.evaluate.judge_report import wilson
from monitor.evaluate.scoring import Scored, average_precision, best_threshold, recall_at, score
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture

_COLUMNS = ("file", "kind", "x0", "y0", "x1", "y1")
_MOMENT = Moment(0.0, datetime(2000, 1, 1, tzinfo=UTC))  # a picture of no particular time
_PRECISE = 0.9  # the precision that recall is given at, beside the threshold's
_OPEN = {Kind.PERSON: 0.0, Kind.FACE: 0.0}


@dataclass(frozen=True, slots=True)
class KindReport:
    """How one kind fared. Shares are in 0..1; None where nothing was there to count."""

    boxes: int  # drawn by people
    found: int  # by the detector, at the threshold
    threshold: float
    ap: float | None  # average precision over all scores that the detector reported
    recall: float | None  # at the threshold
    precision: float | None  # at the threshold
    best_threshold: float | None  # where F1, the balance of the two, is highest
    recall_wilson: tuple[float, float] | None  # 95 % interval of the recall at the threshold
    precision_wilson: tuple[float, float] | None
    recall_at_p90: float | None  # at the lowest threshold whose precision is 0.9 or more


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """How one detector fared on one folder."""

    pictures: int
    iou: float  # the overlap that counts as found
    kinds: Mapping[Kind, KindReport]
    ms_median: float  # per picture, scaling included, decoding not
    ms_p95: float
    scored: Mapping[Kind, Scored] = field(default_factory=dict, repr=False)
    """What the figures and the curves are made of; not part of the JSON."""

    def to_json(self) -> str:
        """The report as an object: pictures, iou, kinds by name, milliseconds."""
        return json.dumps(
            {name: value for name, value in asdict(self).items() if name != "scored"}, indent=2
        )


def evaluate(
    folder: Path,
    detector: Detector,
    *,
    min_scores: Mapping[Kind, float] = _OPEN,
    iou: float = 0.5,
) -> DetectorReport:
    """Ask a detector about every picture that ``boxes.csv`` names, one at a time.

    Args:
        folder: With ``boxes.csv`` (columns file, kind, x0, y0, x1, y1, in pixels; others are
            ignored) and the pictures it names.
        detector: Built with thresholds near 0: average precision needs the doubtful ones too.
        min_scores: The thresholds it is to run with, applied here; recall and precision are
            given at these.
        iou: The overlap, in 0..1, from which on a box counts as found.

    Raises:
        ConfigError: The list or a picture is missing or unreadable. One line.
    """
    truth = _read_boxes(folder / "boxes.csv")
    found: dict[str, list[Detection]] = {}
    milliseconds: list[float] = []
    for number, name in enumerate(truth):
        picture = ArrayPicture(_read_picture(folder, name))
        frame = Frame(CameraId("evaluation"), number, _MOMENT, picture, decode_ms=0.0)
        if number == 0:
            detector.detect([frame])  # the first call of an engine sets it up: not measured
        started = time.perf_counter()
        (found[name],) = detector.detect([frame])
        milliseconds.append((time.perf_counter() - started) * 1000)
    scored = {kind: score(truth, found, kind, iou=iou) for kind in Kind}
    kinds = {kind: _report(scored[kind], min_scores.get(kind, 0.0)) for kind in Kind}
    median, p95 = np.percentile(milliseconds, [50, 95]).tolist() if milliseconds else (0.0, 0.0)
    return DetectorReport(len(truth), iou, kinds, median, p95, scored)


def _report(scored: Scored, threshold: float) -> KindReport:
    kept = scored.right[scored.scores >= threshold]
    hits = int(kept.sum())
    return KindReport(
        boxes=scored.boxes,
        found=len(kept),
        threshold=threshold,
        ap=average_precision(scored),
        recall=float(kept.sum() / scored.boxes) if scored.boxes else None,
        precision=float(kept.mean()) if len(kept) else None,
        best_threshold=best_threshold(scored),
        recall_wilson=wilson(hits, scored.boxes) if scored.boxes else None,
        precision_wilson=wilson(hits, len(kept)) if len(kept) else None,
        recall_at_p90=recall_at(scored, _PRECISE),
    )


def _read_boxes(path: Path) -> dict[str, list[tuple[Kind, Box]]]:
    """What is in each picture, in the order of the list."""
    truth: dict[str, list[tuple[Kind, Box]]] = {}
    line = 1
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise ConfigError(f"{path}: lacks the columns {', '.join(missing)}")
            for row in rows:
                line = rows.line_num
                box = Box(*(float(row[edge]) for edge in _COLUMNS[2:]))
                truth.setdefault(row["file"], []).append((Kind(row["kind"]), box))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a folder with a boxes.csv") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise ConfigError(
            f"{path}: line {line} is not readable ({error}); "
            "it needs file, kind (person or face), x0, y0, x1, y1 in pixels"
        ) from error
    if not truth:
        raise ConfigError(f"{path}: names no picture; list at least one box")
    return truth


def _read_picture(folder: Path, name: str) -> Pixels:
    path = folder / name
    if not path.is_file():
        raise ConfigError(f"{path}: no such picture; boxes.csv names it")
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"{path}: not readable as a picture; boxes.csv names it")
    return pixels.astype(np.uint8, copy=False)
