"""Running a YOLO model: our own export by OpenVINO, everything else by ultralytics."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.detect.checkpoint import open_backend
from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.runtime.openvino_runtime import (
    count_cores,
    count_parallel_requests,
    get_core,
    is_installed,
)

_FILES: Final = (".xml", ".pt", ".onnx", ".engine", ".torchscript")
_FOLDERS: Final = {"_openvino_model": "*.xml"}
_NAMES: Final = ["model_info", "names"]
_END2END_COLUMNS: Final = 6  # left, top, right, bottom, score, class

Forward: TypeAlias = Callable[[Pixels], NDArray[np.float32]]
"""(B, H, W, 3) blue-green-red bytes to (B, 4 + classes, anchors), boxes as centre and size in
sheet pixels; or, where overlaps are resolved within the network, to (B, N, 6). Thread-safe."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A loaded model. Thread-safe: calls are at work side by side where the engine can do that."""

    names: Mapping[int, str]
    """The classes, by their number in the output."""
    fixed_size: tuple[int, int] | None
    """Width and height of the sheet, for an export that takes no other."""
    kind: str
    """Who computes: ``openvino``, ``torch``, or what ultralytics calls an export."""
    forward: Forward = field(repr=False)
    end2end: bool = False
    """Whether overlaps are resolved within the network."""

    def run(
        self,
        sheet: Pixels,
        *,
        classes: Sequence[int],
        min_score: float,
        overlap_limit: float,
        limit: int,
    ) -> list[NDArray[np.float32]]:
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
        output = self.forward(sheet)
        if self.end2end:
            return [_select(rows, classes, min_score)[:limit] for rows in output]
        return [
            suppress_overlaps(
                columns, classes=classes, min_score=min_score, overlap_limit=overlap_limit
            )[:limit]
            for columns in output
        ]


def load_engine(weights: Path, device: str) -> Engine:
    """Load weights, offline.

    Args:
        weights: Our own export (.xml, its .bin beside it), a checkpoint, or an export of
            ultralytics: a file, or a folder ``*_openvino_model``.
        device: As torch names it; our own export runs on the processor.

    Raises:
        ConfigError: One line that names the file and what to do about it.
    """
    _check(weights)
    if weights.suffix == ".xml":
        return _load_export(weights)
    return _wrap_backend(open_backend(weights, device))


def suppress_overlaps(
    columns: NDArray[np.float32], *, classes: Sequence[int], min_score: float, overlap_limit: float
) -> NDArray[np.float32]:
    """The best of overlapping boxes, per class, the surest first.

    Args:
        columns: (4 + C, A): centre x and y, width, height, a score per class.
        classes: The numbers of the classes that are wanted.
        min_score: What is less sure is dropped.
        overlap_limit: IoU above which the worse of two boxes of one class is dropped.

    Returns:
        (N, 6): left, top, right, bottom, score, class.

    Source:
        Neubeck and Van Gool, "Efficient Non-Maximum Suppression", 2006, as in OpenCV.
    """
    numbers, anchors = np.nonzero(columns[[4 + n for n in classes]] >= min_score)
    if len(anchors) == 0:
        return np.zeros((0, 6), np.float32)
    kinds = np.asarray(classes)[numbers]
    scores = columns[4 + kinds, anchors]
    sizes = columns[2:4, anchors].T
    corners = columns[:2, anchors].T - sizes / 2
    kept = cv2.dnn.NMSBoxesBatched(
        np.concatenate([corners, sizes], 1).tolist(),
        scores.tolist(),
        kinds.tolist(),
        min_score,
        overlap_limit,
    )
    order = np.asarray(kept, np.int64).reshape(-1)
    order = order[np.argsort(-scores[order], kind="stable")]
    rows = [corners, corners + sizes, scores[:, None], kinds[:, None]]
    return np.concatenate(rows, axis=1)[order].astype(np.float32)


def run_in_turn(backend: Any) -> Forward:  # noqa: ANN401
    """Passes through one of ultralytics' backends, one at a time; each answer is the caller's own.

    Networks remember the last sheet's grid, and exports may write every answer to one place.

    Args:
        backend: Takes (B, RGB, H, W) in 0..1 and answers with a tensor or with several.
    """
    import torch

    turn = threading.Lock()

    def forward(sheet: Pixels) -> NDArray[np.float32]:
        """See Forward."""
        with turn, torch.inference_mode():
            batch = torch.from_numpy(sheet).to(backend.device)
            answer = backend(batch.permute(0, 3, 1, 2).flip(1).float().div_(255))
            first = answer[0] if isinstance(answer, (list, tuple)) else answer
            output: NDArray[np.float32] = first.float().cpu().numpy().copy()
            return output

    return forward


def _select(
    rows: NDArray[np.float32], classes: Sequence[int], min_score: float
) -> NDArray[np.float32]:
    """Of (N, 6) rows of an end-to-end network, best first, those that are wanted."""
    wanted = np.isin(rows[:, 5], classes) & (rows[:, 4] >= min_score)
    return rows[wanted][:, :_END2END_COLUMNS]


def _load_export(weights: Path) -> Engine:
    """Our own export, ready to run: several requests side by side, each on some of the cores."""
    if not is_installed():
        raise ConfigError(f"{weights}: needs OpenVINO; pip install openvino")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # what is not int8: bfloat16 moves boxes
        "INFERENCE_NUM_THREADS": count_cores(),
        "NUM_STREAMS": count_parallel_requests(),
        "ENABLE_CPU_PINNING": False,  # other threads want the same cores
    }
    try:
        model = get_core().read_model(weights)
        names = json.loads(model.get_rt_info(_NAMES).astype(str))
        compiled = get_core().compile_model(model, "CPU", settings)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{weights}: not an export of monitor train detector; give one, or a .pt"
        ) from error
    free: SimpleQueue[Any] = SimpleQueue()
    for _ in range(count_parallel_requests()):
        free.put(compiled.create_infer_request())

    def forward(sheet: Pixels) -> NDArray[np.float32]:
        """See Forward."""
        request = free.get()
        try:
            output: NDArray[np.float32] = request.infer([sheet])[0]  # a copy of its own
        finally:
            free.put(request)
        return output

    return Engine({int(number): name for number, name in names.items()}, None, "openvino", forward)


def _wrap_backend(backend: Any) -> Engine:  # noqa: ANN401
    return Engine(
        dict(backend.names),
        _fixed_size(backend),
        "torch" if backend.format == "pt" else str(backend.format),
        run_in_turn(backend),
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
