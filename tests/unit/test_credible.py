"""Which verdicts are believed where no face was found."""

from dataclasses import replace

from monitor.config.policy import Policy
from monitor.domain import Alert, Covering
from tests.fakes import verdict
from tests.unit.test_policy import STEP_S, Watched


def test_a_mask_where_no_face_was_found_is_a_collar_but_a_balaclava_is_one() -> None:
    """A man in profile, whose head was only guessed, was reported for the ear in the crop."""
    raised = {}
    for covering in (Covering.MASK, Covering.BALACLAVA):
        watched = Watched(Policy(min_looks=2))
        changes: list[Alert] = []
        for n in range(5):
            seen = replace(verdict(1, n * STEP_S, 0.97, covering), face_found=False)
            changes += watched.step(n * STEP_S, seen)
        raised[covering] = len(changes)
    assert raised == {Covering.MASK: 0, Covering.BALACLAVA: 1}
