"""``monitor run``: the daemon."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.errors import FAILED, OK
from monitor.config import load_config
from monitor.domain import CameraId
from monitor.runtime import heap, logs


def run(
    config: Annotated[Path, typer.Argument(help="A YAML file; configs/ has examples.")],
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(case_sensitive=False, help="Log this level and above."),
    ] = "info",
) -> int:
    """Watch cameras and publish alerts until SIGTERM or Ctrl-C."""
    heap.limit_heaps()  # before libraries start threads
    from monitor.build import load_models  # noqa: PLC0415  (torch takes seconds; `check` needs none)
    from monitor.daemon.run import run as watch  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    logs.start(log_level)
    settings = load_config(config)
    clock = SystemClock()
    camera_px = {
        CameraId(name): camera.detect_px
        for name, camera in settings.cameras.items()
        if camera.detect_px is not None
    }
    loaded = load_models(settings.detector, settings.judge, clock, settings.verifier, camera_px)
    return OK if watch(settings, loaded, clock) else FAILED
