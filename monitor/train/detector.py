"""Training of the embedded detector from random weights, within a budget of time.

ultralytics' model and loss, in a loop of our own: its Trainer counts epochs, while what an
edge box has is an hour, and the learning rate must have come down when the hour is over.
"""

import logging
import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from monitor.config.section import Fraction, Section
from monitor.train.detector_augment import Augment, SampleMaker
from monitor.train.detector_cover import read_masks
from monitor.train.detector_cutouts import Props, collect
from monitor.train.detector_model import build, save_checkpoint
from monitor.train.detector_profile import write_held_out
from monitor.train.detector_scenes import Scene, read_scenes, split

log = logging.getLogger(__name__)


class Phase(Section):
    """One stretch of the training, at one picture size."""

    until: Fraction
    """Of the whole training; the last phase ends at 1."""
    input_px: PositiveInt
    staged: Fraction = 0.35
    """Cut-out people on made-up stages, as a camera on a wall would see them."""
    mosaic: Fraction = 0.5
    """Four scenes in one, of the rest."""
    degraded: Fraction = 0.5


class TrainDetectorConfig(Section):
    """Settings of one training run. Paths are relative to where the command runs."""

    scenes: Path
    """A folder with ``boxes.csv`` and the pictures it names."""
    masks: Path | None = None
    """A folder of mask pictures with transparency, laid over faces."""
    out: Path
    """A folder for the weights and the state to resume from."""
    held_out: Fraction = 0.15
    never_train: tuple[str, ...] = ()
    """Beginnings of picture names that are only ever measured with."""
    phases: tuple[Phase, ...] = Field(min_length=1)
    pictures: PositiveInt = 150_000
    """How many samples are drawn in all."""
    time_limit_s: PositiveFloat = 3600
    """The schedule is shortened to end by then, time before a resume included."""
    batch: PositiveInt = 16
    learning_rate: PositiveFloat = 0.002
    weight_decay: float = Field(0.03, ge=0)
    seed: int = 0
    threads: PositiveInt = 1
    bfloat16: bool = True
    """Convolutions in bfloat16; half as long again in float32 on processors that have it."""
    version: str = "1"


@dataclass(slots=True)
class _Run:
    """Everything that changes while training, and all that a resume needs."""

    model: Any
    average: Any  # the exponential moving average of the model: what is kept in the end
    optimizer: torch.optim.Optimizer
    drawn: int = 0
    steps: int = 0
    elapsed_s: float = 0.0

    def save(self, path: Path) -> None:
        """Write all that a resume needs."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": (self.drawn, self.steps, self.elapsed_s),
        }
        fresh = path.with_suffix(".new")
        torch.save(state, fresh)
        fresh.replace(path)

    def load(self, path: Path) -> None:
        """Go on from what ``save`` wrote."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.drawn, self.steps, self.elapsed_s = state["progress"]


def train(config: TrainDetectorConfig) -> Path:
    """Train, or go on where an earlier run in the same folder stopped.

    Returns:
        The checkpoint, ``monitor-detector.pt`` in ``config.out``. Beside it lies the folder
        ``held-out``, with the scenes to evaluate it on; ``never_train`` is not in there.

    Raises:
        ConfigError: The scenes cannot be read.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    scenes, held = split(read_scenes(config.scenes), config.held_out, config.never_train)
    masks = read_masks(config.masks) if config.masks else []
    config.out.mkdir(parents=True, exist_ok=True)
    usual = [scene for scene in held if not scene.name.startswith(config.never_train)]
    write_held_out(usual, config.scenes, config.out / "held-out")
    props = _props(config, scenes, masks)
    state = config.out / "state.pt"
    run = _start(config)
    if state.exists():
        run.load(state)
        log.info("%s: resuming after %d pictures", state, run.drawn)
    before, started, saved_at = run.elapsed_s, time.monotonic(), time.monotonic()
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), _LOSS) as bar:
        task = bar.add_task("training", total=1.0, loss=math.nan)
        maker, phase = None, None
        while (done := _progress(run, config)) < 1:
            wanted = next(p for p in config.phases if done < p.until or p is config.phases[-1])
            if maker is None or wanted is not phase:
                phase = wanted
                augment = Augment(staged=phase.staged, mosaic=phase.mosaic, degraded=phase.degraded)
                maker = SampleMaker(scenes, props, augment, seed=config.seed + run.drawn)
            loss = _step(run, maker, phase.input_px, config)
            run.elapsed_s = before + time.monotonic() - started
            bar.update(task, completed=done, loss=loss)
            if run.steps % 100 == 0:
                log.info("%d pictures, %.0f s, loss %.3f", run.drawn, run.elapsed_s, loss)
            if time.monotonic() - saved_at > _SAVE_EVERY_S:
                run.save(state)
                saved_at = time.monotonic()
    run.save(state)
    weights = config.out / "monitor-detector.pt"
    largest = config.phases[-1].input_px
    save_checkpoint(run.average, weights, input_px=largest, version=config.version)
    return weights


def _props(
    config: TrainDetectorConfig, scenes: Sequence[Scene], masks: Sequence[NDArray[np.uint8]]
) -> Props:
    """People and walls cut out of the scenes, now or in the run that is resumed."""
    kept = config.out / "props.pt"
    if not kept.exists():
        log.info("%s: cutting people out of %d scenes, about a minute", kept, len(scenes))
        collect(scenes, masks, config.seed).save(kept)
    return Props.load(kept, masks)


_SAVE_EVERY_S = 120.0
_LOSS = TextColumn("loss {task.fields[loss]:.3f}")
_WARM_UP = 0.03
_CLIP = 10.0


def _start(config: TrainDetectorConfig) -> _Run:
    """Random weights, their average, and an optimizer that decays matrices only."""
    model = build(config.seed).to(memory_format=torch.channels_last)
    average = deepcopy(model).eval()
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.99),
    )
    return _Run(model, average, optimizer)


def _progress(run: _Run, config: TrainDetectorConfig) -> float:
    """How much of the training is behind us, 0..1: of the pictures or of the time."""
    return max(run.drawn / config.pictures, run.elapsed_s / config.time_limit_s)


def _rate(done: float) -> float:
    """The share of the learning rate: a short rise, then half a cosine down to 1 %."""
    if done < _WARM_UP:
        return (done + 1e-3) / (_WARM_UP + 1e-3)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def _step(run: _Run, maker: SampleMaker, side: int, config: TrainDetectorConfig) -> float:
    """One batch: forward, loss, backward, step, average. Gives the loss per picture."""
    batch = _batch(maker, side, config.batch)
    for group in run.optimizer.param_groups:
        group["lr"] = config.learning_rate * _rate(_progress(run, config))
    run.model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
        outputs = run.model(batch["img"])
    exact = {
        name: [map_.float() for map_ in value] if isinstance(value, list) else value.float()
        for name, value in outputs.items()
    }
    losses, _ = run.model.criterion(exact, batch)
    loss = losses.sum() / config.batch
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), _CLIP)
    run.optimizer.step()
    run.steps += 1
    run.drawn += config.batch
    _follow(run)
    return float(loss.detach())


def _follow(run: _Run) -> None:
    """Move the average towards the model; quickly at first, by 1 in 1000 later."""
    decay = 0.999 * (1 - math.exp(-run.steps / 500))
    live = run.model.state_dict()
    floats = [(v, live[k]) for k, v in run.average.state_dict().items() if v.is_floating_point()]
    targets, sources = [v for v, _ in floats], [v for _, v in floats]
    with torch.no_grad():
        torch._foreach_lerp_(targets, sources, 1 - decay)


def _batch(maker: SampleMaker, side: int, count: int) -> dict[str, torch.Tensor]:
    """Samples as ultralytics' loss takes them.

    Returns:
        ``img`` (B, 3, side, side) red-green-blue 0..1; ``batch_idx`` and ``cls`` (N,), and
        ``bboxes`` (N, 4) centre and size as shares of the side.
    """
    samples = [maker.draw(side) for _ in range(count)]
    pixels = np.stack([sample.pixels for sample in samples])[..., ::-1].copy()
    boxes = np.concatenate([sample.boxes for sample in samples]) / side
    centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
    owners = np.repeat(np.arange(count), [len(sample.classes) for sample in samples])
    return {
        "img": torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255,
        "batch_idx": torch.from_numpy(owners).float(),
        "cls": torch.from_numpy(np.concatenate([s.classes for s in samples])).float(),
        "bboxes": torch.from_numpy(centred).float(),
    }
