"""The rows of labels.csv: which are wanted, and the groups they belong to."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.evaluate.judge_report import LABELS

_EDGES: Final = {"age": (13, 20, 40, 60), "face_px": (20, 32, 48, 96), "crop_px": (20, 32, 48, 96)}
"""Columns of whole numbers, and where their groups begin."""
_COLOURLESS: Final = 3.0  # mean difference of the channels, in grey levels
MEASURED: Final = ("crop_px", "colour")
"""Groupings that are measured on the picture; the others are columns of the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled crop. ``columns`` holds the whole row."""

    file: str
    label: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows to take, and how to show them; the defaults take every row as it is.

    Args:
        split: The value of the column split; empty takes all.
        sources: The values of the column source; none takes all.
        reduce_px: Crops are shrunk to a square of this side first; 0 leaves them.
        by: Columns to group the figures by, or of MEASURED. A column that says
            ``age=26;sex=f`` makes a grouping of each of its words.
    """

    split: str = ""
    sources: tuple[str, ...] = ()
    reduce_px: int = 0
    by: tuple[str, ...] = ()

    @property
    def columns(self) -> set[str]:
        """The columns that the table must have."""
        needed = {"file", "label", *self.by} - set(MEASURED)
        needed |= {"split"} if self.split else set()
        return needed | ({"source"} if self.sources else set())

    def accepts(self, columns: Mapping[str, str]) -> bool:
        """Whether a row is wanted."""
        right_split = not self.split or columns["split"] == self.split
        return right_split and (not self.sources or columns["source"] in self.sources)


def read_rows(table: Path, row_filter: RowFilter) -> Sequence[Row]:
    """The wanted rows of a table.

    Raises:
        ConfigError: The table is missing, lacks a column, uses an unknown label, or has no
            row that is wanted though it has others.
    """
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = row_filter.columns - set(reader.fieldnames or [])
            if missing:
                raise ConfigError(f"{table}: no column {', '.join(sorted(missing))}")
            every = [{k: v or "" for k, v in row.items() if k} for row in reader]
    except OSError as error:
        raise ConfigError(f"{table}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table}: not readable as CSV: {error}") from error
    for line, row in enumerate(every, start=2):
        if row["label"] not in LABELS:
            known = ", ".join(LABELS)
            raise ConfigError(
                f"{table}, line {line}: unknown label {row['label']!r}; known are {known}"
            )
    rows = [Row(row["file"], row["label"], row) for row in every if row_filter.accepts(row)]
    if every and not rows:
        raise ConfigError(f"{table}: no row of that split and source; ask for others")
    return rows


def find_groups(row: Row, pixels: Pixels, by: Sequence[str]) -> dict[str, str]:
    """Grouping to group for one crop.

    Args:
        row: The crop's.
        pixels: (H, W, 3), before it is reduced.
        by: See RowFilter.
    """
    groups: dict[str, str] = {}
    for name in by:
        if name == "colour":
            spread = np.ptp(pixels.astype(np.int16), axis=2).mean()
            groups[name] = "grey" if spread < _COLOURLESS else "colour"
        elif name == "crop_px":
            groups[name] = _bin_number(name, str(max(pixels.shape[:2])))
        else:
            pairs_text = row.columns[name].split(";")
            pairs = [word.partition("=") for word in pairs_text] if "=" in row.columns[name] else []
            groups |= {key: _bin_number(key, value) for key, _, value in pairs}
            if not pairs:
                groups[name] = _bin_number(name, row.columns[name])
    return groups


def _bin_number(name: str, value: str) -> str:
    """A whole number's group, such as "20 to 39"; other values are groups of their own."""
    edges = _EDGES.get(name)
    if edges is None or not value.isdecimal():
        return value or "unknown"
    for low, high in pairwise((0, *edges)):
        if int(value) < high:
            return f"{low} to {high - 1}"
    return f"{edges[-1]} and more"
