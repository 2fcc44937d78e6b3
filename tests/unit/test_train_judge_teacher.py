"""An earlier judge as the start and the teacher of the next one."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch  # noqa: TID253  (the tests of the training need what the training needs)

from monitor.errors import ConfigError
from monitor.train.judge_data import Pool
from monitor.train.judge_faces import SIDE, Sample
from monitor.train.judge_model import Shape, build_model, build_processor, save_weights
from monitor.train.judge_natural import WIDE, Teacher, natural_samples
from monitor.train.judge_pool import write_shard
from monitor.train.judge_shares import OTHER, SHARES, share_of
from monitor.train.judge_start import take_over
from monitor.train.judge_stream import stream
from monitor.train.judge_words import ANSWERS

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

    def probabilities(self, views: list[np.ndarray]) -> np.ndarray:
        """All of it on one answer, in as many rows as the model gives."""
        shares = super().probabilities(views)
        return np.eye(len(ANSWERS))[[ANSWERS.index(self._answer)] * len(shares)]


def test_what_fits_is_taken_over_and_the_rest_is_left(judge: Path) -> None:
    wider = Shape(crop_px=32, widths=(8, 24), depths=(1, 1), text_width=32)
    model = build_model(wider, build_processor(wider).tokenizer)
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    taken = take_over(model, judge)
    after = model.state_dict()
    first = "model.vision_tower.encoder.stages.0.layers.0.layer.0.convolution.weight"
    assert not torch.equal(before[first], after[first])
    last = "model.vision_tower.encoder.stages.1.layers.0.layer.0.convolution.weight"
    assert torch.equal(before[last], after[last])
    assert 0 < taken < len(after)


def test_a_folder_without_a_judge_is_named(tmp_path: Path) -> None:
    model = build_model(TINY, build_processor(TINY).tokenizer)
    with pytest.raises(ConfigError, match="nothing-here: no judge to start from"):
        take_over(model, tmp_path / "nothing-here")


def test_a_teacher_gives_probabilities(judge: Path) -> None:
    views = [np.full((50, 50, 3), grey, np.uint8) for grey in (20, 200)]
    shares = Teacher(judge).probabilities(views)
    assert shares.shape == (2, len(ANSWERS))
    assert shares.sum(axis=1) == pytest.approx([1, 1])
    assert not np.allclose(shares[0], shares[1])


def test_a_face_the_teacher_is_sure_of_is_kept_in_a_wide_view(judge: Path, scenes: Path) -> None:
    (kept,) = natural_samples(scenes, SureOf(judge, "mask"))
    assert (kept.key, kept.source) == ("mask", "natural")
    assert kept.face_px == pytest.approx(SIDE / WIDE)
    assert kept.pixels[SIDE // 2, SIDE // 2].tolist() == [200, 220, 240]
    assert kept.pixels[4, 4].tolist() == [90, 90, 90]


def test_a_face_named_doubtfully_or_by_what_a_teacher_knows_badly_is_left_out(
    judge: Path, scenes: Path
) -> None:
    assert list(natural_samples(scenes, Teacher(judge))) == []
    assert list(natural_samples(scenes, SureOf(judge, "helmet"))) == []


def test_a_source_that_is_in_no_table_is_seen_but_its_few_pictures_not_all_the_time() -> None:
    assert share_of(("weapons", "none"), 3) == SHARES["weapons", "none"]
    assert share_of(("our shop", "none"), 5000) == OTHER
    assert share_of(("our shop", "helmet"), 5) == pytest.approx(OTHER / 20)


def test_another_process_makes_the_batches(tmp_path: Path) -> None:
    pixels = np.full((SIDE, SIDE, 3), 100, np.uint8)
    sample = Sample(pixels, (SIDE / 2, SIDE / 2), SIDE / 1.5, "mask", "natural")
    write_shard(tmp_path / "natural", [sample] * 3)
    batches = stream(Pool(tmp_path), 4, 32, (1, 2))
    (first, keys), (second, _) = next(batches), next(batches)
    assert (first.shape, keys) == ((4, 32, 32, 3), ["mask"] * 4)
    assert not np.array_equal(first, second)
