"""The scene before the demo's camera: two people before a crowd.

They come from a picture inside the ultralytics package, so no recording has to be shipped
or fetched. A security camera sees people smaller than that picture does, so the blurred
crowd behind them is continued beyond the picture's edges. Positions that were measured
in the picture by eye are constants here, in its pixels.
"""

import importlib.util
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from monitor.demo.drawing import Floats
from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.geometry import Box

PICTURE: Final = (1280, 720)
"""Width and height."""
FACE: Final = Box(920, 100, 1050, 281)
"""The taller man's face, forehead to chin; he is the one who covers himself."""
FACE_POINTS: Final = ((967, 165), (1028, 166), (1005, 205), (968, 234), (1020, 236))
"""His eyes, the tip of his nose and the corners of his mouth."""
BYSTANDER: Final = Box(552, 260, 660, 437)
"""The other man's face."""
MARGIN: Final = (310, 340)
"""How far the crowd goes on to either side, and above."""

_PACKAGE: Final = "ultralytics"
_ASSET: Final = "assets/zidane.jpg"
_CLEAR_COLUMNS: Final = 112  # at either side, without people
_CLEAR_ROWS: Final = 36  # above the hair
_CROWD: Final = (slice(0, 190), slice(0, 880))  # rows and columns that show only crowd


def load_picture(package: str = _PACKAGE) -> Pixels:
    """The picture that the scene is made of, (720, 1280, 3).

    Args:
        package: Where the picture lies; it is not imported.

    Raises:
        ConfigError: The package or the picture inside it is missing.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / _ASSET
        if path.is_file():
            pixels = cv2.imread(str(path))
            if pixels is not None and pixels.shape[1::-1] == PICTURE:
                return np.asarray(pixels, dtype=np.uint8)
    raise ConfigError(
        f"the demo needs the picture {_ASSET} of the package {package}:"
        f" run pip install --force-reinstall {package}"
    )


def widen_picture(pixels: Pixels) -> Pixels:
    """The picture with its crowd going on: (1060, 1900, 3), the picture at the bottom middle."""
    side, top = MARGIN
    below = _add_sides(pixels, side)
    edge = cv2.blur(below[:_CLEAR_ROWS].mean(axis=0, keepdims=True), (21, 1))  # (1, W, 3)
    above = _draw_crowd(pixels, below.shape[1], top)
    above *= edge.mean() / above.mean()
    near = np.exp(-np.arange(top, 0, -1, dtype=np.float32) / 45)[:, None, None]
    above += (edge - above) * near
    fade = np.linspace(1, 0, _CLEAR_ROWS, dtype=np.float32)[:, None, None]
    below[:_CLEAR_ROWS] += (edge - below[:_CLEAR_ROWS]) * fade
    return np.asarray(np.clip(np.concatenate([above, below]), 0, 255), dtype=np.uint8)


def _add_sides(pixels: Pixels, side: int) -> Floats:
    """The picture made wider: its outermost columns folded outwards, stretched and blurred."""
    height, width = pixels.shape[:2]
    x = np.arange(-side, width + side, dtype=np.float32)
    beyond = np.maximum(np.maximum(-x, x - (width - 1)), 0)
    turns = _CLEAR_COLUMNS - np.abs(_CLEAR_COLUMNS - beyond / 1.6 % (2 * _CLEAR_COLUMNS))
    source = np.where(x < 0, turns, np.where(beyond > 0, width - 1 - turns, x))
    columns, rows = np.meshgrid(source.astype(np.float32), np.arange(height, dtype=np.float32))
    sharp = cv2.remap(pixels, columns, rows, cv2.INTER_LINEAR).astype(np.float32)
    share = np.clip(beyond / 160, 0, 1)[None, :, None]
    return np.asarray(sharp + (cv2.GaussianBlur(sharp, (0, 0), 12) - sharp) * share, np.float32)


def _draw_crowd(pixels: Pixels, width: int, height: int) -> Floats:
    """(height, width, 3) of crowd: a clean part of the picture beside its mirror image."""
    rows, columns = _CROWD
    part = cv2.flip(pixels[rows, columns], 0)
    half = cv2.resize(part, (1350, height), interpolation=cv2.INTER_CUBIC)
    both = np.concatenate([cv2.flip(half, 1), half], axis=1)
    start = (both.shape[1] - width) * 5 // 8  # off centre, so that the mirror's line is too
    return cv2.GaussianBlur(both[:, start : start + width], (0, 0), 5).astype(np.float32)
