"""Pictures with boxes, read into memory and split so that no scene is on both sides."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.errors import ConfigError

KINDS = (Kind.PERSON, Kind.HEAD)
"""The classes, in the order of the model's outputs."""

_SAME_SCENE_BITS = 40  # of 256: measured, copies of one photograph differ by fewer


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
    """(M, 4) where something may be: neither asked for nor punished."""
    doubtful_classes: NDArray[np.int64] = field(default_factory=_no_classes)
    """(M,) index into KINDS."""
    faces: NDArray[np.float32] = field(default_factory=_no_boxes)
    """(K, 4) faces in view, which coverings may be drawn on."""


@dataclass(slots=True)
class _Rows:
    """The boxes of one picture while they are read: kind, sure, edges."""

    rows: list[tuple[str, bool, list[float]]] = field(default_factory=list)

    def boxes(self, kind: str, *, sure: bool) -> NDArray[np.float32]:
        found = [edges for k, s, edges in self.rows if k == kind and s is sure]
        return np.array(found, np.float32).reshape(-1, 4)

    def scene(self, name: str, pixels: Pixels, scale: float) -> Scene:
        arrays = []
        for sure in (True, False):
            per_kind = [self.boxes(kind.value, sure=sure) for kind in KINDS]
            arrays.append(np.concatenate(per_kind) * scale)
            arrays.append(np.repeat(np.arange(len(KINDS)), [len(boxes) for boxes in per_kind]))
        faces = self.boxes("face", sure=True) * scale
        return Scene(name, pixels, *arrays, faces)


def read_scenes(folder: Path, table: Path | None = None, largest_px: int = 1024) -> list[Scene]:
    """Every picture that a list of boxes names, with its boxes.

    Args:
        folder: Where the pictures lie.
        table: The list, with the columns file, kind (person, head or face), x0, y0, x1, y1 in
            pixels and, if there, sure (0 is doubtful); ``boxes.csv`` in the folder by default.
        largest_px: Pictures with a longer side than this are scaled down to it.

    Raises:
        ConfigError: The list is missing, misses a column, or a picture cannot be read.
    """
    rows: dict[str, _Rows] = {}
    path = table or folder / "boxes.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found = rows.setdefault(row["file"], _Rows())
                if not row["kind"]:
                    continue  # a picture without anybody
                edges = [float(row[edge]) for edge in ("x0", "y0", "x1", "y1")]
                found.rows.append((row["kind"], row.get("sure", "1") != "0", edges))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"{path}: needs the columns file, kind, x0, y0, x1, y1 ({error})"
        ) from error
    return [_read(folder, name, found, largest_px) for name, found in sorted(rows.items())]


def split(
    scenes: Sequence[Scene], held_out: float, never_train: Sequence[str] = ()
) -> tuple[list[Scene], list[Scene]]:
    """Part the scenes into those to train on and those to measure with.

    Near copies (the same photograph in two sources) go to the same side. The parting
    depends on names and pictures only, so it is the same in every run.

    Args:
        scenes: What ``read_scenes`` gave.
        held_out: The share to measure with, 0..1.
        never_train: Beginnings of names that are measured with, whatever the share.
    """
    groups = _groups(np.stack([_fingerprint(scene.pixels) for scene in scenes]))
    train: list[Scene] = []
    held: list[Scene] = []
    for scene, group in zip(scenes, groups, strict=True):
        digest = hashlib.sha256(scenes[group].name.encode()).digest()
        draw = int.from_bytes(digest[:4], "big") / 2**32
        apart = draw < held_out or scene.name.startswith(tuple(never_train))
        (held if apart else train).append(scene)
    return train, held


def _read(folder: Path, name: str, found: _Rows, largest_px: int) -> Scene:
    pixels = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"{folder / name}: named in the list, but not a readable picture")
    scale = min(largest_px / max(pixels.shape[:2]), 1.0)
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return found.scene(name, pixels.astype(np.uint8, copy=False), scale)


def _fingerprint(pixels: Pixels) -> NDArray[np.float32]:
    """(256,) signs of the brightness differences between neighbours in a 16 by 17 thumbnail."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.where(small[:, 1:] > small[:, :-1], 1, -1).astype(np.float32).ravel()


def _groups(prints: NDArray[np.float32]) -> list[int]:
    """For each of N fingerprints the index of the first one that it is linked to."""
    bits = prints.shape[1]
    alike = (bits - prints @ prints.T) / 2 <= _SAME_SCENE_BITS  # (N, N)
    first = np.arange(len(prints))
    while True:
        lower = np.array([first[row].min() for row in alike])
        if (lower == first).all():
            return [int(index) for index in first]
        first = lower
