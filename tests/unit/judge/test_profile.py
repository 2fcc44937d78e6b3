"""How a model is asked: monitor.json, and what stands in for it."""

import json
from pathlib import Path

import pytest

from monitor.domain import ANSWERS, Covering
from monitor.errors import ConfigError
from monitor.judge.profile import build_chat_profile, read_profile, store_temperatures
from tests.support.tiny_models import write_profile


def test_the_answers_are_the_coverings_then_unusable() -> None:
    assert (*[covering.value for covering in Covering], "unusable") == ANSWERS


def test_a_profile_is_read_as_written(tmp_path: Path) -> None:
    write_profile(tmp_path, crop_px=96, temperature=1.7)
    profile = read_profile(tmp_path)
    assert (profile.name, profile.version, profile.prompt_version) == ("tiny", "1", "1")
    assert (profile.crop_px, profile.temperature) == (96, 1.7)
    assert profile.decoder == "encoder-decoder"


def test_words_come_in_the_order_of_the_answers_however_the_file_orders_them(
    tmp_path: Path,
) -> None:
    write_profile(tmp_path, answers={answer: f"w-{answer}" for answer in reversed(ANSWERS)})
    assert read_profile(tmp_path).words == [f"w-{answer}" for answer in ANSWERS]


def test_keys_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    write_profile(tmp_path, licence="MIT")
    assert read_profile(tmp_path).name == "tiny"


def test_a_chat_model_without_a_profile_is_asked_for_a_letter(tmp_path: Path) -> None:
    profile = read_profile(tmp_path)
    assert profile.words == list("ABCDEFGHIJK")
    assert (profile.decoder, profile.name) == ("causal", tmp_path.name)
    listed = [line.partition(": ") for line in profile.prompt.splitlines()[1:-1]]
    assert [letter for letter, _, _ in listed] == profile.words
    assert len({meaning for _, _, meaning in listed}) == len(ANSWERS)


def test_the_letters_mean_what_the_question_says_they_mean() -> None:
    profile = build_chat_profile(Path("smolvlm"))
    lines = dict(line.split(": ", 1) for line in profile.prompt.splitlines()[1:-1])
    for answer in ("balaclava", "helmet", "sunglasses", "scarf"):
        assert answer in lines[profile.answers[answer]]
    assert "below the nose" in lines[profile.answers["mask_incorrect"]]
    assert "too small, dark or blurred" in lines[profile.answers["unusable"]]


def test_a_snapshot_of_a_cache_is_named_after_its_repository() -> None:
    profile = build_chat_profile(Path("hub/models--org--Tiny-VLM/snapshots/0123456789abcdef"))
    assert (profile.name, profile.version) == ("Tiny-VLM", "0123456789ab")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"crop_px": 4}, "crop_px"),
        ({"decoder": "diffusion"}, "decoder"),
        ({"prompt": ""}, "prompt"),
        ({"answers": {"none": "none"}}, "balaclava"),
        ({"answers": dict.fromkeys((*ANSWERS, "tattoo"), "x")}, "tattoo"),
    ],
    ids=str,
)
def test_an_impossible_profile_is_one_line_that_names_the_file_and_the_key(
    change: dict[str, object], named: str, tmp_path: Path
) -> None:
    write_profile(tmp_path, **change)
    with pytest.raises(ConfigError, match=named) as caught:
        read_profile(tmp_path)
    assert str(tmp_path / "monitor.json") in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}', "\ufeff{}"])
def test_a_file_that_is_no_profile_is_the_operators_mistake(text: str, tmp_path: Path) -> None:
    (tmp_path / "monitor.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"monitor\.json.*mend or remove the file"):
        read_profile(tmp_path)


def test_a_profile_that_cannot_be_read_is_the_operators_mistake(tmp_path: Path) -> None:
    (tmp_path / "monitor.json").mkdir()
    with pytest.raises(ConfigError, match=r"monitor\.json: .*make it readable"):
        read_profile(tmp_path)


def test_a_profile_survives_being_written_and_read(tmp_path: Path) -> None:
    profile = build_chat_profile(tmp_path)
    (tmp_path / "monitor.json").write_text(json.dumps(profile.model_dump()), encoding="utf-8")
    assert read_profile(tmp_path) == profile


def test_a_chat_model_without_a_file_gets_one_when_it_is_calibrated(tmp_path: Path) -> None:
    asked = build_chat_profile(tmp_path)
    assert store_temperatures(tmp_path, {32: 2.0, 96: 1.5}) == {32: 2.0, 96: 1.5}
    profile = read_profile(tmp_path)
    assert (profile.prompt, profile.answers) == (asked.prompt, asked.answers)
    assert [profile.get_temperature(side) for side in (20, 32, 33, 300)] == [2.0, 2.0, 1.5, 1.5]
    store_temperatures(tmp_path, {32: 0.5, 96: 1.0})
    assert read_profile(tmp_path).get_temperature(20) == 1.0
