"""The running average of a model's weights, which is what a training keeps in the end."""

from typing import Any

import torch


def follow(average: Any, model: Any, keep: float) -> None:  # noqa: ANN401  (modules go untyped here)
    """Move an average towards its model, statistics of batches too; counters are copied.

    Args:
        average: A module of the same shape as ``model``; changed in place.
        model: The one that learns.
        keep: How much of the average stays, 0..1.
    """
    fresh = model.state_dict()
    kept = average.state_dict()
    floats = [name for name, value in kept.items() if value.is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_([kept[n] for n in floats], [fresh[n] for n in floats], 1 - keep)
        for name in kept.keys() - set(floats):
            kept[name].copy_(fresh[name])
