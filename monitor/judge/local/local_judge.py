"""Any vision-language model on this machine, as judge, through transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import HeadCrop, Pixels
from monitor.errors import ConfigError
from monitor.judge.local.load import Precision
from monitor.judge.local.scoring_judge import ScoringJudge
from monitor.judge.local.vision_model import VisionModel
from monitor.judge.profile import EXPLAIN, FILE, Profile, read_profile
from monitor.judge.scoring import to_one_line
from monitor.runtime.clock import Clock

_SENTENCE_TOKENS: Final = 40


class LocalJudge(ScoringJudge):
    """A Judge that is a Hugging Face model. See ScoringJudge.

    Args:
        folder: A Hugging Face image-text-to-text model, with or without ``monitor.json``.
        clock: Times the answers.
        device: As torch names it: "cpu", "cuda", ...
        batch: Crops answered in one forward pass.
        precision: What to compute in; see ``load_model``.

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
        self._model = VisionModel(folder, device, precision)
        super().__init__(folder, read_profile(folder), clock=clock, batch=batch)
        _check_fit(folder, self._profile, self._model)
        self._prompt = self._model.format_prompt(self._profile.prompt)
        try:
            self._tokens = self._model.find_answer_tokens(self._prompt, self._profile.words)
        except ValueError as error:
            raise ConfigError(
                f"{folder}: cannot score this model: {error}; name other answers in {FILE}"
            ) from error

    def explain(self, crop: HeadCrop) -> str:
        """See ScoringJudge."""
        picture = stretch_to_square(crop.pixels, self._profile.crop_px)
        if self._model.has_chat_template:
            prompt = self._model.format_prompt(EXPLAIN)
            return to_one_line(self._model.write(picture, prompt, _SENTENCE_TOKENS))
        reply = self._model.write(picture, self._prompt, _SENTENCE_TOKENS).strip()
        first, _, sentence = reply.partition(" ")
        return to_one_line(sentence if first in self._profile.words else reply)

    def _score_answers(self, crops: Sequence[Pixels]) -> NDArray[np.float32]:
        """See ScoringJudge."""
        squares = [stretch_to_square(crop, self._profile.crop_px) for crop in crops]
        return self._model.score_answers(squares, self._prompt, self._tokens)


def stretch_to_square(pixels: Pixels, side: int) -> Pixels:
    """A blue-green-red picture of any size, stretched to a red-green-blue square.

    Args:
        pixels: (H, W, 3).
        side: In pixels.

    Returns:
        (side, side, 3).
    """
    shrinks = min(pixels.shape[:2]) >= side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (side, side), interpolation=interpolation)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8)


def _check_fit(folder: Path, profile: Profile, model: VisionModel) -> None:
    """Refuse a profile that is not for this model.

    Raises:
        ConfigError: See above.
    """
    shape = "encoder-decoder" if model.is_encoder_decoder else "causal"
    if (folder / FILE).exists():
        if profile.decoder != shape:
            raise ConfigError(
                f"{folder / FILE}: decoder is {profile.decoder}, the model is {shape}; mend it"
            )
    elif model.is_encoder_decoder or not model.has_chat_template:
        raise ConfigError(
            f"{folder}: no chat template to ask a question through; add one, or a {FILE}"
        )
