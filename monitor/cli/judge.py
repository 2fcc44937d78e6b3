"""``monitor judge``: judges the faces in one picture or recording."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.errors import OK
from monitor.config.judges import EmbeddedJudgeSettings
from monitor.config.schema import EmbeddedDetector
from monitor.errors import SourceRejectedError
from monitor.ingest.untrusted.fetch import fetch_anywhere, redact_url
from monitor.runtime import logs

if TYPE_CHECKING:
    from monitor.inference.inference import Inference

_ANALYSES_PER_S = 2.0
_MAX_PICTURE_BYTES = 50_000_000  # larger files are videos, which are not read at once


def judge(
    what: Annotated[str, typer.Argument(metavar="PICTURE|VIDEO|URL")],
    quality_is_occlusion: Annotated[  # noqa: FBT002  (a flag of the command line)
        bool, typer.Option(help="Count heads too blurred, dark or small to judge as occluded.")
    ] = True,
) -> int:
    """Judge the faces in one picture or recording and print the HTTP contract's JSON."""
    logs.start("warning")
    with tempfile.TemporaryDirectory() as folder:
        path, name = _find_file(what, Path(folder))
        answer = _judge_file(path, name, _load_inference(quality_is_occlusion=quality_is_occlusion))
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return OK


def _find_file(what: str, folder: Path) -> tuple[Path, str]:
    """The file to judge, fetched into the folder if it is a URL, and its name for messages."""
    if what.startswith(("http://", "https://")):
        path = folder / "fetched"
        path.write_bytes(fetch_anywhere(what))
        return path, redact_url(what)
    try:
        is_file = Path(what).is_file()
    except OSError:  # the path is too long
        is_file = False
    if not is_file:
        name = redact_url(what) if "://" in what else what
        raise SourceRejectedError(f"{name}: no such file; name a picture, a video or a URL")
    return Path(what), what


def _load_inference(*, quality_is_occlusion: bool) -> "Inference":
    from monitor.build import load_models  # noqa: PLC0415  (torch takes seconds)
    from monitor.inference.inference import Inference  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    return Inference(
        load_models(EmbeddedDetector(), EmbeddedJudgeSettings(), SystemClock()),
        quality_is_occlusion,
    )


def _judge_file(path: Path, name: str, inference: "Inference") -> dict[str, object]:
    """Judge a file as a picture if it is one, else as a video."""
    from monitor.inference.inference import REQUEST  # noqa: PLC0415
    from monitor.ingest.file import FileVideo  # noqa: PLC0415
    from monitor.ingest.frames.picture import ArrayPicture, read_picture  # noqa: PLC0415
    from monitor.ingest.untrusted.images import decode_images, is_image  # noqa: PLC0415
    from monitor.runtime.clock import RecordingClock  # noqa: PLC0415

    if path.stat().st_size <= _MAX_PICTURE_BYTES:
        encoded = path.read_bytes()
        if is_image(encoded):
            with suppress(SourceRejectedError):  # a damaged one is read below, as far as it goes
                images = decode_images(encoded)
                return inference.judge_pictures(ArrayPicture(image.pixels) for image in images)
        with suppress(SourceRejectedError):
            return inference.judge_picture(read_picture(encoded))
    video = FileVideo(
        REQUEST, path, analysis_fps=_ANALYSES_PER_S, paced=False, clock=RecordingClock()
    )
    try:
        with video.open() as frames:
            return inference.judge_video(frames)
    except SourceRejectedError as error:
        raise SourceRejectedError(str(error).replace(str(path), name)) from None
