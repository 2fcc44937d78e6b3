"""The picture tower of the embedded judge, run by the fastest engine that is installed.

Measured in milliseconds of one core, for one crop and for each of a batch, with an earlier
tower of 6 M parameters: transformers as it is 20 and 5.2, torch here 11 and 4.2, OpenVINO 6 and
3.6, ONNX Runtime 6 and 3.8. OpenVINO takes 2.8 and 1.9 with the residual tower that is shipped,
2.2 and 1.7 with EfficientNet-lite0. Half precision (bfloat16) halved them, moved probabilities
by some 1e-4, and only on processors that have it: the same pictures would give other numbers
on other machines, so it is not used.
"""

import copy
import logging
from typing import Any, Final, Protocol

from monitor.errors import JudgeUnavailableError
from monitor.judge.local.folding import fold
from monitor.judge.local.load import shortened
from monitor.judge.local.tower_graph import graph_of
from monitor.runtime.openvino_runtime import count_cores, get_core, is_installed, open_openvino

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
        network: A ResNetModel of basic blocks, or an EfficientNetModel that stops at six, in
            evaluation mode; it is not changed.
        side: Of the pictures, in pixels.
    """
    if is_installed():
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
        for module in list(network.modules()):
            fold(module)
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
            "INFERENCE_NUM_THREADS": max(count_cores() // 2, 1),  # the detector wants some, too
            "ENABLE_CPU_PINNING": False,  # other threads want the same cores
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            model = graph_of(openvino, network, side)
            self._compiled = get_core().compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise JudgeUnavailableError(shortened(error)) from error

    def __call__(self, pixels: Any) -> Any:  # noqa: ANN401
        """See Tower."""
        import torch

        return torch.from_numpy(self._compiled(pixels.numpy())[0])
