"""Pictures of a report: how reliable its certainties are, and what is taken for what."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from monitor.domain import Pixels
from monitor.errors import OutputError
from monitor.evaluate.judge_report import LABELS, JudgeReport, wilson

_INK: Final = (40, 40, 40)
_PALE: Final = (205, 205, 205)
_BLUE: Final = (160, 90, 30)
_RED: Final = (60, 60, 200)
_EDGE, _SIDE, _CELL = 70, 420, 58  # pixels: margin, the diagram's side, a cell's side
_NAMES: Final = 150  # pixels for the labels at the left and at the top


def write_plots(report: JudgeReport, folder: Path) -> list[Path]:
    """Write reliability.png and confusion.png.

    Raises:
        OutputError: They cannot be written there.
    """
    pictures = {"reliability.png": reliability(report), "confusion.png": confusion(report)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in pictures.items():
            (folder / name).write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}; name another folder") from error
    return [folder / name for name in pictures]


def reliability(report: JudgeReport) -> Pixels:
    """How often the judge is right, over how certain it is; the diagonal is what it should be.

    Each level of certainty is a dot with its 95 % interval and its count.

    Returns:
        (560, 560, 3) uint8, blue-green-red.
    """
    sheet = _sheet(_SIDE + 2 * _EDGE, _SIDE + 2 * _EDGE)
    for tick in np.linspace(0.5, 1.0, 6).tolist():
        (x, _), (_, y) = _at(tick, 0.5), _at(0.5, tick)
        cv2.line(sheet, (x, _EDGE), (x, _EDGE + _SIDE), _PALE)
        cv2.line(sheet, (_EDGE, y), (_EDGE + _SIDE, y), _PALE)
        _write(sheet, f"{100 * tick:.0f}", (x - 10, _EDGE + _SIDE + 20))
        _write(sheet, f"{100 * tick:.0f}", (_EDGE - 34, y + 5))
    cv2.line(sheet, _at(0.5, 0.5), _at(1.0, 1.0), _INK, 1, cv2.LINE_AA)
    for level in report.reliability:
        low, high = wilson(round(level.right * level.count), level.count)
        x, y = _at(level.certainty, level.right)
        cv2.line(sheet, _at(level.certainty, low), _at(level.certainty, high), _BLUE, 2)
        cv2.circle(sheet, (x, y), 6, _RED, -1, cv2.LINE_AA)
        _write(sheet, f"n {level.count}", (min(x + 10, _EDGE + _SIDE + 8), y + 16))
    said = f"{report.judge} {report.version}: {len(report.decided)} crops, "
    _write(sheet, said + f"calibration error {report.calibration_error:.3f}", (_EDGE, 24))
    _write(sheet, "right, % of crops", (8, _EDGE - 26))
    _write(sheet, "certainty of occluded or clear, %", (_EDGE + 90, _SIDE + 2 * _EDGE - 20))
    return sheet


def confusion(report: JudgeReport) -> Pixels:
    """Labels down, answers across; counts, on blue as strong as their share of the label.

    Returns:
        (H, W, 3) uint8, blue-green-red, as large as the labels and answers that occur need.
    """
    table = report.confusion
    labels = [label for label in LABELS if label in table]
    said = {answer for row in table.values() for answer in row}
    answers = [label for label in LABELS if label in said]
    height, width = _NAMES + _CELL * len(labels) + 20, _NAMES + _CELL * len(answers) + 20
    sheet = _sheet(max(height, _NAMES + 40), max(width, 2 * _NAMES))
    _write(sheet, f"{report.judge} {report.version}", (10, 24))
    _write(sheet, "label down, answer across", (10, 46))
    for column, answer in enumerate(answers):
        _upright(sheet, answer, (_NAMES + _CELL * column + _CELL // 2 + 5, _NAMES - 8))
    for line, label in enumerate(labels):
        y = _NAMES + _CELL * line
        total = sum(table[label].values())
        _write(sheet, f"{label} ({total})", (6, y + _CELL // 2 + 5))
        for column, answer in enumerate(answers):
            x, count = _NAMES + _CELL * column, table[label].get(answer, 0)
            _cell(sheet, (x, y), count, count / total)
            if label == answer:
                cv2.rectangle(sheet, (x + 1, y + 1), (x + _CELL - 3, y + _CELL - 3), _INK, 2)
    return sheet


def _cell(sheet: Pixels, corner: tuple[int, int], count: int, share: float) -> None:
    """One count on its ground."""
    x, y = corner
    ground = [255 - share * (255 - channel) for channel in _BLUE]
    cv2.rectangle(sheet, (x, y), (x + _CELL - 2, y + _CELL - 2), ground, -1)
    if count:
        ink = (255, 255, 255) if share > 0.5 else _INK  # noqa: PLR2004  (dark ground)
        (wide, _), _ = cv2.getTextSize(str(count), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
        _write(sheet, str(count), (x + (_CELL - wide) // 2, y + _CELL // 2 + 5), ink)


def _sheet(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 255, np.uint8)


def _at(certainty: float, right: float) -> tuple[int, int]:
    """Where a point of the diagram lies, in pixels; what is below one half stays on the edge."""
    x, y = (2 * (np.clip(value, 0.5, 1.0) - 0.5) * _SIDE for value in (certainty, right))
    return round(_EDGE + float(x)), round(_EDGE + _SIDE - float(y))


def _write(sheet: Pixels, text: str, at: tuple[int, int], ink: tuple[int, int, int] = _INK) -> None:
    cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, ink, 1, cv2.LINE_AA)


def _upright(sheet: Pixels, text: str, foot: tuple[int, int]) -> None:
    """Write a text from a foot upwards."""
    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)
    line = _sheet(tall + 8, wide + 4)
    _write(line, text, (2, tall + 2))
    turned = cv2.rotate(line, cv2.ROTATE_90_COUNTERCLOCKWISE)
    height, width = turned.shape[:2]
    left, top = foot[0] - width // 2 - 4, max(foot[1] - height, 0)
    sheet[top : top + height, left : left + width] = turned[: sheet.shape[0] - top]
