"""Reading head crops and scenes for the judge's training, and finding landmarks in them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from cv2.typing import MatLike

from monitor.demo.drawing import Floats, LandmarkedFace, Rng, make_typical_points
from monitor.domain import Pixels
from monitor.errors import ConfigError

SIDE: Final = 160  # pixels of every picture kept for training
FACE_SHARE: Final = 1 / 1.5  # of a head crop's side
_BORDER: Final = 0.25  # added about a crop for the landmark finder, which wants context
_LOOSE: Final = 2.4  # side of a crop from a scene, in faces


@dataclass(frozen=True, slots=True, eq=False)
class HeadSample:
    """One labelled head in a square picture.

    Args:
        pixels: (SIDE, SIDE, 3) uint8, blue-green-red.
        middle: x and y of the face's middle, in pixels.
        face_px: The face's longer side, in pixels.
        key: Its answer with detail, as in judge_words.
        source: Where it came from.
    """

    pixels: Pixels
    middle: tuple[float, float]
    face_px: float
    key: str
    source: str


class Landmarks:
    """Finds the face in a head crop with YuNet, or assumes one in the middle.

    Args:
        weights: YuNet as ONNX with inputs of any size; None assumes.

    Raises:
        ConfigError: The weights cannot be loaded.
    """

    def __init__(self, weights: Path | None) -> None:
        self._net: cv2.FaceDetectorYN | None = None
        if weights is not None:
            try:
                self._net = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), 0.5)
            except cv2.error as error:
                raise ConfigError(f"cannot load face detector {weights}: {error}") from error

    @property
    def is_blind(self) -> bool:
        """Whether every face is assumed, none found."""
        return self._net is None

    def find_face(self, pixels: Pixels) -> tuple[LandmarkedFace, float, bool]:
        """The face nearest the middle of a square picture, its longer side, whether found."""
        side = pixels.shape[0]
        assumed = (
            LandmarkedFace(pixels, make_typical_points(side, FACE_SHARE * side)),
            FACE_SHARE * side,
            False,
        )
        if self._net is None:
            return assumed
        edge = round(side * _BORDER)
        padded = cv2.copyMakeBorder(pixels, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        self._net.setInputSize(padded.shape[1::-1])
        _, rows = self._net.detect(padded)
        row = _find_nearest(rows, side / 2 + edge, side / 4)
        if row is None:
            return assumed
        points = (row[4:14].reshape(5, 2) - edge).astype(np.float32)
        return LandmarkedFace(pixels, points), float(row[2:4].max()), True


def _find_nearest(rows: MatLike | None, middle: float, reach: float) -> Floats | None:
    """Of YuNet's (N, 15) rows the one nearest the middle, unless all lie beyond reach."""
    if rows is None:
        return None
    off = np.abs(rows[:, :2] + rows[:, 2:4] / 2 - middle).max(axis=1)
    best = int(off.argmin())
    return np.asarray(rows[best], dtype=np.float32) if off[best] <= reach else None


def read_rows(folder: Path, split: str) -> Iterator[tuple[Path, str, str]]:
    """Path, label and source of every crop of one split of a labelled folder.

    Raises:
        ConfigError: labels.csv is missing or lacks a column.
    """
    table = folder / "labels.csv"
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            missing = {"file", "split", "label", "source"} - set(rows.fieldnames or [])
            if missing:
                raise ConfigError(f"{table}: no column {', '.join(sorted(missing))}")
            for row in rows:
                if row["split"] == split:
                    yield folder / row["file"], row["label"], row["source"]
    except OSError as error:
        raise ConfigError(f"{table}: {error.strerror}") from error


def read_crop(path: Path) -> Pixels:
    """A picture stretched to a square of SIDE pixels.

    Raises:
        ConfigError: It cannot be read.
    """
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise ConfigError(f"{path}: not a readable picture")
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def cut_square(picture: Pixels, middle: tuple[float, float], side: float) -> Pixels:
    """The square about a point, as SIDE pixels; what lies outside repeats the edge."""
    scale = SIDE / side
    move = np.array(
        [[scale, 0, SIDE / 2 - scale * middle[0]], [0, scale, SIDE / 2 - scale * middle[1]]]
    )
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cut = cv2.warpAffine(
        picture, move, (SIDE, SIDE), flags=interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cut, dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScene:
    """One whole picture with its boxes, each (left, top, right, bottom) in pixels."""

    name: str
    pixels: Pixels
    faces: Floats
    persons: Floats


def read_scenes(folder: Path) -> Iterator[LabelledScene]:
    """Every readable picture of a folder with boxes.csv.

    Raises:
        ConfigError: boxes.csv is missing.
    """
    table = folder / "boxes.csv"
    boxes: dict[str, dict[str, list[list[float]]]] = {}
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                kinds = boxes.setdefault(row["file"], {"face": [], "person": []})
                kinds[row["kind"]].append([float(row[edge]) for edge in ("x0", "y0", "x1", "y1")])
    except OSError as error:
        raise ConfigError(f"{table}: {error.strerror}") from error
    for name, kinds in boxes.items():
        pixels = cv2.imread(str(folder / name))
        if pixels is not None:
            faces, persons = (
                np.array(kinds[kind], np.float32).reshape(-1, 4) for kind in ("face", "person")
            )
            yield LabelledScene(name, np.asarray(pixels, dtype=np.uint8), faces, persons)


def cut_loose_heads(scene: LabelledScene) -> Iterator[tuple[HeadSample, Pixels]]:
    """Each face of a scene in a wide square, without an answer yet, and its head crop.

    The head crop, 16 pixels square, is framed as in the labelled folder, so that the answer
    can be looked up there.
    """
    for left, top, right, bottom in scene.faces.tolist():
        middle = (left + right) / 2, (top + bottom) / 2
        face = max(right - left, bottom - top)
        if face < 14:  # noqa: PLR2004  (too small to say anything)
            continue
        wide = cut_square(scene.pixels, middle, _LOOSE * face)
        half = 0.75 * face
        x0, y0 = int(max(middle[0] - half, 0)), int(max(middle[1] - half, 0))
        crop = scene.pixels[y0 : int(middle[1] + half) + 1, x0 : int(middle[0] + half) + 1]
        thumb = cv2.resize(crop, (16, 16), interpolation=cv2.INTER_AREA)
        sample = HeadSample(wide, (SIDE / 2, SIDE / 2), SIDE / _LOOSE, "", "scenes")
        yield sample, np.asarray(thumb, dtype=np.uint8)


def find_turned_heads(scene: LabelledScene, landmarks: Landmarks) -> Iterator[HeadSample]:
    """The heads of people in whose upper part no face was found: turned away."""
    for left, top, right, bottom in scene.persons.tolist():
        width, height = right - left, bottom - top
        head = 0.45 * min(width, 0.5 * height)
        if head < 14 or height < 1.2 * width:  # noqa: PLR2004  (small, sitting or cut off)
            continue
        middle = (left + right) / 2, top + 0.6 * head
        f = scene.faces
        across = (f[:, 2] > left) & (f[:, 0] < right)
        if (across & (f[:, 3] > top - head) & (f[:, 1] < top + 0.5 * height)).any():
            continue
        if top < 2:  # noqa: PLR2004  (the head is likely above the picture)
            continue
        wide = cut_square(scene.pixels, middle, _LOOSE * head)
        if not landmarks.find_face(wide)[2]:
            yield HeadSample(wide, (SIDE / 2, SIDE / 2), SIDE / _LOOSE, "away", "scenes")


def cut_backgrounds(scene: LabelledScene, rng: Rng) -> Iterator[Pixels]:
    """Squares of a scene without a face."""
    height, width = scene.pixels.shape[:2]
    for _ in range(2):
        side = rng.uniform(0.25, 0.7) * min(height, width)
        x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
        f = scene.faces
        if not ((f[:, 2] > x) & (f[:, 0] < x + side) & (f[:, 3] > y) & (f[:, 1] < y + side)).any():
            yield cut_square(scene.pixels, (x + side / 2, y + side / 2), side)
