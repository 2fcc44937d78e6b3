"""``monitor serve``: the HTTP API without cameras."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import FAILED, OK
from monitor.config.load import load_serve
from monitor.runtime import logs
from monitor.serve import Metric


@dataclass(frozen=True, slots=True)
class StandaloneStatus:
    """See Status. Only the models could fail, and they were tried at start."""

    def list_problems(self) -> Iterable[str]:
        """See Status."""
        return ()

    def collect_metrics(self) -> Iterable[Metric]:
        """See Status."""
        return ()


def serve(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="A YAML file with detector, tracking, judge and http; unset takes the defaults."
        ),
    ] = None,
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of http.port.")
    ] = None,
) -> int:
    """Answer POST /v1/face-occlusion until SIGTERM or Ctrl-C."""
    logs.start("info")
    settings = load_serve(config)
    http = settings.http if port is None else settings.http.model_copy(update={"port": port})
    from monitor.build import load_models  # noqa: PLC0415
    from monitor.inference.http_service import open_server  # noqa: PLC0415
    from monitor.inference.inference import Inference  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415
    from monitor.runtime.stop import StopSwitch  # noqa: PLC0415
    from monitor.runtime.supervisor import supervise  # noqa: PLC0415  (torch takes seconds)
    from monitor.runtime.systemd import notify  # noqa: PLC0415
    from monitor.runtime.worker import Worker  # noqa: PLC0415

    loaded = load_models(settings.detector, settings.judge, SystemClock())
    inference = Inference(loaded, tracking=settings.tracking)
    with open_server(http, inference, StandaloneStatus()) as server:
        stop = StopSwitch()
        notify("READY=1")
        clean = supervise(
            [Worker("http", server.run, stop)], stop, beat=lambda: notify("WATCHDOG=1")
        )
    return OK if clean else FAILED
