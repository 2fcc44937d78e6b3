"""Loading a Hugging Face model from a folder: offline, safetensors only, none of its own code."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from jinja2 import TemplateError
from safetensors import SafetensorError

from monitor.errors import ConfigError, first_sentence

_OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
_LARGE: Final = 50_000_000  # weights; smaller models gain nothing from fewer bits


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on its device and what prepares its input; the library has no types for them."""

    processor: Any
    model: Any


def load_model(folder: Path, device: str, precision: Precision = "auto") -> Loaded:
    """Load an image-text-to-text model and its processor. Slow: seconds.

    Args:
        folder: Holds config.json, *.safetensors and the processor's files.
        device: As torch names it.
        precision: What to compute in. "auto" is, on a CPU, float32, or bfloat16 for a large
            model where the CPU computes in that; elsewhere what the weights are stored in.

    Raises:
        ConfigError: Nothing usable is there; one line that names the folder and the mend.
    """
    kind = _read_model_type(folder)
    transformers = _import_transformers()
    _check_kind(transformers, folder, kind)
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with map_load_errors(folder):
        processor = transformers.AutoProcessor.from_pretrained(folder, **here)
        model, report = transformers.AutoModelForImageTextToText.from_pretrained(
            folder,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # reported below, with names
            dtype="float32" if device.startswith("cpu") else "auto",
            output_loading_info=True,
            **here,
        )
    _check_weights(folder, report)
    if not (hasattr(processor, "tokenizer") and hasattr(processor, "image_processor")):
        raise ConfigError(
            f"{folder}: no processor for pictures and text; fetch the model's *.json files again"
        )
    moved = _move_to_device(model, device).eval()
    with map_load_errors(folder):
        return Loaded(processor, _set_precision(moved, device, precision))


@contextmanager
def map_load_errors(folder: Path) -> Iterator[None]:
    """Map the libraries' errors about a folder to one line for the operator.

    Raises:
        ConfigError: Names the folder, the library's reason (shortened) and the mend.
    """
    from huggingface_hub.errors import StrictDataclassError  # noqa: PLC0415  (see _transformers)

    try:
        with _PlainErrorMapper(folder):
            yield
    except ImportError as error:
        raise ConfigError(
            f"{folder}: cannot load the judge: {first_sentence(error)}; install what it needs"
        ) from error
    except (
        *(SafetensorError, StrictDataclassError, TemplateError),
        *(OSError, RuntimeError, MemoryError),
        *(ValueError, LookupError, TypeError, AttributeError),  # files that contradict each other
    ) as error:
        raise _build_error(folder, error) from error


class _PlainErrorMapper:
    """Maps an error that is a bare ``Exception`` to a ConfigError.

    The parser of tokeniser files has no error class of its own; a file from a newer version
    ends there. Every error with a class passes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is Exception and isinstance(error, Exception):
            raise _build_error(self._folder, error) from error


def _build_error(folder: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{folder}: cannot load the judge: {first_sentence(error)}; fetch it again, or another"
    )


def _import_transformers() -> Any:  # noqa: ANN401
    """The library, silent and offline; it reads the environment when it is imported."""
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _read_model_type(folder: Path) -> object:
    """The model type in ``config.json``, after a check that the needed files are there.

    Raises:
        ConfigError: The folder, its configuration or its weights are missing or broken.
    """
    if not (folder / "config.json").is_file():
        missing = "config.json" if folder.is_dir() else "such folder"
        raise ConfigError(f"{folder}: no {missing}; point the judge at a model's folder")
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"{folder}: no weights; fetch the model's *.safetensors (others are not opened)"
        )
    contents = {path.name: _read_json(path) for path in sorted(folder.glob("*.json"))}
    config = contents["config.json"]
    return config.get("model_type") if isinstance(config, dict) else None


def _read_json(path: Path) -> object:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make it readable") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON; mend the file, or fetch it again") from error
    return content


def _check_kind(transformers: Any, folder: Path, kind: object) -> None:  # noqa: ANN401
    """Refuse architectures that are unknown here, or that read no pictures.

    Raises:
        ConfigError: See above.
    """
    if not isinstance(kind, str) or kind not in transformers.CONFIG_MAPPING:
        raise ConfigError(
            f"{folder}: model type {kind!r} is unknown to transformers "
            f"{transformers.__version__}; take another model (a model's own code is never run)"
        )
    if transformers.CONFIG_MAPPING[kind] not in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ConfigError(
            f"{folder}: model type {kind!r} does not answer questions about pictures; "
            "take an image-text-to-text model"
        )


def _check_weights(folder: Path, report: dict[str, Any]) -> None:
    """Refuse a model that would run on random numbers, as transformers does with a warning.

    Raises:
        ConfigError: Weights are missing or have another shape than ``config.json`` says.
    """
    missing = list(report["missing_keys"])
    mismatched = [name for name, _here, _wanted in report["mismatched_keys"]]
    if missing or mismatched:
        problem = "are missing" if missing else "do not fit config.json"
        raise ConfigError(
            f"{folder}: weights {problem}, such as {min(missing or mismatched)}; "
            "fetch the model again"
        )


def _set_precision(model: Any, device: str, precision: Precision) -> Any:  # noqa: ANN401
    """The model, on its device, with the weights it is to compute in."""
    import torch

    if precision == "auto" and device.startswith("cpu"):
        large = sum(weights.numel() for weights in model.parameters()) > _LARGE
        precision = "bfloat16" if large and _cpu_has_bfloat16() else "float32"
    if precision == "auto":
        return model
    return model.to(getattr(torch, precision))


def _cpu_has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(cpuinfo.split())


def _move_to_device(model: Any, device: str) -> Any:  # noqa: ANN401
    """The model, on the device.

    Raises:
        ConfigError: There is no such device, or it is too small.
    """
    try:
        return model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"judge device {device!r}: {first_sentence(error)}; "
            "set it to cpu, or take a smaller model"
        ) from error
