"""A contact sheet of the drawn coverings, for people to check.

One row per kind of covering, each on other faces, with the training label below each picture.
Check it after every change to the drawing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from monitor.demo.drawing import LandmarkedFace, Rng
from monitor.domain import Pixels
from monitor.errors import ConfigError, OutputError
from monitor.train.judge.faces import Landmarks, cut_backgrounds, read_crop, read_rows, read_scenes
from monitor.train.synthesis.dress import KINDS, dress, make_contact_sheet
from monitor.train.synthesis.innocent import Overlays

_BACKGROUNDS: Final = 40  # squares without a face, to set heads before
_TRIES: Final = 30  # crops looked at, for one that shows a face, before giving up
_GREY: Final = 110


@dataclass(frozen=True, slots=True)
class SheetSources:
    """The pictures to draw on.

    Args:
        heads: A folder with labels.csv and head crops; its clear faces of the train split.
        scenes: A folder with boxes.csv and whole pictures, for backgrounds; None takes grey.
        landmarks: Finds the faces.
        overlays: Masks, dark glasses and hats to paste.
    """

    heads: Path
    scenes: Path | None
    landmarks: Landmarks
    overlays: Overlays


def draw_sheet(sources: SheetSources, kinds: list[str], columns: int, rng: Rng) -> Pixels:
    """Dressed faces, one row per kind.

    Args:
        sources: What is drawn on.
        kinds: Of KINDS; all of them when empty.
        columns: Pictures in each row.
        rng: Decides everything; equal generators give equal sheets.

    Returns:
        (rows * 140, columns * 128, 3) uint8, blue-green-red.

    Raises:
        ConfigError: There is no such kind, or no clear face to draw on.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise ConfigError(f"unknown covering {unknown[0]!r}; known are {', '.join(KINDS)}")
    clear = [path for path, label, _ in read_rows(sources.heads, "train") if label == "none"]
    if not clear:
        raise ConfigError(f"{sources.heads}: no clear face in its train split; add some")
    behind = _collect_backgrounds(sources.scenes, rng)
    tiles = []
    for kind in kinds or KINDS:
        for _ in range(columns):
            face = _choose_face(clear, sources.landmarks, rng)
            canvas = behind[rng.integers(len(behind))]
            dressed = dress(face, canvas, sources.overlays, rng, kind)
            tiles.append((dressed.face.pixels, dressed.key))
    return make_contact_sheet(tiles, columns)


def write_sheet(path: Path, sheet: Pixels) -> None:
    """Write a sheet as PNG or JPEG, by its name.

    Raises:
        OutputError: It cannot be written there.
    """
    try:
        coded, data = cv2.imencode(path.suffix or ".png", sheet)
        if not coded:
            raise OutputError(f"{path}: not a kind of picture; end the name in .png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name another file") from error
    except cv2.error as error:
        raise OutputError(f"{path}: not a kind of picture; end the name in .png") from error


def _choose_face(clear: list[Path], landmarks: Landmarks, rng: Rng) -> LandmarkedFace:
    """A clear face whose landmarks were found, or the last one tried."""
    for _ in range(_TRIES):
        face, _, found = landmarks.find_face(read_crop(clear[rng.integers(len(clear))]))
        if found or landmarks.is_blind:
            break
    return face


def _collect_backgrounds(scenes: Path | None, rng: Rng) -> list[Pixels]:
    """Some squares without a face; one of even grey where there are none."""
    squares: list[Pixels] = []
    if scenes is not None:
        for scene in read_scenes(scenes):
            squares += cut_backgrounds(scene, rng)
            if len(squares) >= _BACKGROUNDS:
                break
    return squares or [np.full((160, 160, 3), _GREY, np.uint8)]
