"""Faces as they stand in whole pictures, with neighbours and shoulders, named by a judge.

The labelled crops are tight. In the pictures they were cut from, the same faces stand at any
distance, beside other faces; an earlier judge, sure of a face in several tight views of it,
names it, and the wide view is what the next one learns from.

Source:
    Xie et al., "Self-training with Noisy Student improves ImageNet classification", 2020.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForImageTextToText, AutoProcessor

from monitor.domain import ANSWERS, Pixels
from monitor.train.judge.data import normalise
from monitor.train.judge.dev import DevSet, compute_answer_logits
from monitor.train.judge.faces import SIDE, HeadSample, LabelledScene, cut_square, read_scenes

WIDE: Final = 3.2  # side of a view that is kept, in faces
_TIGHT: Final = (1.35, 1.6)  # sides of the views that are judged
_SURE: Final = 0.85
_LEAST_PX: Final = 18.0
_NAMED: Final = ("none", "mask", "mask_incorrect")


class Teacher:
    """An earlier judge that labels faces.

    Args:
        folder: Its weights, as the training writes them.
    """

    def __init__(self, folder: Path) -> None:
        self._model: Any = AutoModelForImageTextToText.from_pretrained(folder)
        self._processor: Any = AutoProcessor.from_pretrained(folder)
        self._side = int(self._processor.image_processor.size["height"])

    def compute_probabilities(self, views: list[Pixels]) -> NDArray[np.float64]:
        """(N, 11) for N square pictures, blue-green-red; each counts with its mirror image."""
        size = (self._side, self._side)
        small = [cv2.resize(v, size, interpolation=cv2.INTER_AREA)[..., ::-1] for v in views]
        both = np.stack([*small, *(v[:, ::-1] for v in small)])
        logits = self.compute_logits(torch.from_numpy(normalise(both))).numpy()
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.asarray((shares[: len(views)] + shares[len(views) :]) / 2)

    def compute_logits(self, crops: torch.Tensor) -> torch.Tensor:
        """(N, 11) of (N, 3, S, S) crops as the processor gives them."""
        return torch.from_numpy(
            compute_answer_logits(self._model, self._processor, DevSet(crops, []))
        )


def find_natural_faces(scenes: Path, teacher: Teacher) -> Iterator[HeadSample]:
    """The faces of whole pictures of which the teacher is sure, each in a wide view."""
    for scene in read_scenes(scenes):
        yield from _name_faces(scene, teacher)


def _name_faces(scene: LabelledScene, teacher: Teacher) -> Iterator[HeadSample]:
    faces = [
        ((left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top))
        for left, top, right, bottom in scene.faces.tolist()
    ]
    faces = [face for face in faces if face[2] >= _LEAST_PX]
    if not faces:
        return
    views = [cut_square(scene.pixels, (x, y), loose * px) for x, y, px in faces for loose in _TIGHT]
    shares = teacher.compute_probabilities(views).reshape(len(faces), len(_TIGHT), -1).mean(axis=1)
    for (x, y, px), share in zip(faces, shares, strict=True):
        answer = ANSWERS[int(share.argmax())]
        if share.max() >= _SURE and answer in _NAMED:
            wide = cut_square(scene.pixels, (x, y), WIDE * px)
            yield HeadSample(wide, (SIDE / 2, SIDE / 2), SIDE / WIDE, answer, "natural")
