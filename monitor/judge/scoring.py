"""From a model's logits and text to a verdict's parts. Uses no model library."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from monitor.domain import ANSWERS, OCCLUDED, UNUSABLE, Covering

Tokenise: TypeAlias = Callable[[str], list[int]]
"""Text to token numbers, without special tokens added at either end."""

MAX_SENTENCE_LENGTH: Final = 200  # characters; longer replies would bloat every alert

_CLEAR: Final = ANSWERS.index(Covering.NONE.value)
_HIDDEN: Final = sorted(ANSWERS.index(covering.value) for covering in OCCLUDED)
_UNUSABLE: Final = ANSWERS.index(UNUSABLE)


def compute_probabilities(
    logits: NDArray[np.float32], temperature: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """The softmax of each row.

    Args:
        logits: (N, K), one column per answer.
        temperature: Above 1 flattens, below 1 sharpens; one for all, or (N, 1).

    Returns:
        (N, K), each row summing to 1.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, for the temperature.
    """
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))  # (N, K), no overflow
    shares: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return shares


def abstain(shares: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities in which ``unusable`` is the likeliest where occluded or clear is in doubt.

    The doubt is the probability of the less likely of the two, given either. Up to the limit
    nothing changes; above it ``unusable`` gets more than a half, so that the crop is no longer
    evaluable: with twice the limit two thirds. The others keep their proportions.

    Args:
        shares: (N, answers), in the order of ANSWERS, each row summing to 1.
        limits: (N,) in 0..0.5; infinite where nothing changes.

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


def find_answer_tokens(tokenise: Tokenise, before: str, answers: Sequence[str]) -> list[int]:
    """The token that each answer is when it follows some text.

    Models differ in whether a reply starts with a space ("Assistant: A") or not; the way
    that suits the end of the text is tried first, and all answers go the same way.

    Args:
        tokenise: Of the model.
        before: The text before the answer; empty where the answer opens a text.
        answers: Different texts.

    Raises:
        ValueError: An answer is several tokens, or two answers are the same one.
    """
    separators = [" ", ""] if before and (before[-1].isalnum() or before[-1] in ":?") else ["", " "]
    start = tokenise(before)
    for space in separators:
        texts = [f"{space}{answer}" for answer in answers]
        tokens = [_find_added_token(start, tokenise(before + text)) for text in texts]
        answer_tokens = [token for token in tokens if token is not None]
        if len(set(answer_tokens)) == len(answers):
            return answer_tokens
    unusable_answers = [
        a
        for a in answers
        if _find_added_token(start, tokenise(f"{before}{separators[0]}{a}")) is None
    ]
    if unusable_answers:
        raise ValueError(f"answer {unusable_answers[0]!r} is not one token")
    raise ValueError("two answers are the same token")


def _find_added_token(start: list[int], whole: list[int]) -> int | None:
    """The token that was added to a text; None if it is not exactly one."""
    return whole[-1] if whole[:-1] == start else None


def to_one_line(reply: str) -> str:
    """A model's reply as one harmless line: no control characters, at most 200 long.

    Format characters go too: they can hide text or turn its direction.
    """
    visible = (c for c in reply if c.isspace() or not unicodedata.category(c).startswith("C"))
    return " ".join("".join(visible).split())[:MAX_SENTENCE_LENGTH].rstrip()
