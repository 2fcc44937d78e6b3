"""How well a detector finds the boxes that people drew."""

import csv
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.detect import Detector
from monitor.domain import CameraId, Detection, Frame, Kind, Moment, Pixels
from monitor.errors import ConfigError
from monitor.geometry import Box, iou_matrix
from monitor.ingest.picture import ArrayPicture

_COLUMNS = ("file", "kind", "x0", "y0", "x1", "y1")
_MOMENT = Moment(0.0, datetime(2000, 1, 1, tzinfo=UTC))  # a picture of no particular time
_THRESHOLDS = np.arange(1, 20) / 20  # 0.05, 0.1 ... 0.95
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


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """How one detector fared on one folder."""

    pictures: int
    iou: float  # the overlap that counts as found
    kinds: Mapping[Kind, KindReport]
    ms_median: float  # per picture, scaling included, decoding not
    ms_p95: float

    def to_json(self) -> str:
        """The report as an object: pictures, iou, kinds by name, milliseconds."""
        return json.dumps(asdict(self), indent=2)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The detections of one kind over all pictures, best first, and whether each is right."""

    scores: NDArray[np.float64]  # (N,)
    right: NDArray[np.bool_]  # (N,)
    boxes: int  # how many there were to find


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
    kinds = {
        kind: _report(score(truth, found, kind, iou=iou), min_scores.get(kind, 0.0))
        for kind in Kind
    }
    median, p95 = np.percentile(milliseconds, [50, 95]).tolist() if milliseconds else (0.0, 0.0)
    return DetectorReport(len(truth), iou, kinds, median, p95)


def score(
    truth: Mapping[str, Sequence[tuple[Kind, Box]]],
    found: Mapping[str, Sequence[Detection]],
    kind: Kind,
    *,
    iou: float,
) -> Scored:
    """Match detections to boxes, picture by picture, the surest first, each box once.

    Args:
        truth: What is in each picture.
        found: What the detector saw in each, best first.
        kind: Which kind to match.
        iou: The overlap, in 0..1, from which on a box counts as found.

    Source:
        Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", 2010.
    """
    scores: list[float] = []
    right: list[bool] = []
    total = 0
    for name, things in truth.items():
        wanted = _array([box for what, box in things if what is kind])
        seen = [detection for detection in found.get(name, []) if detection.kind is kind]
        overlaps = iou_matrix(_array([detection.box for detection in seen]), wanted)
        total += len(wanted)
        for detection, row in zip(seen, overlaps, strict=True):
            best = int(row.argmax()) if len(row) else -1
            hit = best >= 0 and row[best] >= iou
            if hit:
                overlaps[:, best] = -1.0  # taken
            scores.append(detection.score)
            right.append(bool(hit))
    order = np.argsort(-np.array(scores, np.float64), kind="stable")
    return Scored(np.array(scores, np.float64)[order], np.array(right, np.bool_)[order], total)


def average_precision(scored: Scored) -> float | None:
    """The area under precision over recall, precision taken as the best at that recall or more.

    None when there was nothing to find.

    Source:
        The all-points form of the PASCAL VOC devkit, 2010.
    """
    if scored.boxes == 0:
        return None
    hits = np.cumsum(scored.right)
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[scored.right].sum() / scored.boxes)


def best_threshold(scored: Scored) -> float | None:
    """The threshold with the highest F1, in steps of 0.05; the lowest of equals.

    None when there was nothing to find, or nothing was found.
    """
    if not scored.right.any():
        return None
    right = np.array([scored.right[scored.scores >= limit].sum() for limit in _THRESHOLDS])
    count = np.array([(scored.scores >= limit).sum() for limit in _THRESHOLDS])
    f1 = 2 * right / (count + scored.boxes)
    return float(_THRESHOLDS[int(f1.argmax())])


def _report(scored: Scored, threshold: float) -> KindReport:
    kept = scored.right[scored.scores >= threshold]
    return KindReport(
        boxes=scored.boxes,
        found=len(kept),
        threshold=threshold,
        ap=average_precision(scored),
        recall=float(kept.sum() / scored.boxes) if scored.boxes else None,
        precision=float(kept.mean()) if len(kept) else None,
        best_threshold=best_threshold(scored),
    )


def _array(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """(N, 4) left, top, right, bottom."""
    edges = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return np.array(edges, np.float64).reshape(-1, 4)


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
