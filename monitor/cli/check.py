"""``monitor check``: checks a configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import FAILED, OK
from monitor.config import load_config
from monitor.config.judges import BynnJudgeSettings, Judge, OpenAIJudgeSettings
from monitor.config.schema import Mqtt
from monitor.config.sources import Camera, HttpSource, RtspSource
from monitor.errors import BrokerUnavailableError, JudgeError


def check(
    config: Annotated[Path, typer.Argument(help="A YAML file; configs/ has examples.")],
    *,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Also connect to the cameras, the broker and remote judges."),
    ] = False,
) -> int:
    """Read a configuration and describe it. Loads no model."""
    settings = load_config(config)
    for name, camera in settings.cameras.items():
        print(f"camera {name}: {_format_source(camera)}, {camera.analysis_fps:g} analyses/s")
    verifier = settings.verifier.judge.kind if settings.verifier else "none"
    kinds = f"judge: {settings.judge.kind}; verifier: {verifier}"
    print(f"detector: {settings.detector.kind}; {kinds}")
    print(f"policy: {settings.policy.preset}")
    for covering, severity in settings.policy.get_severities().items():
        print(f"  {covering}: {severity}")
    print(f"broker: {settings.mqtt.host}:{settings.mqtt.port}; outbox: {settings.outbox}")
    if not probe:
        return OK
    cameras_work = _probe_cameras(settings.cameras)
    results = [_probe_broker(settings.mqtt), _probe_judge("judge", settings.judge)]
    if settings.verifier is not None:
        results.append(_probe_judge("verifier", settings.verifier.judge))
    return max(results) if cameras_work else FAILED


def _probe_cameras(cameras: Mapping[str, Camera]) -> bool:
    """Print a line about each camera's stream. True if all of them send frames."""
    from monitor.cli.probe import probe_cameras  # noqa: PLC0415  (without --probe, no FFmpeg)

    all_work = True
    for line, works in probe_cameras(cameras):
        print(line)
        all_work &= works
    return all_work


def _probe_judge(role: str, settings: Judge) -> int:
    """Try a judge on another machine, and print the result."""
    if not isinstance(settings, OpenAIJudgeSettings | BynnJudgeSettings):
        return OK
    from monitor.build import build_judge  # noqa: PLC0415  (without --probe, no HTTP)
    from monitor.judge.warm_up import draw_trial_crops  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    try:
        judge = build_judge(settings, clock, warm=False)
        (verdict, _) = judge.judge(draw_trial_crops(clock))
    except JudgeError as error:
        print(f"{role}: {error}")
        return FAILED
    print(f"{role}: {judge.name.name} answered in {verdict.timings.judge:.0f} ms")
    return OK


def _probe_broker(settings: Mqtt) -> int:
    """Connect to the broker, and print the result."""
    from monitor.publish.mqtt.probe import probe_broker  # noqa: PLC0415  (without --probe, no paho)

    try:
        version = probe_broker(settings)
    except BrokerUnavailableError as error:
        print(f"broker: {error}")
        return FAILED
    print(f"broker: accepted us, MQTT {version}")
    return OK


def _format_source(camera: Camera) -> str:
    source = camera.source
    where = source.url if isinstance(source, RtspSource | HttpSource) else source.path
    return f"{source.kind} {where}"
