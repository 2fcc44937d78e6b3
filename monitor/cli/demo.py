"""``monitor demo``: everything on one machine, with nothing installed beside it."""

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.errors import FAILED, OK
from monitor.config.schema import Config, Mqtt
from monitor.config.sources import Camera, FileSource, HttpSource, RtspSource, Source
from monitor.errors import ConfigError, OutputError
from monitor.runtime import logs

if TYPE_CHECKING:
    from monitor.publish.mqtt.subscriber import Received

_CAMERA = "entrance"
_SETTLE_S = 0.5  # what the last message gets to arrive in after the daemon has ended


@dataclass(slots=True)
class DemoSubscriber:
    """The subscriber's side: prints what arrives and keeps the numbers.

    Texts of a message are shown as they are: brackets in them are no markup.
    """

    console: Console
    evidence: Path
    alerts: dict[str, list[str]] = field(default_factory=dict)  # states by alert id
    latencies_ms: list[float] = field(default_factory=list)

    def receive(self, message: "Received") -> None:
        """Print one message."""
        if message.topic.endswith("/snapshot"):
            self._snapshot(message)
        elif message.topic.endswith("/alert"):
            self._alert(message)
        else:
            self._show((message.topic, "dim"), "  ", message.payload.decode())

    def _show(self, *parts: str | tuple[str, str]) -> None:
        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def _snapshot(self, message: "Received") -> None:
        path = self.evidence.parent / "snapshot.jpg"
        try:
            path.write_bytes(message.payload)
        except OSError as error:
            self._show((message.topic, "dim"), f"  not kept: {path}: {error.strerror}")
            return
        self._show((message.topic, "dim"), f"  {len(message.payload)} bytes -> {path}")

    def _alert(self, message: "Received") -> None:
        alert = json.loads(message.payload)
        self.alerts.setdefault(alert["id"], []).append(alert["state"])
        raised = alert["state"] == "raised"
        colour = "bold red" if raised else "green"
        self._show(
            (alert["state"].upper(), colour),
            f" {alert['severity']} on {alert['camera']}: ",
            (alert["covering"], "bold"),
            f", probability {alert['probability']:.2f}, subject {alert['subject']}",
        )
        self._show("  ", (message.topic, "dim"), "  ", message.payload.decode())
        if raised:
            wire_ms = _since_ms(alert["raised_at"], message.arrived_at)
            spent = {k: v for k, v in alert["timings_ms"].items() if k != "publish"}
            total_ms = sum(spent.values()) + wire_ms
            self.latencies_ms.append(total_ms)
            crop = self.evidence / alert["id"] / "crop.jpg"
            self._show(
                f"  {total_ms:.0f} ms from the picture to this line, "
                f"{wire_ms:.0f} ms of them over MQTT; crop {crop}"
            )


def demo(
    video: Annotated[Path | None, typer.Option(help="Your own recording.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Your own camera: an rtsp or http address.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder for the clip and the evidence.")] = Path(
        "monitor-demo"
    ),
) -> int:
    """Show the whole path: a camera, the models, an MQTT broker and a subscriber."""
    if video is not None and camera is not None:
        raise ConfigError("--video and --camera exclude each other; give one of them")
    logs.start("warning")
    console = Console()
    evidence = out / "evidence"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}; name another folder with --out") from error
    guest = DemoSubscriber(console, evidence)
    clean = _watch(_source(video, camera, out, console), guest)
    own = video is None and camera is None
    _close(guest, console)
    return OK if clean and (guest.alerts or not own) else FAILED


def _source(video: Path | None, camera: str | None, out: Path, console: Console) -> Source:
    """What to watch: the user's own, or a clip made on the spot."""
    if camera is not None:
        kind = RtspSource if camera.startswith(("rtsp:", "rtsps:")) else HttpSource
        try:
            return kind.model_validate({"kind": kind.__name__[:4].lower(), "url": camera})
        except ValueError:
            raise ConfigError(
                "--camera must be an rtsp, rtsps, http or https address without a password; "
                "for one with it write a configuration with password_file and use `monitor run`"
            ) from None
    if video is not None:
        return FileSource(kind="file", path=video)
    from monitor.demo.clip import write_demo_clip  # noqa: PLC0415  (only the demo draws)

    path = out / "clip.mp4"
    console.print(Text(f"drawing a clip: someone covers his face with a balaclava -> {path}"))
    try:
        script = write_demo_clip(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name another folder with --out") from error
    console.print(
        f"  {script.seconds:.0f} s; covered from {script.covered_from_s:.0f} s "
        f"to {script.covered_until_s:.0f} s"
    )
    return FileSource(kind="file", path=path)


def _watch(source: Source, guest: DemoSubscriber) -> bool:
    """Run the daemon on one camera until it ends, with a broker and a subscriber beside it."""
    from monitor.build import models  # noqa: PLC0415  (torch takes seconds)
    from monitor.daemon.run import run  # noqa: PLC0415
    from monitor.demo.broker import DemoBroker  # noqa: PLC0415
    from monitor.publish.mqtt.subscriber import Subscriber  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415
    from monitor.runtime.stop import StopSwitch  # noqa: PLC0415

    clock = SystemClock()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        broker = stack.enter_context(DemoBroker())
        guest.console.print(f"MQTT broker on 127.0.0.1:{broker.port}; loading the models")
        mqtt = Mqtt(host="127.0.0.1", port=broker.port)
        config = Config(
            site="demo",
            cameras={_CAMERA: Camera(source=source)},
            mqtt=mqtt,
            outbox=Path(folder) / "outbox.sqlite",
            evidence=guest.evidence,
        )
        loaded = models(config.detector, config.judge, clock, config.verifier)
        stack.enter_context(Subscriber(mqtt, guest.receive, site="demo"))
        clean = run(config, loaded, clock)
        StopSwitch().wait(_SETTLE_S)
    return clean


def _close(guest: DemoSubscriber, console: Console) -> None:
    """The summary."""
    table = Table(title="what the subscriber received", title_justify="left")
    table.add_column("alert")
    table.add_column("states")
    for alert, states in guest.alerts.items():
        table.add_row(alert, " -> ".join(states))
    console.print(table)
    latencies = sorted(guest.latencies_ms)
    if latencies:
        console.print(
            f"{len(guest.alerts)} alert(s); from the picture to the subscriber: median "
            f"{latencies[len(latencies) // 2]:.0f} ms, slowest {latencies[-1]:.0f} ms"
        )
    else:
        console.print("no alert: nobody covered their face, or the models did not see it")


def _since_ms(stamp: str, arrived: datetime) -> float:
    return (arrived - datetime.fromisoformat(stamp)).total_seconds() * 1000
