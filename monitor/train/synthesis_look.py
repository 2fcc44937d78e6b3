"""How the whole picture looks: writing over it, and the look of a camera at night."""

import cv2
import numpy as np

from monitor.demo.drawing import Face, Rng, ellipse, filled, happens, to_pixels
from monitor.domain import Pixels

_INFRARED = (0.15, 0.25, 0.6)  # shares of blue, green and red; skin is pale in infrared


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


def night(face: Face, rng: Rng, *, eyes: bool) -> Pixels:
    """A picture as a camera with an infrared lamp takes it: grey, lit from the camera, noisy.

    Args:
        face: What is shown.
        rng: Decides the lamp and the noise.
        eyes: Whether the eyes are to be seen; they throw the lamp's light back now and then.
    """
    side = face.pixels.shape[0]
    grey = face.pixels.astype(np.float32) @ np.array(_INFRARED, np.float32) / 255
    grey = grey ** rng.uniform(0.6, 1.0) * rng.uniform(0.6, 1.0)
    lift = rng.uniform(0.0, 0.2)  # most black cloth is grey in infrared
    grey = lift + (1 - lift) * grey
    middle = to_pixels(face, np.array([(rng.normal(0, 0.5), rng.normal(0.4, 0.5))], np.float32))[0]
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    away = ((xs - middle[0]) ** 2 + (ys - middle[1]) ** 2) / (rng.uniform(0.5, 1.2) * side) ** 2
    grey = grey * (rng.uniform(0.2, 0.5) + 0.65 * np.exp(-away))
    if eyes and happens(rng, 0.4):
        size = rng.uniform(0.04, 0.08)
        for x in (-0.5, 0.5):
            grey = grey + rng.uniform(0.3, 0.8) * filled(face, ellipse(x, 0.0, size, size), 0.03)
    grey = grey + rng.uniform(0.005, 0.05) * rng.standard_normal((side, side))
    level = np.clip(255 * grey, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(level, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
