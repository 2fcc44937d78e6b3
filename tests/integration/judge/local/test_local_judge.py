"""The local judge on real models: tiny, random, built here, never downloaded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.domain import ANSWERS, Covering
from monitor.judge.local.local_judge import LocalJudge, stretch_to_square
from monitor.judge.profile import EXPLAIN, build_chat_profile
from tests.support import tiny_models
from tests.support.crops import SteppingClock, crops, forward_passes, row

SHAPES = [tiny_models.florence, tiny_models.idefics, tiny_models.llava, tiny_models.qwen]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda build: str(build.__name__))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each shape."""
    build: Callable[[Path], Path] = request.param
    return build(tmp_path_factory.mktemp(build.__name__))


@pytest.fixture(scope="module")
def judge(folder: Path) -> LocalJudge:
    return LocalJudge(folder, clock=SteppingClock(), batch=4)


@pytest.fixture(scope="module")
def florence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.florence(tmp_path_factory.mktemp("florence"))


def by_the_book(folder: Path, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Each answer's logits, picture by picture, the way transformers' own pages do it."""
    import torch
    import transformers as tf

    processor = tf.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = tf.AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True).eval()
    words = list(ANSWERS)
    started = {"decoder_input_ids": torch.tensor([[processor.tokenizer.bos_token_id]])}
    if not model.config.is_encoder_decoder:
        space = "\u0120" if model.config.model_type == "llava" else ""  # as byte pairs write it
        words = [f"{space}{letter}" for letter in "ABCDEFGHIJK"]
        started = {}
    tokens = processor.tokenizer.convert_tokens_to_ids(words)
    rows = []
    for picture in pictures:
        with torch.inference_mode():
            logits = model(**_inputs(processor, picture), **started).logits[0, -1]
        rows.append([float(logits[token]) for token in tokens])
    return np.array(rows)


def _inputs(processor: Any, picture: NDArray[np.uint8]) -> Any:  # noqa: ANN401
    """One picture and the question, for the model."""
    if processor.chat_template is None:
        return processor(images=picture, text="what covers the face", return_tensors="pt")
    tiles = hasattr(processor.image_processor, "do_image_splitting")
    question = build_chat_profile(Path("any")).prompt
    content = [{"type": "image", "image": picture}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"do_image_splitting": False, "size": {"longest_edge": 32}}
        if tiles
        else {},
    )


def test_every_answer_has_a_probability_and_together_they_are_certain(judge: LocalJudge) -> None:
    for verdict in judge.judge(crops(3)):
        assert set(verdict.probabilities) == set(Covering)
        assert sum(row(verdict)) == pytest.approx(1, abs=1e-9)
        assert min(row(verdict)) >= 0


def test_the_scores_are_those_of_the_libraries_own_recipe(judge: LocalJudge, folder: Path) -> None:
    seen = crops(3)
    side = 32 if (folder / "monitor.json").exists() else 384
    logits = by_the_book(folder, [stretch_to_square(crop.pixels, side) for crop in seen])
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = weights / weights.sum(axis=1, keepdims=True)
    answers = np.array([row(verdict) for verdict in judge.judge(seen)])
    assert np.abs(answers - expected).max() < 1e-4
    assert np.ptp(answers, axis=0).max() > 1e-3, "the picture matters"


def test_the_model_reads_the_prompt_as_the_library_would_write_it(
    judge: LocalJudge, folder: Path
) -> None:
    import transformers as tf

    processor = tf.AutoProcessor.from_pretrained(folder, local_files_only=True)
    side = 32 if processor.chat_template is None else 384
    expected = _inputs(processor, np.zeros((side, side, 3), np.uint8))["input_ids"].tolist()
    with forward_passes(of="Embedding") as passes:
        judge.judge(crops(1))
    read = [ids[0].tolist() for ids in passes if not ids[0].is_floating_point()]
    assert expected in read, "an opening token too many, or a picture cut into tiles"


def test_a_batch_says_what_its_crops_say_one_by_one(judge: LocalJudge) -> None:
    seen = crops(6)
    alone = [row(verdict) for crop in seen for verdict in judge.judge([crop])]
    assert np.abs(np.array([row(v) for v in judge.judge(seen)]) - np.array(alone)).max() < 1e-4


def test_verdicts_come_in_the_order_of_the_crops_and_carry_their_facts(judge: LocalJudge) -> None:
    seen = crops(6)
    for crop, verdict in zip(seen, judge.judge(seen), strict=True):
        assert (verdict.camera, verdict.subject) == (crop.camera, crop.subject)
        assert verdict.moment is crop.moment
        assert (verdict.judge, verdict.thinking) == (judge.name, "")


def test_no_crops_are_no_verdicts(judge: LocalJudge) -> None:
    assert judge.judge([]) == []


def test_a_batch_costs_one_forward_pass(judge: LocalJudge) -> None:
    with forward_passes(of="ForConditionalGeneration") as passes:
        judge.judge(crops(4))
        assert len(passes) == 1
        judge.judge(crops(6))
        assert len(passes) == 3, "six crops are two batches of at most four"


def test_time_is_the_clocks_and_each_crop_waited_for_the_whole_pass(judge: LocalJudge) -> None:
    verdicts = judge.judge(crops(5))
    assert [verdict.timings.judge for verdict in verdicts] == [250.0] * 5
    assert [verdict.timings.queue for verdict in verdicts] == [0, 1, 2, 3, 4]
    assert all(verdict.timings.detect == 3 for verdict in verdicts)


def test_the_same_crops_get_the_same_verdicts_from_another_judge(
    judge: LocalJudge, folder: Path
) -> None:
    other = LocalJudge(folder, clock=SteppingClock(), batch=4)
    assert [row(v) for v in judge.judge(crops(4))] == [row(v) for v in other.judge(crops(4))]
    assert judge.explain(crops(1)[0]) == other.explain(crops(1)[0])


def test_a_whole_model_passes_its_warm_up(judge: LocalJudge) -> None:
    with forward_passes(of="ForConditionalGeneration") as passes:
        judge.warm_up()
    assert len(passes) == 1


def test_an_explanation_is_one_short_line(judge: LocalJudge) -> None:
    words = judge.explain(crops(1)[0])
    assert 0 < len(words) <= 200
    assert words.isprintable()


def test_an_explanation_is_bounded_in_tokens(judge: LocalJudge) -> None:
    with forward_passes(of="ForConditionalGeneration") as passes:
        judge.explain(crops(1)[0])
    assert 0 < len(passes) <= 40


def test_a_chat_model_is_asked_for_a_sentence_not_for_a_letter(
    judge: LocalJudge, folder: Path
) -> None:
    import transformers as tf

    with forward_passes(of="Embedding") as passes:
        judge.explain(crops(1)[0])
    tokenizer = tf.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    asked = " ".join(
        tokenizer.decode(ids[0][0]) for ids in passes if not ids[0].is_floating_point()
    )
    assert (EXPLAIN in asked) == (tokenizer.chat_template is not None)


def test_the_embedded_models_sentence_comes_without_its_label(florence: Path) -> None:
    import transformers as tf

    judge = LocalJudge(florence, clock=SteppingClock())
    crop = crops(1)[0]
    processor = tf.AutoProcessor.from_pretrained(florence, local_files_only=True)
    model = tf.AutoModelForImageTextToText.from_pretrained(florence, local_files_only=True).eval()
    written = model.generate(
        **_inputs(processor, stretch_to_square(crop.pixels, 32)), max_new_tokens=40, do_sample=False
    )
    label, _, sentence = processor.decode(written[0], skip_special_tokens=True).partition(" ")
    assert label in ANSWERS
    assert judge.explain(crop) == sentence[:200].strip()


def test_the_temperature_divides_the_logits(florence: Path, tmp_path: Path) -> None:
    warm = tiny_models.copied(florence, tmp_path / "warm")
    tiny_models.write_profile(warm, temperature=2.5)
    seen = crops(2)
    cold_rows, warm_rows = (
        np.log([row(verdict) for verdict in LocalJudge(place, clock=SteppingClock()).judge(seen)])
        for place in (florence, warm)
    )
    # log p is a logit up to a constant of its row.
    cold_gaps, warm_gaps = (rows - rows[:, :1] for rows in (cold_rows, warm_rows))
    assert np.abs(cold_gaps / 2.5 - warm_gaps).max() < 1e-4
    assert np.abs(cold_gaps).max() > 0.1


def test_the_model_sees_red_green_blue(florence: Path) -> None:
    blue = np.zeros((50, 40, 3), np.uint8)
    blue[..., 0] = 255  # OpenCV's order
    with forward_passes(of="Conv2d") as passes:
        LocalJudge(florence, clock=SteppingClock()).judge([replace(crops(1)[0], pixels=blue)])
    red_plane, green_plane, blue_plane = passes[0][0][0]
    # The processor's mean is 0.5 and its deviation 0.25.
    assert np.allclose(red_plane, -2, atol=1e-4)
    assert np.allclose(green_plane, -2, atol=1e-4)
    assert np.allclose(blue_plane, 2, atol=1e-4)


@pytest.mark.parametrize("shape", [(7, 400), (400, 7), (1, 1), (32, 32), (33, 90)])
def test_pictures_of_any_size_become_a_square(shape: tuple[int, int]) -> None:
    grey = np.full((*shape, 3), (10, 20, 30), np.uint8)
    result = stretch_to_square(grey, 32)
    assert result.shape == (32, 32, 3)
    assert np.all(result == (30, 20, 10))


def test_a_crop_of_one_head_is_never_cut_into_tiles(tmp_path: Path) -> None:
    folder = tiny_models.idefics(tmp_path / "idefics")
    with forward_passes(of="Conv2d") as passes:
        LocalJudge(folder, clock=SteppingClock()).judge(crops(2))
    assert [tuple(inputs[0].shape) for inputs in passes] == [(2, 3, 32, 32)]
