"""``monitor judge``: what covers the faces in one picture or recording?"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.errors import OK
from monitor.config.schema import EmbeddedDetector, EmbeddedJudge
from monitor.errors import SourceRejectedError
from monitor.runtime import logs

if TYPE_CHECKING:
    from monitor.inference import Inference

_ANALYSES_PER_S = 2.0


def judge(
    what: Annotated[str, typer.Argument(metavar="PICTURE|VIDEO|URL")],
    quality_is_occlusion: Annotated[  # noqa: FBT002  (a flag of the command line)
        bool, typer.Option(help="Count heads too blurred, dark or small to judge as occluded.")
    ] = True,
) -> int:
    """Judge the faces in one picture or recording and print the HTTP contract's JSON."""
    logs.start("warning")
    is_url = what.startswith(("http://", "https://"))
    if not is_url and not Path(what).is_file():
        raise SourceRejectedError(f"{what}: no such file; name a picture, a video or a URL")
    from monitor.build import models  # noqa: PLC0415  (torch takes seconds)
    from monitor.inference import Inference  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    inference = Inference(models(EmbeddedDetector(), EmbeddedJudge(), clock), quality_is_occlusion)
    with tempfile.TemporaryDirectory() as folder:
        path = _fetched(what, Path(folder)) if is_url else Path(what)
        answer = _answer(inference, path)
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return OK


def _answer(inference: "Inference", path: Path) -> dict[str, object]:
    """As a picture if it is one, else as a video."""
    from monitor.inference import REQUEST  # noqa: PLC0415
    from monitor.ingest.file import FileVideo  # noqa: PLC0415
    from monitor.ingest.picture import read_picture  # noqa: PLC0415
    from monitor.runtime.clock import RecordingClock  # noqa: PLC0415

    try:
        return inference.picture(read_picture(path))
    except SourceRejectedError:
        video = FileVideo(
            REQUEST,
            path,
            analysis_fps=_ANALYSES_PER_S,
            paced=False,
            clock=RecordingClock(),
        )
        with video.open() as frames:
            return inference.video(frames)


def _fetched(url: str, folder: Path) -> Path:
    from monitor.ingest.fetch import fetched  # noqa: PLC0415

    path = folder / "fetched"
    path.write_bytes(fetched(url))
    return path
