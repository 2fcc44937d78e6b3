"""What the judges on this machine have in common: they score the answers, and write none."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.domain import ANSWERS, HeadCrop, JudgeName, Pixels, Verdict
from monitor.errors import ConfigError, JudgeUnavailableError
from monitor.judge.profile import Profile
from monitor.judge.scoring import abstain, compute_probabilities
from monitor.judge.warm_up import draw_trial_crops
from monitor.runtime.clock import Clock


class ScoringJudge(ABC):
    """A Judge that scores: one forward pass per batch, no text is written to decide.

    Not thread-safe: one thread judges and explains.

    Args:
        folder: The model's, for messages.
        profile: How the model is asked, and its temperatures.
        clock: Times the answers.
        batch: Crops answered in one forward pass.
    """

    def __init__(self, folder: Path, profile: Profile, *, clock: Clock, batch: int) -> None:
        self._folder = folder
        self._profile = profile
        self._clock = clock
        self._batch = batch

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
            verdicts += self._judge_batch(crops[start : start + self._batch])
        return verdicts

    @abstractmethod
    def explain(self, crop: HeadCrop) -> str:
        """See Judge. The model's words are data: bounded, one line, never acted on.

        Raises:
            JudgeUnavailableError: See ``judge``.
        """

    def warm_up(self) -> None:
        """Judge two drawn heads, so that a broken or a blind model is found at start.

        Raises:
            ConfigError: They cannot be judged, or make no difference.
        """
        try:
            bare, covered = self.judge(draw_trial_crops(self._clock))
        except JudgeUnavailableError as error:
            raise ConfigError(
                f"{self._folder}: cannot judge a test picture: {error}; take another model"
            ) from error
        if bare.probabilities == covered.probabilities:
            raise ConfigError(
                f"{self._folder}: it says the same of two different pictures; "
                "take a model that reads pictures"
            )

    @abstractmethod
    def _score_answers(self, crops: Sequence[Pixels]) -> NDArray[np.float32]:
        """The answers' logits.

        Args:
            crops: N pictures of any sizes, each (H, W, 3), blue-green-red.

        Returns:
            (N, answers), in the order of ANSWERS.

        Raises:
            JudgeUnavailableError: Out of memory, or the model failed on these pictures.
        """

    def _judge_batch(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """The verdicts of one forward pass."""
        started = self._clock.seconds()
        logits = self._score_answers([crop.pixels for crop in crops])  # (N, answers)
        if not np.isfinite(logits).all():
            raise JudgeUnavailableError("the judge's scores are not finite numbers")
        sides = [max(crop.pixels.shape[:2]) for crop in crops]
        temperatures = np.array([[self._profile.get_temperature(side)] for side in sides])  # (N, 1)
        limits = np.array([self._profile.get_abstain_limit(side) for side in sides])
        shares = abstain(compute_probabilities(logits, temperatures), limits)
        pass_ms = (self._clock.seconds() - started) * 1000  # each crop waited for all of it
        return [
            crop.verdict(dict(zip(ANSWERS, row.tolist(), strict=True)), self.name, judge_ms=pass_ms)
            for crop, row in zip(crops, shares, strict=True)
        ]
