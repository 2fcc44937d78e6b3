"""Renders the demo's recording.

A security camera pans slowly over two people; one of them pulls a balaclava over his head
and some time later takes it off.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from monitor.demo.balaclava import Balaclava
from monitor.demo.drawing import LandmarkedFace
from monitor.demo.scene import (
    BYSTANDER,
    FACE,
    FACE_POINTS,
    MARGIN,
    PICTURE,
    load_picture,
    widen_picture,
)
from monitor.domain import Pixels
from monitor.geometry import Box
from monitor.record.annotate import AnnotatedVideo

_HEAD: Final = (820, 20, 320)  # left, top and side of the square around the head, in the picture
_VIEW: Final = (1780, 1000)  # what the camera shows when it is zoomed out, in picture pixels
_MIDDLE: Final = 640.0  # what it points at
_PAN: Final = (55.0, 23.0)  # picture pixels to either side, seconds from side to side and back
_TILT: Final = (8.0, 17.0)
_ZOOM: Final = (0.06, 31.0)  # of the size, to either side
_PULL_S: Final = 0.8  # to put it on, and to take it off
_NOISE: Final = 1.6  # grey levels, standard deviation: a sensor in the evening
_SEED: Final = 20


@dataclass(frozen=True, slots=True)
class DemoScript:
    """What happens in the demo's clip, and where. Seconds count from its first picture.

    Raises:
        ValueError: The frame is narrower than 4:3; the two people would not fit in.
    """

    seconds: float
    fps: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if 3 * self.width < 4 * self.height:
            raise ValueError(f"must be 4:3 or wider, got {self.width}x{self.height}")

    @property
    def covered_from_s(self) -> float:
        """When the balaclava is wholly on."""
        return self.seconds / 3

    @property
    def covered_until_s(self) -> float:
        """When he begins to take it off."""
        return self.seconds * 0.7

    @property
    def pull_s(self) -> float:
        """How long putting it on takes, and taking it off."""
        return min(_PULL_S, self.seconds / 10)

    def get_pull(self, seconds: float) -> float:
        """How far the balaclava is on: 0 is bare, 1 leaves only the eyes free."""
        on = 1 + (seconds - self.covered_from_s) / self.pull_s
        off = 1 - (seconds - self.covered_until_s) / self.pull_s
        return min(max(min(on, off), 0.0), 1.0)

    def locate_face(self, seconds: float) -> Box:
        """The face of the man who covers himself, forehead to chin, in pixels of that frame."""
        return self._to_frame(FACE, seconds)

    def locate_bystander(self, seconds: float) -> Box:
        """The face of the man who stays bare, in pixels of that frame."""
        return self._to_frame(BYSTANDER, seconds)

    def get_view(self, seconds: float) -> Box:
        """The part of the scene that the camera shows, in pixels of its picture; may exceed it."""
        (pan, pan_s), (tilt, tilt_s), (zoom, zoom_s) = _PAN, _TILT, _ZOOM
        scale = self.widest * (1 + zoom * (1 - math.cos(math.tau * seconds / zoom_s)))
        width, height = self.width / scale, self.height / scale
        middle = _MIDDLE + pan * math.sin(math.tau * seconds / pan_s)
        bottom = PICTURE[1] - tilt * (1.5 - math.sin(math.tau * seconds / tilt_s))
        return Box(middle - width / 2, bottom - height, middle + width / 2, bottom)

    @property
    def widest(self) -> float:
        """Frame pixels per picture pixel when the camera is zoomed out."""
        return max(self.width / _VIEW[0], self.height / _VIEW[1])

    @property
    def closest(self) -> float:
        """Frame pixels per picture pixel when the camera is zoomed in."""
        return self.widest * (1 + 2 * _ZOOM[0])

    def _to_frame(self, box: Box, seconds: float) -> Box:
        """A box of the scene's picture, in pixels of the frame."""
        view = self.get_view(seconds)
        scale = self.width / view.width
        moved = box.move(-view.left, -view.top).scale(scale)
        return moved.clip(self.width, self.height)


def write_demo_clip(
    path: Path, *, seconds: float = 24, fps: int = 15, width: int = 960, height: int = 540
) -> DemoScript:
    """Make the clip: H.264 in an MP4 file.

    Args:
        path: Where to; an existing file is replaced.
        seconds: Its length.
        fps: Pictures a second.
        width: In pixels, even; four thirds of the height or more.
        height: In pixels, even.

    Returns:
        What happens in it.

    Raises:
        ConfigError: The picture it is made of is missing.
    """
    script = DemoScript(seconds, fps, width, height)
    with AnnotatedVideo(path, width, height, fps) as video:
        for pixels in render_frames(script):
            video.write(pixels)
    return script


def render_frames(script: DemoScript) -> Iterator[Pixels]:
    """The pictures of the clip, each (height, width, 3), the same at every call.

    Raises:
        ConfigError: The picture they are made of is missing.
    """
    stage = _Stage(script)
    noise = _Sensor(script)
    for number in range(round(script.seconds * script.fps)):
        yield noise.add_to(stage.render(number / script.fps), number)


class _Stage:
    """The scene as the camera sees it, with the man dressed as the script says."""

    def __init__(self, script: DemoScript) -> None:
        x, y, side = _HEAD
        pixels = load_picture()
        points = np.array(FACE_POINTS, dtype=np.float32) - (x, y)
        self._script = script
        self._scene = widen_picture(pixels)
        self._corner = (x + MARGIN[0], y + MARGIN[1])
        self._balaclava = Balaclava(
            LandmarkedFace(pixels[y : y + side, x : x + side].copy(), points)
        )
        self._dressed = (-1.0, self._scene)

    def render(self, seconds: float) -> Pixels:
        """The camera's picture at one time, (height, width, 3)."""
        view = self._script.get_view(seconds)
        scale = self._script.width / view.width
        shrink = scale / self._script.closest
        left, top = view.left + MARGIN[0], view.top + MARGIN[1]
        move = np.array([[shrink, 0, -left * scale], [0, shrink, -top * scale]])
        size = (self._script.width, self._script.height)
        scene = self._dress(self._script.get_pull(seconds))
        return cv2.warpAffine(scene, move, size, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)

    def _dress(self, pull: float) -> Pixels:
        """The whole scene with the balaclava on so far, at the camera's closest zoom."""
        if self._dressed[0] != pull:
            scene = self._scene
            if pull > 0:
                (x, y), side = self._corner, _HEAD[2]
                scene = scene.copy()
                scene[y : y + side, x : x + side] = self._balaclava.put_on(pull)
            # Resized once, and well; the frames are then cut from it almost one to one.
            share = self._script.closest
            small = cv2.resize(scene, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            self._dressed = (pull, small.astype(np.uint8))
        return self._dressed[1]


class _Sensor:
    """The noise of a camera's sensor, drawn once and shifted from frame to frame."""

    def __init__(self, script: DemoScript) -> None:
        self._rng = np.random.default_rng(_SEED)
        shape = (script.height + 64, script.width + 64, 1)
        grey = self._rng.normal(0, _NOISE, shape)
        self._grain = np.repeat(np.round(grey), 3, axis=2).astype(np.int16)

    def add_to(self, pixels: Pixels, number: int) -> Pixels:
        """The picture with noise, which differs for each number."""
        height, width = pixels.shape[:2]
        y, x = (number * 37) % 64, (number * 23) % 64
        noisy = pixels + self._grain[y : y + height, x : x + width]
        return np.asarray(np.clip(noisy, 0, 255), dtype=np.uint8)
