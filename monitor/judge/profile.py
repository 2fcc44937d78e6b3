"""How one model is asked, and how its answer is read: ``monitor.json`` in the model's folder.

A model that was made for this program brings the file. Any other chat model goes without:
it gets our own question and answers with one letter.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from monitor.domain import ANSWERS, UNUSABLE, Covering
from monitor.errors import ConfigError

FILE: Final = "monitor.json"

GRAPH: Final = Path("openvino", "judge.xml")
"""In a judge's folder: the exported graph; its weights lie beside it."""
ANSWER_LOGITS: Final = "answers"
"""The graph's output (N, answers): logits in the order of ANSWERS."""
SENTENCE_LOGITS: Final = "sentences"
"""The graph's output (N, K, T): logits of each word of K sentences that the judge can write."""
SENTENCES_KEY: Final = ("judge", "sentences")
"""In the graph's information: the K sentences as JSON, each beginning with its answer."""

EXPLAIN: Final = "Say in one short sentence what, if anything, covers the face in this picture."
"""The question to a chat model for an alert's sentence."""

MEANINGS: Final = {
    Covering.NONE: "nothing; glasses, a beard, a hat or a hood leave the face free to see",
    Covering.MASK: "a face mask over mouth and nose",
    Covering.MASK_INCORRECT: "a face mask worn below the nose",
    Covering.SCARF: "a scarf or neck gaiter over mouth and nose",
    Covering.BALACLAVA: "a balaclava or a stocking over the head",
    Covering.HARD_MASK: "a hard mask, such as a hockey, party or gas mask",
    Covering.HELMET: "a helmet that hides the face",
    Covering.SUNGLASSES: "dark sunglasses",
    Covering.HAND_OBJECT: "a hand or an object held before the face",
    Covering.AWAY: "the face is turned away or not in the picture",
    UNUSABLE: "the picture is too small, dark or blurred to say",
}
LETTERS: Final = dict(zip(ANSWERS, "ABCDEFGHIJK", strict=True))
"""The answers of a chat model."""
_QUESTION_VERSION: Final = "1"
_CHOICES: Final = "\n".join(f"{LETTERS[answer]}: {text}" for answer, text in MEANINGS.items())
QUESTION: Final = (
    "The picture shows the head of a person, from a security camera. "
    f"What covers the face?\n{_CHOICES}\nAnswer with one letter."
)
"""The question to a chat model."""

Word = Annotated[str, Field(min_length=1)]
Temperature = Annotated[float, Field(gt=0, allow_inf_nan=False)]

AbstainLimit = Annotated[float, Field(gt=0, le=0.5)]


class Profile(BaseModel):
    """How one model is asked. Every key is needed; keys not listed here are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    name: Word
    version: Word
    prompt: Word
    """Goes through the chat template where the model has one, else to the model as it is."""
    prompt_version: str
    answers: Mapping[str, Word]
    """Each covering, and ``unusable``, to a text that is one token for this model."""
    crop_px: Annotated[int, Field(ge=16, le=2048)]
    """Crops are scaled to a square of this side, in pixels, before the model's own steps."""
    temperature: Temperature
    """Logits are divided by this before the softmax."""
    temperatures: Mapping[Annotated[int, Field(ge=1)], Temperature] = Field(default_factory=dict)
    """The same for crops whose longer side is so many pixels or fewer, by side."""
    abstain_above: Mapping[Annotated[int, Field(ge=1)], AbstainLimit] = Field(default_factory=dict)
    """The probability that the less likely of occluded and clear may have before a crop whose
    longer side is so many pixels or fewer is unusable, by side."""
    decoder: Literal["encoder-decoder", "causal"]

    @model_validator(mode="after")
    def _every_answer_once(self) -> Self:
        if set(self.answers) != set(ANSWERS):
            differing = ", ".join(sorted(set(self.answers) ^ set(ANSWERS)))
            raise ValueError(f"answers must be the coverings and unusable, check {differing}")
        return self

    def get_temperature(self, side_px: int) -> float:
        """The temperature for a crop whose longer side is so many pixels."""
        sides = [side for side in self.temperatures if side >= side_px]
        return self.temperatures[min(sides)] if sides else self.temperature

    def get_abstain_limit(self, side_px: int) -> float:
        """The limit for a crop whose longer side is so many pixels; infinite where none is set."""
        sides = [side for side in self.abstain_above if side >= side_px]
        return self.abstain_above[min(sides)] if sides else math.inf

    @property
    def words(self) -> list[str]:
        """The answers' texts, in the order of ANSWERS."""
        return [self.answers[answer] for answer in ANSWERS]


def build_chat_profile(folder: Path) -> Profile:
    """The profile of a chat model that brings none: a question, and a letter for an answer.

    Args:
        folder: The model's. Its name is the judge's name; in a snapshot of a Hugging Face
            cache the repository's name is, and the commit is the version.
    """
    name, version = folder.name or "local", "unversioned"
    if folder.parent.name == "snapshots":
        name, version = folder.parent.parent.name.rpartition("--")[2], folder.name[:12]
    return Profile(
        name=name,
        version=version,
        prompt=QUESTION,
        prompt_version=_QUESTION_VERSION,
        answers=LETTERS,
        crop_px=384,
        temperature=1.0,
        decoder="causal",
    )


def read_profile(folder: Path) -> Profile:
    """The folder's ``monitor.json``, or the profile of any chat model when there is none.

    Raises:
        ConfigError: The file cannot be read or is contradictory; one line.
    """
    path = folder / FILE
    if not path.exists():
        return build_chat_profile(folder)
    try:
        return Profile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make it readable") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_describe_errors(error)}; mend or remove the file") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON; mend or remove the file") from error


def _describe_errors(error: ValidationError) -> str:
    """All mistakes, in one line."""
    problems = error.errors(include_url=False, include_input=False)
    return ", ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'top level'}: {problem['msg']}"
        for problem in problems
    )


def store_temperatures(folder: Path, factors: Mapping[int, float]) -> Mapping[int, float]:
    """Write a table of temperatures into the folder's ``monitor.json``, beside the weights.

    A chat model that came without the file gets one with the default question.

    Args:
        folder: The model's.
        factors: Factors for the temperature that is used now, by the longer
            side of a crop in pixels. The largest size is taken for all larger ones too.

    Returns:
        The temperatures that were written, by side.

    Raises:
        ConfigError: The file cannot be read or written.
    """
    profile = read_profile(folder)
    temperatures = {
        side: round(profile.get_temperature(side) * factors[side], 4) for side in factors
    }
    largest = max(temperatures)
    smaller = {str(side): temperatures[side] for side in sorted(temperatures) if side != largest}
    _update_profile(folder, {"temperature": temperatures[largest], "temperatures": smaller})
    return temperatures


def store_abstain_limits(folder: Path, abstain_above: Mapping[int, float]) -> None:
    """Write the limits for abstaining on small crops into the folder's ``monitor.json``.

    Args:
        folder: The model's.
        abstain_above: As in Profile; they replace the earlier ones.

    Raises:
        ConfigError: The file cannot be read or written.
    """
    _update_profile(
        folder,
        {"abstain_above": {str(side): abstain_above[side] for side in sorted(abstain_above)}},
    )


def _update_profile(folder: Path, changes: Mapping[str, object]) -> None:
    """Change some keys of the file; a missing file is created.

    Raises:
        ConfigError: The file cannot be read or written.
    """
    path = folder / FILE
    profile = read_profile(folder)
    if path.exists():
        raw = json.loads(path.read_text(encoding="utf-8"))
    else:
        raw = profile.model_dump(mode="json")
    try:
        path.write_text(json.dumps(raw | changes, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make it writable") from error
