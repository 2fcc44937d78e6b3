"""Heads in balaclavas that look aside."""

import numpy as np
import pytest

from monitor.demo.drawing import LandmarkedFace, make_typical_points
from monitor.domain import Pixels
from monitor.train.judge.words import SENTENCES
from monitor.train.synthesis.dress import dress
from monitor.train.synthesis.innocent import Overlays
from monitor.train.synthesis.turned import draw_turned_balaclava

SIDE = 160
GREEN = np.full((SIDE, SIDE, 3), (0, 255, 0), np.uint8)  # neither wall nor cloth


def skin() -> LandmarkedFace:
    """An even face of a colour that no cloth has."""
    pixels = np.full((SIDE, SIDE, 3), (90, 90, 255), np.uint8)
    return LandmarkedFace(pixels, make_typical_points(SIDE, SIDE / 1.5))


def seen(pixels: Pixels) -> float:
    """The share of a picture in which the skin is to be seen."""
    blue, green, red = (pixels[..., i].astype(int) for i in range(3))
    return float(((red > 2 * blue + 5) & (red > 2 * green + 5)).mean())


def test_a_turned_head_shows_a_little_skin_and_its_landmarks_lie_in_the_picture() -> None:
    drawn = [draw_turned_balaclava(skin(), GREEN, np.random.default_rng(n)) for n in range(40)]
    heads = [head for head in drawn if head is not None]
    assert len(heads) > 30
    for face, key in heads:
        assert key in SENTENCES
        assert face.pixels.shape == (SIDE, SIDE, 3)
        assert ((face.points > 0) & (face.points < SIDE)).all()
    assert np.mean([0.004 < seen(face.pixels) < 0.3 for face, _ in heads]) > 0.7


def test_heads_look_to_both_sides_and_many_far_aside() -> None:
    drawn = [draw_turned_balaclava(skin(), GREEN, np.random.default_rng(n)) for n in range(60)]
    turns = [head[0].turn for head in drawn if head is not None]
    assert min(turns) < -0.3
    assert max(turns) > 0.3


def test_equal_seeds_draw_equal_heads() -> None:
    first, second = (
        draw_turned_balaclava(skin(), GREEN, np.random.default_rng(7)) for _ in range(2)
    )
    assert first is not None
    assert second is not None
    assert np.array_equal(first[0].pixels, second[0].pixels)


@pytest.mark.parametrize("seed", range(4))
def test_dressing_in_a_balaclava_is_a_balaclava_however_it_is_drawn(seed: int) -> None:
    nothing = Overlays([], [], [])
    dressed = dress(skin(), GREEN, nothing, np.random.default_rng(seed), "balaclava")
    assert dressed.key.startswith("balaclava")
