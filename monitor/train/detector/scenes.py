"""Pictures with boxes, read into memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.errors import ConfigError
from monitor.train.detector.labelled_boxes import FACE, LabelledBox, read_boxes

KINDS: Final = (Kind.PERSON, Kind.HEAD)
"""The classes, in the order of the model's outputs."""
GREY: Final = 114
"""The brightness that YOLO models are padded with."""


def _no_boxes() -> NDArray[np.float32]:
    return np.zeros((0, 4), np.float32)


def _no_classes() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture and what is in it."""

    name: str
    pixels: Pixels = field(repr=False)
    boxes: NDArray[np.float32]  # (N, 4) left, top, right, bottom, in pixels
    classes: NDArray[np.int64]  # (N,) index into KINDS
    doubtful: NDArray[np.float32] = field(default_factory=_no_boxes)
    """(M, 4) where something may be: training asks for nothing there and punishes nothing."""
    doubtful_classes: NDArray[np.int64] = field(default_factory=_no_classes)
    """(M,) index into KINDS."""
    faces: NDArray[np.float32] = field(default_factory=_no_boxes)
    """(K, 4) faces in view, which coverings may be drawn on."""


def read_scenes(
    folder: Path, table: Path | None = None, largest_px: int = 1024, most: int | None = None
) -> list[Scene]:
    """The pictures that a table of boxes names, with their boxes.

    Args:
        folder: Where the pictures lie.
        table: See ``read_boxes``; ``boxes.csv`` in the folder by default.
        largest_px: Pictures with a longer side than this are scaled down to it.
        most: Read so many pictures only, evenly spread over the names; None reads all.

    Raises:
        ConfigError: The table is missing or wrong, or a picture cannot be read.
    """
    rows = sorted(read_boxes(table or folder / "boxes.csv").items())
    if most is not None and most < len(rows):
        rows = [rows[index * len(rows) // most] for index in range(most)]
    return [_read(folder, name, boxes, largest_px) for name, boxes in rows]


def _read(folder: Path, name: str, boxes: Sequence[LabelledBox], largest_px: int) -> Scene:
    pixels = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"{folder / name}: named in the table, but not a readable picture")
    scale = min(largest_px / max(pixels.shape[:2]), 1.0)
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    sure, doubtful = (_arrays(boxes, scale, sure=sure) for sure in (True, False))
    faces = _edges(boxes, FACE, sure=True) * np.float32(scale)
    return Scene(name, pixels.astype(np.uint8, copy=False), *sure, *doubtful, faces)


def _arrays(
    boxes: Sequence[LabelledBox], scale: float, *, sure: bool
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (N, 4), scaled, and classes (N,)."""
    per_kind = [_edges(boxes, kind.value, sure=sure) for kind in KINDS]
    classes = np.repeat(np.arange(len(KINDS)), [len(found) for found in per_kind])
    return np.concatenate(per_kind) * np.float32(scale), classes


def _edges(boxes: Sequence[LabelledBox], kind: str, *, sure: bool) -> NDArray[np.float32]:
    """(N, 4) left, top, right, bottom of the boxes of one kind."""
    found = [box.edges for box in boxes if box.kind == kind and box.sure is sure]
    return np.array(found, np.float32).reshape(-1, 4)
