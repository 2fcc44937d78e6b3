"""Which verdicts are believed where no face was found."""

from dataclasses import replace

from monitor.config.policy import Policy
from monitor.domain import Alert, Covering
from tests.support.fakes import verdict
from tests.support.policies import STEP_S, Watched


def test_a_mask_where_no_face_was_found_is_a_collar_but_a_balaclava_is_one() -> None:
    """A man in profile, whose head was only guessed, was reported for the ear in the crop."""
    raised = {}
    for covering in (Covering.MASK, Covering.BALACLAVA):
        watched = Watched(Policy(min_crops=2))
        changes: list[Alert] = []
        for n in range(5):
            seen = replace(verdict(1, n * STEP_S, 0.97, covering), face_found=False)
            changes += watched.step(n * STEP_S, seen)
        raised[covering] = len(changes)
    assert raised == {Covering.MASK: 0, Covering.BALACLAVA: 1}


def test_a_doubtful_balaclava_where_no_face_was_found_is_somebody_looking_down() -> None:
    sure = replace(verdict(1, 0.0, 0.97, Covering.BALACLAVA), face_found=False)
    shares = {Covering.BALACLAVA: 0.6, Covering.AWAY: 0.25, Covering.NONE: 0.15}
    doubtful = replace(sure, probabilities=shares)
    assert (sure.credible, doubtful.credible) == (True, False)
    assert replace(doubtful, face_found=True).credible
