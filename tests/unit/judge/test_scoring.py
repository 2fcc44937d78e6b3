"""From logits and replies to what a verdict holds."""

import math
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from monitor.judge.scoring import (
    MAX_SENTENCE_LENGTH,
    compute_probabilities,
    find_answer_tokens,
    to_one_line,
)

LOGITS = st_np.arrays(np.float32, (3, 5), elements=st.floats(-1e4, 1e4, width=32))


@given(logits=LOGITS, temperature=st.floats(0.05, 20))
def test_probabilities_sum_to_one_and_keep_the_order(
    logits: np.ndarray[tuple[int, int], np.dtype[np.float32]], temperature: float
) -> None:
    shares = compute_probabilities(logits, temperature)
    assert np.allclose(shares.sum(axis=1), 1)
    for row, share in zip(logits, shares, strict=True):
        assert np.all(np.diff(share[np.argsort(row)]) >= 0)


def test_the_temperature_divides_the_logits() -> None:
    shares = compute_probabilities(np.array([[math.log(9), 0]], np.float32), temperature=2)
    assert shares[0] == pytest.approx([0.75, 0.25])


def letters(text: str) -> list[int]:
    """A tokeniser that knows every character."""
    return [ord(character) for character in text]


def pieces(text: str) -> list[int]:
    """A tokeniser that keeps a space with the letter after it, and nothing else together."""
    return [ord(part[-1]) + 1000 * (len(part) - 1) for part in _split(text)]


def _split(text: str) -> list[str]:
    parts: list[str] = []
    for character in text:
        if parts and parts[-1] == " ":
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def test_a_reply_after_a_line_break_starts_without_a_space() -> None:
    assert find_answer_tokens(pieces, "assistant\n", ["A", "B"]) == [ord("A"), ord("B")]


def test_a_reply_after_a_colon_starts_with_a_space() -> None:
    assert find_answer_tokens(pieces, "Assistant:", ["A", "B"]) == [
        1000 + ord("A"),
        1000 + ord("B"),
    ]


def test_the_other_way_is_taken_where_the_model_has_no_token_for_the_first() -> None:
    assert find_answer_tokens(letters, "Assistant:", ["A", "B"]) == [ord("A"), ord("B")]


def test_an_answer_of_several_tokens_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="answer 'no' is not one token"):
        find_answer_tokens(letters, "", ["A", "no"])


def test_an_answer_that_melts_into_the_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="answer 'A' is not one token"):
        find_answer_tokens(lambda text: [len(text)], "x", ["A", "B"])


def test_two_answers_must_be_two_tokens() -> None:
    with pytest.raises(ValueError, match="two answers are the same token"):
        find_answer_tokens(lambda text: [1] * len(text), "\n", ["A", "B"])


@given(st.text())
def test_a_reply_becomes_one_short_line_without_control_characters(reply: str) -> None:
    line = to_one_line(reply)
    assert len(line) <= MAX_SENTENCE_LENGTH
    assert line == " ".join(line.split())
    assert not any(unicodedata.category(character).startswith("C") for character in line)


def test_a_reply_keeps_its_words() -> None:
    assert to_one_line(" a\x1b[31m scarf\r\nover\u202e the\tnose ") == "a[31m scarf over the nose"
