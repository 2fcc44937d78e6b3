"""``monitor evaluate``: how good a model is on labelled pictures."""

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import OK
from monitor.config.load import load_replay
from monitor.errors import OutputError
from monitor.runtime import logs

_Json = Annotated[Path, typer.Option("--json", help="Where to write the figures.")]
_Config = Annotated[
    Path | None, typer.Option(help="A YAML file as for replay; unset takes the embedded models.")
]


def judge(
    folder: Annotated[Path, typer.Argument(help="A folder with labels.csv and head crops.")],
    json_path: _Json,
    config: _Config = None,
) -> int:
    """Judge labelled head crops and write accuracy, recall, confusion and times."""
    logs.start("warning")
    settings = load_replay(config)
    from monitor.build import build_judge  # noqa: PLC0415  (torch takes seconds)
    from monitor.evaluate.judge import evaluate  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    report = evaluate(folder, build_judge(settings.judge, SystemClock()))
    _write(json_path, report.to_json())
    print(report.summary())
    return OK


def detector(
    folder: Annotated[Path, typer.Argument(help="A folder with boxes.csv and pictures.")],
    json_path: _Json,
    iou: Annotated[float, typer.Option(help="Overlap that counts as found.", min=0, max=1)] = 0.5,
    config: _Config = None,
) -> int:
    """Detect in labelled pictures and write average precision, recall and times."""
    logs.start("warning")
    settings = load_replay(config)
    from monitor.build import build_detector  # noqa: PLC0415  (torch takes seconds)
    from monitor.evaluate.detector import evaluate  # noqa: PLC0415

    report = evaluate(folder, build_detector(settings.detector), iou=iou)
    _write(json_path, report.to_json())
    print(report.summary())
    return OK


def _write(path: Path, figures: dict[str, object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name another file") from error
