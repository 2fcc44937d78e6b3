"""Passes through a backend that writes every answer to the same place, as exports on GPUs do."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.detect.engine import run_in_turn

if TYPE_CHECKING:
    import torch


class Reusing:
    """Answers with the brightest value of each picture, always in the same tensor."""

    device = "cpu"

    def __init__(self, kind: str, parts: int) -> None:
        import torch

        self.format = kind
        self._parts = parts
        self._place = torch.zeros(1)

    def __call__(self, batch: "torch.Tensor") -> "torch.Tensor | list[torch.Tensor]":
        self._place.copy_(batch.amax(dim=(1, 2, 3)))
        return self._place if self._parts == 1 else [self._place] * self._parts


@pytest.mark.parametrize("kind", ["engine", "onnx"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_later_pass_leaves_an_earlier_answer_as_it_was(kind: str, parts: int) -> None:
    """One camera got the boxes of another whose pass came before its own were read."""
    forward = run_in_turn(Reusing(kind, parts))
    bright = forward(np.full((1, 8, 8, 3), 255, np.uint8))
    dark = forward(np.zeros((1, 8, 8, 3), np.uint8))
    assert (bright.tolist(), dark.tolist()) == ([1.0], [0.0]), "of several parts, the first"
