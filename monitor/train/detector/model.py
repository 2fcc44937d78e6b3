"""The embedded detector's network, in ultralytics' own words, and its checkpoint."""

from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.errors import ConfigError
from monitor.train.detector.scenes import KINDS

ARCHITECTURE: dict[str, Any] = {
    "yaml_file": "monitor-detector.yaml",
    "nc": len(KINDS),
    "reg_max": 16,
    "depth_multiple": 1.0,
    "width_multiple": 1.0,
    # [from, repeats, module, arguments]; strides 8, 16 and 32 leave rows 4, 6 and 9
    "backbone": [
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "Conv", [32, 3, 2]],
        [-1, 1, "C3k2", [32, False, 0.5]],
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "C3k2", [64, False, 0.5]],
        [-1, 1, "Conv", [128, 3, 2]],
        [-1, 1, "C3k2", [128, False, 0.5]],
        [-1, 1, "Conv", [224, 3, 2]],
        [-1, 1, "C3k2", [224, False, 0.5]],
        [-1, 1, "SPPF", [224, 5]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 6], 1, "Concat", [1]],
        [-1, 1, "C3k2", [96, False, 0.5]],
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 4], 1, "Concat", [1]],
        [-1, 1, "C3k2", [64, False, 0.5]],
        [-1, 1, "Conv", [64, 3, 2]],
        [[-1, 12], 1, "Concat", [1]],
        [-1, 1, "C3k2", [96, False, 0.5]],
        [-1, 1, "Conv", [96, 3, 2]],
        [[-1, 9], 1, "Concat", [1]],
        [-1, 1, "C3k2", [160, False, 0.5]],
        [[15, 18, 21], 1, "Detect", ["nc"]],
    ],
}
"""Between ultralytics' YOLOv8 and YOLO11 in layout, half as wide as their nano models."""


def build(seed: int) -> Any:  # noqa: ANN401  (ultralytics has no types)
    """A detection model with random weights.

    Returns:
        An ``ultralytics.nn.tasks.DetectionModel``, with its loss attached as ``criterion``.
    """
    open_ultralytics()
    from ultralytics.cfg import get_cfg  # noqa: PLC0415  (only behind the door)
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415

    torch.manual_seed(seed)
    model = DetectionModel(deepcopy(ARCHITECTURE), ch=3, nc=len(KINDS), verbose=False)
    model.names = {index: kind.value for index, kind in enumerate(KINDS)}
    model.args = get_cfg(overrides={"task": "detect"})
    model.criterion = model.init_criterion()
    return model


def load_weights(model: Any, path: Path) -> None:  # noqa: ANN401
    """Give a model that ``build`` made the weights of a checkpoint of the same shape.

    Raises:
        ConfigError: There is no such checkpoint, or it is of another shape.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give a checkpoint to start from, or none")
    open_ultralytics()
    from ultralytics.nn.tasks import load_checkpoint  # noqa: PLC0415  (only behind the door)

    try:
        model.load_state_dict(load_checkpoint(str(path))[0].float().state_dict())
    except (RuntimeError, AttributeError, KeyError, UnpicklingError) as error:
        raise ConfigError(
            f"{path}: of another shape; give one trained with this version"
        ) from error


def save_checkpoint(model: Any, path: Path, *, input_px: int, version: str) -> None:  # noqa: ANN401
    """Write a model as ultralytics does: half precision, no optimizer, no training state.

    Args:
        model: What ``build`` gave, trained.
        path: A ``.pt`` file.
        input_px: The size that ultralytics' own commands use when none is given.
        version: Of the weights, for people.
    """
    bare = deepcopy(model)
    bare.criterion = None
    bare.args = {"task": "detect", "imgsz": input_px, "model": ARCHITECTURE["yaml_file"]}
    for parameter in bare.parameters():
        parameter.requires_grad_(requires_grad=False)
    package = open_ultralytics()
    torch.save(
        {
            "model": bare.float().half().eval(),
            "ema": None,
            "optimizer": None,
            "epoch": -1,
            "train_args": bare.args,
            "version": package.__version__,
            "monitor_version": version,
            "license": "AGPL-3.0-or-later",
        },
        path,
    )
