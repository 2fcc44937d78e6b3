"""Batches for the training, drawn in this process or in one beside it."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Protocol

import cv2
import numpy as np
import torch

from monitor.train.detector.augment import Material, SampleMaker
from monitor.train.detector.material import load
from monitor.train.detector.settings import Phase, TrainDetectorConfig

Batch = dict[str, torch.Tensor]
_AHEAD = 4  # batches that are drawn while one is learnt from
_POLITE = 2  # added to the niceness of the drawing process


class Feed(Protocol):
    """Where batches come from."""

    def batch(self, phase: Phase) -> Batch:
        """The next batch; the first few of a new phase may still be of the one before."""


class Drawn:
    """A Feed of this process's own. Owned by one thread.

    Args:
        material: What to draw from.
        config: The batch's size.
        seed: Decides everything.
    """

    def __init__(self, material: Material, config: TrainDetectorConfig, seed: int) -> None:
        self._material, self._config, self._seed = material, config, seed
        self._phase: Phase | None = None
        self._maker: SampleMaker | None = None

    def batch(self, phase: Phase) -> Batch:
        """See Feed."""
        if self._maker is None or phase != self._phase:
            self._maker = SampleMaker(self._material, phase.augment(), self._seed)
            self._phase, self._seed = phase, self._seed + 1
        return to_batch(self._maker, phase.input_px, self._config.batch)


class _Delivered:
    """A Feed from another process. Owned by one thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._asked = 0

    def batch(self, phase: Phase) -> Batch:
        """See Feed."""
        while self._asked <= _AHEAD:
            self._pipe.send(phase)
            self._asked += 1
        self._asked -= 1
        arrays: dict[str, np.ndarray] = self._pipe.recv()
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@contextmanager
def open_feed(config: TrainDetectorConfig, seed: int) -> Iterator[Feed]:
    """Batches as the settings want them drawn; the other process ends with the context."""
    if not config.drawer:
        yield Drawn(load(config), config, seed)
        return
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    drawer = context.Process(target=_serve, args=(theirs, config, seed), daemon=True)
    drawer.start()
    theirs.close()
    try:
        yield _Delivered(ours)
    finally:
        ours.close()
        drawer.join()


def _serve(pipe: Connection, config: TrainDetectorConfig, seed: int) -> None:
    """Draw a batch for each phase that comes, until the other end closes."""
    os.nice(_POLITE)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    feed = Drawn(load(config), config, seed)
    try:
        while True:
            batch = feed.batch(pipe.recv())
            pipe.send({name: tensor.numpy() for name, tensor in batch.items()})
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        return


def to_batch(maker: SampleMaker, side: int, count: int) -> Batch:
    """Samples as ultralytics' loss takes them.

    Returns:
        ``pixels`` (B, side, side, 3) uint8 blue-green-red; ``batch_idx`` and ``cls`` (N,),
        ``bboxes`` (N, 4) centre and size as shares of the side; ``doubtful`` (M, 6) picture,
        class, left, top, right, bottom in pixels.
    """
    samples = [maker.draw(side) for _ in range(count)]
    boxes = np.concatenate([sample.boxes for sample in samples]) / side
    centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
    owners = np.repeat(np.arange(count), [len(sample.classes) for sample in samples])
    unsure = np.repeat(np.arange(count), [len(sample.doubtful) for sample in samples])
    doubtful = np.concatenate(
        [
            unsure[:, None],
            np.concatenate([s.doubtful_classes for s in samples])[:, None],
            np.concatenate([s.doubtful for s in samples]),
        ],
        axis=1,
    )
    return {
        "pixels": torch.from_numpy(np.stack([sample.pixels for sample in samples])),
        "batch_idx": torch.from_numpy(owners).float(),
        "cls": torch.from_numpy(np.concatenate([s.classes for s in samples])).float(),
        "bboxes": torch.from_numpy(centred).float(),
        "doubtful": torch.from_numpy(doubtful).float(),
    }
