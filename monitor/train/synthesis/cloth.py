"""Cloth in its own light, and balaclavas made of it."""

from typing import Final

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
    make_clouds,
    make_ellipse,
    mirror_polygon,
    round_corners,
)
from monitor.domain import Pixels

_DULL: Final = (
    (60, 45, 35),
    (50, 50, 55),
    (40, 55, 45),
    (75, 95, 100),
    (110, 115, 120),
    (140, 165, 180),
    (30, 30, 80),
    (95, 70, 60),
)
"""Blue-green-red of navy, grey, forest, olive, mid grey, beige, maroon and slate cloth."""


def choose_cloth_colour(rng: Rng, black: float = 0.6) -> Floats:
    """(3,) blue-green-red: black with probability ``black``, else dull, sometimes bright."""
    if rng.random() < black:
        return np.asarray(rng.uniform(8, 48) + rng.normal(0, 3, 3), dtype=np.float32)
    if happens(rng, 0.7):
        return np.asarray(_DULL[rng.integers(len(_DULL))] + rng.normal(0, 12, 3), dtype=np.float32)
    return np.asarray(rng.uniform(20, 240, 3), dtype=np.float32)


def compute_light(face: LandmarkedFace, rng: Rng, *, hard: bool = False) -> Floats:
    """(S, S) the light on a head: the face's own shading on a rounded form, about 1.

    Args:
        face: What is lit.
        rng: Decides where the lamp is.
        hard: Of a shell that stands off the face, and shows none of its relief.
    """
    side = face.pixels.shape[0]
    grey = cv2.cvtColor(face.pixels, cv2.COLOR_BGR2GRAY).astype(np.float32) + 8
    core = fill_polygon(face, make_ellipse(0, 0.5, 1.0, 1.3), 0.0) > 0.5  # noqa: PLR2004
    level = float(grey[core].mean()) if core.any() else 128.0
    broad = np.clip(blur(grey, 0.35 * face.unit_px) / level, 0.5, 1.7)
    relief = np.clip(blur(grey, 0.07 * face.unit_px) / (broad * level), 0.6, 1.5)
    if hard:
        broad, relief = np.clip(blur(broad, 0.8 * face.unit_px), 0.6, 1.4), np.ones_like(relief)
    axes = face.axes
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    across = np.stack([xs - axes[0, 2], ys - axes[1, 2]], axis=-1) @ np.linalg.inv(axes[:, :2]).T
    x, y = across[..., 0] / 1.5, (across[..., 1] - 0.2) / 2.1
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0.02, 1))
    lamp = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.9, 0.1), rng.uniform(0.4, 1.0)])
    lamp /= np.linalg.norm(lamp)
    form = np.clip(0.35 + 0.8 * (x * lamp[0] + y * lamp[1] + depth * lamp[2]), 0.3, 1.3)
    shade = form ** rng.uniform(0.5, 1.2) * broad ** rng.uniform(0.2, 0.9)
    dim = min(1.0, (level + 30) / 120)  # cloth is dark where the face is
    return np.asarray(shade * relief ** rng.uniform(0.1, 0.5) * dim, dtype=np.float32)


def draw_weave(face: LandmarkedFace, rng: Rng, *, knit: bool) -> Floats:
    """(S, S) the structure of cloth, about 1: folds, and the rows of a knit."""
    side = face.pixels.shape[0]
    unit = face.unit_px
    folds = make_clouds(side, rng.uniform(0.3, 0.8) * unit, rng)
    tall = cv2.resize(make_clouds(side, 0.25 * unit, rng), (side, 2 * side))[:side]
    value = 1 + rng.uniform(0.03, 0.13) * folds + rng.uniform(0.0, 0.08) * tall
    value += rng.uniform(0.0, 0.05) * rng.standard_normal((side, side)).astype(np.float32)
    if knit:
        ys, xs = np.mgrid[0:side, 0:side].astype(np.float32) / unit
        wale, bend = rng.uniform(14, 34), rng.uniform(0.0, 0.06)
        xs = xs + bend * make_clouds(side, 0.6 * unit, rng)
        rows = np.sin(wale * xs) * (0.6 + 0.4 * np.sin(wale * ys * rng.uniform(0.5, 1.2)))
        value += rng.uniform(0.08, 0.3) * rows
    return np.asarray(np.clip(value, 0.35, 1.8), dtype=np.float32)


def draw_cloth(face: LandmarkedFace, rng: Rng, colour: Floats, *, knit: bool = False) -> Floats:
    """(S, S, 3) cloth of one colour, or patterned, under the face's own light."""
    side = face.pixels.shape[0]
    base: Floats = np.broadcast_to(colour, (side, side, 3))
    chance = rng.random()
    if chance < 0.05:  # noqa: PLR2004  (camouflage)
        for _ in range(2):
            patch = make_clouds(side, 0.3 * face.unit_px, rng) > 0.5  # noqa: PLR2004
            base = np.where(patch[..., None], choose_cloth_colour(rng, 0.2), base)
    elif chance < 0.09:  # noqa: PLR2004
        base = _draw_stripes(face, rng, base)
    elif chance < 0.14 and not knit:  # noqa: PLR2004
        base = draw_print(face, rng, base)
    lit = compute_light(face, rng) * draw_weave(face, rng, knit=knit)
    sheen = 14 * np.clip(lit - 0.8, 0, None)  # black cloth is not black in the light
    return np.asarray(base * lit[..., None] + sheen[..., None], dtype=np.float32)


def _draw_stripes(face: LandmarkedFace, rng: Rng, base: Floats) -> Floats:
    """(S, S, 3) cloth with stripes, or with stripes both ways, as a tartan has."""
    side = face.pixels.shape[0]
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32) / face.unit_px
    other, lean = choose_cloth_colour(rng, 0.3), rng.normal(0, 0.5)
    for along, over in ((ys, xs), (xs, -ys))[: rng.integers(1, 3)]:
        bands = np.sin((along + lean * over) * rng.uniform(5, 20)) > rng.uniform(-0.3, 0.6)
        base = base + (other - base) * (0.65 * bands[..., None])
    return np.asarray(base, dtype=np.float32)


def draw_print(
    face: LandmarkedFace, rng: Rng, base: Floats, ink: Floats | None = None, jaws: float = 0.3
) -> Floats:
    """(S, S, 3) cloth with a print: dots and drops as on a bandana, or a jaw with teeth.

    Args:
        face: Whose cloth it is.
        rng: Decides everything.
        base: (S, S, 3) the cloth.
        ink: (3,) blue-green-red; None takes white or black.
        jaws: How often it is a jaw.
    """
    if ink is None:
        bold = np.full(3, rng.choice([235, 205, 15]), np.float32) + rng.normal(0, 8, 3)
        ink = np.asarray(bold, dtype=np.float32)
    if happens(rng, jaws):
        drawn = [fill_polygon(face, make_ellipse(0.0, 0.95, 0.6, 0.34), 0.03)]
        lines = [((x, 0.7), (x, 1.2)) for x in np.arange(-0.48, 0.5, 0.16)]
        lines.append(((-0.6, 0.95), (0.6, 0.95)))
        gaps = [draw_line(face, np.array(line, np.float32), 0.045) for line in lines]
        drawn[0] = drawn[0] * (1 - np.max(gaps, axis=0))
        nose = np.array([(0, 0.35), (-0.2, 0.6), (0.2, 0.6)], np.float32)
        drawn.append(fill_polygon(face, nose, 0.02))
    else:
        step, size = rng.uniform(0.2, 0.5), rng.uniform(0.04, 0.11)
        drawn = []
        for y in np.arange(-1.8, 3.2, step):
            for x in np.arange(-1.5, 1.5, step) + (0.5 * step if happens(rng, 0.5) else 0.0):
                spot = make_ellipse(float(x), float(y), size * rng.uniform(0.5, 1.3), size)
                drawn.append(fill_polygon(face, spot, 0.0))
    area = np.max(drawn, axis=0)
    return np.asarray(base + (ink - base) * area[..., None], dtype=np.float32)


def make_head_outline(face: LandmarkedFace, rng: Rng, *, neck: bool = True) -> Floats:
    """A polygon about the whole head, in face units, hair included."""
    wide, tall = rng.uniform(0.95, 1.2), rng.uniform(0.9, 1.12)
    half = [(0.0, -1.75 * tall), (0.75, -1.6 * tall), (1.2, -0.9), (1.34, 0.0), (1.25, 0.8)]
    half = [(x * wide, y) for x, y in half]
    if neck:
        flare = rng.uniform(0.85, 1.3)
        half += [(1.0 * wide, 1.6), (flare, 2.3), (flare * 1.25, 3.2), (flare * 1.25, 5.0)]
    else:
        half += [(1.0 * wide, 1.5), (0.5, 2.0), (0.0, 2.1)]
    return round_corners(mirror_polygon(half, -0.45 * face.turn))


def make_eye_slot(face: LandmarkedFace, rng: Rng) -> Floats:
    """One opening for both eyes, in face units."""
    top, low = rng.uniform(-0.65, -0.22), rng.uniform(0.16, 0.5)
    wide = rng.uniform(0.72, 1.12)
    sag = rng.normal(0, 0.06)
    half = [(0.0, top), (wide * 0.8, top + sag), (wide, (top + low) / 2), (wide * 0.8, low - sag)]
    half.append((0.0, low + rng.uniform(-0.1, 0.2)))
    return round_corners(mirror_polygon(half, 0.2 * face.turn))


def choose_openings(face: LandmarkedFace, rng: Rng) -> tuple[list[Floats], str]:
    """What a balaclava leaves free, in face units, and which sentence tells it."""
    kind = rng.choice(["slot", "holes", "mouth", "open"], p=[0.43, 0.16, 0.26, 0.15])
    if kind == "slot":
        return [make_eye_slot(face, rng)], "balaclava"
    if kind == "open":  # eyes and nose free, mouth and chin covered
        low, top = rng.uniform(0.55, 0.95), rng.uniform(-0.8, -0.35)
        half = [(0.0, top), (0.8, top), (1.0, 0.0), (0.65, low), (0.0, low + 0.08)]
        return [round_corners(mirror_polygon(half, 0.2 * face.turn))], "balaclava"
    rx, ry = rng.uniform(0.26, 0.44), rng.uniform(0.15, 0.3)
    shift = 0.15 * face.turn
    holes = [make_ellipse(side * rng.uniform(0.47, 0.54) + shift, 0.0, rx, ry) for side in (-1, 1)]
    if kind == "holes":
        return holes, "balaclava/holes"
    mouth = make_ellipse(0.4 * face.turn, rng.uniform(1.05, 1.2), rng.uniform(0.3, 0.5), ry)
    return [*holes, mouth], "balaclava/mouth"


def draw_balaclava(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A face under a balaclava, and its answer."""
    knit = happens(rng, 0.5)
    holes, key = choose_openings(face, rng)
    free = np.max([fill_polygon(face, hole, 0.02) for hole in holes], axis=0)
    layer = draw_cloth(face, rng, choose_cloth_colour(rng, 0.65), knit=knit)
    head = fill_polygon(face, make_head_outline(face, rng), rng.uniform(0.01, 0.05))
    pixels = darken(face.pixels, blur(1 - free, 0.1 * face.unit_px), rng.uniform(0.1, 0.7))
    rim = np.max(
        [draw_line(face, hole, rng.uniform(0.04, 0.1), closed=True) for hole in holes], axis=0
    )
    layer = layer * (1 + rng.uniform(-0.5, 0.6) * blur(rim, 0.02 * face.unit_px))[..., None]
    pixels = blend_layer(pixels, layer, head * (1 - free))
    return pixels, "balaclava/knit" if knit and key == "balaclava" else key
