"""A network whose values take 256 levels, so that a processor can multiply them as bytes.

Ranges are of what its layers give: measured once on pictures, as they cannot be known
otherwise. What goes into a layer is then a byte, and its weights are signed bytes, one scale
for each channel that comes out. Sums stay exact, and what the last layers give is not rounded.

Source:
    Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", 2018.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ranges: TypeAlias = Mapping[str, tuple[float, float]]
"""What each layer gives, by its name in the network: least and most."""

_BYTE = 255
_SIGNED = 127  # the same on both sides of 0
_LEAST = 1e-6  # of a range: a layer that gives nothing but 0 has a scale all the same


def measured(network: Any, sheets: Sequence[NDArray[np.uint8]]) -> dict[str, tuple[float, float]]:  # noqa: ANN401
    """What the layers give for some pictures: least and most, each the mean over the pictures.

    The mean, for a single picture's extreme would make all levels coarser; beyond it values
    are cut off, which costs less.

    Args:
        network: A torch module of ultralytics, batch norms folded in. It is not changed.
        sheets: At least one, each (B, H, W, 3), blue-green-red, of any sizes.
    """
    import torch

    found: dict[str, list[tuple[float, float]]] = {}

    def note(name: str, given: torch.Tensor) -> None:
        """Remember what a layer gave."""
        found.setdefault(name, []).append((float(given.min()), float(given.max())))

    hooks = [
        layer.register_forward_hook(lambda _layer, _taken, given, name=name: note(name, given))
        for name, layer in _layers(network)
    ]
    with torch.inference_mode():
        for sheet in sheets:
            network(torch.from_numpy(sheet).permute(0, 3, 1, 2).flip(1).float() / _BYTE)
    for hook in hooks:
        hook.remove()
    means = {name: np.mean(extremes, axis=0).tolist() for name, extremes in found.items()}
    return {name: (min(low, 0.0), max(high, 0.0)) for name, (low, high) in means.items()}


def fits(network: Any, ranges: Ranges) -> bool:  # noqa: ANN401
    """Whether there is a range for each layer of a network, and none for others."""
    return {name for name, _ in _layers(network)} == ranges.keys()


def round_all(network: Any, ranges: Ranges) -> None:  # noqa: ANN401
    """Round what goes into every layer of a network, and all weights. It is changed.

    Args:
        network: As in ``measured``; its pictures must be bytes divided by 255, which are
            rounded without any loss.
        ranges: They must fit.
    """
    import torch

    def rounded(given: torch.Tensor, low: float, high: float) -> torch.Tensor:
        """The nearest of 256 levels, one of which is 0."""
        scale = max(high - low, _LEAST) / _BYTE
        return torch.fake_quantize_per_tensor_affine(given, scale, round(-low / scale), 0, _BYTE)

    network.register_forward_pre_hook(lambda _network, taken: (rounded(taken[0], 0.0, 1.0),))
    for name, layer in _layers(network):
        low, high = ranges[name]
        layer.register_forward_hook(
            lambda _layer, _taken, given, low=low, high=high: rounded(given, low, high)
        )
    for convolution in _convolutions(network):
        _round_weights(convolution)


def _round_weights(convolution: Any) -> None:  # noqa: ANN401
    """Let a convolution round its weights whenever it is asked, so that a trace shows it."""
    import torch

    exact = convolution.weight.detach()
    scales = exact.abs().amax((1, 2, 3)).clamp(min=_LEAST) / _SIGNED
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    del convolution.weight

    def rounded(layer: Any, _taken: object) -> None:  # noqa: ANN401
        """Set the weights that are to be used."""
        layer.weight = torch.fake_quantize_per_channel_affine(
            exact, scales, zeros, 0, -_SIGNED, _SIGNED
        )

    convolution.register_forward_pre_hook(rounded)


def _layers(network: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """What other layers read: activations, and sums of one with what it came from."""
    from ultralytics.nn.modules.block import Bottleneck
    from ultralytics.nn.modules.conv import Conv

    for name, layer in network.named_modules():
        if isinstance(layer, Conv) or (isinstance(layer, Bottleneck) and layer.add):
            yield name, layer


def _convolutions(network: Any) -> Iterator[Any]:  # noqa: ANN401
    """All but those that only average what is not rounded."""
    import torch
    from ultralytics.nn.modules.block import DFL

    apart = {id(layer.conv) for layer in network.modules() if isinstance(layer, DFL)}
    for layer in list(network.modules()):
        if isinstance(layer, torch.nn.Conv2d) and id(layer) not in apart:
            yield layer
