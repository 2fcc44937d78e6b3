"""Cloth about the head and before the mouth: hoods, stockings, scarves, gaiters, bandanas."""

import cv2
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
    mirror_polygon,
    round_corners,
)
from monitor.domain import Pixels
from monitor.train.synthesis.cloth import (
    choose_cloth_colour,
    compute_light,
    draw_cloth,
    draw_print,
    draw_weave,
    make_head_outline,
)


def draw_hood(face: LandmarkedFace, rng: Rng) -> Pixels:
    """Cloth around the head that leaves the face free: a coat's hood, a headscarf."""
    return _draw_coat_hood(face, rng) if happens(rng, 0.55) else _draw_headscarf(face, rng)


def _draw_headscarf(face: LandmarkedFace, rng: Rng) -> Pixels:
    """Cloth that lies close about the face and under the chin."""
    outer = make_head_outline(face, rng) * np.array(
        [rng.uniform(1.05, 1.25), 1.08], dtype=np.float32
    )
    top, wide = rng.uniform(-1.25, -0.7), rng.uniform(0.98, 1.2)
    low = rng.uniform(1.85, 2.3)
    half = [(0.0, top), (0.7, top + 0.15), (wide, -0.1), (wide * 0.95, 1.0), (0.6, low), (0, low)]
    inner = fill_polygon(face, round_corners(mirror_polygon(half, -0.1 * face.turn)), 0.03)
    layer = draw_cloth(face, rng, choose_cloth_colour(rng, 0.4), knit=happens(rng, 0.2))
    pixels = darken(face.pixels, blur(1 - inner, 0.12 * face.unit_px), rng.uniform(0.0, 0.6))
    return blend_layer(pixels, layer, fill_polygon(face, outer, 0.03) * (1 - inner))


def _draw_coat_hood(face: LandmarkedFace, rng: Rng) -> Pixels:
    """A wide hood, open down to the chest, dark inside, its rim sewn or of fur."""
    peak, wide = rng.uniform(-2.4, -1.9), rng.uniform(1.45, 1.75)
    half = [(0.0, peak), (0.8, peak + 0.2), (wide, -1.1), (wide * 1.05, 0.2), (wide, 1.4)]
    outer = round_corners(
        mirror_polygon([*half, (1.9, 2.2), (2.6, 3.0), (2.8, 6.0)], -0.25 * face.turn)
    )
    top, across = rng.uniform(-1.35, -0.8), rng.uniform(1.05, 1.3)
    half = [(0.0, top), (0.75, top + 0.12), (across, -0.2), (across, 1.0), (0.8, 2.0)]
    rim = round_corners(mirror_polygon([*half, (0.3, 2.8), (0.15, 6.0)], -0.1 * face.turn))
    inner = fill_polygon(face, rim, 0.02)
    pixels = darken(face.pixels, blur(1 - inner, 0.3 * face.unit_px), rng.uniform(0.3, 0.95))
    colour = choose_cloth_colour(rng, 0.45)
    pixels = blend_layer(
        pixels, draw_cloth(face, rng, colour), fill_polygon(face, outer, 0.03) * (1 - inner)
    )
    edge = draw_line(face, rim, rng.uniform(0.08, 0.2), closed=True)
    if happens(rng, 0.2):  # fur
        side = face.pixels.shape[0]
        hair = blur(rng.standard_normal((side, side)).astype(np.float32), 0.7)
        fur = rng.uniform(50, 190) + 45 * hair[..., None] + rng.normal(0, 8, 3)
        ring = np.clip(blur(edge, 0.1 * face.unit_px) * 2.2, 0, 1)
        return blend_layer(pixels, np.asarray(fur, np.float32), ring)
    pixels = darken(pixels, blur(edge, 0.03 * face.unit_px), rng.uniform(0.1, 0.5))
    if happens(rng, 0.5):  # cords
        for sign in (-1, 1):
            cord = np.array([(0.45 * sign, 2.3), (0.4 * sign, 3.6)], np.float32)
            pixels = blend_layer(pixels, colour * 0.6 + 60, draw_line(face, cord, 0.06))
    return pixels


def draw_stocking(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A face pressed flat under nylon, and its answer."""
    head = fill_polygon(face, make_head_outline(face, rng), 0.02)
    side, unit = face.pixels.shape[0], face.unit_px
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    middle = face.axes[:, 2]
    # Pressed: what lies in the middle of the face is spread sideways.
    off = (xs - middle[0]) / unit
    squeezed = middle[0] + unit * off * (1 - rng.uniform(0.1, 0.3) * np.exp(-(off**2)))
    flat = cv2.remap(face.pixels, squeezed, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = blur(flat.astype(np.float32), rng.uniform(0.02, 0.05) * unit)
    tint = choose_cloth_colour(rng, 0.6) + rng.uniform(0, 40)
    layer = tint * compute_light(face, rng)[..., None]
    strength = rng.uniform(0.5, 0.8)
    mixed = (soft * (1 - strength) + layer * strength) * draw_weave(face, rng, knit=False)[
        ..., None
    ]
    pixels = blend_layer(face.pixels, mixed.astype(np.float32), head)
    rim = np.clip(blur(head, 0.02 * unit) - blur(head, 0.15 * unit), 0, 1)
    pixels = darken(pixels, rim * 2, rng.uniform(0.3, 0.7))  # thicker where it curves away
    if happens(rng, 0.5):  # knotted above, or with the leg hanging down
        end = np.array([(0, -1.7), (rng.normal(0, 0.3), -2.2), (rng.normal(0, 1.2), -2.0)])
        tail = draw_line(face, end.astype(np.float32), rng.uniform(0.15, 0.4))
        pixels = blend_layer(pixels, np.asarray(tint * 0.8, np.float32), tail)
    return pixels, "balaclava/stocking"


def _make_gaiter_shape(top: float, rise: float, wide: float) -> list[tuple[float, float]]:
    """Close about the neck."""
    half = [(0.0, top), (0.6, top + 0.08), (wide, top - rise), (wide, 1.2)]
    return [*half, (1.0, 1.7), (0.9, 2.3), (1.1, 4.0)]


def _make_bandana_shape(
    top: float, rise: float, wide: float, rng: Rng
) -> list[tuple[float, float]]:
    """Tied behind the head, its corner hanging before the chest."""
    half = [(0.0, top), (0.6, top + 0.05), (wide, top - rise), (wide, top - rise + 0.5)]
    low = rng.uniform(2.3, 3.4)
    return [*half, (1.0, 1.5), (0.5, 0.75 * low), (0.0, low)]


def _make_scarf_shape(top: float, rise: float, wide: float, rng: Rng) -> list[tuple[float, float]]:
    """Wound, wider than the neck."""
    half = [(0.0, top), (0.6, top + 0.08), (wide, top - rise), (wide, 1.2)]
    return [*half, (1.3, 1.6), (rng.uniform(1.3, 1.9), 2.2), (2.0, 3.0), (2.0, 4.0)]


def draw_scarf(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A scarf wound, a gaiter pulled, or a bandana tied over mouth and nose; its answer."""
    kind = rng.choice(["gaiter", "bandana", "scarf"], p=[0.38, 0.2, 0.42])
    top = rng.uniform(0.2, 0.5)
    rise, wide = rng.uniform(-0.15, 0.3), rng.uniform(1.15, 1.35)
    knit = False
    if kind == "gaiter":
        half = _make_gaiter_shape(top, rise, wide)
    elif kind == "bandana":
        half = _make_bandana_shape(top, rise, wide, rng)
    else:
        half, knit = _make_scarf_shape(top, rise, wide, rng), happens(rng, 0.6)
    shape = round_corners(mirror_polygon(half, -0.2 * face.turn))
    shape += rng.normal(0, 0.015, shape.shape).astype(np.float32)
    layer = draw_cloth(face, rng, choose_cloth_colour(rng, 0.35), knit=knit)
    if kind == "bandana" and happens(rng, 0.65):
        shade = layer.mean(axis=2, keepdims=True) / max(float(layer.mean()), 1.0)
        layer = draw_print(face, rng, layer) * np.clip(shade, 0.6, 1.2)
    layer = _draw_folds(face, rng, layer, int(rng.integers(2, 6)) if kind != "gaiter" else 1)
    area = fill_polygon(face, shape, 0.02)
    pixels = darken(face.pixels, blur(area, 0.1 * face.unit_px), 0.3)
    pixels = blend_layer(pixels, np.asarray(layer, np.float32), area)
    hem = [(x, y + 0.07) for x, y in half[:3]]
    line = np.array([(-x, y) for x, y in hem[:0:-1]] + hem, np.float32)
    line += np.array([-0.2 * face.turn, 0], np.float32)
    pixels = darken(pixels, draw_line(face, line, 0.03) * area, 0.3)
    return pixels, "scarf/gaiter" if kind == "gaiter" else "scarf"


def _draw_folds(face: LandmarkedFace, rng: Rng, layer: Floats, count: int) -> Floats:
    """A layer of cloth with deep folds across it, each with the light on its edge."""
    for _ in range(count):
        y = rng.uniform(0.6, 2.4)
        line = np.array([(-1.6, y + rng.normal(0, 0.3)), (0, y + 0.2), (1.6, y)], np.float32)
        bent = round_corners(line)[:20]
        fold = blur(draw_line(face, bent, 0.07), 0.05 * face.unit_px)
        edge = blur(draw_line(face, bent - np.array([0, 0.09], np.float32), 0.05), 1.0)
        layer = layer * (1 - rng.uniform(0.2, 0.6) * fold + 0.15 * edge)[..., None]
    return np.asarray(layer, dtype=np.float32)
