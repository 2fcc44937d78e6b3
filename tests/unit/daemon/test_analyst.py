"""The daemon's own parts: who keeps alerts while the disk refuses, and when work is over."""

import threading
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from monitor.daemon.alert_dispatch import AlertDispatch
from monitor.daemon.analyst import Analyst, build_analyst_loop
from monitor.daemon.camera_control import SnapshotRequests
from monitor.domain import Frame, SubjectId
from monitor.pipeline import Change
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import Outbox
from monitor.publish.retained.retained_topics import OpenAlerts, RetainedPublisher
from monitor.record.still import AlertPictures
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from tests.support.fakes import ALERT, YARD, BlueJudge, ManualClock
from tests.support.fakes_mqtt import SwitchedBroker


def change(number: int, pictures: AlertPictures | None = None) -> Change:
    alert = replace(ALERT, id=UUID(int=number), seq=0, subject=SubjectId(number))
    return Change(alert, pictures)


def dispatch(buffered: BufferedOutbox, clock: ManualClock) -> AlertDispatch:
    retained = RetainedPublisher(SwitchedBroker(), "site")
    return AlertDispatch("site", buffered, retained, OpenAlerts(retained, "site", [YARD]), clock)


def buffered_of(outbox: Outbox, clock: ManualClock) -> BufferedOutbox:
    return BufferedOutbox(outbox, clock, lambda _: None)


def test_an_alert_is_on_disk_before_anything_else(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox") as outbox:
        clock = ManualClock()
        dispatch(buffered_of(outbox, clock), clock).publish_change(change(1))
        message = outbox.read_oldest()
    assert message is not None
    assert message.topic == "monitor/v1/site/yard/alert"
    assert message.id == UUID(int=1)


def test_the_end_of_all_recordings_ends_the_program(tmp_path: Path) -> None:
    from monitor.build import Models, PipelineSettings, build_pipeline  # noqa: PLC0415  (only here)
    from monitor.config.judges import Scheduler  # noqa: PLC0415
    from monitor.config.policy import Policy  # noqa: PLC0415
    from monitor.config.schema import Tracking  # noqa: PLC0415
    from tests.support.fakes import ScriptedDetector  # noqa: PLC0415

    clock, bell = ManualClock(), threading.Event()
    models = Models(ScriptedDetector({}), BlueJudge(), batch=4)
    settings = PipelineSettings(Tracking(), Scheduler(), Policy(), tmp_path / "evidence")
    pipeline, _ = build_pipeline(settings, {YARD: None}, models, clock)
    box = Mailbox[Frame](1, bell=bell)
    box.close()
    stop = StopSwitch()
    with Outbox(tmp_path / "outbox") as outbox:
        buffered = buffered_of(outbox, clock)
        keeper, pictures = dispatch(buffered, clock), SnapshotRequests(bell)
        analyst = Analyst(pipeline, {YARD: box}, bell, clock, keeper, pictures)
        build_analyst_loop(analyst, buffered)(stop)
    assert stop.requested
