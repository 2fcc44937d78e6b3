"""A small version of the attack on the HTTP API: ``python -m tests.stress.http_fuzz 1000 200``."""

import random
from pathlib import Path

import pytest

from monitor.build import Models
from monitor.config.http import Http
from monitor.inference.http_service import open_server
from monitor.inference.inference import Inference
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.stress.http_fuzz import ALLOWED, Outcome, attack, mutated, originals
from tests.support.fakes import BlueJudge, ScriptedDetector
from tests.support.fakes_http import FakeStatus


@pytest.mark.slow
@pytest.mark.stress
def test_mutated_pictures_and_clips_are_judged_or_refused(tmp_path: Path) -> None:
    chance, outcome = random.Random(7), Outcome(limit_s=120)  # noqa: S311  (the same each time)
    pictures, clips = originals(tmp_path)
    contents = [mutated(chance.choice(pictures), chance) for _ in range(12)]
    contents += [mutated(chance.choice(clips), chance) for _ in range(4)]
    models = Models(ScriptedDetector({}), BlueJudge(), batch=4)
    with open_server(Http(port=0), Inference(models), FakeStatus()) as server:
        stop = StopSwitch()
        worker = Worker("http", server.run, stop)
        worker.start()
        try:
            attack(server.address, contents, outcome, ())
        finally:
            stop.request()
            assert worker.join(30)
    late = {429, 503}  # on a machine that is too busy for ten seconds
    assert outcome.statuses.keys() <= ALLOWED | late
    assert outcome.statuses[200], "some are still whole enough"
    assert outcome.statuses.total() == 16


def test_mutations_are_the_same_each_time_and_differ_from_one_another() -> None:
    whole = bytes(range(256)) * 20
    first, again = (
        [mutated(whole, chance) for _ in range(20)]
        for chance in (random.Random(1), random.Random(1))  # noqa: S311
    )
    assert first == again
    assert len({*first, whole}) >= 20
