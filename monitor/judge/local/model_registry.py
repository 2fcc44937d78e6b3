"""Known models: where to get them, their licences, and checks that a copy is complete."""

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from monitor.errors import ConfigError, OutputError
from monitor.runtime.resources import find_bundled

EMBEDDED: Final = "embedded"
PINS: Final = "SHA256SUMS"
"""In a model's folder: the files' checksums, as ``sha256sum`` writes them."""
ORIGIN: Final = "pulled.json"
"""In a model's folder: where it came from."""

_WANTED: Final = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "LICENSE*", "README.md")
_REPOSITORY: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_PIN_PARTS: Final = 2


class CatalogueEntry(BaseModel):
    """One model of the catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    purpose: Literal["embedded", "CPU edge", "GPU server"]
    about: str
    licence: str
    repository: str | None
    """At the hub; None comes with the program."""
    revision: str | None
    """A commit; None is unpinned: the newest is fetched."""
    size_mb: Annotated[int, Field(gt=0)]
    """About what is fetched, in megabytes."""


@dataclass(frozen=True, slots=True)
class PulledModel:
    """A model that has been fetched."""

    folder: Path
    repository: str
    revision: str
    files: int
    pinned: bool  # whether a commit was asked for


def read_catalogue() -> Mapping[str, CatalogueEntry]:
    """The known models, by name.

    Raises:
        ConfigError: The file that lists them is broken.
    """
    path = find_bundled("models") / "catalogue.json"
    try:
        return TypeAdapter(dict[str, CatalogueEntry]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(f"{path}: not readable; install monitor again") from error


def pull_model(name: str, to: Path, revision: str | None) -> PulledModel:
    """Fetch a model: a name of the catalogue, or OWNER/NAME at the hub.

    Only weights as safetensors and what describes them; never code. Checksums are
    stored, so that ``monitor models check`` notices any change.

    Args:
        name: Which.
        to: A folder to put the model's folder in.
        revision: A commit, branch or tag; None takes the catalogue's, or the newest.

    Raises:
        ConfigError: There is no such model, or it cannot be had.
        OutputError: It cannot be written.
    """
    entry = read_catalogue().get(name)
    repository = entry.repository if entry is not None else name
    if repository is None:
        raise ConfigError(f"{name}: comes with the program; there is nothing to fetch")
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(f"{name}: not in the catalogue; name one of it, or OWNER/NAME")
    chosen_revision = revision or (entry.revision if entry is not None else None)
    folder = to / repository.rpartition("/")[2]
    commit = _download(repository, chosen_revision, folder)
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"{repository}: no *.safetensors there; take another model")
    origin = {"repository": repository, "revision": commit}
    try:
        (folder / ORIGIN).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}; name another folder") from error
    pinned = _COMMIT.fullmatch(chosen_revision or "") is not None
    return PulledModel(folder, repository, commit, write_pins(folder), pinned)


def write_pins(folder: Path) -> int:
    """Write the checksums of a model's files, apart from those for people.

    Returns:
        How many.

    Raises:
        ConfigError: There are none.
        OutputError: They cannot be written.
    """
    files = _list_model_files(folder)
    if not files:
        raise ConfigError(f"{folder}: no files there; name a model's folder")
    try:
        sums = "".join(f"{_hash_file(folder / file)}  {file.as_posix()}\n" for file in files)
        (folder / PINS).write_text(sums, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}; name another folder") from error
    return len(files)


def verify_pins(folder: Path) -> int | None:
    """Compare a model's files with their stored checksums.

    Returns:
        How many were compared; None if no checksums are stored.

    Raises:
        ConfigError: A file is missing, or not what it was.
    """
    pins = folder / PINS
    if not pins.exists():
        return None
    try:
        lines = pins.read_text(encoding="utf-8").splitlines()
        for line in lines:
            parts = line.split("  ", 1)
            if len(parts) != _PIN_PARTS or ".." in Path(parts[1]).parts:
                raise ConfigError(f"{pins}: not as sha256sum writes it; fetch the model again")
            if _hash_file(folder / parts[1]) != parts[0]:
                raise ConfigError(f"{folder / parts[1]}: not what it was; fetch the model again")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: a file of {PINS} is not readable; fetch it again") from error
    return len(lines)


def _download(repository: str, revision: str | None, folder: Path) -> str:
    """Download into a folder; returns the commit.

    Raises:
        ConfigError: It cannot be had.
        OutputError: It cannot be written.
    """
    import huggingface_hub as hub  # noqa: PLC0415  (slow to import, and only for this command)
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    disable_progress_bars()
    try:
        commit = hub.HfApi().model_info(repository, revision=revision).sha
        hub.snapshot_download(
            repository, revision=commit, local_dir=folder, allow_patterns=list(_WANTED)
        )
    except (HfHubHTTPError, HFValidationError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"{repository}: refused: {reason}; check name and terms") from error
    except PermissionError as error:
        raise OutputError(f"{folder}: {error.strerror}; name another folder") from error
    except _list_client_errors() as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"{repository}: cannot be fetched: {reason}; try again later") from error
    return str(commit)


def _list_client_errors() -> tuple[type[Exception], ...]:
    """The errors of the hub's HTTP client, which differs between its versions."""
    clients = (sys.modules.get(name) for name in ("httpx", "httpx2"))
    theirs = (client.HTTPError for client in clients if client is not None)
    return (OSError, RuntimeError, ValueError, *theirs)


def _list_model_files(folder: Path) -> list[Path]:
    """What belongs to the model, relative to its folder, sorted."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    left_out = {PINS, ORIGIN, "README.md"}
    kept = (f for f in files if not f.parts[0].startswith(".") and f.as_posix() not in left_out)
    return sorted(kept)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
