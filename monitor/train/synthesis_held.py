"""Glasses on faces, and hands and things before them."""

import cv2
import numpy as np

from monitor.domain import Pixels
from monitor.train.synthesis_cloth import cloth_colour
from monitor.train.synthesis_face import (
    Face,
    Floats,
    Rng,
    blurred,
    clouds,
    ellipse,
    filled,
    happens,
    laid,
    shaded,
    smooth,
    stroke,
)


def _lens(rng: Rng) -> Floats:
    """The outline of a right lens about its own middle, in face units."""
    wide, tall = rng.uniform(0.3, 0.52), rng.uniform(0.2, 0.42)
    kind = rng.integers(4)
    if kind == 0:
        return ellipse(0, 0, wide, max(tall, 0.28))
    if kind == 1:  # aviator: narrow below
        corners = [(-1, -0.8), (1, -0.9), (1.05, 0.1), (0.5, 1.1), (-0.3, 1.0), (-0.9, 0.3)]
    elif kind == 2:  # wayfarer, rectangle  # noqa: PLR2004
        corners = [(-1, -0.9), (1.1, -1), (1.0, 0.7), (0.6, 1), (-0.6, 1), (-1, 0.6)]
    else:  # sport: swept out
        corners = [(-1, -0.7), (1.3, -0.9), (1.4, -0.2), (0.4, 0.9), (-0.8, 0.7)]
    return smooth(np.array(corners, np.float32) * np.array([wide, tall], np.float32))


def glasses(face: Face, rng: Rng, *, dark: bool) -> tuple[Pixels, str]:
    """A face with clear or dark glasses, and its answer."""
    lens = _lens(rng)
    drop = rng.uniform(-0.05, 0.12)
    flip = np.array([-1, 1], np.float32)
    shift = 0.25 * face.turn
    at = np.array([rng.uniform(0.48, 0.56), drop], np.float32)
    rings = [lens + at + [shift, 0], lens * flip + at * flip + [shift, 0]]
    glass = np.max([filled(face, ring, 0.01) for ring in rings], axis=0)
    tint = rng.uniform(0, 40) + rng.normal(0, 6, 3)
    if happens(rng, 0.2):  # coloured or mirrored
        tint = rng.uniform(0, 140, 3)
    side = face.pixels.shape[0]
    fade = np.linspace(0, rng.uniform(-30, 70), side)[:, None, None]
    layer = np.asarray(tint + fade + 8 * clouds(side, 0.3 * face.unit_px, rng)[..., None])
    strength = rng.uniform(0.82, 1.0) if dark else rng.uniform(0.0, 0.18)
    pixels = laid(face.pixels, layer.astype(np.float32), glass * strength)
    if happens(rng, 0.5):  # a reflection
        x, y = rng.uniform(-0.7, 0.7), rng.uniform(-0.2, 0.1)
        gleam = filled(face, ellipse(x, y, 0.14, rng.uniform(0.03, 0.12)), 0.04) * glass
        pixels = laid(pixels, np.full(3, 245, np.float32), gleam * rng.uniform(0.1, 0.7))
    bar = np.array([rings[1][:, 0].max(), drop - 0.08, rings[0][:, 0].min(), drop - 0.08])
    frame = [stroke(face, ring, w, closed=True) for ring in rings if (w := rng.uniform(0.02, 0.1))]
    frame.append(stroke(face, bar.reshape(2, 2).astype(np.float32), 0.05))
    for sign, ring in zip((1, -1), rings, strict=True):  # temples, towards the ears
        edge = ring[np.argmax(sign * ring[:, 0])]
        ear = np.array([sign * 1.2 - 0.4 * face.turn, rng.uniform(-0.1, 0.1)])
        frame.append(stroke(face, np.stack([edge, ear]).astype(np.float32), 0.04))
    return laid(pixels, cloth_colour(rng, 0.6), np.max(frame, axis=0)), (
        "sunglasses" if dark else "none/glasses"
    )


def _skin(face: Face, rng: Rng) -> Floats:
    """(S, S, 3) skin of this face's tone, lit a little differently."""
    patch = filled(face, ellipse(0, 0.55, 0.75, 0.35), 0.0) > 0.5  # noqa: PLR2004
    tone = np.median(face.pixels[patch], axis=0) if patch.any() else np.array([110, 130, 170])
    side = face.pixels.shape[0]
    rough = (
        1 + 0.06 * clouds(side, 0.15 * face.unit_px, rng) + 0.1 * clouds(side, face.unit_px, rng)
    )
    tone = tone * rng.uniform(0.75, 1.15) + rng.normal(0, 5, 3)
    return np.asarray(tone * rough[..., None], dtype=np.float32)


def hand(face: Face, rng: Rng, at: tuple[float, float]) -> Pixels:
    """A face with a hand before it whose palm lies at ``at``, in face units."""
    x, y = at
    turn = rng.uniform(-1.0, 1.0) + (np.pi if happens(rng, 0.15) else 0)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
    size = rng.uniform(0.85, 1.25)

    def placed(shape: Floats) -> Floats:
        """The shape, put where it is held."""
        return np.asarray(shape * size @ spin.T + np.array([x, y]), dtype=np.float32)

    skin = _skin(face, rng)
    pixels = face.pixels
    arm = np.array([(-0.4, 0.4), (0.4, 0.4), (0.5, 3.0), (-0.5, 3.0)], np.float32)
    sleeve = cloth_colour(rng, 0.5)
    pixels = laid(pixels, sleeve if happens(rng, 0.4) else skin, filled(face, placed(arm), 0.02))
    palm = filled(face, placed(ellipse(0, 0.15, 0.5, 0.5)), 0.02)
    pixels = shaded(pixels, blurred(palm, 0.12 * face.unit_px), 0.4)
    pixels = laid(pixels, skin, palm)
    spread = rng.uniform(0.0, 0.2)
    for i, long in enumerate((0.75, 0.95, 0.9, 0.65)):
        root = -0.37 + 0.25 * i
        tip = (root * (1 + 2 * spread), -long + rng.normal(0, 0.06))
        bent = np.array([(root, 0.1), ((root + tip[0]) / 2, tip[1] / 2), tip], np.float32)
        wide = stroke(face, placed(bent), 0.24 * size)
        pixels = shaded(pixels, blurred(stroke(face, placed(bent), 0.32 * size), 1.0), 0.25)
        pixels = laid(pixels, skin * rng.uniform(0.9, 1.08), blurred(wide, 0.02 * face.unit_px))
    thumb = np.array([(0.3, 0.4), (0.62, 0.1), (0.72, -0.25)], np.float32)
    return laid(pixels, skin * 0.95, stroke(face, placed(thumb), 0.24 * size))


def sheet(face: Face, rng: Rng, shape: Floats) -> Pixels:
    """A face behind a flat thing: a phone, a book, paper, a cup, anything with edges."""
    side = face.pixels.shape[0]
    kind = rng.integers(3)
    colour = cloth_colour(rng, 0.8) if kind == 0 else rng.uniform(20, 250, 3).astype(np.float32)
    if kind == 1:
        colour = np.full(3, rng.uniform(180, 250), np.float32)
    ramp = np.linspace(1, rng.uniform(0.7, 1.2), side, dtype=np.float32)
    layer = colour * (ramp if happens(rng, 0.5) else ramp[:, None].T)[..., None]
    layer = np.broadcast_to(layer, (side, side, 3)) + 5 * clouds(side, 3, rng)[..., None]
    area = filled(face, shape, 0.01)
    pixels = shaded(face.pixels, blurred(area, 0.1 * face.unit_px), 0.4)
    pixels = laid(pixels, layer.astype(np.float32), area)
    low, high = shape.min(axis=0), shape.max(axis=0)
    for _ in range(rng.integers(0, 9)):  # print, lenses, labels
        y = rng.uniform(low[1], high[1])
        ends = np.array([(rng.uniform(low[0], high[0]), y), (rng.uniform(low[0], high[0]), y)])
        line = stroke(face, ends.astype(np.float32), rng.uniform(0.03, 0.12)) * area
        pixels = laid(pixels, rng.uniform(0, 255, 3).astype(np.float32), line)
    edge = stroke(face, shape, 0.03, closed=True)
    return laid(pixels, np.full(3, rng.uniform(0, 120), np.float32), edge * 0.5)


def _quad(rng: Rng, at: tuple[float, float], size: tuple[float, float]) -> Floats:
    """Four corners of a tilted rectangle in face units."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32) * np.array(size) / 2
    corners[:2] *= rng.uniform(0.85, 1.1)
    turn = rng.normal(0, 0.25)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(corners @ spin.T + np.array(at), dtype=np.float32)


def hand_object(face: Face, rng: Rng) -> tuple[Pixels, str]:
    """A face of which a hand or a thing hides a good part, and its answer."""
    at = (rng.normal(0, 0.15), rng.choice([0.1, 0.75, 0.95]) + rng.normal(0, 0.12))
    kind = rng.choice(["hand", "hands", "thing", "both"], p=[0.35, 0.15, 0.25, 0.25])
    if kind == "hand":
        return hand(face, rng, at), "hand_object/hand"
    if kind == "hands":
        first = hand(face, rng, (-0.45, at[1]))
        return hand(Face(first, face.points), rng, (0.45, at[1])), "hand_object/hand"
    size = (rng.uniform(0.9, 2.4), rng.uniform(1.1, 2.2))
    pixels = sheet(face, rng, _quad(rng, at, size))
    if kind == "both":
        pixels = hand(
            Face(pixels, face.points), rng, (at[0] + rng.choice([-0.6, 0.6]), at[1] + 0.7)
        )
    return pixels, "hand_object/paper" if size[0] > 1.6 and kind == "thing" else "hand_object"  # noqa: PLR2004


def near_hand(face: Face, rng: Rng) -> tuple[Pixels, str]:
    """A hand at cheek, chin or temple, or a thing beside or below the face: still clear."""
    # A turned head shows its cheek on the side the nose turns away from.
    side = -np.sign(face.turn) if abs(face.turn) > 0.12 else rng.choice([-1, 1])  # noqa: PLR2004
    if happens(rng, 0.6):
        spots = [(side * 1.8, 0.9), (side * 1.8, 0.2), (side * 1.0, 2.5), (0.0, 2.75)]
        at = spots[rng.integers(len(spots))]
        return hand(face, rng, (at[0], at[1] + rng.uniform(0, 0.3))), "none/hand"
    at = (side * rng.uniform(1.7, 2.2), rng.uniform(-0.5, 2.0))
    if happens(rng, 0.5):  # a microphone, a collar
        at = (rng.normal(0, 0.4), rng.uniform(2.3, 2.7))
        return sheet(face, rng, _quad(rng, at, (rng.uniform(0.3, 1.6), 1.2))), "none/hand"
    return sheet(face, rng, _quad(rng, at, (rng.uniform(0.7, 1.2), 1.8))), "none/hand"


def watermark(pixels: Pixels, rng: Rng) -> Pixels:
    """Writing over a picture, as of a photo agency or a camera's clock."""
    drawn = pixels.copy()
    side = pixels.shape[0]
    text = "".join(chr(c) for c in rng.integers(48, 122, rng.integers(3, 14)))
    at = (int(rng.uniform(-0.2, 0.6) * side), int(rng.uniform(0.1, 0.95) * side))
    level = float(rng.choice([255, 200, 90]))
    size = float(rng.uniform(0.4, 1.4))
    cv2.putText(
        drawn, text, at, int(rng.integers(8)), size, (level,) * 3, 1 + int(size), cv2.LINE_AA
    )
    share = float(rng.uniform(0.25, 0.9))
    return np.asarray(cv2.addWeighted(drawn, share, pixels, 1 - share, 0), dtype=np.uint8)
