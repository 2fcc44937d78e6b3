"""Boxes through lenses, in doubt, close up, and as several looks of teachers agree on them."""

from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253  (training is torch)
from monitor.train.detector.cutouts import Props

from monitor.domain import Kind
from monitor.errors import ConfigError
from monitor.train.detector.augment import Augment, Material, SampleMaker
from monitor.train.detector.feed import open_feed
from monitor.train.detector.heads import collect_heads
from monitor.train.detector.lens import infrared, rain, through_lens
from monitor.train.detector.loss import Spared, spared_anchors
from monitor.train.detector.material import prepare
from monitor.train.detector.scenes import KINDS, Scene
from monitor.train.detector.settings import Phase
from monitor.train.detector.teachers import _agreed, open_teachers, with_labels, write_labels
from monitor.train.judge.faces import SIDE, Landmarks
from monitor.train.synthesis.innocent import Overlays
from tests.unit.train.detector.test_train import PLAIN, config, folder, scene, street

__all__ = ["folder"]
PERSON, FACE = KINDS.index(Kind.PERSON), KINDS.index(Kind.HEAD)


def look(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 5)


def test_boxes_follow_what_a_lens_moves() -> None:
    rng = np.random.default_rng(4)
    for _ in range(25):
        pixels = np.zeros((200, 200, 3), np.uint8)
        left, top = (int(v) for v in rng.integers(70, 100, 2))
        y, x = np.mgrid[:200, :200] + 0.5
        oval = ((x - left - 15) / 15) ** 2 + ((y - top - 25) / 25) ** 2 <= 1
        pixels[oval] = 255
        seen, boxes = through_lens(pixels, np.array([[left, top, left + 30, top + 50.0]]), rng)
        white = seen[..., 0] > 180
        rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
        truth = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert np.abs(boxes[0] - truth).max() < 4


def test_infrared_is_grey_and_rain_blurs_only_places() -> None:
    rng = np.random.default_rng(1)
    seen = infrared(street(2), np.array([[10, 10, 40, 90.0]], np.float32), rng)
    assert (seen[..., 0] == seen[..., 2]).all()
    noise = rng.integers(0, 255, (96, 96, 3)).astype(np.uint8)
    changed = (np.abs(rain(noise, rng).astype(int) - noise) > 20).any(axis=2).mean()
    assert 0 < changed < 0.9


def test_two_looks_that_agree_make_a_box_and_one_that_half_believes_makes_a_doubt() -> None:
    first = look((0, 0, 10, 20, 0.4), (50, 50, 60, 70, 0.35), (80, 0, 90, 20, 0.9))
    second = look((1, 0, 11, 20, 0.4))
    sure, doubtful = _agreed([first, second, look()], PERSON)
    assert sure.round(3).tolist() == [[80, 0, 90, 20], [0.5, 0, 10.5, 20]]
    assert doubtful.tolist() == [[50, 50, 60, 70]]


def test_labels_are_kept_and_scenes_without_any_keep_their_own(tmp_path: Path) -> None:
    one, other = scene("a,b.png", 1), scene("c.png", 2)
    better = Scene(
        one.name,
        one.pixels,
        np.array([[1, 2, 3, 4.5]], np.float32),
        np.array([FACE]),
        np.array([[5, 6, 7, 8]], np.float32),
        np.array([PERSON]),
    )
    write_labels([better], tmp_path / "labels.csv")
    labelled, same = with_labels([one, other], tmp_path / "labels.csv")
    assert labelled.boxes.tolist() == [[1, 2, 3, 4.5]]
    assert (labelled.classes.tolist(), labelled.doubtful_classes.tolist()) == ([FACE], [PERSON])
    assert labelled.doubtful.tolist() == [[5, 6, 7, 8]]
    assert same is other


def test_teachers_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="yunet_n_dynamic"):
        open_teachers(tmp_path)


def test_nothing_is_learnt_where_the_labels_are_in_doubt() -> None:
    mask = spared_anchors([(1, FACE, [0, 0, 32, 64])], pictures=2, side=64, classes=2)
    assert mask.shape == (2, 64 + 16 + 4, 2)
    assert not mask[0].any()
    assert not mask[1, :, PERSON].any()
    fine = mask[1, :64, FACE].view(8, 8)
    assert fine[:, :4].all()
    assert not fine[:, 4:].any()
    assert mask[1, 80:, FACE].tolist() == [True, False, True, False]
    loss = Spared()
    loss.spared = mask
    scores, targets = torch.ones(2, 84, 2), torch.zeros(2, 84, 2)
    targets[1, 0, FACE] = 0.7
    losses = loss(scores, targets)
    assert losses[0].min() > 1
    assert losses[1, 0, FACE] > 0, "what is asked for is always learnt"
    assert losses[1, 1, FACE] == 0


def test_what_is_cut_off_becomes_doubtful_and_not_background() -> None:
    maker = SampleMaker(Material([scene("s", 3)], Props([], [], [])), PLAIN, seed=2)
    seen = [maker.draw(64) for _ in range(60)]
    assert sum(len(sample.doubtful) for sample in seen) > 0
    for sample in seen:
        for box in sample.doubtful.tolist():
            assert 0 <= box[0] < box[2] <= 64


def test_a_close_up_shows_a_face_as_large_as_wanted() -> None:
    close = Augment(
        staged=0, mosaic=0, close=1, covered_scenes=0, lens=0, close_faces=(0.5, 0.5), heads=0
    )
    maker = SampleMaker(Material([scene("s", 3)], Props([], [], [])), close, seed=0)
    for _ in range(10):
        sample = maker.draw(96)
        faces = sample.boxes[sample.classes == FACE]
        assert (faces[:, 3] - faces[:, 1]).tolist() == pytest.approx([48], abs=1)


def test_head_crops_are_scenes_of_one_face_and_some_are_dressed(tmp_path: Path) -> None:
    import cv2  # noqa: PLC0415  (only to write the pictures)

    rows = []
    for number, label in enumerate(["none"] * 8 + ["away", "not_a_face"]):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), street(number, 120))
        rows.append((path, label, "somewhere"))

    class Found(Landmarks):
        """Takes every face for found where it is assumed."""

        def find_face(self, pixels: np.ndarray) -> tuple:  # type: ignore[type-arg]
            face, size, _ = super().find_face(pixels)
            return face, size, True

    heads = collect_heads(
        rows, Found(None), Overlays([], [], []), [street(1, SIDE)], np.random.default_rng(0)
    )
    dressed = [one for one in heads if "dressed" in one.name]
    assert 1 <= len(dressed) <= 7
    assert len(heads) == 10 + len(dressed)
    assert [len(one.boxes) for one in heads[-2:]] == [0, 0]
    assert heads[-2].doubtful_classes.tolist() == [PERSON, FACE], "turned away"
    assert heads[-1].doubtful_classes.tolist() == [PERSON]
    for one in heads[:-2]:
        left, top, right, bottom = one.boxes[0].tolist()
        assert 0 <= left < SIDE / 2 < right <= SIDE
        assert 0 <= top < SIDE / 2 < bottom <= SIDE


@pytest.mark.slow
def test_batches_come_from_a_process_beside_as_well(folder: Path, tmp_path: Path) -> None:
    settings = config(folder, tmp_path / "out", drawer=True)
    prepare(settings)
    with open_feed(settings, 3) as feed, open_feed(config(folder, settings.out), 3) as own:
        for _ in range(3):
            theirs, ours = (f.batch(Phase(until=1, input_px=64)) for f in (feed, own))
            assert theirs["pixels"].shape == (2, 64, 64, 3)
            assert all(torch.equal(theirs[name], ours[name]) for name in ours)
