"""A vision-language model on this machine, as judge. The embedded model is one of these."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import (
    OCCLUDED,
    Covering,
    HeadCrop,
    JudgeName,
    Pixels,
    Verdict,
)
from monitor.errors import ConfigError, JudgeUnavailableError
from monitor.judge.local.fast import fast_answers
from monitor.judge.local.load import Precision
from monitor.judge.local.vision_model import VisionModel
from monitor.judge.profile import ANSWERS, EXPLAIN, FILE, UNUSABLE, Profile, read_profile
from monitor.judge.scoring import one_line, probabilities
from monitor.judge.warm_up import trial_crops
from monitor.runtime.clock import Clock

_SENTENCE_TOKENS: Final = 40
_LOG: Final = logging.getLogger(__name__)

_CLEAR: Final = ANSWERS.index(Covering.NONE.value)
_HIDDEN: Final = sorted(ANSWERS.index(covering.value) for covering in OCCLUDED)
_UNUSABLE: Final = ANSWERS.index(UNUSABLE)


class LocalJudge:
    """A Judge that scores: one forward pass per batch, no text is written to decide.

    Not thread-safe: one thread judges and explains.

    Args:
        folder: A Hugging Face image-text-to-text model, with or without ``monitor.json``.
        clock: Times the answers.
        device: As torch names it: "cpu", "cuda", ...
        batch: Crops answered in one forward pass.
        precision: What to compute in; see ``load``.

    Raises:
        ConfigError: The model cannot be used; one line that names the folder and the mend.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        device: str = "cpu",
        batch: int = 8,
        precision: Precision = "auto",
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._batch = batch
        self._model = VisionModel(folder, device, precision)
        self._profile = read_profile(folder)
        _check_fit(folder, self._profile, self._model)
        self._prompt = self._model.prompt(self._profile.prompt)
        try:
            self._tokens = self._model.tokens(self._prompt, self._profile.words)
        except ValueError as error:
            raise ConfigError(
                f"{folder}: cannot score this model: {error}; name other answers in {FILE}"
            ) from error
        whole = precision in {"auto", "float32"}
        fast = fast_answers(self._model.loaded, self._prompt, self._tokens) if whole else None
        self._fast = fast
        _LOG.info("%s: scores by %s", folder, self._fast.engine if self._fast else "transformers")

    @property
    def name(self) -> JudgeName:
        """See Judge."""
        return JudgeName(self._profile.name, self._profile.version)

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """See Judge. ``thinking`` stays empty, ``explain`` fills it for alerts.

        Raises:
            JudgeUnavailableError: Out of memory, or the model failed on these pictures.
        """
        verdicts: list[Verdict] = []
        for start in range(0, len(crops), self._batch):
            verdicts += self._pass(crops[start : start + self._batch])
        return verdicts

    def explain(self, crop: HeadCrop) -> str:
        """See Judge. The model's words are data: bounded, one line, never acted on.

        Raises:
            JudgeUnavailableError: See ``judge``.
        """
        picture = square(crop.pixels, self._profile.crop_px)
        if self._model.chats:
            prompt = self._model.prompt(EXPLAIN)
            return one_line(self._model.write(picture, prompt, _SENTENCE_TOKENS))
        if self._fast is not None:
            reply = self._fast.write(crop.pixels, _SENTENCE_TOKENS).strip()
        else:
            reply = self._model.write(picture, self._prompt, _SENTENCE_TOKENS).strip()
        first, _, sentence = reply.partition(" ")
        return one_line(sentence if first in self._profile.words else reply)

    def warm_up(self) -> None:
        """Judge two drawn heads, so that a broken or a blind model is found at start.

        Raises:
            ConfigError: They cannot be judged, or make no difference.
        """
        try:
            bare, covered = self.judge(trial_crops(self._clock))
        except JudgeUnavailableError as error:
            raise ConfigError(
                f"{self._folder}: cannot judge a test picture: {error}; take another model"
            ) from error
        if bare.probabilities == covered.probabilities:
            raise ConfigError(
                f"{self._folder}: it says the same of two different pictures; "
                "take a model that reads pictures"
            )

    def _pass(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """The verdicts of one forward pass."""
        started = self._clock.seconds()
        logits = self._logits([crop.pixels for crop in crops])  # (N, answers)
        if not np.isfinite(logits).all():
            raise JudgeUnavailableError("the judge's scores are not finite numbers")
        sides = [max(crop.pixels.shape[:2]) for crop in crops]
        heat = np.array([[self._profile.temperature_of(side)] for side in sides])  # (N, 1)
        limits = np.array([self._profile.abstain_limit(side) for side in sides])
        shares = abstain(probabilities(logits, heat), limits)
        pass_ms = (self._clock.seconds() - started) * 1000  # each crop waited for all of it
        return [self._verdict(crop, row, pass_ms) for crop, row in zip(crops, shares, strict=True)]

    def _logits(self, crops: Sequence[Pixels]) -> NDArray[np.float32]:
        """(N, answers), the short way where there is one."""
        if self._fast is not None:
            return self._fast.logits(crops)
        squares = [square(crop, self._profile.crop_px) for crop in crops]
        return self._model.logits(squares, self._prompt, self._tokens)

    def _verdict(self, crop: HeadCrop, shares: NDArray[np.float64], judge_ms: float) -> Verdict:
        """What one row of probabilities, in the order of ANSWERS, says about one crop."""
        by_answer = dict(zip(ANSWERS, shares.tolist(), strict=True))
        return Verdict(
            camera=crop.camera,
            subject=crop.subject,
            moment=crop.moment,
            probabilities={covering: by_answer[covering.value] for covering in Covering},
            unusable=by_answer[UNUSABLE],
            thinking="",
            judge=self.name,
            timings=replace(crop.timings, judge=judge_ms),
        )


def square(pixels: Pixels, side: int) -> Pixels:
    """A blue-green-red picture of any size, stretched to a red-green-blue square.

    Args:
        pixels: (H, W, 3).
        side: In pixels.

    Returns:
        (side, side, 3).
    """
    shrinks = min(pixels.shape[:2]) >= side
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (side, side), interpolation=how)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8)


def _check_fit(folder: Path, profile: Profile, model: VisionModel) -> None:
    """Refuse a profile that is not for this model.

    Raises:
        ConfigError: See above.
    """
    shape = "encoder-decoder" if model.encoder_decoder else "causal"
    if (folder / FILE).exists():
        if profile.decoder != shape:
            raise ConfigError(
                f"{folder / FILE}: decoder is {profile.decoder}, the model is {shape}; mend it"
            )
    elif model.encoder_decoder or not model.chats:
        raise ConfigError(
            f"{folder}: no chat template to ask a question through; add one, or a {FILE}"
        )


def abstain(shares: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities in which ``unusable`` is the likeliest where occluded or clear is in doubt.

    The doubt is the probability of the less likely of the two, given either. Up to the limit
    nothing changes; above it ``unusable`` gets more than a half, so that the crop is no longer
    evaluable: with twice the limit two thirds. The others keep their proportions.

    Args:
        shares: (N, answers), in the order of ANSWERS, each row summing to 1.
        limits: (N,) in 0..0.5; infinite where nothing is to be changed.

    Returns:
        (N, answers), each row summing to 1.
    """
    hidden = shares[:, _HIDDEN].sum(axis=1)
    clear = shares[:, _CLEAR]
    doubt = np.minimum(hidden, clear) / np.maximum(hidden + clear, np.finfo(np.float64).tiny)
    before = shares[:, _UNUSABLE]
    unusable = np.where(doubt > limits, np.maximum(before, doubt / (doubt + limits)), before)
    others = (1 - unusable) / np.maximum(1 - before, np.finfo(np.float64).tiny)
    changed = shares * others[:, None]
    changed[:, _UNUSABLE] = unusable
    return np.asarray(changed, dtype=np.float64)
