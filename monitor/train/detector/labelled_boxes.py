"""The table of labelled boxes: what is in each picture of a folder, surely or doubtfully."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from monitor.domain import Kind
from monitor.errors import ConfigError

FACE: Final = "face"
"""A kind of the table that the detector does not learn: coverings are drawn there."""
COLUMNS: Final = ("file", "kind", "sure", "x0", "y0", "x1", "y1")
_KINDS: Final = frozenset({*(kind.value for kind in Kind), FACE})
_HUMAN: Final = "human"


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One row of the table."""

    kind: str
    """person, head or face."""
    sure: bool
    """Whether it is certain; where it is not, training asks for nothing and punishes nothing."""
    edges: tuple[float, float, float, float]
    """Left, top, right, bottom, in pixels."""
    by_human: bool = True
    """Whether a human drew it: so says ``labelled_by``, if the table has that column."""


def read_boxes(path: Path) -> dict[str, list[LabelledBox]]:
    """The boxes of each picture, in the order of the table.

    Args:
        path: A CSV file with the columns file, kind, x0, y0, x1, y1 in pixels and, if there,
            sure (0 is doubtful) and labelled_by. A row without a kind names an empty picture.

    Raises:
        ConfigError: The table is missing, misses a column, or a row is wrong.
    """
    boxes: dict[str, list[LabelledBox]] = {}
    line = 1
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            for row in table:
                line = table.line_num
                found = boxes.setdefault(row["file"], [])
                if row["kind"]:
                    found.append(_read_row(row))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a table of boxes") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ConfigError(
            f"{path}: line {line} is not readable ({error}); the table needs the columns "
            "file, kind (person, head or face), x0, y0, x1, y1"
        ) from error
    return boxes


def format_rows(name: str, boxes: Iterable[LabelledBox]) -> list[list[str]]:
    """The rows of one picture; one without a kind if nothing is there."""
    rows = [
        [name, box.kind, str(int(box.sure)), *(str(round(edge, 1)) for edge in box.edges)]
        for box in boxes
    ]
    return rows or [[name, *[""] * (len(COLUMNS) - 1)]]


def _read_row(row: dict[str, str]) -> LabelledBox:
    if row["kind"] not in _KINDS:
        raise ValueError(f"unknown kind {row['kind']}")
    left, top, right, bottom = (float(row[edge]) for edge in COLUMNS[3:])
    return LabelledBox(
        row["kind"],
        (row.get("sure") or "1") != "0",
        (left, top, right, bottom),
        (row.get("labelled_by") or _HUMAN) == _HUMAN,
    )
