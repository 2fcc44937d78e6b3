"""Training of the embedded detector within a budget of time.

ultralytics' model and loss, in a loop of our own: boxes that are in doubt must not be learnt
from, pictures are composed of several sources, and the learning rate must have come down when
the time is over.
"""

import logging
import math
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from monitor.train.averaging import follow
from monitor.train.detector.export import check_tools, export_openvino
from monitor.train.detector.feed import Batch, open_feed
from monitor.train.detector.loss import Spared, spare, spared_anchors
from monitor.train.detector.material import draw_calibration_sheets, prepare
from monitor.train.detector.model import build, find_weights, load_weights, save_checkpoint
from monitor.train.detector.profile import write_profile
from monitor.train.detector.scenes import KINDS
from monitor.train.detector.settings import TrainDetectorConfig

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """Everything that changes while training, and all that a resume needs."""

    model: Any
    average: Any  # the exponential moving average of the model: what is kept in the end
    optimizer: torch.optim.Optimizer
    spared: Spared
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
        What the program runs, ``monitor-detector.xml`` in ``config.out``. Beside it lie its
        ``.bin``, the checkpoint ``monitor-detector.pt`` and ``detector.json``, whose thresholds
        are only a first guess: ``monitor evaluate thresholds`` chooses them.

    Raises:
        ConfigError: Scenes, heads or starting weights cannot be read, or a package is missing.
    """
    check_tools(int8=config.int8)
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    prepare(config)
    state = config.out / "state.pt"
    run = _start(config)
    if state.exists():
        run.load(state)
        log.info("%s: resuming after %d pictures", state, run.drawn)
    before, started, saved_at = run.elapsed_s, time.monotonic(), time.monotonic()
    columns = (*Progress.get_default_columns(), TimeElapsedColumn(), _LOSS)
    with Progress(*columns) as bar, open_feed(config, config.seed + run.drawn) as feed:
        task = bar.add_task("training", total=1.0, loss=math.nan)
        while (done := _progress(run, config)) < 1:
            phase = next(p for p in config.phases if done < p.until or p is config.phases[-1])
            loss = _step(run, feed.batch(phase), config)
            run.elapsed_s = before + time.monotonic() - started
            bar.update(task, completed=done, loss=loss)
            if run.steps % 100 == 0:
                log.info("%d pictures, %.0f s, loss %.3f", run.drawn, run.elapsed_s, loss)
            if time.monotonic() - saved_at > _SAVE_EVERY_S:
                run.save(state)
                save_checkpoint(
                    run.average,
                    config.out / "latest.pt",
                    input_px=phase.input_px,
                    version=config.version,
                )
                saved_at = time.monotonic()
    run.save(state)
    return _export(run.average, config)


_SAVE_EVERY_S = 120.0
_LOSS = TextColumn("loss {task.fields[loss]:.3f}")
_WARM_UP = 0.03
_CLIP = 10.0
_FIRST_SCORE = 0.3  # the thresholds until they are chosen on labelled pictures


def _start(config: TrainDetectorConfig) -> _Run:
    """Random or given weights, their average, and an optimizer that decays matrices only."""
    model = build(config.seed)
    if config.start is not None:
        load_weights(model, find_weights(config.start))
    model = model.to(memory_format=torch.channels_last)
    for layer in model.model[: _frozen(config)]:
        layer.requires_grad_(requires_grad=False)
    average = deepcopy(model).eval()
    spared = spare(model.criterion)
    learning = [p for p in model.parameters() if p.requires_grad]
    weights = [p for p in learning if p.ndim > 1]
    others = [p for p in learning if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.99),
    )
    return _Run(model, average, optimizer, spared)


def _export(model: Any, config: TrainDetectorConfig) -> Path:  # noqa: ANN401
    """Write the checkpoint, what the program runs, and the profile; give the second one's path."""
    weights = config.out / "monitor-detector.pt"
    exported = weights.with_suffix(".xml")
    input_px = config.phases[-1].input_px
    save_checkpoint(model, weights, input_px=input_px, version=config.version)
    export_openvino(weights, exported, draw_calibration_sheets(config) if config.int8 else [])
    scores = dict.fromkeys(KINDS, _FIRST_SCORE)
    write_profile(exported, scores, input_px=input_px, version=config.version)
    return exported


def _frozen(config: TrainDetectorConfig) -> int:
    """How many layers stay as they were: none of random ones."""
    return config.frozen if config.start else 0


def _progress(run: _Run, config: TrainDetectorConfig) -> float:
    """How much of the training is behind us, 0..1: of the pictures or of the time."""
    return max(run.drawn / config.pictures, run.elapsed_s / config.time_limit_s)


def _rate(done: float) -> float:
    """The share of the learning rate: a short rise, then half a cosine down to 1 %."""
    if done < _WARM_UP:
        return (done + 1e-3) / (_WARM_UP + 1e-3)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def _step(run: _Run, batch: Batch, config: TrainDetectorConfig) -> float:
    """One batch: forward, loss, backward, step, average. Gives the loss per picture."""
    # (B, S, S, BGR) bytes to (B, RGB, S, S) 0..1
    pixels = batch["pixels"].flip(3).permute(0, 3, 1, 2).float() / 255
    doubtful = [(int(row[0]), int(row[1]), row[2:]) for row in batch["doubtful"].tolist()]
    run.spared.spared = spared_anchors(
        doubtful, pictures=len(pixels), side=pixels.shape[2], classes=len(KINDS)
    )
    for group in run.optimizer.param_groups:
        group["lr"] = config.learning_rate * _rate(_progress(run, config))
    run.model.train()
    run.model.model[: _frozen(config)].eval()  # their statistics stay as well
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
        outputs = run.model(pixels)
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
    follow(run.average, run.model, decay)
