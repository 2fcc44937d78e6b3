"""Batch norms folded into the convolutions before them, and gates that are always open."""

from collections.abc import Mapping
from typing import Any, Final

NORMS: Final[Mapping[str, str]] = {
    "normalization": "convolution",  # of ResNet's layers
    "batchnorm": "convolution",  # of EfficientNet's first layer
    "expand_bn": "expand_conv",
    "depthwise_norm": "depthwise_conv",
    "project_bn": "project_conv",
    "top_bn": "top_conv",
}
"""What transformers calls the batch norms of its towers, and the convolution before each."""


def folded(layer: Any, norm: str) -> Any:  # noqa: ANN401  (transformers is untyped)
    """One convolution that does what a layer's convolution and batch norm do."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    return fuse_conv_bn_eval(getattr(layer, NORMS[norm]), getattr(layer, norm))


def fold(layer: Any) -> None:  # noqa: ANN401
    """Change a layer in evaluation mode to one that computes the same with less."""
    import torch

    for norm, convolution in NORMS.items():
        if hasattr(layer, norm) and hasattr(layer, convolution):
            setattr(layer, convolution, folded(layer, norm))
            setattr(layer, norm, torch.nn.Identity())
    if hasattr(layer, "squeeze_excite") and is_open(layer.squeeze_excite):
        layer.squeeze_excite = torch.nn.Identity()


def is_open(gate: Any) -> bool:  # noqa: ANN401
    """Whether a squeeze-and-excitation layer lets everything through, whatever it sees."""
    last = gate.expand
    return not last.weight.any() and bool((last.bias.sigmoid() == 1).all())
