"""``monitor evaluate``: measures a model on labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import OK
from monitor.config.load import load_replay
from monitor.domain import Kind
from monitor.errors import ConfigError, OutputError
from monitor.judge import Judge
from monitor.runtime import logs

_Json = Annotated[Path, typer.Option("--json", help="Where to write the figures.")]
_Config = Annotated[
    Path | None, typer.Option(help="A YAML file as for replay; unset takes the embedded models.")
]


_Split = Annotated[str, typer.Option(help="Only rows of this split; empty takes all.")]
_Sources = Annotated[list[str] | None, typer.Option("--source", help="Only of this source.")]


def judge(  # noqa: PLR0913, PLR0917  (each is an option)
    folder: Annotated[Path, typer.Argument(help="A folder with labels.csv and head crops.")],
    json_path: _Json,
    config: _Config = None,
    split: _Split = "",
    sources: _Sources = None,
    reduce: Annotated[int, typer.Option(help="Shrink crops to this side first.", min=0)] = 0,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Group by a column, by crop_px or by colour; repeat for more."),
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="A folder for two diagrams.")] = None,
) -> int:
    """Judge labelled head crops and write accuracy, recall, confusion and times."""
    logs.start("warning")
    settings = load_replay(config)
    from monitor.build import build_judge  # noqa: PLC0415  (torch takes seconds)
    from monitor.evaluate.charts import write_charts  # noqa: PLC0415
    from monitor.evaluate.judge import evaluate_judge  # noqa: PLC0415
    from monitor.evaluate.judge_rows import RowFilter  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    row_filter = RowFilter(split, tuple(sources or ()), reduce, tuple(by or ()))
    report = evaluate_judge(folder, build_judge(settings.judge, SystemClock()), row_filter)
    _write(json_path, report.to_json())
    print("\n".join(report.format_lines()))
    for path in write_charts(report, plots) if plots is not None else ():
        print(path)
    return OK


def calibrate(
    folder: Annotated[Path, typer.Argument(help="A folder with labels.csv and head crops.")],
    model: Annotated[Path, typer.Option(help="The judge's folder, with its monitor.json.")],
    size: Annotated[list[int], typer.Option(help="A crop's side; repeat for more.", min=8)],
    abstain: Annotated[
        list[int] | None,
        typer.Option(
            help="A crop's side at which unsure crops become unusable; repeat for more.", min=8
        ),
    ] = None,
    split: _Split = "",
    sources: _Sources = None,
) -> int:
    """Set a judge's temperature for each size of crop, and store it beside the weights."""
    logs.start("warning")
    from monitor.build import build_judge, judge_settings  # noqa: PLC0415  (torch takes seconds)
    from monitor.evaluate.judge_calibration import (  # noqa: PLC0415
        fit_abstain_limits,
        fit_factors,
    )
    from monitor.evaluate.judge_rows import RowFilter  # noqa: PLC0415
    from monitor.judge.profile import store_abstain_limits, store_temperatures  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    def open_judge() -> Judge:
        """The judge with what its monitor.json says now."""
        return build_judge(judge_settings(model), SystemClock(), warm=False)

    row_filter = RowFilter(split, tuple(sources or ()))
    sizes = sorted({*size, *(abstain or [])})  # too few crops of any size are reported first
    factors = fit_factors(folder, open_judge(), sizes, row_filter)
    for side, temperature in store_temperatures(model, factors).items():
        print(f"{side} px: temperature {temperature}")
    if not abstain:
        return OK  # stored limits stay
    store_abstain_limits(model, {})
    limits = fit_abstain_limits(folder, open_judge(), abstain, row_filter)
    store_abstain_limits(model, limits)
    for side, limit in limits.items():
        print(f"{side} px: unusable above a doubt of {limit}")
    return OK


def detector(
    folder: Annotated[Path, typer.Argument(help="A folder with boxes.csv and pictures.")],
    json_path: _Json,
    iou: Annotated[
        float, typer.Option(help="The overlap (IoU) that counts as found.", min=0, max=1)
    ] = 0.5,
    config: _Config = None,
    curves: Annotated[
        Path | None, typer.Option(help="Where to draw precision over recall, such as curves.png.")
    ] = None,
) -> int:
    """Detect in labelled pictures and write average precision, recall and times."""
    logs.start("warning")
    settings = load_replay(config)
    from monitor.build import build_detector, get_min_scores  # noqa: PLC0415  (torch takes seconds)
    from monitor.evaluate.charts import draw_precision_recall, save_chart  # noqa: PLC0415
    from monitor.evaluate.detector import evaluate  # noqa: PLC0415

    scores = dict.fromkeys(Kind, 0.0) | get_min_scores(settings.detector)
    low_threshold = build_detector(settings.detector, open_wide=True)
    report = evaluate(folder, low_threshold, min_scores=scores, iou=iou)
    _write(json_path, report.to_json())
    if curves:
        names = {
            f"{kind} {_format_share(report.kinds[kind].ap)}": s for kind, s in report.scored.items()
        }
        save_chart(draw_precision_recall(names), curves)
    print(
        f"{report.pictures} pictures, {report.empty_pictures} without anybody, "
        f"median {report.ms_median:.1f} ms"
    )
    for kind, figures in report.kinds.items():
        recall = _format_share(figures.recall) + _format_range(figures.recall_wilson)
        precision = _format_share(figures.precision) + _format_range(figures.precision_wilson)
        print(
            f"  {kind}: {figures.boxes} boxes, AP{round(100 * iou)} {_format_share(figures.ap)}, "
            f"recall {recall}, precision {precision} at {figures.threshold:.2f}; "
            f"recall {_format_share(figures.recall_at_p90)} at precision 0.9; "
            f"{figures.false_boxes} false boxes on pictures without anybody"
        )
    return OK


def thresholds(
    folder: Annotated[Path, typer.Argument(help="A folder with boxes.csv and pictures.")],
    weights: Annotated[Path, typer.Option(help="The trained detector (.xml), or a checkpoint.")],
    version: Annotated[
        str | None, typer.Option(help="Of the weights; unset keeps that of their detector.json.")
    ] = None,
    input_px: Annotated[
        int | None, typer.Option(help="The longer side of pictures; unset keeps it, too.", min=32)
    ] = None,
) -> int:
    """Choose a detector's thresholds, where F1 is highest, and write its detector.json."""
    logs.start("warning")
    from monitor.build import build_detector  # noqa: PLC0415  (torch takes seconds)
    from monitor.config.schema import YoloDetector  # noqa: PLC0415
    from monitor.evaluate.detector import evaluate  # noqa: PLC0415
    from monitor.train.detector.profile import read_profile, write_profile  # noqa: PLC0415

    if version is None or input_px is None:
        known = read_profile(weights)
        if known is None:
            raise ConfigError(f"{weights}: no detector.json beside; give --version and --input-px")
        version = known[0] if version is None else version
        input_px = known[1] if input_px is None else input_px
    settings = YoloDetector(kind="yolo", weights=weights, input_px=input_px)
    report = evaluate(folder, build_detector(settings, open_wide=True))
    chosen: dict[Kind, float] = {}
    for kind, figures in report.kinds.items():
        if figures.best_threshold is None:
            raise ConfigError(f"{folder}: no {kind} was found; give scenes that show some")
        chosen[kind] = round(figures.best_threshold, 2)
        print(
            f"{kind}: {chosen[kind]:.2f}, AP50 {_format_share(figures.ap)}, {figures.boxes} boxes"
        )
    try:
        print(write_profile(weights, chosen, input_px=input_px, version=version))
    except OSError as error:
        raise OutputError(f"{weights.parent}: {error.strerror}; make it writable") from error
    return OK


def _format_share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _format_range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name another file") from error
