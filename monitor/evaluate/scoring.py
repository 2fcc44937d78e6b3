"""Matching detections to boxes, and the figures that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.domain import Detection, Kind
from monitor.geometry import Box, iou_matrix

_THRESHOLDS = np.arange(1, 20) / 20  # 0.05, 0.1 ... 0.95


@dataclass(frozen=True, slots=True)
class TrueBox:
    """One thing that a person drew a box around."""

    kind: Kind
    box: Box
    hard: bool = False
    """Too small, hidden or unsure to be asked for: neither missed nor false."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The detections of one kind over all pictures, best first, and whether each is right."""

    scores: NDArray[np.float64]  # (N,)
    right: NDArray[np.bool_]  # (N,)
    boxes: int  # how many there were to find


def match_detections(
    truth: Mapping[str, Sequence[TrueBox]],
    found: Mapping[str, Sequence[Detection]],
    kind: Kind,
    *,
    iou: float,
) -> Scored:
    """Match detections to boxes, picture by picture, the surest first, each box once.

    A detection that meets only a hard box counts neither way.

    Args:
        truth: What is in each picture; pictures without anybody have an empty list.
        found: What the detector saw in each, best first.
        kind: Which kind to match.
        iou: The overlap, in 0..1, from which on a box counts as found.

    Source:
        Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", 2010.
    """
    scores: list[float] = []
    right: list[bool] = []
    total = 0
    for name, boxes in truth.items():
        true_boxes = [true.box for true in boxes if true.kind is kind and not true.hard]
        hard_boxes = [true.box for true in boxes if true.kind is kind and true.hard]
        detections = [detection for detection in found.get(name, []) if detection.kind is kind]
        places = _stack_boxes([detection.box for detection in detections])
        overlaps = iou_matrix(places, _stack_boxes(true_boxes))
        excused = iou_matrix(places, _stack_boxes(hard_boxes)).max(axis=1, initial=0.0) >= iou
        total += len(true_boxes)
        for detection, row, excuse in zip(detections, overlaps, excused, strict=True):
            best = int(row.argmax()) if len(row) else -1
            hit = best >= 0 and row[best] >= iou
            if hit:
                overlaps[:, best] = -1.0  # taken
            elif excuse:
                continue
            scores.append(detection.score)
            right.append(bool(hit))
    order = np.argsort(-np.array(scores, np.float64), kind="stable")
    return Scored(np.array(scores, np.float64)[order], np.array(right, np.bool_)[order], total)


def compute_average_precision(scored: Scored) -> float | None:
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


def find_best_threshold(scored: Scored) -> float | None:
    """The threshold with the highest F1, in steps of 0.05; the lowest of equals.

    None when there was nothing to find, or nothing was found.
    """
    if not scored.right.any():
        return None
    right = np.array([scored.right[scored.scores >= limit].sum() for limit in _THRESHOLDS])
    count = np.array([(scored.scores >= limit).sum() for limit in _THRESHOLDS])
    f1 = 2 * right / (count + scored.boxes)
    return float(_THRESHOLDS[int(f1.argmax())])


def find_recall_at(scored: Scored, precision: float) -> float | None:
    """The highest recall at which precision, over all that is as sure, is at least this.

    None when there was nothing to find; 0 when no threshold is as precise.
    """
    if scored.boxes == 0:
        return None
    hits = np.cumsum(scored.right)
    good = hits >= precision * np.arange(1, len(hits) + 1)
    return float(hits[good].max(initial=0) / scored.boxes)


def _stack_boxes(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """(N, 4) left, top, right, bottom."""
    return np.array([box.edges for box in boxes], np.float64).reshape(-1, 4)
