"""Heads in balaclavas seen from any side: a simple body of ellipsoids, dressed and turned.

Landmarks are found on faces that look at the camera, so what is drawn on photographs does
too; real people in balaclavas look aside. Here skull, chin, nose and neck are ellipsoids, lit
by one lamp; the openings lie on their surface, and what shows in them is a clear face's skin.

Source:
    Orthographic ray casting of quadrics: Roth, "Ray Casting for Modeling Solids", 1982.
"""

from typing import Final

import cv2
import numpy as np

from monitor.demo.drawing import (
    Floats,
    LandmarkedFace,
    Rng,
    blend_layer,
    blur,
    fill_polygon,
    happens,
    make_clouds,
    mirror_polygon,
    round_corners,
)
from monitor.domain import Pixels
from monitor.train.synthesis.cloth import choose_cloth_colour, draw_cloth

_PARTS: Final = (
    ((0.0, -0.35, -0.1), (1.22, 1.3, 1.45)),  # skull
    ((0.0, 0.45, 0.15), (1.08, 1.35, 1.2)),  # face
    ((0.0, 0.55, 1.3), (0.2, 0.36, 0.28)),  # nose
    ((0.0, 1.35, 0.85), (0.5, 0.42, 0.45)),  # chin
    ((0.0, 2.1, -0.25), (0.78, 1.6, 0.72)),  # neck
)
"""Middle and semi-axes in face units: x to the picture's right, y down, z to the camera."""
_MARKS: Final = ((-0.5, 0, 1.1), (0.5, 0, 1.1), (0, 0.6, 1.5), (-0.4, 1.1, 1.15), (0.4, 1.1, 1.15))
_LEAST_SHOWN: Final = 0.012  # of the picture; with less it looks like the back of a head


def draw_turned_balaclava(
    face: LandmarkedFace, background: Pixels, rng: Rng
) -> tuple[LandmarkedFace, str] | None:
    """A head in a balaclava that looks aside, before a background; None if it looks away.

    Args:
        face: A clear face, whose skin and eyes show in the openings.
        background: (S, S, 3), blue-green-red.
        rng: Decides everything.
    """
    side = face.pixels.shape[0]
    unit = rng.uniform(0.13, 0.22) * side
    middle = side * np.array([0.5 + rng.normal(0, 0.04), 0.42 + rng.normal(0, 0.04)])
    turn = _make_rotation(rng.choice([-1, 1]) * rng.uniform(0.1, 1.35), *rng.normal(0, (0.22, 0.1)))
    marks = (np.array(_MARKS) @ turn.T)[:, :2] * unit + middle
    placed = LandmarkedFace(_choose_background(background, side, rng), marks.astype(np.float32))
    body, depth = _cast_body(side, unit, middle, turn)
    on_head = _find_surface(side, unit, middle, depth) @ turn  # pixels to places on the head
    free, key = _make_openings(on_head, depth, rng)
    if float((free * body).mean()) < _LEAST_SHOWN:
        return None
    shade = _compute_light(depth, unit, body, rng)
    colour = choose_cloth_colour(rng, 0.7)
    pixels = _draw_shoulders(placed, colour, rng, unit, middle)
    knit = 1 + rng.uniform(0, 0.2) * np.sin(
        rng.uniform(12, 30) * np.arctan2(on_head[..., 0], on_head[..., 2])
    )
    folds = 1 + rng.uniform(0.03, 0.14) * make_clouds(side, rng.uniform(0.3, 0.8) * unit, rng)
    layer = (
        colour * (shade * folds * knit)[..., None] + 12 * np.clip(shade - 0.8, 0, None)[..., None]
    )
    pixels = blend_layer(pixels, np.asarray(layer, np.float32), body)
    skin = _project_skin(face, on_head) * (0.35 + 0.65 * shade)[..., None] * rng.uniform(0.5, 1.05)
    rim = np.clip(blur(free, 0.09 * unit) * 2, 0, 1) * (1 - free)
    pixels = blend_layer(pixels, np.asarray(layer * rng.uniform(0.5, 1.3), np.float32), rim * body)
    soft = blur(free, rng.uniform(0.01, 0.05) * unit)
    return LandmarkedFace(
        blend_layer(pixels, np.asarray(skin, np.float32), soft * body), placed.points
    ), key


def _make_rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """(3, 3): turns places on the head to where the camera sees them; radians."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    around_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(around_z @ around_x @ around_y, dtype=np.float32)


def _choose_background(background: Pixels, side: int, rng: Rng) -> Pixels:
    """A picture to stand before: a scene, or the plain wall of a studio."""
    if happens(rng, 0.6):
        return np.asarray(cv2.resize(background, (side, side)), dtype=np.uint8)
    level = rng.choice([255, 240, 128, 60, 15]) + rng.normal(0, 8, 3)
    fall = 1 + 0.1 * rng.normal() * np.linspace(-1, 1, side)[:, None, None]
    wall = np.broadcast_to(level, (side, side, 3)) * fall
    return np.clip(wall, 0, 255).astype(np.uint8)


def _cast_body(side: int, unit: float, middle: Floats, turn: Floats) -> tuple[Floats, Floats]:
    """(S, S) coverage of the body and (S, S) the depth of its front, in face units."""
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    x, y = (xs - middle[0]) / unit, (ys - middle[1]) / unit
    depth = np.full((side, side), -np.inf, np.float32)
    for centre, axes in _PARTS:
        at = turn @ np.array(centre, np.float32)
        form = turn @ np.diag(1 / np.square(axes)) @ turn.T  # p' form p = 1 on the surface
        dx, dy = x - at[0], y - at[1]
        a = form[2, 2]
        b = 2 * (form[0, 2] * dx + form[1, 2] * dy)
        c = form[0, 0] * dx**2 + 2 * form[0, 1] * dx * dy + form[1, 1] * dy**2 - 1
        inside = b**2 - 4 * a * c
        front = (-b + np.sqrt(np.clip(inside, 0, None))) / (2 * a) + at[2]
        depth = np.where(inside > 0, np.maximum(depth, front), depth)
    hit = np.isfinite(depth)
    body = blur(hit.astype(np.float32), 0.7)
    level = np.where(hit, depth, -1.0).astype(np.float32)
    weight = blur(hit.astype(np.float32), 0.08 * unit) + 1e-3
    return body, blur(level * hit, 0.08 * unit) / weight


def _find_surface(side: int, unit: float, middle: Floats, depth: Floats) -> Floats:
    """(S, S, 3) where each pixel meets the body, in face units, as the camera sees it."""
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.stack([(xs - middle[0]) / unit, (ys - middle[1]) / unit, depth], axis=-1)


def _make_openings(on_head: Floats, depth: Floats, rng: Rng) -> tuple[Floats, str]:
    """(S, S) what the cloth leaves free, in 0..1, and which sentence tells it."""
    around = np.arctan2(on_head[..., 0], on_head[..., 2]) * 1.2  # along the skin, in face units
    height = on_head[..., 1]
    ahead = on_head[..., 2] > 0.2  # noqa: PLR2004  (nothing is open at the back)
    kind = rng.choice(["slot", "holes", "mouth", "open"], p=[0.5, 0.13, 0.25, 0.12])
    if kind in ("slot", "open"):
        low = rng.uniform(0.16, 0.45) if kind == "slot" else rng.uniform(0.6, 0.95)
        top, wide = rng.uniform(-0.6, -0.25), rng.uniform(0.8, 1.15)
        off = (height - (top + low) / 2) / ((low - top) / 2)
        power = rng.uniform(2, 5)
        inside = np.abs(around / wide) ** power + np.abs(off) ** power < 1
        return (inside & ahead).astype(np.float32), "balaclava"
    rx, ry = rng.uniform(0.27, 0.44), rng.uniform(0.15, 0.3)
    holes = [(-0.52, 0.0, rx, ry), (0.52, 0.0, rx, ry)]
    if kind == "mouth":
        holes.append((0.0, 1.1, rng.uniform(0.3, 0.5), ry))
    free = np.zeros_like(depth, dtype=bool)
    for x, y, wide, tall in holes:
        free |= ((around - x) / wide) ** 2 + ((height - y) / tall) ** 2 < 1
    return (free & ahead).astype(np.float32), f"balaclava/{kind}"


def _compute_light(depth: Floats, unit: float, body: Floats, rng: Rng) -> Floats:
    """(S, S) the light of one lamp on the body, about 1."""
    across = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=unit / 8)
    down = cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=unit / 8)
    normal = np.stack([-across, -down, np.ones_like(depth)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, 0.1), rng.uniform(0.4, 1.0)])
    shine = np.clip(normal @ (lamp / np.linalg.norm(lamp)), 0, 1)
    ambient = rng.uniform(0.3, 0.7)
    return np.asarray((ambient + (1.25 - ambient) * shine) * np.clip(body, 0.2, 1), np.float32)


def _project_skin(face: LandmarkedFace, on_head: Floats) -> Floats:
    """(S, S, 3) the clear face, laid on the head from the front."""
    axes = face.axes
    at = on_head[..., :2] @ axes[:, :2].T + axes[:, 2]
    maps = at.astype(np.float32)
    skin = cv2.remap(
        face.pixels, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(skin, dtype=np.float32)


def _draw_shoulders(
    placed: LandmarkedFace, colour: Floats, rng: Rng, unit: float, middle: Floats
) -> Pixels:
    """The background with a torso before it, of the balaclava's cloth or another."""
    half = [(0.0, 1.9), (0.8, 2.0), (1.3, 2.5), (rng.uniform(2.2, 3.2), 3.1), (3.3, 7.0)]
    upright = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.15], [0.4, 1.15]]) * unit + middle
    ground = LandmarkedFace(placed.pixels, upright.astype(np.float32))
    dye = colour if happens(rng, 0.3) else choose_cloth_colour(rng, 0.4)
    torso = fill_polygon(ground, round_corners(mirror_polygon(half, rng.normal(0, 0.2))), 0.03)
    return blend_layer(placed.pixels, draw_cloth(ground, rng, dye), torso)
