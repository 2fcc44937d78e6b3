"""The one way to every engine that ultralytics can run a YOLO model with."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.detect import conversion
from monitor.detect.checkpoint import opened
from monitor.detect.ranges import read_ranges
from monitor.detect.rounding import Ranges, fits
from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.runtime.openvino_runtime import has_int8_instructions, is_installed

log = logging.getLogger(__name__)

EngineName = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "float32", "int8"]

_FILES = (".pt", ".onnx", ".engine", ".torchscript")
_FOLDERS = {"_openvino_model": "*.xml"}


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A loaded model. Thread-safe: calls are at work side by side where the engine can do that."""

    names: Mapping[int, str]
    """The classes, by their number in the output."""
    fixed_size: tuple[int, int] | None
    """Width and height of the sheet, for an export that takes no other."""
    kind: str
    """Who computes: ``torch``, ``openvino``, or what ultralytics calls an export."""
    precision: str
    """What it computes in: ``float32`` or ``int8``, or ``own`` where the export decides."""
    _forward: Any = field(repr=False)  # (B, H, W, 3) bytes to the tensor ultralytics' NMS reads
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
            found = non_max_suppression(
                self._forward(sheet),
                conf_thres=min_score,
                iou_thres=overlap_limit,
                classes=list(classes),
                multi_label=True,
                max_det=limit,
                nc=len(self.names),
                end2end=self._end2end,
            )
        return [rows[:, :6].double().cpu().numpy() for rows in found]


def load_engine(
    weights: Path, device: str, engine: EngineName = "auto", precision: Precision = "auto"
) -> Engine:
    """Load a checkpoint or an export, offline.

    Args:
        weights: The file, or an export's folder.
        device: As torch names it.
        engine: Who runs a checkpoint: ``auto`` is OpenVINO on a processor where it is
            installed (the same boxes, faster), else torch. The first load by
            OpenVINO converts the checkpoint, which takes some seconds, and keeps the result.
        precision: What OpenVINO computes in: ``auto`` is int8 (twice as fast again) where the
            processor multiplies bytes and the weights' ranges lie beside them.

    Raises:
        ConfigError: One line that names the file and what to do about it.
    """
    _check(weights)
    if engine == "openvino" and not is_installed():
        raise ConfigError("engine openvino: not installed; pip install openvino, or take auto")
    wanted = engine == "openvino" or (engine == "auto" and device == "cpu")
    if not wanted or weights.suffix != ".pt" or not is_installed():
        if precision == "int8":
            raise ConfigError(
                f"{weights}: int8 needs a checkpoint (.pt) on the cpu, and OpenVINO; "
                "pip install openvino, or take precision auto"
            )
        return _by_ultralytics(opened(weights, device))
    ranges = _ranges(weights, precision)
    folder = conversion.kept_in()
    converted = conversion.read(weights, ranges, folder)
    if converted is not None:
        return _by_openvino(converted)
    backend = opened(weights, device)
    if backend.end2end:
        return _by_ultralytics(backend)
    network = backend.model.float().eval()
    if ranges is not None and not fits(network, ranges):
        log.warning("%s: its ranges do not fit; monitor models quantise makes others", weights)
        return load_engine(weights, device, engine, "float32")
    log.info("%s: converting for OpenVINO, once", weights)
    return _by_openvino(conversion.convert(weights, network, backend.names, ranges, folder))


def _ranges(weights: Path, precision: Precision) -> Ranges | None:
    """What int8 needs, or None for float32."""
    if precision == "float32" or (precision == "auto" and not has_int8_instructions()):
        return None
    ranges = read_ranges(weights)
    if ranges is None and precision == "int8":
        raise ConfigError(
            f"{weights}: no ranges of these weights beside it; "
            "make them with monitor models quantise, or take precision auto"
        )
    return ranges


def _by_openvino(converted: conversion.Converted) -> Engine:
    open_ultralytics()  # resolves overlaps
    import torch

    def forward(sheet: Pixels) -> torch.Tensor:
        """The conversion's answer as a tensor; see conversion.Forward."""
        return torch.from_numpy(converted.forward(sheet))

    return Engine(converted.names, None, "openvino", converted.precision, forward)


def passes(backend: Any) -> Callable[[Pixels], object]:  # noqa: ANN401
    """Passes through one of ultralytics' backends, one at a time; every answer is the caller's own.

    Networks remember the last sheet's grid, and exports may write every answer to one place.

    Args:
        backend: Takes (B, RGB, H, W) in 0..1 and answers with a tensor or with several.

    Returns:
        Of (B, H, W, BGR) bytes, what the backend answers. Thread-safe.
    """
    import torch

    one_at_a_time = threading.Lock()

    def forward(sheet: Pixels) -> object:
        """(B, H, W, BGR) bytes as (B, RGB, H, W) 0..1, left channels-last in memory, answered."""
        with one_at_a_time:
            batch = torch.from_numpy(sheet).to(backend.device)
            answer = backend(batch.permute(0, 3, 1, 2).flip(1).float().div_(255))
            return answer if backend.format == "pt" else _copied(answer)

    return forward


def _copied(answer: Any) -> Any:  # noqa: ANN401
    """A tensor or several, in memory that no later pass writes to."""
    import torch

    if not isinstance(answer, torch.Tensor):
        return [_copied(part) for part in answer]
    copy = answer.clone()
    if copy.is_cuda:
        torch.cuda.synchronize(copy.device)  # the next pass may run in another stream
    return copy


def _by_ultralytics(backend: Any) -> Engine:  # noqa: ANN401
    return Engine(
        dict(backend.names),
        _fixed_size(backend),
        "torch" if backend.format == "pt" else str(backend.format),
        "float32" if backend.format == "pt" and not backend.fp16 else "own",
        passes(backend),
        bool(backend.end2end),
    )


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
