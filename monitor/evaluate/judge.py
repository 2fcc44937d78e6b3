"""Measuring a judge on a folder of labelled crops."""

from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from monitor.domain import UNUSABLE, CameraId, HeadCrop, Moment, Pixels, SubjectId, Verdict
from monitor.errors import ConfigError
from monitor.evaluate.judge_report import JudgeReport, Prediction
from monitor.evaluate.judge_rows import Row, RowFilter, find_groups, read_rows
from monitor.judge import Judge

_CROP_PER_FACE: Final = 1.5  # a head crop's side, in faces
_EVERYTHING: Final = RowFilter()


def evaluate_judge(folder: Path, judge: Judge, row_filter: RowFilter = _EVERYTHING) -> JudgeReport:
    """Show a judge the crops of a folder, one at a time, and compare with the labels.

    Args:
        folder: Holds labels.csv with the columns file and label, and those asked for.
        judge: Any judge.
        row_filter: Which crops, reduced or not, and how to group them.

    Raises:
        ConfigError: The table or a picture cannot be read, or a label is unknown.
        JudgeUnavailableError: The judge cannot answer.
    """
    rows = read_rows(folder / "labels.csv", row_filter)
    progress = track(rows, "judging", console=Console(stderr=True), transient=True)
    predictions = [
        _predict(folder, row, number, judge, row_filter) for number, row in enumerate(progress)
    ]
    return JudgeReport(judge.name.name, judge.name.version, tuple(predictions))


def _predict(
    folder: Path, row: Row, number: int, judge: Judge, row_filter: RowFilter
) -> Prediction:
    """Judge one crop."""
    pixels = read_crop(folder, row.file, number).pixels
    groups = find_groups(row, pixels, row_filter.by)
    if row_filter.reduce_px:
        small = (row_filter.reduce_px, row_filter.reduce_px)
        pixels = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
    crop = _build_crop(number, pixels)
    began = perf_counter()
    (verdict,) = judge.judge([crop])
    seconds = perf_counter() - began
    answer = _name_answer(verdict)
    return Prediction(
        row.file, row.label, answer, verdict.occluded, seconds, verdict.evaluable, groups
    )


def read_crop(folder: Path, name: str, number: int) -> HeadCrop:
    """Read one picture of a folder as a crop.

    Args:
        folder: Holds the picture.
        name: Of the file, as labels.csv has it.
        number: The crop's subject.

    Raises:
        ConfigError: The picture cannot be read.
    """
    read = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
    if read is None:
        raise ConfigError(f"{folder / name}: not a readable picture")
    return _build_crop(number, np.asarray(read, dtype=np.uint8))


def _build_crop(number: int, pixels: Pixels) -> HeadCrop:
    """A crop as the scheduler would have chosen it; the moment is arbitrary but fixed."""
    return HeadCrop(
        camera=CameraId("evaluation"),
        subject=SubjectId(number),
        moment=Moment(float(number), datetime(2000, 1, 1, tzinfo=UTC)),
        pixels=pixels,
        head_px=max(pixels.shape[:2]) / _CROP_PER_FACE,
    )


def _name_answer(verdict: Verdict) -> str:
    """The likeliest answer, ``unusable`` among them."""
    best = verdict.covering
    if verdict.unusable > verdict.probabilities.get(best, 0.0):
        return UNUSABLE
    return verdict.named.value
