"""Labelling a folder of pictures: teachers where no human did it, corrections where one did."""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np
from rich.progress import track

from monitor.domain import Kind, Pixels
from monitor.errors import ConfigError, OutputError
from monitor.train.detector.label_fusion import label_picture
from monitor.train.detector.labelled_boxes import COLUMNS, LabelledBox, format_rows, read_boxes
from monitor.train.detector.pose_heads import (
    PoseHeads,
    fit_pose_heads,
    load_pose_heads,
    match_heads,
)
from monitor.train.detector.teachers import Teachers

log = logging.getLogger(__name__)

MIN_PAIRS: Final = 100
"""Fewer pairs of pose and corrected head than this do not replace the regression we fitted."""
_PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

Table: TypeAlias = Mapping[str, Sequence[LabelledBox]]
"""The boxes of each picture, as ``read_boxes`` gives them."""


@dataclass(frozen=True, slots=True)
class HumanLabels:
    """What humans drew in the pictures of a folder."""

    drawn: Table
    """Boxes that came with the pictures, some kinds or some people only. The teachers add to
    them; only people and heads are used, and only rows by humans."""
    corrections: Table
    """Whole pictures: their rows stand as they are, and the teachers are not asked."""


def read_human_labels(drawn: Path | None, corrections: Path | None) -> HumanLabels:
    """Read both tables; None is an empty one.

    Raises:
        ConfigError: A table is missing or wrong.
    """
    return HumanLabels(*(read_boxes(path) if path else {} for path in (drawn, corrections)))


def write_labels(folder: Path, out: Path, teachers: Teachers, human: HumanLabels) -> int:
    """Label every picture of a folder and write the table that training reads.

    What was labelled is kept in ``out`` with ``.part`` after its name until all is done: called
    again, it goes on there.

    Args:
        folder: Pictures, also in folders below it.
        out: A CSV file with the columns file, kind, sure, x0, y0, x1, y1 in pixels.
        teachers: What to ask.
        human: What need not be asked.

    Returns:
        How many pictures are labelled.

    Raises:
        ConfigError: There are no pictures, or one that is corrected is missing.
        OutputError: The table cannot be written.
    """
    names = _list_pictures(folder)
    if unknown := human.corrections.keys() - set(names):
        raise ConfigError(f"{folder / min(unknown)}: corrected, but no such picture")
    heads = fit_heads(folder, teachers, human.corrections)
    part = out.with_name(f"{out.name}.part")
    try:
        done = _resume(part)
        with part.open("a", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            if not done:
                table.writerow(COLUMNS)
            for name in track([name for name in names if name not in done], "labelling"):
                table.writerows(format_rows(name, _label(folder, name, teachers, human, heads)))
                file.flush()
        part.replace(out)
    except OSError as error:
        raise OutputError(f"{part}: {error.strerror}; name a file that can be written") from error
    return len(names)


def fit_heads(folder: Path, teachers: Teachers, corrections: Table) -> PoseHeads:
    """The regression from poses to heads: fitted on the corrections, if they are enough.

    Args:
        folder: Where the pictures lie.
        teachers: Their pose model is asked about each corrected picture that has sure heads.
        corrections: See HumanLabels.
    """
    pairs = []
    for name, boxes in corrections.items():
        heads = [box.edges for box in boxes if box.kind == Kind.HEAD and box.sure]
        if not heads:
            continue
        for found in teachers.ask_poses(_read_picture(folder, name)):
            pairs += match_heads(found.scores, found.keypoints, heads)
    if len(pairs) < MIN_PAIRS:
        return load_pose_heads()
    log.info("fitting heads of poses on %d pairs", len(pairs))
    return fit_pose_heads(pairs)


def _label(
    folder: Path, name: str, teachers: Teachers, human: HumanLabels, heads: PoseHeads
) -> Sequence[LabelledBox]:
    """The boxes of one picture."""
    if name in human.corrections:
        return human.corrections[name]
    drawn: dict[str, list[tuple[float, float, float, float]]] = {}
    for box in human.drawn.get(name, ()):
        if box.by_human and box.sure:
            drawn.setdefault(box.kind, []).append(box.edges)
    return label_picture(teachers.ask(_read_picture(folder, name)), heads.predict, drawn)


def _resume(part: Path) -> set[str]:
    """The pictures that an earlier run finished; what it left of another is taken away."""
    if not part.exists():
        return set()
    with part.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    last = rows[-1][0] if rows else ""
    kept = [row for row in rows if row[0] != last]
    fresh = part.with_name(f"{part.name}.new")
    with fresh.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *kept] if kept else [])
    fresh.replace(part)
    return {row[0] for row in kept}


def _list_pictures(folder: Path) -> list[str]:
    """Relative names of the pictures in a folder and below it."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    if not names:
        raise ConfigError(f"{folder}: no pictures; name a folder that has some")
    return names


def _read_picture(folder: Path, name: str) -> Pixels:
    pixels = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"{folder / name}: not readable as a picture; take it away")
    return pixels.astype(np.uint8, copy=False)
