"""How well a detector finds the boxes that people drew."""

import csv
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from monitor.detect import Detector
from monitor.domain import CameraId, Detection, Frame, Kind, Moment, Pixels
from monitor.domain.framing import head_around_face
from monitor.errors import ConfigError
from monitor.evaluate.judge_report import wilson_interval
from monitor.evaluate.scoring import (
    Scored,
    TrueBox,
    compute_average_precision,
    find_best_threshold,
    find_recall_at,
    match_detections,
)
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture

_COLUMNS = ("file", "kind", "x0", "y0", "x1", "y1")
_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_FACE = "face"  # a kind of the list, not of ours: it is widened to a head
_MOMENT = Moment(0.0, datetime(2000, 1, 1, tzinfo=UTC))  # a picture of no particular time
_PRECISE = 0.9  # the precision that recall is given at, beside the threshold's
_OPEN = dict.fromkeys(Kind, 0.0)


@dataclass(frozen=True, slots=True)
class KindReport:
    """How one kind fared. Shares are in 0..1; None where nothing was there to count."""

    boxes: int  # drawn by people, hard ones left out
    found: int  # by the detector, at the threshold
    threshold: float
    ap: float | None  # average precision over all scores that the detector reported
    recall: float | None  # at the threshold
    precision: float | None  # at the threshold
    best_threshold: float | None  # where F1, the balance of the two, is highest
    recall_wilson: tuple[float, float] | None  # 95 % interval of the recall at the threshold
    precision_wilson: tuple[float, float] | None
    recall_at_p90: float | None  # at the lowest threshold whose precision is 0.9 or more
    false_boxes: int  # at the threshold, on pictures without anybody


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """How one detector fared on one folder."""

    pictures: int
    empty_pictures: int  # of them, those without anybody
    iou: float  # the overlap that counts as found
    kinds: Mapping[Kind, KindReport]
    ms_median: float  # per picture, scaling included, decoding not
    ms_p95: float
    predictions: Mapping[str, Sequence[tuple[str | float, ...]]] = field(repr=False)
    """By file: kind, score, left, top, right, bottom in pixels, the surest first."""
    scored: Mapping[Kind, Scored] = field(default_factory=dict, repr=False)
    """What the figures and the curves are made of; not part of the JSON."""

    def to_json(self) -> str:
        """The report as an object: pictures, iou, kinds by name, milliseconds, predictions."""
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
    """Ask a detector about every picture of a folder, one at a time.

    Args:
        folder: With ``boxes.csv`` (columns file, kind, x0, y0, x1, y1, in pixels, and, if there,
            hard; others are ignored) and pictures. A picture without a row has nobody in it.
        detector: Built with thresholds near 0: average precision needs the doubtful ones too.
        min_scores: The thresholds it is to run with, applied here; recall and precision are
            given at these.
        iou: The overlap, in 0..1, from which on a box counts as found.

    Raises:
        ConfigError: The list or a picture is missing or unreadable. One line.
    """
    truth = read_boxes(folder / "boxes.csv")
    truth |= {name: [] for name in _list_pictures(folder) if name not in truth}
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
    scored = {kind: match_detections(truth, found, kind, iou=iou) for kind in Kind}
    empty = [name for name, boxes in truth.items() if not boxes]
    kinds = {}
    for kind in Kind:
        threshold = min_scores.get(kind, 0.0)
        on_empty = [d for name in empty for d in found[name] if d.kind is kind]
        false_boxes = sum(d.score >= threshold for d in on_empty)
        kinds[kind] = _report(scored[kind], threshold, false_boxes)
    median, p95 = np.percentile(milliseconds, [50, 95]).tolist() if milliseconds else (0.0, 0.0)
    predictions = {name: [_row(d) for d in detections] for name, detections in found.items()}
    return DetectorReport(len(truth), len(empty), iou, kinds, median, p95, predictions, scored)


def _row(detection: Detection) -> tuple[str | float, ...]:
    """One prediction, rounded: scores to four digits, edges to tenths of a pixel."""
    edges = (round(edge, 1) for edge in detection.box.edges)
    return (detection.kind.value, round(detection.score, 4), *edges)


def _report(scored: Scored, threshold: float, false_boxes: int) -> KindReport:
    kept = scored.right[scored.scores >= threshold]
    hits = int(kept.sum())
    return KindReport(
        boxes=scored.boxes,
        found=len(kept),
        threshold=threshold,
        ap=compute_average_precision(scored),
        recall=float(kept.sum() / scored.boxes) if scored.boxes else None,
        precision=float(kept.mean()) if len(kept) else None,
        best_threshold=find_best_threshold(scored),
        recall_wilson=wilson_interval(hits, scored.boxes) if scored.boxes else None,
        precision_wilson=wilson_interval(hits, len(kept)) if len(kept) else None,
        recall_at_p90=find_recall_at(scored, _PRECISE),
        false_boxes=false_boxes,
    )


def _list_pictures(folder: Path) -> list[str]:
    """All pictures in a folder and below it, as the list names them."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def read_boxes(path: Path) -> dict[str, list[TrueBox]]:
    """The boxes of each picture, in the order of the list.

    Faces are widened to heads, unless the list has heads: then its faces are parts of them.
    """
    rows: list[tuple[str, str, Box, bool]] = []
    line = 1
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
            if missing:
                raise ConfigError(f"{path}: lacks the columns {', '.join(missing)}")
            for row in table:
                line = table.line_num
                box = Box(*(float(row[edge]) for edge in _COLUMNS[2:]))
                kind = row["kind"] if row["kind"] == _FACE else Kind(row["kind"]).value
                rows.append((row["file"], kind, box, (row.get("hard") or "0").strip() == "1"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a folder with a boxes.csv") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise ConfigError(
            f"{path}: line {line} is not readable ({error}); "
            "it needs file, kind (person, head or face), x0, y0, x1, y1 in pixels"
        ) from error
    if not rows:
        raise ConfigError(f"{path}: names no picture; list at least one box")
    has_heads = any(kind == Kind.HEAD for _, kind, _, _ in rows)
    truth: dict[str, list[TrueBox]] = {}
    for name, kind, box, hard in rows:
        boxes = truth.setdefault(name, [])
        if kind != _FACE:
            boxes.append(TrueBox(Kind(kind), box, hard))
        elif not has_heads:
            boxes.append(TrueBox(Kind.HEAD, head_around_face(box), hard))
    return truth


def _read_picture(folder: Path, name: str) -> Pixels:
    path = folder / name
    if not path.is_file():
        raise ConfigError(f"{path}: no such picture; boxes.csv names it")
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"{path}: not readable as a picture; boxes.csv names it")
    return pixels.astype(np.uint8, copy=False)
