"""The picture tower of the embedded judge, run by the fastest engine that is installed.

Measured on two cores of an EPYC with a tower of 6 M parameters, in milliseconds of one core
for one crop, and for each of a batch of 32: transformers as it is 20 and 5.2; here with torch
11 and 4.2, with OpenVINO 6 and 3.6; ONNX Runtime would take 6 and 3.8. Half precision
(bfloat16) takes 3 and 1.9, moves probabilities by some 1e-4, and only on processors that
have it: the same pictures would give other numbers on other machines, so it is not used.
"""

import copy
import logging
from typing import Any, Final, Protocol

import numpy as np

from monitor.errors import JudgeUnavailableError
from monitor.judge.loading import shortened
from monitor.runtime.openvino_door import core, cores, installed, open_openvino

_LOG: Final = logging.getLogger(__name__)


class Tower(Protocol):
    """Turns pictures into a map of features. One call at a time."""

    @property
    def engine(self) -> str:
        """What computes: "openvino" or "torch"."""

    def __call__(self, pixels: Any) -> Any:  # noqa: ANN401  (torch tensors)
        """(N, 3, S, S) float32 to (N, C, s, s) float32."""


def open_tower(network: Any, side: int) -> Tower:  # noqa: ANN401  (transformers is untyped)
    """The fastest exact tower on this machine.

    Args:
        network: A ResNetModel of basic blocks in evaluation mode; it is not changed.
        side: Of the pictures, in pixels.
    """
    if installed():
        try:
            return OpenVinoTower(network, side)
        except JudgeUnavailableError as error:
            _LOG.warning("OpenVINO cannot run the judge (%s); torch does", error)
    return TorchTower(network)


class TorchTower:
    """A Tower in torch: batch norms folded into the convolutions, channels last in memory."""

    engine: Final = "torch"

    def __init__(self, network: Any) -> None:  # noqa: ANN401
        import torch

        self._format = torch.channels_last
        network = copy.deepcopy(network).requires_grad_(requires_grad=False)
        for module in network.modules():
            if hasattr(module, "convolution") and hasattr(module, "normalization"):
                module.convolution = _folded(module)
                module.normalization = torch.nn.Identity()
        self._network = network.to(memory_format=self._format)

    def __call__(self, pixels: Any) -> Any:  # noqa: ANN401
        """See Tower."""
        return self._network(pixels.contiguous(memory_format=self._format)).last_hidden_state


class OpenVinoTower:
    """A Tower in OpenVINO, built layer by layer from the weights: in a second, with no export.

    Args:
        network: See open_tower.
        side: See open_tower.

    Raises:
        JudgeUnavailableError: OpenVINO cannot run it here.
    """

    engine: Final = "openvino"

    def __init__(self, network: Any, side: int) -> None:  # noqa: ANN401
        openvino = open_openvino()
        options = {
            "INFERENCE_PRECISION_HINT": "f32",  # else it halves where the processor can
            "INFERENCE_NUM_THREADS": max(cores() // 2, 1),  # the detector wants some, too
            "ENABLE_CPU_PINNING": False,  # other threads want the same cores
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            model = _Graph(openvino).model(network, side)
            self._compiled = core().compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise JudgeUnavailableError(shortened(error)) from error

    def __call__(self, pixels: Any) -> Any:  # noqa: ANN401
        """See Tower."""
        import torch

        return torch.from_numpy(self._compiled(pixels.numpy())[0])


class _Graph:
    """Writes a residual network of basic blocks as an OpenVINO graph."""

    def __init__(self, openvino: Any) -> None:  # noqa: ANN401
        self._openvino = openvino
        self._op = openvino.opset13

    def model(self, network: Any, side: int) -> Any:  # noqa: ANN401
        """The whole tower, for any number of pictures."""
        pixels = self._op.parameter([-1, 3, side, side], np.float32)
        stem = network.embedder
        pool = stem.pooler
        x = self._op.relu(self._convolved(pixels, stem.embedder))
        edge = [pool.padding] * 2
        pooled = self._op.max_pool(x, [pool.stride] * 2, [1, 1], edge, edge, [pool.kernel_size] * 2)
        x = pooled.output(0)
        for stage in network.encoder.stages:
            for block in stage.layers:
                x = self._block(x, block)
        return self._openvino.Model([x], [pixels])

    def _block(self, x: Any, block: Any) -> Any:  # noqa: ANN401
        """Two convolutions and what goes around them."""
        first, second = block.layer
        around = self._convolved(x, block.shortcut) if _convolves(block.shortcut) else x
        inner = self._op.relu(self._convolved(x, first))
        return self._op.relu(self._op.add(self._convolved(inner, second), around))

    def _convolved(self, x: Any, layer: Any) -> Any:  # noqa: ANN401
        """A convolution with its batch norm folded in; its activation is the caller's."""
        folded = _folded(layer)
        weight = self._op.constant(folded.weight.detach().numpy())
        bias = self._op.constant(folded.bias.detach().numpy().reshape(1, -1, 1, 1))
        stride, edge = list(folded.stride), list(folded.padding)
        return self._op.add(self._op.convolution(x, weight, stride, edge, edge, [1, 1]), bias)


def _convolves(layer: Any) -> bool:  # noqa: ANN401
    return hasattr(layer, "convolution")


def _folded(layer: Any) -> Any:  # noqa: ANN401
    """One convolution that does what a convolution and its batch norm do."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    return fuse_conv_bn_eval(layer.convolution, layer.normalization)
