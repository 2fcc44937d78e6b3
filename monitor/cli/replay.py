"""``monitor replay``: recordings in, alerts out, as fast as it goes."""

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from monitor.cli.errors import FAILED, OK
from monitor.config.load import load_replay
from monitor.errors import SourceError
from monitor.runtime import logs

if TYPE_CHECKING:
    from monitor.replay.player import Replay


def replay(
    videos: Annotated[list[Path], typer.Argument(help="Recordings.", metavar="VIDEO...")],
    out: Annotated[Path, typer.Option(help="A folder for the results, one folder per file.")],
    config: Annotated[
        Path | None, typer.Option(help="A YAML file; unset takes configs/replay.yaml.")
    ] = None,
    annotate: Annotated[  # noqa: FBT002  (a flag of the command line)
        bool, typer.Option("--annotate", help="Write annotated.mp4 too.")
    ] = False,
) -> int:
    """Play recordings through the pipeline and write alerts.jsonl, tracks.csv, summary.json."""
    logs.start("warning")
    settings = load_replay(config)
    from monitor.build import load_models  # noqa: PLC0415  (torch takes seconds)
    from monitor.replay.player import Replay  # noqa: PLC0415
    from monitor.runtime.clock import RecordingClock  # noqa: PLC0415

    clock = RecordingClock()
    player = Replay(
        settings, load_models(settings.detector, settings.judge, clock, settings.verifier), clock
    )
    console = Console(stderr=True)
    failed = 0
    for video, folder in zip(videos, name_folders(videos, out), strict=True):
        try:
            _play(player, video, folder, console, annotate=annotate)
        except SourceError as error:  # play the other files
            print(f"monitor: {error}", file=console.file)
            failed += 1
    return FAILED if failed else OK


class _PlayedColumn(ProgressColumn):
    """Seconds played, and the total if the file states it."""

    def render(self, task: Task) -> Text:
        """The text of the column."""
        total = "" if task.total is None else f" of {task.total:.1f}"
        return Text(f"{task.completed:.1f}{total} s")


def _play(player: "Replay", video: Path, folder: Path, console: Console, *, annotate: bool) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _PlayedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(video.name, total=player.read_duration_s(video))
        summary = player.play(
            video,
            folder,
            annotate=annotate,
            progress=lambda seconds: progress.update(task, completed=seconds),
        )
    print(
        f"{video.name}: {summary.frames_decoded} frames, {summary.frames_analysed} analysed, "
        f"{summary.subjects} subjects, {summary.judged} judged, "
        f"{summary.looks} looks, {summary.alerts} alerts; "
        f"{summary.video_s:.1f} s of video in {summary.taken_s:.1f} s -> {folder}"
    )


def name_folders(videos: Sequence[Path], out: Path) -> list[Path]:
    """A folder for each file, named by its stem, with a number if that is taken."""
    names: list[str] = []
    for video in videos:
        wanted = chain([video.stem], (f"{video.stem}-{n}" for n in count(2)))
        names.append(next(name for name in wanted if name not in names))
    return [out / name for name in names]
