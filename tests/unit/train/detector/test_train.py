"""Training of the embedded detector: its data, and a run of a few steps."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch  # noqa: TID253  (training is torch)
from monitor.train.detector.cutouts import Cutout, Props, collect
from monitor.train.detector.stage import compose

from monitor.detect.yolo import Yolo
from monitor.domain import Kind, Pixels
from monitor.errors import ConfigError
from monitor.train.detector.augment import Augment, Material, SampleMaker
from monitor.train.detector.cover import cover, read_masks
from monitor.train.detector.feed import to_batch
from monitor.train.detector.profile import write_profile
from monitor.train.detector.scenes import KINDS, Scene, read_scenes, split
from monitor.train.detector.settings import Phase, TrainDetectorConfig
from monitor.train.detector.train import _rate, train

NOTHING = Props([], [], [])
PLAIN = Augment(
    staged=0, mosaic=0, close=0, covered_scenes=0, lens=0, infrared=0, rain=0, degraded=0
)
RED = (0, 0, 255)


def street(seed: int, side: int = 96) -> Pixels:
    """A picture of coarse noise, different for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 120, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def scene(name: str, seed: int) -> Scene:
    """A red person with a face, somewhere in a street."""
    pixels = street(seed)
    left, top = (seed * 7) % 40 + 4, (seed * 5) % 20 + 4
    cv2.ellipse(pixels, (left + 12, top + 30), (11, 29), 0, 0, 360, RED, -1)
    boxes = [[left, top, left + 24, top + 60], [left + 4, top + 2, left + 20, top + 22]]
    return Scene(name, pixels, np.array(boxes, np.float32), np.array([0, 1], np.int64))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve scenes with their list."""
    lines = ["file,kind,labelled_by,x0,y0,x1,y1,score"]
    for number in range(12):
        one = scene(f"s{number:02}.png", number)
        cv2.imwrite(str(tmp_path / one.name), one.pixels)
        for box, kind in zip(one.boxes.tolist(), one.classes.tolist(), strict=True):
            lines.append(f"{one.name},{KINDS[kind]},human,{','.join(map(str, box))},1.0")
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    return tmp_path


def config(scenes: Path, out: Path, **changes: object) -> TrainDetectorConfig:
    settings = {
        "scenes": scenes,
        "out": out,
        "phases": [{"until": 1, "input_px": 64}],
        "pictures": 4,
        "batch": 2,
    }
    return TrainDetectorConfig.model_validate(settings | changes)


def test_scenes_are_read_with_their_boxes(folder: Path) -> None:
    first = read_scenes(folder)[0]
    assert first.name == "s00.png"
    assert first.boxes.tolist() == [[4, 4, 28, 64], [8, 6, 24, 26]]
    assert [KINDS[kind] for kind in first.classes] == [Kind.PERSON, Kind.HEAD]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,kind,x0,y0,x1\ns00.png,face,1,2,3\n", "needs the columns"),
        ("file,kind,x0,y0,x1,y1\ns00.png,cat,1,2,3,4\n", "needs the columns"),
        ("file,kind,x0,y0,x1,y1\nz.png,face,1,2,3,4\n", r"z\.png: named in boxes\.csv"),
    ],
)
def test_a_wrong_list_is_the_operators_mistake(folder: Path, text: str, complaint: str) -> None:
    (folder / "boxes.csv").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_scenes(folder)


def test_the_split_is_the_same_in_every_run_and_parts_everything() -> None:
    scenes = [scene(f"s{number}", number) for number in range(40)]
    train_side, held = split(scenes, 0.3)
    again, _ = split(scenes, 0.3)
    assert [one.name for one in train_side] == [one.name for one in again]
    assert {one.name for one in train_side} | {one.name for one in held} == {
        one.name for one in scenes
    }
    assert 4 <= len(held) <= 20


def test_copies_of_one_photograph_stay_on_one_side() -> None:
    """Held-out figures were too good: two sources shared photographs."""
    scenes = [scene(f"s{number}", number) for number in range(30)]
    copies = [Scene(f"copy of {one.name}", one.pixels, one.boxes, one.classes) for one in scenes]
    train_side, held = split([*scenes, *copies], 0.5)
    for side in (train_side, held):
        names = {one.name for one in side}
        assert {name.removeprefix("copy of ") for name in names} <= names


def test_some_sources_are_only_ever_measured_with() -> None:
    scenes = [scene(f"door-{number}", number) for number in range(5)]
    train_side, held = split(scenes, 0.0, ("door-",))
    assert (len(train_side), len(held)) == (0, 5)


def test_boxes_move_with_what_they_are_drawn_around() -> None:
    maker = SampleMaker(Material([scene("s", 3)], NOTHING), PLAIN, seed=1)
    seen = 0
    for _ in range(40):
        sample = maker.draw(64)
        for (left, top, right, bottom), kind in zip(
            sample.boxes.tolist(), sample.classes, strict=True
        ):
            assert 0 <= left < right <= 64
            assert 0 <= top < bottom <= 64
            if KINDS[kind] is Kind.PERSON and right - left > 8 and bottom - top > 8:
                x, y = int(left + right) // 2, int(top + bottom) // 2
                blue, green, red = sample.pixels[y, x].astype(int)
                assert blue == green == red or red > blue + 20, "the red person, unless grey"
                seen += red > blue + 20
    assert seen > 10


def test_the_same_seed_draws_the_same_samples() -> None:
    scenes = [scene(f"s{number}", number) for number in range(4)]
    one, other = (SampleMaker(Material(scenes, NOTHING), Augment(), seed=5) for _ in range(2))
    for _ in range(6):
        first, second = one.draw(48), other.draw(48)
        assert np.array_equal(first.pixels, second.pixels)
        assert np.array_equal(first.boxes, second.boxes)


def test_coverings_change_the_face_and_nothing_far_from_it() -> None:
    rng = np.random.default_rng(0)
    before = street(1, 200)
    changed = 0
    for _ in range(20):
        after = before.copy()
        cover(after, (80, 80, 120, 130), [], rng)
        touched = (before != after).any(axis=2)
        assert not touched[:, :58].any()
        assert not touched[:50].any()
        changed += touched[80:130, 80:120].mean() > 0.05
    assert changed == 20


def test_a_face_too_small_to_cover_stays_as_it_is() -> None:
    pixels = street(1)
    cover(pixels, (10, 10, 18, 18), [], np.random.default_rng(0))
    assert np.array_equal(pixels, street(1))


def test_mask_pictures_without_transparency_are_left_out(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 8, 4), 200, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((8, 8, 3), 200, np.uint8))
    assert [mask.shape for mask in read_masks(tmp_path)] == [(8, 8, 4)]


def test_a_staged_person_stands_in_its_box() -> None:
    red = np.full((60, 20, 3), RED, np.uint8)
    person = Cutout(red, np.ones((60, 20), np.float32), None, whole=True)
    props = Props([person], [np.full((40, 40, 3), 30, np.uint8)], [])
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(20):
        pixels, boxes, classes = compose(props, 128, rng)
        assert set(classes.tolist()) <= {0}
        for left, top, right, bottom in boxes.astype(int).tolist():
            middle = pixels[(top + bottom) // 2, left:right].astype(int)
            found += bool((middle[:, 2] > middle[:, 0] + 60).any())
    assert found > 20


def test_standing_people_are_cut_out_with_their_faces_and_kept_on_disk(tmp_path: Path) -> None:
    props = collect([scene(f"s{number}", number) for number in range(6)], [], seed=0)
    assert props.people
    assert all(person.face is not None for person in props.people)
    for person in props.people:
        assert (person.alpha > 0.5).mean() == pytest.approx(np.pi / 4, abs=0.08), "an oval"
    props.save(tmp_path / "props.pt")
    again = Props.load(tmp_path / "props.pt", [])
    assert len(again.walls) == len(props.walls)
    assert np.array_equal(again.people[0].pixels, props.people[0].pixels)


def test_a_batch_is_pictures_with_boxes_as_centre_and_size() -> None:
    pixels = np.full((64, 64, 3), RED, np.uint8)
    whole = Scene("s", pixels, np.array([[16, 0, 48, 64]], np.float32), np.array([1]))
    exact = replace(PLAIN, scales=(1, 1))
    batch = to_batch(SampleMaker(Material([whole], NOTHING), exact, seed=0), 64, 3)
    assert batch["pixels"].shape == (3, 64, 64, 3)
    middle = batch["pixels"][:, 32, 32]
    assert (middle[:, 2] >= middle[:, 0]).all()
    assert batch["batch_idx"].tolist() == [0, 1, 2]
    assert batch["cls"].tolist() == [1, 1, 1]
    x, y, wide, high = batch["bboxes"].T
    assert torch.allclose(x, torch.tensor(0.5), atol=0.1)
    assert torch.allclose(y, torch.tensor(0.5), atol=0.1)
    assert torch.allclose(wide, torch.tensor(0.5), atol=0.1)
    assert torch.allclose(high, torch.tensor(1.0), atol=0.15)


def test_the_learning_rate_rises_at_once_and_falls_to_almost_nothing() -> None:
    rates = [_rate(done) for done in (0.0, 0.03, 0.5, 1.0)]
    assert rates[0] < 0.1
    assert rates[1] == pytest.approx(1.0, abs=0.01)
    assert 0.4 < rates[2] < 0.6
    assert rates[3] == pytest.approx(0.01)


@pytest.mark.slow
def test_training_leaves_weights_that_the_run_time_loads(folder: Path, tmp_path: Path) -> None:
    weights = train(config(folder, tmp_path / "out"))
    assert weights.stat().st_size < 6_000_000
    detector = Yolo(weights, input_px=64, min_scores={Kind.PERSON: 0.0, Kind.HEAD: 0.0})
    assert detector.detect([]) == []
    names = torch.load(weights, weights_only=False)["model"].names
    assert names == {0: "person", 1: "face"}


def test_what_was_held_out_lies_ready_to_be_measured_with(folder: Path, tmp_path: Path) -> None:
    train(config(folder, tmp_path / "out", held_out=0.4, never_train=["s03"]))
    kept = {one.name for one in read_scenes(tmp_path / "out" / "held-out")}
    trained_on, held = split(read_scenes(folder), 0.4, ("s03",))
    assert kept == {one.name for one in held} - {"s03.png"}
    assert not kept & {one.name for one in trained_on}


def test_the_profile_says_what_the_program_reads(tmp_path: Path) -> None:
    scores = {Kind.PERSON: 0.35, Kind.HEAD: 0.3}
    path = write_profile(tmp_path / "a.pt", scores, input_px=416, version="7")
    assert json.loads(path.read_text()) == {
        "name": "a",
        "version": "7",
        "weights": "a.pt",
        "input_px": 416,
        "min_scores": {"person": 0.35, "face": 0.3},
    }


@pytest.mark.slow
def test_a_second_run_goes_on_where_the_first_stopped(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train(config(folder, tmp_path / "out"))
    train(config(folder, tmp_path / "out", pictures=8))
    assert "resuming after 4 pictures" in caplog.text
    state = torch.load(tmp_path / "out" / "state.pt", weights_only=True)
    assert state["progress"][0] == 8


@pytest.mark.slow
def test_the_same_seed_trains_the_same_weights(folder: Path, tmp_path: Path) -> None:
    states = []
    for name in ("one", "other"):
        train(config(folder, tmp_path / name))
        states.append(torch.load(tmp_path / name / "state.pt", weights_only=True)["average"])
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_the_time_limit_ends_a_training_that_would_go_on(folder: Path, tmp_path: Path) -> None:
    weights = train(config(folder, tmp_path / "out", pictures=10**9, time_limit_s=1.0))
    assert weights.exists()


def test_phases_follow_one_another() -> None:
    phases = (Phase(until=0.5, input_px=64), Phase(until=1, input_px=96))
    made = config(Path("in"), Path("out"), phases=phases)
    assert [phase.input_px for phase in made.phases] == [64, 96]
