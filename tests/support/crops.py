"""Crops to judge, a clock to time them, and what torch says it computed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np

from monitor.domain import CameraId, Covering, HeadCrop, Moment, SubjectId, Timings, Verdict
from tests.support.fakes import START, moment, textured

BLUE = textured(60, 60, tint=(1, 0.4, 0.3))
GREY = textured(60, 60)


class SteppingClock:
    """Each reading is a quarter of a second after the last one."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def seconds(self) -> float:
        self._seconds += 0.25
        return self._seconds

    def now(self) -> datetime:
        return START


def crops(count: int) -> list[HeadCrop]:
    """Crops of noise, each of another size."""
    random = np.random.default_rng(7)
    return [
        HeadCrop(
            camera=CameraId("yard"),
            subject=SubjectId(n),
            moment=Moment(n / 5, START),
            pixels=random.integers(0, 256, (20 + 30 * n, 24 + 9 * n, 3), np.uint8),
            head_px=20.0,
            timings=Timings(detect=3, queue=n),
        )
        for n in range(count)
    ]


def row(verdict: Verdict) -> list[float]:
    """The probabilities in the order of ANSWERS."""
    return [*[verdict.probabilities[covering] for covering in Covering], verdict.unusable]


@contextmanager
def forward_passes(*, of: str, then: Callable[[], None] = lambda: None) -> Iterator[list[Any]]:
    """The inputs of every forward pass of modules of one class, as torch itself reports them."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    seen: list[Any] = []

    def hook(module: Any, inputs: Any) -> None:  # noqa: ANN401
        if type(module).__name__.endswith(of):
            seen.append(inputs)
            then()

    handle = register_module_forward_pre_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def crop(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], number: int = 1) -> HeadCrop:
    """A crop with these pixels."""
    return HeadCrop(CameraId("yard"), SubjectId(number), moment(0), pixels, 40)
