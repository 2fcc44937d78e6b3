"""The judge's tower as an OpenVINO graph, written layer by layer from its weights."""

from typing import Any

import numpy as np

from monitor.errors import JudgeUnavailableError
from monitor.judge.local.folding import folded, is_open

_SIX = 6.0


def graph_of(openvino: Any, network: Any, side: int) -> Any:  # noqa: ANN401  (both are untyped)
    """The whole tower, for any number of pictures.

    Args:
        openvino: The package.
        network: See open_tower.
        side: Of the pictures, in pixels.

    Raises:
        JudgeUnavailableError: The tower has gates that depend on the picture.
    """
    op = openvino.opset13
    pixels = op.parameter([-1, 3, side, side], np.float32)
    efficient = network.config.model_type == "efficientnet"
    last = (
        _Efficient(op).tower(pixels, network) if efficient else _Residual(op).tower(pixels, network)
    )
    return openvino.Model([last], [pixels])


class _Layers:
    """What both kinds of towers are made of."""

    def __init__(self, op: Any) -> None:  # noqa: ANN401
        self._op = op

    def _convolved(self, x: Any, layer: Any, norm: str, pads: Any = None) -> Any:  # noqa: ANN401
        """A convolution with its batch norm folded in; its activation is the caller's."""
        one = folded(layer, norm)
        weight, bias = one.weight.detach().numpy(), one.bias.detach().numpy()
        before, behind = pads or (_edges(one), _edges(one))
        stride, each = list(one.stride), [1, 1]
        if one.groups > 1:  # each channel by itself
            weight = self._op.constant(weight[:, :, None])
            y = self._op.group_convolution(x, weight, stride, before, behind, each)
        else:
            y = self._op.convolution(x, self._op.constant(weight), stride, before, behind, each)
        return self._op.add(y, self._op.constant(bias.reshape(1, -1, 1, 1)))


class _Residual(_Layers):
    """ResNet of basic blocks."""

    def tower(self, pixels: Any, network: Any) -> Any:  # noqa: ANN401
        """From the pictures to the last map."""
        stem = network.embedder
        pool = stem.pooler
        x = self._op.relu(self._convolved(pixels, stem.embedder, "normalization"))
        edge = [pool.padding] * 2
        pooled = self._op.max_pool(x, [pool.stride] * 2, [1, 1], edge, edge, [pool.kernel_size] * 2)
        x = pooled.output(0)
        for stage in network.encoder.stages:
            for block in stage.layers:
                x = self._block(x, block)
        return x

    def _block(self, x: Any, block: Any) -> Any:  # noqa: ANN401
        """Two convolutions and what goes around them."""
        first, second = block.layer
        plain = not hasattr(block.shortcut, "convolution")
        around = x if plain else self._convolved(x, block.shortcut, "normalization")
        inner = self._op.relu(self._convolved(x, first, "normalization"))
        return self._op.relu(self._op.add(self._convolved(inner, second, "normalization"), around))


class _Efficient(_Layers):
    """EfficientNet without squeeze and excitation, its activations from nought to six."""

    def tower(self, pixels: Any, network: Any) -> Any:  # noqa: ANN401
        """From the pictures to the last map."""
        stem = network.embeddings
        x = self._six(self._convolved(pixels, stem, "batchnorm", _padded(stem.padding)))
        for block in network.encoder.blocks:
            x = self._block(x, block)
        return self._six(self._convolved(x, network.encoder, "top_bn"))

    def _block(self, x: Any, block: Any) -> Any:  # noqa: ANN401
        """Wider, each channel by itself, narrower."""
        if not is_open(block.squeeze_excite):
            raise JudgeUnavailableError("its tower squeezes and excites")
        inner = x
        if block.expand:
            inner = self._six(self._convolved(x, block.expansion, "expand_bn"))
        deep, narrow = block.depthwise_conv, block.projection
        pads = _padded(deep.depthwise_conv_pad) if deep.stride > 1 else None
        inner = self._six(self._convolved(inner, deep, "depthwise_norm", pads))
        inner = self._convolved(inner, narrow, "project_bn")
        return self._op.add(inner, x) if narrow.apply_dropout else inner

    def _six(self, x: Any) -> Any:  # noqa: ANN401
        return self._op.clamp(x, 0.0, _SIX)


def _edges(convolution: Any) -> list[int]:  # noqa: ANN401
    """What is added on each side; "same" is half of the filter."""
    if convolution.padding == "same":
        return [side // 2 for side in convolution.kernel_size]
    return list(convolution.padding)


def _padded(layer: Any) -> tuple[list[int], list[int]]:  # noqa: ANN401
    """What a layer of zeros adds above and left, below and right."""
    left, right, top, bottom = layer.padding
    return [top, left], [bottom, right]
