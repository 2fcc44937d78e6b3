"""Whatever a server says, a covering comes out of it or an error of ours."""

import json
import math
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import ANSWERS, OCCLUDED, Covering
from monitor.errors import JudgeAnswerError
from monitor.judge.profile import LETTERS
from monitor.judge.remote.replies import (
    JSON_PROMPT,
    SCHEMA,
    parse_reply,
    read_letter_logits,
    read_stated_verdict,
    strip_letter,
)
from monitor.judge.scoring import MAX_SENTENCE_LENGTH, compute_probabilities

JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def completion(*top: tuple[str, float], content: str | None = "A") -> dict[str, Any]:
    tokens = [{"token": token, "logprob": math.log(share)} for token, share in top]
    logprobs = {"content": [{"token": "A", "logprob": 0, "top_logprobs": tokens}]}
    return {"choices": [{"message": {"content": content}, "logprobs": logprobs}]}


def shares(answer: dict[str, Any]) -> dict[str, float]:
    found = read_letter_logits(parse_reply(answer))
    assert found is not None
    return dict(zip(ANSWERS, compute_probabilities(found, 1.0)[0].tolist(), strict=True))


def test_tokens_that_differ_in_white_space_are_one_answer() -> None:
    found = shares(completion((" E", 0.3), ("E", 0.3), ("\u2581E", 0.1), ("A", 0.2)))
    assert found["balaclava"] / found["none"] == pytest.approx(3.5)


def test_a_letter_that_is_not_listed_is_less_likely_than_those_that_are() -> None:
    found = shares(completion(("E", 0.9), ("A", 0.05)))
    assert all(found[name] < found["none"] for name in ANSWERS if name not in {"balaclava", "none"})


def test_words_that_begin_with_a_letter_are_no_answer() -> None:
    with pytest.raises(JudgeAnswerError, match="does not answer with a letter"):
        read_letter_logits(parse_reply(completion(("An", 0.6), ("The", 0.39), ("e", 0.005))))


@pytest.mark.parametrize("logprobs", [None, {"content": None}, {"content": []}])
def test_a_server_without_probabilities_gives_none(logprobs: object) -> None:
    answer = {"choices": [{"message": {"content": "A"}, "logprobs": logprobs}]}
    assert read_letter_logits(parse_reply(answer)) is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 3.0, "x", None])
def test_probabilities_that_are_none_are_refused(bad: object) -> None:
    answer = completion(("A", 0.9))
    answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"][0]["logprob"] = bad
    with pytest.raises(JudgeAnswerError, match="not a chat completion"):
        parse_reply(answer)


@pytest.mark.parametrize(
    ("text", "covering", "sure"),
    [
        ('{"covering": "mask", "confidence": 0.9, "thinking": "x"}', "mask", 0.9),
        ('```json\n{"covering": "mask", "confidence": 1}\n```', "mask", 0.97),
        ('{"covering": "none", "confidence": 0, "thinking": ""}', "none", 0.55),
        ('{"covering": "away", "confidence": 0.8, "topic": "obey"}', "away", 0.8),
    ],
)
def test_json_names_a_covering_and_a_bounded_confidence(
    text: str, covering: str, sure: float
) -> None:
    found, _ = read_stated_verdict(text)
    assert found[covering] == sure
    assert max(found, key=lambda name: found[name]) == covering
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mask",
        "[]",
        '{"covering": "mask"}',
        '{"covering": "hat", "confidence": 0.9}',
        '{"covering": "mask", "confidence": "0.9"}',
        '{"covering": "mask", "confidence": NaN}',
        '{"covering": "mask", "confidence": 1.1}',
        '{"covering": "mask", "confidence": true}',
        '{"covering": "none", "covering": "mask", "confidence": 0.9}',
        '{"covering": ["mask"], "confidence": 0.9}',
        'Here you are: {"covering": "mask", "confidence": 0.9}',
        '{"covering": "mask", "confidence": 0.9} and more',
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(JudgeAnswerError, match=r"JSON|a covering that there is not"):
        read_stated_verdict(text)


def test_what_a_model_thought_aloud_is_left_out() -> None:
    answer = completion(("A", 0.9), content="<think>a mask, or {}?</think>\nA. nothing")
    assert parse_reply(answer).text == "A. nothing"
    assert strip_letter(parse_reply(answer).text) == "nothing"


def test_a_sentence_that_only_begins_with_a_letter_of_ours_stays_whole() -> None:
    assert strip_letter("A: a mask") == "a mask"
    assert strip_letter("All of it is covered") == "All of it is covered"
    assert strip_letter("E") == ""


@given(JSONS)
def test_any_json_is_a_completion_or_refused(answer: object) -> None:
    try:
        read = parse_reply(answer)
    except JudgeAnswerError:
        return
    assert isinstance(read.text, str)


@given(st.text() | JSONS.map(json.dumps))
def test_any_text_is_a_claim_or_refused(text: str) -> None:
    try:
        found, thinking = read_stated_verdict(text)
    except JudgeAnswerError:
        return
    assert set(found) == set(ANSWERS)
    assert len(thinking) <= MAX_SENTENCE_LENGTH


@given(st.sampled_from(ANSWERS), st.floats(0, 1), st.text())
def test_any_sentence_is_bounded_and_harmless(covering: str, sure: float, words: str) -> None:
    said = json.dumps({"covering": covering, "confidence": sure, "thinking": words})
    found, thinking = read_stated_verdict(said)
    assert max(found, key=lambda name: found[name]) == covering
    assert len(thinking) <= MAX_SENTENCE_LENGTH
    assert not any(category(c).startswith("C") for c in thinking)
    covered = sum(found[c] for c in OCCLUDED)
    if covering in OCCLUDED:
        assert covered > found[Covering.NONE]


def test_prompt_and_schema_name_every_answer() -> None:
    properties: Any = SCHEMA["properties"]
    assert tuple(properties["covering"]["enum"]) == ANSWERS == tuple(LETTERS)
    assert all(f"\n{answer}: " in JSON_PROMPT for answer in ANSWERS)
