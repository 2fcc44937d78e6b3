"""An earlier judge as the start and the teacher of the next one."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch  # noqa: TID253  (the tests of the training need what the training needs)

from monitor.domain import ANSWERS
from monitor.errors import ConfigError
from monitor.train.judge.data import OTHER_SHARE, SHARES, Pool, get_share
from monitor.train.judge.faces import SIDE, HeadSample
from monitor.train.judge.loss import Targets
from monitor.train.judge.model import Shape, build_model, build_processor, save_weights
from monitor.train.judge.natural import WIDE, Teacher, find_natural_faces
from monitor.train.judge.pool import write_shard
from monitor.train.judge.stream import stream_batches
from monitor.train.judge.teacher import EnsembleFiles, TeacherRun, build_teacher, train_teacher
from monitor.train.judge.train import copy_tower, copy_weights

TINY = Shape(crop_px=32, widths=(8, 16), depths=(1, 1), text_width=32)


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    """A judge that has learned nothing, saved as the training saves it."""
    processor = build_processor(TINY)
    folder = tmp_path / "judge"
    save_weights(build_model(TINY, processor.tokenizer), folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """One picture with a face of 40 pixels and one too small to name."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    picture = np.full((200, 200, 3), 90, np.uint8)
    cv2.circle(picture, (100, 100), 20, (200, 220, 240), -1)
    cv2.imwrite(str(folder / "a.png"), picture)
    boxes = "file,kind,x0,y0,x1,y1\na.png,face,80,80,120,120\na.png,face,5,5,15,15\n"
    (folder / "boxes.csv").write_text(boxes, encoding="utf-8")
    return folder


class SureOf(Teacher):
    """Answers the same for every view."""

    def __init__(self, judge: Path, answer: str) -> None:
        super().__init__(judge)
        self._answer = answer

    def compute_probabilities(self, views: list[np.ndarray]) -> np.ndarray:
        """All of it on one answer, in as many rows as the model gives."""
        shares = super().compute_probabilities(views)
        return np.eye(len(ANSWERS))[[ANSWERS.index(self._answer)] * len(shares)]


def test_what_fits_is_taken_over_and_the_rest_is_left(judge: Path) -> None:
    wider = Shape(crop_px=32, widths=(8, 24), depths=(1, 1), text_width=32)
    model = build_model(wider, build_processor(wider).tokenizer)
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    taken = copy_weights(model, judge)
    after = model.state_dict()
    first = "model.vision_tower.encoder.stages.0.layers.0.layer.0.convolution.weight"
    assert not torch.equal(before[first], after[first])
    last = "model.vision_tower.encoder.stages.1.layers.0.layer.0.convolution.weight"
    assert torch.equal(before[last], after[last])
    assert 0 < taken < len(after)


def test_a_folder_without_a_judge_is_named(tmp_path: Path) -> None:
    model = build_model(TINY, build_processor(TINY).tokenizer)
    with pytest.raises(ConfigError, match="nothing-here: no judge to start from"):
        copy_weights(model, tmp_path / "nothing-here")


def test_a_teacher_gives_probabilities(judge: Path) -> None:
    views = [np.full((50, 50, 3), grey, np.uint8) for grey in (20, 200)]
    shares = Teacher(judge).compute_probabilities(views)
    assert shares.shape == (2, len(ANSWERS))
    assert shares.sum(axis=1) == pytest.approx([1, 1])
    assert not np.allclose(shares[0], shares[1])


def test_a_face_the_teacher_is_sure_of_is_kept_in_a_wide_view(judge: Path, scenes: Path) -> None:
    (kept,) = find_natural_faces(scenes, SureOf(judge, "mask"))
    assert (kept.key, kept.source) == ("mask", "natural")
    assert kept.face_px == pytest.approx(SIDE / WIDE)
    assert kept.pixels[SIDE // 2, SIDE // 2].tolist() == [200, 220, 240]
    assert kept.pixels[4, 4].tolist() == [90, 90, 90]


def test_a_face_named_doubtfully_or_by_what_a_teacher_knows_badly_is_left_out(
    judge: Path, scenes: Path
) -> None:
    assert list(find_natural_faces(scenes, Teacher(judge))) == []
    assert list(find_natural_faces(scenes, SureOf(judge, "helmet"))) == []


def test_a_source_that_is_in_no_table_is_seen_but_its_few_pictures_not_all_the_time() -> None:
    assert get_share(("weapons", "none"), 3) == SHARES["weapons", "none"]
    assert get_share(("our shop", "none"), 5000) == OTHER_SHARE
    assert get_share(("our shop", "helmet"), 5) == pytest.approx(OTHER_SHARE / 20)


@pytest.mark.slow
def test_another_process_makes_the_batches(tmp_path: Path) -> None:
    pixels = np.full((SIDE, SIDE, 3), 100, np.uint8)
    sample = HeadSample(pixels, (SIDE / 2, SIDE / 2), SIDE / 1.5, "mask", "natural")
    write_shard(tmp_path / "natural", [sample] * 3)
    batches = stream_batches(Pool(tmp_path), 4, 32, (1, 2))
    (first, keys, said), (second, _, _) = next(batches), next(batches)
    assert (first.shape, keys, said) == ((4, 32, 32, 3), ["mask"] * 4, None)
    assert not np.array_equal(first, second)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """Dark masks and bright clear faces."""
    samples = [
        HeadSample(np.full((SIDE, SIDE, 3), grey, np.uint8), (80, 80), 100, key, source)
        for grey, key, source in ((30, "mask", "andrewmvd"), (220, "none", "utkface"))
    ]
    (tmp_path / "pool").mkdir()
    write_shard(tmp_path / "pool" / "real", samples)
    return Pool(tmp_path / "pool")


@pytest.mark.slow
def test_a_convolutional_teacher_is_trained_and_asked_together_with_an_earlier_judge(
    tmp_path: Path, pool: Pool, judge: Path
) -> None:
    weights = train_teacher(pool, tmp_path / "teacher.pt", TeacherRun(4.0, 32, seed=1))
    alone, both = EnsembleFiles(weights, None).load(), EnsembleFiles(weights, judge).load()
    crops = np.stack([np.full((32, 32, 3), grey, np.uint8) for grey in (30, 220)])
    shares = alone.predict(crops)
    assert shares.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert shares[0, ANSWERS.index("mask")] > shares[1, ANSWERS.index("mask")]
    assert not np.allclose(shares, both.predict(crops))


def test_the_teachers_are_believed_less_where_they_call_a_face_clear(tmp_path: Path) -> None:
    weights = tmp_path / "teacher.pt"
    torch.save(build_teacher().state_dict(), weights)
    crops = np.full((1, 32, 32, 3), 120, np.uint8)
    plain, shifted = (
        EnsembleFiles(weights, None, shift).load().predict(crops)[0] for shift in (0.0, 1.0)
    )
    clear = ANSWERS.index("none")
    others = np.arange(len(ANSWERS)) != clear
    expected = plain[clear] / plain[others].sum() * np.exp(-1.0)
    assert shifted[clear] / shifted[others].sum() == pytest.approx(expected, rel=1e-4)
    assert shifted.sum() == pytest.approx(1, abs=1e-5)


def test_the_teachers_layers_become_the_judges_tower(tmp_path: Path) -> None:
    teacher = build_teacher().eval()
    torch.save(teacher.state_dict(), tmp_path / "teacher.pt")
    shape = Shape(crop_px=64, text_width=32, tower="efficient")
    model = build_model(shape, build_processor(shape).tokenizer).eval()
    copy_tower(model, tmp_path / "teacher.pt")
    crops = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        seen = model.model.vision_tower(crops, return_dict=True).last_hidden_state
        expected = teacher.extract_features(crops / 2)
    assert seen.shape == (2, shape.map_width, shape.map_side, shape.map_side)
    assert expected.abs().max() > 0.1
    assert torch.allclose(seen, expected, atol=1e-4)


def test_other_weights_are_no_tower(tmp_path: Path) -> None:
    torch.save({"layer": torch.zeros(2)}, tmp_path / "teacher.pt")
    shape = Shape(crop_px=32, text_width=32, tower="efficient")
    model = build_model(shape, build_processor(shape).tokenizer)
    with pytest.raises(ConfigError, match="not the weights of an EfficientNet-lite0"):
        copy_tower(model, tmp_path / "teacher.pt")


@pytest.mark.slow
def test_what_the_teachers_say_comes_with_the_batch(tmp_path: Path, pool: Pool) -> None:
    torch.save(build_teacher().state_dict(), tmp_path / "teacher.pt")
    batches = stream_batches(pool, 3, 32, (1, 2), EnsembleFiles(tmp_path / "teacher.pt", None))
    pixels, _, said = next(batches)
    assert said is not None
    again = EnsembleFiles(tmp_path / "teacher.pt", None).load().predict(pixels)
    assert said == pytest.approx(again, abs=1e-4)


def test_teachers_are_believed_but_for_what_was_only_ever_drawn() -> None:
    tokenizer = build_processor(TINY).tokenizer
    targets = Targets(tokenizer)
    logits = torch.zeros(1, len(tokenizer))
    logits[0, tokenizer.convert_tokens_to_ids("mask")] = 4.0
    said = np.eye(len(ANSWERS), dtype=np.float32)[[ANSWERS.index("mask")]]
    assert 0 < float(targets.compute_taught_loss(logits, ["none"], said)) < 0.5
    assert float(targets.compute_taught_loss(-logits, ["none"], said)) > 4.0
    assert float(targets.compute_taught_loss(-logits, ["balaclava/knit"], said)) == 0.0


def test_a_teacher_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ConfigError, match=r"pip install 'monitor\[train\]'"):
        build_teacher()
