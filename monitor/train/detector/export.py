"""From a checkpoint to what the program runs: OpenVINO's form, in int8, made at release.

The graph takes bytes as the cameras give them, so that nothing is converted outside of it.
"""

import importlib.util
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.runtime.openvino_runtime import open_openvino
from monitor.train.detector.model import read_checkpoint
from monitor.train.detector.scenes import GREY

_EXAMPLE = (2, 96, 64, 3)  # unlike sizes, so that none of them is taken for fixed
_INPUT = "pixels"
_STRIDE = 32  # the coarsest of the network's grids


def export_openvino(checkpoint: Path, target: Path, sheets: Sequence[Pixels]) -> None:
    """Convert a checkpoint of ultralytics to OpenVINO's form and quantise it.

    Args:
        checkpoint: What ``save_checkpoint`` wrote.
        target: An ``.xml`` file; the weights come beside it as ``.bin``. The classes are kept
            in the model's own ``model_info``.
        sheets: Pictures (H, W, 3), blue-green-red bytes, sides multiples of 32, on which the
            ranges of the layers are measured. Without any, the model stays in float32.

    Raises:
        ConfigError: There is no such checkpoint.

    Source:
        Jacob et al., "Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference", 2018, in the implementation of NNCF.
    """
    ov = open_openvino()
    network = read_checkpoint(checkpoint)
    model = convert(network)
    if sheets:
        model = _quantise(model, sheets)
    model.set_rt_info(json.dumps(dict(network.names)), ["model_info", "names"])
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / target.name
        ov.save_model(model, fresh, compress_to_fp16=False)
        for path in (target.with_suffix(".bin"), target):
            shutil.move(fresh.with_suffix(path.suffix), path)


def convert(network: Any) -> Any:  # noqa: ANN401  (ultralytics and OpenVINO have no types)
    """A network of ultralytics as a model of OpenVINO, for pictures of any size.

    Args:
        network: What ``read_checkpoint`` gave; its batch norms are folded in place.

    Returns:
        A model from (B, H, W, 3) blue-green-red bytes, sides multiples of 32, to (B, 4 + C, A):
        centre x and y, width, height in pixels and a score for each class; a pose model adds
        x, y and confidence of each keypoint.
    """
    ov = open_openvino()
    network = network.eval().fuse(verbose=False)
    network.model[-1].export = True
    network.model[-1].dynamic = True
    network.model[-1].format = "openvino"
    network.register_forward_pre_hook(_from_bytes, prepend=True)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of tracing
        model = ov.convert_model(network, example_input=torch.zeros(_EXAMPLE, dtype=torch.uint8))
    model.inputs[0].tensor.set_names({_INPUT})
    model.reshape({_INPUT: ov.PartialShape([-1, -1, -1, 3])})
    return model


def lay_on_sheet(pixels: Pixels, longer_px: int) -> tuple[Pixels, tuple[float, float]]:
    """Scale a picture and pad it on the right and below, so that its sides are multiples of 32.

    Args:
        pixels: (H, W, 3).
        longer_px: The picture's longer side afterwards, before padding.

    Returns:
        The sheet, and its pixels per pixel of the picture, across and down.
    """
    high, wide = pixels.shape[:2]
    scale = longer_px / max(high, wide)
    width, height = max(round(wide * scale), 1), max(round(high * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sheet = np.full((_pad(height), _pad(width), 3), GREY, np.uint8)
    sheet[:height, :width] = cv2.resize(pixels, (width, height), interpolation=how)
    return sheet, (width / wide, height / high)


def check_tools(*, int8: bool) -> None:
    """Find out before hours of training whether the result can be exported.

    Raises:
        ConfigError: A package is not installed.
    """
    for package in ("openvino", "nncf")[: 1 + int8]:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"{package}: not installed; pip install 'monitor[train]'")


def _pad(side: int) -> int:
    """The next multiple of the coarsest stride."""
    return -(-side // _STRIDE) * _STRIDE


def _from_bytes(_network: object, taken: tuple[Any, ...]) -> tuple[Any]:
    """(B, H, W, BGR) bytes as (B, RGB, H, W) 0..1."""
    return (taken[0].permute(0, 3, 1, 2).flip(1).float() * (1 / 255),)


def _quantise(model: Any, sheets: Sequence[Pixels]) -> Any:  # noqa: ANN401
    """Weights and layers in 256 levels; the decoding of boxes stays as it is."""
    import nncf  # noqa: PLC0415  (for releases only)

    nncf.set_log_level(logging.WARNING)  # not a line for each layer
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
