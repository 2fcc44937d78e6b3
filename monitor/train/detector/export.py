"""From a checkpoint to what the program runs: OpenVINO's form, in int8, made at release.

The graph takes bytes as the cameras give them, so that nothing is converted outside of it.
"""

import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.domain import Pixels
from monitor.runtime.openvino_runtime import open_openvino

_EXAMPLE = (2, 96, 64, 3)  # unlike sizes, so that none of them is taken for fixed
_INPUT = "pixels"


def export_openvino(checkpoint: Path, target: Path, sheets: Sequence[Pixels]) -> None:
    """Convert a checkpoint of ultralytics to OpenVINO's form and quantise it.

    Args:
        checkpoint: What ``save_checkpoint`` wrote.
        target: An ``.xml`` file; the weights come beside it as ``.bin``. The classes are kept
            in the model's own ``model_info``.
        sheets: Pictures (H, W, 3), blue-green-red bytes, sides multiples of 32, on which the
            ranges of the layers are measured. Without any, the model stays in float32.

    Source:
        Jacob et al., "Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference", 2018, in the implementation of NNCF.
    """
    ov = open_openvino()
    network, names = _load(checkpoint)
    network.register_forward_pre_hook(_from_bytes, prepend=True)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of tracing
        model = ov.convert_model(network, example_input=torch.zeros(_EXAMPLE, dtype=torch.uint8))
    model.inputs[0].tensor.set_names({_INPUT})
    model.reshape({_INPUT: ov.PartialShape([-1, -1, -1, 3])})
    if sheets:
        model = _quantise(model, sheets)
    model.set_rt_info(json.dumps(names), ["model_info", "names"])
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / target.name
        ov.save_model(model, fresh, compress_to_fp16=False)
        for path in (target.with_suffix(".bin"), target):
            shutil.move(fresh.with_suffix(path.suffix), path)


def _load(checkpoint: Path) -> tuple[Any, dict[int, str]]:
    """The network, its batch norms folded, giving boxes and scores in one tensor."""
    open_ultralytics()
    from ultralytics.nn.tasks import load_checkpoint  # noqa: PLC0415

    network = load_checkpoint(str(checkpoint))[0].float().eval().fuse(verbose=False)
    network.model[-1].export = True
    network.model[-1].dynamic = True
    network.model[-1].format = "openvino"
    return network, dict(network.names)


def _from_bytes(_network: object, taken: tuple[Any, ...]) -> tuple[Any]:
    """(B, H, W, BGR) bytes as (B, RGB, H, W) 0..1."""
    return (taken[0].permute(0, 3, 1, 2).flip(1).float() * (1 / 255),)


def _quantise(model: Any, sheets: Sequence[Pixels]) -> Any:  # noqa: ANN401
    """Weights and layers in 256 levels; the decoding of boxes stays as it is."""
    import nncf  # noqa: PLC0415  (for releases only)

    decoding = nncf.IgnoredScope(
        patterns=[
            ".*model.23/.*Sigmoid",
            ".*model.23/.*(Add|Subtract|Multiply|Divide|Softmax).*",
            ".*model.23.dfl.*",
        ],
        validate=False,
    )
    return nncf.quantize(
        model,
        nncf.Dataset([np.ascontiguousarray(sheet[None]) for sheet in sheets]),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=decoding,
        subset_size=len(sheets),
    )
