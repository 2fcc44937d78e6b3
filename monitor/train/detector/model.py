"""The embedded detector's network, a model of ultralytics, and its checkpoint."""

import importlib.util
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch

from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.errors import ConfigError
from monitor.train.detector.scenes import KINDS

ARCHITECTURE: Final = "yolo11n.yaml"
"""One of ultralytics' own: 2.6 million parameters, strides 8, 16 and 32."""
_PACKAGE: Final = "package:"
_MIN_SHARED: Final = 0.8  # of the tensors that a checkpoint must have in common to begin from it


def build(seed: int) -> Any:  # noqa: ANN401  (ultralytics has no types)
    """A detection model with random weights.

    Returns:
        An ``ultralytics.nn.tasks.DetectionModel``, with its loss attached as ``criterion``.
    """
    open_ultralytics()
    from ultralytics.cfg import get_cfg  # noqa: PLC0415  (only after open_ultralytics)
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415

    torch.manual_seed(seed)
    model = DetectionModel(ARCHITECTURE, ch=3, nc=len(KINDS), verbose=False)
    model.names = {index: kind.value for index, kind in enumerate(KINDS)}
    model.args = get_cfg(overrides={"task": "detect"})
    model.criterion = model.init_criterion()
    return model


def find_weights(start: str) -> Path:
    """The file that a setting names: a path, or ``package:NAME/FILE`` inside a package.

    The package is looked up, not imported.

    Raises:
        ConfigError: There is no such package.
    """
    if not start.startswith(_PACKAGE):
        return Path(start)
    name, _, file = start.removeprefix(_PACKAGE).partition("/")
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ConfigError(f"{start}: no package {name}; install it or give a path")
    return Path(spec.origin).parent / file


def load_weights(model: Any, path: Path) -> None:  # noqa: ANN401
    """Give a model that ``build`` made the weights of a checkpoint of the same layout.

    The checkpoint may be an earlier run's, or of another task (a pose model, say) or have other
    classes: what it shares is taken. Classes are joined by name, so that a model that knows
    ``person`` goes on knowing it.

    Raises:
        ConfigError: There is no such checkpoint, or it is of another layout.
    """
    known = read_checkpoint(path)
    given = known.state_dict()
    names = {name: number for number, name in known.names.items()}
    own = model.state_dict()
    shared = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    if len(shared) < _MIN_SHARED * len(own):
        raise ConfigError(f"{path}: of another layout than {ARCHITECTURE}; give one of that")
    for key, tensor in own.items():
        if key in shared or key not in given or tensor.shape[1:] != given[key].shape[1:]:
            continue
        joined = tensor.clone()
        for number, kind in enumerate(KINDS):
            if (source := names.get(kind.value, -1)) in range(len(given[key])):
                joined[number] = given[key][source]
        shared[key] = joined
    model.load_state_dict(own | shared)


def read_checkpoint(path: Path) -> Any:  # noqa: ANN401
    """The network of a checkpoint of ultralytics, of any task, in float32.

    Raises:
        ConfigError: There is no such checkpoint, or it is not one of ultralytics.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name a checkpoint of ultralytics (.pt)")
    open_ultralytics()
    from ultralytics.nn.tasks import load_checkpoint  # noqa: PLC0415

    try:
        return load_checkpoint(str(path))[0].float()
    except (RuntimeError, AttributeError, KeyError, TypeError, UnpicklingError) as error:
        raise ConfigError(f"{path}: not a checkpoint of ultralytics; name one (.pt)") from error


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
    bare.args = {"task": "detect", "imgsz": input_px, "model": ARCHITECTURE}
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
