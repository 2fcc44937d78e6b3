"""Batches, prepared by a second process while the first one trains."""

from collections.abc import Iterator
from typing import Any, Final, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from monitor.domain import Pixels
from monitor.train.judge.data import Pool

_AHEAD: Final = 8  # batches that wait
Batch = tuple[Pixels, list[str], NDArray[np.float32] | None]
"""Crops, their answers with details, and the teachers' probabilities, if there are teachers."""


class Teaching(Protocol):
    """Gives probabilities for crops."""

    def predict(self, pixels: Pixels) -> NDArray[np.float32]:
        """(N, 11) shares of (N, S, S, 3) red-green-blue crops."""
        ...


class TeacherSource(Protocol):
    """A teacher that can be sent to another process and loaded there."""

    def load(self) -> Teaching:
        """Read the weights."""
        ...


class _Draws(IterableDataset):  # type: ignore[misc]  # torch goes untyped here
    """The samples that one process draws from the pool."""

    def __init__(
        self,
        pool: Pool,
        size: int,
        crop_px: int,
        seed: tuple[int, int],
        teachers: TeacherSource | None,
    ) -> None:
        self._pool, self._size, self._crop_px, self._seed = pool, size, crop_px, seed
        self._teachers = teachers

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        rng = np.random.default_rng(self._seed)
        teachers = self._teachers.load() if self._teachers else None
        for pixels, keys in self._pool.draw_batches(self._size, self._crop_px, rng):
            yield pixels, keys, teachers.predict(pixels) if teachers else None


def stream_batches(
    pool: Pool,
    size: int,
    crop_px: int,
    seed: tuple[int, int],
    teachers: TeacherSource | None = None,
) -> Iterator[Batch]:
    """Endless batches as Pool.draw_batches makes them; the process ends with the iterator.

    It is a fresh process: a fork would inherit locks that this one's threads hold.
    """
    draws: Any = _Draws(pool, size, crop_px, seed, teachers)
    return iter(
        DataLoader(
            draws,
            batch_size=None,
            num_workers=1,
            prefetch_factor=_AHEAD,
            collate_fn=_pass_through,
            multiprocessing_context="spawn",
        )
    )


def _pass_through(batch: Batch) -> Batch:
    return batch
