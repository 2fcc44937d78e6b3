"""Hard things over faces: masks of plastic, and helmets."""

import cv2
import numpy as np

from monitor.domain import Pixels
from monitor.train.synthesis_cloth import cloth_colour, head_outline, light
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
    mirrored,
    shaded,
    smooth,
    stroke,
)

_BLACK = np.array((8, 8, 8), np.float32)


def _shell(face: Face, rng: Rng, colour: Floats) -> Floats:
    """(S, S, 3) smooth plastic of one colour with a highlight."""
    lit = light(face, rng) ** 0.8
    layer = colour * lit[..., None]
    spot = ellipse(rng.uniform(-0.8, 0.8), rng.uniform(-1.1, 0.3), 0.25, 0.15)
    shine = filled(face, spot, 0.12)
    return np.asarray(layer + rng.uniform(0, 110) * shine[..., None], dtype=np.float32)


def _mask_shape(face: Face, rng: Rng) -> Floats:
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
    return smooth(mirrored([*half, (0.0, low)], -0.1 * face.turn))


def hard_mask(face: Face, rng: Rng) -> tuple[Pixels, str]:
    """A face behind a hockey, clown, skull or plain plastic mask, and its answer."""
    kind = rng.choice(["hockey", "clown", "skull", "plain"], p=[0.25, 0.25, 0.2, 0.3])
    pale = rng.uniform(150, 250) + rng.normal(0, 12, 3)
    coloured = kind == "plain" and happens(rng, 0.55)
    colour = cloth_colour(rng, 0.3) + 20 if coloured else pale.astype(np.float32)
    area = filled(face, _mask_shape(face, rng), 0.02)
    layer = _shell(face, rng, np.asarray(colour, np.float32))
    layer = _PAINT[str(kind)](face, rng, layer)
    rx, ry = rng.uniform(0.2, 0.36), rng.uniform(0.1, 0.26)
    eyes = [filled(face, ellipse(s * 0.5 + 0.15 * face.turn, 0, rx, ry), 0.03) for s in (-1, 1)]
    free = np.maximum(*eyes) * (happens(rng, 0.85))  # else painted eyes
    pixels = shaded(face.pixels, blurred(area, 0.12 * face.unit_px), rng.uniform(0.2, 0.8))
    pixels = laid(pixels, layer, area * (1 - free))
    return pixels, {"hockey": "hard_mask/hockey", "plain": "hard_mask"}.get(
        kind, "hard_mask/painted"
    )


def _hockey(face: Face, rng: Rng, layer: Floats) -> Floats:
    """Rows of holes, red chevrons."""
    step = rng.uniform(0.24, 0.36)
    for y in np.arange(-0.9, 2.0, step):
        for x in np.arange(-1.0, 1.01, step):
            hole = filled(face, ellipse(x, y, 0.05, 0.05), 0.0)
            layer = layer + (_BLACK - layer) * hole[..., None]
    red = np.array((40, 30, 170), np.float32)
    for x in (-0.6, 0.0, 0.6):
        if happens(rng, 0.6):
            y = -0.8 if x == 0 else 0.7
            chevron = np.array([(x - 0.2, y - 0.2), (x + 0.2, y - 0.2), (x, y + 0.3)], np.float32)
            layer = layer + (red - layer) * filled(face, chevron)[..., None]
    return layer


def _clown(face: Face, rng: Rng, layer: Floats) -> Floats:
    """Strong paint about eyes, nose and mouth."""
    for x, y, rx, ry in ((-0.5, -0.05, 0.38, 0.5), (0.5, -0.05, 0.38, 0.5), (0, 1.15, 0.7, 0.35)):
        spot = filled(face, ellipse(x, y, rx, ry), 0.03)
        paint = rng.uniform(0, 255, 3).astype(np.float32)
        layer = layer + (paint - layer) * spot[..., None] * 0.9
    red = np.array((40, 30, 200), np.float32)
    for x, y, r in ((0.0, 0.6, 0.26), (-0.75, 0.9, 0.2), (0.75, 0.9, 0.2)):
        if r > 0.25 or happens(rng, 0.4):  # noqa: PLR2004
            layer = layer + (red - layer) * filled(face, ellipse(x, y, r, r), 0.02)[..., None]
    grin = smooth(np.array([(-0.5, 1.05), (0, 1.4), (0.5, 1.05), (0, 1.2)], np.float32))
    return np.asarray(layer + (red - layer) * filled(face, grin)[..., None], dtype=np.float32)


def _skull(face: Face, rng: Rng, layer: Floats) -> Floats:
    """Black sockets, a black nose, teeth."""
    for x in (-0.5, 0.5):
        socket = filled(face, ellipse(x, 0.0, rng.uniform(0.36, 0.45), 0.4), 0.06)
        layer = layer + (_BLACK - layer) * socket[..., None]
    nose = filled(face, np.array([(0, 0.4), (-0.2, 0.8), (0.2, 0.8)], np.float32), 0.03)
    layer = layer + (_BLACK - layer) * nose[..., None]
    for x in np.arange(-0.55, 0.56, 0.16):
        tooth = np.array([(x, 0.98), (x, 1.35)], np.float32)
        layer = layer + (_BLACK - layer) * stroke(face, tooth, 0.05)[..., None]
    for x in (-0.95, 0.95):
        cheek = filled(face, ellipse(x, 1.0, 0.25, 0.45), 0.1)
        layer = layer * (1 - 0.7 * cheek)[..., None]
    return np.asarray(layer, dtype=np.float32)


def _plain(face: Face, rng: Rng, layer: Floats) -> Floats:
    """Moulded brows, nose and lips, sometimes a drawn beard."""
    nose = filled(face, np.array([(0, -0.1), (-0.25, 0.7), (0.25, 0.7)], np.float32), 0.08)
    layer = layer * (1 + rng.uniform(-0.2, 0.2) * nose)[..., None]
    ink = rng.uniform(0, 90, 3).astype(np.float32)
    lines = [[(-0.8, -0.3), (-0.5, -0.45), (-0.2, -0.3)], [(0.2, -0.3), (0.5, -0.45), (0.8, -0.3)]]
    lines += [[(-0.4, 1.1), (0, 1.16), (0.4, 1.1)], [(-0.5, 0.9), (0, 0.82), (0.5, 0.9)]]
    for line in lines:
        if happens(rng, 0.6):
            drawn = stroke(face, np.array(line, np.float32), rng.uniform(0.04, 0.12))
            layer = layer + (ink - layer) * drawn[..., None] * rng.uniform(0.3, 1)
    return layer


_PAINT = {"hockey": _hockey, "clown": _clown, "skull": _skull, "plain": _plain}


def helmet(face: Face, rng: Rng) -> tuple[Pixels, str]:
    """A face in a full-face helmet, its visor dark, mirrored or open, and its answer."""
    outer = head_outline(face, rng, neck=False) * np.array([1.3, 1.15], np.float32)
    bright = happens(rng, 0.5)
    layer = _shell(face, rng, cloth_colour(rng, 0.0 if bright else 0.8))
    if happens(rng, 0.4):
        flash = clouds(face.pixels.shape[0], 0.8 * face.unit_px, rng) > 0.3  # noqa: PLR2004
        layer = np.where(flash[..., None], _shell(face, rng, cloth_colour(rng, 0.2)), layer)
    tinted = happens(rng, 0.7)
    top, low = rng.uniform(-0.85, -0.45), rng.uniform(0.45, 0.95 if tinted else 0.65)
    wide = rng.uniform(1.0, 1.35)
    half = [(0.0, top), (wide * 0.9, top + 0.1), (wide, 0.1), (wide * 0.85, low - 0.1), (0.0, low)]
    window = filled(face, smooth(mirrored(half, 0.1 * face.turn)), 0.02)
    pixels = laid(face.pixels, layer, filled(face, outer, 0.02) * (1 - window))
    if tinted:
        tint = rng.uniform(5, 60) + rng.normal(0, 6, 3)
        sky = np.linspace(rng.uniform(0, 120), 0, pixels.shape[0], dtype=np.float32)[:, None, None]
        glass = (
            np.broadcast_to(tint + sky, pixels.shape)
            + 12 * clouds(pixels.shape[0], 0.5 * face.unit_px, rng)[..., None]
        )
        pixels = laid(pixels, glass.astype(np.float32), window * rng.uniform(0.75, 1.0))
    else:
        pixels = shaded(pixels, blurred(1 - window, 0.2 * face.unit_px) * window, 0.8)
    seam = np.asarray(cv2.Laplacian(window, cv2.CV_32F) ** 2, dtype=np.float32)
    return shaded(pixels, seam, 0.6), "helmet"
