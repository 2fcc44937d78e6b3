"""What is inside the messages, for every alert there can be."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import (
    Alert,
    AlertState,
    CameraId,
    CameraState,
    Covering,
    Evidence,
    JudgeName,
    Moment,
    Severity,
    StreamState,
    SubjectId,
    Timings,
)
from monitor.publish.contract.payload import (
    alert_topic,
    build_alert_body,
    build_recorded_body,
    encode_alert,
    encode_state,
    find_content_type,
    snapshot_topic,
    stamp_payload,
    state_topic,
    status_topic,
)
from tests.support.alert_schema import ALERT_V1
from tests.support.fakes import ALERT

YARD = CameraId("yard")
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
any_text = st.text(st.characters(codec=None), max_size=40)  # lone surrogates too
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True)
moments = st.builds(
    Moment,
    seconds=st.floats(0, 1e9),
    taken_at=st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001  (the zone is drawn beside it)
        max_value=datetime(9999, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from(
            [UTC, timezone(timedelta(hours=9)), timezone(-timedelta(hours=4))]
        ),
    ),
)
milliseconds = st.floats(0, 1e7)
alerts = st.builds(
    Alert,
    id=st.uuids(),
    seq=st.integers(0, 2**31),
    state=st.sampled_from(AlertState),
    severity=st.sampled_from(Severity),
    camera=names.map(CameraId),
    subject=st.integers(0, 2**40).map(SubjectId),
    covering=st.sampled_from(Covering),
    probability=st.floats(0, 1),
    thinking=any_text,
    zone=st.none() | names,
    first_seen=moments,
    raised_at=moments,
    judge=st.builds(JudgeName, name=any_text, version=any_text),
    timings=st.builds(Timings, *[milliseconds] * 7),
    evidence=st.none() | st.builds(Evidence, any_text, st.none() | any_text, any_text),
)


def test_topics_are_those_of_the_contract() -> None:
    assert alert_topic("bank-3", YARD) == "monitor/v1/bank-3/yard/alert"
    assert state_topic("bank-3", YARD) == "monitor/v1/bank-3/yard/state"
    assert snapshot_topic("bank-3", YARD) == "monitor/v1/bank-3/yard/snapshot"
    assert status_topic("bank-3") == "monitor/v1/bank-3/status"


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (alert_topic("s", YARD), "application/json"),
        (state_topic("s", YARD), "application/json"),
        (snapshot_topic("s", YARD), "image/jpeg"),
        (status_topic("s"), "text/plain"),
        ("somewhere/else", "application/octet-stream"),
    ],
)
def test_each_topic_has_its_content_type(topic: str, expected: str) -> None:
    assert find_content_type(topic) == expected


@given(alert=alerts)
def test_every_alert_is_valid_alert_v1(alert: Alert) -> None:
    body = json.loads(encode_alert("site", alert).decode())
    jsonschema.validate(body, ALERT_V1)
    assert body["id"] == str(alert.id)
    assert body["covering"] == alert.covering
    assert body["probability"] == pytest.approx(alert.probability, abs=0.5e-4)


@given(alert=alerts)
def test_equal_alerts_are_equal_bytes_with_sorted_keys(alert: Alert) -> None:
    payload = encode_alert("site", alert)
    assert payload == encode_alert("site", replace(alert))
    assert list(json.loads(payload)) == sorted(json.loads(payload))


@given(alert=alerts, late=st.booleans(), publish_ms=milliseconds)
def test_stamping_changes_late_and_publish_and_nothing_else(
    alert: Alert, *, late: bool, publish_ms: float
) -> None:
    before = json.loads(encode_alert("site", alert))
    sent = stamp_payload(encode_alert("site", alert), late=late, publish_ms=publish_ms)
    after = json.loads(sent)
    assert after["late"] is late
    assert after["timings_ms"]["publish"] == round(publish_ms, 1)
    before["late"], before["timings_ms"]["publish"] = late, round(publish_ms, 1)
    assert after == before
    assert stamp_payload(sent, late=late, publish_ms=publish_ms) == sent, "stamping is idempotent"


@pytest.mark.parametrize(
    "payload", [b"", b"online", b"\xff\xd8\xff", b"[1]", b'{"camera": "yard"}']
)
def test_what_is_no_alert_is_sent_as_it_is(payload: bytes) -> None:
    assert stamp_payload(payload, late=True, publish_ms=1) == payload


@pytest.mark.parametrize(("probability", "occluded"), [(0.4999, False), (0.5, True), (1.0, True)])
def test_occluded_is_even_odds_or_more(probability: float, *, occluded: bool) -> None:
    assert build_alert_body("s", replace(ALERT, probability=probability))["occluded"] is occluded


def test_times_of_day_are_given_in_utc_with_milliseconds() -> None:
    tokyo = datetime(2024, 5, 1, 21, 0, 0, 123_456, timezone(timedelta(hours=9)))
    body = build_alert_body("s", replace(ALERT, raised_at=Moment(0, tokyo)))
    assert body["raised_at"] == "2024-05-01T12:00:00.123+00:00"


def test_a_replay_gives_times_in_seconds_of_the_recording() -> None:
    alert = replace(ALERT, raised_at=Moment(83.123456, NOON))
    recorded, live = build_recorded_body("s", alert), build_alert_body("s", alert)
    assert (recorded["first_seen"], recorded["raised_at"]) == (1.0, 83.123)
    assert recorded.keys() == live.keys()
    assert {k for k in live if live[k] != recorded[k]} == {"first_seen", "raised_at"}


def test_a_probability_that_is_no_number_is_never_published() -> None:
    """NaN is no JSON: strict subscribers would drop the message without a word."""
    with pytest.raises(ValueError, match="probability"):
        encode_alert("s", replace(ALERT, probability=math.nan))


@pytest.mark.parametrize(
    ("state", "streaming", "stalled", "tampered"),
    [
        (StreamState.CONNECTING, False, False, False),
        (StreamState.STREAMING, True, False, False),
        (StreamState.STALLED, False, True, False),
        (StreamState.REJECTED, False, False, False),
        (StreamState.TAMPERED, True, False, True),
        (StreamState.PAUSED, False, False, False),
        (StreamState.ENDED, False, False, False),
    ],
)
def test_a_state_says_in_booleans_what_is_wrong(
    state: StreamState, *, streaming: bool, stalled: bool, tampered: bool
) -> None:
    body = json.loads(encode_state(CameraState(YARD, state, 24.96, 2, NOON)))
    assert body == {
        "camera": "yard",
        "state": state.value,
        "streaming": streaming,
        "stalled": stalled,
        "tampered": tampered,
        "fps": 25.0,
        "subjects": 2,
        "last_frame": "2024-05-01T12:00:00.000+00:00",
        "tampering": None,
        "analysis_fps": None,
        "skipped": 0,
    }


def test_a_camera_without_a_picture_yet_has_no_last_frame() -> None:
    state = CameraState(YARD, StreamState.CONNECTING, 0.0, 0, None)
    assert json.loads(encode_state(state))["last_frame"] is None
