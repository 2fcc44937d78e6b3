"""Everything samples are drawn from: labelled scenes, head crops, pictures of masks."""

import logging

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.train.detector.augment import Material
from monitor.train.detector.cover import read_masks
from monitor.train.detector.export import lay_on_sheet
from monitor.train.detector.heads import chosen_rows, collect_heads, load_heads, save_heads
from monitor.train.detector.scenes import Scene, read_scenes
from monitor.train.detector.settings import TrainDetectorConfig
from monitor.train.judge.faces import Landmarks
from monitor.train.synthesis.innocent import load_overlays

log = logging.getLogger(__name__)

_HEADS = "heads.pt"


def prepare(config: TrainDetectorConfig) -> None:
    """Dress the head crops, unless they are there already.

    Raises:
        ConfigError: Crops or overlays cannot be read.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    kept = config.out / _HEADS
    if config.heads and not kept.exists():
        log.info("%s: dressing heads, some minutes", kept)
        save_heads(_dress(config), kept)


def load(config: TrainDetectorConfig) -> Material:
    """The scenes of every source, and what ``prepare`` left.

    Raises:
        ConfigError: A source cannot be read, or has no pictures.
    """
    sources: list[tuple[float, list[Scene]]] = []
    for source in config.sources:
        scenes = read_scenes(source.folder, source.boxes)
        kept = [scene for scene in scenes if not scene.name.startswith(source.never_train)]
        sources.append((source.share, kept))
        if not kept:
            raise ConfigError(f"{source.folder}: the table names no picture to train on")
        log.info("%s: %d pictures", source.folder, len(kept))
    masks = read_masks(config.overlays / "masks") if config.overlays else []
    heads = config.out / _HEADS
    return Material(sources, masks, load_heads(heads) if heads.exists() else [])


def draw_calibration_sheets(config: TrainDetectorConfig, most: int = 200) -> list[Pixels]:
    """Pictures of all sources by their shares, as the detector is shown them after training.

    Returns:
        At most ``most`` pictures (H, W, 3), their longer side as in the last phase, padded so
        that sides are multiples of 32.
    """
    total = sum(source.share for source in config.sources)
    sheets: list[Pixels] = []
    for source in config.sources:
        count = max(int(most * source.share / total), 1)
        sheets += [
            lay_on_sheet(scene.pixels, config.phases[-1].input_px)[0]
            for scene in read_scenes(source.folder, source.boxes, most=count)
            if not scene.name.startswith(source.never_train)
        ]
    return sheets[:most]


def _dress(config: TrainDetectorConfig) -> list[Scene]:
    """Head crops as scenes, some of them dressed, before pieces of the first source."""
    rng = np.random.default_rng(config.seed)
    landmarks = Landmarks(config.landmarks)
    walls = _walls(read_scenes(config.sources[0].folder, config.sources[0].boxes), rng)
    overlays = load_overlays(config.overlays)
    scenes: list[Scene] = []
    for folder in config.heads:
        rows = chosen_rows(folder, config.head_sources, config.head_count, rng)
        scenes += collect_heads(rows, landmarks, overlays, walls, rng)
    return scenes


def _walls(scenes: list[Scene], rng: np.random.Generator, count: int = 600) -> list[Pixels]:
    """Squares of scenes, what dressed heads stand before."""
    walls: list[Pixels] = []
    for index in rng.integers(len(scenes), size=count).tolist():
        pixels: NDArray[np.uint8] = scenes[index].pixels
        side = int(rng.uniform(0.3, 0.8) * min(pixels.shape[:2]))
        x, y = (int(rng.integers(0, extent - side + 1)) for extent in pixels.shape[1::-1])
        piece = cv2.resize(pixels[y : y + side, x : x + side], (160, 160))
        walls.append(np.asarray(piece, np.uint8))
    return walls
