"""What light, sensors and codecs do to pictures."""

import cv2
import numpy as np

from monitor.domain import Pixels
from monitor.train.detector.cover import chance


def recolour(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Other light: brightness, contrast and a colour cast; sometimes grey, sometimes dark."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
    offset = rng.uniform(-20, 20)
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    if chance(rng, 0.12):
        gain, offset = gain * rng.uniform(0.3, 0.6), 0.0
    ramp = (np.arange(256) / 255) ** gamma * 255
    table = np.clip(ramp[:, None] * gain + offset, 0, 255).astype(np.uint8)  # (256, 3)
    recoloured = cv2.LUT(pixels, table[None])
    if chance(rng, 0.15):
        grey = cv2.cvtColor(recoloured, cv2.COLOR_BGR2GRAY)
        recoloured = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    return recoloured.astype(np.uint8, copy=False)


def degrade(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """One or several of: fewer pixels, blur, halos, noise, combed lines, compression."""
    side = pixels.shape[0]
    if chance(rng, 0.5):
        few = int(side * rng.uniform(0.3, 0.8))
        small = cv2.resize(pixels, (few, few), interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    elif chance(rng, 0.5):
        pixels = cv2.GaussianBlur(pixels, (5, 5), rng.uniform(0.4, 1.4)).astype(np.uint8)
    if chance(rng, 0.2):
        soft = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(1.0, 2.5))
        amount = rng.uniform(0.5, 1.8)
        pixels = cv2.addWeighted(pixels, 1 + amount, soft, -amount, 0).astype(np.uint8)
    if chance(rng, 0.4):
        noise = rng.normal(0, rng.uniform(2, 14), (side // 2, side // 2, 1)).astype(np.float32)
        grain = cv2.resize(noise, (side, side), interpolation=cv2.INTER_NEAREST)[..., None]
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    if chance(rng, 0.06):
        pixels = pixels.copy()
        pixels[1::2] = np.roll(pixels[1::2], int(rng.integers(-3, 4)), axis=1)
    if chance(rng, 0.6):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 75))]
        _, coded = cv2.imencode(".jpg", pixels, quality)
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return pixels
