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

KINDS = (Kind.PERSON, Kind.FACE)
"""The classes, in the order of the model's outputs."""

_SAME_SCENE_BITS = 40  # of 256: measured, copies of one photograph differ by fewer


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture and what is in it."""

    name: str
    pixels: Pixels = field(repr=False)
    boxes: NDArray[np.float32]  # (N, 4) left, top, right, bottom, in pixels
    classes: NDArray[np.int64]  # (N,) index into KINDS
    doubtful: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    """(M, 4) where something may be: neither asked for nor punished."""
    doubtful_classes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(M,) index into KINDS."""


def read_scenes(folder: Path) -> list[Scene]:
    """Every picture that ``boxes.csv`` names, with its boxes.

    Raises:
        ConfigError: The list is missing, misses a column, or a picture cannot be read.
    """
    rows: dict[str, list[tuple[int, list[float]]]] = {}
    path = folder / "boxes.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                edges = [float(row[edge]) for edge in ("x0", "y0", "x1", "y1")]
                rows.setdefault(row["file"], []).append((KINDS.index(Kind(row["kind"])), edges))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"{path}: needs the columns file, kind, x0, y0, x1, y1 ({error})"
        ) from error
    return [_read(folder, name, found) for name, found in sorted(rows.items())]


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


def _read(folder: Path, name: str, found: Sequence[tuple[int, list[float]]]) -> Scene:
    pixels = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"{folder / name}: named in boxes.csv, but not a readable picture")
    return Scene(
        name=name,
        pixels=pixels.astype(np.uint8, copy=False),
        boxes=np.array([edges for _, edges in found], np.float32).reshape(-1, 4),
        classes=np.array([kind for kind, _ in found], np.int64),
    )


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
