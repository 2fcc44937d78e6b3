"""Checkpoints in OpenVINO's form, made once and kept for the next start."""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.detect.rounding import Ranges, round_all
from monitor.domain import Pixels
from monitor.runtime.openvino_runtime import (
    count_cores,
    count_parallel_requests,
    get_core,
    open_openvino,
)

_EXAMPLE = (2, 96, 64, 3)  # unlike sizes, so that none of them is taken for fixed

Forward = Callable[[Pixels], NDArray[np.float32]]
"""(B, H, W, 3) blue-green-red bytes to (B, 4 + classes, anchors). Thread-safe."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A checkpoint in OpenVINO's form."""

    names: Mapping[int, str]
    """The classes, by their number in the output."""
    precision: str
    """``float32`` or ``int8``."""
    forward: Forward


def kept_in() -> Path:
    """Where conversions are kept: systemd's cache folder for us, or the user's."""
    given = os.environ.get("CACHE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "monitor"


def read(weights: Path, ranges: Ranges | None, folder: Path) -> Converted | None:
    """The conversion of these very weights and ranges, if an earlier start left one."""
    model, facts = _paths(weights, ranges, folder)
    if not (model.is_file() and facts.is_file()):
        return None
    try:
        names = json.loads(facts.read_text(encoding="utf-8"))
        return _compiled({int(number): name for number, name in names.items()}, ranges, model)
    except (OSError, RuntimeError, ValueError):  # damaged: it will be written anew
        return None


def convert(
    weights: Path,
    network: Any,  # noqa: ANN401
    names: Mapping[int, str],
    ranges: Ranges | None,
    folder: Path,
) -> Converted:
    """Convert a network of ultralytics, and keep it for the next start if that is possible.

    Args:
        weights: Where the network was read from; a conversion is found again by its content.
        network: The torch module, in float32 and without training state. It is changed.
        names: Its classes.
        ranges: They fit, and it is to compute in int8; None is float32.
        folder: Where conversions are kept. A folder that cannot be written costs the
            conversion, some seconds, at each start, and nothing else.
    """
    import torch

    ov = open_openvino()
    network.model[-1].export = True  # boxes and scores in one tensor, nothing else
    network.model[-1].dynamic = True
    network.model[-1].format = "openvino"
    if ranges is not None:
        round_all(network, ranges)
    network.register_forward_pre_hook(_from_bytes, prepend=True)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of tracing
        model = ov.convert_model(network, example_input=torch.zeros(_EXAMPLE, dtype=torch.uint8))
    _keep(ov, model, names, _paths(weights, ranges, folder))
    return _compiled(names, ranges, model)


def _from_bytes(_network: object, taken: tuple[Any, ...]) -> tuple[Any]:
    """(B, H, W, BGR) bytes as (B, RGB, H, W) 0..1."""
    return (taken[0].permute(0, 3, 1, 2).flip(1).float() * (1 / 255),)


def _compiled(names: Mapping[int, str], ranges: Ranges | None, model: Any) -> Converted:  # noqa: ANN401
    """Ready to run, what is not rounded in float32: bfloat16 moves boxes."""
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": count_cores(),
        "NUM_STREAMS": count_parallel_requests(),
        "ENABLE_CPU_PINNING": False,  # other threads want the same cores
    }
    compiled = get_core().compile_model(model, "CPU", settings)
    free: SimpleQueue[Any] = SimpleQueue()
    for _ in range(count_parallel_requests()):
        free.put(compiled.create_infer_request())

    def forward(sheet: Pixels) -> NDArray[np.float32]:
        """See Forward."""
        request = free.get()
        try:
            found: NDArray[np.float32] = request.infer([sheet])[0]  # a copy of its own
        finally:
            free.put(request)
        return found

    return Converted(dict(names), "float32" if ranges is None else "int8", forward)


def _paths(weights: Path, ranges: Ranges | None, folder: Path) -> tuple[Path, Path]:
    """The model and the names of a conversion; another version of OpenVINO has others."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    version = open_openvino().__version__.partition("-")[0]
    form = "float32"
    if ranges is not None:
        form = "int8-" + hashlib.sha256(json.dumps(dict(ranges)).encode()).hexdigest()[:8]
    stem = f"{digest}-{form}-openvino-{version}"
    return folder / f"{stem}.xml", folder / f"{stem}.json"


def _keep(ov: ModuleType, model: Any, names: Mapping[int, str], paths: tuple[Path, Path]) -> None:  # noqa: ANN401
    """Write model, weights and names; the names last, so that half a conversion is none."""
    target, facts = paths
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            fresh = Path(scratch) / target.name
            ov.save_model(model, fresh, compress_to_fp16=False)
            (Path(scratch) / facts.name).write_text(json.dumps(dict(names)), encoding="utf-8")
            for path in (target.with_suffix(".bin"), target, facts):
                (Path(scratch) / path.name).replace(path)
    except (OSError, RuntimeError):  # OpenVINO raises the latter on a full disk
        return
