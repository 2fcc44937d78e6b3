"""``monitor check``: is this configuration right?"""

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
        bool, typer.Option("--probe", help="Try cameras, broker and judges elsewhere too.")
    ] = False,
) -> int:
    """Read a configuration and say what it would do. Loads no model."""
    settings = load_config(config)
    for name, camera in settings.cameras.items():
        print(f"camera {name}: {_place(camera)}, {camera.analysis_fps:g} analyses/s")
    verifier = settings.verifier.judge.kind if settings.verifier else "none"
    kinds = f"judge: {settings.judge.kind}; verifier: {verifier}"
    print(f"detector: {settings.detector.kind}; {kinds}")
    print(f"policy: {settings.policy.preset}")
    for covering, severity in settings.policy.table().items():
        print(f"  {covering}: {severity}")
    print(f"broker: {settings.mqtt.host}:{settings.mqtt.port}; outbox: {settings.outbox}")
    if not probe:
        return OK
    cameras_well = _probe_cameras(settings.cameras)
    tried = [_probe(settings.mqtt), _ask("judge", settings.judge)]
    if settings.verifier is not None:
        tried.append(_ask("verifier", settings.verifier.judge))
    return max(tried) if cameras_well else FAILED


def _probe_cameras(cameras: Mapping[str, Camera]) -> bool:
    """Whether every camera sends pictures, and what they are like."""
    from monitor.cli.probe import looked_at  # noqa: PLC0415  (without --probe, no FFmpeg)

    all_well = True
    for line, well in looked_at(cameras):
        print(line)
        all_well &= well
    return all_well


def _ask(role: str, settings: Judge) -> int:
    """Whether a judge on another machine answers, and why not."""
    if not isinstance(settings, OpenAIJudgeSettings | BynnJudgeSettings):
        return OK
    from monitor.build import build_judge  # noqa: PLC0415  (without --probe, no HTTP)
    from monitor.judge.warm_up import trial_crops  # noqa: PLC0415
    from monitor.runtime.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    try:
        judge = build_judge(settings, clock, warm=False)
        (verdict, _) = judge.judge(trial_crops(clock))
    except JudgeError as error:
        print(f"{role}: {error}")
        return FAILED
    print(f"{role}: {judge.name.name} answered in {verdict.timings.judge:.0f} ms")
    return OK


def _probe(settings: Mqtt) -> int:
    """Whether the broker takes us, and why not."""
    from monitor.publish.mqtt.probe import probe  # noqa: PLC0415  (without --probe, no paho)

    try:
        version = probe(settings)
    except BrokerUnavailableError as error:
        print(f"broker: {error}")
        return FAILED
    print(f"broker: accepted us, MQTT {version}")
    return OK


def _place(camera: Camera) -> str:
    source = camera.source
    where = source.url if isinstance(source, RtspSource | HttpSource) else source.path
    return f"{source.kind} {where}"
