"""Glasses on faces, and hands before them."""

from dataclasses import dataclass

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
    round_corners,
)
from monitor.domain import Pixels
from monitor.train.synthesis.cloth import choose_cloth_colour

_PALM = ((-0.44, 0.05), (0.42, 0.02), (0.5, 0.45), (0.36, 0.95), (-0.36, 0.95), (-0.47, 0.5))
_FINGERS = (0.75, 0.95, 0.9, 0.65)  # their length in face units, the little finger's last


def _make_lens(rng: Rng) -> Floats:
    """The outline of a right lens about its own middle, in face units."""
    wide, tall = rng.uniform(0.3, 0.52), rng.uniform(0.2, 0.42)
    kind = rng.integers(4)
    if kind == 0:
        return make_ellipse(0, 0, wide, max(tall, 0.28))
    if kind == 1:  # aviator: narrow below
        corners = [(-1, -0.8), (1, -0.9), (1.05, 0.1), (0.5, 1.1), (-0.3, 1.0), (-0.9, 0.3)]
    elif kind == 2:  # wayfarer, rectangle  # noqa: PLR2004
        corners = [(-1, -0.9), (1.1, -1), (1.0, 0.7), (0.6, 1), (-0.6, 1), (-1, 0.6)]
    else:  # sport: swept out
        corners = [(-1, -0.7), (1.3, -0.9), (1.4, -0.2), (0.4, 0.9), (-0.8, 0.7)]
    return round_corners(np.array(corners, np.float32) * np.array([wide, tall], np.float32))


def draw_glasses(face: LandmarkedFace, rng: Rng, *, dark: bool) -> tuple[Pixels, str]:
    """A face with clear or dark glasses, and its answer."""
    lens = _make_lens(rng)
    drop = rng.uniform(-0.05, 0.12)
    flip = np.array([-1, 1], np.float32)
    shift = 0.25 * face.turn
    at = np.array([rng.uniform(0.48, 0.56), drop], np.float32)
    rings = [lens + at + [shift, 0], lens * flip + at * flip + [shift, 0]]
    glass = np.max([fill_polygon(face, ring, 0.01) for ring in rings], axis=0)
    tint = rng.uniform(0, 40) + rng.normal(0, 6, 3)
    if happens(rng, 0.2):  # coloured or mirrored
        tint = rng.uniform(0, 140, 3)
    side = face.pixels.shape[0]
    fade = np.linspace(0, rng.uniform(-30, 70), side)[:, None, None]
    layer = np.asarray(tint + fade + 8 * make_clouds(side, 0.3 * face.unit_px, rng)[..., None])
    strength = rng.uniform(0.82, 1.0) if dark else rng.uniform(0.0, 0.18)
    pixels = blend_layer(face.pixels, layer.astype(np.float32), glass * strength)
    if happens(rng, 0.5):  # a reflection
        x, y = rng.uniform(-0.7, 0.7), rng.uniform(-0.2, 0.1)
        gleam = fill_polygon(face, make_ellipse(x, y, 0.14, rng.uniform(0.03, 0.12)), 0.04) * glass
        pixels = blend_layer(pixels, np.full(3, 245, np.float32), gleam * rng.uniform(0.1, 0.7))
    bar = np.array([rings[1][:, 0].max(), drop - 0.08, rings[0][:, 0].min(), drop - 0.08])
    frame = [
        draw_line(face, ring, w, closed=True) for ring in rings if (w := rng.uniform(0.02, 0.1))
    ]
    frame.append(draw_line(face, bar.reshape(2, 2).astype(np.float32), 0.05))
    for sign, ring in zip((1, -1), rings, strict=True):  # temples, towards the ears
        edge = ring[np.argmax(sign * ring[:, 0])]
        ear = np.array([sign * 1.2 - 0.4 * face.turn, rng.uniform(-0.1, 0.1)])
        frame.append(draw_line(face, np.stack([edge, ear]).astype(np.float32), 0.04))
    return blend_layer(pixels, choose_cloth_colour(rng, 0.6), np.max(frame, axis=0)), (
        "sunglasses" if dark else "none/glasses"
    )


def choose_skin_tone(face: LandmarkedFace, rng: Rng) -> Floats:
    """(3,) the skin of a clear face, blue-green-red, lit a little differently.

    Taken before anything is laid over the face, or hands come out in the thing's colour.
    """
    patch = fill_polygon(face, make_ellipse(0, 0.55, 0.75, 0.35), 0.0) > 0.5  # noqa: PLR2004
    tone = np.median(face.pixels[patch], axis=0) if patch.any() else np.array([110, 130, 170])
    return np.asarray(tone * rng.uniform(0.7, 1.15) + rng.normal(0, 5, 3), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Pose:
    """How a hand is held before a face.

    Args:
        at: Where the palm lies, in face units.
        turn: Of the fingers from upright, in radians; positive to the picture's right.
        curl: 0 for stretched fingers, 1 for a fist.
    """

    at: tuple[float, float]
    turn: float
    curl: float = 0.0


def choose_pose(rng: Rng, at: tuple[float, float]) -> Pose:
    """A hand held in one of the ways hands are held."""
    turn = rng.uniform(-1.0, 1.0) + (np.pi if happens(rng, 0.1) else 0)
    if happens(rng, 0.25):  # across the face, from one side
        turn = float(rng.choice([-1, 1])) * rng.uniform(1.1, 1.7)
    return Pose(at, float(turn), rng.uniform(0.5, 0.9) if happens(rng, 0.15) else 0.0)


def draw_hand(face: LandmarkedFace, rng: Rng, pose: Pose, tone: Floats) -> Pixels:
    """A face with a hand before it.

    Args:
        face: What the hand is before.
        rng: Decides the fingers and the sleeve.
        pose: Where and how the hand is held.
        tone: (3,) from skin_tone.
    """
    turn = pose.turn
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
    size = rng.uniform(0.85, 1.2) * np.array([rng.choice([-1, 1]), 1], np.float32)  # left, right
    scale = float(size[1])

    def placed(shape: list[tuple[float, float]] | Floats) -> Floats:
        """The shape, put where it is held."""
        moved = np.array(shape, np.float32) * size @ spin.T + np.array(pose.at, np.float32)
        return np.asarray(moved, dtype=np.float32)

    if happens(rng, 0.1):  # a glove
        tone = choose_cloth_colour(rng, 0.5)
    skin = _draw_rough_skin(face, rng, tone)
    pixels = face.pixels
    arm = placed([(-0.34, 0.7), (0.34, 0.7), (0.48, 4.0), (-0.48, 4.0)])
    pixels = blend_layer(pixels, _shade_round(face, arm, skin), fill_polygon(face, arm, 0.02))
    if happens(rng, 0.6):
        start = rng.uniform(0.9, 1.8)
        sleeve = placed([(-0.5, start), (0.5, start), (0.7, 4.0), (-0.7, 4.0)])
        cloth = _draw_rough_skin(face, rng, choose_cloth_colour(rng, 0.5))
        pixels = blend_layer(
            pixels, _shade_round(face, sleeve, cloth), fill_polygon(face, sleeve, 0.02)
        )
    palm = placed(round_corners(np.array(_PALM, np.float32)))
    area = fill_polygon(face, palm, 0.02)
    pixels = darken(pixels, blur(area, 0.12 * face.unit_px), 0.4)
    pixels = blend_layer(pixels, _shade_round(face, palm, skin), area)
    spread, back = rng.uniform(0.0, 0.22), happens(rng, 0.6)
    for i, long in enumerate(_FINGERS):
        root = -0.36 + 0.245 * i
        tip = root * (1 + 2 * spread), -long * (1 - 0.75 * pose.curl) + rng.normal(0, 0.05)
        middle = (root + tip[0]) / 2 + rng.normal(0, 0.02), tip[1] / 2
        bone = placed([(root, 0.15), middle, tip])
        shade = np.asarray(skin * rng.uniform(0.93, 1.07), np.float32)
        pixels = _draw_finger(LandmarkedFace(pixels, face.points), bone, shade, scale, nail=back)
    thumb = placed([(0.3, 0.5), (0.58, 0.15), (0.62 + spread, -0.25)])
    return _draw_finger(LandmarkedFace(pixels, face.points), thumb, skin, scale, nail=back)


def _draw_finger(
    face: LandmarkedFace, bone: Floats, skin: Floats, size: float, *, nail: bool
) -> Pixels:
    """A face with one finger before it, round and with its joints."""
    wide = 0.23 * size
    shape = blur(draw_line(face, bone, wide), 0.015 * face.unit_px)
    pixels = darken(face.pixels, blur(draw_line(face, bone, 1.35 * wide), 1.2), 0.3)
    core = blur(draw_line(face, bone, 0.45 * wide), 0.3 * wide * face.unit_px)
    pixels = blend_layer(pixels, skin * (0.78 + 0.3 * core)[..., None], shape)
    along = bone[2] - bone[1]
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-3)
    for joint in (bone[1], 0.35 * bone[1] + 0.65 * bone[2]):
        crease = np.stack([joint - 0.35 * wide * across, joint + 0.35 * wide * across])
        line = blur(draw_line(face, crease.astype(np.float32), 0.02), 0.5)
        pixels = darken(pixels, line * shape, 0.25)
    if nail:
        end = np.stack([bone[1] + 0.93 * along, bone[2]]).astype(np.float32)
        pale = np.asarray(skin * 1.1 + 14, dtype=np.float32)
        pixels = blend_layer(pixels, pale, 0.7 * draw_line(face, end, 0.55 * wide) * shape)
    return pixels


def _draw_rough_skin(face: LandmarkedFace, rng: Rng, tone: Floats) -> Floats:
    """(S, S, 3) one tone, a little uneven."""
    side, unit = face.pixels.shape[0], face.unit_px
    rough = 1 + 0.04 * make_clouds(side, 0.2 * unit, rng) + 0.09 * make_clouds(side, unit, rng)
    return np.asarray(tone * rough[..., None], dtype=np.float32)


def _shade_round(face: LandmarkedFace, shape: Floats, layer: Floats) -> Floats:
    """A layer that grows darker towards the edges of a shape, as round things do."""
    core = fill_polygon(face, shape, 0.16)
    return np.asarray(layer * (0.62 + 0.42 * core)[..., None], dtype=np.float32)
