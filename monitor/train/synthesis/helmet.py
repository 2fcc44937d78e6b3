"""Helmets that hide the face, and the hard hats and clear shields that do not."""

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
from monitor.train.synthesis.cloth import choose_cloth_colour
from monitor.train.synthesis.hard import draw_shell


def draw_helmet(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A face in a helmet or behind a dark visor, and its answer."""
    if happens(rng, 0.18):
        return _draw_dark_visor(face, rng), "helmet"
    outer = round_corners(mirror_polygon(_make_shell_outline(rng), -0.15 * face.turn))
    body = fill_polygon(face, outer, 0.015)
    neck = fill_polygon(
        face, np.array([(-1.2, 1.5), (1.2, 1.5), (1.5, 3.2), (-1.5, 3.2)], np.float32)
    )
    pixels = darken(face.pixels, blur(neck, 0.2 * face.unit_px), rng.uniform(0.5, 0.95))
    pixels = blend_layer(pixels, _paint_shell(face, rng), body)
    closed = happens(rng, 0.65)
    top, low = rng.uniform(-0.95, -0.5), rng.uniform(0.5, 1.0 if closed else 0.7)
    wide = rng.uniform(1.2, 1.5)
    half = [(0.0, top), (wide * 0.85, top + 0.08), (wide, 0.0), (wide * 0.9, low - 0.12)]
    window = round_corners(mirror_polygon([*half, (0.0, low)], 0.1 * face.turn))
    hole = fill_polygon(face, window, 0.012) * body
    if closed:
        seen = _draw_glass(face, rng)
    else:  # the visor is up: eyes and nose in the helmet's shadow
        dark = darken(face.pixels, blur(1 - hole, 0.25 * face.unit_px), rng.uniform(0.5, 0.95))
        seen = dark.astype(np.float32)
    pixels = blend_layer(pixels, seen, hole)
    pixels = darken(pixels, draw_line(face, window, 0.07, closed=True) * body, 0.75)
    if not closed and happens(rng, 0.6):
        raised = window * np.array([1, 0.45], np.float32) + np.array([0, top - 0.45], np.float32)
        pixels = blend_layer(
            pixels, _draw_glass(face, rng), fill_polygon(face, raised, 0.015) * 0.9
        )
    return _draw_fittings(LandmarkedFace(pixels, face.points), rng, body, low), "helmet"


def _make_shell_outline(rng: Rng) -> list[tuple[float, float]]:
    """The right half of a full-face helmet, rounder and wider than a head."""
    wide, crown, chin = rng.uniform(1.6, 1.95), rng.uniform(-2.35, -2.0), rng.uniform(1.85, 2.3)
    half = [(0.0, crown), (0.6 * wide, crown + 0.12), (0.95 * wide, -1.2), (wide, -0.2)]
    return [*half, (0.97 * wide, 0.9), (0.78 * wide, 1.6), (0.42 * wide, chin - 0.05), (0.0, chin)]


def _paint_shell(face: LandmarkedFace, rng: Rng) -> Floats:
    """(S, S, 3) of a helmet: one colour, now and then with another in swoops, and highlights."""
    layer = draw_shell(face, rng, choose_cloth_colour(rng, 0.45))
    if happens(rng, 0.4):
        side = face.pixels.shape[0]
        swoop = make_clouds(side, 1.2 * face.unit_px, rng) > rng.uniform(0.0, 0.7)
        layer = np.where(
            swoop[..., None], draw_shell(face, rng, choose_cloth_colour(rng, 0.2)), layer
        )
    arc = np.linspace(-2.6, -1.2, 12) + rng.uniform(0, 0.8)
    bow = np.stack([1.25 * np.cos(arc), -0.1 + 1.75 * np.sin(arc)], axis=1).astype(np.float32)
    shine = blur(draw_line(face, bow, rng.uniform(0.06, 0.2)), 0.06 * face.unit_px)
    return np.asarray(layer + rng.uniform(20, 170) * shine[..., None], dtype=np.float32)


def _draw_glass(face: LandmarkedFace, rng: Rng) -> Floats:
    """(S, S, 3) a visor's reflection: a dark or coloured mirror of sky, ground and lights."""
    side = face.pixels.shape[0]
    tint = rng.uniform(5, 50) + rng.normal(0, 6, 3)
    if happens(rng, 0.3):
        tint = rng.uniform(10, 200, 3)
    ys = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    horizon, sky = rng.uniform(0.3, 0.6), rng.uniform(0, 120)
    layer = tint + sky * np.clip(1 - ys / horizon, 0, 1)
    layer = np.broadcast_to(layer, (side, side, 3))
    layer = layer + 10 * make_clouds(side, 0.6 * face.unit_px, rng)[..., None]
    for _ in range(rng.integers(0, 3)):  # streaks of light
        x, lean = rng.uniform(-1.1, 0.9), rng.uniform(-0.3, 0.3)
        wide = rng.uniform(0.05, 0.35)
        band = [(x, -1.2), (x + wide, -1.2), (x + wide + lean, 1.3), (x + lean, 1.3)]
        gleam = fill_polygon(face, np.array(band, np.float32), rng.uniform(0.01, 0.08))
        layer = layer + rng.uniform(20, 110) * gleam[..., None]
    through = rng.uniform(0.0, 0.14)
    return np.asarray(layer * (1 - through) + face.pixels * through, dtype=np.float32)


def _draw_fittings(face: LandmarkedFace, rng: Rng, body: Floats, low: float) -> Pixels:
    """A face in a helmet with the visor's hinges, vents in the chin bar, a strap or a label."""
    pixels = face.pixels
    for sign in (-1, 1):
        hinge = fill_polygon(face, make_ellipse(1.5 * sign, -0.1, 0.13, 0.15), 0.015)
        pixels = blend_layer(pixels, np.full(3, rng.uniform(15, 120), np.float32), hinge * body)
    if happens(rng, 0.7):
        for x in ((0.0,), (-0.35, 0.35), (-0.5, 0.0, 0.5))[rng.integers(3)]:
            vent = round_corners(
                np.array([(-0.16, -0.06), (0.16, -0.06), (0.14, 0.06), (-0.14, 0.06)])
            )
            spot = vent.astype(np.float32) + np.array([x, 0.55 * low + 0.95], np.float32)
            pixels = blend_layer(
                pixels, np.full(3, 12, np.float32), fill_polygon(face, spot, 0.01) * body
            )
    if happens(rng, 0.3):
        label = np.array([(-0.4, -1.45), (0.4, -1.45), (0.35, -1.2), (-0.35, -1.2)], np.float32)
        colour = rng.uniform(0, 255, 3).astype(np.float32)
        pixels = blend_layer(pixels, colour, fill_polygon(face, label, 0.02) * body)
    return pixels


def _make_shield_shape(rng: Rng) -> Floats:
    """A bent sheet from the brow to below the chin."""
    wide, low = rng.uniform(1.15, 1.45), rng.uniform(1.9, 2.6)
    half = [(0.0, -0.9), (wide, -0.85), (wide * 1.02, 1.2), (wide * 0.7, low - 0.1), (0.0, low)]
    return round_corners(mirror_polygon(half))


def _draw_band(face: LandmarkedFace, rng: Rng) -> Pixels:
    """The band on the brow that a shield hangs from."""
    line = np.array([(-1.3, -0.8), (0.0, -0.98), (1.3, -0.8)], np.float32)
    return blend_layer(
        face.pixels, choose_cloth_colour(rng, 0.5), draw_line(face, line, rng.uniform(0.1, 0.35))
    )


def _draw_dark_visor(face: LandmarkedFace, rng: Rng) -> Pixels:
    """A tinted or mirrored shield before the whole face, or a welder's with its window."""
    shape = _make_shield_shape(rng) * np.array([1.1, 1.0], np.float32)
    area = fill_polygon(face, shape, 0.015)
    welder = happens(rng, 0.4)
    layer = (
        draw_shell(face, rng, choose_cloth_colour(rng, 0.7)) if welder else _draw_glass(face, rng)
    )
    pixels = darken(face.pixels, blur(area, 0.1 * face.unit_px), 0.3)
    pixels = blend_layer(pixels, layer, area * (1.0 if welder else rng.uniform(0.94, 1.0)))
    if welder:
        window = np.array([(-0.75, -0.3), (0.75, -0.3), (0.75, 0.25), (-0.75, 0.25)], np.float32)
        pixels = blend_layer(pixels, _draw_glass(face, rng), fill_polygon(face, window, 0.01))
        pixels = darken(pixels, draw_line(face, window, 0.06, closed=True), 0.6)
    return _draw_band(LandmarkedFace(pixels, face.points), rng)


def draw_clear_shield(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A face behind a clear shield, which hides nothing."""
    shape = _make_shield_shape(rng)
    area = fill_polygon(face, shape, 0.015)
    pixels = blend_layer(face.pixels, np.full(3, rng.uniform(170, 250), np.float32), area * 0.07)
    for _ in range(rng.integers(1, 3)):
        x, wide = rng.choice([-1.05, 0.85]) + rng.normal(0, 0.1), rng.uniform(0.03, 0.15)
        streak = np.array([(x, -0.7), (x + wide, -0.7), (x + wide, 1.6), (x, 1.6)], np.float32)
        gleam = fill_polygon(face, streak, 0.04) * area * rng.uniform(0.1, 0.5)
        pixels = blend_layer(pixels, np.full(3, 245, np.float32), gleam)
    rim = draw_line(face, shape, 0.03, closed=True)
    pixels = blend_layer(pixels, np.full(3, rng.uniform(60, 240), np.float32), rim * 0.5)
    return _draw_band(LandmarkedFace(pixels, face.points), rng), "none"


def draw_hard_hat(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A builder's, rider's or cyclist's helmet that leaves the face free, and its answer."""
    brow, wide = rng.uniform(-0.95, -0.6), rng.uniform(1.35, 1.6)
    half = [(0.0, -2.15), (0.75, -2.0), (wide, -1.25), (wide, brow + 0.1), (0.7, brow), (0, brow)]
    dome = fill_polygon(face, round_corners(mirror_polygon(half, -0.2 * face.turn)), 0.015)
    colour = np.asarray(rng.uniform(10, 250, 3), np.float32)
    if happens(rng, 0.5):
        colour = np.array([(20, 190, 240), (235, 235, 235), (30, 90, 235)], np.float32)[
            rng.integers(3)
        ]
    pixels = blend_layer(face.pixels, draw_shell(face, rng, colour), dome)
    if happens(rng, 0.5):  # a cyclist's has slots
        for x in (-0.7, 0.0, 0.7):
            slot = make_ellipse(x, -1.4, 0.14, 0.4)
            pixels = blend_layer(
                pixels, np.full(3, 20, np.float32), fill_polygon(face, slot, 0.02) * dome
            )
    else:
        rim = fill_polygon(face, make_ellipse(0.3 * face.turn, brow, 1.1 * wide, 0.16), 0.015)
        pixels = blend_layer(pixels, colour * 0.85, rim)
    seam = np.asarray(np.abs(cv2.Laplacian(dome, cv2.CV_32F)), np.float32)
    pixels = darken(pixels, np.clip(seam, 0, 1), 0.5)
    if happens(rng, 0.6):
        for sign in (-1, 1):
            strap = np.array([(1.2 * sign, brow), (1.0 * sign, 1.1), (0.0, 1.95)], np.float32)
            pixels = blend_layer(pixels, np.full(3, 30, np.float32), draw_line(face, strap, 0.07))
    return pixels, "none/hat"
