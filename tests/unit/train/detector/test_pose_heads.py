"""Head boxes from keypoints."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.errors import ConfigError
from monitor.train.detector.pose_heads import (
    BUNDLED,
    compute_features,
    fit_pose_heads,
    load_pose_heads,
    match_heads,
)

Floats = NDArray[np.float32]
# nose, eyes, ears and shoulders of a head whose box is 0..1 across and down
PLACES = np.array(
    [(0.5, 0.6), (0.6, 0.45), (0.4, 0.45), (0.85, 0.5), (0.15, 0.5), (1.4, 1.4), (-0.4, 1.4)],
    np.float32,
)


def make_people(count: int, seed: int) -> tuple[Floats, Floats]:
    """Poses (N, 17, 3) and their heads (N, 4): the more the nose is aside, the more hair there is.

    The head reaches further back than the keypoints say, as in profile.
    """
    rng = np.random.default_rng(seed)
    keypoints = np.zeros((count, 17, 3), np.float32)
    heads = np.zeros((count, 4), np.float32)
    for number in range(count):
        size, turned = rng.uniform(12, 120), rng.uniform(-1, 1)
        corner = rng.uniform(0, 500, 2)
        places = PLACES.copy()
        places[0, 0] += 0.25 * turned
        keypoints[number, :7, :2] = corner + places * size + rng.normal(0, 0.01 * size, (7, 2))
        keypoints[number, :7, 2] = rng.uniform(0.6, 1, 7)
        back = -0.5 * turned * size
        heads[number] = [
            corner[0] + min(back, 0),
            corner[1] - 0.2 * size,
            corner[0] + size + max(back, 0),
            corner[1] + size,
        ]
    return keypoints, heads


def compute_overlaps(boxes: Floats, others: Floats) -> Floats:
    """(N,) IoU of each pair."""
    corner, end = np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:])
    shared = np.clip(end - corner, 0, None).prod(axis=1)
    areas = [(one[:, 2:] - one[:, :2]).prod(axis=1) for one in (boxes, others)]
    ratio: Floats = shared / (areas[0] + areas[1] - shared)
    return ratio


def test_a_fit_learns_how_heads_lie_about_keypoints() -> None:
    keypoints, heads = make_people(300, seed=0)
    fitted = fit_pose_heads(list(zip(keypoints, heads, strict=True)))
    unseen, truth = make_people(100, seed=1)
    overlaps = compute_overlaps(fitted.predict(unseen), truth)
    assert overlaps.mean() > 0.85
    assert overlaps.mean() > compute_overlaps(load_pose_heads().predict(unseen), truth).mean()


def test_the_same_seed_fits_the_same_regression() -> None:
    keypoints, heads = make_people(20, seed=2)
    pairs = list(zip(keypoints, heads, strict=True))
    one, other = fit_pose_heads(pairs, seed=3), fit_pose_heads(pairs, seed=3)
    assert np.array_equal(one.predict(keypoints), other.predict(keypoints))


def test_what_is_saved_is_read_back_rounded(tmp_path: Path) -> None:
    keypoints, heads = make_people(30, seed=4)
    fitted = fit_pose_heads(list(zip(keypoints, heads, strict=True)))
    fitted.save(tmp_path / "heads.json")
    again = load_pose_heads(tmp_path / "heads.json")
    assert np.allclose(again.predict(keypoints), fitted.predict(keypoints), atol=0.1)


def test_the_regression_that_comes_with_the_program_is_small_and_finds_upright_heads() -> None:
    assert BUNDLED.stat().st_size < 60_000
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, :7, :2] = 100 + PLACES * 40
    keypoints[0, :7, 2] = 0.9
    (head,) = load_pose_heads().predict(keypoints)
    assert compute_overlaps(head[None], np.array([[100, 95, 140, 145]], np.float32))[0] > 0.6


def test_heads_move_with_their_poses_and_none_come_of_none() -> None:
    heads = load_pose_heads()
    keypoints, _ = make_people(10, seed=5)
    moved = keypoints.copy()
    moved[:, :, :2] += (50, -30)
    shift = heads.predict(moved) - heads.predict(keypoints)
    assert np.allclose(shift, [[50, -30, 50, -30]] * 10, atol=0.05)
    assert heads.predict(keypoints[:0]).shape == (0, 4)


def test_keypoints_that_are_not_seen_say_only_that() -> None:
    keypoints, _ = make_people(1, seed=6)
    keypoints[0, 3, 2] = 0.1
    features, _, _ = compute_features(keypoints)
    assert features.shape == (1, 31)
    assert features[0, 6:8].tolist() == [0, 0], "no place of the left ear"


def test_each_labelled_head_is_matched_with_the_surest_pose_whose_head_is_there() -> None:
    keypoints, heads = make_people(3, seed=7)
    keypoints[1, :, :2] = keypoints[0, :, :2]
    keypoints[2, :, :2] = keypoints[0, :, :2]
    scores = np.array([0.4, 0.9, 0.1], np.float32)
    pairs = match_heads(scores, keypoints, [heads[0].tolist(), [900, 900, 950, 950]])
    assert [(points is not None, head.tolist()) for points, head in pairs] == [
        (True, heads[0].tolist())
    ]
    assert np.array_equal(pairs[0][0], keypoints[1])
    assert match_heads(scores * 0.1, keypoints, [heads[0].tolist()]) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "missing"])
def test_a_broken_regression_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heads.json"
    if text != "missing":
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"heads\.json: not a regression"):
        load_pose_heads(path)


def test_a_regression_of_another_shape_is_refused(tmp_path: Path) -> None:
    content = json.loads(BUNDLED.read_text())
    content["layers"].pop()
    (tmp_path / "heads.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="not a regression"):
        load_pose_heads(tmp_path / "heads.json")
