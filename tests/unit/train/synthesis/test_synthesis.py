"""Coverings drawn on faces: where they fall, and what they leave alone."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.demo.drawing import (
    LandmarkedFace,
    Rng,
    fill_polygon,
    make_ellipse,
    make_typical_points,
    mirror_polygon,
    round_corners,
    to_pixels,
)
from monitor.domain import ANSWERS, Pixels
from monitor.errors import ConfigError
from monitor.train.judge.words import SENTENCES, list_vocabulary, split_answer
from monitor.train.synthesis.cloth import draw_balaclava
from monitor.train.synthesis.dress import (
    KINDS,
    SHARES,
    add_second_covering,
    apply_night_vision,
    dress,
    make_contact_sheet,
    transplant_head,
)
from monitor.train.synthesis.hard import draw_hard_mask
from monitor.train.synthesis.held import choose_skin_tone, draw_glasses
from monitor.train.synthesis.helmet import draw_clear_shield, draw_hard_hat, draw_helmet
from monitor.train.synthesis.innocent import (
    Overlays,
    draw_band,
    draw_beard,
    draw_cloth_mask,
    draw_hat,
    draw_mask,
    load_overlays,
)
from monitor.train.synthesis.things import draw_hand_object
from monitor.train.synthesis.wrap import draw_hood, draw_scarf

SIDE = 160
NOTHING = Overlays([], [], [])
SKIN = (120, 150, 190)

Draw = Callable[[LandmarkedFace, Rng], tuple[Pixels, str]]


def face(turn: float = 0.0) -> LandmarkedFace:
    """An even face of skin colour, its nose off the middle by ``turn`` face units."""
    pixels = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    points = make_typical_points(SIDE, SIDE / 1.5)
    points[2, 0] += turn * (points[1, 0] - points[0, 0])
    return LandmarkedFace(pixels, points)


def changed(before: LandmarkedFace, after: Pixels, x: float, y: float) -> float:
    """How far the picture moved in the mean, in grey levels, in a spot in face units."""
    spot = fill_polygon(before, make_ellipse(x, y, 0.18, 0.12), 0.0) > 0.5
    gap = np.abs(after.astype(float) - before.pixels.astype(float))
    return float(gap[spot].mean())


def mean_change(draw: Draw, x: float, y: float) -> float:
    """The same over many drawings."""
    shown = face()
    seen = [changed(shown, draw(shown, np.random.default_rng(n))[0], x, y) for n in range(12)]
    return float(np.mean(seen))


NOSE, MOUTH, BROW, EYE = (0.0, 0.62), (0.0, 1.1), (0.0, -0.85), (0.5, 0.0)


@pytest.mark.parametrize(
    ("draw", "hidden", "free"),
    [
        pytest.param(draw_scarf, MOUTH, BROW, id="a scarf hides the mouth, not the brow"),
        pytest.param(draw_cloth_mask, MOUTH, BROW, id="a mask hides the mouth, not the brow"),
        pytest.param(draw_helmet, (0.0, -1.3), (2.1, 2.1), id="a helmet hides the crown"),
        pytest.param(
            draw_hard_mask, NOSE, (1.9, 1.9), id="a hard mask hides the nose, not the edge"
        ),
        pytest.param(draw_balaclava, BROW, EYE, id="a balaclava hides the brow, less so the eyes"),
        pytest.param(
            lambda f, r: draw_glasses(f, r, dark=True), EYE, MOUTH, id="dark glasses hide the eyes"
        ),
        pytest.param(draw_beard, (0.0, 1.7), EYE, id="a beard changes the chin, not the eyes"),
        pytest.param(
            lambda f, r: draw_hat(f, r, NOTHING), (0.0, -1.5), NOSE, id="a hat changes the crown"
        ),
    ],
)
def test_a_covering_falls_where_it_is_worn(
    draw: Draw, hidden: tuple[float, float], free: tuple[float, float]
) -> None:
    assert mean_change(draw, *hidden) > 30
    assert mean_change(draw, *free) < 0.5 * mean_change(draw, *hidden)


def test_clear_glasses_leave_the_eyes_to_see() -> None:
    dark = mean_change(lambda f, r: draw_glasses(f, r, dark=True), *EYE)
    assert mean_change(lambda f, r: draw_glasses(f, r, dark=False), *EYE) < 0.35 * dark


def test_a_hood_leaves_eyes_nose_and_mouth_free() -> None:
    assert (
        max(mean_change(lambda f, r: (draw_hood(f, r), ""), *at) for at in (EYE, NOSE, MOUTH)) < 12
    )


@pytest.mark.parametrize(
    "draw", [draw_hard_hat, draw_clear_shield], ids=lambda draw: str(draw.__name__)
)
def test_what_is_worn_at_work_leaves_the_face_to_see(draw: Draw) -> None:
    assert max(mean_change(draw, *at) for at in (EYE, NOSE, MOUTH)) < 15
    assert draw(face(), np.random.default_rng(0))[1].startswith("none")


@pytest.mark.parametrize("seed", range(12))
def test_a_helmet_lets_little_of_the_mouth_through(seed: int) -> None:
    shown, pale = face(), LandmarkedFace(np.full((SIDE, SIDE, 3), 250, np.uint8), face().points)
    first, second = (draw_helmet(f, np.random.default_rng(seed))[0] for f in (shown, pale))
    mouth = fill_polygon(shown, make_ellipse(*MOUTH, 0.18, 0.12), 0.0) > 0.5
    assert np.abs(first[mouth].astype(int) - second[mouth]).mean() < 60


def test_at_night_all_is_grey_and_the_noise_differs() -> None:
    rng = np.random.default_rng(4)
    seen = [apply_night_vision(face(), rng, eyes=True) for _ in range(4)]
    assert all((pixels == pixels[..., :1]).all() for pixels in seen)
    assert not np.array_equal(seen[0], seen[1])
    assert all(40 < pixels.mean() < 230 for pixels in seen)


def test_a_hand_before_a_thing_keeps_the_colour_of_the_face() -> None:
    shown = face()
    tones = [choose_skin_tone(shown, np.random.default_rng(seed)) for seed in range(9)]
    assert (
        np.abs(np.mean(tones, axis=0) / np.mean(tones) - np.array(SKIN) / np.mean(SKIN)).max() < 0.1
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_is_asked_for_is_drawn(kind: str) -> None:
    behind = np.full((SIDE, SIDE, 3), 90, np.uint8)
    dressed = dress(face(), behind, NOTHING, np.random.default_rng(2), kind)
    answer = {"hood": "none", "hard_hat": "none", "stocking": "balaclava"}.get(kind, kind)
    assert split_answer(dressed.key)[0] == answer


def test_hands_and_things_hide_a_good_part_of_the_face() -> None:
    inner = make_ellipse(0, 0.6, 0.95, 1.2)
    shown = face()
    area = fill_polygon(shown, inner, 0.0) > 0.5
    for seed in range(12):
        pixels, _ = draw_hand_object(shown, np.random.default_rng(seed))
        moved = np.abs(pixels.astype(int) - shown.pixels).max(axis=2) > 8
        assert moved[area].mean() > 0.2


@given(seed=st.integers(0, 10_000), turn=st.floats(-0.6, 0.6))
@settings(max_examples=40)
def test_every_drawing_has_an_answer_and_its_own_pixels(seed: int, turn: float) -> None:
    shown = face(turn)
    before = shown.pixels.copy()
    behind = np.full((SIDE, SIDE, 3), 90, np.uint8)
    dressed = dress(shown, behind, NOTHING, np.random.default_rng(seed))
    assert split_answer(dressed.key)[0] in ANSWERS
    assert dressed.face.pixels.shape == (SIDE, SIDE, 3)
    assert dressed.face.pixels.dtype == np.uint8
    assert np.array_equal(shown.pixels, before), "the clear face is drawn on again and again"


def test_equal_seeds_draw_equal_pictures() -> None:
    behind = np.full((SIDE, SIDE, 3), 90, np.uint8)
    first, second = (
        dress(face(), behind, NOTHING, np.random.default_rng(5)).face.pixels for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_every_kind_is_drawn_now_and_then() -> None:
    behind = np.full((SIDE, SIDE, 3), 90, np.uint8)
    rng = np.random.default_rng(1)
    keys = {dress(face(), behind, NOTHING, rng).key.partition("/")[0] for _ in range(150)}
    assert keys >= set(SHARES) - {"stocking"}


def test_face_units_follow_the_face() -> None:
    shown = face()
    eyes = to_pixels(shown, np.array([(-0.5, 0), (0.5, 0)], np.float32))
    assert eyes == pytest.approx(shown.points[:2], abs=0.6)
    quarter = np.array([[0, -1], [1, 0]], np.float32)
    lying = shown.points @ quarter + np.array([0, SIDE], np.float32)
    tilted = LandmarkedFace(shown.pixels, lying)
    mouth = to_pixels(tilted, np.array([(0.0, 1.0)], np.float32))[0]
    assert mouth == pytest.approx(tilted.points[3:].mean(axis=0), abs=7)


def test_turn_is_the_way_the_nose_points() -> None:
    assert face(0.3).turn == pytest.approx(0.3, abs=0.05)
    assert face(-0.3).turn == pytest.approx(-0.3, abs=0.05)
    assert face(5.0).turn == pytest.approx(0.6)


def test_a_smoothed_polygon_stays_inside_its_corners() -> None:
    corners = mirror_polygon([(0, -1), (1, -1), (1, 1), (0, 1)])
    rounded = round_corners(corners)
    assert len(rounded) == 8 * len(corners)
    assert np.abs(rounded).max() <= 1


def test_a_transplanted_head_is_smaller_and_before_the_background() -> None:
    behind = np.full((SIDE, SIDE, 3), 7, np.uint8)
    moved = transplant_head(face(), behind, np.random.default_rng(0))
    assert moved.unit_px < face().unit_px
    assert (moved.pixels[:8, :8] == 7).all()
    x, y = moved.points[2].astype(int)
    assert np.abs(moved.pixels[y, x].astype(int) - SKIN).max() < 12


def write_overlay(path: Path, channels: int) -> None:
    """A red picture, opaque in its lower right quarter where it has transparency."""
    picture = np.zeros((40, 60, channels), np.uint8)
    picture[..., 2] = 255
    if channels == 4:
        picture[20:, 30:, 3] = 255
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def test_overlays_are_cut_to_what_shows_and_pasted_over_mouth_and_nose(tmp_path: Path) -> None:
    write_overlay(tmp_path / "masks" / "plain.png", 4)
    overlays = load_overlays(tmp_path)
    assert [picture.shape for picture in overlays.masks] == [(20, 30, 4)]
    assert mean_change(lambda f, r: draw_mask(f, r, overlays), *MOUTH) > 30


def test_an_overlay_without_transparency_is_named(tmp_path: Path) -> None:
    write_overlay(tmp_path / "hats" / "flat.png", 3)
    with pytest.raises(ConfigError, match=r"flat\.png: not a picture with transparency"):
        load_overlays(tmp_path)


def test_a_folder_without_overlays_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no PNG in masks/, sunglasses/ or hats/"):
        load_overlays(tmp_path)


def test_some_masks_have_nearly_the_colour_of_the_skin() -> None:
    shown = face()
    seen = [
        changed(shown, draw_cloth_mask(shown, np.random.default_rng(n))[0], *MOUTH)
        for n in range(60)
    ]
    assert sum(gap < 30 for gap in seen) >= 6
    assert sum(gap > 80 for gap in seen) >= 20


def test_something_before_a_balaclava_hides_its_slot() -> None:
    assert mean_change(lambda f, r: (add_second_covering(f, r), ""), *EYE) > 30


def test_bands_stay_above_the_brow_or_beside_the_face() -> None:
    assert max(mean_change(draw_band, *at) for at in (EYE, NOSE, MOUTH)) < 8


def test_a_contact_sheet_has_a_tile_for_each_picture() -> None:
    sheet = make_contact_sheet([(face().pixels, "none")] * 5, columns=2)
    assert sheet.shape == (3 * 140, 2 * 128, 3)
    assert (sheet[10, 10] == SKIN).all()
    assert (sheet[300, 200] == 0).all()


def test_every_word_the_judge_writes_is_in_its_vocabulary() -> None:
    known = set(list_vocabulary())
    assert all(set(split_answer(key)) <= known for key in SENTENCES)
    assert {split_answer(key)[0] for key in SENTENCES} == set(ANSWERS)
    assert len(list_vocabulary()) == len(known)
