"""Charts: how reliable a judge's certainty is, what it confuses, precision over recall."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monitor.errors import OutputError, first_sentence
from monitor.evaluate.judge_report import LABELS, JudgeReport, wilson_interval
from monitor.evaluate.scoring import Scored


def write_charts(report: JudgeReport, folder: Path) -> list[Path]:
    """Write reliability.png and confusion.png.

    Raises:
        OutputError: They cannot be written there.
    """
    charts = {"reliability.png": draw_reliability(report), "confusion.png": draw_confusion(report)}
    for name, chart in charts.items():
        save_chart(chart, folder / name)
    return [folder / name for name in charts]


def save_chart(chart: Figure, path: Path) -> None:
    """Write a chart in the format that the file's name ends in.

    Raises:
        OutputError: It cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        chart.savefig(path, dpi=100, bbox_inches="tight")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name another folder") from error
    except ValueError as error:
        raise OutputError(f"{path}: {first_sentence(error)}; end the name in .png") from error


def draw_reliability(report: JudgeReport) -> Figure:
    """How often the judge is right at each level of certainty; the diagonal is the aim.

    Each level is a dot with its 95 % interval and its count.
    """
    figure = Figure(figsize=(5.6, 5.6))
    axes = figure.add_subplot()
    axes.axline((0.5, 0.5), slope=1, color="0.4", linewidth=1)
    for level in report.reliability:
        low, high = wilson_interval(round(level.right * level.count), level.count)
        axes.vlines(level.certainty, low, high, color="tab:blue")
        axes.scatter(level.certainty, level.right, color="tab:red", zorder=3)
        axes.annotate(
            f"n {level.count}",
            (level.certainty, level.right),
            xytext=(6, -12),
            textcoords="offset points",
        )
    axes.set(
        xlim=(0.5, 1.01),
        ylim=(0, 1.01),
        xlabel="certainty of occluded or clear",
        ylabel="share of crops that are right",
        title=(
            f"{report.judge} {report.version}: {len(report.decided)} crops, "
            f"calibration error {report.calibration_error:.3f}"
        ),
    )
    axes.grid(color="0.9")
    return figure


def draw_confusion(report: JudgeReport) -> Figure:
    """Labels down, answers across: counts, on blue as dark as their share of the label."""
    table = report.confusion
    labels = [label for label in LABELS if label in table]
    answers = [label for label in LABELS if any(label in row for row in table.values())]
    counts = np.array([[table[row].get(answer, 0) for answer in answers] for row in labels])
    counts = counts.reshape(len(labels), len(answers))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(2 + 0.6 * len(answers), 2 + 0.6 * len(labels)))
    axes = figure.add_subplot()
    if counts.size:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (line, column), count in np.ndenumerate(counts):
        if count:
            ink = "white" if shares[line, column] > 0.5 else "black"  # noqa: PLR2004  (dark blue)
            axes.text(column, line, str(count), ha="center", va="center", color=ink)
    axes.set_xticks(range(len(answers)), answers, rotation=90)
    totals = [f"{label} ({sum(table[label].values())})" for label in labels]
    axes.set_yticks(range(len(labels)), totals)
    axes.set(xlabel="answer", ylabel="label", title=f"{report.judge} {report.version}")
    return figure


def draw_precision_recall(curves: Mapping[str, Scored]) -> Figure:
    """Precision over recall, one line for each name, such as the kind or the detector."""
    figure = Figure(figsize=(5.6, 5.6))
    axes = figure.add_subplot()
    for name, scored in curves.items():
        axes.plot(*trace_precision_recall(scored).T, label=name)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01), xlabel="recall", ylabel="precision")
    axes.grid(color="0.9")
    axes.legend(loc="lower left")
    return figure


def trace_precision_recall(scored: Scored) -> NDArray[np.float64]:
    """(N, 2) recall and precision down to each detection's score, the surest first."""
    hits = np.cumsum(scored.right)
    counts = np.arange(1, len(hits) + 1)
    return np.stack([hits / max(scored.boxes, 1), hits / counts], axis=1)
