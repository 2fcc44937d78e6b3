"""``monitor demo``: everything on one machine, with nothing installed beside it."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from monitor.cli.errors import FAILED, OK
from monitor.config.schema import Config, Mqtt
from monitor.config.sources import Camera, FileSource, HttpSource, RtspSource, Source
from monitor.domain import AlertState
from monitor.errors import ConfigError, OutputError
from monitor.publish.contract.models import AlertV1, StateV1
from monitor.runtime import logs

if TYPE_CHECKING:
    from monitor.publish.mqtt.subscriber import Received

EVIDENCE = "evidence"  # the folder of the alerts' pictures, inside the demo's own
_CAMERA = "entrance"
_SETTLE_S = 0.5  # after the daemon has ended the last message may take this long
_INDENT = " " * 10


@dataclass(slots=True)
class DemoSubscriber:
    """Shows what a subscriber receives: each alert, each change of the camera's state.

    Text inside a message is shown literally, never as markup.

    Args:
        console: Where lines go.
        out: The demo's folder; it holds the evidence, and the received picture goes there.
        as_json: Print each payload as it is, one a line, and nothing else.
    """

    console: Console
    out: Path
    as_json: bool = False
    alerts: dict[str, list[str]] = field(default_factory=dict)  # states by alert id
    latencies_ms: list[float] = field(default_factory=list)
    _camera_state: str | None = field(default=None, init=False)

    def receive(self, message: "Received") -> None:
        """Show one message."""
        kind = message.topic.rpartition("/")[2]
        if kind == "snapshot":
            self._save_picture(message.payload)
            return
        text = message.payload.decode(errors="replace")
        if self.as_json:
            self._print(text)
        try:
            if kind == "alert":
                self._show_alert(AlertV1.model_validate_json(text), message.arrived_at)
            elif kind == "state":
                self._show_state(StateV1.model_validate_json(text), message.arrived_at)
        except ValidationError:
            self._print_for_people((f"{message.topic}: not a message of ours", "dim"))

    def _print(self, *parts: str | tuple[str, str]) -> None:
        self.console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)

    def _print_for_people(self, *parts: str | tuple[str, str]) -> None:
        """Print a line for people."""
        if not self.as_json:
            self._print(*parts)

    def _save_picture(self, jpeg: bytes) -> None:
        path = self.out / "snapshot.jpg"
        try:
            path.write_bytes(jpeg)
        except OSError as error:
            self._print_for_people(f"{_INDENT}picture not saved: {path}: {error.strerror}")
            return
        self._print_for_people(f"{_INDENT}picture: {path}")

    def _show_state(self, state: StateV1, arrived_at: datetime) -> None:
        if state.state != self._camera_state:  # it is also sent every few seconds without a change
            self._camera_state = state.state
            self._print_for_people(
                (f"{_format_time(arrived_at)}  {state.camera}: {state.state}", "dim")
            )

    def _show_alert(self, alert: AlertV1, arrived_at: datetime) -> None:
        self.alerts.setdefault(alert.id, []).append(alert.state)
        raised_at = datetime.fromisoformat(alert.raised_at)
        after_ms = (arrived_at - raised_at).total_seconds() * 1000
        raised = alert.state == AlertState.RAISED
        self._print_for_people(
            f"{_format_time(arrived_at)}  ",
            (f"{alert.state.upper():<10}", "bold red" if raised else "green"),
            f"{alert.severity}, {alert.camera}: ",
            (alert.covering.replace("_", " "), "bold"),
            f" on person {alert.subject}, probability {alert.probability:.2f}"
            + ("" if raised else f", {after_ms / 1000:.0f} s after it was raised"),
        )
        if not raised:
            return
        before_ms = sum(alert.timings_ms.model_dump(exclude={"publish"}).values())
        self.latencies_ms.append(before_ms + after_ms)
        if alert.thinking:
            self._print_for_people(f"{_INDENT}the judge says: ", (alert.thinking, "italic"))
        if alert.evidence is not None:
            self._print_for_people(f"{_INDENT}head: {self.out / EVIDENCE / alert.id / 'crop.jpg'}")
        self._print_for_people(
            f"{_INDENT}{before_ms + after_ms:.0f} ms from the frame to this line, "
            f"{after_ms:.0f} ms of them over MQTT"
        )


def demo(
    video: Annotated[Path | None, typer.Option(help="Your own recording.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Your own camera: an rtsp or http address.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder for the clip and the pictures.")] = Path(
        "monitor-demo"
    ),
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the payloads as JSON lines instead.")
    ] = False,
) -> int:
    """Show the whole path: a camera, the models, an MQTT broker and a subscriber."""
    if video is not None and camera is not None:
        raise ConfigError("--video and --camera exclude each other; give one of them")
    logs.start("warning")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}; name another folder with --out") from error
    progress = Console(stderr=as_json)
    subscriber = DemoSubscriber(Console(), out, as_json)
    clean = _run_daemon(_choose_source(video, camera, out, progress), subscriber, progress)
    _print_summary(subscriber, progress)
    own = video is not None or camera is not None
    return OK if clean and (subscriber.alerts or own) else FAILED


def _choose_source(video: Path | None, camera: str | None, out: Path, progress: Console) -> Source:
    """The user's own camera or recording, or a clip that is drawn now."""
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
    progress.print(Text(f"drawing a clip: a man covers his face with a balaclava -> {path}"))
    try:
        script = write_demo_clip(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name another folder with --out") from error
    progress.print(
        f"  {script.seconds:.0f} s; covered from {script.covered_from_s:.0f} s "
        f"to {script.covered_until_s:.0f} s"
    )
    return FileSource(kind="file", path=path)


def _run_daemon(source: Source, subscriber: DemoSubscriber, progress: Console) -> bool:
    """Run the daemon on one camera until it ends, with a broker and a subscriber beside it."""
    from monitor.build import load_models  # noqa: PLC0415  (torch takes seconds)
    from monitor.daemon.run import run  # noqa: PLC0415
    from monitor.demo.broker import DemoBroker  # noqa: PLC0415
    from monitor.publish.mqtt.subscriber import Subscriber  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415
    from monitor.runtime.stop import StopSwitch  # noqa: PLC0415

    clock = SystemClock()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        broker = stack.enter_context(DemoBroker())
        progress.print(f"MQTT broker on 127.0.0.1:{broker.port}; loading the models")
        mqtt = Mqtt(host="127.0.0.1", port=broker.port)
        config = Config(
            site="demo",
            cameras={_CAMERA: Camera(source=source)},
            mqtt=mqtt,
            outbox=Path(folder) / "outbox.sqlite",
            evidence=subscriber.out / EVIDENCE,
        )
        loaded = load_models(config.detector, config.judge, clock, config.verifier)
        stack.enter_context(Subscriber(mqtt, subscriber.receive, site="demo"))
        clean = run(config, loaded, clock)
        StopSwitch().wait(_SETTLE_S)
    return clean


def _print_summary(subscriber: DemoSubscriber, progress: Console) -> None:
    latencies = sorted(subscriber.latencies_ms)
    if not latencies:
        progress.print("no alert: no face was covered, or the models did not see it")
        return
    for alert, states in subscriber.alerts.items():
        progress.print(f"alert {alert}: {' -> '.join(states)}")
    progress.print(
        f"{len(subscriber.alerts)} alert(s); from the frame to the subscriber: median "
        f"{latencies[len(latencies) // 2]:.0f} ms, slowest {latencies[-1]:.0f} ms"
    )


def _format_time(instant: datetime) -> str:
    """Local time of day."""
    return f"{instant.astimezone():%H:%M:%S}"
