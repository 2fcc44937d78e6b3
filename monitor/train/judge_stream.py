"""Batches made by a second process while the first one learns."""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from torch.utils.data import DataLoader, IterableDataset

from monitor.domain import Pixels
from monitor.train.judge_data import Pool

_AHEAD: Final = 8  # batches that wait
Batch = tuple[Pixels, list[str]]


class _Draws(IterableDataset):  # type: ignore[misc]  # torch goes untyped here
    """What one process draws from the pool."""

    def __init__(self, pool: Pool, size: int, crop_px: int, seed: tuple[int, int]) -> None:
        self._pool, self._size, self._crop_px, self._seed = pool, size, crop_px, seed

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        rng = np.random.default_rng(self._seed)
        return self._pool.batches(self._size, self._crop_px, rng)


def stream(pool: Pool, size: int, crop_px: int, seed: tuple[int, int]) -> Iterator[Batch]:
    """Endless batches as Pool.batches makes them; the process ends with the iterator.

    It is a fresh process: a fork would inherit locks that this one's threads hold.
    """
    draws: Any = _Draws(pool, size, crop_px, seed)
    return iter(
        DataLoader(
            draws,
            batch_size=None,
            num_workers=1,
            prefetch_factor=_AHEAD,
            collate_fn=_as_is,
            multiprocessing_context="spawn",
        )
    )


def _as_is(batch: Batch) -> Batch:
    return batch
