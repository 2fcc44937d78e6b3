"""Hard masks over faces."""

import numpy as np

from monitor.demo.drawing import (
    Floats,
    LandmarkedFace,
    Rng,
    blend_layer,
    blur,
    darken,
    draw_line,
    fill_polygon,
    happens,
    make_ellipse,
    mirror_polygon,
    round_corners,
)
from monitor.domain import Pixels
from monitor.train.synthesis.cloth import choose_cloth_colour, compute_light

_BLACK = np.array((8, 8, 8), np.float32)


def draw_shell(face: LandmarkedFace, rng: Rng, colour: Floats) -> Floats:
    """(S, S, 3) smooth plastic of one colour with a highlight."""
    lit = compute_light(face, rng, hard=True) ** 0.8
    layer = colour * lit[..., None]
    spot = make_ellipse(rng.uniform(-0.8, 0.8), rng.uniform(-1.1, 0.3), 0.25, 0.15)
    shine = fill_polygon(face, spot, 0.12)
    return np.asarray(layer + rng.uniform(0, 110) * shine[..., None], dtype=np.float32)


def _make_mask_shape(face: LandmarkedFace, rng: Rng) -> Floats:
    """The outline of a mask that covers the face from brow to chin, in face units."""
    wide, top = rng.uniform(1.0, 1.3), rng.uniform(-1.2, -0.6)
    low = rng.uniform(1.8, 2.15)
    half = [
        (0.0, top),
        (wide * 0.7, top + 0.1),
        (wide, -0.1),
        (wide * 0.92, 0.9),
        (0.55, low - 0.1),
    ]
    return round_corners(mirror_polygon([*half, (0.0, low)], -0.1 * face.turn))


def draw_hard_mask(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A face behind a hockey, clown, skull, gas or plain plastic mask, and its answer."""
    kind = rng.choice(
        ["hockey", "clown", "skull", "plain", "gas"], p=[0.22, 0.22, 0.18, 0.26, 0.12]
    )
    if kind == "gas":
        return _draw_gas_mask(face, rng), "hard_mask"
    kind = rng.choice(["hockey", "clown", "skull", "plain"], p=[0.25, 0.25, 0.2, 0.3])
    pale = rng.uniform(150, 250) + rng.normal(0, 12, 3)
    coloured = kind == "plain" and happens(rng, 0.55)
    colour = choose_cloth_colour(rng, 0.3) + 20 if coloured else pale.astype(np.float32)
    area = fill_polygon(face, _make_mask_shape(face, rng), 0.02)
    layer = draw_shell(face, rng, np.asarray(colour, np.float32))
    layer = _PAINT[str(kind)](face, rng, layer)
    rx, ry = rng.uniform(0.2, 0.36), rng.uniform(0.1, 0.26)
    eyes = [
        fill_polygon(face, make_ellipse(s * 0.5 + 0.15 * face.turn, 0, rx, ry), 0.03)
        for s in (-1, 1)
    ]
    free = np.maximum(*eyes) * (happens(rng, 0.85))  # else painted eyes
    pixels = darken(face.pixels, blur(area, 0.12 * face.unit_px), rng.uniform(0.2, 0.8))
    pixels = blend_layer(pixels, layer, area * (1 - free))
    return pixels, {"hockey": "hard_mask/hockey", "plain": "hard_mask"}.get(
        kind, "hard_mask/painted"
    )


def _draw_hockey(face: LandmarkedFace, rng: Rng, layer: Floats) -> Floats:
    """Rows of holes, red chevrons."""
    step = rng.uniform(0.24, 0.36)
    for y in np.arange(-0.9, 2.0, step):
        for x in np.arange(-1.0, 1.01, step):
            hole = fill_polygon(face, make_ellipse(x, y, 0.05, 0.05), 0.0)
            layer = layer + (_BLACK - layer) * hole[..., None]
    red = np.array((40, 30, 170), np.float32)
    for x in (-0.6, 0.0, 0.6):
        if happens(rng, 0.6):
            y = -0.8 if x == 0 else 0.7
            chevron = np.array([(x - 0.2, y - 0.2), (x + 0.2, y - 0.2), (x, y + 0.3)], np.float32)
            layer = layer + (red - layer) * fill_polygon(face, chevron)[..., None]
    return layer


def _draw_clown(face: LandmarkedFace, rng: Rng, layer: Floats) -> Floats:
    """Strong paint about eyes, nose and mouth."""
    for x, y, rx, ry in ((-0.5, -0.05, 0.38, 0.5), (0.5, -0.05, 0.38, 0.5), (0, 1.15, 0.7, 0.35)):
        spot = fill_polygon(face, make_ellipse(x, y, rx, ry), 0.03)
        paint = rng.uniform(0, 255, 3).astype(np.float32)
        layer = layer + (paint - layer) * spot[..., None] * 0.9
    red = np.array((40, 30, 200), np.float32)
    for x, y, r in ((0.0, 0.6, 0.26), (-0.75, 0.9, 0.2), (0.75, 0.9, 0.2)):
        if r > 0.25 or happens(rng, 0.4):  # noqa: PLR2004
            layer = (
                layer
                + (red - layer) * fill_polygon(face, make_ellipse(x, y, r, r), 0.02)[..., None]
            )
    grin = round_corners(np.array([(-0.5, 1.05), (0, 1.4), (0.5, 1.05), (0, 1.2)], np.float32))
    return np.asarray(layer + (red - layer) * fill_polygon(face, grin)[..., None], dtype=np.float32)


def _draw_skull(face: LandmarkedFace, rng: Rng, layer: Floats) -> Floats:
    """Black sockets, a black nose, teeth."""
    for x in (-0.5, 0.5):
        socket = fill_polygon(face, make_ellipse(x, 0.0, rng.uniform(0.36, 0.45), 0.4), 0.06)
        layer = layer + (_BLACK - layer) * socket[..., None]
    nose = fill_polygon(face, np.array([(0, 0.4), (-0.2, 0.8), (0.2, 0.8)], np.float32), 0.03)
    layer = layer + (_BLACK - layer) * nose[..., None]
    for x in np.arange(-0.55, 0.56, 0.16):
        tooth = np.array([(x, 0.98), (x, 1.35)], np.float32)
        layer = layer + (_BLACK - layer) * draw_line(face, tooth, 0.05)[..., None]
    for x in (-0.95, 0.95):
        cheek = fill_polygon(face, make_ellipse(x, 1.0, 0.25, 0.45), 0.1)
        layer = layer * (1 - 0.7 * cheek)[..., None]
    return np.asarray(layer, dtype=np.float32)


def _draw_plain(face: LandmarkedFace, rng: Rng, layer: Floats) -> Floats:
    """Moulded brows, nose and lips, sometimes a drawn beard."""
    nose = fill_polygon(face, np.array([(0, -0.1), (-0.25, 0.7), (0.25, 0.7)], np.float32), 0.08)
    layer = layer * (1 + rng.uniform(-0.2, 0.2) * nose)[..., None]
    ink = rng.uniform(0, 90, 3).astype(np.float32)
    lines = [[(-0.8, -0.3), (-0.5, -0.45), (-0.2, -0.3)], [(0.2, -0.3), (0.5, -0.45), (0.8, -0.3)]]
    lines += [[(-0.4, 1.1), (0, 1.16), (0.4, 1.1)], [(-0.5, 0.9), (0, 0.82), (0.5, 0.9)]]
    for line in lines:
        if happens(rng, 0.6):
            drawn = draw_line(face, np.array(line, np.float32), rng.uniform(0.04, 0.12))
            layer = layer + (ink - layer) * drawn[..., None] * rng.uniform(0.3, 1)
    return layer


_PAINT = {"hockey": _draw_hockey, "clown": _draw_clown, "skull": _draw_skull, "plain": _draw_plain}


def _draw_gas_mask(face: LandmarkedFace, rng: Rng) -> Pixels:
    """A rubber mask with two round glasses, and filters below or at the sides."""
    shape = _make_mask_shape(face, rng) * np.array([1.1, 1.05], np.float32)
    area = fill_polygon(face, shape, 0.02)
    rubber = choose_cloth_colour(rng, 0.75)
    pixels = darken(face.pixels, blur(area, 0.12 * face.unit_px), 0.5)
    pixels = blend_layer(pixels, draw_shell(face, rng, rubber), area)
    clear, size = happens(rng, 0.4), rng.uniform(0.36, 0.48)
    for sign in (-1, 1):
        ring = make_ellipse(0.52 * sign + 0.15 * face.turn, 0.0, size, size)
        glass = fill_polygon(face, ring, 0.01)
        seen = face.pixels * 0.7 + 20 if clear else np.broadcast_to(_BLACK + 18, face.pixels.shape)
        pixels = blend_layer(pixels, np.asarray(seen, np.float32), glass)
        gleam = fill_polygon(face, make_ellipse(0.52 * sign - 0.12, -0.14, 0.12, 0.07), 0.03)
        pixels = blend_layer(pixels, np.full(3, 235, np.float32), gleam * 0.6)
        pixels = blend_layer(pixels, rubber * 0.5 + 30, draw_line(face, ring, 0.09, closed=True))
    spots = [(0.2 * face.turn, 1.35)] if happens(rng, 0.5) else [(-0.75, 1.4), (0.75, 1.4)]
    metal = choose_cloth_colour(rng, 0.5) * 0.8 + 20
    for x, y in spots:
        wide = rng.uniform(0.4, 0.55)
        for step in range(4):  # rings of the filter, each a little smaller and lighter
            ring = make_ellipse(
                x, y + 0.05 * step, wide * (1 - 0.17 * step), wide * (1 - 0.17 * step)
            )
            pixels = blend_layer(
                pixels, metal * (0.55 + 0.2 * step), fill_polygon(face, ring, 0.015)
            )
    return pixels
