"""Training the judge on a few pictures made here: what it reads, varies, learns and saves."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch  # noqa: TID253  (the tests of the training need what the training needs)
from transformers import AutoModelForImageTextToText, AutoProcessor  # noqa: TID253

from monitor.config.load import load_section
from monitor.domain import ANSWERS
from monitor.errors import ConfigError
from monitor.judge.local.embedded_judge import EmbeddedJudge
from monitor.train.judge.config import TrainJudgeConfig
from monitor.train.judge.data import (
    SHARES,
    Pool,
    degrade,
    frame_face,
    normalise,
    place_on_canvas,
    spoil,
)
from monitor.train.judge.dev import compute_occluded_share, fit_temperature, score_answers
from monitor.train.judge.faces import (
    SIDE,
    HeadSample,
    LabelledScene,
    Landmarks,
    find_turned_heads,
    read_rows,
)
from monitor.train.judge.loss import Targets
from monitor.train.judge.model import QUESTION, Shape, build_model, build_processor
from monitor.train.judge.pool import read_shard, write_shard
from monitor.train.judge.train import train_judge
from tests.support.crops import SteppingClock

TINY = Shape(crop_px=32, widths=(8, 16), depths=(1, 1), text_width=32)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folders heads (train and dev) and scenes, with a handful of plain pictures."""
    heads, scenes = tmp_path / "heads", tmp_path / "scenes"
    heads.mkdir()
    scenes.mkdir()
    lines = ["file,split,label,source"]
    rows = [("train", "none", "utkface"), ("train", "mask", "jolignier")] * 3
    rows += [("train", "none", "weapons"), ("dev", "none", "zhang"), ("dev", "mask", "zhang")]
    for number, (split, label, source) in enumerate(rows):
        grey = 200 if label == "none" else 60
        cv2.imwrite(str(heads / f"{number}.png"), np.full((40, 40, 3), grey, np.uint8))
        lines.append(f"{number}.png,{split},{label},{source}")
    (heads / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    cv2.imwrite(str(scenes / "a.png"), picture)
    boxes = "file,kind,x0,y0,x1,y1\na.png,face,2,2,30,30\na.png,person,100,10,140,110\n"
    (scenes / "boxes.csv").write_text(boxes, encoding="utf-8")
    return tmp_path


@pytest.fixture
def sample() -> Callable[..., HeadSample]:
    def make(key: str, source: str, grey: int = 100) -> HeadSample:
        pixels = np.full((SIDE, SIDE, 3), grey, np.uint8)
        return HeadSample(pixels, (SIDE / 2, SIDE / 2), SIDE / 1.5, key, source)

    return make


def test_each_answer_is_one_token_and_the_prompt_is_known() -> None:
    tokenizer = build_processor(TINY).tokenizer
    for answer in ANSWERS:
        assert len(tokenizer(answer, add_special_tokens=False)["input_ids"]) == 1
    assert tokenizer.unk_token_id not in tokenizer(QUESTION)["input_ids"]


def test_the_training_sees_what_the_processor_gives() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), np.uint8)
    given = build_processor(TINY)(images=[pixels[0]], text=[QUESTION], return_tensors="pt")
    assert normalise(pixels) == pytest.approx(given["pixel_values"].numpy(), abs=1e-5)
    assert (given["input_ids"] == 4).sum() == TINY.image_tokens


@pytest.mark.parametrize("crop_px", [32, 40, 72, 96])
def test_the_processor_leaves_as_many_places_as_the_tower_fills(crop_px: int) -> None:
    shape = replace(TINY, crop_px=crop_px)
    processor = build_processor(shape)
    crop = np.zeros((50, 60, 3), np.uint8)
    inputs = processor(images=[crop] * 2, text=[QUESTION] * 2, return_tensors="pt")
    with torch.inference_mode():
        logits = build_model(shape, processor.tokenizer).eval()(**inputs).logits
    assert logits.shape[:2] == inputs["input_ids"].shape


def test_the_model_reads_the_question_and_the_words_it_should_have_written() -> None:
    processor = build_processor(TINY)
    tokenizer = processor.tokenizer
    prompt = tokenizer(QUESTION, return_tensors="pt")["input_ids"]
    targets = Targets(tokenizer)
    labels = targets.encode(["scarf/gaiter", "none"])
    read = targets.build_inputs(prompt, labels)
    assert tokenizer.convert_ids_to_tokens(labels[:, 0]) == ["scarf", "none"]
    assert torch.equal(read[0, : prompt.shape[1]], prompt[0])
    assert torch.equal(read[:, prompt.shape[1]], labels[:, 0])
    assert (read >= 0).all()
    assert tokenizer.eos_token_id in labels[1]


def test_the_loss_is_least_for_the_right_answer() -> None:
    tokenizer = build_processor(TINY).tokenizer
    targets = Targets(tokenizer)
    label = targets.encode(["balaclava"])[:, 0]

    def loss_of(said: str) -> float:
        logits = torch.zeros(1, len(tokenizer))
        logits[0, tokenizer.convert_tokens_to_ids(said)] = 4.0
        return float(targets.compute_answer_loss(logits, label))

    unsaid = float(targets.compute_answer_loss(torch.zeros(1, len(tokenizer)), label))
    assert loss_of("balaclava") < unsaid < loss_of("none")


def test_variation_keeps_the_shape_and_never_repeats() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    frame = np.array([80, 80, 100], np.float32)
    rng = np.random.default_rng(1)
    crops = [degrade(frame_face(pixels, frame, 48, rng), rng)[0] for _ in range(60)]
    assert {(crop.shape, crop.dtype.name) for crop in crops} == {((48, 48, 3), "uint8")}
    assert len({crop.tobytes() for crop in crops}) == 60


def test_a_frame_keeps_the_face_in_view() -> None:
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    cv2.circle(pixels, (100, 60), 6, (255, 255, 255), -1)
    frame = np.array([100, 60, 60], np.float32)
    rng = np.random.default_rng(2)
    seen = [frame_face(pixels, frame, 64, rng).max() > 128 for _ in range(80)]
    assert np.mean(seen) > 0.97


def test_a_head_set_before_a_canvas_is_whole_and_small() -> None:
    head, canvas = np.full((20, 20, 3), 250, np.uint8), np.zeros((48, 48, 3), np.uint8)
    for seed in range(20):
        crop = place_on_canvas(head, canvas, np.random.default_rng(seed))
        assert crop.shape == canvas.shape
        assert 12 * 12 <= (crop[..., 0] > 200).sum() <= 20 * 48
    assert not canvas.any(), "the canvas is drawn on again and again"


def test_what_is_wasted_shows_next_to_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    rng = np.random.default_rng(3)
    spreads = [spoil(pixels, rng).std() for _ in range(30)]
    assert max(spreads) < 0.5 * pixels.std()


def test_the_pool_draws_by_source_and_takes_up_new_shards(
    tmp_path: Path, sample: Callable[..., HeadSample]
) -> None:
    known = [sample("none", "weapons+", 220), sample("balaclava/knit", "synthetic", 20)]
    write_shard(tmp_path / "real", known)
    pool = Pool(tmp_path)
    rng = np.random.default_rng(0)
    keys = [pool.draw_sample(16, rng)[1] for _ in range(200)]
    wanted = SHARES["synthetic", "*"] / (SHARES["synthetic", "*"] + SHARES["weapons", "none"])
    assert keys.count("balaclava/knit") / 200 == pytest.approx(wanted, abs=0.12)
    write_shard(tmp_path / "synthetic-000", [sample("helmet", "synthetic")] * 9)
    pool.refresh()
    assert "helmet" in [pool.draw_sample(16, rng)[1] for _ in range(50)]


def test_a_shard_is_read_as_it_was_written(
    tmp_path: Path, sample: Callable[..., HeadSample]
) -> None:
    assert write_shard(tmp_path / "some", [sample("mask", "lfw", 7), sample("none", "lfw")]) == 2
    shard = read_shard(tmp_path / "some.npz")
    assert (shard.keys, shard.sources) == (["mask", "none"], ["lfw", "lfw"])
    assert (shard.pixels[0] == 7).all()
    assert shard.frames[1].tolist() == pytest.approx([80, 80, SIDE / 1.5])


def test_a_person_with_a_face_is_not_turned_away() -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    persons = np.array([[20, 20, 80, 190], [110, 20, 170, 190]], np.float32)
    faces = np.array([[35, 25, 60, 55]], np.float32)
    found = list(find_turned_heads(LabelledScene("a", pixels, faces, persons), Landmarks(None)))
    assert [head.key for head in found] == ["away"]


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.random(600) < 0.5
    logits = np.full((600, len(ANSWERS)), -20.0)
    logits[:, 0] = 0
    logits[:, ANSWERS.index("mask")] = np.where(hidden ^ (rng.random(600) < 0.1), 6.6, -6.6)
    labels = ["mask" if h else "none" for h in hidden]
    temperature = fit_temperature(logits, labels)
    sure = compute_occluded_share(logits, temperature)
    assert temperature > 2
    assert np.maximum(sure, 1 - sure).mean() == pytest.approx(0.9, abs=0.03)


def test_the_score_leaves_out_what_is_neither_clear_nor_occluded() -> None:
    labels = ["none", "mask", "balaclava", "away", "not_a_face", "unusable", "mask_incorrect"]
    logits = np.zeros((7, len(ANSWERS)))
    logits[:, ANSWERS.index("balaclava")] = 9.0
    result = score_answers(logits, labels)
    assert result.count == 3
    assert result.accuracy == pytest.approx(2 / 3)
    assert (result.clear_as_clear, result.occluded_as_occluded) == (0, 1)
    assert result.balaclavas_named == 1


@pytest.mark.slow
def test_a_training_leaves_a_folder_that_answers_and_goes_on_where_it_was(data: Path) -> None:
    settings = {
        "heads": data / "heads",
        "scenes": data / "scenes",
        "out": data / "out",
        "batch": 4,
        "shards": 1,
        "shard_size": 6,
        "widths": TINY.widths,
        "crop_px": 64,
        "small_px": 32,
    }
    folder = train_judge(TrainJudgeConfig.model_validate({**settings, "seconds": 1.0}))
    first = torch.load(data / "out" / "checkpoint.pt", weights_only=True)["progress"]

    EmbeddedJudge(folder, clock=SteppingClock()).warm_up()  # the exported graph runs
    profile = json.loads((folder / "monitor.json").read_text(encoding="utf-8"))
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True).eval()
    crops = [np.zeros((30, 50, 3), np.uint8), np.full((90, 90, 3), 200, np.uint8)]
    inputs = processor(images=crops, text=[profile["prompt"]] * 2, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits[:, -1]
    assert logits.isfinite().all()
    assert model.dtype == torch.float32
    weights = (folder / "model.safetensors").stat().st_size
    assert weights < 2.3 * sum(p.numel() for p in model.parameters()), "two bytes a weight"
    assert list(profile["answers"]) == list(ANSWERS)
    assert processor.tokenizer.unk_token_id not in processor.tokenizer.convert_tokens_to_ids(
        list(profile["answers"].values())
    )

    later = {"teacher": folder, "more": [data / "heads"], "seconds": 2.0}
    train_judge(TrainJudgeConfig.model_validate({**settings, **later}))
    second = torch.load(data / "out" / "checkpoint.pt", weights_only=True)["progress"]
    assert second[0] > first[0] >= 1
    assert second[1] >= 2.0
    assert len(read_shard(data / "out" / "pool" / "more-000.npz").keys) == 7


def _folders(data: Path) -> dict[str, object]:
    return dict.fromkeys(("heads", "scenes", "out"), data)


def test_the_shipped_settings_are_valid(data: Path) -> None:
    shipped = Path(__file__).parents[4] / "configs" / "train-judge.yaml"
    config = load_section(shipped, TrainJudgeConfig, _folders(data) | {"seconds": 60})
    assert config.seconds == 60
    assert config.batch > 1


def test_a_wrong_setting_is_named(data: Path) -> None:
    (data / "bad.yaml").write_text("batches: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.yaml: 1 wrong .*\n +batches: Extra inputs"):
        load_section(data / "bad.yaml", TrainJudgeConfig, _folders(data))


def test_a_missing_table_and_a_missing_column_are_named(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere/labels\.csv: No such file"):
        list(read_rows(data / "nowhere", "train"))
    (data / "heads" / "labels.csv").write_text("file,label\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.csv: no column source, split"):
        list(read_rows(data / "heads", "train"))
