"""Head crops as close-up scenes of one head, a part of them dressed in drawn coverings.

The scenes have few faces that fill the picture and nobody in a balaclava; the judge's
training crops and its coverings have both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from monitor.demo.drawing import LandmarkedFace
from monitor.domain import Kind, Pixels
from monitor.train.detector.scenes import KINDS, Scene
from monitor.train.judge.faces import SIDE, Landmarks, read_crop, read_rows
from monitor.train.synthesis.dress import dress
from monitor.train.synthesis.innocent import Overlays

_PERSON, _HEAD = KINDS.index(Kind.PERSON), KINDS.index(Kind.HEAD)
_FACE_UNITS: Final = 2.6  # the longer side of a face box, in distances of the eyes
_EDGES: Final = np.array([-0.68, -0.92, 0.68, 0.62])  # of a head, about the landmarks' middle
_EMPTY: Final = ("not_a_face",)
_UNCLEAR: Final = ("unusable",)
_WHOLE: Final = ("away", "helmet")  # heads without a face for YuNet: the crop says where


def collect_heads(
    rows: Sequence[tuple[Path, str, str]],
    landmarks: Landmarks,
    overlays: Overlays,
    walls: Sequence[Pixels],
    rng: np.random.Generator,
) -> list[Scene]:
    """Each crop as a scene; of every two clear faces one is there a second time, dressed.

    Args:
        rows: Path, label and source of the crops, as ``read_rows`` gives them.
        landmarks: Finds their faces; a crop labelled with a face, where none is found, is left out.
        overlays: Pictures of masks, sunglasses and hats.
        walls: Backgrounds for dressed heads; without any, none are dressed.
        rng: Decides what is drawn.

    Returns:
        Scenes of SIDE pixels; the person around each face is doubtful all over the picture.
    """
    scenes: list[Scene] = []
    for path, label, _ in rows:
        pixels = read_crop(path)
        if label in _EMPTY or label in _UNCLEAR:
            scenes.append(_scene(path.name, pixels, None, unclear=label in _UNCLEAR))
            continue
        face, face_px, found = landmarks.find_face(pixels)
        if not found and label not in _WHOLE:
            continue
        box = _box(face.points.mean(axis=0), face_px)
        scenes.append(_scene(path.name, pixels, box, unclear=False))
        if label == "none" and len(walls) and rng.random() < 0.5:  # noqa: PLR2004
            behind = walls[int(rng.integers(len(walls)))]
            dressed = dress(LandmarkedFace(pixels, face.points), behind, overlays, rng).face
            size = min(_FACE_UNITS * dressed.unit_px, float(SIDE))
            box = _box(dressed.points.mean(axis=0), size)
            scenes.append(_scene(f"{path.name}, dressed", dressed.pixels, box, unclear=False))
    return scenes


def chosen_rows(
    folder: Path, sources: Sequence[str], count: int, rng: np.random.Generator
) -> list[tuple[Path, str, str]]:
    """At most ``count`` crops of the train split of these sources, drawn evenly over sources.

    Raises:
        ConfigError: labels.csv is missing or lacks a column.
    """
    by_source: dict[str, list[tuple[Path, str, str]]] = {source: [] for source in sources}
    for row in read_rows(folder, "train"):
        if row[2] in by_source:
            by_source[row[2]].append(row)
    share = -(-count // max(len(sources), 1))
    chosen: list[tuple[Path, str, str]] = []
    for rows in by_source.values():
        order = rng.permutation(len(rows))[:share]
        chosen += [rows[index] for index in order.tolist()]
    return chosen


def save_heads(scenes: Sequence[Scene], path: Path) -> None:
    """Keep what took minutes to draw."""
    kept = [
        (
            scene.name,
            *(
                torch.from_numpy(np.ascontiguousarray(array))
                for array in (
                    scene.pixels,
                    scene.boxes,
                    scene.classes,
                    scene.doubtful,
                    scene.doubtful_classes,
                )
            ),
        )
        for scene in scenes
    ]
    fresh = path.with_suffix(".new")
    torch.save(kept, fresh)
    fresh.replace(path)


def load_heads(path: Path) -> list[Scene]:
    """Read what ``save_heads`` wrote."""
    kept = torch.load(path, weights_only=True)
    return [Scene(name, *(tensor.numpy() for tensor in tensors)) for name, *tensors in kept]


def _box(middle: NDArray[np.float32], face_px: float) -> NDArray[np.float32]:
    edges = np.tile(middle, 2) + _EDGES * face_px
    return edges.clip(0, SIDE).astype(np.float32)[None]


def _scene(name: str, pixels: Pixels, box: NDArray[np.float32] | None, *, unclear: bool) -> Scene:
    """A crop as a scene: its face if it has one, and doubt wherever a person may be."""
    everywhere = np.array([[0, 0, SIDE, SIDE]] * (2 if unclear else 1), np.float32)
    return Scene(
        name,
        np.ascontiguousarray(pixels),
        np.zeros((0, 4), np.float32) if box is None else box,
        np.full(0 if box is None else 1, _HEAD, np.int64),
        everywhere,
        np.array([_PERSON, _HEAD][: len(everywhere)], np.int64),
    )
