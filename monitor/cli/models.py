"""``monitor models``: lists, fetches and tries judges."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from monitor.cli.errors import OK
from monitor.judge.local.model_registry import (
    EMBEDDED,
    PINS,
    pull_model,
    read_catalogue,
    verify_pins,
    write_pins,
)
from monitor.runtime import logs
from monitor.runtime.resources import find_bundled

_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}

_Name = Annotated[
    str, typer.Argument(help="A name of the list, or OWNER/NAME at the Hugging Face hub.")
]
_To = Annotated[Path, typer.Option(help="The folder to put the model's folder in.")]
_Revision = Annotated[str | None, typer.Option(help="A commit; unset takes the list's.")]
_Folder = Annotated[
    Path | None, typer.Argument(help="A model's folder; unset is the embedded judge.")
]


def list_() -> int:
    """List the models that are known to work, with purpose, size and licence."""
    table = Table("name", "for", "MB", "licence", "pinned to", "repository", box=None)
    for name, entry in read_catalogue().items():
        pin = "SHA256SUMS" if entry.repository is None else (entry.revision or "unpinned")
        where = entry.repository or "on board"
        table.add_row(name, entry.purpose, str(entry.size_mb), entry.licence, pin, where)
    Console(width=140).print(table)
    return OK


def pull_(name: _Name, to: _To, revision: _Revision = None) -> int:
    """Fetch a model from the hub (or from HF_ENDPOINT). No other command does."""
    logs.start("warning")
    pulled = pull_model(name, to, revision)
    how = "pinned" if pulled.pinned else "unpinned; --revision keeps to one"
    print(f"{pulled.folder}: {pulled.files} files of {pulled.repository}")
    print(f"revision {pulled.revision} ({how})")
    print(f"judge: {{kind: local, model: {pulled.folder.resolve()}}}")
    return OK


def pin(folder: Annotated[Path, typer.Argument(help="A model's folder.")]) -> int:
    """Write the checksums of a model's files, so that check notices any change."""
    print(f"{folder}: checksums of {write_pins(folder)} files in {PINS}")
    return OK


def export(folder: _Folder = None) -> int:
    """Write a trained judge's OpenVINO graph, which is what runs, beside its weights."""
    logs.start("warning")
    place = find_bundled("models") / "judge" if folder is None else folder
    from monitor.train.judge.export import export_judge  # noqa: PLC0415  (torch takes seconds)

    print(export_judge(place))
    print(f"{place}: {write_pins(place)} files written down in {PINS}")
    return OK


def check(folder: _Folder = None) -> int:
    """Verify a model's checksums, load it and let it judge two pictures."""
    logs.start("warning")
    place = find_bundled("models") / "judge" if folder is None else folder
    compared = verify_pins(place)
    if folder is None:
        verify_pins(find_bundled("models") / "detector")
    pins = "nothing to compare with" if compared is None else f"{compared} files as they came"
    from monitor.build import build_judge, judge_settings  # noqa: PLC0415  (torch takes seconds)
    from monitor.judge.warm_up import draw_trial_crops  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    judge = build_judge(judge_settings(place), clock)
    started = time.perf_counter()
    verdicts = judge.judge(draw_trial_crops(clock)[:1])
    took_ms = 1000 * (time.perf_counter() - started)
    name = EMBEDDED if folder is None else str(folder)
    print(f"{name}: {pins}; {judge.name.name} {judge.name.version} judges")
    print(f"  one picture in {took_ms:.0f} ms; a drawn bare head: {verdicts[0].covering}")
    return OK
