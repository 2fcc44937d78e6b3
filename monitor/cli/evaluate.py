"""``monitor evaluate``: how good a model is on labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import OK
from monitor.config.load import load_replay
from monitor.domain import Kind
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
    from monitor.evaluate.judge import evaluate, wilson  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    report = evaluate(folder, build_judge(settings.judge, SystemClock()))
    _write(json_path, report.to_json())
    low, high = wilson(report.right, len(report.decided))
    print(
        f"{len(report.decided)} crops: accuracy {report.accuracy:.4f} "
        f"({low:.4f} to {high:.4f}), balanced {report.balanced_accuracy:.4f}"
    )
    for label, share in report.called_occluded.items():
        print(f"  {label}: called occluded {share:.3f}, named {report.recall[label]:.3f}")
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
    from monitor.build import build_detector, min_scores  # noqa: PLC0415  (torch takes seconds)
    from monitor.evaluate.detector import evaluate  # noqa: PLC0415

    scores = dict.fromkeys(Kind, 0.0) | min_scores(settings.detector)
    found_all = build_detector(settings.detector, open_wide=True)
    report = evaluate(folder, found_all, min_scores=scores, iou=iou)
    _write(json_path, report.to_json())
    print(f"{report.pictures} pictures, median {report.ms_median:.1f} ms")
    for kind, figures in report.kinds.items():
        print(
            f"  {kind}: {figures.boxes} boxes, AP{round(100 * iou)} {_share(figures.ap)}, "
            f"recall {_share(figures.recall)}, precision {_share(figures.precision)} "
            f"at {figures.threshold:.2f}"
        )
    return OK


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name another file") from error
