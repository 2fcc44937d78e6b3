"""What people wear without hiding: hats, caps, beards, hair, bands, ear-muffs."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

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
    to_pixels,
)
from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.train.synthesis.cloth import (
    choose_cloth_colour,
    compute_light,
    draw_cloth,
    draw_print,
    draw_weave,
)
from monitor.train.synthesis.held import choose_skin_tone


@dataclass(frozen=True, slots=True, eq=False)
class Overlays:
    """Pictures to paste: each (H, W, 4) uint8, blue-green-red-alpha, cut to what is opaque."""

    masks: list[NDArray[np.uint8]]
    sunglasses: list[NDArray[np.uint8]]
    hats: list[NDArray[np.uint8]]


def load_overlays(folder: Path | None) -> Overlays:
    """The pictures in the folders masks, sunglasses and hats; none without a folder.

    Raises:
        ConfigError: There is none, one cannot be read, or one has no alpha channel.
    """
    if folder is None:
        return Overlays([], [], [])
    kinds = [_read_overlays(folder / kind) for kind in ("masks", "sunglasses", "hats")]
    if not any(kinds):
        raise ConfigError(f"{folder}: no PNG in masks/, sunglasses/ or hats/; name another folder")
    return Overlays(*kinds)


def _read_overlays(folder: Path) -> list[NDArray[np.uint8]]:
    """Every PNG of a folder, cut to its opaque part."""
    pictures = []
    for path in sorted(folder.glob("*.png")):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.shape[-1] != 4:  # noqa: PLR2004  (four channels)
            raise ConfigError(f"{path}: not a picture with transparency")
        x, y, w, h = cv2.boundingRect((picture[..., 3] > 30).astype(np.uint8))  # noqa: PLR2004
        pictures.append(np.asarray(picture[y : y + h, x : x + w], dtype=np.uint8))
    return pictures


def paste_overlay(
    face: LandmarkedFace,
    overlay: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    rng: Rng,
) -> Pixels:
    """A face with an overlay stretched to a box (left, top, right, bottom) in face units."""
    left, top, right, bottom = box
    height, width = overlay.shape[:2]
    scale = 2 * (right - left) * face.unit_px / width
    if scale < 1:  # averaged first, or thin lines break up
        smaller = cv2.resize(overlay, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        overlay = np.asarray(smaller, dtype=np.uint8)
        height, width = overlay.shape[:2]
    wanted = to_pixels(face, np.array([(left, top), (right, top), (left, bottom)], np.float32))
    given = np.array([(0, 0), (width, 0), (0, height)], np.float32)
    size = face.pixels.shape[1::-1]
    moved = cv2.warpAffine(overlay, cv2.getAffineTransform(given, wanted), size).astype(np.float32)
    shade = np.clip(compute_light(face, rng), 0.3, 1.2)[..., None] ** rng.uniform(0.2, 0.9)
    alpha = np.asarray(moved[..., 3] / 255, dtype=np.float32)
    pixels = darken(face.pixels, blur(alpha, 0.08 * face.unit_px), 0.25)
    return blend_layer(pixels, np.asarray(moved[..., :3] * shade, np.float32), alpha)


def draw_mask(face: LandmarkedFace, rng: Rng, overlays: Overlays) -> tuple[Pixels, str]:
    """A face mask, sometimes worn below the nose, and its answer."""
    if not overlays.masks:
        return draw_cloth_mask(face, rng)
    low = happens(rng, 0.25)
    top = rng.uniform(0.72, 0.9) if low else rng.uniform(0.12, 0.42)
    wide = rng.uniform(1.0, 1.25)
    shift = 0.35 * face.turn
    box = (shift - wide, top, shift + wide, rng.uniform(1.8, 2.15))
    picture = overlays.masks[rng.integers(len(overlays.masks))]
    if happens(rng, 0.35):  # other colours than the overlays have
        tinted = np.clip(picture[..., :3] * rng.uniform(0.1, 1.1, 3), 0, 255)
        picture = np.concatenate([tinted.astype(np.uint8), picture[..., 3:]], axis=-1)
    return paste_overlay(face, picture, box, rng), "mask_incorrect" if low else "mask"


def draw_cloth_mask(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A sewn mask of any colour with its bands, and its answer."""
    top, low, wide = rng.uniform(0.1, 0.4), rng.uniform(1.75, 2.05), rng.uniform(0.95, 1.2)
    half = [(0.0, top), (wide * 0.7, top + 0.15), (wide, top + 0.35), (wide * 0.9, 1.3)]
    shape = round_corners(mirror_polygon([*half, (0.5, low - 0.05), (0, low)], 0.25 * face.turn))
    area = fill_polygon(face, shape, 0.015)
    pixels = darken(face.pixels, blur(area, 0.08 * face.unit_px), 0.3)
    for sign in (-1, 1):
        for y in (top + 0.4, 1.3):
            ends = np.array([(sign * wide * 0.9, y), (sign * 1.35, 0.2)], np.float32)
            pixels = blend_layer(pixels, np.full(3, 200, np.float32), draw_line(face, ends, 0.04))
    layer = (
        draw_cloth(face, rng, choose_cloth_colour(rng, 0.4))
        if happens(rng, 0.5)
        else _draw_pale_cloth(face, rng)
    )
    pixels = blend_layer(pixels, layer, area)
    if happens(rng, 0.3):  # two halves sewn together, or folded, as respirators are
        ends = np.array([(0.25 * face.turn, top), (0.25 * face.turn, low)], np.float32)
        pixels = darken(pixels, draw_line(face, ends, 0.03) * area, rng.uniform(0.05, 0.35))
    return pixels, "mask"


def _draw_pale_cloth(face: LandmarkedFace, rng: Rng) -> Floats:
    """(S, S, 3) cloth whose colour is close to the skin's, plain or with a faint print.

    Pink, beige and grey masks are taken for bare faces where all that was seen is white,
    blue and black.
    """
    skin = choose_skin_tone(face, rng)
    level = float(skin.mean())
    tint = rng.choice(["skin", "pink", "beige", "grey", "white"], p=[0.35, 0.25, 0.15, 0.15, 0.1])
    if tint == "skin":
        colour = skin * rng.uniform(0.75, 1.25) + rng.normal(0, 6, 3)
    elif tint == "white":
        colour = rng.uniform(200, 245) + rng.normal(0, 5, 3)
    else:
        lean = {"pink": (0.95, 0.85, 1.2), "beige": (0.8, 0.95, 1.08), "grey": (1, 1, 1)}[tint]
        colour = level * rng.uniform(0.8, 1.4) * np.array(lean) + rng.normal(0, 6, 3)
    side = face.pixels.shape[0]
    plain = np.asarray(np.clip(colour, 5, 245), dtype=np.float32)
    base: Floats = np.broadcast_to(plain, (side, side, 3))
    if happens(rng, 0.35):
        toned = np.clip(plain + rng.choice([-1, 1]) * rng.uniform(15, 60), 5, 250)
        base = draw_print(face, rng, base, np.asarray(toned, dtype=np.float32), jaws=0.0)
    lit = compute_light(face, rng) * draw_weave(face, rng, knit=happens(rng, 0.15))
    return np.asarray(base * lit[..., None], dtype=np.float32)


def draw_hat(face: LandmarkedFace, rng: Rng, overlays: Overlays) -> tuple[Pixels, str]:
    """A hat from a picture, or a drawn beanie or cap; the face stays clear."""
    brow = rng.uniform(-0.95, -0.45)
    if overlays.hats and happens(rng, 0.4):
        picture = overlays.hats[rng.integers(len(overlays.hats))]
        wide = rng.uniform(1.3, 1.5) * (1.35 if picture.shape[1] > 1.4 * picture.shape[0] else 1)
        tall = 2 * wide * picture.shape[0] / picture.shape[1]
        shift = -0.25 * face.turn
        box = (shift - wide, brow - tall, shift + wide, brow + 0.1)
        return paste_overlay(face, picture, box, rng), "none/hat"
    wide = rng.uniform(1.3, 1.5)
    half = [(0.0, -2.1), (0.8, -2.0), (wide, -1.3), (wide, brow + 0.15), (0.7, brow), (0, brow)]
    dome = fill_polygon(face, round_corners(mirror_polygon(half, -0.3 * face.turn)), 0.02)
    knit = happens(rng, 0.5)
    colour = choose_cloth_colour(rng, 0.45)
    pixels = blend_layer(face.pixels, draw_cloth(face, rng, colour, knit=knit), dome)
    if not knit:  # a cap's peak, and its shadow
        peak = make_ellipse(
            0.8 * face.turn, brow + 0.05, rng.uniform(0.9, 1.3), rng.uniform(0.12, 0.35)
        )
        area = fill_polygon(face, peak, 0.02)
        under = fill_polygon(face, peak + np.array([0, 0.3], np.float32), 0.1)
        pixels = darken(pixels, under * (1 - area), rng.uniform(0.1, 0.6))
        pixels = blend_layer(pixels, colour * rng.uniform(0.5, 1.1), area)
    return pixels, "none/hat"


def draw_beard(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """Hair on cheeks, chin and lip; the mouth stays free."""
    high, low = rng.uniform(0.5, 1.1), rng.uniform(1.7, 2.5)
    outer = [(0, low), (0.5, low - 0.1), (0.95, 1.4), (1.1, high), (0.95, high), (0.7, 1.1)]
    area = fill_polygon(
        face,
        round_corners(mirror_polygon([*outer, (0.35, 0.82), (0, 0.86)], 0.1 * face.turn)),
        0.06,
    )
    mouth = fill_polygon(
        face, make_ellipse(0.3 * face.turn, 1.12, 0.36, rng.uniform(0.07, 0.16)), 0.04
    )
    side = face.pixels.shape[0]
    hair = rng.choice([15, 30, 60, 130]) + rng.normal(0, 8, 3)
    strands = blur(rng.standard_normal((side, side)).astype(np.float32), 0.6) * 28
    layer = (hair + strands[..., None]) * compute_light(face, rng)[..., None]
    strength = rng.uniform(0.45, 0.95)
    return blend_layer(
        face.pixels, layer.astype(np.float32), area * (1 - mouth) * strength
    ), "none/beard"


def draw_fringe(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """Hair that falls over the forehead and the sides of the face."""
    colour = rng.choice([15, 30, 50, 120]) * np.array([0.6, 0.8, 1.0]) + rng.normal(0, 5, 3)
    strands, swing = [], rng.normal(0, 0.35)
    for _ in range(rng.integers(40, 110)):
        x = rng.uniform(-1.35, 1.35)
        low = -0.45 + rng.normal(0, 0.1) + (rng.uniform(0.3, 1.8) if abs(x) > 1.0 else 0)
        line = np.array([(x * 0.5 + swing, -1.75), (x + swing / 2, -1.0), (x * 1.05, low)])
        strands.append(draw_line(face, line.astype(np.float32), rng.uniform(0.01, 0.06)))
    area = blur(np.max(strands, axis=0), 0.03 * face.unit_px)
    tone = colour * (compute_light(face, rng) * rng.uniform(0.8, 1.3))[..., None]
    return blend_layer(face.pixels, tone.astype(np.float32), area * 0.95), "none"


def draw_band(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A headband, or ear-muffs with their bow."""
    colour = choose_cloth_colour(rng, 0.4)
    if happens(rng, 0.5):
        y = rng.uniform(-1.1, -0.6)
        line = np.array([(-1.35, y + 0.1), (0, y - 0.1), (1.35, y + 0.1)], np.float32)
        area = draw_line(face, line, rng.uniform(0.15, 0.45))
        return blend_layer(face.pixels, draw_cloth(face, rng, colour), area), "none/hat"
    arc = np.linspace(np.pi, 2 * np.pi, 16)
    bow = np.stack([1.4 * np.cos(arc), 0.1 + 1.9 * np.sin(arc)], axis=1).astype(np.float32)
    shift = np.array([-0.3 * face.turn, 0], np.float32)
    pixels = blend_layer(face.pixels, colour, draw_line(face, bow + shift, rng.uniform(0.08, 0.2)))
    for sign in (-1, 1):
        cup = (
            make_ellipse(sign * 1.38, 0.25, rng.uniform(0.22, 0.4), rng.uniform(0.4, 0.55)) + shift
        )
        pixels = blend_layer(pixels, draw_cloth(face, rng, colour), fill_polygon(face, cup, 0.03))
    return pixels, "none/hat"
