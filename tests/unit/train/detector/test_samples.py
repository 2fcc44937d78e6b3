"""Scenes read from disk, and the samples that are made of them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch  # noqa: TID253  (training is torch)

from monitor.domain import Kind
from monitor.errors import ConfigError
from monitor.train.detector.augment import Augment, Material, SampleMaker
from monitor.train.detector.cover import cover, read_masks
from monitor.train.detector.degrade import degrade, recolour
from monitor.train.detector.feed import open_feed, to_batch
from monitor.train.detector.heads import collect_heads, load_heads, save_heads
from monitor.train.detector.lens import infrared, rain, through_lens
from monitor.train.detector.material import draw_calibration_sheets, load, prepare
from monitor.train.detector.scenes import KINDS, Scene, read_scenes
from monitor.train.detector.settings import Phase
from monitor.train.judge.faces import SIDE, Landmarks
from monitor.train.synthesis.innocent import Overlays
from tests.support.detector_scenes import RED, make_config, scene, street

PERSON, HEAD = KINDS.index(Kind.PERSON), KINDS.index(Kind.HEAD)
PLAIN = Augment(
    pasted=0, mosaic=0, close=0, covered_scenes=0, lens=0, infrared=0, rain=0, degraded=0
)


def of(*scenes: Scene) -> Material:
    """Material of one source."""
    return Material([(1.0, scenes)])


def test_scenes_are_read_with_their_boxes(folder: Path) -> None:
    first = read_scenes(folder)[0]
    assert first.name == "s00.png"
    assert first.boxes.tolist() == [[4, 4, 28, 64], [8, 6, 24, 26]]
    assert [KINDS[kind] for kind in first.classes] == [Kind.PERSON, Kind.HEAD]


def test_doubtful_boxes_faces_and_empty_pictures_are_read_from_another_table(
    folder: Path, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,kind,sure,x0,y0,x1,y1\n"
        "s01.png,head,1,8,10,16,20\ns01.png,person,0,0,0,48,96\ns01.png,face,1,10,12,15,19\n"
        "s02.png,,,,,,\n"
    )
    labelled, empty = read_scenes(folder, table, largest_px=48)
    assert labelled.pixels.shape == (48, 48, 3), "half as large, and so are its boxes"
    assert (labelled.boxes.tolist(), labelled.classes.tolist()) == ([[4, 5, 8, 10]], [HEAD])
    assert labelled.doubtful.tolist() == [[0, 0, 24, 48]]
    assert labelled.doubtful_classes.tolist() == [PERSON]
    assert labelled.faces.tolist() == [[5, 6, 7.5, 9.5]]
    assert (empty.name, len(empty.boxes), len(empty.doubtful)) == ("s02.png", 0, 0)


def test_some_of_the_pictures_are_read_evenly_spread(folder: Path) -> None:
    assert [one.name for one in read_scenes(folder, most=3)] == ["s00.png", "s04.png", "s08.png"]
    assert len(read_scenes(folder, most=50)) == 12


def test_a_picture_that_is_missing_is_named(folder: Path) -> None:
    (folder / "boxes.csv").write_text("file,kind,x0,y0,x1,y1\nz.png,face,1,2,3,4\n")
    with pytest.raises(ConfigError, match=r"z\.png: named in the table"):
        read_scenes(folder)


def test_a_source_without_pictures_to_train_on_is_named(folder: Path, tmp_path: Path) -> None:
    sources = [{"folder": folder, "never_train": ["s"]}]
    with pytest.raises(ConfigError, match="names no picture to train on"):
        load(make_config(folder, tmp_path / "out", sources=sources))


def test_sources_are_drawn_from_by_their_shares(folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("file,kind,x0,y0,x1,y1\ns00.png,person,4,4,28,64\n")
    other.write_text("file,kind,x0,y0,x1,y1\ns01.png,,,,,\n")
    sources = [
        {"folder": folder, "boxes": one, "share": 3.0},
        {"folder": folder, "boxes": other, "share": 1.0},
    ]
    maker = SampleMaker(load(make_config(folder, folder, sources=sources)), PLAIN, seed=0)
    shown = sum(len(maker.draw(32).boxes) > 0 for _ in range(200)) / 200
    assert 0.6 < shown < 0.9


def test_calibration_sheets_are_of_all_sources_in_the_size_of_the_last_phase(
    folder: Path, tmp_path: Path
) -> None:
    settings = make_config(
        folder,
        tmp_path / "out",
        sources=[{"folder": folder, "share": 2.0}, {"folder": folder, "never_train": ["s00"]}],
        phases=[{"until": 0.5, "input_px": 32}, {"until": 1, "input_px": 80}],
    )
    sheets = draw_calibration_sheets(settings, most=6)
    assert [sheet.shape for sheet in sheets] == [(96, 96, 3)] * 5, "4 of one, 2 less 1 of the other"


def test_boxes_move_with_what_they_are_drawn_around() -> None:
    maker = SampleMaker(of(scene("s", 3)), PLAIN, seed=1)
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
    one, other = (SampleMaker(of(*scenes), Augment(), seed=5) for _ in range(2))
    for _ in range(6):
        first, second = one.draw(48), other.draw(48)
        assert np.array_equal(first.pixels, second.pixels)
        assert np.array_equal(first.boxes, second.boxes)


def test_what_is_cut_off_becomes_doubtful_and_not_background() -> None:
    maker = SampleMaker(of(scene("s", 3)), PLAIN, seed=2)
    seen = [maker.draw(64) for _ in range(60)]
    assert sum(len(sample.doubtful) for sample in seen) > 0
    for sample in seen:
        for box in sample.doubtful.tolist():
            assert 0 <= box[0] < box[2] <= 64


def test_a_close_up_shows_a_head_as_large_as_wanted() -> None:
    close = replace(PLAIN, close=1, close_heads=(0.5, 0.5), crops=0)
    maker = SampleMaker(of(scene("s", 3)), close, seed=0)
    for _ in range(10):
        sample = maker.draw(96)
        heads = sample.boxes[sample.classes == HEAD]
        assert (heads[:, 3] - heads[:, 1]).tolist() == pytest.approx([48], abs=1)


def test_pasted_heads_hide_little_of_what_is_sure_and_their_bodies_are_doubtful() -> None:
    crop = Scene(
        "crop",
        np.full((160, 160, 3), (0, 255, 0), np.uint8),
        np.array([[40, 30, 120, 130]], np.float32),
        np.array([HEAD]),
    )
    pasting = replace(PLAIN, pasted=1, crops=0, scales=(1, 1), pasted_heads=(14, 20))
    maker = SampleMaker(Material([(1.0, [scene("s", 3)])], (), [crop]), pasting, seed=4)
    pasted = 0
    for _ in range(30):
        sample = maker.draw(128)
        heads = sample.boxes[sample.classes == HEAD]
        assert PERSON in sample.classes, "the person of the scene stays sure"
        if len(heads) > 1:
            pasted += len(heads) - 1
            assert PERSON in sample.doubtful_classes
    assert pasted > 20


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


def test_faces_of_a_scene_are_covered_in_samples_only() -> None:
    bare = replace(scene("s", 3), faces=np.array([[20, 20, 60, 70]], np.float32))
    before = bare.pixels.copy()
    covering = replace(PLAIN, covered_scenes=1)
    makers = [SampleMaker(of(bare), augment, seed=7) for augment in (PLAIN, covering)]
    plain, covered = ([maker.draw(96).pixels for _ in range(10)] for maker in makers)
    assert any(not np.array_equal(a, b) for a, b in zip(plain, covered, strict=True))
    assert np.array_equal(bare.pixels, before)


def test_a_face_too_small_to_cover_stays_as_it_is() -> None:
    pixels = street(1)
    cover(pixels, (10, 10, 18, 18), [], np.random.default_rng(0))
    assert np.array_equal(pixels, street(1))


def test_mask_pictures_without_transparency_are_left_out(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 8, 4), 200, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((8, 8, 3), 200, np.uint8))
    assert [mask.shape for mask in read_masks(tmp_path)] == [(8, 8, 4)]


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


def test_bad_light_and_bad_cameras_leave_the_picture_in_its_place() -> None:
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[:, 48:] = 200
    for seed in range(30):
        rng = np.random.default_rng(seed)
        seen = degrade(recolour(picture, rng), rng)
        assert seen.shape == picture.shape
        assert seen.dtype == np.uint8
        assert seen[:, 56:].mean() > seen[:, :40].mean() + 10
    assert np.array_equal(picture[:, :48], np.zeros((96, 48, 3))), "the original is not touched"


def test_head_crops_are_scenes_of_one_head_and_some_are_dressed(tmp_path: Path) -> None:
    rows = []
    for number, text in enumerate(["none"] * 8 + ["helmet", "unusable", "not_a_face"]):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), street(number, 120))
        rows.append((path, text, "somewhere"))

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
    assert len(heads) == 11 + len(dressed)
    assert [len(one.boxes) for one in heads[-2:]] == [0, 0]
    assert heads[-2].doubtful_classes.tolist() == [PERSON, HEAD], "too poor to say"
    assert heads[-1].doubtful_classes.tolist() == [PERSON]
    for one in heads[:-2]:
        left, top, right, bottom = one.boxes[0].tolist()
        assert 0 <= left < SIDE / 2 < right <= SIDE
        assert 0 <= top < SIDE / 2 < bottom <= SIDE
    save_heads(heads, tmp_path / "heads.pt")
    again = load_heads(tmp_path / "heads.pt")
    assert [one.name for one in again] == [one.name for one in heads]
    assert np.array_equal(again[0].pixels, heads[0].pixels)


def test_a_batch_is_pictures_with_boxes_as_centre_and_size() -> None:
    pixels = np.full((64, 64, 3), RED, np.uint8)
    whole = Scene("s", pixels, np.array([[16, 0, 48, 64]], np.float32), np.array([1]))
    exact = replace(PLAIN, scales=(1, 1))
    batch = to_batch(SampleMaker(of(whole), exact, seed=0), 64, 3)
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


@pytest.mark.slow
def test_batches_come_from_a_process_beside_as_well(folder: Path, tmp_path: Path) -> None:
    settings = make_config(folder, tmp_path / "out", drawer=True)
    prepare(settings)
    own_settings = make_config(folder, settings.out)
    with open_feed(settings, 3) as feed, open_feed(own_settings, 3) as own:
        for _ in range(3):
            theirs, ours = (f.batch(Phase(until=1, input_px=64)) for f in (feed, own))
            assert theirs["pixels"].shape == (2, 64, 64, 3)
            assert all(torch.equal(theirs[name], ours[name]) for name in ours)
