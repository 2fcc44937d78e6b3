"""Training the embedded judge on one core: drawn coverings, real masks, real clear faces."""

import logging
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import AutoModelForImageTextToText

from monitor.errors import ConfigError
from monitor.train.averaging import follow
from monitor.train.judge.config import TrainJudgeConfig
from monitor.train.judge.data import Pool, normalise
from monitor.train.judge.dev import DevScore, DevSet, compute_answer_logits, read_dev, score_answers
from monitor.train.judge.export import export_judge
from monitor.train.judge.faces import Landmarks
from monitor.train.judge.leave_out import check_left_out
from monitor.train.judge.loss import Hint, Targets, compute_sentence_loss
from monitor.train.judge.model import (
    QUESTION,
    Shape,
    build_model,
    build_processor,
    save_weights,
    write_profile,
)
from monitor.train.judge.natural import Teacher, find_natural_faces
from monitor.train.judge.pool import (
    Amount,
    draw_shards,
    prepare_extra_shards,
    prepare_shards,
    write_shard,
)
from monitor.train.judge.stream import Batch, stream_batches
from monitor.train.judge.teacher import EnsembleFiles, TeacherRun, train_teacher
from monitor.train.synthesis.innocent import load_overlays

_COLUMNS: Final = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
_LOG_STEPS: Final = 50
_LAST: Final = torch.channels_last
_STEEPEST: Final = 2.0  # longer gradients are cut to this
_LOG = logging.getLogger(__name__)


def train_judge(config: TrainJudgeConfig) -> Path:
    """Train until the time is up and return the folder of the best weights on dev, exported.

    An interrupted training goes on from its last measuring when called again.

    Raises:
        ConfigError: A folder lacks what it should hold, or OpenVINO is not installed.
        OutputError: The exported graph cannot be written.
    """
    torch.set_num_threads(1)
    check_left_out(config)
    pool_folder = config.pool or config.out / "pool"
    landmarks = Landmarks(config.landmarks)
    rng = np.random.default_rng(config.seed)
    prepare_shards(config.heads, config.scenes, landmarks, pool_folder, rng)
    prepare_extra_shards(config.more, landmarks, pool_folder)
    if config.teacher is not None and not (pool_folder / "natural.npz").exists():
        samples = list(find_natural_faces(config.scenes, Teacher(config.teacher)))
        if samples:
            write_shard(pool_folder / "natural", samples)
        else:
            _LOG.warning("%s names none of the faces in %s", config.teacher, config.scenes)
    amount = Amount(config.shards, config.shard_size, config.seed)
    draw_shards(pool_folder, landmarks, load_overlays(config.overlays), amount)
    pool = Pool(pool_folder, config.leave_out)
    folder = Training(config, pool, _prepare_ensemble(config, pool)).run()
    export_judge(folder)
    return folder


def _prepare_ensemble(config: TrainJudgeConfig, pool: Pool) -> EnsembleFiles | None:
    """The teacher, trained now unless an earlier call has, and the judge that we start from."""
    if not config.taught_s:
        return None
    weights = config.out / "teacher.pt"
    if not weights.exists():
        config.out.mkdir(parents=True, exist_ok=True)
        train_teacher(pool, weights, TeacherRun(config.taught_s, config.crop_px, config.seed))
    return EnsembleFiles(weights, config.voice or config.start, config.taught_shift)


class Training:
    """One run: the model, its average, its optimiser and where it has come to."""

    def __init__(
        self, config: TrainJudgeConfig, pool: Pool, ensemble: EnsembleFiles | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self._ensemble = ensemble
        self._config = config
        self._pool = pool
        self._shape = Shape(
            crop_px=config.crop_px,
            widths=config.widths,
            text_width=config.text_width,
            tower=config.tower,
        )
        self._processor = build_processor(self._shape)
        self._model = build_model(self._shape, self._processor.tokenizer)
        if ensemble is not None and config.tower == "efficient":
            copy_tower(self._model, ensemble.weights)
        if config.start is not None:
            copy_weights(self._model, config.start)
        self._average = build_model(self._shape, self._processor.tokenizer)
        self._average.load_state_dict(self._model.state_dict())
        for model in (self._model, self._average):
            model.set_attn_implementation("eager")  # both are faster to train on a CPU
            model.to(memory_format=_LAST)
        self._hint = Hint(self._model.model.vision_tower, self._shape.map_width)
        trained = [*self._model.parameters(), *self._hint.parameters()]
        self._optimiser = torch.optim.AdamW(
            _group_parameters(trained, config.decay), lr=config.rate
        )
        self._targets = Targets(self._processor.tokenizer)
        self._prompt = _tokenise_prompt(self._shape)
        self._step, self._spent, self._best = 0, 0.0, -1.0
        self._measured = 0.0
        config.out.mkdir(parents=True, exist_ok=True)
        if (config.out / "checkpoint.pt").exists():
            self._resume(config.out / "checkpoint.pt")

    def run(self) -> Path:
        """See train."""
        config = self._config
        dev = read_dev(config.heads, self._processor)
        with Progress(*_COLUMNS) as progress:
            bar = progress.add_task("judge", total=config.seconds)
            for crop_px, until in self._plan_phases():
                for step, loss in self._run_phase(crop_px, until, dev):
                    description = f"{crop_px} px, step {step}, loss {loss:.3f}"
                    progress.update(bar, completed=self._spent, description=description)
        self._measure(dev)
        return config.out / "model"

    def _plan_phases(self) -> list[tuple[int, float]]:
        """Crop sizes, each with the time at which it ends, in seconds of training.

        Smaller crops first: nearly twice as many in the same time, for the same features.
        """
        config = self._config
        until = config.seconds
        return [(config.small_px, until * config.small_share), (config.crop_px, until)]

    def _run_phase(self, crop_px: int, until: float, dev: DevSet) -> Iterator[tuple[int, float]]:
        """Learn from crops of one size until a time; gives each step's number and loss."""
        config = self._config
        if self._spent >= until:
            return
        self._prompt = _tokenise_prompt(replace(self._shape, crop_px=crop_px))
        seed = (config.seed, self._step)
        batches = stream_batches(self._pool, config.batch, crop_px, seed, self._ensemble)
        batch = next(batches)  # the other process takes seconds to start
        while self._spent < until:
            began = time.monotonic()
            loss = self._run_step(batch)
            batch = next(batches)
            self._spent += time.monotonic() - began
            yield self._step, loss
            if self._spent - self._measured >= config.measure_every_s:
                self._measure(dev)

    def _run_step(self, batch: Batch) -> float:
        """One step; returns the loss of the answers."""
        pixels, keys, teacher_shares = batch
        config = self._config
        share = self._spent / config.seconds
        rate = config.rate * max(0.5 * (1 + math.cos(math.pi * min(share, 1.0))), 1e-3)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self._step + 1) / config.warm_steps)
        labels = self._targets.encode(keys)
        crops = torch.from_numpy(normalise(pixels)).contiguous(memory_format=_LAST)
        self._model.train()
        plain = config.tower == "residual"  # on filters of one channel each, halves are slow
        with torch.autocast("cpu", torch.bfloat16, enabled=plain):
            read = self._targets.build_inputs(self._prompt, labels)
            logits = self._model(input_ids=read, pixel_values=crops).logits.float()
        words = logits[:, self._prompt.shape[1] - 1 :]  # (N, T, V): each stands before its word
        answer = self._targets.compute_answer_loss(words[:, 0], labels[:, 0])
        if teacher_shares is not None:
            taught = self._targets.compute_taught_loss(words[:, 0], keys, teacher_shares)
            answer = answer + config.taught_weight * (taught - answer)
        loss = answer + config.hint_weight * self._hint.compute_loss(keys)
        loss = loss + config.sentence_weight * compute_sentence_loss(words, labels)
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), _STEEPEST)
        self._optimiser.step()
        self._step += 1
        if self._step % _LOG_STEPS == 0:
            _LOG.info("step %d: answers %.3f, all %.3f", self._step, answer.item(), loss.item())
        self._update_average()
        return float(answer.detach())

    def _update_average(self) -> None:
        """Move the average a little towards the model, its batch statistics too."""
        keep = min(self._config.averaging, (1 + self._step) / (10 + self._step))
        follow(self._average, self._model, keep)

    def _measure(self, dev: DevSet) -> None:
        """Score the averaged weights on dev; keep them if they are the best so far."""
        self._measured = self._spent
        result = score_answers(
            compute_answer_logits(self._average, self._processor, dev), dev.labels
        )
        _LOG.info("step %d after %.0f s: %s", self._step, self._spent, result)
        if _rate_score(result) > self._best:
            self._best = _rate_score(result)
            self.save(self._config.out / "model", result.temperature)
        state = {
            "model": self._model.state_dict(),
            "average": self._average.state_dict(),
            "hint": self._hint.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "progress": (self._step, self._spent, self._best),
        }
        part = self._config.out / "checkpoint.part"
        torch.save(state, part)
        part.rename(self._config.out / "checkpoint.pt")

    def save(self, folder: Path, temperature: float) -> None:
        """Write the averaged weights as transformers reads them, with the judge's profile."""
        if folder.exists():
            shutil.rmtree(folder)
        save_weights(self._average, folder)
        self._processor.save_pretrained(folder)
        write_profile(folder, self._shape, self._config.version, temperature)

    def _resume(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self._model.load_state_dict(state["model"])
        self._average.load_state_dict(state["average"])
        self._hint.load_state_dict(state["hint"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._step, self._spent, self._best = state["progress"]
        self._measured = self._spent


def _tokenise_prompt(shape: Shape) -> Any:  # noqa: ANN401  (transformers is untyped)
    """(1, P) tokens of one picture and the question."""
    blank = np.zeros((8, 8, 3), np.uint8)
    processor = build_processor(shape)
    return processor(images=[blank], text=[QUESTION], return_tensors="pt")["input_ids"]


def _group_parameters(trained: list[Any], decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and filters, none for biases and norms."""
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _rate_score(result: DevScore) -> float:
    """What is best on dev: right decisions, then how surely."""
    return result.accuracy - 0.05 * result.loss


def copy_weights(model: Any, folder: Path) -> int:  # noqa: ANN401  (transformers is untyped)
    """Copy every weight that has the same name and shape; returns how many tensors fitted.

    Raises:
        ConfigError: The folder holds no model, or one of which nothing fits.
    """
    try:
        earlier: Any = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: no judge to start from: {error}") from error
    own = model.state_dict()
    fitting = {
        name: weights
        for name, weights in earlier.state_dict().items()
        if name in own and own[name].shape == weights.shape
    }
    if not fitting:
        raise ConfigError(f"{folder}: none of its weights fits this shape")
    model.load_state_dict(fitting, strict=False)
    _LOG.info("%d of %d tensors taken over from %s", len(fitting), len(own), folder)
    return len(fitting)


def copy_tower(model: Any, teacher: Path) -> None:  # noqa: ANN401
    """Give a judge's efficient tower the weights of a teacher that judge_teacher trained.

    The two name their layers differently and have them in the same order; the teacher knows no
    squeeze and excitation. It was shown pictures of half the contrast, so the first filters
    are halved.

    Raises:
        ConfigError: The teacher's layers are not the tower's.
    """
    tower = model.model.vision_tower
    own = tower.state_dict()
    teacher_state = torch.load(teacher, weights_only=True)
    teacher_weights = [
        weights for name, weights in teacher_state.items() if not name.startswith("_fc")
    ]
    names = [name for name in own if "squeeze_excite" not in name]
    if [own[name].shape for name in names] != [weights.shape for weights in teacher_weights]:
        raise ConfigError(f"{teacher}: not the weights of an EfficientNet-lite0; remove tower")
    state = dict(zip(names, teacher_weights, strict=True))
    state["embeddings.convolution.weight"] = state["embeddings.convolution.weight"] / 2
    tower.load_state_dict(own | state)
