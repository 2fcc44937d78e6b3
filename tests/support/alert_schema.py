"""The contract of ``alert-v1`` with its subscribers, written out by hand."""

from collections.abc import Mapping

_MS = {"type": "number", "minimum": 0}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$"}
_PROPERTIES: Mapping[str, object] = {
    "id": {
        "type": "string",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    },
    "seq": {"type": "integer", "minimum": 0},
    "state": {"enum": ["raised", "confirmed", "rejected", "unverified", "ended"]},
    "severity": {"enum": ["ignore", "note", "alert", "critical"]},
    "site": {"type": "string"},
    "camera": {"type": "string"},
    "subject": {"type": "integer"},
    "covering": {
        "enum": [
            *("none", "mask", "mask_incorrect", "scarf", "balaclava", "hard_mask"),
            *("helmet", "sunglasses", "hand_object", "away"),
        ]
    },
    "probability": {"type": "number", "minimum": 0, "maximum": 1},
    "occluded": {"type": "boolean"},
    "thinking": {"type": "string"},
    "zone": {"type": ["string", "null"]},
    "first_seen": _TIME,
    "raised_at": _TIME,
    "late": {"type": "boolean"},
    "evidence": {
        "oneOf": [
            {"type": "null"},
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["snapshot", "clip", "sha256"],
                "properties": {
                    "snapshot": {"type": "string"},
                    "clip": {"type": ["string", "null"]},
                    "sha256": {"type": "string"},
                },
            },
        ]
    },
    "judge": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "version"],
        "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
    },
    "timings_ms": {
        "type": "object",
        "additionalProperties": False,
        "required": ["decode", "detect", "track", "queue", "judge", "decide", "publish"],
        "properties": dict.fromkeys(
            ["decode", "detect", "track", "queue", "judge", "decide", "publish"], _MS
        ),
    },
}
ALERT_V1: Mapping[str, object] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": [
        *("id", "seq", "state", "severity", "site", "camera", "subject", "covering"),
        *("probability", "occluded", "thinking", "zone", "first_seen", "raised_at", "late"),
        *("evidence", "judge", "timings_ms"),
    ],
    "properties": _PROPERTIES,
}

_SECONDS = {"type": "number", "minimum": 0}  # of the recording
RECORDED_ALERT_V1: Mapping[str, object] = {
    **ALERT_V1,
    "properties": {
        **_PROPERTIES,
        "first_seen": _SECONDS,
        "raised_at": _SECONDS,
    },
}
