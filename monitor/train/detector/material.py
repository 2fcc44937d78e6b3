"""Everything samples are drawn from, made once and kept in the run's folder."""

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.train.detector.augment import Material
from monitor.train.detector.cover import read_masks
from monitor.train.detector.cutouts import Props, collect
from monitor.train.detector.heads import chosen_rows, collect_heads, load_heads, save_heads
from monitor.train.detector.profile import write_held_out
from monitor.train.detector.scenes import Scene, read_scenes, split
from monitor.train.detector.settings import TrainDetectorConfig
from monitor.train.detector.teachers import open_teachers, with_labels, write_labels
from monitor.train.judge.faces import Landmarks
from monitor.train.synthesis.innocent import load_overlays

log = logging.getLogger(__name__)

_LABELS, _PROPS, _HEADS = "labels.csv", "props.pt", "heads.pt"


def prepare(config: TrainDetectorConfig) -> None:
    """Write the held-out folder, labels, cut-outs and heads, unless they are there already.

    Raises:
        ConfigError: Scenes, teachers, heads or overlays cannot be read.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    wanted = [_PROPS, "held-out/boxes.csv"]
    wanted += [_LABELS] * (config.teachers is not None) + [_HEADS] * (config.heads is not None)
    if all((config.out / name).exists() for name in wanted):
        return
    scenes, held = split(read_scenes(config.scenes), config.held_out, config.never_train)
    usual = [scene for scene in held if not scene.name.startswith(config.never_train)]
    write_held_out(usual, config.scenes, config.out / "held-out")
    scenes = _labelled(config, scenes)
    masks = read_masks(config.masks) if config.masks else []
    kept = config.out / _PROPS
    if not kept.exists():
        log.info("%s: cutting people out of %d scenes, about a minute", kept, len(scenes))
        collect(scenes, masks, config.seed).save(kept)
    heads = config.out / _HEADS
    if config.heads and config.teachers and not heads.exists():
        log.info("%s: dressing heads, some minutes", heads)
        props = Props.load(kept, masks)
        save_heads(_heads(config, config.heads, config.teachers, props), heads)


def load(config: TrainDetectorConfig) -> Material:
    """What ``prepare`` left, in memory."""
    scenes, _ = split(read_scenes(config.scenes), config.held_out, config.never_train)
    masks = read_masks(config.masks) if config.masks else []
    heads = config.out / _HEADS
    return Material(
        _labelled(config, scenes),
        Props.load(config.out / _PROPS, masks),
        load_heads(heads) if heads.exists() else [],
    )


def _labelled(config: TrainDetectorConfig, scenes: Sequence[Scene]) -> list[Scene]:
    """The scenes with the teachers' boxes, asked now or in the run that is resumed."""
    if config.teachers is None:
        return list(scenes)
    kept = config.out / _LABELS
    if not kept.exists():
        log.info("%s: asking the teachers about %d scenes, some minutes", kept, len(scenes))
        teachers = open_teachers(config.teachers)
        write_labels([teachers.label(scene) for scene in scenes], kept)
    return with_labels(scenes, kept)


def _heads(config: TrainDetectorConfig, folder: Path, teachers: Path, props: Props) -> list[Scene]:
    """Head crops as scenes, some of them dressed, before walls of the training's scenes."""
    rng = np.random.default_rng(config.seed)
    rows = chosen_rows(folder, config.head_sources, config.head_count, rng)
    landmarks = Landmarks(teachers / "yunet_n_dynamic.onnx")
    walls = [_square(wall) for wall in props.walls[:1000]]
    return collect_heads(rows, landmarks, load_overlays(config.overlays), walls, rng)


def _square(wall: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = min(wall.shape[:2])
    return cv2.resize(wall[:side, :side], (160, 160), interpolation=cv2.INTER_AREA).astype(np.uint8)
