"""Opening weights of any kind that ultralytics knows, with errors that an operator can read."""

import logging
from pathlib import Path
from typing import Any

from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.errors import ConfigError

_LOADING: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)  # what the engines are known to raise on a broken file or a missing device


def open_backend(weights: Path, device: str) -> Any:  # noqa: ANN401
    """Open a file with ultralytics' AutoBackend, which has no types.

    Args:
        weights: A checkpoint or an export.
        device: As torch names it.

    Raises:
        ConfigError: It cannot be loaded there, or is for something else than detection.
    """
    open_ultralytics()
    import torch
    from ultralytics.nn.autobackend import AutoBackend

    logging.getLogger("ultralytics").setLevel(logging.WARNING)
    known = (*_LOADING, *_onnx_errors(weights))
    try:
        place = device if device.startswith("intel") else torch.device(device)
        backend = AutoBackend(model=str(weights), device=place, fp16=device != "cpu", verbose=False)
    except known as error:
        raise ConfigError(
            f"{weights}: cannot be loaded on {device} ({_one_line(error)}); give a detection "
            "model that ultralytics exported or trained, and a device that this machine has"
        ) from error
    if backend.task not in (None, "detect"):
        raise ConfigError(f"{weights}: is a model for {backend.task}; give one for detection")
    return backend


def _onnx_errors(weights: Path) -> tuple[type[Exception], ...]:
    """What onnxruntime raises: errors of its own, which share no base but Exception."""
    if weights.suffix != ".onnx":
        return ()
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415
    except ImportError:
        return ()
    members: list[object] = list(vars(state).values())
    return tuple(m for m in members if isinstance(m, type) and issubclass(m, Exception))


def _one_line(error: BaseException) -> str:
    """The first line of an error's text, without decoration, not too long."""
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return first.encode("ascii", "ignore").decode().strip()[:200]
