"""One door to every engine that ultralytics can run a YOLO model with."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.detect import conversion
from monitor.detect.ultralytics_door import open_ultralytics
from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.runtime.openvino_door import installed

log = logging.getLogger(__name__)

EngineName = Literal["auto", "torch", "openvino"]

_FILES = (".pt", ".onnx", ".engine", ".torchscript")
_FOLDERS = {"_openvino_model": "*.xml"}


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A loaded model. Owned by whoever loaded it; one call at a time."""

    names: Mapping[int, str]
    """The classes, by their number in the output."""
    fixed_size: tuple[int, int] | None
    """Width and height of the sheet, for an export that takes no other."""
    kind: str
    """Who computes: ``torch``, ``openvino``, or what ultralytics calls an export."""
    _forward: Any = field(repr=False)  # (B, 3, H, W) tensor to what ultralytics' NMS reads
    _device: Any = field(repr=False)  # where it wants the tensor
    _end2end: bool = False  # whether overlaps are resolved within the network

    def run(
        self,
        sheet: Pixels,
        *,
        classes: Sequence[int],
        min_score: float,
        overlap_limit: float,
        limit: int,
    ) -> list[NDArray[np.float64]]:
        """Find objects in a batch.

        Args:
            sheet: (B, H, W, 3), blue-green-red.
            classes: The numbers of those wanted.
            min_score: In 0..1; what is less sure is dropped before overlaps are resolved.
            overlap_limit: IoU above which the worse of two boxes of one class is dropped.
            limit: At most this many per picture, the best.

        Returns:
            B arrays (N, 6): left, top, right, bottom in sheet pixels, score, class.
        """
        import torch
        from ultralytics.utils.nms import non_max_suppression

        with torch.inference_mode():
            # (B, H, W, BGR) bytes to (B, RGB, H, W) 0..1, left channels-last in memory
            batch = torch.from_numpy(sheet).to(self._device)
            batch = batch.permute(0, 3, 1, 2).flip(1).float().div_(255)
            found = non_max_suppression(
                self._forward(batch),
                conf_thres=min_score,
                iou_thres=overlap_limit,
                classes=list(classes),
                multi_label=True,
                max_det=limit,
                nc=len(self.names),
                end2end=self._end2end,
            )
        return [rows[:, :6].double().cpu().numpy() for rows in found]


def load_engine(weights: Path, device: str, engine: EngineName = "auto") -> Engine:
    """Load a checkpoint or an export, offline.

    Args:
        weights: The file, or an export's folder.
        device: As torch names it.
        engine: Who runs a checkpoint: ``auto`` is OpenVINO on a processor where it is
            installed (about 1.5 times as fast, the same boxes), else torch. The first load by
            OpenVINO converts the checkpoint, which takes some seconds, and keeps the result.

    Raises:
        ConfigError: One line that names the file and what to do about it.
    """
    _check(weights)
    if engine == "openvino" and not installed():
        raise ConfigError("engine openvino: not installed; pip install openvino, or take auto")
    wanted = engine == "openvino" or (engine == "auto" and device == "cpu")
    if not wanted or weights.suffix != ".pt" or not installed():
        return _by_ultralytics(_opened(weights, device))
    folder = conversion.kept_in()
    converted = conversion.read(weights, folder)
    if converted is None:
        backend = _opened(weights, device)
        if backend.end2end:
            return _by_ultralytics(backend)
        log.info("%s: converting for OpenVINO, once", weights)
        converted = conversion.convert(weights, backend.model, backend.names, folder)
    return _by_openvino(converted)


def _by_openvino(converted: conversion.Converted) -> Engine:
    open_ultralytics()  # resolves overlaps
    import torch

    def forward(batch: torch.Tensor) -> torch.Tensor:
        """The conversion's answer as a tensor; see conversion.Forward."""
        return torch.from_numpy(converted.forward(batch.contiguous().numpy()))

    return Engine(converted.names, None, "openvino", forward, torch.device("cpu"))


def _opened(weights: Path, device: str) -> Any:  # noqa: ANN401
    """What ultralytics' AutoBackend, which has no types, makes of the file."""
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


def _by_ultralytics(backend: Any) -> Engine:  # noqa: ANN401
    return Engine(
        dict(backend.names),
        _fixed_size(backend),
        "torch" if backend.format == "pt" else str(backend.format),
        backend,
        backend.device,
        bool(backend.end2end),
    )


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


def _check(weights: Path) -> None:
    """Refuse early what ultralytics would search the network or guess for."""
    if weights.is_dir():
        pattern = next((p for end, p in _FOLDERS.items() if weights.name.endswith(end)), None)
        if pattern is None or not any(weights.glob(pattern)):
            raise ConfigError(
                f"{weights}: a folder without weights; give a file ({', '.join(_FILES)}) or an "
                "OpenVINO export, whose folder's name ends in _openvino_model"
            )
    elif not weights.is_file():
        raise ConfigError(f"{weights}: no such file; give the path of the detector's weights")
    elif weights.suffix not in _FILES:
        raise ConfigError(f"{weights}: not a kind of weights known here; give {', '.join(_FILES)}")


def _fixed_size(backend: Any) -> tuple[int, int] | None:  # noqa: ANN401
    """Width and height an export was made for, or None if it takes any."""
    if backend.format == "pt" or backend.dynamic or backend.metadata.get("dynamic"):
        return None
    size = backend.metadata.get("imgsz")
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return int(width), int(height)


def _one_line(error: BaseException) -> str:
    """The first line of an error's text, without decoration, not too long."""
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return first.encode("ascii", "ignore").decode().strip()[:200]
